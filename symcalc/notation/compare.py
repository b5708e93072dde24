"""`k == y[i]` as mathematics, without taking from SymPy the equality it lives by."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.errors import NotationError


class Equality(int):
    """The truth of a structural comparison that still knows its two sides.

    SymPy sees a truth value; `where` sees the condition that was written.
    """

    condition: Any

    @classmethod
    def of(cls, truth: bool, condition: Any) -> Equality:
        """Pair the structural truth with the mathematical condition."""
        made = cls(truth)
        made.condition = condition
        return made


class Comparable:
    """Mixin: `==` and `!=` against an expression may stand in a condition."""

    def __eq__(self, other: object) -> Any:
        truth = sp.Expr.__eq__(self, other)
        if isinstance(other, (sp.Expr, int)) and not isinstance(other, bool):
            return Equality.of(truth is True, (sp.Eq, self, other))
        return truth

    def __ne__(self, other: object) -> Any:
        truth = sp.Expr.__eq__(self, other) is not True
        if isinstance(other, (sp.Expr, int)) and not isinstance(other, bool):
            return Equality.of(truth, (sp.Ne, self, other))
        return truth

    __hash__ = sp.Expr.__hash__


def condition(written: Any) -> Any:
    """Return a written condition as a SymPy Boolean.

    Raises:
        NotationError: Python had decided it already, or it is not a condition.
    """
    if isinstance(written, Equality):
        relation, left, right = written.condition
        return relation(left, right)
    if isinstance(written, bool):
        raise NotationError(
            f"where: expected a condition such as r <= delta, got {written}: Python decides == "
            "between compound expressions at once; write eq(a, b) or ne(a, b)"
        )
    made = sp.sympify(written)
    if not is_condition(made):
        raise NotationError(f"where: expected a condition such as r <= delta, got {written}")
    return made


def is_condition(expression: Any) -> bool:
    """Whether this is a condition; SymPy counts its symbols as Booleans too."""
    return isinstance(expression, sp.logic.boolalg.Boolean) and not isinstance(expression, sp.Expr)


def eq(left: Any, right: Any) -> Any:
    """Return the condition left = right."""
    return sp.Eq(left, right)


def ne(left: Any, right: Any) -> Any:
    """Return the condition left ≠ right."""
    return sp.Ne(left, right)
