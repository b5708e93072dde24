"""Objective: a named definition, and the decorator that makes one from a function."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.notation.atoms import Atom, adopt
from symcalc.notation.calls import call
from symcalc.notation.compare import Comparable, expression, is_condition
from symcalc.notation.conditions import Let, Where
from symcalc.notation.definitions import Defined, Definition, gathered
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import NONNEGATIVE, WEIGHTS, Domain
from symcalc.notation.errors import NotationError, SymcalcError
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.places import is_size
from symcalc.notation.reductions import Mean, Reduction, Sum, in_bounds
from symcalc.notation.scans import Recurrence
from symcalc.notation.sense import check_sense, use_of
from symcalc.notation.spelling import ArraySpec, read_annotation
from symcalc.notation.tensors import Access, Tensor, dims_of, free_indices
from symcalc.notation.updates import Becomes, states, whole

REDUCTIONS = ("mean", "sum", "none")
RESERVED = ("self", "out", "value_out", "cotangent", "tangents", "vector", "vectors", "at")
_PLAIN_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Hyper(Comparable, sp.Symbol):
    """The symbol of a hyperparameter: like any other, but `==` may stand in a condition."""

    __iter__ = None  # having brackets refused does not make it a sequence

    def __getitem__(self, places: Any) -> Any:
        written = ", ".join(map(str, places if isinstance(places, tuple) else (places,)))
        raise NotationError(
            f"{self.name}[{written}]: {self.name} is a hyperparameter, a single number: write it "
            "without brackets, or declare an array"
        )


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: a scalar given by keyword.

    Args:
        name: its keyword.
        domain: where it may lie.
        default: its default, or None where the caller must give one.
    """

    name: str
    domain: Domain
    default: float | None = None

    @property
    def symbol(self) -> Any:
        """The symbol that stands for it in formulas."""
        return Hyper(self.name, **self.domain.assumptions)


@dataclass(frozen=True)
class Size:
    """A size that a dim must have.

    Args:
        dim: the dim.
        value: its size.
        source: what says so, such as "layer 2 is 8 wide".
    """

    dim: Dim
    value: int
    source: str


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
        return dataclasses.replace(self, sizes=())

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
        names = _check_wrt(self.name, self.inputs, wrt, self.body)
        return dataclasses.replace(self, wrt=names, single=not isinstance(wrt, tuple))

    @property
    def averages(self) -> bool:
        """Whether the formula is a mean over a batch dim, so that `reduction` may change it."""
        return self.is_scalar and _batch(self.body) is not None

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
        batch = _batch(whole.body)
        assert batch is not None
        weights = Tensor(
            "weights", (batch.extent,), WEIGHTS if reduction == "mean" else NONNEGATIVE
        )
        return whole._reduced(reduction, weights)

    def _reduced(self, reduction: str, weights: Tensor | None) -> Objective:
        """Write the means over the batch as means, sums or entries, weighted or not."""
        batch = _batch(self.body)
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

        rows = [latex(self.body)]
        rows += [f"{latex(Access(d.tensor, *d.indices))} = {latex(d.body)}"
                 for d in self.definitions]  # fmt: skip
        shown = r", \quad ".join(rows)
        return rf"$\displaystyle {shown}$"


def outer_means(body: Any) -> list[Mean]:
    """The means that the formula is linear in, if it is: c1 mean(...) + c2 mean(...)."""
    found = []
    for term in sp.Add.make_args(body):
        means = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, Mean)]
        others = [factor for factor in sp.Mul.make_args(term) if not isinstance(factor, Mean)]
        if len(means) != 1 or any(factor.has(Reduction, Access) for factor in others):
            return []
        found.append(means[0])
    return found


