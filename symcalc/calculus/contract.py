"""Delta contraction: what is left of `sum_{s,r} f * [e(s,r) = p]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.places import affine, extreme
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

    [c i + b = p] gives i = (p - b) / c: a plain index is substituted away, a shifted or a reversed
    one becomes a shift with its bounds, a strided one an exact quotient where c divides p - b. A
    quotient [floor((c i + b) / d) = p] gives the d values of i from (d p - b) / c on. A repeated
    index is a diagonal condition, an integer tensor's entry, or a fixed place, a condition.
    """
    pairs = list(zip(deltas.access.places, deltas.at, strict=True))
    pairs.sort(key=lambda pair: not isinstance(pair[0], Index))  # what is plain is solved first
    return _solved(_Partly(term, tuple(summed)), pairs)


@dataclass(frozen=True)
class _Partly:
    """A sum some of whose deltas are used up.

    Args:
        term: the summand.
        remaining: the indices it is still summed over.
        bounds: conditions on what was put in for the others.
        chosen: deltas that stay conditions.
        moved: what was put in for each index that is gone.
    """

    term: Any
    remaining: tuple[Index, ...]
    bounds: tuple[Any, ...] = ()
    chosen: tuple[tuple[Any, Any], ...] = ()
    moved: dict[Any, Any] = field(default_factory=dict)

    def at(self, expression: Any) -> Any:
        """An expression with what was put in."""
        return expression.xreplace(self.moved) if self.moved else expression

    def put(self, index: Index, value: Any, bounds: list[Any]) -> _Partly:
        """Put a value in for an index."""
        moved = {i: v.xreplace({index: value}) for i, v in self.moved.items()} | {index: value}
        rest = tuple(i for i in self.remaining if i != index)
        return _Partly(self.term, rest, (*self.bounds, *bounds), self.chosen, moved)

    def choose(self, p: Any, place: Any) -> _Partly:
        """Leave a delta as a condition."""
        chosen = (*self.chosen, (p, place))
        return _Partly(self.term, self.remaining, self.bounds, chosen, self.moved)

    def total(self) -> Any:
        """The sum that is left."""
        result = self.at(self.term)
        for p, place in self.chosen:
            result = result * Where(sp.Eq(p, self.at(place)), 1, 0)
        if self.bounds:  # inside the sum, for a sum lifted out must not read beyond them either
            result = Where(sp.And(*map(self.at, self.bounds)), result, 0)
        return _sum_over(result, self.remaining)


def _solved(sums: _Partly, pairs: list[tuple[Any, Index]]) -> Any:
    """Use up the deltas one after another."""
    if not pairs:
        return sums.total()
    (written, p), *others = pairs
    place = sums.at(written)
    if isinstance(place, sp.floor):
        return _quotient(sums, place, p, others)
    apart = None if isinstance(place, Access) else affine(place)
    found = {} if apart is None else apart.coefficients
    index = min(
        (i for i in sums.remaining if i in found), key=lambda i: abs(found[i]), default=None
    )
    if apart is None or index is None:
        return _solved(sums.choose(p, written), others)
    c, rest = found[index], apart.without(index)
    value = sp.expand(p - rest) / c
    divides = [] if abs(c) == 1 else [sp.Eq(sp.Mod(sp.expand(p - rest), abs(c)), 0)]
    bounds = [*divides, *_within(p, rest, c, index)]
    return _solved(sums.put(index, value if abs(c) == 1 else sp.floor(value), bounds), others)


def _within(p: Index, rest: Any, c: int, index: Index) -> list[Any]:
    """The conditions 0 <= (p - rest) / c < extent, less what holds for every p anyway."""
    found = []
    apart = affine(c // abs(c) * (p - rest))
    least = None if apart is None else extreme(apart, False)
    greatest = None if apart is None else extreme(apart, True)
    if least is None or not least.is_nonnegative:
        found.append(p >= rest if c > 0 else p <= rest)
    beyond = None if greatest is None else _floor(greatest, abs(c)) - index.extent
    if beyond is None or not (sp.expand(beyond).is_Integer and sp.expand(beyond) < 0):
        end = sp.expand(c * index.extent + rest)
        found.append(p < end if c > 0 else p > end)
    return found


def _floor(value: Any, divisor: int) -> Any:
    return value if divisor == 1 else sp.floor(sp.expand(value / divisor))


def _quotient(sums: _Partly, place: Any, p: Index, others: list[tuple[Any, Index]]) -> Any:
    """Sum over the remainders r of [floor(u / d) = p], u = d p + r."""
    above, below = sp.together(place.args[0]).as_numer_denom()
    apart = affine(above)
    found = {} if apart is None or not below.is_Integer else apart.coefficients
    index = next((i for i in sums.remaining if abs(found.get(i, 0)) == 1), None)
    if apart is None or index is None:
        return _solved(sums.choose(p, place), others)
    c, rest = found[index], apart.without(index)
    total = sp.Integer(0)
    for remainder in range(int(below)):
        value = sp.expand((below * p + remainder - rest) / c)
        inside = [value >= 0, value < index.extent]
        total += _solved(sums.put(index, value, inside), others)
    return total


def _sum_over(term: Any, summed: tuple[Index, ...]) -> Any:
    for index in reversed(summed):
        term = Sum.over(index, term)
    return term
