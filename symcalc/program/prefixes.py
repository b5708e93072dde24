"""Sums up to a place as cumulative sums: one pass for all places, not one a place.

s[i] = sum_j [j <= i] g(i) f(j)      becomes  c[t] = c[t-1] + f(t),  s[i] = g(i) c[i]
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.scans import ReverseScan, Scan
from symcalc.notation.tensors import Access, Tensor

# How the bound index lies to the place: the recurrence, and whether the place itself is left out.
_ORDERS: dict[Any, tuple[Any, bool]] = {
    sp.Le: (Scan, False), sp.Lt: (Scan, True), sp.Ge: (ReverseScan, False),
    sp.Gt: (ReverseScan, True),
}  # fmt: skip


def cumulated(equations: tuple[Equation, ...], namer: Namer) -> tuple[Equation, ...]:
    """Return equations in which sums over all values up to an index are recurrences.

    Args:
        equations: in an order in which each stands on those before it.
        namer: of the sums that stand beside a factor.
    """
    found: list[Equation] = []
    for equation in equations:
        parts = _prefix(equation)
        if parts is None:
            found.append(equation)
            continue
        outside, body = parts
        if outside == 1:
            found.append(Equation(equation.target, equation.indices, body))
            continue
        sums = Tensor(namer.name(f"{equation.target.name}_so_far"), equation.target.shape)
        found.append(Equation(sums, equation.indices, body))
        value = outside * Access(sums, *equation.indices)
        found.append(Equation(equation.target, equation.indices, value))
    return tuple(found)


def _prefix(equation: Equation) -> tuple[Any, Any] | None:
    """Return what stands before such a sum, and its recurrence; None for any other equation."""
    total = equation.body
    if not isinstance(total, Sum):
        return None
    factors = list(sp.Mul.make_args(total.body))
    for factor in factors:
        order = _order(factor, total.index, equation.indices)
        if order is None:
            continue
        kind, strict, place, chosen = order
        rest = [f for f in factors if f is not factor] + list(sp.Mul.make_args(chosen))
        outside = sp.Mul(*(f for f in rest if total.index not in f.free_symbols))
        inside = sp.Mul(*(f for f in rest if total.index in f.free_symbols))
        if place in inside.free_symbols:
            return None
        return outside, _cumulative(kind, strict, inside, total.index, place)
    return None


def _order(factor: Any, bound: Index, indices: tuple[Index, ...]) -> Any:
    """Return (kind, strict, place, term) where a factor is a term up to a place, zero beyond."""
    if not isinstance(factor, Where):
        return None
    arguments: Any = factor.args
    when, then, otherwise = arguments
    if type(when) not in _ORDERS or 0 not in (then, otherwise):
        return None
    if then == 0:
        when, then = when.negated, otherwise
    if when.rhs == bound:
        when = when.reversed
    place = when.rhs
    if when.lhs != bound or place not in indices or place.extent != bound.extent:
        return None
    return (*_ORDERS[type(when)], place, then)


def _cumulative(kind: Any, strict: bool, term: Any, bound: Index, place: Index) -> Any:
    zero = sp.Integer(0)
    made = kind(sp.Integer(1), term, zero, bound, place)
    if strict:
        before = term.xreplace({bound: made.before(bound)})
        made = kind(sp.Integer(1), Where(made.first(bound), 0, before), zero, bound, place)
    return made
