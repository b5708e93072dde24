"""Choices: those under one condition become one, and what both sides share stands outside."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.rewriting import bottom_up, depends, without
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.tensors import Access


def merge_choices(expression: Any, context: Context) -> Any:
    """Write a [c] + b [not c] as the choice where(c, a, b)."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add):
            return node
        sides: dict[Any, tuple[list[Any], list[Any]]] = {}
        rest = []
        for term in node.args:
            indicator = next((f for f in sp.Mul.make_args(term) if _is_half(f)), None)
            if indicator is None:
                rest.append(term)
                continue
            taken = sides.setdefault(indicator.args[0], ([], []))
            taken[0 if indicator.args[1] == 1 else 1].append(without(term, indicator))
        if not any(then and otherwise for then, otherwise in sides.values()):
            return node
        for when, (then, otherwise) in sides.items():
            if then and otherwise:
                rest.append(Where(when, sp.Add(*then), sp.Add(*otherwise)))
            else:
                rest += [term * Where(when, 1, 0) for term in then]
                rest += [term * Where(when, 0, 1) for term in otherwise]
        return sp.Add(*rest)

    return bottom_up(expression, change)


def _is_half(factor: Any) -> bool:
    return isinstance(factor, Where) and factor.args[1:] in ((1, 0), (0, 1))


def nested_choices(expression: Any, context: Context) -> Any:
    """Use what a condition says on its own sides: where(c, where(c, a, b), d) is where(c, a, d).

    Two indicators become one: where(c, where(d, 1, 0), 0) asks c & d, where(c, 1, where(d, 1, 0))
    asks c | d.
    """

    def change(node: Any) -> Any:
        if not isinstance(node, Where):
            return node
        when, then, otherwise = node.args
        then, otherwise = _taken(then, when, 1), _taken(otherwise, when, 2)
        if otherwise == 0 and _is_indicator(then):
            return Where(sp.And(when, then.args[0]), 1, 0)
        if then == 1 and _is_indicator(otherwise):
            return Where(sp.Or(when, otherwise.args[0]), 1, 0)
        return Where(when, then, otherwise)

    return bottom_up(expression, change)


def _taken(side: Any, when: Any, which: int) -> Any:
    return side.args[which] if isinstance(side, Where) and side.args[0] == when else side


def _is_indicator(side: Any) -> bool:
    return isinstance(side, Where) and side.is_indicator


def shared_factors(expression: Any, context: Context) -> Any:
    """Take the factors that both sides of a choice share out of it."""

    def change(node: Any) -> Any:
        if not isinstance(node, Where) or 0 in node.args[1:]:
            return node
        when, then, otherwise = node.args
        sides = sp.Mul.make_args(then), sp.Mul.make_args(otherwise)
        shared = [f for f in sides[0] if not f.is_number and f in sides[1]]
        if not shared:
            return node
        # All at once: what is left may join into other factors.
        rest = (sp.Mul(*(f for f in side if f not in shared)) for side in sides)
        return sp.Mul(*shared) * Where(when, *rest)

    return bottom_up(expression, change)


def steady_choices(expression: Any, context: Context) -> Any:
    """Take a choice of nothing that a sum does not vary out of it: sum_i where(c, 0, x_i)."""

    def change(node: Any) -> Any:
        if not isinstance(node, (Sum, Mean)):
            return node
        for factor in sp.Mul.make_args(node.body):
            halved = isinstance(factor, Where) and 0 in factor.args[1:]
            if halved and not depends(factor.args[0], node.index):
                when, then, otherwise = factor.args
                rest = without(node.body, factor)
                sides = (node.func(rest * side, node.index) if side != 0 else side
                         for side in (then, otherwise))  # fmt: skip
                return Where(when, *sides)
        return node

    return bottom_up(expression, change)


def one_choice(expression: Any, context: Context) -> Any:
    """Add up terms that are nothing where the same condition fails (or holds) under one choice."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add):
            return node
        groups: dict[Any, list[Any]] = {}
        rest = []
        for term in node.args:
            choice = next((f for f in sp.Mul.make_args(term) if _is_halved(f)), None)
            if choice is None:
                rest.append(term)
            else:
                groups.setdefault((choice.args[0], choice.args[1] == 0), []).append((term, choice))
        if all(len(group) < 2 for group in groups.values()):
            return node
        for (when, first), group in groups.items():
            if len(group) < 2:
                rest.append(group[0][0])
                continue
            scales = [set(sp.Mul.make_args(without(term, choice))) for term, choice in group]
            outside = sp.Mul(*set.intersection(*scales))
            parts = [without(term, choice) / outside * choice.args[2 if first else 1]
                     for term, choice in group]  # fmt: skip
            sides = (0, sp.Add(*parts)) if first else (sp.Add(*parts), 0)
            rest.append(outside * Where(when, *sides))
        return sp.Add(*rest)

    return bottom_up(expression, change)


def _is_halved(factor: Any) -> bool:
    """Whether a choice has nothing on one side, and more than a one on the other."""
    return isinstance(factor, Where) and 0 in factor.args[1:] and 1 not in factor.args[1:]


def decided_conditions(expression: Any, context: Context) -> Any:
    """Drop conditions that the ranges of the indices decide: k < n where k runs below n."""

    def change(node: Any) -> Any:
        if not isinstance(node, Where):
            return node
        found = {r: _decided(r) for r in node.args[0].atoms(sp.core.relational.Relational)}
        known = {relation: truth for relation, truth in found.items() if truth is not None}
        return Where(node.args[0].xreplace(known), *node.args[1:]) if known else node

    return bottom_up(expression, change)


def _decided(relation: Any) -> Any:
    """The truth of a relation between one index and whole numbers, if its range decides it."""
    difference = sp.expand(relation.lhs - relation.rhs)
    letters = [s for s in difference.free_symbols if isinstance(s, Index)]
    if len(letters) != 1 or difference.atoms(sp.Function, Where, Access):
        return None
    (index,) = letters
    slope = difference.coeff(index)
    if slope not in (1, -1):
        return None
    ends = [difference.xreplace({index: end}) for end in (sp.Integer(0), index.extent - 1)]
    low, high = (sp.expand(end) for end in (ends if slope == 1 else reversed(ends)))
    holds, fails = _BY_RANGE[relation.func](low, high)
    return sp.true if holds else sp.false if fails else None


# Of a relation between d and 0, d between low and high: whether it always holds, never holds.
_BY_RANGE: dict[Any, Any] = {
    sp.Lt: lambda low, high: (high.is_negative, low.is_nonnegative),
    sp.Le: lambda low, high: (high.is_nonpositive, low.is_positive),
    sp.Gt: lambda low, high: (low.is_positive, high.is_nonpositive),
    sp.Ge: lambda low, high: (low.is_nonnegative, high.is_negative),
    sp.Eq: lambda low, high: (False, low.is_positive or high.is_negative),
    sp.Ne: lambda low, high: (low.is_positive or high.is_negative, False),
}
