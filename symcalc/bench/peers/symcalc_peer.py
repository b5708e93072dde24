"""Ours: the compiled kernel, called as a user in a hot loop calls it."""

from __future__ import annotations

from typing import Any

import numpy as np

from symcalc import api
from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the kernel's value and gradient in one pass, written into buffers.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: the backend; "numba" if empty.
        threads: set for the whole process by SYMCALC_THREADS.
    """
    objective = problem.objective
    kernel = api.compile(objective, backend=variant or "numba", dtype=problem.case.dtype)
    arrays, hyper = tuple(problem.arrays.values()), dict(problem.hyper)
    buffers = tuple(np.empty_like(problem.arrays[name]) for name in objective.wrt)
    out: Any = buffers[0] if objective.single else buffers
    cotangent = problem.cotangent

    def scalar() -> Any:
        return kernel.value_and_grad(*arrays, out=out, **hyper)

    def layer() -> Any:
        return kernel.vjp(*arrays, cotangent=cotangent, out=out, **hyper)

    def read(found: Any) -> Any:
        value, grads = found
        return value, (grads,) if objective.single else tuple(grads)

    return Runner(scalar if objective.is_scalar else layer, read)
