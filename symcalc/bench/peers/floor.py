"""The memory floor: `c = a + b` over as many bytes as the case must move."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from symcalc.bench.inputs import Problem, bytes_moved
from symcalc.bench.peers import Runner

_SERIAL_BELOW = 100_000
_PARALLEL_FROM = 4_000_000
_TRIALS = 50


def _add(a: Any, b: Any, c: Any) -> None:
    for i in numba.prange(a.size):
        c[i] = a[i] + b[i]


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return a triad over three arrays that together hold the bytes the case must move.

    Its time is bytes / bandwidth for two reads and one write an element, measured on the spot.
    Little is moved faster by one thread, much by all of them; in between, where waking the threads
    costs about as much as the work, both are tried and the faster one is the floor.

    Args:
        problem: the case; only the bytes it must move count.
        variant: not used.
        threads: how many threads may share the work.
    """
    moved = bytes_moved(problem.objective, problem.case)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    size = max(1, moved // 24)
    arrays = np.ones(size), np.full(size, 2.0), np.zeros(size)
    return Runner(min(_ways(moved, arrays), key=_fastest))


def _ways(moved: int, arrays: tuple[Any, ...]) -> list[Callable[[], None]]:
    """Return the triad by one thread, by all of them, or both, as the number of bytes suggests."""
    alone, shared = moved < _PARALLEL_FROM, moved >= _SERIAL_BELOW
    kinds = [parallel for parallel, wanted in ((False, alone), (True, shared)) if wanted]
    return [functools.partial(numba.njit(parallel=kind)(_add), *arrays) for kind in kinds]


def _fastest(triad: Callable[[], None]) -> float:
    """Return the least seconds of several calls."""
    triad()
    times = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        triad()
        times.append(time.perf_counter() - start)
    return min(times)
