"""Forward mode: the transpose of the reverse rule, applied from the inputs on.

For `S[s] = reduce_r(body)`, `Sdot[s] = sum_r sum_a d(reduce body)/d(a) * Tdot[e(s,r)]` over the
distinct accesses `a = T[e(s,r)]`. Equations are closed under it, so that the tangents of a gradient
are a Hessian-vector product.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation, Lifter, Namer
from symcalc.calculus.simplify import simplified
from symcalc.calculus.slopes import Slopes, active, guarded, partial
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor, accesses


def tangents(
    equations: tuple[Equation, ...], directions: dict[str, Tensor], namer: Namer
) -> tuple[tuple[Equation, ...], dict[Tensor, Tensor]]:
    """Differentiate equations along a direction.

    Args:
        equations: each standing on those before it.
        directions: for each input that moves, the tensor of its direction.
        namer: hands out the tangents' names.

    Returns:
        The equations with those of the tangents among them, and the tangent of each tensor that
        moves; one that turns out to be zero has none.
    """
    context = Context(equations)
    slopes = Slopes(context, namer)
    moving = active(list(equations), set(directions))
    lifter = Lifter(namer)
    found: dict[Tensor, Tensor] = {}
    for equation in equations:
        if equation.target not in moving:
            continue
        total = _tangent(equation, slopes, directions, found)
        target = Tensor(f"{equation.target.name}_dot", equation.target.shape)
        body, _ = simplified(total, target, equation.indices, context)
        if body != 0:
            found[equation.target] = lifter.define(target.name, equation.indices, body)
    return _merged(context.equations, lifter.equations), found


def _tangent(
    equation: Equation, slopes: Slopes, directions: dict[str, Tensor], found: dict[Tensor, Tensor]
) -> Any:
    """The tangent of one equation, by the tangents of what it reads."""
    terms = []
    for access in accesses(equation.inner):
        tangent = directions.get(access.tensor.name) or found.get(access.tensor)
        if tangent is not None:
            along = Access(tangent, *access.places)
            terms.append(guarded(access, partial(equation.inner, access) * along))
    total = sp.Add(*terms)
    reduction = equation.reduction
    if reduction is None or total == 0:
        return total
    return Sum.over(reduction.index, slopes.of_reduction(equation) * total)


def _merged(equations: list[Equation], more: list[Equation]) -> tuple[Equation, ...]:
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
