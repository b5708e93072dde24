"""Checking: that a formula is one of the notation, over names that are known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.notation.atoms import Atom
from symcalc.notation.compare import is_condition
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import NotationError
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.places import is_size
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.sense import use_of
from symcalc.notation.tensors import Access, Tensor

RESERVED = ("self", "out", "value_out", "cotangent", "tangents", "vector", "vectors", "at")


def check_names(name: str, arguments: Iterable[str], dims: Iterable[Dim]) -> None:
    """Refuse an argument that is called as one of every kernel's, or as a dim is.

    Raises:
        NotationError: says which.
    """
    known = {dim.name for dim in dims}
    for taken in arguments:
        if taken in RESERVED:
            raise NotationError(f"{name}: {taken!r} is an argument of every kernel: rename it")
        if taken in known:
            raise NotationError(
                f"{name}: {taken!r} is both an argument and a dim: rename the one or the other"
            )


def check_formula(name: str, body: Any, known: set[Tensor], parameters: set[str]) -> None:
    """A formula is made of numbers of the notation, and of names that are known."""
    if is_condition(body):
        raise NotationError(f"{name}: expected a formula with a number for a value, got {body}")
    if body.has(sp.I, sp.zoo, sp.nan) or _is_infinite(body):
        raise NotationError(f"{name}: {body} is no real number: a division by zero, a root or a "
                            "logarithm of a negative number stands in the formula")  # fmt: skip
    _check_nodes(name, body)
    for access in body.atoms(Access):
        if access.tensor not in known:
            inputs = sorted({tensor.name for tensor in known})
            raise NotationError(f"{name}: {access} is not an input; inputs: {inputs}")
    for symbol in body.free_symbols:
        if not isinstance(symbol, (Index, Dim, Tensor)) and symbol.name not in parameters:
            raise NotationError(f"{name}: {symbol} is neither an input nor a hyperparameter")


def _is_infinite(node: Any) -> bool:
    """Whether an infinity stands anywhere but as one side of a choice."""
    if node in (sp.oo, -sp.oo):
        return True
    if isinstance(node, Access):
        return False
    if isinstance(node, Where):
        return any(_is_infinite(side) for side in node.args if side not in (sp.oo, -sp.oo))
    return any(_is_infinite(argument) for argument in node.args)


_NODES = (
    sp.Add, sp.Mul, sp.Pow, sp.Number, sp.NumberSymbol, sp.Symbol, sp.exp, sp.log, sp.sin, sp.cos,
    Access, Atom,
    Let, Where, Recurrence, Reduction, GaussianExpectation, Relational, sp.And, sp.Or, sp.Not,
)  # fmt: skip


def _check_nodes(name: str, body: Any) -> None:
    """Every part of a formula is part of the notation."""
    for node in sp.preorder_traversal(body):
        known = isinstance(node, _NODES) or node in (sp.true, sp.false) or is_size(node)
        if not known:
            raise NotationError(
                f"{name}: {type(node).__name__} is not part of the notation: {node}"
            )


def check_wrt(
    name: str, inputs: tuple[Tensor, ...], wrt: str | tuple[str, ...] | None, body: Any
) -> tuple[str, ...]:
    """Return the names to differentiate by: those asked for, else the first real input."""
    real = [tensor.name for tensor in inputs if not tensor.domain.integer]
    if wrt is None:
        if not real:
            raise NotationError(f"{name}: expected a real input to differentiate by, found none")
        return (real[0],)
    if not isinstance(wrt, (str, tuple, list)):
        raise NotationError(f"{name}: wrt: expected a name or a tuple of names, got {wrt!r}")
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for asked in names:
        check_differentiable(name, inputs, asked, body)
    if not names or len(set(names)) != len(names):
        raise NotationError(f"{name}: wrt: expected distinct input names, got {names}")
    return names


def check_differentiable(name: str, inputs: tuple[Tensor, ...], asked: str, body: Any) -> None:
    """Refuse to differentiate by what is not a real input.

    Args:
        name: the objective's name, for the message.
        inputs: its arrays.
        asked: what to differentiate by.
        body: its formula, which the message shows the place of.

    Raises:
        NotationError: `asked` is unknown, or holds integers.
    """
    tensors = {tensor.name: tensor for tensor in inputs}
    if asked not in tensors:
        scalar = any(str(symbol) == str(asked) for symbol in body.free_symbols)
        hint = "; a hyperparameter is a number, not an array" if scalar else ""
        raise NotationError(f"{name}: wrt: expected one of {sorted(tensors)}, got {asked!r}{hint}")
    if tensors[asked].domain.integer:
        raise NotationError(
            f"{name}: wrt: expected a real input, got {asked!r}, which holds "
            f"{tensors[asked].domain.describe()}, as in {use_of(tensors[asked], body)}: "
            "integers have no derivative"
        )
