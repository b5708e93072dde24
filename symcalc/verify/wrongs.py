"""What is wrong with a gradient, in words: a factor, a sign, a transposition, a missing entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symcalc.verify.functions import name_of

if TYPE_CHECKING:
    from symcalc.verify.probing import Probe

_ALIKE = 1e-3
_WIDE = 64  # of so many bounds at most a ratio is known


@dataclass(frozen=True)
class Wrong:
    """A wrong entry of a gradient.

    Args:
        argument: the place of the argument.
        entry: the place in it.
        came: what the gradient said.
        expected: what the differences say.
        bound: how far off that may be.
    """

    argument: int
    entry: tuple[int, ...]
    came: float
    expected: float
    bound: float

    @property
    def ratio(self) -> float:
        """What came, over what was expected."""
        told = self.came != 0 and abs(self.expected) > self.bound
        return self.came / self.expected if told else np.nan

    def __str__(self) -> str:
        ratio = f", ratio {self.ratio:.6g}" if np.isfinite(self.ratio) else ""
        place = f"{name_of(self.argument)}{list(self.entry)}"
        return f"{place}: came {self.came + 0.0:.8g}, expected {self.expected + 0.0:.8g}{ratio}"


def diagnosis(wrongs: tuple[Wrong, ...], probes: dict[int, Probe], arrays: tuple[Any, ...]) -> str:
    """Say in words what all wrong entries have in common; empty where nothing is plain."""
    return "; ".join(
        f"{name_of(place)}: {words}" if len(probes) > 1 else words
        for place, probe in probes.items()
        if (words := _of_one([w for w in wrongs if w.argument == place], probe, arrays))
    )


def _of_one(wrongs: list[Wrong], probe: Probe, arrays: tuple[Any, ...]) -> str:
    if not wrongs:
        return ""
    if not all(np.isfinite(w.came) for w in wrongs):
        return "not finite where the slope is"
    came = np.array([w.came for w in wrongs])
    expected = np.array([w.expected for w in wrongs])
    bound = np.array([w.bound for w in wrongs])
    zero = np.abs(expected) <= 2 * bound
    if not came.any():
        return "zero where it should not be"
    if zero.all():
        return "not zero where it should be"
    if len(wrongs) > 1 and _transposed(wrongs, probe):
        return "transposed"
    ratios, off = came[~zero] / expected[~zero], bound[~zero] / np.abs(expected[~zero])
    spread = max(_ALIKE * 1e-3, float(np.max(off)))
    middle = float(np.median(ratios))
    if zero.any() or np.max(np.abs(ratios - middle)) > 2 * spread * abs(middle):
        return ""
    return _in_words(middle, spread, sorted({s for a in arrays for s in (*a.shape, a.size)}))


def _in_words(ratio: float, spread: float, extents: list[int]) -> str:
    near = max(spread, 1e-9)
    for value, words in _plain(extents):
        if abs(ratio - value) <= near * abs(value):
            return words
    digits = int(np.clip(-np.log10(near), 2, 6))
    return f"factor {ratio:.{digits}g}"


def _plain(extents: list[int]) -> Iterator[tuple[float, str]]:
    yield -1.0, "sign"
    for factor in (2, 3, 4, 8):
        yield from ((s * factor, f"factor {int(s * factor)}") for s in (1.0, -1.0))
        yield from ((s / factor, f"factor {'-' * (s < 0)}1/{factor}") for s in (1.0, -1.0))
    yield from ((1.5, "factor 3/2"), (2 / 3, "factor 2/3"), (0.75, "factor 3/4"))
    for n in (n for n in extents if n > 1):
        yield n / (n - 1), f"factor n/(n-1), n = {n}"
        yield (n - 1) / n, f"factor (n-1)/n, n = {n}"
        yield float(n), f"factor n, n = {n}"
        yield 1.0 / n, f"factor 1/n, n = {n}"


def _transposed(wrongs: list[Wrong], probe: Probe) -> bool:
    shape = probe.base.shape
    if len(shape) != 2 or shape[0] < 2 or shape[1] < 2:
        return False
    claimed = probe.gradient
    turned = claimed.reshape(shape[::-1]).T
    square = shape[0] == shape[1]
    return all(
        abs((turned[w.entry]) - w.expected) <= _WIDE * w.bound + _ALIKE * abs(w.expected) * square
        for w in wrongs
    )
