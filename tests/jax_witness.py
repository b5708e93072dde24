"""A second opinion: the notation read by JAX, which differentiates it by its own rules.

A formula is walked by what its nodes mean. Every value is an array with named axes, one for each
index it depends on; accesses gather, reductions act along an axis. Nothing of the calculus or of
the backends is used. Two things need care:

- the conventions at kinks are those that symcalc states (sign(0) = 0, relu'(0) = 0, a tie goes to
  the first, norm2'(0) = 0): kinks are written with `where`, whose derivative is the side taken;
- JAX's derivative of the side not taken may be NaN, and 0 * NaN is NaN: `live` says where a part of
  the formula is looked at, and a function that is not defined everywhere is handed 1 elsewhere.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from jax.scipy import special

from symcalc.notation import conditions, expectations, reductions, scans
from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


@dataclass(frozen=True)
class Named:
    """An array whose axes are indices."""

    axes: tuple[Index, ...]
    data: Any

    def along(self, axes: tuple[Index, ...]) -> Any:
        """The array with these axes in this order, of length one where it does not depend."""
        order = sorted(range(len(self.axes)), key=lambda k: axes.index(self.axes[k]))
        data = jnp.transpose(self.data, order) if order != sorted(order) else self.data
        sizes = dict(zip(self.axes, jnp.shape(self.data), strict=True))
        return jnp.reshape(data, tuple(sizes.get(axis, 1) for axis in axes))


def joined(function: Any, *parts: Named) -> Named:
    """Apply a function of numbers to values that depend on different indices."""
    axes = tuple(dict.fromkeys(axis for part in parts for axis in part.axes))
    return Named(axes, function(*(part.along(axes) for part in parts)))


def _expm1x(x: Any) -> Any:
    inner = jnp.where(jnp.abs(x) < 1, x, 0.0)
    series, term = jnp.zeros_like(inner), inner
    for k in range(2, 21):
        term = term * inner / k
        series = series + term
    return jnp.where(jnp.abs(x) < 1, series, jnp.exp(x) - 1 - x)


def _tail(x: Any) -> tuple[Any, Any]:
    """Whether x is on the right, and exp(-|x|); smooth on either side, equal at 0."""
    right = x >= 0
    return right, jnp.exp(jnp.where(right, -x, x))


def _tanh(x: Any) -> Any:
    """In the tails by exponentials: JAX's derivative, 1 - tanh(x)**2, cancels there."""
    near = jnp.abs(x) < 1
    inner, outer = jnp.where(near, x, 0.0), jnp.where(near, 1.0, x)
    right, tail = _tail(outer)
    size = (1 - tail**2) / (1 + tail**2)
    return jnp.where(near, jnp.tanh(inner), jnp.where(right, size, -size))


def _expm1(x: Any) -> Any:
    """JAX's derivative, expm1(x) + 1, cancels on the left."""
    near = jnp.abs(x) < 1
    inner, outer = jnp.where(near, x, 0.0), jnp.where(near, 1.0, x)
    return jnp.where(near, jnp.expm1(inner), jnp.exp(outer) - 1)


def _log1mexp(x: Any) -> Any:
    near = x < 1
    inner, outer = jnp.where(near, x, 1.0), jnp.where(near, 1.0, x)
    return jnp.where(near, jnp.log(-jnp.expm1(-inner)), jnp.log1p(-jnp.exp(-outer)))


def _sech(x: Any) -> Any:
    _, tail = _tail(x)
    return 2 * tail / (1 + tail**2)


def _sigmoid(x: Any) -> Any:
    right, tail = _tail(x)
    return jnp.where(right, 1.0, tail) / (1 + tail)


def _log_cosh(x: Any) -> Any:
    near = jnp.abs(x) < 1
    inner = jnp.where(near, x, 0.0)
    right, tail = _tail(x)
    outer = jnp.where(right, x, -x) + jnp.log1p(tail**2) - jnp.log(2.0)
    return jnp.where(near, jnp.log1p(2 * jnp.sinh(inner / 2) ** 2), outer)


