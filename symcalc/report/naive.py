"""A formula computed as it is written: what one gets who types the definition into NumPy.

Every atom is its textbook definition, a sum is a loop, and nothing is arranged so that floating
point keeps its digits. This is the other side of the pictures of stability; no kernel uses it.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.notation.atoms import Atom, Grouped
from symcalc.notation.conditions import Let, Where
from symcalc.notation.errors import SymcalcError
from symcalc.notation.reductions import LogSumExp, Max, Mean, Min, Norm2, Prod, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor

_FUNCTIONS: dict[Any, Callable[[Any], Any]] = {
    sp.exp: np.exp, sp.log: np.log, sp.tanh: np.tanh, sp.cosh: np.cosh, sp.sinh: np.sinh,
    sp.cos: np.cos, sp.sin: np.sin, sp.Abs: np.abs, sp.sign: np.sign, Grouped: lambda x: x,
    sp.erf: math.erf, sp.erfc: math.erfc,
}  # fmt: skip
_RELATIONS: dict[Any, Callable[[Any, Any], Any]] = {
    sp.Lt: operator.lt, sp.Le: operator.le, sp.Gt: operator.gt, sp.Ge: operator.ge,
    sp.Eq: operator.eq, sp.Ne: operator.ne,
}  # fmt: skip


class NotNaiveError(SymcalcError, ArithmeticError):
    """A formula has a part that nobody would type into NumPy as it stands."""


class AsWritten:
    """Computes formulas at one point, in one dtype.

    Args:
        arrays: the inputs.
        symbols: hyperparameters and extents.
        equations: of the tensors that are no inputs.
        dtype: a NumPy scalar type.
    """

    def __init__(
        self,
        arrays: Mapping[Tensor, Any],
        symbols: Mapping[Any, float],
        equations: Mapping[Tensor, Equation],
        dtype: Callable[[Any], Any],
    ) -> None:
        self.arrays = arrays
        self.symbols = symbols
        self.equations = equations
        self.dtype = dtype
        self._known: dict[tuple[Tensor, tuple[int, ...]], Any] = {}

    def entry(self, tensor: Tensor, places: tuple[int, ...]) -> Any:
        """Return an entry of a tensor.

        Raises:
            NotNaiveError: its formula has a part of another kind.
        """
        if tensor in self.arrays:
            found = self.arrays[tensor][places]
            return int(found) if tensor.domain.integer else self.dtype(found)
        key = (tensor, places)
        if key not in self._known:
            equation = self.equations[tensor]
            at = dict(zip(equation.indices, places, strict=True))
            self._known[key] = self.number(equation.body, at)
        return self._known[key]

    def number(self, node: Any, at: Mapping[Any, Any]) -> Any:
        """Compute a formula; `at` has a number for each index and dummy.

        Raises:
            NotNaiveError: a part of another kind.
        """
        if node in at:
            return at[node]
        if node in self.symbols:
            known = self.symbols[node]
            return known if isinstance(known, int) else self.dtype(known)
        if isinstance(node, Access):
            return self.entry(node.tensor, tuple(int(self.number(p, at)) for p in node.places))
        if node.is_Number or isinstance(node, sp.NumberSymbol):
            return int(node) if node.is_Integer else self.dtype(float(node))
        if isinstance(node, Let):
            return self.number(node.body, at)
        if isinstance(node, (Where, sp.Piecewise)):
            return self._choice(node, at)
        if isinstance(node, Reduction):
            return self._reduced(node, at)
        if isinstance(node, Atom):
            kind: Any = type(node)
            dummies, body = _definition(kind, len(node.args))
            given = [self.dtype(self.number(part, at)) for part in node.args]
            return self.number(body, dict(zip(dummies, given, strict=True)))
        if node.is_Add:
            return functools.reduce(operator.add, (self.number(part, at) for part in node.args))
        if node.is_Mul:
            return self._product(node, at)
        if node.is_Pow:
            return self._power(node, at)
        known_function = _FUNCTIONS.get(node.func)
        if known_function is None:
            raise NotNaiveError(f"naive: expected a formula of NumPy's functions, got {node}")
        return self.dtype(known_function(self.number(node.args[0], at)))

    def _product(self, node: Any, at: Mapping[Any, Any]) -> Any:
        above, below = sp.fraction(node, exact=True)
        if below == 1:
            return functools.reduce(operator.mul, (self.number(part, at) for part in node.args))
        return self.dtype(self.number(above, at)) / self.dtype(self.number(below, at))

    def _power(self, node: Any, at: Mapping[Any, Any]) -> Any:
        base = self.dtype(self.number(node.base, at))
        if node.exp == sp.Rational(1, 2):
            return np.sqrt(base)
        if node.exp == -1:
            return self.dtype(1) / base
        return base ** self.dtype(self.number(node.exp, at))

    def _choice(self, node: Any, at: Mapping[Any, Any]) -> Any:
        if isinstance(node, Where):
            when, then, otherwise = node.args
            return self.number(then if self._holds(when, at) else otherwise, at)
        for value, when in node.args:
            if self._holds(when, at):
                return self.number(value, at)
        raise NotNaiveError(f"naive: expected a choice that is complete, got {node}")

    def _holds(self, when: Any, at: Mapping[Any, Any]) -> bool:
        if when in (sp.true, sp.false):
            return bool(when)
        if isinstance(when, sp.And):
            return all(self._holds(part, at) for part in when.args)
        if isinstance(when, sp.Or):
            return any(self._holds(part, at) for part in when.args)
        if isinstance(when, sp.Not):
            return not self._holds(when.args[0], at)
        relation = _RELATIONS.get(when.func)
        if relation is None:
            raise NotNaiveError(f"naive: expected a comparison, got {when}")
        return bool(relation(self.number(when.lhs, at), self.number(when.rhs, at)))

    def _reduced(self, node: Reduction, at: Mapping[Any, Any]) -> Any:
        extent = int(self.number(node.index.extent, at))
        terms = [self.dtype(self.number(node.body, {**at, node.index: k})) for k in range(extent)]
        total = functools.partial(functools.reduce, operator.add)
        if isinstance(node, Mean):
            return total(terms) / self.dtype(extent)
        if isinstance(node, LogSumExp):
            return np.log(total([np.exp(term) for term in terms]))
        if isinstance(node, Norm2):
            return np.sqrt(total([term * term for term in terms]))
        simple: dict[Any, Callable[[Any], Any]] = {
            Sum: total, Prod: lambda found: functools.reduce(operator.mul, found), Max: max,
            Min: min,
        }  # fmt: skip
        if type(node) not in simple:
            raise NotNaiveError(f"naive: expected a sum, mean, product or norm, got {node}")
        return simple[type(node)](terms)


@functools.cache
def _definition(atom: Any, arity: int) -> tuple[tuple[Any, ...], Any]:
    dummies = tuple(sp.Dummy(real=True) for _ in range(arity))
    return dummies, sp.sympify(atom.definition(*dummies))
