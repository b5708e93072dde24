"""Scales: what a loop multiplies by and does not change in it, computed once before it.

`2 t / n` in a loop is a division an element; `scale * t` with `scale = 2 / n` is none.  Only
extents are divided by beforehand: the reciprocal of a number that may be tiny would overflow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.program import Accumulate, Assign, Loop, Node
from symcalc.program.sections import targets


class Scales:
    """The body of a pass, its invariant factors named.

    Args:
        body: the statements of the pass.
        inputs: the arrays given.
        taken: names in use; the new ones are added.

    Attributes:
        body: the statements with the names put in.
        defined: (symbol, value) for each name, to be computed before the pass.
    """

    def __init__(self, body: tuple[Node, ...], inputs: tuple[Tensor, ...], taken: set[str]) -> None:
        self._inputs = inputs
        self._made = targets(body)
        self._taken = taken
        self._known: dict[Any, Any] = {}
        self.body = self._nodes(body)
        self.defined = [(symbol, value) for value, symbol in self._known.items()]

    def _nodes(self, body: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(self._node(node) for node in body)

    def _node(self, node: Node) -> Node:
        if isinstance(node, Loop):
            return replace(node, body=self._nodes(node.body))
        if isinstance(node, (Assign, Accumulate)):
            return replace(node, value=self._scaled(node.value))
        return node

    def _scaled(self, expression: Any) -> Any:
        if not expression.args or isinstance(expression, Access):
            return expression
        arguments = [self._scaled(argument) for argument in expression.args]
        if not isinstance(expression, sp.Mul):
            same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
            return expression if same else expression.func(*arguments)
        fixed = [factor for factor in arguments if self._is_fixed(factor)]
        rest = [factor for factor in arguments if factor not in fixed]
        if not any(_divides(factor) for factor in fixed) or self._is_total(rest):
            return sp.Mul(*arguments)
        return sp.Mul(self._named(sp.Mul(*fixed)), *rest)

    def _is_total(self, rest: list[Any]) -> bool:
        """Whether what is divided is one computed number: the quotient is a mean, kept exact."""
        computed = [f for f in rest if isinstance(f, Access) and f.tensor not in self._inputs]
        return len(rest) <= 1 and rest == computed

    def _is_fixed(self, factor: Any) -> bool:
        """Whether a factor is the same for every index of the pass."""
        base, exponent = factor.as_base_exp()
        if factor.atoms(Index) or (exponent.is_negative and not _counts(base)):
            return False
        return all(not a.places and a.tensor not in self._made for a in factor.atoms(Access))

    def _named(self, value: Any) -> Any:
        sign, value = (-1, -value) if value.could_extract_minus_sign() else (1, value)
        if value not in self._known:
            name, count = "scale", 1
            while name in self._taken:
                count += 1
                name = f"scale{count}"
            self._taken.add(name)
            self._known[value] = sp.Symbol(name, real=True)
        return sign * self._known[value]


def _divides(factor: Any) -> bool:
    base, exponent = factor.as_base_exp()
    return bool(exponent.is_Rational and exponent < 0 and base.atoms(Dim))


def _counts(base: Any) -> bool:
    """Whether something is made of extents and numbers alone."""
    dims = all(isinstance(symbol, Dim) for symbol in base.free_symbols)
    return dims and not base.atoms(Access)