def _batch(body: Any) -> Index | None:
    """The index averaged over, if every term is a mean over one dim."""
    means = outer_means(body)
    if means and all(mean.index.extent == means[0].index.extent for mean in means):
        return means[0].index
    return None


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
    for taken in (*(tensor.name for tensor in inputs), *(p.name for p in parameters)):
        if taken in RESERVED:
            raise NotationError(f"{name}: {taken!r} is an argument of every kernel: rename it")
        if taken in {dim.name for dim in dims}:
            raise NotationError(
                f"{name}: {taken!r} is both an argument and a dim: rename the one or the other"
            )
    others = tuple(tensor for _, tensor in state[1:])
    definitions, (body, *kept) = gathered(
        (body, *map(whole, others)), arguments | {dim.name for dim in dims}
    )
    definitions = tuple(dataclasses.replace(d, body=adopt(d.body)) for d in definitions)
    body = adopt(body)
    known = {*inputs, *(meant.tensor for meant in definitions)}
    for formula in (*(meant.body for meant in definitions), body):
        _check_formula(name, formula, known, {p.name for p in parameters})
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
    names = _check_wrt(name, inputs, wrt, body)
    return Objective(
        name, inputs, parameters, body, tuple(outputs), names, not isinstance(wrt, tuple),
        definitions=definitions,
        state=tuple((of, "" if access is None else access.tensor.name)
                    for (of, _), access in zip(state, (None, *kept), strict=False)),
        **described,
    )  # fmt: skip


def _check_formula(name: str, body: Any, known: set[Tensor], parameters: set[str]) -> None:
    """A formula is made of numbers of the notation, and of names that are known."""
    if is_condition(body):
        raise NotationError(f"{name}: expected a formula with a number for a value, got {body}")
    if body.has(sp.I, sp.zoo, sp.nan) or _is_infinite(body):
        raise NotationError(f"{name}: {body} is no real number: a division by zero, a root or a "
                            "logarithm of a negative number stands in the formula")  # fmt: skip
    _check_nodes(name, body)
    for access in body.atoms(Access):
        if access.tensor not in known:
            inputs = sorted({tensor.name for tensor in known})
            raise NotationError(f"{name}: {access} is not an input; inputs: {inputs}")
    for symbol in body.free_symbols:
        if not isinstance(symbol, (Index, Dim, Tensor)) and symbol.name not in parameters:
            raise NotationError(f"{name}: {symbol} is neither an input nor a hyperparameter")


def _is_infinite(node: Any) -> bool:
    """Whether an infinity stands anywhere but as one side of a choice."""
    if node in (sp.oo, -sp.oo):
        return True
    if isinstance(node, Access):
        return False
    if isinstance(node, Where):
        return any(_is_infinite(side) for side in node.args if side not in (sp.oo, -sp.oo))
    return any(_is_infinite(argument) for argument in node.args)


_NODES = (
    sp.Add, sp.Mul, sp.Pow, sp.Number, sp.NumberSymbol, sp.Symbol, sp.exp, sp.log, sp.sin, sp.cos,
    Access, Atom,
    Let, Where, Recurrence, Reduction, GaussianExpectation, Relational, sp.And, sp.Or, sp.Not,
)  # fmt: skip


def _check_nodes(name: str, body: Any) -> None:
    """Every part of a formula is part of the notation."""
    for node in sp.preorder_traversal(body):
        known = isinstance(node, _NODES) or node in (sp.true, sp.false) or is_size(node)
        if not known:
            raise NotationError(
                f"{name}: {type(node).__name__} is not part of the notation: {node}"
            )


def _place_of(index: Index, order: dict[Dim, int]) -> int:
    """Where the dim of a free index stands among the inputs' dims: axes of a result follow them."""
    return min((order.get(dim, 99) for dim in index.dims), default=99)


def _extents(body: Any) -> set[Dim]:
    """The dims that stand in a formula, or that its indices, free or bound, run over."""
    bodies = [body, *(index.extent for index in body.atoms(Index))]
    return {s for part in bodies for s in part.free_symbols if isinstance(s, Dim)}


def _check_wrt(
    name: str, inputs: tuple[Tensor, ...], wrt: str | tuple[str, ...] | None, body: Any
) -> tuple[str, ...]:
    """Return the names to differentiate by: those asked for, else the first real input."""
    real = [tensor.name for tensor in inputs if not tensor.domain.integer]
    if wrt is None:
        if not real:
            raise NotationError(f"{name}: expected a real input to differentiate by, found none")
        return (real[0],)
    if not isinstance(wrt, (str, tuple, list)):
        raise NotationError(f"{name}: wrt: expected a name or a tuple of names, got {wrt!r}")
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for asked in names:
        check_differentiable(name, inputs, asked, body)
    if not names or len(set(names)) != len(names):
        raise NotationError(f"{name}: wrt: expected distinct input names, got {names}")
    return names


