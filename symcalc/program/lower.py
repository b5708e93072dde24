"""`lower`: from equations to a program, fused by shared outer index, level by level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.dims import Index, unused
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Reduction
from symcalc.notation.tensors import Access, Tensor, accesses, dims_of
from symcalc.program.decompose import Decomposer, inlined
from symcalc.program.factor import factored
from symcalc.program.matrices import MatrixProducts
from symcalc.program.needs import needs
from symcalc.program.pivots import recentred
from symcalc.program.prefixes import cumulated
from symcalc.program.primitives import to_primitives
from symcalc.program.program import (
    Accumulate,
    Assign,
    Buffer,
    Contract,
    Loop,
    Node,
    Program,
    Recentre,
    Stage,
    Start,
)
from symcalc.program.recurrences import carriers, recurrence_stage
from symcalc.program.settle import settled
from symcalc.program.spare import one_sum, patched
from symcalc.program.special import buffered, own_stage
from symcalc.program.wide import Powers, widened


@dataclass(frozen=True)
class Task:
    """An equation on its way down the loops.

    Args:
        equation: the equation, as decomposed.
        body: its formula, with the indices of the open loops put in.
        left: its left-hand side, likewise.
        free: indices of the left-hand side that have no loop yet.
        bound: the bound index that has no loop yet, if any.
        over: the loop index it is reduced over, once that loop is open.
        powers: where the powers of two of a product go.
    """

    equation: Equation
    body: Any
    left: Access
    free: tuple[Index, ...]
    bound: tuple[Index, ...]
    over: Index | None = None
    powers: Powers | None = None

    @property
    def target(self) -> Tensor:
        """The tensor it computes."""
        return self.equation.target

    def preferred(self) -> Index | None:
        """The index to loop over next: the one that stands first on the widest access."""
        waiting = {*self.free, *self.bound}
        if not waiting:
            return None
        found = [self.left, *_with_inner(self.body)]
        for access in sorted(found, key=lambda a: -len(a.places)):
            for place in access.places:
                for index in sorted(place.free_symbols & waiting, key=str):
                    return index
        return next(i for i in (*self.free, *self.bound))

    def under(self, index: Index, loop: Index) -> Task:
        """Return the task inside a loop that stands for one of its indices."""
        at = {index: loop}
        return Task(
            self.equation, self.body.xreplace(at), self.left.xreplace(at),
            tuple(i for i in self.free if i != index), tuple(i for i in self.bound if i != index),
            loop if index in self.bound else self.over, self.powers,
        )  # fmt: skip


def _with_inner(body: Any) -> Iterator[Access]:
    for access in accesses(body):
        yield access
        for place in access.places:
            yield from _with_inner(place)


@dataclass
class _Group:
    """Tasks that share a loop, while it is being filled."""

    loop: Index | None
    own: Stage | None = None
    tasks: list[tuple[Task, Index | None]] = field(default_factory=list)

    def reduces(self) -> list[Task]:
        return [task for task, index in self.tasks if index in task.bound]


def lower(
    objective: Objective,
    name: str,
    equations: tuple[Equation, ...],
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    value: Tensor | None = None,
    measures: tuple[Tensor, ...] = (),
) -> Program:
    """Lower equations to the program that computes some of their tensors.

    Args:
        objective: where they come from.
        name: what the program computes.
        equations: in an order in which each stands on those before it.
        inputs: the arrays given.
        outputs: the tensors wanted.
        value: the one that is handed back as a number, if any.
        measures: those outputs that tell whether the inputs lie in their domains.
    """
    namer = Namer({e.target.name for e in equations} | {t.name for t in inputs}
                  | {p.name for p in objective.parameters}
                  | {dim.name for dim in objective.dims})  # fmt: skip
    alive, powers = widened(cumulated(_needed(equations, outputs), namer), set(outputs), namer)
    matrices = MatrixProducts(namer)
    apart = matrices.run(Decomposer(namer).run(settled(alive, namer)))
    plain = one_sum(factored(inlined(apart, set(outputs), matrices.operands), namer))
    plain = buffered(plain, set(outputs) - {value, *measures}, namer)
    plain, pivots = recentred(plain, set(inputs), set(outputs), namer, _is_outer)
    tasks = [_task(equation, powers.get(equation.target)) for equation in _constants_first(plain)]
    taken = {dim.name for dim in dims_of(inputs)} | {t.name for t in inputs}
    taken |= {p.name for p in objective.parameters} | {t.target.name for t in tasks}
    taken |= {tensor.name for beside in powers.values() for tensor in beside.tensors}
    own = {
        t.target: recurrence_stage(t.equation, taken, namer, t.powers)
        or own_stage(t.equation, taken)
        for t in tasks
    }
    stages = [_stage(group, taken) for group in _grouped(tasks, taken, own)]
    powers = {t.target: t.powers for t in tasks if t.powers is not None}
    tensors = [t.target for t in tasks]
    tensors += [tensor for beside in powers.values() for tensor in beside.tensors]
    buffers = _buffers(tensors, set(outputs), stages) + carriers(stages)
    return Program(
        name, objective.name, inputs, objective.parameters, outputs, dims_of(inputs),
        tuple(buffers), tuple(stages), value, measures, needs(objective),
        pivots, powers=tuple(powers.items()),
    )  # fmt: skip


def _is_outer(equation: Equation) -> bool:
    """Whether a sum runs over the index of its outermost loop, and is no stage of its own."""
    task = _task(equation)
    return task.preferred() in task.bound and own_stage(equation, set()) is None


def _needed(equations: tuple[Equation, ...], outputs: tuple[Tensor, ...]) -> tuple[Equation, ...]:
    needed = set(outputs)
    for equation in reversed(equations):
        if equation.target in needed:
            needed |= {access.tensor for access in equation.body.atoms(Access)}
    return tuple(e for e in equations if e.target in needed)


def _constants_first(equations: list[Equation]) -> list[Equation]:
    """Put numbers made of hyperparameters and sizes alone first: no loop need end for them."""
    constants: dict[Tensor, Equation] = {}
    for equation in equations:
        read = {access.tensor for access in equation.body.atoms(Access)}
        if not equation.body.atoms(Index) and read <= constants.keys():
            constants[equation.target] = equation
    return [*constants.values(), *(e for e in equations if e.target not in constants)]


def _task(equation: Equation, powers: Powers | None = None) -> Task:
    reduction = equation.reduction
    return Task(
        equation, to_primitives(equation.inner), equation.left, equation.indices,
        () if reduction is None else (reduction.index,), powers=powers,
    )  # fmt: skip


def _grouped(
    tasks: list[Task], taken: set[str], own: Mapping[Tensor, Stage | None] = MappingProxyType({})
) -> list[_Group]:
    """Put each task into the earliest group that shares its loop and keeps its dependencies.

    A new loop gets a letter that no open one has; a task with a stage of its own gets a group of
    its own.
    """
    groups: list[_Group] = []
    place: dict[Tensor, int] = {}
    for task in tasks:
        index, stage = task.preferred(), own.get(task.target)
        needs = {access.tensor for access in _with_inner(task.body)} & place.keys()
        chosen = None
        for position, group in enumerate(groups if stage is None else ()):
            if all(place[t] < position or (place[t] == position and _follows(task, index, t, group))
                   for t in needs) and _matches(group, index):  # fmt: skip
                chosen = position
                break
        if chosen is None:
            chosen = len(groups)
            loop = None
            if index is not None and stage is None:
                loop = index.fresh(unused(index.name, taken))
            groups.append(_Group(loop, stage))
        groups[chosen].tasks.append((task, index))
        place[task.target] = chosen
    return groups


def _matches(group: _Group, index: Index | None) -> bool:
    if group.own is not None:
        return False
    if group.loop is None or index is None:
        return group.loop is None and index is None
    return bool(group.loop.extent == index.extent)


def _follows(task: Task, index: Index | None, tensor: Tensor, group: _Group) -> bool:
    """Whether a task may use, inside the same loop, what another task of the group computes."""
    maker, made_over = next((t, i) for t, i in group.tasks if t.target == tensor)
    if group.loop is None:
        return True
    if made_over not in maker.free:
        return False  # reduced over the loop: known only after it
    axis = maker.left.places.index(made_over)
    return all(
        access.places[axis] == index for access in _with_inner(task.body) if access.tensor == tensor
    )


def _stage(group: _Group, taken: set[str]) -> Stage:
    if group.own is not None:
        return group.own
    if group.loop is None:
        return Stage(None, tuple(node for task, _ in group.tasks for node in _leaves(task)))
    reduced = tuple(pair for task in group.reduces() for pair in _accumulators(task))
    body = patched(_nested(group, taken))
    return Stage(group.loop, body, reduced, _width(body))


def _nested(group: _Group, taken: set[str]) -> tuple[Node, ...]:
    """Return the body of a group's loop: its tasks, grouped again one level further in."""
    assert group.loop is not None
    inside = [task.under(index, group.loop) for task, index in group.tasks if index is not None]
    return _nodes(inside, taken | {group.loop.name})


