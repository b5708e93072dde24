"""Corners: the points at which gradients go wrong, found from domains and kinks, never by name.

Each is a typical point with one thing special about it, which it says. The sorts of corners take
turns, so that the first few dozen hold some of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from symcalc.calculus.kinks import crossings
from symcalc.notation.domains import Domain
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import LogSumExp, Max, Norm2
from symcalc.notation.tensors import Tensor
from symcalc.program.needs import atoms
from symcalc.verify.crossings import crossed
from symcalc.verify.enclosures import Enclosures, NoEnclosureError
from symcalc.verify.sampling import Point, draw, primes, roomy
from symcalc.verify.special import (
    special_labels,
    special_rows,
    special_settings,
    special_values,
)

CONSTANT, EXTENT, INFINITE, HYPER, LABEL = (
    "constant", "extent", "infinite", "hyperparameter", "labels",
)  # fmt: skip
SIZES = (2, 3)
MOST = 32
_BITS = 10  # of a typical entry, so that sums and differences of a few are exact

Thunk = Callable[[], Iterator[Point]]


def corners(
    objective: Objective, seed: int = 0, most: int | None = MOST, sizes: tuple[int, ...] = SIZES
) -> Iterator[Point]:
    """Yield the corners of an objective, each in the domain of every input.

    Args:
        objective: whose domains, boundaries and hyperparameters are looked at.
        seed: of the typical entries, and of what is tried first.
        most: how many points to yield; None for all there are.
        sizes: of the dims, in turn.
    """
    rng = np.random.default_rng(seed)
    base = plain(objective, primes(objective, sizes), seed)
    sorts = (_kinks, _values, _constants, _rows, _extents, _hypers, _infinities)
    streams = [_shuffled(sort(objective, base, rng), rng) for sort in sorts]
    return itertools.islice(_in_turn(streams), most)


def plain(objective: Objective, extents: dict[str, int], seed: int) -> Point:
    """Draw a typical point of short binary fractions, so that a few of them add up exactly."""
    point = draw(objective, extents, seed)
    arrays = tuple(
        _short(array, tensor.domain)
        for tensor, array in zip(objective.inputs, point.arrays, strict=True)
    )
    hyper = {
        p.name: _admitted(float(_rounded(np.array(point.hyper[p.name]))), p.domain, point, p.name)
        for p in objective.parameters
    }
    return replace(point, arrays=arrays, hyper=hyper)


def _admitted(value: float, domain: Domain, point: Point, name: str) -> float:
    return value if domain.admits(value) else point.hyper[name]


def _rounded(array: Any) -> Any:
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.round(np.ldexp(mantissa, _BITS)), exponent - _BITS)


def _short(array: Any, domain: Domain) -> Any:
    """Round to few bits within the domain."""
    if domain.integer or domain.values:
        return array
    if not domain.rows_sum_to_one:
        return np.clip(_rounded(array), domain.lower, domain.upper)
    grid = np.maximum(np.round(array * 2.0**_BITS), 1.0)
    largest = np.argmax(grid, axis=-1)[..., None]
    rest = 2.0**_BITS - grid.sum(axis=-1, keepdims=True)
    np.put_along_axis(grid, largest, np.take_along_axis(grid, largest, -1) + rest, -1)
    return grid / 2.0**_BITS


def _kinks(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Both sides of every boundary."""
    for _ in range(2):  # at other values of their indices
        for boundary in crossings(objective):
            yield partial(crossed, objective, boundary, base, rng)


