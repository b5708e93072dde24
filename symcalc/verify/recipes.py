"""Recipes: expressions of a program as functions that compute with bounded numbers.

They follow the code that is generated: what is multiplied is divided afterwards, powers are
products, a number with a denominator is one number over another. In which order terms and factors
are taken in is left open, so that no renaming of common parts matters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol

import flint
import sympy as sp

from symcalc.calculus.balls import UndecidedError, evaluate
from symcalc.notation.atoms import Atom, Grouped
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access
from symcalc.program.primitives import (
    FinitePlus,
    ScaledSquare,
    ShiftedExp,
    exp_nonpositive,
    square,
    square_of_large,
)
from symcalc.verify.bounded import INFINITE, SINGLE, ZERO, Arithmetic, Bounded

# What each function of the vector mathematics is off by at most, in ulps: derivations/accuracy.md.
_FINE = ("exp", "exp_nonpositive", "log", "expm1", "log1p", "tanh", "sigmoid", "softplus",
         "log_sigmoid")  # fmt: skip
_ULPS_FINE, _ULPS, _ULPS_POLYGAMMA = 2.0, 4.0, 8.0
_LARGEST_SQUARED, _LEAST_SQUARED = flint.arb(2) ** 486, flint.arb(2) ** -511


class NoBoundError(SymcalcError, ArithmeticError):
    """No bound can be given: what the kernel does here hangs on its own roundings."""


class Workings(Protocol):
    """What a recipe computes in.

    Attributes:
        arithmetic: the format that results are rounded to.
    """

    arithmetic: Arithmetic

    def entry(self, access: Access) -> Bounded:
        """Return a real entry, as the arithmetic holds it."""
        ...

    def whole_entry(self, access: Access) -> int:
        """Return a whole-number entry."""
        ...

    def position(self, symbol: Any) -> int:
        """Return an index or an extent."""
        ...

    def named(self, symbol: Any) -> Bounded:
        """Return a hyperparameter, or a scale that was computed before a loop."""
        ...


Recipe = Callable[[Workings], Bounded]
Truth = tuple[bool, frozenset[bool]]  # as it should be; what it may be


@functools.lru_cache(maxsize=8192)
def recipe(expression: Any) -> Recipe:
    """Return the recipe of a real expression.

    Raises:
        SymcalcError: nothing is known of some function.
    """
    if isinstance(expression, Access):
        if expression.tensor.domain.integer:
            return lambda w: w.arithmetic.literal(flint.arb(w.whole_entry(expression)))
        return lambda w: w.entry(expression)
    if isinstance(expression, (Dim, Index, sp.floor, sp.Mod, sp.Min, sp.Max)):
        return lambda w: w.arithmetic.literal(flint.arb(whole(expression, w)))
    if isinstance(expression, sp.Symbol):
        return lambda w: w.named(expression)
    if isinstance(expression, sp.Number) or not (expression.free_symbols or expression.args):
        return lambda w: w.arithmetic.literal(evaluate(expression, {}))
    if isinstance(expression, sp.Add):
        return _sum(expression)
    if isinstance(expression, sp.Mul):
        return _product(expression)
    if isinstance(expression, sp.Pow):
        return _power(expression.base, expression.exp)
    if isinstance(expression, Where):
        return _choice(expression)
    if isinstance(expression, Table):
        values = expression.values
        return lambda w: w.arithmetic.literal(flint.arb(values[whole(expression.index, w)]))
    return _function(expression)


def whole(expression: Any, w: Workings) -> int:
    """Return a whole number: an index expression, or a choice between two."""
    if isinstance(expression, (Index, Dim)):
        return w.position(expression)
    if isinstance(expression, Where):
        _, possible = truth(expression.args[0], w)
        if len(possible) > 1:
            raise NoBoundError(f"running error: rounding decides whether {expression.args[0]}")
        return whole(expression.args[1 if True in possible else 2], w)
    found = _fraction(expression, w)
    if found.denominator != 1:
        raise SymcalcError(f"running error: {expression} is no whole number")
    return found.numerator


def _fraction(expression: Any, w: Workings) -> Fraction:
    if isinstance(expression, Access):
        return Fraction(w.whole_entry(expression))
    if isinstance(expression, (Index, Dim)):
        return Fraction(w.position(expression))
    if isinstance(expression, sp.Rational):
        return Fraction(int(expression.p), int(expression.q))
    parts = [_fraction(argument, w) for argument in expression.args]
    if isinstance(expression, sp.Add):
        return sum(parts, Fraction(0))
    if isinstance(expression, sp.Mul):
        return math.prod(parts, start=Fraction(1))
    if isinstance(expression, sp.Pow):
        return Fraction(parts[0] ** int(parts[1]))
    if isinstance(expression, sp.floor):
        return Fraction(math.floor(parts[0]))
    if isinstance(expression, sp.Mod):
        return parts[0] % parts[1]
    if isinstance(expression, (sp.Min, sp.Max)):
        return min(parts) if isinstance(expression, sp.Min) else max(parts)
    raise SymcalcError(f"running error: no whole number is known for {expression}")


def truth(when: Any, w: Workings) -> Truth:
    """Return whether a condition holds, and what the kernel's roundings may make of it.

    Raises:
        UndecidedError: the balls do not tell.
    """
    if when in (sp.true, sp.false):
        return bool(when), frozenset((bool(when),))
    if isinstance(when, (sp.And, sp.Or)):
        join = all if isinstance(when, sp.And) else any
        parts = [truth(part, w) for part in when.args]
        exact = join(part for part, _ in parts)
        certain = [next(iter(might)) for _, might in parts if len(might) == 1]
        absorbing = not isinstance(when, sp.And)
        if absorbing in certain or len(certain) == len(parts):
            return exact, frozenset((join(certain),))
        return exact, frozenset((True, False))
    if isinstance(when, sp.Not):
        exact, might = truth(when.args[0], w)
        return not exact, frozenset(not each for each in might)
    holds = _COMPARISONS[when.func]
    if _is_whole(when.lhs) and _is_whole(when.rhs):
        found = bool(holds(whole(when.lhs, w), whole(when.rhs, w)))
        return found, frozenset((found,))
    left, right = recipe(when.lhs)(w), recipe(when.rhs)(w)
    order = _order(left.exact, right.exact)
    slack = left.error + right.error
    if abs(left.exact - right.exact) > slack or slack == 0:
        found = bool(holds(order, 0))
        return found, frozenset((found,))
    return bool(holds(order, 0)), frozenset(bool(holds(k, 0)) for k in (-1, 0, 1))


_COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    sp.Eq: lambda a, b: a == b, sp.Ne: lambda a, b: a != b, sp.Lt: lambda a, b: a < b,
    sp.Le: lambda a, b: a <= b, sp.Gt: lambda a, b: a > b, sp.Ge: lambda a, b: a >= b,
}  # fmt: skip


def _order(a: Any, b: Any) -> int:
    if a < b or a > b:
        return 1 if a > b else -1
    if (a.is_exact() and b.is_exact()) or (a.mid() == b.mid() and a.rad() == b.rad()):
        return 0
    raise UndecidedError("running error: a comparison cannot be decided here")


def _is_whole(expression: Any) -> bool:
    """Whether an expression is made of indices, extents, whole numbers and integer entries."""
    if isinstance(expression, Access):
        return bool(expression.tensor.domain.integer)
    if isinstance(expression, (Index, Dim, sp.Integer)):
        return True
    kinds = (sp.Add, sp.Mul, sp.floor, sp.Mod, sp.Min, sp.Max)
    return isinstance(expression, kinds) and all(
        _is_whole(argument) or isinstance(expression, sp.floor) for argument in expression.args
    )


def _sum(expression: Any) -> Recipe:
    terms = [recipe(term) for term in expression.args]
    return lambda w: w.arithmetic.add([term(w) for term in terms])


def _product(expression: Any) -> Recipe:
    coefficient, rest = expression.as_coeff_Mul()
    if coefficient.is_negative:
        positive = recipe(-expression)
        return lambda w: -positive(w)
    above, below = [], []
    for factor in sp.Mul.make_args(rest):
        base, power = factor.as_base_exp()
        if power.is_Rational and power < 0 and not isinstance(factor, sp.exp):
            below.append(recipe(base ** (-power)))
        else:
            above.append(recipe(factor))
    if coefficient != 1 and _is_literal(coefficient):
        above.insert(0, recipe(coefficient))
    elif coefficient != 1:
        above.insert(0, recipe(sp.Integer(coefficient.p)))
        below.append(recipe(sp.Integer(coefficient.q)))
    if not below:
        return lambda w: w.arithmetic.multiply([factor(w) for factor in above])
    above = above or [recipe(sp.Integer(1))]
    return lambda w: w.arithmetic.divide(
        w.arithmetic.multiply([factor(w) for factor in above]),
        w.arithmetic.multiply([factor(w) for factor in below]),
    )


def _is_literal(coefficient: Any) -> bool:
    """Whether the code has a rational number as one literal."""
    return bool(coefficient.q & (coefficient.q - 1) == 0) or coefficient.q in (10, 100, 1000)


def _power(base: Any, power: Any) -> Recipe:
    if power.is_Rational and power < 0:
        one, below = recipe(sp.Integer(1)), recipe(base ** (-power))
        return lambda w: w.arithmetic.divide(one(w), below(w))
    inner = recipe(base)
    if power == sp.Rational(1, 2):
        return lambda w: w.arithmetic.root(inner(w))
    if power.is_Integer and 1 < power <= 8:
        return lambda w: _multiplied(inner(w), int(power), w)
    if power.is_Rational and power.q == 2 and power <= 8:
        half = int(power.p) // 2

        def rooted(w: Workings) -> Bounded:
            value = inner(w)
            return w.arithmetic.multiply([_multiplied(value, half, w), w.arithmetic.root(value)])

        return rooted
    name = "exp2" if base == 2 else "power"
    return _called(name, lambda x, y: _pow(x, y), _pow_slopes, [inner, recipe(power)])


def _multiplied(value: Bounded, times: int, w: Workings) -> Bounded:
    """A product of one number with itself: the errors of the factors are one and the same."""
    if times == 1:
        return value
    exact = value.exact**times
    error = ((abs(value.exact) + value.error) ** times - abs(value.exact) ** times).abs_upper()
    if error == 0 and w.arithmetic.format.holds(exact):
        return Bounded(exact, ZERO, w.arithmetic.format)
    lost = (abs(exact) + error) * w.arithmetic.format.unit * (times - 2)
    return w.arithmetic.rounded(exact, error + lost + w.arithmetic.format.smallest * (times - 2))


def _pow(x: Any, y: Any) -> Any:
    if x == 0:
        return flint.arb(1) if y == 0 else ZERO if y > 0 else INFINITE
    return (x.log() * y).exp()


def _pow_slopes(x: Any, y: Any) -> Sequence[Any]:
    value = _pow(x, y)
    return y * value / x, value * x.log()


def _choice(expression: Any) -> Recipe:
    when, then, otherwise = expression.args
    sides = {True: recipe(then), False: recipe(otherwise)}

    def chosen(w: Workings) -> Bounded:
        exact, possible = truth(when, w)
        value = w.arithmetic.held(sides[exact](w))
        if len(possible) == 1:
            return value
        other = sides[not exact](w)
        error = abs(other.exact - value.exact) + other.error
        if not error.is_finite():
            return Bounded(value.exact, INFINITE, value.format)
        return Bounded(value.exact, max(value.error, error.abs_upper()), value.format)

    return chosen


def _function(expression: Any) -> Recipe:
    if isinstance(expression, Grouped):
        return recipe(expression.args[0])
    if isinstance(expression, FinitePlus):
        return _sum(expression)
    if isinstance(expression, ShiftedExp):
        x, top = expression.args
        return recipe(exp_nonpositive(x - top))
    if isinstance(expression, sp.polygamma):
        return _polygamma(expression)
    arguments = [recipe(argument) for argument in expression.args]
    if isinstance(expression, ScaledSquare):
        return _square(type(expression), arguments[0])
    name = expression.func.__name__
    if name in _EXACT:
        exact = _EXACT[name]
        return lambda w: exact(*(argument(w) for argument in arguments))
    if name in ("exp", "exp_nonpositive"):
        return _called(name, lambda x: x.exp(), lambda x: (x.exp(),), arguments)
    if name == "log":
        return _called(name, lambda x: x.log(), lambda x: (1 / x,), arguments)
    if isinstance(expression, Atom):
        return _atom(type(expression), name, arguments)
    raise SymcalcError(f"running error: nothing is known of {name}: {expression}")


def _called(
    name: str, function: Callable[..., Any], slopes: Callable[..., Sequence[Any]],
    arguments: Sequence[Recipe],
) -> Recipe:  # fmt: skip
    ulps = ulps_of(name)
    return lambda w: w.arithmetic.apply(function, slopes, [a(w) for a in arguments], ulps)


def ulps_of(name: str) -> float:
    """Return what a function of the vector mathematics is off by at most, in ulps."""
    return _ULPS_FINE if name in _FINE else _ULPS


def _atom(atom: Any, name: str, arguments: Sequence[Recipe]) -> Recipe:
    function, slopes = _functions(atom, len(arguments))
    if name in ("lgamma", "digamma"):
        return lambda w: _reflected(name, function, slopes, arguments[0](w), w)
    return _called(name, function, slopes, arguments)


@functools.cache
def _functions(atom: Any, arity: int) -> tuple[Callable[..., Any], Callable[..., Sequence[Any]]]:
    """An atom and its partial derivatives, as functions of balls."""
    dummies = [sp.Dummy(real=True) for _ in range(arity)]
    value = sp.sympify(atom.definition(*dummies))
    partials = [sp.sympify(partial) for partial in atom.partials(*dummies)]

    def over(expressions: Sequence[Any], balls: Sequence[Any]) -> list[Any]:
        env = dict(zip(dummies, balls, strict=True))
        return [evaluate(expression, env) for expression in expressions]

    return lambda *balls: over([value], balls)[0], lambda *balls: over(partials, balls)


def _reflected(
    name: str, function: Callable[..., Any], slopes: Callable[..., Sequence[Any]], x: Bounded,
    w: Workings,
) -> Bounded:  # fmt: skip
    """Left of zero these are what is left of a difference: the ulps are those of its terms."""
    value = w.arithmetic.apply(function, slopes, [x], _ULPS)
    if not x.exact < 0:
        return value
    if name == "lgamma":
        term = abs((1 - x.exact).lgamma())
    else:
        term = abs((1 - x.exact).digamma()) + abs(flint.arb.pi() * flint.arb.cot_pi(x.exact))
    size = max((term + abs(value.exact)).abs_upper(), flint.arb(1))
    lost = w.arithmetic.format.ulp(size) * _ULPS
    return Bounded(value.exact, value.error + lost, value.format)


def _polygamma(expression: Any) -> Recipe:
    order, argument = expression.args
    x, inner = sp.Dummy(real=True), recipe(argument)
    value, slope = sp.polygamma(order, x), sp.polygamma(order + 1, x)

    def computed(w: Workings) -> Bounded:
        return w.arithmetic.apply(
            lambda ball: evaluate(value, {x: ball}), lambda ball: (evaluate(slope, {x: ball}),),
            [inner(w)], _ULPS_POLYGAMMA,
        )  # fmt: skip

    return computed


def _square(kind: Any, inner: Recipe) -> Recipe:
    """One of the three squares of a norm; in float32 the ordinary one does for all."""
    shift = flint.arb(1 if kind is square else 2) ** (-538 if kind is square_of_large else 563)

    def squared(w: Workings) -> Bounded:
        value = inner(w)
        size = abs(value.exact)
        large, small = size > _LARGEST_SQUARED, size < _LEAST_SQUARED
        own: bool = not (large or small) if kind is square else (
            large if kind is square_of_large else small)  # fmt: skip
        if w.arithmetic.format is SINGLE:
            own = kind is square
        if not own:
            return Bounded(ZERO, ZERO, w.arithmetic.format)
        moved = Bounded(value.exact * shift, value.error * shift, value.format)
        return _multiplied(moved, 2, w)

    return squared


def _absolute(x: Bounded) -> Bounded:
    return Bounded(abs(x.exact), x.error, x.format)


def _sign(x: Bounded) -> Bounded:
    order = _order(x.exact, ZERO)
    unsure = x.error > 0 and not abs(x.exact) > x.error
    return Bounded(flint.arb(order), flint.arb(2) if unsure else ZERO, x.format)


def _extreme(better: int) -> Callable[[Bounded, Bounded], Bounded]:
    def chosen(a: Bounded, b: Bounded) -> Bounded:
        first = _order(a.exact, b.exact) in (0, better)
        one, other = (a, b) if first else (b, a)
        # the other one cannot come out beyond this one by more than its own error
        gap = abs(one.exact - other.exact)
        error = one.error if gap > one.error + other.error else max(one.error, other.error)
        return Bounded(one.exact, error, one.format)

    return chosen


greater, lesser = _extreme(1), _extreme(-1)
_EXACT: dict[str, Callable[..., Bounded]] = {
    "abs": _absolute, "sign": _sign, "maximum": greater, "minimum": lesser,
}  # fmt: skip
