"""Elementary functions of bounded numbers, as generated code and its vector mathematics do them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flint
import sympy as sp

from symcalc.calculus.balls import UndecidedError, evaluate
from symcalc.calculus.series import power
from symcalc.program.primitives import square, square_of_large
from symcalc.verify.bounded import DOUBLE, INFINITE, SINGLE, ZERO, Arithmetic, Bounded

Function = Callable[..., Any]
Slopes = Callable[..., Sequence[Any]]

# What each function of the vector mathematics is off by at most, in ulps: derivations/accuracy.md.
# Sine and cosine are the C library's, which are off by one at most where it is a good one.
_FINE = ("exp", "exp_nonpositive", "log", "expm1", "log1p", "tanh", "sigmoid", "softplus",
         "log_sigmoid", "sin", "cos")  # fmt: skip
_ULPS_FINE, _ULPS, _ULPS_POLYGAMMA = 2.0, 4.0, 8.0
_LARGEST_SQUARED, _LEAST_SQUARED = flint.arb(2) ** 486, flint.arb(2) ** -511
_DIFFERENCES = ("lgamma", "digamma")  # left of zero


def ulps_of(name: str) -> float:
    """Return what a function of the vector mathematics is off by at most, in ulps."""
    if name == "polygamma":
        return _ULPS_POLYGAMMA
    return _ULPS_FINE if name in _FINE else _ULPS


def order_of(a: Any, b: Any) -> int:
    """Return -1, 0 or 1 as one ball is below, equal to or above another.

    Raises:
        UndecidedError: they overlap, and are not the same number computed in the same way.
    """
    if a < b or a > b:
        return 1 if a > b else -1
    if (a.is_exact() and b.is_exact()) or (a.mid() == b.mid() and a.rad() == b.rad()):
        return 0
    raise UndecidedError("running error: a comparison cannot be decided here")


def applied(arithmetic: Arithmetic, name: str, both: tuple[Function, Slopes],
            arguments: Sequence[Bounded]) -> Bounded:  # fmt: skip
    """Return a function of the vector mathematics.

    Args:
        arithmetic: of the kernel there.
        name: the function's.
        both: it and its partial derivatives, as functions of balls.
        arguments: what it is given.
    """
    value = arithmetic.apply(*both, arguments, ulps_of(name))
    if name not in _DIFFERENCES or not arguments[0].exact < 0:
        return value
    # there it is what is left of a difference, and the ulps are those of its terms
    x = arguments[0].exact
    if name == "lgamma":
        term = abs((1 - x).lgamma())
    else:
        term = abs((1 - x).digamma()) + abs(flint.arb.pi() * flint.arb.cot_pi(x))
    size = max((term + abs(value.exact)).abs_upper(), flint.arb(1))
    lost = arithmetic.format.ulp(size) * ulps_of(name)
    return Bounded(value.exact, value.error + lost, value.format)


@functools.cache
def functions_of(atom: Any, arity: int) -> tuple[Function, Slopes]:
    """Return an atom and its partial derivatives, as functions of balls."""
    dummies = [sp.Dummy(real=True) for _ in range(arity)]
    value = sp.sympify(atom.definition(*dummies))
    partials = [sp.sympify(partial) for partial in atom.partials(*dummies)]
    return _over(dummies, value, partials)


@functools.cache
def polygamma_of(order: int) -> tuple[Function, Slopes]:
    """Return a polygamma function and its derivative, as functions of balls."""
    x = sp.Dummy(real=True)
    return _over([x], sp.polygamma(order, x), [sp.polygamma(order + 1, x)])


def _over(dummies: Sequence[Any], value: Any, partials: Sequence[Any]) -> tuple[Function, Slopes]:
    def function(*balls: Any) -> Any:
        return evaluate(value, dict(zip(dummies, balls, strict=True)))

    def slopes(*balls: Any) -> Sequence[Any]:
        return [evaluate(p, dict(zip(dummies, balls, strict=True))) for p in partials]

    return function, slopes


def _power(x: Any, y: Any) -> Any:
    if x == 0:
        return flint.arb(1) if y == 0 else ZERO if y > 0 else INFINITE
    return (x.log() * y).exp()


EXP: tuple[Function, Slopes] = (lambda x: x.exp(), lambda x: (x.exp(),))
LOG: tuple[Function, Slopes] = (lambda x: x.log(), lambda x: (1 / x,))
SINE: tuple[Function, Slopes] = (lambda x: x.sin(), lambda x: (x.cos(),))
COSINE: tuple[Function, Slopes] = (lambda x: x.cos(), lambda x: (x.sin(),))
POWER: tuple[Function, Slopes] = (
    _power, lambda x, y: (y * _power(x, y) / x, _power(x, y) * x.log())
)  # fmt: skip


def multiplied(arithmetic: Arithmetic, value: Bounded, times: int) -> Bounded:
    """Return a product of one number with itself: its errors are one and the same."""
    if times == 1:
        return value
    exact, format = power(value.exact, times), arithmetic.format
    size = abs(value.exact)
    error = (power(size + value.error, times) - power(size, times)).abs_upper()
    if error == 0 and format.holds(exact):
        return Bounded(exact, ZERO, format)
    lost = (abs(exact) + error) * format.unit * (times - 2)
    return arithmetic.rounded(exact, error + lost + format.smallest * (times - 2))


def squared(arithmetic: Arithmetic, kind: Any, value: Bounded) -> Bounded:
    """Return one of the three squares of a norm; of float32 the ordinary one does for all.

    They are float64 whatever they are squares of.
    """
    size = abs(value.exact)
    large, small = size > _LARGEST_SQUARED, size < _LEAST_SQUARED
    if arithmetic.format is SINGLE:
        large = small = False
    own = large if kind is square_of_large else small
    if kind is square:
        own = not (large or small)
    if not own:
        return Bounded(ZERO, ZERO, DOUBLE)
    shift = flint.arb(1 if kind is square else 2) ** (-538 if kind is square_of_large else 563)
    moved = Bounded(value.exact * shift, value.error * shift, value.format)
    return multiplied(Arithmetic(DOUBLE), moved, 2)


def absolute(x: Bounded) -> Bounded:
    """Return |x|."""
    return Bounded(abs(x.exact), x.error, x.format)


def sign(x: Bounded) -> Bounded:
    """Return the sign, which may be any where x may be zero."""
    order = order_of(x.exact, ZERO)
    unsure = x.error > 0 and not abs(x.exact) > x.error
    return Bounded(flint.arb(order), flint.arb(2) if unsure else ZERO, x.format)


def greater(a: Bounded, b: Bounded) -> Bounded:
    """Return the greater of two."""
    return _extreme(a, b, 1)


def lesser(a: Bounded, b: Bounded) -> Bounded:
    """Return the lesser of two."""
    return _extreme(a, b, -1)


def _extreme(a: Bounded, b: Bounded, better: int) -> Bounded:
    one, other = (a, b) if order_of(a.exact, b.exact) in (0, better) else (b, a)
    # the other one cannot come out beyond this one by more than its own error
    gap = abs(one.exact - other.exact)
    error = one.error if gap > one.error + other.error else max(one.error, other.error)
    return Bounded(one.exact, error, one.format)


EXACT: dict[str, Callable[..., Bounded]] = {
    "abs": absolute, "sign": sign, "maximum": greater, "minimum": lesser,
}  # fmt: skip
