"""Averages: deviations from a mean vanish, and the weights of a distribution sum to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.rewriting import bottom_up, depends, parted
from symcalc.notation.dims import Index
from symcalc.notation.reductions import LogSumExp, Mean, Sum
from symcalc.notation.tensors import Access

Test = Callable[[Any, Index, Context], bool]


def vanishing_deviations(expression: Any, context: Context) -> Any:
    """Deviations from a mean sum to zero: sum_j c[i] (x[i,j] - mu[i]) = 0 where mu is their mean.

    Of a sum of several terms those that vanish are left out. A tensor defined as deviations times
    a factor, xhat[i,j] = (x[i,j] - mu[i]) r[i], counts as such.
    """

    def change(node: Any) -> Any:
        if not isinstance(node, (Sum, Mean)):
            return node
        if _sums_to_zero(node.body, node.index, context):
            return sp.Integer(0)
        terms, kept = _left(node.body, node.index, context, _sums_to_zero)
        if len(kept) == len(terms):
            return node
        return node.func(sp.Add(*kept), node.index) if kept else sp.Integer(0)

    return bottom_up(expression, change)


def distributions(expression: Any, context: Context) -> Any:
    """Weights sum to one: sum_k c softmax[i,k] = c, by itself or among the terms of a sum."""

    def change(node: Any) -> Any:
        if not isinstance(node, Sum):
            return node
        terms, kept = _left(node.body, node.index, context, _sums_to_one)
        if len(kept) == len(terms):
            return node
        constant = sp.Add(*(parted(t, node.index)[0] for t in terms if t not in kept))
        return constant + (Sum(sp.Add(*kept), node.index) if kept else 0)

    return bottom_up(expression, change)


def _left(body: Any, index: Index, context: Context, gone: Test) -> tuple[list[Any], list[Any]]:
    """Part a body into terms, by the one bracket that helps; return all, and those to keep.

    Terms that are kept keep their common factor.
    """
    for sum_ in [body, *(f for f in sp.Mul.make_args(body) if isinstance(f, sp.Add))]:
        rest = sp.Integer(1) if sum_ is body else sp.Mul(
            *(f for f in sp.Mul.make_args(body) if f is not sum_)
        )  # fmt: skip
        parts = sp.Add.make_args(sum_)
        kept = [part for part in parts if not gone(part * rest, index, context)]
        if len(kept) == len(parts):
            continue
        dropped = [part * rest for part in parts if part not in kept]
        remains = [rest * sp.Add(*kept)] if kept else []
        return [*dropped, *remains], remains
    return [body], [body]


def _sums_to_zero(body: Any, index: Index, context: Context) -> bool:
    """Whether a formula sums to zero over an index, by the definitions of what it reads."""
    _, inside = parted(body, index)
    if isinstance(inside, Access):
        equation = context.definition(inside.tensor)
        if equation is None or equation.reduction is not None or index not in inside.places:
            return False
        return _sums_to_zero(equation.at(inside.places), index, context)
    return isinstance(inside, sp.Add) and _is_deviation(inside, index, context)


def _is_deviation(body: Any, index: Index, context: Context) -> bool:
    """Whether each term free of the index is the mean of terms that depend on it, negated."""
    total = sp.Integer(0)
    averaged = False
    for term in body.args:
        if depends(term, index):
            total += term
            continue
        for factor in sp.Mul.make_args(term):
            mean = _mean(factor, context)
            if mean is not None and mean.index.extent == index.extent:
                total += term / factor * mean.body.xreplace({mean.index: index})
                averaged = True
                break
        else:
            return False
    return averaged and sp.expand(total) == 0


def _mean(factor: Any, context: Context) -> Mean | None:
    """The mean that a factor is, or is the name of."""
    if isinstance(factor, Access):
        equation = context.definition(factor.tensor)
        if equation is None or not isinstance(equation.body, Mean):
            return None
        factor = equation.at(factor.places)
    return factor if isinstance(factor, Mean) else None


def _sums_to_one(body: Any, index: Index, context: Context) -> bool:
    """Whether the part of a product that depends on the index is a distribution over it."""
    _, inside = parted(body, index)
    if not isinstance(inside, Access):
        return _is_normalised(inside, index, context)
    equation = context.definition(inside.tensor)
    if equation is None or equation.reduction is not None or inside.places.count(index) != 1:
        return False
    return _is_normalised(equation.at(inside.places), index, context)


def _is_normalised(body: Any, index: Index, context: Context) -> bool:
    """Whether a formula is exp(e - logsumexp(e)), or e / sum(e), by the names of those."""
    if isinstance(body, sp.exp):
        return any(
            _is_total(-term, body.args[0] - term, LogSumExp, index, context)
            for term in sp.Add.make_args(body.args[0])
        )
    return any(
        _is_total(1 / factor, body / factor, Sum, index, context)
        for factor in sp.Mul.make_args(body)
    )


def _is_total(
    access: Any, each: Any, kind: type[Sum] | type[LogSumExp], index: Index, context: Context
) -> bool:
    """Whether an access is the name of what a reduction makes of `each` over the index."""
    if not isinstance(access, Access) or depends(access, index):
        return False
    equation = context.definition(access.tensor)
    if equation is None or not isinstance(equation.body, kind):
        return False
    total = equation.at(access.places)
    same = total.index.extent == index.extent
    return bool(same and sp.expand(total.body.xreplace({total.index: index}) - each) == 0)
