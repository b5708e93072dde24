"""A second opinion: the notation read by JAX, which differentiates it by its own rules.

A formula is walked by what its nodes mean. Every value is an array with named axes, one for each
index it depends on; accesses gather, reductions act along an axis. Nothing of the calculus or of
the backends is used, and an objective that was called or composed is not read off the formula that
the call made: it is run on its own, on the arrays of its arguments.

JAX's derivative of the side not taken may be NaN, and 0 * NaN is NaN: `live` says where a part of
the formula is looked at, and a function that is not defined everywhere is handed 1 elsewhere.
"""

from __future__ import annotations

import functools
import itertools
import operator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp
from builder import Written
from cases import Case
from jax_atoms import ATOMS, EXTREMES, KINKED, PARTIAL, PLACES, REDUCTIONS, RELATIONS

from symcalc.notation import conditions, expectations, reductions, scans
from symcalc.notation.compare import is_condition
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


class Reading:
    """The objective of a case as a function of JAX arrays.

    With noise, the value of every node is multiplied by 1 + noise * xi and its derivative by
    1 + noise * eta, xi and eta normal random numbers: what that moves a result by, divided by the
    noise, is the size of what the result was added up from, which is what its rounding is relative
    to.

    Args:
        case: what to read, and its hyperparameters.
        noise: relative size of the errors made on purpose.
        seed: of the errors.
        decided: which sides of kinks were taken, by another reading; its own if None.
    """

    def __init__(
        self, case: Case, noise: float = 0.0, seed: int = 0, decided: list[Any] | None = None
    ) -> None:
        self.case, self.noise, self.seed, self.decided = case, noise, seed, decided
        self.decisions: list[Any] = []
        self.rng = np.random.default_rng(seed)
        self.written: Written = case.stages[0]
        self.sizes: dict[str, int] = {}
        self.arrays: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.variables: dict[Any, Named] = {}

    def __call__(self, arrays: dict[str, Any]) -> Any:
        """The value at these inputs: each objective after the first is fed by the one before."""
        self.decisions, self.rng = [], np.random.default_rng(self.seed)
        inputs = iter([arrays[tensor.name] for tensor in self.case.objective.inputs])
        numbers = iter([self.case.parameters[p.name] for p in self.case.objective.parameters])
        fed: tuple[Any, ...] = ()
        for written in self.case.stages:
            names = [tensor.name for tensor in written.objective.inputs]
            given = [*fed, *itertools.islice(inputs, len(names) - len(fed))]
            named = {p.name: next(numbers) for p in written.objective.parameters}
            fed = (self.run(written, dict(zip(names, given, strict=True)), named),)
        return jnp.asarray(fed[0], float)  # a place has no tangent

    def run(self, written: Written, arrays: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """The value of one objective at its own inputs and hyperparameters."""
        before = (self.written, self.sizes, self.arrays, self.parameters, self.variables)
        objective = written.objective
        self.written, self.parameters, self.variables = written, parameters, {}
        self.arrays = dict(arrays)
        self.sizes = {
            extent.name: size
            for tensor in objective.inputs
            for extent, size in zip(tensor.shape, jnp.shape(arrays[tensor.name]), strict=True)
        }
        for meant in objective.definitions:
            self.arrays[meant.name] = self.filled(meant.body, meant.indices)
        found = self.filled(objective.body, objective.outputs)
        self.written, self.sizes, self.arrays, self.parameters, self.variables = before
        return found

    def filled(self, body: Any, indices: tuple[Index, ...]) -> Any:
        """The array of a formula at all values of its free indices."""
        found = self.visit(body, None).along(indices)
        return jnp.broadcast_to(found, tuple(self.extent(index) for index in indices))

    def called(self, node: Any) -> Named:
        """What a called objective gives, a number or an entry; its formula is not looked at.

        It is the same wherever it stands: its hyperparameters count outside every choice.
        """
        call = self.written.calls[node.name]
        names = [tensor.name for tensor in call.objective.inputs]
        arrays = {
            name: self.arrays[given] for name, given in zip(names, call.arguments, strict=True)
        }
        numbers = {p.name: p.default for p in call.objective.parameters}
        numbers |= {name: self.visit(e, None).data for name, e in call.parameters.items()}
        made = self.run(Written(call.objective), arrays, numbers)
        return self.entry(made, node.body.places) if call.objective.outputs else Named((), made)

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
        if is_condition(node) or isinstance(node, (Index, Dim, *PLACES)):
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
            known = node.name in self.written.calls
            return self.called(node) if known else self.visit(node.body, live)
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
        """An integral over the variable, whose nodes are an axis."""
        mean, deviation = (self.visit(part, live) for part in (node.mean, node.deviation))
        if node.method == "quadrature" or not has_closed_form(node):
            points, weights = np.polynomial.hermite.hermgauss(node.nodes)
            at = joined(
                lambda m, s, x: m + np.sqrt(2) * s * x,
                mean, deviation, Named((node.variable,), points),
            )  # fmt: skip
            share = Named((node.variable,), weights / np.sqrt(np.pi))
        else:
            at, share = self.spread(node, mean, deviation, live)
            at = Named(at.axes, self.blur(at.data))
        before = dict(self.variables)
        self.variables[node.variable] = at
        share = Named(share.axes, self.blur(share.data))
        body = joined(operator.mul, self.visit(node.body, live), share)
        self.variables = before
        axes = (*(axis for axis in body.axes if axis != node.variable), node.variable)
        return Named(axes[:-1], jnp.sum(body.along(axes), axis=-1))

    def spread(
        self, node: Any, mean: Named, deviation: Named, live: Named | None
    ) -> tuple[Named, Named]:
        """Nodes and weights of the exact integral: by Gauss-Legendre from kink to kink.

        They are counted in deviations from the mean, so that where there is no kink the weights are
        constants, and no derivative of theirs has to cancel.
        """
        ends = [Named((), -WIDE), Named((), WIDE)]
        roots = [self.root(u, node.variable, live) for u in kinks_of(node.body, node.variable)]
        kinks = [
            joined(lambda r, m, s: jnp.clip((r - m) / s, -WIDE, WIDE), root, mean, deviation)
            for root in roots
        ]
        axes = joined(lambda *parts: 0.0, *ends, *kinks).axes
        edges = jnp.sort(jnp.stack(
            jnp.broadcast_arrays(*(each.along(axes) for each in (*ends, *kinks))), axis=-1
        ))  # fmt: skip
        points, weights = np.polynomial.legendre.leggauss(LEGENDRE)
        length = edges[..., 1:] - edges[..., :-1]
        heights = edges[..., :-1, None] + length[..., None] * (points + 1) / 2
        share = length[..., None] * weights / 2 * jnp.exp(-(heights**2) / 2) / np.sqrt(2 * np.pi)
        whole = (*length.shape[:-1], -1)
        u, w = (Named((*axes, node.variable), jnp.reshape(each, whole))
                for each in (heights, share))  # fmt: skip
        return joined(lambda m, s, u: m + s * u, mean, deviation, u), w

    def root(self, u: Any, z: Any, live: Named | None) -> Named:
        """Where an affine form in a variable is zero."""
        constant, total = (self.visit(u.xreplace({z: sp.Integer(k)}), live) for k in (0, 1))
        return joined(lambda a, b: -a / (b - a), constant, total)

    def access(self, node: Access) -> Named:
        """An entry for every value of the indices in its places."""
        return self.entry(self.arrays[node.tensor.name], node.places)

    def entry(self, array: Any, places: tuple[Any, ...]) -> Named:
        """The entries of an array at some places."""
        if not places:
            return Named((), array)
        return joined(lambda *at: array[at], *(self.place(place) for place in places))

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


WIDE = 20.0  # deviations from the mean; what lies beyond is less than 1e-87
LEGENDRE = 500
CLOSED = (sp.Add, sp.Mul, sp.Pow, sp.exp, conditions.Where, sp.core.relational.Relational)
CLOSED_ATOMS = ("erf", "erfc", "expm1", "expm1x", "weighted", *KINKED)


def has_closed_form(node: Any) -> bool:
    """Whether the function of an expectation is made of what has a closed form."""
    varying = [part for part in sp.preorder_traversal(node.body)
               if part.args and node.variable in part.free_symbols]  # fmt: skip
    return all(isinstance(part, CLOSED) or type(part).__name__ in CLOSED_ATOMS for part in varying)


def kinks_of(body: Any, z: Any) -> list[Any]:
    """The forms in z whose zeros are the kinks of a function."""
    found: list[Any] = []
    for part in sp.preorder_traversal(body):
        name = type(part).__name__
        if z in part.free_symbols and isinstance(part, sp.core.relational.Relational):
            found.append(part.lhs - part.rhs)
        elif z in part.free_symbols and name in KINKED:
            first, *others = part.args
            found += [first - other for other in others] or [first]
    return found
