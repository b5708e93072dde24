"""Sums: equal ones under different letters are one."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Reduction
from symcalc.notation.tensors import Access


def equal_sums(expression: Any, context: Context) -> Any:
    """Write reductions that differ in their bound letters alone under one letter."""
    found = expression.atoms(Reduction)
    if len(found) < 2:
        return expression
    first: dict[Any, Any] = {}
    replaced: dict[Any, Any] = {}
    for node in sp.preorder_traversal(expression):
        if isinstance(node, Reduction) and node not in replaced:
            known = first.setdefault(_forgotten(node, {}), node)
            if known != node:
                replaced[node] = known
    return expression.xreplace(replaced) if replaced else expression


def _forgotten(expression: Any, marks: dict[Index, int]) -> Any:
    """Return a key that is the same for formulas that differ in bound letters alone."""
    if isinstance(expression, Index) and expression in marks:
        return ("bound", marks[expression])
    if isinstance(expression, Reduction):
        within = {**marks, expression.index: len(marks)}
        return (
            expression.func.__name__, expression.index.extent, _forgotten(expression.body, within)
        )  # fmt: skip
    if not expression.args:
        return expression
    if isinstance(expression, Access):
        return (expression.tensor, *(_forgotten(place, marks) for place in expression.places))
    parts = [_forgotten(argument, marks) for argument in expression.args]
    if isinstance(expression, (sp.Add, sp.Mul)):
        parts.sort(key=repr)
    return (expression.func.__name__, *parts)
