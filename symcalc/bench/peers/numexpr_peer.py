"""numexpr: expressions written by hand, evaluated block by block on every thread.

Each result goes into a buffer made beforehand.  Sums over whole arrays are NumPy's: numexpr would
sum on one thread.  What is taken row by row (a maximum, a mean) is NumPy's as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numexpr
import numpy as np

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Result, Runner, offered

Computation = Callable[[], Result]


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the numexpr computation of a problem.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: how many threads numexpr uses.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    numexpr.set_num_threads(threads)
    prepare = offered(_TABLE, problem.objective.name, "the numexpr peer")
    arrays = dict(problem.arrays)
    if problem.cotangent is not None:
        arrays["cotangent"] = problem.cotangent
    dtype = next(iter(arrays.values())).dtype.type
    hyper = {name: dtype(value) for name, value in problem.hyper.items()}  # keep float32 float32
    return Runner(prepare(arrays, hyper), lambda found: found)


def _evaluate(expression: str, names: dict[str, Any], out: Any) -> Any:
    return numexpr.evaluate(expression, local_dict=names, global_dict={}, out=out)


def _elementwise(loss: str, slope: str, by: str, *, scale: str) -> Callable[..., Computation]:
    """Return how to prepare the sum of one expression and the array of another.

    Args:
        loss: what is summed.
        slope: its derivative.
        by: the input differentiated by.
        scale: what both are multiplied by: "1/n" for a mean over the elements, "1/rows" for a sum
            over columns and a mean over rows, "1" for a sum.
    """

    def prepare(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
        x = arrays[by]
        grad, each = np.empty_like(x), np.empty_like(x)
        factor = {"1": 1.0, "1/n": 1 / x.size, "1/rows": 1 / len(x)}[scale]
        names = {**arrays, **hyper, "w": x.dtype.type(factor)}
        scaled = f"w*({slope})" if scale != "1" else slope

        def run() -> Result:
            value = _evaluate(loss, names, each).sum() * factor
            return value, (_evaluate(scaled, names, grad),)

        return run

    return prepare


def _log_softmax(logits: Any, picked: Any, grad: Any, at: Any) -> tuple[Any, Any]:
    """Write exp(z - max z) to `grad`; return the log-probability picked, and the row sums."""
    top = logits.max(axis=1, keepdims=True)
    _evaluate("exp(z - top)", {"z": logits, "top": top}, grad)
    total = grad.sum(axis=1)
    return logits[at, picked] - top[:, 0] - np.log(total), total


def _softmax_gradient(grad: Any, weight: Any, total: Any, picked: Any, at: Any) -> None:
    """Turn exp(z - max z) into weight * (softmax(z) - one_hot(picked))."""
    _evaluate("e * w", {"e": grad, "w": (weight / total)[:, None]}, grad)
    grad[at, picked] -= weight


def _softmax_cross_entropy(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
    logits, labels = arrays["logits"], arrays["labels"]
    grad, at = np.empty_like(logits), np.arange(len(logits))
    weight = np.full(len(logits), 1 / len(logits), logits.dtype)

    def run() -> Result:
        log_p, total = _log_softmax(logits, labels, grad, at)
        _softmax_gradient(grad, weight, total, labels, at)
        return -log_p.mean(), (grad,)

    return run


def _reinforce(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
    logits, actions, returns = arrays.values()
    grad, at = np.empty_like(logits), np.arange(len(logits))

    def run() -> Result:
        log_p, total = _log_softmax(logits, actions, grad, at)
        _softmax_gradient(grad, returns / len(logits), total, actions, at)
        return -np.dot(returns, log_p) / len(logits), (grad,)

    return run


def _ppo_clip(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
    logits, actions, old_log_probs, advantages = arrays.values()
    grad, at, clip = np.empty_like(logits), np.arange(len(logits)), hyper["clip"]

    def run() -> Result:
        log_p, total = _log_softmax(logits, actions, grad, at)
        ratio = np.exp(log_p - old_log_probs)
        clipped = np.clip(ratio, 1 - clip, 1 + clip)
        plain, held = ratio * advantages, clipped * advantages
        weight = np.where((plain <= held) | (clipped == ratio), plain / len(logits), 0)
        _softmax_gradient(grad, weight, total, actions, at)
        return -np.minimum(plain, held).mean(), (grad,)

    return run


def _batch_norm(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
    x, gamma, beta, cotangent = arrays.values()
    xhat, y, dx = (np.empty_like(x) for _ in range(3))
    n, eps = len(x), hyper["eps"]

    def run() -> Result:
        _evaluate("x - mu", {"x": x, "mu": x.mean(axis=0)}, xhat)
        r = 1 / np.sqrt(np.einsum("ij,ij->j", xhat, xhat) / n + eps)
        _evaluate("xhat * r", {"xhat": xhat, "r": r}, xhat)
        _evaluate("gamma * xhat + beta", {"xhat": xhat, "gamma": gamma, "beta": beta}, y)
        dbeta, dgamma = cotangent.sum(axis=0), np.einsum("ij,ij->j", cotangent, xhat)
        names = {"g": cotangent, "xhat": xhat, "a": dbeta / n, "b": dgamma / n, "s": gamma * r}
        return y, (_evaluate("(g - a - xhat * b) * s", names, dx), dgamma, dbeta)

    return run


def _layer_norm(arrays: dict[str, Any], hyper: dict[str, Any]) -> Computation:
    x, gamma, beta, cotangent = arrays.values()
    xhat, y, dx = (np.empty_like(x) for _ in range(3))
    d, eps = x.shape[1], hyper["eps"]

    def run() -> Result:
        _evaluate("x - mu", {"x": x, "mu": x.mean(axis=1, keepdims=True)}, xhat)
        r = 1 / np.sqrt(np.einsum("ij,ij->i", xhat, xhat) / d + eps)[:, None]
        _evaluate("xhat * r", {"xhat": xhat, "r": r}, xhat)
        _evaluate("gamma * xhat + beta", {"xhat": xhat, "gamma": gamma, "beta": beta}, y)
        dbeta, dgamma = cotangent.sum(axis=0), np.einsum("ij,ij->j", cotangent, xhat)
        _evaluate("g * gamma", {"g": cotangent, "gamma": gamma}, dx)
        a = dx.mean(axis=1, keepdims=True)
        b = np.einsum("ij,ij->i", dx, xhat)[:, None] / d
        names = {"u": dx, "xhat": xhat, "a": a, "b": b, "r": r}
        return y, (_evaluate("(u - a - xhat * b) * r", names, dx), dgamma, dbeta)

    return run


_R = "(prediction - target)"
_SMALLER = f"where(abs({_R}) <= delta, {_R}, where({_R} > 0, delta, -delta))"

_TABLE: dict[str, Callable[..., Computation]] = {
    "mse": _elementwise(f"{_R}**2", f"2*{_R}", "prediction", scale="1/n"),
    "mae": _elementwise(
        f"abs({_R})", f"where({_R} > 0, 1, where({_R} < 0, -1, 0))", "prediction", scale="1/n"
    ),
    "huber": _elementwise(
        f"where(abs({_R}) <= delta, {_R}**2/2, delta*(abs({_R}) - delta/2))", _SMALLER,
        "prediction", scale="1/n",
    ),
    "log_cosh": _elementwise(
        f"abs({_R}) + log1p(expm1(-2*abs({_R}))/2)", f"tanh({_R})", "prediction", scale="1/n"
    ),
    "bce_with_logits": _elementwise(
        "where(logits > 0, logits, 0) - targets*logits + log1p(exp(-abs(logits)))",
        "1/(1 + exp(-logits)) - targets", "logits", scale="1/n",
    ),
    "softmax_cross_entropy": _softmax_cross_entropy,
    "hinge": _elementwise(
        "where(labels*scores < 1, 1 - labels*scores, 0)",
        "where(labels*scores < 1, -labels, 0)", "scores", scale="1/n",
    ),
    "kl_divergence": _elementwise(
        "where(p > 0, p*(log(where(p > 0, p, 1)) - log_q), 0)", "-p", "log_q", scale="1/rows"
    ),
    "l1": _elementwise(
        "lam*abs(theta)", "where(theta > 0, lam, where(theta < 0, -lam, 0))", "theta", scale="1"
    ),
    "l2": _elementwise("lam*theta**2/2", "lam*theta", "theta", scale="1"),
    "elastic_net": _elementwise(
        "lam1*abs(theta) + lam2*theta**2",
        "where(theta > 0, lam1, where(theta < 0, -lam1, 0)) + 2*lam2*theta", "theta", scale="1",
    ),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "reinforce": _reinforce,
    "ppo_clip": _ppo_clip,
}  # fmt: skip
