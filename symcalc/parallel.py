"""The same work on many objectives at once, in as many processes as kernels may use threads."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

R = TypeVar("R")

WORTH = 8  # so many and more: a process takes some seconds to start


def each(
    work: Callable[[str], R], names: Sequence[str], processes: int | None = None
) -> Iterator[R]:
    """Yield what work makes of each of the catalogue's objectives, in their order.

    Names are sent to new processes, not objectives: an index made elsewhere may be taken for one
    made there. Give it up early and what has not begun is not begun.

    Args:
        work: a function that a module holds by its name, or a partial of one.
        names: of the objectives.
        processes: how many work side by side; as many as kernels may use threads if not given.
    """
    from symcalc.backends.threads import thread_count

    count = min(processes or thread_count(), len(names))
    if count < 2:
        yield from map(work, names)
        return
    left = iter(names)
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        begun = deque(pool.submit(work, name) for name in itertools.islice(left, 2 * count))
        while begun:
            yield begun.popleft().result()
            begun.extend(pool.submit(work, name) for name in itertools.islice(left, 1))
