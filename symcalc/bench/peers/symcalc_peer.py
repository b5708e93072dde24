"""Ours: the compiled kernel, called as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symcalc import api
from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the kernel's value and gradient in one pass.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: "" for the usual call, its arguments checked each time and its results written
            into buffers by `out=` and, for a layer, `value_out=`; "fresh" for the same without
            buffers, every result a new array; "bound" for a call whose arguments were checked
            once, by `Kernel.bind`; "step" for a step of an update, in place.
        threads: set for the whole process by SYMCALC_THREADS.

    Raises:
        NotOfferedError: an unknown variant.
    """
    make = offered(_VARIANTS, variant, "the symcalc peer")
    kernel = api.compile(problem.objective, dtype=problem.case.dtype)
    return make(kernel, problem)


def _usual(kernel: Any, problem: Problem) -> Runner:
    call, further = _call(kernel, problem)
    arrays, further = tuple(problem.arrays.values()), {**further, "out": _buffers(problem)}
    if problem.cotangent is not None:
        further["value_out"] = np.empty_like(problem.cotangent)

    def run() -> Any:
        return call(*arrays, **further)

    return Runner(run, lambda found: (found[0], _tuple(problem, found[1])))


def _fresh(kernel: Any, problem: Problem) -> Runner:
    call, further = _call(kernel, problem)
    arrays = tuple(problem.arrays.values())

    def run() -> Any:
        return call(*arrays, **further)

    return Runner(run, lambda found: (found[0], _tuple(problem, found[1])))


def _bound(kernel: Any, problem: Problem) -> Runner:
    _, further = _call(kernel, problem)
    bound = kernel.bind(*problem.arrays.values(), out=_buffers(problem), **further)
    return Runner(bound, lambda found: (found, _tuple(problem, bound.gradient)))


def _step(kernel: Any, problem: Problem) -> Runner:
    arrays = [array.copy() for array in problem.arrays.values()]
    return Runner(kernel.stepper(*arrays, **problem.hyper))


def _call(kernel: Any, problem: Problem) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the method to call, and what it is given by keyword beside the buffers."""
    if problem.objective.is_scalar:
        return kernel.value_and_grad, dict(problem.hyper)
    return kernel.vjp, {"cotangent": problem.cotangent, **problem.hyper}


def _buffers(problem: Problem) -> Any:
    buffers = tuple(np.empty_like(problem.arrays[name]) for name in problem.objective.wrt)
    return buffers[0] if problem.objective.single else buffers


def _tuple(problem: Problem, grads: Any) -> tuple[Any, ...]:
    return (grads,) if problem.objective.single else tuple(grads)


_VARIANTS: dict[str, Callable[[Any, Problem], Runner]] = {
    "": _usual, "fresh": _fresh, "bound": _bound, "step": _step,
}  # fmt: skip
