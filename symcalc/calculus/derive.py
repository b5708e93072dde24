"""`derive`: from an objective to the equations of its value and gradient, with every step kept."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation, Lifter, Namer, lift_objective
from symcalc.calculus.expectations import CLOSED, QUADRATURE, expectation_steps
from symcalc.calculus.kinks import Boundary, boundaries
from symcalc.calculus.operations import Operations, cost, operations_of
from symcalc.calculus.orders import Product, hessian_product
from symcalc.calculus.reverse import Adjoint, ReversePass
from symcalc.calculus.rewriting import refreshed
from symcalc.calculus.simplify import simplified
from symcalc.calculus.steps import Step
from symcalc.calculus.structure import Structure, structure_of
from symcalc.notation.checking import check_differentiable
from symcalc.notation.dims import Index
from symcalc.notation.objective import Objective
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, Tensor


@dataclass(frozen=True, repr=False)
class Derivation:
    """The equations of a value and its gradient, and the steps that led there.

    Args:
        objective: what was derived.
        wrt: the inputs differentiated by.
        equations: every equation, each standing on those before it: the value's, then the
            gradient's.
        value: the tensor that holds the value.
        cotangent: for an array-valued objective, the tensor of its cotangent; else None.
        adjoints: for each input, the tensor that holds its gradient, with indices and formula;
            named adjoints of intermediate tensors come first.
        steps: what was done, in order.
        kinks: where the gradient may jump.
    """

    objective: Objective
    wrt: tuple[str, ...]
    equations: tuple[Equation, ...]
    value: Tensor
    cotangent: Tensor | None
    adjoints: tuple[Adjoint, ...]
    steps: tuple[Step, ...]
    kinks: tuple[Boundary, ...]

    @property
    def gradient(self) -> Mapping[str, Any]:
        """The gradient by each input, as a formula in that input's indices."""
        found = {a.of.name: a.body for a in self.adjoints if a.of.name in self.wrt}
        return MappingProxyType({name: found[name] for name in self.wrt})

    def gradient_of(self, name: str) -> Adjoint:
        """Return the gradient by one input, with its tensor and indices."""
        return next(a for a in self.adjoints if a.of.name == name)

    @property
    def definitions(self) -> tuple[Equation, ...]:
        """The equations of the value and of what the gradient names."""
        mine = {a.target for a in self.adjoints}
        last = next(p for p, e in enumerate(self.equations) if e.target == self.value)
        names = {acc.tensor for a in self.adjoints for acc in a.body.atoms(Access)}
        return self.equations[: last + 1] + tuple(
            e for e in self.equations[last + 1 :] if e.target in names and e.target not in mine
        )

    @property
    def expectations(self) -> tuple[str, ...]:
        """How each Gaussian expectation is computed, in words: closed form, or nodes and error."""
        return tuple(
            f"{step.before}: {step.rule} ({'; '.join(step.conditions)})"
            for step in self.steps
            if step.rule in (CLOSED, QUADRATURE)
        )

    @property
    def operations(self) -> tuple[Operations, Operations]:
        """What the gradient costs beyond the value: as the chain rule writes it, and simplified.

        Before: every contribution that the rules of differentiation give, its deltas used up, and
        their sums. After: the equations of the gradient, a sum that stands in several being one.
        """
        raw: dict[Tensor, list[Any]] = {}
        for step in self.steps:
            through = any(word.startswith("through ") for word in step.conditions)
            if through or isinstance(step.after, Recurrence):
                raw.setdefault(step.target, []).append(step)
        before = Operations()
        for steps in raw.values():
            before += sum((step.operations[1] for step in steps), Operations())
            entries = sp.Mul(*steps[0].target.shape)
            before += Operations.of({"additions": (len(steps) - 1) * entries})
        last = next(p for p, e in enumerate(self.equations) if e.target == self.value)
        return before, operations_of(self.equations[last + 1 :])

    @functools.cached_property
    def hvp(self) -> Product:
        """The Hessian-vector product: the tangents of the gradient, equations and steps.

        For a layer it is that of sum(cotangent * value).
        """
        return hessian_product(self)

    @functools.cached_property
    def hessian_structure(self) -> Structure:
        """The Hessian by the one input as a formula, and the structure read off it.

        Raises:
            DerivationError: several inputs are differentiated by.
        """
        return structure_of(self)

    def latex(self) -> str:
        """Return the whole derivation's result as aligned LaTeX."""
        from symcalc.notation.latex import derivation_latex

        return derivation_latex(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def __str__(self) -> str:
        lines = [str(e) for e in self.definitions]
        lines += [str(Equation(a.target, a.indices, a.body)) for a in self.adjoints]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Derivation({self.objective.name}, wrt={self.wrt}, {len(self.steps)} steps)"


def derive(objective: Objective, wrt: str | tuple[str, ...] | None = None) -> Derivation:
    """Derive the gradient of an objective, step by step.

    For an array-valued objective the gradient is that of sum(cotangent * value).

    Args:
        objective: what to derive.
        wrt: the inputs to differentiate by; the objective's own if not given.

    Returns:
        The Derivation.

    Raises:
        NotationError: `wrt` names no real input.
        DerivationError: the value does not depend on it.
    """
    names = objective.wrt if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        check_differentiable(objective.name, objective.inputs, name, objective.body)
    primal, namer = lift_objective(objective)
    value = primal[-1].target
    cotangent = (
        None if objective.is_scalar else Tensor(namer.name(f"{value.name}_bar"), value.shape)
    )
    seed = sp.Integer(1) if cotangent is None else Access(cotangent, *primal[-1].indices)
    found = ReversePass(primal, names, namer).run(seed)
    adjoints, steps = _close(found.adjoints, names, objective, found.equations, namer)
    lifter = Lifter(namer)
    lifter.equations = list(found.equations)
    lifted = [Adjoint(a.of, _define(lifter, a), a.indices, a.body) for a in adjoints]
    return Derivation(
        objective, names, tuple(lifter.equations), value, cotangent, tuple(lifted),
        expectation_steps(objective.body) + found.steps + tuple(steps), boundaries(objective),
    )  # fmt: skip


def _define(lifter: Lifter, adjoint: Adjoint) -> Tensor:
    """Lift an adjoint's formula into equations under the name it already has."""
    lifter.namer.taken.discard(adjoint.target.name)
    return lifter.define(adjoint.target.name, adjoint.indices, adjoint.body)


def _close(
    adjoints: tuple[Adjoint, ...],
    wrt: tuple[str, ...],
    objective: Objective,
    equations: tuple[Equation, ...],
    namer: Namer,
) -> tuple[list[Adjoint], list[Step]]:
    """Write adjoints that are used once into the formula that uses them, and simplify.

    Those that the objective names stay as they are, and so do those that it would be dearer to
    compute anew for each entry of the formula.
    """
    kept: list[Adjoint] = []
    steps: list[Step] = []
    known = {a.of.name: a for a in adjoints}
    wanted = [known.get(name) or _zero(objective.input(name), namer) for name in wrt]
    inner = [a for a in adjoints if a.of.name not in wrt]
    uses = {a.target: 0 for a in inner}
    for adjoint in (*inner, *wanted):
        for access in _occurrences(adjoint.body):
            if access.tensor in uses:
                uses[access.tensor] += 1
    written_out: dict[Tensor, Adjoint] = {}
    context = Context(equations)
    for adjoint in (*inner, *wanted):
        body, made = _written_out(adjoint, written_out, context)
        apart = _cheaper_apart(adjoint, body, written_out, context)
        if apart is not None:
            read = [written_out.pop(a.tensor, None) for a in _occurrences(adjoint.body)]
            kept.extend(known for known in read if known is not None)
            body, made = apart
        closed = Adjoint(adjoint.of, adjoint.target, adjoint.indices, body)
        context.add_adjoint(Equation(closed.target, closed.indices, closed.body))
        steps.extend(made)
        called = f"{adjoint.of.name}_bar" in namer.called
        if uses.get(adjoint.target, 2) > 1 or called or isinstance(body, Recurrence):
            kept.append(closed)
        else:
            written_out[adjoint.target] = closed
    used = {a.tensor for k in kept for a in k.body.atoms(Access)}
    return [k for k in kept if k.of.name in wrt or k.target in used], steps


def _cheaper_apart(
    adjoint: Adjoint, together: Any, written_out: dict[Tensor, Adjoint], context: Context
) -> tuple[Any, list[Step]] | None:
    """The adjoint with those it reads left by themselves, if that takes fewer operations."""
    read = {written_out[a.tensor] for a in _occurrences(adjoint.body) if a.tensor in written_out}
    runs = adjoint.body.atoms(Index) | set(adjoint.indices)
    if all(len(known.indices) == len(runs) for known in read):
        return None
    body, made = _written_out(adjoint, {}, context)
    apart = cost(body) + sum(cost(known.body) for known in read)
    return (body, made) if apart < cost(together) else None


def _zero(tensor: Tensor, namer: Namer) -> Adjoint:
    """The adjoint of an input that the value does not depend on."""
    indices = tuple(Index("ijklm"[axis % 5], extent) for axis, extent in enumerate(tensor.shape))
    target = Tensor(namer.name(f"{tensor.name}_bar"), tensor.shape)
    return Adjoint(tensor, target, indices, sp.Integer(0))


def _occurrences(expression: Any) -> list[Access]:
    """Every occurrence of an access, repeated ones counted."""
    return [node for node in sp.preorder_traversal(expression) if isinstance(node, Access)]


def _written_out(
    adjoint: Adjoint, written_out: dict[Tensor, Adjoint], context: Context
) -> tuple[Any, list[Step]]:
    """Substitute the adjoints that are to be written out, then simplify."""
    places: dict[Any, Any] = {}
    for access in adjoint.body.atoms(Access):
        known = written_out.get(access.tensor)
        if known is not None:
            places[access] = refreshed(known.body).xreplace(
                dict(zip(known.indices, access.places, strict=True))
            )
    body = adjoint.body.xreplace(places)
    steps: list[Step] = []
    if places:
        definitions = context.near(adjoint.body, body)
        steps.append(
            Step("substitute", adjoint.target, adjoint.indices, adjoint.body, body, (), definitions)
        )
    result, made = simplified(body, adjoint.target, adjoint.indices, context)
    return result, steps + made
