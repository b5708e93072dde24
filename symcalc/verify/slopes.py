"""Slopes: a kernel's derivatives before finite differences of its own value and gradient.

Along a direction v the gradient says grad . v, and a product says u . H v. The value and u . grad
are differenced along v, with a step and an error bound that are computed (see `differences`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.notation.atoms import stop_gradient
from symcalc.verify.comparison import (
    ROUNDING,
    WIDEST,
    Comparison,
    entries_scale,
    extents_text,
    outcome,
)
from symcalc.verify.differences import EPS, difference
from symcalc.verify.sampling import ATTEMPTS, Point, draw, primes
from symcalc.verify.verdict import FAIL, GRADIENT, INCONCLUSIVE, PASS, CheckRow

METHOD, HVP = "finite differences", "hvp"
DIRECTIONS = 6
SIZES = ((5, 3), (3, 4), (2, 7))
_ORDER = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


@dataclass(frozen=True)
class Line:
    """A line through a point, along which one input moves.

    Args:
        kernel: whose value and gradient are looked at.
        point: where the line goes through.
        wrt: the input that moves.
        move: its direction.
        weights: of the gradient's entries, one array an input, where those are differenced.
    """

    kernel: Kernel
    point: Point
    wrt: str
    move: Any
    weights: tuple[Any, ...]

    def value(self, t: float) -> float:
        """Return the value; of a layer sum(cotangent * value)."""
        point, free = self._at(t), self.kernel.unchecked  # a step may leave the domain
        value = free(*point.arrays, **point.hyper)
        return float(value if point.cotangent is None else np.sum(value * point.cotangent))

    def gradient(self, t: float) -> float:
        """Return the weighted sum of the gradient's entries."""
        _, gradients = outcome(self.kernel.unchecked, self._at(t))
        return _paired(self.weights, gradients)

    def first(self) -> tuple[float, float, float]:
        """Return grad . v, the size of its terms, and that of what the value is summed from."""
        value, gradients = outcome(self.kernel, self.point)
        terms = gradients[self._turn] * self.move
        size = abs(value)
        if self.point.cotangent is not None:
            array = self.kernel(*self.point.arrays, **self.point.hyper)
            size = float(np.sum(np.abs(array * self.point.cotangent)))
        return float(np.sum(terms)), float(np.sum(np.abs(terms))), size + 1.0

    def second(self) -> tuple[float, float, float]:
        """Return u . H v, the size of its terms, and that of what u . grad is summed from."""
        _, gradients = outcome(self.kernel, self.point)
        vectors = tuple(
            self.move if turn == self._turn else np.zeros(gradient.shape)
            for turn, gradient in enumerate(gradients)
        )
        seed = {} if self.point.cotangent is None else {"cotangent": self.point.cotangent}
        product = self.kernel.hvp(*self.point.arrays, vector=vectors, **seed, **self.point.hyper)
        product = product if isinstance(product, tuple) else (product,)
        width = _paired(self.weights, [np.abs(part) for part in product])
        summed = _paired(self.weights, [np.abs(part) for part in gradients])
        return _paired(self.weights, product), width, summed + entries_scale(self.point)

    @property
    def _turn(self) -> int:
        return self.kernel.derivation.wrt.index(self.wrt)

    def _at(self, t: float) -> Point:
        place = [tensor.name for tensor in self.kernel.objective.inputs].index(self.wrt)
        return self.point.moved(place, self.point.arrays[place] + t * self.move)


def _paired(weights: Iterable[Any], arrays: Iterable[Any]) -> float:
    return float(sum(np.sum(u * part) for u, part in zip(weights, arrays, strict=True)))


def slope_rows(kernel: Kernel, seed: int) -> list[CheckRow]:
    """Sum comparisons up: one row a derivative and input, by the one worst for its bound.

    Args:
        kernel: what is held.
        seed: of the points and directions.
    """
    found: dict[tuple[str, str], CheckRow] = {}
    for comparison in _comparisons(kernel, seed):
        row = _row(comparison)
        known = found.setdefault((row.of, row.wrt), row)
        if known is not row:
            worse = max((known, row), key=_rank)
            found[row.of, row.wrt] = replace(worse, points=known.points + row.points)
    return list(found.values())


def _comparisons(kernel: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare along each direction. What the gradient takes for fixed moves in a difference."""
    if any(formula.has(stop_gradient) for formula in kernel.objective.formulas):
        return
    for wrt in kernel.derivation.wrt:
        for number in range(DIRECTIONS):
            yield _decided(kernel, wrt, number, seed, GRADIENT)
        for number in range(DIRECTIONS // 2):
            yield _decided(kernel, wrt, number, seed, HVP)


def _decided(kernel: Kernel, wrt: str, number: int, seed: int, of: str) -> Comparison:
    """Compare along one direction; another point is tried where a kink or noise spoils it."""
    for attempt in range(ATTEMPTS):
        line = _line(kernel, wrt, number, seed + 1000 * number + attempt)
        function, said = (
            (line.value, line.first()) if of == GRADIENT else (line.gradient, line.second())
        )
        found = _compared(function, said, line, f"direction {number}", of)
        if not np.isnan(found.bound):
            break
    return found


def _compared(
    function: Callable[[float], float], said: tuple[float, float, float], line: Line, at: str,
    of: str,
) -> Comparison:  # fmt: skip
    slope, width, size = said
    estimate = difference(function, ROUNDING / 8 * EPS * size)
    decided = estimate.bound <= WIDEST * max(width, entries_scale(line.point))
    bound = estimate.bound + ROUNDING * EPS * width if decided else np.nan
    where = f"{extents_text(line.point)}, {at}, step {estimate.step:.0e}"
    return Comparison(line.wrt, slope, estimate.slope, bound, where, of)


def _line(kernel: Kernel, wrt: str, number: int, seed: int) -> Line:
    """Draw a point and a direction: random signs and sizes; every third moves a single entry."""
    objective, rng = kernel.objective, np.random.default_rng(seed)
    point = draw(objective, primes(objective, SIZES[number % len(SIZES)]), seed)
    arrays = dict(zip((t.name for t in objective.inputs), point.arrays, strict=True))
    shape = arrays[wrt].shape
    move = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 1.0, size=shape)
    if number % 3 == 2 and shape:
        move = np.zeros(shape)
        move[tuple(rng.integers(0, extent) for extent in shape)] = 1.0
    weights = tuple(rng.uniform(0.5, 1.0, arrays[name].shape) for name in kernel.derivation.wrt)
    return Line(kernel, point, wrt, move, weights)


def _row(comparison: Comparison) -> CheckRow:
    error = abs(comparison.came - comparison.expected)
    error = error if np.isfinite(error) else np.inf  # NaN equals nothing, itself least of all
    bound = comparison.bound
    verdict = INCONCLUSIVE if np.isnan(bound) else FAIL if error > bound else PASS
    return CheckRow(
        METHOD, comparison.wrt, comparison.at, float(error), float(bound), verdict, 1, comparison.of
    )


def _rank(row: CheckRow) -> tuple[int, float]:
    return _ORDER[row.verdict], row.error / (row.bound or 1e-300)
