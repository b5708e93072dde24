"""The kernels against PyTorch's autograd in float64, written from PyTorch's own operators."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import cotangent_of, extents

import symcalc as sc

torch = pytest.importorskip("torch")
F = torch.nn.functional


def ppo(z, actions, old, advantages):
    log_p = F.log_softmax(z, 1).gather(1, actions[:, None])[:, 0]
    ratio = torch.exp(log_p - old)
    return -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()


def reinforce(z, actions, returns):
    return -(returns * F.log_softmax(z, 1).gather(1, actions[:, None])[:, 0]).mean()


def batch_norm(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)


REFERENCE = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "log_cosh": lambda p, t: torch.log(torch.cosh(p - t)).mean(),
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "softmax_cross_entropy": F.cross_entropy,
    "hinge": lambda s, y: torch.clamp(1 - y * s, min=0).mean(),
    "kl_divergence": lambda q, p: F.kl_div(q, p, reduction="batchmean"),
    "l1": lambda x: x.abs().sum(),
    "l2": lambda x: (x**2).sum() / 2,
    "elastic_net": lambda x: x.abs().sum() + (x**2).sum(),
    "batch_norm": batch_norm,
    "layer_norm": lambda x, gamma, beta: F.layer_norm(x, x.shape[1:], gamma, beta, 1e-5),
    "dense": F.linear,
    "reinforce": reinforce,
    "ppo_clip": ppo,
}


def reference(name, arrays, cotangent=None):
    """PyTorch's value and gradients, in float64."""
    objective = sc.get(name)
    given = {k: torch.tensor(v) for k, v in arrays.items()}
    given = {k: v if v.dtype == torch.int64 else v.double() for k, v in given.items()}
    for wrt in objective.wrt:
        given[wrt].requires_grad_()
    value = REFERENCE[name](*given.values())
    value.backward(None if cotangent is None else torch.tensor(cotangent).double())
    return value.detach().numpy(), [given[wrt].grad.numpy() for wrt in objective.wrt]


def ours(kernel, arrays, cotangent=None):
    if cotangent is None:
        value, gradients = kernel.value_and_grad(**arrays)
    else:
        value, gradients = kernel.vjp(**arrays, cotangent=cotangent)
    return value, gradients if isinstance(gradients, tuple) else (gradients,)


def compare(kernel, name, arrays, tolerance, cotangent=None):
    value, gradients = ours(kernel, arrays, cotangent)
    true_value, true_gradients = reference(name, arrays, cotangent)
    for found, true in ((value, true_value), *zip(gradients, true_gradients, strict=True)):
        scale = max(np.max(np.abs(true), initial=0), 1e-3 if cotangent is None else 1)
        if cotangent is not None and 1 in cotangent.shape:
            scale = max(scale, 1e-5**-0.5)  # nothing varies: the gradient is divided by sqrt(eps)
        np.testing.assert_allclose(found, true, rtol=tolerance, atol=tolerance * scale)


SIZES = [(1, 1, 1), (1, 4, 3), (5, 1, 4), (3, 7, 1), (64, 33, 17), (257, 8, 5)]


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_float64_agrees_to_twelve_digits(kernel, sample, name, backend):
    objective = sc.get(name)
    compiled = kernel(name, backend=backend)
    for seed, (n, c, m) in enumerate(SIZES):
        if name == "batch_norm" and n == 1:
            continue  # PyTorch refuses a batch of one
        sizes = extents(objective, n, c, m)
        arrays = sample(objective, seed, **sizes)
        cotangent = cotangent_of(objective, sizes, np.random.default_rng([seed, 1]))
        compare(compiled, name, arrays, 1e-12, cotangent)


@pytest.mark.parametrize("name", REFERENCE)
def test_float32_agrees_to_six_digits(kernel, sample, name):
    objective = sc.get(name)
    compiled = kernel(name, dtype="float32")
    for seed, (n, c, m) in enumerate(SIZES):
        if name.endswith("_norm") and min(n, c) < 4:
            continue  # a variance of few entries has few digits
        sizes = extents(objective, n, c, m)
        arrays = sample(objective, seed, "float32", **sizes)
        cotangent = cotangent_of(objective, sizes, np.random.default_rng([seed, 1]), "float32")
        compare(compiled, name, arrays, 4e-6, cotangent)
        _, gradients = ours(compiled, arrays, cotangent)
        assert all(g.dtype == np.float32 for g in gradients)


def test_a_batch_of_one_is_all_mean(kernel):
    out, (x_bar, gamma_bar, beta_bar) = kernel("batch_norm").vjp(
        np.array([[3.0, 4.0]]), np.ones(2), np.array([5.0, 6.0]), cotangent=np.ones((1, 2))
    )
    np.testing.assert_array_equal(out, [[5, 6]])
    np.testing.assert_array_equal(x_bar, [[0, 0]])
    np.testing.assert_array_equal(gamma_bar, [0, 0])
    np.testing.assert_array_equal(beta_bar, [1, 1])


@pytest.mark.parametrize("name", REFERENCE)
@settings(max_examples=6)
@given(
    n=st.integers(1, 40),
    c=st.integers(1, 40),
    m=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape_agrees(kernel, sample, name, n, c, m, seed):
    objective = sc.get(name)
    n = n + 1 if name == "batch_norm" else n
    sizes = extents(objective, n, c, m)
    arrays = sample(objective, seed, **sizes)
    cotangent = cotangent_of(objective, sizes, np.random.default_rng([seed, 1]))
    tolerance = 1e-9 if name == "batch_norm" else 1e-11
    compare(kernel(name), name, arrays, tolerance, cotangent)


@pytest.mark.parametrize(
    ("name", "reduction", "function"),
    [
        ("bce_with_logits", "sum", F.binary_cross_entropy_with_logits),
        ("softmax_cross_entropy", "none", F.cross_entropy),
    ],
)
def test_reductions_are_pytorchs(kernel, sample, name, reduction, function):
    arrays = sample(sc.get(name), 3, n=6, c=4)
    compiled = kernel(name, reduction=reduction)
    if reduction == "none":
        found, _ = compiled.vjp(**arrays, cotangent=np.ones(6))
    else:
        found, _ = compiled.value_and_grad(**arrays)
    true = function(*map(torch.tensor, arrays.values()), reduction=reduction)
    np.testing.assert_allclose(found, true.numpy(), rtol=1e-12)


def test_hyperparameters_are_pytorchs(kernel, sample):
    arrays = sample(sc.get("huber"), 5, n=30)
    p, t = map(torch.tensor, arrays.values())
    for delta in (0.1, 0.7, 3.0):
        found, _ = kernel("huber").value_and_grad(**arrays, delta=delta)
        assert found == pytest.approx(F.huber_loss(p, t, delta=delta).item(), rel=1e-13)
