"""Places: what may stand in brackets, and how far an index runs for every place to be in bounds.

A place is affine: a sum of indices times whole numbers, extents and a whole number, as in
`x[2*i+1]`, `x[i+j]` and `x[n-1-i]`. Derivatives of strided accesses add exact quotients,
`floor((p-1)/2)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.notation.dims import FAR, Dim, Index


@dataclass(frozen=True)
class Affine:
    """A place taken apart: sum of coefficient times index, and what holds no index.

    Args:
        coefficients: of each index, none of them zero.
        rest: extents and a whole number.
    """

    coefficients: dict[Index, int]
    rest: Any

    def without(self, index: Index) -> Any:
        """The place less the term of one index."""
        others = (c * i for i, c in self.coefficients.items() if i != index)
        return sp.Add(*others, self.rest)


def affine(place: Any) -> Affine | None:
    """Return a place taken apart, or None if it is not affine in its indices."""
    coefficients: dict[Index, int] = {}
    rest: list[Any] = []
    for term in sp.Add.make_args(sp.expand(place)):
        number, factor = term.as_coeff_Mul()
        if isinstance(factor, Index) and number.is_Integer:
            coefficients[factor] = coefficients.get(factor, 0) + int(number)
        elif is_size(term):
            rest.append(term)
        else:
            return None
    return Affine({i: c for i, c in coefficients.items() if c}, sp.Add(*rest))


def is_size(term: Any) -> bool:
    """Whether a term is made of extents and whole numbers alone."""
    if not term.is_integer or not all(isinstance(s, Dim) for s in term.free_symbols):
        return False
    return all(isinstance(node, _OF_SIZES) for node in sp.preorder_traversal(term))


# An argmax is a whole number whose index is bound, and no size.
_OF_SIZES = (sp.Integer, Dim, sp.Add, sp.Mul, sp.Pow, sp.floor, sp.Mod, sp.Min, sp.Max, sp.Rational)


def extreme(expression: Affine, greatest: bool) -> Any:
    """Return the greatest or least value of an affine place, its indices at their ends."""
    total = expression.rest
    for index, coefficient in expression.coefficients.items():
        if (coefficient > 0) == greatest:
            total += coefficient * (index.extent - 1)
    return sp.expand(total)


@dataclass(frozen=True)
class Look:
    """A place that is looked at.

    Args:
        place: the place.
        extent: of its axis.
        below: whether it might be less than 0, for all that the conditions around it say.
        above: whether it might lie beyond the axis.
    """

    place: Any
    extent: Any
    below: bool = True
    above: bool = True


@dataclass(frozen=True)
class Range:
    """The values an index may take: from `low` on, `count` of them."""

    low: Any
    count: Any


def range_in(index: Index, looks: Iterable[Look], ranged: frozenset[Index]) -> Range | None:
    """Return the largest range in which every place that an index stands in is in bounds.

    0 <= c i + rest < extent for all values of the other indices. A place that holds an index not in
    `ranged` is left to that index, which is bound further out.

    Args:
        index: the index.
        looks: the places.
        ranged: the other indices whose range is settled.

    Returns:
        The range, or None where nothing tells how far the index runs.
    """
    lows: list[Any] = [sp.Integer(0)]
    tops: dict[int, list[Any]] = {}
    if index.extent != FAR:
        tops[1] = [index.extent - 1]
    for look in looks:
        extent = look.extent
        apart = affine(look.place) if index in look.place.free_symbols else None
        if apart is None or index not in apart.coefficients:
            continue
        c = apart.coefficients[index]
        rest = affine(apart.without(index))
        if rest is None or not set(rest.coefficients) <= ranged:
            continue
        least, greatest = extreme(rest, False), extreme(rest, True)
        if look.below and c > 0:
            lows.append(_quotient(-least + c - 1, c))
        elif look.below:
            tops.setdefault(-c, []).append(least)
        if look.above and c > 0:
            tops.setdefault(c, []).append(sp.expand(extent - 1 - greatest))
        elif look.above:
            lows.append(_quotient(greatest - extent - c, -c))
    if not tops:
        return None
    low = _most(lows, sp.Max)
    counts = [end - low + 1 for end in tops.pop(1, [])]
    counts += [_quotient(_most(each, sp.Min), c) - low + 1 for c, each in sorted(tops.items())]
    return Range(low, _most(counts, sp.Min))


def with_quotients(expression: Any) -> Any:
    """Write floor(u / d) as quotient(u, d), to be computed in whole numbers: floats round u / d."""
    for node in expression.atoms(sp.floor):
        expression = expression.xreplace(
            {node: Quotient(*sp.together(node.args[0]).as_numer_denom())}
        )
    return expression


class Quotient(sp.Function):
    """The greatest whole number of at most u / d."""

    nargs = 2


def _quotient(numerator: Any, divisor: int) -> Any:
    return sp.expand(numerator) if divisor == 1 else sp.floor(sp.expand(numerator) / divisor)


def _most(values: list[Any], kind: Any) -> Any:
    """Return the greatest or least; those that differ by a whole number are compared at once."""
    kept: list[Any] = []
    for value in dict.fromkeys(sp.expand(v) for v in values):
        for place, other in enumerate(kept):
            gap = sp.expand(value - other)
            above = never_negative(gap)
            if above or never_negative(-gap):
                kept[place] = value if above == (kind is sp.Max) else other
                break
        else:
            kept.append(value)
    return kept[0] if len(kept) == 1 else kind(*kept)


def never_negative(gap: Any) -> bool:
    """Whether a whole expression of dims, each at least 1, is seen to be no less than zero."""
    low = gap
    for quotient in gap.atoms(sp.floor):
        sign = sp.expand(gap).coeff(quotient)
        low = low.xreplace({quotient: quotient.args[0] - (1 if sign > 0 else 0)})
    dims = sorted(low.free_symbols, key=str)
    beyond = sp.expand(low.xreplace({dim: dim + 1 for dim in dims}))
    if not dims:
        return bool(beyond >= 0)
    if not beyond.is_polynomial(*dims):
        return False
    return all(c >= 0 for c in sp.Poly(beyond, *dims).coeffs())
