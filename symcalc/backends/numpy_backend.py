"""The NumPy backend: sympy.lambdify over the equations, one array expression each.

It shares no printer, no scheduler and no stable forms with the Numba backend, and so can bear
witness against it. It computes the equations as they stand, except that two sorts of values are
kept in two parts: what running products come to, and logarithms of sums of exponentials.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symcalc.backends.any_size import AnySize, chosen, product, run_through
from symcalc.backends.executable import Copying, Executable, Run, Scalars, Sizes
from symcalc.backends.modes import Task
from symcalc.backends.totals import Total
from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.atoms import ATOMS, erf, erfc
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.objective import Objective
from symcalc.notation.places import with_quotients
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access, Tensor, accesses


def _sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))


def _log_cosh(x: Any) -> Any:
    size = np.abs(x)
    small = np.log1p(2 * np.sinh(np.minimum(size, 1) / 2) ** 2)
    return np.where(size < 1, small, np.logaddexp(x, -x) - np.log(2))


def _expm1x(x: Any) -> Any:
    """Add up the power series near zero."""
    small = np.clip(x, -1, 1)
    series = functools.reduce(lambda total, k: (total + 1) * small / k, range(20, 2, -1), 0 * small)
    return np.where(np.abs(x) < 1, (series + 1) * small**2 / 2, np.expm1(x) - x)


def _log_ratio(x: Any, y: Any) -> Any:
    close = np.abs(x - y) < y / 2
    return np.where(close, np.log1p(np.where(close, (x - y) / y, 0)), np.log(x) - np.log(y))


def _kl_div(x: Any, y: Any) -> Any:
    t = -_log_ratio(np.where(x == 0, y, x), y)
    return np.where(x == 0, y, np.where(t < 100, x * _expm1x(np.minimum(t, 100)), y - x - x * t))


def _xlogy(x: Any, y: Any) -> Any:
    return np.where(x == 0, 0 * x, x * np.log(np.where(x == 0, 1, y)))


def _vectorized(name: str) -> Callable[..., Any]:
    import mpmath

    functions = {
        "erf": mpmath.erf, "erfc": mpmath.erfc, "lgamma": mpmath.loggamma,
        "digamma": mpmath.digamma, "trigamma": lambda x: mpmath.polygamma(1, x),
    }  # fmt: skip
    return lambda x: np.vectorize(lambda v: float(functions[name](v).real), otypes=[float])(x)


def _polygamma(order: Any, x: Any) -> Any:
    import mpmath

    return np.vectorize(lambda v: float(mpmath.polygamma(int(order), v)), otypes=[float])(x)


_WORST = np.iinfo(np.int64).max

# How NumPy computes each atom: written for NumPy, not taken from the atoms' stable forms.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "sign": np.sign, "expm1": np.expm1, "log1p": np.log1p, "tanh": np.tanh,
    "sech": lambda x: 2 * np.exp(-np.abs(x)) / (1 + np.exp(-2 * np.abs(x))),
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(0, x),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "log_cosh": _log_cosh,
    "relu": lambda x: np.maximum(x, 0),
    "maximum": np.maximum, "minimum": np.minimum,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "xlogy": _xlogy, "expm1x": _expm1x, "log_ratio": _log_ratio, "kl_div": _kl_div,
    "Pattern": lambda x, lower, upper: np.where((x < lower) | (x > upper), _WORST, 0),
    "Unsigned": lambda x, lower, upper: np.where((x < lower) | (x > upper), _WORST, 0),
    "weighted": lambda x, y: np.where(x == 0, 0 * x, x * np.where(x == 0, 1, y)),
    "log1mexp": lambda x: np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x))),
    "stop_gradient": lambda x: x,
    "polygamma": _polygamma,
    "Where": chosen,
    "Quotient": np.floor_divide,
    "AllOf": lambda *parts: functools.reduce(np.logical_and, parts),
    "AnyOf": lambda *parts: functools.reduce(np.logical_or, parts),
    "NotOf": np.logical_not,
    **{name: _vectorized(name) for name in ("erf", "erfc", "lgamma", "digamma", "trigamma")},
}  # fmt: skip


def _extreme(reduce: Any, sign: int, values: Any) -> Any:
    """An extreme along the last axis; over nothing, the infinity that any number beats."""
    if values.dtype.kind in "iu":
        return reduce(values, axis=-1, initial=0 if sign < 0 else _WORST)
    return reduce(values, axis=-1, initial=sign * np.inf)


def _norm(values: Any) -> Any:
    """The root of the sum of squares, of entries divided by the greatest."""
    top = np.max(np.abs(values), axis=-1, keepdims=True, initial=0).astype(np.float64)
    top = np.where((top > 0) & np.isfinite(top), top, 1)
    return np.linalg.norm(values / top, axis=-1) * top[..., 0]


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda v: np.sum(v, axis=-1, dtype=np.float64),
    "mean": lambda v: np.mean(v, axis=-1, dtype=np.float64),
    "max": lambda v: _extreme(np.max, -1, v),
    "min": lambda v: _extreme(np.min, 1, v),
    "argmax": lambda v: np.argmax(v, axis=-1), "argmin": lambda v: np.argmin(v, axis=-1),
    "prod": product, "logsumexp": Total.over_last,
    "norm2": _norm,
}  # fmt: skip


@dataclass(frozen=True)
class _Compiled:
    """One equation: a lambdified body over axes (indices, then the bound index)."""

    equation: Equation
    axes: tuple[Index, ...]
    reads: tuple[Access, ...]
    symbols: tuple[Any, ...]
    function: Callable[..., Any]


@dataclass(frozen=True)
class _Sequence:
    """A recurrence: decay and term over its equation's axes, and the start over the others."""

    equation: Equation
    decay: _Compiled
    term: _Compiled
    start: _Compiled


