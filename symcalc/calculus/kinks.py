"""Kinks: found from the conditions and atoms of the formula, each with its convention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.expansion import expanded
from symcalc.notation.atoms import Atom
from symcalc.notation.conditions import Let, Where
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Max, Min, Norm2, Reduction
from symcalc.notation.tensors import Access


@dataclass(frozen=True)
class Boundary:
    """Where two pieces of a formula meet: `left = right`, and what is done there."""

    left: Any
    right: Any
    convention: str

    @property
    def shown(self) -> Boundary:
        """The same with named parts shown by their names, as the derivation shows them."""
        return Boundary(shown(self.left), shown(self.right), self.convention)

    def __str__(self) -> str:
        return f"{self.left} = {self.right}: {self.convention}"


def boundaries(objective: Objective) -> tuple[Boundary, ...]:
    """Return every boundary on which a derivative may jump, outermost first, as it is shown.

    Conditions on indices alone are none: no input moves them.
    """
    return tuple(boundary.shown for boundary in crossings(objective))


def crossings(objective: Objective) -> tuple[Boundary, ...]:
    """Return the same boundaries with named parts written out, so that they can be computed."""
    found: dict[tuple[Any, Any], Boundary] = {}
    for node, conditions in _parts(objective):
        for boundary in boundaries_of(node):
            if not _is_reached(boundary, conditions):
                continue
            as_shown = boundary.shown
            if boundary.left.atoms(Access) or boundary.right.atoms(Access):
                found.setdefault((as_shown.left, as_shown.right), boundary)
    return tuple(found.values())


def _parts(objective: Objective) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Walk the formula, then what it defines, the last definition first."""
    for formula in reversed(objective.formulas):
        yield from _with_conditions(expanded(formula).body, ())


def _with_conditions(
    node: Any, conditions: tuple[Any, ...]
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Walk a formula; with each part go the conditions under which it is looked at."""
    yield node, conditions
    if isinstance(node, Access):
        return
    if isinstance(node, Where):
        when, then, otherwise = node.args
        yield from _with_conditions(then, (*conditions, when))
        yield from _with_conditions(otherwise, (*conditions, sp.Not(when)))
        return
    for argument in node.args:
        yield from _with_conditions(argument, conditions)


def _is_reached(boundary: Boundary, conditions: tuple[Any, ...]) -> bool:
    """Whether the conditions around a part leave its boundary open: |r| > delta rules out r = 0."""
    at = {boundary.left: sp.sympify(boundary.right)}
    return all(when.xreplace(at) != sp.false for when in conditions)


def boundaries_of(node: Any) -> list[Boundary]:
    """Return the boundaries that one node brings with it."""
    if isinstance(node, Atom):
        return [Boundary(sp.sympify(k.left), sp.sympify(k.right), k.convention)
                for k in type(node).kinks(*node.args)]  # fmt: skip
    if isinstance(node, Where):
        return [
            Boundary(r.lhs, r.rhs, "the side that the condition names is taken")
            for r in node.args[0].atoms(sp.core.relational.Relational)
            if not (r.lhs.is_integer and r.rhs.is_integer)
        ]
    if isinstance(node, (Max, Min)):
        return [Boundary(node.body, node, "a tie goes to the first")]
    if isinstance(node, Norm2):
        return [Boundary(node, sp.Integer(0), "the derivative at zero is zero")]
    return []


def shown(expression: Any) -> Any:
    """Return a formula with named parts replaced by their names, as the derivation shows them."""
    if isinstance(expression, Let):
        return sp.Symbol(expression.name, real=True)
    if not expression.args or isinstance(expression, (Access, Reduction)):
        return expression
    return expression.func(*(shown(argument) for argument in expression.args))
