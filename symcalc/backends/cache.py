"""Generated kernels as files: named by the hash of all they depend on, written atomically."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import platform
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_LOCK = threading.RLock()
LONGEST_STEM = 60


def cache_directory() -> Path:
    """Return the folder that generated kernels live in, made if need be.

    `SYMCALC_CACHE_DIR` overrides the platform's cache folder; a folder that cannot be written to is
    replaced, for this process and with one warning, by a temporary one.
    """
    return _usable(os.environ.get("SYMCALC_CACHE_DIR") or _platform_directory())


def _platform_directory() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("symcalc", appauthor=False)


@functools.cache
def _usable(wanted: str) -> Path:
    path = Path(wanted).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        fallback = Path(tempfile.mkdtemp(prefix="symcalc-"))
        warnings.warn(
            f"symcalc: the cache folder {path} cannot be written to ({error.strerror}); kernels of "
            "this process go to a temporary folder; set SYMCALC_CACHE_DIR to another one",
            RuntimeWarning,
            stacklevel=4,
        )
        return fallback
    return path


@functools.cache
def _surroundings() -> str:
    """What a compiled kernel depends on besides its own source."""
    import numba
    import numpy

    here = Path(__file__).parent
    digest = hashlib.sha256()
    called = [
        here / "door.py",
        here / "scalar_math.py",
        here / "coefficients.py",
        *here.glob("vector_math/*.py"),
    ]
    for source in sorted(called):
        digest.update(source.read_bytes() if source.exists() else b"")
    versions = (numba.__version__, numpy.__version__, platform.python_version(), platform.machine())
    return f"{digest.hexdigest()} {' '.join(versions)}"


def load_module(name: str, source: str) -> ModuleType:
    """Write a generated module to the cache, if it is not there intact, and import it.

    Args:
        name: a readable stem, such as "huber_value_and_grad".
        source: the module's text.

    Returns:
        The module, registered under a name of its own, so that Numba's cache can refer to it.
    """
    digest = hashlib.sha256(f"{source}\0{_surroundings()}".encode()).hexdigest()[:16]
    name = re.sub(r"\W", "_", name)[:LONGEST_STEM]
    qualified = f"symcalc_kernel_{name}_{digest}"
    with _LOCK:
        if qualified in sys.modules:
            return sys.modules[qualified]
        folder = cache_directory() / f"{name}_{digest}"
        path = folder / f"{qualified}.py"
        if not _holds(path, source):
            _write(path, source)
        spec = importlib.util.spec_from_file_location(qualified, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[qualified] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[qualified]
            raise
        return module


@contextlib.contextmanager
def sealed(module: ModuleType) -> Iterator[None]:
    """Guard Numba's own cache files while a kernel is compiled or loaded inside the block.

    Files that do not match the checksums written after an earlier compilation are removed before
    Numba unpickles them, and one process at a time works on a kernel's folder.
    """
    assert module.__file__ is not None
    folder = Path(module.__file__).parent
    with _locked(folder / "lock"):
        _remove_strangers(folder)
        yield
        _write(folder / "seal.json", json.dumps(_checksums(folder), indent=1, sort_keys=True))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes, where the platform has one."""
    try:
        import fcntl
    except ImportError:  # Windows: the seal alone tells half-written files
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted((folder / "__pycache__").glob("*.nb[ic]"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _remove_strangers(folder: Path) -> None:
    """Remove compiled files that the seal does not vouch for, all of them if any is wrong."""
    try:
        known = json.loads((folder / "seal.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if _checksums(folder) != known:
        for file in (folder / "__pycache__").glob("*.nb[ic]"):
            file.unlink(missing_ok=True)


def _holds(path: Path, source: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == source
    except (OSError, UnicodeDecodeError):
        return False


def _write(path: Path, source: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(source)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
