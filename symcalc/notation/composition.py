"""`compose`: one objective over another, as an objective of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

from symcalc.notation.calls import call, shown
from symcalc.notation.compare import expression
from symcalc.notation.definitions import Defined
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import labels
from symcalc.notation.errors import NotationError
from symcalc.notation.naming import Namer
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Tensor


def compose(
    *objectives: Objective,
    wrt: str | tuple[str, ...] | None = None,
    name: str | None = None,
) -> Objective:
    """Put objectives one over another: the first input of each is what the next one gives.

    compose(f, g)(x..., y...) = f(g(x...), y...)

    The inputs are those of the inner one, then the other inputs of the outer one; so are the
    hyperparameters. An input or hyperparameter of the outer one whose name the inner one has
    already is called `<outer>_<name>`; a dim of the outer one, `<dim>_2`. What the inner one gives
    is shown under the name of the outer one's first input (under the inner one's own name if that
    is an input's), which `model` tells.

    Args:
        objectives: the outermost first; all but the first are layers.
        wrt: the inputs to differentiate by; those of the innermost if not given.
        name: of the composition; made of the names if not given.

    Returns:
        The Objective; `reduction` and `weights` mean what they mean to the outermost.

    Raises:
        NotationError: fewer than two, one that is no objective, or one whose output does not fit
            the input above it.
    """
    if len(objectives) < 2:
        raise NotationError(f"compose: expected at least two objectives, got {len(objectives)}")
    for part in objectives:
        if not isinstance(part, Objective):
            raise NotationError(f"compose: expected objectives, got {part!r:.80}")
    spelled = [_spelled(part) for part in objectives]
    spelling = f"sc.compose({', '.join(spelled)})" if all(spelled) else ""
    *outer, made = objectives
    for part in reversed(outer):
        made = stacked(part, made)
    made = dataclasses.replace(made, name=name or made.name, spelling=spelling)
    return made if wrt is None else made.by(wrt)


def _spelled(part: Objective) -> str:
    """The Python that makes an objective, as far as it is known."""
    return part.spelling or (f'sc.get("{part.name}")' if part.family else "")


def stacked(outer: Objective, inner: Objective, between: str = "", adjoint: str = "") -> Objective:
    """Put one objective over one other.

    Args:
        outer: gives the result.
        inner: a layer, whose output is the first input of `outer`.
        between: what that is called, where it is not to be called like the input.
        adjoint: what its adjoint is called; `<name>_bar` if not given.

    Raises:
        NotationError: the output does not fit the input.
    """
    if outer.averaged is not None and not any(t.name == "weights" for t in outer.inputs):
        whole, reduction = outer.averaged
        return stacked(whole, inner, between, adjoint).with_reduction(reduction)
    first, *others = outer.inputs
    title = f"compose: {outer.name} over {inner.name}"
    _check_fit(title, outer, first, inner)
    taken = {t.name for t in inner.inputs} | {p.name for p in inner.parameters}
    names = Namer(taken | {dim.name for dim in inner.dims})
    dims = _dims(outer, first, inner, names)
    symbols: dict[str, Any] = {}
    parameters = list(inner.parameters)
    for parameter in outer.parameters:
        own = names.name(_apart(parameter.name, outer, taken))
        parameters.append(Parameter(own, parameter.domain, parameter.default))
        symbols[parameter.name] = parameters[-1].symbol
    inputs = list(inner.inputs)
    for tensor in others:
        inputs.append(_renamed(tensor, names.name(_apart(tensor.name, outer, taken)), dims))
    between = between or (first.name if first.name not in names.taken else inner.name)
    kept = {p.name: p.symbol for p in inner.parameters}
    under = call(inner, inner.inputs, dict(kept)).named(names.name(between), adjoint)
    arguments = (under, *inputs[len(inner.inputs) :])
    body = call(outer, arguments, symbols)
    standing: tuple[Index, ...] = ()
    if isinstance(body, Defined):  # a layer over a layer: its own formula is the result
        standing, body = body.definition.indices, body.definition.body
    outer_sizes = tuple(
        dataclasses.replace(size, dim=dims[size.dim]) for size in outer.sizes
        if isinstance(dims[size.dim], Dim)
    )  # fmt: skip
    return make_objective(
        f"{outer.name}_of_{inner.name}", tuple(inputs), tuple(parameters), expression(body),
        inner.wrt[0] if inner.single else inner.wrt, standing,
        summary=f"{outer.name} of {inner.name}.",
        notes=" ".join(part.summary for part in (outer, inner) if part.summary),
        reference="; ".join(dict.fromkeys(r for r in (outer.reference, inner.reference) if r)),
        family="composition", model=str(under.name), sizes=(*inner.sizes, *outer_sizes),
    )  # fmt: skip


def _apart(name: str, outer: Objective, taken: set[str]) -> str:
    """A name that the inner one has is written with the outer one's in front."""
    return f"{outer.name}_{name}" if name in taken else name


def _check_fit(title: str, outer: Objective, first: Tensor, inner: Objective) -> None:
    """Refuse what cannot stand one over the other."""
    output = ", ".join(str(index.extent) for index in inner.outputs)
    if inner.is_scalar:
        raise NotationError(f"{title}: {inner.name} gives a number, not an array for {first.name}")
    if first.domain.integer:
        raise NotationError(
            f"{title}: {first.name} holds {first.domain.describe()}, but {inner.name}[{output}] "
            "holds real numbers"
        )
    if len(first.shape) != len(inner.outputs):
        raise NotationError(
            f"{title}: expected an output of shape {shown(first)}, got {inner.name}[{output}]"
        )


def _dims(outer: Objective, first: Tensor, inner: Objective, names: Namer) -> dict[Any, Any]:
    """Find what each dim of the outer one is called beside the inner one's."""
    found: dict[Any, Any] = {}
    for extent, index in zip(first.shape, inner.outputs, strict=True):
        for dim in (symbol for symbol in extent.free_symbols if isinstance(symbol, Dim)):
            found.setdefault(dim, index.extent - (extent - dim))
    below = [t.domain.below for t in outer.inputs if t.domain.below is not None]
    for dim in dict.fromkeys((*outer.dims, *below)):
        if dim not in found:
            found[dim] = Dim(names.name(dim.name))
    return found


def _renamed(tensor: Tensor, name: str, dims: dict[Any, Any]) -> Tensor:
    """Return an input under another name, its shape in other dims."""
    domain = tensor.domain
    if domain.below is not None:
        below = dims[domain.below]
        if not isinstance(below, Dim):
            raise NotationError(f"compose: {tensor.name}: labels below {below} are not supported")
        domain = labels(below.name)
    return Tensor(name, tuple(extent.xreplace(dims) for extent in tensor.shape), domain)
