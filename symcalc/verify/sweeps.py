"""Sweeps: the numbers at which an entry is looked at, from one end of its domain to the other.

Linear near zero, logarithmic to the ends of the range, and ever closer to every kink and every end
of the domain, from both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from symcalc.notation.domains import Domain

SPECIAL = (0.0, 0.5, 1.0, 2.0, 16.0, 37.0, 40.0, 88.7, 103.9, 700.0, 709.7, 745.0, 1e4, 1e20)
LINEAR = ((4.0, 160), (40.0, 80), (800.0, 40))  # up to where, and how many
PER_DECADE = 1.0  # of the logarithmic part
_SEED = 20240611


def sweep(domain: Domain, dtype: str, around: Iterable[float] = ()) -> Any:
    """Return numbers of a precision that lie in a domain, in order, each once.

    Args:
        domain: where the entry may lie.
        dtype: "float64" or "float32".
        around: kinks, which the sweep comes close to from both sides.
    """
    real = np.dtype(dtype).type
    info, rng = np.finfo(real), np.random.default_rng(_SEED)
    ends = [end for end in (domain.lower, domain.upper) if np.isfinite(end)]
    found = [np.array(SPECIAL), *(rng.uniform(0, most, count) for most, count in LINEAR)]
    found.append(_decades(rng, float(info.smallest_subnormal), float(info.max)))
    positive = np.concatenate(found)
    values = [positive, -positive, *(_close_to(real(at), info) for at in (*around, *ends))]
    if len(ends) == 2:
        low, high = ends
        values.append(rng.uniform(low, high, 160))
    with np.errstate(over="ignore", under="ignore"):
        swept = np.unique(np.concatenate(values).astype(real)).astype(np.float64)
    return np.array([x for x in swept if np.isfinite(x) and domain.admits(float(x))])


def _decades(rng: np.random.Generator, least: float, most: float) -> Any:
    """Magnitudes with digits at random, from the smallest subnormal to the greatest number."""
    low, high = np.log10(least), np.log10(most)
    powers = np.arange(low, high, 1 / PER_DECADE)
    inner = 10.0 ** (powers[1:-1] + rng.uniform(0, 0.5 / PER_DECADE, powers.size - 2))
    return np.array([least, *inner, most])


def _close_to(at: Any, info: Any) -> Any:
    """A number, its neighbours, and numbers twice as far away each time."""
    real = type(at)
    size = max(float(abs(at)), 1.0)
    steps = size * 2.0 ** -np.arange(0, info.nmant + 2, 2.0)
    beside = [np.nextafter(at, real(np.inf)), np.nextafter(at, real(-np.inf))]
    tiny = 2.0 ** np.arange(-info.nmant - 2, info.minexp if at == 0 else 0, -64.0)
    return np.array([at, *beside, *(at + steps), *(at - steps), *tiny, *np.negative(tiny)], float)


def crossings(gap: Callable[[float], int | None], dtype: str) -> list[float]:
    """Return the numbers of a precision at which a gap changes its sign, or those beside them.

    Args:
        gap: -1, 0 or 1 at a number; None where it is unknown.
        dtype: "float64" or "float32".
    """
    real = np.dtype(dtype).type
    grid = sorted({0.0, *(sign * 2.0**k for k in range(-6, 11) for sign in (-1.0, 1.0))})
    signs = [gap(x) for x in grid]
    found = [x for x, sign in zip(grid, signs, strict=True) if sign == 0]
    for low, high, below, above in zip(grid, grid[1:], signs, signs[1:], strict=False):
        if below is None or above is None or below * above >= 0:
            continue
        while low < (middle := float(real((low + high) / 2))) < high:
            sign = gap(middle)
            if sign is None or sign == 0:
                low = high = middle
            elif sign == below:
                low = middle
            else:
                high = middle
        found += [low, high]
    return found
