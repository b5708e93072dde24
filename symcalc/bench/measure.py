"""Measuring: one process a peer, all prepared first, then interleaved rounds of timed batches."""

from __future__ import annotations

import base64
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from symcalc.bench.accuracy import Accuracy, judge
from symcalc.bench.inputs import Case
from symcalc.bench.peers import Peer
from symcalc.bench.process import AbsentError, WorkerError, WorkerProcess
from symcalc.notation.objective import Objective

Progress = Callable[[str, int, int], None]
BATCH_SECONDS = 0.1
_PAUSE = 0.02


@dataclass
class Measured:
    """What was measured of one peer.

    Args:
        peer: which.
        times: seconds a call, one for each round.
        first: seconds of the first call, import and compilation included.
        accuracy: errors in ulps, where there is a result and a reference.
        failed: why there is no result; empty if there is.
        absent: why the peer takes no part; empty if it does.
    """

    peer: Peer
    times: list[float] = field(default_factory=list)
    first: float | None = None
    accuracy: Accuracy | None = None
    failed: str = ""
    absent: str = ""

    @property
    def runs(self) -> bool:
        """Whether there is something to time."""
        return not self.failed and not self.absent


@dataclass
class _Entrant:
    """A peer's record and its worker."""

    record: Measured
    worker: WorkerProcess | None
    timeout: float

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer to a request, or None once the peer is out."""
        if self.record.runs and self.worker is not None:
            self.worker.send(request)
        return self.receive()

    def receive(self) -> Any:
        """Return the answer to the request sent, or None; record what went wrong."""
        if not self.record.runs or self.worker is None:
            return None
        try:
            return self.worker.receive(self.timeout)
        except WorkerError as error:
            self.record.failed = str(error)
        except AbsentError as error:
            self.record.absent = str(error)
        self.close()
        return None

    def close(self) -> None:
        """End the worker, if there is one."""
        if self.worker is not None:
            self.worker.close()


class _Steps:
    """Counts steps for the progress display."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._done, self._progress = total, 0, progress

    def __call__(self, what: str) -> None:
        self._progress(what, self._done, self._total)
        self._done += 1

    def finish(self) -> None:
        """Say that all is done."""
        self._progress("done", self._total, self._total)


def measure(
    objective: Objective,
    case: Case,
    peers: tuple[Peer, ...],
    *,
    known: bool,
    rounds: int,
    threads: int,
    timeout: float,
    progress: Progress,
) -> tuple[list[Measured], str]:
    """Measure every peer on one case.

    Args:
        objective: the definition.
        case: its size and dtype.
        peers: whom to measure.
        known: whether the objective is the catalogue's own of that name.
        rounds: how many timed batches each gets; in each round all run, in rotated order.
        threads: how many threads each library may use.
        timeout: seconds a worker may take for one answer.
        progress: told what is being done, steps done and steps in all.

    Returns:
        What was measured, in the order of `peers`, and why there is no reference if there is none.
    """
    step = _Steps((2 + rounds) * len(peers) + 1, progress)
    job: dict[str, Any] = {"case": case.to_dict(), "threads": threads}
    if not known:
        job["objective"] = base64.b64encode(pickle.dumps(objective)).decode()
    entrants: list[_Entrant] = []
    judging = WorkerProcess(threads)
    try:
        judging.send({"do": "reference", **job})
        for peer in peers:
            entrants.append(_enter(peer, job, known, threads, timeout))
        for entrant in entrants:
            step(f"preparing {entrant.record.peer.name}")
            entrant.record.first = entrant.receive()
        step("evaluating the reference")
        reference, missing = _reference(judging, timeout)
        for entrant in entrants:
            step(f"trying {entrant.record.peer.name}")
            entries = entrant.ask({"do": "entries"})
            if entries is not None and reference is not None:
                entrant.record.accuracy = judge(entries, reference, case.dtype)
            entrant.ask({"do": "calibrate", "seconds": BATCH_SECONDS})
        for number in range(rounds):
            turn = number % len(entrants)
            for entrant in entrants[turn:] + entrants[:turn]:
                step(f"round {number + 1} of {rounds}: {entrant.record.peer.name}")
                time.sleep(_PAUSE)  # the threads of the one before come to rest
                seconds = entrant.ask({"do": "batch"})
                if seconds is not None:
                    entrant.record.times.append(seconds)
        step.finish()
        return [entrant.record for entrant in entrants], missing
    finally:
        judging.close()
        for entrant in entrants:
            entrant.close()


def _enter(peer: Peer, job: dict[str, Any], known: bool, threads: int, timeout: float) -> _Entrant:
    """Start a peer's worker and let it prepare."""
    if peer.catalogue_only and not known:
        absent = Measured(peer, absent="it knows the catalogue's objectives only")
        return _Entrant(absent, None, timeout)
    worker = WorkerProcess(threads)
    worker.send({"do": "prepare", "module": peer.module, "package": peer.package,
                 "variant": peer.variant, **job})  # fmt: skip
    return _Entrant(Measured(peer), worker, timeout)


def _reference(worker: WorkerProcess, timeout: float) -> tuple[Any, str]:
    try:
        return worker.receive(timeout), ""
    except (WorkerError, AbsentError) as error:
        return None, str(error)
    finally:
        worker.close()
