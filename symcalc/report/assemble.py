"""From a kernel and its check to the page: what the other rooms made, in this room's terms."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from symcalc.backends import numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.backends.written import numba_source
from symcalc.calculus.derive import derive
from symcalc.notation.making import MAKING, collector_at_rest
from symcalc.notation.objective import Objective
from symcalc.report.blocks import CheckRow, Page
from symcalc.report.book import Member, member
from symcalc.report.page import build_page
from symcalc.report.plots import figures
from symcalc.report.properties import facts
from symcalc.report.slices import Array, Evaluate
from symcalc.report.symbols import symbols
from symcalc.verify.check import check_equations
from symcalc.verify.verdict import CheckReport


def kernel_page(kernel: Kernel, checks: CheckReport | None = None) -> Page:
    """Make the page of a compiled objective.

    Args:
        kernel: the kernel, whose source is shown, and with which the pictures are drawn.
        checks: what `check` said of it; the section is left out without.

    Returns:
        The page; `write` puts it into files.
    """
    derivation, evaluate = kernel.derivation, evaluator(kernel)
    return build_page(
        kernel.objective, derivation, source=kernel.source,
        checks=() if checks is None else check_rows(checks),
        figures=figures(kernel.objective, derivation, evaluate),
        facts=facts(derivation, evaluate, symbols(kernel.objective, derivation)),
    )  # fmt: skip


def book_member(objective: Objective) -> Member:
    """Make an objective's page for the book, and compile nothing.

    The source of the kernel is written without being compiled, the pictures are drawn by NumPy, and
    the equations are held before ball arithmetic at a few points.

    Args:
        objective: what the page is about.
    """
    with MAKING, collector_at_rest():
        derivation = derive(objective.at_any_size)
        evaluate = evaluator(Kernel(derivation, "float64", numpy_backend.build))
        known = facts(derivation, evaluate, symbols(derivation.objective, derivation))
        page = build_page(
            derivation.objective, derivation, source=numba_source(derivation),
            checks=check_rows(check_equations(derivation)),
            figures=figures(derivation.objective, derivation, evaluate), facts=known,
        )  # fmt: skip
        return member(derivation, page, dict.fromkeys(fact.name for fact in known))


def book_members(objectives: Sequence[Objective], processes: int = 1) -> Iterator[Member]:
    """Make the pages of objectives, in order.

    Args:
        objectives: each is sent to a process as it is defined, and derived there.
        processes: how many work side by side.
    """
    if processes < 2 or len(objectives) < 2:
        yield from map(book_member, objectives)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy other libraries' threads
    with ProcessPoolExecutor(min(processes, len(objectives)), context) as pool:
        yield from pool.map(book_member, objectives)


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