class NumpyExecutable:
    """The equations of a task, run one after another."""

    def __init__(self, objective: Objective, task: Task, dtype: str) -> None:
        self.task = task
        self.dtype = np.dtype(dtype)
        self.parameters = [parameter.symbol for parameter in objective.parameters]
        self.compiled = [_compile(equation) for equation in _needed(task)]

    @functools.cached_property
    def source(self) -> str:
        """The generated functions, each behind its equation."""
        return "\n".join(f"# {c.equation}\n{_source(c)}" for c in self.compiled)

    @property
    def at_once(self) -> None:
        """Nothing here looks at its arguments itself."""

    def plan(self, sizes: Sizes) -> Run:
        """Return the run at these sizes."""
        return functools.partial(self._run, sizes)

    def _run(
        self,
        sizes: Sizes,
        inputs: Sequence[Any],
        parameters: Sequence[float],
        outputs: Sequence[Any],
    ) -> Scalars:
        known: dict[Any, Any] = {
            tensor: array if tensor.shape else array.reshape(())
            for tensor, array in zip(self.task.inputs, inputs, strict=True)
        }
        scalars: dict[Any, Any] = dict(zip(self.parameters, parameters, strict=True))
        scalars |= dict(zip(self.task.dims, sizes, strict=True))
        with np.errstate(all="ignore"):
            for compiled in self.compiled:
                known[compiled.equation.target] = self._value(compiled, known, scalars)
        for tensor, output in zip(self.task.written, outputs, strict=True):
            output[...] = known[tensor]
        number = self.task.number
        measures = tuple(float(known[tensor]) for tensor in self.task.measures)
        return Scalars(0.0 if number is None else float(known[number]), measures)

    def _value(
        self, compiled: _Compiled | _Sequence, known: dict[Any, Any], scalars: dict[Any, Any]
    ) -> Any:
        """Evaluate one equation on its whole grid of indices."""
        if isinstance(compiled, _Sequence):
            result = _entries(compiled, known, scalars)
        else:
            result = _on_grid(compiled, known, scalars)
        reduction = compiled.equation.reduction
        if reduction is not None:
            result = REDUCTIONS[reduction.spelling](result)
        if isinstance(result, (AnySize, Total)):
            return result
        integer = compiled.equation.target.domain.integer
        return np.asarray(result, dtype=np.int64 if integer else self._kind(result))

    def _kind(self, result: Any) -> Any:
        """Scalars stay float64; arrays take the kernel's dtype."""
        return self.dtype if np.ndim(result) else np.float64


