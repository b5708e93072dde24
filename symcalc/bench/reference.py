"""The reference that accuracy is measured against: a derivation's equations in extended precision.

The equations of value and gradient are evaluated as they stand, entry by entry, in NumPy's long
double on the very arrays that the peers saw.  On x86 that has 64 bits of significand, eleven more
than float64: where an entry is what is left of a cancellation, a method that follows the same
formula in float64 suffers 2048 times more, so the reference still tells its error to a part in a
thousand.  Sums over a whole array are pairwise.  The code shares nothing with the backends, and the
tests hold it against ball arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symcalc.bench.inputs import Problem, shape_of
from symcalc.calculus.derive import Derivation, derive
from symcalc.notation import atoms
from symcalc.notation.atoms import Atom
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access, Tensor

Real = np.longdouble
_EXTRA_BITS = 8
Environment = dict[Any, Any]


def is_precise_enough(dtype: str) -> bool:
    """Whether this machine's long double has the bits to judge a dtype."""
    return bool(np.finfo(Real).nmant >= np.finfo(dtype).nmant + _EXTRA_BITS)


class Reference:
    """The value and gradient of a problem in extended precision, at chosen entries.

    Args:
        problem: the definition and its arrays.
    """

    def __init__(self, problem: Problem) -> None:
        self.derivation: Derivation = derive(problem.objective)
        self._equations = {e.target: e for e in self.derivation.equations}
        self._extents = dict(problem.case.extents)
        self._symbols = {
            p.symbol: Real(problem.hyper[p.name]) for p in problem.objective.parameters
        }
        self._known: dict[Tensor, Any] = {}
        for tensor in problem.objective.inputs:
            array = problem.arrays[tensor.name]
            self._known[tensor] = array if tensor.domain.integer else array.astype(Real)
        if self.derivation.cotangent is not None:
            self._known[self.derivation.cotangent] = problem.cotangent.astype(Real)

    def value(self, flat: Any) -> Any:
        """Return the value's entries at flat positions; a scalar has the one position 0."""
        return self._entries(self.derivation.value, flat)

    def gradient(self, name: str, flat: Any) -> Any:
        """Return the entries of the gradient by one input at flat positions."""
        return self._entries(self.derivation.gradient_of(name).target, flat)

    def _entries(self, tensor: Tensor, flat: Any) -> Any:
        equation = self._equations[tensor]
        shape = self._shape(tensor)
        places = np.unravel_index(np.asarray(flat, dtype=np.int64), shape) if shape else ()
        env: Environment = dict(zip(equation.indices, places, strict=True))
        with np.errstate(all="ignore"):
            found = self._evaluate(equation.body, env)
        return np.array(np.broadcast_to(found, np.shape(flat)), dtype=Real)

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        return shape_of(tensor.shape, self._extents)

    def _evaluate(self, expression: Any, env: Environment) -> Any:
        """Return a formula's values; `env` holds each index as an array of its own axis."""
        if expression in env:
            return env[expression]
        if isinstance(expression, Access):
            return self._access(expression, env)
        if isinstance(expression, Reduction):
            return self._reduce(expression, env)
        if isinstance(expression, Recurrence):
            return self._recur(expression, env)
        if isinstance(expression, Table):
            return np.array(expression.values, dtype=Real)[env[expression.index]]
        if isinstance(expression, Let):
            return self._evaluate(expression.body, env)
        if isinstance(expression, Where):
            when, then, otherwise = expression.args
            sides = (self._evaluate(side, env) for side in (then, otherwise))
            return np.where(self._truth(when, env), *sides)
        if isinstance(expression, Dim):
            return Real(self._extents[expression.name])
        if expression in self._symbols:
            return self._symbols[expression]
        if isinstance(expression, sp.Rational):
            return Real(int(expression.p)) / Real(int(expression.q))
        if expression in (sp.oo, -sp.oo):
            return Real(float(expression))
        if expression.is_number:
            return Real(str(sp.N(expression, 40)))
        values = [self._evaluate(argument, env) for argument in expression.args]
        return self._apply(expression, values)

    def _apply(self, expression: Any, values: list[Any]) -> Any:
        if isinstance(expression, sp.Add):
            return functools.reduce(np.add, values)
        if isinstance(expression, sp.Mul):
            return functools.reduce(np.multiply, values)
        if isinstance(expression, sp.Pow):
            return _power(values[0], expression.exp, values[1])
        function = _FUNCTIONS.get(expression.func)
        if function is not None:
            return function(*values)
        if isinstance(expression, Atom) and not expression.is_primitive:
            dummies, body = _stable_form(expression.func, len(values))
            return self._evaluate(body, dict(zip(dummies, values, strict=True)))
        raise SymcalcError(f"bench: no reference for {expression.func.__name__}: {expression}")

    def _truth(self, when: Any, env: Environment) -> Any:
        if when in (sp.true, sp.false):
            return bool(when)
        if isinstance(when, (sp.And, sp.Or)):
            combine = np.logical_and if isinstance(when, sp.And) else np.logical_or
            return functools.reduce(combine, [self._truth(part, env) for part in when.args])
        if isinstance(when, sp.Not):
            return np.logical_not(self._truth(when.args[0], env))
        left, right = (self._evaluate(side, env) for side in (when.lhs, when.rhs))
        return _COMPARISONS[when.func](left, right)

    def _access(self, access: Access, env: Environment) -> Any:
        tensor = access.tensor
        places = tuple(self._evaluate(place, env) for place in access.places)
        places = tuple(np.asarray(place).astype(np.int64, copy=False) for place in places)
        if tensor not in self._known:
            equation = self._equations[tensor]
            wanted = int(np.prod(np.broadcast_shapes(*(p.shape for p in places)), dtype=np.int64))
            if equation.reduction is None and 4 * wanted < np.prod(self._shape(tensor)):
                return self._evaluate(
                    equation.body, dict(zip(equation.indices, places, strict=True))
                )
            self._known[tensor] = self._whole(tensor)
        shape = self._known[tensor].shape  # the side of a choice not taken may be out of bounds
        held = (np.clip(p, 0, size - 1) for p, size in zip(places, shape, strict=True))
        return self._known[tensor][tuple(held)]

    def _whole(self, tensor: Tensor) -> Any:
        """Evaluate a tensor at every place."""
        equation, shape = self._equations[tensor], self._shape(tensor)
        env: Environment = {}
        for axis, (index, extent) in enumerate(zip(equation.indices, shape, strict=True)):
            env[index] = np.arange(extent).reshape((-1,) + (1,) * (len(shape) - axis - 1))
        return np.broadcast_to(self._evaluate(equation.body, env), shape)

    def _reduce(self, reduction: Reduction, env: Environment) -> Any:
        """Reduce over a new leading axis."""
        index = reduction.index
        count = shape_of((index.extent,), self._extents)[0]
        outer = max((np.ndim(v) for k, v in env.items() if isinstance(k, Index)), default=0)
        along = np.arange(count).reshape((count,) + (1,) * outer)
        body = np.asarray(self._evaluate(reduction.body, {**env, index: along}))
        body = np.broadcast_to(body, np.broadcast_shapes(body.shape, along.shape))
        return _REDUCTIONS[reduction.spelling](body)

    def _recur(self, recurrence: Recurrence, env: Environment) -> Any:
        """Compute every entry, one after another, then take those asked for."""
        count = shape_of((recurrence.index.extent,), self._extents)[0]
        parts = [(k, self._at(recurrence, k, env)) for k in recurrence.order(count)]
        state = self._evaluate(recurrence.start, env)
        entries = {}
        for k, (decay, term) in parts:
            state = decay * state + term
            entries[k] = state
        shape = np.broadcast_shapes(*(np.shape(entry) for entry in entries.values()))
        whole = np.stack([np.broadcast_to(entries[k], shape) for k in range(count)])
        place = np.asarray(self._evaluate(recurrence.place, env)).astype(np.int64, copy=False)
        return whole[(place, *np.ogrid[tuple(slice(size) for size in shape)])]

    def _at(self, recurrence: Recurrence, place: int, env: Environment) -> tuple[Any, Any]:
        here = {**env, recurrence.index: np.asarray(place)}
        return self._evaluate(recurrence.decay, here), self._evaluate(recurrence.term, here)


