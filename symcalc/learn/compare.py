"""The optimizers side by side: each at its best rate of a grid, on three problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.learn.choices import optimizer_of, use
from symcalc.learn.descent import minimize
from symcalc.learn.lesson import Progress, silent
from symcalc.learn.problems import Problem, ill_conditioned, two_clouds, valley
from symcalc.learn.trajectory import Trajectory
from symcalc.notation.errors import ArgumentError

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "nadam", "lion")
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
SOLVED = 1e-6  # of the first gap between value and minimum


@dataclass(frozen=True, eq=False)
class Run:
    """One optimizer on one problem, at the best of the rates.

    Args:
        problem: what was minimized.
        optimizer: the name of the update.
        lr: the best rate.
        trajectory: the run.
    """

    problem: Problem
    optimizer: str
    lr: float
    trajectory: Trajectory

    @property
    def gaps(self) -> np.ndarray:
        """The values above the minimum, of the first one."""
        above = np.maximum(self.trajectory.values - self.problem.least, 0)
        return np.asarray(above / above[0])

    @property
    def steps_to_solve(self) -> int | None:
        """After how many steps the gap stays below a millionth of the first; None if not at all."""
        return solved(self.gaps)

    @property
    def contraction(self) -> float:
        """By what the gap was multiplied at each step, on average, until it was solved or over."""
        gaps, last = self.gaps, self.steps_to_solve or len(self.gaps) - 1
        return float(max(gaps[last], np.finfo(float).tiny) ** (1 / max(last, 1)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every optimizer on every problem.

    Args:
        steps: how many each had.
        runs: problem by problem, in each optimizer by optimizer.
    """

    steps: int
    runs: tuple[Run, ...]

    @property
    def problems(self) -> list[Problem]:
        """The problems, in order."""
        return list({id(run.problem): run.problem for run in self.runs}.values())

    def on(self, problem: Problem) -> list[Run]:
        """The runs on a problem."""
        return [run for run in self.runs if run.problem is problem]

    def table(self) -> list[tuple[str, ...]]:
        """Return for each optimizer what it remembers and asks for, and how fast it was."""
        problems = self.problems
        heads = [f"{p.name}: steps to 1e-6, factor a step, lr" for p in problems]
        rows: list[tuple[str, ...]] = [("optimizer", "memory", "hyperparameters", *heads)]
        for runs in zip(*(self.on(problem) for problem in problems), strict=True):
            update = get(runs[0].optimizer)
            arrays = sum(bool(update.input(name).shape) for name, _ in update.state[1:])
            asks = [p.name for p in update.parameters if p.name != "step"]
            memory = f"{arrays} per parameter" if arrays else "none"
            rows.append((runs[0].optimizer, memory, ", ".join(asks), *map(_said, runs)))
        return rows

    def draw(self) -> Any:
        """Draw the gaps against the steps, and the ways over the problems in the plane."""
        from symcalc.learn.pictures import curve, new_figure

        problems = self.problems
        plane = [problem for problem in problems if problem.start.size == 2]
        figure, axes = new_figure(len(problems), 2 if plane else 1)
        for each, problem in zip(axes, problems, strict=False):
            for run in self.on(problem):
                curve(each, np.arange(len(run.gaps)), np.maximum(run.gaps, 1e-16), run.optimizer)
            each.set(title=problem.name, xlabel="step", yscale="log", ylim=(1e-13, 10))
        axes[0].set_ylabel("gap to the minimum, of the first")
        below = axes[len(problems) :]
        for each, problem in zip(below, plane, strict=False):
            _landscape(each, problem)
            for run in self.on(problem):
                curve(each, *run.trajectory.parameters["theta"].T, linewidth=1)
            each.plot(*problem.best, "*", color="black", markersize=9)
            each.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
        for each in below[len(plane) :]:
            each.set_axis_off()
        free = below[-1] if len(below) > len(plane) else axes[0]
        free.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="upper left")
        return figure


def compare(
    optimizers: Sequence[str] = OPTIMIZERS,
    problems: Sequence[Problem] | None = None,
    steps: int = 1000,
    rates: Sequence[float] = RATES,
    backend: str = "numba",
    progress: Progress = silent,
) -> Comparison:
    """Run optimizers on problems, each at the rate of a grid that serves it best.

    Best is the rate that solves the problem in the fewest steps, or that comes closest. All data
    are used at every step.

    Args:
        optimizers: names of the catalogue.
        problems: Rosenbrock's valley, an ill-conditioned quadratic and logistic regression if not
            given.
        steps: how many each has.
        rates: the grid of learning rates.
        backend: "numba" or "numpy".
        progress: told of each run.

    Raises:
        ArgumentError, UnknownObjectiveError: an optimizer or a rate that does not fit.
    """
    names = [optimizer_of(name).objective.name for name in optimizers]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"optimizers: expected one or more, each once, got {names}")
    meant = [valley(), ill_conditioned(), two_clouds()] if problems is None else list(problems)
    total = len(meant) * len(names) * len(rates)
    runs: list[Run] = []
    for problem in meant:
        for name in names:
            tried: list[Run] = []
            for lr in rates:
                progress(len(runs) * len(rates) + len(tried), total, f"{name} on {problem.name}")
                tried.append(_run(problem, name, lr, steps, backend))
            runs.append(min(tried, key=_merit))
    return Comparison(steps, tuple(runs))


def _run(problem: Problem, name: str, lr: float, steps: int, backend: str) -> Run:
    with np.errstate(all="ignore"):  # a rate that is too large diverges, which is a result
        found = minimize(
            problem.objective, problem.start, use(name, lr=lr), problem.data, steps=steps,
            backend=backend,
        )  # fmt: skip
    return Run(problem, name, lr, found)


def _merit(run: Run) -> tuple[float, float]:
    """Fewest steps first, then the smallest gap at the end."""
    count = run.steps_to_solve
    last = run.gaps[-1]
    return (np.inf if count is None else count, last if np.isfinite(last) else np.inf)


def solved(gaps: np.ndarray) -> int | None:
    """Return the step from which on the gap stays below a millionth of the first."""
    above = np.flatnonzero(~(gaps < SOLVED))
    first = int(above[-1]) + 1 if above.size else 0
    return first if first < len(gaps) else None


def _said(run: Run) -> str:
    count = run.steps_to_solve
    steps = f"not in {run.trajectory.steps}" if count is None else str(count)
    return f"{steps}, {run.contraction:.3f}, {run.lr:g}"


def _landscape(axes: Any, problem: Problem) -> None:
    """Draw the levels of a problem in the plane, around its start and its minimum."""
    ends = np.stack([problem.start, problem.best])
    room = 0.5 * np.abs(ends[0] - ends[1]).max() + 0.2
    (left, low), (right, high) = ends.min(axis=0) - room, ends.max(axis=0) + room
    xs, ys = np.linspace(left, right, 160), np.linspace(low, high, 160)
    gaps = np.array([[problem.value(np.array([x, y])) - problem.least for x in xs] for y in ys])
    levels = np.geomspace(max(gaps.min(), 1e-3 * gaps.max()), gaps.max(), 12)
    axes.contour(xs, ys, gaps, levels, colors="#b9b9b9", linewidths=0.6)
    axes.set(xlim=(left, right), ylim=(low, high))
