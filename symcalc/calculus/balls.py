"""Formulas evaluated in ball arithmetic (python-flint), index by index, with nothing simplified."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from enum import Enum
from typing import Any

import sympy as sp

from symcalc.calculus.integrals import gaussian
from symcalc.calculus.partial import Partial
from symcalc.notation.atoms import Atom, stop_gradient
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access


class UndecidedError(SymcalcError):
    """A condition could not be decided at this point: the balls overlap."""


class Side(Enum):
    """From which side of a point a power series in t is meant: t > 0 or t < 0.

    An environment holds it under `Side`. Where two constant terms are equal, the first coefficients
    that differ then decide a comparison, as they do for every t small enough.
    """

    RIGHT = 1
    LEFT = -1


TIES = object()  # the environment's list of what was equal here and differs beside
Environment = dict[Any, Any]
_DEAR = (Where, Reduction, sp.Function)  # what is remembered where it was computed
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
    if expression in env:
        known = env[expression]
        return ball(known) if isinstance(known, int) else known
    if isinstance(expression, Access):
        places = tuple(whole(place, env) for place in expression.places)
        entry = env[expression.tensor][places]
        return ball(entry) if isinstance(entry, int) else entry
    value = _evaluated(expression, env)
    if isinstance(expression, _DEAR):  # it may stand in the formula more than once
        env[expression] = value
    return value


def _evaluated(expression: Any, env: Environment) -> Any:
    """Compute the ball of an expression that is no entry."""
    if isinstance(expression, sp.Rational):
        return ball(expression.p) / ball(expression.q)
    if isinstance(expression, sp.Add):
        return _fold(lambda a, b: a + b, expression.args, env)
    if isinstance(expression, sp.Mul):
        return _fold(lambda a, b: a * b, expression.args, env)
    if isinstance(expression, sp.Pow):
        return _power(expression, env)
    if isinstance(expression, (sp.floor, sp.Mod, sp.Min, sp.Max)):  # of indices and extents
        return ball(whole(expression, env))
    if expression in (sp.oo, -sp.oo):
        return ball(float(expression))
    if isinstance(expression, (Where, sp.Piecewise)):
        return _choose(expression, env)
    if isinstance(expression, Let):
        return evaluate(expression.body, env)
    if isinstance(expression, Reduction):
        return _reduce(expression, env)
    if isinstance(expression, Recurrence):
        return _recur(expression, env)
    if isinstance(expression, Table):
        return ball(expression.values[whole(expression.index, env)])
    if isinstance(expression, GaussianExpectation):
        return gaussian(expression, env, evaluate)
    if isinstance(expression, Partial):
        return _slope(expression, env)
    if isinstance(expression, stop_gradient):
        return _constant(evaluate(expression.args[0], env))
    if isinstance(expression, Atom):
        dummies, body = _definition(_kind(expression), len(expression.args))
        values = [evaluate(argument, env) for argument in expression.args]
        sided = {key: env[key] for key in (Side, TIES) if key in env}
        return evaluate(body, sided | dict(zip(dummies, values, strict=True)))
    if isinstance(expression, sp.polygamma):
        return _polygamma(int(expression.args[0]), evaluate(expression.args[1], env))
    if isinstance(expression, (sp.Abs, sp.sign)):
        return _by_sign(expression, env)
    function = _FUNCTIONS.get(expression.func)
    if function is None:
        raise SymcalcError(f"balls: no enclosure for {expression.func.__name__}: {expression}")
    return function(*(evaluate(argument, env) for argument in expression.args))


def _kind(expression: Any) -> Any:
    return type(expression)


@functools.cache
def _definition(atom: Any, arity: int) -> tuple[tuple[Any, ...], Any]:
    dummies = tuple(sp.Dummy(real=True) for _ in range(arity))
    return dummies, sp.sympify(atom.definition(*dummies))


def ball(value: Any) -> Any:
    """Return a number as a ball."""
    import flint

    return flint.arb(int(value)) if isinstance(value, (int, sp.Integer)) else flint.arb(value)


def _fold(combine: Callable[[Any, Any], Any], arguments: Any, env: Environment) -> Any:
    return functools.reduce(combine, [evaluate(argument, env) for argument in arguments])


def whole(place: Any, env: Environment) -> int:
    """Evaluate an index expression, exactly."""
    if isinstance(place, Access):
        return int(env[place.tensor][tuple(whole(p, env) for p in place.places)])
    if isinstance(place, (Index, Dim)):
        return int(env[place])
    if getattr(place, "gives_place", False):
        return int(_reduce(place, env))
    known = {s: env[s] for s in place.free_symbols}
    return int(place.xreplace({s: sp.Integer(int(v)) for s, v in known.items()}))


def _power(expression: Any, env: Environment) -> Any:
    base, exponent = expression.args
    value = evaluate(base, env)
    if exponent.is_Integer:
        power = int(exponent)
        return value**power if power >= 0 else 1 / value ** (-power)
    if exponent == sp.Rational(1, 2):
        return _root(value, env)
    if isinstance(exponent, sp.Rational) and exponent.q == 2:
        root = _root(value, env)
        return root**exponent.p if exponent.p > 0 else 1 / root ** (-exponent.p)
    return (value.log() * evaluate(exponent, env)).exp()


def _root(value: Any, env: Environment) -> Any:
    """The square root; that of c t**2 + ... is |t| sqrt(c + ...), which has a side."""
    if not hasattr(value, "length") or Side not in env or value[0] != 0:
        return value.sqrt()
    import flint

    order = next((k for k in range(value.prec) if not value[k] == 0), value.prec)
    if order == value.prec:
        return flint.arb_series([0], prec=order // 2)
    if order % 2:
        raise UndecidedError("balls: the slope of a root is infinite here")
    rest = flint.arb_series([value[k] for k in range(order, value.prec)], prec=value.prec - order)
    root, half = rest.sqrt(), order // 2
    turn = env[Side].value ** half
    if half % 2:
        env[TIES].append(value)
    shifted = [0] * half + [turn * root[k] for k in range(root.prec)]
    return flint.arb_series(shifted, prec=half + root.prec)


def _constant(value: Any) -> Any:
    """The value itself, or the constant term of a series."""
    return value[0] if hasattr(value, "length") else value


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
    order = _order(evaluate(left, env), evaluate(right, env), env)
    if order is None:
        raise UndecidedError(f"balls: {when} cannot be decided here")
    return bool(_COMPARISONS[when.func](order, 0))


def _order(left: Any, right: Any, env: Environment) -> int | None:
    """-1, 0 or 1 as the left is less than, equal to or greater than the right; None: untold."""
    a, b = (ball(s) if isinstance(s, int) else s for s in (_constant(left), _constant(right)))
    if a < b or a > b:
        return 1 if a > b else -1
    if not (a.is_exact() and b.is_exact() and a == b) and not _identical(a, b):
        return None
    if Side not in env:
        return 0
    return _order_beside(left - right, env)


def _order_beside(gap: Any, env: Environment) -> int | None:
    """The sign of what is zero at the point, beside it."""
    if not hasattr(gap, "length"):
        return 0
    for k in range(1, gap.prec):
        if gap[k] > 0 or gap[k] < 0:
            env[TIES].append(gap)
            return (1 if gap[k] > 0 else -1) * int(env[Side].value) ** k
        if gap[k] != 0:
            return None
    return 0


def _identical(a: Any, b: Any) -> bool:
    """Whether two balls are one and the same: the same number, computed the same way."""
    return bool(a.mid() == b.mid() and a.rad() == b.rad())


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
            sides = [evaluate(side, env) for side, _ in cases[number:]]
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
        order = _order(terms[place], terms[best], env)
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
    "norm2": lambda terms, env: _root(_add([term * term for term in terms], env), env),
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
    order = _order(x, ball(0), env)
    if order is None:
        raise UndecidedError("balls: a sign cannot be told")
    if isinstance(expression, sp.sign):
        return ball(order)
    return -x if order < 0 else x


def _series_or(method: str) -> Callable[[Any], Any]:
    return lambda x: getattr(x, method)()


def _tanh(x: Any) -> Any:
    if hasattr(x, "length"):
        double = (2 * x).exp()
        return (double - 1) / (double + 1)
    return x.tanh()


def _cosh(x: Any) -> Any:
    return (x.exp() + (-x).exp()) / 2 if hasattr(x, "length") else x.cosh()


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sp.exp: _series_or("exp"), sp.log: _series_or("log"), sp.tanh: _tanh, sp.cosh: _cosh,
    sp.erf: _series_or("erf"), sp.erfc: _series_or("erfc"),
    sp.sin: _series_or("sin"), sp.cos: _series_or("cos"),
    sp.loggamma: _series_or("lgamma"),
    type(sp.pi): lambda: _pi(), type(sp.E): lambda: ball(1).exp(),
}  # fmt: skip


def _polygamma(order: int, x: Any) -> Any:
    """The derivatives of lgamma: (-1)**(m+1) m! zeta(m + 1, x) beyond the first."""
    import flint

    if hasattr(x, "length"):  # Taylor: each derivative is the next polygamma
        step = x - x[0]
        total, power = flint.arb_series([0], prec=x.prec), flint.arb_series([1], prec=x.prec)
        for k in range(x.prec):
            total += power * _polygamma(order + k, x[0]) / math.factorial(k)
            power = power * step
        return total
    if order == 0:
        return x.digamma()
    value = flint.arb.zeta(flint.arb(order + 1), x) * flint.arb(order).gamma() * order
    return value if order % 2 else -value


def _pi() -> Any:
    import flint

    return flint.arb.pi()
