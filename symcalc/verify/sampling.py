"""Points to check at: drawn from the declared domains, seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.notation.dims import Dim
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.program.needs import needs

KINK, TIE = "kink", "tie"  # kinds of points at which one boundary alone is met
ATTEMPTS = 12  # points that are tried where one does not serve
_ROUNDS = 8  # one range may be made of what another has enlarged


@dataclass(frozen=True)
class Point:
    """One set of arguments.

    Args:
        extents: the size of each dim.
        arrays: float64 (labels int64) arrays in declared order.
        hyper: hyperparameters by name.
        cotangent: of an array-valued objective; else None.
        kind: what sort of point it is, in a word: "typical", "kink", "tail".
        at: what is special about it: "logits[0] = 745".
    """

    extents: dict[str, int]
    arrays: tuple[Any, ...]
    hyper: dict[str, float]
    cotangent: Any = None
    kind: str = "typical"
    at: str = ""

    def nudged(self, share: float, seed: int) -> Point:
        """Return the point with every real entry moved by a share of itself, up or down."""
        rng = np.random.default_rng(seed)
        moved = tuple(
            array
            if array.dtype.kind == "i"
            else array * (1 + share * rng.choice([-1.0, 1.0], size=array.shape))
            for array in self.arrays
        )
        return replace(self, arrays=moved)

    def moved(self, place: int, array: Any) -> Point:
        """Return the point with one of its arrays replaced."""
        return replace(self, arrays=(*self.arrays[:place], array, *self.arrays[place + 1 :]))


KINDS: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "typical": lambda array, rng: array,
    "tails": lambda array, rng: array * rng.choice([1.0, 8.0, 25.0], size=array.shape),
    "ties": lambda array, rng: np.round(array),
}


def draw(objective: Objective, extents: dict[str, int], seed: int, kind: str = "typical") -> Point:
    """Draw a point of an objective.

    Args:
        objective: whose inputs are drawn.
        extents: the size of each dim.
        seed: of the random numbers.
        kind: "typical"; "tails", where real inputs are up to some forty in size; or "ties", where
            they are small whole numbers, so that zeros and equal entries abound.
    """
    rng = np.random.default_rng(seed)
    arrays = tuple(
        KINDS[kind](array, rng) if tensor.domain.is_real_line else array
        for tensor in objective.inputs
        for array in (_array(tensor, extents, rng),)
    )
    hyper = {p.name: _number(p.domain, p.default, rng) for p in objective.parameters}
    cotangent = None
    if not objective.is_scalar:
        shape = tuple(size(index.extent, extents) for index in objective.outputs)
        cotangent = rng.normal(size=shape)
    return Point(extents, arrays, hyper, cotangent, kind)


def points(
    objective: Objective, sizes: tuple[int, ...], seed: int, kind: str = "typical"
) -> Iterator[Point]:
    """Draw a few points, one after another, at the extents that `primes` gives."""
    for attempt in range(ATTEMPTS):
        yield draw(objective, primes(objective, sizes), seed + 10_000 * attempt, kind)


def primes(objective: Objective, sizes: tuple[int, ...]) -> dict[str, int]:
    """Give the dims of an objective these sizes in turn, or larger ones for a range's sake."""
    given = {dim.name: sizes[place % len(sizes)] for place, dim in enumerate(objective.dims)}
    return roomy(objective, given)


def roomy(objective: Objective, extents: dict[str, int]) -> dict[str, int]:
    """Return sizes that meet what an objective asks of them, every range being at least 1."""
    found = extents | {size.dim.name: size.value for size in objective.sizes}
    for _ in range(_ROUNDS):
        for need in needs(objective):
            short = max(need.least, 1) - size(need.extent, found)
            for name in sorted(symbol.name for symbol in need.extent.free_symbols):
                more = {**found, name: found[name] + short}
                if short > 0 and size(need.extent, more) > size(need.extent, found):
                    found = more
                    break
    return found


def size(extent: Any, extents: dict[str, int]) -> int:
    """Return an extent as a number."""
    if isinstance(extent, Dim):
        return extents[extent.name]
    return int(extent.subs({symbol: extents[symbol.name] for symbol in extent.free_symbols}))


def _array(tensor: Tensor, extents: dict[str, int], rng: np.random.Generator) -> Any:
    shape = tuple(size(extent, extents) for extent in tensor.shape)
    below = tensor.domain.below
    return np.asarray(tensor.domain.sample(rng, shape, 2 if below is None else extents[below.name]))


def _number(domain: Any, default: float | None, rng: np.random.Generator) -> float:
    """Return a value near the default, but not the default, for that may hide a term."""
    if default is None:
        drawn = float(domain.sample(rng, ()))
        away = abs(drawn) + 0.1  # from zero
        return away if domain.admits(away) else drawn
    moved = default * float(rng.uniform(0.7, 1.3))
    return moved if domain.admits(moved) else default
