"""What became of Gaussian expectations, as steps: closed forms probed, quadratures stated."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.expansion import Expansion, expanded
from symcalc.calculus.kinks import boundaries_of
from symcalc.calculus.simplify import RewriteError
from symcalc.calculus.steps import Step
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.tensors import Tensor, free_indices

CLOSED = "Gaussian expectation in closed form"
QUADRATURE = "Gaussian expectation by Gauss-Hermite quadrature"
REFERENCE = "Golub and Welsch (1969), doi:10.1090/S0025-5718-69-99647-1"


def expectation_steps(body: Any) -> tuple[Step, ...]:
    """Return a step for each Gaussian expectation of a formula, the inner ones first.

    Raises:
        NoClosedFormError: a closed form was asked for, and none is known.
        RewriteError: a closed form is not what the integral is, at a probed point.
    """
    return tuple(_step(expansion) for expansion in expanded(body).expansions)


def _step(expansion: Expansion) -> Step:
    node, formula = expansion.node, expansion.formula
    indices = tuple(sorted(free_indices(node), key=lambda i: (i.name, i.dummy_index)))
    target = Tensor("expectation", tuple(index.extent for index in indices))
    if node.method == "quadrature":
        return Step(QUADRATURE, target, indices, node, formula, _worth(node))
    step = Step(CLOSED, target, indices, node, formula, ("the deviation is not 0",))
    if not step.holds(points=1):
        raise RewriteError(f"{CLOSED}: {node} is not {formula}")
    return step


def _worth(node: GaussianExpectation) -> tuple[str, ...]:
    """Say what a quadrature is worth, in words."""
    count = node.nodes
    said = [f"{count} nodes, exact for polynomials of degree up to {2 * count - 1}", REFERENCE]
    kinks = [
        boundary
        for part in sp.preorder_traversal(node.body)
        for boundary in boundaries_of(part)
        if node.variable in sp.sympify(boundary.left - boundary.right).free_symbols
    ]
    said += [
        f"an approximation: not smooth at {kink.left} = {kink.right}, so that the error falls only "
        "like 1/nodes at a kink and like 1/sqrt(nodes) at a jump"
        for kink in kinks
    ]
    if not kinks:
        said.append("an approximation: its error falls fast with the nodes where f is smooth")
    return tuple(said)
