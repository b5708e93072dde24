"""Recurrences as stages of their own: one loop over the entries, each from the one before.

y[b,t] = a y[b,t-1] + f(b,t)     for b: c = start; for t: c = a c + f(b,t); y[b,t] = c
y[t,k] = a y[t-1,k] + f(t,k)     for k: c[k] = start; for t: for k: c[k] = a c[k] + f(t,k), ...

What is carried from entry to entry is float64, whatever the precision of the arrays. A running
product that leaves the range is run through again as a number and a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.dims import Index, unused
from symcalc.notation.scans import Recurrence, ReverseScan
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.primitives import (
    excess,
    out_of_range,
    scaled,
    stepped,
    stepped_power,
    times,
    to_primitives,
)
from symcalc.program.program import Accumulate, Assign, Buffer, Descent, Loop, Node, Stage, Start
from symcalc.program.wide import Powers, is_product


def recurrence_stage(
    equation: Equation, taken: set[str], namer: Namer, powers: Powers | None = None
) -> Stage | None:
    """Return the stage of a recurrence; None for anything else.

    The indices before that of the entries are outer loops, the first of them cut into blocks; those
    behind it are inner ones.

    Args:
        equation: as it is to be lowered.
        taken: letters that its loops must not have.
        namer: of what is carried.
        powers: what holds the powers of two of its entries, if they are kept with such.
    """
    recurrence = equation.recurrence
    if recurrence is None:
        return None
    loops = _letters(equation.indices, taken)
    at = equation.indices.index(recurrence.place)
    outer, inner = loops[:at], loops[at + 1 :]
    shape = tuple(i.extent for i in inner)

    def carrier(name: str) -> Tensor:
        return Tensor(namer.name(f"{equation.target.name}_{name}"), shape)

    carried = [carrier("carried")]
    body = recurrence.xreplace(dict(zip(equation.indices, loops, strict=True)))
    run = _Run(Access(equation.target, *loops), body, at)
    if powers is None and not is_product(equation):
        nodes = run.plain(carried[0])
    else:
        beyond = None if powers is None else powers.beyond
        if beyond is None:
            beyond = Tensor(namer.name(f"{equation.target.name}_beyond"), ())
            carried.append(beyond)
        flag = Access(beyond, *outer[: len(beyond.shape)])
        names = ("number", "power") if is_product(equation) else ("number", "power", "next_power")
        pair = [carrier(name) for name in names]
        carried += pair
        power = None if powers is None else powers.tensor
        nodes = (*run.plain(carried[0], flag), *run.in_pairs(pair, flag, power))
    if not outer:
        return Stage(None, nodes, carried=tuple(carried))
    width = sp.Mul(*(index.extent for index in loops[1:]))
    return Stage(outer[0], _inside(outer[1:], nodes), width=width, carried=tuple(carried))


@dataclass(frozen=True)
class _Run:
    """A run through all entries.

    Args:
        target: the entry, under the letters of the loops.
        body: the recurrence, under the same.
        at: which of the places is that of the entry.
    """

    target: Access
    body: Recurrence
    at: int

    @property
    def entry(self) -> Index:
        """The letter of the entry."""
        index: Index = self.target.places[self.at]
        return index

    @property
    def inner(self) -> tuple[Index, ...]:
        """The letters behind it."""
        return tuple(self.target.places[self.at + 1 :])

    def plain(self, carried: Tensor, beyond: Access | None = None) -> tuple[Node, ...]:
        """Return the run as it stands.

        Args:
            carried: from entry to entry.
            beyond: counts the entries that leave the range, if they are to be counted.
        """
        state = Access(carried, *self.inner)
        value = to_primitives(self.body.entry(self.entry, state))
        step: tuple[Node, ...] = (_assigned(state, value), _assigned(self.target, state))
        counts: tuple[Node, ...] = ()
        if beyond is not None:
            counter = (beyond.tensor, beyond.places)
            counts = (Start(*counter, (), "sum"),)
            step = (Accumulate(*counter, "sum", out_of_range(value), self.entry), *step)
        start = _inside(self.inner, (_assigned(state, to_primitives(self.body.start)),))
        return (*start, *counts, self._along(step))

    def in_pairs(
        self, carried: Sequence[Tensor], beyond: Access, powers: Tensor | None
    ) -> tuple[Node, ...]:
        """Return the run with powers of two, made only if entries leave the range.

        Args:
            carried: the number, its power, and the next power if something is added to it.
            beyond: the count of entries that leave the range.
            powers: what keeps the powers; None if the entries are to be plain numbers.
        """
        state, power = (Access(tensor, *self.inner) for tensor in carried[:2])
        decay, term = (
            to_primitives(part.xreplace({self.body.index: self.entry}))
            for part in self.body.parts[:2]
        )
        after = power + excess(state, decay)
        step: tuple[Node, ...] = (_assigned(power, after), _assigned(state, times(state, decay)))
        if term != 0:
            following = Access(carried[2], *self.inner)
            step = (
                _assigned(following, stepped_power(state, power, decay, term)),
                _assigned(state, stepped(state, power, decay, term)),
                _assigned(power, following),
            )
        if powers is None:
            step += (_assigned(self.target, scaled(state, power)),)
        else:
            kept = Access(powers, *self.target.places)
            step += (_assigned(self.target, state), _assigned(kept, power))
        one, start = sp.Integer(1), to_primitives(self.body.start)
        begin = (_assigned(power, excess(one, start)), _assigned(state, times(one, start)))
        return (*_inside(self.inner, begin), replace(self._along(step), when=beyond > 0))

    def _along(self, step: tuple[Node, ...]) -> Loop:
        loop = Descent if isinstance(self.body, ReverseScan) else Loop
        return loop(self.entry, _inside(self.inner, step))


def _assigned(access: Access, value: Any) -> Assign:
    return Assign(access.tensor, access.places, value)


def carriers(stages: list[Stage]) -> list[Buffer]:
    """Return where what recurrences carry lives: a scalar, a row, or an array that one thread has.

    Args:
        stages: of a program.
    """
    found = []
    for stage in stages:
        for tensor in stage.carried:
            axes = tuple(range(len(tensor.shape)))
            kind = "local" if not axes else "array" if stage.index is None else "row"
            found.append(Buffer(tensor, kind, axes))
    return found


def _inside(loops: tuple[Index, ...], nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    for index in reversed(loops):
        nodes = (Loop(index, nodes),)
    return nodes


def _letters(indices: tuple[Index, ...], taken: set[str]) -> tuple[Index, ...]:
    """Give each index a loop of its own, under a letter that nothing else has."""
    made: list[Index] = []
    for index in indices:
        used = taken | {other.name for other in made}
        made.append(index.fresh(unused(index.name, used)))
    return tuple(made)
