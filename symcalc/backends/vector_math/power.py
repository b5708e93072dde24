"""x to the power y, for any two numbers."""

from __future__ import annotations

import math
from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import (
    Formula,
    fma,
    head,
    polynomial,
    scale,
    split,
    step,
    vector_in_double,
)


def _log2_in_two(p: Coefficients) -> Formula:
    """Return the step log2(x) as an unrounded sum of two, the first with half the bits.

    x = 2^k m, s = (m - 1)/(m + 1): log2(x) = k + 2/(3 ln(2)) s (3 + s^2 + s^4 w(s^2)).
    """
    two, three, zero = p.real(2), p.real(3), p.real(0)
    tiny, lift, drop = p.smallest_normal, two ** (p.digits + two), p.digits + two
    factor, factor_high, factor_low, w = p.log2_scale, p.log2_scale_high, p.log2_scale_low, p.power

    @step
    def log2_in_two(x: Any) -> Any:
        denormal = x < tiny
        m, k = split(x * lift if denormal else x)
        k = k - (drop if denormal else zero)
        f = m - 1
        d = two + f
        s = f / d
        s_high, d_high = head(s), head(d)
        d_low = f - (d_high - two)
        s_low = ((f - s_high * d_high) - s_high * d_low) / d
        square, z = s_high * s_high, s * s
        rest = fma(z * z, polynomial(z, w), s_low * (s_high + s))
        total = head(three + (square + rest))
        lost = rest - ((total - three) - square)
        main = s_high * total
        small = s_low * total + lost * s
        high = head(main + small)
        low = small - (high - main)
        main = factor_high * high
        small = factor_low * high + low * factor
        total = head((main + small) + k)
        return total, small - ((total - k) - main)

    return log2_in_two


@vector_in_double
def power(p: Coefficients) -> Formula:
    """x^y.

    2^(y log2|x|), the exponent as a sum of two; negative for x < 0 and an odd y.
    Domain: all numbers, with the conventions of C: 1 for y = 0 or x = 1 whatever the other is; NaN
    for x < 0 and a y that is no integer; x = 0 and infinities by their limits.
    """
    log2_in_two = _log2_in_two(p)
    zero, half, one, inf, nan = (p.real(c) for c in (0, 0.5, 1, math.inf, math.nan))
    magic, high, low, q = p.magic, p.ln2_high, p.ln2_low, p.expm1
    whole = p.real(2) ** p.digits
    steepest, most, least = whole * whole, p.max_exponent + 3, -p.max_exponent - p.digits - 3

    @step
    def is_integer(y: Any) -> Any:
        a = abs(y)
        held = whole if a > whole else a
        return (held + whole) - whole == held

    def formula(x: Any, y: Any) -> Any:
        a = abs(x)
        steep = steepest if y > steepest else y
        steep = -steepest if steep < -steepest else steep
        level, rest = log2_in_two(a)
        front = head(steep)
        main = front * level
        small = (steep - front) * level + steep * rest
        total = main + small
        outside = total > most or total < least
        main = (most if total > most else least) if outside else main
        small = zero if outside else small
        t = (main + small) + magic
        f = (main - (t - magic)) + small
        r = fma(f, high, f * low)
        size = scale(one + fma(r * r, polynomial(r, q), r), t)
        rising = (a > one) == (y > zero)
        size = (inf if rising else zero) if a == zero or a == inf else size
        size = size if y == y else y
        size = size if x == x else x
        odd = is_integer(y) and not is_integer(half * y)
        signed = -size if odd else size
        below = signed if is_integer(y) else (nan if a < inf and a > zero else size)
        # the sign of a zero counts: (-0)^-1 is -inf
        size = below if math.copysign(one, x) < zero else size
        return one if y == zero or x == one else size

    return formula
