"""`minimize`: an objective, a start and an optimizer become a trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.learn.batches import evaluator, prepared
from symcalc.learn.choices import Choice, optimizer_of, rates, use
from symcalc.learn.kernels import kernel_of
from symcalc.learn.model import Model
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.trajectory import Trajectory
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective

KEPT_NUMBERS = 2_000_000  # of parameters along the way; a longer run is kept in fewer places


def minimize(
    objective: Objective | str,
    start: Any,
    optimizer: Choice | Objective | str = "adam",
    data: Mapping[str, Any] | None = None,
    steps: int = 1000,
    batch: int | None = None,
    schedule: Choice | Objective | str | None = None,
    clip: float | None = None,
    seed: int = 0,
    lr: float | None = None,
    backend: str = "numba",
    dtype: str = "float64",
    progress: Callable[[int, float], None] | None = None,
) -> Trajectory:
    """Minimize an objective by an optimizer of the catalogue; every gradient is a kernel's.

    minimize(mlp((2, 8, 1)), start, "adam", data={"x": x, "target": y}, lr=0.1)

    Args:
        objective: scalar, or its catalogue name.
        start: where the parameters begin, by name; one array where it is differentiated by one
            input. Copied. The gradient is by these.
        optimizer: an update, its name, or `use(name, beta1=0.8)`; the catalogue has sgd, momentum,
            adam and others.
        data: the other inputs and hyperparameters of the objective, by name; cast to the dtype.
        steps: how many.
        batch: rows of a minibatch, drawn without replacement; all rows if not given.
        schedule: of the learning rate: "cosine", `use("inverse_time", beta=0.01)`; steps count
            from 1.
        clip: the largest norm of the whole gradient; a longer one is shortened to it.
        seed: of the batches.
        lr: the learning rate; the optimizer's own if not given.
        backend: "numba" or "numpy".
        dtype: "float64" or "float32".
        progress: called with the number of steps done and the value.

    Returns:
        The Trajectory: .values, .parameters, .step_sizes, .final, .plot(). It ends early at a
        value that is not finite.

    Raises:
        ArgumentError, ArgumentTypeError: an argument does not fit; the message says which.
        UnknownObjectiveError: no objective, optimizer or schedule has this name.
    """
    _check_count("steps", steps)
    _check_count("seed", seed, least=0)
    loss = get(objective) if isinstance(objective, str) else objective
    if not isinstance(loss, Objective):
        raise ArgumentTypeError(
            f"objective: expected an Objective or a catalogue name, got {type(loss).__name__}"
        )
    single = not isinstance(start, Mapping)
    if single and len(loss.wrt) != 1:
        raise ArgumentTypeError(
            f"{loss.name}: start: expected a dict with {', '.join(loss.wrt)}, got "
            f"{type(start).__name__}"
        )
    model = Model(loss, {loss.wrt[0]: start} if single else start, backend, dtype)
    choice = _with_rate(optimizer_of(optimizer), lr)
    worker = Optimizer(choice, model.theta, model.gradient, backend)
    sizes = _step_sizes(worker, schedule, steps)
    whole = prepared(model, data or {})
    if batch is not None:
        _check_count("batch", batch)
    evaluate = evaluator(model, whole, batch, np.random.default_rng(seed))
    finish = evaluate if batch is None else model.bind(**whole)
    shorten = _clipper(model, clip, backend, dtype)
    every = 1 + steps * model.theta.size // KEPT_NUMBERS
    values, kept, at = [], [model.theta.copy()], [0]
    began = time.perf_counter()
    for step in range(steps):
        values.append(float(evaluate()))
        if not np.isfinite(values[-1]):
            break
        shorten()
        worker.step(None if schedule is None else sizes[step])
        if progress is not None:
            progress(step + 1, values[-1])
        if (step + 1) % every == 0 or step + 1 == steps:
            kept.append(model.theta.copy())
            at.append(step + 1)
    else:
        values.append(float(finish()))
    seconds = time.perf_counter() - began
    if at[-1] != worker.steps:
        kept.append(model.theta.copy())
        at.append(worker.steps)
    return Trajectory(
        loss.name, choice.objective.name, np.array(values), sizes[: worker.steps].copy(),
        np.array(at), _by_name(model, np.array(kept)), seconds, single,
    )  # fmt: skip


def _step_sizes(
    worker: Optimizer, schedule: Choice | Objective | str | None, steps: int
) -> np.ndarray:
    if schedule is None:
        return np.full(steps, worker.lr)
    if np.isnan(worker.lr):
        raise ArgumentError(f"schedule: {worker.name} has no learning rate lr to schedule")
    return rates(schedule, worker.lr, steps)


def _with_rate(choice: Choice, lr: float | None) -> Choice:
    if lr is None:
        return choice
    if "lr" in choice.values:
        raise ArgumentTypeError(f"{choice.objective.name}: lr was given twice")
    return use(choice.objective, **choice.values, lr=lr)


def _clipper(model: Model, clip: float | None, backend: str, dtype: str) -> Callable[[], None]:
    """Return what shortens the model's gradient in place."""
    if clip is None:
        return lambda: None
    kernel = kernel_of(get("clip_by_global_norm"), backend, dtype)
    buffer = np.empty_like(model.gradient)

    def shorten() -> None:
        kernel(model.gradient, max_norm=clip, out=buffer)
        model.gradient[:] = buffer

    model.gradient[:] = 0
    shorten()  # says now, and not after the first step, what is wrong with the norm
    return shorten


def _by_name(model: Model, path: np.ndarray) -> Mapping[str, np.ndarray]:
    found, begin = {}, 0
    for name, part in model.parameters.items():
        found[name] = path[:, begin : begin + part.size].reshape(-1, *part.shape)
        begin += part.size
    return found


def _check_count(name: str, given: Any, least: int = 1) -> None:
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise ArgumentTypeError(f"{name}: expected a whole number, got {given!r:.80}")
    if given < least:
        raise ArgumentError(f"{name}: expected a whole number from {least} on, got {given}")
