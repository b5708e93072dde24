"""Tables: fixed numbers, such as the nodes and weights of a quadrature, looked up by an index."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import sympy as sp


class Table(sp.Expr):
    """Base: the entry of a fixed table of numbers at an index.

    `args` are the number of entries and the index.
    """

    is_commutative = True
    title = ""

    def __new__(cls, count: Any, index: Any) -> Any:
        """Make the entry of a table of `count` numbers."""
        return super().__new__(cls, sp.Integer(count), sp.sympify(index))

    @property
    def count(self) -> int:
        """How many entries there are."""
        return int(self.args[0])

    @property
    def index(self) -> Any:
        """Which entry is meant."""
        return self.args[1]

    @property
    def name(self) -> str:
        """What the table is called."""
        return f"{self.title}_{self.count}"

    @property
    def values(self) -> tuple[float, ...]:
        """The entries, each a double that is taken to be exact."""
        raise NotImplementedError

    def _eval_derivative(self, symbol: Any) -> Any:
        return sp.Integer(0)

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_extended_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"{self.name}[{printer._print(self.index)}]"


class HermiteNode(Table):
    """A node of Gauss-Hermite quadrature for the standard normal density."""

    title = "hermite_nodes"

    @property
    def values(self) -> tuple[float, ...]:
        """The roots of the Hermite polynomial, in increasing order."""
        return gauss_hermite(self.count)[0]


class HermiteWeight(Table):
    """A weight of Gauss-Hermite quadrature for the standard normal density; they sum to one."""

    title = "hermite_weights"

    @property
    def values(self) -> tuple[float, ...]:
        """The weights, in the order of the nodes."""
        return gauss_hermite(self.count)[1]

    def _eval_is_positive(self) -> bool:
        return True


@functools.cache
def gauss_hermite(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes and weights with E f(x) = sum_q w_q f(x_q) for x ~ N(0, 1), f a polynomial.

    Exact up to degree 2 count - 1.

    Reference: Golub and Welsch (1969), doi:10.1090/S0025-5718-69-99647-1.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return tuple(nodes.tolist()), tuple((weights / weights.sum()).tolist())
