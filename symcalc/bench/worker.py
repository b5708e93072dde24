"""One peer in a process of its own: `python -m symcalc.bench.worker`, JSON lines in and out.

Each request is {"do": ..., ...}; each answer {"ok": ...}, {"absent": why} or {"failed": why}.

    prepare    forget the case before; draw the arrays, import the library, compile, run twice
    reference  draw the arrays, evaluate the reference at the sampled entries
    forget     let go of the case and its arrays
    entries    run once, return the sampled entries (null where there are none)
    calibrate  choose how many calls make a batch of the wanted length
    batch      time one batch, return seconds a call
    quit
"""

from __future__ import annotations

import base64
import gc
import importlib
import importlib.util
import itertools
import json
import math
import os
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from symcalc.bench.inputs import Case, Problem, draw
from symcalc.bench.peers import NotOfferedError, Runner

_MOST_CALLS = 100_000
_WARM_BELOW = 0.02


class Worker:
    """Answers requests about one peer."""

    def __init__(self) -> None:
        self._problem: Problem | None = None
        self._runner: Runner | None = None
        self._calls = 1
        self._seconds = 0.0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request; whatever goes wrong becomes `failed`."""
        try:
            return {"ok": getattr(self, "_" + request["do"])(request)}
        except NotOfferedError as error:
            self._forget(request)
            return {"absent": str(error)}
        except Exception as error:
            return {"failed": _reason(error)}

    def _forget(self, request: dict[str, Any]) -> None:
        self._problem = self._runner = None
        gc.unfreeze()
        gc.collect()

    def _draw(self, request: dict[str, Any]) -> Problem:
        case = Case.from_dict(request["case"])
        if "objective" in request:
            objective = pickle.loads(base64.b64decode(request["objective"]))
        else:
            from symcalc.catalogue import get

            objective = get(case.name)
        self._problem = draw(objective, case)
        return self._problem

    def _prepare(self, request: dict[str, Any]) -> float:
        """Return the seconds of the first call: compilation, and at a first case the import."""
        self._forget(request)
        if importlib.util.find_spec(request["package"]) is None:
            raise NotOfferedError(f"{request['package']} is not installed")
        problem = self._draw(request)
        start = time.perf_counter()
        module = importlib.import_module(request["module"])
        self._runner = module.runner(problem, request["variant"], request["threads"])
        self._runner.call()
        first = time.perf_counter() - start
        self._runner.call()
        gc.freeze()  # so that collecting before each batch need not walk through whole libraries
        return first

    def _reference(self, request: dict[str, Any]) -> Any:
        from symcalc.bench.accuracy import reference_entries
        from symcalc.bench.reference import is_precise_enough

        problem = self._draw(request)
        if not is_precise_enough(problem.case.dtype):
            raise NotOfferedError("this machine's long double is too short for a reference")
        try:
            return reference_entries(problem)
        finally:
            self._forget(request)

    def _entries(self, request: dict[str, Any]) -> Any:
        from symcalc.bench.accuracy import entries

        assert self._runner is not None
        assert self._problem is not None
        if self._runner.read is None:
            return None
        value, grads = self._runner.read(self._runner.call())
        return entries(self._problem, value, grads)

    def _calibrate(self, request: dict[str, Any]) -> int:
        """Double the calls until they fill the wanted time, then set the number a batch has."""
        calls = 1
        while True:
            seconds = self._time(calls)
            if seconds >= request["seconds"] / 4 or calls >= _MOST_CALLS:
                break
            calls *= 2
        self._seconds = seconds / calls
        wanted = math.ceil(request["seconds"] / max(self._seconds, 1e-9))
        self._calls = max(1, min(_MOST_CALLS, wanted))
        return self._calls

    def _batch(self, request: dict[str, Any]) -> float:
        assert self._runner is not None
        if self._seconds < _WARM_BELOW:
            self._runner.call()
        return self._time(self._calls) / self._calls

    def _time(self, calls: int) -> float:
        assert self._runner is not None
        call: Callable[[], Any] = self._runner.call
        gc.collect()
        gc.disable()
        try:
            start = time.perf_counter()
            for _ in itertools.repeat(None, calls):
                call()
            return time.perf_counter() - start
        finally:
            gc.enable()


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".rstrip(": ")[:200]


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer every request until "quit" or the end of the input."""
    worker = Worker()
    for line in requests:
        request = json.loads(line)
        if request["do"] == "quit":
            return
        answers.write(json.dumps(worker.answer(request)) + "\n")
        answers.flush()


def main() -> None:
    """Serve standard input; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
