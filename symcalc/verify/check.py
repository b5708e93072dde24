"""`check`: a kernel before three witnesses that share no code with it or with one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.notation.atoms import stop_gradient
from symcalc.verify import second_order
from symcalc.verify.comparison import (
    NUDGE,
    ROUNDING,
    WIDEST,
    Comparison,
    entries_scale,
    extents_text,
    outcome,
    rounding,
)
from symcalc.verify.differences import EPS, difference
from symcalc.verify.sampling import Point, draw, modest, primes
from symcalc.verify.unrolled import Unrolled
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS, CheckReport, CheckRow

UNROLLED_CASES = (
    ((2, 3), "typical"), ((3, 2), "typical"), ((3, 2), "tails"), ((2, 3), "tails"),
)  # fmt: skip
SIBLING_CASES = (
    ("typical", (37, 29)), ("typical", (5, 211)), ("typical", (1, 1)), ("typical", (1031, 3)),
    ("ties", (31, 5)),
)  # fmt: skip
DIRECTIONS = 6
ATTEMPTS = 12


def check_kernel(kernel: Kernel, sibling: Kernel, seed: int = 0) -> CheckReport:
    """Hold a float64 kernel against brute force, its sibling backend and finite differences.

    Args:
        kernel: the kernel to check.
        sibling: the same objective on the NumPy backend.
        seed: of the points.

    Returns:
        The report; its truth value is whether every row passed.
    """
    rows = [
        *_rows("brute-force SymPy", _against_unrolled(kernel, seed)),
        *_rows("NumPy backend", _against_sibling(kernel, sibling, seed)),
        *_rows("finite differences", _against_differences(kernel, seed)),
    ]
    for method, witness in second_order.WITNESSES:
        rows += _rows(method, witness(kernel, seed))
    return CheckReport(kernel.objective.name, tuple(rows))


def _rows(method: str, comparisons: Iterator[Comparison]) -> list[CheckRow]:
    """Sum comparisons up, one row an input and derivative, by the entry worst for its bound."""
    found: dict[tuple[str, str], CheckRow] = {}
    for comparison in comparisons:
        row = replace(_row(method, comparison), of=comparison.of)
        known = found.get((row.of, row.wrt))
        if known is None:
            found[row.of, row.wrt] = row
            continue
        worse = max((known, row), key=lambda r: (_ORDER[r.verdict], r.error / (r.bound or 1e-300)))
        found[row.of, row.wrt] = replace(worse, points=known.points + row.points)
    return list(found.values())


_ORDER = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


def _row(method: str, comparison: Comparison) -> CheckRow:
    came, expected, bound = (
        np.atleast_1d(np.asarray(part, dtype=np.float64))
        for part in (comparison.came, comparison.expected, comparison.bound)
    )
    bound = np.broadcast_to(bound, came.shape)
    if came.shape != expected.shape:
        return CheckRow(method, comparison.wrt, f"shape {came.shape}, expected {expected.shape}",
                        np.inf, 0.0, FAIL, came.size)  # fmt: skip
    same = np.isinf(came) & (came == expected)  # both overflow
    bound = np.where(same, 0.0, bound)
    error = np.abs(np.subtract(came, expected, out=np.zeros_like(came), where=~same))
    error[~np.isfinite(error)] = np.inf  # NaN equals nothing, itself least of all
    if not came.size:
        return CheckRow(method, comparison.wrt, "no entries", 0.0, 0.0, INCONCLUSIVE, 0)
    undecided = np.isnan(bound)
    ratio = np.where(undecided, -1.0, error / np.where(undecided | (bound == 0), 1e-300, bound))
    place = np.unravel_index(int(np.argmax(ratio)), came.shape)
    where = f"{comparison.at}, entry {[int(p) for p in place]}" if came.size > 1 else comparison.at
    verdict = FAIL if ratio[place] > 1 else INCONCLUSIVE if undecided.any() else PASS
    return CheckRow(method, comparison.wrt, where, float(error[place]), float(bound[place]),
                    verdict, came.size)  # fmt: skip


def _against_unrolled(kernel: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare with SymPy's derivative of the formula written out at extents 2 and 3."""
    objective = kernel.objective
    for sizes, kind in UNROLLED_CASES:
        point = draw(objective, primes(objective, sizes), seed + sizes[0], kind)
        value, gradients = outcome(kernel, point)
        unrolled = Unrolled(objective, point)
        at = f"{extents_text(point)}, {kind}"
        for place, wrt in enumerate(kernel.derivation.wrt):
            (true_value, truth), (near_value, near) = unrolled.gradient(wrt, nudge=NUDGE)
            if place == 0:
                size = 1.0 + abs(near_value - true_value) / NUDGE
                yield Comparison("value", value, true_value, rounding(true_value, size), at)
            with np.errstate(invalid="ignore"):
                moves = _largest(near - truth) / NUDGE
            largest = max(_largest(truth), entries_scale(point), moves)
            yield Comparison(wrt, gradients[place], truth, rounding(truth, largest), at)


