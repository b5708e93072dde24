"""Mutators: the mistakes people make in formulas, one small function each.

A mutator takes an equation and yields each way to make its mistake there, as another equation and
a few words. What it yields can be written in the notation: an index that is put where it does not
fit is held to the axis, as in `x[min(k, n - 1), i]`. What comes out as it went in is no mutant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.calculus.equations import Equation
from symcalc.notation import atoms
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import NotationError
from symcalc.notation.reductions import LogSumExp, Max, Mean, Min, Norm2, Prod, Reduction, Sum
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access
from symcalc.notation.text import text

Mutator = Callable[[Equation], Iterator[tuple[Equation, str]]]

_NUDGE = sp.Rational(1001, 1000)
_HALF = sp.Rational(1, 2)


@dataclass(frozen=True)
class Part:
    """A part of a body.

    Args:
        node: the part.
        parent: what it stands in; None for the whole body.
        put: puts another in its place.
        is_whole: whether it is compared among whole numbers, and must stay one itself.
    """

    node: Any
    parent: Any
    put: Callable[[Any], Any]
    is_whole: bool

    @property
    def is_term(self) -> bool:
        """Whether it is a whole right-hand side, under its reduction, or a term of a sum."""
        if isinstance(self.node, (Reduction, Recurrence)):
            return False
        return self.parent is None or isinstance(self.parent, (Reduction, sp.Add))


def parts(expression: Any) -> Iterator[Part]:
    """Run through every occurrence of every part; an access is looked at whole."""
    return _parts(Part(expression, None, lambda new: new, False))


def _parts(part: Part) -> Iterator[Part]:
    yield part
    node, put = part.node, part.put
    if isinstance(node, Access):
        return
    is_whole = part.is_whole or (isinstance(node, Relational) and _of_whole_numbers(node))
    held = len(node.parts) if isinstance(node, Recurrence) else len(node.args)
    for number, argument in enumerate(node.args[:held]):
        if not isinstance(argument, Index):

            def within(new: Any, number: int = number) -> Any:
                return put(node.func(*node.args[:number], new, *node.args[number + 1 :]))

            yield from _parts(Part(argument, node, within, is_whole))


def _everywhere(
    equation: Equation, local: Callable[[Part], Iterator[Any]]
) -> Iterator[tuple[Equation, str]]:
    """Yield the equation with each part replaced by what a local rule gives for it."""
    for part in parts(equation.body):
        for new in _written(local, part):
            if part.is_whole and not new.is_integer:
                continue
            try:
                body = part.put(new)
            except NotationError:
                continue  # it cannot be written
            if body != equation.body and not body.has(sp.zoo, sp.nan, sp.oo):
                yield replace(equation, body=body), f"{text(part.node)} -> {text(new)}"


def _written(local: Callable[[Part], Iterator[Any]], part: Part) -> Iterator[Any]:
    try:
        yield from local(part)
    except NotationError:
        return


def _term_times(factor: Any) -> Mutator:
    def mutate(equation: Equation) -> Iterator[tuple[Equation, str]]:
        return _everywhere(
            equation, lambda part: iter((factor * part.node,) if part.is_term else ())
        )

    return mutate


def dropped_term(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Leave out one term of a sum."""
    return _everywhere(equation, lambda part: _without_one(part.node, sp.Add))


def dropped_factor(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Leave out one factor of a product."""
    return _everywhere(equation, lambda part: _without_one(part.node, sp.Mul))


def _without_one(node: Any, kind: Any) -> Iterator[Any]:
    if isinstance(node, kind):
        for number in range(len(node.args)):
            yield kind(*node.args[:number], *node.args[number + 1 :])


def duplicated_term(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Add one term of a sum twice."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, sp.Add):
            yield from (part.node + term for term in part.node.args)

    return _everywhere(equation, local)


def _held(index: Any, extent: Any) -> Any:
    """An index as a place on an axis, held to it where it may run too far.

    Raises:
        NotationError: it is a label, which belongs to an axis of its own.
    """
    if not isinstance(index, Index):
        raise NotationError(f"mutators: expected an index, got {index}")
    return index if index.extent == extent else sp.Min(index, extent - 1)


def swapped_index(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Read one axis of one access at another index than the right one."""
    scope = [*equation.indices]
    if isinstance(equation.body, (Reduction, Recurrence)):
        scope.append(equation.body.index)

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Access):
            for axis, (place, extent) in enumerate(_axes(part.node)):
                for index in scope:
                    if index != place:
                        yield _at(part.node, {axis: _held(index, extent)})

    return _everywhere(equation, local)


