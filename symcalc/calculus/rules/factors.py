"""Factors: what several terms share stands in front of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.rewriting import bottom_up
from symcalc.notation.dims import Dim
from symcalc.notation.reductions import Reduction
from symcalc.notation.tensors import Access


def common_factors(expression: Any, context: Context) -> Any:
    """Take the factors that all terms of a sum share in front of it."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add):
            return node
        content, primitive = _content(node)
        tables = _factor_tables(sp.Add.make_args(primitive))
        shared = {
            base: min((table.get(base, sp.Integer(0)) for table in tables), key=sp.Abs)
            for base, exponent in tables[0].items()
            if base.is_Number is not True
            and all(table.get(base, 0) * exponent > 0 for table in tables)
        }
        if not shared and content == 1:
            return node
        inside = sp.Add(*(
            sp.Mul(*(base ** (power - shared.get(base, 0)) for base, power in table.items()))
            for table in tables
        ))  # fmt: skip
        front = sp.Mul(content, *(base**power for base, power in shared.items()))
        return sp.Mul(front, inside, evaluate=False) if front.is_Number else front * inside

    return bottom_up(expression, change)


def _content(total: Any) -> tuple[Any, Any]:
    """Part a sum into a number and the rest, if that leaves no more numbers than there were."""
    content, primitive = total.primitive()
    before, after = (
        sum(abs(term.as_coeff_Mul()[0]) != 1 for term in sp.Add.make_args(side))
        for side in (total, primitive)
    )
    return (content, primitive) if after < before else (sp.Integer(1), total)


def _factor_tables(terms: Iterable[Any]) -> list[dict[Any, Any]]:
    """Return each term's factors and their numeric exponents, a number being one of its own.

    Of a bracket and its negative, a - b and b - a, the one that comes first counts as the factor.
    """
    brackets: set[Any] = set()
    return [_factor_table(term, brackets) for term in terms]


def _factor_table(term: Any, brackets: set[Any]) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    sign = sp.Integer(1)
    for factor in sp.Mul.make_args(term):
        base, exponent = factor.as_base_exp()
        if factor.is_number or not exponent.is_Number:
            base, exponent = factor, sp.Integer(1)
        elif isinstance(base, sp.Add) and exponent.is_Integer:
            if -base in brackets:
                base, sign = -base, sign * (-1) ** exponent
            brackets.add(base)
        table[base] = table.get(base, sp.Integer(0)) + exponent
    if sign != 1:
        table[sign] = table.get(sign, sp.Integer(0)) + 1
    return table


def squares(expression: Any, context: Context) -> Any:
    """Write a^2 - 2 a b + b^2 as (a - b)^2, which keeps its digits where a and b are close."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add) or len(node.args) < 3:
            return node
        brackets = {p.base: sp.Dummy(real=True) for p in node.atoms(sp.Pow) if p.base.is_Add}
        terms = sp.Add.make_args(sp.expand_mul(node.xreplace(brackets)))
        whole = {letter: bracket for bracket, letter in brackets.items()}
        return node if len(terms) != 3 else _square(terms, node).xreplace(whole)

    return bottom_up(expression, change)


def _square(terms: Any, otherwise: Any) -> Any:
    """The square that three terms are; something else where they are none."""
    for crossed in terms:
        roots = [_root(term) for term in terms if term is not crossed]
        if None in roots:
            continue
        for sign in (1, -1):
            if crossed == 2 * sign * roots[0] * roots[1]:
                return (roots[0] + sign * roots[1]) ** 2
    return otherwise


def _root(term: Any) -> Any:
    """The square root of a product of even powers, up to its sign; None of anything else."""
    number, rest = term.as_coeff_Mul()
    parts = [factor.as_base_exp() for factor in sp.Mul.make_args(rest) if factor != 1]
    even = all(power.is_Integer and power % 2 == 0 for _, power in parts)
    root = sp.sqrt(number)
    if not even or not root.is_Rational or not number.is_positive:
        return None
    return root * sp.Mul(*(base ** (power / 2) for base, power in parts))


def collected(expression: Any, context: Context) -> Any:
    """Take what most terms of a sum share in front of them: a r + b r + c is (a + b) r + c.

    A sum that is itself summed over an index stays as it is: each of its terms may be a product of
    matrices.
    """
    summed = {reduction.body for reduction in expression.atoms(Reduction)}

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add) or len(node.args) < 3 or node in summed:
            return node
        tables = dict(zip(node.args, _factor_tables(node.args), strict=True))
        uses: dict[Any, list[Any]] = {}
        for term, table in tables.items():
            for base, exponent in table.items():
                if base.atoms(Access, sp.Symbol) - base.atoms(Dim) and exponent.is_number:
                    uses.setdefault((base, exponent.is_positive), []).append(term)
        most = max((len(terms) for terms in uses.values()), default=0)
        if most < 2 or most == len(node.args):
            return node
        (base, _), terms = min(
            ((key, terms) for key, terms in uses.items() if len(terms) == most),
            key=lambda use: str(use[0]),
        )
        power = min((tables[term][base] for term in terms), key=sp.Abs)
        inside = sp.Add(*(_divided(tables[term], base, power) for term in terms))
        return sp.Add(*(t for t in node.args if t not in terms)) + base**power * inside

    return bottom_up(expression, change)


def _divided(table: dict[Any, Any], base: Any, power: Any) -> Any:
    rest = {**table, base: table[base] - power}
    return sp.Mul(*(factor**exponent for factor, exponent in rest.items()))


def one_power(expression: Any, context: Context) -> Any:
    """Write x^a x as x^(a + 1)."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Mul):
            return node
        exponents: dict[Any, list[Any]] = {}
        for factor in node.args:
            base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.Integer(1))
            exponents.setdefault(base, []).append(exponent)
        if all(len(several) == 1 for several in exponents.values()):
            return node
        return sp.Mul(*(base ** sp.Add(*several) for base, several in exponents.items()))

    return bottom_up(expression, change)


def one_sign(expression: Any, context: Context) -> Any:
    """Write (-a - b) c as -(a + b) c, and -(a - b) c as (b - a) c."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Mul):
            return node
        negative = node.as_coeff_Mul()[0].is_negative
        for factor in node.args:
            if not isinstance(factor, sp.Add):
                continue
            signs = [bool(term.as_coeff_Mul()[0].is_negative) for term in factor.args]
            if all(signs) if not negative else 2 * sum(signs) >= len(signs):
                rest = -sp.Mul(*(f for f in node.args if f is not factor))
                return sp.Mul(rest, -factor, evaluate=not rest.is_Number or rest == 1)
        return node

    return bottom_up(expression, change)
