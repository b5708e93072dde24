"""The decorator that makes an objective of a function that reads as mathematics."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from symcalc.notation.compare import expression
from symcalc.notation.definitions import Defined
from symcalc.notation.domains import Domain
from symcalc.notation.errors import NotationError, SymcalcError
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.spelling import ArraySpec, read_annotation
from symcalc.notation.tensors import Tensor
from symcalc.notation.updates import Becomes, states

_PLAIN_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


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
