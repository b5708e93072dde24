"""Hyperbolic and logistic functions, all from exp(-|x|) or exp(-2 |x|)."""

from __future__ import annotations

from typing import Any

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import Formula, copysign, fma, polynomial, step, vector
from symcalc.backends.vector_math.exponential import exp_nonpositive
from symcalc.backends.vector_math.logarithm import log1p_unit


@vector
def sigmoid(p: Coefficients) -> Formula:
    """1 / (1 + exp(-x)).

    With e = exp(-|x|) and q = e/(1 + e): 1 - q on the right, e - e q on the left, exact in both
    tails.
    Domain: all numbers.
    """
    zero, one = p.real(0), p.real(1)

    def formula(x: Any) -> Any:
        e = exp_nonpositive(-abs(x))
        q = e / (one + e)
        base = one if x >= zero else e
        return fma(-base, q, base)

    return formula


@vector
def softplus(p: Coefficients) -> Formula:
    """log(1 + exp(x)).

    max(x, 0) + log1p(exp(-|x|)).
    Domain: all numbers.
    """
    zero = p.real(0)

    def formula(x: Any) -> Any:
        return (x if x > zero else zero) + log1p_unit(exp_nonpositive(-abs(x)))

    return formula


@vector
def log_sigmoid(p: Coefficients) -> Formula:
    """log(sigmoid(x)).

    min(x, 0) - log1p(exp(-|x|)).
    Domain: all numbers.
    """
    zero = p.real(0)

    def formula(x: Any) -> Any:
        return (x if x < zero else zero) - log1p_unit(exp_nonpositive(-abs(x)))

    return formula


@vector
def sech(p: Coefficients) -> Formula:
    """1 / cosh(x).

    With e = exp(-|x|): 2 e/(1 + e^2).
    Domain: all numbers.
    """
    one = p.real(1)

    def formula(x: Any) -> Any:
        e = exp_nonpositive(-abs(x))
        return (e + e) / fma(e, e, one)

    return formula


def _halves(p: Coefficients) -> Formula:
    """Return the step |x| <= hyperbolic_end, 2 tanh(|x|/2) there, (2 tanh(|x|/2))^2, e^(-2 |x|)."""
    end, two, w = p.hyperbolic_end, p.real(2), p.tanh

    @step
    def halves(a: Any) -> Any:
        square = a * a
        u = fma(a * square, polynomial(square, w), a)
        return a <= end, u, u * u, exp_nonpositive(-two * a)

    return halves


@vector
def tanh(p: Coefficients) -> Formula:
    """Hyperbolic tangent.

    |x| <= 0.7, with u = 2 tanh(|x|/2) = |x| + |x|^3 w(x^2) and s = u^2/4: u/(1 + s), which is
    u - u s/(1 + s); beyond, with e = exp(-2 |x|): 1 - 2 e/(1 + e).
    Domain: all numbers; keeps the sign of zero.
    """
    halves = _halves(p)
    one, quarter = p.real(1), p.real(0.25)

    def formula(x: Any) -> Any:
        near, u, square, e = halves(abs(x))
        s = quarter * square
        lost = (u * s if near else e + e) / (one + (s if near else e))
        return copysign((u if near else one) - lost, x)

    return formula


@vector
def log_cosh(p: Coefficients) -> Formula:
    """log(cosh(x)).

    2 atanh(s) with s = tanh(x/2)^2 for |x| <= 0.7; beyond, |x| - log(2) + 2 atanh(s) with
    s = e/(2 + e), e = exp(-2 |x|); 2 atanh(s) = 2 s + s z w(z), z = s^2.
    Domain: all numbers.
    """
    halves = _halves(p)
    zero, two, quarter, ln2, w = p.real(0), p.real(2), p.real(0.25), p.ln2, p.log_cosh

    def formula(x: Any) -> Any:
        a = abs(x)
        near, _, square, e = halves(a)
        s = quarter * square if near else e / (two + e)
        z = s * s
        return (zero if near else a - ln2) + fma(s * z, polynomial(z, w), s + s)

    return formula
