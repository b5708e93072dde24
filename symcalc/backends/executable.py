"""What a backend hands over: something that fills output arrays from input arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Sizes = tuple[int, ...]
Run = Callable[[Sequence[Any], Sequence[float], Sequence[Any]], None]


class Executable(Protocol):
    """A compiled computation; its backend is nobody's business but its own."""

    source: str

    def plan(self, sizes: Sizes) -> Run:
        """Return a function that computes at these sizes, run(inputs, parameters, outputs).

        Args:
            sizes: the size of each dim, in the order of the task's dims.

        Returns:
            A function of contiguous input arrays (reals of the kernel's dtype, labels int64),
            hyperparameters and contiguous writable outputs (reals of the kernel's dtype; a scalar
            is a float64 array of one entry), each in declared order. It may be called from
            several threads at once.
        """
        ...
