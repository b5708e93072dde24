"""Definitions: tensors that a formula defines for itself, `h[i, k] = tanh(z[i, k])`.

A defined tensor is indexed like an input, at any place: `h[i, k+1]`, `h[i, labels[i]]`.  A formula
mentions it by name, however deep what it stands for is: a network of a hundred layers is a hundred
short equations, not one formula a hundred levels deep.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.notation.compare import expression, is_condition
from symcalc.notation.dims import Index
from symcalc.notation.domains import NONNEGATIVE, POSITIVE, REAL, Domain
from symcalc.notation.errors import NotationError
from symcalc.notation.naming import Namer
from symcalc.notation.reductions import in_bounds
from symcalc.notation.tensors import Access, Tensor, free_indices

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Definition:
    """One tensor of a formula's own: `tensor[indices] = body`.

    Args:
        tensor: what is defined.
        indices: its indices, one an axis.
        body: what it stands for at those.
        adjoint: what its adjoint is called; `<name>_bar` where that is empty.
    """

    tensor: Tensor
    indices: tuple[Index, ...]
    body: Any
    adjoint: str = ""

    @property
    def name(self) -> str:
        """The name of the tensor."""
        return str(self.tensor.name)

    def at(self, places: tuple[Any, ...]) -> Any:
        """Return what the tensor stands for at some places."""
        return self.body.xreplace(dict(zip(self.indices, places, strict=True)))

    def __str__(self) -> str:
        return f"{Access(self.tensor, *self.indices)} = {self.body}"


class Defined(Tensor):
    """A tensor that knows what it stands for, while a formula is being written.

    Two of one name are two tensors; an objective gives each a name of its own.
    """

    def __new__(
        cls,
        name: str,
        indices: tuple[Index, ...],
        body: Any,
        adjoint: str = "",
        domain: Domain | None = None,
    ) -> Defined:
        """Make the tensor; its shape is that of the indices."""
        kind = _domain_of(body) if domain is None else domain
        made = super().__new__(cls, name, tuple(index.extent for index in indices), kind)
        assert isinstance(made, Defined)
        made._meaning = (indices, body, adjoint)
        made._number = next(_NUMBERS)
        return made

    _meaning: tuple[tuple[Index, ...], Any, str]
    _number: int

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self._number)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Rebuild with what it stands for."""
        indices, body, adjoint = self._meaning
        return (self.name, indices, body, adjoint, self.domain), {}

    @property
    def definition(self) -> Definition:
        """What it stands for."""
        return Definition(self, *self._meaning)

    def named(self, name: str, adjoint: str = "") -> Defined:
        """Return the same under another name.

        Args:
            name: an identifier, such as "h".
            adjoint: what its adjoint is called; `<name>_bar` if not given.
        """
        for given in (name, adjoint or name):
            _check_name(given)
        indices, body, _ = self._meaning
        return Defined(name, indices, body, adjoint, self.domain)


def define(name: str, indices: Any, part: Any, adjoint: str = "") -> Defined:
    """Define a tensor inside a formula.

    h = define("h", (i, k), tanh(z[i, k])) may then be read at any place: h[i, k+1], h[j, k].

    Args:
        name: an identifier, under which the derivation shows it.
        indices: one Index, or a tuple of them: one an axis, in the order of the axes.
        part: what the tensor is at those indices.
        adjoint: what its adjoint is called; `<name>_bar` if not given.

    Returns:
        The tensor, to be indexed or handed to an objective or layer.

    Raises:
        NotationError: no name, no indices, or a free index that is not among them.
    """
    _check_name(name)
    if adjoint:
        _check_name(adjoint)
    given = tuple(indices) if isinstance(indices, (tuple, list)) else (indices,)
    body = expression(part)
    if is_condition(body):
        raise NotationError(f"define: {name}: expected a number for a value, got {body}")
    if not all(isinstance(index, Index) for index in given) or len(set(given)) != len(given):
        raise NotationError(
            f"define: {name}: expected distinct indices, such as (i, k), got {indices!r}"
        )
    loose = free_indices(body) - set(given)
    if loose:
        letters = ", ".join(sorted(index.name for index in loose))
        raise NotationError(
            f"define: {name}: index {letters} stands in {body}, but {name} is defined for "
            f"({', '.join(index.name for index in given)})"
        )
    bound = []
    for index in given:
        narrowed, body = in_bounds(index, body)
        own = narrowed.fresh()
        body = body.xreplace({narrowed: own})
        bound.append(own)
    return Defined(name, tuple(bound), body, adjoint)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise NotationError(f"define: expected a name such as 'h', got {name!r}")


def _domain_of(body: Any) -> Domain:
    """A label is a label, under whatever name; of other values the sign is known at most."""
    if isinstance(body, Access) and body.tensor.domain.integer:
        return body.tensor.domain
    return POSITIVE if body.is_positive else NONNEGATIVE if body.is_nonnegative else REAL


def gathered(
    bodies: Iterable[Any], taken: set[str]
) -> tuple[tuple[Definition, ...], tuple[Any, ...]]:
    """Collect the definitions that formulas stand on, each after those it stands on itself.

    Args:
        bodies: the formulas.
        taken: names that no definition may have; one that is taken is numbered, `h_2`.

    Returns:
        The definitions under names of their own, and the formulas in these names.
    """
    bodies = tuple(bodies)
    ordered: dict[Defined, None] = {}
    waiting = [(tensor, False) for body in reversed(bodies) for tensor in reversed(_direct(body))]
    while waiting:
        tensor, is_opened = waiting.pop()
        if tensor in ordered:
            continue
        if is_opened:
            ordered[tensor] = None
            continue
        waiting.append((tensor, True))
        waiting += [(inner, False) for inner in reversed(_direct(tensor.definition.body))]
    namer = Namer(taken)
    plain: dict[Any, Any] = {}
    found = []
    for tensor in ordered:
        meant = tensor.definition
        plain[tensor] = Tensor(namer.name(tensor.name), tensor.shape, tensor.domain)
        body = meant.body.xreplace(plain)
        found.append(Definition(plain[tensor], meant.indices, body, meant.adjoint))
    return tuple(found), tuple(body.xreplace(plain) for body in bodies)


def _direct(body: Any) -> list[Defined]:
    """The defined tensors that a formula mentions itself, in order of appearance."""
    found = (node for node in sp.preorder_traversal(body) if isinstance(node, Defined))
    return list(dict.fromkeys(found))