def _values(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Special values of one entry, then of a whole input."""
    for number, tensor in enumerate(objective.inputs):
        domain = tensor.domain
        if domain.integer or domain.rows_sum_to_one:
            continue
        shape = base.arrays[number].shape
        for kind, value in special_values(domain):
            place = tuple(int(rng.integers(extent)) for extent in shape)
            array = np.array(base.arrays[number])
            array[place] = value
            where = f"[{', '.join(map(str, place))}]" if place else ""
            yield _one(base, number, array, kind, f"{tensor.name}{where} = {value}", domain)
            full = np.full(shape, value)
            yield _one(base, number, full, kind, f"all of {tensor.name} = {value}", domain)


def _constants(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Inputs that do not vary: nowhere, along one axis, or in one row only."""
    for number, tensor in enumerate(objective.inputs):
        array, domain = base.arrays[number], tensor.domain
        if not array.shape or domain.integer or domain.rows_sum_to_one:
            continue
        for axis in range(array.ndim):
            flat = np.repeat(np.take(array, [0], axis), array.shape[axis], axis)
            text = f"{tensor.name} constant along axis {axis}"
            yield _one(base, number, flat, CONSTANT, text, domain)
        everywhere = np.full(array.shape, array.flat[0])
        yield _one(base, number, everywhere, CONSTANT, f"{tensor.name} constant", domain)
        one = np.array(array)
        one[0] = one[0].flat[0]
        yield _one(base, number, one, CONSTANT, f"{tensor.name}[0] constant", domain)


def _rows(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Labels at their ends, probability rows that are certain."""
    for number, tensor in enumerate(objective.inputs):
        shape, below = base.arrays[number].shape, tensor.domain.below
        if below is not None:
            for text, array in special_labels(shape, base.extents[below.name]):
                yield _one(base, number, array, LABEL, f"{tensor.name}: {text}")
        elif tensor.domain.rows_sum_to_one:
            for text, array in special_rows(shape):
                yield _one(base, number, array, LABEL, f"{tensor.name}: {text}")


def _extents(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Extents of one and two, together and one at a time."""
    seed = int(rng.integers(2**31))
    for small in (1, 2):
        choices = [{dim.name: small for dim in objective.dims}]
        choices += [{**base.extents, dim.name: small} for dim in objective.dims]
        for choice in choices:
            yield partial(_sized, objective, choice, seed)


def _sized(objective: Objective, extents: dict[str, int], seed: int) -> Iterator[Point]:
    sizes = roomy(objective, extents)
    text = ", ".join(f"{name} = {extent}" for name, extent in sizes.items())
    yield replace(plain(objective, sizes, seed), kind=EXTENT, at=text)


def _hypers(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Hyperparameters at the ends of their domains, and far out."""
    for parameter in objective.parameters:
        for _, value in special_settings(parameter.domain):
            hyper = {**base.hyper, parameter.name: value}
            made = replace(base, hyper=hyper, kind=HYPER, at=f"{parameter.name} = {value}")
            yield partial(iter, (made,))


def _infinities(objective: Objective, base: Point, rng: np.random.Generator) -> Iterator[Thunk]:
    """Infinite entries, wherever the value has a limit there.

    Of several entries taken together none is +inf: a softmax of it is inf - inf.
    """
    together = any(atoms(objective, kind) for kind in (LogSumExp, Max, Norm2))
    for number, tensor in enumerate(objective.inputs):
        shape = base.arrays[number].shape
        for value in (-np.inf,) if together else (-np.inf, np.inf):
            if not _may_be_infinite(objective, tensor, value) or not shape:
                continue
            place = tuple(int(rng.integers(extent)) for extent in shape)
            yield partial(_masked, objective, base, number, place, value)


def _may_be_infinite(objective: Objective, tensor: Tensor, value: float) -> bool:
    """Whether an input may be masked: one that is differentiated by, such as logits."""
    inside = tensor.domain.admits(value) and not tensor.domain.integer
    return inside and tensor.name in objective.wrt


def _masked(
    objective: Objective, base: Point, number: int, place: tuple[int, ...], value: float
) -> Iterator[Point]:
    """One entry infinite; then the weights beside it in other inputs zero as well."""
    array = np.array(base.arrays[number])
    array[place] = value
    name, where = objective.inputs[number].name, ", ".join(map(str, place))
    text = f"{name}[{where}] = {value}"
    point = replace(base.moved(number, array), kind=INFINITE, at=text)
    if _has_value(objective, point):
        yield point
        return
    for other, tensor in enumerate(objective.inputs):
        beside = np.array(point.arrays[other])
        weighs = tensor.domain.lower == 0 and tensor.domain.admits(0.0)
        if other == number or beside.shape != array.shape or not weighs:
            continue
        beside[place] = 0.0
        if tensor.domain.rows_sum_to_one:
            beside[place[:-1]] = np.eye(beside.shape[-1])[(place[-1] + 1) % beside.shape[-1]]
        text = f"{name}[{where}] = {value}, {tensor.name}[{where}] = 0"
        moved = replace(point.moved(other, beside), at=text)
        if _has_value(objective, moved):
            yield moved


def _has_value(objective: Objective, point: Point) -> bool:
    """Whether value and slopes are finite there."""
    truth = Enclosures(objective, point)
    try:
        truth.entries()
        for name in objective.wrt:
            truth.slopes(name)
    except NoEnclosureError:
        return False
    return True


def _one(
    base: Point, number: int, array: Any, kind: str, text: str, domain: Domain | None = None
) -> Thunk:
    """A point with one input replaced; none where the whole of it is not admitted."""
    if domain is not None and domain.positive_total and not np.sum(array) > 0:
        return partial(iter, ())
    return partial(iter, (replace(base.moved(number, array), kind=kind, at=text),))


def _shuffled(thunks: Iterator[Thunk], rng: np.random.Generator) -> Iterator[Point]:
    made = list(thunks)
    for place in rng.permutation(len(made)):
        yield from made[place]()


def _in_turn(streams: list[Iterator[Point]]) -> Iterator[Point]:
    """Take one point of each stream in turn until all are spent; none twice."""
    seen = set()
    while streams:
        left = []
        for stream in streams:
            point = next(stream, None)
            if point is not None:
                if (point.kind, point.at) not in seen:
                    yield point
                seen.add((point.kind, point.at))
                left.append(stream)
        streams = left
