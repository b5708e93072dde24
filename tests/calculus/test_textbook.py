"""The closed forms that textbooks print come out, written as textbooks write them."""

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc import exp, indices, mean, sigmoid, sign, sum, tanh, where
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Tensor

n, c, d = Dim("n"), Dim("c"), Dim("d")
i, k, j = indices("i:n k:c j:d")


def named(derivation):
    """The derivation's tensors by name: inputs, intermediates and adjoints."""
    found = {t.name: t for t in derivation.objective.inputs}
    found |= {e.target.name: e.target for e in derivation.equations}
    found |= {p.name: p.symbol for p in derivation.objective.parameters}
    if derivation.cotangent is not None:
        found["g"] = derivation.cotangent
    return found


CLOSED = {
    "mse": lambda t: sp.Mul(2, t["prediction"][i] - t["target"][i], 1 / n, evaluate=False),
    "mae": lambda t: sign(t["prediction"][i] - t["target"][i]) / n,
    "log_cosh": lambda t: tanh(t["prediction"][i] - t["target"][i]) / n,
    "bce_with_logits": lambda t: (sigmoid(t["logits"][i]) - t["targets"][i]) / n,
    "softmax_cross_entropy": lambda t: (t["softmax"][i, k] - where(k == t["labels"][i], 1, 0)) / n,
    "kl_divergence": lambda t: -t["p"][i, k] / n,
    "l1": lambda t: t["lam"] * sign(t["theta"][j]),
    "l2": lambda t: t["lam"] * t["theta"][j],
    "elastic_net": lambda t: t["lam1"] * sign(t["theta"][j]) + 2 * t["lam2"] * t["theta"][j],
}


@pytest.mark.parametrize("name", CLOSED)
def test_the_gradient_is_the_textbooks(alike, name):
    derivation = sc.derive(name)
    (wrt,) = derivation.wrt
    assert alike(derivation.gradient[wrt], CLOSED[name](named(derivation)))


def test_softmax_is_the_softmax(alike):
    derivation = sc.derive("softmax_cross_entropy")
    t = named(derivation)
    softmax = next(e for e in derivation.equations if e.target.name == "softmax")
    assert alike(softmax.body, exp(t["logits"][i, k] - t["L"][i]))


def test_the_huber_gradient_is_the_clipped_residual(alike):
    derivation = sc.derive("huber")
    t = named(derivation)
    r, delta = t["prediction"][i] - t["target"][i], t["delta"]
    assert alike(
        derivation.gradient["prediction"], where(sc.abs(r) <= delta, r, delta * sign(r)) / n
    )


