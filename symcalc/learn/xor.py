"""XOR: the smallest problem that no line solves, learnt by a network with one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue.mlp import mlp, network
from symcalc.learn.descent import minimize
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, seconds, silent
from symcalc.learn.model import glorot
from symcalc.learn.trajectory import Trajectory

INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False)
class XorRun:
    """A network that was trained on XOR.

    Args:
        hidden: the number of its hidden units.
        trajectory: the training.
        probabilities: what it gives for each of the four inputs.
        xs: where the picture's grid lies, on both axes.
        field: its probability at each point of the grid.
    """

    hidden: int
    trajectory: Trajectory
    probabilities: np.ndarray
    xs: np.ndarray
    field: np.ndarray

    @property
    def accuracy(self) -> float:
        """The part of the four inputs that it tells right."""
        return float(np.mean((self.probabilities > 0.5) == (TARGETS > 0.5)))

    def table(self) -> list[tuple[str, ...]]:
        """Return each input with its target and the network's answer, and what it took."""
        rows: list[tuple[str, ...]] = [("x", "target", "probability of 1")]
        for x, y, p in zip(INPUTS, TARGETS, self.probabilities, strict=True):
            rows.append((f"{x[0]:g} {x[1]:g}", f"{y:g}", f"{p:.4f}"))
        run = self.trajectory
        rows.append(("accuracy", f"{self.accuracy:.0%}", f"loss {run.values[-1]:.2e}"))
        rows.append((f"{run.steps} steps", seconds(run.seconds), run.optimizer))
        return rows

    def draw(self) -> Any:
        """Draw the loss, and the network's probability over the plane."""
        from symcalc.learn.pictures import new_figure

        figure, (left, right) = new_figure(2)
        self.trajectory.plot(left)
        left.set(title="loss", ylabel="binary cross-entropy")
        low, high = self.xs[[0, -1]]
        image = right.imshow(
            self.field.T, origin="lower", extent=(low, high, low, high), vmin=0, vmax=1,
            cmap="RdBu_r",
        )  # fmt: skip
        right.contour(self.xs, self.xs, self.field.T, [0.5], colors="black", linewidths=1)
        for x, y in zip(INPUTS, TARGETS, strict=True):
            right.plot(*x, "o", color="white", markeredgecolor="black", markersize=11)
            right.annotate(f"{y:g}", x, ha="center", va="center", fontsize=8)
        right.grid(visible=False)
        right.set(title="probability of 1", xlabel="$x_1$", ylabel="$x_2$")
        figure.colorbar(image, ax=right, shrink=0.8)
        return figure


def train(
    hidden: int = 8, steps: int = 2000, optimizer: str = "adam", lr: float = 0.05, seed: int = 0,
    progress: Progress = silent,
) -> XorRun:  # fmt: skip
    """Train the sigmoid network of widths 2, hidden, 1 on XOR.

    Args:
        hidden: units of the hidden layer.
        steps: how many, each on all four inputs.
        optimizer: a name of the catalogue.
        lr: the learning rate.
        seed: of the first weights.
        progress: told of each step.

    Raises:
        ArgumentError, NotationError, UnknownObjectiveError: as `minimize` and `mlp` have them.
    """
    loss = mlp((2, hidden, 1))
    run = minimize(
        loss, glorot(loss, np.random.default_rng(seed)), optimizer,
        {"x": INPUTS, "targets": TARGETS}, steps=steps, lr=lr,
        progress=lambda done, value: progress(done, steps, f"loss {value:.4f}"),
    )  # fmt: skip
    logits = kernel_of(network((2, hidden, 1)))
    xs = np.linspace(-0.5, 1.5, 81)
    grid = np.stack(np.meshgrid(xs, xs, indexing="ij"), axis=-1).reshape(-1, 2)

    def probability(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-logits(x=x, **run.final)[:, 0])))

    return XorRun(hidden, run, probability(INPUTS), xs, probability(grid).reshape(81, 81))
