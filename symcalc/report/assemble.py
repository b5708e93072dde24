"""From a kernel and its check to the page: what the other rooms made, in this room's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symcalc.backends import numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.backends.numba_written import numba_source
from symcalc.calculus.derive import Derivation, derive
from symcalc.notation.making import MAKING, collector_at_rest
from symcalc.notation.objective import Objective
from symcalc.report.blocks import CheckRow, Page
from symcalc.report.book import Member, member
from symcalc.report.illustrate import drawings, illustrated
from symcalc.report.page import build_page
from symcalc.report.properties import facts
from symcalc.report.slices import Array, Evaluate
from symcalc.report.symbols import symbols
from symcalc.verify.check import check_equations
from symcalc.verify.verdict import CheckReport

_WITNESS = "our NumPy backend"


def kernel_page(kernel: Kernel, checks: CheckReport | None = None) -> Page:
    """Make the page of a compiled objective.

    Args:
        kernel: the kernel, whose source is shown, with which the pictures are drawn, and whose
            errors are.
        checks: what `check` said of it; the section is left out without.

    Returns:
        The page; `write` puts it into files.
    """
    page, _ = _page(kernel.derivation, kernel.source, checks, evaluator(kernel), "our kernel")
    return page


def book_member(objective: Objective) -> Member:
    """Make an objective's page for the book, and compile nothing.

    The source of the kernel is written without being compiled, the pictures are drawn by the NumPy
    backend, and the equations are held before ball arithmetic at a few points.

    Args:
        objective: what the page is about.
    """
    with MAKING, collector_at_rest():
        derivation = derive(objective.at_any_size)
        evaluate = evaluator(Kernel(derivation, "float64", numpy_backend.build))
        checks = check_equations(derivation)
        page, names = _page(derivation, numba_source(derivation), checks, evaluate, _WITNESS)
        return member(derivation, page, names)


def _page(
    derivation: Derivation,
    source: str,
    checks: CheckReport | None,
    evaluate: Evaluate,
    whose: str,
) -> tuple[Page, tuple[str, ...]]:
    """Make a page, and the names of the properties that it tells."""
    objective = derivation.objective
    known = facts(derivation, evaluate, symbols(objective, derivation))
    rows = () if checks is None else check_rows(checks)
    page = build_page(objective, derivation, source=source, checks=rows, facts=known)
    drawn = drawings(objective, derivation, evaluate, whose)
    return illustrated(page, drawn), tuple(dict.fromkeys(fact.name for fact in known))


def evaluator(kernel: Kernel) -> Evaluate:
    """Return the function that the drawings ask for value and gradients.

    Args:
        kernel: called without domain checks, since every drawing calls it a thousand times.
    """
    quick = kernel.unchecked

    def evaluate(
        arrays: tuple[Array, ...], hyper: Mapping[str, float], cotangent: Array | None
    ) -> tuple[Any, Any]:
        if cotangent is None:
            value, gradients = quick.value_and_grad(*arrays, **hyper)
        else:
            value, gradients = quick.vjp(*arrays, cotangent=cotangent, **hyper)
        return value, gradients

    return evaluate


def check_rows(report: CheckReport) -> tuple[CheckRow, ...]:
    """Write a check report for a page: verdicts, without digits that differ between machines.

    Args:
        report: what `check` returned.
    """
    errors = {"PASS": "within its bound", "FAIL": "beyond its bound", "INCONCLUSIVE": "undecided"}
    return tuple(
        CheckRow(row.method, row.what, "", errors.get(row.verdict, ""), "", row.verdict,
                 str(row.points))
        for row in report.rows
    )  # fmt: skip
