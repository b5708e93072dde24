"""PyTorch: its own optimizers, stepping one parameter whose gradient stays."""

from __future__ import annotations

from typing import Any

import torch

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import NotOfferedError, Runner, offered


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return a step of PyTorch's optimizer.

    Args:
        problem: an update of the catalogue, its arrays and hyperparameters.
        variant: "fused", one pass over memory, or "foreach", an operator at a time.
        threads: how many threads the operators use.

    Raises:
        NotOfferedError: PyTorch has no such optimizer, or no fused step of it on a processor.
    """
    torch.set_num_threads(threads)
    name, words = offered(_TABLE, problem.objective.name, "torch.optim")
    make = getattr(torch.optim, name)
    if variant == "fused" and name not in _FUSED:
        raise NotOfferedError(f"torch.optim.{name} has no fused step on a processor")
    parameter = torch.nn.Parameter(torch.from_numpy(problem.arrays["theta"].copy()))
    parameter.grad = torch.from_numpy(problem.arrays["gradient"].copy())
    options: dict[str, Any] = {theirs: problem.hyper[ours] for theirs, ours in words.items()}
    if "beta1" in problem.hyper:
        options["betas"] = (problem.hyper["beta1"], problem.hyper["beta2"])
    if problem.objective.name == "nesterov":
        options["nesterov"] = True
    optimizer = make([parameter], **options, **{variant: True})
    return Runner(optimizer.step)


_FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
_RATE = {"lr": "lr"}
_MOMENTUM = {**_RATE, "momentum": "mu"}
_EPS = {**_RATE, "eps": "eps"}
_TABLE: dict[str, tuple[str, dict[str, str]]] = {
    "gradient_descent": ("SGD", _RATE),
    "sgd": ("SGD", {**_RATE, "weight_decay": "weight_decay"}),
    "momentum": ("SGD", _MOMENTUM),
    "nesterov": ("SGD", _MOMENTUM),
    "adam": ("Adam", _EPS),
    "adamw": ("AdamW", {**_EPS, "weight_decay": "weight_decay"}),
    "adamax": ("Adamax", _EPS),
    "nadam": ("NAdam", {**_EPS, "momentum_decay": "momentum_decay"}),
    "rmsprop": ("RMSprop", {**_EPS, "alpha": "alpha"}),
    "adagrad": ("Adagrad", {**_EPS, "lr_decay": "lr_decay"}),
    "adadelta": ("Adadelta", {**_EPS, "rho": "rho"}),
}