def _nodes(tasks: list[Task], taken: set[str]) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for group in _grouped(tasks, taken):
        if group.loop is None:
            nodes.extend(node for task, _ in group.tasks for node in _leaves(task))
            continue
        nodes.extend(node for task in group.reduces() for node in _starts(task, taken))
        nodes.append(Loop(group.loop, _nested(group, taken)))
    return tuple(nodes)


def _starts(task: Task, taken: set[str]) -> list[Start]:
    """Set up a task's accumulators; the places it runs over get letters that no open loop has."""
    fresh: dict[Index, Index] = {}
    for index in task.free:
        used = taken | {other.name for other in fresh.values()}
        fresh[index] = index.fresh(unused(index.name, used))
    places = tuple(place.xreplace(fresh) for place in task.left.places)
    free = tuple(fresh.values())
    return [Start(target, places, free, kind) for target, kind in _accumulators(task)]


def _accumulators(task: Task) -> list[tuple[Tensor, str]]:
    """What a reduction goes into and how; a product's powers before it, for they look at it."""
    powers = [] if task.powers is None else [(task.powers.tensor, "power")]
    return [*powers, (task.target, _kind(task))]


def _kind(task: Task) -> str:
    reduction = task.equation.reduction
    assert isinstance(reduction, Reduction)
    return reduction.spelling