def _largest(values: Any) -> float:
    """The greatest size among the finite values; zero if there is none."""
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))


def _against_sibling(kernel: Kernel, sibling: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare with the NumPy backend, on a few thousand entries and at ties.

    In the tails it is no witness: it subtracts probabilities from one.
    """
    objective = kernel.objective
    for number, (kind, sizes) in enumerate(SIBLING_CASES):
        extents = modest(objective, primes(objective, sizes))
        point = draw(objective, extents, seed + 100 + number, kind)
        value, gradients = outcome(kernel, point)
        other_value, others = outcome(sibling, point)
        nearby = [outcome(sibling.unchecked, point.nudged(NUDGE, turn)) for turn in range(3)]
        at = f"{extents_text(point)}, {kind}"
        summed = abs(other_value)
        if not objective.is_scalar:
            summed = float(np.sqrt(np.size(point.cotangent)))
        size = summed + 1.0 + sum(abs(near - other_value) for near, _ in nearby) / NUDGE
        yield Comparison("value", value, other_value, rounding(other_value, size), at)
        for place, wrt in enumerate(kernel.derivation.wrt):
            came, other = gradients[place], others[place]
            moves = sum(np.abs(near[place] - other) for _, near in nearby) / NUDGE
            largest = max(float(np.max(np.abs(other))), entries_scale(point))
            if kind == "ties":  # a nudge crosses the kink: the entry itself must do
                moves = np.zeros_like(moves)
            yield Comparison(wrt, came, other, rounding(other, largest + moves), at)


def _against_differences(kernel: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare directional derivatives with finite differences of the kernel's own value."""
    objective = kernel.objective
    if any(formula.has(stop_gradient) for formula in objective.formulas):
        return  # the gradient meant is not that of the value
    for place, wrt in enumerate(kernel.derivation.wrt):
        position = [t.name for t in objective.inputs].index(wrt)
        for direction in range(DIRECTIONS):
            yield _direction(kernel, wrt, place, position, seed + 1000 * direction)


def _direction(kernel: Kernel, wrt: str, place: int, position: int, seed: int) -> Comparison:
    """One direction; another point is tried where a kink or noise spoils the difference."""
    objective = kernel.objective
    outcome_of: Comparison | None = None
    for attempt in range(ATTEMPTS):
        sizes = ((5, 3), (3, 4), (2, 7))[(seed // 1000) % 3]
        point = draw(objective, primes(objective, sizes), seed + attempt)
        base = point.arrays[position]
        rng = np.random.default_rng(seed + attempt)
        move = _directions(rng, base.shape, seed // 1000)
        along, size = _along(kernel, point, position, base, move)
        found = difference(along, ROUNDING / 8 * EPS * size)
        _, gradients = outcome(kernel, point)
        slope = float(np.sum(gradients[place] * move))
        width = float(np.sum(np.abs(gradients[place] * move)))
        decided = found.bound <= WIDEST * max(width, entries_scale(point))
        bound = found.bound + ROUNDING * EPS * width if decided else np.nan
        at = f"{extents_text(point)}, direction {seed // 1000}, step {found.step:.0e}"
        outcome_of = Comparison(wrt, slope, found.slope, bound, at)
        if decided:
            break
    assert outcome_of is not None
    return outcome_of


def _directions(rng: np.random.Generator, shape: tuple[int, ...], number: int) -> Any:
    """Random signs and sizes; every third direction moves a single entry."""
    if number % 3 == 2 and shape:
        move = np.zeros(shape)
        move[tuple(rng.integers(0, extent) for extent in shape)] = 1.0
        return move
    return rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 1.0, size=shape)


def _along(
    kernel: Kernel, point: Point, position: int, base: Any, move: Any
) -> tuple[Callable[[float], float], float]:
    """Return the value along a direction, and the size of what it is summed from."""
    free = kernel.unchecked  # a step may leave the domain, or a simplex

    def along(t: float) -> float:
        moved = point.moved(position, base + t * move)
        value = free(*moved.arrays, **moved.hyper)
        return value if kernel.objective.is_scalar else float(np.sum(value * point.cotangent))

    value = free(*point.arrays, **point.hyper)
    if kernel.objective.is_scalar:
        return along, abs(value) + 1.0
    return along, float(np.sum(np.abs(value * point.cotangent))) + 1.0
