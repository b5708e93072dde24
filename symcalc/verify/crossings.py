"""Crossings: points on a boundary of a formula and on both sides of it.

Both sides of a boundary are computed in ball arithmetic while one entry moves; bisection over the
floating-point numbers ends at two neighbours between which the comparison changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from symcalc.calculus.balls import Environment, UndecidedError, evaluate, order_of, whole
from symcalc.calculus.expansion import expanded
from symcalc.calculus.kinks import Boundary, shown
from symcalc.calculus.probe import Defined
from symcalc.notation.dims import Index
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Max, Min, Norm2
from symcalc.notation.tensors import Tensor, accesses
from symcalc.verify.enclosures import environment
from symcalc.verify.sampling import KINK, TIE, Point, size

NEAR = 1e-8
_PRECISIONS = (128, 512)
_STEPS = tuple(2.0**k for k in range(-3, 8))
_GRID = (*(-step for step in reversed(_STEPS)), 0.0, *_STEPS)


@dataclass(frozen=True)
class Entry:
    """One entry of one input."""

    tensor: Tensor
    place: tuple[int, ...]

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.place))
        return f"{self.tensor.name}[{inside}]" if self.place else str(self.tensor.name)


@dataclass(frozen=True)
class Gap:
    """What is compared where two pieces of a formula meet, at given values of its indices.

    Args:
        objective: whose formula it is of.
        left: one side; a formula and what its free indices are.
        right: the other side.
    """

    objective: Objective
    left: tuple[Any, dict[Index, int]]
    right: tuple[Any, dict[Index, int]]

    def order(self, point: Point) -> int | None:
        """Return how the sides compare at a point: -1, 0 or 1; None where it cannot be told."""
        import flint

        before = flint.ctx.prec
        try:
            for flint.ctx.prec in _PRECISIONS:
                try:
                    env = known(self.objective, point)
                    sides = [evaluate(e, {**env, **at}) for e, at in (self.left, self.right)]
                    order = order_of(sides[0], sides[1], env)
                except UndecidedError:
                    continue
                if order is not None or not all(side.is_finite() for side in sides):
                    return order
        finally:
            flint.ctx.prec = before
        return None

    def entries(self, point: Point, rng: np.random.Generator) -> Iterator[Entry]:
        """Yield entries that may move it: one of each real input read, else of each wrt."""
        found: dict[Tensor, Entry] = {}
        for side, at in (self.left, self.right):
            for access in accesses(side):
                tensor = access.tensor
                if tensor in self.objective.inputs and _moves(tensor) and tensor not in found:
                    bound = _chosen((access,), point, rng)  # letters that a reduction runs over
                    env = {**known(self.objective, point), **bound, **at}
                    place = tuple(whole(p, env) for p in access.places)
                    if place in env[tensor]:
                        found[tensor] = Entry(tensor, place)
        for name in self.objective.wrt if not found else ():
            tensor = self.objective.input(name)
            if _moves(tensor):
                found[tensor] = Entry(tensor, _any_place(tensor, point, rng))
        yield from found.values()


def known(objective: Objective, point: Point) -> Environment:
    """Return what balls need to know of a point, the objective's own tensors included."""
    symbols = {p.name: p.symbol for p in objective.parameters}
    env = environment(dict(zip(objective.inputs, point.arrays, strict=True)), symbols, point)
    for meant in objective.definitions:
        env[meant.tensor] = Defined(meant.indices, expanded(meant.body).body, env)
    return env


def value_at(objective: Objective, point: Point, entry: Entry) -> float:
    """Return an entry of a point."""
    return float(point.arrays[objective.inputs.index(entry.tensor)][entry.place])


def with_entry(objective: Objective, point: Point, entry: Entry, value: float) -> Point:
    """Return a point with one entry replaced."""
    number = objective.inputs.index(entry.tensor)
    array = np.array(point.arrays[number])
    array[entry.place] = value
    return point.moved(number, array)


