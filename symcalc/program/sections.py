"""Sections: the numbered parts of a kernel, a pass over blocks or what one thread does alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.pivots import Pivot
from symcalc.program.program import Assign, Loop, Node, Program, Recentre, Stage, Start


@dataclass(frozen=True)
class Section:
    """One numbered part of a kernel: a pass over blocks, or what follows such a pass.

    Args:
        index: the index cut into blocks; None for a part that one thread does alone.
        body: the statements.
        reduced: accumulators of a pass.
        width: elements a value of the index touches.
        combined: accumulators whose partials this part puts together.
        combined_over: the pass that left them.
        index_after: the index of the combined vectors, if the statements run over it too.
        private: combined tensors that nothing but these statements reads.
    """

    index: Any
    body: tuple[Node, ...]
    reduced: tuple[tuple[Tensor, str], ...] = ()
    width: Any = 1
    combined: tuple[tuple[Tensor, str], ...] = ()
    combined_over: Any = None
    index_after: Any = None
    private: tuple[Tensor, ...] = ()

    @property
    def writes(self) -> set[Tensor]:
        """The tensors it computes."""
        return targets(self.body) | {tensor for tensor, _ in self.combined}

    @property
    def reads(self) -> set[Tensor]:
        """The tensors its statements read."""
        return set(_read(self.body))


@functools.lru_cache(maxsize=64)
def sections(program: Program) -> tuple[Section, ...]:
    """Return a kernel's parts in order: after each pass with partials, their combination.

    Statements that follow a pass join the combination, if they are scalar or run over the very
    index of the combined vectors.
    """
    found: list[Section] = []
    alone = kept(program)
    for stage in program.stages:
        last = found[-1] if found and found[-1].index is None and not found[-1].body else None
        if stage.index is None and last is not None:
            found[-1] = replace(last, body=stage.body, private=_private(program, last, stage))
        elif stage.index is None:
            found.append(Section(None, stage.body))
        elif last is not None and _runs_over(stage, last):
            found[-1] = replace(
                last, body=stage.body, index_after=stage.index,
                private=_private(program, last, stage),
            )  # fmt: skip
        else:
            found.append(Section(stage.index, stage.body, stage.reduced, stage.width))
            wanted = tuple((t, kind) for t, kind in stage.reduced if t not in alone)
            if wanted:
                found.append(Section(None, (), (), 1, wanted, found[-1]))
    return tuple(found)


def _runs_over(stage: Stage, section: Section) -> bool:
    """Whether a stage is one cheap run over the index of the vectors just combined."""
    read = _read(stage.body)
    return (
        stage.index is not None
        and not stage.reduced
        and stage.width == 1
        and all(
            tensor.shape == (stage.index.extent,) and read.get(tensor, set()) <= {(stage.index,)}
            for tensor, _ in section.combined
        )
    )


def _private(program: Program, section: Section, stage: Stage) -> tuple[Tensor, ...]:
    """The combined tensors that only one stage reads, and only where its index stands."""
    found = []
    for tensor, _ in section.combined:
        buffer = program.buffer(tensor)
        readers = [s for s in program.stages if tensor in _read(s.body)]
        here = () if stage.index is None else (stage.index,)
        if (
            buffer is not None
            and buffer.kind == "array"
            and readers == [stage]
            and _read(stage.body)[tensor] == {here}
        ):
            found.append(tensor)
    return tuple(found)


def _read(body: tuple[Node, ...]) -> dict[Tensor, set[tuple[Any, ...]]]:
    """The tensors that statements read, and at which places."""
    found: dict[Tensor, set[tuple[Any, ...]]] = {}
    for node in body:
        if isinstance(node, Loop):
            for tensor, places in _read(node.body).items():
                found.setdefault(tensor, set()).update(places)
        elif not isinstance(node, Start):
            for access in node.value.atoms(Access):
                found.setdefault(access.tensor, set()).add(access.places)
    return found


def kept(program: Program) -> set[Tensor]:
    """The tensors of which nothing but the blocks' own sums is wanted."""
    reduced = {tensor for stage in program.stages for tensor, _ in stage.reduced}
    plain = [replace(stage, body=tuple(n for n in stage.body if not isinstance(n, Recentre)))
             for stage in program.stages]  # fmt: skip
    read = {tensor for stage in plain for tensor in _read(stage.body)}
    return reduced - read - set(program.outputs)


