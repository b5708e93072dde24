"""Where a value may lie: one record that drives validation, sampling and what SymPy may assume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symcalc.notation.dims import Dim


@dataclass(frozen=True)
class Domain:
    """A set of admissible values.

    Args:
        name: what it is called in messages and pages.
        lower: least admissible value.
        upper: greatest admissible value.
        open_lower: whether `lower` itself is outside.
        integer: whether only whole numbers belong (stored as integers).
        values: the only admissible values, where they are few.
        below: for labels, the dim whose extent they stay below.
        rows_sum_to_one: whether the last axis is a probability distribution.
        positive_total: whether the entries must not all be zero.
        finite: whether infinities are outside.
        symbol: LaTeX for "x is in ...".
    """

    name: str
    lower: float = -np.inf
    upper: float = np.inf
    open_lower: bool = False
    integer: bool = False
    values: tuple[float, ...] = ()
    below: Dim | None = None
    rows_sum_to_one: bool = False
    positive_total: bool = False
    finite: bool = False
    symbol: str = field(default=r"\mathbb{R}", compare=False)

    @property
    def assumptions(self) -> dict[str, bool]:
        """What SymPy may assume of a value: never more than the domain says."""
        known = {"real": True}
        if self.integer:
            known["integer"] = True
        if self.lower == 0:
            known["positive" if self.open_lower else "nonnegative"] = True
        return known

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others, in words and numbers: SymPy sorts by it."""
        below = "" if self.below is None else self.below.name
        flags = (self.open_lower, self.integer, self.rows_sum_to_one, self.positive_total,
                 self.finite)  # fmt: skip
        return (self.name, self.lower, self.upper, self.values, below, *flags)

    @property
    def is_checked(self) -> bool:
        """Whether any value could fall outside."""
        bounded = self.lower > -np.inf or self.upper < np.inf
        return bool(self.values or self.below or bounded or self.finite)

    @property
    def is_real_line(self) -> bool:
        """Whether real numbers of any sign and size belong."""
        return not self.integer and self.lower == -np.inf and self.upper == np.inf

    def describe(self) -> str:
        """Say in words what belongs: "probabilities, 0 to 1"."""
        if self.below is not None:
            return f"integer labels, 0 to {self.below.name} - 1"
        return self.name

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], below: int = 2) -> Any:
        """Draw typical values of the domain as float64, or int64 for labels.

        Args:
            rng: the generator.
            shape: the array's shape.
            below: for labels, the number of classes.
        """
        if self.below is not None:
            return rng.integers(0, max(below, 1), size=shape, dtype=np.int64)
        if self.values:
            return rng.choice(np.array(self.values), size=shape)
        if self.rows_sum_to_one:
            raw = rng.gamma(1.0, size=shape) + 1e-3
            return raw / raw.sum(axis=-1, keepdims=True)
        if -np.inf < self.lower and self.upper < np.inf:
            width = self.upper - self.lower
            return self.lower + width * rng.uniform(0.02, 0.98, size=shape)
        if self.lower == 0:
            return rng.gamma(2.0, size=shape) + 0.05
        return rng.normal(size=shape) * 1.5

    def admits(self, value: float) -> bool:
        """Whether one number lies in the domain."""
        if value != value or (self.finite and abs(value) == np.inf):
            return False
        above = value > self.lower if self.open_lower else value >= self.lower
        return above and value <= self.upper and (not self.values or value in self.values)


REAL = Domain("real numbers")
FINITE = Domain("finite numbers", finite=True)
POSITIVE = Domain("positive numbers", lower=0.0, open_lower=True, symbol=r"\mathbb{R}_{>0}")
NONNEGATIVE = Domain("non-negative numbers", lower=0.0, symbol=r"\mathbb{R}_{\ge 0}")
WEIGHTS = Domain("weights, not negative and not all zero", lower=0.0, positive_total=True,
                 symbol=r"\mathbb{R}_{\ge 0}")  # fmt: skip
PROBABILITY = Domain("probabilities, 0 to 1", lower=0.0, upper=1.0, symbol="[0, 1]")
POSITIVE_FRACTION = Domain("numbers above 0, up to 1", lower=0.0, upper=1.0, open_lower=True,
                           symbol="(0, 1]")  # fmt: skip
ONE_TO_TWO = Domain("numbers from 1 to 2", lower=1.0, upper=2.0, symbol="[1, 2]")
SIMPLEX = Domain(
    "probability rows (each sums to 1)",
    lower=0.0,
    upper=1.0,
    rows_sum_to_one=True,
    symbol=r"\Delta",
)
PLUS_MINUS_ONE = Domain("labels -1 or +1", lower=-1.0, upper=1.0, values=(-1.0, 1.0),
                        symbol=r"\{-1, +1\}")  # fmt: skip
MASK = Domain("mask of 0 and 1", lower=0.0, upper=1.0, values=(0.0, 1.0), symbol=r"\{0, 1\}")


def labels(below: str) -> Domain:
    """Return the domain of integer labels 0, 1, ..., extent - 1 of the named dim."""
    dim = Dim(below)
    return Domain(
        "integer labels", lower=0.0, integer=True, below=dim,
        symbol=rf"\{{0, \dots, {dim.name} - 1\}}",
    )  # fmt: skip


NAMED = {
    "real": REAL,
    "finite": FINITE,
    "positive": POSITIVE,
    "nonnegative": NONNEGATIVE,
    "probability": PROBABILITY,
    "positive_fraction": POSITIVE_FRACTION,
    "one_to_two": ONE_TO_TWO,
    "simplex": SIMPLEX,
    "plus_minus_one": PLUS_MINUS_ONE,
    "mask": MASK,
}