def crossed(
    objective: Objective, boundary: Boundary, point: Point, rng: np.random.Generator
) -> Iterator[Point]:
    """Yield points on one boundary, one ulp and 1e-8 to either side of it.

    Args:
        objective: whose boundary it is.
        boundary: its sides written out.
        point: where to start from; one entry of it is moved, of a norm all it is made of.
        rng: chooses values of the free indices.
    """
    if any(size(index.extent, point.extents) < 1 for index in _free(boundary.left, boundary.right)):
        return
    if isinstance(boundary.right, (Max, Min)):
        yield from _tied(objective, boundary.right, point, rng)
    elif isinstance(boundary.left, Norm2):
        yield from _emptied(objective, boundary.left, point, rng)
    else:
        yield from _met(objective, boundary, point, rng)


def _met(
    objective: Objective, boundary: Boundary, point: Point, rng: np.random.Generator
) -> Iterator[Point]:
    """Points at which two sides are equal, or as nearly as one entry can make them."""
    at = _chosen((boundary.left, boundary.right), point, rng)
    gap = Gap(objective, (boundary.left, at), (boundary.right, at))
    words = _placed(f"{boundary.shown.left} = {boundary.shown.right}", at)
    for entry in gap.entries(point, rng):
        for below, above in crossing(gap, point, entry):
            yield from _around(gap, point, entry, (below, above), words)


def _tied(
    objective: Objective, extreme: Any, point: Point, rng: np.random.Generator
) -> Iterator[Point]:
    """Points at which two candidates of a max or min tie, then all of them."""
    at = _chosen((extreme,), point, rng)
    body, index = extreme.body, extreme.index
    count = size(index.extent, point.extents)
    best = _best(objective, extreme, at, point)
    if best is None or count < 2:
        return
    words = _placed(str(shown(extreme)), at)
    together, met_once = point, False
    for k in rng.permutation([k for k in range(count) if k != best]):
        gap = Gap(objective, (body, {**at, index: int(k)}), (body, {**at, index: best}))
        met = None if met_once else _first_crossing(gap, point, rng)
        if met is not None:
            met_once = True
            yield from _around(gap, point, *met, f"{words}: {k} and {best} tie", TIE)
        together = _brought_together(gap, together, rng)
    if count > 2:
        yield replace(together, kind=TIE, at=f"{words}: all {count} tie")


def _first_crossing(
    gap: Gap, point: Point, rng: np.random.Generator
) -> tuple[Entry, tuple[float, float]] | None:
    """The first entry that reaches a boundary, and the neighbours around it."""
    for entry in gap.entries(point, rng):
        for found in crossing(gap, point, entry):
            return entry, found
    return None


def _brought_together(gap: Gap, point: Point, rng: np.random.Generator) -> Point:
    """The point moved onto a boundary, or next to it; itself where no entry reaches it."""
    met = _first_crossing(gap, point, rng)
    if met is None:
        return point
    entry, found = met
    exact = [x for x in found if gap.order(_at(gap, point, entry, x)) == 0]
    return _at(gap, point, entry, exact[0] if exact else found[0])


def _emptied(
    objective: Objective, norm: Any, point: Point, rng: np.random.Generator
) -> Iterator[Point]:
    """The point at which all that a norm is made of is zero, and its neighbours."""
    at = _chosen((norm,), point, rng)
    words = _placed(f"{shown(norm)} = 0", at)
    count = size(norm.index.extent, point.extents)
    for k in range(count):
        gap = Gap(objective, (norm.body, {**at, norm.index: k}), (sp.Integer(0), {}))
        met = _first_crossing(gap, point, rng)
        if k == count - 1 and met is not None:
            yield from _around(gap, point, *met, words)
        point = _brought_together(gap, point, rng)


def crossing(gap: Gap, point: Point, entry: Entry) -> Iterator[tuple[float, float]]:
    """Yield neighbouring numbers between which a comparison changes as one entry moves.

    Args:
        gap: what is compared.
        point: where.
        entry: what moves, over a few powers of two of its domain.
    """
    domain = entry.tensor.domain
    order = _memo(lambda x: gap.order(_at(gap, point, entry, x)))
    grid = sorted({x for x in (*_GRID, value_at(gap.objective, point, entry)) if domain.admits(x)})
    orders = [order(x) for x in grid]
    for place, (low, high) in enumerate(itertools.pairwise(grid)):
        if orders[place] == orders[place + 1] or orders[place] is None:
            continue
        if orders[place] == 0 and place > 0 and orders[place - 1] in (1, -1):
            continue  # it was met from the other side
        yield _bisected(order, low, high, orders[place])


