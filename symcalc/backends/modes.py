"""What a kernel can be asked for: each mode is a choice of inputs and of tensors to compute."""

from __future__ import annotations

from dataclasses import dataclass

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Tensor


@dataclass(frozen=True)
class Task:
    """One computation.

    Args:
        name: the mode: value, grad, value_and_grad or vjp.
        equations: everything it may need, each standing on those before it.
        inputs: the arrays it reads.
        value: the value's tensor, if it is wanted.
        gradients: the gradients' tensors that are wanted.
        measures: scalars that tell whether inputs lie in their domains.
    """

    name: str
    equations: tuple[Equation, ...]
    inputs: tuple[Tensor, ...]
    value: Tensor | None
    gradients: tuple[Tensor, ...]
    measures: tuple[Tensor, ...] = ()

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The dims of the inputs, in order of appearance."""
        seen: dict[Dim, None] = {}
        for tensor in self.inputs:
            for extent in tensor.shape:
                for dim in sorted(extent.free_symbols, key=str):
                    seen.setdefault(dim)
        return tuple(seen)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What is computed: value, gradients, measures."""
        return (() if self.value is None else (self.value,)) + self.gradients + self.measures


def task(derivation: Derivation, mode: str) -> Task:
    """Return what a mode computes.

    Args:
        derivation: of the objective.
        mode: "value", "grad", "value_and_grad" or "vjp".
    """
    inputs = derivation.objective.inputs
    if mode == "vjp":
        assert derivation.cotangent is not None
        inputs = (*inputs, derivation.cotangent)
    gradients = tuple(derivation.gradient_of(name).target for name in derivation.wrt)
    return Task(
        mode,
        derivation.equations,
        inputs,
        derivation.value if mode != "grad" else None,
        gradients if mode != "value" else (),
    )
