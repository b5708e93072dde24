"""The logarithm of the gamma function and its derivatives, on both sides of zero."""

from __future__ import annotations

import math
from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import Formula, fma, polynomial, step, vector_in_double
from symcalc.backends.vector_math.logarithm import log


def _to_integer(p: Coefficients) -> Formula:
    """Return the step a - (the nearest integer to a), exactly, for a >= 0."""
    whole = p.real(2) ** p.digits  # from it on every number is an integer

    @step
    def to_integer(a: Any) -> Any:
        a = whole if a > whole else a
        return a - ((a + whole) - whole)

    return to_integer


def _sin_pi(p: Coefficients) -> Formula:
    """Return the step sin(pi d)/pi for |d| <= 1/2."""
    w = p.sin_pi

    @step
    def sin_pi(d: Any) -> Any:
        z = d * d
        return fma(d * z, polynomial(z, w), d)

    return sin_pi


@vector_in_double
def lgamma(p: Coefficients) -> Formula:
    """Logarithm of |gamma(x)|.

    From x = 6.5 on (x - 1/2) (log(x) - 1) + (log(2 pi) - 1)/2 + mu(1/x^2)/x; below, with
    z = x - n in [-1, 1/2], log gamma(2 + z) = z (1 + z) w(z) and the log of the factors between;
    for x < 0 by reflection, -log|sin(pi x)/pi| - lgamma(1 - x).
    Domain: all numbers; inf at 0, at negative integers and at both infinities.
    Reference: NIST Handbook of Mathematical Functions, 5.5.1, 5.5.3, 5.11.1.
    """
    to_integer, sin_pi = _to_integer(p), _sin_pi(p)
    zero, half, one, two, inf = (p.real(c) for c in (0, 0.5, 1, 2, math.inf))
    three, four, five = (p.real(c) for c in (3, 4, 5))
    magic, start, constant = p.magic, p.stirling_start, p.stirling_constant
    w, mu = p.lgamma, p.stirling

    @step
    def positive(x: Any) -> Any:
        far = x >= start
        held = start if far else x
        n = (held + magic) - magic
        n = two if n == one and held >= one else n
        z = held - n
        product = (z + two) if n > two else one
        product = product * (z + three) if n > three else product
        product = product * (z + four) if n > four else product
        product = product * (z + five) if n > five else product
        product = x if n == one else product
        product = x * (one + x) if n == zero else product
        level = log(x if far else product)
        near = fma(z * (one + z), polynomial(z, w), -level if n < two else level)
        r = one / x
        tail = fma(r, polynomial(r * r, mu), constant)
        return fma(x - half, level - one, tail) if far else near

    def formula(x: Any) -> Any:
        a = abs(x)
        negative = x < zero
        y = positive(one + a if negative else a)
        d = to_integer(a)
        reflected = -log(abs(sin_pi(d))) - y
        reflected = inf if d == zero else reflected
        return reflected if negative else y

    return formula


@vector_in_double
def digamma(p: Coefficients) -> Formula:
    """Derivative of log gamma.

    From x = 6.5 on log(x) - 1/(2 x) - u(1/x^2)/x^2; on [1, 2.6) (x - root) w(x), root in two parts;
    between by psi(x + 1) = psi(x) + 1/x, the terms over one denominator; for x < 0 by reflection,
    psi(1 - x) - pi cot(pi x).
    Domain: all numbers; -inf at 0, inf at -0, NaN at negative integers and at -inf.
    Reference: NIST Handbook of Mathematical Functions, 5.5.2, 5.5.4, 5.11.2.
    """
    to_integer = _to_integer(p)
    zero, half, one, two, top, nan = (p.real(c) for c in (0, 0.5, 1, 2, 2.6, math.nan))
    start, root, rest = p.stirling_start, p.root_high, p.root_low
    w, u, cot = p.digamma, p.digamma_far, p.cot_pi

    @step
    def lowered(y: Any, above: Any, below: Any) -> Any:
        more = y >= top
        f = y - one
        return (
            f if more else y,
            fma(above, f, below) if more else above,
            below * (f if more else one),
        )

    @step
    def positive(x: Any) -> Any:
        small = x < one
        y, above, below = (
            x + (one if small else zero),
            -one if small else zero,
            (x if small else one),
        )
        y, above, below = lowered(y, above, below)
        y, above, below = lowered(y, above, below)
        y, above, below = lowered(y, above, below)
        y, above, below = lowered(y, above, below)
        near = fma((y - root) - rest, polynomial(y - two, w), above / below)
        r = one / x
        z = r * r
        far = log(x) - fma(z, polynomial(z, u), half * r)
        return far if x >= start else near

    def formula(x: Any) -> Any:
        a = abs(x)
        negative = x < zero
        y = positive(one + a if negative else a)
        d = to_integer(a)
        slope = one / d - d * polynomial(d * d, cot)
        reflected = nan if d == zero else y + slope
        y = reflected if negative else y
        return -one / x if x == zero else y

    return formula


@vector_in_double
def trigamma(p: Coefficients) -> Formula:
    """Derivative of digamma.

    From v = 7.5 on 1/v + 1/(2 v^2) + u(1/v^2)/v^3; seven terms 1/(v + j)^2, over one denominator,
    lead there; psi'(x) = psi'(1 + x) + 1/x^2, and for x < 0 by reflection,
    (pi/sin(pi x))^2 - psi'(1 - x).
    Domain: all numbers; inf at 0, at negative integers and at -inf.
    Reference: NIST Handbook of Mathematical Functions, 5.15.5, 5.15.6, 5.15.8.
    """
    to_integer, sin_pi = _to_integer(p), _sin_pi(p)
    zero, half, one, seven, inf = (p.real(c) for c in (0, 0.5, 1, 7, math.inf))
    start, u, grow = p.trigamma_start, p.trigamma_far, p.real(2) ** 64

    @step
    def joined(f: Any, above: Any, below: Any) -> Any:
        square = f * f
        return f + one, fma(above, square, below), below * square

    @step
    def beyond_one(v: Any) -> Any:
        f, above, below = joined(v, zero, one)
        f, above, below = joined(f, above, below)
        f, above, below = joined(f, above, below)
        f, above, below = joined(f, above, below)
        f, above, below = joined(f, above, below)
        f, above, below = joined(f, above, below)
        f, above, below = joined(f, above, below)
        near = v < start
        r = one / (v + seven if near else v)
        z = r * r
        far = fma(z, fma(r, polynomial(z, u), half), r)
        return far + above / below if near else far

    def formula(x: Any) -> Any:
        a = abs(x)
        y = beyond_one(one + a)
        d = to_integer(a)
        negative = x < zero
        f = grow * (sin_pi(d) if negative else x)
        square = grow * (grow / (f * f))
        poles = inf if d == zero else square - y
        return poles if negative else square + y

    return formula
