"""Whether two formulas are the same, decided by a canonical form and never by numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from symcalc.calculus.canonical import (
    MOST_MULTIPLIED_OUT,
    Poly,
    added,
    multiplied,
    polynomial,
    scaled,
)
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.calculus.expansion import expanded
from symcalc.calculus.probe import probe
from symcalc.notation.errors import ArgumentTypeError, DerivationError
from symcalc.notation.tensors import Tensor, accesses

ROUNDS = 16


def same_formula(left: Any, right: Any, definitions: Iterable[Equation] = ()) -> bool:
    """Whether two formulas are equal by what sums, products, exponentials and choices are.

    Definitions are written out, both sides are brought to a canonical form (products multiplied
    out, sums pulled apart, deltas used up, bound letters named by depth, softmax by its
    exponentials), denominators are cleared, and what is left of left - right must be nothing.
    No numbers are tried: True is a proof, wherever both sides have a value; False says only that
    these identities do not make them equal. Values are compared: `stop_gradient` is the identity.

    Args:
        left: a formula of the notation.
        right: another, in the same free indices.
        definitions: equations of the tensors in them that are no inputs.

    Raises:
        TooManyTermsError: multiplied out, a side is too long.
        ArgumentTypeError: a side is no formula.
    """
    for side, given in (("left", left), ("right", right)):
        if not isinstance(given, (sp.Expr, int, float)):
            raise ArgumentTypeError(
                f"same_formula: {side}: expected a formula of the notation, such as an objective's "
                f".body, got {type(given).__name__} {given!s:.80}"
            )
    known = tuple(definitions)
    return not difference(written_out(left, known), written_out(right, known))


def same_gradient(one: Derivation, other: Derivation, name: str) -> bool:
    """Whether two objectives have the same gradient by an input, as formulas.

    Args:
        one: a derivation.
        other: another, of an objective that has the same input.
        name: the input.

    Returns:
        True if it is proved, see `same_formula`; False if not.

    Raises:
        DerivationError: the input has another shape or domain in the other objective, or one of
            the two was not derived by it; or a gradient is too long, multiplied out.
        ArgumentTypeError: one of the two is no derivation.
    """
    for given in (one, other):
        if not isinstance(given, Derivation):
            raise ArgumentTypeError(
                "same_gradient: expected two derivations, such as derive(objective), got "
                f"{type(given).__name__} {given!s:.80}"
            )
    left, right, _ = _gradients(one, other, name)
    return not difference(left, right)


def gradients_agree(one: Derivation, other: Derivation, name: str, points: int = 2) -> bool:
    """Whether two gradients agree at random points, in ball arithmetic of 200 bits.

    Args:
        one: a derivation.
        other: another, of an objective that has the same input.
        name: the input.
        points: how many points to try.

    Raises:
        DerivationError: as for `same_gradient`.
    """
    left, right, indices = _gradients(one, other, name)
    return probe(left, right, indices, (), 0, points)


def difference(left: Any, right: Any) -> Poly:
    """Return what is left of left - right in canonical form, denominators cleared."""
    apart = added(polynomial(sp.sympify(left)), scaled(polynomial(sp.sympify(right)), -1))
    for _ in range(ROUNDS):
        below = _denominator(apart)
        if below is None:
            break
        apart = multiplied(apart, {frozenset({below}): sp.Integer(1)})
    return apart


def _denominator(poly: Poly) -> Any:
    """Return a factor, with its greatest power, that some term is divided by."""
    worst: dict[Any, Any] = {}
    for monomial in poly:
        for factor, exponent in monomial:
            if isinstance(factor, tuple) and factor[0] in ("poly", "sum") and exponent < 0:
                worst[factor] = max(worst.get(factor, 0), -exponent)
    for factor, exponent in worst.items():
        if exponent.is_Integer and exponent <= MOST_MULTIPLIED_OUT:
            return factor, exponent
    return None


def written_out(expression: Any, definitions: tuple[Equation, ...]) -> Any:
    """Replace expectations by what they become, and defined tensors by their definitions."""
    known: dict[Tensor, Equation] = {equation.target: equation for equation in definitions}
    expression = expanded(sp.sympify(expression)).body
    while True:
        defined = [a for a in accesses(expression) if a.tensor in known]
        if not defined:
            return expression
        expression = expression.xreplace({a: known[a.tensor].at(a.places) for a in defined})


def _gradients(one: Derivation, other: Derivation, name: str) -> tuple[Any, Any, Any]:
    """Return both gradients in the first one's indices, written out by their own definitions."""
    for derivation in (one, other):
        if name not in derivation.wrt:
            raise DerivationError(
                f"same_gradient: expected an input derived by, one of {derivation.wrt} of "
                f"{derivation.objective.name}, got {name!r}"
            )
    left, right = (d.objective.input(name) for d in (one, other))
    if left != right:
        raise DerivationError(
            f"same_gradient: {name} has shape {left.shape} and is {left.domain.describe()} in "
            f"{one.objective.name}, but {right.shape} and {right.domain.describe()} in "
            f"{other.objective.name}"
        )
    indices = one.gradient_of(name).indices
    places = tuple(indices)
    bodies = []
    for derivation in (one, other):
        adjoint = derivation.gradient_of(name)
        here = Equation(adjoint.target, adjoint.indices, adjoint.body).at(places)
        bodies.append(written_out(here, derivation.equations))
    return bodies[0], bodies[1], indices
