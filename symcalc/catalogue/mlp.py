"""Perceptrons, built from a description: `mlp(widths=(2, 8, 1))` is an objective like any other.

Each layer is two equations, z = W h + b and h = activation(z), whatever the depth.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from symcalc.catalogue import get
from symcalc.notation import atoms
from symcalc.notation.averages import outer_means
from symcalc.notation.calls import Instance
from symcalc.notation.composition import stacked
from symcalc.notation.definitions import define
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import NotationError
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.parameters import Size
from symcalc.notation.reductions import Mean
from symcalc.notation.tensors import Access, Tensor

Activation = str | Callable[[Any], Any]

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType({
    "sigmoid": atoms.sigmoid, "tanh": atoms.tanh, "relu": atoms.relu, "softplus": atoms.softplus,
    "erf": atoms.erf,
})  # fmt: skip


def mlp(
    widths: Sequence[int] = (2, 8, 1),
    activation: Activation | Sequence[Activation] = "sigmoid",
    loss: Objective | str = "bce_with_logits",
    wrt: str | tuple[str, ...] | None = None,
) -> Objective:
    """Build a multilayer perceptron under a loss, of any depth.

    h_0 = x,  z_l = h_{l-1} W_l^T + b_l,  h_l = activation(z_l),  value = loss(z_L, target)

    The inputs are x[n, d0], then W1[d1, d0], b1[d1], ..., WL, bL, then the loss's other inputs.
    Weights have a row for each unit, as in PyTorch. A loss over vectors takes the output as a
    vector where it is one wide; where it is wider, the loss's other vectors have as many columns,
    and the mean goes over both.

    Args:
        widths: how many numbers go in, how many units each layer has; the last is the output.
        activation: "sigmoid", "tanh", "relu", "softplus", "erf", or a function of the notation such
            as `symcalc.log_cosh`; or one for each layer but the last, which has none.
        loss: a scalar objective whose first input is the output, or its catalogue name.
        wrt: what to differentiate by; all weights and biases if not given.

    Returns:
        The Objective; its kernels hold arrays to the widths. Its derivation keeps the widths as
        letters d0, d1, ...; the adjoint of z_l is called delta_l. `model` is the name of z_L.

    Raises:
        NotationError: widths, an activation or a loss that does not make sense.
        UnknownObjectiveError: no objective has the name of the loss.
    """
    sizes = _widths(widths)
    depth = len(sizes) - 1
    chosen = _activations(activation, depth - 1)
    over = _loss(loss, sizes[-1])
    network = _network(sizes, chosen)
    made = stacked(over, network, f"z{depth}", f"delta{depth}")
    made = dataclasses.replace(
        made, name="mlp",
        summary=f"{over.name} of a network of widths {', '.join(map(str, sizes))}.",
        notes=over.summary, family="networks", spelling=_spelled(sizes, activation, loss),
        reference="Rumelhart, Hinton and Williams (1986), doi:10.1038/323533a0",
    )  # fmt: skip
    return made if wrt is None else made.by(wrt)


def network(
    widths: Sequence[int] = (2, 8, 1), activation: Activation | Sequence[Activation] = "sigmoid"
) -> Objective:
    """Build the network of `mlp` without a loss: a layer that gives z_L, a row a sample.

    Args:
        widths: how many numbers go in, how many units each layer has; the last is the output.
        activation: one for all layers but the last, which has none, or one for each of them.

    Returns:
        The Objective, of inputs x[n, d0], W1[d1, d0], b1[d1], ..., WL, bL. Called inside the
        formula of another objective it is a part of that.

    Raises:
        NotationError: widths or an activation that does not make sense.
    """
    sizes = _widths(widths)
    return _network(sizes, _activations(activation, len(sizes) - 2))


def _spelled(sizes: tuple[int, ...], activation: Any, loss: Any) -> str:
    """The call that builds the network, where all of it is named."""
    functions = activation if isinstance(activation, (tuple, list)) else (activation,)
    if not all(isinstance(word, str) for word in (*functions, loss)):
        return ""
    chosen = tuple(activation) if isinstance(activation, list) else activation
    return f"sc.mlp({sizes}, {chosen!r}, {loss!r})".replace("'", '"')


def _network(sizes: tuple[int, ...], chosen: tuple[Callable[[Any], Any], ...]) -> Objective:
    """Write the layers, one after another, as an objective that gives the last one's output."""
    n = Dim("n")
    dims = tuple(Dim(f"d{layer}") for layer in range(len(sizes)))
    inputs = [Tensor("x", (n, dims[0]))]
    fixed = [Size(dims[0], sizes[0], f"layer 1 reads {sizes[0]} numbers")]
    below: Tensor = inputs[0]
    dense = get("dense")
    for layer, (before, dim) in enumerate(itertools.pairwise(dims), start=1):
        weight, bias = Tensor(f"W{layer}", (dim, before)), Tensor(f"b{layer}", (dim,))
        inputs += [weight, bias]
        fixed.append(Size(dim, sizes[layer], f"layer {layer} has {sizes[layer]} units"))
        z = dense(below, weight, bias).named(f"z{layer}", f"delta{layer}")
        if layer < len(sizes) - 1:
            i, j = Index("i", n), Index("j", dim)
            below = define(f"h{layer}", (i, j), chosen[layer - 1](z[i, j]))
    output = z.definition
    return make_objective(
        "network", tuple(inputs), (), output.body, tuple(t.name for t in inputs[1:]),
        output.indices, sizes=tuple(fixed),
        summary=f"A network of widths {', '.join(map(str, sizes))}.",
    )  # fmt: skip


