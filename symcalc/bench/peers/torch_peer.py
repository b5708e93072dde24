"""PyTorch: its own losses and layers, eager or through torch.compile."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return PyTorch's value and gradient by autograd.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: "eager" or "compile"; the latter compiles value and gradient as one graph.
        threads: how many threads the operators use.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    torch.set_num_threads(threads)
    function = offered(_TABLE, problem.objective.name, "the PyTorch peer")
    names, wrt = list(problem.arrays), problem.objective.wrt
    tensors = [torch.from_numpy(array) for array in problem.arrays.values()]
    cotangent = None if problem.cotangent is None else torch.from_numpy(problem.cotangent)
    hyper = dict(problem.hyper)
    run = _compiled if variant == "compile" else _eager
    places = tuple(names.index(name) for name in wrt)
    return Runner(run(function, tensors, hyper, places, cotangent), _read)


def _read(found: Any) -> Any:
    value, grads = found
    return value.detach().numpy(), tuple(grad.numpy() for grad in grads)


def _eager(
    function: Any, tensors: list[Any], hyper: dict[str, float], places: tuple[int, ...], bar: Any
) -> Callable[[], Any]:
    leaves = [tensors[place].requires_grad_() for place in places]

    def call() -> Any:
        value = function(*tensors, **hyper)
        return value, torch.autograd.grad(value, leaves, bar)

    return call


def _compiled(
    function: Any, tensors: list[Any], hyper: dict[str, float], places: tuple[int, ...], bar: Any
) -> Callable[[], Any]:
    torch.compiler.reset()  # what the case before compiled must not make this one dynamic

    def value(*arrays: Any) -> Any:
        return function(*arrays, **hyper)

    def pull(cotangent: Any, *arrays: Any) -> Any:
        out, back = torch.func.vjp(value, *arrays)
        grads = back(cotangent)
        return out, tuple(grads[place] for place in places)

    if bar is not None:
        both = torch.compile(pull)
        return lambda: both(bar, *tensors)
    swapped = torch.compile(torch.func.grad_and_value(value, argnums=places))

    def call() -> Any:
        grads, found = swapped(*tensors)
        return found, grads

    return call


def _log_cosh(prediction: Any, target: Any) -> Any:
    size = (prediction - target).abs()
    return (size + torch.log1p(torch.exp(-2 * size)) - math.log(2)).mean()


def _elastic_net(theta: Any, lam1: float, lam2: float) -> Any:
    return lam1 * theta.abs().sum() + lam2 * theta.square().sum()


def _batch_norm(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def _reinforce(logits: Any, actions: Any, returns: Any) -> Any:
    return (returns * F.cross_entropy(logits, actions, reduction="none")).mean()


def _ppo_clip(logits: Any, actions: Any, old_log_probs: Any, advantages: Any, clip: float) -> Any:
    log_probs = -F.cross_entropy(logits, actions, reduction="none")
    ratio = torch.exp(log_probs - old_log_probs)
    held = torch.clamp(ratio, 1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, held * advantages).mean()


_TABLE: dict[str, Callable[..., Any]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": lambda prediction, target, delta: F.huber_loss(prediction, target, delta=delta),
    "log_cosh": _log_cosh,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "softmax_cross_entropy": F.cross_entropy,
    "hinge": lambda scores, labels: F.relu(1 - labels * scores).mean(),
    "kl_divergence": lambda log_q, p: F.kl_div(log_q, p, reduction="batchmean"),
    "l1": lambda theta, lam: lam * theta.abs().sum(),
    "l2": lambda theta, lam: lam / 2 * theta.square().sum(),
    "elastic_net": _elastic_net,
    "batch_norm": _batch_norm,
    "layer_norm": lambda x, gamma, beta, eps: F.layer_norm(x, gamma.shape, gamma, beta, eps),
    "dense": F.linear,
    "reinforce": _reinforce,
    "ppo_clip": _ppo_clip,
}
