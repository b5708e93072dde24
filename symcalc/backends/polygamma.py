"""The derivatives of the trigamma function, of any order: what the calculus of lgamma leads to."""

from __future__ import annotations

import math
from fractions import Fraction

from numba import njit

# From here on the asymptotic series takes over; below, so many terms are added up before it.
FAR = 20.0
TERMS = 12

# From here down every float64 is a whole number, and so a pole.
POLES = -(2.0**52)


def _bernoulli(count: int) -> tuple[float, ...]:
    """B_2/2!, B_4/4!, ..., by the recurrence of the Bernoulli numbers."""
    numbers = [Fraction(1)]
    for m in range(1, 2 * count + 1):
        rest = sum((math.comb(m + 1, k) * numbers[k] for k in range(m)), Fraction(0))
        numbers.append(-rest / (m + 1))
    return tuple(float(numbers[2 * k] / math.factorial(2 * k)) for k in range(1, count + 1))


_SERIES = _bernoulli(TERMS)


@njit(error_model="numpy")
def _zeta(power: int, x: float) -> float:
    """Sum 1/(x + k)^power over k = 0, 1, 2, ..., for x > 0 (Euler and Maclaurin).

    Reciprocals are written as quotients: Numba's negative powers raise where these are inf.
    """
    far = x
    total = 0.0
    while far < FAR:
        total += 1.0 / far**power
        far += 1.0
    square = 1.0 / (far * far)
    term = power / far ** (power + 1)
    tail = 0.0
    for k in range(TERMS):
        tail += _SERIES[k] * term
        term *= (power + 2 * k + 1) * (power + 2 * k + 2) * square
    return total + (1.0 / far ** (power - 1) / (power - 1) + 0.5 / far**power + tail)


@njit(error_model="numpy")
def polygamma(order: int, x: float) -> float:
    """Derivative of digamma, so many times, for order >= 1.

    (-1)^(m+1) m! sum over k >= 0 of 1/(x + k)^(m+1); for x < 0 the terms of
    both signs are three such sums of positive arguments.
    Domain: all numbers; NaN at 0, at negative integers and at -inf, where an odd order has a pole
    upwards and an even one a pole of two sides.
    Reference: NIST Handbook of Mathematical Functions, 5.15.1, 25.11.5.
    """
    power = order + 1
    scale = 1.0 if order % 2 else -1.0
    for k in range(2, order + 1):
        scale *= k
    if x > 0.0:
        return scale * _zeta(power, x)
    if not x > POLES:
        return math.nan
    f, rest = x - math.floor(x), math.ceil(x) - x
    if not rest > 0.0:
        return math.nan
    below = _zeta(power, rest) - _zeta(power, 1.0 - x)
    return scale * (_zeta(power, f) + (below if order % 2 else -below))
