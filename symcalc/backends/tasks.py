"""Task: one computation, a choice of inputs and of tensors to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symcalc.calculus.equations import Equation
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Tensor, dims_of


@dataclass(frozen=True)
class Task:
    """One computation.

    Args:
        name: the mode, which names the generated function.
        equations: everything it may need, each standing on those before it.
        inputs: the arrays it reads.
        value: the value's tensor, if it is wanted.
        gradients: the gradients' tensors that are wanted.
        like: for each gradient, the input that it has the shape of.
        measures: scalars that tell whether inputs lie in their domains.
        called: what the caller calls an input, where it is not the input's own name.
        in_place: whether each gradient is an input's next value, to be written where that input is.
    """

    name: str
    equations: tuple[Equation, ...]
    inputs: tuple[Tensor, ...]
    value: Tensor | None
    gradients: tuple[Tensor, ...]
    like: tuple[str, ...] = ()
    measures: tuple[Tensor, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict)
    in_place: bool = False

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The dims of the inputs, in order of appearance."""
        return dims_of(self.inputs)

    @property
    def replaced(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """What is written where an input was, and that input."""
        known = {tensor.name: tensor for tensor in self.inputs}
        pairs = zip(self.gradients, self.like, strict=True) if self.in_place else ()
        return tuple((tensor, known[name]) for tensor, name in pairs)

    @property
    def number(self) -> Tensor | None:
        """The value, if it is one number."""
        return None if self.value is None or self.value.shape else self.value

    @property
    def written(self) -> tuple[Tensor, ...]:
        """The arrays that are filled: an array value, then the gradients."""
        value = () if self.value is None or self.number is not None else (self.value,)
        return value + self.gradients

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What is computed: value, gradients, measures."""
        return (() if self.value is None else (self.value,)) + self.gradients + self.measures
