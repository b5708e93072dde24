"""Every function a formula may name, in Python and in text alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symcalc.notation import atoms, conditions, expectations, recurrences, reductions
from symcalc.notation.compare import eq, is_condition, ne
from symcalc.notation.dims import Index
from symcalc.notation.errors import NotationError


def max(*arguments: Any, where: Any = None) -> Any:
    """Return the greatest value: `max(i, e)` over an index, `max(a, b)` of several expressions."""
    return _extreme(reductions.Max, atoms.maximum, arguments, where)


def min(*arguments: Any, where: Any = None) -> Any:
    """Return the least value: `min(i, e)` over an index, `min(a, b)` of several expressions."""
    return _extreme(reductions.Min, atoms.minimum, arguments, where)


def _extreme(
    kind: type[reductions.Reduction], pair: Any, arguments: tuple[Any, ...], where: Any
) -> Any:
    if len(arguments) < 2:
        raise NotationError(
            f"{kind.spelling}: expected an index and an expression, or two expressions, "
            f"got {len(arguments)} argument(s)"
        )
    if isinstance(arguments[0], Index) or where is not None or is_condition(arguments[0]):
        return reductions.reduce_over(kind, arguments, where)
    return functools.reduce(pair, arguments)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": reductions.sum, "mean": reductions.mean, "max": max, "min": min,
    "prod": reductions.prod, "logsumexp": reductions.logsumexp, "norm2": reductions.norm2,
    "argmax": reductions.argmax, "argmin": reductions.argmin,
}  # fmt: skip
SCALARS: dict[str, Callable[..., Any]] = {atom.__name__: atom for atom in atoms.ATOMS} | {
    "exp": atoms.exp, "log": atoms.log, "sqrt": atoms.sqrt, "sin": atoms.sin, "cos": atoms.cos,
}  # fmt: skip
CONDITIONS: dict[str, Callable[..., Any]] = {
    "where": conditions.where, "let": conditions.let, "eq": eq, "ne": ne,
}  # fmt: skip
RECURRENCES: dict[str, Callable[..., Any]] = {
    name: getattr(recurrences, name) for name in recurrences.__all__
}
# From which argument on a place is given; the index is bound then, as a sum binds its own.
PLACE_AT: dict[str, int] = {
    "scan": 4, "reverse_scan": 4, "cumsum": 2, "reverse_cumsum": 2, "cumprod": 2,
}  # fmt: skip
EXPECTATIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        expectations.expectation, expectations.gaussian_expectation, expectations.score_function,
        expectations.gaussian_pathwise, expectations.gaussian_score,
    )
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = (
    REDUCTIONS | SCALARS | CONDITIONS | RECURRENCES | EXPECTATIONS
)


@dataclass(frozen=True)
class Binding:
    """What a call binds, and where.

    Args:
        arguments: how many it takes, by place.
        indices: how many of its first arguments are indices, bound in all that follow.
        variable: the place of a variable, bound in the last positional argument alone.
        options: the constants that may be given by keyword.
    """

    arguments: int
    indices: int = 0
    variable: int | None = None
    options: tuple[str, ...] = ()


BINDINGS: dict[str, Binding] = {
    "expectation": Binding(3, indices=1),
    "score_function": Binding(3, indices=1),
    "gaussian_expectation": Binding(4, variable=0, options=("method", "nodes")),
    "gaussian_pathwise": Binding(6, indices=1, variable=1),
    "gaussian_score": Binding(6, indices=1, variable=1),
}
