"""Finite differences with a computed step and a computed error bound.

The five-point rule D(h) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) errs by
|f'''''| h**4 / 30 of truncation and by at most 1.5 e / h of rounding, e being the error of one
value. The fifth derivative is estimated from D at two steps, the step that balances both errors
follows, and so does the bound. A bound too wide to decide anything is reported as inconclusive.

Reference: Fornberg (1988), doi:10.1090/S0025-5718-1988-0935077-0, for the rule's coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EPS = float(np.finfo(np.float64).eps)
SMALLEST_STEP = 1e-6
LARGEST_STEP = 0.05
SAFETY = 4.0


@dataclass(frozen=True)
class Difference:
    """A finite difference.

    Args:
        slope: the estimate of the derivative.
        bound: how far off it may be.
        step: the step used.
    """

    slope: float
    bound: float
    step: float


def difference(function: Callable[[float], float], noise: float) -> Difference:
    """Return the derivative at zero of a function of one number, and its error bound.

    Args:
        function: smooth near zero.
        noise: the absolute error of one value of it.
    """
    trial = 0.01
    curvature = max(
        _fifth(function, trial, noise), _fifth(function, trial / 3, noise), 1e-3 * noise
    )
    step = (1.5 * noise / (4 * curvature / 30)) ** 0.2
    step = float(np.clip(step, SMALLEST_STEP, LARGEST_STEP))
    slope, half = _rule(function, step), _rule(function, step / 2)
    truncation = max(curvature * step**4 / 30, abs(slope - half) - 4.5 * noise / step)
    bound = SAFETY * (truncation + 1.5 * noise / step)
    return Difference(slope, max(bound, _jump(function, step, noise)), step)


def _jump(function: Callable[[float], float], h: float, noise: float) -> float:
    """Estimate the jump of the derivative within reach, zero if the function is smooth there.

    The slopes from the left and from the right differ by a multiple of h**3 where the function is
    smooth, and by the jump, whatever h is, where it is not.
    """
    wide, narrow = _sides(function, h), _sides(function, h / 2)
    return wide + narrow if narrow > max(wide / 4, 64 * noise / h) else 0.0


def _sides(function: Callable[[float], float], h: float) -> float:
    """The gap between the slopes from the right and from the left, each by three points."""
    middle = function(0.0)
    right = (4 * function(h) - function(2 * h) - 3 * middle) / (2 * h)
    left = (3 * middle - 4 * function(-h) + function(-2 * h)) / (2 * h)
    return abs(right - left)


def _rule(function: Callable[[float], float], h: float) -> float:
    near = function(h) - function(-h)
    far = function(2 * h) - function(-2 * h)
    return (8 * near - far) / (12 * h)


def _fifth(function: Callable[[float], float], h: float, noise: float) -> float:
    """Estimate |f'''''| from the rule at two steps: D(h) - D(h/2) is 15/16 of the error of D(h)."""
    gap = abs(_rule(function, h) - _rule(function, h / 2))
    return max(gap - 4.5 * noise / h, 0.0) * 30 * 16 / 15 / h**4
