"""Equations: `T[i,k] = reduce_r(body)`, and how a formula becomes a list of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symcalc.calculus.expansion import expanded
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import NONNEGATIVE, POSITIVE, REAL, Domain
from symcalc.notation.naming import Namer as Namer
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import (
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm2,
    Prod,
    Reduction,
    Sum,
)
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, Tensor, free_indices
from symcalc.notation.text import text

PLACES = Domain("places", lower=0.0, integer=True)

# What a lifted reduction is called when the formula gave it no name.
_NAMES: dict[type[Reduction], str] = {
    Sum: "s", Mean: "m", Max: "top", Min: "low", Prod: "prod", LogSumExp: "L", Norm2: "norm",
    ArgMax: "place", ArgMin: "place",
}  # fmt: skip
_SEQUENCE = "h"  # and a lifted recurrence


@dataclass(frozen=True)
class Equation:
    """One tensor, defined for every value of its indices.

    Args:
        target: the tensor defined.
        indices: its free indices, one an axis.
        body: a formula free of reductions and recurrences, or one reduction of such a formula, or
            one recurrence of such formulas, asked for at one of the indices.
    """

    target: Tensor
    indices: tuple[Index, ...]
    body: Any

    @property
    def reduction(self) -> Reduction | None:
        """The reduction, if the body is one."""
        return self.body if isinstance(self.body, Reduction) else None

    @property
    def recurrence(self) -> Recurrence | None:
        """The recurrence, if the body is one."""
        return self.body if isinstance(self.body, Recurrence) else None

    @property
    def inner(self) -> Any:
        """The formula under the reduction, or the whole body."""
        return self.body.body if isinstance(self.body, Reduction) else self.body

    @property
    def left(self) -> Access:
        """The left-hand side, `T[i,k]`."""
        return Access(self.target, *self.indices)

    def at(self, places: tuple[Any, ...]) -> Any:
        """Return the body at other places, its bound index made fresh."""
        binds = isinstance(self.body, (Reduction, Recurrence))
        body = self.body.refreshed() if binds else self.body
        return body.xreplace(dict(zip(self.indices, places, strict=True)))

    def __str__(self) -> str:
        return f"{text(self.left)} = {text(self.body)}"


class Lifter:
    """Turns formulas into equations: every reduction inside a formula gets its own.

    An equation carries only the indices its body depends on, so that it stands as far out as it
    can, its axes in the order of the equation it stands in; equal bodies share one equation.
    """

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.equations: list[Equation] = []
        self._known: dict[Any, Tensor] = {}
        self._order: dict[Index, int] = {}

    def define(
        self,
        name: str,
        indices: tuple[Index, ...],
        expression: Any,
        domain: Domain = REAL,
    ) -> Tensor:
        """Add the equation `name[indices] = expression`, lifting what is inside."""
        self._order = {index: place for place, index in enumerate(indices)}
        inner = self._inside(expression, indices)
        target = Tensor(self.namer.name(name), tuple(i.extent for i in indices), domain)
        self.equations.append(Equation(target, indices, inner))
        return target

    def define_as(self, target: Tensor, indices: tuple[Index, ...], expression: Any) -> None:
        """Add the equation `target[indices] = expression`, lifting what is inside."""
        self._order = {index: place for place, index in enumerate(indices)}
        body = self._inside(expression, indices)
        self.equations.append(Equation(target, indices, body))

    def _inside(self, expression: Any, indices: tuple[Index, ...] = (), when: Any = sp.true) -> Any:
        """Lift what stands inside an expression, which has an equation of its own itself."""
        if isinstance(expression, Reduction):
            return expression.func(self.lift(expression.body, when), expression.index)
        if isinstance(expression, Recurrence) and _stands_at_one(expression, indices):
            return self._parts_lifted(expression, when)
        return self.lift(expression, when)

    def lift(self, expression: Any, when: Any = sp.true) -> Any:
        """Return the expression with accesses in the place of its reductions and names.

        Args:
            expression: a formula.
            when: what its indices fulfil where it is looked at.
        """
        if isinstance(expression, Let):
            inner = expression.body
            if isinstance(inner, Recurrence):
                return self._sequence(expression.name, self._parts_lifted(inner, when))
            return self._own(expression.name, _held(self._inside(inner, (), when), when))
        if isinstance(expression, Recurrence):
            return self._sequence(_SEQUENCE, self._parts_lifted(expression, when))
        if isinstance(expression, Reduction):
            inner = expression.func(self.lift(expression.body, when), expression.index)
            return self._own(_NAMES[type(expression)], _held(inner, when))
        if isinstance(expression, Access):
            if not any(place.has(Reduction) for place in expression.places):
                return expression
        elif not expression.args:
            return expression
        if isinstance(expression, Where):
            choice, then, otherwise = expression.args
            return Where(
                self.lift(choice, when),
                self.lift(then, sp.And(when, _of_indices(choice))),
                self.lift(otherwise, sp.And(when, _of_indices(sp.Not(choice)))),
            )
        return expression.func(*(self.lift(argument, when) for argument in expression.args))

    def _own(self, wanted: str, body: Any) -> Access:
        """Give a body its own equation, or find the one it has."""
        standing = layout(body)
        free = tuple(sorted(
            free_indices(body), key=lambda i: (self._order.get(i, len(standing)), standing.index(i))
        ))  # fmt: skip
        return Access(self._known_as(wanted, body, free), *free)

    def _sequence(self, wanted: str, body: Recurrence) -> Access:
        """Give a whole sequence its own equation, or find the one it has; return the entry."""
        own = body.index.fresh()
        along = sp.Tuple(*body.parts).xreplace({body.index: own})
        standing = [*layout(along), own]
        free = tuple(sorted(free_indices(along) | {own}, key=standing.index))
        target = self._known_as(wanted, body.asked(own), free)
        return Access(target, *(body.place if index == own else index for index in free))

    def _parts_lifted(self, recurrence: Recurrence, when: Any = sp.true) -> Recurrence:
        parts = [self.lift(part, when) for part in recurrence.parts]
        return recurrence.func(*parts, recurrence.index, recurrence.place)

    def _known_as(self, wanted: str, body: Any, free: tuple[Index, ...]) -> Tensor:
        key = pattern_of(body, free)
        if key not in self._known:
            domain = _domain_of(body)
            target = Tensor(self.namer.name(wanted), tuple(i.extent for i in free), domain)
            if domain is REAL and body.is_nonnegative:
                sign = POSITIVE if body.is_positive else NONNEGATIVE
                target = Tensor(target.name, target.shape, sign)
            self._known[key] = target
            self.equations.append(Equation(target, free, body))
        return self._known[key]


def _stands_at_one(recurrence: Recurrence, indices: tuple[Index, ...]) -> bool:
    """Whether a recurrence is asked for at one of some indices, which runs over all its entries.

    That index must not stand in its parts: they hold for every entry alike.
    """
    place = recurrence.place
    inside = set().union(*(part.free_symbols for part in recurrence.parts))
    whole = place in indices and place.extent == recurrence.index.extent
    return whole and place not in inside


def _of_indices(condition: Any) -> Any:
    """The part of a condition that no input moves."""
    return sp.And(*(part for part in sp.And.make_args(condition) if not part.atoms(Access)))


def _held(body: Any, when: Any) -> Any:
    """Put under its condition what is looked at under it alone and reads out of bounds elsewhere.

    A reduction that leaves a choice for an equation of its own would be evaluated everywhere.
    """
    astray = {
        symbol
        for access in body.atoms(Access)
        for place, extent in zip(access.places, access.tensor.shape, strict=True)
        if not isinstance(place, Access)
        for symbol in place.atoms(Index)
        if place != symbol or symbol.extent != extent
    }
    free = free_indices(body)
    conditions = [
        part for part in sp.And.make_args(when)
        if free_indices(part) & astray and free_indices(part) <= free
    ]  # fmt: skip
    if not conditions:
        return body
    if isinstance(body, Reduction):
        return body.func(Where(sp.And(*conditions), body.body, 0), body.index)
    return Where(sp.And(*conditions), body, 0)


def places_below(extent: Any) -> Domain:
    """The domain of places of a range: like labels, they are below a dim where that is all."""
    return replace(PLACES, below=extent) if isinstance(extent, Dim) else PLACES


def _domain_of(body: Any) -> Domain:
    """Places are whole numbers, and an extreme of whole numbers is one."""
    if isinstance(body, (ArgMax, ArgMin)):
        return places_below(body.index.extent)
    inner = body.body if isinstance(body, (Max, Min)) else None
    if isinstance(inner, Access):
        return inner.tensor.domain if inner.tensor.domain.integer else REAL
    return getattr(inner, "domain", REAL)


def layout(body: Any) -> list[Index]:
    """Order free indices as they stand on the widest access, so that layouts follow the inputs."""
    ordered = sorted(body.atoms(Access), key=lambda a: (-len(a.places), str(a)))
    seen: dict[Index, None] = {}
    for access in ordered:
        for place in access.places:
            for index in sorted(place.free_symbols, key=str):
                if isinstance(index, Index):
                    seen.setdefault(index)
    for index in sorted(free_indices(body) - set(seen), key=lambda i: (i.name, i.dummy_index)):
        seen[index] = None  # stands in a condition only, or as a number
    return list(seen)


def pattern_of(body: Any, free: tuple[Index, ...]) -> Any:
    """Return the body with its own letters forgotten, to tell equal ones."""
    marks: dict[Any, Any] = {
        index: sp.Symbol(f"_{place}", integer=True, nonnegative=True)
        for place, index in enumerate(free)
    }
    extents = tuple(index.extent for index in free)
    if isinstance(body, (Reduction, Recurrence)):
        marks[body.index] = sp.Symbol("_r", integer=True, nonnegative=True)
    if isinstance(body, Reduction):
        return (body.func, body.index.extent, extents, _marked(body.body, marks))
    if isinstance(body, Recurrence):
        parts = sp.Tuple(*body.parts, body.place)
        return (body.func, body.index.extent, extents, _marked(parts, marks))
    return (None, None, extents, _marked(body, marks))


def _marked(expression: Any, marks: dict[Any, Any]) -> Any:
    """Replace indices inside accesses too, without the checks an access makes."""
    if isinstance(expression, Access):
        return sp.Tuple(expression.tensor, *(_marked(p, marks) for p in expression.places))
    if expression in marks:
        return marks[expression]
    if not expression.args:
        return expression
    return sp.Tuple(sp.Symbol(expression.func.__name__),
                    *(_marked(argument, marks) for argument in expression.args))  # fmt: skip


def lift_objective(objective: Objective) -> tuple[list[Equation], Namer]:
    """Return the equations of an objective's value, the value's own last.

    The value is called `value` for a scalar, `out` for an array, unless an input bears the name.
    """
    named = {meant.name for meant in objective.definitions}
    adjoints = {f"{d.name}_bar": d.adjoint for d in objective.definitions if d.adjoint}
    namer = Namer({t.name for t in objective.inputs} | {p.name for p in objective.parameters}
                  | {d.name for d in objective.dims} | named, adjoints)  # fmt: skip
    lifter = Lifter(namer)
    for meant in objective.definitions:
        lifter.define_as(meant.tensor, meant.indices, expanded(meant.body).body)
    name = "value" if objective.is_scalar else "out"
    lifter.define(name, objective.outputs, expanded(objective.body).body)
    return lifter.equations, namer
