"""A small pool of threads for kernels that hold no lock: safe to fork, safe to call from many.

Numba's own layers are not both (its OpenMP layer dies in a forked child, its workqueue allows one
caller at a time), so kernels are compiled without the interpreter's lock and shared out here.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

_STATE: dict[str, ThreadPoolExecutor] = {}
_LOCK = Lock()


def thread_count() -> int:
    """Return how many threads a kernel may use: SYMCALC_THREADS, or the processors at hand."""
    wanted = os.environ.get("SYMCALC_THREADS", "")
    if wanted.isascii() and wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_out(blocks: int, work: Callable[[int, int], None]) -> None:
    """Run work(first, last) over all blocks, on several threads, each taking what is next.

    Args:
        blocks: how many there are; none, where a dim is empty.
        work: called with a range of blocks; must not hold the interpreter's lock for long.
    """
    threads = max(1, min(thread_count(), blocks))
    step = max(1, blocks // (threads * 4))
    starts = itertools.count(0, step)

    def take() -> None:
        while (first := next(starts)) < blocks:
            work(first, min(first + step, blocks))

    helpers = _helpers(threads - 1, take)
    try:
        take()
    finally:
        for helper in helpers:
            if not helper.cancel():  # one that has not begun finds nothing left to do
                helper.result()


def _helpers(count: int, take: Callable[[], None]) -> list[Future[None]]:
    """Set other threads to work, as many as can be had: the caller works too."""
    helpers: list[Future[None]] = []
    try:
        for _ in range(count):
            helpers.append(_pool(count).submit(take))
    except RuntimeError:  # no more threads: the process is at its limit, or at its end
        pass
    return helpers


def _pool(helpers: int) -> ThreadPoolExecutor:
    with _LOCK:
        pool = _STATE.get("pool")
        if pool is None or pool._max_workers < helpers:
            pool = ThreadPoolExecutor(helpers, thread_name_prefix="symcalc")
            _STATE["pool"] = pool
        return pool


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _LOCK
    _LOCK = Lock()
    _STATE.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
