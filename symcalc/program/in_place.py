"""In place: may an output take the place of an input while the program runs?

An update writes theta_next where theta was. That is sound if an entry is written after every look
at it: looks in earlier stages, or looks that the very turn of the loops takes that writes it. The
turns of a stage's outer loop are shared among threads and go in any order, so a turn may look at
nothing that another one writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.program import Assign, Loop, Node, Program, Start

Path = tuple[Index, ...]


@dataclass(frozen=True)
class _Statement:
    """A statement where it stands: its stage, and the loops around it from the outermost in."""

    node: Node
    stage: int
    path: Path


def can_replace(program: Program, output: Tensor, given: Tensor) -> bool:
    """Whether an output may be written where an input is read.

    Args:
        program: the computation.
        output: is written.
        given: is read; of the same shape.
    """
    if any(pivot.term.has(given) for pivot in program.pivots):
        return False
    order = list(_statements(program))
    writes = [p for p, s in enumerate(order) if getattr(s.node, "target", None) == output]
    if len(writes) != 1:
        return False
    write = order[writes[0]]
    if not isinstance(write.node, Assign):
        return False
    places = write.node.places
    if program.stages[write.stage].index not in (None, *places):
        return False
    return all(
        _is_before(statement, access, write, places) and position <= writes[0]
        for position, statement in enumerate(order)
        for access in _reads(statement.node)
        if access.tensor == given
    )


def _is_before(
    statement: _Statement, access: Access, write: _Statement, places: tuple[Any, ...]
) -> bool:
    """Whether a look comes before anything it looks at is written, at these places."""
    if statement.stage != write.stage:
        return statement.stage < write.stage
    if statement.path == write.path:
        return bool(access.places == places)
    shared = _shared(statement.path, write.path)
    return all(
        mine == place for mine, place in zip(access.places, places, strict=True) if place in shared
    )


def _shared(one: Path, other: Path) -> set[Index]:
    """The loops that two statements stand in together."""
    found = set()
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        found.add(a)
    return found


def _statements(program: Program) -> Iterator[_Statement]:
    for number, stage in enumerate(program.stages):
        outer = () if stage.index is None else (stage.index,)
        yield from _walk(stage.body, number, outer)


def _walk(body: tuple[Node, ...], stage: int, path: Path) -> Iterator[_Statement]:
    for node in body:
        if isinstance(node, Loop):
            yield from _walk(node.body, stage, (*path, node.index))
        else:
            yield _Statement(node, stage, path)


def _reads(node: Node) -> set[Access]:
    return set() if isinstance(node, (Start, Loop)) else node.value.atoms(Access)
