"""What draws a random formula: the tensors it may read, the places, and the room that is left.

The rules themselves stand in `grammar`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from hypothesis import strategies as st
from spoken import sn

from symcalc.notation import domains
from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import Objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Access, Tensor

Scope = tuple[Index, ...]
Rule = Callable[["Builder", "Spot"], Any]

N, C, D = Dim("n"), Dim("c"), Dim("d")
DIMS = (N, C, D)
REALS = (
    Tensor("x", (N,)), Tensor("u", (C,)), Tensor("z", (N, C)), Tensor("A", (N, N)),
    Tensor("W", (C, D)), Tensor("s", ()), Tensor("T", (N, C, D)), Tensor("v", (D,)),
)  # fmt: skip
POSITIVES = (
    Tensor("p", (N,), domains.POSITIVE), Tensor("q", (N, C), domains.POSITIVE),
    Tensor("h", (D,), domains.PROBABILITY), Tensor("r", (N, C), domains.SIMPLEX),
)  # fmt: skip
MASKS = (Tensor("m", (N,), domains.MASK), Tensor("o", (C, D), domains.MASK))
SIGNS = (Tensor("g", (N,), domains.PLUS_MINUS_ONE),)
LABELS = (
    Tensor("y", (N,), domains.labels("c")), Tensor("w", (C,), domains.labels("n")),
    Tensor("l", (N, C), domains.labels("d")),
)  # fmt: skip
TENSORS = (*REALS, *POSITIVES, *MASKS, *SIGNS, *LABELS)
ALPHA = Parameter("alpha", domains.REAL)
TAU = Parameter("tau", domains.POSITIVE, 1.5)
LETTERS = ("i", "j", "k")  # few, so that they clash
HALF = sp.Rational(1, 2)


@dataclass(frozen=True)
class Tables:
    """The rules by what they make, and the leaves where there is no room for a rule."""

    reals: tuple[Rule, ...]
    real_leaf: Rule
    positives: tuple[Rule, ...]
    positive_leaf: Rule
    conditions: tuple[Rule, ...]
    short_conditions: tuple[Rule, ...]


@dataclass(frozen=True)
class Call:
    """An objective called inside a formula, under a name given by `let`.

    Args:
        objective: what is called.
        arguments: the names of the tensors that it was handed, in the order of its inputs.
        parameters: the expressions that its hyperparameters were given.
    """

    objective: Objective
    arguments: tuple[str, ...]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """An objective that was drawn.

    Args:
        objective: the objective.
        calls: the calls that stand in its formulas, by name.
        least: the least extents for which every place is within its array, by dim.
    """

    objective: Objective
    calls: dict[str, Call] = field(default_factory=dict)
    least: dict[Dim, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Spot:
    """A place in the formula.

    Args:
        scope: the indices that may be used.
        size: how many nodes may stand here.
        variables: those of the expectations around it.
    """

    scope: Scope
    size: int
    variables: tuple[Any, ...] = ()

    def inside(self, *bound: Index) -> Spot:
        """The body of a reduction over these indices, which shadow others of their letters."""
        letters = {index.name for index in bound}
        scope = (*(i for i in self.scope if i.name not in letters), *bound)
        return Spot(scope, self.size, self.variables)

    def under(self, variable: Any) -> Spot:
        """The function that an expectation is taken of."""
        return Spot(self.scope, self.size, (variable,))

    def part(self, parts: int = 2) -> Spot:
        """Room for one of several parts."""
        return Spot(self.scope, self.size // parts, self.variables)


class Builder:
    """Draws the parts of one formula.

    Args:
        draw: hypothesis' own.
        tables: the rules.
        fed: real tensors that the formula shall rather read than others.
    """

    def __init__(self, draw: Any, tables: Tables, fed: tuple[Tensor, ...] = ()) -> None:
        self.draw, self.tables = draw, tables
        self.reals_known = (*fed * 20, *REALS)
        self.least = dict.fromkeys(DIMS, 1)
        self.names = 0
        self.calls: dict[str, Call] = {}

    def pick(self, options: Any) -> Any:
        """One of several, the first the simplest."""
        return self.draw(st.sampled_from(options))

    def grown(self, rules: tuple[Rule, ...], leaf: Rule, at: Spot) -> Any:
        """A node by one of the rules, or a leaf where there is no room."""
        if at.size <= 1:
            return leaf(self, at)
        return self.pick(rules)(self, Spot(at.scope, at.size - 1, at.variables))

    def real(self, at: Spot) -> Any:
        """Any real number."""
        return self.grown(self.tables.reals, self.tables.real_leaf, at)

    def reals(self, at: Spot, count: int = 2) -> list[Any]:
        """Several real numbers that share the room."""
        return [self.real(at.part(count)) for _ in range(count)]

    def positive(self, at: Spot) -> Any:
        """A positive number."""
        return self.grown(self.tables.positives, self.tables.positive_leaf, at)

    def positives(self, at: Spot) -> list[Any]:
        """Two positive numbers that share the room."""
        return [self.positive(at.part()), self.positive(at.part())]

    def small(self, at: Spot) -> Any:
        """A number that an exponential may take."""
        return access(self, at) if at.size <= 2 else sn.tanh(self.real(at))

    def condition(self, at: Spot) -> Any:
        """A condition on values or indices."""
        tables = self.tables
        return self.pick(tables.conditions if at.size > 2 else tables.short_conditions)(self, at)

    def index(self) -> Index:
        """A new index, its letter perhaps one that is in use."""
        return Index(self.pick(LETTERS), self.pick(DIMS))

    def place(self, dim: Dim, scope: Scope) -> Any:
        """Where to look along one axis."""
        own = [index for index in scope[::-1] if dim in index.dims]
        shifts = [own[0] + 1, own[0] - 1] if own and own[0].extent == dim else []
        here = {dim for index in scope for dim in index.dims}
        labels = [t for t in LABELS if t.domain.below == dim and set(t.shape) <= here]
        gathers = [t[tuple(self.among(d, scope) for d in t.shape)] for t in labels]
        fixed = [sp.Integer(0), sp.Integer(1), dim - 1]
        if own and own[0].extent == dim:
            shifts += [2 * own[0], 2 * own[0] + 1, dim - 1 - own[0], sum(own[:2])]
        found = self.pick([*own[:1] * 8, *own * 4, *gathers * 2, *shifts, *fixed, None])
        if found is None:
            return self.best(dim, scope)
        if found == 1:
            self.least[dim] = max(self.least[dim], 2)
        if any(found is shift for shift in shifts):
            self.least[dim] = 3
        return found

    def best(self, dim: Dim, scope: Scope) -> Any:
        """The place of an extreme of entries along an axis."""
        index = Index(self.pick(LETTERS), dim)
        tensors = tuple(tensor for tensor in self.reals_known if dim in tensor.shape)
        scope = tuple(other for other in scope if other.name != index.name)
        tensor = self.pick(tensors)
        at = [index if d == dim else self.pick([*(i for i in scope if i.extent == d), 0])
              for d in tensor.shape]  # fmt: skip
        return self.pick((sn.argmax, sn.argmin))(index, tensor[tuple(at)])

    def among(self, dim: Dim, scope: Scope) -> Index:
        """An index of the scope over a dim."""
        return self.pick([index for index in scope[::-1] if dim in index.dims])

    def read(self, tensors: tuple[Tensor, ...], at: Spot) -> Any:
        """An entry of a tensor, rather of one whose dims are in scope."""
        here = {dim for index in at.scope for dim in index.dims}
        close = [t for t in tensors if t.shape and set(t.shape) <= here]
        tensor = self.pick([*close * 12, *tensors])
        return Access(tensor, *(self.place(dim, at.scope) for dim in tensor.shape))

    def argument(
        self, wanted: Tensor, dims: dict[Any, Dim], at: Spot, others: list[Tensor]
    ) -> Tensor:
        """A tensor for an objective's input: one of ours, or one that is defined for it.

        None is given twice: an error of zero is no error.
        """
        shape = tuple(dims[dim] for dim in wanted.shape)
        if wanted.domain.integer:
            return next(t for t in LABELS if t.shape == shape)
        known = [t for t in REALS if t.shape == shape and t not in others]
        found = self.pick([*known, None])
        if found is not None:
            return found
        indices = tuple(Index("ijk"[axis], dim) for axis, dim in enumerate(shape))
        body = self.real(Spot(indices, at.size))
        made = sn.define(self.name(), indices, body)
        if made.shape == shape:
            return made
        along = {tensor.shape: tensor for tensor in REALS}
        product = sp.Mul(*(along[(dim,)][i] for dim, i in zip(shape, indices, strict=True)))
        return sn.define(self.name(), indices, product)

    def name(self) -> str:
        """A new name for a part."""
        self.names += 1
        return ("mu", "nu", "rho", "eta", "kappa")[self.names % 5] + "1" * (self.names // 5)


def access(b: Builder, at: Spot) -> Any:
    """An entry of a real tensor, summed over the axes that no index in scope runs along."""
    here = {dim for index in at.scope for dim in index.dims}
    known = b.reals_known
    tensor = b.pick([*(t for t in known if t.shape and set(t.shape) <= here), *known])
    missing = [dim for dim in tensor.shape if dim not in here]
    bound = [Index(letter, dim) for letter, dim in zip("pqr", dict.fromkeys(missing), strict=False)]
    if not bound or b.pick((False, True)):
        return b.read((tensor,), at)
    return sn.sum(*bound, b.read((tensor,), at.inside(*bound)))