# The atoms, by their definitions, so written that JAX's derivatives keep their digits.
ATOMS: dict[str, Any] = {
    "expm1": _expm1,
    "expm1x": _expm1x,
    "tanh": _tanh,
    "sech": _sech,
    "sigmoid": _sigmoid,
    "softplus": lambda x: jnp.logaddexp(x, 0.0),
    "log_sigmoid": lambda x: -jnp.logaddexp(-x, 0.0),
    "log_cosh": _log_cosh,
    "weighted": operator.mul,
    "erf": special.erf,
    "erfc": special.erfc,
    "stop_gradient": jax.lax.stop_gradient,
}
# Those that are not defined everywhere; at 1 all of them are.
PARTIAL: dict[str, Any] = {
    "exp": jnp.exp,  # defined, but it overflows
    "log": jnp.log,
    "log1p": jnp.log1p,
    "xlogy": lambda x, y: jnp.where(x == 0, 0.0, x * jnp.log(y)),
    "log_ratio": lambda x, y: jnp.log1p((x - y) / y),
    "kl_div": lambda x, y: x * jnp.log1p((x - y) / y) - x + y,
    "log1mexp": _log1mexp,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "trigamma": lambda x: special.polygamma(1, x),
}
# Those with a kink: which side a point is on, and what is taken there.
KINKED: dict[str, tuple[Any, Any]] = {
    "abs": (jnp.sign, lambda side, x: side * x),
    "sign": (jnp.sign, lambda side, x: side),
    "relu": (lambda x: x > 0, lambda side, x: jnp.where(side, x, 0.0)),
    "maximum": (operator.ge, jnp.where),
    "minimum": (operator.le, jnp.where),
    "clip": (
        lambda x, low, high: 1 * (x >= low) + (x > high),
        lambda side, x, low, high: jnp.where(side == 0, low, jnp.where(side == 1, x, high)),
    ),
}
RELATIONS: dict[str, Any] = {
    "Equality": operator.eq, "Unequality": operator.ne, "LessThan": operator.le,
    "GreaterThan": operator.ge, "StrictLessThan": operator.lt, "StrictGreaterThan": operator.gt,
    "And": lambda *c: functools.reduce(jnp.logical_and, c),
    "Or": lambda *c: functools.reduce(jnp.logical_or, c),
    "Not": jnp.logical_not,
}  # fmt: skip


def _prod(values: Any) -> Any:
    return functools.reduce(operator.mul, jnp.moveaxis(values, -1, 0), jnp.ones(values.shape[:-1]))


def _norm2(values: Any, blur: Any) -> Any:
    total = blur(jnp.sum(values**2, axis=-1))
    return jnp.where(total > 0, jnp.sqrt(jnp.where(total > 0, total, 1.0)), 0.0)


def _logsumexp(values: Any, blur: Any) -> Any:
    top = jax.lax.stop_gradient(jnp.max(values, axis=-1, keepdims=True))
    return jnp.log(blur(jnp.sum(blur(jnp.exp(values - top)), axis=-1))) + top[..., 0]


# The reductions, along the last axis; `blur` makes the errors on purpose.
REDUCTIONS: dict[type, Any] = {
    reductions.Sum: lambda v, blur: jnp.sum(v, axis=-1),
    reductions.Mean: lambda v, blur: jnp.sum(v, axis=-1) / v.shape[-1],
    reductions.Prod: lambda v, blur: _prod(v),
    reductions.LogSumExp: _logsumexp,
    reductions.Norm2: _norm2,
}


EXTREMES: dict[type, Any] = {
    reductions.Max: jnp.argmax, reductions.Min: jnp.argmin,
    reductions.ArgMax: jnp.argmax, reductions.ArgMin: jnp.argmin,
}  # fmt: skip
PLACES = (reductions.ArgMax, reductions.ArgMin)


