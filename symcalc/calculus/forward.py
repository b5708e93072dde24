"""Forward mode: the transpose of the reverse rule, applied from the inputs on.

For `S[s] = sum_r(body)`, `Sdot[s] = sum_r sum_a d(body)/d(a) * Tdot[e(s,r)]` over the distinct
accesses `a = T[e(s,r)]`; other reductions weigh each r by their own derivative. Equations are
closed under it, so that the tangents of a gradient are a Hessian-vector product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation, Lifter, Namer
from symcalc.calculus.partial import Partial
from symcalc.calculus.recurrences import driven, local_formula
from symcalc.calculus.simplify import simplified
from symcalc.calculus.slopes import Slopes, active, along, partial
from symcalc.calculus.steps import Step
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor, accesses


@dataclass(frozen=True)
class Tangents:
    """What a forward pass found.

    Args:
        equations: those given, with those of the tangents among them.
        of: the tangent of each tensor that moves; one that turns out to be zero has none.
        steps: what was done, in order.
    """

    equations: tuple[Equation, ...]
    of: Mapping[Tensor, Tensor]
    steps: tuple[Step, ...]


def tangents(
    equations: tuple[Equation, ...], directions: Mapping[str, Tensor], namer: Namer
) -> Tangents:
    """Differentiate equations along a direction.

    Args:
        equations: each standing on those before it.
        directions: for each tensor that moves, by name, the tensor of its direction.
        namer: hands out the tangents' names.
    """
    context = Context(equations)
    slopes = Slopes(context, namer)
    moving = active(list(equations), set(directions))
    lifter = Lifter(namer)
    found: dict[Tensor, Tensor] = {}
    steps: list[Step] = []
    for equation in equations:
        if equation.target not in moving or equation.target.name in directions:
            continue
        before, after = _tangent(equation, slopes, directions, found)
        target = Tensor(f"{equation.target.name}_dot", equation.target.shape)
        steps.append(
            Step(
                "the tangent rule", target, equation.indices, before, after,
                (f"through {equation.target.name}",), context.near(before, after),
            )
        )  # fmt: skip
        body, made = simplified(after, target, equation.indices, context)
        steps.extend(made)
        if body != 0:
            found[equation.target] = lifter.define(target.name, equation.indices, body)
    return Tangents(merged(context.equations, lifter.equations), found, tuple(steps))


def _tangent(
    equation: Equation,
    slopes: Slopes,
    directions: Mapping[str, Tensor],
    found: Mapping[Tensor, Tensor],
) -> tuple[Any, Any]:
    """The tangent of one equation by those of what it reads: as the rule says it, and worked out.

    Both stand under one reduction, whose derivative by its body is the same in both.
    """
    written, taken = [], []
    formula, recurrence = local_formula(equation), equation.recurrence
    for access in accesses(formula):
        tangent = directions.get(access.tensor.name) or found.get(access.tensor)
        if tangent is not None:
            moves = Access(tangent, *access.places)
            taken.append(along(formula, access, moves, partial))
            written.append(along(formula, access, moves, Partial))
    before, after = sp.Add(*written), sp.Add(*taken)
    if recurrence is not None and written:
        place = recurrence.place
        return driven(recurrence, place, before), driven(recurrence, place, after)
    reduction = equation.reduction
    if reduction is None or not written:
        return before, after
    local = slopes.of_reduction(equation)
    return Sum.over(reduction.index, local * before), Sum.over(reduction.index, local * after)


def merged(equations: list[Equation], more: list[Equation]) -> tuple[Equation, ...]:
    """Put two lists together so that each equation stands on those before it."""
    known = {equation.target: equation for equation in (*equations, *more)}
    done: dict[Tensor, Equation] = {}
    for equation in (*equations, *more):
        waiting = [(equation, False)]
        while waiting:
            one, ready = waiting.pop()
            if one.target in done:
                continue
            if ready:
                done[one.target] = one
                continue
            waiting.append((one, True))
            needed = sorted({a.tensor for a in one.body.atoms(Access)} & known.keys(), key=str)
            waiting += [(known[tensor], False) for tensor in needed]
    return tuple(done.values())
