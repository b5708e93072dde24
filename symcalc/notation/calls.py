"""Calling one objective inside another: its formula, with the arguments put in.

The dims of what is called become those of the arguments, its indices and definitions are made anew,
so that two calls never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from symcalc.notation.compare import expression
from symcalc.notation.definitions import Defined
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import Domain
from symcalc.notation.errors import NotationError
from symcalc.notation.tensors import Access, Tensor

if TYPE_CHECKING:
    from symcalc.notation.objective import Objective
from symcalc.notation.parameters import Parameter

Read = Callable[..., Any]


@dataclass
class Instance:
    """One call's copy of formulas: every dim, index, tensor and symbol replaced.

    Args:
        dims: the extent that each dim of the original stands for.
        tensors: what reads an entry of each tensor of the original, given its places.
        symbols: the expression that each hyperparameter's symbol stands for.
    """

    dims: Mapping[Any, Any]
    tensors: dict[Tensor, Read]
    symbols: Mapping[Any, Any] = field(default_factory=dict)
    _made: dict[Any, Any] = field(default_factory=dict)

    def extent(self, extent: Any) -> Any:
        """Return an extent of the original as one of the copy."""
        return sp.sympify(extent).xreplace(dict(self.dims))

    def index(self, index: Index) -> Index:
        """Return the copy's own index for one of the original."""
        if index not in self._made:
            self._made[index] = index.fresh(extent=self.extent(index.extent))
        made = self._made[index]
        assert isinstance(made, Index)
        return made

    def formula(self, node: Any) -> Any:
        """Return a formula of the original as one of the copy."""
        if node in self._made:
            return self._made[node]
        if isinstance(node, Index):
            return self.index(node)
        if isinstance(node, Dim):
            return self.dims.get(node, node)
        if isinstance(node, Access):
            made = self.tensors[node.tensor](*(self.formula(place) for place in node.places))
        elif node.args:
            made = node.func(*(self.formula(argument) for argument in node.args))
        else:
            return self.symbols.get(node, node)
        self._made[node] = made
        return made

    def define(self, objective: Objective) -> None:
        """Make the definitions of the original anew."""
        for meant in objective.definitions:
            indices = tuple(self.index(index) for index in meant.indices)
            known = None if meant.tensor.domain.integer else meant.tensor.domain
            body = self.formula(meant.body)
            tensor = Defined(meant.name, indices, body, meant.adjoint, known)
            self.tensors[meant.tensor] = partial(Access, tensor)


