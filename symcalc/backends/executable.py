"""What a backend hands over: something that fills output arrays from input arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Scalars:
    """The numbers that a run leaves, besides the arrays it fills.

    Args:
        value: the value of a scalar objective; 0 where there is none.
        measures: one number a domain check, above zero where something looks wrong.
    """

    value: float
    measures: Sequence[float]


@dataclass(frozen=True)
class AtOnce:
    """A bare call that does everything at once, on one thread, for contiguous arrays.

    Called with (*inputs, *hyperparameters, *outputs, *tail), it returns the value. It looks at
    shapes, sizes, domains and overlaps itself, and raises where something does not fit or is too
    large to be done at once.

    Args:
        typed: refuses arguments of other types by an error.
        bare: takes the types on trust: for arguments that were looked at before.
        tail: what the last arguments are.
    """

    typed: Callable[..., float]
    bare: Callable[..., float]
    tail: tuple[Any, ...]


Run = Callable[[Sequence[Any], Sequence[float], Sequence[Any]], Scalars]


class Executable(Protocol):
    """A compiled computation; its backend is nobody's business but its own."""

    @property
    def source(self) -> str:
        """The generated code."""
        ...

    @property
    def at_once(self) -> AtOnce | None:
        """The call for small arrays, if there is one."""
        ...

    def plan(self, sizes: Sizes) -> Run:
        """Return a function that computes at these sizes, run(inputs, parameters, outputs).

        Args:
            sizes: the size of each dim, in the order of the task's dims.

        Returns:
            A function of aligned input arrays (reals of the kernel's dtype, labels int64; any
            strides), hyperparameters and contiguous writable outputs (an array value first, then
            the gradients, reals of the kernel's dtype; a scalar gradient is a float64 array of one
            entry). It may be called from several threads at once.
        """
        ...


@dataclass(frozen=True)
class Copying:
    """An executable whose outputs may be its inputs: they are computed apart, then copied.

    Args:
        inner: computes them, and must not write where it reads.
    """

    inner: Executable

    @property
    def source(self) -> str:
        """The code of the computation."""
        return self.inner.source

    @property
    def at_once(self) -> None:
        """There is no call that does both."""

    def plan(self, sizes: Sizes) -> Run:
        """Return the run at these sizes."""
        run = self.inner.plan(sizes)

        def apart(
            inputs: Sequence[Any], parameters: Sequence[float], outputs: Sequence[Any]
        ) -> Scalars:
            found = [np.empty_like(array) for array in outputs]
            scalars = run(inputs, parameters, found)
            for array, made in zip(outputs, found, strict=True):
                array[...] = made
            return scalars

        return apart
