"""Ours: the compiled kernel, called as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symcalc import api
from symcalc.bench.inputs import Problem
from symcalc.bench.peers import NotOfferedError, Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the kernel's value and gradient in one pass.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: "" for the usual call, its arguments checked each time and the gradients written
            into buffers by `out=`; "fresh" for the same without `out=`, every gradient a new
            array; "bound" for a call whose arguments were checked once, by `Kernel.bind`.
        threads: set for the whole process by SYMCALC_THREADS.

    Raises:
        NotOfferedError: the kernel cannot be bound.
    """
    make = offered(_VARIANTS, variant, "the symcalc peer")
    kernel = api.compile(problem.objective, dtype=problem.case.dtype)
    return make(kernel, problem)


def _usual(kernel: Any, problem: Problem) -> Runner:
    call, further = _call(kernel, problem)
    arrays, out = tuple(problem.arrays.values()), _buffers(problem)

    def run() -> Any:
        return call(*arrays, out=out, **further)

    return Runner(run, lambda found: (found[0], _tuple(problem, found[1])))


def _fresh(kernel: Any, problem: Problem) -> Runner:
    call, further = _call(kernel, problem)
    arrays = tuple(problem.arrays.values())

    def run() -> Any:
        return call(*arrays, **further)

    return Runner(run, lambda found: (found[0], _tuple(problem, found[1])))


def _bound(kernel: Any, problem: Problem) -> Runner:
    if not hasattr(kernel, "bind"):
        raise NotOfferedError("this version's kernels have no bind")
    if problem.cotangent is not None:
        raise NotOfferedError("bound calls are measured on scalar objectives")
    out = _buffers(problem)
    bound = kernel.bind(*problem.arrays.values(), out=out, **problem.hyper)
    return Runner(bound, lambda found: (found, _tuple(problem, out)))


def _call(kernel: Any, problem: Problem) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the method to call, and what it is given by keyword beside `out`."""
    if problem.objective.is_scalar:
        return kernel.value_and_grad, dict(problem.hyper)
    return kernel.vjp, {"cotangent": problem.cotangent, **problem.hyper}


def _buffers(problem: Problem) -> Any:
    buffers = tuple(np.empty_like(problem.arrays[name]) for name in problem.objective.wrt)
    return buffers[0] if problem.objective.single else buffers


def _tuple(problem: Problem, grads: Any) -> tuple[Any, ...]:
    return (grads,) if problem.objective.single else tuple(grads)


_VARIANTS: dict[str, Callable[[Any, Problem], Runner]] = {
    "": _usual, "fresh": _fresh, "bound": _bound,
}  # fmt: skip
