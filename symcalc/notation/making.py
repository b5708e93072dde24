"""The one lock under which what is made once is made: definitions of the catalogue, and kernels.

A fork takes it first, and Numba's own: it waits until no thread is at work, and its child finds
every lock free, no module half imported, and LLVM at rest.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - see _before_fork
import contextlib
import gc
import logging  # noqa: F401 - see _before_fork
import os
import sys
from collections.abc import Iterator
from threading import RLock
from typing import Any

MAKING = RLock()
PATIENCE = 30.0  # seconds that a fork waits, and no longer

_TAKEN: list[list[Any]] = []


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from searching, again and again, what is only just being made.

    Deriving and compiling make hundreds of thousands of objects, hardly any of them garbage: a
    warm process has its first result an eighth sooner.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _locks() -> list[Any]:
    """Return the lock, and Numba's once Numba is there, in the order in which they are taken."""
    compiler = getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)
    return [lock for lock in (MAKING, getattr(compiler, "_lock", None)) if lock is not None]


def _before_fork() -> None:
    """Take the locks.

    What registers last is called first. A thread that makes something may want the lock of
    `logging`, which a fork takes too, so that has to be taken after these: hence the imports.
    """
    _TAKEN.append([lock for lock in _locks() if lock.acquire(timeout=PATIENCE)])


def _after_fork() -> None:
    for lock in reversed(_TAKEN.pop()):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
