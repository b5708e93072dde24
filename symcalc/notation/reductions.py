"""Reductions over an index: sum, mean, max, min, prod, logsumexp, norm2.

Each binds its index: the one written is replaced by a fresh one, so that no later substitution
can capture it, and two reductions over the same letter never meet.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.compare import expression
from symcalc.notation.dims import Dim, Index, unused
from symcalc.notation.errors import NotationError
from symcalc.notation.tensors import accesses, free_indices


class Reduction(sp.Expr):
    """Base: one value from all values of `body` as `index` runs.

    `args` are the body and the bound index.
    """

    is_commutative = True
    spelling = ""

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
    """Greatest value; the first of several equal ones counts as the place."""

    spelling = "max"


class Min(Reduction):
    """Least value; the first of several equal ones counts as the place."""

    spelling = "min"


class ArgMax(Reduction):
    """Place of the greatest value, the first of several."""

    spelling = "argmax"

    def _eval_is_integer(self) -> bool:
        return True


class ArgMin(Reduction):
    """Place of the least value, the first of several."""

    spelling = "argmin"

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


def readable(reduction: Reduction) -> Reduction:
    """Rename the bound index where its letter would be mistaken for a free one."""
    taken = {index.name for index in free_indices(reduction)}
    if reduction.index.name not in taken:
        return reduction
    renamed = reduction.index.fresh(unused(reduction.index.name, taken))
    return reduction.func(reduction.body.xreplace({reduction.index: renamed}), renamed)


def reduce_over(kind: type[Reduction], arguments: tuple[Any, ...]) -> Any:
    """Bind the leading indices, outermost first, over the last argument."""
    if len(arguments) < 2:
        given = ", ".join(map(str, arguments)) or "nothing"
        raise NotationError(f"{kind.spelling}: expected an index and an expression, got {given}")
    *bound, body = arguments
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


def _check_bound(kind: type[Reduction], index: Index, body: Any) -> None:
    """Refuse to bind an index beside another of its letter, which would look bound and is not."""
    free = free_indices(body)
    if index not in free and any(other.name == index.name for other in free):
        raise NotationError(
            f"{kind.spelling}: the {index} in {body} is another index than the {index} that "
            f"{kind.spelling} binds, though of the same letter: make each index once and use it"
        )


def in_bounds(index: Index, body: Any) -> tuple[Index, Any]:
    """Narrow an index to the largest range in which every shifted access is in bounds.

    `V[t+1] - V[t]` lets t stop one early; `V[t] - V[t-1]` is written anew from 0 on.

    Returns:
        The index with the right extent, and the body in it.
    """
    low, high = 0, 0
    for access in _all_accesses(sp.sympify(body)):
        for place, extent in zip(access.places, access.tensor.shape, strict=True):
            shift = sp.expand(place - index)
            if index in place.free_symbols and shift.is_Integer:
                low = max(low, -int(shift))
                high = max(high, int(index.extent - extent + shift))
    if not low and not high:
        return index, body
    narrowed = index.fresh(extent=index.extent - low - high)
    return narrowed, sp.sympify(body).xreplace({index: narrowed + low})


def _all_accesses(expression: Any) -> list[Any]:
    """Return outermost accesses and those that stand inside their places."""
    found = accesses(expression)
    for access in list(found):
        for place in access.places:
            found.extend(_all_accesses(place))
    return found


def sum(*arguments: Any) -> Any:  # the notation's own name for it
    """Return the sum over one or more indices, e_0 + e_1 + ...: `sum(i, e)`, `sum(i, k, e)`."""
    return reduce_over(Sum, arguments)


def mean(*arguments: Any) -> Any:
    """Return the mean over one or more indices, the sum divided by the extent: `mean(i, e)`."""
    return reduce_over(Mean, arguments)


def prod(*arguments: Any) -> Any:
    """Return the product over one or more indices: `prod(i, e)`."""
    return reduce_over(Prod, arguments)


def logsumexp(*arguments: Any) -> Any:
    """Return the logarithm of the sum of exponentials, without overflow: `logsumexp(k, e)`."""
    return reduce_over(LogSumExp, arguments)


def norm2(*arguments: Any) -> Any:
    """Return the Euclidean norm, the root of the sum of squares: `norm2(i, e)`."""
    return reduce_over(Norm2, arguments)


def extent(index: Index) -> Any:
    """Return the number of values an index takes."""
    return index.extent


__all__ = [
    "ArgMax", "ArgMin", "Dim", "LogSumExp", "Max", "Mean", "Min", "Norm2", "Prod", "Reduction",
    "Sum", "extent", "in_bounds", "logsumexp", "mean", "norm2", "prod", "readable", "sum",
]  # fmt: skip
