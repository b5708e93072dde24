"""Logarithms: log, log1p, log1p on the unit interval, and log(1 - exp(-x))."""

from __future__ import annotations

import math
from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import (
    Formula,
    choose,
    fma,
    polynomial,
    power_of_two,
    split,
    step,
    vector,
)
from symcalc.backends.vector_math.exponential import exp_nonpositive, expm1


def _log_near_one(p: Coefficients) -> Formula:
    """Return the step k ln(2) + log(1 + f) + rest, for 1 + f in [sqrt(1/2), sqrt(2))."""
    two, half, high, low, w = p.real(2), p.real(0.5), p.ln2_high, p.ln2_low, p.log

    @step
    def near_one(f: Any, k: Any, rest: Any) -> Any:
        s = f / (two + f)
        z = s * s
        square = half * f * f
        inner = fma(s, fma(z, polynomial(z, w), square), fma(k, low, rest))
        return k * high - ((square - inner) - f)

    return near_one


@vector
def log(p: Coefficients) -> Formula:
    """Natural logarithm.

    x = 2^k (1 + f), s = f/(2 + f), z = s^2: log(x) = k ln(2) + f - (f^2/2 - s (f^2/2 + z w(z))),
    from log(1 + f) = 2 atanh(s).
    Domain: x >= 0, with -inf at zeros of either sign; NaN below.
    """
    near_one = _log_near_one(p)
    one, two, zero, inf, nan = (p.real(c) for c in (1, 2, 0, math.inf, math.nan))
    tiny, lift, drop = p.smallest_normal, two ** (p.digits + two), p.digits + two

    def formula(x: Any) -> Any:
        denormal = x < tiny
        m, k = split(x * lift if denormal else x)
        k = k - drop if denormal else k
        y = near_one(m - one, k, zero)
        y = choose(x < inf, y, x)
        y = choose(x > zero, y, nan)
        return choose(x == zero, -inf, y)

    return formula


@vector
def log1p(p: Coefficients) -> Formula:
    """log(1 + x), without cancellation.

    1 + x = u + c exactly, u = 2^k m, f = (m - 1) + 2^-k c, then as log; f is x itself when k is 0.
    Domain: x >= -1, with -inf at -1; NaN below; keeps the sign of zero.
    """
    near_one = _log_near_one(p)
    one, zero, inf, nan = (p.real(c) for c in (1, 0, math.inf, math.nan))
    magic, negligible, huge = p.magic + p.exponent_bias, p.negligible, one / p.negligible

    def formula(x: Any) -> Any:
        u = one + x
        back = u - one
        c = (one - (u - back)) + (x - back)
        m, k = split(u)
        c = zero if x > huge else c * power_of_two(magic - k)
        g = m - one
        f = g + c
        lost = c - (f - g)
        y = near_one(f, k, fma(-lost, f, lost))
        y = choose(abs(x) < negligible, x, y)
        y = choose(x < inf, y, x)
        y = choose(x > -one, y, nan)
        return choose(x == -one, -inf, y)

    return formula


@vector
def log1p_unit(p: Coefficients) -> Formula:
    """log(1 + x) for -1/2 <= x <= 1.

    s = x/(2 + x), z = s^2: log(1 + x) = 2 atanh(s) = 2 s + s z w(z) = x - s (x - z w(z)).
    Domain: -1/2 <= x <= 1; keeps the sign of zero.
    """
    two, w = p.real(2), p.log1p_unit

    def formula(x: Any) -> Any:
        s = x / (two + x)
        z = s * s
        return fma(-s, fma(-z, polynomial(z, w), x), x)

    return formula


@vector
def log1mexp(p: Coefficients) -> Formula:
    """log(1 - exp(-x)).

    log(-expm1(-x)) up to log(2), log1p(-exp(-x)) beyond.
    Domain: x >= 0, with -inf at 0; NaN below.
    Reference: Maechler, Accurately computing log(1 - exp(-|a|)) (2012).
    """
    ln2 = p.ln2

    def formula(x: Any) -> Any:
        near, far = log(-expm1(-x)), log1p_unit(-exp_nonpositive(-x))
        return choose(x > ln2, far, near)

    return formula


@vector
def log_ratio(p: Coefficients) -> Formula:
    """log(x/y).

    Where |x - y| < y/2, log1p((x - y)/y), as the difference is exact; where x/y over- or
    underflows, both are first scaled by powers of two.
    Domain: x >= 0, y >= 0.
    """
    zero, one, half, inf = (p.real(c) for c in (0, 1, 0.5, math.inf))
    tiny = p.smallest_normal
    exponent = p.lift + half * p.lift
    up, down = p.real(2) ** exponent, p.real(2) ** -exponent
    offset = p.real(2) * exponent * p.ln2

    def formula(x: Any, y: Any) -> Any:
        gap, quotient = x - y, x / y
        low, high = quotient < tiny, quotient == inf
        up_x, up_y = choose(low, up, choose(high, down, one)), choose(low, down, one)
        apart = log(x * up_x / (y * choose(high, up, up_y)))
        apart = apart + choose(low, -offset, choose(high, offset, zero))
        return choose(abs(gap) < half * y, log1p(gap / y), apart)

    return formula


@vector
def xlogy(p: Coefficients) -> Formula:
    """X log(y), and 0 where x is 0.

    Domain: all x, y >= 0.
    """
    zero = p.real(0)

    def formula(x: Any, y: Any) -> Any:
        return choose(x == zero, zero * x, x * log(y))

    return formula


@vector
def kl_div(p: Coefficients) -> Formula:
    """X log(x/y) - x + y, and y where x is 0.

    With s = (y - x)/(y + x), z = s^2, as log(y/x) = 2 atanh(s) = u - s (u - z w(z)), u = (y - x)/x:
    s ((y - x) - x z w(z)) where |s| <= 2/3, which is x/5 <= y <= 5 x; (y - x) + x log(x/y) beyond.
    Domain: x >= 0, y >= 0; inf for y = 0 < x.
    """
    zero, one, quarter, turn, inf = (p.real(c) for c in (0, 1, 0.25, 2 / 3, math.inf))
    w = p.kl_div

    def formula(x: Any, y: Any) -> Any:
        gap = y - x
        c = choose(x > one, quarter, one)  # so that the sum does not overflow
        greater, lesser = c * choose(x > y, x, y), c * choose(x > y, y, x)
        total = greater + lesser
        s = (c * gap) / total
        z = s * s
        lost = y - (gap + x)  # what the difference lost in rounding, for y < x/2
        inner = fma(-x * z, polynomial(z, w), lost) + gap
        missed = (c * lost - s * ((greater - total) + lesser)) / total  # what s did
        near = fma(missed, inner, s * inner)
        far = fma(c * x, log_ratio(x, y), c * gap) / c
        value = choose(abs(s) <= turn, near, far)
        plain = (x == zero) | ((y == inf) & (x < inf))
        return choose(plain, y, value)

    return formula