@functools.cache
def _stable_form(atom: Any, arity: int) -> tuple[tuple[Any, ...], Any]:
    dummies = tuple(sp.Dummy(real=True) for _ in range(arity))
    return dummies, sp.sympify(atom.stable(*dummies))


def _power(base: Any, exponent: Any, value: Any) -> Any:
    if exponent == sp.Rational(1, 2):
        return np.sqrt(base)
    if exponent == sp.Rational(-1, 2):
        return 1 / np.sqrt(base)
    if exponent == -1:
        return 1 / base
    return base * base if exponent == 2 else np.power(base, value)


def _through_balls(method: str) -> Callable[[Any], Any]:
    """Return a function that NumPy lacks, taken from ball arithmetic entry by entry."""

    def one(x: Any) -> Any:
        import flint

        high = float(x)
        with flint.ctx.workprec(192):
            ball = getattr(flint.arb(high) + flint.arb(float(x - Real(high))), method)().mid()
            lead = float(ball)
            return Real(lead) + Real(float(ball - flint.arb(lead)))

    lifted = np.frompyfunc(one, 1, 1)
    return lambda x: np.asarray(lifted(np.asarray(x, dtype=Real))).astype(Real)


def _logsumexp(terms: Any) -> Any:
    top = terms.max(axis=0)
    shift = np.where(np.isfinite(top), top, 0)
    return np.log(np.exp(terms - shift).sum(axis=0)) + shift


