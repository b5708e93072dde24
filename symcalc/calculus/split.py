"""Split: a loss over a model, parted where the model's output has a name of its own.

With z = model(x) and value = loss(z), the Gauss-Newton product is J^T H J v: J is dz/dx and H the
loss's second derivative by z. It leaves the model's own curvature out, so that it is positive
semidefinite wherever the loss is convex in z.

The Fisher product puts in H's place its expectation over targets drawn from the model itself, for
a loss that is a negative log-likelihood up to terms that z does not touch. Where H does not depend
on the targets that is H; where the targets are labels out of finitely many classes it is the sum
over all of them with probabilities exp(-loss), held fixed.

Reference: Martens (2020), arXiv:1412.1193, sections 8 and 9.
"""

from __future__ import annotations

import dataclasses

import sympy as sp

from symcalc.calculus.equations import Equation, Lifter, Namer, lift_objective
from symcalc.calculus.orders import (
    Product,
    along,
    behind,
    directions_for,
    names_in,
    read_by,
    reverse_of,
    zero,
)
from symcalc.calculus.slopes import active
from symcalc.calculus.steps import Step
from symcalc.notation.atoms import stop_gradient
from symcalc.notation.dims import Index
from symcalc.notation.errors import DerivationError
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.tensors import Access, Tensor

_WEIGHTS = "weights"


def gauss_newton(objective: Objective, wrt: tuple[str, ...], at: str) -> Product:
    """Return the Gauss-Newton product of a loss over a model: J^T H J v.

    Args:
        objective: the loss over the model, a scalar.
        wrt: the inputs differentiated by.
        at: the name of the model's output, a `let` or a definition of the formula.

    Raises:
        DerivationError: no such name, or the loss reads an input other than through it.
    """
    equations, namer, z = _parted(objective, wrt, at)
    inputs = tuple(objective.input(name) for name in wrt)
    value = equations[-1].target
    directions = directions_for(inputs, namer)
    moved = along(equations, (z,), directions, namer)
    (zdot,) = moved.results
    loss = reverse_of(moved.equations, value, sp.Integer(1), (z,), namer)
    curved = along(loss.equations, (loss.gradients[z],), {z.name: zdot}, namer)
    steps = (*moved.steps, *loss.steps, *curved.steps)
    if not _moves(equations, z, wrt):
        lifter = Lifter(namer)
        zeros = tuple(zero(tensor, f"{tensor.name}_bar", lifter) for tensor in inputs)
        return Product((*curved.equations, *lifter.equations), moved.directions, zeros, steps)
    back = reverse_of(curved.equations, z, curved.results[0], inputs, namer)
    return Product(
        back.equations,
        tuple(directions.values()),
        tuple(back.gradients[tensor] for tensor in inputs),
        (*steps, *back.steps),
    )


def fisher(objective: Objective, wrt: tuple[str, ...], at: str) -> Product:
    """Return the Fisher product of a negative log-likelihood over a model.

    The targets are the integer labels that the loss reads; where there are none, every array it
    reads beside z and the weights. Where the loss's Hessian by z reads no target, the product is
    the Gauss-Newton product. Else the labels are summed over, with probabilities exp(-loss).

    Args:
        objective: the loss over the model, a scalar.
        wrt: the inputs differentiated by.
        at: the name of the model's output, a `let` or a definition of the formula.

    Raises:
        DerivationError: no such name; the Hessian depends on targets that are no labels; or the
            exponentials of the negated loss do not sum to one over the classes.
    """
    equations, namer, z = _parted(objective, wrt, at)
    value = equations[-1].target
    loss = reverse_of(equations, value, sp.Integer(1), (z,), namer)
    direction = Tensor(namer.name(f"{z.name}_dot"), z.shape)
    curved = along(loss.equations, (loss.gradients[z],), {z.name: direction}, namer)
    after = [e for e in equations if e.target != z]
    read = read_by(behind(after, (value,))) & set(objective.inputs)
    labels = {t for t in read if t.domain.integer}
    targets = labels or {t for t in read if t.name != _WEIGHTS}
    open_ends = [e for e in curved.equations if e.target != z]
    depends = read_by(behind(open_ends, curved.results)) & targets
    if not depends:
        return gauss_newton(objective, wrt, at)
    names = ", ".join(sorted(t.name for t in depends))
    if len(labels) != 1 or any(t.domain.below is None for t in labels):
        raise DerivationError(
            f"{objective.name}: fvp: expected a loss whose second derivative by {at} does not "
            f"depend on the targets, or one target of labels below a dim to sum over; got one that "
            f"depends on {names}"
        )
    return gauss_newton(_expected(objective, *labels), wrt, at)


def _parted(
    objective: Objective, wrt: tuple[str, ...], at: str
) -> tuple[tuple[Equation, ...], Namer, Tensor]:
    """The equations of the value, and the tensor they are parted at."""
    if not objective.is_scalar:
        raise DerivationError(
            f"{objective.name}: expected a scalar loss over a model, got an array of "
            f"{len(objective.outputs)} axes: {objective.body}"
        )
    primal, _ = lift_objective(objective)
    named = {e.target.name: e.target for e in primal[:-1] if not e.target.domain.integer}
    choices = ", ".join(named) or "none; give the model's output a name by let(...)"
    if at not in named:
        raise DerivationError(
            f"{objective.name}: at: expected the name of the model's output, one of: {choices}; "
            f"got {repr(at) if at else 'none'}"
        )
    z = named[at]
    rest = behind([e for e in primal if e.target != z], (primal[-1].target,))
    around = sorted({t.name for t in read_by(rest)} & set(wrt))
    if around:
        raise DerivationError(
            f"{objective.name}: at: expected a name that the loss reads {', '.join(wrt)} through, "
            f"but beside {at} it reads {', '.join(around)} itself; names: {choices}"
        )
    return tuple(primal), names_in(objective, primal), z


def _moves(equations: tuple[Equation, ...], z: Tensor, wrt: tuple[str, ...]) -> bool:
    return z in active(list(equations), set(wrt))


def _expected(objective: Objective, label: Tensor) -> Objective:
    """The loss's expectation over labels drawn from the model, their probabilities held fixed.

    mean(i, e[i, y[i]]) becomes mean(i, sum(c, stop_gradient(exp(-e[i, c])) e[i, c])): its second
    derivative by z is the expectation of the loss's.
    """
    plain, reduction = objective.averaged or (objective, None)
    mean = plain.body
    read = [a for a in mean.atoms(Access) if a.tensor == label]
    if not isinstance(mean, Mean) or len(read) != 1 or read[0].places != (mean.index,):
        raise _no_likelihood(objective, label, "it is no mean over one label a sample")
    classes = Index("c", label.domain.below)
    entry = mean.body.xreplace({read[0]: classes})
    one = Sum.over(classes, sp.exp(-entry))
    step = Step("probabilities sum to one", label, (mean.index,), one, sp.Integer(1))
    if not step.holds():
        raise _no_likelihood(objective, label, f"{one} is not 1")
    expected = Sum.over(classes, stop_gradient(sp.exp(-entry)) * entry)
    made = dataclasses.replace(plain, body=Mean(expected, mean.index))
    if any(tensor.name == _WEIGHTS for tensor in objective.inputs):
        return made.with_weights()
    return made.with_reduction(reduction)


def _no_likelihood(objective: Objective, label: Tensor, why: str) -> DerivationError:
    return DerivationError(
        f"{objective.name}: fvp: expected a negative log-likelihood of the labels {label.name}, "
        f"one a sample, but {why}: {objective.body}"
    )
