"""Local derivatives, of a body by one access and of a reduction by its body, for both passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation, Namer, layout, pattern_of, places_below
from symcalc.calculus.recurrences import all_but_one
from symcalc.notation.atoms import abs, sign
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.domains import NONNEGATIVE, REAL, Domain
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


def partial(body: Any, by: Any) -> Any:
    """Return the scalar partial derivative by one access, or one symbol, all others held fixed."""
    marks = {a: sp.Dummy(a.tensor.name, **_known(a)) for a in accesses(body)}
    back = {mark: a for a, mark in marks.items()}
    plain = body.xreplace(marks).replace(abs, _Bars)
    return _settled(_joined(plain.diff(marks.get(by, by)))).xreplace(back)


class _Bars(abs):
    """An absolute value whose slope is told from a sign that stands in the formula itself."""

    partials = staticmethod(lambda x: (_Side(x),))


class _Side(sign):
    """The slope of an absolute value."""


def _settled(slope: Any) -> Any:
    """Write the slope of |x| as sign(x), and as 1 / sign(x) beside that.

    So sign(x) h(|x|) has the slope h'(|x|) at zero too, where sign(x)**2 would make it zero.
    """
    if slope.has(_Side):
        slope = slope.replace(lambda node: isinstance(node, sp.Mul), _squared)
    return slope.replace(_Side, sign).replace(_Bars, abs)


def _squared(product: Any) -> Any:
    """Take sign(x) and the slope of |x| out of a product of both."""
    for side in [f for f in product.args if isinstance(f, _Side)]:
        for factor in product.args:
            base, exponent = factor.as_base_exp()
            if type(base) is sign and base.args == side.args and exponent.is_positive:
                product = product / (side * base)
            elif isinstance(factor, sp.Add) and factor.has(sign(*side.args)):
                product = product / (side * factor)
                return product * sp.Add(*(_squared(side * term) for term in factor.args))
    return product


def along(body: Any, access: Access, tangent: Any, slope: Callable[[Any, Any], Any]) -> Any:
    """Return the partial derivative by one access, times its tangent.

    Where a choice by indices guards the access, it guards the tangent too: beyond the bounds
    neither has an entry.

    Args:
        body: the formula.
        access: what moves in it.
        tangent: how.
        slope: gives the derivative of a formula by an access: `partial`, or `Partial`.
    """
    marks = {w: sp.Dummy(real=True) for w in _choices_by_index(body) if w.has(access)}
    back = {mark: w for w, mark in marks.items()}
    plain = body.xreplace(marks)
    total = slope(plain, access) * tangent if access in accesses(plain) else sp.Integer(0)
    for choice, mark in marks.items():
        when, *sides = choice.args
        inside = Where(when, *(along(side, access, tangent, slope) for side in sides))
        total += partial(plain, mark) * inside
    return total.xreplace(back)


def _choices_by_index(body: Any) -> list[Where]:
    """The outermost choices whose conditions are about indices, in a fixed order."""
    found: dict[Where, None] = {}
    walk = sp.preorder_traversal(body)
    for node in walk:
        if isinstance(node, Access):
            walk.skip()
        elif isinstance(node, Where) and any(
            not relation.atoms(Access) for relation in node.args[0].atoms(Relational)
        ):
            found.setdefault(node)
            walk.skip()
    return list(found)


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
        self.helpers: dict[tuple[Tensor, str], Tensor] = {}

    def of_reduction(self, equation: Equation) -> Any:
        """The derivative of a reduction by its body at the bound index."""
        reduction = equation.reduction
        if reduction is None or isinstance(reduction, Sum):
            return sp.Integer(1)
        if isinstance(reduction, Mean):
            return 1 / reduction.index.extent
        if isinstance(reduction, (ArgMax, ArgMin)):
            return sp.Integer(0)  # a place jumps, and stands still between
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
            return sp.Mul(*self._all_but_one(equation, reduction.index))
        raise DerivationError(f"derive: no derivative for {reduction.spelling} in {equation}")

    def stated(self, equation: Equation) -> Any:
        """The same as the textbook states it: for a product, that of all other factors."""
        reduction = equation.reduction
        if not isinstance(reduction, Prod):
            return self.of_reduction(equation)
        other = reduction.index.fresh()
        factor = equation.inner.xreplace({reduction.index: other})
        return Prod(Where(sp.Ne(other, reduction.index), factor, 1), other)

    def _all_but_one(self, equation: Equation, index: Index) -> list[Access]:
        """The products of all factors before a place and behind it, laid out as the factors are."""
        order = [*layout(equation.inner), index, *equation.indices]  # one may stand nowhere inside
        indices = tuple(sorted((*equation.indices, index), key=order.index))
        sides = zip(("prefix", "suffix"), all_but_one(equation.inner, index), strict=True)
        return [Access(self._helper(equation, name, side, indices), *indices)
                for name, side in sides]  # fmt: skip

    def _helper(
        self, equation: Equation, name: str, body: Any, indices: tuple[Index, ...]
    ) -> Tensor:
        """Add the equation a reduction's derivative needs, once."""
        key = (equation.target, name)
        if key not in self.helpers:
            fresh = tuple(index.fresh() for index in indices)
            places = dict(zip(indices, fresh, strict=True))
            made = body.xreplace(places)
            found = self._known(fresh, made)
            if found is None:
                domain = _domain(body)
                shape = tuple(index.extent for index in indices)
                found = Tensor(self.namer.name(name), shape, domain)
                self.context.insert_after(equation.target, Equation(found, fresh, made))
            self.helpers[key] = found
        return self.helpers[key]

    def _known(self, indices: tuple[Index, ...], body: Any) -> Tensor | None:
        """The tensor that an earlier pass has defined as just this, if there is one."""
        wanted = pattern_of(body, indices)
        for equation in self.context.equations:
            same = len(equation.indices) == len(indices) and equation.body.func == body.func
            if same and pattern_of(equation.body, equation.indices) == wanted:
                return equation.target
        return None


def _domain(body: Any) -> Domain:
    if isinstance(body, (ArgMax, ArgMin)):
        return places_below(body.index.extent)
    return NONNEGATIVE if isinstance(body, sp.exp) else REAL
