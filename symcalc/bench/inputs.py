"""Cases: what is measured, how large, and the arrays it is measured on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective

VECTOR_SIZE = 10_000_000
MATRIX_SHAPE = (8192, 1024)
DTYPES = ("float64", "float32")
_FURTHER_EXTENT = 8


@dataclass(frozen=True)
class Case:
    """One objective at one size and one dtype.

    Args:
        name: the objective's name.
        extents: each dim's name with its extent, in the order of the inputs.
        dtype: "float64" or "float32".
        seed: what the arrays are drawn from.
    """

    name: str
    extents: tuple[tuple[str, int], ...]
    dtype: str = "float64"
    seed: int = 0

    @property
    def title(self) -> str:
        """The case in one line: "huber, n = 1000, float64"."""
        sizes = ", ".join(f"{dim} = {extent}" for dim, extent in self.extents)
        return f"{self.name}, {sizes}, {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        """Return the case as JSON knows it."""
        return {"name": self.name, "extents": [list(pair) for pair in self.extents],
                "dtype": self.dtype, "seed": self.seed}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Case:
        """Return the case that `to_dict` wrote."""
        extents = tuple((str(dim), int(extent)) for dim, extent in data["extents"])
        return cls(str(data["name"]), extents, str(data["dtype"]), int(data["seed"]))


@dataclass(frozen=True)
class Problem:
    """A case with its arrays: all that a peer needs.

    Args:
        objective: the definition.
        case: its size and dtype.
        arrays: the inputs by name, in declared order.
        hyper: the hyperparameters by name.
        cotangent: for a layer, the cotangent of its output; else None.
    """

    objective: Objective
    case: Case
    arrays: Mapping[str, Any]
    hyper: Mapping[str, float]
    cotangent: Any = None


def make_case(
    objective: Objective,
    *,
    size: int | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: str = "float64",
    seed: int = 0,
) -> Case:
    """Choose the extents of an objective's dims.

    One dim gets `size`; two are given rows and columns whose product is close to `size`, with
    1024 columns where that leaves as many rows.  Without a size: 10 million, or 8192 x 1024.

    Args:
        objective: the definition.
        size: the number of elements of the largest input, positive.
        shape: the extents themselves, one a dim, in place of `size`.
        dtype: "float64" or "float32".
        seed: what the arrays will be drawn from.

    Returns:
        The Case.

    Raises:
        ArgumentError: a size that is not positive, a shape with another number of extents than
            the objective has dims, an unknown dtype, or both size and shape.
    """
    dims = [dim.name for dim in objective.dims]
    if dtype not in DTYPES:
        raise ArgumentError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    if size is not None and shape is not None:
        raise ArgumentError("size: expected either a size or a shape, got both")
    for given, value in [("size", size), *(("shape", extent) for extent in shape or ())]:
        if value is not None:
            positive(given, value)
    if shape is not None and len(shape) != len(dims):
        raise ArgumentError(
            f"shape: {objective.name} has dims ({', '.join(dims)}), "
            f"expected {len(dims)} extents, got {shape}"
        )
    extents = shape if shape is not None else _extents(len(dims), size)
    return Case(objective.name, tuple(zip(dims, extents, strict=True)), dtype, seed)


def positive(name: str, value: Any) -> int:
    """Return a positive whole number.

    Raises:
        ArgumentTypeError: the value is no whole number.
        ArgumentError: it is below one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ArgumentTypeError(f"{name}: expected a positive whole number, got {value!r}")
    if value < 1:
        raise ArgumentError(f"{name}: expected a positive whole number, got {value}")
    return int(value)


def _extents(count: int, size: int | None) -> tuple[int, ...]:
    if count <= 1:
        return (VECTOR_SIZE if size is None else size,) * count
    further = (_FURTHER_EXTENT,) * (count - 2)
    if size is None:
        return (*MATRIX_SHAPE, *further)
    plane = max(1, size // math.prod(further))
    columns = min(MATRIX_SHAPE[1], 2 ** (plane.bit_length() // 2))
    return (max(1, plane // columns), columns, *further)


def draw(objective: Objective, case: Case) -> Problem:
    """Draw the arrays of a case from the declared domains.

    The same case gives the same arrays in every process.

    Args:
        objective: the definition the case belongs to.
        case: its size, dtype and seed.

    Returns:
        The Problem; real inputs have the case's dtype, labels are int64.
    """
    known = dict(case.extents)
    dtype = np.dtype(case.dtype)
    arrays: dict[str, Any] = {}
    for position, tensor in enumerate(objective.inputs):
        rng = np.random.default_rng([case.seed, position])
        below = known[tensor.domain.below.name] if tensor.domain.below is not None else 2
        drawn = tensor.domain.sample(rng, shape_of(tensor.shape, known), below)
        arrays[tensor.name] = drawn if tensor.domain.integer else drawn.astype(dtype, copy=False)
    hyper: dict[str, float] = {}
    for position, parameter in enumerate(objective.parameters):
        rng = np.random.default_rng([case.seed, len(objective.inputs), position])
        drawn = parameter.default
        hyper[parameter.name] = (
            float(parameter.domain.sample(rng, (1,))[0]) if drawn is None else drawn
        )
    cotangent = None
    if not objective.is_scalar:
        rng = np.random.default_rng([case.seed, 1000])
        shape = shape_of(tuple(index.extent for index in objective.outputs), known)
        cotangent = rng.normal(size=shape).astype(dtype, copy=False)
    return Problem(objective, case, arrays, hyper, cotangent)


def bytes_moved(objective: Objective, case: Case) -> int:
    """Return the bytes that any method must move: inputs read once, results written once.

    Results are the gradients, and for a layer its output; its cotangent is one of the inputs.

    Args:
        objective: the definition.
        case: its size and dtype.
    """
    known, width = dict(case.extents), np.dtype(case.dtype).itemsize

    def size(extents: tuple[Any, ...]) -> int:
        return math.prod(shape_of(extents, known))

    moved = sum(
        size(tensor.shape) * (8 if tensor.domain.integer else width) for tensor in objective.inputs
    )
    moved += sum(size(objective.input(name).shape) * width for name in objective.wrt)
    if not objective.is_scalar:
        moved += 2 * width * size(tuple(index.extent for index in objective.outputs))
    return moved


def bytes_stepped(objective: Objective, case: Case) -> int:
    """Return the bytes that a step of an update must move: all is read, the state written.

    Args:
        objective: an update.
        case: its size and dtype.
    """
    known, width = dict(case.extents), np.dtype(case.dtype).itemsize
    written = {name for name, _ in objective.state}
    return sum(
        math.prod(shape_of(tensor.shape, known)) * width * (1 + (tensor.name in written))
        for tensor in objective.inputs
    )


def shape_of(extents: tuple[Any, ...], known: Mapping[str, int]) -> tuple[int, ...]:
    """Return extents as numbers, each dim's extent known."""
    return tuple(
        int(extent.xreplace({dim: known[dim.name] for dim in extent.free_symbols}))
        for extent in extents
    )