class Reading:
    """An objective as a function of JAX arrays.

    With noise, the value of every node is multiplied by 1 + noise * xi and its derivative by
    1 + noise * eta, xi and eta normal random numbers: what that moves a result by, divided by the
    noise, is the size of what the result was added up from, which is what its rounding is relative
    to.

    Args:
        objective: what to read.
        sizes: the extent of each dim, by name.
        parameters: the hyperparameters, by name.
        noise: relative size of the errors made on purpose.
        seed: of the errors.
        decided: which sides of kinks were taken, by another reading; its own if None.
    """

    def __init__(
        self, objective: Any, sizes: dict[str, int], parameters: dict[str, float],
        noise: float = 0.0, seed: int = 0, decided: list[Any] | None = None,
    ) -> None:  # fmt: skip
        self.objective, self.sizes, self.parameters = objective, sizes, parameters
        self.noise, self.seed, self.decided = noise, seed, decided
        self.decisions: list[Any] = []
        self.arrays: dict[str, Any] = {}
        self.variables: dict[Any, Named] = {}
        self.rng = np.random.default_rng(seed)

    def __call__(self, arrays: dict[str, Any]) -> Any:
        """The value at these inputs."""
        self.arrays, self.decisions = dict(arrays), []
        self.rng = np.random.default_rng(self.seed)
        for meant in self.objective.definitions:
            self.arrays[meant.name] = self.filled(meant.body, meant.indices)
        return self.filled(self.objective.body, self.objective.outputs)

    def filled(self, body: Any, indices: tuple[Index, ...]) -> Any:
        """The array of a formula at all values of its free indices."""
        found = self.visit(body, None).along(indices)
        return jnp.broadcast_to(found, tuple(self.extent(index) for index in indices))

    def extent(self, index: Index) -> int:
        """How many values an index takes."""
        sizes = {s: sp.Integer(self.sizes[s.name]) for s in index.extent.free_symbols}
        return int(index.extent.xreplace(sizes))

    def counted(self, index: Index) -> Named:
        """An index as a number."""
        return Named((index,), np.arange(self.extent(index)))

    def decide(self, which: Any, *values: Any) -> Any:
        """Which side of a kink is taken; no derivative passes through that."""
        mine = jax.lax.stop_gradient(which(*values))
        self.decisions.append(mine)
        return mine if self.decided is None else self.decided[len(self.decisions) - 1]

    def visit(self, node: Any, live: Named | None) -> Named:
        """The value of a node; it counts only where `live` holds."""
        found = self.exactly(node, live)
        if not self.noise or isinstance(node, (sp.logic.boolalg.Boolean, *PLACES)):
            return found
        return Named(found.axes, self.blur(found.data))

    def blur(self, data: Any) -> Any:
        """Make an error in the value, and another one in its derivative."""
        if not self.noise or (isinstance(data, float) and np.isinf(data)):
            return data
        errors = 1 + self.noise * self.rng.normal(size=(2, *jnp.shape(data)))
        finite = jnp.isfinite(data)
        number = jnp.where(finite, data, 0.0)
        still = jax.lax.stop_gradient(number)
        return jnp.where(finite, errors[0] * still + errors[1] * (number - still), data)

    def exactly(self, node: Any, live: Named | None) -> Named:
        """The value of a node without noise of its own."""
        if isinstance(node, Access):
            return self.access(node)
        if isinstance(node, Index):
            return self.counted(node)
        if isinstance(node, Dim):
            return Named((), self.sizes[node.name])
        if isinstance(node, conditions.Let):
            return self.visit(node.body, live)
        if isinstance(node, conditions.Where):
            return self.where(node, live)
        if isinstance(node, reductions.Reduction):
            return self.reduction(node, live)
        if isinstance(node, scans.Recurrence):
            return self.recurrence(node, live)
        if isinstance(node, expectations.GaussianExpectation):
            return self.expectation(node, live)
        if isinstance(node, expectations.Variable):
            return self.variables[node]
        if isinstance(node, sp.Symbol):
            return Named((), self.parameters[node.name])
        if not node.args:
            return Named((), bool(node) if node in (sp.true, sp.false) else float(node))
        parts = [self.visit(argument, live) for argument in node.args]
        if isinstance(node, sp.Pow):
            return self.power(node, parts, live)
        name = type(node).__name__
        if isinstance(node, sp.Add | sp.Mul):
            function = operator.add if isinstance(node, sp.Add) else operator.mul
            return functools.reduce(lambda a, b: joined(function, a, b), parts)
        if name in PARTIAL:
            return joined(PARTIAL[name], *(self.safe(part, live) for part in parts))
        if name in KINKED:
            which, taken = KINKED[name]
            return joined(lambda *values: taken(self.decide(which, *values), *values), *parts)
        if name in RELATIONS:
            return joined(lambda *values: self.decide(RELATIONS[name], *values), *parts)
        return joined(ATOMS[name], *parts)

    def safe(self, part: Named, live: Named | None) -> Named:
        """The value where it is looked at, 1 elsewhere."""
        if live is None:
            return part
        return joined(lambda value, here: jnp.where(here, value, 1.0), part, live)

    def power(self, node: Any, parts: list[Named], live: Named | None) -> Named:
        """A power: of anything to a whole number, of a positive number to any."""
        base, exponent = self.safe(parts[0], live), node.exp
        if exponent.is_Integer:
            return Named(base.axes, jnp.asarray(base.data, float) ** int(exponent))
        if exponent == sp.Rational(1, 2):
            return Named(base.axes, jnp.sqrt(base.data))
        return joined(lambda a, b: jnp.exp(b * jnp.log(a)), base, parts[1])

    def where(self, node: Any, live: Named | None) -> Named:
        """A choice; each side is looked at where the condition has it."""
        when = self.visit(node.args[0], live)
        sides = []
        for side, here in zip(node.args[1:], (when, joined(jnp.logical_not, when)), strict=True):
            both = here if live is None else joined(jnp.logical_and, here, live)
            sides.append(self.visit(side, both))
        return joined(jnp.where, when, *sides)

    def reduction(self, node: Any, live: Named | None) -> Named:
        """A reduction along the axis of its index."""
        body = self.visit(node.body, live)
        axes = (*(axis for axis in body.axes if axis != node.index), node.index)
        values = jnp.asarray(body.along(axes), float)
        values = jnp.broadcast_to(values, (*values.shape[:-1], self.extent(node.index)))
        if type(node) in EXTREMES:
            find = functools.partial(EXTREMES[type(node)], axis=-1, keepdims=True)
            place = self.decide(find, values)  # the first of several
            if isinstance(node, PLACES):
                return Named(axes[:-1], place[..., 0])
            return Named(axes[:-1], jnp.take_along_axis(values, place, axis=-1)[..., 0])
        return Named(axes[:-1], REDUCTIONS[type(node)](values, self.blur))

    def recurrence(self, node: Any, live: Named | None) -> Named:
        """An entry of a sequence that is computed one after another."""
        decay, term, start = (self.visit(part, live) for part in node.parts)
        others = tuple(dict.fromkeys(
            axis for part in (decay, term, start) for axis in part.axes if axis != node.index
        ))  # fmt: skip
        count = self.extent(node.index)
        shape = tuple(self.extent(axis) for axis in others)
        decays, terms = (
            jnp.broadcast_to(part.along((node.index, *others)), (count, *shape))
            for part in (decay, term)
        )
        state, entries = jnp.broadcast_to(start.along(others), shape), {}
        for place in node.order(count):
            state = entries[place] = decays[place] * state + terms[place]
        made = jnp.stack([entries[place] for place in range(count)])
        at = (self.place(node.place), *map(self.counted, others))
        return joined(lambda *places: made[places], *at)

    def expectation(self, node: Any, live: Named | None) -> Named:
        """Gauss-Hermite quadrature: the variable is an axis of nodes."""
        points, weights = np.polynomial.hermite.hermgauss(node.nodes)
        mean, deviation = (self.visit(part, live) for part in (node.mean, node.deviation))
        self.variables[node.variable] = joined(
            lambda m, s, x: m + np.sqrt(2) * s * x,
            mean, deviation, Named((node.variable,), points),
        )  # fmt: skip
        body = self.visit(node.body, live)
        axes = (*(axis for axis in body.axes if axis != node.variable), node.variable)
        return Named(axes[:-1], jnp.sum(body.along(axes) * weights, axis=-1) / np.sqrt(np.pi))

    def access(self, node: Access) -> Named:
        """An entry for every value of the indices in its places."""
        array = self.arrays[node.tensor.name]
        if not node.places:
            return Named((), array)
        return joined(lambda *at: array[at], *(self.place(place) for place in node.places))

    def place(self, place: Any) -> Named:
        """An index expression as whole numbers."""
        if isinstance(place, Access):
            return self.access(place)
        if isinstance(place, reductions.Reduction):
            return self.reduction(place, None)
        if isinstance(place, Index):
            return self.counted(place)
        if isinstance(place, Dim):
            return Named((), self.sizes[place.name])
        if not place.args:
            return Named((), np.asarray(int(place)))
        function = operator.add if isinstance(place, sp.Add) else operator.mul
        return functools.reduce(
            lambda a, b: joined(function, a, b), [self.place(part) for part in place.args]
        )
