"""What a backend hands over: something that fills output arrays from input arrays."""

from __future__ import annotations

from typing import Any, Protocol


class Executable(Protocol):
    """A compiled computation; its backend is nobody's business but its own."""

    source: str

    def run(
        self,
        inputs: list[Any],
        parameters: list[float],
        outputs: list[Any],
        extents: dict[str, int],
    ) -> None:
        """Fill the outputs.

        Args:
            inputs: contiguous arrays of the kernel's dtype (labels int64), in order.
            parameters: hyperparameters, in order.
            outputs: contiguous writable arrays of the kernel's dtype; a scalar is a float64
                array of one entry.
            extents: the size of each dim, by name.
        """
        ...
