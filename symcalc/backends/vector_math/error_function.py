"""The error function and its complement."""

from __future__ import annotations

from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import (
    Formula,
    copysign,
    fma,
    polynomial,
    power_of_two,
    step,
    vector,
)


def _erfc_positive(p: Coefficients) -> Formula:
    """Return the step erfc(a) for a >= 1/2."""
    one, magic = p.real(1), p.magic + p.exponent_bias + p.lift
    log2e, high, low, drop = p.log2e, -p.ln2_high, -p.ln2_low, p.real(2) ** -p.lift
    start, shift, splitter, q, g = p.real(1.25), p.erfc_shift, p.splitter, p.exp, p.erfc

    @step
    def positive(a: Any) -> Any:
        h = start + polynomial((a - shift) / (a + shift), g)
        scaled = a * splitter
        head = scaled - (scaled - a)
        square = head * head
        t = fma(-square, log2e, magic)
        k = t - magic
        r = fma(k, low, fma(k, high, -square) - (a - head) * (a + head))
        e = fma(r * r, polynomial(r, q), r)
        return fma(h, e, h) / (one + (a + a)) * power_of_two(t) * drop

    return positive


@vector
def erf(p: Coefficients) -> Formula:
    """Error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    |x| < 1: x + x w(x^2); elsewhere 1 - erfc(|x|) with the sign of x.
    Domain: all numbers; keeps the sign of zero.
    """
    positive = _erfc_positive(p)
    one, largest, w = p.real(1), p.erfc_end, p.erf

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        near = fma(x, polynomial(x * x, w), x)
        far = copysign(one - positive(a), x)
        return near if a < one else far

    return formula


@vector
def erfc(p: Coefficients) -> Formula:
    """Complementary error function, 1 - erf(x), with full relative accuracy for large x.

    |x| < 1/2: (1/2 - x) + (1/2 - x w(x^2)); beyond, with a = |x| and t = (a - 3)/(a + 3),
    exp(-a^2) g(t)/(1 + 2a), a^2 in two parts; 2 - erfc(|x|) for x < 0.
    Domain: all numbers; 0 from 27.23 (10.06 in float32).
    Reference: Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x (1981).
    """
    positive = _erfc_positive(p)
    zero, two, half, largest, w = p.real(0), p.real(2), p.real(0.5), p.erfc_end, p.erf

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        y = positive(a)
        far = two - y if x < zero else y
        near = (half - x) + fma(-x, polynomial(x * x, w), half)
        return near if a < half else far

    return formula