def _rest_of_exp(x: Any) -> Any:
    """exp(x) - 1 - x; near zero its power series, sum of x^k / k! from k = 2 on."""
    small = np.clip(x, -1, 1)
    series = functools.reduce(lambda total, k: (total + 1) * small / k, range(24, 2, -1), 0 * small)
    return np.where(np.abs(x) < 1, (series + 1) * small * small / 2, np.expm1(x) - x)


def _divergence(x: Any, y: Any) -> Any:
    inside = np.where(x == 0, y, x)
    return np.where(x == 0, y, x * _rest_of_exp(-np.log1p((inside - y) / y)))


_FUNCTIONS: Mapping[Any, Callable[..., Any]] = {
    sp.exp: np.exp, sp.log: np.log, sp.sin: np.sin, sp.cos: np.cos,
    sp.cosh: np.cosh, atoms.abs: np.abs, atoms.sign: np.sign,
    atoms.expm1: np.expm1, atoms.log1p: np.log1p, atoms.tanh: np.tanh,
    atoms.maximum: np.maximum, atoms.minimum: np.minimum, atoms.erf: _through_balls("erf"),
    atoms.lgamma: _through_balls("lgamma"), atoms.digamma: _through_balls("digamma"),
    atoms.erfc: _through_balls("erfc"), atoms.sech: lambda x: 1 / np.cosh(x),
    atoms.sigmoid: lambda x: np.exp(-np.logaddexp(0, -x)),
    atoms.softplus: lambda x: np.logaddexp(Real(0), x),
    atoms.log_sigmoid: lambda x: -np.logaddexp(Real(0), -x),
    atoms.log_cosh: lambda x: np.where(
        np.abs(x) < 1, np.log1p(2 * np.sinh(x / 2) ** 2), np.logaddexp(x, -x) - np.log(Real(2))
    ),
    atoms.log_ratio: lambda x, y: np.log1p((x - y) / y),
    atoms.expm1x: _rest_of_exp, atoms.kl_div: _divergence,
    atoms.xlogy: lambda x, y: np.where(x == 0, 0 * x, x * np.log(np.where(x == 0, 1, y))),
    atoms.log1mexp: lambda x: np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x))),
}  # fmt: skip

_COMPARISONS: Mapping[Any, Callable[[Any, Any], Any]] = {
    sp.Eq: np.equal, sp.Ne: np.not_equal, sp.Lt: np.less, sp.Le: np.less_equal,
    sp.Gt: np.greater, sp.Ge: np.greater_equal,
}  # fmt: skip

_REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sum": lambda t: t.sum(axis=0),
    "mean": lambda t: t.sum(axis=0) / Real(len(t)),
    "prod": lambda t: t.prod(axis=0),
    "max": lambda t: t.max(axis=0),
    "min": lambda t: t.min(axis=0),
    "argmax": lambda t: t.argmax(axis=0),
    "argmin": lambda t: t.argmin(axis=0),
    "logsumexp": _logsumexp,
    "norm2": lambda t: np.sqrt((t * t).sum(axis=0)),
}
