"""Brute force: the formula written out entry by entry, differentiated by SymPy, to 80 digits.

It knows nothing of adjoints, indices or kernels: sums are sums of terms, atoms are their textbook
definitions, and the derivative is SymPy's own.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symcalc.calculus.expansion import expanded
from symcalc.notation.atoms import Atom, stop_gradient
from symcalc.notation.conditions import Let, Where
from symcalc.notation.definitions import Definition
from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access, Tensor
from symcalc.verify.sampling import Point, size

DIGITS = 80


class Held(sp.Function):
    """A value that counts as a constant when it is differentiated."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        """Return zero."""
        return sp.Integer(0)

    def _eval_is_real(self) -> bool:
        return True


class Unrolled:
    """An objective at fixed extents, as plain SymPy in one symbol an entry.

    Args:
        objective: what to unroll.
        point: gives extents, labels and the cotangent; real entries stay symbols.
    """

    def __init__(self, objective: Objective, point: Point) -> None:
        self.objective = objective
        self.point = point
        self.symbols: dict[tuple[str, tuple[int, ...]], Any] = {}
        self.meanings = {meant.tensor: meant for meant in objective.definitions}
        self.defined: dict[tuple[str, tuple[int, ...]], Any] = {}
        self.arrays = {
            tensor.name: array for tensor, array in zip(objective.inputs, point.arrays, strict=True)
        }
        self.value = self._total()

    def gradient(self, wrt: str, nudge: float = 0.0) -> tuple[Any, Any]:
        """Return value and gradient by one input, here and where the inputs are nudged.

        Args:
            wrt: the input.
            nudge: by what share of itself every real entry is moved, up or down in turn.

        Returns:
            Twice a pair of a float and an array of the input's shape.
        """
        shape = self.arrays[wrt].shape
        _, slopes = self._slopes(wrt)
        here, there = self._evaluate([self.value, *slopes], (0.0, nudge))
        return (
            (here[0], np.array(here[1:]).reshape(shape)),
            (there[0], np.array(there[1:]).reshape(shape)),
        )

    def product(self, wrt: str, vector: Any, nudge: float = 0.0) -> tuple[Any, Any]:
        """Return the slope along a vector and the Hessian's product with it, here and nudged.

        Args:
            wrt: the input that is differentiated by, twice.
            vector: of its shape.
            nudge: as in `gradient`.

        Returns:
            Twice a pair of a float and an array of the input's shape. Where a slope jumps its own
            derivative counts as zero.
        """
        entries, slopes = self._slopes(wrt)
        along = sp.Add(*(sp.Rational(float(v)) * s for v, s in zip(np.ravel(vector), slopes,
                                                                   strict=True)))  # fmt: skip
        products = [_smooth(along.diff(entry)) for entry in entries]
        shape = np.shape(vector)
        here, there = self._evaluate([along, *products], (0.0, nudge))
        return (
            (here[0], np.array(here[1:]).reshape(shape)),
            (there[0], np.array(there[1:]).reshape(shape)),
        )

    def diagonal(self, wrt: str, nudge: float = 0.0) -> tuple[Any, Any]:
        """Return the second derivative by each entry of one input, here and nudged.

        Args:
            wrt: the input.
            nudge: as in `gradient`.

        Returns:
            Two arrays of the input's shape.
        """
        found = [_smooth(s.diff(entry)) for entry, s in zip(*self._slopes(wrt), strict=True)]
        here, there = self._evaluate(found, (0.0, nudge))
        shape = self.arrays[wrt].shape
        return np.array(here).reshape(shape), np.array(there).reshape(shape)

    def _slopes(self, wrt: str) -> tuple[list[Any], list[Any]]:
        """The entries of an input, and the derivative by each."""
        ranges = (range(extent) for extent in self.arrays[wrt].shape)
        entries = [self._symbol(wrt, place) for place in itertools.product(*ranges)]
        return entries, [self.value.diff(entry) for entry in entries]

    def _evaluate(self, expressions: list[Any], nudges: tuple[float, ...]) -> list[list[float]]:
        """Evaluate expressions to eighty digits, once for each nudge."""
        symbols = list(self.symbols.values())
        parameters = [p.symbol for p in self.objective.parameters]
        plain = {symbol: sp.Dummy(real=True) for symbol in (*symbols, *parameters)}
        function = sp.lambdify(
            list(plain.values()),
            [e.xreplace(plain) for e in expressions],
            modules=[{"Held": lambda value: value}, "mpmath"],
        )
        found = []
        with mpmath.workdps(DIGITS):
            hyper = [mpmath.mpf(self.point.hyper[p.name]) for p in self.objective.parameters]
            for nudge in nudges:
                entries = [
                    mpmath.mpf(float(self.arrays[name][place])) * (1 + (-1) ** turn * nudge)
                    for turn, (name, place) in enumerate(self.symbols)
                ]
                numbers = function(*entries, *hyper)
                found.append([float(mpmath.re(number)) for number in numbers])
        return found

    def _symbol(self, name: str, place: tuple[int, ...]) -> Any:
        tensor = self.objective.input(name)
        key = (name, place)
        if key not in self.symbols:
            self.symbols[key] = sp.Dummy(f"{name}_{place}", **tensor.domain.assumptions)
        return self.symbols[key]

    def _total(self) -> Any:
        """The value, or for an array the sum of its entries times the cotangent's."""
        objective, extents = self.objective, self.point.extents
        body = expanded(objective.body).body
        if objective.is_scalar:
            return self._plain(body, {})
        ranges = [range(size(index.extent, extents)) for index in objective.outputs]
        total = sp.Integer(0)
        for place in itertools.product(*ranges):
            at = dict(zip(objective.outputs, place, strict=True))
            weight = sp.Rational(float(self.point.cotangent[place]))
            total += weight * self._plain(body, at)
        return total

    def _plain(self, expression: Any, at: dict[Index, int]) -> Any:
        """Return an expression with every index a number."""
        if isinstance(expression, Index):
            return sp.Integer(at[expression])
        if isinstance(expression, Dim):
            return sp.Integer(self.point.extents[expression.name])
        if isinstance(expression, Access):
            return self._entry(expression.tensor, tuple(int(self._plain(p, at))
                                                        for p in expression.places))  # fmt: skip
        if isinstance(expression, Table):
            entry = expression.values[int(self._plain(expression.index, at))]
            return sp.Rational(*entry.as_integer_ratio())
        if isinstance(expression, Let):
            return self._plain(expression.body, at)
        if isinstance(expression, Reduction):
            count = int(self._plain(expression.index.extent, at))
            terms = [
                self._plain(expression.body, {**at, expression.index: k}) for k in range(count)
            ]
            if expression.gives_place:
                return sp.Integer(self._first(terms, expression.spelling == "argmax"))
            return _REDUCED[expression.spelling](terms)
        if isinstance(expression, Recurrence):
            return self._entry_of(expression, at)
        if not expression.args:
            return expression
        if isinstance(expression, (sp.floor, sp.Mod, sp.Min, sp.Max)):  # of indices and extents
            return expression.func(*(self._plain(argument, at) for argument in expression.args))
        if isinstance(expression, Where):
            when = self._plain(expression.args[0], at)
            if when in (sp.true, sp.false):  # the other side may be out of bounds
                return self._plain(expression.args[1 if when == sp.true else 2], at)
            then, otherwise = (self._plain(side, at) for side in expression.args[1:])
            return sp.Piecewise((then, when), (otherwise, True))
        arguments = [self._plain(argument, at) for argument in expression.args]
        if isinstance(expression, stop_gradient):
            return Held(*arguments)
        if isinstance(expression, Atom):
            return sp.sympify(type(expression).definition(*arguments))
        return expression.func(*arguments)

    def _first(self, terms: list[Any], greatest: bool) -> int:
        """The place of the extreme at the point, the first of several."""
        entries = {
            symbol: sp.Rational(float(self.arrays[name][place]))
            for (name, place), symbol in self.symbols.items()
        }
        numbers = [term.xreplace(entries) for term in terms]
        best = 0
        for place, number in enumerate(numbers):
            if number > numbers[best] if greatest else number < numbers[best]:
                best = place
        return best

    def _entry_of(self, recurrence: Recurrence, at: dict[Index, int]) -> Any:
        """Write a recurrence out, entry after entry, up to the one asked for."""
        place = int(self._plain(recurrence.place, at))
        count = int(self._plain(recurrence.index.extent, at))
        value = self._plain(recurrence.start, at)
        for k in recurrence.order(count):
            here = {**at, recurrence.index: k}
            decay, term = (self._plain(p, here) for p in (recurrence.decay, recurrence.term))
            value = decay * value + term
            if k == place:
                break
        return value

    def _entry(self, tensor: Tensor, place: tuple[int, ...]) -> Any:
        if tensor in self.meanings:
            return self._meaning(self.meanings[tensor], place)
        if tensor.domain.integer:
            return sp.Integer(int(self.arrays[tensor.name][place]))
        return self._symbol(tensor.name, place)

    def _meaning(self, meant: Definition, place: tuple[int, ...]) -> Any:
        """Write out one entry of what the formula defines, once."""
        key = (meant.name, place)
        if key not in self.defined:
            at = dict(zip(meant.indices, place, strict=True))
            self.defined[key] = self._plain(meant.body, at)
        return self.defined[key]


def _smooth(expression: Any) -> Any:
    """Leave out what a second derivative has at the very point where the slope jumps."""
    return expression.replace(sp.DiracDelta, lambda *_: sp.Integer(0))


def _greatest(terms: list[Any]) -> Any:
    return functools.reduce(lambda a, b: sp.Piecewise((a, a >= b), (b, True)), terms)


def _least(terms: list[Any]) -> Any:
    return functools.reduce(lambda a, b: sp.Piecewise((a, a <= b), (b, True)), terms)


_REDUCED: dict[str, Any] = {
    "sum": lambda terms: sp.Add(*terms),
    "mean": lambda terms: sp.Add(*terms) / len(terms),
    "prod": lambda terms: sp.Mul(*terms),
    "max": _greatest,
    "min": _least,
    "logsumexp": lambda terms: sp.log(sp.Add(*(sp.exp(term) for term in terms))),
    "norm2": lambda terms: sp.sqrt(sp.Add(*(term**2 for term in terms))),
}
