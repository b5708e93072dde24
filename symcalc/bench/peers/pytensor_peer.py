"""PyTensor: its own gradient, compiled by its default mode, inputs and outputs borrowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor.special import log_softmax

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return PyTensor's value and gradient as one compiled function.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: not used: PyTensor's default mode has one, but for the BLAS.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    formula = offered(_TABLE, problem.objective.name, "the PyTensor peer")
    symbols = {name: _symbol(name, array) for name, array in problem.arrays.items()}
    dtype = np.dtype(problem.case.dtype).type
    value = formula(**symbols, **{name: dtype(v) for name, v in problem.hyper.items()})
    wrt = [symbols[name] for name in problem.objective.wrt]
    inputs, arrays = list(symbols.values()), list(problem.arrays.values())
    if problem.cotangent is None:
        grads = pytensor.grad(value, wrt)
    else:
        bar = _symbol("cotangent", problem.cotangent)
        grads = pytensor.grad(None, wrt, known_grads={value: bar})
        inputs, arrays = [*inputs, bar], [*arrays, problem.cotangent]
    compiled = pytensor.function(
        [pytensor.In(symbol, borrow=True) for symbol in inputs],
        [pytensor.Out(found, borrow=True) for found in (value, *grads)],
    )
    compiled.trust_input = True

    def call() -> Any:
        return compiled(*arrays)

    return Runner(call, lambda found: (np.asarray(found[0]), tuple(map(np.asarray, found[1:]))))


def _symbol(name: str, array: Any) -> Any:
    return pt.tensor(name, dtype=array.dtype.name, shape=(None,) * array.ndim)


def _huber(prediction: Any, target: Any, delta: Any) -> Any:
    r = prediction - target
    size = pt.abs(r)
    return pt.mean(pt.switch(size <= delta, r * r / 2, delta * (size - delta / 2)))


def _log_cosh(prediction: Any, target: Any) -> Any:
    size = pt.abs(prediction - target)
    two = np.asarray(math.log(2), dtype=prediction.dtype)
    return pt.mean(size + pt.log1p(pt.exp(-2 * size)) - two)


def _log_prob(logits: Any, picked: Any) -> Any:
    return log_softmax(logits, axis=1)[pt.arange(picked.shape[0]), picked]


def _kl_divergence(log_q: Any, p: Any) -> Any:
    each = pt.switch(p > 0, p * pt.log(pt.switch(p > 0, p, 1)), 0) - p * log_q
    return pt.sum(each) / p.shape[0].astype(p.dtype)


def _normalized(x: Any, axis: int, eps: Any) -> Any:
    centred = x - pt.mean(x, axis=axis, keepdims=True)
    return centred / pt.sqrt(pt.mean(centred * centred, axis=axis, keepdims=True) + eps)


def _ppo_clip(logits: Any, actions: Any, old_log_probs: Any, advantages: Any, clip: Any) -> Any:
    ratio = pt.exp(_log_prob(logits, actions) - old_log_probs)
    held = pt.clip(ratio, 1 - clip, 1 + clip)
    return -pt.mean(pt.minimum(ratio * advantages, held * advantages))


_TABLE: dict[str, Callable[..., Any]] = {
    "mse": lambda prediction, target: pt.mean((prediction - target) ** 2),
    "mae": lambda prediction, target: pt.mean(pt.abs(prediction - target)),
    "huber": _huber,
    "log_cosh": _log_cosh,
    "bce_with_logits": lambda logits, targets: pt.mean(pt.softplus(logits) - targets * logits),
    "softmax_cross_entropy": lambda logits, labels: -pt.mean(_log_prob(logits, labels)),
    "hinge": lambda scores, labels: pt.mean(pt.maximum(1 - labels * scores, 0)),
    "kl_divergence": _kl_divergence,
    "l1": lambda theta, lam: lam * pt.sum(pt.abs(theta)),
    "l2": lambda theta, lam: lam / 2 * pt.sum(theta * theta),
    "elastic_net": lambda theta, lam1, lam2: (
        lam1 * pt.sum(pt.abs(theta)) + lam2 * pt.sum(theta * theta)
    ),
    "batch_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, 0, eps) + beta,
    "layer_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, 1, eps) + beta,
    "reinforce": lambda logits, actions, returns: -pt.mean(returns * _log_prob(logits, actions)),
    "dense": lambda x, weight, bias: x @ weight.T + bias,
    "ppo_clip": _ppo_clip,
}