def check_differentiable(name: str, inputs: tuple[Tensor, ...], asked: str, body: Any) -> None:
    """Refuse to differentiate by what is not a real input.

    Args:
        name: the objective's name, for the message.
        inputs: its arrays.
        asked: what to differentiate by.
        body: its formula, which the message shows the place of.

    Raises:
        NotationError: `asked` is unknown, or holds integers.
    """
    tensors = {tensor.name: tensor for tensor in inputs}
    if asked not in tensors:
        scalar = any(str(symbol) == str(asked) for symbol in body.free_symbols)
        hint = "; a hyperparameter is a number, not an array" if scalar else ""
        raise NotationError(f"{name}: wrt: expected one of {sorted(tensors)}, got {asked!r}{hint}")
    if tensors[asked].domain.integer:
        raise NotationError(
            f"{name}: wrt: expected a real input, got {asked!r}, which holds "
            f"{tensors[asked].domain.describe()}, as in {use_of(tensors[asked], body)}: "
            "integers have no derivative"
        )


def objective(
    function: Any = None,
    *,
    wrt: str | tuple[str, ...] | None = None,
    reference: str = "",
    name: str | None = None,
) -> Any:
    """Make an Objective of a function that returns a formula, or what a state `becomes`.

    @objective(wrt="prediction") above a function whose parameters are annotated as in
    `symcalc.notation.spelling` and whose body is mathematics.

    Args:
        function: the function, where the decorator stands without brackets.
        wrt: the input or inputs to differentiate by; the first real input if not given.
        reference: where the definition comes from.
        name: its name; the function's own if not given.

    Returns:
        The Objective, or a decorator that gives it.

    Raises:
        NotationError: an annotation is missing, or the formula does not make sense.
    """

    def decorate(function: Callable[..., Any]) -> Objective:
        title = name or function.__name__
        annotations = inspect.get_annotations(function, eval_str=True)
        inputs: list[Tensor] = []
        parameters: list[Parameter] = []
        symbols: list[Any] = []
        for argument in inspect.signature(function).parameters.values():
            if argument.name not in annotations:
                raise NotationError(f"{title}: {argument.name} has no annotation")
            spec = read_annotation(f"{title}: {argument.name}", annotations[argument.name])
            if argument.kind not in _PLAIN_KINDS:
                raise NotationError(f"{title}: expected plain arguments, got {argument}")
            if isinstance(spec, ArraySpec):
                if argument.default is not inspect.Parameter.empty:
                    raise NotationError(f"{title}: {argument.name} is an array: no default")
                inputs.append(Tensor(argument.name, spec.dims, spec.domain))
                symbols.append(inputs[-1])
            else:
                parameters.append(_parameter(title, argument, spec))
                symbols.append(parameters[-1].symbol)
        try:
            made = function(*symbols)
            state = states(made, tuple(inputs)) if isinstance(made, Becomes) else ()
            made = state[0][1] if state else made
            layer = made.definition if isinstance(made, Defined) else None
            body = expression(made if layer is None else layer.body)
        except SymcalcError as error:
            raise type(error)(f"{title}: {error}") from error
        except TypeError as error:
            raise NotationError(
                f"{title}: the formula cannot be built ({error}); choices are written "
                "where(condition, a, b), maximum(a, b), minimum(a, b), conditions are joined by "
                "& and |, and functions are symcalc's own, such as symcalc.exp"
            ) from error
        summary, _, notes = inspect.cleandoc(function.__doc__ or "").partition("\n")
        return make_objective(
            title, tuple(inputs), tuple(parameters), body, wrt,
            () if layer is None else layer.indices, state,
            summary=summary.strip(), notes=notes.strip(), reference=reference,
            family=(function.__module__ or "").rpartition(".")[2],
        )  # fmt: skip

    return decorate if function is None else decorate(function)


def _parameter(title: str, argument: inspect.Parameter, domain: Domain) -> Parameter:
    if argument.default is inspect.Parameter.empty:
        return Parameter(argument.name, domain)
    default = argument.default
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        raise NotationError(
            f"{title}: {argument.name}: expected a number as default, got {default!r}"
        )
    if not domain.admits(default):
        raise NotationError(
            f"{title}: {argument.name}: expected a default in {domain.describe()}, got {default}"
        )
    return Parameter(argument.name, domain, float(default))
