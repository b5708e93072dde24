"""Comparison: what a kernel gave at one point, what a witness says, how far off it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.verify.differences import EPS
from symcalc.verify.sampling import Point
from symcalc.verify.verdict import GRADIENT

Found = TypeVar("Found")

# Rounding a kernel may accumulate, in units of eps times the size of what it adds up.
ROUNDING = 64.0
# A difference whose bound is wider than this share of the gradient decides nothing.
WIDEST = 1e-4
# The inputs are moved by this share of themselves to see how much the truth moves: rounding an
# input does no less to any kernel.
NUDGE = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Entries compared at one point.

    Args:
        wrt: the input differentiated by, or "value".
        came: what the kernel gave.
        expected: what the witness says.
        bound: how far off it may be; NaN where the witness cannot tell.
        at: where.
        of: what was compared: the gradient, a jvp, an hvp, a diagonal.
    """

    wrt: str
    came: Any
    expected: Any
    bound: Any
    at: str
    of: str = GRADIENT


def outcome(kernel: Kernel, point: Point) -> tuple[float, tuple[Any, ...]]:
    """Return the value, or sum(cotangent * value), and the gradients."""
    if kernel.objective.is_scalar:
        value, gradient = kernel.value_and_grad(*point.arrays, **point.hyper)
    else:
        array, gradient = kernel.vjp(*point.arrays, cotangent=point.cotangent, **point.hyper)
        value = float(np.sum(array * point.cotangent))
    return value, gradient if isinstance(gradient, tuple) else (gradient,)


def where_finite(witness: Callable[[Point], Found], points: Iterable[Point]) -> tuple[Point, Found]:
    """Return the first point at which all that a witness says is finite, and what it says.

    A mean over nothing, or a recurrence that grows without end, has no gradient to compare. If
    there is no such point, the last one is returned.
    """
    for point in points:
        found = witness(point)
        if _all_finite(found):
            break
    return point, found


def _all_finite(found: Any) -> bool:
    if isinstance(found, (tuple, list)):
        return all(map(_all_finite, found))
    return bool(np.all(np.isfinite(found)))


def rounding(expected: Any, largest: Any) -> Any:
    """The bound on rounding: a share of each entry, and of the largest one it was made from."""
    return ROUNDING * EPS * (np.abs(expected) + largest)


def entries_scale(point: Point) -> float:
    """The size of what gradients at this point are differences of."""
    reals = [np.max(np.abs(a)) for a in point.arrays if a.size and a.dtype.kind != "i"]
    largest = float(max(1.0, *reals)) if reals else 1.0
    if point.cotangent is None:
        return largest / max(point.extents.values(), default=1)
    return float(np.max(np.abs(point.cotangent), initial=0.0)) * largest


def extents_text(point: Point) -> str:
    """Say at which extents."""
    return ", ".join(f"{name} = {size}" for name, size in point.extents.items())
