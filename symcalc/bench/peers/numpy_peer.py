"""NumPy: stable value and gradient written by hand, without temporaries that can be avoided.

Each function prepares its buffers and returns the computation: a function of no arguments that
gives the value and the gradients.  What it computes is said in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Result, Runner, offered

Computation = Callable[[], Result]


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the NumPy computation of a problem.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: set for the whole process by the BLAS's own variable.

    Raises:
        NotOfferedError: the objective is not among those written here.
    """
    prepare = offered(_TABLE, problem.objective.name, "the NumPy peer")
    arrays = list(problem.arrays.values())
    if problem.cotangent is not None:
        arrays.append(problem.cotangent)
    return Runner(prepare(*arrays, **problem.hyper), lambda found: found)


def _mse(prediction: Any, target: Any) -> Computation:
    grad, n = np.empty_like(prediction), prediction.size

    def run() -> Result:
        np.subtract(prediction, target, out=grad)
        value = np.dot(grad, grad) / n
        np.multiply(grad, 2 / n, out=grad)
        return value, (grad,)

    return run


def _mae(prediction: Any, target: Any) -> Computation:
    grad, size, n = np.empty_like(prediction), np.empty_like(prediction), prediction.size

    def run() -> Result:
        np.subtract(prediction, target, out=grad)
        np.abs(grad, out=size)
        value = size.sum() / n
        np.sign(grad, out=grad)
        np.multiply(grad, 1 / n, out=grad)
        return value, (grad,)

    return run


def _huber(prediction: Any, target: Any, delta: float) -> Computation:
    grad, r, n = np.empty_like(prediction), np.empty_like(prediction), prediction.size

    def run() -> Result:
        np.subtract(prediction, target, out=r)
        np.clip(r, -delta, delta, out=grad)
        # with c = clip(r, -delta, delta) the loss is c (r - c/2) on both sides
        value = (np.dot(grad, r) - np.dot(grad, grad) / 2) / n
        np.multiply(grad, 1 / n, out=grad)
        return value, (grad,)

    return run


def _log_cosh(prediction: Any, target: Any) -> Computation:
    grad, r, e = (np.empty_like(prediction) for _ in range(3))
    n = prediction.size

    def run() -> Result:
        # with e = expm1(-2|r|): log cosh r = |r| + log1p(e/2), tanh |r| = -e / (2 + e)
        np.subtract(prediction, target, out=r)
        np.abs(r, out=grad)
        np.multiply(grad, -2, out=e)
        np.expm1(e, out=e)
        total = grad.sum()
        np.add(e, 2, out=grad)
        np.divide(e, grad, out=grad)
        np.multiply(e, 0.5, out=e)
        np.log1p(e, out=e)
        value = (total + e.sum()) / n
        np.abs(grad, out=grad)
        np.copysign(grad, r, out=grad)
        np.multiply(grad, 1 / n, out=grad)
        return value, (grad,)

    return run


