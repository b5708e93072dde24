"""Convergence of gradient descent: what theory promises, computed and held against a real run.

For a convex f with curvature between mu and L around the run, and a rate alpha <= 1/L:

    ||x_{k+1} - x*|| <= (1 - alpha mu) ||x_k - x*||
    f(x_k) - f(x*) <= ||x_0 - x*||^2 / (2 alpha k), which at alpha = 1/L is L ||x_0 - x*||^2 / (2k)

Reference: Nesterov (2018), Lectures on Convex Optimization, doi:10.1007/978-3-319-91578-4,
section 2.1.5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.learn.descent import minimize
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, silent
from symcalc.learn.losses import penalized_logistic, quadratic
from symcalc.learn.problems import Problem
from symcalc.learn.trajectory import Trajectory
from symcalc.notation.errors import ArgumentError

ROUNDING = 1e-12  # of the first distance, or gap: what a run may be above a bound for rounding
FACTORS = (0.3, 1.0, 1.9, 2.05)  # of 1/L, for the picture of the rule


@dataclass(frozen=True, eq=False)
class Convergence:
    """A run of gradient descent and the bounds on it.

    Args:
        problem: what was minimized.
        smoothness: L, the largest curvature anywhere.
        convexity: mu, the least curvature within the first distance of the minimum.
        rate: alpha.
        trajectory: the run.
        others: runs at other rates, by alpha L.
    """

    problem: Problem
    smoothness: float
    convexity: float
    rate: float
    trajectory: Trajectory
    others: tuple[tuple[float, Trajectory], ...]

    @property
    def distances(self) -> np.ndarray:
        """How far each point of the run is from the minimum."""
        return distances(self.problem, self.trajectory)

    @property
    def distance_bounds(self) -> np.ndarray:
        """(1 - alpha mu)^k times the first distance."""
        powers = np.arange(len(self.distances))
        return np.asarray((1 - self.rate * self.convexity) ** powers * self.distances[0])

    @property
    def gaps(self) -> np.ndarray:
        """The values above the minimum."""
        return np.asarray(self.trajectory.values - self.problem.least)

    @property
    def gap_bounds(self) -> np.ndarray:
        """||x_0 - x*||^2 / (2 alpha k), for k from 1; infinite at 0."""
        counted = np.arange(1, len(self.gaps))
        bounds = self.distances[0] ** 2 / (2 * self.rate * counted)
        return np.concatenate([[np.inf], bounds])

    @property
    def holds(self) -> bool:
        """Whether neither bound is crossed by more than rounding accounts for."""
        room = ROUNDING * self.distances[0]
        near = bool(np.all(self.distances <= self.distance_bounds + room))
        room = ROUNDING * (abs(self.problem.least) + abs(self.gaps[0]))
        return near and bool(np.all(self.gaps <= self.gap_bounds + room))

    def table(self) -> list[tuple[str, ...]]:
        """Return L, mu, the rate, and how the run stands to its bounds."""
        steps = self.trajectory.steps
        ratios = self.distances[1:] / np.maximum(self.distances[:-1], 1e-300)
        far = self.distances[:-1] > 1e-9 * self.distances[0]
        worst = float(ratios[far].max(initial=0))
        rows: list[tuple[str, ...]] = [
            (self.problem.name, "the run", "the bound"),
            ("largest curvature L, 1/L", f"{self.smoothness:.6g}", f"{1 / self.smoothness:.6g}"),
            ("least curvature mu, condition", f"{self.convexity:.6g}", _condition(self)),
            ("rate alpha", f"{self.rate:.6g}", "1/L" if self.is_classical else "at most 1/L"),
            ("distance: largest factor of a step", f"{worst:.6f}",
             f"{1 - self.rate * self.convexity:.6f}"),
            (f"distance after {steps} steps", f"{self.distances[-1]:.3e}",
             f"{self.distance_bounds[-1]:.3e}"),
            (f"gap after {steps} steps", f"{self.gaps[-1]:.3e}", f"{self.gap_bounds[-1]:.3e}"),
            ("bounds crossed", "no" if self.holds else "YES", ""),
        ]  # fmt: skip
        for factor, run in self.others:
            last = distances(self.problem, run)[-1] / self.distances[0]
            rows.append((f"alpha = {factor:g}/L", f"distance times {last:.3g}", _rule(factor)))
        return rows

    @property
    def is_classical(self) -> bool:
        """Whether the rate is 1/L itself."""
        return bool(np.isclose(self.rate * self.smoothness, 1))

    def draw(self) -> Any:
        """Draw distances and gaps with their bounds, and runs at rates around 1/L."""
        from symcalc.learn.pictures import curve, new_figure

        figure, (left, middle, right) = new_figure(3)
        steps = np.arange(len(self.distances))
        tiny = np.finfo(float).tiny
        dashed: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1}
        curve(left, steps, np.maximum(self.distances, tiny), r"$\|x_k - x^*\|$")
        curve(left, steps, self.distance_bounds, r"$(1-\alpha\mu)^k \|x_0 - x^*\|$", **dashed)
        curve(middle, steps[1:], np.maximum(self.gaps[1:], tiny), r"$f(x_k) - f(x^*)$")
        name = r"$L\|x_0-x^*\|^2/(2k)$" if self.is_classical else r"$\|x_0-x^*\|^2/(2\alpha k)$"
        curve(middle, steps[1:], self.gap_bounds[1:], name, **dashed)
        for factor, run in self.others:
            far = distances(self.problem, run)
            curve(right, np.arange(len(far)), np.maximum(far, tiny), rf"$\alpha = {factor:g}/L$")
        titles = ("contraction", "sublinear bound", r"the rule $\alpha < 2/L$")
        floor = 1e-16 * self.distances[0]
        for each, title in zip((left, middle, right), titles, strict=True):
            each.set(title=title, xlabel="step", yscale="log")
            each.set_ylim(bottom=max(each.get_ylim()[0], floor))
            each.legend(frameon=False, fontsize=8)
        middle.set_xscale("log")
        right.set_ylabel(r"$\|x_k - x^*\|$")
        return figure


def converge(
    problem: Problem, steps: int = 200, factor: float = 1.0, progress: Progress = silent,
    backend: str = "numba",
) -> Convergence:  # fmt: skip
    """Run gradient descent at the rate factor / L and compute the bounds on it.

    Args:
        problem: a quadratic or a logistic one, made by `symcalc.learn.problems`.
        steps: how many.
        factor: alpha L, above 0 and at most 1, where the bounds hold.
        progress: told of each run.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: the problem is another, or starts at its minimum; a number does not fit.
    """
    if not 0 < factor <= 1:
        raise ArgumentError(
            f"rate: expected alpha L above 0 and at most 1, where the bounds hold, got {factor:g}"
        )
    first = float(np.linalg.norm(problem.start - problem.best))
    if first == 0:
        raise ArgumentError("start: expected a point other than the minimum")
    smoothness, convexity = curvatures(problem, first)
    found = []
    for done, each in enumerate((factor, *FACTORS)):
        progress(done, 1 + len(FACTORS), f"alpha = {each:g}/L")
        with np.errstate(all="ignore"):  # above 2/L a run may diverge, which is what it shows
            run = minimize(
                problem.objective, problem.start, "gradient_descent", problem.data, steps=steps,
                lr=each / smoothness, backend=backend,
            )  # fmt: skip
        found.append(run)
    others = tuple(zip(FACTORS, found[1:], strict=True))
    return Convergence(problem, smoothness, convexity, factor / smoothness, found[0], others)


def curvatures(problem: Problem, radius: float) -> tuple[float, float]:
    """Return L, valid everywhere, and mu, valid within a radius of the minimum.

    A quadratic's are the ends of its Hessian's spectrum. Logistic regression's Hessian is
    X^T diag(c) X / n + lam I with the curvature c of the cross-entropy, which is largest at a
    logit of 0 and falls on both sides: c(0) bounds it above, and c at the largest logit that a
    row can have within the radius below.

    Args:
        problem: a quadratic or a logistic one.
        radius: gradient descent at a rate below 2/L never leaves it if it starts there.

    Raises:
        ArgumentError: the problem is another.
    """
    if problem.objective is quadratic:
        spectrum = np.linalg.eigvalsh(problem.hessian(problem.start))
        return float(spectrum[-1]), float(max(spectrum[0], 0))
    if problem.objective is not penalized_logistic:
        raise ArgumentError(
            f"problem: expected a quadratic or a logistic one, got {problem.objective.name}"
        )
    x, lam = problem.data["x"], problem.data["lam"]
    largest = np.abs(x @ problem.best) + radius * np.linalg.norm(x, axis=1)
    top, bottom = (_spectrum(x, logits) for logits in (np.zeros(len(x)), largest))
    return float(top[-1] + lam), float(max(bottom[0], 0) + lam)


def _spectrum(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """The eigenvalues of X^T diag(c) X / n: c is the second derivative of the mean over rows."""
    kernel = kernel_of(get("bce_with_logits"), "numpy")
    curvature = kernel.hessian_diagonal(logits, np.zeros(len(x)))
    return np.asarray(np.linalg.eigvalsh(x.T * curvature @ x))


def distances(problem: Problem, run: Trajectory) -> np.ndarray:
    """Return how far each point of a run is from the minimum."""
    return np.asarray(np.linalg.norm(run.parameters["theta"] - problem.best, axis=1))


def _condition(found: Convergence) -> str:
    return f"{found.smoothness / found.convexity:.4g}" if found.convexity else "infinite"


def _rule(factor: float) -> str:
    return "promised" if factor <= 1 else "still below 2/L" if factor < 2 else "above 2/L"
