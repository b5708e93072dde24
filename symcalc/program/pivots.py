"""Pivots: a sum around a mean, taken in the pass that finds the mean.

A variance needs its mean first, and so a second pass over memory.  But a sum whose terms are a
polynomial in the mean m is, around any pivot p, known from sums that do not need m:

    sum_i b(i, m) = sum_k (m - p)^k sum_i b_k(i, p),   b_k the k-th Taylor coefficient of b at p

Each block of n rows takes the mean of its first sqrt(n) rows as the pivot.  By Cauchy's inequality
n (m - p)^2 is then at most sqrt(n) times the block's sum of squares around m: that much may cancel
in the worst case, where a second pass would lose nothing, and commonly next to nothing does.

Reference: Chan, Golub and LeVeque, Algorithms for computing the sample variance (1983), on shifted
data and on putting blocks together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer, pattern_of
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor

HIGHEST_POWER = 2
COUNT = sp.Symbol("count", integer=True, positive=True)  # of the rows of a block


@dataclass(frozen=True)
class Pivot:
    """What every block of a pass measures a mean from: the mean of a few of its terms.

    Args:
        tensor: holds the pivots of one block.
        indices: of the tensor.
        index: what the mean is taken over.
        term: what it is the mean of.
    """

    tensor: Tensor
    indices: tuple[Index, ...]
    index: Index
    term: Any


class Recentred(sp.Function):
    """The sum over all blocks of term_0 + (m - p)(term_1 + (m - p) term_2): m, p, the terms."""

    def _eval_is_extended_real(self) -> bool:
        return True


def recentred(
    equations: list[Equation],
    inputs: set[Tensor],
    outputs: set[Tensor],
    namer: Namer,
    is_outer: Callable[[Equation], bool],
) -> tuple[list[Equation], tuple[Pivot, ...]]:
    """Return equations whose sums around a mean are taken around pivots, and the pivots.

    Args:
        equations: in an order in which each stands on those before it.
        inputs: the arrays given.
        outputs: the tensors wanted; they are left as they are.
        namer: of the new tensors.
        is_outer: whether a sum runs over the index of its outermost loop.
    """
    known = {equation.target: equation for equation in equations}
    sums = {pattern_of(e.body, e.indices): e.target for e in equations if isinstance(e.body, Sum)}
    found: list[Equation] = []
    pivots: dict[Tensor, Pivot] = {}
    for equation in equations:
        mean = _mean_in(equation, known, inputs)
        if mean is None or equation.target in outputs or not is_outer(equation):
            found.append(equation)
            continue
        if mean.tensor not in pivots:
            pivots[mean.tensor] = _pivot(mean.tensor, known, namer)
        pivot = Access(pivots[mean.tensor].tensor, *mean.places)
        new: list[Equation] = []
        terms = [
            _term(equation, power, coefficient, sums, new, namer)
            for power, coefficient in enumerate(_coefficients(equation.body.body, mean, pivot))
        ]
        body = Recentred(mean, pivot, *terms)
        new.append(Equation(equation.target, equation.indices, body))
        # right after the mean, so that what needs several of such sums stands in one pass
        place = found.index(known[mean.tensor]) + 1
        found[place:place] = new
    return found, tuple(pivots.values())


def _mean_in(equation: Equation, known: dict[Tensor, Equation], inputs: set[Tensor]) -> Any:
    """Return the mean that a sum's terms are a polynomial in, all else being inputs."""
    if not isinstance(equation.body, Sum) or not equation.indices:
        return None
    others = [a for a in equation.body.body.atoms(Access) if a.tensor not in inputs]
    if len(others) != 1 or set(others[0].places) - set(equation.indices):
        return None
    total = _total_of(others[0].tensor, known)
    if total is None or total.body.index.extent != equation.body.index.extent:
        return None
    terms = _coefficients(equation.body.body, others[0], sp.Dummy(real=True))
    return others[0] if terms and {a.tensor for a in total.body.atoms(Access)} <= inputs else None


def _total_of(tensor: Tensor, known: dict[Tensor, Equation]) -> Equation | None:
    """Return the sum that a tensor is the mean of."""
    equation = known.get(tensor)
    if equation is None:
        return None
    divisor = [f for f in sp.Mul.make_args(equation.body) if not isinstance(f, Access)]
    totals = [f for f in sp.Mul.make_args(equation.body) if isinstance(f, Access)]
    if len(totals) != 1 or totals[0].places != equation.indices:
        return None
    total = known.get(totals[0].tensor)
    if total is None or not isinstance(total.body, Sum):
        return None
    return total if sp.Mul(*divisor) == 1 / total.body.index.extent else None


def _pivot(mean: Tensor, known: dict[Tensor, Equation], namer: Namer) -> Pivot:
    total = _total_of(mean, known)
    assert total is not None
    tensor = Tensor(namer.name(f"{mean.name}_pivot"), mean.shape)
    return Pivot(tensor, total.indices, total.body.index, total.body.body)


def _coefficients(term: Any, mean: Access, pivot: Any) -> list[Any]:
    """Return a term's Taylor coefficients in the mean, at the pivot; none if there are more."""
    m = sp.Dummy(real=True)
    body, found = term.xreplace({mean: m}), []
    if not body.is_polynomial(m):  # the derivatives of abs and of choices vanish, but they jump
        return []
    for power in range(HIGHEST_POWER + 1):
        found.append(sp.factor_terms(body.xreplace({m: pivot}) / sp.factorial(power)))
        body = body.diff(m)
    return found if body == 0 and found[1] != 0 else []


def _term(
    equation: Equation, power: int, coefficient: Any, sums: dict[Any, Tensor],
    found: list[Equation], namer: Namer,
) -> Any:  # fmt: skip
    """Return a coefficient summed over a block: a number of the block's sums, or of its rows."""
    index = equation.body.index
    if coefficient == 0:
        return sp.Integer(0)
    fixed, varying = coefficient.as_independent(*_entries(coefficient, index), as_Add=False)
    if varying == 1:
        return fixed * COUNT
    total = Sum(varying, index)
    key = pattern_of(total, equation.indices)
    if key not in sums:
        sums[key] = Tensor(namer.name(f"{equation.target.name}_{power}"), equation.target.shape)
        found.append(Equation(sums[key], equation.indices, total))
    return fixed * Access(sums[key], *equation.indices)


def _entries(expression: Any, index: Index) -> list[Any]:
    """What varies with an index: the index itself, and the entries that stand at it."""
    return [index, *(a for a in expression.atoms(Access) if index in a.free_symbols)]
