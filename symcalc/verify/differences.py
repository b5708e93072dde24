"""Finite differences with a computed step and a computed error bound.

The five-point rule D(h) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) errs by
|f'''''| h**4 / 30 of truncation and by at most 1.5 e / h of rounding, e being the error of one
value. The fifth derivative is estimated from D at two steps, the step that balances both errors
follows, and so does the bound. A bound too wide to decide anything is reported as inconclusive.

Of a function of which nothing is known, each side is taken by itself. With
R(h) = (4 f(h) - f(2h) - 3 f(0)) / (2 h), the rule (4 R(h) - R(2h)) / 3 errs by O(h**3) and by at
most 6 e / h; steps are halved for as long as that helps. Two sides that differ by more than their
bounds are a kink, and a side that leaves the domain is no side.

References: Fornberg (1988), doi:10.1090/S0025-5718-1988-0935077-0, for the rules' coefficients;
More and Wild (2011), doi:10.1137/100786125, for the noise of a function read off its differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

EPS = float(np.finfo(np.float64).eps)
SMALLEST_STEP = 1e-6
LARGEST_STEP = 0.05
SAFETY = 4.0
COARSEST = -2  # the widest step is 2**2: a function may live on a scale of its own
ROUND = 6.0  # times the noise over the step: the rounding of the rule for one side


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


@dataclass(frozen=True)
class Slopes:
    """The one-sided derivatives of a function of one number; NaN with bound inf where unknown.

    Args:
        left: from the left.
        right: from the right.
    """

    left: Difference
    right: Difference

    @property
    def sides(self) -> tuple[Difference, ...]:
        """The sides on which the function could be differenced."""
        return tuple(side for side in (self.left, self.right) if math.isfinite(side.bound))

    @property
    def kink(self) -> bool:
        """Whether the two sides are known to differ."""
        gap = abs(self.left.slope - self.right.slope)
        return len(self.sides) == 2 and gap > self.left.bound + self.right.bound


def slopes(
    function: Callable[[float], float], noise: float, eps: float = EPS, finest: int = 45,
    until: float = 0.0,
) -> Slopes:  # fmt: skip
    """Return the derivatives at zero from both sides, each with its error bound.

    Args:
        function: of one number; NaN where it is not defined.
        noise: the absolute error of one value near zero.
        eps: the relative one, farther away.
        finest: steps are halved down to 2**-finest.
        until: steps are halved, though rounding grows, until it is as large as this.
    """
    middle = function(0.0)
    right = _side(function, middle, noise, eps, finest, until)
    left = _side(lambda t: function(-t), middle, noise, eps, finest, until)
    return Slopes(Difference(-left.slope, left.bound, left.step), right)


def noise_level(values: Sequence[float]) -> float:
    """Return the noise of a smooth function, from values of it at equal and tiny steps.

    Differences of order k of what is smooth vanish with the step; of independent errors of size e
    they have size e * sqrt((2k)!) / k!.
    """
    table, gamma, levels = np.asarray(values, dtype=np.float64), 1.0, []
    table = table - table[0]
    size = float(np.max(np.abs(table)))
    if size == 0:
        return 0.0
    table = table / size
    for order in range(1, len(values)):
        table = np.diff(table)
        gamma *= order / (2 * (2 * order - 1))
        levels.append(math.sqrt(gamma * float(np.mean(table**2))))
    return size * max(levels[2:-1], default=0.0)


def _side(
    function: Callable[[float], float], middle: float, noise: float, eps: float, finest: int,
    until: float,
) -> Difference:  # fmt: skip
    """The derivative from the right: halve the step until rounding outweighs what is left.

    What the step leaves is read off the changes of the last three halvings, so that two rules
    that agree by accident are not believed; a finer rule that differs by more than rounding tells
    of a kink in between, which the bound then takes in. Where slopes grow for as long as rounding
    is small there is none.
    """
    best, tightest, grows = Difference(math.nan, math.inf, math.nan), math.inf, False
    far, near = (function(2.0**-k) - middle for k in (COARSEST - 2, COARSEST - 1))
    previous, gaps = math.nan, [math.nan, math.nan]
    for k in range(COARSEST, finest + 1):
        step = 2.0**-k
        least = ROUND * noise / step
        if least > max(tightest, until):
            break
        here = function(step) - middle
        rule = (32 * here - 12 * near + far) / (12 * step)
        gaps.append(abs(rule - previous))
        left_over = 2 * max(gaps[-1], gaps[-2] / 4, 0.0 if len(gaps) < 5 else gaps[-3] / 16)
        rounding = least + ROUND * eps * max(abs(here), abs(near), abs(far)) / step
        astray = abs(rule - best.slope)
        if least <= tightest:
            grows = gaps[-1] > max(tightest, rounding)
        if astray > best.bound + rounding:
            best = Difference(best.slope, astray + rounding, best.step)
        if left_over + rounding < best.bound and math.isfinite(gaps[-2]):
            best = Difference(rule, left_over + rounding, step)
            tightest = min(tightest, best.bound)
        far, near, previous = near, here, rule
    return Difference(math.nan, math.inf, math.nan) if grows else best
