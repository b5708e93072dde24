"""jvp, Hessian-vector products, Hessians and their diagonals, against PyTorch and differences."""

from __future__ import annotations

import numpy as np
import pytest

import symcalc as sc

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=5), RNG.random(5)
Z, LABELS = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 2])
P = RNG.dirichlet(np.ones(3), 4)
ARGUMENTS = {
    "mse": (X, Y),
    "huber": (X, Y),
    "log_cosh": (X, Y),
    "bce_with_logits": (X, Y),
    "softmax_cross_entropy": (Z, LABELS),
    "kl_divergence": (np.log(P), P),
    "l2": (X,),
    "elastic_net": (X,),
    "reinforce": (Z, LABELS, RNG.normal(size=4)),
    "ppo_clip": (Z, LABELS, np.log(P[:, 0]), RNG.normal(size=4)),
}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_products_agree_with_differences_of_the_gradient(kernel, name, backend):
    k, args = kernel(name, backend=backend), ARGUMENTS[name]
    first, rest = args[0], args[1:]
    v = RNG.normal(size=first.shape)
    step = 1e-6
    slope = (k.grad(first + step * v, *rest) - k.grad(first - step * v, *rest)) / (2 * step)
    np.testing.assert_allclose(k.hvp(*args, vector=v), slope, atol=1e-8)
    value, tangent = k.jvp(*args, tangents={k.derivation.wrt[0]: v})
    assert value == pytest.approx(k(*args), rel=1e-14)
    assert tangent == pytest.approx(np.sum(k.grad(*args) * v), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", ["mse", "softmax_cross_entropy", "bce_with_logits"])
def test_the_dense_hessian_is_pytorchs(kernel, name):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    losses = {
        "mse": functional.mse_loss,
        "softmax_cross_entropy": functional.cross_entropy,
        "bce_with_logits": functional.binary_cross_entropy_with_logits,
    }
    args = ARGUMENTS[name]
    rest = [torch.tensor(a) for a in args[1:]]
    expected = torch.autograd.functional.hessian(
        lambda x: losses[name](x, *rest), torch.tensor(args[0])
    ).numpy()
    k = kernel(name)
    np.testing.assert_allclose(k.hessian(*args), expected, atol=1e-14)
    size = args[0].size
    diagonal = np.diag(expected.reshape(size, size)).reshape(args[0].shape)
    np.testing.assert_allclose(k.hessian_diagonal(*args), diagonal, atol=1e-14)


def test_softmax_curvature_is_diagonal_less_rank_one(kernel):
    p = np.exp(Z[0]) / np.exp(Z[0]).sum()
    found = kernel("softmax_cross_entropy").hessian(Z[:1], LABELS[:1]).reshape(3, 3)
    np.testing.assert_allclose(found, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_a_layers_tangent(kernel):
    k = kernel("layer_norm")
    x, gamma, beta = RNG.normal(size=(4, 6)), RNG.normal(size=6), RNG.normal(size=6)
    xdot, gdot = RNG.normal(size=(4, 6)), RNG.normal(size=6)
    _, tangent = k.jvp(x, gamma, beta, tangents={"x": xdot, "gamma": gdot})
    h = 1e-6
    slope = (k(x + h * xdot, gamma + h * gdot, beta) - k(x - h * xdot, gamma - h * gdot, beta)) / (
        2 * h
    )
    np.testing.assert_allclose(tangent, slope, atol=1e-8)


def test_a_linear_function_has_no_curvature():
    k = sc.compile(sc.parse("sum(i, w[i]*x[i])", wrt="x"))
    np.testing.assert_array_equal(k.hvp(X, Y, vector=X), np.zeros(5))
    np.testing.assert_array_equal(k.hessian_diagonal(X, Y), np.zeros(5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda k: k.hvp([1.0], [0.5], vector=[1.0, 2.0]), "vector: expected shape"),
        (lambda k: k.jvp([1.0], [0.5], tangents={"logits": [1.0, 2.0]}), "tangents\\['logits'\\]"),
        (lambda k: k.jvp([1.0], [0.5], tangents={"nothing": [1.0]}), "tangents: expected a dict"),
        (lambda k: k.jvp([1.0], [0.5], tangents={}), "tangents: expected a dict"),
    ],
)
def test_directions_that_do_not_fit_are_named(kernel, call, message):
    with pytest.raises(sc.SymcalcError, match=message):
        call(kernel("bce_with_logits"))
