"""Random objectives: hypothesis builds well-formed formulas from the whole grammar.

A rule makes one kind of node from smaller parts: `rule(b, at)` where `b` draws and `at` is the
spot, that is the indices that may be used there and the number of nodes that may still be. There is
a table of rules for real numbers, one for positive numbers and one for conditions; a new node of
the notation is one more line in its table. Arguments are kept in their domains by construction,
and sizes of values are kept tame: only `small` goes into an exponent. How a formula becomes an
objective with a point stands in `cases`.
"""

from __future__ import annotations

import operator
from typing import Any

import sympy as sp
from builder import (
    ALPHA,
    DIMS,
    HALF,
    LABELS,
    LETTERS,
    MASKS,
    POSITIVES,
    SIGNS,
    TAU,
    Builder,
    C,
    Call,
    N,
    Rule,
    Spot,
    Tables,
    access,
)
from callees import CALLEES
from spoken import sn

from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor


def real_leaf(b: Builder, at: Spot) -> Any:
    """The smallest formulas; where no index is in scope rather a sum than a fixed entry."""
    if at.variables and b.pick((True, False)):
        return b.pick(at.variables)
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
    lambda b, at: sn.extent(b.pick(at.scope)),
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
    if not edges or b.pick((False, False, True)):
        kind = b.pick((sn.sum, sn.norm2, sn.prod))
        body = b.real(inside.part()) if kind is not sn.prod else HALF + b.small(inside.part())
        return kind(index, body, where=b.condition(inside.part()))
    edge = b.pick(edges)
    kind = b.pick((sn.sum, sn.mean, sn.logsumexp, sn.max, sn.min, sn.norm2, sn.argmax, sn.argmin))
    if b.pick((True, False)):
        return kind(b.pick((index <= edge, index >= edge)), b.real(inside))
    also = b.pick((sn.eq(index, edge) | b.condition(inside.part()), index >= edge, index <= edge))
    return kind(index, b.real(inside.part()), where=also)


def placed(b: Builder, at: Spot) -> Any:
    """The place of an extreme, as a number."""
    index = b.index()
    return b.pick((sn.argmax, sn.argmin))(index, b.real(at.inside(index)))


def recurrence(b: Builder, at: Spot) -> Any:
    """An entry of a sequence; where no index is in scope, the sum of all of them."""
    if not at.scope:
        index = b.index()
        return sn.sum(index, recurrence(b, at.inside(index)))
    index = b.pick(at.scope[::-1])
    half = at.part()
    if b.pick((False, False, True)):
        return entry(b, at)
    return b.pick((
        lambda: sn.scan(index, sn.tanh(b.real(half)), b.real(half), b.pick((0, ALPHA.symbol))),
        lambda: sn.reverse_scan(index, sn.sigmoid(b.real(half)), b.real(half)),
        lambda: sn.cumsum(index, b.real(at)),
        lambda: sn.reverse_cumsum(index, b.real(at)),
        lambda: sn.cumprod(index, HALF + sn.tanh(b.real(at))),
    ))()  # fmt: skip


def entry(b: Builder, at: Spot) -> Any:
    """An entry of a sequence at a place that is named: its index is bound."""
    asked = b.pick(at.scope)
    index = Index(b.pick(LETTERS), asked.extent)
    inside, start = at.part(3).inside(index), b.real(at.part(3))
    place = b.pick((asked, asked, asked + 1, asked - 1, sp.Integer(0)))
    if place not in (asked, 0):
        for dim in asked.dims:
            b.least[dim] = 3
    return b.pick((
        lambda: sn.scan(index, sn.tanh(b.real(inside)), b.real(inside), start, place),
        lambda: sn.reverse_scan(index, sn.sigmoid(b.real(inside)), b.real(inside), start, place),
        lambda: sn.cumsum(index, b.real(inside), place),
        lambda: sn.reverse_cumsum(index, b.real(inside), place),
        lambda: sn.cumprod(index, HALF + sn.tanh(b.real(inside)), place),
    ))()  # fmt: skip


def expected(b: Builder, at: Spot) -> Any:
    """An expectation over a finite set, or the surrogate of its gradient."""
    index = b.index()
    inside = at.part().inside(index)
    if b.pick((False, True)):
        return sn.score_function(index, b.positive(inside), b.real(inside))
    return sn.expectation(index, sn.sigmoid(b.real(inside)), b.real(inside))


