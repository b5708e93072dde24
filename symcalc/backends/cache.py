"""The folder of generated kernels: files named by the hash of all they depend on, written whole.

    <cache>/<name>_<hash>/symcalc_kernel_<name>_<hash>.py   the generated source, to be read
                          <function>.<hash>.kernel          a checksum, then what was compiled
                          lock                              held by the process that compiles

A hash names what a kernel depends on, so a file is right or wrong and never out of date. A compiled
file begins with the checksum of its content and of its key; one that does not bear it out is taken
as not there, and replaced. Nothing here stands in the way of a result: what cannot be kept on disk
is kept in memory, and said once.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import stat
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "symcalc_kernel_"
MOST_KERNELS = 1000
UNUSED_DAYS = 90
PATIENCE = 20.0  # seconds to wait for another process that makes the same kernel
_OURS = re.compile(r"symcalc_kernel_\w+\.py|\w+\.[0-9a-f]{16}\.kernel|[0-9a-f]{16}\.tmp|lock")
_DIGEST = 32
_SAID: set[str] = set()


@dataclass(frozen=True)
class Stored:
    """A kernel on disk.

    Args:
        folder: where it lies.
        size: of its files, in bytes.
        used: when it was last loaded or written, in seconds since the epoch.
    """

    folder: Path
    size: int
    used: float


def wanted_directory() -> Path:
    """Return the folder that kernels belong in, whether or not it is there.

    It is `SYMCALC_CACHE_DIR`, or the platform's cache folder where that is not set, or blank.
    """
    return _absolute(os.environ.get("SYMCALC_CACHE_DIR", "").strip() or _platform_directory())


def cache_directory() -> Path:
    """Return the folder that kernels are written to, made if need be.

    It is the wanted one. Where that cannot be written to, it is, for this process and with one
    warning, a folder of this user's under the system's temporary one.
    """
    return _writable(wanted_directory())


def _platform_directory() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("symcalc", appauthor=False)


@functools.cache
def _absolute(wanted: str) -> Path:
    """Say where a path leads from where the process stands when it is first asked for."""
    with contextlib.suppress(RuntimeError):  # ~ of nobody
        return Path(wanted).expanduser().absolute()
    return Path(wanted).absolute()


@functools.cache
def _writable(wanted: Path) -> Path:
    try:
        _try_writing(wanted)
    except OSError as error:
        instead = _temporary()
        rest = "are not kept" if instead is None else f"go to {instead}"
        _say(wanted, error, f"kernels {rest}")
        return instead or wanted
    return wanted


def _try_writing(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _temporary() -> Path | None:
    """Return this user's folder among the temporary ones, if nobody else can write to it."""
    name = f"symcalc-{os.getuid()}" if hasattr(os, "getuid") else "symcalc"
    folder = Path(tempfile.gettempdir()) / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return None
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            return None
        _try_writing(folder)
    except OSError:
        return None
    return folder


def _say(folder: Path, error: OSError, rest: str) -> None:
    """Warn of a folder that cannot be written to, once a process."""
    if str(folder) not in _SAID:
        _SAID.add(str(folder))
        warnings.warn(
            f"symcalc: the cache folder {folder} cannot be written to "
            f"({error.strerror or error}); {rest}; set SYMCALC_CACHE_DIR to another one",
            RuntimeWarning,
            stacklevel=2,
        )


def places() -> Iterator[Path]:
    """Yield the folders to look for kernels in; the second is asked for only if the first fails."""
    wanted = wanted_directory()
    yield wanted
    written = cache_directory()
    if written != wanted:
        yield written


def source_file(label: str, name: str, source: str) -> Path:
    """Return a file that holds this text, written if need be.

    Args:
        label: the kernel's folder.
        name: of the file.
        source: the text.

    Returns:
        Its path; where it could not be written, the path it would have.
    """
    content = source.encode()
    for place in places():
        with contextlib.suppress(OSError):
            if (place / label / name).read_bytes() == content:
                return place / label / name
    _keep(label, name, content)
    return cache_directory() / label / name


