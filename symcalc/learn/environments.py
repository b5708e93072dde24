"""Small worlds to learn in: a bandit, a grid with slippery floors, and a pole on a cart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from symcalc.notation.errors import ArgumentError

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left
ARROWS = "↑→↓←"


@dataclass(frozen=True)
class Bandit:
    """Arms that pay a mean and Gaussian noise.

    Args:
        means: what each arm pays on average.
        noise: the standard deviation.
    """

    means: tuple[float, ...] = (2.1, 2.5, 2.8, 2.3, 2.6)
    noise: float = 1.0

    def pull(self, arms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what each pulled arm pays."""
        return np.asarray(np.take(self.means, arms) + self.noise * rng.normal(size=len(arms)))


@dataclass(frozen=True)
class GridWorld:
    """A grid of floors `.`, walls `#`, a start `S`, goals `G` that pay 1 and pits `P` that cost 1.

    A move costs a little, slips to either side now and then, and stays where a wall is.

    Args:
        rows: the map.
        slip: the probability that a move goes to one of the sides, half for each.
        cost: of a move.

    Raises:
        ArgumentError: rows of different lengths, an unknown sign, no start or more than one, no
            goal; a slip outside 0 to 1.
    """

    rows: tuple[str, ...] = ("...G", ".#.P", "S...", "....")
    slip: float = 0.2
    cost: float = 0.04

    def __post_init__(self) -> None:
        text = "".join(self.rows)
        if not text or len({len(row) for row in self.rows}) != 1 or set(text) - set(".#SGP"):
            raise ArgumentError(
                f"map: expected rows of one length made of . # S G P, got {' '.join(self.rows)!r}"
            )
        if text.count("S") != 1 or "G" not in text:
            raise ArgumentError(f"map: expected one S and at least one G, got {text!r}")
        if not 0 <= self.slip <= 1:
            raise ArgumentError(f"slip: expected a probability, got {self.slip}")

    @cached_property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """The place of each state: of every cell that is no wall."""
        return tuple(
            (r, c) for r, row in enumerate(self.rows) for c, sign in enumerate(row) if sign != "#"
        )

    @cached_property
    def start(self) -> int:
        """The state in which an episode begins."""
        return next(s for s, (r, c) in enumerate(self.cells) if self.rows[r][c] == "S")

    @cached_property
    def ends(self) -> np.ndarray:
        """Whether an episode ends in a state: at goals and in pits."""
        return np.array([self.rows[r][c] in "GP" for r, c in self.cells])

    @cached_property
    def transitions(self) -> np.ndarray:
        """The probability of each next state after each action in each state; ends hold."""
        found = np.zeros((len(self.cells), len(MOVES), len(self.cells)))
        for s in range(len(self.cells)):
            for a in range(len(MOVES)):
                if self.ends[s]:
                    found[s, a, s] = 1
                    continue
                for turn, chance in ((0, 1 - self.slip), (1, self.slip / 2), (-1, self.slip / 2)):
                    found[s, a, self._moved(s, (a + turn) % 4)] += chance
        return found

    @cached_property
    def rewards(self) -> np.ndarray:
        """What a state pays on arrival, less the cost of the move, by next state."""
        pays = {"G": 1.0, "P": -1.0}
        return np.array([pays.get(self.rows[r][c], 0.0) - self.cost for r, c in self.cells])

    @cached_property
    def expected_rewards(self) -> np.ndarray:
        """What each action pays on average in each state; ends pay nothing."""
        return np.where(self.ends[:, None], 0.0, self.transitions @ self.rewards)

    def step(
        self, states: np.ndarray, actions: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return next states, rewards, and whether episodes end, 1 or 0, of several walkers."""
        below = self._cumulative[states, actions]
        after = (rng.random((len(states), 1)) >= below).sum(axis=1)
        return after, self.rewards[after], self.ends[after].astype(np.float64)

    @cached_property
    def _cumulative(self) -> np.ndarray:
        sums = np.cumsum(self.transitions, axis=2)
        sums[..., -1] = 1.0
        return sums

    def _moved(self, state: int, action: int) -> int:
        row, column = self.cells[state]
        place = (row + MOVES[action][0], column + MOVES[action][1])
        return self.cells.index(place) if place in self.cells else state


@dataclass(frozen=True)
class CartPole:
    """A pole on a cart that is pushed left or right; each step upright pays 1.

    Euler steps of 0.02 s; an episode ends when the pole leans 12 degrees or the cart is 2.4 m off,
    and is cut off after a number of steps.

    Args:
        limit: the steps after which an episode is cut off.

    Reference: Barto, Sutton and Anderson (1983), doi:10.1109/TSMC.1983.6313077
    """

    limit: int = 500

    def reset(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return the first states of several episodes: position, speed, angle, its speed."""
        return rng.uniform(-0.05, 0.05, (count, 4))

    def step(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Return the next states after a push to the left, 0, or to the right, 1."""
        gravity, cart, pole, half, force, time = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
        _, speed, angle, turn = states.T
        push = np.where(actions == 1, force, -force)
        sine, cosine = np.sin(angle), np.cos(angle)
        drift = (push + pole * half * turn**2 * sine) / (cart + pole)
        lean = (gravity * sine - cosine * drift) / (
            half * (4 / 3 - pole * cosine**2 / (cart + pole))
        )
        pull = drift - pole * half * lean * cosine / (cart + pole)
        return np.asarray(states + time * np.column_stack([speed, pull, turn, lean]))

    def fallen(self, states: np.ndarray) -> np.ndarray:
        """Return whether each episode is over."""
        return np.asarray((np.abs(states[:, 0]) > 2.4) | (np.abs(states[:, 2]) > np.pi / 15))
