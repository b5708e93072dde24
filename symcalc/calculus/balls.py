"""Formulas evaluated in ball arithmetic (python-flint), index by index, with nothing simplified."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.calculus.integrals import gaussian
from symcalc.calculus.partial import Partial
from symcalc.calculus.series import (
    FAULTS,
    SURE,
    TIES,
    AlikeError,
    Environment,
    Side,
    UndecidedError,
    ball,
    constant,
    cosh,
    falls_below,
    logarithm,
    order_of,
    pi,
    polygamma,
    power,
    power_of_zero,
    reciprocal,
    root,
    tanh,
    times,
)
from symcalc.notation.atoms import Atom, sigmoid, stop_gradient, weighted
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.expectations import GaussianExpectation, Variable
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access

__all__ = [
    "FAULTS", "MEMORY", "SURE", "TIES", "AlikeError", "Entries", "Environment", "Side",
    "UndecidedError", "ball", "evaluate", "order_of", "truth", "whole",
]  # fmt: skip

Rule = Callable[[Any, Environment], Any]
_CHEAP = (sp.Add, sp.Mul, sp.Pow, sp.Number)  # what is not remembered
_DEAR = (Where, sp.Function)  # what is remembered where it was computed
_SHARED = (Let, Reduction, Recurrence)  # what is remembered by the values of its free indices
MEMORY = object()  # the environment's memory of those, if it has one
Entries = dict[tuple[int, ...], Any]


def evaluate(expression: Any, env: Environment) -> Any:
    """Return the ball that encloses an expression.

    Args:
        expression: a formula of the notation.
        env: a ball for each symbol, an int for each dim and free index, and for each tensor
            a dict from places to balls.

    Raises:
        UndecidedError: a condition hangs on a comparison the balls do not decide.
    """
    if isinstance(expression, Access):
        entry = env[expression.tensor][tuple([whole(place, env) for place in expression.places])]
        return ball(entry) if isinstance(entry, int) else entry
    if isinstance(expression, _CHEAP):
        return _rule_of(expression)(expression, env)
    known = env.get(expression)
    if known is not None:
        return ball(known) if isinstance(known, int) else known
    if isinstance(expression, _SHARED):
        return _remembered(expression, env)
    value = _rule_of(expression)(expression, env)
    if isinstance(expression, _DEAR):  # it may stand in the formula more than once
        env[expression] = value
    return value


def _remembered(expression: Any, env: Environment) -> Any:
    """Compute a reduction or a named part, once for the same values of its free indices."""
    letters = _letters(expression)
    if letters is None or MEMORY not in env:
        env[expression] = value = _rule_of(expression)(expression, env)
        return value
    key = (expression, *(env[index] for index in letters))
    if key not in env[MEMORY]:
        env[MEMORY][key] = _rule_of(expression)(expression, env)
    return env[MEMORY][key]


@functools.lru_cache(maxsize=4096)
def _letters(expression: Any) -> tuple[Index, ...] | None:
    """The free indices of an expression; None where it stands on a variable of integration."""
    free = expression.free_symbols
    if any(isinstance(symbol, (Variable, sp.Dummy)) and not isinstance(symbol, Index)
           for symbol in free):  # fmt: skip
        return None
    return tuple(symbol for symbol in free if isinstance(symbol, Index))


def _rule_of(expression: Any) -> Rule:
    kind: Any = type(expression)
    return _rule(kind)


@functools.cache
def _rule(kind: Any) -> Rule:
    """The first rule for a type of node."""
    return next((rule for kinds, rule in _RULES if issubclass(kind, kinds)), _unknown)


def _unknown(expression: Any, env: Environment) -> Any:
    raise SymcalcError(f"balls: no enclosure for {expression.func.__name__}: {expression}")


def _rational(expression: Any, env: Environment) -> Any:
    return ball(expression.p) / ball(expression.q)


def _sum(expression: Any, env: Environment) -> Any:
    other = _complemented(expression)
    if other is not expression:
        return evaluate(other, env)
    return functools.reduce(lambda a, b: a + b, [evaluate(term, env) for term in expression.args])


def _atom(expression: Any, env: Environment) -> Any:
    """An atom, by its definition."""
    kind: Any = type(expression)
    dummies, body = _definition(kind, len(expression.args))
    values = [evaluate(argument, env) for argument in expression.args]
    kept = {key: env[key] for key in (Side, TIES, FAULTS) if key in env}
    return evaluate(body, kept | dict(zip(dummies, values, strict=True)))


@functools.cache
def _definition(atom: Any, arity: int) -> tuple[tuple[Any, ...], Any]:
    dummies = tuple(sp.Dummy(real=True) for _ in range(arity))
    return dummies, sp.sympify(atom.definition(*dummies))


@functools.lru_cache(maxsize=4096)
def _complemented(total: Any) -> Any:
    """Write 1 - sigmoid(x) as sigmoid(-x), which stays apart from zero at any x."""
    for term in total.args:
        if isinstance(-term, sigmoid) and sp.Integer(1) in total.args:
            return total - 1 - term + sigmoid(-(-term).args[0])
    return total


def whole(place: Any, env: Environment) -> int:
    """Evaluate an index expression, exactly."""
    if isinstance(place, Access):
        return int(env[place.tensor][tuple(whole(p, env) for p in place.places)])
    if isinstance(place, (Index, Dim)):
        return int(env[place])
    if isinstance(place, sp.Integer):
        return int(place)
    if getattr(place, "gives_place", False):
        return int(_reduce(place, env))
    known = {s: env[s] for s in place.free_symbols}
    return int(place.xreplace({s: sp.Integer(int(v)) for s, v in known.items()}))


def _product(expression: Any, env: Environment) -> Any:
    """The product; where an entry is zero and the rest is infinite, its limit, which is zero.

    That goes for an entry which the rest does not read: x/|x| has no limit.
    What an indicator leaves out is a side that is not taken.
    """
    factors = expression.args
    if any(_leaves_out(factor, env) for factor in factors):
        return ball(0)
    values = [evaluate(factor, env) for factor in factors]
    product = functools.reduce(times, values)
    if hasattr(product, "length") or not product.is_nan():
        return product
    zeros = [
        _is_entry(factor, env) and value == 0 for factor, value in zip(factors, values, strict=True)
    ]
    rest = [value for value, zero in zip(values, zeros, strict=True) if not zero]
    without = functools.reduce(lambda a, b: a * b, rest, ball(1))
    if not any(zeros) or (not hasattr(without, "length") and without.is_nan()):
        return product
    given = {factor.tensor for factor, zero in zip(factors, zeros, strict=True) if zero}
    others = (factor for factor, zero in zip(factors, zeros, strict=True) if not zero)
    return product if any(given & _tensors_of(factor, env) for factor in others) else ball(0)


def _tensors_of(expression: Any, env: Environment) -> set[Any]:
    """The given tensors that an expression reads, in what it is made of too."""
    found, left = set(), {access.tensor for access in expression.atoms(Access)}
    while left:
        tensor = left.pop()
        found.add(tensor)
        body = getattr(env[tensor], "body", None)  # of a defined tensor
        if body is not None:
            left |= {access.tensor for access in body.atoms(Access)} - found
    return found


def _leaves_out(factor: Any, env: Environment) -> bool:
    """Whether a factor is an indicator whose condition on indices does not hold."""
    if not isinstance(factor, Where) or not _is_of_indices(factor):
        return False
    return truth(factor.args[0], env) is (factor.args[1] == 0)


@functools.lru_cache(maxsize=4096)
def _is_of_indices(choice: Where) -> bool:
    """Whether a choice is an indicator whose condition reads no entry."""
    return choice.is_indicator and not choice.args[0].atoms(Access)


def _is_entry(factor: Any, env: Environment) -> bool:
    """Whether a factor is a given number, which tends nowhere."""
    return isinstance(factor, Access) and type(env[factor.tensor]) is dict


def _power(expression: Any, env: Environment) -> Any:
    base, exponent = expression.args
    value = evaluate(base, env)
    if exponent.is_Integer:
        return power(value if exponent > 0 else reciprocal(value, env), abs(int(exponent)))
    if exponent == sp.Rational(1, 2):
        return root(value, env)
    starts_at_zero = constant(value) == 0 and not falls_below(value, env)
    if exponent.is_Rational and exponent.q == 2 and not (starts_at_zero and exponent > 1):
        half = root(value, env)
        return power(half if exponent.p > 0 else reciprocal(half, env), abs(int(exponent.p)))
    raised = evaluate(exponent, env)
    if starts_at_zero and raised > 0:
        return power_of_zero(value, raised)
    return (logarithm(value, env) * raised).exp()


def truth(when: Any, env: Environment) -> bool:
    """Whether a condition holds at a point.

    Raises:
        UndecidedError: the balls do not tell.
    """
    if when in (sp.true, sp.false):
        return bool(when)
    if isinstance(when, sp.And):
        return all(truth(part, env) for part in when.args)
    if isinstance(when, sp.Or):
        return any(truth(part, env) for part in when.args)
    if isinstance(when, sp.Not):
        return not truth(when.args[0], env)
    if when not in env:
        env[when] = _related(when, env)
    return bool(env[when])


def _related(when: Any, env: Environment) -> bool:
    """Whether a comparison holds at a point."""
    left, right = when.lhs, when.rhs
    if left.is_integer and right.is_integer:
        return bool(_COMPARISONS[when.func](whole(left, env), whole(right, env)))
    order = order_of(evaluate(left, env), evaluate(right, env), env)
    if order is None:
        raise UndecidedError(f"balls: {when} cannot be decided here")
    return bool(_COMPARISONS[when.func](order, 0))


_COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    sp.Eq: lambda a, b: a == b, sp.Ne: lambda a, b: a != b, sp.Lt: lambda a, b: a < b,
    sp.Le: lambda a, b: a <= b, sp.Gt: lambda a, b: a > b, sp.Ge: lambda a, b: a >= b,
}  # fmt: skip


def _choose(expression: Any, env: Environment) -> Any:
    """Evaluate only the side that is taken; where that cannot be told, enclose both."""
    cases = (
        [(expression.args[1], expression.args[0]), (expression.args[2], sp.true)]
        if isinstance(expression, Where)
        else list(expression.args)
    )
    for number, (then, when) in enumerate(cases):
        try:
            if truth(when, env):
                return evaluate(then, env)
        except UndecidedError:
            unsure = {**env, FAULTS: [], MEMORY: {}}  # one side is not taken
            sides = [evaluate(side, unsure) for side, _ in cases[number:]]
            if any(hasattr(side, "length") for side in sides):
                raise  # a power series has no union
            return functools.reduce(lambda a, b: a.union(b), sides)
    raise SymcalcError(f"balls: no case holds in {expression}")


def _reduce(expression: Reduction, env: Environment) -> Any:
    count = whole(expression.index.extent, env)
    terms = [evaluate(expression.body, {**env, expression.index: k}) for k in range(count)]
    return _REDUCTIONS[expression.spelling](terms, env)


def _recur(expression: Recurrence, env: Environment) -> Any:
    """Compute the entries one after another, up to the one asked for."""
    place = whole(expression.place, env)
    value = evaluate(expression.start, env)
    for k in expression.order(whole(expression.index.extent, env)):
        at = {**env, expression.index: k}
        value = evaluate(expression.decay, at) * value + evaluate(expression.term, at)
        if k == place:
            return value
    raise SymcalcError(f"balls: {expression} has no entry {place}")


def _extreme(terms: list[Any], env: Environment, better: int) -> int:
    """Return the first place whose term is beyond all before it: greater if `better` is 1."""
    best = 0
    for place in range(1, len(terms)):
        order = order_of(terms[place], terms[best], env)
        if order is None:
            raise UndecidedError("balls: the greatest of several cannot be told")
        if order == better:
            best = place
    return best


def _add(terms: list[Any], _: Environment) -> Any:
    return functools.reduce(lambda a, b: a + b, terms, ball(0))


_REDUCTIONS: dict[str, Callable[[list[Any], Environment], Any]] = {
    "sum": _add,
    "mean": lambda terms, env: _add(terms, env) / len(terms),
    "prod": lambda terms, env: functools.reduce(lambda a, b: a * b, terms, ball(1)),
    "max": lambda terms, env: terms[_extreme(terms, env, 1)],
    "min": lambda terms, env: terms[_extreme(terms, env, -1)],
    "argmax": lambda terms, env: _extreme(terms, env, 1),
    "argmin": lambda terms, env: _extreme(terms, env, -1),
    "logsumexp": lambda terms, env: _add([term.exp() for term in terms], env).log(),
    "norm2": lambda terms, env: root(_add([term * term for term in terms], env), env),
}


def _slope(expression: Any, env: Environment) -> Any:
    """The derivative by one access: the linear coefficient of the power series of the body."""
    import flint

    places = tuple(whole(place, env) for place in expression.by.places)
    tensor = expression.by.tensor
    sizes = [whole(extent, env) for extent in tensor.shape]
    if any(not 0 <= place < size for place, size in zip(places, sizes, strict=True)):
        return ball(0)  # a choice leaves it alone here
    # Accesses that merely coincide here stay put: the rule moves one written access at a time.
    marker = sp.Dummy(real=True)
    body = expression.body.xreplace({expression.by: marker})
    series = flint.arb_series([env[tensor][places], 1], prec=2)
    value = evaluate(body, {**env, marker: series})
    return value[1] if hasattr(value, "length") else ball(0)


def _by_sign(expression: Any, env: Environment) -> Any:
    """|x| or sign(x)."""
    x = evaluate(expression.args[0], env)
    order = order_of(x, ball(0), env)
    if order is None:
        raise UndecidedError("balls: a sign cannot be told")
    if isinstance(expression, sp.sign):
        return ball(order)
    if order == 0 and Side not in env:
        return ball(0)  # where no side is meant, sign(0) = 0 is the slope
    return -x if order < 0 else x


_RULES: tuple[tuple[Any, Rule], ...] = (
    (sp.Rational, _rational),
    (sp.Add, _sum),
    ((sp.Mul, weighted), _product),
    (sp.Pow, _power),
    ((sp.floor, sp.Mod, sp.Min, sp.Max), lambda e, env: ball(whole(e, env))),  # of extents
    ((type(sp.oo), type(-sp.oo)), lambda e, env: ball(float(e))),
    ((Where, sp.Piecewise), _choose),
    (Let, lambda e, env: evaluate(e.body, env)),
    (Reduction, _reduce),
    (Recurrence, _recur),
    (Table, lambda e, env: ball(e.values[whole(e.index, env)])),
    (GaussianExpectation, lambda e, env: gaussian(e, env, evaluate)),
    (Partial, _slope),
    (stop_gradient, lambda e, env: constant(evaluate(e.args[0], env))),
    (Atom, _atom),
    (sp.polygamma, lambda e, env: polygamma(int(e.args[0]), evaluate(e.args[1], env))),
    ((sp.Abs, sp.sign), _by_sign),
    (sp.log, lambda e, env: logarithm(evaluate(e.args[0], env), env)),
    (sp.exp, lambda e, env: evaluate(e.args[0], env).exp()),
    (sp.tanh, lambda e, env: tanh(evaluate(e.args[0], env))),
    (sp.cosh, lambda e, env: cosh(evaluate(e.args[0], env))),
    (sp.sin, lambda e, env: evaluate(e.args[0], env).sin()),
    (sp.cos, lambda e, env: evaluate(e.args[0], env).cos()),
    (sp.erf, lambda e, env: evaluate(e.args[0], env).erf()),
    (sp.erfc, lambda e, env: evaluate(e.args[0], env).erfc()),
    (sp.loggamma, lambda e, env: evaluate(e.args[0], env).lgamma()),
    (type(sp.pi), lambda e, env: pi()),
    (type(sp.E), lambda e, env: ball(1).exp()),
)
