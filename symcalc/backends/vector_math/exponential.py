"""Exponentials: exp, exp2, expm1, and what is left of exp(x) after 1 + x."""

from __future__ import annotations

from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import (
    Formula,
    fma,
    polynomial,
    power_of_two,
    scale,
    step,
    vector,
)


@vector
def exp(p: Coefficients) -> Formula:
    """e^x.

    x = 2 m ln(2) + r with |r| <= ln(2), then e^x = 2^m (1 + r + r^2 q(r)) 2^m: a product by halves,
    as 2^(2m) may overflow, of which only the last can round.
    Domain: all numbers; inf from 709.79 (88.73 in float32), 0 below -745.13 (-103.97).
    Accuracy: see derivations/accuracy.md, as for every function here.
    """
    magic = p.magic + p.exponent_bias
    half, two = p.real(0.5), p.real(2)
    rate, high, low = half * p.log2e, -two * p.ln2_high, -two * p.ln2_low
    largest, smallest, q = p.overflow, p.underflow, p.exp_wide

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        x = smallest if x < smallest else x
        t = fma(x, rate, magic)
        m = t - magic
        r = fma(m, low, fma(m, high, x))
        s = power_of_two(t)
        return fma(s, fma(r * r, polynomial(r, q), r), s) * s

    return formula


@vector
def exp_nonpositive(p: Coefficients) -> Formula:
    """e^x for x <= 0.

    x = k ln(2) + r with |r| <= ln(2)/2, then e^x = 2^(k + lift) (1 + r + r^2 q(r)) 2^-lift: the
    second product alone can reach the denormal numbers, and rounds once.
    Domain: x <= 0; right up to 362 (43 in float32), so that a rounding above 0 does no harm.
    """
    magic = p.magic + p.exponent_bias + p.lift
    high, low, drop = -p.ln2_high, -p.ln2_low, p.real(2) ** -p.lift
    log2e, smallest, q = p.log2e, p.underflow, p.exp

    def formula(x: Any) -> Any:
        x = smallest if x < smallest else x
        t = fma(x, log2e, magic)
        k = t - magic
        r = fma(k, low, fma(k, high, x))
        s = power_of_two(t)
        return fma(s, fma(r * r, polynomial(r, q), r), s) * drop

    return formula


@vector
def exp2(p: Coefficients) -> Formula:
    """2^x.

    x = k + f with |f| <= 1/2 and r = f ln(2), then 2^x = 2^k (1 + r + r^2 q(r)).
    Domain: all numbers; inf from 1024 (128 in float32), 0 below -1075 (-150); exact at integers.
    """
    one, two, magic, high, low = p.real(1), p.real(2), p.magic, p.ln2_high, p.ln2_low
    largest, smallest, q = p.max_exponent + one, -p.max_exponent - p.digits - two, p.expm1

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        x = smallest if x < smallest else x
        t = x + magic
        f = x - (t - magic)
        r = fma(f, high, f * low)
        return scale(one + fma(r * r, polynomial(r, q), r), t)

    return formula


def _expm1_parts(p: Coefficients) -> Formula:
    """Return the step expm1(x) = (main + small) factor, main + small not yet rounded."""
    one, magic = p.real(1), p.magic + p.exponent_bias
    log2e, high, low, top, q = p.log2e, -p.ln2_high, -p.ln2_low, magic + p.max_exponent, p.expm1

    @step
    def parts(x: Any) -> Any:
        t = fma(x, log2e, magic)
        k = t - magic
        upper = fma(k, high, x)
        r = fma(k, low, upper)
        lost = fma(k, low, upper - r)
        tail = fma(r * r, polynomial(r, q), fma(lost, r, lost))
        clipped = top if t > top else t
        s = power_of_two(clipped)
        base = s - one
        lost = s - (base + one)
        main = fma(s, r, base)
        small = fma(s, tail, fma(s, r, base - main) + lost)
        return main, small, one + (t - clipped)

    return parts


@vector
def expm1(p: Coefficients) -> Formula:
    """e^x - 1, without cancellation.

    With r and q as in exp and s = 2^k: (s - 1) + s r as an exact sum of two, then + s r^2 q(r).
    Domain: all numbers; inf from 709.79 (88.73 in float32), -1 at -inf; keeps the sign of zero.
    """
    parts = _expm1_parts(p)
    largest, smallest, negligible = p.overflow, p.saturated, p.negligible

    def formula(x: Any) -> Any:
        a = largest if x > largest else x
        a = smallest if a < smallest else a
        main, small, factor = parts(a)
        return x if abs(x) < negligible else (main + small) * factor

    return formula


@vector
def expm1x(p: Coefficients) -> Formula:
    """e^x - 1 - x, without cancellation.

    From the parts of expm1: (main - x) + small, where main is x itself while |x| <= ln(2)/2.
    Domain: all numbers; inf at both infinities.
    """
    parts = _expm1_parts(p)
    largest, smallest = p.overflow, p.saturated

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        main, small, factor = parts(smallest if x < smallest else x)
        return ((main - x) + small) * factor

    return formula
