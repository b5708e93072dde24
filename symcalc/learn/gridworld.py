"""The grid world: value iteration, Q-learning and actor-critic, side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.learn.choices import use
from symcalc.learn.environments import ARROWS, MOVES, GridWorld
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, seconds, silent
from symcalc.learn.losses import tabular_actor_critic
from symcalc.learn.model import Model
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.policies import draw, softmax
from symcalc.notation.errors import ArgumentError

WALKERS = 16
LONGEST = 100  # steps of an episode; the walker then starts anew


@dataclass(frozen=True, eq=False)
class GridRun:
    """What was learnt in a grid world, beside what is best there.

    Args:
        world: the grid.
        gamma: the discount.
        values: what each state is worth at best.
        contractions: by what each sweep of value iteration shortened the distance to that.
        policies: by name, the action each state's policy prefers.
        returns: by name, what the policy earns from the start, from time to time.
        seconds: by name, what the learning took.
    """

    world: GridWorld
    gamma: float
    values: np.ndarray
    contractions: np.ndarray
    policies: dict[str, np.ndarray]
    returns: dict[str, np.ndarray]
    seconds: dict[str, float]

    @property
    def best(self) -> float:
        """What the best policy earns from the start."""
        return float(self.values[self.world.start])

    def table(self) -> list[tuple[str, ...]]:
        """Return what each policy earns, and how well it was learnt."""
        rows: list[tuple[str, ...]] = [("", "earned from the start", "of the best", "time")]
        rows.append(("value iteration", f"{self.best:.4f}", "100%", ""))
        for name, earned in self.returns.items():
            part = f"{earned[-1] / self.best:.1%}" if self.best > 0 else ""
            rows.append((name, f"{earned[-1]:.4f}", part, seconds(self.seconds[name])))
        largest = self.contractions.max(initial=0)
        rows.append(("a sweep contracts by", f"{largest:.4f}", f"at most {self.gamma:g}", ""))
        return rows

    def draw(self) -> Any:
        """Draw what the policies earned while they were learnt, and the policies over the map."""
        from symcalc.learn.pictures import curve, new_figure

        figure, (left, *maps) = new_figure(2 + len(self.policies))
        for name, earned in self.returns.items():
            curve(left, np.linspace(0, 100, len(earned)), earned, name)
        left.axhline(self.best, color="black", linewidth=0.9, linestyle="--", label="best")
        left.set(title="earned from the start", xlabel="% of the training")
        left.legend(frameon=False)
        q = action_values(self.world, self.values, self.gamma)
        shown = {"best": np.argmax(q, axis=1), **self.policies}
        for axes, (name, policy) in zip(maps, shown.items(), strict=True):
            self._map(axes, policy)
            axes.set_title(name)
        return figure

    def _map(self, axes: Any, policy: np.ndarray) -> None:
        rows = self.world.rows
        worth = np.full((len(rows), len(rows[0])), np.nan)
        for state, (r, c) in enumerate(self.world.cells):
            ends = self.world.ends[state]
            worth[r, c] = np.nan if ends else self.values[state]
            axes.annotate(rows[r][c] if ends else ARROWS[policy[state]], (c, r),
                          ha="center", va="center", fontsize=15)  # fmt: skip
        axes.imshow(worth, cmap="Blues", vmax=1.4)
        axes.grid(visible=False)
        axes.set(xticks=[], yticks=[])


def train(
    world: GridWorld = GridWorld(),  # noqa: B008 (frozen)
    steps: int = 4000, gamma: float = 0.95, seed: int = 0,
    progress: Progress = silent, backend: str = "numba",
) -> GridRun:  # fmt: skip
    """Learn to walk the grid by Q-learning and by actor-critic; compute what is best.

    Args:
        world: the grid.
        steps: of sixteen walkers each, for either method.
        gamma: the discount, below 1.
        seed: of the walks.
        progress: told of each hundredth part.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: a number does not fit.
    """
    if steps < 100:
        raise ArgumentError(f"steps: expected a whole number from 100 on, got {steps}")
    if not 0 < gamma < 1:
        raise ArgumentError(f"gamma: expected a number between 0 and 1, got {gamma:g}")
    values, contractions = value_iteration(world, gamma)
    policies, returns, spent = {}, {}, {}
    for place, (name, learn) in enumerate(
        (("Q-learning", _q_learning), ("actor-critic", _actor_critic))
    ):

        def told(done: int, name: str = name, place: int = place) -> None:
            progress(place * steps + done, 2 * steps, name)

        began = time.perf_counter()
        policies[name], returns[name] = learn(
            world, steps, gamma, np.random.default_rng([seed, place]), told, backend
        )
        spent[name] = time.perf_counter() - began
    return GridRun(world, gamma, values, contractions, policies, returns, spent)


def value_iteration(world: GridWorld, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """Apply the Bellman operator to its fixed point.

    Args:
        world: the grid.
        gamma: the discount.

    Returns:
        The best values, and by what each sweep multiplied the largest error.
    """
    kernel = kernel_of(get("bellman_operator"), "numpy")
    sweeps = [np.zeros(len(world.cells))]
    while len(sweeps) < 2 or np.abs(sweeps[-1] - sweeps[-2]).max() > 1e-14:
        sweeps.append(
            kernel(sweeps[-1], world.expected_rewards, world.transitions, gamma=gamma)
        )  # fmt: skip
        if len(sweeps) > 10_000:
            break
    errors = np.array([np.abs(sweep - sweeps[-1]).max() for sweep in sweeps])
    sure = errors[:-1] > 1e-9
    return sweeps[-1], errors[1:][sure] / errors[:-1][sure]


def action_values(world: GridWorld, values: np.ndarray, gamma: float) -> np.ndarray:
    """Return what each action is worth where the next state is worth its value."""
    return np.asarray(world.expected_rewards + gamma * world.transitions @ values)


def worth(world: GridWorld, policy: np.ndarray, gamma: float) -> np.ndarray:
    """Return what each state is worth under a policy, solved exactly.

    Args:
        world: the grid.
        policy: a probability for each action, a row a state.
        gamma: the discount.
    """
    moves = np.einsum("sa,sat->st", policy, world.transitions)
    pays = np.einsum("sa,sa->s", policy, world.expected_rewards)
    return np.asarray(np.linalg.solve(np.eye(len(pays)) - gamma * moves, pays))


def _q_learning(
    world: GridWorld, steps: int, gamma: float, rng: np.random.Generator, told: Any, backend: str
) -> tuple[np.ndarray, np.ndarray]:
    """Walkers explore now and then; each step is one step of the catalogue's update."""
    q = np.zeros((len(world.cells), len(MOVES)))
    walk = _Walk(world, rng)
    arrays = {
        "states": walk.states, "actions": walk.actions, "rewards": walk.rewards,
        "next_states": walk.after, "dones": walk.dones,
    }  # fmt: skip
    kernel = kernel_of(get("q_learning_update"), backend)
    update = kernel.stepper(q, **arrays, gamma=gamma, lr=0.5 / WALKERS)
    earned = []
    for step in range(steps):
        greedy = np.argmax(q[walk.states], axis=1)
        curious = rng.random(WALKERS) < 0.3
        walk.step(np.where(curious, rng.integers(0, len(MOVES), WALKERS), greedy))
        update(lr=0.5 / (1 + 10 * step / steps))
        walk.begin_anew()
        if step % (steps // 100) == 0:
            told(step)
            earned.append(_earned(world, np.argmax(q, axis=1), gamma))
    policy = np.argmax(q, axis=1)
    return policy, np.array([*earned, _earned(world, policy, gamma)])


def _actor_critic(
    world: GridWorld, steps: int, gamma: float, rng: np.random.Generator, told: Any, backend: str
) -> tuple[np.ndarray, np.ndarray]:
    """Walkers draw their moves; the gradient of both tables is one kernel's."""
    count = len(world.cells)
    start = {"logits": np.zeros((count, len(MOVES))), "values": np.zeros(count)}
    model = Model(tabular_actor_critic, start, backend)
    optimizer = Optimizer(use("adam", lr=0.02), model.theta, model.gradient, backend)
    walk = _Walk(world, rng)
    evaluate = model.bind(
        states=walk.states, actions=walk.actions, rewards=walk.rewards, next_states=walk.after,
        dones=walk.dones, gamma=gamma,
    )  # fmt: skip
    logits, earned = model.parameters["logits"], []
    for step in range(steps):
        walk.step(draw(logits[walk.states], rng))
        evaluate()
        optimizer.step()
        walk.begin_anew()
        if step % (steps // 100) == 0:
            told(step)
            earned.append(float(worth(world, softmax(logits), gamma)[world.start]))
    last = float(worth(world, softmax(logits), gamma)[world.start])
    return np.argmax(logits, axis=1), np.array([*earned, last])


def _earned(world: GridWorld, actions: np.ndarray, gamma: float) -> float:
    return float(worth(world, np.eye(len(MOVES))[actions], gamma)[world.start])


class _Walk:
    """Several walkers; their last step lies in arrays that kernels are bound to."""

    def __init__(self, world: GridWorld, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        self.states = np.full(WALKERS, world.start)
        self.actions, self.after = np.zeros((2, WALKERS), np.int64)
        self.rewards, self.dones = np.zeros((2, WALKERS))
        self.ages = np.zeros(WALKERS, np.int64)

    def step(self, actions: np.ndarray) -> None:
        """Move each walker."""
        self.actions[:] = actions
        self.after[:], self.rewards[:], self.dones[:] = self.world.step(
            self.states, self.actions, self.rng
        )
        self.ages += 1

    def begin_anew(self) -> None:
        """Stand where the last step led; whoever has ended stands at the start."""
        over = (self.dones == 1) | (self.ages >= LONGEST)
        self.states[:] = np.where(over, self.world.start, self.after)
        self.ages[over] = 0
