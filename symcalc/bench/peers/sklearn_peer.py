"""scikit-learn: the fused Cython losses behind its linear models and boosting.

They give a loss and a gradient an observation, times a weight; a weight of 1/n makes the mean of
them in the same pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn._loss import loss as losses

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import Result, Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return `loss_gradient` of the matching loss, summed.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: given as n_threads.

    Raises:
        NotOfferedError: scikit-learn has no such loss.
    """
    make, factor = offered(_TABLE, problem.objective.name, "scikit-learn")
    raw, truth = problem.arrays.values()
    loss = make(raw, problem.hyper)
    truth = np.ascontiguousarray(truth, dtype=raw.dtype)
    weight = np.full(len(raw), factor / len(raw), dtype=raw.dtype)
    each, grad = np.empty(len(raw), dtype=raw.dtype), np.empty_like(raw)

    def call() -> Result:
        loss.loss_gradient(truth, raw, weight, each, grad, threads)
        return each.sum(), (grad,)

    return Runner(call, lambda found: found)


Maker = Callable[[Any, Any], Any]

# The loss of raw predictions and hyperparameters, and how many times theirs ours is.
_TABLE: dict[str, tuple[Maker, float]] = {
    "mse": (lambda raw, hyper: losses.HalfSquaredError(), 2.0),
    "mae": (lambda raw, hyper: losses.AbsoluteError(), 1.0),
    "huber": (lambda raw, hyper: losses.HuberLoss(delta=hyper["delta"]), 1.0),
    "bce_with_logits": (lambda raw, hyper: losses.HalfBinomialLoss(), 1.0),
    "softmax_cross_entropy": (
        lambda raw, hyper: losses.HalfMultinomialLoss(n_classes=raw.shape[1]), 1.0,
    ),
}  # fmt: skip
