"""Parameters: the hyperparameters of an objective, and the sizes its dims must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.notation.compare import Comparable
from symcalc.notation.dims import Dim
from symcalc.notation.domains import Domain
from symcalc.notation.errors import NotationError


class Hyper(Comparable, sp.Symbol):
    """The symbol of a hyperparameter: like any other, but `==` may stand in a condition."""

    __iter__ = None  # having brackets refused does not make it a sequence

    def __getitem__(self, places: Any) -> Any:
        written = ", ".join(map(str, places if isinstance(places, tuple) else (places,)))
        raise NotationError(
            f"{self.name}[{written}]: {self.name} is a hyperparameter, a single number: write it "
            "without brackets, or declare an array"
        )


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: a scalar given by keyword.

    Args:
        name: its keyword.
        domain: where it may lie.
        default: its default, or None where the caller must give one.
    """

    name: str
    domain: Domain
    default: float | None = None

    @property
    def symbol(self) -> Any:
        """The symbol that stands for it in formulas."""
        return Hyper(self.name, **self.domain.assumptions)


@dataclass(frozen=True)
class Size:
    """A size that a dim must have.

    Args:
        dim: the dim.
        value: its size.
        source: what says so, such as "layer 2 is 8 wide".
    """

    dim: Dim
    value: int
    source: str
