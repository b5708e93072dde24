"""Gaussian expectations become formulas: a closed form, or Gauss-Hermite quadrature."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.gaussian import NoClosedFormError, closed_form, unnamed
from symcalc.notation.dims import Index
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.reductions import Sum
from symcalc.notation.tables import HermiteNode, HermiteWeight
from symcalc.notation.tensors import Access


@dataclass(frozen=True)
class Expansion:
    """What became of one expectation.

    Args:
        node: the expectation, its method settled: "closed" or "quadrature".
        formula: what it is computed by.
    """

    node: GaussianExpectation
    formula: Any


@dataclass(frozen=True)
class Expanded:
    """A formula with no Gaussian expectation left, and what each became, inner ones first."""

    body: Any
    expansions: tuple[Expansion, ...]


@functools.lru_cache(maxsize=256)
def expanded(body: Any) -> Expanded:
    """Replace every Gaussian expectation of a formula.

    Raises:
        NoClosedFormError: a closed form was asked for, and none is known.
    """
    found: dict[Expansion, None] = {}
    return Expanded(_without(sp.sympify(body), found), tuple(found))


def _without(expression: Any, found: dict[Expansion, None]) -> Any:
    if isinstance(expression, Access) or not expression.has(GaussianExpectation):
        return expression
    rebuilt = expression.func(*(_without(argument, found) for argument in expression.args))
    if not isinstance(rebuilt, GaussianExpectation):
        return rebuilt
    made = _settled(rebuilt)
    found.setdefault(made)
    return made.formula


@functools.lru_cache(maxsize=256)
def _settled(node: GaussianExpectation) -> Expansion:
    """Choose how one expectation is computed."""
    if node.method != "quadrature":
        try:
            return Expansion(node.by("closed"), closed_form(node))
        except NoClosedFormError:
            if node.method == "closed":
                raise
    return Expansion(node.by("quadrature"), quadrature(node))


def quadrature(node: GaussianExpectation) -> Any:
    """Return the Gauss-Hermite sum: sum_q w_q f(mu + sigma x_q)."""
    count = sp.Integer(node.nodes)
    q = Index("q", count)
    drawn = node.mean + node.deviation * HermiteNode(count, q)
    body = unnamed(node.body, node.variable).xreplace({node.variable: drawn})
    return Sum(HermiteWeight(count, q) * body, q)
