"""Losses against scikit-learn's: values by its metrics, derivatives by what its boosting uses."""

import numpy as np
import pytest

import symcalc as sc

metrics = pytest.importorskip("sklearn.metrics")
SIZES = {"n": 9, "c": 4}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# Name, hyperparameters, and the same by scikit-learn; a holds the inputs by name.
METRICS = [
    ("mse", {}, lambda m, a: m.mean_squared_error(a["target"], a["prediction"])),
    ("mae", {}, lambda m, a: m.mean_absolute_error(a["target"], a["prediction"])),
    ("pinball", {"quantile": 0.3},
     lambda m, a: m.mean_pinball_loss(a["target"], a["prediction"], alpha=0.3)),
    ("squared_log_error", {},
     lambda m, a: m.mean_squared_log_error(a["target"], a["prediction"])),
    ("hinge", {}, lambda m, a: m.hinge_loss(a["labels"], a["scores"])),
    ("softmax_cross_entropy", {},
     lambda m, a: m.log_loss(a["labels"], softmax(a["logits"]),
                             labels=np.arange(4))),
    ("binary_cross_entropy", {},
     lambda m, a: m.log_loss(a["target"] > 0.5, a["probability"], labels=[False, True])),
    ("brier", {},
     lambda m, a: m.brier_score_loss(a["one_hot"].argmax(1), a["probability"],
                                     labels=np.arange(4), scale_by_half=False)),
]  # fmt: skip


def met(arrays, name):
    """The inputs as the metric wants them: hard targets, rows that sum to 1, nothing below 0."""
    if name == "binary_cross_entropy":
        arrays["target"] = np.round(arrays["target"])
    if name == "brier":
        arrays["one_hot"] = np.eye(4)[arrays["one_hot"].argmax(1)]
        arrays["probability"] /= arrays["probability"].sum(axis=1, keepdims=True)
    if name == "squared_log_error":
        arrays = {key: abs(value) for key, value in arrays.items()}
    return arrays


@pytest.mark.parametrize(("name", "parameters", "peer"), METRICS)
def test_a_value_is_that_of_the_metric(kernel, sample, name, parameters, peer):
    arrays = met(sample(sc.get(name), 1, **SIZES), name)
    value = kernel(name, backend="numpy")(**arrays, **parameters)
    assert value == pytest.approx(peer(metrics, arrays), rel=1e-12)


# Name, hyperparameters, scikit-learn's class of the loss, its options, what ours is times theirs.
LOSSES = [
    ("mse", {}, "HalfSquaredError", {}, 2),
    ("mae", {}, "AbsoluteError", {}, 1),
    ("pinball", {"quantile": 0.3}, "PinballLoss", {"quantile": 0.3}, 1),
    ("huber", {"delta": 0.7}, "HuberLoss", {"quantile": 0.5}, 1),
    ("poisson_nll", {}, "HalfPoissonLoss", {}, 1),
    ("gamma_nll", {}, "HalfGammaLoss", {}, 1),
    ("tweedie", {"power": 1.5}, "HalfTweedieLoss", {"power": 1.5}, 1),
    ("bce_with_logits", {}, "HalfBinomialLoss", {}, 1),
    ("softmax_cross_entropy", {}, "HalfMultinomialLoss", {"n_classes": 4}, 1),
]


@pytest.mark.parametrize(("name", "parameters", "peer", "options", "times"), LOSSES)
def test_a_gradient_is_that_of_the_boosting_loss(
    kernel, sample, name, parameters, peer, options, times
):
    losses = pytest.importorskip("sklearn._loss")
    module = pytest.importorskip("sklearn._loss.loss")
    made = getattr(losses, peer, None) or getattr(module, peer)
    loss = made(**options)
    if name == "huber":
        loss.closs.delta = 0.7
    arrays = sample(sc.get(name), 1, **SIZES)
    raw, target = arrays.values()
    gradient = loss.gradient(target.astype(float), raw)
    ours = kernel(name, backend="numpy").grad(raw, target, **parameters)
    np.testing.assert_allclose(ours * 9, times * gradient, rtol=1e-12, atol=1e-14)


def test_linear_regression_is_least_squares_where_it_is_solved(kernel, sample):
    linear = pytest.importorskip("sklearn.linear_model")
    arrays = sample(sc.get("linear_regression"), 1, n=20, d=3)
    fit = linear.LinearRegression().fit(arrays["x"], arrays["y"])
    at = {**arrays, "weight": fit.coef_, "bias": np.array(fit.intercept_)}
    for slope in kernel("linear_regression", backend="numpy").grad(**at):
        np.testing.assert_allclose(slope, 0, atol=1e-12)