def _bce_with_logits(logits: Any, targets: Any) -> Computation:
    grad, e, t = (np.empty_like(logits) for _ in range(3))
    mask, n = np.empty(logits.shape, bool), logits.size

    def run() -> Result:
        np.abs(logits, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        # softplus(z) - y z = max(z, 0) - y z + log1p(exp(-|z|))
        np.maximum(logits, 0, out=t)
        np.multiply(targets, logits, out=grad)
        np.subtract(t, grad, out=t)
        np.log1p(e, out=grad)
        np.add(t, grad, out=t)
        value = t.sum() / n
        # sigmoid(z) = (1 if z >= 0 else exp(-|z|)) / (1 + exp(-|z|))
        np.add(e, 1, out=grad)
        np.greater_equal(logits, 0, out=mask)
        np.copyto(e, 1, where=mask)
        np.divide(e, grad, out=grad)
        np.subtract(grad, targets, out=grad)
        np.multiply(grad, 1 / n, out=grad)
        return value, (grad,)

    return run


def _softmax(logits: Any, picked: Any, grad: Any, at: Any) -> tuple[Any, Any]:
    """Write exp(z - max z) to `grad`; return the log-probability picked, and the row sums."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=grad)
    chosen = grad[at, picked]
    np.exp(grad, out=grad)
    total = grad.sum(axis=1)
    return chosen - np.log(total), total


def _softmax_cross_entropy(logits: Any, labels: Any) -> Computation:
    grad, n = np.empty_like(logits), len(logits)
    at = np.arange(n)

    def run() -> Result:
        log_p, total = _softmax(logits, labels, grad, at)
        np.divide(grad, (total * n)[:, None], out=grad)
        grad[at, labels] -= 1 / n
        return -log_p.mean(), (grad,)

    return run


def _hinge(scores: Any, labels: Any) -> Computation:
    grad, margin = np.empty_like(scores), np.empty_like(scores)
    mask, n = np.empty(scores.shape, bool), scores.size

    def run() -> Result:
        np.multiply(labels, scores, out=margin)
        np.subtract(1, margin, out=margin)
        np.maximum(margin, 0, out=margin)
        value = margin.sum() / n
        np.less_equal(margin, 0, out=mask)
        np.multiply(labels, -1 / n, out=grad)
        np.copyto(grad, 0, where=mask)
        return value, (grad,)

    return run


def _kl_divergence(log_q: Any, p: Any) -> Computation:
    grad, t = np.empty_like(p), np.empty_like(p)
    mask, n = np.empty(p.shape, bool), len(p)

    def run() -> Result:
        np.greater(p, 0, out=mask)
        t.fill(0)
        np.log(p, out=t, where=mask)
        np.subtract(t, log_q, out=t)
        value = np.dot(p.ravel(), t.ravel()) / n
        np.multiply(p, -1 / n, out=grad)
        return value, (grad,)

    return run


def _l1(theta: Any, lam: float) -> Computation:
    grad = np.empty_like(theta)

    def run() -> Result:
        np.abs(theta, out=grad)
        value = lam * grad.sum()
        np.sign(theta, out=grad)
        np.multiply(grad, lam, out=grad)
        return value, (grad,)

    return run


def _l2(theta: Any, lam: float) -> Computation:
    grad = np.empty_like(theta)

    def run() -> Result:
        value = lam / 2 * np.dot(theta, theta)
        np.multiply(theta, lam, out=grad)
        return value, (grad,)

    return run


def _elastic_net(theta: Any, lam1: float, lam2: float) -> Computation:
    grad, t = np.empty_like(theta), np.empty_like(theta)

    def run() -> Result:
        np.abs(theta, out=t)
        value = lam1 * t.sum() + lam2 * np.dot(theta, theta)
        np.sign(theta, out=grad)
        np.multiply(grad, lam1, out=grad)
        np.multiply(theta, 2 * lam2, out=t)
        np.add(grad, t, out=grad)
        return value, (grad,)

    return run


def _batch_norm(x: Any, gamma: Any, beta: Any, cotangent: Any, eps: float) -> Computation:
    xhat, y, dx = (np.empty_like(x) for _ in range(3))
    n = len(x)

    def run() -> Result:
        np.subtract(x, x.mean(axis=0), out=xhat)
        r = 1 / np.sqrt(np.einsum("ij,ij->j", xhat, xhat) / n + eps)
        np.multiply(xhat, r, out=xhat)
        np.multiply(xhat, gamma, out=y)
        np.add(y, beta, out=y)
        dbeta = cotangent.sum(axis=0)
        dgamma = np.einsum("ij,ij->j", cotangent, xhat)
        np.multiply(xhat, dgamma / n, out=dx)
        np.subtract(cotangent, dx, out=dx)
        np.subtract(dx, dbeta / n, out=dx)
        np.multiply(dx, gamma * r, out=dx)
        return y, (dx, dgamma, dbeta)

    return run


def _layer_norm(x: Any, gamma: Any, beta: Any, cotangent: Any, eps: float) -> Computation:
    xhat, y, dx = (np.empty_like(x) for _ in range(3))
    d = x.shape[1]

    def run() -> Result:
        np.subtract(x, x.mean(axis=1, keepdims=True), out=xhat)
        r = 1 / np.sqrt(np.einsum("ij,ij->i", xhat, xhat) / d + eps)[:, None]
        np.multiply(xhat, r, out=xhat)
        dbeta = cotangent.sum(axis=0)
        dgamma = np.einsum("ij,ij->j", cotangent, xhat)
        np.multiply(cotangent, gamma, out=dx)
        mean_g = dx.mean(axis=1, keepdims=True)
        mean_gx = np.einsum("ij,ij->i", dx, xhat)[:, None] / d
        np.multiply(xhat, mean_gx, out=y)
        np.subtract(dx, y, out=dx)
        np.subtract(dx, mean_g, out=dx)
        np.multiply(dx, r, out=dx)
        np.multiply(xhat, gamma, out=y)
        np.add(y, beta, out=y)
        return y, (dx, dgamma, dbeta)

    return run


def _reinforce(logits: Any, actions: Any, returns: Any) -> Computation:
    grad, n = np.empty_like(logits), len(logits)
    at = np.arange(n)

    def run() -> Result:
        log_p, total = _softmax(logits, actions, grad, at)
        np.multiply(grad, (returns / (total * n))[:, None], out=grad)
        grad[at, actions] -= returns / n
        return -np.dot(returns, log_p) / n, (grad,)

    return run


def _ppo_clip(
    logits: Any, actions: Any, old_log_probs: Any, advantages: Any, clip: float
) -> Computation:
    grad, n = np.empty_like(logits), len(logits)
    at = np.arange(n)

    def run() -> Result:
        log_p, total = _softmax(logits, actions, grad, at)
        ratio = np.exp(log_p - old_log_probs)
        clipped = np.clip(ratio, 1 - clip, 1 + clip)
        plain, held = ratio * advantages, clipped * advantages
        value = -np.minimum(plain, held).mean()
        weight = np.where((plain <= held) | (clipped == ratio), plain / n, 0)
        np.multiply(grad, (weight / total)[:, None], out=grad)
        grad[at, actions] -= weight
        return value, (grad,)

    return run


def _dense(x: Any, weight: Any, bias: Any, cotangent: Any) -> Computation:
    y, dx, dweight = np.empty_like(cotangent), np.empty_like(x), np.empty_like(weight)

    def run() -> Result:
        np.matmul(x, weight.T, out=y)
        np.add(y, bias, out=y)
        np.matmul(cotangent, weight, out=dx)
        np.matmul(cotangent.T, x, out=dweight)
        return y, (dx, dweight, cotangent.sum(axis=0))

    return run


_TABLE: dict[str, Callable[..., Computation]] = {
    "mse": _mse, "mae": _mae, "huber": _huber, "log_cosh": _log_cosh,
    "bce_with_logits": _bce_with_logits, "softmax_cross_entropy": _softmax_cross_entropy,
    "hinge": _hinge, "kl_divergence": _kl_divergence, "l1": _l1, "l2": _l2,
    "elastic_net": _elastic_net, "batch_norm": _batch_norm, "layer_norm": _layer_norm,
    "dense": _dense,
    "reinforce": _reinforce, "ppo_clip": _ppo_clip,
}  # fmt: skip
