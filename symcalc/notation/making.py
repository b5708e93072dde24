"""The one lock under which what is made once is made: definitions of the catalogue, and kernels.

A fork takes it first, and Numba's own: it waits until no thread is at work, and its child finds
every lock free, no module half imported, and LLVM at rest.
"""

from __future__ import annotations

import os
import sys
from threading import RLock
from typing import Any

MAKING = RLock()

_TAKEN: list[Any] = []


def _compiler_lock() -> Any:
    """Numba's lock, once Numba is there."""
    return getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)


def _before_fork() -> None:
    MAKING.acquire()
    lock = _compiler_lock()
    if lock is not None:
        lock.acquire()
    _TAKEN.append(lock)


def _after_fork() -> None:
    lock = _TAKEN.pop()
    if lock is not None:
        lock.release()
    MAKING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