def _needed(task: Task) -> list[Equation]:
    needed = set(task.outputs)
    found = []
    for equation in reversed(task.equations):
        if equation.target in needed:
            found.append(equation)
            needed |= {access.tensor for access in equation.body.atoms(Access)}
    return found[::-1]


def _on_grid(compiled: _Compiled, known: dict[Any, Any], scalars: dict[Any, Any]) -> Any:
    """Evaluate a body for all values of its axes."""
    grid = _grid(compiled.axes, scalars)
    shape = tuple(_size(index.extent, scalars) for index in compiled.axes)
    values = [_read(access, known, grid, scalars) for access in compiled.reads]
    values += [grid[s] if s in grid else scalars[s] for s in compiled.symbols]
    return np.broadcast_to(compiled.function(*values), shape)


def _entries(sequence: _Sequence, known: dict[Any, Any], scalars: dict[Any, Any]) -> Any:
    """Compute a recurrence, entry after entry, each for all values of the other indices."""
    recurrence = sequence.equation.recurrence
    assert recurrence is not None
    axis = sequence.equation.indices.index(recurrence.place)
    decay, term = (
        np.moveaxis(_on_grid(part, known, scalars), axis, 0)
        for part in (sequence.decay, sequence.term)
    )
    start = _on_grid(sequence.start, known, scalars)
    result = run_through(decay, term, start, recurrence.order(len(term)))
    if isinstance(result, AnySize):
        parts = (np.moveaxis(part, 0, axis) for part in (result.number, result.power))
        return AnySize(*parts)
    return np.moveaxis(result, 0, axis)


@functools.lru_cache(maxsize=2048)
def _compile(equation: Equation) -> _Compiled | _Sequence:
    recurrence = equation.recurrence
    if recurrence is None:
        return _compile_body(equation)
    others = tuple(index for index in equation.indices if index != recurrence.place)
    at = {recurrence.index: recurrence.place}
    target = Tensor(equation.target.name, tuple(index.extent for index in others))
    return _Sequence(
        equation,
        _compile_body(Equation(equation.target, equation.indices, recurrence.decay.xreplace(at))),
        _compile_body(Equation(equation.target, equation.indices, recurrence.term.xreplace(at))),
        _compile_body(Equation(target, others, recurrence.start)),
    )


def _compile_body(equation: Equation) -> _Compiled:
    bound = () if equation.reduction is None else (equation.reduction.index,)
    reads = tuple(accesses(equation.inner))
    tables = {table.name: _looked_up(table.values) for table in equation.inner.atoms(Table)}
    namer = Namer({*FUNCTIONS, *tables, *keyword.kwlist})
    marks = {access: sp.Symbol(namer.name(_readable(access)), real=True) for access in reads}
    body = equation.inner.xreplace(marks)
    symbols = tuple(sorted(body.free_symbols - set(marks.values()), key=str))
    plain = {s: sp.Symbol(namer.name(f"{s.name}_"), real=True) for s in symbols}
    arguments = [*marks.values(), *plain.values()]
    body = with_quotients(_with_plain_where(_with_plain_tables(body))).xreplace(plain)
    body = _with_rest(body)
    function = sp.lambdify(arguments, body, modules=[FUNCTIONS | tables, "numpy"])
    return _Compiled(equation, (*equation.indices, *bound), reads, symbols, function)


def _readable(access: Access) -> str:
    """A name for what an access reads: logits_i_k."""
    return re.sub(r"\W+", "_", str(access)).strip("_")


def _looked_up(values: tuple[float, ...]) -> Callable[[Any], Any]:
    table = np.array(values)
    return lambda places: table[places]


def _with_plain_tables(body: Any) -> Any:
    """Write an entry of a table as a function of its place."""
    entries = {table: sp.Function(table.name)(table.index) for table in body.atoms(Table)}
    return body.xreplace(entries)


