"""The pole on a cart, balanced by a network: REINFORCE and proximal policy optimization."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue import get
from symcalc.catalogue.mlp import mlp, network
from symcalc.learn.choices import use
from symcalc.learn.environments import CartPole
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, seconds, silent
from symcalc.learn.model import Model, glorot
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.policies import draw, log_softmax
from symcalc.notation.errors import ArgumentError

HIDDEN = 32
GAMMA, LAM = 0.99, 0.95
POLES, HORIZON = 16, 128  # of one collection
EPOCHS, BATCH = 4, 256  # of one update of PPO
TRIALS = 20  # of the policy at the end


@dataclass(frozen=True, eq=False)
class CartPoleRun:
    """Policies that were learnt, and how long they keep the pole up.

    Args:
        world: the pole.
        episodes: by name, a row an episode: the steps made by all poles until it ended, and its
            own.
        trials: by name, how long the last policy kept the pole up, its likelier action taken.
        path: a path under the last of these policies: states, a row a step.
        seconds: by name, what the learning took.
    """

    world: CartPole
    episodes: dict[str, np.ndarray]
    trials: dict[str, np.ndarray]
    path: np.ndarray
    seconds: dict[str, float]

    def table(self) -> list[tuple[str, ...]]:
        """Return how long each policy keeps the pole up."""
        rows: list[tuple[str, ...]] = [
            ("", f"steps upright, of {self.world.limit}", "the worst", "learnt in steps", "time")
        ]
        for name, lasted in self.trials.items():
            made = f"{self.episodes[name][-1, 0]:.0f}"
            rows.append((name, f"{lasted.mean():.1f}", f"{lasted.min():.0f}", made,
                         seconds(self.seconds[name])))  # fmt: skip
        return rows

    def draw(self) -> Any:
        """Draw the lengths of the episodes, and the pole's lean under the last policy."""
        from symcalc.learn.pictures import curve, new_figure, running_mean

        figure, (left, right) = new_figure(2)
        for name, episodes in self.episodes.items():
            curve(left, episodes[:, 0], running_mean(episodes[:, 1], 20), name)
        left.axhline(self.world.limit, color="black", linewidth=0.9, linestyle="--")
        left.set(title="steps upright", xlabel="steps made", ylabel="mean of 20 episodes")
        left.legend(frameon=False)
        times = 0.02 * np.arange(len(self.path))
        curve(right, times, np.degrees(self.path[:, 2]), "lean of the pole in degrees")
        curve(right, times, self.path[:, 0], "place of the cart in m")
        right.set(title=f"the policy of {list(self.trials)[-1]}", xlabel="seconds")
        right.legend(frameon=False)
        return figure


def train(
    steps: int = 120_000, world: CartPole = CartPole(),  # noqa: B008 (frozen)
    seed: int = 0, progress: Progress = silent, backend: str = "numba",
) -> CartPoleRun:  # fmt: skip
    """Learn to balance a pole, by REINFORCE and by PPO.

    Args:
        steps: of all poles together, for either method.
        world: the pole.
        seed: of everything random.
        progress: told of each collection.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: fewer steps than one collection has.
    """
    if steps < POLES * HORIZON:
        raise ArgumentError(
            f"steps: expected a whole number from {POLES * HORIZON} on, got {steps}"
        )
    methods: dict[str, Callable[..., Any]] = {"REINFORCE": _reinforce, "PPO": _ppo}
    episodes, trials, spent = {}, {}, {}
    for place, (name, learn) in enumerate(methods.items()):

        def told(done: int, length: float, name: str = name, place: int = place) -> None:
            words = f"{name}: {length:.0f} steps upright"
            progress(place * steps + min(done, steps), 2 * steps, words)

        began = time.perf_counter()
        rng = np.random.default_rng([seed, place])
        policy, ended = learn(world, steps, rng, told, backend)
        spent[name] = time.perf_counter() - began
        episodes[name] = np.array(ended, float).reshape(-1, 2)
        trials[name], path = _try(world, policy, rng)
    return CartPoleRun(world, episodes, trials, path, spent)