def call(objective: Objective, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Write an objective's formula on other arguments.

    Args:
        objective: what is called.
        given: tensors in the order of its inputs: inputs of the formula being written, what
            another call returned, or what `define` made.
        named: inputs by name, and hyperparameters: numbers or expressions of hyperparameters; those
            not given stand at their defaults.

    Returns:
        For a scalar objective its formula; for a layer a tensor to be indexed, named like it.

    Raises:
        NotationError: an argument is missing, unknown, or does not fit.
    """
    arguments = _arguments(objective, given, named)
    symbols = {p.symbol: _hyper(objective, p, named) for p in objective.parameters}
    dims = _unified(objective, arguments)
    reads: dict[Tensor, Read] = {t: partial(Access, arguments[t]) for t in objective.inputs}
    instance = Instance(dims, reads, symbols)
    instance.define(objective)
    body = instance.formula(objective.body)
    if objective.is_scalar:
        return body
    return Defined(objective.name, tuple(map(instance.index, objective.outputs)), body)


def _arguments(
    objective: Objective, given: tuple[Any, ...], named: dict[str, Any]
) -> dict[Tensor, Tensor]:
    """Give each input its argument, and hold it to the input's domain."""
    inputs, title = objective.inputs, objective.name
    hyper = [parameter.name for parameter in objective.parameters]
    names = [tensor.name for tensor in inputs]
    expected = f"expected {', '.join(map(shown, inputs))}"
    if len(given) > len(inputs):
        raise NotationError(
            f"{title}: {expected}, got {len(given)} arguments; hyperparameters go by keyword"
        )
    for name in named:
        if name not in (*names, *hyper):
            known = ", ".join([*names, *hyper])
            raise NotationError(f"{title}: unknown argument {name!r}; expected {known}")
        if name in names[: len(given)]:
            raise NotationError(f"{title}: {name} was given twice")
    found: dict[Tensor, Tensor] = {}
    for place, tensor in enumerate(inputs):
        if place >= len(given) and tensor.name not in named:
            raise NotationError(f"{title}: missing {tensor.name}; {expected}")
        came = given[place] if place < len(given) else named[tensor.name]
        found[tensor] = _tensor(title, tensor, came)
    return found


def _tensor(title: str, wanted: Tensor, came: Any) -> Tensor:
    """Return what came for an input, if it is a tensor of its rank and kind."""
    if not isinstance(came, Tensor):
        hint = ""
        if isinstance(came, sp.Expr):
            hint = f'; give an expression a name with define("{wanted.name}", indices, ...)'
        elif type(came).__name__ == "ndarray":
            hint = "; numbers go to a compiled kernel: compile(...)"
        raise NotationError(
            f"{title}: {wanted.name}: expected a tensor {shown(wanted)}, got {came!s:.80}{hint}"
        )
    if len(came.shape) != len(wanted.shape):
        raise NotationError(
            f"{title}: {wanted.name}: expected {shown(wanted)}, of {len(wanted.shape)} axes, got "
            f"{shown(came)}, of {len(came.shape)}"
        )
    mine, theirs = wanted.domain, came.domain
    is_label = mine.below is not None and theirs.below is not None
    promised = isinstance(came, Defined) and not mine.integer and not theirs.integer
    if not (is_label or promised or includes(mine, theirs)):
        raise NotationError(
            f"{title}: {wanted.name} holds {mine.describe()}, but {came.name} holds "
            f"{theirs.describe()}"
        )
    return came


def includes(outer: Domain, inner: Domain) -> bool:
    """Whether every value of one domain lies in another, as far as the two records tell."""
    if outer == inner:
        return True
    if (outer.integer and not inner.integer) or outer.below is not None or outer.rows_sum_to_one:
        return False
    if outer.values:
        return bool(inner.values) and set(inner.values) <= set(outer.values)
    above = inner.lower > outer.lower or (
        inner.lower == outer.lower and (inner.open_lower or not outer.open_lower)
    )
    total = not outer.positive_total or inner.positive_total or inner.open_lower
    return above and inner.upper <= outer.upper and total


def _hyper(objective: Objective, parameter: Parameter, named: dict[str, Any]) -> Any:
    """Return what stands for a hyperparameter: a number of its domain, or an expression."""
    what = f"{objective.name}: {parameter.name}"
    value = named.get(parameter.name, parameter.default)
    if value is None:
        raise NotationError(f"{what}: missing; it has no default")
    made = expression(value)
    if made.is_number:
        if not parameter.domain.admits(float(made)):
            raise NotationError(
                f"{what}: expected one of the {parameter.domain.describe()}, got {value}"
            )
        return sp.Integer(int(made)) if made == int(made) else made
    if made.atoms(Access) or any(isinstance(s, Index) for s in made.free_symbols):
        raise NotationError(f"{what}: expected a number or hyperparameters, got {made}")
    for fact in ("positive", "nonnegative"):
        if parameter.domain.assumptions.get(fact) and not getattr(made, f"is_{fact}"):
            raise NotationError(
                f"{what} takes {parameter.domain.describe()}, but {made} may be others: declare it "
                "so"
            )
    return made


def _unified(objective: Objective, arguments: dict[Tensor, Tensor]) -> dict[Any, Any]:
    """Find what each dim of the objective is among the arguments' extents."""
    known: dict[Any, tuple[Any, Tensor]] = {}
    for wanted, came in arguments.items():
        for theirs, mine in zip(came.shape, wanted.shape, strict=True):
            free = [symbol for symbol in mine.free_symbols if isinstance(symbol, Dim)]
            if len(free) != 1:
                if mine != theirs:
                    raise _misfit(objective, wanted, came, "")
                continue
            (dim,) = free
            extent = theirs - (mine - dim)
            if known.setdefault(dim, (extent, came))[0] != extent:
                before, source = known[dim]
                raise _misfit(objective, wanted, came, f" with {dim} = {before} from {source.name}")
    for wanted, came in arguments.items():
        mine, theirs = wanted.domain.below, came.domain.below
        if mine is None or theirs is None:
            continue
        if known.setdefault(mine, (theirs, came))[0] != theirs:
            extent, source = known[mine]
            raise NotationError(
                f"{objective.name}: {wanted.name}: expected labels below {extent}, the extent "
                f"{mine} of {source.name}, got {came.name}, which holds {came.domain.describe()}"
            )
    return {dim: extent for dim, (extent, _) in known.items()}


def _misfit(objective: Objective, wanted: Tensor, came: Tensor, known: str) -> NotationError:
    return NotationError(
        f"{objective.name}: {wanted.name}: expected {shown(wanted)}{known}, got {shown(came)}"
    )


def shown(tensor: Tensor) -> str:
    """Write a tensor with its shape, `x[n, d]`."""
    return f"{tensor.name}[{', '.join(map(str, tensor.shape))}]"
