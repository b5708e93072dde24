"""Delta contraction: what is left of `sum_{s,r} f * [e(s,r) = p]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access


@dataclass(frozen=True)
class Deltas:
    """The Kronecker deltas `[place = p]`, one an axis of an access."""

    access: Access
    at: tuple[Index, ...]

    @property
    def conditions(self) -> list[Any]:
        """The deltas as conditions."""
        return [sp.Eq(p, e) for p, e in zip(self.at, self.access.places, strict=True)]


def expanded(term: Any, deltas: Deltas, summed: tuple[Index, ...]) -> Any:
    """Return the sum as the rule states it, deltas and all."""
    whole = sp.Integer(1)
    for when in deltas.conditions:
        whole = whole * Where(when, 1, 0)
    return _sum_over(term * whole, summed)


def contracted(term: Any, deltas: Deltas, summed: tuple[Index, ...]) -> Any:
    """Return the same sum with every delta used up that can be.

    A plain index is substituted away; a shifted one becomes a shift with its bounds; a repeated one
    a diagonal condition; an integer tensor's entry, or a fixed place, a condition.
    """
    moved: dict[Any, Any] = {}
    bounds: list[Any] = []
    chosen: list[Any] = []
    remaining = list(summed)
    for place, extent, p in zip(
        deltas.access.places, deltas.access.tensor.shape, deltas.at, strict=True
    ):
        index = next((i for i in remaining if i in place.free_symbols and (place - i).is_Integer),
                     None) if not isinstance(place, Access) else None  # fmt: skip
        if index is None:
            chosen.append((p, place))
            continue
        shift = place - index
        moved[index] = p - shift
        remaining.remove(index)
        if shift > 0:
            bounds.append(p >= shift)
        beyond = extent - (index.extent + shift)
        if not (beyond.is_Integer and beyond <= 0):
            bounds.append(p < index.extent + shift)
    # An index may have been substituted after a place that mentions it was set aside.
    result = _moved(term, moved)
    for p, place in chosen:
        when = sp.Eq(p, _moved(place, moved))
        result = result * Where(when, 1, 0)
    if bounds:  # inside the sum, for a sum lifted out must not read beyond them either
        result = Where(sp.And(*bounds), result, 0)
    return _sum_over(result, tuple(remaining))


def _moved(expression: Any, moved: dict[Any, Any]) -> Any:
    return expression.xreplace(moved) if moved else expression


def _sum_over(term: Any, summed: tuple[Index, ...]) -> Any:
    for index in reversed(summed):
        term = Sum.over(index, term)
    return term
