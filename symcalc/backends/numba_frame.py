"""The frame of a generated kernel: its arguments, sizes, cuts into blocks, scratch and door.

A kernel has two ways of being called.  With `turn` and `room` None it does everything at once, on
one thread, after a look at what came: shapes, sizes, hyperparameters, overlaps.  Otherwise threads
share its parts: turn = (first part, last part, first block, last block), and `room` is scratch
memory that all of them see.  With `turn` alone it says how much room it needs.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from typing import Any

from symcalc.backends.numba_expressions import (
    PLAIN_MATH,
    PRODUCTS,
    SCALAR_MATH,
    SPECIAL_MATH,
    VECTOR_MATH,
)
from symcalc.notation.dims import Dim, sole_dim
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Tensor
from symcalc.program.primitives import PATTERNS, UNSIGNED
from symcalc.program.program import Accumulate, Assign, Contract, Loop, Node, Program
from symcalc.program.sections import (
    Section,
    arrays,
    loops,
    partials,
    pivots_of,
    scattered,
    sections,
)

BLOCK_ELEMENTS = 4096
# Blocks that leave a vector each: enough for any number of threads, few enough to be put together.
MOST_VECTOR_BLOCKS = 64
# From so many bytes of one array on, two threads are faster than one, measured on two processors:
# sharing the work costs a tenth of a millisecond.  Exponentials and logarithms make it pay earlier.
PARALLEL_BYTES = 3_200_000
PARALLEL_DEAR_BYTES = 1_600_000

# A kernel of more pairs of arrays than this does not look at them itself.
MOST_PAIRS = 512
# One of more parts than this is a function a part: in one piece it takes minutes to compile.
MOST_PARTS = 18

# Up to so many pairs each is a branch of its own: Numba follows branches recursively.
_FEW_PAIRS = 64

_WIDEST = 88
DOOR = ("UnfitError", "apart", "carve", "corner", "given", "release_gil", "take_gil")
RESERVED = frozenset(
    ("gil", "mine", "part", "last_part", "first", "last", "start", "stop", "block", "blocks",
     "rows", "turn", "room", "count", "shift", "few", "row", "spread", "work", "size", "njit", "np",
     "f4", "u4", "u8", "terms",
     "place0", "place1", "place2", "place3", "inf", "float", "abs", "range", "min", "max", "int",
     *DOOR, *VECTOR_MATH, *SCALAR_MATH, *SPECIAL_MATH, *PRODUCTS, *PLAIN_MATH,
      *keyword.kwlist)
)  # fmt: skip
TAILS = ("_block", "_lost", "_parts", "_running", "_at", "_terms", "_wide")


def least_shared(dear: bool, single: bool) -> int:
    """Return the number of elements from which on threads share the work.

    Args:
        dear: whether exponentials, logarithms and the like are computed.
        single: whether reals are float32.
    """
    return (PARALLEL_DEAR_BYTES if dear else PARALLEL_BYTES) // (4 if single else 8)


@dataclass(frozen=True)
class Cut:
    """How a pass is cut into blocks, and what its counts are called in the code.

    Args:
        extent: of the index that is cut.
        width: elements a value of the index touches.
        vectors: whether each block leaves vectors.
        rows: the name of the number of rows a block.
        blocks: the name of the number of blocks.
    """

    extent: Any
    width: Any
    vectors: bool
    rows: str
    blocks: str


def cuts(program: Program) -> dict[int, Cut]:
    """Return the cut of each pass, by the number of its section."""
    known: dict[Any, Cut] = {}
    found = {}
    for number, section in enumerate(sections(program)):
        if section.index is None:
            continue
        vectors = any(tensor.shape for tensor, _ in section.reduced)
        key = (section.index.extent, section.width, vectors)
        if key not in known:
            tail = str(len(known) + 1) if known else ""
            known[key] = Cut(*key, f"rows{tail}", f"blocks{tail}")
        found[number] = known[key]
    return found


def safe_names(program: Program) -> dict[str, str]:
    """Give everything the code speaks of a Python name that hides nothing.

    Dims and loop letters come first, since they are the shortest.
    """
    counted = {name for cut in cuts(program).values() for name in (cut.rows, cut.blocks)}
    letters = {index.name for index in loops(program)}
    wanted = [*(dim.name for dim in program.dims), *sorted(letters)]
    wanted += [t.name for t in program.inputs] + [p.name for p in program.parameters]
    wanted += [b.tensor.name for b in program.buffers]
    wanted += [pivot.tensor.name for pivot in program.pivots]
    tables = {name for stage in program.stages for name in _tables(stage.body)}
    taken, names = set(RESERVED) | counted | tables, {}
    for name in dict.fromkeys(wanted):
        safe = name
        while taken & {safe, *(safe + tail for tail in TAILS)}:
            safe += "_"
        taken |= {safe, *(safe + tail for tail in TAILS)}
        names[name] = safe
    for output, given in program.replaced:
        names[output.name] = names[given.name]
    return names


def _tables(body: tuple[Node, ...]) -> set[str]:
    """Return the names of the tables that statements look numbers up in."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, Loop):
            found |= _tables(node.body)
        elif isinstance(node, (Assign, Accumulate)):
            found |= {table.name for table in node.value.atoms(Table)}
    return found


