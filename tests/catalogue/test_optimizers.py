"""Optimizers against PyTorch's, step by step, and schedules as their definitions say."""

import numpy as np
import pytest

import symcalc as sc

STEPS = 100
# Torch's class and options, ours, by name: both beside one another.
PEERS = {
    "sgd": ("SGD", {"lr": 0.05, "weight_decay": 0.1}, {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.8}, {"lr": 0.02, "mu": 0.8}),
    "nesterov": (
        "SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True}, {"lr": 0.02, "mu": 0.8},
    ),
    "adam": ("Adam", {"lr": 0.1}, {"lr": 0.1}),
    "adamw": ("AdamW", {"lr": 0.1}, {"lr": 0.1}),
    "adamax": ("Adamax", {}, {}),
    "nadam": ("NAdam", {}, {}),
    "rmsprop": ("RMSprop", {}, {}),
    "adagrad": ("Adagrad", {"lr_decay": 0.05}, {"lr_decay": 0.05}),
    "adadelta": ("Adadelta", {}, {}),
}  # fmt: skip
ONES = ("mu_product",)


def state_of(objective, like):
    """The state at the start: zeros, or one for a product."""
    found = {}
    for name, _ in objective.state[1:]:
        start = float(name in ONES)
        found[name] = np.full(like.shape if objective.input(name).shape else (), start)
    return found


@pytest.fixture
def torch():
    """PyTorch with float64 for a default: NAdam keeps its product of momenta in the default."""
    module = pytest.importorskip("torch")
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


@pytest.mark.parametrize("name", PEERS)
def test_a_trajectory_is_pytorchs(kernel, torch, name):
    objective, (peer, theirs, ours) = sc.get(name), PEERS[name]
    rng = np.random.default_rng(3)
    root, b, start = rng.normal(size=(7, 7)), rng.normal(size=7), rng.normal(size=7)
    a = root @ root.T / 7 + np.eye(7) / 10
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = getattr(torch.optim, peer)([parameter], **theirs)
    theta, state = start.copy(), state_of(objective, start)
    counts = any(p.name == "step" for p in objective.parameters)
    for step in range(1, STEPS + 1):
        parameter.grad = torch.from_numpy(a @ parameter.detach().numpy() - b)
        optimizer.step()
        number = {"step": step} if counts else {}
        kernel(name).step(theta=theta, gradient=a @ theta - b, **state, **ours, **number)
        np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=0, atol=1e-12)
    assert np.max(np.abs(theta - start)) > 0.01


def test_lion_is_its_papers_algorithm(kernel):
    """Chen et al. (2023), algorithm 2, written out."""
    rng = np.random.default_rng(0)
    theta, m = rng.normal(size=9), np.zeros(9)
    mine, own = theta.copy(), m.copy()
    for _ in range(30):
        gradient = 2 * theta + rng.normal(size=9)
        direction = np.sign(0.9 * m + 0.1 * gradient)
        kernel("lion").step(mine, gradient, own, lr=0.01, weight_decay=0.1)
        theta = theta - 0.01 * (direction + 0.1 * theta)
        m = 0.99 * m + 0.01 * gradient
        np.testing.assert_allclose(mine, theta, atol=1e-14)


SCHEDULES = {
    "constant_schedule": (lambda k: 0.2 + 0 * k, {}),
    "inverse_time_schedule": (lambda k: 0.2 / (1 + 0.3 * k), {"beta": 0.3}),
    "inverse_sqrt_schedule": (lambda k: 0.2 / np.sqrt(k), {}),
    "cosine_schedule": (
        lambda k: np.where(k < 8, 0.01 + 0.19 * (1 + np.cos(np.pi * k / 8)) / 2, 0.01),
        {"lr_min": 0.01, "total": 8},
    ),
    "warmup_schedule": (lambda k: np.where(k < 4, 0.2 * k / 4, 0.2), {"warmup": 4}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_what_it_says(kernel, name):
    formula, hyper = SCHEDULES[name]
    steps = np.arange(1.0, 13.0)
    np.testing.assert_allclose(kernel(name)(steps, 0.2, **hyper), formula(steps), rtol=1e-14)
