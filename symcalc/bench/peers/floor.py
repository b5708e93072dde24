"""The memory floor: `c = a + b` over as many bytes as the case must move, or `a += b` in place."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from symcalc.bench.inputs import Problem, bytes_moved, bytes_stepped
from symcalc.bench.peers import NotOfferedError, Runner, offered

_SERIAL_BELOW = 100_000
_PARALLEL_FROM = 4_000_000
_TRIALS = 50


def _add(a: Any, b: Any, c: Any) -> None:
    for i in numba.prange(a.size):
        c[i] = a[i] + b[i]


def _onto_one(b: Any, x: Any) -> None:
    for i in numba.prange(b.size):
        x[i] += b[i]


def _onto_two(b: Any, x: Any, y: Any) -> None:
    for i in numba.prange(b.size):
        x[i] += b[i]
        y[i] += b[i]


def _onto_three(b: Any, x: Any, y: Any, z: Any) -> None:
    for i in numba.prange(b.size):
        x[i] += b[i]
        y[i] += b[i]
        z[i] += b[i]


_ONTO = {"1": _onto_one, "2": _onto_two, "3": _onto_three}


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return a triad over three arrays that together hold the bytes the case must move.

    Its time is bytes / bandwidth for two reads and one write an element, measured on the spot.
    Little is moved faster by one thread, much by all of them; in between, where waking the threads
    costs about as much as the work, both are tried and the faster one is the floor.

    Args:
        problem: the case; only the bytes it must move count.
        variant: "" for that; "step" for a pass that adds an update's gradient to each array of
            its state, in place: the same arrays are read, the same are written.
        threads: how many threads may share the work.

    Raises:
        NotOfferedError: an update without a gradient, or of more arrays than are added to here.
    """
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if variant == "step":
        return Runner(min(_steps(problem), key=_fastest))
    moved = bytes_moved(problem.objective, problem.case)
    size = max(1, moved // 24)
    arrays = np.ones(size), np.full(size, 2.0), np.zeros(size)
    return Runner(min(_ways(moved, arrays), key=_fastest))


def _ways(moved: int, arrays: tuple[Any, ...]) -> list[Callable[[], None]]:
    """Return the triad by one thread, by all of them, or both, as the number of bytes suggests."""
    return _compiled(_add, arrays, moved)


def _steps(problem: Problem) -> list[Callable[[], None]]:
    """Return the pass over an update's arrays by one thread, by all, or both."""
    if "gradient" not in problem.arrays:
        raise NotOfferedError("it knows updates by a gradient only")
    state = [name for name, _ in problem.objective.state if problem.arrays[name].ndim]
    add = offered(_ONTO, str(len(state)), "the memory floor of updates")
    arrays = [problem.arrays[name].copy() for name in ("gradient", *state)]
    return _compiled(add, arrays, bytes_stepped(problem.objective, problem.case))


def _compiled(add: Any, arrays: Sequence[Any], moved: int) -> list[Callable[[], None]]:
    alone, shared = moved < _PARALLEL_FROM, moved >= _SERIAL_BELOW
    kinds = [parallel for parallel, wanted in ((False, alone), (True, shared)) if wanted]
    return [functools.partial(numba.njit(parallel=kind)(add), *arrays) for kind in kinds]


def _fastest(triad: Callable[[], None]) -> float:
    """Return the least seconds of several calls."""
    triad()
    times = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        triad()
        times.append(time.perf_counter() - start)
    return min(times)
