"""An independent witness: formulas written out entry by entry, differentiated by SymPy alone.

Nothing of the calculus or of the checker is used: a formula is walked by what its nodes mean, every
index replaced by numbers, every reduction by an explicit chain of terms.
"""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symcalc.notation import conditions, reductions, scans
from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access

DIGITS = 40


def first_of_two(a: Any, b: Any, better: Any) -> Any:
    """The better of two, the first at a tie."""
    return sp.Piecewise((a, better(a, b)), (b, True))


# The atoms as any textbook has them; 0 at the points where a convention is needed.
TEXTBOOK: dict[str, Any] = {
    "abs": sp.Abs,
    "sign": sp.sign,
    "expm1": lambda x: sp.exp(x) - 1,
    "expm1x": lambda x: sp.exp(x) - 1 - x,
    "log1p": lambda x: sp.log(1 + x),
    "tanh": sp.tanh,
    "sech": lambda x: 2 / (sp.exp(x) + sp.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "log_sigmoid": lambda x: -sp.log(1 + sp.exp(-x)),
    "log_cosh": lambda x: sp.log((sp.exp(x) + sp.exp(-x)) / 2),
    "relu": lambda x: sp.Piecewise((x, x > 0), (0, True)),
    "maximum": lambda a, b: first_of_two(a, b, sp.Ge),
    "minimum": lambda a, b: first_of_two(a, b, sp.Le),
    "clip": lambda x, a, b: sp.Piecewise((x, sp.And(x >= a, x <= b)), (a, x < a), (b, True)),
    "xlogy": lambda x, y: sp.Piecewise((0, sp.Eq(x, 0)), (x * sp.log(y), True)),
    "log1mexp": lambda x: sp.log(1 - sp.exp(-x)),
    "log_ratio": lambda x, y: sp.log(x) - sp.log(y),
    "kl_div": lambda x, y: x * sp.log(x) - x * sp.log(y) - x + y,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "lgamma": sp.loggamma,
    "digamma": sp.digamma,
}


class Unrolled:
    """A formula at given extents, every entry of every real array a symbol of its own.

    Args:
        objective: whose formula.
        sizes: the extent of each dim, by name.
        arrays: values of every input, by name; integer ones are written in, real ones are symbols.
        parameters: values of the hyperparameters.
    """

    def __init__(
        self, objective: Any, sizes: dict[str, int], arrays: dict[str, Any],
        parameters: dict[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.objective, self.sizes, self.arrays = objective, sizes, arrays
        self.values: dict[Any, Any] = {}
        self.frozen: dict[Any, Any] = {}
        self.meanings = {meant.name: meant for meant in objective.definitions}
        self.known: dict[Any, Any] = {}
        self.symbols = {
            tensor.name: {
                place: sp.Symbol("_".join([tensor.name, *map(str, place)]), real=True)
                for place in np.ndindex(np.shape(arrays[tensor.name]))
            }
            for tensor in objective.inputs
            if not tensor.domain.integer
        }
        for name, entries in self.symbols.items():
            self.values |= {s: _exact(arrays[name][place]) for place, s in entries.items()}
        given = {p.name: p.default for p in objective.parameters} | (parameters or {})
        self.values |= {p.symbol: _exact(given[p.name]) for p in objective.parameters}

    def value(self) -> Any:
        """The value, or an object array of values."""
        return self._each_output(lambda formula: self.number(formula))

    def gradient(self, name: str, cotangent: Any = None) -> Any:
        """The derivative of sum(cotangent * value) by every entry of an input."""
        outputs = np.atleast_1d(self._each_output(lambda formula: formula))
        weights = np.ones(outputs.shape) if cotangent is None else np.asarray(cotangent)
        total = sum(_exact(w) * f for w, f in zip(weights.ravel(), outputs.ravel(), strict=True))
        entries = self.symbols[name]
        found = np.empty(np.shape(self.arrays[name]), dtype=object)
        for place, symbol in entries.items():
            found[place] = self.number(sp.diff(total, symbol))
        return found

    def hessian(self, name: str) -> Any:
        """Second derivatives of a scalar by all pairs of entries; zero where a slope jumps."""
        entries = self.symbols[name]
        shape = np.shape(self.arrays[name])
        formula = self.unroll(self.objective.body, {})
        found = np.zeros((*shape, *shape))
        for place, entry in entries.items():
            slope = formula.diff(entry)
            for other, second in entries.items():
                curved = slope.diff(second).replace(sp.DiracDelta, lambda *_: sp.Integer(0))
                found[(*place, *other)] = self.number(curved)
        return found

    def product(self, name: str, along: dict[str, Any]) -> Any:
        """The derivative of the gradient by an input along a direction of several."""
        total = self.unroll(self.objective.body, {})
        slope = sum(
            sp.diff(total, symbol) * _exact(along[moving][place])
            for moving in along
            for place, symbol in self.symbols[moving].items()
        )
        found = np.empty(np.shape(self.arrays[name]), dtype=object)
        for place, symbol in self.symbols[name].items():
            found[place] = self.number(sp.diff(slope, symbol))
        return found

    def number(self, formula: Any) -> Any:
        """Evaluate an unrolled formula at the point, to many digits."""
        formula = sp.sympify(formula).xreplace(self.frozen).xreplace(self.values)
        with mpmath.workdps(DIGITS):
            return mpmath.mpf(str(sp.N(formula, DIGITS)))

    def _each_output(self, of: Any) -> Any:
        outputs = self.objective.outputs
        if not outputs:
            return of(self.unroll(self.objective.body, {}))
        shape = tuple(self.whole(index.extent, {}) for index in outputs)
        found = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            at = dict(zip(outputs, place, strict=True))
            found[place] = of(self.unroll(self.objective.body, at))
        return found

    def whole(self, place: Any, at: dict[Any, int]) -> int:
        """An index expression as a number."""
        if isinstance(place, Access):
            inner = tuple(self.whole(p, at) for p in place.places)
            return int(self.arrays[place.tensor.name][inner])
        if isinstance(place, Index):
            return at[place]
        if isinstance(place, Dim):
            return self.sizes[place.name]
        if not place.args:
            return int(place)
        if isinstance(place, reductions.ArgMax | reductions.ArgMin):
            return int(self.unroll(place, at))
        known = {s: self.whole(s, at) for s in place.free_symbols}
        return int(place.xreplace({s: sp.Integer(number) for s, number in known.items()}))

    def first_extreme(self, terms: list[Any], greatest: bool) -> Any:
        """The term that is the extreme at the point, the first of several."""
        numbers = [self.number(term) for term in terms]
        return terms[numbers.index(max(numbers) if greatest else min(numbers))]

    def unroll(self, node: Any, at: dict[Any, int]) -> Any:
        """Write a node out."""
        if isinstance(node, Access):
            place = tuple(self.whole(p, at) for p in node.places)
            name = node.tensor.name
            if name in self.meanings:
                return self.meaning(self.meanings[name], place)
            if any(not 0 <= p < s for p, s in zip(place, np.shape(self.arrays[name]), strict=True)):
                raise IndexError(f"{node} at {place}")
            if name not in self.symbols:
                return sp.Integer(int(self.arrays[name][place]))
            return self.symbols[name][place]
        if isinstance(node, (Dim, Index)):
            return sp.Integer(self.whole(node, at))
        if isinstance(node, conditions.Let):
            return self.unroll(node.body, at)
        if isinstance(node, conditions.Where):
            when, then, otherwise = node.args
            decided = self.unroll(when, at)
            if decided in (sp.true, sp.false):
                return self.unroll(then if decided == sp.true else otherwise, at)
            return sp.Piecewise(
                (self.unroll(then, at), decided), (self.unroll(otherwise, at), True)
            )
        if isinstance(node, reductions.Reduction):
            terms = [
                self.unroll(node.body, at | {node.index: k})
                for k in range(self.whole(node.index.extent, at))
            ]
            if isinstance(node, reductions.ArgMax | reductions.ArgMin):
                first = self.first_extreme(terms, isinstance(node, reductions.ArgMax))
                return sp.Integer(terms.index(first))
            if isinstance(node, reductions.Max | reductions.Min):
                return self.first_extreme(terms, isinstance(node, reductions.Max))
            return REDUCED[type(node).__name__](terms)
        if isinstance(node, scans.Recurrence):
            return self.sequence(node, at)[self.whole(node.place, at)]
        if not node.args:
            return node
        if isinstance(node, sp.floor | sp.Mod | sp.Min | sp.Max):
            return sp.Integer(self.whole(node, at))
        arguments = [self.unroll(argument, at) for argument in node.args]
        name = type(node).__name__
        if name == "stop_gradient":
            held = sp.Dummy("held", real=True)
            self.frozen[held] = arguments[0].xreplace(self.frozen)
            return held
        if name in TEXTBOOK:
            return TEXTBOOK[name](*arguments)
        return node.func(*arguments)

    def sequence(self, node: Any, at: dict[Any, int]) -> list[Any]:
        """Every entry of a recurrence."""
        count, reverse = self.whole(node.index.extent, at), isinstance(node, scans.ReverseScan)
        entries, last = [], self.unroll(node.start, at)
        for k in range(count):
            here = at | {node.index: count - 1 - k if reverse else k}
            last = self.unroll(node.decay, here) * last + self.unroll(node.term, here)
            entries.append(last)
        return entries[::-1] if reverse else entries

    def meaning(self, meant: Any, place: tuple[int, ...]) -> Any:
        """Write out one entry of what the formula defines."""
        key = (meant.name, place)
        if key not in self.known:
            shape = tuple(self.whole(index.extent, {}) for index in meant.indices)
            if any(not 0 <= p < s for p, s in zip(place, shape, strict=True)):
                raise IndexError(f"{meant.name} at {place}")
            self.known[key] = self.unroll(meant.body, dict(zip(meant.indices, place, strict=True)))
        return self.known[key]


def _exact(value: Any) -> Any:
    return sp.Rational(*float(value).as_integer_ratio())


REDUCED: dict[str, Any] = {
    "Sum": lambda terms: sp.Add(*terms),
    "Mean": lambda terms: sp.Add(*terms) / len(terms),
    "Prod": lambda terms: sp.Mul(*terms),
    "LogSumExp": lambda terms: sp.log(sp.Add(*(sp.exp(t) for t in terms))),
    "Norm2": lambda terms: (lambda s: sp.Piecewise((sp.sqrt(s), s > 0), (0, True)))(
        sp.Add(*(t**2 for t in terms))
    ),
}


def draw(objective: Any, sizes: dict[str, int], seed: int = 0) -> dict[str, Any]:
    """Random inputs with few binary digits, each in its domain and away from kinks."""
    rng = np.random.default_rng(seed)
    found = {}
    for tensor in objective.inputs:
        shape = tuple(int(e.subs({s: sizes[str(s)] for s in e.free_symbols})) for e in tensor.shape)
        domain = tensor.domain
        if domain.below is not None:
            found[tensor.name] = rng.integers(0, sizes[domain.below.name], shape)
        elif domain.values:
            found[tensor.name] = rng.choice(np.array(domain.values), shape)
        elif domain.rows_sum_to_one:
            raw = rng.integers(1, 64, shape) / 64
            found[tensor.name] = raw / raw.sum(axis=-1, keepdims=True)
        elif domain.lower == 0:
            found[tensor.name] = rng.integers(1, 64, shape) / 64
        else:
            found[tensor.name] = rng.integers(-999, 999, shape) / 512
    return found


def all_sizes(objective: Any, choices: tuple[int, ...] = (2, 3)) -> list[dict[str, int]]:
    """Every assignment of small extents to an objective's dims."""
    names = {d.name for d in objective.dims}
    names |= {t.domain.below.name for t in objective.inputs if t.domain.below is not None}
    ordered = sorted(names)
    return [
        dict(zip(ordered, sizes, strict=True))
        for sizes in itertools.product(choices, repeat=len(ordered))
    ]
