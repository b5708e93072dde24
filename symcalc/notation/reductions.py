"""Reductions over an index: sum, mean, max, min, prod, logsumexp, norm2.

Each binds its index: the one written is replaced by a fresh one, so that no later substitution
can capture it, and two reductions over the same letter never meet.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.notation.compare import Equality, condition, expression, is_condition
from symcalc.notation.conditions import Where
from symcalc.notation.dims import FAR, Dim, Index, unused
from symcalc.notation.errors import NotationError
from symcalc.notation.guards import looks
from symcalc.notation.places import Range, range_in
from symcalc.notation.tensors import free_indices


class Reduction(sp.Expr):
    """Base: one value from all values of `body` as `index` runs.

    `args` are the body and the bound index.
    """

    is_commutative = True
    spelling = ""
    gives_place = False  # whether its value may stand in brackets

    @property
    def body(self) -> Any:
        """What is reduced."""
        return self.args[0]

    @property
    def index(self) -> Index:
        """The bound index."""
        return self.args[1]

    @property
    def free_symbols(self) -> set[Any]:
        """Those of the body, less the bound index.

        The extent is none: SymPy finds no trace of it in the arguments, and looks for the sign of
        n + sum(i, e) as that of a polynomial in n.
        """
        return self.body.free_symbols - {self.index}

    @classmethod
    def over(cls, index: Index, body: Any) -> Any:
        """Bind `index` in `body` under a fresh one."""
        bound = index.fresh()
        return cls(expression(body).xreplace({index: bound}), bound)

    def refreshed(self) -> Any:
        """Return the same reduction under a bound index of its own."""
        return type(self).over(self.index, self.body)

    def _eval_derivative(self, symbol: Any) -> Any:
        if symbol not in self.free_symbols:
            return sp.Integer(0)
        raise NotationError(f"{self}: a reduction is differentiated by the calculus, not by diff")

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        shown = readable(self)
        return f"{self.spelling}({shown.index.name}, {printer._print(shown.body)})"


class Sum(Reduction):
    """Sum over an index."""

    spelling = "sum"


class Mean(Reduction):
    """Sum over an index, divided by its extent."""

    spelling = "mean"

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.body.is_nonnegative else None


class Max(Reduction):
    """Greatest value; the first of several equal ones counts as the place, NaN as the greatest."""

    spelling = "max"


class Min(Reduction):
    """Least value; the first of several equal ones counts as the place, NaN as the least."""

    spelling = "min"


class ArgMax(Reduction):
    """Place of the greatest value, the first of several; of the first NaN, if there is one."""

    spelling = "argmax"
    gives_place = True

    def _eval_is_integer(self) -> bool:
        return True


class ArgMin(Reduction):
    """Place of the least value, the first of several; of the first NaN, if there is one."""

    spelling = "argmin"
    gives_place = True

    def _eval_is_integer(self) -> bool:
        return True


class Prod(Reduction):
    """Product over an index."""

    spelling = "prod"


class LogSumExp(Reduction):
    """Logarithm of the sum of exponentials, without overflow."""

    spelling = "logsumexp"


class Norm2(Reduction):
    """Square root of the sum of squares; its derivative at zero is taken as zero."""

    spelling = "norm2"

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_power(self, exponent: Any) -> Any:
        """An even power needs no root."""
        if not exponent.is_even:
            return None
        return Sum(self.body**2, self.index) ** (exponent / 2)


def readable(reduction: Reduction) -> Reduction:
    """Rename the bound index where its letter would be mistaken for a free one."""
    taken = {index.name for index in free_indices(reduction)}
    if reduction.index.name not in taken:
        return reduction
    renamed = reduction.index.fresh(unused(reduction.index.name, taken))
    return reduction.func(reduction.body.xreplace({reduction.index: renamed}), renamed)


def reduce_over(kind: type[Reduction], arguments: tuple[Any, ...], where: Any = None) -> Any:
    """Bind the leading indices, outermost first, over the last argument.

    Args:
        kind: the reduction.
        arguments: indices, or comparisons of an index with its bound such as `j <= i`, then
            the body.
        where: what else must hold of the values that are taken, if anything.

    Raises:
        NotationError: an argument is missing or is no index.
    """
    if len(arguments) < 2:
        given = ", ".join(map(str, arguments)) or "nothing"
        raise NotationError(f"{kind.spelling}: expected an index and an expression, got {given}")
    *bound, body = arguments
    conditions = [condition(b) for b in bound if _is_mask(b)]
    conditions += [] if where is None else [condition(where)]
    bound = [_masked_index(kind, b) if _is_mask(b) else b for b in bound]
    if conditions:
        when = sp.And(*conditions)
        if kind is Mean:
            count = reduce_over(Sum, (*bound, Where(when, 1, 0)))
            return reduce_over(Sum, (*bound, Where(when, body, 0))) / count
        body = Where(when, body, _NOTHING[kind])
    for place, index in enumerate(bound):
        if any(index is other for other in bound[:place]):
            written = f"{kind.spelling}({', '.join(map(str, arguments))})"
            raise NotationError(
                f"{kind.spelling}: {index} is bound twice in {written}: bind each index once"
            )
    for index in reversed(bound):
        if not isinstance(index, Index):
            raise NotationError(
                f"{kind.spelling}: expected an index first, as in {kind.spelling}(i, x[i]), "
                f"got {index}"
            )
        body = expression(body)
        _check_bound(kind, index, body)
        body = kind.over(*in_bounds(index, body))
    return body


def _is_mask(written: Any) -> bool:
    return isinstance(written, Equality) or is_condition(written)


def _check_bound(kind: type[Reduction], index: Index, body: Any) -> None:
    """Refuse to bind an index beside another of its letter, which would look bound and is not."""
    free = free_indices(body)
    if index not in free and any(other.name == index.name for other in free):
        raise NotationError(
            f"{kind.spelling}: the {index} in {body} is another index than the {index} that "
            f"{kind.spelling} binds, though of the same letter: make each index once and use it"
        )


def _masked_index(kind: type[Reduction], mask: Any) -> Index:
    """Return the index that a comparison restricts: its left side."""
    when = condition(mask)
    index = when.args[0] if isinstance(when, Relational) else None
    if when in (sp.true, sp.false):
        never = "holds for no index: there is nothing to take" if when == sp.false else (
            "holds for every index: leave it out"
        )  # fmt: skip
        raise NotationError(f"{kind.spelling}: a comparison {never}")
    if not isinstance(index, Index):
        raise NotationError(
            f"{kind.spelling}: expected a comparison that begins with an index, as in "
            f"{kind.spelling}(j <= i, x[j]), got {when}"
        )
    return index


# What a reduction makes of a value that is not taken.
_NOTHING: dict[type[Reduction], Any] = {
    Sum: sp.Integer(0), Norm2: sp.Integer(0), Prod: sp.Integer(1), Max: -sp.oo, ArgMax: -sp.oo,
    Min: sp.oo, ArgMin: sp.oo, LogSumExp: -sp.oo,
}  # fmt: skip


def in_bounds(index: Index, body: Any, others: Collection[Index] = ()) -> tuple[Index, Any]:
    """Narrow an index to the largest range in which every place it stands in is in bounds.

    `V[t+1] - V[t]` lets t stop one early; `V[t] - V[t-1]` is written anew from 0 on. Of the indices
    in one place, `x[i+j]`, the one bound last yields to the others: the outermost is narrowed. An
    index that no plain place ties to a dim runs as far as the others allow. A place that is looked
    at only where a condition keeps it in bounds narrows nothing.

    Args:
        index: the index to be bound.
        body: the formula it is to be bound in.
        others: free indices whose range is settled.

    Returns:
        The index with the right extent, and the body in it.

    Raises:
        NotationError: nothing tells how far the index runs.
    """
    body = sp.sympify(body)
    found = range_of(index, body, others)
    if found.low == 0 and found.count == index.extent:
        return index, body
    narrowed = index.fresh(extent=found.count)
    if found.count == 1:  # a single place, which no plain index over a dim is
        return narrowed, body.xreplace({index: sp.sympify(found.low)})
    return narrowed, body.xreplace({index: narrowed + found.low})


def range_of(index: Index, body: Any, others: Collection[Index] = ()) -> Range:
    """Return the largest range of an index in which every place it stands in is in bounds.

    Args and errors are those of `in_bounds`.
    """
    seen = list(looks(body))
    settled = {*body.atoms(Index), *others} - free_indices(body) | set(others)
    found = range_in(index, seen, frozenset(settled))
    if found is None or (index.extent == FAR and found.count.has(FAR)):
        known = {i for look in seen for i in look.place.free_symbols
                 if isinstance(i, Index) and i.extent != FAR}  # fmt: skip
        found = range_in(index, seen, frozenset(known))
    if found is None:
        raise NotationError(
            f"index {index.name}: nothing tells how far it runs; expected a place of its own, as "
            f"in x[{index.name}], or an extent, in {body}"
        )
    if found.count.is_Integer and found.count < 1:
        raise NotationError(
            f"index {index.name}: no value of it keeps every place within its array in {body}"
        )
    return found


def sum(*arguments: Any, where: Any = None) -> Any:  # the notation's own name for it
    """Return the sum over one or more indices, e_0 + e_1 + ...: `sum(i, e)`, `sum(i, k, e)`.

    Like every reduction it takes only the values for which a condition holds, where one is given:
    `sum(j <= i, e)` or `sum(j, e, where=c)`.
    """
    return reduce_over(Sum, arguments, where)


def mean(*arguments: Any, where: Any = None) -> Any:
    """Return the mean over one or more indices, the sum divided by the extent: `mean(i, e)`.

    Under a condition it is divided by the count of what is taken.
    """
    return reduce_over(Mean, arguments, where)


def prod(*arguments: Any, where: Any = None) -> Any:
    """Return the product over one or more indices: `prod(i, e)`."""
    return reduce_over(Prod, arguments, where)


def argmax(*arguments: Any, where: Any = None) -> Any:
    """Return the place of the greatest value, the first of several: `argmax(k, e)`."""
    return _place_of(ArgMax, arguments, where)


def argmin(*arguments: Any, where: Any = None) -> Any:
    """Return the place of the least value, the first of several: `argmin(k, e)`."""
    return _place_of(ArgMin, arguments, where)


def _place_of(kind: type[Reduction], arguments: tuple[Any, ...], where: Any) -> Any:
    if len(arguments) != 2:
        raise NotationError(
            f"{kind.spelling}: expected one index and an expression, as in "
            f"{kind.spelling}(k, z[k]), got {len(arguments)} argument(s)"
        )
    return reduce_over(kind, arguments, where)


def logsumexp(*arguments: Any, where: Any = None) -> Any:
    """Return the logarithm of the sum of exponentials, without overflow: `logsumexp(k, e)`."""
    return reduce_over(LogSumExp, arguments, where)


def norm2(*arguments: Any, where: Any = None) -> Any:
    """Return the Euclidean norm, the root of the sum of squares: `norm2(i, e)`."""
    return reduce_over(Norm2, arguments, where)


def extent(index: Index) -> Any:
    """Return the number of values an index takes."""
    return index.extent


__all__ = [
    "ArgMax", "ArgMin", "Dim", "LogSumExp", "Max", "Mean", "Min", "Norm2", "Prod", "Reduction",
    "Sum", "argmax", "argmin", "extent", "in_bounds", "logsumexp", "mean", "norm2",
    "prod", "readable", "sum",
]  # fmt: skip
