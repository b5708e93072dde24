"""Random objectives, each with a point: what the grammar draws, made whole.

One in eight is composed of two, of which the second reads what the first gives.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import sympy as sp
from builder import ALPHA, TAU, TENSORS, Builder, Spot, Written
from grammar import TABLES, reduction
from hypothesis import reject
from hypothesis import strategies as st
from spoken import sn

from symcalc.notation.definitions import gathered
from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.tensors import Access, Tensor, dims_of

# What the notation refuses, with reason, of what is drawn.
REFUSED = {
    "no value of it keeps": "an index has no value",
    "expected a place such as": "a sequence runs over another extent",
    "are not supported": "labels below a narrowed extent",
}


@dataclass(frozen=True)
class Case:
    """An objective and a point.

    Args:
        objective: what was built.
        stages: what it was composed of, the first first; itself alone where it was not.
        sizes: the extent of each dim.
        arrays: the inputs.
        parameters: the hyperparameters.
        seed: of the directions to differentiate along.
    """

    objective: Objective
    stages: tuple[Written, ...]
    sizes: dict[str, int]
    arrays: dict[str, Any]
    parameters: dict[str, float]
    seed: int

    def __repr__(self) -> str:
        rows = [str(self.objective)]
        if len(self.stages) > 1:
            rows += [f"  of {stage.objective}" for stage in self.stages]
        rows.append(f"  wrt {self.objective.wrt}, {self.sizes}, {self.parameters}")
        return "\n".join([*rows, f"  seed {self.seed}"])

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(repr(self))

    def like(self, shape: tuple[int, ...], salt: int) -> Any:
        """Random numbers of a shape."""
        return np.random.default_rng((self.seed, salt)).normal(size=shape)


@st.composite
def cases(draw: Any, room: int = 14, most: int = 4, skips: Counter[str] | None = None) -> Case:
    """Objectives with a point each.

    Args:
        draw: hypothesis' own.
        room: how many nodes are drawn, leaves not counted.
        most: the greatest extent.
        skips: where it is counted why a draw came to nothing.
    """
    counts = Counter() if skips is None else skips
    try:
        if draw(st.sampled_from([False] * 7 + [True])):
            stages = two_stages(draw, room, counts)
            objective = sn.compose(stages[1].objective, stages[0].objective)
        else:
            b = Builder(draw, TABLES)
            stages = (written(b, free_indices(b), room, counts),)
            objective = stages[0].objective
    except sn.NotationError as error:
        for message, reason in REFUSED.items():
            if message in str(error):
                skip(counts, reason)
        raise
    if not movable(objective.inputs):
        skip(counts, "nothing to differentiate by")
    wrt = draw(st.lists(st.sampled_from(movable(objective.inputs)), min_size=1, max_size=3,
                        unique=True))  # fmt: skip
    return at_a_point(draw, objective.by(tuple(wrt)), stages, most, counts)


def skip(skips: Counter[str], reason: str) -> NoReturn:
    """Let a draw go, and count why."""
    skips[reason] += 1
    reject()


def movable(inputs: Any) -> list[str]:
    """The inputs that it makes sense to differentiate by."""
    return [t.name for t in inputs
            if not t.domain.integer and not t.domain.values and "unused" not in t.name]  # fmt: skip


def free_indices(b: Builder, counts: tuple[int, ...] = (0, 0, 0, 1, 2)) -> tuple[Index, ...]:
    """The free indices of a formula: none for a number."""
    free = tuple(b.index() for _ in range(b.pick(counts)))
    return free[:1] if len({index.name for index in free}) < len(free) else free


def two_stages(draw: Any, room: int, skips: Counter[str]) -> tuple[Written, ...]:
    """A layer, and what reads it."""
    b = Builder(draw, TABLES)
    inner = written(b, free_indices(b, (1, 2)), room // 2, skips)
    if inner.objective.is_scalar:
        skip(skips, "a layer has no axes")
    dims = (Dim("n"), Dim("c")) if b.pick((True, False)) else (Dim("d"), Dim("n"))
    fed = Tensor("fed", dims[: len(inner.objective.outputs)])
    over = Builder(draw, TABLES, (fed,))
    outer = written(over, free_indices(over, (0, 0, 1)), room // 2, skips, fed)
    return inner, outer


def written(
    b: Builder, free: tuple[Index, ...], room: int, skips: Counter[str], fed: Tensor | None = None
) -> Written:
    """An objective of random formulas.

    Args:
        b: draws them.
        free: the indices of the result.
        room: the most nodes that are drawn.
        skips: where it is counted why a draw came to nothing.
        fed: its first input, which it does read.
    """
    root = Spot(free, b.draw(st.integers(4, max(room, 4))))
    body = sp.sympify(b.real(root) if free else b.pick((reduction, Builder.real))(b, root))
    bodies = everything(body)
    if fed is not None and not any(a.tensor == fed for e in bodies for a in e.atoms(Access)):
        bound = tuple(Index("pq"[axis], dim) for axis, dim in enumerate(fed.shape))
        body += sn.sum(*bound, sn.tanh(fed[bound]))
        bodies = everything(body)
    if any(part.has(sp.zoo, sp.nan, sp.I) for part in bodies):
        skip(skips, "a constant is no real number")
    inputs = inputs_of(bodies, () if fed is None else (fed,))
    if not movable(inputs):
        skip(skips, "nothing to differentiate by")
    symbols = set().union(*(part.free_symbols for part in bodies))
    parameters = tuple(p for p in (ALPHA, TAU) if p.symbol in symbols)
    name = "random" if fed is None else "outer"
    made = make_objective(name, inputs, parameters, body, (movable(inputs)[0],))
    return Written(made, b.calls, b.least)


def everything(body: Any) -> list[Any]:
    """A formula and those that it defines."""
    return [body, *(meant.body for meant in gathered((body,), set())[0])]


def inputs_of(bodies: list[Any], first: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The inputs that formulas read, and others that their dims may be known."""
    used = {a.tensor for part in bodies for a in part.atoms(Access)}
    inputs = [*first, *(t for t in TENSORS if t in used)]
    known = {*dims_of(inputs), *(t.domain.below for t in inputs)}
    standing = {d for part in bodies for index in part.atoms(Index) for d in index.dims}
    standing |= {d for part in bodies for d in part.atoms(Dim)}
    for dim in sorted(standing - known, key=str):
        inputs.append(Tensor(f"unused_{dim.name}", (dim,)))
    for t in list(inputs):
        if t.domain.below is not None and t.domain.below not in dims_of(inputs):
            inputs.append(Tensor(f"unused_{t.domain.below.name}", (t.domain.below,)))
    return tuple(inputs)