def _with_plain_where(body: Any) -> Any:
    """Write choices and joined conditions as functions that broadcast."""
    if not body.has(*_PLAIN):
        return body
    arguments = [_with_plain_where(argument) for argument in body.args]
    name = _PLAIN.get(body.func)
    return sp.Function(name)(*arguments) if name else body.func(*arguments)


def _with_rest(body: Any) -> Any:
    """Write exp(a/b) and its like as those of 0 where a is 0, be b what it will."""
    if not body.args:
        return body
    arguments = [_with_rest(argument) for argument in body.args]
    if isinstance(body, (sp.exp, erf, erfc)):
        powers = [factor.as_base_exp() for factor in sp.Mul.make_args(arguments[0])]
        above = sp.Mul(*(base**power for base, power in powers if not power.is_negative))
        if any(power.is_negative and base.free_symbols for base, power in powers):
            real: Any = sp.Function("Where", real=True)
            return body.func(real(sp.Eq(above, 0), 0, arguments[0]))
    return body.func(*arguments)


_PLAIN: dict[Any, str] = {Where: "Where", sp.And: "AllOf", sp.Or: "AnyOf", sp.Not: "NotOf"}


def _source(compiled: _Compiled | _Sequence) -> str:
    if isinstance(compiled, _Sequence):
        parts = (compiled.decay, compiled.term, compiled.start)
        return "\n".join(_body_source(part) for part in parts)
    return _body_source(compiled)


def _body_source(compiled: _Compiled) -> str:
    return (
        str(compiled.function.__doc__ or "").split("Source code:")[-1].split("Imported")[0].strip()
    )


def _size(extent: Any, scalars: dict[Any, Any]) -> int:
    return int(extent.xreplace({s: sp.Integer(int(scalars[s])) for s in extent.free_symbols}))


def _grid(axes: tuple[Index, ...], scalars: dict[Any, Any]) -> dict[Any, Any]:
    """Each index as an array along its own axis."""
    grid = {}
    for axis, index in enumerate(axes):
        shape = [1] * len(axes)
        shape[axis] = _size(index.extent, scalars)
        grid[index] = np.arange(shape[axis]).reshape(shape)
    return grid


def _read(
    access: Access, known: dict[Any, Any], grid: dict[Any, Any], scalars: dict[Any, Any]
) -> Any:
    """Look an access up for every value of the indices; places out of bounds are clipped.

    A clipped entry is one that the condition around it does not take.
    """
    array = known[access.tensor]
    if not access.places:
        return array
    places = []
    for place, size in zip(access.places, array.shape, strict=True):
        where = _whole(place, known, grid, scalars)
        within = place in grid and where.size <= size
        places.append(where if within else np.clip(where, 0, max(size - 1, 0)))
    if not array.size:  # no condition takes an entry, since there is none
        return np.zeros(np.broadcast_shapes(*(np.shape(place) for place in places)), array.dtype)
    return array[tuple(places)]


def _whole(place: Any, known: dict[Any, Any], grid: dict[Any, Any], scalars: dict[Any, Any]) -> Any:
    if isinstance(place, Access):
        return _read(place, known, grid, scalars)
    if place in grid:
        return grid[place]
    symbols, function = _place(place)
    values = [grid[s] if s in grid else scalars[s] for s in symbols]
    return np.asarray(function(*values)).astype(np.int64)


@functools.lru_cache(maxsize=1024)
def _place(place: Any) -> tuple[list[Any], Any]:
    """A place made of indices and extents: what it stands on, and it as a function of that."""
    symbols = sorted(place.free_symbols, key=str)
    return symbols, sp.lambdify(symbols, with_quotients(place), modules=[FUNCTIONS, "numpy"])


def build(objective: Objective, task: Task, dtype: str) -> Executable:
    """Build the NumPy executable of a task."""
    made = NumpyExecutable(objective, task, dtype)
    return Copying(made) if task.in_place else made


def known_atoms() -> set[str]:
    """The atoms this backend computes: all of them."""
    return {atom.__name__ for atom in ATOMS} & set(FUNCTIONS)


__all__ = ["FUNCTIONS", "NumpyExecutable", "Tensor", "build", "known_atoms"]
