"""Optimizer: an update of the catalogue at work on a vector of parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symcalc.learn.choices import Choice, optimizer_of
from symcalc.learn.kernels import kernel_of
from symcalc.notation.objective import Objective

_STARTS_AT_ONE = {"mu_product"}  # running products; everything else of a state starts at zero


class Optimizer:
    """An update with its state, stepping parameters in place by one fused kernel.

    Args:
        chosen: an update of the catalogue, its name, or `use(name, lr=...)`.
        theta: the parameters, a contiguous vector that is written to.
        gradient: the gradient, read at each step.
        backend: "numba" or "numpy".
    """

    def __init__(
        self,
        chosen: Choice | Objective | str,
        theta: np.ndarray,
        gradient: np.ndarray,
        backend: str = "numba",
    ) -> None:
        choice = optimizer_of(chosen)
        update, values = choice.objective, dict(choice.values)
        state = {name for name, _ in update.state[1:]}
        arrays: dict[str, np.ndarray] = {update.state[0][0]: theta, "gradient": gradient}
        for tensor in update.inputs:
            if tensor.name in state:
                filled = values.pop(tensor.name, float(tensor.name in _STARTS_AT_ONE))
                shape = theta.shape if tensor.shape else ()
                arrays[tensor.name] = np.full(shape, filled, theta.dtype)
        self._counts = any(p.name == "step" for p in update.parameters)
        if self._counts:
            values["step"] = 1.0
        defaults = {p.name: p.default for p in update.parameters}
        self.name = update.name
        self.lr = float(values.get("lr", defaults.get("lr") or math.nan))  # not a number: has none
        self.steps = 0
        kernel = kernel_of(update, backend, str(theta.dtype))
        self._step = kernel.stepper(*(arrays[t.name] for t in update.inputs), **values)

    def step(self, lr: float | None = None) -> None:
        """Replace the parameters and the state by what they become.

        Args:
            lr: the learning rate of this step; the chosen one if not given.

        Raises:
            ArgumentError: the learning rate does not fit.
        """
        self.steps += 1
        changed: dict[str, Any] = {"step": float(self.steps)} if self._counts else {}
        if lr is not None:
            changed["lr"] = lr
        self._step(**changed)
