"""One entry of a row: what differs at a single place is done once, not asked for at every place.

sum_k f(k) = sum_k [k != a] f(k) + f(a)             one sum for two
for k: x[k] = (A if k == a else B)                  for k: x[k] = B;  then  x[a] = A
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access
from symcalc.program.program import Assign, Loop, Node, Start


def one_sum(equations: list[Equation]) -> list[Equation]:
    """Return equations in which no sum is taken both with and without one of its terms."""
    found = list(equations)
    for without in equations:
        place, term = _all_but_one(without)
        if place is None:
            continue
        for whole in equations:
            if _is_whole(whole, without, term):
                at = dict(zip(without.indices, whole.indices, strict=True))
                chosen = term.xreplace({without.body.index: place}).xreplace(at)
                rest = Access(without.target, *whole.indices)
                found.remove(without)
                place_of = found.index(whole)
                found[place_of : place_of + 1] = [
                    without, Equation(whole.target, whole.indices, rest + chosen),
                ]  # fmt: skip
                break
    return found


def _all_but_one(equation: Equation) -> tuple[Any, Any]:
    """Return (a, f) where an equation is sum_k [k != a] f(k); else nothing."""
    body = equation.body
    if not isinstance(body, Sum):
        return None, None
    return all_but_one(body.body, body.index)


def all_but_one(term: Any, index: Index) -> tuple[Access | None, Any]:
    """Return (a, f) where a term is [k != a] f(k); else nothing and the term."""
    if isinstance(term, Where) and term.args[1] == 0:
        place = _place(term.args[0], index)
        if place is not None:
            return place, term.args[2]
    return None, term


def _is_whole(equation: Equation, without: Equation, term: Any) -> bool:
    """Whether an equation is the sum of all the terms; what they read is known before either."""
    body = equation.body
    if not isinstance(body, Sum) or _extents(equation) != _extents(without):
        return False
    at = dict(zip(without.indices, equation.indices, strict=True))
    return bool(body.body == term.xreplace({**at, without.body.index: body.index}))


def _extents(equation: Equation) -> list[Any]:
    """What the indices of a sum, its own last, run over."""
    return [index.extent for index in (*equation.indices, equation.body.index)]


def names_a_place(label: Any, index: Index) -> bool:
    """Whether a label is always one of the values that an index takes.

    A label of other classes may lie beyond them, and then no entry is the chosen one.
    """
    return isinstance(label, Access) and label.tensor.domain.below == index.extent


def _place(when: Any, index: Index) -> Access | None:
    """Return the label that an index is compared with, if it is a place and does not vary."""
    if not isinstance(when, sp.Eq) or index not in when.args:
        return None
    other = when.args[1] if when.args[0] == index else when.args[0]
    return other if names_a_place(other, index) and index not in other.free_symbols else None


def patched(body: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return statements whose innermost loops ask no entry whether it is the chosen one."""
    found: list[Node] = []
    for node in body:
        if not isinstance(node, Loop):
            found.append(node)
        elif any(isinstance(inner, Loop) for inner in node.body):
            found.append(replace(node, body=patched(node.body)))
        else:
            found += _patched_loop(node)
    return tuple(found)


def _patched_loop(loop: Loop) -> list[Node]:
    inside: list[Node] = []
    after: list[Node] = []
    read = {a.tensor for n in loop.body if not isinstance(n, (Loop, Start))
            for a in n.value.atoms(Access)}  # fmt: skip
    for node in loop.body:
        if isinstance(node, Assign) and node.target not in read:
            made = _two_statements(node, loop.index)
            if made is not None:
                inside.append(made[0])
                after.append(made[1])
                continue
        inside.append(node)
    return [replace(loop, body=tuple(inside)), *after]


def _two_statements(node: Assign, index: Index) -> tuple[Assign, Assign] | None:
    """Write a statement with a choice at one entry as one for all entries, and one for that."""
    if index not in node.places:
        return None
    for choice in sorted(node.value.atoms(Where), key=str):
        place = _place(choice.args[0], index)
        if place is not None:
            when = choice.args[0]
            everywhere = _decided(node.value, when, 2)
            there = _decided(node.value, when, 1).xreplace({index: place})
            places = tuple(place if p == index else p for p in node.places)
            return replace(node, value=everywhere), replace(node, places=places, value=there)
    return None


def _decided(value: Any, when: Any, side: int) -> Any:
    """Take one side of every choice by this condition."""
    choices = {c: c.args[side] for c in value.atoms(Where) if c.args[0] == when}
    return value.xreplace(choices)
