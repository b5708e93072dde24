"""A worker process and the pipes to it; the environment that gives all of them the same threads."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import symcalc
from symcalc.notation.errors import SymcalcError

_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "SYMCALC_THREADS",
)  # fmt: skip


class WorkerError(SymcalcError):
    """A worker died, hung or said that it failed."""


class HungError(WorkerError):
    """A worker did not answer in time."""


class AbsentError(SymcalcError):
    """A worker said that there is nothing to measure."""


class WorkerProcess:
    """A worker and the pipes to it.

    Args:
        threads: how many threads its library may use.
        further: variables of its environment beside those that set the threads.
    """

    def __init__(self, threads: int, further: Mapping[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile()
        with _processors(threads):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "symcalc.bench.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                env=environment(threads) | dict(further or {}), text=True, encoding="utf-8",
            )  # fmt: skip
        self._answers: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def send(self, request: dict[str, Any]) -> None:
        """Send a request; a dead worker is noticed by `receive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def receive(self, timeout: float) -> Any:
        """Return the answer to the last request.

        Raises:
            HungError: it did not answer in time; it is then killed.
            WorkerError: it failed or died.
            AbsentError: there is nothing to measure.
        """
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            self._process.kill()
            raise HungError(f"no answer within {timeout:g} s") from None
        if not line:
            raise WorkerError(self._death())
        answer = json.loads(line)
        if "failed" in answer:
            raise WorkerError(answer["failed"])
        if "absent" in answer:
            raise AbsentError(answer["absent"])
        return answer["ok"]

    def ask(self, request: dict[str, Any], timeout: float) -> Any:
        """Send a request and return its answer."""
        self.send(request)
        return self.receive(timeout)

    def _death(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "it closed its pipe"
        if code < 0:
            return f"it died of {signal.Signals(-code).name}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"it ended with status {code}" + (f": {said[-1][:200]}" if said else "")

    @property
    def status(self) -> int | None:
        """The status the worker ended with, None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End the worker, by force if it does not go; a second time does nothing."""
        if self._errors.closed:
            return
        self.send({"do": "quit"})
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=5)
        if self._process.stdout is not None and not self._listener.is_alive():
            self._process.stdout.close()
        self._errors.close()


def available_threads() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """Return the environment that gives every library the same number of threads."""
    env = dict(os.environ)
    env |= dict.fromkeys(_THREADS, str(threads))
    env |= {"JAX_PLATFORMS": "cpu", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    if threads == 1:
        flags = env.get("XLA_FLAGS", "")
        env["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    root = str(Path(symcalc.__file__).parents[1])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH", "")]))
    return env


@contextlib.contextmanager
def _processors(threads: int) -> Iterator[None]:
    """Let a process started here run on this many processors, where the system can say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[: max(threads, 1)])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)
