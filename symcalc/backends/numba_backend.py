"""The Numba backend: source, compiled once, shared out over threads where that pays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from symcalc.backends.executable import Run, Sizes
from symcalc.backends.modes import Task
from symcalc.backends.numba_cache import load_module, sealed
from symcalc.backends.numba_source import BLOCK_ELEMENTS, MOST_BLOCKS, SourceWriter
from symcalc.backends.sizes import size_function
from symcalc.backends.threads import share_out, thread_count
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.program.lower import lower
from symcalc.program.primitives import PATTERNS
from symcalc.program.program import Program
from symcalc.program.sections import Section, arrays, partials, sections

# Below this many elements one thread is faster than handing work to another; exponentials and
# logarithms, at some ten times the cost of plain arithmetic, make it pay earlier.
PARALLEL_ELEMENTS = 500_000
PARALLEL_DEAR_ELEMENTS = 100_000
_ALL = 2**62
Size = Callable[[Sizes], int]


@dataclass(frozen=True)
class _Pass:
    """How one section is cut into blocks."""

    extent: Size
    width: Size

    def blocks(self, sizes: Sizes) -> int:
        """The number of blocks: the same function of the sizes as in the source."""
        extent = self.extent(sizes)
        rows = max(BLOCK_ELEMENTS // max(self.width(sizes), 1), -(-extent // MOST_BLOCKS), 1)
        return -(-extent // rows)

    def elements(self, sizes: Sizes) -> int:
        """How many elements the section touches."""
        return self.extent(sizes) * self.width(sizes)


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
        self._compile(module)
        dear = "vector_math" in self.source
        self.least = PARALLEL_DEAR_ELEMENTS if dear else PARALLEL_ELEMENTS
        self.passes = [
            None if section.index is None
            else _Pass(self._size(section.index.extent), self._size(section.width))
            for section in sections(program)
        ]  # fmt: skip
        self.scratch = [self._allocator(tensor) for tensor in arrays(program)]
        self.scratch += [self._parts_allocator(t, section) for t, section in partials(program)]

    def _compile(self, module: ModuleType) -> None:
        """Compile the one signature there is, unless another kernel of this source has done so."""
        signature = self._signature()
        with sealed(module):
            if signature not in self.dispatcher.overloads:
                self.dispatcher.compile(signature)
                self.dispatcher.disable_compile()  # writable arrays pass for read-only ones

    def plan(self, sizes: Sizes) -> Run:
        """Decide on threads, once for these sizes; scratch arrays are handed from call to call."""
        kernel, last = self.dispatcher, len(self.passes) - 1
        elements = max((p.elements(sizes) for p in self.passes if p is not None), default=0)
        free: list[tuple[Any, ...]] = []

        def alone(
            inputs: Sequence[Any], parameters: Sequence[float], outputs: Sequence[Any]
        ) -> None:
            scratch = free.pop() if free else tuple(make(sizes) for make in self.scratch)
            kernel(0, last, 0, _ALL, *inputs, *parameters, *outputs, *scratch)
            free.append(scratch)

        def together(
            inputs: Sequence[Any], parameters: Sequence[float], outputs: Sequence[Any]
        ) -> None:
            scratch = tuple(make(sizes) for make in self.scratch)
            arguments = (*inputs, *parameters, *outputs, *scratch)
            for number, cut in enumerate(self.passes):
                if cut is None:
                    kernel(number, number, 0, _ALL, *arguments)
                else:
                    work = functools.partial(_work, kernel, number, arguments)
                    share_out(cut.blocks(sizes), work)

        return alone if elements < self.least or thread_count() == 1 else together

    def _size(self, extent: Any) -> Size:
        return size_function(extent, self.program.dims)

    def _array_type(self, tensor: Tensor) -> Any:
        if tensor.domain.integer:
            return _whole_type(tensor)
        return self.dtype if tensor.shape else np.dtype(np.float64)

    def _allocator(self, tensor: Tensor) -> Callable[[Sizes], Any]:
        dtype = self._array_type(tensor)
        shape = [self._size(tensor.shape[axis]) for axis in self._axes(tensor)]
        if not shape:
            return lambda sizes: np.empty(1, dtype)
        return lambda sizes: np.empty([size(sizes) for size in shape], dtype)

    def _axes(self, tensor: Tensor) -> tuple[int, ...]:
        buffer = self.program.buffer(tensor)
        assert buffer is not None
        return buffer.axes

    def _parts_allocator(self, tensor: Tensor, section: Section) -> Callable[[Sizes], Any]:
        cut = _Pass(self._size(section.index.extent), self._size(section.width))
        shape = [self._size(extent) for extent in tensor.shape]
        dtype = _whole_type(tensor) if tensor.domain.integer else np.float64
        return lambda sizes: np.empty(
            [max(cut.blocks(sizes), 1), *(size(sizes) for size in shape)], dtype
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
            dtype = _whole_type(tensor) if tensor.domain.integer else np.float64
            found.append(array(dtype, 1 + len(tensor.shape), False))
        return tuple(found)

    def _array_type_of_input(self, tensor: Tensor) -> Any:
        return np.int64 if tensor.domain.integer else self.dtype


def _whole_type(tensor: Tensor) -> Any:
    return np.dtype(np.uint64 if tensor.domain is PATTERNS else np.int64)


def _work(kernel: Any, number: int, arguments: tuple[Any, ...], first: int, last: int) -> None:
    """Run one section over a range of blocks."""
    kernel(number, number, first, last, *arguments)


def build(objective: Objective, task: Task, dtype: str) -> NumbaExecutable:
    """Lower a task to a program and compile it."""
    program = lower(objective, task.name, task.equations, task.inputs, task.outputs)
    return NumbaExecutable(program, dtype)
