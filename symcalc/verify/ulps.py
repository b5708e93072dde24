"""Ulps: how far a number of a kernel is from its enclosure, and whether that is far."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from symcalc.verify.bounded import INFINITE, ZERO, Bounded, Format
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS

ULPS = 8.0
BY_ULPS, BY_LARGEST = "8 ulps", "8 ulps of the largest entry"
BY_RUNNING_ERROR, BY_CONDITIONING = "running error", "conditioning"
OVERFLOW = "an overflow on the way"
_BITS, _NARROW = 160, 2.0**-70
_ORDER = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


@contextlib.contextmanager
def precise() -> Iterator[None]:
    """Let differences of enclosures be as narrow as they are themselves."""
    before, flint.ctx.prec = flint.ctx.prec, _BITS
    try:
        yield
    finally:
        flint.ctx.prec = before


@dataclass(frozen=True)
class Judgement:
    """One number before its enclosure.

    Args:
        ulps: how far off it is, in units in the last place of the truth.
        bound: how far off it may be, in the same units.
        by: what the bound stands on: "8 ulps", "running error" or "conditioning".
        verdict: PASS, FAIL, or INCONCLUSIVE where no bound is known.
        why: what made it inconclusive.
    """

    ulps: float
    bound: float
    by: str
    verdict: str
    why: str = ""

    @property
    def rank(self) -> tuple[int, float]:
        """The greater the worse: by the verdict, then by the share of the bound."""
        return _ORDER[self.verdict], self.ulps / self.bound if self.bound else self.ulps


@dataclass(frozen=True)
class Limits:
    """How far off a number may be; each is computed when it is asked for.

    Args:
        bound: gives the running-error bound, or None.
        overflows: tells whether the kernel overflows on the way; that excuses nothing.
        conditioning: gives sum_j |d out / d x_j| |x_j|. It counts where there is no bound alone,
            for nothing excuses a kernel that errs by more than its roundings may add up to.
        beyond: tells whether an entry of the matrix that the result is a product with is beyond the
            greatest number: zero times it is undefined in floating point.
    """

    bound: Callable[[], Bounded | None]
    overflows: Callable[[], bool]
    conditioning: Callable[[], Any]
    beyond: Callable[[], bool] = lambda: False


def judge(
    came: float, ends: tuple[Any, Any], format: Format, limits: Limits, largest: Any = ZERO
) -> Judgement:
    """Compare a number with the ball of the truth.

    Args:
        came: what the kernel gave.
        ends: the ball twice, or at a kink those of the lesser and the greater one-sided derivative.
        format: the kernel's.
        limits: what may be off; asked only of what is off by more than 8 ulps.
        largest: the greatest entry of the same result: a ball that is narrow beside it will do.
    """
    low, high = ends
    if not np.isfinite(came) and not all(is_representable(end, format) for end in ends):
        right = distance(came, low, high, format) == 0
        return Judgement(0.0, ULPS, BY_ULPS, PASS if right else INCONCLUSIVE,
                         "" if right else "the truth overflows")  # fmt: skip
    if not np.isfinite(came) and limits.beyond():
        return Judgement(0.0, ULPS, "", INCONCLUSIVE, "a derivative overflows")
    unit = format.ulp(max((abs(end).abs_upper() for end in ends), default=ZERO))
    narrow = max(unit / 64, largest * _NARROW)
    if not all(end.is_finite() and end.rad() <= narrow for end in ends):
        return Judgement(0.0, ULPS, "", INCONCLUSIVE, "the enclosure is wide")
    ulps, limit, by, why = float(distance(came, low, high, format) / unit), ULPS, BY_ULPS, ""
    if ulps > limit:
        running = limits.bound()
        if running is None or not running.error.is_finite():
            why = OVERFLOW if limits.overflows() else "no running-error bound"
        elif running.error > unit * limit:
            limit, by = float(running.error / unit), BY_RUNNING_ERROR
    if ulps > limit and why:
        moved = float((limits.conditioning() * format.unit / unit).abs_upper())
        if limit < moved < np.inf:
            limit, by = moved, BY_CONDITIONING
    if ulps <= limit:
        return Judgement(ulps, limit, by, PASS)
    unknown = why and why != OVERFLOW and np.isfinite(came)
    return Judgement(ulps, limit, by, INCONCLUSIVE if unknown else FAIL, why)


def distance(came: float, low: Any, high: Any, format: Format) -> Any:
    """Return how far a number is at least from a ball, or from everything between two.

    An infinity is right where the truth is beyond the greatest number of the format.
    """
    if np.isnan(came):
        return INFINITE
    if np.isinf(came):
        beyond = high if came > 0 else -low
        return ZERO if beyond > greatest(format) else INFINITE
    found = flint.arb(came)
    return max((low - found).lower(), (found - high).lower(), ZERO)


def greatest(format: Format) -> Any:
    """Return what rounds to infinity: half an ulp above the greatest number of a format."""
    return flint.arb(2) ** format.most - flint.arb(2) ** (format.most - format.digits - 1)


def is_representable(ball: Any, format: Format) -> bool:
    """Whether the truth lies within the range of a format."""
    return bool(abs(ball) < greatest(format))