def read(label: str, name: str, key: str) -> bytes | None:
    """Return the content of a compiled file, if there is one that bears its checksum.

    Args:
        label: the kernel's folder.
        name: of the file.
        key: what the content was made for; the content of another key is refused.
    """
    for place in places():
        path = place / label / name
        try:
            data = path.read_bytes()
        except OSError:
            continue
        if data[:_DIGEST] == _checksum(key, data[_DIGEST:]):
            with contextlib.suppress(OSError):
                os.utime(path)  # when it was last of use
            return data[_DIGEST:]
    return None


def keep(label: str, name: str, key: str, content: bytes) -> None:
    """Write a compiled file with its checksum; one that cannot be written is done without."""
    _keep(label, name, _checksum(key, content) + content)
    _tidy(cache_directory())


def _checksum(key: str, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key.encode()).digest() + content).digest()


def _keep(label: str, name: str, content: bytes) -> None:
    folder = cache_directory()
    for last in (False, True):
        try:
            _write(folder / label / name, content)
            return
        except FileNotFoundError as error:  # the folder was cleared meanwhile: once more
            if last:
                _say(folder, error, "kernels are not kept")
        except OSError as error:
            _say(folder, error, "kernels are not kept")
            return


def _write(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def is_kept(label: str) -> bool:
    """Whether anything compiled lies in a kernel's folder, right or wrong."""
    for place in places():
        with contextlib.suppress(OSError):
            if any(entry.name.endswith(".kernel") for entry in (place / label).iterdir()):
                return True
    return False


@contextlib.contextmanager
def locked(label: str) -> Iterator[None]:
    """Let one process at a time make a kernel, where the platform and the folder have locks.

    The lock saves work and nothing else: files are written whole. So it is waited for, but not for
    ever.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):  # Windows; a folder that cannot be written
            import fcntl

            folder = cache_directory() / label
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / "lock").open("a"))
            deadline = time.monotonic() + PATIENCE
            while not _take(fcntl, file) and time.monotonic() < deadline:
                time.sleep(0.01)
        yield


def _take(fcntl: Any, file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def stored(folder: Path) -> list[Stored]:
    """Return the kernels in a folder, which need not be there; whatever else it holds is passed."""
    found = []
    with contextlib.suppress(OSError):
        for entry in sorted(folder.iterdir()):
            with contextlib.suppress(OSError):  # removed by another process meanwhile
                if entry.is_dir() and not entry.is_symlink():
                    found += _stored(entry)
    return found


def _stored(folder: Path) -> list[Stored]:
    """A folder is a kernel's if it holds a kernel's files; those alone count."""
    files = [(p.name, p.lstat()) for p in folder.iterdir() if _OURS.fullmatch(p.name)]
    if not any(n == f"{PREFIX}{folder.name}.py" or n.endswith(".kernel") for n, _ in files):
        return []
    return [Stored(folder, sum(s.st_size for _, s in files), max(s.st_mtime for _, s in files))]


def state(folder: Path) -> str:
    """Say in a few words what is out of the ordinary about a folder, or nothing."""
    if folder.is_dir():
        return "" if os.access(folder, os.W_OK | os.X_OK) else "; it cannot be written to"
    return "; it is no folder" if folder.exists() else "; it is not there yet"


def clear(folder: Path) -> int:
    """Remove the kernels in a folder, and nothing that is not ours; return how many.

    Raises:
        OSError: one could not be removed; the others are gone.
    """
    removed, failure = 0, None
    for kernel in stored(folder):
        try:
            _remove(kernel.folder)
            removed += 1
        except OSError as error:
            failure = error
    if failure is not None:
        raise failure
    return removed


def _remove(folder: Path) -> None:
    """Remove the files of a kernel, and its folder unless something else lies there."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _tidy(folder: Path) -> None:
    """Drop what was not used for UNUSED_DAYS, once there are more than MOST_KERNELS."""
    with contextlib.suppress(OSError):
        if sum(1 for _ in os.scandir(folder)) <= MOST_KERNELS:
            return
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for kernel in stored(folder):
        if kernel.used < oldest:
            with contextlib.suppress(OSError):
                _remove(kernel.folder)
