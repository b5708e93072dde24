"""Trajectory: what a run of an optimizer went through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run: values, step sizes and parameters along the way.

    Args:
        objective: the name of what was minimized.
        optimizer: the name of the update.
        values: before each step, on that step's batch; then the last one, on all data.
        step_sizes: the learning rate of each step; not a number where the update has none.
        at: the numbers of steps after which the parameters were kept; from 0 to the last.
        parameters: by name, the parameters at those: an array of shape (len(at), *shape).
        seconds: what the steps took, kernels compiled before.
        single: whether the start was one array and not a mapping.
    """

    objective: str
    optimizer: str
    values: np.ndarray
    step_sizes: np.ndarray
    at: np.ndarray
    parameters: Mapping[str, np.ndarray]
    seconds: float
    single: bool = False

    @property
    def final(self) -> Any:
        """The last parameters, by name; one array where the start was one."""
        last = {name: path[-1] for name, path in self.parameters.items()}
        return next(iter(last.values())) if self.single else last

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.step_sizes)

    @property
    def diverged(self) -> bool:
        """Whether the run ended at a value that is not finite."""
        return not np.isfinite(self.values[-1])

    def plot(self, axes: Any = None) -> Any:
        """Draw the values against the steps.

        Args:
            axes: matplotlib's, to draw into; a figure of its own if not given.

        Returns:
            The matplotlib figure.
        """
        from symcalc.learn.pictures import curve, new_figure

        if axes is None:
            _, (axes,) = new_figure(1)
        curve(axes, np.arange(len(self.values)), self.values, self.optimizer)
        axes.set(xlabel="step", ylabel=self.objective)
        if np.nanmin(self.values) > 0:
            axes.set_yscale("log")
        return axes.figure
