"""Peers: what a competent user of each library would write, one module a library.

A peer module has one function, `runner(problem, variant, threads) -> Runner`, and imports its
library at the top: only the process that measures it ever imports it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symcalc.notation.errors import SymcalcError

Result = tuple[Any, tuple[Any, ...]]


class NotOfferedError(SymcalcError):
    """The library has no such objective, or none written for it here."""


@dataclass(frozen=True)
class Runner:
    """A computation that is ready to be timed.

    Args:
        call: computes value and gradients and returns when they are there.
        read: turns what `call` returned into NumPy: the value, and the gradients in the order of
            the objective's `wrt`; None where there is nothing to compare.
    """

    call: Callable[[], Any]
    read: Callable[[Any], Result] | None = None


@dataclass(frozen=True)
class Peer:
    """One row of a benchmark.

    Args:
        name: what it is called in the table.
        module: the module that holds its `runner`.
        package: the package that must be installed.
        variant: which of the module's several ways of running.
        catalogue_only: whether it knows objectives by name, so that one from elsewhere is none
            of its.
    """

    name: str
    module: str
    package: str
    variant: str = ""
    catalogue_only: bool = True


_HERE = __name__
OURS = Peer("symcalc", f"{_HERE}.symcalc_peer", "symcalc", catalogue_only=False)
FRESH = dataclasses.replace(OURS, name="symcalc, fresh arrays", variant="fresh")
BOUND = dataclasses.replace(OURS, name="symcalc, bound", variant="bound")
FLOOR = Peer("memory floor", f"{_HERE}.floor", "numba", catalogue_only=False)
PEERS: tuple[Peer, ...] = (
    Peer("numpy", f"{_HERE}.numpy_peer", "numpy"),
    Peer("torch", f"{_HERE}.torch_peer", "torch", "eager"),
    Peer("torch.compile", f"{_HERE}.torch_peer", "torch", "compile"),
    Peer("jax", f"{_HERE}.jax_peer", "jax"),
    Peer("scikit-learn", f"{_HERE}.sklearn_peer", "sklearn"),
    Peer("lambdify", f"{_HERE}.lambdify_peer", "sympy"),
    Peer("numexpr", f"{_HERE}.numexpr_peer", "numexpr"),
    Peer("pytensor", f"{_HERE}.pytensor_peer", "pytensor"),
    Peer("tensorgrad", f"{_HERE}.tensorgrad_peer", "tensorgrad"),
)
STEP = dataclasses.replace(OURS, variant="step")
STEP_FLOOR = dataclasses.replace(FLOOR, variant="step")
STEP_PEERS: tuple[Peer, ...] = (
    Peer("torch, fused", f"{_HERE}.torch_optimizer_peer", "torch", "fused"),
    Peer("torch", f"{_HERE}.torch_optimizer_peer", "torch", "foreach"),
)  # of updates, which step in place
NOT_PEERS = frozenset(peer.name for peer in (OURS, FRESH, BOUND, FLOOR))


def offered(table: dict[str, Any], name: str, library: str) -> Any:
    """Return a library's entry for an objective.

    Raises:
        NotOfferedError: it has none.
    """
    if name not in table:
        raise NotOfferedError(f"{library} has no {name}")
    return table[name]
