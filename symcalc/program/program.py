"""Program: the computation as loops and buffers; no mathematics left to decide."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symcalc.notation.dims import Dim, Index
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.needs import Need
from symcalc.program.pivots import Pivot, Recentred
from symcalc.program.wide import Powers


@dataclass(frozen=True)
class Assign:
    """`target[places] = value`."""

    target: Tensor
    places: tuple[Any, ...]
    value: Any


@dataclass(frozen=True)
class Accumulate:
    """`target[places]` takes in `value`, by sum, prod, max or min over the loop of `index`.

    By `power` it takes in the power of two that the running product beside it gives off.
    """

    target: Tensor
    places: tuple[Any, ...]
    kind: str
    value: Any
    index: Index


@dataclass(frozen=True)
class Contract:
    """`target[places]` becomes the sum over `index` of left times right: a matrix product.

    The last two places of the target are the free ones of left and of right; what stands before
    them is the same in all three.
    """

    target: Tensor
    places: tuple[Any, ...]
    value: Any
    index: Index
    left: Access
    right: Access

    def under(self, loops: Mapping[Index, Index]) -> Contract:
        """Return the product inside loops that stand for some of its indices."""
        places = tuple(place.xreplace(loops) for place in self.places)
        left, right = self.left.xreplace(loops), self.right.xreplace(loops)
        return Contract(self.target, places, left * right, self.index, left, right)


@dataclass(frozen=True)
class Recentre:
    """`target[places]` becomes a sum around a mean, from what each block summed around its pivot.

    It is done for all places at once, since it goes through the blocks one after another.
    """

    target: Tensor
    places: tuple[Any, ...]
    value: Recentred


@dataclass(frozen=True)
class Start:
    """An accumulator's state before its loop; `free` are those of its places that vary inside."""

    target: Tensor
    places: tuple[Any, ...]
    free: tuple[Index, ...]
    kind: str


@dataclass(frozen=True)
class Loop:
    """`for index in range(extent)`, where a condition is given only if it holds."""

    index: Index
    body: tuple[Node, ...]
    when: Any = None


@dataclass(frozen=True)
class Descent(Loop):
    """`for index in range(extent)`, from the last value down."""


Node = Assign | Accumulate | Contract | Recentre | Start | Loop


@dataclass(frozen=True)
class Buffer:
    """Where a tensor lives.

    Args:
        tensor: the tensor.
        kind: "output" or "array" (a whole array), "row" (one row, reused), "local" (a scalar).
        axes: which of the tensor's axes are stored.
    """

    tensor: Tensor
    kind: str
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """A pass over blocks of one index, or a few scalar statements between passes.

    Args:
        index: the index cut into blocks; None for scalar statements.
        body: what is done for one value of it.
        reduced: (tensor, kind) for each accumulator over the index: one partial a block, put
            together in the order of the blocks.
        width: how many elements one value of the index touches.
        carried: what recurrences carry from entry to entry, in float64.
    """

    index: Index | None
    body: tuple[Node, ...]
    reduced: tuple[tuple[Tensor, str], ...] = ()
    width: Any = 1
    carried: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class Program:
    """A computation; one is equal to itself alone, so that it is looked up at no cost.

    Args:
        name: what it computes, such as "value_and_grad".
        title: the objective's name.
        inputs: the arrays read, in order.
        parameters: the hyperparameters, in order.
        outputs: the arrays or scalars computed, in order.
        dims: every dim, in order of appearance in the inputs.
        buffers: where each computed tensor lives.
        stages: what is done, in order.
        value: the scalar output that is handed back as a number, if there is one.
        measures: the scalar outputs that tell whether the inputs lie in their domains.
        needs: what the extents must at least be.
        pivots: what each block of a pass measures means from.
        powers: (tensor, powers) where a tensor is kept with powers of two.
        replaced: the outputs that are written where an input was, and those inputs.
    """

    name: str
    title: str
    inputs: tuple[Tensor, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Tensor, ...]
    dims: tuple[Dim, ...]
    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    value: Tensor | None = None
    measures: tuple[Tensor, ...] = ()
    needs: tuple[Need, ...] = ()
    pivots: tuple[Pivot, ...] = ()
    powers: tuple[tuple[Tensor, Powers], ...] = ()
    replaced: tuple[tuple[Tensor, Tensor], ...] = ()

    @property
    def read_only(self) -> tuple[Tensor, ...]:
        """The inputs that no output replaces."""
        gone = {given for _, given in self.replaced}
        return tuple(tensor for tensor in self.inputs if tensor not in gone)

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """The outputs that are numbers and no arrays: the value, then the measures."""
        return (() if self.value is None else (self.value,)) + self.measures

    @property
    def written(self) -> tuple[Tensor, ...]:
        """The outputs that are arrays, in order."""
        numbers = self.numbers
        return tuple(tensor for tensor in self.outputs if tensor not in numbers)

    def buffer(self, tensor: Tensor) -> Buffer | None:
        """Return where a tensor lives, or None for an input."""
        return self._buffers.get(tensor)

    @functools.cached_property
    def _buffers(self) -> dict[Tensor, Buffer]:
        return {buffer.tensor: buffer for buffer in self.buffers}