def _leaves(task: Task) -> list[Node]:
    places = task.left.places
    if task.over is None:
        return [Assign(task.target, places, task.body)]
    return [
        Accumulate(target, places, kind, task.body, task.over)
        for target, kind in _accumulators(task)
    ]


def _width(body: tuple[Node, ...]) -> Any:
    """How many elements the widest loop nest of a body touches."""
    widths = [node.index.extent * _width(node.body) for node in body if isinstance(node, Loop)]
    return max(widths, key=lambda w: len(sp.Mul.make_args(w)), default=sp.Integer(1))


def _buffers(tensors: list[Tensor], outputs: set[Tensor], stages: list[Stage]) -> list[Buffer]:
    """Decide where each tensor lives: a whole array, one row, or a scalar."""
    made: dict[Tensor, tuple[int, tuple[Index, ...]]] = {}
    left: dict[Tensor, tuple[Any, ...]] = {}
    used: dict[Tensor, list[tuple[int, tuple[Index, ...]]]] = {}
    for number, stage in enumerate(stages):
        outer = () if stage.index is None else (stage.index,)
        for node, path in _walk(stage.body, outer):
            for access in _with_inner(node.value):
                used.setdefault(access.tensor, []).append((number, path))
            made[node.target] = (number, path)
            left[node.target] = node.places
            if isinstance(node, Accumulate):
                # Usable only outside the loop it is reduced over.
                made[node.target] = (number, path[: path.index(node.index)])
    found = []
    for tensor in tensors:
        if tensor in outputs:
            found.append(Buffer(tensor, "output", tuple(range(len(tensor.shape)))))
            continue
        number, path = made[tensor]
        common = len(path)
        crossing = False
        for where, other in used.get(tensor, []):
            if where != number:
                crossing = True
            common = min(common, _shared(path, other))
        kept = path[:common]
        if crossing:
            kept = ()
        axes = tuple(a for a, place in enumerate(left[tensor]) if place not in kept)
        staged = any(t == tensor for s in stages for t, _ in s.reduced)
        if crossing or staged:
            found.append(Buffer(tensor, "array", axes))
        else:
            found.append(Buffer(tensor, "row" if axes else "local", axes))
    return found


def _walk(
    body: tuple[Node, ...], path: tuple[Index, ...]
) -> Iterator[tuple[Assign | Accumulate | Contract | Recentre, tuple[Index, ...]]]:
    for node in body:
        if isinstance(node, Loop):
            yield from _walk(node.body, (*path, node.index))
        elif not isinstance(node, Start):
            yield node, path


def _shared(path: tuple[Index, ...], other: tuple[Index, ...]) -> int:
    count = 0
    for a, b in zip(path, other, strict=False):
        if a != b:
            break
        count += 1
    return count
