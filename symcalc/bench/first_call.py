"""First calls: from the import to the first result, in fresh processes, one at a time.

Ours is timed as a user meets it: the clock starts at the first statement of a fresh Python and
stops when the first value and gradient are there, the imports of NumPy and of symcalc among them.
Cold, the kernel cache is empty; cached, it holds what the cold process left; warm is the next call
in the same process.  A peer is timed in the worker that the benchmark uses, where NumPy and SymPy
are loaded before its clock starts, so its own import is all it pays for; torch.compile's cache
takes the part of ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symcalc.bench.inputs import Case, draw
from symcalc.bench.peers import OURS, PEERS, Peer
from symcalc.bench.process import AbsentError, WorkerError, WorkerProcess, environment
from symcalc.catalogue import get

_CACHED = {"torch.compile": "TORCHINDUCTOR_CACHE_DIR"}
_SHOWN = ("torch", "torch.compile", "jax")
TIMED = (OURS, *(peer for peer in PEERS if peer.name in _SHOWN))

_OURS = """
import time
began = time.perf_counter()
import json, sys
import numpy as np
import symcalc as sc
name, dtype, path, hyper = sys.argv[1:]
kernel = sc.compile(name, dtype=dtype)
arrays = dict(np.load(path))
call = kernel.vjp if "cotangent" in arrays else kernel.value_and_grad
further = json.loads(hyper)
call(**arrays, **further)
first = time.perf_counter() - began
began = time.perf_counter()
call(**arrays, **further)
print(json.dumps([first, time.perf_counter() - began]))
"""


@dataclass(frozen=True)
class FirstCall:
    """What the first calls of one library on one case cost.

    Args:
        case: what is called.
        name: ours, or the peer's name.
        cold: seconds from import to first result with empty caches.
        cached: the same in a second process, with the caches the first one left; None where the
            library keeps none on disk by default.
        warm: seconds of a later call in the same process.
        note: why there are no times; empty if there are.
    """

    case: Case
    name: str
    cold: float | None = None
    cached: float | None = None
    warm: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self) | {"case": self.case.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FirstCall:
        """Return what `to_dict` wrote."""
        return cls(**{**data, "case": Case.from_dict(data["case"])})


def first_call(case: Case, peer: Peer, threads: int, timeout: float) -> FirstCall:
    """Time the first calls of ours or of a peer.

    Args:
        case: a case of the catalogue.
        peer: `OURS`, or a peer.
        threads: how many threads the library may use.
        timeout: seconds a process may take.

    Returns:
        The FirstCall; if something went wrong, its note says what.
    """
    timed = _ours if peer.name == OURS.name else _peers
    with tempfile.TemporaryDirectory(prefix="symcalc-first-") as folder:
        try:
            return timed(case, peer, threads, timeout, Path(folder))
        except AbsentError as error:
            return FirstCall(case, peer.name, note=str(error))
        except WorkerError as error:
            return FirstCall(case, peer.name, note=f"failed: {error}")


def _ours(case: Case, peer: Peer, threads: int, timeout: float, folder: Path) -> FirstCall:
    problem = draw(get(case.name), case)
    arrays = dict(problem.arrays)
    if problem.cotangent is not None:
        arrays["cotangent"] = problem.cotangent
    inputs = folder / "arrays.npz"
    np.savez(inputs, **arrays)
    command = [sys.executable, "-c", _OURS, case.name, case.dtype, str(inputs),
               json.dumps(dict(problem.hyper))]  # fmt: skip
    env = environment(threads) | {"SYMCALC_CACHE_DIR": str(folder / "cache")}

    def run() -> list[float]:
        try:
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, timeout=timeout, check=True
            )
        except subprocess.TimeoutExpired:
            raise WorkerError(f"no answer within {timeout:g} s") from None
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines() or ["it said nothing"]
            raise WorkerError(said[-1][:200]) from None
        return list(json.loads(done.stdout.splitlines()[-1]))

    (cold, _), (cached, warm) = run(), run()
    return FirstCall(case, peer.name, cold, cached, warm)


def _peers(case: Case, peer: Peer, threads: int, timeout: float, folder: Path) -> FirstCall:
    cache = {_CACHED[peer.name]: str(folder)} if peer.name in _CACHED else {}
    cold, warm = _fresh(case, peer, threads, timeout, cache)
    cached = _fresh(case, peer, threads, timeout, cache)[0] if cache else None
    return FirstCall(case, peer.name, cold, cached, warm)


def _fresh(
    case: Case, peer: Peer, threads: int, timeout: float, further: Mapping[str, str]
) -> tuple[float, float]:
    """Return the seconds of the first call and of the fourth, in a worker of its own."""
    worker = WorkerProcess(threads, further)
    try:
        request = {"do": "prepare", "module": peer.module, "package": peer.package,
                   "variant": peer.variant, "threads": threads, "case": case.to_dict()}  # fmt: skip
        return worker.ask(request, timeout), worker.ask({"do": "batch"}, timeout)
    finally:
        worker.close()
