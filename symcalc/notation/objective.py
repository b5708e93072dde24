"""Objective: a named definition, held to the notation when it is made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from symcalc.notation.atoms import adopt
from symcalc.notation.averages import batch_of, outer_means
from symcalc.notation.calls import call
from symcalc.notation.checking import check_formula, check_names, check_wrt
from symcalc.notation.definitions import Defined, Definition, gathered
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import NONNEGATIVE, WEIGHTS
from symcalc.notation.errors import NotationError
from symcalc.notation.parameters import Parameter, Size
from symcalc.notation.reductions import Sum, in_bounds
from symcalc.notation.sense import check_sense
from symcalc.notation.tensors import Access, Tensor, dims_of, free_indices
from symcalc.notation.updates import whole

REDUCTIONS = ("mean", "sum", "none")


@dataclass(frozen=True)
class Objective:
    """A definition: inputs with shapes and domains, a formula, what it is differentiated by.

    Args:
        name: its name in the catalogue, or "formula".
        inputs: the array inputs in order.
        parameters: the hyperparameters in order.
        body: the formula, in the notation's nodes.
        outputs: the free indices of the formula, one an axis of the result; none for a scalar.
        wrt: the inputs it is differentiated by.
        single: whether `wrt` was one name, so that gradients are an array and not a tuple.
        summary: one line of what it is.
        notes: the rest of its docstring.
        reference: where it comes from.
        family: the catalogue file it stands in.
        averaged: for a reduced objective, the one it was made from and how it is reduced.
        definitions: the tensors that the formula defines for itself, in an order in which each
            stands on those before it.
        model: the name of the definition that is a model's output, where the objective is a loss
            over a model.
        sizes: the sizes that dims must have, where they are fixed.
        spelling: the Python that makes it, where it is made of others: `sc.compose(...)`.
        state: for an update, the inputs that a step replaces, each with the name of the definition
            that it becomes; the first, which has no such name, becomes the value.
    """

    name: str
    inputs: tuple[Tensor, ...]
    parameters: tuple[Parameter, ...]
    body: Any
    outputs: tuple[Index, ...]
    wrt: tuple[str, ...]
    single: bool = True
    summary: str = ""
    notes: str = ""
    reference: str = ""
    family: str = ""
    averaged: tuple[Objective, str] | None = field(default=None, repr=False, compare=False)
    definitions: tuple[Definition, ...] = ()
    model: str = ""
    sizes: tuple[Size, ...] = ()
    spelling: str = ""
    state: tuple[tuple[str, str], ...] = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Write the formula on other arguments, inside the formula of another objective.

        h = layer_norm(x, gamma, beta); ... h[i, j] ...

        Args:
            arguments: tensors in the order of the inputs: inputs of the formula being written, what
                another call returned, or what `define` made.
            named: inputs by name; hyperparameters, as numbers or in hyperparameters of the formula
                being written. Those not given stand at their defaults.

        Returns:
            The formula, for a scalar objective; for a layer a tensor to be indexed.

        Raises:
            NotationError: an argument is missing, unknown, or of another shape or domain.
        """
        return call(self, arguments, named)

    @property
    def formulas(self) -> tuple[Any, ...]:
        """Every formula of the objective: what its definitions stand for, then its own."""
        return (*(meant.body for meant in self.definitions), self.body)

    @property
    def at_any_size(self) -> Objective:
        """The same without the sizes that are fixed."""
        return dataclasses.replace(self, sizes=()) if self.sizes else self

    @property
    def is_scalar(self) -> bool:
        """Whether the value is one number."""
        return not self.outputs

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The dims of the inputs, in order of appearance."""
        return dims_of(self.inputs)

    def input(self, name: str) -> Tensor:
        """Return the input of this name."""
        return next(tensor for tensor in self.inputs if tensor.name == name)

    def by(self, wrt: str | tuple[str, ...]) -> Objective:
        """Return the objective with other inputs to differentiate by.

        Raises:
            NotationError: `wrt` names no real input.
        """
        names = check_wrt(self.name, self.inputs, wrt, self.body)
        return dataclasses.replace(self, wrt=names, single=not isinstance(wrt, tuple))

    @property
    def averages(self) -> bool:
        """Whether the formula is a mean over a batch dim, so that `reduction` may change it."""
        return self.is_scalar and batch_of(self.body) is not None

    @property
    def takes_weights(self) -> bool:
        """Whether sample weights may be given: a mean over a batch, however it is reduced."""
        named = any(tensor.name == "weights" for tensor in self.inputs)
        return not named and (self.averages or self.averaged is not None)

    def with_reduction(self, reduction: str | None) -> Objective:
        """Return the objective with its mean over the batch left, summed or taken away.

        Args:
            reduction: "mean", "sum" or "none"; None leaves it as written.

        Raises:
            NotationError: another word, or the formula is no mean over a batch.
        """
        if reduction is None or (reduction == "mean" and self.averages):
            return self
        if reduction not in REDUCTIONS:
            raise NotationError(
                f"reduction: expected one of 'mean', 'sum', 'none', got {reduction!r}"
            )
        if not self.averages:
            raise NotationError(
                f"reduction: {self.name} does not average over a batch dim; "
                f"expected None, got {reduction!r}"
            )
        return self._reduced(reduction, None)

    def with_weights(self) -> Objective:
        """Return the objective with one more input, `weights`, one for each of the batch.

        The mean becomes sum(i, w[i] e[i]) / sum(i, w[i]).

        Raises:
            NotationError: the formula is no mean over a batch, or has such an input already.
        """
        if not self.takes_weights or any(t.name == "weights" for t in self.inputs):
            raise NotationError(f"weights: {self.name} takes no sample weights")
        whole, reduction = (self, "mean") if self.averaged is None else self.averaged
        batch = batch_of(whole.body)
        assert batch is not None
        weights = Tensor(
            "weights", (batch.extent,), WEIGHTS if reduction == "mean" else NONNEGATIVE
        )
        return whole._reduced(reduction, weights)

    def _reduced(self, reduction: str, weights: Tensor | None) -> Objective:
        """Write the means over the batch as means, sums or entries, weighted or not."""
        batch = batch_of(self.body)
        assert batch is not None
        free = batch.fresh()
        reduced = {}
        for mean in outer_means(self.body):
            entry, index = mean.body, mean.index
            if weights is not None:
                entry = weights[index] * entry
            if reduction == "none":
                reduced[mean] = entry.xreplace({index: free})
            elif reduction == "sum" or weights is None:
                reduced[mean] = Sum.over(index, entry)
            else:
                reduced[mean] = Sum.over(index, entry) / Sum.over(index, weights[index])
        return dataclasses.replace(
            self,
            inputs=self.inputs if weights is None else (*self.inputs, weights),
            body=self.body.xreplace(reduced),
            outputs=(free,) if reduction == "none" else (),
            averaged=(self, reduction),
        )

    def __str__(self) -> str:
        own = f"{self.name}({', '.join(t.name for t in self.inputs)}) = {self.body}"
        return "; ".join([own, *map(str, self.definitions)])

    def _repr_latex_(self) -> str:
        from symcalc.notation.latex import latex

        name = rf"\mathrm{{{self.name.replace('_', '~')}}}"
        lefts = [latex(Access(d.tensor, *d.indices)) for d in self.definitions]
        if self.outputs:
            name += f"_{{{', '.join(latex(index) for index in self.outputs)}}}"
        bodies = [latex(formula) for formula in self.formulas]
        rows = [f"{a} &= {b}" for a, b in zip((*lefts, name), bodies, strict=True)]
        aligned = " \\\\\n".join(rows)
        return f"$$\n\\begin{{aligned}}\n{aligned}\n\\end{{aligned}}\n$$"


def make_objective(
    name: str,
    inputs: tuple[Tensor, ...],
    parameters: tuple[Parameter, ...],
    body: Any,
    wrt: str | tuple[str, ...] | None,
    standing: tuple[Index, ...] = (),
    state: tuple[tuple[str, Defined], ...] = (),
    **described: Any,
) -> Objective:
    """Check a formula against its inputs and make the objective.

    Args:
        name: of the objective.
        inputs: the arrays it reads.
        parameters: its hyperparameters.
        body: the formula; what it reads besides the inputs it has defined itself.
        wrt: what to differentiate by.
        standing: the order of the result's axes; that of the inputs' dims if not given.
        state: for an update, the inputs that a step replaces and what each becomes; the first
            becomes the value, and its tensor is not looked at.
        described: the other fields of the objective.

    Raises:
        NotationError: unknown names, an unbound or clashing index, nothing to differentiate by.
    """
    arguments = {tensor.name for tensor in inputs} | {p.name for p in parameters}
    dims = dims_of(inputs)
    check_names(name, [*(t.name for t in inputs), *(p.name for p in parameters)], dims)
    others = tuple(tensor for _, tensor in state[1:])
    definitions, (body, *kept) = gathered(
        (body, *map(whole, others)), arguments | {dim.name for dim in dims}
    )
    definitions = tuple(dataclasses.replace(d, body=adopt(d.body)) for d in definitions)
    body = adopt(body)
    known = {*inputs, *(meant.tensor for meant in definitions)}
    for formula in (*(meant.body for meant in definitions), body):
        check_formula(name, formula, known, {p.name for p in parameters})
        check_sense(name, formula, [p.name for p in parameters])
    order = {dim: place for place, dim in enumerate(dims)}
    axes = {index: place for place, index in enumerate(standing)}
    outputs: list[Index] = []
    for index in sorted(
        free_indices(body),
        key=lambda i: (axes.get(i, 99), _place_of(i, order), i.dummy_index),
    ):
        narrowed, body = in_bounds(index, body, outputs)
        outputs.append(narrowed)
    for formula, free in (*((d.body, d.indices) for d in definitions), (body, tuple(outputs))):
        for symbol in _extents(formula).union(*(index.extent.free_symbols for index in free)):
            if symbol not in order:
                letters = {i.name for i in (*formula.atoms(Index), *free) if symbol in i.dims}
                raise NotationError(
                    f"{name}: index {', '.join(sorted(letters)) or '?'} runs over {symbol}, which "
                    "is the extent of no input: it indexes no array"
                )
    names = check_wrt(name, inputs, wrt, body)
    return Objective(
        name, inputs, parameters, body, tuple(outputs), names, not isinstance(wrt, tuple),
        definitions=definitions,
        state=tuple((of, "" if access is None else access.tensor.name)
                    for (of, _), access in zip(state, (None, *kept), strict=False)),
        **described,
    )  # fmt: skip


def _place_of(index: Index, order: dict[Dim, int]) -> int:
    """Where the dim of a free index stands among the inputs' dims: axes of a result follow them."""
    return min((order.get(dim, 99) for dim in index.dims), default=99)


def _extents(body: Any) -> set[Dim]:
    """The dims that stand in a formula, or that its indices, free or bound, run over."""
    bodies = [body, *(index.extent for index in body.atoms(Index))]
    return {s for part in bodies for s in part.free_symbols if isinstance(s, Dim)}
