"""`check`: an objective's equations and its kernels before witnesses that share no code with them.

1. The equations, ball against ball, before power series of the value (`formula`), at typical points
   and at corners: boundaries, ties, tails, ends of domains.
2. The float64 and float32 kernels before enclosures, in ulps (`accuracy`), at the same points, and
   before the equations in balls at extents where they go from block to block.
3. The float64 kernel before finite differences of its own value and gradient (`differences`).

Nothing is tolerated in the first; in the second what 8 ulps, the roundings of the program or those
of the inputs explain; in the third what the error bound of the difference says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import Derivation
from symcalc.calculus.orders import tangent_product
from symcalc.notation.objective import Objective
from symcalc.verify import accuracy
from symcalc.verify.blocks import block_readings
from symcalc.verify.corners import corners
from symcalc.verify.formula import Finding
from symcalc.verify.sampling import Point, draw, primes, size
from symcalc.verify.sketches import Sketched
from symcalc.verify.slopes import slope_rows
from symcalc.verify.verdict import (
    FAIL,
    GRADIENT,
    INCONCLUSIVE,
    PASS,
    VALUE,
    CheckReport,
    CheckRow,
)

POWER_SERIES = "power series"
TYPICAL = (((2, 3), "typical"), ((3, 2), "typical"), ((3, 2), "tails"), ((2, 3), "ties"))
CORNERS, FEWEST, WORK = 32, 4, 1600
_ORDER = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


def check_kernel(kernel: Kernel, single: Kernel | None = None, seed: int = 0) -> CheckReport:
    """Hold the kernels of an objective, and the equations they were made from, before witnesses.

    Args:
        kernel: the float64 kernel.
        single: the float32 kernel of the same objective; None leaves it out.
        seed: of the points.

    Returns:
        The report; its truth value is whether every row passed.
    """
    objective, derivation = kernel.objective, kernel.derivation
    points = tuple(points_of(objective, seed))
    with np.errstate(all="ignore"):  # what is not finite is looked for
        rows = formula_rows(derivation, points)
        wrong = any(row.verdict == FAIL for row in rows)
        look = accuracy.HeldToEnclosures if wrong else accuracy.Held
        held = [*accuracy.witness(kernel, None, points, look=look), *block_readings(kernel, seed)]
        if single is not None:
            rounded = [r for r in map(accuracy.as_single, points) if r is not None]
            held += accuracy.witness(single, None, rounded, (VALUE, GRADIENT), look)
        rows += [*accuracy.rows(held), *slope_rows(kernel, seed)]
    return CheckReport(objective.name, tuple(rows))


def check_equations(derivation: Derivation, seed: int = 0) -> CheckReport:
    """Hold the equations of a derivation alone before ball arithmetic, at a few typical points.

    No kernel is compiled. `check_kernel` holds these equations and the kernels at many more points.

    Args:
        derivation: whose equations are held.
        seed: of the points.

    Returns:
        The report; its truth value is whether every row passed.
    """
    objective = derivation.objective
    points = [
        replace(draw(objective, primes(objective, sizes), seed + number, kind), at=kind)
        for number, (sizes, kind) in enumerate(TYPICAL)
    ]
    return CheckReport(objective.name, tuple(formula_rows(derivation, points)))


def points_of(objective: Objective, seed: int) -> Iterator[Point]:
    """Yield the points of a check: typical ones, tails and ties, then corners."""
    for number, (sizes, kind) in enumerate(TYPICAL):
        point = draw(objective, primes(objective, sizes), seed + number, kind)
        yield replace(point, at=kind)
    yield from corners(objective, seed, _affordable(objective))


def _affordable(objective: Objective) -> int:
    """How many corners are looked at: each takes a few evaluations of what reads all entries."""
    extents = primes(objective, TYPICAL[0][0])
    shapes = (tensor.shape for tensor in objective.inputs if tensor.name in objective.wrt)
    entries = sum(math.prod(size(extent, extents) for extent in shape) for shape in shapes)
    return max(min(WORK // max(entries, 1), CORNERS), FEWEST)


def formula_rows(derivation: Derivation, points: Iterable[Point]) -> list[CheckRow]:
    """Sum findings up: one row a derivative and input, by the worst entry.

    Args:
        derivation: whose equations are held.
        points: where.
    """
    tangent = tangent_product(derivation.objective, derivation.wrt)
    formula = Sketched(derivation, derivation.hvp, tangent=tangent)
    found: dict[tuple[str, str], CheckRow] = {}
    for point in points:
        for finding in formula.findings(point):
            of = GRADIENT if finding.wrt == "value" else finding.of
            row = _row(finding, of, point)
            known = found.setdefault((of, finding.wrt), row)
            if known is not row:
                worse = max(known, row, key=lambda r: _ORDER[r.verdict])
                found[of, finding.wrt] = replace(worse, points=known.points + row.points)
    return list(found.values())


def _row(finding: Finding, of: str, point: Point) -> CheckRow:
    sizes = ", ".join(f"{name} = {size}" for name, size in point.extents.items())
    entry = f", entry {list(finding.place)}" if finding.place else ""
    why = f": {finding.why}" if finding.why else ""
    error, bound = _gap(finding)
    return CheckRow(
        POWER_SERIES, finding.wrt, f"{sizes}; {point.at}{entry}{why}", error, bound,
        finding.verdict, 1, of,
    )  # fmt: skip


def _gap(finding: Finding) -> tuple[float, float]:
    """How far the balls are apart, and how wide they are."""
    if finding.came is None:
        return (float("inf"), 0.0) if finding.verdict == FAIL else (0.0, 0.0)
    came, low, high = finding.came, finding.low, finding.high
    width = float((came.rad() + low.rad() + high.rad()).mid())
    if came < low:
        return float((low - came).mid()), width
    if came > high:
        return float((came - high).mid()), width
    return (0.0, width) if came.is_finite() else (float("inf"), width)
