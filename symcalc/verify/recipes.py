"""Recipes: expressions of a program as functions that compute with bounded numbers.

They follow the code that is generated: what is multiplied is divided afterwards, by a square twice,
powers are products, a number with a denominator is one number over another. In which order terms
and factors are taken in is left open, so that no renaming of common parts matters.
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
    FiniteTop,
    ScaledSquare,
    ShiftedExp,
    below_one,
    divisors,
    excess,
    exp_nonpositive,
    out_of_range,
    scaled,
    times,
)
from symcalc.verify.bounded import INFINITE, ZERO, Arithmetic, Bounded
from symcalc.verify.elementary import (
    COSINE,
    EXACT,
    EXP,
    LOG,
    POWER,
    SINE,
    Function,
    Slopes,
    applied,
    functions_of,
    multiplied,
    order_of,
    polygamma_of,
    squared,
)


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
Truth = tuple[bool | None, frozenset[bool]]  # as it should be, if balls tell; what it may be


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
        parts = [truth(part, w) for part in when.args]
        deciding = isinstance(when, sp.Or)  # one such part is enough
        exact = [part for part, _ in parts]
        known = deciding if deciding in exact else None if None in exact else not deciding
        certain = [next(iter(might)) for _, might in parts if len(might) == 1]
        if deciding in certain or len(certain) == len(parts):
            return known, frozenset((deciding if deciding in certain else not deciding,))
        return known, frozenset((True, False))
    if isinstance(when, sp.Not):
        inner, might = truth(when.args[0], w)
        return None if inner is None else not inner, frozenset(not each for each in might)
    holds = _COMPARISONS[when.func]
    if _is_whole(when.lhs) and _is_whole(when.rhs):
        found = bool(holds(whole(when.lhs, w), whole(when.rhs, w)))
        return found, frozenset((found,))
    left, right = recipe(when.lhs)(w), recipe(when.rhs)(w)
    slack = left.error + right.error
    try:
        order = order_of(left.exact, right.exact)
    except UndecidedError:
        if slack == 0:
            raise
        return None, frozenset((True, False))
    if abs(left.exact - right.exact) > slack or slack == 0:
        found = bool(holds(order, 0))
        return found, frozenset((found,))
    return bool(holds(order, 0)), frozenset(bool(holds(k, 0)) for k in (-1, 0, 1))


_COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    sp.Eq: lambda a, b: a == b, sp.Ne: lambda a, b: a != b, sp.Lt: lambda a, b: a < b,
    sp.Le: lambda a, b: a <= b, sp.Gt: lambda a, b: a > b, sp.Ge: lambda a, b: a >= b,
}  # fmt: skip


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
            below.append(base ** (-power))
        else:
            above.append(recipe(factor))
    if coefficient != 1 and _is_literal(coefficient):
        above.insert(0, recipe(coefficient))
    elif coefficient != 1:
        above.insert(0, recipe(sp.Integer(coefficient.p)))
        below.append(sp.Integer(coefficient.q))
    if not below:
        return lambda w: w.arithmetic.multiply([factor(w) for factor in above])
    above = above or [recipe(sp.Integer(1))]
    turns = [[recipe(factor) for factor in turn] for turn in divisors(below)]

    def divided(w: Workings) -> Bounded:
        found = w.arithmetic.multiply([factor(w) for factor in above])
        for turn in turns:
            found = w.arithmetic.divide(found, w.arithmetic.multiply([each(w) for each in turn]))
        return found

    return divided


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
        return lambda w: multiplied(w.arithmetic, inner(w), int(power))
    if power.is_Rational and power.q == 2 and power <= 8:
        half = int(power.p) // 2

        def rooted(w: Workings) -> Bounded:
            value = inner(w)
            whole_part = multiplied(w.arithmetic, value, half)
            return w.arithmetic.multiply([whole_part, w.arithmetic.root(value)])

        return rooted
    return _called("exp2" if base == 2 else "power", POWER, [inner, recipe(power)])


def _choice(expression: Any) -> Recipe:
    when, then, otherwise = expression.args
    sides = {True: recipe(then), False: recipe(otherwise)}

    def chosen(w: Workings) -> Bounded:
        exact, possible = truth(when, w)
        if exact is None:
            return _either(*(w.arithmetic.held(sides[side](w)) for side in (True, False)))
        value = w.arithmetic.held(sides[exact](w))
        if len(possible) == 1:
            return value
        other = sides[not exact](w)
        error = abs(other.exact - value.exact) + other.error
        if not error.is_finite():
            return Bounded(value.exact, INFINITE, value.format)
        return Bounded(value.exact, max(value.error, error.abs_upper()), value.format)

    return chosen


def _either(one: Bounded, other: Bounded) -> Bounded:
    """What may be either of two numbers, as it should be and as it comes out."""
    error = abs(one.exact - other.exact) + max(one.error, other.error)
    worst = error.abs_upper() if error.is_finite() else INFINITE
    return Bounded(one.exact.union(other.exact), worst, one.format)


def _function(expression: Any) -> Recipe:
    if isinstance(expression, Grouped):
        return recipe(expression.args[0])
    if isinstance(expression, FinitePlus):
        return _sum(expression)
    if isinstance(expression, FiniteTop):
        return _finite_top(recipe(expression.args[0]))
    if isinstance(expression, scaled):  # balls have no range: every power is zero
        return recipe(expression.args[0])
    if isinstance(expression, below_one):
        (x,) = expression.args
        return _choice(Where(x < 1, x, 0))
    if isinstance(expression, times):
        return _product(sp.Mul(*expression.args, evaluate=False))
    if isinstance(expression, (excess, out_of_range)):
        return recipe(sp.Integer(0))
    if isinstance(expression, ShiftedExp):
        x, top = expression.args
        return recipe(exp_nonpositive(x - top))
    if isinstance(expression, sp.polygamma):
        order, argument = expression.args
        return _called("polygamma", polygamma_of(int(order)), [recipe(argument)])
    arguments = [recipe(argument) for argument in expression.args]
    if isinstance(expression, ScaledSquare):
        kind, (inner,) = type(expression), arguments
        return lambda w: squared(w.arithmetic, kind, inner(w))
    name = expression.func.__name__
    if name in EXACT:
        exact = EXACT[name]
        return lambda w: exact(*(argument(w) for argument in arguments))
    if name in _OF_SYMPY:
        return _called(name, _OF_SYMPY[name], arguments)
    if isinstance(expression, Atom):
        atom: Any = type(expression)
        return _called(name, functions_of(atom, len(arguments)), arguments)
    raise SymcalcError(f"running error: nothing is known of {name}: {expression}")


def _finite_top(greatest: Recipe) -> Recipe:
    def top(w: Workings) -> Bounded:
        value = greatest(w)
        return value if value.exact.is_finite() or value.exact > 0 else w.arithmetic.literal(ZERO)

    return top


_OF_SYMPY = {
    "exp": EXP, "exp_nonpositive": EXP, "log": LOG, "sin": SINE, "cos": COSINE,
}  # fmt: skip


def _called(name: str, both: tuple[Function, Slopes], arguments: Sequence[Recipe]) -> Recipe:
    return lambda w: applied(w.arithmetic, name, both, [a(w) for a in arguments])
