"""Kernels as training uses them: compiled mode by mode, each at its first call."""

from __future__ import annotations

import functools
import importlib

from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import derive
from symcalc.notation.errors import ArgumentError
from symcalc.notation.making import MAKING, collector_at_rest
from symcalc.notation.objective import Objective

BACKENDS = ("numba", "numpy")


@functools.lru_cache(maxsize=64)
def kernel_of(objective: Objective, backend: str = "numba", dtype: str = "float64") -> Kernel:
    """Return the kernel of an objective; nothing is compiled yet.

    A step of an update, or the value of a network, costs no compilation of a gradient.

    Args:
        objective: what is to be computed.
        backend: "numba" or "numpy".
        dtype: "float64" or "float32".

    Raises:
        ArgumentError: an unknown backend.
    """
    if backend not in BACKENDS:
        raise ArgumentError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")
    with MAKING, collector_at_rest():
        build = importlib.import_module(f"symcalc.backends.{backend}_backend").build
        return Kernel(derive(objective), dtype, build)
