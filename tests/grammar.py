"""Random objectives: hypothesis builds well-formed formulas from the whole grammar.

A rule makes one kind of node from smaller parts: `rule(b, at)` where `b` draws and `at` is the
spot, that is the indices that may be used there and the number of nodes that may still be. There is
a table of rules for real numbers, one for positive numbers and one for conditions; a new node of
the notation is one more line in its table. Arguments are kept in their domains by construction,
and sizes of values are kept tame: only `small` goes into an exponent.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from hypothesis import assume
from hypothesis import strategies as st

import symcalc.notation as sn
from symcalc.notation import domains
from symcalc.notation.definitions import gathered
from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Access, Tensor, dims_of

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
class Case:
    """An objective and a point.

    Args:
        objective: what was built.
        sizes: the extent of each dim.
        arrays: the inputs.
        parameters: the hyperparameters.
        seed: of the directions to differentiate along.
    """

    objective: Objective
    sizes: dict[str, int]
    arrays: dict[str, Any]
    parameters: dict[str, float]
    seed: int

    def __repr__(self) -> str:
        return f"{self.objective.body}\n  wrt {self.objective.wrt}, {self.sizes}, seed {self.seed}"

    def like(self, shape: tuple[int, ...], salt: int) -> Any:
        """Random numbers of a shape."""
        return np.random.default_rng((self.seed, salt)).normal(size=shape)


@dataclass(frozen=True)
class Spot:
    """A place in the formula.

    Args:
        scope: the indices that may be used.
        size: how many nodes may stand here.
    """

    scope: Scope
    size: int

    def inside(self, *bound: Index) -> Spot:
        """The body of a reduction over these indices, which shadow others of their letters."""
        letters = {index.name for index in bound}
        return Spot((*(i for i in self.scope if i.name not in letters), *bound), self.size)

    def part(self, parts: int = 2) -> Spot:
        """Room for one of several parts."""
        return Spot(self.scope, self.size // parts)


class Builder:
    """Draws the parts of one formula."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.least = dict.fromkeys(DIMS, 1)
        self.names = 0

    def pick(self, options: Any) -> Any:
        """One of several, the first the simplest."""
        return self.draw(st.sampled_from(options))

    def grown(self, rules: tuple[Rule, ...], leaf: Rule, at: Spot) -> Any:
        """A node by one of the rules, or a leaf where there is no room."""
        if at.size <= 1:
            return leaf(self, at)
        return self.pick(rules)(self, Spot(at.scope, at.size - 1))

    def real(self, at: Spot) -> Any:
        """Any real number."""
        return self.grown(REAL_RULES, real_leaf, at)

    def reals(self, at: Spot, count: int = 2) -> list[Any]:
        """Several real numbers that share the room."""
        return [self.real(at.part(count)) for _ in range(count)]

    def positive(self, at: Spot) -> Any:
        """A positive number."""
        return self.grown(POSITIVE_RULES, positive_leaf, at)

    def positives(self, at: Spot) -> list[Any]:
        """Two positive numbers that share the room."""
        return [self.positive(at.part()), self.positive(at.part())]

    def small(self, at: Spot) -> Any:
        """A number that an exponential may take."""
        return access(self, at) if at.size <= 2 else sn.tanh(self.real(at))

    def condition(self, at: Spot) -> Any:
        """A condition on values or indices."""
        return self.pick(CONDITION_RULES if at.size > 2 else SHORT_CONDITIONS)(self, at)

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
        fixed = [sp.Integer(0), sp.Integer(1)]
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
        tensors = tuple(tensor for tensor in REALS if dim in tensor.shape)
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

    def name(self) -> str:
        """A new name for a part."""
        self.names += 1
        return ("mu", "nu", "rho", "eta", "kappa")[self.names % 5] + "1" * (self.names // 5)


def access(b: Builder, at: Spot) -> Any:
    """An entry of a real tensor, summed over the axes that no index in scope runs along."""
    here = {dim for index in at.scope for dim in index.dims}
    tensor = b.pick([*(t for t in REALS if t.shape and set(t.shape) <= here), *REALS])
    missing = [dim for dim in tensor.shape if dim not in here]
    bound = [Index(letter, dim) for letter, dim in zip("pqr", dict.fromkeys(missing), strict=False)]
    if not bound or b.pick((False, True)):
        return b.read((tensor,), at)
    return sn.sum(*bound, b.read((tensor,), at.inside(*bound)))


def real_leaf(b: Builder, at: Spot) -> Any:
    """The smallest formulas; where no index is in scope rather a sum than a fixed entry."""
    return b.pick(LEAVES if at.scope else CLOSED)(b, at)


def positive_leaf(b: Builder, at: Spot) -> Any:
    """The smallest formulas that are positive."""
    return b.pick(POSITIVE_LEAVES)(b, at)


def summed(b: Builder, at: Spot) -> Any:
    """A sum of entries over an index of its own."""
    index = b.index()
    return sn.sum(index, access(b, at.inside(index)))


LEAVES: tuple[Rule, ...] = (access,) * 14 + (
    lambda b, at: b.read((*MASKS, *SIGNS, *POSITIVES), at),
    lambda b, at: b.read(LABELS, at),
    lambda b, at: b.pick(at.scope),
    lambda b, at: b.pick(DIMS),
    lambda b, at: ALPHA.symbol,
    lambda b, at: b.pick([sp.Integer(2), sp.Rational(-3, 4), sp.pi, sp.Float("0.3")]),
)
CLOSED: tuple[Rule, ...] = (summed,) * 6 + (access, lambda b, at: ALPHA.symbol)
POSITIVE_LEAVES: tuple[Rule, ...] = (lambda b, at: b.read(POSITIVES, at),) * 5 + (
    lambda b, at: TAU.symbol, lambda b, at: b.pick(DIMS), lambda b, at: sp.Rational(3, 2),
)  # fmt: skip


def reduction(b: Builder, at: Spot) -> Any:
    """A reduction over one index or two."""
    kind = b.pick((sn.sum, sn.sum, sn.mean, sn.logsumexp, sn.max, sn.min, sn.norm2, sn.prod))
    bound = [b.index() for _ in range(b.pick((1, 1, 1, 2)))]
    if len({index.name for index in bound}) < len(bound):
        bound = bound[:1]
    inside = at.inside(*bound)
    if kind is sn.prod:
        return kind(*bound, b.pick((1, HALF)) + b.small(inside) / 2)
    return kind(*bound, b.real(inside))


def masked(b: Builder, at: Spot) -> Any:
    """A reduction over a triangle, or over what a condition admits; never over nothing."""
    index = b.index()
    inside = at.inside(index)
    edges = [other for other in inside.scope[:-1] if other.extent == index.extent]
    if not edges:
        kind = b.pick((sn.sum, sn.norm2))
        return kind(index, b.real(inside.part()), where=b.condition(inside.part()))
    edge = b.pick(edges)
    kind = b.pick((sn.sum, sn.mean, sn.logsumexp, sn.max, sn.min, sn.norm2))
    return kind(b.pick((index <= edge, index >= edge)), b.real(inside))


def recurrence(b: Builder, at: Spot) -> Any:
    """An entry of a sequence; where no index is in scope, the sum of all of them."""
    if not at.scope:
        index = b.index()
        return sn.sum(index, recurrence(b, at.inside(index)))
    index = b.pick(at.scope[::-1])
    half = at.part()
    return b.pick((
        lambda: sn.scan(index, sn.tanh(b.real(half)), b.real(half), b.pick((0, ALPHA.symbol))),
        lambda: sn.reverse_scan(index, sn.sigmoid(b.real(half)), b.real(half)),
        lambda: sn.cumsum(index, b.real(at)),
        lambda: sn.reverse_cumsum(index, b.real(at)),
        lambda: sn.cumprod(index, HALF + sn.tanh(b.real(at))),
    ))()  # fmt: skip


def expected(b: Builder, at: Spot) -> Any:
    """An expectation, over a finite set or over a Gaussian."""
    half = at.part()
    if b.pick((False, True)):
        index = b.index()
        inside = half.inside(index)
        return sn.expectation(index, sn.sigmoid(b.real(inside)), b.real(inside))
    z = sn.variable("z")
    scale, other = b.reals(half)
    f = b.pick((z**2 * scale, z**3 - scale * z, sn.exp(z / 2) * scale, sn.tanh(z + scale)))
    return sn.gaussian_expectation(z, access(b, half), HALF + sn.sigmoid(other), f)


def defined(b: Builder, at: Spot) -> Any:
    """An entry of a tensor that the formula defines for itself, or the sum of all of them."""
    index = b.index()
    tensor = sn.define(b.name(), (index,), b.real(Spot((index,), at.size)))
    own = [other for other in at.scope if other.extent == index.extent]
    free = own[-1] if own else index
    return tensor[free] if own else sn.sum(free, tensor[free])


def unary(atoms: tuple[Any, ...]) -> Rule:
    """One of several functions of any real number."""
    return lambda b, at: b.pick(atoms)(b.real(at))


def of_small(atoms: tuple[Any, ...]) -> Rule:
    """One of several functions that grow fast."""
    return lambda b, at: b.pick(atoms)(b.small(at))


def of_positive(atoms: tuple[Any, ...]) -> Rule:
    """One of several functions of a positive number."""
    return lambda b, at: b.pick(atoms)(b.positive(at))


def of_two(atoms: tuple[Any, ...]) -> Rule:
    """One of several functions of two real numbers."""
    return lambda b, at: b.pick(atoms)(*b.reals(at))


SMOOTH = (sn.tanh, sn.sigmoid, sn.softplus, sn.log_sigmoid, sn.erf, sn.erfc, sn.sech, sn.log_cosh)
KINKED = (sn.relu, sn.abs, sn.sign, lambda e: sn.clip(e, -HALF, sp.Rational(3, 4)))
EXPONENTS = (-HALF, -1, sp.Rational(5, 2), -2)
REAL_RULES: tuple[Rule, ...] = (
    *(reduction,) * 8,
    masked, masked, recurrence, expected, defined,
    *(of_two((operator.add, operator.sub)),) * 4,
    *(of_two((operator.mul,)),) * 5,
    lambda b, at: b.real(at.part()) / b.positive(at.part()),
    lambda b, at: b.real(at) ** b.pick((2, 3)),
    unary(SMOOTH), unary(SMOOTH), unary(KINKED),
    of_small((sn.exp, sn.expm1, sn.expm1x, lambda e: 2**e)),
    of_positive((sn.log, sn.sqrt, sn.log1p, lambda e: sn.log1mexp(HALF + e))),
    of_positive((sn.lgamma, sn.digamma, sn.trigamma)),
    lambda b, at: b.positive(at) ** b.pick(EXPONENTS),
    lambda b, at: b.positive(at.part()) ** b.small(at.part()),
    lambda b, at: b.pick((sn.xlogy, sn.log_ratio, sn.kl_div))(*b.positives(at)),
    of_two((sn.maximum, sn.minimum, sn.weighted)),
    lambda b, at: sn.where(b.condition(at.part(3)), *b.reals(at.part(3), 1), b.real(at.part(3))),
    lambda b, at: guarded(b, at),
    lambda b, at: sn.let(b.name(), b.real(at)),
    lambda b, at: sn.stop_gradient(b.real(at)),
    lambda b, at: b.read(MASKS, at) * b.real(at),
)  # fmt: skip
POSITIVE_RULES: tuple[Rule, ...] = (
    lambda b, at: HALF + b.real(at) ** 2,
    lambda b, at: b.pick((sn.softplus, sn.sigmoid))(sn.clip(b.real(at), -8, 8)) + HALF / 4,
    lambda b, at: sn.exp(b.small(at)),
    lambda b, at: operator.add(*b.positives(at)),
    lambda b, at: operator.mul(*b.positives(at)),
    lambda b, at: 1 + sn.abs(b.real(at)),
    lambda b, at: sp.Rational(1, 4) + positive_reduction(b, at),
)
SHORT_CONDITIONS: tuple[Rule, ...] = (
    lambda b, at: access(b, at) > HALF,
    lambda b, at: b.read(MASKS, at) > HALF,
    lambda b, at: on_indices(b, at),
    lambda b, at: sn.eq(b.read(LABELS, at), b.pick([*at.scope, sp.Integer(0)])),
)
CONDITION_RULES: tuple[Rule, ...] = (
    *SHORT_CONDITIONS,
    lambda b, at: operator.le(*b.reals(at)),
    lambda b, at: b.condition(at.part()) & b.condition(at.part()),
    lambda b, at: b.condition(at.part()) | b.condition(at.part()),
    lambda b, at: ~b.condition(at.part()),
)


def positive_reduction(b: Builder, at: Spot) -> Any:
    """A reduction that is not negative."""
    index = b.index()
    kind = b.pick((sn.mean, sn.sum, sn.norm2, sn.max))
    inside = at.inside(index)
    return kind(index, b.real(inside) if kind is sn.norm2 else b.positive(inside))


def guarded(b: Builder, at: Spot) -> Any:
    """A function that is undefined where its condition does not hold."""
    part = b.real(at.part())
    return sn.where(part > HALF, b.pick((sn.log, sn.sqrt))(part), b.real(at.part()))


def on_indices(b: Builder, at: Spot) -> Any:
    """A condition that no input moves."""
    left = b.pick([*at.scope, sp.Integer(1)])
    right = b.pick([*at.scope, sp.Integer(1), left + 1])
    compare = b.pick((sn.eq, operator.le, operator.lt, sn.ne))
    return sp.sympify(compare(left, right))


@st.composite
def cases(draw: Any, room: int = 14, most: int = 4) -> Case:
    """Objectives with a point each; places that leave an index no value are let go.

    Args:
        draw: hypothesis' own.
        room: how many nodes are drawn, leaves not counted.
        most: the greatest extent.
    """
    try:
        return case(draw, room, most)
    except sn.NotationError as error:
        assume("no value of it keeps" not in str(error))
        raise


def case(draw: Any, room: int, most: int) -> Case:
    """One objective and a point; arguments as those of `cases`."""
    b = Builder(draw)
    room = draw(st.integers(4, room))
    free = tuple(b.index() for _ in range(b.pick((0, 0, 0, 1, 2))))
    free = free[:1] if len({index.name for index in free}) < len(free) else free
    root = Spot(free, room)
    body = sp.sympify(b.real(root) if free else b.pick((reduction, Builder.real))(b, root))
    assume(not body.has(sp.zoo, sp.nan, sp.I))
    bodies = [body, *(meant.body for meant in gathered((body,), set())[0])]
    used = {a.tensor for part in bodies for a in part.atoms(Access)}
    inputs = [t for t in TENSORS if t in used]
    movable = [t.name for t in inputs if not t.domain.integer and t not in (*MASKS, *SIGNS)]
    assume(movable)
    known = set(dims_of(inputs)) | {t.domain.below for t in inputs}
    standing = {d for part in bodies for index in part.atoms(Index) for d in index.dims}
    standing |= {d for part in bodies for d in part.atoms(Dim)}
    for dim in sorted(standing, key=str):
        if dim not in known:
            inputs.append(Tensor(f"unused_{dim.name}", (dim,)))
    for t in list(inputs):
        if t.domain.below is not None and t.domain.below not in dims_of(inputs):
            inputs.append(Tensor(f"unused_{t.domain.below.name}", (t.domain.below,)))
    wrt = draw(st.lists(st.sampled_from(movable), min_size=1, max_size=3, unique=True))
    symbols = set().union(*(part.free_symbols for part in bodies))
    parameters = tuple(p for p in (ALPHA, TAU) if p.symbol in symbols)
    objective = make_objective("random", tuple(inputs), parameters, body, tuple(wrt))
    extents = {d: b.pick([e for e in (3, 2, 4, 1) if b.least[d] <= e <= max(most, b.least[d])])
               for d in DIMS}  # fmt: skip
    ranges = {i.extent for part in (*objective.formulas, *objective.outputs)
              for i in part.atoms(Index)}  # fmt: skip
    assume(all(e.xreplace({d: sp.Integer(extents[d]) for d in DIMS}) > 0 for e in ranges))
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    arrays = {
        t.name: t.domain.sample(
            rng, tuple(extents[d] for d in t.shape), extents.get(t.domain.below, 2)
        )
        for t in inputs
    }
    values = {"alpha": float(rng.normal()), "tau": float(rng.uniform(0.5, 2))}
    sizes = {d.name: extents[d] for d in dims_of(inputs)}
    return Case(objective, sizes, arrays, {p.name: values[p.name] for p in parameters}, seed)
