"""The Numba backend: source, compiled once, shared out over threads where that pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symcalc.backends.cache import load_module
from symcalc.backends.modes import Task
from symcalc.backends.numba_source import (
    BLOCK_ELEMENTS,
    MOST_BLOCKS,
    Section,
    SourceWriter,
    arrays,
    partials,
    sections,
)
from symcalc.backends.threads import share_out, thread_count
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.program.lower import lower
from symcalc.program.program import Program

# Below this many elements one thread is faster than handing work to another.
PARALLEL_ELEMENTS = 50_000
_ALL = 2**62


@dataclass(frozen=True)
class _Pass:
    """How one section is cut into blocks."""

    number: int
    extent: Callable[[dict[str, int]], int]
    width: Callable[[dict[str, int]], int]

    def blocks(self, extents: dict[str, int]) -> int:
        """The number of blocks: the same function of the extents as in the source."""
        extent = self.extent(extents)
        width = max(self.width(extents), 1)
        rows = max(BLOCK_ELEMENTS // width, -(-extent // MOST_BLOCKS), 1)
        return -(-extent // rows)

    def elements(self, extents: dict[str, int]) -> int:
        """How many elements the section touches."""
        return self.extent(extents) * self.width(extents)


class NumbaExecutable:
    """A program compiled by Numba.

    Args:
        program: what to compile.
        dtype: "float64" or "float32".
    """

    def __init__(self, program: Program, dtype: str) -> None:
        self.program = program
        self.dtype = np.dtype(dtype)
        self.source = SourceWriter(program, dtype).write()
        module = load_module(f"{program.title}_{program.name}", self.source)
        self.dispatcher = getattr(module, program.name)
        signature = self._signature()
        if signature not in self.dispatcher.overloads:  # another kernel may share the module
            self.dispatcher.compile(signature)
        self.kernel: Callable[..., None] = self.dispatcher
        self.sections = sections(program)
        self.last = len(self.sections) - 1
        self.passes = [
            _Pass(number, _size(s.index.extent), _size(s.width)) if s.index is not None else None
            for number, s in enumerate(self.sections)
        ]
        self.scratch = [self._allocator(t, self._array_type(t)) for t in arrays(program)]
        self.parts = [self._parts_allocator(t, s) for t, s in partials(program)]

    def run(
        self,
        inputs: list[Any],
        parameters: list[float],
        outputs: list[Any],
        extents: dict[str, int],
    ) -> None:
        """Fill the outputs, on one thread or several; the result is the same to the last bit."""
        scratch = [make(extents) for make in self.scratch]
        parts = [make(extents) for make in self.parts]
        arguments = (*inputs, *parameters, *outputs, *scratch, *parts)
        most = max((p.elements(extents) for p in self.passes if p is not None), default=0)
        if most < PARALLEL_ELEMENTS or thread_count() == 1:
            self.kernel(0, self.last, 0, _ALL, *arguments)
            return
        for number, section in enumerate(self.passes):
            if section is None:
                self.kernel(number, number, 0, _ALL, *arguments)
            else:
                self._share_out(section, extents, arguments)

    def _share_out(
        self, section: _Pass, extents: dict[str, int], arguments: tuple[Any, ...]
    ) -> None:
        kernel, number = self.kernel, section.number

        def work(first: int, last: int) -> None:
            kernel(number, number, first, last, *arguments)

        share_out(section.blocks(extents), work)

    def _array_type(self, tensor: Tensor) -> Any:
        if tensor.domain.integer:
            return np.dtype(np.int64)
        return self.dtype if tensor.shape else np.dtype(np.float64)

    def _allocator(self, tensor: Tensor, dtype: Any) -> Callable[[dict[str, int]], Any]:
        sizes = [_size(tensor.shape[axis]) for axis in self._axes(tensor)]
        if not sizes:
            return lambda extents: np.empty(1, dtype)
        return lambda extents: np.empty([size(extents) for size in sizes], dtype)

    def _axes(self, tensor: Tensor) -> tuple[int, ...]:
        buffer = self.program.buffer(tensor)
        assert buffer is not None
        return buffer.axes

    def _parts_allocator(self, tensor: Tensor, section: Section) -> Callable[[dict[str, int]], Any]:
        cut = _Pass(0, _size(section.index.extent), _size(section.width))
        sizes = [_size(extent) for extent in tensor.shape]
        dtype = np.int64 if tensor.domain.integer else np.float64
        return lambda extents: np.empty(
            [cut.blocks(extents), *(size(extents) for size in sizes)], dtype
        )

    def _signature(self) -> tuple[Any, ...]:
        """The exact types, inputs read-only so that any array may be passed."""
        from numba import from_dtype, types

        def array(dtype: Any, rank: int, readonly: bool) -> Any:
            return types.Array(from_dtype(np.dtype(dtype)), rank, "C", readonly=readonly)

        program = self.program
        found: list[Any] = [types.intp] * 4
        for tensor in program.inputs:
            found.append(array(self._array_type_of_input(tensor), len(tensor.shape), True))
        found += [types.float64] * len(program.parameters)
        for tensor in program.outputs:
            found.append(array(self._array_type(tensor), max(len(tensor.shape), 1), False))
        for tensor in arrays(program):
            found.append(array(self._array_type(tensor), max(len(self._axes(tensor)), 1), False))
        for tensor, _ in partials(program):
            dtype = np.int64 if tensor.domain.integer else np.float64
            found.append(array(dtype, 1 + len(tensor.shape), False))
        return tuple(found)

    def _array_type_of_input(self, tensor: Tensor) -> Any:
        return np.int64 if tensor.domain.integer else self.dtype


def _size(extent: Any) -> Callable[[dict[str, int]], int]:
    """Return an extent as a function of the dims' sizes."""
    if isinstance(extent, int) or extent.is_Integer:
        value = int(extent)
        return lambda extents: value
    if extent.is_Symbol:
        name = extent.name
        return lambda extents: extents[name]
    symbols = sorted(extent.free_symbols, key=str)
    function = sp.lambdify(symbols, extent, modules="math")
    names = [symbol.name for symbol in symbols]
    return lambda extents: int(function(*(extents[name] for name in names)))


def build(objective: Objective, task: Task, dtype: str) -> NumbaExecutable:
    """Lower a task to a program and compile it."""
    program = lower(objective, task.name, task.equations, task.inputs, task.outputs)
    return NumbaExecutable(program, dtype)
