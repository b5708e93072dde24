"""Recurrences as stages of their own: one loop over the entries, each from the one before.

y[b,t] = a y[b,t-1] + f(b,t)     for b: c = start; for t: c = a c + f(b,t); y[b,t] = c
y[t,k] = a y[t-1,k] + f(t,k)     for k: c[k] = start; for t: for k: c[k] = a c[k] + f(t,k), ...

What is carried from entry to entry is float64, whatever the precision of the arrays.
"""

from __future__ import annotations

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.dims import Index, unused
from symcalc.notation.scans import ReverseScan
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.primitives import to_primitives
from symcalc.program.program import Assign, Buffer, Descent, Loop, Node, Stage


def recurrence_stage(equation: Equation, taken: set[str], namer: Namer) -> Stage | None:
    """Return the stage of a recurrence; None for anything else.

    The indices before that of the entries are outer loops, the first of them cut into blocks; those
    behind it are inner ones.

    Args:
        equation: as it is to be lowered.
        taken: letters that its loops must not have.
        namer: of what is carried.
    """
    recurrence = equation.recurrence
    if recurrence is None:
        return None
    loops = _letters(equation.indices, taken)
    at = equation.indices.index(recurrence.place)
    outer, entry, inner = loops[:at], loops[at], loops[at + 1 :]
    carried = Tensor(namer.name(f"{equation.target.name}_carried"), tuple(i.extent for i in inner))
    body = recurrence.xreplace(dict(zip(equation.indices, loops, strict=True)))
    state = Access(carried, *inner)
    step: tuple[Node, ...] = (
        Assign(carried, inner, to_primitives(body.entry(entry, state))),
        Assign(equation.target, loops, state),
    )
    start = _inside(inner, (Assign(carried, inner, to_primitives(body.start)),))
    loop = Descent if isinstance(recurrence, ReverseScan) else Loop
    nodes: tuple[Node, ...] = (*start, loop(entry, _inside(inner, step)))
    if not outer:
        return Stage(None, nodes, carried=(carried,))
    width = sp.Mul(*(index.extent for index in loops[1:]))
    return Stage(outer[0], _inside(outer[1:], nodes), width=width, carried=(carried,))


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
