"""Matrix products: sums that BLAS can do, and what they multiply.

S[i,j] = sum_k (f[i,k] g[k,j] + u[i,k] v[k] w[j,k])

becomes A = u v,  P = f g,  Q = A w^T,  S = P + Q: each product of two matrices that are stored, the
rest entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer, pattern_of
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.special import is_matrix, own_stage


@dataclass(frozen=True)
class _Term:
    """outside * sum_bound left * right, the factors of each side together."""

    outside: Any
    left: Any
    right: Any


@dataclass
class MatrixProducts:
    """Takes sums apart into matrix products.

    Args:
        namer: of the matrices that need a name.
        operands: the tensors that a product reads, which have to be stored whole.
    """

    namer: Namer
    operands: set[Tensor] = field(default_factory=set)
    _known: dict[Any, Tensor] = field(default_factory=dict)
    _out: list[Equation] = field(default_factory=list)

    def run(self, equations: list[Equation]) -> list[Equation]:
        """Return equations in which every sum that is one of matrix products is written as such."""
        for equation in equations:
            total = equation.body
            if not isinstance(total, Sum) or len(equation.indices) < 2:
                self._out.append(equation)
                continue
            if own_stage(equation, set()) is not None:
                self._note(equation)
                self._out.append(equation)
                continue
            self._take(equation)
        return self._out

    def _note(self, equation: Equation) -> None:
        """Remember what a product reads as it stands."""
        factors = sp.Mul.make_args(equation.body.body)
        if len(factors) == 2 and all(isinstance(factor, Access) for factor in factors):
            self.operands |= {factor.tensor for factor in factors}

    def _take(self, equation: Equation) -> None:
        """Write a sum as matrix products and the rest, if any of its terms is one."""
        total = equation.body
        terms = sp.Add.make_args(total.body)
        parted = [_parted(term, equation.indices, total.index) for term in terms]
        if not any(parted):
            self._out.append(equation)
            return
        rest = [term for term, found in zip(terms, parted, strict=True) if found is None]
        values = [self._product(equation, found) for found in parted if found is not None]
        if rest:
            values.append(self._named(equation, Sum(sp.Add(*rest), total.index)))
        self._out.append(Equation(equation.target, equation.indices, sp.Add(*values)))

    def _product(self, equation: Equation, term: _Term) -> Any:
        """Define one matrix product; return what the term is in terms of it."""
        *batch, row, column = equation.indices
        bound = equation.body.index
        left = self._operand(term.left, (*batch, row, bound), equation)
        right = self._operand(term.right, (*batch, column, bound), equation)
        return term.outside * self._named(equation, Sum(left * right, bound))

    def _operand(self, side: Any, indices: tuple[Index, ...], equation: Equation) -> Access:
        """Return a side of a product as an access of a stored matrix."""
        *batch, free, bound = indices
        if isinstance(side, Access) and is_matrix(side, batch, free, bound):
            self.operands.add(side.tensor)
            return side
        key = pattern_of(side, indices)
        if key not in self._known:
            name = self.namer.name(f"{equation.target.name}_of")
            tensor = Tensor(name, tuple(index.extent for index in indices))
            self._known[key] = tensor
            fresh = {index: index.fresh() for index in indices}
            self._out.append(Equation(tensor, tuple(fresh.values()), side.xreplace(fresh)))
        self.operands.add(self._known[key])
        return Access(self._known[key], *indices)

    def _named(self, equation: Equation, body: Any) -> Access:
        """Give a sum an equation of its own."""
        target = Tensor(self.namer.name(f"{equation.target.name}_part"), equation.target.shape)
        fresh = {index: index.fresh() for index in equation.indices}
        self._out.append(Equation(target, tuple(fresh.values()), body.refreshed().xreplace(fresh)))
        return Access(target, *equation.indices)


def _parted(term: Any, indices: tuple[Index, ...], bound: Index) -> _Term | None:
    """Part a term into what depends on the row, and what depends on the column."""
    *_, row, column = indices
    outside: list[Any] = []
    left: list[Any] = []
    right: list[Any] = []
    either: list[Any] = []
    for factor in sp.Mul.make_args(term):
        reads = factor.free_symbols
        if bound not in reads:
            outside.append(factor)
        elif row in reads and column in reads:
            return None
        elif row in reads or column in reads:
            (left if row in reads else right).append(factor)
        else:
            either.append(factor)
    sides = (sp.Mul(*left), sp.Mul(*right))
    if not all(side.atoms(Access) for side in sides):
        return None
    # what depends on neither goes where a matrix has to be made anyway
    if isinstance(sides[0], Access):
        right += either
    else:
        left += either
    return _Term(sp.Mul(*outside), sp.Mul(*left), sp.Mul(*right))
