"""From a kernel and its check to the page: what the other rooms made, in this room's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symcalc.backends.kernel import Kernel
from symcalc.report.blocks import CheckRow, Page
from symcalc.report.illustrate import drawings, illustrated
from symcalc.report.page import build_page
from symcalc.report.slices import Array, Evaluate
from symcalc.verify.verdict import CheckReport


def kernel_page(
    kernel: Kernel, checks: CheckReport | None = None, artist: Kernel | None = None
) -> Page:
    """Make the page of a compiled objective.

    Args:
        kernel: the kernel, whose source is shown and whose errors are drawn.
        checks: what `check` said of it; the section is left out without.
        artist: the kernel of the same objective that the pictures are drawn with; a NumPy kernel
            spares a compilation. The kernel itself if not given.

    Returns:
        The page; `write` puts it into files.
    """
    derivation = kernel.derivation
    drawn = drawings(kernel.objective, derivation, evaluator(artist or kernel), evaluator(kernel))
    rows = () if checks is None else check_rows(checks)
    page = build_page(kernel.objective, derivation, source=kernel.source, checks=rows)
    return illustrated(page, drawn)


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
