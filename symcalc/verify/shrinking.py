"""Shrinking: the smallest arrays at which a gradient still fails.

Axes of equal extent are taken for one dim and cut together; then numbers are rounded to few
decimals. What the function does not admit, or where nothing fails, is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symcalc.verify.functions import Pair
from symcalc.verify.wrongs import Wrong

TRIALS = 60


def smallest(
    pair: Pair,
    arrays: tuple[Any, ...],
    wrongs: tuple[Wrong, ...],
    fails: Callable[[tuple[Any, ...]], bool],
) -> tuple[Any, ...]:
    """Return arrays as small as are found at which the gradient still fails.

    Args:
        pair: the functions; told nothing here but how many arguments they have.
        arrays: where it failed.
        wrongs: the entries known to be wrong.
        fails: whether it fails at other arrays; false if the functions do not admit them.
    """
    left = TRIALS
    before: tuple[Any, ...] = ()
    seen: set[tuple[int, ...]] = set()
    while left > 0 and before is not arrays:
        before = arrays
        for trial in _cuts(arrays, wrongs if not seen else ()):
            key = tuple(hash(a.tobytes()) for a in trial)
            if key in seen:
                continue
            seen.add(key)
            left -= 1
            if fails(trial):
                arrays = trial
                break
            if left <= 0:
                break
    for place in range(len(arrays)):
        for trial in _rounded(arrays, place):
            if fails(trial):
                arrays = trial
                break
    return arrays


def _cuts(arrays: tuple[Any, ...], wrongs: tuple[Wrong, ...]) -> Iterator[tuple[Any, ...]]:
    """Smaller arrays, the smallest first, one extent at a time, the largest extent first."""
    for extent in sorted({n for a in arrays for n in a.shape if n > 1}, reverse=True):
        for kept in _kept(extent, _places(arrays, wrongs, extent)):
            yield tuple(_cut(a, extent, kept) for a in arrays)


def _places(arrays: tuple[Any, ...], wrongs: tuple[Wrong, ...], extent: int) -> list[int]:
    """Where along an extent the first wrong entries lie."""
    return list(
        dict.fromkeys(
            place
            for wrong in wrongs[:2]
            for place, size in zip(wrong.entry, arrays[wrong.argument].shape, strict=True)
            if size == extent
        )
    )


def _kept(extent: int, wrong: list[int]) -> Iterator[Any]:
    """Sets of places worth keeping."""
    for place in wrong:
        yield np.array([place])
        if extent > 2:
            yield np.sort(np.array([place, (place + 1) % extent]))
    for few in (1, 2, 3):
        if few < extent:
            yield np.arange(few)
    if extent > 4:
        yield np.arange(extent // 2)
        yield np.arange(extent // 2, extent)
    if 2 < extent <= 8:
        yield from (np.delete(np.arange(extent), k) for k in range(extent))


def _cut(array: Any, extent: int, kept: Any) -> Any:
    for axis, size in enumerate(array.shape):
        if size == extent:
            array = np.take(array, kept, axis=axis)
    return array


def _rounded(arrays: tuple[Any, ...], place: int) -> Iterator[tuple[Any, ...]]:
    if arrays[place].dtype.kind != "f":
        return
    for decimals in (0, 1, 2, 3):
        rounded = np.round(arrays[place], decimals) + arrays[place].dtype.type(0)
        if not np.array_equal(rounded, arrays[place]):
            yield (*arrays[:place], rounded, *arrays[place + 1 :])
        else:
            return
