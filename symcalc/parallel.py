"""The same work on many objectives at once, in as many processes as kernels may use threads."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

R = TypeVar("R")

_FEW = 8  # a process takes some seconds to start


def each(work: Callable[[str], R], names: Sequence[str]) -> Iterator[R]:
    """Yield what work makes of each of the catalogue's objectives, in their order.

    A few are worked on here, one after another; more of them in new processes. Names are sent, not
    objectives: an index made elsewhere may be taken for one made there. Give it up early and what
    has not begun is not begun.

    Args:
        work: a function that a module holds by its name, or a partial of one.
        names: of the objectives.
    """
    from symcalc.backends.threads import thread_count

    if len(names) < _FEW or thread_count() < 2:
        yield from map(work, names)
        return
    pool = ProcessPoolExecutor(thread_count(), multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(work, names)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
