"""Measuring: one process a peer, all prepared first, then interleaved rounds of timed batches."""

from __future__ import annotations

import base64
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from symcalc.bench.accuracy import Accuracy, judge
from symcalc.bench.crew import REFERENCE, Crew
from symcalc.bench.inputs import Case
from symcalc.bench.peers import Peer
from symcalc.bench.process import AbsentError, WorkerError
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
        first: seconds of the first call: compilation, and where the worker is new the import.
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
    """A peer's record and its worker in the crew."""

    record: Measured
    crew: Crew
    timeout: float

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer to a request, or None once the peer is out."""
        if self.record.runs:
            self.crew.worker(self.record.peer.name).send(request)
        return self.receive()

    def receive(self) -> Any:
        """Return the answer to the request sent, or None; record what went wrong."""
        if not self.record.runs:
            return None
        name = self.record.peer.name
        try:
            return self.crew.worker(name).receive(self.timeout)
        except WorkerError as error:
            self.record.failed = str(error)
            self.crew.end(name, error)
        except AbsentError as error:
            self.record.absent = str(error)
        return None


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


def steps(peers: int, rounds: int) -> int:
    """Return how many steps the measuring of one case has."""
    return (2 + rounds) * peers + 1


def measure(
    objective: Objective,
    case: Case,
    peers: tuple[Peer, ...],
    crew: Crew,
    *,
    known: bool,
    rounds: int,
    batch: float,
    threads: int,
    timeout: float,
    progress: Progress,
) -> tuple[list[Measured], str]:
    """Measure every peer on one case.

    Args:
        objective: the definition.
        case: its size and dtype.
        peers: whom to measure.
        crew: whose workers do it.
        known: whether the objective is the catalogue's own of that name.
        rounds: how many timed batches each gets; in each round all run, in rotated order.
        batch: seconds that a batch of calls should fill.
        threads: how many threads each library may use.
        timeout: seconds a worker may take for one answer.
        progress: told what is being done, steps done and steps in all.

    Returns:
        What was measured, in the order of `peers`, and why there is no reference if there is none.
    """
    step = _Steps(steps(len(peers), rounds), progress)
    job: dict[str, Any] = {"case": case.to_dict(), "threads": threads}
    if not known:
        job["objective"] = base64.b64encode(pickle.dumps(objective)).decode()
    crew.hire(REFERENCE).send({"do": "reference", **job})
    entrants = [_enter(peer, crew, job, known, timeout) for peer in peers]
    for entrant in entrants:
        step(f"preparing {entrant.record.peer.name}")
        entrant.record.first = entrant.receive()
    step("evaluating the reference")
    reference, missing = _reference(crew, timeout)
    for entrant in entrants:
        step(f"trying {entrant.record.peer.name}")
        entries = entrant.ask({"do": "entries"})
        if entries is not None and reference is not None:
            entrant.record.accuracy = judge(entries, reference, case.dtype)
        entrant.ask({"do": "calibrate", "seconds": batch})
    for number in range(rounds):
        turn = number % len(entrants)
        for entrant in entrants[turn:] + entrants[:turn]:
            step(f"round {number + 1} of {rounds}: {entrant.record.peer.name}")
            _time(entrant)
    step.finish()
    return [entrant.record for entrant in entrants], missing


def _enter(peer: Peer, crew: Crew, job: dict[str, Any], known: bool, timeout: float) -> _Entrant:
    """Let a peer's worker prepare, or say why it does not."""
    entrant = _Entrant(Measured(peer), crew, timeout)
    if peer.catalogue_only and not known:
        entrant.record.absent = "it knows the catalogue's objectives only"
    elif crew.is_given_up(peer):
        entrant.record.failed = "not asked again after it let time run out"
    else:
        crew.hire(peer.name).send({"do": "prepare", "module": peer.module, **job,
                                     "package": peer.package, "variant": peer.variant})  # fmt: skip
    return entrant


def _time(entrant: _Entrant) -> None:
    """Time one batch."""
    if not entrant.record.runs:
        return
    time.sleep(_PAUSE)  # the threads of the one before come to rest
    seconds = entrant.ask({"do": "batch"})
    if seconds is not None:
        entrant.record.times.append(seconds)


def _reference(crew: Crew, timeout: float) -> tuple[Any, str]:
    try:
        return crew.worker(REFERENCE).receive(timeout), ""
    except WorkerError as error:
        crew.end(REFERENCE, error)
        return None, str(error)
    except AbsentError as error:
        return None, str(error)
