"""JAX: jit(value_and_grad), and jit of vjp for layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return JAX's value and gradient as one compiled function.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: set for the whole process by the processors it may run on.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    jax.config.update("jax_enable_x64", True)
    function = offered(_TABLE, problem.objective.name, "the JAX peer")
    hyper = dict(problem.hyper)
    names = list(problem.arrays)
    arrays = [jnp.asarray(array) for array in problem.arrays.values()]
    places = tuple(names.index(name) for name in problem.objective.wrt)

    def value(*given: Any) -> Any:
        return function(*given, **hyper)

    if problem.cotangent is None:
        compiled = jax.jit(jax.value_and_grad(value, argnums=places))
    else:
        compiled = jax.jit(lambda bar, *given: _pull(value, given, places, bar))
        arrays.insert(0, jnp.asarray(problem.cotangent))

    def call() -> Any:
        return jax.block_until_ready(compiled(*arrays))

    return Runner(call, lambda found: (np.asarray(found[0]), tuple(map(np.asarray, found[1]))))


def _pull(value: Any, given: tuple[Any, ...], places: tuple[int, ...], bar: Any) -> Any:
    """Return a layer's output, and its cotangent pulled back to the inputs at `places`."""
    out, back = jax.vjp(value, *given)
    grads = back(bar)
    return out, tuple(grads[place] for place in places)


def _huber(prediction: Any, target: Any, delta: float) -> Any:
    r = prediction - target
    size = jnp.abs(r)
    return jnp.mean(jnp.where(size <= delta, r * r / 2, delta * (size - delta / 2)))


def _log_cosh(prediction: Any, target: Any) -> Any:
    size = jnp.abs(prediction - target)
    return jnp.mean(size + jnp.log1p(jnp.exp(-2 * size)) - math.log(2))


def _bce_with_logits(logits: Any, targets: Any) -> Any:
    tail = jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.mean(jnp.maximum(logits, 0) - targets * logits + tail)


def _log_prob(logits: Any, picked: Any) -> Any:
    chosen = jnp.take_along_axis(logits, picked[:, None], axis=1)[:, 0]
    return chosen - jax.nn.logsumexp(logits, axis=1)


def _kl_divergence(log_q: Any, p: Any) -> Any:
    return jnp.sum(jax.scipy.special.xlogy(p, p) - p * log_q) / len(p)


def _elastic_net(theta: Any, lam1: float, lam2: float) -> Any:
    return lam1 * jnp.sum(jnp.abs(theta)) + lam2 * jnp.sum(theta * theta)


def _normalized(x: Any, axis: int, eps: float) -> Any:
    centred = x - jnp.mean(x, axis=axis, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred * centred, axis=axis, keepdims=True) + eps)


def _ppo_clip(logits: Any, actions: Any, old_log_probs: Any, advantages: Any, clip: float) -> Any:
    ratio = jnp.exp(_log_prob(logits, actions) - old_log_probs)
    held = jnp.clip(ratio, 1 - clip, 1 + clip)
    return -jnp.mean(jnp.minimum(ratio * advantages, held * advantages))


_TABLE: dict[str, Callable[..., Any]] = {
    "mse": lambda prediction, target: jnp.mean((prediction - target) ** 2),
    "mae": lambda prediction, target: jnp.mean(jnp.abs(prediction - target)),
    "huber": _huber,
    "log_cosh": _log_cosh,
    "bce_with_logits": _bce_with_logits,
    "softmax_cross_entropy": lambda logits, labels: -jnp.mean(_log_prob(logits, labels)),
    "hinge": lambda scores, labels: jnp.mean(jax.nn.relu(1 - labels * scores)),
    "kl_divergence": _kl_divergence,
    "l1": lambda theta, lam: lam * jnp.sum(jnp.abs(theta)),
    "l2": lambda theta, lam: lam / 2 * jnp.sum(theta * theta),
    "elastic_net": _elastic_net,
    "batch_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, 0, eps) + beta,
    "layer_norm": lambda x, gamma, beta, eps: gamma * _normalized(x, 1, eps) + beta,
    "reinforce": lambda logits, actions, returns: -jnp.mean(returns * _log_prob(logits, actions)),
    "dense": lambda x, weight, bias: x @ weight.T + bias,
    "ppo_clip": _ppo_clip,
}
