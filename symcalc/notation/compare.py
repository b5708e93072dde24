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

    def __and__(self, other: Any) -> Any:
        return sp.And(condition(self), condition(other))

    def __or__(self, other: Any) -> Any:
        return sp.Or(condition(self), condition(other))

    def __invert__(self) -> Any:
        return sp.Not(condition(self))

    __rand__, __ror__ = __and__, __or__

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
        if isinstance(other, (sp.Expr, int, float)) and not isinstance(other, bool):
            return Equality.of(truth is True, (sp.Eq, self, other))
        return truth

    def __ne__(self, other: object) -> Any:
        truth = sp.Expr.__eq__(self, other) is not True
        if isinstance(other, (sp.Expr, int, float)) and not isinstance(other, bool):
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
    made = expression(written)
    if not is_condition(made):
        raise NotationError(f"where: expected a condition such as r <= delta, got {written}")
    return made


def is_condition(expression: Any) -> bool:
    """Whether this is a condition; SymPy counts its symbols as Booleans too."""
    return isinstance(expression, sp.logic.boolalg.Boolean) and not isinstance(expression, sp.Expr)


def expression(written: Any) -> Any:
    """Return what was written as a SymPy expression; text is not evaluated.

    Raises:
        NotationError: it is no expression and no number.
    """
    try:
        return sp.sympify(written, strict=True)
    except (sp.SympifyError, AttributeError, TypeError, RecursionError):
        raise NotationError(
            f"expected an expression or a number, got {type(written).__name__}: {written!r:.60}"
        ) from None


def eq(left: Any, right: Any) -> Any:
    """Return the condition left = right."""
    return sp.Eq(expression(left), expression(right))


def ne(left: Any, right: Any) -> Any:
    """Return the condition left ≠ right."""
    return sp.Ne(expression(left), expression(right))
