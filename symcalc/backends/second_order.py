"""Tasks of second and third order: products with the Hessian and its kin, its diagonal, factors."""

from __future__ import annotations

from collections.abc import Callable

from symcalc.backends.tasks import Task
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Lifter
from symcalc.calculus.orders import Product, hessian_product, names_in
from symcalc.calculus.structure import Structure
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor

Split = Callable[[Objective, tuple[str, ...], str], Product]


def product_task(derivation: Derivation, mode: str, vectors: tuple[str, ...]) -> Task:
    """Return the task of the gradient's derivative along one vector, or along several in turn.

    Args:
        derivation: of the gradient.
        mode: names the task.
        vectors: what the caller calls each vector.
    """
    product = derivation.hvp if len(vectors) == 1 else hessian_product(derivation, len(vectors))
    called = {}
    each = len(derivation.wrt)
    for place, tensor in enumerate(product.directions):
        called[tensor.name] = vectors[place // each]
    inputs = (*_given(derivation, called), *product.directions)
    return Task(
        mode, product.equations, inputs, None, product.results, derivation.wrt, called=called
    )


def gauss_newton_task(derivation: Derivation, mode: str, split: Split, at: str = "") -> Task:
    """Return the task of a product of a loss over a model that is parted at a name.

    Args:
        derivation: of the loss over the model.
        mode: names the task.
        split: makes the product: Gauss-Newton's or Fisher's.
        at: the name of the model's output.

    Raises:
        DerivationError: the loss cannot be parted there.
    """
    product = split(derivation.objective, derivation.wrt, at)
    called = {tensor.name: "vector" for tensor in product.directions}
    inputs = (*derivation.objective.inputs, *product.directions)
    return Task(
        mode, product.equations, inputs, None, product.results, derivation.wrt, called=called
    )


def hessian_diagonal_task(derivation: Derivation) -> Task:
    """Return the task of the second derivative by each entry, from its formula."""
    structure = derivation.hessian_structure
    lifter = _lifter(derivation, structure)
    diagonal = lifter.define("hessian_diagonal", structure.indices, structure.diagonal)
    return _structural(derivation, "hessian_diagonal", structure, lifter, (diagonal,))


def hessian_factors_task(derivation: Derivation) -> Task:
    """Return the task of a Hessian's diagonal, its diagonal part, and its outer products.

    For each outer product there are two arrays, coefficient * left and right.
    """
    structure = derivation.hessian_structure
    lifter = _lifter(derivation, structure)
    at = structure.indices
    wanted = [
        lifter.define("hessian_diagonal", at, structure.diagonal),
        lifter.define("hessian_base", at, structure.base),
    ]
    for factor in structure.factors:
        wanted.append(lifter.define("hessian_left", at, factor.coefficient * factor.left))
        wanted.append(lifter.define("hessian_right", at, factor.right))
    return _structural(derivation, "hessian_factors", structure, lifter, tuple(wanted))


def _lifter(derivation: Derivation, structure: Structure) -> Lifter:
    cotangent = () if derivation.cotangent is None else (derivation.cotangent,)
    return Lifter(names_in(derivation.objective, structure.equations, *cotangent))


def _structural(
    derivation: Derivation, mode: str, structure: Structure, lifter: Lifter,
    wanted: tuple[Tensor, ...],
) -> Task:  # fmt: skip
    called: dict[str, str] = {}
    equations = (*structure.equations, *lifter.equations)
    like = derivation.wrt * len(wanted)
    return Task(mode, equations, _given(derivation, called), None, wanted, like, called=called)


def _given(derivation: Derivation, called: dict[str, str]) -> tuple[Tensor, ...]:
    """The inputs, and for a layer the cotangent."""
    if derivation.cotangent is None:
        return derivation.objective.inputs
    called[derivation.cotangent.name] = "cotangent"
    return (*derivation.objective.inputs, derivation.cotangent)