def transposed_access(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Exchange two places of one access."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Access):
            axes = list(_axes(part.node))
            for a in range(len(axes)):
                for b in range(a):
                    exchanged = {a: _held(axes[b][0], axes[a][1]), b: _held(axes[a][0], axes[b][1])}
                    yield _at(part.node, exchanged)

    return _everywhere(equation, local)


def shifted(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Read the entry beside the right one; at the end of the axis there is none."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Access):
            for axis, (place, extent) in enumerate(_axes(part.node)):
                if isinstance(place, Index):
                    yield _at(part.node, {axis: sp.Min(place + 1, extent - 1)})
                    yield _at(part.node, {axis: sp.Max(place - 1, 0)})

    return _everywhere(equation, local)


def _axes(access: Access) -> Iterator[tuple[Any, Any]]:
    return zip(access.places, access.tensor.shape, strict=True)


def _at(access: Access, places: Mapping[int, Any]) -> Access:
    """The access with some of its places replaced."""
    return Access(access.tensor, *(places.get(a, p) for a, p in enumerate(access.places)))


def wrong_axis(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Reduce over an index that should stay, and keep the one to be reduced over."""
    reduction = equation.reduction
    if reduction is None:
        return
    bound = reduction.index
    for index in equation.indices:
        other = index.fresh()
        kept = _held(index, bound.extent)
        try:
            inner = reduction.body.xreplace({bound: kept, index: other})
        except NotationError:
            continue
        body = reduction.func(inner, other)
        yield replace(equation, body=body), f"over {index} and not over {bound.name}"


def wrong_count(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Take n - 1 for an extent n, in a formula or in a mean."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Dim):
            yield part.node - 1
        if isinstance(part.node, Mean):
            yield Sum(part.node.body / (part.node.index.extent - 1), part.node.index)

    return _everywhere(equation, local)


def wrong_reduction(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Take a sum for a mean, a mean for a sum, a maximum for a logsumexp, and the like."""

    def local(part: Part) -> Iterator[Any]:
        for kind in _REDUCTIONS.get(type(part.node), ()):
            yield kind(part.node.body, part.node.index)

    return _everywhere(equation, local)


_REDUCTIONS: Mapping[Any, tuple[type[Reduction], ...]] = MappingProxyType({
    Mean: (Sum,), Sum: (Mean,), Max: (Min, LogSumExp), Min: (Max,), LogSumExp: (Max, Sum),
    Norm2: (Sum,), Prod: (Sum,),
})  # fmt: skip


def dropped_delta(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Forget a condition on indices, or what it lets through."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Where) and _of_whole_numbers(part.node.args[0]):
            yield from part.node.args[1:]

    return _everywhere(equation, local)


def _of_whole_numbers(condition: Any) -> bool:
    return all(r.lhs.is_integer and r.rhs.is_integer for r in condition.atoms(Relational))


def wrong_branch(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Exchange the sides of a choice, or take one side always."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, Where):
            when, then, otherwise = part.node.args
            yield Where(when, otherwise, then)
            if not _of_whole_numbers(when):
                yield then
                yield otherwise

    return _everywhere(equation, local)


def wrong_strictness(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Take < for <=, or the other way round."""

    def local(part: Part) -> Iterator[Any]:
        if type(part.node) in _STRICTNESS:
            yield _STRICTNESS[type(part.node)](*part.node.args)

    return _everywhere(equation, local)


_STRICTNESS: Mapping[Any, Any] = MappingProxyType({
    sp.StrictLessThan: sp.LessThan, sp.LessThan: sp.StrictLessThan,
    sp.StrictGreaterThan: sp.GreaterThan, sp.GreaterThan: sp.StrictGreaterThan,
})  # fmt: skip


def detached_path(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Take a tensor for zero, as if no path led through it."""
    tensors = {access.tensor for access in equation.body.atoms(Access)}
    for tensor in sorted(tensors, key=lambda t: str(t.name)):
        if tensor.domain.integer:
            continue
        zeros = {a: sp.Integer(0) for a in equation.body.atoms(Access) if a.tensor == tensor}
        body = equation.body.xreplace(zeros)
        if not body.has(sp.zoo, sp.nan, sp.oo):
            yield replace(equation, body=body), f"{tensor.name} -> 0"


def eps_outside(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Add to a root what should be added under it: sqrt(v) + eps for sqrt(v + eps)."""

    def local(part: Part) -> Iterator[Any]:
        if isinstance(part.node, sp.Pow) and part.node.exp in (_HALF, -_HALF):
            inside = part.node.base
            for symbol in _hyperparameters(inside) if isinstance(inside, sp.Add) else ():
                if symbol in inside.args:
                    outside = sp.sqrt(inside - symbol) + symbol
                    yield outside if part.node.exp > 0 else 1 / outside

    return _everywhere(equation, local)


def _hyperparameters(expression: Any) -> list[Any]:
    found = {s for s in expression.free_symbols if not isinstance(s, (Index, Dim))}
    return sorted((s for s in found if isinstance(s, sp.Symbol)), key=str)


def nudged_constant(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Change a constant or a hyperparameter by a thousandth of itself, a whole power by one."""

    def local(part: Part) -> Iterator[Any]:
        node = part.node
        if isinstance(part.parent, sp.Pow) and node == part.parent.exp:
            if node.is_Integer:
                yield node + 1
                yield node - 1
            elif node.is_Rational:
                yield -node
        elif node.is_Rational and part.is_whole:
            yield node + 1
        elif node.is_Rational:
            yield node * _NUDGE if node != 0 else _NUDGE - 1
        elif isinstance(node, sp.Symbol) and node in _hyperparameters(equation.body):
            yield node * _NUDGE

    return _everywhere(equation, local)


def neighbour_atom(equation: Equation) -> Iterator[tuple[Equation, str]]:
    """Take one function for another that looks or behaves like it."""

    def local(part: Part) -> Iterator[Any]:
        for rule in _NEIGHBOURS.get(part.node.func, ()):
            yield rule(*part.node.args)

    return _everywhere(equation, local)


_NEIGHBOURS: Mapping[Any, tuple[Callable[..., Any], ...]] = MappingProxyType({
    sp.exp: (atoms.expm1, lambda x: 1 + x),
    sp.log: (atoms.log1p,),
    atoms.expm1: (sp.exp,),
    atoms.expm1x: (atoms.expm1,),
    atoms.log1p: (sp.log,),
    atoms.tanh: (atoms.sigmoid, atoms.erf, lambda x: x),
    atoms.sech: (lambda x: 1 - atoms.tanh(x),),
    atoms.sigmoid: (atoms.tanh, lambda x: atoms.sigmoid(-x), lambda x: (1 + atoms.tanh(x)) / 2),
    atoms.softplus: (atoms.relu, atoms.log_sigmoid, atoms.log_cosh),
    atoms.log_sigmoid: (atoms.softplus, lambda x: atoms.log_sigmoid(-x)),
    atoms.log_cosh: (atoms.softplus, atoms.abs, lambda x: x**2 / 2),
    atoms.abs: (lambda x: x, atoms.relu),
    atoms.sign: (lambda x: x, atoms.tanh, lambda x: Where(x >= 0, 1, -1)),
    atoms.relu: (lambda x: x, atoms.softplus, atoms.abs),
    atoms.maximum: (atoms.minimum, lambda a, b: a, lambda a, b: b),
    atoms.minimum: (atoms.maximum, lambda a, b: a, lambda a, b: b),
    atoms.clip: (lambda x, low, high: x, lambda x, low, high: atoms.clip(x, -high, high)),
    atoms.weighted: (lambda x, y: x, lambda x, y: x * y, atoms.xlogy),
    atoms.xlogy: (atoms.weighted, lambda x, y: atoms.xlogy(y, x)),
    atoms.log_ratio: (lambda x, y: atoms.log_ratio(y, x),),
    atoms.kl_div: (lambda x, y: atoms.kl_div(y, x),),
    atoms.log1mexp: (atoms.log1p,),
    atoms.erf: (atoms.tanh, atoms.erfc),
    atoms.erfc: (atoms.erf,),
    atoms.lgamma: (atoms.digamma,),
    atoms.digamma: (atoms.trigamma, sp.log),
    atoms.trigamma: (atoms.digamma,),
    atoms.stop_gradient: (lambda x: 0 * x,),
})  # fmt: skip

OPERATORS: Mapping[str, Mutator] = MappingProxyType({
    "sign": _term_times(-1),
    "factor 2": _term_times(2),
    "factor 1 + 1e-4": _term_times(1 + sp.Rational(1, 10**4)),
    "factor 1 + 1e-8": _term_times(1 + sp.Rational(1, 10**8)),
    "dropped term": dropped_term,
    "duplicated term": duplicated_term,
    "dropped factor": dropped_factor,
    "swapped index": swapped_index,
    "transposed access": transposed_access,
    "off-by-one shift": shifted,
    "wrong reduction axis": wrong_axis,
    "n against n - 1": wrong_count,
    "mean against sum": wrong_reduction,
    "dropped delta": dropped_delta,
    "detached path": detached_path,
    "eps outside the root": eps_outside,
    "wrong branch": wrong_branch,
    "< against <=": wrong_strictness,
    "constant nudged": nudged_constant,
    "neighbouring atom": neighbour_atom,
})  # fmt: skip
