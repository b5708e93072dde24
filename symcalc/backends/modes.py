"""What a kernel can be asked for: each mode is a choice of inputs and of tensors to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation, Namer, lift_objective
from symcalc.calculus.forward import tangents
from symcalc.calculus.slopes import active
from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access, Tensor, dims_of


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
    """

    name: str
    equations: tuple[Equation, ...]
    inputs: tuple[Tensor, ...]
    value: Tensor | None
    gradients: tuple[Tensor, ...]
    like: tuple[str, ...] = ()
    measures: tuple[Tensor, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict)

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The dims of the inputs, in order of appearance."""
        return dims_of(self.inputs)

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


def task(derivation: Derivation, mode: str) -> Task:
    """Return what a mode computes.

    Args:
        derivation: of the objective.
        mode: "value", "grad", "value_and_grad", "vjp", "hvp", or "jvp" with the inputs that move,
            as in "jvp x gamma".
    """
    if mode.startswith("jvp"):
        return _jvp(derivation, mode.split()[1:])
    if mode == "hvp":
        return _hvp(derivation)
    inputs, called = derivation.objective.inputs, {}
    if mode == "vjp":
        assert derivation.cotangent is not None
        inputs = (*inputs, derivation.cotangent)
        called[derivation.cotangent.name] = "cotangent"
    gradients = tuple(derivation.gradient_of(name).target for name in derivation.wrt)
    return Task(
        mode,
        derivation.equations,
        inputs,
        derivation.value if mode != "grad" else None,
        gradients if mode != "value" else (),
        derivation.wrt if mode != "value" else (),
        called=called,
    )


def _jvp(derivation: Derivation, names: list[str]) -> Task:
    """The value and its tangent."""
    primal, namer = lift_objective(derivation.objective)
    directions = _directions(derivation, names, namer)
    equations, found = tangents(tuple(primal), directions, namer)
    value = primal[-1].target
    equations, tangent = _or_zero(equations, found, value, primal[-1].indices, namer)
    inputs = (*derivation.objective.inputs, *directions.values())
    called = {tensor.name: f"tangents[{name!r}]" for name, tensor in directions.items()}
    return Task("jvp", equations, inputs, value, (tangent,), called=called)


def _hvp(derivation: Derivation) -> Task:
    """The tangents of the gradients: forward over reverse."""
    taken = {e.target.name for e in derivation.equations}
    taken |= {t.name for t in derivation.objective.inputs}
    taken |= {p.name for p in derivation.objective.parameters}
    namer = Namer(taken)
    directions = _directions(derivation, list(derivation.wrt), namer)
    equations, found = tangents(derivation.equations, directions, namer)
    products = []
    for name in derivation.wrt:
        gradient = derivation.gradient_of(name)
        equations, product = _or_zero(equations, found, gradient.target, gradient.indices, namer)
        products.append(product)
    inputs = (*derivation.objective.inputs, *directions.values())
    called = {tensor.name: "vector" for tensor in directions.values()}
    return Task("hvp", equations, inputs, None, tuple(products), derivation.wrt, called=called)


def _directions(derivation: Derivation, names: list[str], namer: Namer) -> dict[str, Tensor]:
    inputs = {tensor.name: tensor for tensor in derivation.objective.inputs}
    return {name: Tensor(namer.name(f"{name}_dot"), inputs[name].shape) for name in names}


def _or_zero(
    equations: tuple[Equation, ...],
    found: dict[Tensor, Tensor],
    target: Tensor,
    indices: tuple[Index, ...],
    namer: Namer,
) -> tuple[tuple[Equation, ...], Tensor]:
    """Return a tangent's tensor; one that is zero gets an equation that says so."""
    if target in found:
        return equations, found[target]
    zero = Tensor(namer.name(f"{target.name}_dot"), target.shape)
    return (*equations, Equation(zero, indices, sp.Integer(0))), zero


def is_diagonal(derivation: Derivation) -> bool:
    """Whether each entry of the gradient depends on its own entry of the input alone."""
    (name,) = derivation.wrt
    gradient = derivation.gradient_of(name)
    moving = active(list(derivation.equations), {name})
    for access in gradient.body.atoms(Access):
        if access.tensor in moving:
            return False
        if access.tensor.name == name and access.places != gradient.indices:
            return False
    return True
