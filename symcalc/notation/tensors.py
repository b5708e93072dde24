"""Tensors and their accesses: `x` is a tensor, `x[i, k]` an access."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from symcalc.notation.compare import Comparable, expression
from symcalc.notation.dims import FAR, Dim, Index
from symcalc.notation.domains import REAL, Domain
from symcalc.notation.errors import NotationError
from symcalc.notation.places import affine, never_negative

LARGEST_PLACE = 2**31


class Tensor(sp.Symbol):
    """A named array of numbers; index it to speak of its entries.

    Args:
        name: how it is called.
        shape: the extent of each axis, a Dim, a whole number, or a whole expression of dims.
        domain: where its entries lie.
    """

    def __new__(cls, name: str, shape: tuple[Any, ...] = (), domain: Domain = REAL) -> Tensor:
        """Make the tensor; equal name, shape and domain make equal tensors."""
        made = sp.Symbol.__xnew__(cls, name, **domain.assumptions)
        made._shape = tuple(sp.sympify(extent) for extent in shape)
        made._domain = domain
        return made

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), *self._shape, *self._domain.key)

    def compare(self, other: Any) -> int:
        """Order tensors of one name too; equal ones that are two objects are equal."""
        if self == other:
            return 0
        if isinstance(other, Tensor) and self.name == other.name:
            mine, theirs = (f"{t._shape} {t._domain}" for t in (self, other))
            return (mine > theirs) - (mine < theirs)
        return int(super().compare(other))

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Rebuild with shape and domain."""
        return (self.name, self._shape, self._domain), {}

    def __getstate__(self) -> None:
        """Everything stands in the arguments."""
        return None

    @property
    def shape(self) -> tuple[Any, ...]:
        """The extent of each axis."""
        return self._shape

    @property
    def domain(self) -> Domain:
        """Where the entries lie."""
        return self._domain

    __iter__ = None  # having places does not make a tensor a sequence

    def __getitem__(self, index: Any) -> Access:
        return Access(self, *(index if isinstance(index, tuple) else (index,)))

    def _sympystr(self, printer: Any) -> str:
        return str(self.name)


class Access(Comparable, sp.Expr):
    """One entry of a tensor, `x[i, k]`, its place given by index expressions."""

    is_commutative = True

    def __new__(cls, tensor: Tensor, *places: Any) -> Access:
        """Check rank and places, then make the access."""
        if len(places) != len(tensor.shape):
            raise NotationError(
                f"{tensor.name}: expected {len(tensor.shape)} indices "
                f"({', '.join(map(str, tensor.shape)) or 'a scalar'}), got {len(places)}: "
                f"{tensor.name}[{', '.join(map(str, places))}]"
            )
        made = tuple(expression(place) for place in places)
        for axis, (place, extent) in enumerate(zip(made, tensor.shape, strict=True)):
            try:
                _check_place(tensor, axis, place, extent)
            except NotationError as error:
                written = f"{tensor.name}[{', '.join(map(str, places))}]"
                raise NotationError(f"{error}: {written}") from None
        return super().__new__(cls, tensor, *made)

    @property
    def tensor(self) -> Tensor:
        """The tensor accessed."""
        return self.args[0]

    @property
    def places(self) -> tuple[Any, ...]:
        """The index expressions, one an axis."""
        return self.args[1:]

    @property
    def free_symbols(self) -> set[Any]:
        """Indices and extents in the places, not the tensor's own name."""
        return set().union(*(place.free_symbols for place in self.places))

    def _eval_derivative(self, symbol: Any) -> Any:
        return sp.Integer(0)

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_integer(self) -> bool | None:
        return True if self.tensor.domain.integer else None

    def _eval_is_positive(self) -> bool | None:
        return self.tensor.is_positive

    def _eval_is_nonnegative(self) -> bool | None:
        return self.tensor.is_nonnegative

    def _sympystr(self, printer: Any) -> str:
        inside = ", ".join(printer._print(place) for place in self.places)
        return f"{self.tensor.name}[{inside}]" if self.places else str(self.tensor.name)


def _check_place(tensor: Tensor, axis: int, place: Any, extent: Any) -> None:
    """A place is affine in its indices, an exact quotient of such, or an entry of labels."""
    if isinstance(place, Access):
        domain = place.tensor.domain
        if not domain.integer:
            raise NotationError(
                f"{tensor.name}: expected integers at axis {axis}, got {place}, "
                f"declared as {domain.describe()}"
            )
        if domain.below is not None and domain.below != extent:
            raise NotationError(
                f"{tensor.name}: axis {axis} has extent {extent}, but {place} is a label "
                f"below {domain.below}"
            )
        return
    if getattr(place, "gives_place", False):
        if place.index.extent != extent:
            raise NotationError(
                f"{tensor.name}: axis {axis} has extent {extent}, but {place} gives a place below "
                f"{place.index.extent}"
            )
        return
    if place.is_Integer:
        if not 0 <= place < LARGEST_PLACE:
            raise NotationError(
                f"{tensor.name}: expected a place from 0 on at axis {axis}, got {place}"
            )
        return
    if any(isinstance(node, QUOTIENTS) for node in sp.preorder_traversal(place)):
        return  # made by the calculus, which knows its bounds
    apart = affine(place)
    if apart is None:
        raise NotationError(
            f"{tensor.name}: expected indices times whole numbers, plus extents and a whole "
            f"number, or a label at axis {axis}, got {place}"
        )
    if not apart.coefficients and not never_negative(extent - 1 - place):
        raise NotationError(
            f"{tensor.name}: expected a place below {extent} at axis {axis}, got {place}"
        )
    signs = [coefficient > 0 for coefficient in apart.coefficients.values()]
    reversible = apart.rest.free_symbols or not extent.free_symbols  # x[2-i] on an axis of three
    if not (any(signs) or reversible):
        raise NotationError(
            f"{tensor.name}: expected an index, or an extent less an index as in "
            f"{tensor.name}[n-1-i], at axis {axis}, got {place}"
        )
    if isinstance(place, Index) and place.extent != FAR and not _fits(place.extent, extent):
        raise NotationError(
            f"{tensor.name}: index {place.name} at axis {axis} runs over {place.extent}, "
            f"but that axis has extent {extent}"
        )


QUOTIENTS = (sp.floor, sp.Min, sp.Max)


def _fits(mine: Any, extent: Any) -> bool:
    """Whether two extents speak of the same sizes, so that an index of the one may stand there."""
    if mine.free_symbols & extent.free_symbols:
        return True
    return not mine.free_symbols and not extent.free_symbols and bool(mine <= extent)


def dims_of(tensors: Iterable[Tensor]) -> tuple[Dim, ...]:
    """Return the dims of tensors, in order of appearance."""
    seen: dict[Dim, None] = {}
    for tensor in tensors:
        for extent in tensor.shape:
            for dim in sorted(extent.free_symbols, key=str):
                seen.setdefault(dim)
    return tuple(seen)


def accesses(expression: Any) -> list[Access]:
    """Return the distinct outermost accesses, in a fixed order of first appearance."""
    found: dict[Access, None] = {}
    walk = sp.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, Access):
            found.setdefault(node)
            walk.skip()
    return list(found)


def free_indices(expression: Any) -> set[Index]:
    """Return the indices that no reduction in the expression binds."""
    return {s for s in sp.sympify(expression).free_symbols if isinstance(s, Index)}


def scalar(name: str) -> Tensor:
    """Return a tensor of no axes."""
    return Tensor(name)
