"""What a kernel can be asked for: each mode is a task, put together from the two passes."""

from __future__ import annotations

from collections.abc import Callable

from symcalc.backends.second_order import (
    gauss_newton_task,
    hessian_diagonal_task,
    hessian_factors_task,
    product_task,
)
from symcalc.backends.tasks import Task
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import lift_objective
from symcalc.calculus.orders import tangent_product
from symcalc.calculus.split import fisher, gauss_newton

# What each mode is put together by, from the derivation and the words after the mode's name.
_TASKS: dict[str, Callable[[Derivation, list[str]], Task]] = {
    "jvp": lambda derivation, names: _jvp(derivation, names),
    "hvp": lambda derivation, _: product_task(derivation, "hvp", ("vector",)),
    "third": lambda derivation, _: product_task(derivation, "third", ("vectors[0]", "vectors[1]")),
    "gnvp": lambda derivation, at: gauss_newton_task(derivation, "gnvp", gauss_newton, *at),
    "fvp": lambda derivation, at: gauss_newton_task(derivation, "fvp", fisher, *at),
    "hessian_diagonal": lambda derivation, _: hessian_diagonal_task(derivation),
    "hessian_factors": lambda derivation, _: hessian_factors_task(derivation),
    "step": lambda derivation, _: _step(derivation),
}  # fmt: skip


def task(derivation: Derivation, mode: str) -> Task:
    """Return what a mode computes.

    Args:
        derivation: of the objective.
        mode: "value", "grad", "value_and_grad", "vjp", "hvp", "third", "hessian_diagonal" or
            "hessian_factors"; "jvp" with the inputs that move, as in "jvp x gamma"; "gnvp" or
            "fvp" with the name of the model's output, as in "gnvp logits".
    """
    word, *rest = mode.split()
    make = _TASKS.get(word)
    return _first_order(derivation, mode) if make is None else make(derivation, rest)


def _first_order(derivation: Derivation, mode: str) -> Task:
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
    objective = derivation.objective
    moved = tangent_product(objective, names)
    value = lift_objective(objective)[0][-1].target
    pairs = zip(moved.directions, names, strict=True)
    called = {tensor.name: f"tangents[{name!r}]" for tensor, name in pairs}
    inputs = (*objective.inputs, *moved.directions)
    return Task("jvp", moved.equations, inputs, value, moved.results, called=called)


def _step(derivation: Derivation) -> Task:
    """What a state becomes, written where it is; an update of an update's own equations."""
    objective = derivation.objective
    primal, _ = lift_objective(objective)
    named = {equation.target.name: equation.target for equation in primal}
    after = tuple(primal[-1].target if not name else named[name] for _, name in objective.state)
    like = tuple(name for name, _ in objective.state)
    return Task("step", tuple(primal), objective.inputs, None, after, like, in_place=True)


__all__ = ["Task", "task"]
