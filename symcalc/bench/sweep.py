"""`sweep`: measure a suite, case after case, each peer's process kept for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from symcalc.bench.crew import Crew
from symcalc.bench.first_call import TIMED, FirstCall, first_call
from symcalc.bench.inputs import Case, bytes_moved, positive
from symcalc.bench.measure import Progress, measure, steps
from symcalc.bench.process import available_threads
from symcalc.bench.results import GroupResults, Results
from symcalc.bench.run import busy, footnotes, machine, silent
from symcalc.bench.suite import FULL, Group, Suite
from symcalc.bench.table import Benchmark, rows
from symcalc.catalogue import get


def sweep(
    suite: Suite = FULL, *, threads: int | None = None, progress: Progress | None = None
) -> Results:
    """Measure every case of a suite, and the first calls.

    On each case all peers are prepared, then timed in interleaved rounds, as `benchmark` does it.
    A peer that crashes or hangs costs its row, not the run.

    Args:
        suite: what to measure.
        threads: how many threads each peer may use; all processors if not given.
        progress: called with what is being done, steps done and steps in all.

    Returns:
        The Results.

    Raises:
        ArgumentError, ArgumentTypeError: a number of threads that makes no sense.
    """
    threads = available_threads() if threads is None else positive("threads", threads)
    notes, began = busy(), time.perf_counter()
    at = _Place(_total(suite), progress or silent)
    with Crew(threads) as crew:
        groups = tuple(
            GroupResults(
                group.name,
                tuple(_case(case, group, suite, crew, threads, at) for case in group.cases),
            )
            for group in suite.groups
        )
    calls = tuple(_first_calls(suite, threads, at))
    at.finish()
    seconds = time.perf_counter() - began
    return Results(suite.name, groups, calls, threads, machine(), seconds, notes)


class _Place:
    """Where in the whole run the progress of one case stands."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress, self._before = total, progress, 0

    def inside(self, title: str) -> Progress:
        """Return the progress of one case, told as part of the whole."""
        before = self._before

        def tell(what: str, done: int, count: int) -> None:
            self._before = before + done
            self._progress(f"{title}: {what}", self._before, self._total)

        return tell

    def finish(self) -> None:
        """Say that all is done."""
        self._progress("done", self._total, self._total)


def _total(suite: Suite) -> int:
    counts = (len(g.cases) * steps(len(g.entrants(suite.peers)), g.rounds) for g in suite.groups)
    return sum(counts) + len(suite.first_calls) * len(TIMED)


def _case(
    case: Case, group: Group, suite: Suite, crew: Crew, threads: int, at: _Place
) -> Benchmark:
    objective = get(case.name)
    found, missing = measure(
        objective, case, group.entrants(suite.peers), crew, known=True, rounds=group.rounds,
        batch=group.batch, threads=threads, timeout=suite.timeout, progress=at.inside(case.title),
    )  # fmt: skip
    moved = bytes_moved(objective, case)
    return Benchmark(
        case, rows(found), threads, group.rounds, moved, footnotes(found, missing), machine()
    )


def _first_calls(suite: Suite, threads: int, at: _Place) -> list[FirstCall]:
    found = []
    for case in suite.first_calls:
        tell: Callable[..., None] = at.inside(f"first calls of {case.name}")
        for number, peer in enumerate(TIMED):
            tell(peer.name, number, len(TIMED))
            found.append(first_call(case, peer, threads, suite.timeout))
        tell("done", len(TIMED), len(TIMED))
    return found
