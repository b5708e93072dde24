"""Compiled kernels from disk: a store for Numba that unpickles nothing it has not checked.

Numba's own store knows a file by the time of its source, unpickles whatever it finds, fails where
it cannot write, and has every registry of Numba's brought up to date before it loads. This one goes
by the key and the checksum of `symcalc.backends.cache`, and a load needs the run-time alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.abc
import importlib.util
import pickle
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from symcalc.backends import cache
from symcalc.notation.making import MAKING

LONGEST_STEM = 60
_OPTIONS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")
_IMPORT = re.compile(r"^from symcalc\.backends\.(\w+)[\w.]* import", re.MULTILINE)


@functools.cache
def _surroundings() -> str:
    """What every compiled kernel depends on: versions, the processor as LLVM sees it, options."""
    processor = cpu_target.target_context.codegen().magic_tuple()
    versions = (
        numba.__version__, llvmlite.__version__, numpy.__version__,
        sys.implementation.cache_tag, platform.python_version(),
    )  # fmt: skip
    options = [f"{name}={getattr(config, name, None)}" for name in _OPTIONS]
    return "\n".join(map(str, (*versions, *processor, *options)))


@functools.cache
def _text(module: str) -> str:
    """The text of a module or package beside this one, and of those beside it that it imports."""
    here = Path(__file__).parent
    files = [here / f"{module}.py", *sorted((here / module).glob("*.py"))]
    text = "".join(file.read_text("utf-8") for file in files if file.exists())
    return text + "".join(_text(name) for name in _others(text, module))


def _others(text: str, module: str) -> list[str]:
    """The modules beside this one that a text imports, itself left out."""
    return sorted(set(_IMPORT.findall(text)) - {module})


class _Loader(importlib.abc.ExecutionLoader):
    """Imports a module from the text at hand, whatever lies on disk."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source, self.path)


def load_module(name: str, source: str) -> ModuleType:
    """Import a generated module, which lies in the cache to be read, but is not read from there.

    Args:
        name: a readable stem, such as "huber_value_and_grad".
        source: the module's text.

    Returns:
        The module, registered under a name of its own; what Numba compiles in it is kept.
    """
    used = "".join(_text(name) for name in _IMPORT.findall(source))
    key = hashlib.sha256("\0".join((source, used, _surroundings())).encode()).hexdigest()
    label = f"{re.sub(r'[^A-Za-z0-9_]', '_', name)[:LONGEST_STEM]}_{key[:16]}"
    qualified = cache.PREFIX + label
    with MAKING:
        if qualified in sys.modules:
            return sys.modules[qualified]
        path = str(cache.source_file(label, f"{qualified}.py", source))
        spec = importlib.util.spec_from_file_location(qualified, path, loader=_Loader(path, source))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[qualified] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[qualified]
            raise
        for function in _compiled_functions(module):
            function._cache = KernelCache(label, key, function.__name__)
        return module


def _compiled_functions(module: ModuleType) -> list[Any]:
    """Return what Numba is to compile of a module's own."""
    own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
    return [value for value in own if isinstance(value, Dispatcher)]


@contextlib.contextmanager
def sealed(module: ModuleType) -> Iterator[None]:
    """Let one thread and one process at a time compile or load a kernel inside the block."""
    label = module.__name__.removeprefix(cache.PREFIX)
    with MAKING, contextlib.ExitStack() as stack:
        if not cache.is_kept(label):
            stack.enter_context(cache.locked(label))
        yield


class KernelCache(_Cache):
    """Where a dispatcher of Numba's looks before it compiles, and leaves what it has compiled.

    Args:
        label: the kernel's folder.
        key: the hash of all that the kernel depends on.
        function: its name.
    """

    def __init__(self, label: str, key: str, function: str) -> None:
        self.label = label
        self.key = key
        self.function = function

    @property
    def cache_path(self) -> str:
        """The folder that it belongs in."""
        return str(cache.wanted_directory() / self.label)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature, or None."""
        content = cache.read(self.label, *self._entry(sig))
        if content is None:
            return None
        rtsys.initialize(target_context)
        return CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature."""
        if not data.library.has_dynamic_globals:
            cache.keep(self.label, *self._entry(sig), dumps(data._reduce()))

    def _entry(self, sig: Any) -> tuple[str, str]:
        """The name of a signature's file, and its key."""
        key = f"{self.key} {self.function} {sig}"
        return f"{self.function}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.kernel", key

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """It never is."""

    def flush(self) -> None:
        """Nothing is held back."""
