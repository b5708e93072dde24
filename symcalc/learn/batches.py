"""Batches: the data of a loss, whole or by minibatches drawn without replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symcalc.learn.model import Model
from symcalc.notation.dims import Dim
from symcalc.notation.errors import ArgumentError, ArgumentTypeError


def prepared(model: Model, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data as the kernel reads it where it lies; what does not fit is left to its error.

    Args:
        model: whose data they are.
        data: arrays and hyperparameters by name.

    Raises:
        ArgumentTypeError: an unknown name, or a parameter's.
    """
    objective = model.objective
    tensors = {t.name: t for t in objective.inputs if t.name not in model.parameters}
    known = [*tensors, *(p.name for p in objective.parameters)]
    known += ["weights"] if objective.takes_weights else []
    found: dict[str, Any] = {}
    for name, given in data.items():
        if name not in known:
            raise ArgumentTypeError(
                f"{objective.name}: data: unknown name {name!r}; expected "
                f"{', '.join(known) or 'none'}"
            )
        if isinstance(given, np.ma.MaskedArray):  # a mask must not be lost on the way
            found[name] = given
            continue
        array = np.asarray(given)
        whole = name in tensors and tensors[name].domain.integer
        fits = array.dtype.kind in ("iu" if whole else "fiub")
        if name in tensors and fits:
            wanted = np.dtype(np.int64) if whole else model.theta.dtype
            found[name] = np.ascontiguousarray(array, wanted).reshape(array.shape)
        else:
            found[name] = given
    return found


def evaluator(
    model: Model, data: Mapping[str, Any], batch: int | None, rng: np.random.Generator
) -> Callable[[], float]:
    """Return the function that computes value and gradient on the next batch.

    Every epoch shuffles the rows and runs through them; its last batch may be smaller.

    Args:
        model: the loss.
        data: as `prepared` returns them.
        batch: how many rows; None for all of them at once.
        rng: shuffles.

    Raises:
        ArgumentError: there are no rows to draw, or not so many.
    """
    if batch is None:
        return model.bind(**data)
    rowed, rows = _rowed(model, data)
    if not 1 <= batch <= rows:
        raise ArgumentError(f"batch: expected a whole number from 1 to {rows}, got {batch}")
    rest = {name: value for name, value in data.items() if name not in rowed}
    buffers = {name: np.array(data[name][:batch]) for name in rowed}
    bound: dict[int, Callable[[], Any]] = {}
    order, begin = rng.permutation(rows), 0

    def following() -> float:
        nonlocal order, begin
        if begin >= rows:
            order, begin = rng.permutation(rows), 0
        chosen = order[begin : begin + batch]
        begin += len(chosen)
        views = {name: buffer[: len(chosen)] for name, buffer in buffers.items()}
        for name, view in views.items():
            np.take(data[name], chosen, axis=0, out=view, mode="clip")
        if len(chosen) not in bound:
            bound[len(chosen)] = model.bind(**views, **rest)
        return float(bound[len(chosen)]())

    return following


def _rowed(model: Model, data: Mapping[str, Any]) -> tuple[list[str], int]:
    """The arrays that have a row a sample, and how many rows: those of the first of them."""
    objective = model.objective
    tensors = [t for t in objective.inputs if t.name in data and t.shape]
    dims = [t.shape[0] for t in tensors if isinstance(t.shape[0], Dim)]
    moving = {d for name in model.parameters for d in objective.input(name).shape}
    if not dims or dims[0] in moving:
        raise ArgumentError(
            f"{objective.name}: batch: expected data with a row a sample, got "
            f"{', '.join(t.name for t in tensors) or 'none'}"
        )
    rowed = [t for t in tensors if t.shape[0] == dims[0]]
    for tensor in rowed:
        if np.ndim(data[tensor.name]) != len(tensor.shape):
            raise ArgumentError(
                f"{objective.name}: data: {tensor.name}: expected an array of "
                f"{len(tensor.shape)} axes, got the shape {np.shape(data[tensor.name])}"
            )
    counts = {t.name: len(data[t.name]) for t in rowed}
    names = list(counts)
    if "weights" in data:
        names, counts["weights"] = [*names, "weights"], len(data["weights"])
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ArgumentError(f"{objective.name}: data: expected as many rows each, got {told}")
    return names, counts[names[0]]
