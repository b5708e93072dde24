"""Factors: what a sum multiplies every term by stands before the sum.

sum_i c[j] f[i,j] = c[j] sum_i f[i,j]: the term is cheaper, and sums that differ by such a factor
alone become one.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer, pattern_of
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor


def factored(equations: list[Equation], namer: Namer) -> list[Equation]:
    """Return equations whose sums are free of factors, equal sums defined once.

    Args:
        equations: with sums, products and extremes as their only reductions.
        namer: of the sums that need a name.
    """
    known: dict[Any, Tensor] = {}
    found: list[Equation] = []
    for equation in equations:
        if not isinstance(equation.body, Sum):
            found.append(equation)
            continue
        before, term = _split(equation.body)
        plain = Sum(term, equation.body.index)
        key = pattern_of(plain, equation.indices)
        if key in known:
            sum_of = known[key]
        elif before == 1:
            known[key] = equation.target
            found.append(equation)
            continue
        else:
            sum_of = Tensor(namer.name(f"{equation.target.name}_sum"), equation.target.shape)
            known[key] = sum_of
            found.append(Equation(sum_of, equation.indices, plain))
        value = before * Access(sum_of, *equation.indices)
        found.append(Equation(equation.target, equation.indices, value))
    return found


def _split(total: Sum) -> tuple[Any, Any]:
    """Split the term of a sum into what does not depend on its index, and the rest."""
    factors = sp.Mul.make_args(total.body)
    before = [factor for factor in factors if not _depends(factor, total.index)]
    term = [factor for factor in factors if _depends(factor, total.index)]
    if not term:  # the sum counts; that is not worth a name
        return sp.Integer(1), total.body
    return sp.Mul(*before), sp.Mul(*term)


def _depends(factor: Any, index: Index) -> bool:
    return index in factor.free_symbols or any(
        index in access.free_symbols for access in factor.atoms(Access)
    )
