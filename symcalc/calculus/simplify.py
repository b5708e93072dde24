"""Targeted simplification: a few rules that a reader can follow, each probed before it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.fold import fold_definitions
from symcalc.calculus.steps import Step
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.reductions import Mean, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor

ROUNDS = 12


class RewriteError(SymcalcError):
    """A rewrite changed the value of a formula: a rule is wrong."""


Rule = Callable[[Any, Context], Any]


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
    everything behind those tensors is looked at too.

    Raises:
        RewriteError: it does not hold.
    """
    for definitions in (context.near, context.behind):
        step = Step(name, target, indices, before, after, (), definitions(before, after))
        if step.holds(points=1):
            return step
    raise RewriteError(f"{name}: {before} is not {after}")


def bottom_up(expression: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild an expression, changing every node after its arguments."""
    if not expression.args or isinstance(expression, Access):
        return expression
    arguments = [bottom_up(argument, change) for argument in expression.args]
    if isinstance(expression, Reduction):
        rebuilt = expression.func(*arguments)
    else:
        same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
        rebuilt = expression if same else expression.func(*arguments)
    return change(rebuilt)


def _depends(expression: Any, index: Index) -> bool:
    return index in expression.free_symbols


def pull_out(expression: Any, context: Context) -> Any:
    """Take factors that do not depend on the bound index out of a sum or mean."""

    def change(node: Any) -> Any:
        if not isinstance(node, (Sum, Mean)):
            return node
        outside, inside = _split(node.body, node.index)
        if inside == 1:
            return outside * (node.index.extent if isinstance(node, Sum) else 1)
        if outside == 1:
            return node
        return outside * node.func(inside, node.index)

    return bottom_up(expression, change)


def _split(body: Any, index: Index) -> tuple[Any, Any]:
    """Part a product into the factors free of an index and the rest."""
    factors = sp.Mul.make_args(body)
    outside = [f for f in factors if not _depends(f, index)]
    inside = [f for f in factors if _depends(f, index)]
    return sp.Mul(*outside), sp.Mul(*inside)


def use_indicators(expression: Any, context: Context) -> Any:
    """Collapse a sum over a Kronecker delta: sum_k f(k) [k = e] is f(e)."""

    def change(node: Any) -> Any:
        if not isinstance(node, Sum):
            return node
        for factor in sp.Mul.make_args(node.body):
            place = _pinned(factor, node.index)
            if place is not None:
                rest = _without(node.body, factor)
                return (rest * factor.args[1]).xreplace({node.index: place})
        return node

    return bottom_up(expression, change)


def _pinned(factor: Any, index: Index) -> Any:
    """Return where an indicator holds the index, if it does and the place is in range."""
    if (
        not isinstance(factor, Where)
        or factor.args[2] != 0
        or not isinstance(factor.args[0], sp.Eq)
    ):
        return None
    left, right = factor.args[0].args
    for mine, other in ((left, right), (right, left)):
        if mine != index or _depends(other, index):
            continue
        if isinstance(other, Index) and other.extent == index.extent:
            return other
        if isinstance(other, Access) and other.tensor.domain.below == index.extent:
            return other
    return None


def vanishing_deviations(expression: Any, context: Context) -> Any:
    """Deviations from a mean sum to zero: sum_j (x[i,j] - mu[i]) = 0 where mu is their mean."""

    def change(node: Any) -> Any:
        if isinstance(node, (Sum, Mean)):
            _, inside = _split(node.body, node.index)
            if isinstance(inside, sp.Add) and _is_deviation(inside, node.index, context):
                return sp.Integer(0)
        return node

    return bottom_up(expression, change)


def _is_deviation(body: Any, index: Index, context: Context) -> bool:
    """Whether the body is c (e - mean(e)) with c free of the index."""
    for term in body.args:
        scale, access = term.as_coeff_Mul()
        if not isinstance(access, Access) or _depends(access, index):
            continue
        equation = context.definition(access.tensor)
        if equation is None or not isinstance(equation.body, Mean):
            continue
        mean = equation.at(access.places)
        if mean.index.extent == index.extent:
            expected = scale * (access - mean.body.xreplace({mean.index: index}))
            if sp.expand(body - expected) == 0:
                return True
    return False


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


def common_factors(expression: Any, context: Context) -> Any:
    """Take the factors that all terms of a sum share in front of it."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add):
            return node
        content, primitive = node.primitive()
        tables = [_factor_table(term) for term in sp.Add.make_args(primitive)]
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


def _factor_table(term: Any) -> dict[Any, Any]:
    """Return a term's factors and their numeric exponents, each number a factor of its own."""
    table: dict[Any, Any] = {}
    for factor in sp.Mul.make_args(term):
        base, exponent = factor.as_base_exp()
        if factor.is_Number or not exponent.is_Number:
            base, exponent = factor, sp.Integer(1)
        table[base] = table.get(base, sp.Integer(0)) + exponent
    return table


def merge_choices(expression: Any, context: Context) -> Any:
    """Write a [c] + b [not c] as the choice where(c, a, b)."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Add):
            return node
        sides: dict[Any, tuple[list[Any], list[Any]]] = {}
        rest = []
        for term in node.args:
            indicator = next((f for f in sp.Mul.make_args(term) if _is_indicator(f)), None)
            if indicator is None:
                rest.append(term)
                continue
            taken = sides.setdefault(indicator.args[0], ([], []))
            taken[0 if indicator.args[1] == 1 else 1].append(_without(term, indicator))
        if not any(then and otherwise for then, otherwise in sides.values()):
            return node
        for when, (then, otherwise) in sides.items():
            if then and otherwise:
                rest.append(Where(when, sp.Add(*then), sp.Add(*otherwise)))
            else:
                rest += [term * Where(when, 1, 0) for term in then]
                rest += [term * Where(when, 0, 1) for term in otherwise]
        return sp.Add(*rest)

    return bottom_up(expression, change)


def _is_indicator(factor: Any) -> bool:
    return isinstance(factor, Where) and factor.args[1:] in ((1, 0), (0, 1))


def _without(term: Any, factor: Any) -> Any:
    """Return a product less one of its factors."""
    factors = list(sp.Mul.make_args(term))
    factors.remove(factor)
    return sp.Mul(*factors)


RULES: tuple[tuple[str, Rule], ...] = (
    ("factors out of the sum", pull_out),
    ("a Kronecker delta collapses its sum", use_indicators),
    ("deviations from a mean sum to zero", vanishing_deviations),
    ("a sum over its extent is a mean", sums_to_means),
    ("by definition", fold_definitions),
    ("two halves of a choice", merge_choices),
    ("common factors", common_factors),
)