def at_a_point(
    draw: Any, objective: Objective, stages: tuple[Written, ...], most: int, skips: Counter[str]
) -> Case:
    """Give the dims extents, and the inputs and hyperparameters values."""
    least = stages[0].least if len(stages) == 1 else dict.fromkeys(objective.dims, 3)
    extents = {
        d: draw(st.sampled_from([e for e in (3, 2, 4, 1) if least[d] <= e <= max(most, least[d])]))
        for d in objective.dims
    }  # fmt: skip
    whole = {d: sp.Integer(extent) for d, extent in extents.items()}
    ranges = [(i.extent, 1) for part in (*objective.formulas, *objective.outputs)
              for i in part.atoms(Index)]  # fmt: skip
    if not all(e.xreplace(whole) >= low for e, low in (*ranges, *needed(objective, stages))):
        skip(skips, "an index has no value")
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    arrays = {
        t.name: t.domain.sample(
            rng, tuple(int(e.xreplace(whole)) for e in t.shape), extents.get(t.domain.below, 2)
        )
        for t in objective.inputs
    }
    values = {
        p.name: float(rng.uniform(0.5, 2) if p.domain.lower == 0 else rng.normal())
        for p in objective.parameters
    }
    return Case(objective, stages, {d.name: e for d, e in extents.items()}, arrays, values, seed)


def needed(objective: Objective, stages: tuple[Written, ...]) -> list[tuple[Any, int]]:
    """What the extents of the last stage's inputs are in the whole, and the least they may be."""
    *inner, outer = stages
    shapes = [tuple(index.extent for index in stage.objective.outputs) for stage in inner]
    shapes += [t.shape for t in objective.inputs[sum(len(s.objective.inputs) for s in inner) :]]
    return [
        (extent, outer.least.get(dim, 1))
        for tensor, shape in zip(outer.objective.inputs, shapes, strict=True)
        for dim, extent in zip(tensor.shape, shape, strict=True)
    ]