class _Network:
    """A network under a loss, stepped by Adam; and the network alone, for what it gives."""

    def __init__(
        self, loss: str, width: int, lr: float, rng: np.random.Generator, backend: str
    ) -> None:
        widths = (4, HIDDEN, width)
        under = mlp(widths, "tanh", loss)
        start = glorot(under, rng)
        start["W2"] *= 0.1  # begins near even odds, and near zero
        self.model = Model(under, start, backend)
        self.optimizer = Optimizer(
            use("adam", lr=lr), self.model.theta, self.model.gradient, backend
        )
        self.forward = kernel_of(network(widths, "tanh"), backend)

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Return what the network gives for each state."""
        return np.asarray(self.forward(states, *self.model.parameters.values()))

    def learn(self, lr: float | None = None, **data: Any) -> None:
        """Step once down the gradient of the loss on data."""
        self.model.value_and_grad(**data)
        self.optimizer.step(lr)


def _reinforce(
    world: CartPole, steps: int, rng: np.random.Generator, told: Any, backend: str
) -> tuple[_Network, list[tuple[int, int]]]:
    """Whole episodes, and a step on them: each action weighed by the returns that followed."""
    policy = _Network("reinforce", 2, 1e-2, rng, backend)
    ended: list[tuple[int, int]] = []
    made = 0
    while made < steps:
        lasted, states, actions = _episodes(world, policy, rng)
        ended += zip((made + np.cumsum(lasted)).tolist(), lasted.tolist(), strict=True)
        made += int(lasted.sum())
        left = lasted[:, None] - np.arange(states.shape[1])  # steps still to come
        alive = left > 0
        returns = (1 - GAMMA ** np.maximum(left, 0)) / (1 - GAMMA)
        weighed = (returns - returns[alive].mean()) / (returns[alive].std() + 1e-8)
        policy.learn(x=states[alive], actions=actions[alive], returns=weighed[alive])
        told(made, lasted.mean())
    return policy, ended


def _episodes(
    world: CartPole, policy: _Network, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lengths of one episode a pole, and the states and actions met on the way."""
    now = world.reset(POLES, rng)
    lasted = np.zeros(POLES, np.int64)
    alive = np.ones(POLES, bool)
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    while alive.any() and len(states) < world.limit:
        states.append(now)
        actions.append(draw(policy(now), rng))
        lasted += alive
        now = np.where(alive[:, None], world.step(now, actions[-1]), now)
        alive &= ~world.fallen(now)
    return lasted, np.stack(states, axis=1), np.stack(actions, axis=1)


def _ppo(
    world: CartPole, steps: int, rng: np.random.Generator, told: Any, backend: str
) -> tuple[_Network, list[tuple[int, int]]]:
    """Stretches of a fixed length, advantages by a recurrence, several epochs on each stretch."""
    policy = _Network("ppo_clip", 2, 3e-3, rng, backend)
    critic = _Network("mse", 1, 3e-3, rng, backend)
    advantage = kernel_of(get("gae"), backend)
    stretch = _Stretch(world, rng)
    made = 0
    while made < steps:
        data = stretch.collect(policy, critic)
        rate = 3e-3 * (1 - 0.9 * made / steps)
        made += POLES * HORIZON
        values = data.pop("values")
        gains = advantage(values, data.pop("rewards"), data.pop("dones"), gamma=GAMMA, lam=LAM)
        goals = (gains + values[:, :-1]).ravel()
        gains = ((gains - gains.mean()) / (gains.std() + 1e-8)).ravel()
        flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in data.items()}
        for _ in range(EPOCHS):
            for rows in np.split(rng.permutation(len(gains)), len(gains) // BATCH):
                some = {name: array[rows] for name, array in flat.items()}
                policy.learn(rate, **some, advantages=gains[rows])
                critic.learn(rate, x=some["x"], target=goals[rows])
        told(made, np.mean([length for _, length in stretch.ended[-20:]] or [0]))
    return policy, stretch.ended


class _Stretch:
    """Poles that go on from where the last stretch left them."""

    def __init__(self, world: CartPole, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        self.states = world.reset(POLES, rng)
        self.ages = np.zeros(POLES, np.int64)
        self.made = 0
        self.ended: list[tuple[int, int]] = []

    def collect(self, policy: _Network, critic: _Network) -> dict[str, np.ndarray]:
        """Return a stretch: states, actions, log-probabilities, rewards, dones, values.

        Where an episode was cut off at the limit, what its last state is worth counts as reward.
        """
        x = np.empty((POLES, HORIZON, 4))
        actions = np.empty((POLES, HORIZON), np.int64)
        old = np.empty((POLES, HORIZON))
        rewards, dones = np.ones((POLES, HORIZON)), np.zeros((POLES, HORIZON))
        for t in range(HORIZON):
            logits = policy(self.states)
            x[:, t], actions[:, t] = self.states, draw(logits, self.rng)
            old[:, t] = np.take_along_axis(log_softmax(logits), actions[:, t, None], 1)[:, 0]
            self.states = self.world.step(self.states, actions[:, t])
            self.ages += 1
            self.made += POLES
            fallen = self.world.fallen(self.states)
            cut = (self.ages >= self.world.limit) & ~fallen
            if cut.any():
                rewards[cut, t] += GAMMA * critic(self.states[cut])[:, 0]
            over = fallen | cut
            dones[over, t] = 1
            self.ended += [(self.made, int(age)) for age in self.ages[over]]
            self.ages[over] = 0
            self.states[over] = self.world.reset(int(over.sum()), self.rng)
        before = critic(x.reshape(-1, 4)).reshape(POLES, HORIZON)
        values = np.column_stack([before, critic(self.states)[:, 0]])
        return {"x": x, "actions": actions, "old_log_probs": old, "rewards": rewards,
                "dones": dones, "values": values}  # fmt: skip


def _try(
    world: CartPole, policy: _Network, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return how long the policy keeps each of several poles up, and the first one's path."""
    now = world.reset(TRIALS, rng)
    lasted, alive, path = np.zeros(TRIALS, np.int64), np.ones(TRIALS, bool), [now[0]]
    for _ in range(world.limit):
        lasted += alive
        now = np.where(alive[:, None], world.step(now, np.argmax(policy(now), axis=1)), now)
        alive &= ~world.fallen(now)
        path.append(now[0])
    return lasted, np.array(path[: lasted[0] + 1])
