"""Regions: whether two conditions hold in the same places, decided in exact linear arithmetic.

Where comparisons are made of products of linear factors, and of `clip`, `maximum`, `minimum` and
`abs` of such, space falls apart into regions, each given by linear inequalities. Two conditions are
the same if no region in which they differ has a point, which Fourier and Motzkin's elimination
decides. Entries of tensors and hyperparameters are the unknowns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from symcalc.notation import atoms
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.tensors import Access

LESS, AT_MOST, EQUAL = "<", "<=", "="
_MOST = 400  # inequalities in one elimination


class NotLinearError(SymcalcError):
    """A condition is not made of linear factors."""


@dataclass(frozen=True)
class Inequality:
    """sum of coefficient * unknown + constant, compared with zero.

    Args:
        coefficients: of the unknowns, none of them zero.
        constant: the rest.
        relation: "<", "<=" or "=".
    """

    coefficients: frozenset[tuple[Any, Fraction]]
    constant: Fraction
    relation: str


Region = tuple[Inequality, ...]


def hold_alike(left: Any, right: Any, nonzero: Iterable[Any] = ()) -> bool:
    """Whether two conditions hold in the same places.

    Args:
        left: a condition.
        right: another.
        nonzero: unknowns; places where one of them is zero do not count.

    Raises:
        NotLinearError: it cannot be told in this way.
    """
    unknowns = [a for when in (left, right) for a in _unknowns(when)]
    start: list[Region] = [tuple(_known(a) for a in dict.fromkeys(unknowns) if _has_sign(a))]
    for unknown in nonzero:
        start = [r for region in start for r in _split(region, unknown, (-1, 1))]
    for region in start:
        for inside, one in _decided(left, region):
            for _, other in _decided(right, inside):
                if one != other:
                    return False
    return True


def _unknowns(expression: Any) -> list[Any]:
    """The entries and hyperparameters of a formula, in a fixed order."""
    if isinstance(expression, Access):
        return [expression]
    if isinstance(expression, sp.Symbol):
        if isinstance(expression, (Dim, Index)):
            raise NotLinearError(f"regions: expected no index and no extent, got {expression}")
        return [expression]
    return [a for argument in expression.args for a in _unknowns(argument)]


def _has_sign(unknown: Any) -> bool:
    return bool(unknown.is_nonnegative)


def _known(unknown: Any) -> Inequality:
    """What is assumed of an unknown that has a sign."""
    return _inequality(-unknown, LESS if unknown.is_positive else AT_MOST)


def _decided(when: Any, region: Region) -> Iterator[tuple[Region, bool]]:
    """Part a region into those in which a condition holds and those in which it does not."""
    if when in (sp.true, sp.false):
        yield region, bool(when)
    elif isinstance(when, sp.Not):
        yield from ((inside, not holds) for inside, holds in _decided(when.args[0], region))
    elif isinstance(when, (sp.And, sp.Or)):
        settles = isinstance(when, sp.Or)
        first, rest = when.args[0], when.func(*when.args[1:])
        for inside, holds in _decided(first, region):
            if holds == settles:
                yield inside, holds
            else:
                yield from _decided(rest, inside)
    elif isinstance(when, (sp.Lt, sp.Le, sp.Gt, sp.Ge)):
        for inside, gap in _pieces(when.lhs - when.rhs, region):
            for part, sign in _signs(gap, inside):
                yield part, bool(when.func(sp.Integer(sign), 0))
    else:
        raise NotLinearError(f"regions: expected a comparison, got {when}")


def _pieces(expression: Any, region: Region) -> Iterator[tuple[Region, Any]]:
    """Part a region until every choice inside an expression is made."""
    for node in sp.preorder_traversal(expression):
        choices = _choices(node)
        if choices is None:
            continue
        when, then, otherwise = choices
        for inside, holds in _decided(when, region):
            taken = expression.xreplace({node: then if holds else otherwise})
            yield from _pieces(taken, inside)
        return
    yield region, expression


def _choices(node: Any) -> tuple[Any, Any, Any] | None:
    """Write an atom that chooses as a condition and two sides."""
    if isinstance(node, Where):
        return node.args
    if isinstance(node, atoms.clip):
        x, low, high = node.args
        return x < low, low, Where(x > high, high, x)
    if isinstance(node, atoms.maximum):
        return node.args[0] >= node.args[1], *node.args
    if isinstance(node, atoms.minimum):
        return node.args[0] <= node.args[1], *node.args
    if isinstance(node, atoms.abs):
        return node.args[0] >= 0, node.args[0], -node.args[0]
    return None


def _signs(expression: Any, region: Region) -> Iterator[tuple[Region, int]]:
    """Part a region by the sign of a product of linear factors."""
    number, factors = sp.factor_list(expression)
    parted = [(region, int(sp.sign(number)))]
    for factor, power in factors:
        parted = [
            (inside, sign * turn ** int(power))
            for region_so_far, sign in parted
            for turn in (-1, 0, 1)
            for inside in _split(region_so_far, factor, (turn,))
        ]
    yield from parted


def _split(region: Region, expression: Any, signs: Iterable[int]) -> Iterator[Region]:
    """Part a region by the sign of an expression; what has no points is left out."""
    for sign in signs:
        more = (
            _inequality(expression, EQUAL) if sign == 0 else _inequality(-sign * expression, LESS)
        )
        if _has_points((*region, more)):
            yield (*region, more)


def _inequality(expression: Any, relation: str) -> Inequality:
    """Read a linear expression."""
    unknowns = list(dict.fromkeys(_unknowns(expression)))
    if not unknowns:
        return Inequality(frozenset(), _fraction(expression), relation)
    try:
        poly = sp.Poly(expression, *unknowns)
    except sp.PolynomialError:
        raise NotLinearError(f"regions: expected a linear factor, got {expression}") from None
    if poly.total_degree() > 1 or not all(c.is_Rational for c in poly.coeffs()):
        raise NotLinearError(f"regions: expected a linear factor, got {expression}")
    coefficients = {u: _fraction(poly.coeff_monomial(u)) for u in unknowns}
    return Inequality(
        frozenset((u, c) for u, c in coefficients.items() if c),
        _fraction(poly.coeff_monomial(1)),
        relation,
    )


def _fraction(number: Any) -> Fraction:
    if not number.is_Rational:
        raise NotLinearError(f"regions: expected a rational number, got {number}")
    return Fraction(int(number.p), int(number.q))


def _has_points(region: Region) -> bool:
    """Whether some unknowns fulfil all inequalities: one unknown after another is eliminated."""
    left = list(dict.fromkeys(region))
    while True:
        unknown = next((u for each in left for u, _ in _sorted_terms(each)), None)
        if unknown is None:
            return all(_is_fulfilled(each) for each in left)
        left = _eliminated(left, unknown)
        if len(left) > _MOST:
            raise NotLinearError("regions: too many inequalities")


def _sorted_terms(each: Inequality) -> list[tuple[Any, Fraction]]:
    """The terms of an inequality in a fixed order."""
    return sorted(each.coefficients, key=lambda term: str(term[0]))


def _is_fulfilled(each: Inequality) -> bool:
    if each.relation == EQUAL:
        return each.constant == 0
    return each.constant < 0 if each.relation == LESS else each.constant <= 0


def _eliminated(region: list[Inequality], unknown: Any) -> list[Inequality]:
    """What is left of a region when an unknown may be anything."""
    terms = {each: dict(each.coefficients).get(unknown, Fraction(0)) for each in region}
    kept = [each for each in region if not terms[each]]
    fixed = next((e for e in region if terms[e] and e.relation == EQUAL), None)
    if fixed is not None:
        others = [e for e in region if terms[e] and e != fixed]
        return kept + [_joined(e, fixed, -terms[e] / terms[fixed]) for e in others]
    above = [each for each in region if terms[each] > 0]
    below = [each for each in region if terms[each] < 0]
    return list(dict.fromkeys(
        kept + [_joined(a, b, -terms[a] / terms[b]) for a in above for b in below]
    ))  # fmt: skip


def _joined(one: Inequality, other: Inequality, times: Fraction) -> Inequality:
    """One inequality plus a multiple of another; a negative one only of an equation."""
    total = dict(one.coefficients)
    for unknown, coefficient in other.coefficients:
        total[unknown] = total.get(unknown, Fraction(0)) + times * coefficient
    relations = {one.relation, other.relation}
    relation = LESS if LESS in relations else AT_MOST if AT_MOST in relations else EQUAL
    return Inequality(
        frozenset((u, c) for u, c in total.items() if c),
        one.constant + times * other.constant,
        relation,
    )
