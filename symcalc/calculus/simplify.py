"""Targeted simplification: a few rules that a reader can follow, each probed before it is kept."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.fold import fold_definitions
from symcalc.calculus.rewriting import Rule, bottom_up, depends, parted, placed, without
from symcalc.calculus.rules.atoms import complements, exponentials, logistic, mirrored_sigmoids
from symcalc.calculus.rules.averages import distributions, vanishing_deviations
from symcalc.calculus.rules.choices import (
    decided_conditions,
    merge_choices,
    nested_choices,
    one_choice,
    shared_factors,
    steady_choices,
)
from symcalc.calculus.rules.factors import collected, common_factors, one_power, one_sign, squares
from symcalc.calculus.rules.sums import equal_sums
from symcalc.calculus.steps import Step
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, Tensor
from symcalc.notation.text import text

ROUNDS = 12


class RewriteError(SymcalcError):
    """A rewrite changed the value of a formula: a rule is wrong."""


def simplified(
    expression: Any, target: Tensor, indices: tuple[Index, ...], context: Context
) -> tuple[Any, list[Step]]:
    """Apply the rules until none applies; return the result and the steps taken.

    Raises:
        RewriteError: a rule changed the value at a probed point.
    """
    steps: list[Step] = []
    for _ in range(ROUNDS):
        start = expression
        for name, rule in RULES:
            rewritten = rule(expression, context)
            if rewritten == expression:
                continue
            steps.append(_probed(name, target, indices, expression, rewritten, context))
            expression = rewritten
        if expression == start:
            break
    return expression, steps


def _probed(
    name: str, target: Tensor, indices: tuple[Index, ...], before: Any, after: Any,
    context: Context,
) -> Step:  # fmt: skip
    """Return the step, having seen that it holds.

    What holds for any values of the tensors that both sides read holds for theirs; if it does not,
    everything behind those tensors is looked at too. Where those leave no number to compare, the
    least of nothing being infinite, the tensors may have any values again.

    Raises:
        RewriteError: it does not hold.
    """
    for definitions in (context.near, context.behind):
        step = Step(name, target, indices, before, after, (), definitions(before, after))
        if step.holds(points=1):
            return step
    free = Step(name, target, indices, before, after, (), ())
    if free.holds(points=1):
        return free
    where = step.counterexample(points=1)
    raise RewriteError(f"{name}: {text(before)} is not {text(after)}, {where}")


def pull_out(expression: Any, context: Context) -> Any:
    """Take factors that do not depend on the bound index out of a sum or mean."""

    def change(node: Any) -> Any:
        if not isinstance(node, (Sum, Mean)):
            return node
        outside, inside = parted(node.body, node.index)
        if inside == 1:
            return outside * (node.index.extent if isinstance(node, Sum) else 1)
        if outside == 1:
            return node
        return outside * node.func(inside, node.index)

    return bottom_up(expression, change)


def use_indicators(expression: Any, context: Context) -> Any:
    """Collapse a sum over a Kronecker delta: sum_k f(k) [k = e] is f(e), the mean f(e)/n."""

    def change(node: Any) -> Any:
        if not isinstance(node, (Sum, Mean)):
            return node
        share = 1 if isinstance(node, Sum) else 1 / node.index.extent
        for factor in sp.Mul.make_args(node.body):
            if not isinstance(factor, Where) or factor.args[2] != 0:
                continue
            for equality in sp.And.make_args(factor.args[0]):
                place = _pinned(equality, node.index)
                if place is None:
                    continue
                others = [c for c in sp.And.make_args(factor.args[0]) if c != equality]
                rest = Where(sp.And(*others), without(node.body, factor) * factor.args[1], 0)
                collapsed = placed(rest, {node.index: place})
                if collapsed is not None:
                    return share * collapsed
        return node

    return bottom_up(expression, change)


def _pinned(equality: Any, index: Index) -> Any:
    """Return where an equality holds the index, if it does and the place is in range."""
    if not isinstance(equality, sp.Eq):
        return None
    left, right = equality.args
    for mine, other in ((left, right), (right, left)):
        if mine != index or depends(other, index):
            continue
        if isinstance(other, Index) and other.extent == index.extent:
            return other
        if isinstance(other, Access) and other.tensor.domain.below == index.extent:
            return other
    return None


def sums_to_means(expression: Any, context: Context) -> Any:
    """Write a sum divided by its extent as a mean."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Mul):
            return node
        for factor in node.args:
            if isinstance(factor, Sum):
                share = 1 / factor.index.extent
                if share in node.args:
                    return node / factor / share * Mean(*factor.args)
        return node

    return bottom_up(expression, change)


def nothing_recurs(expression: Any, context: Context) -> Any:
    """A recurrence that starts from zero and adds nothing stays at zero."""

    def change(node: Any) -> Any:
        still = isinstance(node, Recurrence) and node.term == 0 and node.start == 0
        return sp.Integer(0) if still else node

    return bottom_up(expression, change)


RULES: tuple[tuple[str, Rule], ...] = (
    ("the range of an index decides a condition", decided_conditions),
    ("factors out of the sum", pull_out),
    ("a choice that a sum does not vary", steady_choices),
    ("a Kronecker delta collapses its sum", use_indicators),
    ("deviations from a mean sum to zero", vanishing_deviations),
    ("the weights of a distribution sum to one", distributions),
    ("a sum over its extent is a mean", sums_to_means),
    ("equal sums are one", equal_sums),
    ("a recurrence of nothing is zero", nothing_recurs),
    ("by definition", fold_definitions),
    ("exp(log sigmoid) and log(sigmoid)", exponentials),
    ("1/(1 + exp(x)) = sigmoid(-x)", logistic),
    ("exp(-x) sigmoid(x) = sigmoid(-x)", mirrored_sigmoids),
    ("1 - sigmoid(x) = sigmoid(-x)", complements),
    ("two halves of a choice", merge_choices),
    ("one condition, one choice", one_choice),
    ("a choice within a choice", nested_choices),
    ("factors that both sides of a choice share", shared_factors),
    ("powers of one base", one_power),
    ("common factors", common_factors),
    ("a perfect square", squares),
    ("common factors of some terms", collected),
    ("a common sign", one_sign),
)

__all__ = ["RULES", "RewriteError", "bottom_up", "simplified", "use_indicators"]
