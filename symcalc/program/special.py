"""Stages of their own: matrix products, sums by label, sums around a mean.

C[i,j] = sum_k A[i,k] B[k,j]              one matrix product
T[v,k] = sum_i [v == y[i]] f(i,k)         for i: T[y[i],k] += f(i,k)
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index, unused
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.pivots import Recentred
from symcalc.program.primitives import to_primitives
from symcalc.program.program import Accumulate, Contract, Loop, Node, Recentre, Stage, Start
from symcalc.program.spare import names_a_place


def own_stage(equation: Equation, taken: set[str]) -> Stage | None:
    """Return the stage of a matrix product or of a sum by label; None for anything else.

    Args:
        equation: as it is to be lowered.
        taken: letters that its loops must not have.
    """
    if isinstance(equation.body, Recentred):
        return Stage(None, (Recentre(equation.target, equation.indices, equation.body),))
    if not isinstance(equation.body, Sum):
        return None
    return _contraction(equation, taken) or _scatter(equation, taken)


def buffered(equations: list[Equation], outputs: set[Tensor], namer: Namer) -> list[Equation]:
    """Return equations in which no output array is added to entry by entry.

    An output may be of less precision than its sums are kept in, and the array of a scalar output
    is no place for a running total.

    Args:
        equations: as they are to be lowered.
        outputs: the arrays handed back, which do not include numbers.
        namer: of the sums.
    """
    found = []
    for equation in equations:
        target, indices = equation.target, equation.indices
        scattered = isinstance(equation.body, Sum) and _scatter(equation, set())
        if target in outputs and (scattered or (equation.reduction and not indices)):
            sums = Tensor(namer.name(f"{target.name}_sum"), target.shape)
            found.append(Equation(sums, indices, equation.body))
            equation = Equation(target, indices, Access(sums, *indices))
        found.append(equation)
    return found


def _contraction(equation: Equation, taken: set[str]) -> Stage | None:
    """C[b,i,j] = sum_k A[b,i,k] B[b,k,j], in any order of A's and B's last two places."""
    factors = sp.Mul.make_args(equation.body.body)
    bound, indices = equation.body.index, equation.indices
    if len(factors) != 2 or not all(isinstance(f, Access) for f in factors) or len(indices) < 2:
        return None
    *batch, row, column = indices
    for left, right in (factors, factors[::-1]):
        if is_matrix(left, batch, row, bound) and is_matrix(right, batch, column, bound):
            letters = _letters(batch, taken)
            node: Node = Contract(
                equation.target, indices, equation.body.body, bound, left, right
            ).under(letters)
            for index in reversed(batch):
                node = Loop(letters[index], (node,))
            return Stage(None, (node,))
    return None


def is_matrix(access: Access, batch: list[Index], free: Index, bound: Index) -> bool:
    """Whether an access reads a whole matrix, or one of a batch, in either order of its axes."""
    places = access.places
    return places[:-2] == tuple(batch) and set(places[-2:]) == {free, bound}


def _scatter(equation: Equation, taken: set[str]) -> Stage | None:
    """A sum over i of what is zero unless a free index is the label at i."""
    bound, indices = equation.body.index, equation.indices
    found = _by_label(equation.body.body, bound, indices)
    if found is None:
        return None
    index, label, term = found
    others = [other for other in indices if other != index]
    letters = _letters([bound, *others], taken)
    left = Access(equation.target, *(label if i == index else i for i in indices)).xreplace(letters)
    value = to_primitives(term.xreplace({index: label})).xreplace(letters)
    node: Node = Accumulate(equation.target, left.places, "sum", value, letters[bound])
    for other in reversed([bound, *others]):
        node = Loop(letters[other], (node,))
    places = _letters(list(indices), taken)
    start = Start(equation.target, tuple(places.values()), tuple(places.values()), "sum")
    return Stage(None, (start, node))


def _by_label(term: Any, bound: Index, indices: tuple[Index, ...]) -> Any:
    """Return (free index, label, rest) where a term is [index == label] rest."""
    for factor in sp.Mul.make_args(term):
        if not isinstance(factor, Where) or not isinstance(factor.args[0], sp.Eq):
            continue
        when, then, otherwise = factor.args
        for index, label in (when.args, when.args[::-1]):
            known = index in indices and names_a_place(label, index)
            if known and otherwise == 0 and bound in label.free_symbols:
                if not label.free_symbols & set(indices):
                    rest = sp.Mul(*(f for f in sp.Mul.make_args(term) if f is not factor))
                    return index, label, rest * then
    return None


def _letters(indices: list[Index], taken: set[str]) -> dict[Index, Index]:
    """Give each index a loop of its own, under a letter that nothing else has."""
    made: dict[Index, Index] = {}
    for index in indices:
        used = taken | {other.name for other in made.values()}
        made[index] = index.fresh(unused(index.name, used))
    return made
