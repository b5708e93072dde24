"""The Numba backend: source, compiled once, shared out over threads where that pays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.backends.door import UnfitError
from symcalc.backends.executable import AtOnce, Copying, Executable, Run, Scalars, Sizes
from symcalc.backends.modes import Task
from symcalc.backends.numba_cache import load_module, sealed
from symcalc.backends.numba_frame import (
    BLOCK_ELEMENTS,
    MOST_VECTOR_BLOCKS,
    Cut,
    cuts,
    least_shared,
)
from symcalc.backends.numba_source import SourceWriter
from symcalc.backends.sizes import size_function
from symcalc.backends.threads import share_out, thread_count
from symcalc.notation.making import MAKING
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.program.in_place import can_replace
from symcalc.program.lower import lower
from symcalc.program.program import Program
from symcalc.program.sections import sections

_ALL = 2**62
_OPTIONS = {"nopython": True, "error_model": "numpy"}
Size = Callable[[Sizes], int]
Layout = tuple[bool, ...]


@dataclass(frozen=True)
class _Pass:
    """How one section is cut into blocks."""

    extent: Size
    width: Size
    vectors: bool

    def blocks(self, sizes: Sizes) -> int:
        """The number of blocks: the same function of the sizes as in the source."""
        extent = self.extent(sizes)
        rows = max(BLOCK_ELEMENTS // max(self.width(sizes), 1), 1)
        if self.vectors:
            rows = max(rows, -(-extent // MOST_VECTOR_BLOCKS))
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
        writer = SourceWriter(program, dtype)
        self.source = writer.write()
        self.has_door = writer.frame.has_door
        self.module = load_module(f"{program.title}_{program.name}", self.source)
        self.dispatcher = getattr(self.module, program.name)
        self.plain = (True,) * len(program.read_only)
        self._reads = [p for p, t in enumerate(program.inputs) if t in program.read_only]
        self.compiled: dict[Layout, Any] = {}
        self._compile(self.plain)
        _refuse_at_once(self.dispatcher, [self._input_type(t) for t in program.read_only])
        self.least = least_shared(writer.is_dear, writer.single)
        known = cuts(program)
        self.passes = [
            None if section.index is None else self._pass(known[number])
            for number, section in enumerate(sections(program))
        ]
        self.measures = len(program.measures)
        self.free: list[Any] = []

    @property
    def at_once(self) -> AtOnce | None:
        """The compiled function for contiguous arrays, unless there are too many to look at."""
        if not self.has_door:
            return None
        return AtOnce(self.dispatcher, self.compiled[self.plain], (None, None))

    def _pass(self, cut: Cut) -> _Pass:
        return _Pass(self._size(cut.extent), self._size(cut.width), cut.vectors)

    def _compile(self, layout: Layout) -> Any:
        """Compile for arrays that are contiguous, or not; once, even with many threads.

        Each layout has a dispatcher of its own, which never compiles anything else.
        """
        with MAKING:
            if layout not in self.compiled:
                dispatcher = self.dispatcher
                if layout != self.plain:
                    dispatcher = type(dispatcher)(dispatcher.py_func, targetoptions=_OPTIONS)
                    dispatcher._cache = self.dispatcher._cache
                self.compiled[layout] = self._compiled(dispatcher, self._signature(layout))
            return self.compiled[layout]

    def _compiled(self, dispatcher: Any, signature: tuple[Any, ...]) -> Any:
        with sealed(self.module):
            if signature not in dispatcher.overloads:
                dispatcher.compile(signature)
                dispatcher.disable_compile()  # writable arrays pass for read-only ones
        return dispatcher.overloads[signature].entry_point

    def plan(self, sizes: Sizes) -> Run:
        """Decide on sizes once; scratch memory is handed from call to call, of any sizes."""
        last = len(self.passes) - 1
        elements = max((p.elements(sizes) for p in self.passes if p is not None), default=0)
        large = elements >= self.least
        whole = np.array([0, last, 0, _ALL], np.int64)
        words: int | None = None
        all_read = not self.program.replaced

        def run(
            inputs: Sequence[Any], parameters: Sequence[float], outputs: Sequence[Any]
        ) -> Scalars:
            nonlocal words
            reads = inputs if all_read else [inputs[place] for place in self._reads]
            layout = tuple(array.flags.c_contiguous for array in reads)
            kernel = self.compiled.get(layout) or self._compile(layout)
            arguments = (*reads, *parameters, *outputs)
            if words is None:
                words = int(kernel(*arguments, whole, None))
            room = self._room(words)
            if large and thread_count() > 1:
                self._together(kernel, sizes, (*arguments, room))
            else:
                kernel(*arguments, whole, room)
            first = self.program.value is not None
            found = Scalars(
                float(room[0]) if first else 0.0, room[first : first + self.measures].tolist()
            )
            self.free.append(room)
            return found

        return run

    def _room(self, words: int) -> Any:
        """Scratch memory of so many words or more; one that is too small is let go."""
        try:
            room = self.free.pop()
        except IndexError:  # all of it is in use, by other threads
            return np.empty(words)
        return room if room.size >= words else np.empty(words)

    def _together(self, kernel: Any, sizes: Sizes, arguments: tuple[Any, ...]) -> None:
        """Run the parts one after another, the blocks of each shared out over threads."""
        for number, cut in enumerate(self.passes):
            if cut is None:
                _work(kernel, number, arguments, 0, _ALL)
            else:
                work = functools.partial(_work, kernel, number, arguments)
                share_out(cut.blocks(sizes), work)

    def _size(self, extent: Any) -> Size:
        return size_function(extent, self.program.dims)

    def _input_type(self, tensor: Tensor) -> np.dtype[Any]:
        return np.dtype(np.int64) if tensor.domain.integer else self.dtype

    def _array_type(self, tensor: Tensor) -> np.dtype[Any]:
        return self._input_type(tensor) if tensor.shape else np.dtype(np.float64)

    def _signature(self, layout: Layout) -> tuple[Any, ...]:
        """The exact types, inputs read-only so that any array may be passed."""
        from numba import from_dtype, types

        def array(dtype: Any, rank: int, order: str, readonly: bool) -> Any:
            return types.Array(from_dtype(dtype), rank, order, readonly=readonly)

        program = self.program
        found: list[Any] = []
        for tensor, contiguous in zip(program.read_only, layout, strict=True):
            order = "C" if contiguous else "A"
            found.append(array(self._input_type(tensor), max(len(tensor.shape), 1), order, True))
        found += [types.float64] * len(program.parameters)
        for tensor in program.written:
            found.append(array(self._array_type(tensor), max(len(tensor.shape), 1), "C", False))
        return (*found, types.Optional(types.int64[::1]), types.Optional(types.float64[::1]))


def _refuse_at_once(dispatcher: Any, dtypes: Sequence[np.dtype[Any]]) -> None:
    """Have a dispatcher refuse arrays of other types and strided ones without much ado.

    Numba looks for conversions and puts its refusal into words first: that takes 50 microseconds,
    ten times as long as the careful call that follows.

    Args:
        dispatcher: compiled, and never to compile again.
        dtypes: of the arrays it begins with.
    """

    def convert(*arguments: Any) -> Any:
        for array, dtype in zip(arguments, dtypes, strict=False):
            if array.dtype != dtype or not array.flags.c_contiguous:
                return False
        return type(dispatcher)._search_new_conversions(dispatcher, *arguments)

    def refuse(*arguments: Any) -> None:
        raise UnfitError

    dispatcher._search_new_conversions = convert
    dispatcher._explain_matching_error = refuse


def _work(kernel: Any, number: int, arguments: tuple[Any, ...], first: int, last: int) -> None:
    """Run one section over a range of blocks; the last argument is the scratch memory."""
    *rest, room = arguments
    kernel(*rest, np.array([number, number, first, last], np.int64), room)


def build(objective: Objective, task: Task, dtype: str) -> Executable:
    """Lower a task to a program and compile it."""
    program = lower(
        objective, task.name, task.equations, task.inputs, task.outputs, task.number, task.measures
    )
    if not task.in_place:
        return NumbaExecutable(program, dtype)
    if all(can_replace(program, output, given) for output, given in task.replaced):
        return NumbaExecutable(replace(program, replaced=task.replaced), dtype)
    return Copying(NumbaExecutable(program, dtype))