def _widths(given: Any) -> tuple[int, ...]:
    """Return the widths, at least two whole numbers from 1 on."""
    try:
        found = tuple(operator.index(width) for width in given)
    except TypeError:
        found = ()
    if len(found) < 2 or min(found) < 1:
        raise NotationError(
            f"mlp: widths: expected at least two whole numbers from 1 on, such as (2, 8, 1), got "
            f"{given!r}"
        )
    return found


def _activations(given: Any, count: int) -> tuple[Callable[[Any], Any], ...]:
    """Return the function of each layer but the last."""
    each = tuple(given) if isinstance(given, (tuple, list)) else (given,) * count
    if len(each) != count:
        raise NotationError(
            f"mlp: activation: expected one, or one for each of the {count} hidden layers, got "
            f"{len(each)}"
        )
    for chosen in each:
        if not callable(chosen) and chosen not in ACTIVATIONS:
            raise NotationError(
                f"mlp: activation: expected one of {', '.join(ACTIVATIONS)}, or a function of the "
                f"notation, got {chosen!r}"
            )
    return tuple(chosen if callable(chosen) else ACTIVATIONS[chosen] for chosen in each)


def _loss(given: Any, width: int) -> Objective:
    """Return the loss as one over the rows of a matrix of so many columns."""
    loss = get(given) if isinstance(given, str) else given
    if not isinstance(loss, Objective) or not loss.is_scalar:
        raise NotationError(
            f"mlp: loss: expected a scalar objective or a catalogue name, got {given!s:.80}"
        )
    rank = len(loss.inputs[0].shape)
    if rank == 2:
        return loss
    if rank != 1 or not loss.averages or loss.definitions:
        raise NotationError(
            f"mlp: loss: expected a loss over rows, or a mean of a loss over entries; "
            f"{loss.name} is neither"
        )
    return _over_columns(loss, width)


def _over_columns(loss: Objective, width: int) -> Objective:
    """Write a mean over entries as the mean over rows and columns.

    mean(i, e(z[i], y[i])) becomes mean(i, mean(k, e(z[i,k], y[i,k]))); of one column y stays a
    vector.
    """
    (batch,) = loss.inputs[0].shape
    column = Index("k", Dim("columns"))
    shape = {loss.inputs[0]: (batch, column.extent)}
    for tensor in loss.inputs[1:]:
        alike = tensor.shape == (batch,) and width > 1 and not tensor.domain.rows_sum_to_one
        shape[tensor] = (batch, column.extent) if alike else tensor.shape
    inputs = [Tensor(t.name, shape[t], t.domain) for t in loss.inputs]
    read: dict[Tensor, Any] = {
        old: partial(_read, new, (column,) * (len(new.shape) - len(old.shape)))
        for old, new in zip(loss.inputs, inputs, strict=True)
    }
    body = Instance({}, read).formula(loss.body)
    body = body.xreplace({m: Mean(Mean.over(column, m.body), m.index) for m in outer_means(body)})
    return make_objective(
        loss.name, tuple(inputs), loss.parameters, body, loss.wrt[0],
        summary=loss.summary, reference=loss.reference,
    )  # fmt: skip


def _read(tensor: Tensor, column: tuple[Index, ...], *places: Any) -> Access:
    return Access(tensor, *places, *column)