class Frame:
    """Writes what stands before the parts of a kernel.

    Args:
        program: what is computed.
        single: whether reals are float32.
        names: how everything is called.
        whole: writes an extent.
    """

    def __init__(self, program: Program, single: bool, names: dict[str, str], whole: Any) -> None:
        self.program = program
        self.single = single
        self.names = names
        self.whole = whole
        self.cuts = cuts(program)
        self.scratch = [t for t in arrays(program) if t.shape]
        self.vectors = [(t, s) for t, s in partials(program) if t.shape]
        self.shared = self._shared()

    @property
    def arguments(self) -> list[str]:
        """The kernel's arguments: inputs, hyperparameters, output arrays, then turn and room."""
        program = self.program
        names = [self.names[t.name] for t in program.read_only]
        names += [self.names[p.name] for p in program.parameters]
        names += [self.names[t.name] for t in program.written]
        return [*names, "turn", "room"]

    @property
    def has_door(self) -> bool:
        """Whether the kernel may be called at once: it replaces nothing, and is short enough."""
        return not self.is_long and not self.program.replaced

    @property
    def is_long(self) -> bool:
        """Whether there are so many arrays or parts that each part is a function of its own."""
        written, read = len(self.program.written), len(self.program.inputs)
        few = written * (read + (written - 1) / 2) <= MOST_PAIRS
        return not few or len(sections(self.program)) > MOST_PARTS

    @property
    def needs_work(self) -> bool:
        """Whether memory besides inputs and outputs is needed even when all is done at once."""
        return bool(self.scratch or self.vectors or self.shared)

    def _shared(self) -> list[Tensor]:
        """Scalars that one part leaves for another."""
        numbers = set(self.program.numbers)
        scalars = [t for t in arrays(self.program) if not t.shape]
        made: dict[Tensor, int] = {}
        for number, section in enumerate(sections(self.program)):
            made |= dict.fromkeys(section.writes, number)
        for number, section in enumerate(sections(self.program)):
            for tensor in section.reads & numbers:
                if made.get(tensor, number) != number and tensor not in scalars:
                    scalars.append(tensor)
        return scalars

    def head(self) -> list[str]:
        """The sizes of all dims, then the counts of blocks."""
        found: dict[Dim, str] = {}
        for tensor in self.program.inputs:
            for axis, extent in enumerate(tensor.shape):
                where = f"{self.names[tensor.name]}.shape[{axis}]"
                dim = sole_dim(extent)
                if dim is None:
                    continue
                if extent == dim and " " in found.get(dim, " "):
                    found[dim] = where
                elif dim not in found:
                    found[dim] = f"{where} + {dim - extent}"
        lines = [f"{self.names[dim.name]} = {found[dim]}" for dim in self.program.dims]
        for cut in dict.fromkeys(self.cuts.values()):
            extent = self.whole(cut.extent)
            lines.append(f"{cut.rows} = {self._rows(cut)}")
            lines.append(f"{cut.blocks} = ({extent} + {cut.rows} - 1) // {cut.rows}")
        return lines

    def _rows(self, cut: Cut) -> str:
        """How many values of the index make a block: a function of the extents alone."""
        least = "1"
        if cut.vectors:
            most = MOST_VECTOR_BLOCKS
            least = f"({self.whole(cut.extent)} + {most - 1}) // {most}, 1"
        if cut.width == 1:
            return str(BLOCK_ELEMENTS) if not cut.vectors else f"max({BLOCK_ELEMENTS}, {least})"
        return f"max({BLOCK_ELEMENTS} // max({self.whole(cut.width)}, 1), {least})"

    def door(self, dear: bool) -> list[str]:
        """The look at what came, when all is to be done at once; else whose turn it is."""
        mine = ["mine = given(turn)",
                "part, last_part, first, last = mine[0], mine[1], mine[2], mine[3]"]  # fmt: skip
        if not self.has_door:
            return ["if turn is None:  # so many arrays are looked at beforehand",
                    "    raise UnfitError", *mine]  # fmt: skip
        looks = (
            ("sizes, and what is better done beside other threads",
             [*self._too_small(), *self._too_large(dear)]),
            ("shapes", self._wrong_shapes()),
            ("hyperparameters", self._wrong_numbers()),
            ("outputs that overlap something", self._overlaps()),
        )  # fmt: skip
        lines = [f"part, last_part, first, last = 0, {len(sections(self.program))}, 0, 2**62",
                 "if turn is None:  # all at once, unless something speaks against it"]  # fmt: skip
        for what, conditions in looks:
            if conditions:
                lines.append(f"    # {what}")
                lines += [f"    {line}" for line in _any_of(conditions)]
        lines.append("else:  # a part of the work, which threads share")
        return [*lines, *(f"    {line}" for line in mine)]

    def _too_small(self) -> list[str]:
        found = [f"{self.whole(need.extent)} < {need.least}" for need in self.program.needs]
        plain = {extent for tensor in self.program.inputs for extent in tensor.shape}
        found += [f"{self.names[d.name]} < 0" for d in self.program.dims if d not in plain]
        for tensor in self.program.inputs:
            if tensor.domain.below is not None:
                below = self.names[tensor.domain.below.name]
                found.append(f"{below} < 1 and {self.names[tensor.name]}.size > 0")
        return found

    def _too_large(self, dear: bool) -> list[str]:
        most = least_shared(dear, self.single)
        elements = [cut.extent * cut.width for cut in self.cuts.values()]
        for section in sections(self.program):
            elements += _multiplications(section.body)
        return [f"{self.whole(count)} >= {most}" for count in dict.fromkeys(elements)]

    def _wrong_shapes(self) -> list[str]:
        known: set[str] = set(self.head())
        found = []
        for tensor in (*self.program.inputs, *self.program.written):
            name = self.names[tensor.name]
            for axis, extent in enumerate(tensor.shape):
                got, wanted = f"{name}.shape[{axis}]", self.whole(extent)
                if f"{wanted} = {got}" not in known:
                    found.append(f"{got} != {wanted}")
            if not tensor.shape:
                found.append(f"{name}.shape[0] != 1")
        return found

    def _wrong_numbers(self) -> list[str]:
        found = []
        for parameter in self.program.parameters:
            name, domain = self.names[parameter.name], parameter.domain
            bounds = []
            if domain.values:
                bounds.append(" or ".join(f"{name} == {value!r}" for value in domain.values))
            else:
                sign = ">" if domain.open_lower else ">="
                bounds += (
                    [f"{name} {sign} {domain.lower!r}"] if domain.lower > -float("inf") else []
                )
                bounds += [f"{name} <= {domain.upper!r}"] if domain.upper < float("inf") else []
            bounds = bounds or [f"{name} == {name}"]
            found.append(
                f"not {bounds[0]}" if len(bounds) == 1 else f"not ({' and '.join(bounds)})"
            )
        return found

    def _overlaps(self) -> list[str]:
        """What must not be; a few at a time are looked at without a branch between them."""
        apart = []
        inputs = [self.names[t.name] for t in self.program.inputs]
        outputs = [self.names[t.name] for t in self.program.written]
        for place, output in enumerate(outputs):
            apart += [f"apart({output}, {other})" for other in [*inputs, *outputs[:place]]]
        if len(apart) <= _FEW_PAIRS:
            return [f"not {pair}" for pair in apart]
        threes = [apart[place : place + 3] for place in range(0, len(apart), 3)]
        return [f"not ({' & '.join(pairs)})" for pairs in threes]

    def scratch_lines(self) -> list[str]:
        """Where each part of the scratch memory begins, and what it is called."""
        fixed = [f"{self.names[t.name]}_at" for t in self.slots()]
        lines, at = [], str(len(fixed))
        views = []
        for tensor, cut in self._scalar_partials():
            name = f"{self.names[tensor.name]}_at"
            lines.append(f"{name} = {at}")
            at = f"{name} + {cut.blocks}"
        for name, count, view in self._areas():
            lines.append(f"{name}_at = {at}")
            at = f"{name}_at + {count}"
            views.append(f"{name} = carve(work, {name}_at, {view})")
        lines += [f"size = {at}", "if turn is not None and room is None:", "    return float(size)"]
        lines.append("gil = 0 if turn is None else release_gil()")
        if self.needs_work:
            lines.append("work = np.empty(size) if turn is None else given(room)")
            return [*lines, *views]
        lines.append("spread = 0 if turn is None else 1  # alone, what threads leave goes nowhere")
        lines.append("work = corner() if turn is None else given(room)")
        return lines

    def slots(self) -> list[Tensor]:
        """The scalars that have a place of their own in the scratch memory, in order."""
        numbers = list(self.program.numbers)
        return numbers + [t for t in self.shared if t not in numbers]

    def slot(self, tensor: Tensor) -> int:
        """The place of a scalar in the scratch memory."""
        return self.slots().index(tensor)

    def _scalar_partials(self) -> list[tuple[Tensor, Cut]]:
        found = []
        for number, section in enumerate(sections(self.program)):
            if section.index is not None:
                found += [(t, self.cuts[number]) for t, _ in section.reduced if not t.shape]
        return found

    def _areas(self) -> list[tuple[str, str, str]]:
        """Arrays in the scratch memory: name, count of eight-byte words, how they are viewed."""
        found = []
        added = scattered(self.program)
        for tensor in self.scratch:
            buffer = self.program.buffer(tensor)
            assert buffer is not None
            extents = [self.whole(tensor.shape[axis]) for axis in buffer.axes]
            single = self.single and tensor not in added
            found.append(self._area(tensor, self.names[tensor.name], extents, single))
        for tensor, section in self.vectors:
            rows = f"({self._cut_of(section).blocks} + 1)"  # the last is the total
            extents = [rows, *(self.whole(extent) for extent in tensor.shape)]
            found.append(self._area(tensor, f"{self.names[tensor.name]}_parts", extents, False))
        for number, cut in self.cuts.items():
            for pivot in pivots_of(self.program, sections(self.program)[number]):
                name = f"{self.names[pivot.tensor.name]}_parts"
                extents = [cut.blocks, *(self.whole(extent) for extent in pivot.tensor.shape)]
                found.append(self._area(pivot.tensor, name, extents, self.single))
        return found

    def _area(
        self, tensor: Tensor, name: str, extents: list[str], single: bool
    ) -> tuple[str, str, str]:
        count = " * ".join(e if e.isidentifier() else f"({e})" for e in extents)
        kind = self.kind(tensor, single)
        words = f"({count} + 1) // 2" if kind == "np.float32" else count
        shape = f"({', '.join(extents)},)" if len(extents) == 1 else f"({', '.join(extents)})"
        return name, words, f"{shape}, {kind}"

    def _cut_of(self, section: Section) -> Cut:
        return self.cuts[sections(self.program).index(section)]

    @staticmethod
    def kind(tensor: Tensor, single: bool) -> str:
        """The NumPy type of a tensor's entries."""
        if tensor.domain in (PATTERNS, UNSIGNED):
            return "np.uint64"
        if tensor.domain.integer:
            return "np.int64"
        return "np.float32" if single else "np.float64"


def _multiplications(body: tuple[Node, ...]) -> list[Any]:
    """How many numbers each matrix product multiplies: a large one is to let other threads run."""
    found = []
    for node in body:
        if isinstance(node, Loop):
            found += [node.index.extent * count for count in _multiplications(node.body)]
        elif isinstance(node, Contract):
            row, column = node.places[-2:]
            found.append(row.extent * column.extent * node.index.extent)
    return found


def _any_of(conditions: list[str]) -> list[str]:
    """Write a refusal of any of some conditions, a few of them a line."""
    lines, line = [], "if ("
    for place, condition in enumerate(conditions):
        part = condition if place == len(conditions) - 1 else f"{condition} or "
        if len(line) + len(part) > _WIDEST:
            lines.append(line.rstrip())
            line = "    "
        line += part
    if not lines:
        return [f"if {line[4:]}:", "    raise UnfitError"]
    return [*lines, f"{line}):", "    raise UnfitError"]
