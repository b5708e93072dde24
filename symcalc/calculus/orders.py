"""Orders: the two passes on any equations, by any tensor, so that derivatives can be composed.

A Hessian-vector product is the tangents of a gradient, a third derivative the tangents of those, a
Gauss-Newton product an adjoint of a tangent of a gradient of a tangent. Each pass takes equations
and gives equations back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from symcalc.calculus.equations import Equation, Lifter, Namer, lift_objective
from symcalc.calculus.forward import merged, tangents
from symcalc.calculus.reverse import ReversePass
from symcalc.calculus.steps import Step
from symcalc.notation.dims import Index, unused
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Access, Tensor

if TYPE_CHECKING:
    from symcalc.calculus.derive import Derivation


@dataclass(frozen=True)
class Reversal:
    """A gradient of one tensor of a list of equations by others.

    Args:
        equations: those given, with those of the adjoints among them.
        gradients: for each tensor differentiated by, the tensor of the gradient.
        steps: what was done, in order.
    """

    equations: tuple[Equation, ...]
    gradients: Mapping[Tensor, Tensor]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Product:
    """A derivative along directions: equations, and which of their tensors are wanted.

    Args:
        equations: each standing on those before it.
        directions: the tensors multiplied by, in order.
        results: the products, one a tensor differentiated by.
        steps: what was done, in order; each `.holds()`.
    """

    equations: tuple[Equation, ...]
    directions: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    steps: tuple[Step, ...]

    @property
    def needed(self) -> tuple[Equation, ...]:
        """The equations that the results stand on, and no others."""
        return behind(self.equations, self.results)

    def latex(self) -> str:
        """Return the equations as aligned LaTeX."""
        from symcalc.notation.latex import latex

        rows = [f"{latex(e.left)} &= {latex(e.body, None, e.indices)}" for e in self.needed]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def __str__(self) -> str:
        return "\n".join(str(equation) for equation in self.needed)


def behind(equations: Iterable[Equation], targets: Iterable[Tensor]) -> tuple[Equation, ...]:
    """Return the equations that some tensors stand on, their own among them.

    Args:
        equations: each standing on those before it.
        targets: what is wanted.
    """
    wanted, kept = set(targets), []
    for equation in reversed(tuple(equations)):
        if equation.target in wanted:
            kept.append(equation)
            wanted |= {access.tensor for access in equation.body.atoms(Access)}
    return tuple(reversed(kept))


def read_by(equations: Iterable[Equation]) -> set[Tensor]:
    """Return every tensor that equations read."""
    return {access.tensor for e in equations for access in e.body.atoms(Access)}


def names_in(objective: Objective, equations: Iterable[Equation], *others: Tensor) -> Namer:
    """Return a namer that knows every name an objective and some equations use."""
    names = {t.name for t in (*objective.inputs, *others)} | {e.target.name for e in equations}
    names |= {p.name for p in objective.parameters} | {d.name for d in objective.dims}
    return Namer(names)


def reverse_of(
    equations: tuple[Equation, ...],
    output: Tensor,
    seed: Any,
    wrt: tuple[Tensor, ...],
    namer: Namer,
) -> Reversal:
    """Differentiate sum(seed * output) by any tensors, inputs or defined ones.

    A defined tensor that is differentiated by counts as given: its own equation is set aside, and
    where several are, each is held fixed while another moves.

    Args:
        equations: each standing on those before it.
        output: what is differentiated.
        seed: its cotangent: a tensor of the output's shape, or a formula without indices.
        wrt: what is differentiated by.
        namer: hands out the adjoints' names.

    Raises:
        DerivationError: the output depends on none of these.
    """
    needed = [e for e in behind(equations, (output,)) if e.target not in wrt]
    last = next(e for e in needed if e.target == output)
    ordered = [e for e in needed if e.target != output] + [last]
    given = Access(seed, *last.indices) if isinstance(seed, Tensor) else sp.sympify(seed)
    found = ReversePass(ordered, tuple(tensor.name for tensor in wrt), namer).run(given)
    lifter = Lifter(namer)
    gradients: dict[Tensor, Tensor] = {}
    for adjoint in found.adjoints:
        namer.taken.discard(adjoint.target.name)
        target = lifter.define(adjoint.target.name, adjoint.indices, adjoint.body)
        if adjoint.of in wrt:
            gradients[adjoint.of] = target
    for tensor in wrt:
        if tensor not in gradients:
            gradients[tensor] = zero(tensor, f"{tensor.name}_bar", lifter)
    whole = merged(list(equations), [*found.equations, *lifter.equations])
    return Reversal(whole, gradients, found.steps)


def along(
    equations: tuple[Equation, ...],
    outputs: tuple[Tensor, ...],
    directions: Mapping[str, Tensor],
    namer: Namer,
) -> Product:
    """Differentiate several tensors along directions; what does not move gets a zero of its own.

    Args:
        equations: each standing on those before it.
        outputs: what is differentiated.
        directions: for each tensor that moves, by name, the tensor of its direction.
        namer: hands out the tangents' names.
    """
    found = tangents(equations, directions, namer)
    lifter = Lifter(namer)
    results = tuple(
        found.of.get(tensor) or zero(tensor, f"{tensor.name}_dot", lifter) for tensor in outputs
    )
    return Product(
        (*found.equations, *lifter.equations), tuple(directions.values()), results, found.steps
    )


def zero(like: Tensor, name: str, lifter: Lifter) -> Tensor:
    """Define a tensor of zeros of the shape of another."""
    return lifter.define(name, places_of(like), sp.Integer(0))


def places_of(tensor: Tensor) -> tuple[Index, ...]:
    """Return fresh indices for all axes of a tensor, under letters of their own."""
    made: list[Index] = []
    for axis, extent in enumerate(tensor.shape):
        letter = unused("ijklm"[axis % 5], {index.name for index in made})
        made.append(Index(letter, extent))
    return tuple(made)


def directions_for(tensors: Iterable[Tensor], namer: Namer) -> dict[str, Tensor]:
    """Return a direction for each tensor, of its shape, by the tensor's name."""
    return {t.name: Tensor(namer.name(f"{t.name}_dot"), t.shape) for t in tensors}


def tangent_product(objective: Objective, names: Iterable[str]) -> Product:
    """Return the value's derivative along directions of some inputs: the jvp.

    Args:
        objective: whose value is differentiated.
        names: of the inputs that move.
    """
    primal, _ = lift_objective(objective)
    namer = names_in(objective, primal)
    directions = directions_for([objective.input(name) for name in names], namer)
    return along(tuple(primal), (primal[-1].target,), directions, namer)


def hessian_product(derivation: Derivation, times: int = 1) -> Product:
    """Return the gradient's derivative along one direction, or along several in turn.

    Once is the Hessian-vector product; twice the third derivative with two vectors. For a layer
    it is the gradient of sum(cotangent * value) that is differentiated.

    Args:
        derivation: of the gradient.
        times: how many directions there are.
    """
    cotangent = () if derivation.cotangent is None else (derivation.cotangent,)
    namer = names_in(derivation.objective, derivation.equations, *cotangent)
    inputs = [derivation.objective.input(name) for name in derivation.wrt]
    product = Product(
        derivation.equations,
        (),
        tuple(derivation.gradient_of(name).target for name in derivation.wrt),
        (),
    )
    for _ in range(times):
        moved = along(product.equations, product.results, directions_for(inputs, namer), namer)
        product = Product(
            moved.equations,
            (*product.directions, *moved.directions),
            moved.results,
            (*product.steps, *moved.steps),
        )
    return product
