"""Balls and power series of balls: what a formula's functions do to them.

A power series in t stands for a number that moves. Where it meets the end of a function's domain,
or another number it is to be compared with, it matters from which side of t = 0 it is seen.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import sympy as sp

from symcalc.notation.errors import SymcalcError


class UndecidedError(SymcalcError):
    """A condition could not be decided at this point: the balls overlap."""


class AlikeError(UndecidedError):
    """Two balls are alike to the last bit, which more bits may tell apart."""


class Side(Enum):
    """From which side of a point a power series in t is meant: t > 0 or t < 0.

    An environment holds it under `Side`. Where two constant terms are equal, the first coefficients
    that differ then decide a comparison, as they do for every t small enough.
    """

    RIGHT = 1
    LEFT = -1


TIES = object()  # the environment's list of what was equal here and differs beside
FAULTS = object()  # the environment's list of what has no finite value here, precision aside
Environment = dict[Any, Any]
SURE = 2048  # bits at which numbers that are alike count as equal: 1 + 1e-310 and 1 are not


def ball(value: Any) -> Any:
    """Return a number as a ball."""
    import flint

    return flint.arb(int(value)) if isinstance(value, (int, sp.Integer)) else flint.arb(value)


def reciprocal(value: Any, env: Environment) -> Any:
    """One over a number, which must not be zero."""
    if FAULTS in env and constant(value) == 0:
        env[FAULTS].append("1/0")
    return _quotient(ball(1), value)


def power(value: Any, exponent: int) -> Any:
    """A whole power, multiplied out: FLINT has none of a ball around zero that has a radius."""
    if exponent < 2:
        return value if exponent else ball(1)
    half = power(value, exponent // 2)
    return half * half * value if exponent % 2 else half * half


def times(a: Any, b: Any) -> Any:
    """The product; of one that starts late as many more terms are known, if nothing else is."""
    import flint

    if hasattr(a, "length") and hasattr(b, "length"):
        late = [_first_term(side) for side in (a, b)]
        if late[0] == a.prec or late[1] == b.prec:
            known = min(late[0] + b.prec, late[1] + a.prec)
            return flint.arb_series([0], prec=min(known, flint.ctx.cap))
    elif hasattr(a, "length") != hasattr(b, "length"):
        series, number = (a, b) if hasattr(a, "length") else (b, a)
        terms = [series[k] for k in range(series.length())]
        if (not terms and not number.is_finite()) or (
            number == 0 and not all(term.is_finite() for term in terms)
        ):
            return flint.arb("nan")  # zero times infinity, which a series without terms would hide
    return a * b


def _first_term(series: Any) -> int:
    return next((k for k in range(series.prec) if not series[k] == 0), int(series.prec))


def falls_below(value: Any, env: Environment) -> bool:
    """Whether a number that is zero, or a series that begins with it, is negative beside."""
    order = _first_term(value) if hasattr(value, "length") else 0
    if not hasattr(value, "length") or order == value.prec:
        return False
    turn = env[Side].value ** order if Side in env else 1
    return not value[order] * turn > 0


def power_of_zero(value: Any, exponent: Any) -> Any:
    """Zero to a positive power: of t**1.4 the first two coefficients are zero."""
    import flint

    if not hasattr(value, "length"):
        return ball(0)
    exact = exponent * _first_term(value)
    known = min(int(float(exact.lower().ceil().mid())), value.prec)
    return flint.arb_series([0], prec=known)


def _quotient(a: Any, b: Any) -> Any:
    try:
        return a / b
    except (ValueError, ZeroDivisionError):
        raise UndecidedError("balls: the divisor of a series may be zero") from None


def logarithm(value: Any, env: Environment) -> Any:
    """The logarithm, nowhere of what is certainly not positive."""
    if FAULTS in env and constant(value) <= 0:
        env[FAULTS].append("log(0)" if constant(value) == 0 else "the logarithm of a negative")
    return value.log()


def root(value: Any, env: Environment) -> Any:
    """The square root; that of c t**2 + ... is |t| sqrt(c + ...), which has a side."""
    if FAULTS in env and constant(value) < 0:
        env[FAULTS].append("the root of a negative")
    if not hasattr(value, "length") or Side not in env or value[0] != 0:
        return value.sqrt()
    import flint

    order = _first_term(value)
    if order == value.prec:
        return flint.arb_series([0], prec=order // 2)
    if order % 2:
        env.get(FAULTS, []).append("an infinite slope of a root")
        raise UndecidedError("balls: the slope of a root is infinite here")
    rest = flint.arb_series([value[k] for k in range(order, value.prec)], prec=value.prec - order)
    half, found = order // 2, rest.sqrt()
    turn = env[Side].value ** half
    if half % 2:
        env[TIES].append(value)
    shifted = [0] * half + [turn * found[k] for k in range(found.prec)]
    return flint.arb_series(shifted, prec=half + found.prec)


def constant(value: Any) -> Any:
    """The value itself, or the constant term of a series."""
    return value[0] if hasattr(value, "length") else value


def order_of(left: Any, right: Any, env: Environment) -> int | None:
    """Return -1, 0 or 1 as the left is less than, equal to or greater than the right.

    Args:
        left: a ball, or a power series.
        right: another.
        env: says from which side a series is meant, if any.

    Returns:
        None where the balls do not tell.
    """
    a, b = (ball(s) if isinstance(s, int) else s for s in (constant(left), constant(right)))
    if a < b or a > b:
        return 1 if a > b else -1
    if not (a.is_exact() and b.is_exact() and a == b):
        if not _identical(a, b):
            return None
        if FAULTS in env and left is not right:
            _make_sure()
    if Side not in env:
        return 0
    return _order_beside(left, right, env)


def _make_sure() -> None:
    """Take balls that are alike for one number at high precision only."""
    import flint

    if flint.ctx.prec < SURE:
        raise AlikeError("balls: two numbers are alike, and may differ")


def _order_beside(left: Any, right: Any, env: Environment) -> int | None:
    """How two series that begin alike compare beside the point."""
    gap = left - right
    if not hasattr(gap, "length"):
        return 0
    for k in range(1, gap.prec):
        if gap[k] > 0 or gap[k] < 0:
            env[TIES].append(gap)
            return (1 if gap[k] > 0 else -1) * int(env[Side].value) ** k
        if gap[k] != 0 and not _identical(*(_coefficient(side, k) for side in (left, right))):
            return None
    return 0


def _coefficient(value: Any, k: int) -> Any:
    return value[k] if hasattr(value, "length") else ball(0)


def _identical(a: Any, b: Any) -> bool:
    """Whether two balls are one and the same: the same number, computed the same way."""
    return bool(a.mid() == b.mid() and a.rad() == b.rad())


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    if hasattr(x, "length"):
        double = (2 * x).exp()
        return _quotient(double - 1, double + 1)
    return x.tanh()


def cosh(x: Any) -> Any:
    """The hyperbolic cosine."""
    return (x.exp() + (-x).exp()) / 2 if hasattr(x, "length") else x.cosh()


def polygamma(order: int, x: Any) -> Any:
    """The derivatives of lgamma: (-1)**(m+1) m! zeta(m + 1, x) beyond the first."""
    import flint

    if hasattr(x, "length"):  # Taylor: each derivative is the next polygamma
        step = x - x[0]
        total, power = flint.arb_series([0], prec=x.prec), flint.arb_series([1], prec=x.prec)
        for k in range(x.prec):
            total += power * polygamma(order + k, x[0]) / math.factorial(k)
            power = power * step
        return total
    if order == 0:
        return x.digamma()
    value = flint.arb.zeta(flint.arb(order + 1), x) * flint.arb(order).gamma() * order
    return value if order % 2 else -value


def pi() -> Any:
    """The number pi."""
    import flint

    return flint.arb.pi()
