"""Losses, optimizers and schedules against optax's, in float64, value and gradient."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.verify.sampling import draw

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy
SIZES = {"n": 9, "c": 4}
STEPS = 100


@pytest.fixture(autouse=True)
def double():
    """JAX computes in float64 for the time of a test."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


# Name, hyperparameters, and optax's value for each entry or row; a holds the inputs by name.
LOSSES = [
    ("mse", {}, lambda a: optax.squared_error(a["prediction"], a["target"])),
    ("huber", {"delta": 0.7}, lambda a: optax.huber_loss(a["prediction"], a["target"], delta=0.7)),
    ("log_cosh", {}, lambda a: optax.log_cosh(a["prediction"], a["target"])),
    ("bce_with_logits", {},
     lambda a: optax.sigmoid_binary_cross_entropy(a["logits"], a["targets"])),
    ("softmax_cross_entropy", {},
     lambda a: optax.softmax_cross_entropy_with_integer_labels(a["logits"], a["labels"])),
    ("soft_cross_entropy", {"smoothing": 0.0},
     lambda a: optax.softmax_cross_entropy(a["logits"], a["probabilities"])),
    ("hinge", {}, lambda a: optax.hinge_loss(a["scores"], a["labels"])),
    ("kl_divergence", {}, lambda a: optax.kl_divergence(a["log_q"], a["p"])),
    ("focal_with_logits", {"gamma": 2.0, "alpha": 0.25},
     lambda a: optax.sigmoid_focal_loss(a["logits"], a["targets"], alpha=0.25, gamma=2.0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hyper", "theirs"), LOSSES, ids=[loss[0] for loss in LOSSES])
def test_losses_are_optax_s(name, hyper, theirs):
    objective = sc.get(name)
    point = draw(objective, {dim.name: SIZES[dim.name] for dim in objective.dims}, 3)
    arrays = dict(zip((tensor.name for tensor in objective.inputs), point.arrays, strict=True))
    (wrt,) = objective.wrt
    kernel = sc.compile(objective, backend="numpy")
    value, gradient = kernel.value_and_grad(**arrays, **hyper)
    rows = arrays[wrt].shape[0]

    def total(x):
        return jnp.sum(theirs({**arrays, wrt: x})) / rows

    expected, slopes = jax.value_and_grad(total)(arrays[wrt])
    assert value == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-15)


OPTIMIZERS = [
    ("lion", {"lr": 1e-2, "weight_decay": 0.01},
     lambda: optax.lion(1e-2, b1=0.9, b2=0.99, weight_decay=0.01)),
    ("adam", {"lr": 1e-2}, lambda: optax.adam(1e-2, b1=0.9, b2=0.999, eps=1e-8)),
    ("adamw", {"lr": 1e-2, "weight_decay": 0.01},
     lambda: optax.adamw(1e-2, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.01)),
    ("gradient_descent", {"lr": 1e-2}, lambda: optax.sgd(1e-2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hyper", "make"), OPTIMIZERS, ids=[o[0] for o in OPTIMIZERS])
def test_trajectories_are_optax_s(name, hyper, make):
    objective, optimizer = sc.get(name), make()
    kernel = sc.compile(objective, backend="numpy")
    rng = np.random.default_rng(4)
    start = rng.normal(size=7)
    scale = rng.uniform(0.5, 3.0, 7)
    arrays = {tensor.name: np.zeros(7 if tensor.shape else ()) for tensor in objective.inputs} | {
        "theta": start.copy()
    }
    state, theta = optimizer.init(jnp.asarray(start)), jnp.asarray(start)
    counted = "step" in {parameter.name for parameter in objective.parameters}
    for number in range(1, STEPS + 1):
        arrays["gradient"] = scale * arrays["theta"] + np.sin(arrays["theta"])
        kernel.step(**arrays, **hyper, **({"step": number} if counted else {}))
        change, state = optimizer.update(scale * theta + jnp.sin(theta), state, theta)
        theta = optax.apply_updates(theta, change)
    np.testing.assert_allclose(arrays["theta"], theta, rtol=1e-12, atol=1e-12)


SCHEDULES = [
    ("constant_schedule", {}, lambda: optax.constant_schedule(0.3)),
    ("cosine_schedule", {"total": 40.0, "lr_min": 0.03},
     lambda: optax.cosine_decay_schedule(0.3, 40, alpha=0.1)),
    ("warmup_schedule", {"warmup": 12.0}, lambda: optax.linear_schedule(0.0, 0.3, 12)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hyper", "make"), SCHEDULES, ids=[s[0] for s in SCHEDULES])
def test_schedules_are_optax_s(name, hyper, make):
    steps = np.arange(60.0)
    found = sc.compile(name, backend="numpy")(step=steps, lr=np.array(0.3), **hyper)
    expected = [float(make()(int(step))) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
