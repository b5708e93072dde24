r"""Recurrences as LaTeX: inside a formula as the sum they are, in an equation by the entry before.

Inside: `\sum_{k \ge t} \gamma^{k - t} r_k`, `\prod_{k \le t} x_k`, or with decays that vary
`\sum_{k \le t} \left(\prod_{k < l \le t} a_l\right) b_k`.  In an equation:
`h_t = a_t h_{t-1} + b_t, \quad h_{-1} = 0`.
"""

from __future__ import annotations

from typing import Any, Protocol

import sympy as sp

from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.lettering import Glyph
from symcalc.notation.scans import Recurrence, ReverseScan
from symcalc.notation.tensors import Access


class Writer(Protocol):
    """What writes the parts of a recurrence."""

    def written(self, expr: Any, role: str = "term") -> str:
        """Write an operand, bracketed as its role asks for."""

    def named(self, tensor: Any) -> Glyph:
        """Return how a tensor is written."""

    def enter(self, index: Index) -> str:
        """Give an index a letter."""


def summed(writer: Writer, expr: Recurrence) -> str:
    """Write the entry of a recurrence as a sum over all entries before it."""
    place, letter = writer.written(expr.place), writer.enter(expr.index)
    order = r"\ge" if isinstance(expr, ReverseScan) else r"\le"
    terms = []
    if expr.term != 0:
        terms.append(rf"\sum_{{{letter} {order} {place}}} {_weighted(writer, expr, letter)}")
    if expr.start != 0:
        terms.append(_from_start(writer, expr, letter, order, place))
    return " + ".join(terms) or "0"


def is_sum(expr: Any) -> bool:
    """Whether this is a recurrence that is written as two terms."""
    return isinstance(expr, Recurrence) and expr.term != 0 and expr.start != 0


def _weighted(writer: Writer, expr: Recurrence, letter: str) -> str:
    """Write the term of an entry with the decays that lie on the way from it to the place."""
    backwards = isinstance(expr, ReverseScan)
    if expr.index not in expr.decay.free_symbols:
        steps = expr.index - expr.place if backwards else expr.place - expr.index
        return writer.written(expr.decay**steps * expr.term, "body")
    place, way = writer.written(expr.place), expr.index.fresh()
    between = writer.enter(way)
    decay = writer.written(expr.decay.xreplace({expr.index: way}), "body")
    ends = (rf"{place} \le {between} < {letter}" if backwards else
            rf"{letter} < {between} \le {place}")  # fmt: skip
    term = "" if expr.term == 1 else " " + writer.written(expr.term, "last")
    return rf"\left(\prod_{{{ends}}} {decay}\right){term}"


def _from_start(writer: Writer, expr: Recurrence, letter: str, order: str, place: str) -> str:
    """Write what is left of the start."""
    if expr.index not in expr.decay.free_symbols:
        backwards = isinstance(expr, ReverseScan)
        count = expr.index.extent - expr.place if backwards else expr.place + 1
        return writer.written(expr.decay**count * expr.start)
    product = rf"\prod_{{{letter} {order} {place}}} {writer.written(expr.decay, 'body')}"
    return product if expr.start == 1 else f"{writer.written(expr.start, 'factor')} {product}"


def stepwise(writer: Writer, left: Access, expr: Recurrence) -> str:
    """Write what a recurrence's entry is by the entry before it, and what comes before the first.

    Args:
        writer: writes the parts.
        left: the entry, at the index that the recurrence is asked for.
        expr: the recurrence.
    """
    at = expr.place
    before = Access(left.tensor, *(expr.before(at) if p == at else p for p in left.places))
    shown = writer.written(_unguarded(expr).entry(at, before))
    outside = expr.index.extent if isinstance(expr, ReverseScan) else sp.Integer(-1)
    places = tuple(writer.written(outside if p == at else p) for p in left.places)
    return rf"{shown}, \quad {writer.named(left.tensor).at(places)} = {writer.written(expr.start)}"


def _unguarded(expr: Recurrence) -> Recurrence:
    """Leave out what the decay is at the first entry, where it multiplies zero."""
    decay = expr.decay
    guarded = isinstance(decay, Where) and decay.args[0] == expr.first(expr.index)
    if expr.start != 0 or not guarded:
        return expr
    return expr.func(decay.args[2], *expr.args[1:])
