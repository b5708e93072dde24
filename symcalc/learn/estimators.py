"""Two gradients of an expectation from samples: by reparameterization, and by the score function.

The expectation of (z - target)^2 over z = mu + sigma noise has a closed form, which both estimate:
unbiased, with variances that differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, check_positive, seconds, silent
from symcalc.notation.errors import ArgumentError

ESTIMATORS = {"pathwise": "gaussian_quadratic_pathwise", "score": "gaussian_quadratic_score"}
BY = ("mu", "log_deviation")
COUNTS = (1, 3, 10, 30, 100)  # samples of one estimate


@dataclass(frozen=True, eq=False)
class EstimatorRun:
    """Gradients that were estimated many times.

    Args:
        target: what z is to be near.
        mu: the mean of z.
        sigma: its deviation.
        exact: the gradient by mu and by the logarithm of sigma, in closed form.
        singles: by name, gradients from one sample each: a row an estimate, a column an input.
        spreads: by name, the deviation of estimates from several samples: a row a count of
            COUNTS, a column an input.
        seconds: what it took.
    """

    target: float
    mu: float
    sigma: float
    exact: np.ndarray
    singles: dict[str, np.ndarray]
    spreads: dict[str, np.ndarray]
    seconds: float

    @property
    def variances(self) -> dict[str, np.ndarray]:
        """By name, the variances of gradients from one sample."""
        return {name: rows.var(axis=0, ddof=1) for name, rows in self.singles.items()}

    def table(self) -> list[tuple[str, ...]]:
        """Return means with their standard errors, and variances, beside the closed form."""
        rows: list[tuple[str, ...]] = [("gradient by", *BY)]
        rows.append(("closed form", *(f"{number:.4f}" for number in self.exact)))
        for name, drawn in self.singles.items():
            errors = drawn.std(axis=0) / np.sqrt(len(drawn))
            pairs = zip(drawn.mean(axis=0), errors, strict=True)
            rows.append((f"{name}: mean", *(f"{m:.4f} ± {e:.4f}" for m, e in pairs)))
        for name, numbers in self.variances.items():
            rows.append((f"{name}: variance of one sample", *(f"{v:.4g}" for v in numbers)))
        ratios = self.variances["score"] / self.variances["pathwise"]
        rows.append(("variance, score over pathwise", *(f"{ratio:.1f}" for ratio in ratios)))
        count = len(self.singles["score"])
        rows.append((f"{count} estimates", seconds(self.seconds), ""))
        return rows

    def draw(self) -> Any:
        """Draw how the estimates spread, and how that shrinks with the number of samples."""
        from symcalc.learn.pictures import COLOURS, curve, new_figure

        figure, axes = new_figure(3)
        for place, (panel, name) in enumerate(zip(axes, BY, strict=False)):
            low, high = np.quantile(self.singles["score"][:, place], [0.01, 0.99])
            bins = np.linspace(low, high, 80)
            for colour, (kind, drawn) in zip(COLOURS, self.singles.items(), strict=False):
                panel.hist(drawn[:, place], bins, density=True, color=colour, alpha=0.5, label=kind)
            panel.axvline(self.exact[place], color="black", linewidth=0.9, linestyle="--")
            panel.set(title=f"gradient by {name}, one sample", yscale="log")
            panel.legend(frameon=False)
        for kind, rows in self.spreads.items():
            curve(axes[2], COUNTS, rows[:, 0], f"{kind}, by mu", marker="o", markersize=3)
        axes[2].set(title="deviation of an estimate", xlabel="samples", xscale="log", yscale="log")
        axes[2].legend(frameon=False)
        return figure


def estimate(
    mu: float = 1.0, sigma: float = 0.5, target: float = 0.0, draws: int = 20_000, seed: int = 0,
    progress: Progress = silent,
) -> EstimatorRun:  # fmt: skip
    """Estimate one gradient many times, by both estimators.

    Args:
        mu: the mean of z.
        sigma: its deviation.
        target: what z is to be near.
        draws: how many estimates, from as many samples each as COUNTS say.
        seed: of the samples.
        progress: told of each set of estimates.

    Raises:
        ArgumentError: a number does not fit.
    """
    check_positive(sigma=sigma)
    if not np.isfinite([mu, target]).all():
        raise ArgumentError(f"mu, target: expected finite numbers, got {mu:g} and {target:g}")
    if draws < 100:
        raise ArgumentError(f"draws: expected a whole number from 100 on, got {draws}")
    rng = np.random.default_rng(seed)
    point = [np.array([number]) for number in (mu, np.log(sigma), target)]
    closed = kernel_of(get("gaussian_quadratic"), "numpy").grad(*point)
    began = time.perf_counter()
    found: dict[str, list[np.ndarray]] = {name: [] for name in ESTIMATORS}
    for done, count in enumerate(COUNTS):
        noise = rng.normal(size=(draws, count))  # the same for both
        for name, entry in ESTIMATORS.items():
            found[name].append(_gradients(kernel_of(get(entry), "numpy").grad, point, noise))
        progress(done + 1, len(COUNTS), f"{count} samples")
    spent = time.perf_counter() - began
    singles = {name: sets[0] for name, sets in found.items()}
    spreads = {n: np.array([rows.std(axis=0, ddof=1) for rows in s]) for n, s in found.items()}
    exact = np.concatenate(closed)
    return EstimatorRun(target, mu, sigma, exact, singles, spreads, spent)


def _gradients(grad: Callable[..., Any], point: list[np.ndarray], noise: np.ndarray) -> np.ndarray:
    """The gradient of each row's estimate: all of them are one call, the mean over rows."""
    rows = [np.repeat(number, len(noise)) for number in point]
    return np.column_stack(grad(*rows, noise)) * len(noise)
