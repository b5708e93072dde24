"""Symmetries: changes of the inputs that leave a value as it is, turn its sign or scale it.

Each is tried at random points first. Where it holds there, both sides are brought to a canonical
form: if that makes them one formula, it is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symcalc.calculus.canonical import TooManyTermsError
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equal import same_formula, written_out
from symcalc.calculus.equations import lift_objective
from symcalc.notation.errors import SymcalcError
from symcalc.notation.latex import Symbols
from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Access, Tensor, accesses
from symcalc.report.blocks import Line, Math
from symcalc.report.slices import Evaluate
from symcalc.verify.sampling import draw, primes

CHORDS = 200
_POINTS = 12
_TOLERANCE = 1e-9
_STRETCH = 1.75
_MOST_EQUATIONS = 8  # beyond that canonical forms grow long
_SIZES = ((3, 2), (2, 3))
_CANONICAL = "proved: both sides have one canonical form"

Arrays = dict[str, Any]
Change = Callable[[Arrays, np.random.Generator], Arrays]
Rewrite = Callable[[Access], Any]


@dataclass(frozen=True)
class Symmetry:
    """A symmetry that holds: its name, what it says, and how it is known."""

    name: str
    says: Line
    how: str


@dataclass(frozen=True)
class Candidate:
    """A symmetry to be tried.

    Args:
        name: a word or two.
        says: what it says.
        change: what is done to the arrays.
        rewrite: what becomes of an access.
        factor: what the value is multiplied by, in numbers and as a symbol.
    """

    name: str
    says: Line
    change: Change
    rewrite: Rewrite
    factor: tuple[float, Any] = (1.0, sp.Integer(1))


class Probe:
    """Evaluates an objective at random points.

    Args:
        objective: what is evaluated.
        evaluate: value and gradients at given inputs.
    """

    tried = _POINTS

    def __init__(self, objective: Objective, evaluate: Evaluate) -> None:
        self.objective = objective
        self.evaluate = evaluate

    def value(self, arrays: Arrays, hyper: Mapping[str, float], cotangent: Any) -> Any:
        """Return the value at a point."""
        inputs = tuple(arrays[tensor.name] for tensor in self.objective.inputs)
        with np.errstate(all="ignore"):
            return np.asarray(self.evaluate(inputs, hyper, cotangent)[0], dtype=float)

    def points(self, count: int) -> Iterator[tuple[Arrays, dict[str, float], Any]]:
        """Draw points from the domains: arrays by name, hyperparameters, cotangent."""
        for seed in range(count):
            point = draw(self.objective, primes(self.objective, _SIZES[seed % 2]), 100 + seed)
            names = (tensor.name for tensor in self.objective.inputs)
            yield dict(zip(names, point.arrays, strict=True)), point.hyper, point.cotangent

    def copied(self, name: str, other: str) -> Callable[[Arrays], Arrays]:
        """Return what puts one input's entries in place of another's."""
        return lambda arrays: {**arrays, name: arrays[other].astype(float)}

    def zeroed(self, name: str) -> Callable[[Arrays], Arrays]:
        """Return what puts zeros in place of an input."""
        return lambda arrays: {**arrays, name: np.zeros_like(arrays[name])}

    def always(self, made: Callable[[Arrays], Arrays], wanted: float) -> bool:
        """Whether the value is one number wherever some arrays are changed so."""
        for arrays, hyper, cotangent in self.points(_POINTS):
            changed = made(arrays)
            if not all(self._admits(tensor, changed[tensor.name])
                       for tensor in self.objective.inputs):  # fmt: skip
                return False
            if not abs(self.value(changed, hyper, cotangent) - wanted) < _TOLERANCE:
                return False
        return True

    @staticmethod
    def _admits(tensor: Tensor, array: Any) -> bool:
        if tensor.domain.integer:
            return True
        return all(tensor.domain.admits(float(entry)) for entry in array.flat)

    def holds(self, candidate: Candidate) -> bool:
        """Whether a symmetry holds at random points, at most of which the value is not zero."""
        rng, met = np.random.default_rng(7), 0
        for arrays, hyper, cotangent in self.points(_POINTS):
            changed = candidate.change(arrays, rng)
            before = self.value(arrays, hyper, cotangent) * candidate.factor[0]
            after = self.value(changed, hyper, cotangent)
            finite = np.isfinite(before) & np.isfinite(after)
            gap = np.abs(after - before) <= _TOLERANCE * (1 + np.abs(before))
            if not np.all(gap[finite]) or not np.any(finite):
                return False
            met += bool(np.any(np.abs(before[finite]) > _TOLERANCE))
        return met > _POINTS // 2

    def chords(self, wrt: tuple[str, ...]) -> bool | None:
        """Whether no chord lies below the graph; None where too few are finite."""
        met = 0
        points = list(self.points(CHORDS + 2))
        for (arrays, hyper, _), (others, _, _) in zip(points, points[2:], strict=False):
            reach = 1.0 + 3.0 * (met % 3)
            far = {**arrays, **{name: self._away(name, arrays, others, reach) for name in wrt}}
            middle = {**arrays, **{name: (arrays[name] + far[name]) / 2 for name in wrt}}
            a, b, c = (float(self.value(at, hyper, None)) for at in (arrays, far, middle))
            if not np.isfinite([a, b, c]).all():
                continue
            if c > (a + b) / 2 + 1e-7 * (1 + abs(a) + abs(b)):
                return False
            met += 1
        return True if met > CHORDS // 2 else None

    def _away(self, name: str, arrays: Arrays, others: Arrays, reach: float) -> Any:
        """The other end of a chord; farther away where any real number will do."""
        if self.objective.input(name).domain.is_real_line:
            return arrays[name] + reach * (others[name] - arrays[name])
        return others[name]


def symmetries(derivation: Derivation, probe: Probe, letters: Symbols) -> Iterator[Symmetry]:
    """Yield the symmetries that hold.

    Args:
        derivation: of the objective.
        probe: evaluates it.
        letters: the letters of the page.
    """
    objective = derivation.objective
    seen: set[str] = set()
    for candidate in _candidates(objective, letters, objective.wrt):
        if candidate.name in seen or not probe.holds(candidate):
            continue
        seen.add(candidate.name)
        proved = _proved(objective, candidate)
        how = _CANONICAL if proved else f"held at {_POINTS} random points"
        yield Symmetry(candidate.name, candidate.says, how)


def _proved(objective: Objective, candidate: Candidate) -> bool:
    """Whether a canonical form makes both sides one formula."""
    equations, _ = lift_objective(objective)
    if len(equations) > _MOST_EQUATIONS:
        return False
    try:
        body = written_out(equations[-1].body, tuple(equations))
        moved = {access: candidate.rewrite(access) for access in accesses(body)}
        return same_formula(body.xreplace(moved), candidate.factor[1] * body)
    except (TooManyTermsError, SymcalcError, RecursionError):
        return False


def _candidates(
    objective: Objective, letters: Symbols, wrt: tuple[str, ...]
) -> Iterator[Candidate]:
    real = [t for t in objective.inputs if t.domain.is_real_line]
    for name in wrt:
        moved = objective.input(name)
        for other in real:
            if moved in real and other is not moved and other.shape == moved.shape:
                yield from _of_two(moved, other, letters)
        if moved in real:
            yield from _of_one(moved, letters, objective.is_scalar)


def _of_two(one: Tensor, other: Tensor, letters: Symbols) -> Iterator[Candidate]:
    x, y = (glyph(tensor.name, letters).at() for tensor in (one, other))

    def swapped(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return {**arrays, one.name: arrays[other.name], other.name: arrays[one.name]}

    def exchange(access: Access) -> Any:
        partner = {one: other, other: one}.get(access.tensor)
        return access if partner is None else Access(partner, *access.places)

    yield Candidate("symmetric", ("Unchanged when ", Math(x), " and ", Math(y), " change places."),
                    swapped, exchange)  # fmt: skip

    def together(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        shift = rng.normal(size=arrays[one.name].shape)
        return {**arrays, one.name: arrays[one.name] + shift,
                other.name: arrays[other.name] + shift}  # fmt: skip

    by = Tensor("shift_q", one.shape)

    def shifted(access: Access) -> Any:
        return access + Access(by, *access.places) if access.tensor in (one, other) else access

    yield Candidate("of the difference", (
        "It depends on the difference ", Math(f"{x} - {y}"), " alone.",
    ), together, shifted)  # fmt: skip


def _of_one(moved: Tensor, letters: Symbols, scalar: bool) -> Iterator[Candidate]:
    x, name = glyph(moved.name, letters).at(), moved.name
    negated = _only(moved, lambda access: -access)

    def turn(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return {**arrays, name: -arrays[name]}

    yield Candidate("even", ("Even: unchanged when ", Math(x), " becomes ", Math(f"-{x}"), "."),
                    turn, negated)  # fmt: skip
    yield Candidate("odd", ("Odd: it changes its sign with ", Math(x), "."), turn, negated,
                    (-1.0, sp.Integer(-1)))  # fmt: skip
    if not moved.shape:
        return
    rows = len(moved.shape) > 1
    by = Tensor("shift_q", moved.shape[:-1])

    def lift(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        shift = rng.normal(size=arrays[name].shape[:-1])
        return {**arrays, name: arrays[name] + shift[..., None]}

    what = " a number is added to all of " if not rows else " a number is added to any row of "
    shifted = _only(moved, lambda access: access + Access(by, *access.places[:-1]))
    yield Candidate("shift-invariant", ("Unchanged when", what, Math(x), "."), lift, shifted)
    factor = sp.Symbol("factor_q", positive=True)
    stretched = _only(moved, lambda access: factor * access)
    for power in (0, 1, 2):
        yield Candidate(
            "homogeneous" if power else "scale-invariant", _scaling(x, power), _stretch(name),
            stretched, (_STRETCH**power, factor**power),
        )  # fmt: skip


def _stretch(name: str) -> Change:
    return lambda arrays, rng: {**arrays, name: _STRETCH * arrays[name]}


def _scaling(x: str, power: int) -> Line:
    """Say how a value follows its argument's size."""
    if power == 0:
        return ("Scale-invariant: unchanged when ", Math(x), " is multiplied by a positive number.")
    times = Math("c" if power == 1 else f"c^{power}")
    return ("Homogeneous: when ", Math(x), " is multiplied by ", Math("c > 0"),
            ", the value is multiplied by ", times, ".")  # fmt: skip


def _only(moved: Tensor, rewrite: Rewrite) -> Rewrite:
    """Rewrite the accesses of one tensor, and no others."""
    return lambda access: rewrite(access) if access.tensor == moved else access