def _bisected(order: Callable[[float], Any], low: float, high: float, at_low: Any) -> Any:
    """Halve the floating-point numbers between two until they are neighbours."""
    a, b = _rank(low), _rank(high)
    while b - a > 1:
        middle = (a + b) // 2
        if order(_ranked(middle)) == at_low:
            a = middle
        else:
            b = middle
    return _ranked(a), _ranked(b)


def _around(
    gap: Gap, point: Point, entry: Entry, found: Any, words: str, kind: str = KINK
) -> Iterator[Point]:
    """A boundary's points: on it where a number is, one ulp and 1e-8 to either side."""
    low, high = found
    orders = {x: gap.order(_at(gap, point, entry, x)) for x in found}
    on = next((x for x in found if orders[x] in (0, None)), None)  # None: rounding alone tells
    beside = {
        "1 ulp below": low if on is None else _ranked(_rank(on) - 1),
        "1 ulp above": high if on is None else _ranked(_rank(on) + 1),
        "1e-8 below": low - NEAR * max(1.0, abs(low)),
        "1e-8 above": high + NEAR * max(1.0, abs(high)),
    }
    if on is not None and orders[on] == 0:
        beside = {"on it": on, **beside}
    for side, x in beside.items():
        if entry.tensor.domain.admits(x):
            text = f"{words}, {entry} {side}"
            yield replace(_at(gap, point, entry, x), kind=kind, at=text)


def _at(gap: Gap, point: Point, entry: Entry, x: float) -> Point:
    return with_entry(gap.objective, point, entry, x)


def _memo(order: Callable[[float], Any]) -> Callable[[float], Any]:
    found: dict[float, Any] = {}

    def remembered(x: float) -> Any:
        if x not in found:
            found[x] = order(x)
        return found[x]

    return remembered


def _best(objective: Objective, extreme: Any, at: dict[Index, int], point: Point) -> int | None:
    """The place of the greatest, or least, of several; None where it cannot be told."""
    best, wanted = 0, 1 if isinstance(extreme, Max) else -1
    for k in range(1, size(extreme.index.extent, point.extents)):
        sides = [(extreme.body, {**at, extreme.index: place}) for place in (k, best)]
        order = Gap(objective, sides[0], sides[1]).order(point)
        if order is None:
            return None
        best = k if order == wanted else best
    return best


def _chosen(sides: Any, point: Point, rng: np.random.Generator) -> dict[Index, int]:
    """Choose a value for each index that stands free."""
    return {s: int(rng.integers(size(s.extent, point.extents))) for s in _free(*sides)}


def _free(*sides: Any) -> list[Index]:
    """The free indices of formulas, in a fixed order."""
    letters = {s for side in sides for s in sp.sympify(side).free_symbols if isinstance(s, Index)}
    return sorted(letters, key=lambda s: (s.name, s.dummy_index))


def _moves(tensor: Tensor) -> bool:
    """Whether an entry of an input may move by itself."""
    domain = tensor.domain
    return not (domain.integer or domain.values or domain.rows_sum_to_one)


def _any_place(tensor: Tensor, point: Point, rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(rng.integers(size(extent, point.extents))) for extent in tensor.shape)


def _placed(text: str, at: dict[Index, int]) -> str:
    """Say at which values of its indices a formula is looked at."""
    places = ", ".join(f"{index.name} = {place}" for index, place in at.items())
    return f"{text} at {places}" if places else text


def _rank(x: float) -> int:
    """The number of a floating-point number, counted from zero."""
    bits = int(np.float64(abs(x)).view(np.int64))
    return -bits if x < 0 else bits


def _ranked(rank: int) -> float:
    size = float(np.int64(abs(rank)).view(np.float64))
    return -size if rank < 0 else size
