"""Recurrences as they are written: scans, discounted sums, cumulative sums and products."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.compare import expression
from symcalc.notation.dims import Index
from symcalc.notation.errors import NotationError
from symcalc.notation.reductions import in_bounds, range_of
from symcalc.notation.scans import Recurrence, ReverseScan, Scan


def scan(index: Any, decay: Any, term: Any, start: Any = 0, place: Any = None) -> Any:
    """Return an entry of the sequence that a linear recurrence of first order defines.

    y[t] = a[t] y[t-1] + b[t], with y[-1] = start: `scan(t, a, b)`

    Args:
        index: the letter t; it runs over the largest range in which every access is in bounds.
        decay: a, a formula in t and other indices.
        term: b, likewise.
        start: what stands in for the entry before the first; free of t.
        place: where the value is asked for, such as t + 1 or 0; t itself if not given.

    Returns:
        y at the place, a formula like any other.

    Raises:
        NotationError: no index comes first, the start varies with it, or the place is none.
    """
    return _recurrence(Scan, index, decay, term, start, place)


def reverse_scan(index: Any, decay: Any, term: Any, start: Any = 0, place: Any = None) -> Any:
    """Return an entry of the sequence that a linear recurrence defines from the end on.

    y[t] = a[t] y[t+1] + b[t], with y[T] = start: `reverse_scan(t, gamma, r[t])` are the discounted
    returns, `reverse_scan(t, gamma*lam, delta)` the advantages of GAE.

    Args and errors are those of `scan`.
    """
    return _recurrence(ReverseScan, index, decay, term, start, place)


def cumsum(index: Any, term: Any, place: Any = None) -> Any:
    """Return the sum of a term over all values up to the index, this one included."""
    return _recurrence(Scan, index, 1, term, 0, place, "cumsum")


def reverse_cumsum(index: Any, term: Any, place: Any = None) -> Any:
    """Return the sum of a term over all values from the index on, this one included."""
    return _recurrence(ReverseScan, index, 1, term, 0, place, "reverse_cumsum")


def cumprod(index: Any, term: Any, place: Any = None) -> Any:
    """Return the product of a term over all values up to the index, this one included."""
    return _recurrence(Scan, index, term, 0, 1, place, "cumprod")


def _recurrence(
    kind: type[Recurrence], index: Any, decay: Any, term: Any, start: Any, place: Any,
    spelling: str = "",
) -> Any:  # fmt: skip
    spelling = spelling or kind.spelling
    if not isinstance(index, Index):
        raise NotationError(
            f"{spelling}: expected an index first, as in {spelling}(t, ...), got {index}"
        )
    decay, term, start = map(expression, (decay, term, start))
    place = index if place is None else expression(place)
    if index in start.free_symbols:
        raise NotationError(
            f"{spelling}: expected a start free of the index {index.name}, got {start}"
        )
    low = range_of(index, sp.Tuple(decay, term)).low
    narrowed, both = in_bounds(index, sp.Tuple(decay, term))
    bound = narrowed.fresh()
    decay, term = both.xreplace({narrowed: bound})
    _check_place(spelling, place, bound)
    return kind(decay, term, start, bound, place - low)


def _check_place(spelling: str, place: Any, bound: Index) -> None:
    """A place is an index of the same dim, shifted or not, or a whole number from 0 on."""
    letters = [s for s in place.free_symbols if isinstance(s, Index)]
    fixed = place.is_Integer and place >= 0
    shifted = len(letters) == 1 and (place - letters[0]).is_Integer
    if not fixed and not (shifted and letters[0].dims in ((), bound.dims)):
        raise NotationError(
            f"{spelling}: expected a place such as {bound.name}, {bound.name} + 1 or 0, over "
            f"{bound.extent}, got {place}"
        )


__all__ = ["cumprod", "cumsum", "reverse_cumsum", "reverse_scan", "scan"]
