"""Workers that stay from case to case, one a peer; a library is imported once for all of them."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from symcalc.bench.peers import Peer
from symcalc.bench.process import HungError, WorkerError, WorkerProcess

_PATIENCE = 2
REFERENCE = "reference"


class Crew:
    """The workers of a run.

    A worker that failed is ended, and a fresh one takes its place at the next case; a peer that
    has let time run out twice is not asked again, so that a run always ends.

    Args:
        threads: how many threads each worker's library may use.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._workers: dict[str, WorkerProcess] = {}
        self._hung: Counter[str] = Counter()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def worker(self, name: str) -> WorkerProcess:
        """Return the worker of this name, started if there is none."""
        if name not in self._workers:
            self._workers[name] = WorkerProcess(self._threads)
        return self._workers[name]

    def hire(self, name: str) -> WorkerProcess:
        """Return the worker of this name for another case: a fresh one if the last one is dead."""
        if name in self._workers and self._workers[name].status is not None:
            self.end(name)
        return self.worker(name)

    def is_given_up(self, peer: Peer) -> bool:
        """Whether a peer has let time run out too often."""
        return self._hung[peer.name] >= _PATIENCE

    def end(self, name: str, because: WorkerError | None = None) -> None:
        """End a worker; the next case gets a fresh one."""
        if isinstance(because, HungError):
            self._hung[name] += 1
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.close()

    def close(self) -> None:
        """End all workers, which take their leave side by side."""
        for worker in self._workers.values():
            worker.send({"do": "quit"})
        for name in list(self._workers):
            self.end(name)
