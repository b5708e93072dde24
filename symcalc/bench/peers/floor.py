"""The memory floor: a parallel `c = a + b` that moves as many bytes as the case must."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from symcalc.bench.inputs import Problem, bytes_moved
from symcalc.bench.peers import Runner

_SERIAL_BELOW = 1_000_000


def _add(a: Any, b: Any, c: Any) -> None:
    for i in numba.prange(a.size):
        c[i] = a[i] + b[i]


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return a triad over three arrays that together hold the bytes the case must move.

    Its time is bytes / bandwidth for two reads and one write an element, measured on the spot.
    Less than a megabyte is moved by one thread, which then is faster than several.

    Args:
        problem: the case; only the bytes it must move count.
        variant: not used.
        threads: how many threads share the work.
    """
    moved = bytes_moved(problem.objective, problem.case)
    triad = numba.njit(parallel=moved >= _SERIAL_BELOW)(_add)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    size = max(1, moved // 24)
    a, b, c = np.ones(size), np.full(size, 2.0), np.zeros(size)

    def call() -> None:
        triad(a, b, c)

    return Runner(call)
