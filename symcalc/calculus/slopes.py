"""Local derivatives, of a body by one access and of a reduction by its body, for both passes."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import PLACES, Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.domains import NONNEGATIVE
from symcalc.notation.errors import DerivationError
from symcalc.notation.reductions import (
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm2,
    Prod,
    Sum,
)
from symcalc.notation.tensors import Access, Tensor, accesses


def partial(body: Any, access: Access) -> Any:
    """Return the scalar partial derivative by one access, all others held fixed."""
    marks = {a: sp.Dummy(a.tensor.name, **_known(a)) for a in accesses(body)}
    back = {mark: a for a, mark in marks.items()}
    return _joined(body.xreplace(marks).diff(marks[access])).xreplace(back)


def guarded(access: Access, term: Any) -> Any:
    """Return a term of a tangent, and zero where the access stands out of bounds.

    A choice may leave `V[t - 1]` alone at t = 0; what its slope there is multiplied by must be left
    alone as well.
    """
    if not term.has(Where):
        return term
    bounds: list[Any] = []
    for place, extent in zip(access.places, access.tensor.shape, strict=True):
        if isinstance(place, Access) or place.is_Integer:
            continue
        index = next(i for i in place.free_symbols if isinstance(i, Index))
        beyond = sp.expand(place.xreplace({index: index.extent}) - extent)
        if place != index:
            bounds.append(place >= 0)
        if not (beyond.is_Integer and beyond <= 0):
            bounds.append(place < extent)
    return Where(sp.And(*bounds), term, 0) if bounds else term


def _joined(slope: Any) -> Any:
    """Write p x**(p - 1) for the p x**p / x of SymPy, which is 0/0 at x = 0."""
    return slope.replace(lambda node: isinstance(node, sp.Mul), _lowered)


def _lowered(product: Any) -> Any:
    factors = list(product.args)
    for factor in product.args:
        base, exponent = factor.as_base_exp()
        if not exponent.is_number and 1 / base in factors:
            factors.remove(1 / base)
            factors[factors.index(factor)] = base ** (exponent - 1)
    return product if len(factors) == len(product.args) else sp.Mul(*factors)


def _known(access: Access) -> dict[str, bool]:
    """What SymPy may assume of the dummy that stands for an access."""
    known = {"real": True}
    for fact in ("integer", "positive", "nonnegative"):
        if getattr(access, f"is_{fact}"):
            known[fact] = True
    return known


def active(equations: list[Equation], wrt: set[str]) -> set[Tensor]:
    """Return the tensors that depend on what is differentiated by."""
    found: set[Tensor] = set()
    for equation in equations:
        for access in accesses(equation.body):
            if access.tensor in found or access.tensor.name in wrt:
                found |= {access.tensor, equation.target}
    return {t for t in found if not t.domain.integer}


class Slopes:
    """Derivatives of reductions, with the equations they need put in beside the reductions.

    Args:
        context: the equations of the value; helpers such as softmax are put in among them.
        namer: hands out the helpers' names.
    """

    def __init__(self, context: Context, namer: Namer) -> None:
        self.context = context
        self.namer = namer
        self.helpers: dict[Tensor, Tensor] = {}

    def of_reduction(self, equation: Equation) -> Any:
        """The derivative of a reduction by its body at the bound index."""
        reduction = equation.reduction
        if reduction is None or isinstance(reduction, Sum):
            return sp.Integer(1)
        if isinstance(reduction, Mean):
            return 1 / reduction.index.extent
        if isinstance(reduction, LogSumExp):
            helper = self._helper(
                equation, "softmax", sp.exp(equation.inner - equation.left),
                (*equation.indices, reduction.index),
            )  # fmt: skip
            return Access(helper, *equation.indices, reduction.index)
        if isinstance(reduction, (Max, Min)):
            kind, name = (ArgMax, "argmax") if isinstance(reduction, Max) else (ArgMin, "argmin")
            helper = self._helper(
                equation, name, kind(equation.inner, reduction.index), equation.indices
            )
            return Where(sp.Eq(reduction.index, Access(helper, *equation.indices)), 1, 0)
        if isinstance(reduction, Norm2):
            return Where(sp.Eq(equation.left, 0), 0, equation.inner / equation.left)
        if isinstance(reduction, Prod):
            other = reduction.index.fresh()
            rest = equation.inner.xreplace({reduction.index: other})
            return Prod(Where(sp.Ne(other, reduction.index), rest, 1), other)
        raise DerivationError(f"derive: no derivative for {reduction.spelling} in {equation}")

    def _helper(
        self, equation: Equation, name: str, body: Any, indices: tuple[Index, ...]
    ) -> Tensor:
        """Add the equation a reduction's derivative needs, once."""
        if equation.target not in self.helpers:
            fresh = tuple(index.fresh() for index in indices)
            places = dict(zip(indices, fresh, strict=True))
            integer = isinstance(body, (ArgMax, ArgMin))
            target = Tensor(
                self.namer.name(name), tuple(i.extent for i in indices),
                PLACES if integer else NONNEGATIVE,
            )  # fmt: skip
            made = Equation(target, fresh, body.xreplace(places))
            self.context.insert_after(equation.target, made)
            self.helpers[equation.target] = target
        return self.helpers[equation.target]
