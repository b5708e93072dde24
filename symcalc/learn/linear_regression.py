"""Linear regression by minibatch gradient descent, beside the exact least-squares fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.learn.choices import use
from symcalc.learn.descent import minimize
from symcalc.learn.lesson import Progress, seconds, silent
from symcalc.learn.tables import Table
from symcalc.learn.trajectory import Trajectory
from symcalc.notation.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class RegressionRun:
    """A linear model that was fitted.

    Args:
        data: the table.
        epochs: how often all of them were seen.
        trajectory: the fit, of features and target less their means over their deviations.
        least: the least mean squared error that any linear model has.
        predictions: in the target's own unit.
    """

    data: Table
    epochs: int
    trajectory: Trajectory
    least: float
    predictions: np.ndarray

    @property
    def r_squared(self) -> float:
        """The part of the target's variance that is explained."""
        return 1 - float(self.trajectory.values[-1])

    @property
    def by_epoch(self) -> np.ndarray:
        """The mean of the batches' losses over each epoch."""
        return np.array(
            [e.mean() for e in np.array_split(self.trajectory.values[:-1], self.epochs)]
        )

    def table(self) -> list[tuple[str, ...]]:
        """Return the coefficients, the errors beside those of least squares, and the time."""
        run, data = self.trajectory, self.data
        deviation = data.y.std()
        rows: list[tuple[str, ...]] = [("", "minibatch SGD", "least squares")]
        errors = np.array([run.values[-1], self.least])
        rows += [
            ("root mean squared error", *(f"{e:.4g}" for e in np.sqrt(errors) * deviation)),
            ("R squared", *(f"{1 - e:.5f}" for e in errors)),
            (f"{data.name}: {len(data.y)} rows, {len(data.features)} features",
             f"{run.steps} steps, {self.epochs} epochs", seconds(run.seconds)),
        ]  # fmt: skip
        return rows

    def draw(self) -> Any:
        """Draw the losses of batches and epochs, and what is predicted against what is."""
        from symcalc.learn.pictures import curve, new_figure

        figure, (left, right) = new_figure(2)
        values = self.trajectory.values[:-1]
        xs = np.arange(len(values)) * self.epochs / len(values)
        curve(left, xs, values, "batches", linewidth=0.5, alpha=0.4)
        curve(left, np.arange(self.epochs) + 0.5, self.by_epoch, "epochs")
        left.axhline(
            self.least, color="black", linewidth=0.9, linestyle="--", label="least squares"
        )
        left.set(xlabel="epoch", ylabel="mean squared error", title="loss", yscale="log")
        left.legend(frameon=False)
        y = self.data.y
        right.plot(y, self.predictions, ".", markersize=3.5)
        ends = [min(y.min(), self.predictions.min()), max(y.max(), self.predictions.max())]
        right.plot(ends, ends, color="black", linewidth=0.9, linestyle="--")
        right.set(xlabel=self.data.target, ylabel="prediction", title=f"$R^2$ {self.r_squared:.3f}")
        return figure


def train(
    data: Table, epochs: int = 60, batch: int = 32, lr: float = 0.05, seed: int = 0,
    progress: Progress = silent,
) -> RegressionRun:  # fmt: skip
    """Fit a linear model by minibatch stochastic gradient descent.

    Features and target are taken less their means and over their standard deviations; the
    learning rate falls as lr / (1 + beta k), to a tenth in the end.

    Args:
        data: the table; a feature that never varies has no say.
        epochs: how often all rows are seen.
        batch: rows of a minibatch; of a smaller table all of them.
        lr: the first learning rate.
        seed: of the batches.
        progress: told of each step.

    Raises:
        ArgumentError: the target never varies; a number that does not fit.
    """
    if data.y.std() == 0:
        raise ArgumentError(f"{data.name}: {data.target}: expected a target that varies")
    if epochs < 1:
        raise ArgumentError(f"epochs: expected a whole number from 1 on, got {epochs}")
    if batch < 1:
        raise ArgumentError(f"batch: expected a whole number from 1 on, got {batch}")
    x, y = data.standardized, (data.y - data.y.mean()) / data.y.std()
    batch = min(batch, len(y))
    steps = epochs * -(-len(y) // batch)
    run = minimize(
        "linear_regression", {"weight": np.zeros(x.shape[1]), "bias": np.zeros(())}, "sgd",
        {"x": x, "y": y}, steps=steps, batch=batch, lr=lr, seed=seed,
        schedule=use("inverse_time", beta=9 / steps),
        progress=lambda done, value: progress(done, steps, f"loss {value:.4f}"),
    )  # fmt: skip
    if run.diverged:
        raise ArgumentError(f"lr: {lr:g} is too large for {data.name}: the loss is without bounds")
    solution, *_ = np.linalg.lstsq(x, y, rcond=None)
    least = float(np.mean((x @ solution - y) ** 2))
    fitted = x @ run.final["weight"] + run.final["bias"]
    return RegressionRun(data, epochs, run, least, fitted * data.y.std() + data.y.mean())
