"""Updates: equations with state, such as an optimizer's step.

A definition that returns `becomes(theta=..., m=m_next)` says what some of its own inputs are after
one step. The first is what the update is about: to everything else in the house the update is the
layer that computes it. A kernel's `step` replaces all of them, in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symcalc.notation.compare import expression
from symcalc.notation.definitions import Defined, define
from symcalc.notation.errors import NotationError
from symcalc.notation.tensors import Access, Tensor, free_indices


@dataclass(frozen=True)
class Becomes:
    """What inputs are after a step.

    Args:
        formulas: for each input of the state, a formula or a defined tensor.
    """

    formulas: tuple[tuple[str, Any], ...]


def becomes(**state: Any) -> Becomes:
    """Say what each input of the state becomes in one step.

    return becomes(theta=theta[i] - rate * m_next[i], m=m_next), where m_next was made by `define`.

    Args:
        state: for each of the function's own inputs that the step replaces, a formula whose free
            indices are its axes, or a defined tensor of its shape. The first is the one that the
            update is about.

    Raises:
        NotationError: nothing is given.
    """
    if not state:
        raise NotationError("becomes: expected at least one input and what it becomes, got none")
    return Becomes(tuple(state.items()))


def states(made: Becomes, inputs: tuple[Tensor, ...]) -> tuple[tuple[str, Defined], ...]:
    """Return each input of the state with the defined tensor that it becomes.

    Args:
        made: what its function returned.
        inputs: its inputs.

    Raises:
        NotationError: no such input, or a formula of another shape.
    """
    known = {tensor.name: tensor for tensor in inputs}
    found = []
    for name, formula in made.formulas:
        if name not in known:
            raise NotationError(f"becomes: expected one of {sorted(known)}, got {name!r}")
        if known[name].domain.integer:
            raise NotationError(f"becomes: {name} holds integers: no formula gives those")
        found.append((name, _defined(known[name], formula)))
    return tuple(found)


def _defined(tensor: Tensor, formula: Any) -> Defined:
    """The formula as a tensor of the same axes as the one it replaces."""
    if isinstance(formula, Defined):
        made = formula
    else:
        body = expression(formula)
        free = free_indices(body)
        axes = [[i for i in free if i.extent == extent] for extent in tensor.shape]
        told = len(free) == len(axes) and all(len(found) == 1 for found in axes)
        if not told:
            letters = ", ".join(sorted(index.name for index in free)) or "none"
            raise NotationError(
                f"becomes: {tensor.name}: expected a formula whose free indices are the "
                f"axes {_shape(tensor)}, one each, got {body} with {letters}; "
                f"name it with define('{tensor.name}_next', (i, ...), ...) to say which is which"
            )
        made = define(f"{tensor.name}_next", tuple(found[0] for found in axes), body)
    if made.shape != tensor.shape:
        raise NotationError(
            f"becomes: {tensor.name}: expected the shape {_shape(tensor)}, got {_shape(made)}"
        )
    return made


def whole(made: Defined) -> Access:
    """The tensor at its own indices."""
    return Access(made, *made.definition.indices)


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
