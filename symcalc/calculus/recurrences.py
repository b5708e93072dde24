"""Recurrences under both passes: each derivative of one is a recurrence again, as long as it is.

For `y[t] = a[t] y[t-1] + b[t]` the adjoint runs backwards, `l[t] = ybar[t] + a[t+1] l[t+1]`, and
the tangent forwards, `ydot[t] = a[t] ydot[t-1] + adot[t] y[t-1] + bdot[t]`. What a, b and the start
take in follows by the one structural rule from the formula of a single entry.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Prod, Sum
from symcalc.notation.scans import Recurrence, ReverseScan, Scan
from symcalc.notation.tensors import Access

_OPPOSITE: dict[type[Recurrence], type[Recurrence]] = {Scan: ReverseScan, ReverseScan: Scan}


def local_formula(equation: Equation) -> Any:
    """Return what one entry is computed from: for a recurrence, the entry before it among that."""
    recurrence = equation.recurrence
    if recurrence is None:
        return equation.inner
    t = recurrence.place
    places = (recurrence.before(t) if index == t else index for index in equation.indices)
    before = Where(recurrence.first(t), recurrence.start, Access(equation.target, *places))
    return recurrence.entry(t, before)


def driven(recurrence: Recurrence, place: Index, drive: Any) -> Recurrence:
    """Return the recurrence of the same decay from zero on, with another term.

    Args:
        recurrence: gives the decay.
        place: the index of the entry.
        drive: the term, a formula in that index.
    """
    bound = recurrence.index.fresh()
    decay = recurrence.decay.xreplace({recurrence.index: bound})
    return recurrence.func(decay, drive.xreplace({place: bound}), sp.Integer(0), bound, place)


def run_backwards(recurrence: Recurrence, place: Index, cotangent: Any) -> Recurrence:
    """Return the adjoint of a recurrence: the same recurrence, from its other end.

    Args:
        recurrence: the one to be reversed.
        place: the index of the adjoint's entry.
        cotangent: what comes in for an entry from elsewhere, a formula in that index.
    """
    bound, opposite = recurrence.index.fresh(), _OPPOSITE[type(recurrence)]
    zero = sp.Integer(0)
    backwards = opposite(zero, cotangent.xreplace({place: bound}), zero, bound, place)
    decay = recurrence.decay.xreplace({recurrence.index: backwards.before(bound)})
    if recurrence.index in recurrence.decay.free_symbols:  # beyond the last there is none
        decay = Where(backwards.first(bound), 0, decay)
    return opposite(decay, *backwards.args[1:])


def written_out(recurrence: Recurrence, place: Index, cotangent: Any) -> Any:
    """Return the same adjoint as a sum over every later entry and the decays on the way to it.

    That is what the adjoint is by the chain rule; it is for probes, which have few entries.
    """
    later, way = recurrence.index.fresh(), recurrence.index.fresh()
    forwards = isinstance(recurrence, Scan)
    first, last = (place, later) if forwards else (later, place)
    reached = first <= last
    between = sp.And(first < way, way <= last) if forwards else sp.And(first <= way, way < last)
    decay = recurrence.decay.xreplace({recurrence.index: way})
    product = Prod(Where(between, decay, 1), way)
    return Sum(Where(reached, cotangent.xreplace({place: later}) * product, 0), later)


def all_but_one(body: Any, index: Index) -> tuple[Recurrence, Recurrence]:
    """Return the products of all factors before a place, and of all behind it.

    Args:
        body: the factor, a formula in the index.
        index: also the place.
    """
    found = []
    for kind in (Scan, ReverseScan):
        bound = index.fresh()
        empty = kind(sp.Integer(0), sp.Integer(0), sp.Integer(1), bound, index)
        factor = body.xreplace({index: empty.before(bound)})
        found.append(kind(Where(empty.first(bound), 1, factor), *empty.args[1:]))
    return found[0], found[1]
