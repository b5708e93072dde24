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
from symcalc.bench.peers import Result, Runner, offered


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
    torch.compiler.reset()  # what the case before compiled must not make this one dynamic
    formula = offered(_TABLE, problem.objective.name, "the tensorgrad peer")
    dims = {dim: symbols(dim) for dim, _ in problem.case.extents}
    variables = {name: _variable(problem, name, dims) for name in problem.arrays}
    value = formula(**variables, **problem.hyper)
    variables["cotangent"] = Variable("cotangent", **dims)
    scalar = value if problem.cotangent is None else F.sum(variables["cotangent"] * value)
    wrt = [variables[name] for name in problem.objective.wrt]
    program = compile_to_callable(value, *(scalar.grad(one) for one in wrt))
    compiled = torch.compile(_specialized(program, problem, dims), dynamic=False)
    tensors = [torch.from_numpy(_array(problem, variable.name)) for variable in program.vars]

    def call() -> Any:
        with torch.no_grad():
            return compiled(*tensors)

    wanted = [() if problem.cotangent is None else tuple(dims), *(tuple(v.edges) for v in wrt)]
    return Runner(call, lambda found: _read(found, [edges for _, edges in program.outputs], wanted))


def _variable(problem: Problem, name: str, dims: dict[str, Any]) -> Any:
    """Return the symbol of an input, an edge a dim; labels have one for the classes too."""
    tensor = problem.objective.input(name)
    edges = [str(extent) for extent in tensor.shape]
    if tensor.domain.below is not None:
        edges.append(tensor.domain.below.name)
    return Variable(name, **{dim: dims[dim] for dim in edges})


def _array(problem: Problem, name: str) -> Any:
    """Return the array of an input or of the cotangent; labels as one indicator a class."""
    if name == "cotangent":
        return problem.cotangent
    array, below = problem.arrays[name], problem.objective.input(name).domain.below
    if below is not None:
        array = array[:, None] == np.arange(dict(problem.case.extents)[below.name])
    return array.astype(problem.case.dtype, copy=False)


def _specialized(program: Any, problem: Problem, dims: dict[str, Any]) -> Any:
    """Return the program as a function of plain tensors, for these extents and this dtype."""
    extents = {dims[dim]: extent for dim, extent in problem.case.extents}
    dtype = getattr(torch, problem.case.dtype)
    return program.codegen.specialize(extents, dtype=dtype, for_inductor=True)


def _read(found: Any, orders: list[Any], wanted: list[tuple[str, ...]]) -> Result:
    """Return value and gradients as NumPy's, their axes in the catalogue's order."""
    value, *grads = (
        one.detach().numpy().transpose([order.index(edge) for edge in edges])
        for one, order, edges in zip(found, orders, wanted, strict=True)
    )
    return value, tuple(grads)


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
