"""Sense: what must be plain before a formula becomes an objective."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from symcalc.notation.conditions import Let
from symcalc.notation.dims import Index
from symcalc.notation.errors import NotationError
from symcalc.notation.tensors import Access, Tensor, free_indices
from symcalc.notation.text import text


def check_sense(name: str, body: Any, scalars: Iterable[str]) -> None:
    """Refuse what could be read in two ways, or in none.

    Args:
        name: the objective's name, for the message.
        body: the formula.
        scalars: the names of hyperparameters.

    Raises:
        NotationError: an array without brackets, two free indices of one letter, a name that is
            given by `let` and stands for a hyperparameter too.
    """
    _check_brackets(name, body)
    _check_letters(name, body)
    given = {node.name: node for node in body.atoms(Let)}
    for scalar in scalars:
        if scalar in given and any(s.name == scalar for s in _plain_symbols(body)):
            raise NotationError(
                f"{name}: {scalar} is the name of a part, {_shown(given[scalar])}, and a "
                f"hyperparameter elsewhere: where the part is meant, write the let again; where "
                "not, rename one"
            )


def _plain_symbols(body: Any) -> set[Any]:
    return {s for s in body.free_symbols if not isinstance(s, (Index, Tensor))}


def _check_brackets(name: str, body: Any) -> None:
    """Every array is indexed."""
    if isinstance(body, Tensor):
        raise NotationError(f"{name}: {_unindexed(body)}")
    for node in sp.preorder_traversal(body):
        for part in () if isinstance(node, Access) else node.args:
            if isinstance(part, Tensor):
                raise NotationError(f"{name}: {_unindexed(part)}, not {_shown(node)}")


def _unindexed(tensor: Tensor) -> str:
    places = ", ".join("ijkl"[axis % 4] for axis in range(len(tensor.shape)))
    extents = ", ".join(map(str, tensor.shape))
    return (
        f"{tensor.name} is an array of shape ({extents}): expected its indices, as in "
        f"{tensor.name}[{places}]"
    )


def _check_letters(name: str, body: Any) -> None:
    """Free indices are told apart by their letters."""
    seen: dict[str, Index] = {}
    for index in sorted(free_indices(body), key=lambda i: i.dummy_index):
        known = seen.setdefault(index.name, index)
        if known is not index:
            raise NotationError(
                f"{name}: two free indices are called {index.name} in {_shown(body)}, one over "
                f"{known.extent}, one over {index.extent}: make each index once, and those that "
                "differ with letters of their own, as in "
                f'indices("i:{known.extent} j:{index.extent}")'
            )


def use_of(tensor: Tensor, body: Any) -> str:
    """Write the smallest part of a formula that reads a tensor, for a message."""
    for node in sp.postorder_traversal(body):
        reads = isinstance(node, Access) and node.tensor == tensor
        if not reads and any(a.tensor == tensor for a in node.atoms(Access)):
            return _shown(node)
    return _shown(body)


def _shown(expression: Any) -> str:
    """Write a formula, cut short if it is long."""
    shown = text(expression)
    return shown if len(shown) < 80 else shown[:77] + "..."
