"""`benchmark`: the public door of this room."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column

from symcalc import __version__
from symcalc.bench.crew import Crew
from symcalc.bench.inputs import bytes_moved, bytes_stepped, make_case, positive
from symcalc.bench.measure import BATCH_SECONDS, Measured, Progress, measure
from symcalc.bench.peers import (
    BOUND,
    FLOOR,
    FRESH,
    OURS,
    PEERS,
    STEP,
    STEP_FLOOR,
    STEP_PEERS,
    Peer,
)
from symcalc.bench.process import available_threads
from symcalc.bench.table import Benchmark, rows
from symcalc.catalogue import catalogue, get
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective

_PACKAGES = (
    "numpy", "sympy", "numba", "torch", "jax", "scikit-learn", "numexpr", "pytensor", "tensorgrad",
)  # fmt: skip


def benchmark(
    objective: Objective | str,
    *,
    size: int | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: str = "float64",
    rounds: int = 7,
    threads: int | None = None,
    peers: Iterable[str | Peer] | None = None,
    seed: int = 0,
    timeout: float = 300.0,
    progress: Progress | None = None,
) -> Benchmark:
    """Measure value and gradient (for a layer: output and vector-Jacobian product) of an objective.

    An update is measured as a step in place, beside torch.optim's.

    Ours is called in three ways: with its arguments checked and gradients written into `out=`,
    without `out=` ("fresh arrays"), and bound to its arguments, so that they are checked once.
    Every peer runs in its own process with the same number of threads.  All are prepared first:
    imports and compilation are outside the timing.  Then come interleaved rounds; in each, every
    peer runs one batch of calls.  A peer that is not installed, or has no such objective, is left
    out and named in a footnote; one that fails becomes a row that says so.

    Args:
        objective: a definition, or its name in the catalogue.
        size: the number of elements of the largest input; 10 million, or 8192 x 1024 for two dims.
        shape: the extents of the dims, in place of `size`.
        dtype: "float64" or "float32".
        rounds: how many batches of each peer are timed, at least 1.
        threads: how many threads each may use; all processors if not given.
        peers: names of peers ("numpy", "torch", "torch.compile", "jax", "scikit-learn", "lambdify",
            "numexpr", "pytensor", "tensorgrad"; for updates "torch, fused", "torch"), or Peers; all
            if not given.
        seed: what the arrays are drawn from.
        timeout: seconds any one step of a peer may take before it is ended.
        progress: called with what is being done, steps done and steps in all; `progress_bar`
            makes one.

    Returns:
        A Benchmark: rows, and how to show them.

    Raises:
        UnknownObjectiveError: no objective of this name.
        ArgumentError, ArgumentTypeError: a size, shape, dtype, count or peer that does not make
            sense.
    """
    if isinstance(objective, str):
        objective = get(objective)
    case = make_case(objective, size=size, shape=shape, dtype=dtype, seed=seed)
    rounds = positive("rounds", rounds)
    threads = available_threads() if threads is None else positive("threads", threads)
    timeout = positive_seconds("timeout", timeout)
    if objective.state:
        entrants: tuple[Peer, ...] = (STEP, *chosen(peers, STEP_PEERS), STEP_FLOOR)
        moved = bytes_stepped(objective, case)
    else:
        entrants = (OURS, FRESH, BOUND, *chosen(peers), FLOOR)
        moved = bytes_moved(objective, case)
    known = catalogue().get(objective.name) is objective
    load = busy()
    with Crew(threads) as crew:
        found, missing = measure(
            objective, case, entrants, crew, known=known, rounds=rounds, batch=BATCH_SECONDS,
            threads=threads, timeout=timeout, progress=progress or silent,
        )  # fmt: skip
    return Benchmark(
        case, rows(found), threads, rounds, moved,
        (*footnotes(found, missing), *load), machine(),
        "a step in place" if objective.state else "value and gradient",
    )  # fmt: skip


@contextlib.contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Progress]:
    """Show a progress bar while the block runs.

    with progress_bar() as progress: benchmark("huber", progress=progress)

    Args:
        console: where to show it; standard error if not given.

    Yields:
        What `benchmark` takes as `progress`.
    """
    words = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        BarColumn(bar_width=20), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False, table_column=words),
    )  # fmt: skip
    console = console or Console(stderr=True)
    with Bar(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task("starting", total=1)

        def show(what: str, done: int, steps: int) -> None:
            bar.update(task, description=what, completed=done, total=steps)

        yield show


def silent(what: str, done: int, steps: int) -> None:
    """Show nothing."""


def chosen(peers: Iterable[str | Peer] | None, every: tuple[Peer, ...] = PEERS) -> tuple[Peer, ...]:
    """Return the peers that are meant by names, or by themselves; all if none are given.

    Raises:
        ArgumentError, ArgumentTypeError: a name that no peer has, or one text in place of a list.
    """
    if peers is None:
        return every
    if isinstance(peers, str):
        raise ArgumentTypeError(f"peers: expected a list of names, got the text {peers!r}")
    known = {peer.name: peer for peer in every}
    chosen: dict[str, Peer] = {}
    for peer in peers:
        if isinstance(peer, str) and peer not in known:
            raise ArgumentError(f"peers: expected names among {', '.join(known)}, got {peer!r}")
        entrant = known[peer] if isinstance(peer, str) else peer
        chosen.setdefault(entrant.name, entrant)
    return tuple(chosen.values())


def positive_seconds(name: str, value: Any) -> float:
    """Return a positive number of seconds.

    Raises:
        ArgumentError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ArgumentError(f"{name}: expected positive seconds, got {value!r}")
    return float(value)


def footnotes(found: list[Measured], missing: str) -> tuple[str, ...]:
    """Return which peers are left out and why, and why there is no accuracy if there is none."""
    notes = [f"left out: {m.peer.name} ({m.absent})" for m in found if m.absent]
    return (*notes, *([f"no accuracy: {missing}"] if missing else []))


def busy() -> tuple[str, ...]:
    """Say so if other processes are using the processors."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5:
        return ()
    return (f"the machine was busy when this started: load {load:.1f}",)


def machine() -> dict[str, str]:
    """Return the processor, the system, and the versions of what is installed."""
    about = {"processor": _processor(), "system": f"{platform.system()} {platform.machine()}",
             "python": platform.python_version(), "symcalc": __version__}  # fmt: skip
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            about[package] = importlib.metadata.version(package)
    return about


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
