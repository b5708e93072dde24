"""`where` and `let`: choice by a condition, and a name for a part of a formula."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.compare import condition, expression
from symcalc.notation.errors import NotationError


class Where(sp.Expr):
    """`where(c, a, b)`: a where c holds, b elsewhere; the other side is never evaluated."""

    is_commutative = True

    def __new__(cls, when: Any, then: Any, otherwise: Any) -> Any:
        """Fold a condition that is already decided."""
        when, then, otherwise = map(expression, (when, then, otherwise))
        if when == sp.true or then == otherwise:
            return then
        if when == sp.false:
            return otherwise
        return super().__new__(cls, when, then, otherwise)

    @property
    def is_indicator(self) -> bool:
        """Whether this is one where the condition holds and zero elsewhere."""
        return bool(self.args[1] == 1 and self.args[2] == 0)

    def _eval_derivative(self, symbol: Any) -> Any:
        when, then, otherwise = self.args
        return Where(when, then.diff(symbol), otherwise.diff(symbol))

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool | None:
        return True if all(side.is_nonnegative for side in self.args[1:]) else None

    def _sympystr(self, printer: Any) -> str:
        when, then, otherwise = self.args
        shown = printer._print(then), printer._print(otherwise)
        return f"where({condition_text(when, printer)}, {shown[0]}, {shown[1]})"


class Let(sp.Expr):
    """`let(name, e)`: the value of e, to be shown under a name of its own."""

    is_commutative = True

    @property
    def name(self) -> str:
        """The name given."""
        return str(self.args[0])

    @property
    def body(self) -> Any:
        """The expression named."""
        return self.args[1]

    @property
    def free_symbols(self) -> set[Any]:
        """Those of the expression named."""
        return self.body.free_symbols

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_positive(self) -> bool | None:
        return self.body.is_positive

    def _eval_is_nonnegative(self) -> bool | None:
        return self.body.is_nonnegative

    def _sympystr(self, printer: Any) -> str:
        return f"let({self.name}, {printer._print(self.body)})"


_RELATIONS = {
    sp.Eq: "==", sp.Ne: "!=", sp.Lt: "<", sp.Le: "<=", sp.Gt: ">", sp.Ge: ">=",
}  # fmt: skip


def condition_text(when: Any, printer: Any) -> str:
    """Write a condition as the notation spells it."""
    for relation, sign in _RELATIONS.items():
        if isinstance(when, relation):
            return f"{printer._print(when.lhs)} {sign} {printer._print(when.rhs)}"
    parts = [condition_text(part, printer) for part in when.args]
    if isinstance(when, sp.And):
        return " & ".join(f"({part})" for part in parts)
    if isinstance(when, sp.Or):
        return " | ".join(f"({part})" for part in parts)
    if isinstance(when, sp.Not):
        return f"~({parts[0]})"
    return str(when)


def where(when: Any, then: Any, otherwise: Any) -> Any:
    """Choose by a condition.

    where(c, a, b) = a if c else b, entry by entry.

    Args:
        when: a comparison of expressions or indices, or several joined by & | ~.
        then: the value where it holds.
        otherwise: the value elsewhere.

    Raises:
        NotationError: `when` is not a condition.
    """
    return Where(condition(when), then, otherwise)


def let(name: str, part: Any) -> Any:
    """Give a part of a formula a name under which the derivation shows it.

    Args:
        name: an identifier, such as "mu" or "xhat".
        part: what it stands for.

    Raises:
        NotationError: the name is not an identifier.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise NotationError(f"let: expected a name such as 'mu', got {name!r}")
    return Let(sp.Symbol(name), expression(part))