@pytest.mark.parametrize(("name", "over"), [("layer_norm", j), ("batch_norm", i)])
def test_normalization_has_the_closed_form_through_mean_and_variance(alike, name, over):
    derivation = sc.derive(name)
    t = named(derivation)
    r = t["r"][i] if over is j else t["r"][j]
    g, xhat = t["xhat_bar"][i, j], t["xhat"][i, j]
    assert alike(derivation.gradient["x"], r * (g - mean(over, g) - xhat * mean(over, g * xhat)))
    (scaled,) = [e for e in derivation.equations if e.target.name == "xhat_bar"]
    assert alike(scaled.body, t["gamma"][j] * t["g"][i, j])
    assert alike(derivation.gradient["gamma"], sum(i, t["g"][i, j] * xhat))
    assert alike(derivation.gradient["beta"], sum(i, t["g"][i, j]))


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
def test_normalization_agrees_with_the_closed_form_in_numbers(kernel, name):
    rng = np.random.default_rng(3)
    x, g = rng.normal(size=(2, 5, 4))
    gamma, beta = rng.normal(size=(2, 4))
    axis = 1 if name == "layer_norm" else 0
    mu, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    r = 1 / np.sqrt(var + 1e-3)
    xhat, gh = (x - mu) * r, g * gamma
    dx = r * (gh - gh.mean(axis, keepdims=True) - xhat * (gh * xhat).mean(axis, keepdims=True))
    out, (x_bar, gamma_bar, beta_bar) = kernel(name, backend="numpy").vjp(
        x, gamma, beta, cotangent=g, eps=1e-3
    )
    np.testing.assert_allclose(out, gamma * xhat + beta, rtol=1e-12)
    np.testing.assert_allclose(x_bar, dx, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(gamma_bar, (g * xhat).sum(0), rtol=1e-12)
    np.testing.assert_allclose(beta_bar, g.sum(0), rtol=1e-12)


def test_the_policy_gradient_is_returns_times_softmax_less_onehot(kernel):
    rng = np.random.default_rng(0)
    z, returns = rng.normal(size=(4, 3)), rng.normal(size=4)
    actions = np.array([0, 2, 1, 1])
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    expected = returns[:, None] * (softmax - np.eye(3)[actions]) / 4
    found = kernel("reinforce", backend="numpy").grad(z, actions, returns)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("sign_of", [1, -1])
def test_ppo_has_no_gradient_where_the_clip_holds(kernel, sign_of):
    z, actions = np.array([[0.3, -0.2, 0.7]]), np.array([2])
    log_p = z[0] - np.log(np.exp(z[0]).sum())
    grad = kernel("ppo_clip", backend="numpy").grad
    outside = grad(z, actions, [log_p[2] - sign_of], [float(sign_of)])
    np.testing.assert_array_equal(outside, 0)
    ratio = np.exp(0.1 * sign_of)
    inside = grad(z, actions, [log_p[2] - 0.1 * sign_of], [float(sign_of)])
    expected = -sign_of * ratio * (np.eye(3)[2] - np.exp(log_p))
    np.testing.assert_allclose(inside[0], expected, rtol=1e-12)


KINKS = {
    "mae": ["prediction[i] - target[i] = 0"],
    "huber": ["= delta"],
    "hinge": ["labels[i]*scores[i]"],
    "l1": ["theta[j] = 0"],
    "elastic_net": ["theta[j] = 0"],
    "ppo_clip": ["ratio"],
    "group_lasso": ["norm2("],
    "smooth_l1_penalty": ["= beta"],
    "total_variation": ["x[i + 1]"],
    "clip_by_global_norm": ["= max_norm"],
    "clip_by_value": ["= -max_value", "= max_value"],
    "weight_norm": ["norm2"],
    "relu": ["x[i, j] = 0"],
    "residual": ["z[i, k] = 0"],
    "dropout": ["mask[i, j] = 1"],
    "scaled_dot_product_attention_masked": ["mask[i, j] = 1"],
}
SMOOTH = (
    "mse", "log_cosh", "bce_with_logits", "softmax_cross_entropy", "kl_divergence", "l2",
    "batch_norm", "layer_norm", "reinforce", "orthogonality", "group_norm", "gelu", "softmax",
    "scaled_dot_product_attention", "causal_attention", "conv1d", "embedding", "transformer_block",
)  # fmt: skip


@pytest.mark.parametrize("name", [*KINKS, *SMOOTH])
def test_kinks_are_found_and_no_others(name):
    shown = [str(kink) for kink in sc.derive(name).kinks]
    for expected in KINKS.get(name, []):
        assert any(expected in kink for kink in shown)
    assert bool(shown) == (name in KINKS)


def test_a_named_part_keeps_its_name():
    written = {e.target.name for e in sc.derive("layer_norm").equations}
    assert {"mu", "var", "r", "xhat", "out"} <= written


def test_equations_stand_on_those_before_them():
    for objective in sc.catalogue().values():
        derivation = sc.derive(objective)
        known = {t.name for t in objective.inputs}
        if derivation.cotangent is not None:
            known.add(derivation.cotangent.name)
        for equation in derivation.equations:
            read = {a.tensor.name for a in equation.body.atoms(sc.notation.tensors.Access)}
            assert read <= known, (objective.name, str(equation))
            known.add(equation.target.name)


def test_tensors_of_one_name_and_different_shape_are_different():
    assert Tensor("x", (n,)) != Tensor("x", (n, c))
    assert Tensor("x", (n,)) == Tensor("x", (n,))
