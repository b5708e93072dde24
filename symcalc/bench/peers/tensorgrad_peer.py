"""tensorgrad: symbolic gradients of its own, turned into one PyTorch program, then torch.compile.

Labels go in as indicators, as its own `cross_entropy` has them.  tensorgrad 0.3 wraps its programs
in PyTorch's named tensors, which PyTorch 2.13 no longer has, so the program is taken from the
compiler and called without the wrapping.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorgrad.functions as F
import torch
from tensorgrad import Variable, symbols
from tensorgrad.compiler import compile_to_callable

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return tensorgrad's value and gradient as one compiled PyTorch program.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: how many threads PyTorch's operators use.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    torch.set_num_threads(threads)
    formula = offered(_TABLE, problem.objective.name, "the tensorgrad peer")
    arrays = {name: _indicators(problem, name) for name in problem.arrays}
    dims = {dim: symbols(dim) for dim, _ in problem.case.extents}
    variables = {
        tensor.name: Variable(tensor.name, **_edges(problem, tensor.name, dims))
        for tensor in problem.objective.inputs
    }
    value = formula(**variables, **problem.hyper)
    if problem.cotangent is None:
        scalar = value
    else:
        edges = {dim: dims[dim] for dim, _ in problem.case.extents}
        bar = Variable("cotangent", **edges)
        variables["cotangent"], arrays["cotangent"] = bar, problem.cotangent
        scalar = F.sum(bar * value)
    wrt = [variables[name] for name in problem.objective.wrt]
    program = compile_to_callable(value, *(scalar.grad(one) for one in wrt))
    extents = {dims[dim]: extent for dim, extent in problem.case.extents}
    dtype = torch.float64 if problem.case.dtype == "float64" else torch.float32
    torch.compiler.reset()
    compiled = torch.compile(
        program.codegen.specialize(extents, dtype=dtype, for_inductor=True), dynamic=False
    )
    tensors = [torch.from_numpy(arrays[variable.name]) for variable in program.vars]
    orders = [edges for _, edges in program.outputs]
    wanted = [tuple(value.edges), *(tuple(one.edges) for one in wrt)]
    if problem.cotangent is not None:
        wanted[0] = tuple(dims)

    def call() -> Any:
        with torch.no_grad():
            return compiled(*tensors)

    def read(found: Any) -> Any:
        value, *grads = (
            _ordered(one, order, names)
            for one, order, names in zip(found, orders, wanted, strict=True)
        )
        return value, tuple(grads)

    return Runner(call, read)


def _ordered(found: Any, order: Any, wanted: tuple[str, ...]) -> Any:
    """Return a result with its axes in the order of the catalogue's."""
    array = found.detach().numpy()
    return array.transpose([order.index(edge) for edge in wanted]) if array.ndim > 1 else array


def _indicators(problem: Problem, name: str) -> Any:
    """Return an input; labels of a class as one indicator a class."""
    array = problem.arrays[name]
    below = problem.objective.input(name).domain.below
    if below is None:
        return array.astype(problem.case.dtype, copy=False)
    count = dict(problem.case.extents)[below.name]
    return (array[:, None] == np.arange(count)).astype(problem.case.dtype)


def _edges(problem: Problem, name: str, dims: dict[str, Any]) -> dict[str, Any]:
    tensor = problem.objective.input(name)
    names = [str(extent) for extent in tensor.shape]
    if tensor.domain.below is not None:
        names.append(tensor.domain.below.name)
    return {dim: dims[dim] for dim in names}


def _huber(prediction: Any, target: Any, delta: float) -> Any:
    r = prediction - target
    size = F.abs(r)
    near = F.gt0(delta - size)
    return F.mean(near * r * r / 2 + (1 - near) * (delta * (size - delta / 2)))


def _log_cosh(prediction: Any, target: Any) -> Any:
    size = F.abs(prediction - target)
    return F.mean(size + F.log(1 + F.exp(-2 * size)) - math.log(2))


def _bce_with_logits(logits: Any, targets: Any) -> Any:
    tail = F.log(1 + F.exp(-F.abs(logits)))
    return F.mean(F.relu(logits) - targets * logits + tail)


def _log_prob(logits: Any, picked: Any) -> Any:
    return F.sum(picked * logits, dim="c") - F.log(F.sum(F.exp(logits), dim="c"))


def _normalized(x: Any, dim: str, eps: float) -> Any:
    centred = x - F.mean(x, dim=dim, keepdims=True)
    return centred / F.sqrt(F.mean(centred * centred, dim=dim, keepdims=True) + eps)


def _ppo_clip(logits: Any, actions: Any, old_log_probs: Any, advantages: Any, clip: float) -> Any:
    ratio = F.exp(_log_prob(logits, actions) - old_log_probs)
    held = ratio + F.relu((1 - clip) - ratio) - F.relu(ratio - (1 + clip))
    plain, clipped = ratio * advantages, held * advantages
    return -F.mean(plain - F.relu(plain - clipped))


_TABLE: dict[str, Callable[..., Any]] = {
    "mse": lambda prediction, target: F.mean((prediction - target) ** 2),
    "mae": lambda prediction, target: F.mean(F.abs(prediction - target)),
    "huber": _huber,
    "log_cosh": _log_cosh,
    "bce_with_logits": _bce_with_logits,
    "softmax_cross_entropy": lambda logits, labels: -F.mean(_log_prob(logits, labels)),
    "hinge": lambda scores, labels: F.mean(F.relu(1 - labels * scores)),
    "l1": lambda theta, lam: lam * F.sum(F.abs(theta)),
    "l2": lambda theta, lam: lam / 2 * F.sum(theta * theta),
    "elastic_net": lambda theta, lam1, lam2: (
        lam1 * F.sum(F.abs(theta)) + lam2 * F.sum(theta * theta)
    ),
    "batch_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, "n", eps) + beta,
    "layer_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, "d", eps) + beta,
    "reinforce": lambda logits, actions, returns: -F.mean(returns * _log_prob(logits, actions)),
    "ppo_clip": _ppo_clip,
}