def arrays(program: Program) -> list[Tensor]:
    """Return the tensors that live in whole arrays between the parts."""
    private = {tensor for section in sections(program) for tensor in section.private}
    private |= kept(program)
    return [b.tensor for b in program.buffers if b.kind == "array" and b.tensor not in private]


def partials(program: Program) -> list[tuple[Tensor, Section]]:
    """Return the tensors that leave one partial a block, each with its pass."""
    return [(t, s) for s in sections(program) if s.index is not None for t, _ in s.reduced]


def pivots_of(program: Program, section: Section) -> list[Pivot]:
    """Return the pivots that a pass measures from."""
    return [pivot for pivot in program.pivots if pivot.tensor in section.reads]


@functools.lru_cache(maxsize=64)
def loops(program: Program) -> frozenset[Index]:
    """Every loop index of a program."""

    def walk(body: tuple[Node, ...]) -> set[Index]:
        found: set[Index] = set()
        for node in body:
            if isinstance(node, Loop):
                found |= {node.index} | walk(node.body)
            elif isinstance(node, Start):
                found |= set(node.free)
        return found

    outer = {stage.index for stage in program.stages if stage.index is not None}
    return frozenset(outer.union(*(walk(stage.body) for stage in program.stages)))


def accumulated(program: Program) -> set[Tensor]:
    """The sums and products that live in scalars, in float64 whatever the kernel's precision."""

    def walk(body: tuple[Node, ...]) -> set[Tensor]:
        found: set[Tensor] = set()
        for node in body:
            if isinstance(node, Loop):
                found |= walk(node.body)
            elif (
                isinstance(node, Start) and not node.free and node.kind in ("sum", "prod", "power")
            ):
                found.add(node.target)
        return found

    return set().union(*(walk(stage.body) for stage in program.stages))


def carried(program: Program) -> set[Tensor]:
    """What recurrences carry from entry to entry, in float64 whatever the kernel's precision."""
    return {tensor for stage in program.stages for tensor in stage.carried}


def carried_values(program: Program) -> list[Any]:
    """The formulas of what recurrences carry."""

    def walk(body: tuple[Node, ...], wanted: tuple[Tensor, ...]) -> list[Any]:
        found: list[Any] = []
        for node in body:
            if isinstance(node, Loop):
                found += walk(node.body, wanted)
            elif isinstance(node, Assign) and node.target in wanted:
                found.append(node.value)
        return found

    return [v for stage in program.stages if stage.carried for v in walk(stage.body, stage.carried)]


def in_pairs(program: Program) -> set[Tensor]:
    """Running products and their powers of two, in float64 whatever the kernel's precision."""
    return {tensor for kept, powers in program.powers for tensor in (kept, powers.tensor)}


def scattered(program: Program) -> set[Tensor]:
    """The arrays of one thread's own sums and recurrences, in float64 whatever the precision."""
    nodes = [node for stage in program.stages if stage.index is None for node in stage.body]
    return carried(program) | in_pairs(program) | {
        n.target for n in nodes
        if isinstance(n, Recentre) or (isinstance(n, Start) and n.free)
    }  # fmt: skip


def targets(body: tuple[Node, ...]) -> set[Tensor]:
    """The tensors that statements write to."""
    found: set[Tensor] = set()
    for node in body:
        found |= targets(node.body) if isinstance(node, Loop) else {node.target}
    return found
