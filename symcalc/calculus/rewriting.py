"""Rewriting: what every rule of simplification is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.notation.dims import Index
from symcalc.notation.errors import NotationError
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access

Rule = Callable[[Any, Context], Any]


def bottom_up(expression: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild an expression, changing every node after its arguments."""
    if not expression.args or isinstance(expression, Access):
        return expression
    arguments = [bottom_up(argument, change) for argument in expression.args]
    if isinstance(expression, Reduction):
        rebuilt = expression.func(*arguments)
    else:
        same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
        rebuilt = expression if same else expression.func(*arguments)
    return change(rebuilt)


def refreshed(expression: Any) -> Any:
    """Give every reduction and every recurrence inside a bound index of its own."""

    def change(node: Any) -> Any:
        return node.refreshed() if isinstance(node, (Reduction, Recurrence)) else node

    return bottom_up(expression, change)


def depends(expression: Any, index: Index) -> bool:
    """Whether an index stands free in an expression."""
    return index in expression.free_symbols


def parted(body: Any, index: Index) -> tuple[Any, Any]:
    """Part a product into the factors free of an index and the rest."""
    factors = sp.Mul.make_args(body)
    outside = [f for f in factors if not depends(f, index)]
    inside = [f for f in factors if depends(f, index)]
    return sp.Mul(*outside), sp.Mul(*inside)


def without(term: Any, factor: Any) -> Any:
    """Return a product less one of its factors."""
    factors = list(sp.Mul.make_args(term))
    factors.remove(factor)
    return sp.Mul(*factors)


def placed(expression: Any, at: dict[Any, Any]) -> Any:
    """Put places for indices; None where one of them cannot stand: a label in x[n - 1 - i]."""
    try:
        return expression.xreplace(at)
    except NotationError:
        return None