def gaussian(b: Builder, at: Spot) -> Any:
    """An expectation over a Gaussian: of any function by quadrature, of some in closed form."""
    z, third = sn.variable(b.pick(("z", "x", "i"))), at.part(3)
    mean, deviation = b.real(third), HALF + sn.sigmoid(b.real(third))
    if b.pick((False, True)):
        f, nodes = b.real(third.under(z)), b.pick((5, 1, 2, 12))
        return sn.gaussian_expectation(z, mean, deviation, f, method="quadrature", nodes=nodes)
    f, has_closed = function_of(b, z, b.real(third))
    options = {"method": b.pick(("auto", "closed") if has_closed else ("auto",))}
    options |= {"nodes": 20} if b.pick((False, True)) else {}
    return sn.gaussian_expectation(z, mean, deviation, f, **options)


def function_of(b: Builder, z: Any, a: Any) -> tuple[Any, bool]:
    """A function of a variable and of one number, and whether its expectation has a closed form."""
    u = z - a
    closed = (
        z**2 * a, z**3 - a * z, sn.exp(z / 2) * a, sn.exp(-(z**2)) + z, sn.erf(z + a),
        a * sn.erfc(z), sn.relu(u), sn.abs(u) * a, sn.sign(u), sn.maximum(2 * z, a),
        z**2 * sn.minimum(z, a),
        sn.clip(z, a, a + 1), sn.where(z > a, z**2, a * z), sn.where(a <= z, sn.exp(z), 0),
        sn.weighted(z, a) + sn.expm1(z / 3), a * sn.expm1x(z / 2), z * sn.exp(z) * sn.relu(u),
    )  # fmt: skip
    others = (sn.tanh(z + a), sn.log_sigmoid(a * z), sn.softplus(sn.abs(u)), sn.log_cosh(z) * a)
    f = b.pick((*closed, *others))
    return f, any(f is one for one in closed)


def sampled(b: Builder, at: Spot) -> Any:
    """An estimator of an expectation over a Gaussian, from samples."""
    z, index, third = sn.variable("z"), b.index(), at.part(3)
    inside = third.inside(index)
    parts = (b.real(inside), HALF + sn.sigmoid(b.real(inside)), access(b, inside))
    if b.pick((False, False, True)):
        return sn.mean(index, sn.gaussian_log_density(parts[2], *parts[:2]))
    estimate = b.pick((sn.gaussian_pathwise, sn.gaussian_score))
    return estimate(index, z, *parts, b.real(inside.under(z)))


def defined(b: Builder, at: Spot) -> Any:
    """An entry of a tensor that the formula defines for itself, or the sum of all of them."""
    letters = b.pick((("i",), ("j",), ("k",), ("i", "k"), ("k", "j"), ("j", "i", "k")))
    indices = tuple(Index(letter, b.pick(DIMS)) for letter in letters)
    tensor = sn.define(b.name(), indices, b.real(Spot(indices, at.size)))
    return looked_up(b, tensor, at)


def looked_up(b: Builder, tensor: Tensor, at: Spot) -> Any:
    """An entry of a tensor, summed over the axes that no index in scope runs along."""
    places: list[Any] = []
    bound: list[Index] = []
    for extent in tensor.shape:
        own = [other for other in at.scope if other.extent == extent]
        if not own:
            bound.append(Index("pqr"[len(bound)], extent))
        places.append(b.pick(own[::-1]) if own else bound[-1])
    read = tensor[tuple(places)]
    return sn.sum(*bound, read) if bound else read


def called(b: Builder, at: Spot) -> Any:
    """What another objective gives, of inputs and of tensors defined for it."""
    objective = b.pick(CALLEES)
    dims = {dim: b.pick(DIMS) for dim in objective.dims}
    for tensor in objective.inputs:
        if tensor.domain.below is not None:
            dims |= {tensor.shape[0]: N, tensor.domain.below: C}
    arguments: list[Tensor] = []
    for tensor in objective.inputs:
        arguments.append(b.argument(tensor, dims, at.part(), arguments))
    parameters = {
        p.name: b.pick((TAU.symbol, sp.Rational(1, 3), 1 + TAU.symbol**2))
        for p in objective.parameters if b.pick((True, False))
    }  # fmt: skip
    made = objective(*arguments, **parameters)
    if not objective.is_scalar:
        made = looked_up(b, made, at)
    name = f"called_{len(b.calls)}"
    b.calls[name] = Call(objective, tuple(t.name for t in arguments), parameters)
    return sn.let(name, made) if objective.is_scalar else named_entries(name, made)


def named_entries(name: str, made: Any) -> Any:
    """Name the entry of a layer, not the sum over it."""
    if isinstance(made, Access):
        return sn.let(name, made)
    return made.func(named_entries(name, made.body), made.index)


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
    masked, masked, recurrence, recurrence, expected, gaussian, gaussian, sampled, sampled, defined,
    called, placed,
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


TABLES = Tables(
    REAL_RULES, real_leaf, POSITIVE_RULES, positive_leaf, CONDITION_RULES, SHORT_CONDITIONS
)
