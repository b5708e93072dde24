"""Witnesses of jvp, hvp and the diagonal: brute force, differences of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.notation.atoms import stop_gradient
from symcalc.verify.comparison import (
    NUDGE,
    ROUNDING,
    WIDEST,
    Comparison,
    entries_scale,
    extents_text,
    outcome,
    rounding,
    where_finite,
)
from symcalc.verify.differences import EPS, difference
from symcalc.verify.sampling import ATTEMPTS, Point, draw, points, primes
from symcalc.verify.unrolled import Unrolled

JVP, HVP, DIAGONAL = "jvp", "hvp", "hessian diagonal"
CASES = (((2, 3), "typical"), ((2, 2), "tails"))
DIRECTIONS = 3


def against_unrolled(kernel: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare with SymPy's first and second derivatives of the formula written out."""
    objective, names = kernel.objective, kernel.derivation.wrt
    single = len(names) == 1

    def truths_at(point: Point) -> tuple[list[Any], list[Any], list[Any]]:
        unrolled, rng = Unrolled(objective, point), np.random.default_rng(seed)
        moving = [_moving(kernel, point, wrt, rng) for wrt in names]
        products = [
            unrolled.product(wrt, vectors[place], nudge=NUDGE)
            for place, (wrt, vectors) in enumerate(zip(names, moving, strict=True))
        ]
        return moving, products, [unrolled.diagonal(names[0], nudge=NUDGE)] if single else []

    for sizes, kind in CASES if single else CASES[:1]:  # second derivatives are long ones
        drawn = points(objective, sizes, seed + 10 + sizes[0], kind)
        point, (moving, products, diagonals) = where_finite(truths_at, drawn)
        at, scale = f"{extents_text(point)}, {kind}", entries_scale(point)
        for place, wrt in enumerate(names):
            vectors, (here, near) = moving[place], products[place]
            came = (_slope(kernel, point, vectors), _product(kernel, point, vectors)[place])
            for of, found, truth, moved in zip((JVP, HVP), came, here, near, strict=True):
                yield _compared(wrt, of, found, truth, moved, scale, at)
        for truth, moved in diagonals:
            diagonal = kernel.hessian_diagonal(*point.arrays, **_seeded(point))
            yield _compared(names[0], DIAGONAL, diagonal, truth, moved, scale, at)


def _compared(
    wrt: str, of: str, came: Any, truth: Any, moved: Any, scale: float, at: str
) -> Comparison:
    """Bound the rounding by the size of the truth, and by how much it moves with its inputs."""
    moves = float(np.max(np.abs(np.subtract(moved, truth)), initial=0.0)) / NUDGE
    largest = max(float(np.max(np.abs(truth), initial=0.0)), scale, moves)
    return Comparison(wrt, came, truth, rounding(truth, largest), at, of)


def against_differences(kernel: Kernel, seed: int) -> Iterator[Comparison]:
    """Compare Hessian-vector products with finite differences of the kernel's own gradient."""
    if kernel.objective.body.has(stop_gradient):
        return  # what the gradient holds still moves when it is differenced
    for wrt in kernel.derivation.wrt:
        for direction in range(DIRECTIONS):
            yield _direction(kernel, wrt, seed + 1000 * direction)


def _direction(kernel: Kernel, wrt: str, seed: int) -> Comparison:
    """One direction; another point is tried where a kink or noise spoils the difference."""
    objective = kernel.objective
    found: Comparison | None = None
    for attempt in range(ATTEMPTS):
        sizes = ((5, 3), (3, 4), (2, 7))[(seed // 1000) % 3]
        point = draw(objective, primes(objective, sizes), seed + 50 + attempt)
        rng = np.random.default_rng(seed + attempt)
        vectors = _moving(kernel, point, wrt, rng)
        along = _Along(kernel, point, wrt, vectors, rng)
        product = _product(kernel, point, vectors)
        parts = [u * p for u, p in zip(along.weights, product, strict=True)]
        slope = float(sum(np.sum(part) for part in parts))
        width = float(sum(np.sum(np.abs(part)) for part in parts))
        estimate = difference(along, ROUNDING / 8 * EPS * along.size())
        decided = estimate.bound <= WIDEST * max(width, entries_scale(point))
        bound = estimate.bound + ROUNDING * EPS * width if decided else np.nan
        at = f"{extents_text(point)}, direction {seed // 1000}, step {estimate.step:.0e}"
        found = Comparison(wrt, slope, estimate.slope, bound, at, HVP)
        if decided:
            break
    assert found is not None
    return found


@dataclass
class _Along:
    """A weighted sum of the gradient's entries, as one input moves along a direction."""

    kernel: Kernel
    point: Point
    wrt: str
    vectors: tuple[Any, ...]
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.position = [t.name for t in self.kernel.objective.inputs].index(self.wrt)
        self.move = self.vectors[self.kernel.derivation.wrt.index(self.wrt)]
        self.weights = [self.rng.uniform(0.5, 1.0, np.shape(v)) for v in self.vectors]

    def __call__(self, t: float) -> float:
        base = self.point.arrays[self.position]
        moved = self.point.moved(self.position, base + t * self.move)
        # A step may leave the domain, or a simplex.
        _, gradients = outcome(self.kernel.unchecked, moved)
        return float(sum(np.sum(u * g) for u, g in zip(self.weights, gradients, strict=True)))

    def size(self) -> float:
        """The size of what is summed."""
        _, gradients = outcome(self.kernel, self.point)
        sums = (np.sum(np.abs(u * g)) for u, g in zip(self.weights, gradients, strict=True))
        return float(sum(sums)) + entries_scale(self.point)


def _moving(kernel: Kernel, point: Point, wrt: str, rng: np.random.Generator) -> tuple[Any, ...]:
    """A vector of the gradient's structure in which one input moves."""
    arrays = dict(zip((t.name for t in kernel.objective.inputs), point.arrays, strict=True))
    return tuple(
        rng.choice([-1.0, 1.0], arrays[name].shape) * rng.uniform(0.5, 1.0, arrays[name].shape)
        if name == wrt
        else np.zeros(arrays[name].shape)
        for name in kernel.derivation.wrt
    )


def _seeded(point: Point) -> dict[str, Any]:
    more = {} if point.cotangent is None else {"cotangent": point.cotangent}
    return {**point.hyper, **more}


def _product(kernel: Kernel, point: Point, vectors: tuple[Any, ...]) -> tuple[Any, ...]:
    found = kernel.hvp(*point.arrays, vector=vectors, **_seeded(point))
    return found if isinstance(found, tuple) else (found,)


def _slope(kernel: Kernel, point: Point, vectors: tuple[Any, ...]) -> float:
    """The derivative along a direction, of sum(cotangent * value) for a layer."""
    moving = dict(zip(kernel.derivation.wrt, vectors, strict=True))
    _, tangent = kernel.jvp(*point.arrays, tangents=moving, **point.hyper)
    return float(tangent if point.cotangent is None else np.sum(tangent * point.cotangent))


Witness = Callable[[Kernel, int], Iterator[Comparison]]
WITNESSES: tuple[tuple[str, Witness], ...] = (
    ("brute-force SymPy", against_unrolled),
    ("finite differences", against_differences),
)
