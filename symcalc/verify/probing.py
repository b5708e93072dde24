"""Probing: a gradient against one-sided finite differences along entries and random directions.

Along a direction v the claim g.v must lie between the slopes from the left and from the right, each
known up to its bound; where the function is smooth these are one. Directions have random signs, so
that errors which cancel in a sum do not cancel there. The bound is the error of the difference, and
does not grow with the number of entries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.verify.differences import Slopes, noise_level, slopes
from symcalc.verify.functions import Pair
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS

NOISE = 4.0  # standard deviations that noise is given
GRADIENT_ROUNDING = 16.0  # units of eps that the gradient itself may be off by
SPARE_BITS = 8  # of the mantissa: steps are wide enough that moves are all but exact
DRAWS = 3  # a failure counts if two draws out of three show it
NOISE_POINTS = 9
TOLD = 0.15  # a bound wider than eps**0.15 of the gradient's size decides nothing


@dataclass(frozen=True)
class Finding:
    """A claim along one direction, and what the differences say.

    Args:
        entries: flat places of the entries that moved.
        came: the slope that the gradient claims.
        expected: the nearest slope that the differences allow.
        bound: how far off it may be.
        verdict: PASS, FAIL or INCONCLUSIVE.
        step: of the difference.
        kink: whether the two sides differ.
        why: what made it inconclusive.
    """

    entries: Any
    came: float
    expected: float
    bound: float
    verdict: str
    step: float
    kink: bool = False
    why: str = ""

    @property
    def error(self) -> float:
        """How far the claim is from what is allowed."""
        error = abs(self.came - self.expected)
        return error if np.isfinite(error) else np.inf


class Probe:
    """Holds the gradient by one argument against differences at one set of arrays.

    Args:
        pair: the function and its gradient.
        arrays: where.
        place: of the argument.
        gradient: what is claimed.
        total: the size of all gradients there, each times the scale of its argument.
        seed: of the directions.
    """

    def __init__(
        self, pair: Pair, arrays: tuple[Any, ...], place: int, gradient: Any, total: float,
        seed: int,
    ) -> None:  # fmt: skip
        self.pair, self.arrays, self.place = pair, arrays, place
        self.base = arrays[place]
        self.gradient = gradient.ravel()
        self.rng = np.random.default_rng(seed)
        self.total = total
        self.scale = scale_of(self.base).ravel()
        weighed = np.abs(self.gradient * self.scale)
        self.weighed = np.where(np.isfinite(weighed), weighed, 0.0)
        self.movable = np.flatnonzero((self.scale > 0) & np.isfinite(self.gradient))
        info = np.finfo(self.base.dtype)
        self.eps, self.finest = float(info.eps), info.nmant - SPARE_BITS
        self.value = pair.quiet_value(arrays)
        self.noise = self._noise()

    def entry(self, place: int) -> Finding:
        """Hold one entry, by its flat place."""
        found = self.among(np.array([place]))
        move = float(self.scale[place])
        slope = found.expected / move
        return Finding(
            found.entries, float(self.gradient[place]), slope, found.bound / move,
            found.verdict, found.step, found.kink, found.why,
        )  # fmt: skip

    def among(self, entries: Any) -> Finding:
        """Move these entries together; a failure must show in two draws of three."""
        found = [self._once(entries)]
        while len(found) < DRAWS and not self._settled([f.verdict for f in found]):
            found.append(self._once(entries))
        verdicts = [f.verdict for f in found]
        verdict = next((v for v in (FAIL, PASS) if verdicts.count(v) >= 1 + (v == FAIL)), None)
        wanted = verdict or INCONCLUSIVE
        chosen = [f for f in found if f.verdict == wanted]
        return chosen[0] if chosen else found[-1]

    @staticmethod
    def _settled(verdicts: list[str]) -> bool:
        return verdicts[0] == PASS or verdicts.count(FAIL) == 2 or verdicts.count(PASS) == 2

    def _once(self, entries: Any) -> Finding:
        move = np.zeros(self.base.size)
        if len(entries) == 1:  # one entry is told in its own units
            move[entries] = self.scale[entries]
        else:
            signs = self.rng.choice([-1.0, 1.0], len(entries))
            move[entries] = self.scale[entries] * signs * self.rng.choice(_QUARTERS, len(entries))
        claim = float(np.sum(self.gradient[entries] * move[entries]))
        finding = self._judged(entries, claim, self._slopes(move, 0.0), move)
        if finding.verdict == FAIL:  # it must hold at every step at which rounding lets it show
            finding = self._judged(entries, claim, self._slopes(move, finding.error / 4), move)
        return finding

    def _slopes(self, move: Any, until: float) -> Slopes:
        return slopes(self._along(move), self.noise, 2 * self.eps, self.finest, until)

    def _judged(self, entries: Any, claim: float, found: Slopes, move: Any) -> Finding:
        sides = found.sides
        if not sides:
            why = "the function could not be differenced: undefined, or without a slope"
            return Finding(entries, claim, np.nan, np.inf, INCONCLUSIVE, np.nan, why=why)
        slack = self._slack(entries, claim, move, min(side.step for side in sides))
        low = min(sides, key=lambda side: side.slope - side.bound)
        high = max(sides, key=lambda side: side.slope + side.bound)
        ends = sorted(side.slope for side in sides)
        expected = float(np.clip(claim, ends[0], ends[-1])) if np.isfinite(claim) else ends[0]
        inside = low.slope - low.bound - slack <= claim <= high.slope + high.bound + slack
        nearest = min(sides, key=lambda side: abs(side.slope - expected))
        bound = nearest.bound + slack
        if not found.kink:  # either side bears witness
            tightest = min(sides, key=lambda side: side.bound)
            expected, bound = tightest.slope, max(side.bound for side in sides) + slack
            nearest = tightest
        step, decided = nearest.step, self._decided(entries, claim, expected, bound, move)
        if not np.isfinite(claim):
            verdict, why = (FAIL, "") if decided else (INCONCLUSIVE, "the slope may be infinite")
        elif not inside:
            verdict, why = FAIL, ""
        elif found.kink or decided:
            verdict, why = PASS, ""
        else:
            verdict = INCONCLUSIVE
            why = "the bound is wider than what it should tell: noise, or no slope"
        return Finding(entries, claim, expected, bound, verdict, step, found.kink, why)

    def _decided(
        self, entries: Any, claim: float, expected: float, bound: float, move: Any
    ) -> bool:
        """Whether the bound is a small share of the gradient, or nothing beside the function's."""
        typical = norm(self.weighed) * float(np.sqrt(len(entries) / self.weighed.size))
        here = norm(self.weighed[entries])
        size = max(typical, here, abs(expected))
        still = claim == expected == 0 and self.noise <= self.eps * max(abs(self.value), 1.0)
        if self.total == 0:
            size = max(size, self._change(move))
        return bool(bound <= self.eps**TOLD * size or bound <= self.eps**0.5 * self.total or still)

    def _change(self, move: Any) -> float:
        """How much the function changes along a direction: the measure of a slope of zero."""
        along = self._along(move)
        changes = [abs(along(t) - self.value) for t in (-0.25, 0.25)]
        return float(np.nanmin(changes)) if np.isfinite(changes).any() else 0.0

    def _slack(self, entries: Any, claim: float, move: Any, step: float) -> float:
        """What rounding of the gradient, and of the moved arrays, may do to the comparison."""
        own = float(np.max(self.weighed, initial=0.0)) * np.sqrt(len(entries))
        steady = abs(claim) if np.isfinite(claim) else 0.0
        slopes_ = self.gradient[entries]
        known = np.isfinite(slopes_)
        x = self.base.ravel()[entries].astype(np.float64)
        stray = 0.0
        for sign in (-4.0, -1.0, 1.0, 4.0):
            exact = x + sign * step * move[entries]
            rounded = exact.astype(self.base.dtype).astype(np.float64)
            off = (rounded - x) - sign * step * move[entries]
            stray = max(stray, norm((slopes_ * off)[known]))
        return GRADIENT_ROUNDING * self.eps * (own + steady) + 8 * stray / step

    def _along(self, move: Any) -> Callable[[float], float]:
        shape = self.base.shape
        x = self.base.astype(np.float64).ravel()

        def along(t: float) -> float:
            moved = (x + t * move).astype(self.base.dtype).reshape(shape)
            arrays = (*self.arrays[: self.place], moved, *self.arrays[self.place + 1 :])
            found = self.pair.quiet_value(arrays)
            return found if np.isfinite(found) else np.nan

        return along

    def _noise(self) -> float:
        """The noise near the point, read off values at steps of a few units in the last place.

        A function that stands still there may move by jumps, having lost digits on its way: the
        least jump is noise then. Of one that never moves nothing is known below eps.
        """
        move = self.scale * self.rng.choice([-1.0, 1.0], self.base.size)
        move *= self.rng.integers(16, 32, self.base.size) / 16.0  # no two cancel
        along, found = self._along(move), 0.0
        for side in (1.0, -1.0):
            values = [along(side * k * 2.0**-self.finest) for k in range(NOISE_POINTS)]
            if np.isfinite(values).all():
                found = max(found, noise_level(values))
        moves = along(2.0 ** (4 - self.finest)) != self.value
        if found > 0 or moves:
            return max(NOISE * found, self.eps * abs(self.value))
        steps = [side * 2.0**-k for k in range(-2, self.finest) for side in (1.0, -1.0)]
        jumps = [jump for t in steps if (jump := abs(along(t) - self.value)) > 0]
        least = min(jumps, default=self.eps if self.value == 0 else 0.0)
        return max(least, self.eps * abs(self.value))


def norm(vector: Any) -> float:
    """Return the Euclidean norm, which overflows only if it must."""
    largest = float(np.max(np.abs(vector), initial=0.0))
    return largest * float(np.linalg.norm(vector / largest)) if largest > 0 else 0.0


_QUARTERS = (1.0, 1.25, 1.5, 1.75)


def scale_of(array: Any) -> Any:
    """Return how far each entry is moved: a power of two about its size, or about the median's."""
    size = np.abs(array.astype(np.float64))
    known = size[np.isfinite(size) & (size > 0)]
    floor = float(np.median(known)) if known.size else 1.0
    size = np.where(np.isfinite(size), np.maximum(size, floor), 0.0)  # an infinity stays
    exponents = np.floor(np.log2(np.where(size > 0, size, 1.0)))
    return np.where(size > 0, 2.0 ** np.clip(exponents, -900, 900), 0.0)
