"""Processes of their own for tests: what they are run with, and what they say."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Compiles one kernel and says what came of it, what Numba had to compile, and what was warned of.
KERNEL = """
import json, sys, warnings
import numba, numpy
{before}
import symcalc as sc
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    kernel = sc.compile("l2")
    value, gradient = kernel.value_and_grad([3.0, 4.0])
    sc.compile("l2").value_and_grad([3.0, 4.0])
    {after}
own = [d for m in list(sys.modules.values()) if m.__name__.startswith("symcalc_kernel_")
       for d in vars(m).values() if getattr(d, "__module__", "") == m.__name__]
print(json.dumps({{"value": value, "gradient": gradient.tolist(),
                  "compiled": sum(sum(d.stats.cache_misses.values()) for d in own),
                  "said": [str(w.message) for w in caught]}}))
"""
RIGHT = {"value": 12.5, "gradient": [3.0, 4.0]}
COMPILED = {**RIGHT, "compiled": 1, "said": []}
LOADED = {**RIGHT, "compiled": 0, "said": []}


def obey_permissions() -> None:
    """Take the superuser's exemption from permissions away before a program is run."""
    if os.geteuid() == 0:
        drop_from_bounding_set, override, read_and_search = 24, 1, 2
        prctl = ctypes.CDLL(None).prctl
        prctl(drop_from_bounding_set, override, 0, 0, 0)
        prctl(drop_from_bounding_set, read_and_search, 0, 0, 0)


def start(code: str, folder: Any = None, **more: Any) -> subprocess.Popen[str]:
    """Start a program with a cache folder, bound by permissions."""
    environment = {**os.environ, "SYMCALC_CACHE_DIR": str(folder), **more.pop("env", {})}
    if folder is None:
        del environment["SYMCALC_CACHE_DIR"]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=obey_permissions if sys.platform == "linux" else None, **more,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], timeout: float = 120) -> str:
    """Return what a program says; one that hangs is ended, and fails."""
    try:
        said, complaint = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        _, complaint = process.communicate()
        raise AssertionError(f"it hangs: {complaint[-2000:]}") from None
    assert process.returncode == 0, complaint[-4000:]
    return said.strip()


def run(code: str, folder: Any = None, timeout: float = 120, **more: Any) -> str:
    """Run a program to its end and return what it says."""
    return finish(start(code, folder, **more), timeout)


def kernel(folder: Any, before: str = "", after: str = "", **more: Any) -> dict[str, Any]:
    """Compile and call one kernel in a process with this cache; return what came of it."""
    said = run(KERNEL.format(before=before, after=after), folder, **more)
    found: dict[str, Any] = json.loads(said)
    return found


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything in a cache but the locks: content and time of writing."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in found}
