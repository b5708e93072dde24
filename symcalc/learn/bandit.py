"""The bandit: REINFORCE on one state, with a baseline and without."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.learn.choices import use
from symcalc.learn.environments import Bandit
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, seconds, silent
from symcalc.learn.losses import bandit_reinforce
from symcalc.learn.model import Model
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.policies import draw, softmax
from symcalc.notation.errors import ArgumentError

PULLS = 16  # of one step
DRAWS = 2000  # of gradients, for their spread


@dataclass(frozen=True, eq=False)
class BanditRun:
    """REINFORCE with a baseline and without, from the same start, averaged over runs.

    Args:
        bandit: the arms.
        expected: by name, what the policy pays on average before each step and at the end, a row
            a run.
        best: by name, the last probability of the best arm, one a run.
        spread: by name, the root mean square distance of a step's gradient from its mean at the
            start.
        seconds: what it took.
    """

    bandit: Bandit
    expected: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    spread: dict[str, float]
    seconds: float

    def table(self) -> list[tuple[str, ...]]:
        """Return what the policies pay and how sure they are, and the spread of the gradients."""
        names = list(self.expected)
        top = max(self.bandit.means)
        runs, steps = self.expected[names[0]].shape
        return [
            ("REINFORCE", *names),
            ("expected reward", *(f"{self.expected[n][:, -1].mean():.4f}" for n in names)),
            (f"of at most {top:g}, reached by", *(
                f"{np.mean(self.expected[n][:, -1] > 0.95 * top):.0%} of runs" for n in names)),
            ("probability of the best arm", *(f"{self.best[n].mean():.3f}" for n in names)),
            ("spread of the first gradient", *(f"{self.spread[n]:.4f}" for n in names)),
            (f"{runs} runs of {steps - 1} steps of {PULLS} pulls", seconds(self.seconds), ""),
        ]  # fmt: skip

    def draw(self) -> Any:
        """Draw the expected rewards, and the arms."""
        from symcalc.learn.pictures import COLOURS, curve, new_figure

        figure, (left, right) = new_figure(2)
        for name, rows in self.expected.items():
            curve(left, np.arange(rows.shape[1]), rows.mean(axis=0), name)
            low, high = np.quantile(rows, [0.1, 0.9], axis=0)
            shade = left.lines[-1].get_color()
            left.fill_between(np.arange(rows.shape[1]), low, high, color=shade, alpha=0.15, lw=0)
        left.axhline(max(self.bandit.means), color="black", linewidth=0.9, linestyle="--")
        left.set(title="expected reward", xlabel="step", ylabel="mean, and eight runs of ten")
        left.legend(frameon=False)
        arms = np.arange(len(self.bandit.means))
        right.bar(arms, self.bandit.means, color=COLOURS[0])
        right.set(title="what the arms pay", xlabel="arm", xticks=arms)
        return figure


def train(
    bandit: Bandit = Bandit(),  # noqa: B008 (frozen)
    steps: int = 300, runs: int = 20, lr: float = 0.4, seed: int = 0,
    progress: Progress = silent, backend: str = "numba",
) -> BanditRun:  # fmt: skip
    """Learn which arm to pull, by REINFORCE with and without a baseline.

    The baseline is the running mean of what was paid, which no pull of the step itself is in.

    Args:
        bandit: the arms.
        steps: of the policy, sixteen pulls each.
        runs: how often it is done, for the average.
        lr: the learning rate.
        seed: of the pulls.
        progress: told of each run.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: a number does not fit.
    """
    for name, count in (("steps", steps), ("runs", runs)):
        if count < 1:
            raise ArgumentError(f"{name}: expected a whole number from 1 on, got {count}")
    if len(bandit.means) < 2:
        raise ArgumentError(f"arms: expected at least two, got {len(bandit.means)}")
    expected: dict[str, np.ndarray] = {}
    best: dict[str, np.ndarray] = {}
    began = time.perf_counter()
    for place, (name, holds) in enumerate((("without baseline", 0.0), ("with baseline", 1.0))):
        rows = []
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            rows.append(_run(bandit, steps, lr, holds, rng, backend))
            progress(place * runs + run + 1, 2 * runs, name)
        expected[name] = np.array([row for row, _ in rows])
        best[name] = np.array([p[int(np.argmax(bandit.means))] for _, p in rows])
    spent = time.perf_counter() - began
    spread = {
        name: _spread(bandit, holds, seed) for name, holds in zip(expected, (0, 1), strict=True)
    }
    return BanditRun(bandit, expected, best, spread, spent)


def _run(
    bandit: Bandit, steps: int, lr: float, holds: float, rng: np.random.Generator, backend: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected reward along one run, and the last probabilities."""
    model = Model(bandit_reinforce, {"theta": np.zeros(len(bandit.means))}, backend)
    optimizer = Optimizer(use("gradient_descent", lr=lr), model.theta, model.gradient, backend)
    baseline, expected = 0.0, []
    for step in range(steps):
        expected.append(softmax(model.theta) @ bandit.means)
        actions, returns = _pulls(bandit, model.theta, rng)
        held = np.full(PULLS, holds * baseline)
        model.value_and_grad(actions=actions, returns=returns, baseline=held)
        optimizer.step()
        baseline += (returns.mean() - baseline) / (step + 1)
    last = softmax(model.theta)
    return np.array([*expected, last @ bandit.means]), last


def _pulls(
    bandit: Bandit, theta: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    actions = draw(np.broadcast_to(theta, (PULLS, len(theta))), rng)
    return actions, bandit.pull(actions, rng)


def _spread(bandit: Bandit, holds: float, seed: int) -> float:
    """Measure how far gradients at the even policy lie from their mean, many times drawn."""
    rng = np.random.default_rng(seed)
    theta, kernel = np.zeros(len(bandit.means)), kernel_of(bandit_reinforce, "numpy")
    baseline = np.full(PULLS, holds * np.mean(bandit.means))
    found = np.array([
        kernel.grad(theta, *_pulls(bandit, theta, rng), baseline) for _ in range(DRAWS)
    ])  # fmt: skip
    return float(np.sqrt(found.var(axis=0).sum()))
