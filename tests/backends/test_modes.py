"""Jacobians, products of second and third order, Gauss-Newton and Fisher, at any shape."""

from __future__ import annotations

import builtins
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.notation import (
    Array,
    Formula,
    Label,
    Real,
    indices,
    let,
    logsumexp,
    mean,
    sum,
    where,
)

BACKENDS = ["numpy", "numba"]
EXTENTS = st.integers(1, 5)
LOGITS = "let(logits, sum(j, X[i,j]*W[j,k]))"
HOT = f"sum(k, where(k == y[i], {LOGITS}, 0))"
CROSS_ENTROPY = f"mean(i, logsumexp(k, {LOGITS}) - {HOT})"
# a model that curves, under a loss that curves
CURVED = "let(z, tanh(sum(j, X[i,j]*w[j])))"
LEAST_SQUARES = f"mean(i, ({CURVED} - t[i])**2)"


@sc.objective(wrt="W")
def squared_logits(
    X: Real[Array, "n d"], W: Real[Array, "d c"], y: Label[Array, "n -> c"]
) -> Formula:
    """A negative log-likelihood whose second derivative depends on the label."""
    i, j, k = indices("n d c")
    z = let("z", sum(j, X[i, j] * W[j, k]))
    return mean(i, logsumexp(k, z**2) - sum(k, where(k == y[i], z**2, 0)))


@sc.objective(wrt="W")
def no_likelihood(
    X: Real[Array, "n d"], W: Real[Array, "d c"], y: Label[Array, "n -> c"]
) -> Formula:
    """The fourth power of the true class's logit."""
    i, j, k = indices("n d c")
    z = let("z", sum(j, X[i, j] * W[j, k]))
    return mean(i, sum(k, where(k == y[i], z, 0)) ** 4)


def layer_inputs(rng, n, d):
    return rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=d)


def differences(function, step=1e-5):
    """The derivative at zero of a function of one number, to about ten digits."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize("backend", BACKENDS)
@given(n=EXTENTS, d=EXTENTS)
def test_a_layers_jacobian_is_its_derivative_by_differences(kernel, backend, n, d):
    k = kernel("layer_norm", backend=backend)
    arrays = layer_inputs(np.random.default_rng(n * 7 + d), n, d)
    found = k.jacobian(*arrays, eps=0.5)
    assert [j.shape for j in found] == [(n, d, n, d), (n, d, d), (n, d, d)]
    moves = layer_inputs(np.random.default_rng(1), n, d)
    _, expected = k.jvp(
        *arrays, eps=0.5, tangents=dict(zip(("x", "gamma", "beta"), moves, strict=True))
    )
    total = builtins.sum(
        np.tensordot(j, move, axes=move.ndim) for j, move in zip(found, moves, strict=True)
    )
    np.testing.assert_allclose(total, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_jacobian_by_rows_is_the_one_by_columns(kernel, backend):
    wide = kernel("sum(j, A[i,j]*x[j])**2", backend=backend, shapes={"A": "n d"})
    rng = np.random.default_rng(2)
    for n, d in ((2, 7), (7, 2)):
        a, x = rng.normal(size=(n, d)), rng.normal(size=d)
        by_x = wide.objective.by("x")
        k = sc.compile(by_x, backend=backend)
        expected = 2 * (a @ x)[:, None] * a
        np.testing.assert_allclose(k.jacobian(a, x), expected, rtol=1e-12, atol=1e-13)


def test_a_scalars_jacobian_is_its_gradient(kernel):
    k = kernel("mse")
    x, y = np.arange(3.0), np.ones(3)
    np.testing.assert_array_equal(k.jacobian(x, y), k.grad(x, y))


@pytest.mark.parametrize("backend", BACKENDS)
@given(n=EXTENTS, d=EXTENTS)
def test_a_layers_hvp_is_the_derivative_of_its_vjp(kernel, backend, n, d):
    k = kernel("layer_norm", backend=backend)
    rng = np.random.default_rng(n + 11 * d)
    arrays, moves = layer_inputs(rng, n, d), layer_inputs(rng, n, d)
    cotangent = rng.normal(size=(n, d))
    found = k.hvp(*arrays, eps=0.5, vector=moves, cotangent=cotangent)
    for place, product in enumerate(found):
        expected = differences(
            lambda t, place=place: k.vjp(
                *(a + t * m for a, m in zip(arrays, moves, strict=True)),
                eps=0.5, cotangent=cotangent,
            )[1][place]
        )  # fmt: skip
        np.testing.assert_allclose(product, expected, rtol=1e-8, atol=1e-8)


THIRDS = {"softmax_cross_entropy": (3, 2), "log_cosh": (3,), "huber": (3,), "l2": (3,)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", THIRDS)
def test_the_third_derivative_is_that_of_the_hvp(kernel, sample, name, backend):
    k = kernel(name, backend=backend)
    sizes = {dim.name: 3 - place for place, dim in enumerate(k.objective.dims)}
    first, *rest = sample(k.objective, 3, **sizes).values()
    rng = np.random.default_rng(4)
    u, v = rng.normal(size=first.shape), rng.normal(size=first.shape)
    expected = differences(lambda t: k.hvp(first + t * v, *rest, vector=u))
    found = k.third(first, *rest, vectors=(u, v))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)
    swapped = k.third(first, *rest, vectors=(v, u))
    np.testing.assert_allclose(found, swapped, rtol=1e-12, atol=1e-14)


def test_a_cubics_third_derivative_is_constant():
    k = sc.compile(sc.parse("sum(i, x[i]**3)"), backend="numpy")
    ones = np.ones(4)
    np.testing.assert_array_equal(k.third(np.arange(4.0), vectors=(ones, 2 * ones)), 12 * ones)


@given(n=EXTENTS, d=EXTENTS)
def test_second_and_third_derivatives_are_jaxs(kernel, n, d):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def loss(z, y):
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[jnp.arange(z.shape[0]), y])

    k = kernel("softmax_cross_entropy", backend="numpy")
    rng = np.random.default_rng(n * 5 + d)
    z, y = rng.normal(size=(n, d)), rng.integers(0, d, n)
    u, v = rng.normal(size=(n, d)), rng.normal(size=(n, d))

    def hvp(z):
        return jax.jvp(lambda z: jax.grad(loss)(z, y), (z,), (u,))[1]

    near = {"rtol": 1e-10, "atol": 1e-13}
    np.testing.assert_allclose(k.hvp(z, y, vector=u), hvp(z), **near)
    np.testing.assert_allclose(k.third(z, y, vectors=(u, v)), jax.jvp(hvp, (z,), (v,))[1], **near)


def model(text, wrt, backend="numpy"):
    return sc.compile(sc.parse(text, wrt=wrt), backend=backend)


def linear_point(seed=5, n=4, d=3, c=2):
    rng = np.random.default_rng(seed)
    return {
        "X": rng.normal(size=(n, d)),
        "W": rng.normal(size=(d, c)),
        "y": rng.integers(0, c, n),
    }, rng.normal(size=(d, c))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gauss_newton_of_a_linear_model_is_the_hessian(backend):
    k = model(CROSS_ENTROPY, "W", backend)
    point, v = linear_point()
    hessian = k.hvp(**point, vector=v)
    near = {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(k.gnvp(**point, vector=v, at="logits"), hessian, **near)
    np.testing.assert_allclose(k.fvp(**point, vector=v, at="logits"), hessian, **near)
    weights = np.array([1.0, 0.0, 2.0, 3.0])
    found = k.gnvp(**point, vector=v, at="logits", weights=weights)
    np.testing.assert_allclose(found, k.hvp(**point, vector=v, weights=weights), **near)
    buffer = np.empty_like(v)
    assert k.gnvp(**point, vector=v, at="logits", out=buffer) is buffer


@given(n=EXTENTS, d=EXTENTS)
def test_gauss_newton_of_least_squares_leaves_the_models_curvature_out(n, d):
    k = CURVED_KERNEL
    rng = np.random.default_rng(n + 9 * d)
    x, w, t, v = (rng.normal(size=s) for s in ((n, d), d, n, d))
    slope = (1 - np.tanh(x @ w) ** 2)[:, None] * x
    expected = 2 / n * slope.T @ (slope @ v)
    given = {"X": x, "w": w, "t": t, "vector": v, "at": "z"}
    np.testing.assert_allclose(k.gnvp(**given), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(k.fvp(**given), expected, rtol=1e-11, atol=1e-13)


CURVED_KERNEL = model(LEAST_SQUARES, "w")


@pytest.mark.parametrize("backend", BACKENDS)
def test_fisher_is_the_expectation_over_the_models_own_labels(backend):
    k = sc.compile(squared_logits, backend=backend)
    point, v = linear_point(n=3, c=3)
    x, z = point["X"], point["X"] @ point["W"]
    p = np.exp(z**2) / np.exp(z**2).sum(axis=1, keepdims=True)
    zdot = x @ v
    curved = np.zeros_like(z)
    for label in range(3):
        for i in range(3):  # H of -log softmax(z^2)[label]: chain rule by hand
            slope = 2 * z[i]
            second = np.diag(2 * (p[i] - np.eye(3)[label]))
            softmax = np.diag(p[i]) - np.outer(p[i], p[i])
            hessian = slope[:, None] * softmax * slope + second
            curved[i] += p[i, label] * hessian @ zdot[i] / 3
    found = k.fvp(**point, vector=v, at="z")
    np.testing.assert_allclose(found, x.T @ curved, rtol=1e-11, atol=1e-13)
    # positive semidefinite, which the Gauss-Newton product of one draw of labels is not
    assert np.sum(v * found) >= 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda k, p, v: k.gnvp(**p, vector=v), "one of: logits, .*; got none"),
        (lambda k, p, v: k.gnvp(**p, vector=v, at="W"), "one of: logits, .*; got 'W'"),
        (lambda k, p, v: k.fvp(**p, vector=v, at="logit"), "one of: logits, .*; got 'logit'"),
        (lambda k, p, v: k.gnvp(**p, vector=v, at=3), "at: expected the name"),
        (lambda k, p, v: k.gnvp(**p, at="logits"), "missing vector"),
        (lambda k, p, v: k.gnvp(**p, vector=v[:1], at="logits"), "vector: expected shape"),
        (lambda k, p, v: k.third(**p, vectors=v), "expected a pair"),
        (lambda k, p, v: k.third(**p, vectors=(v, v[:1])), r"vectors\[1\]: expected shape"),
        (lambda k, p, v: k.hvp(**p, vector=v, cotangent=1.0), "cotangent is for layers"),
    ],
)
def test_what_cannot_be_split_or_multiplied_says_why(kernel, call, message):
    point, v = linear_point()
    with pytest.raises(sc.SymcalcError, match=message):
        call(CROSS_ENTROPY_KERNEL, point, v)


CROSS_ENTROPY_KERNEL = model(CROSS_ENTROPY, "W")


def test_a_way_around_the_model_is_refused():
    k = model(f"{CROSS_ENTROPY} + sum(j, k, W[j,k]**2)", "W")
    point, v = linear_point()
    with pytest.raises(sc.SymcalcError, match="beside logits it reads W itself"):
        k.gnvp(**point, vector=v, at="logits")


def test_real_targets_that_the_curvature_depends_on_have_no_fisher():
    k = model("mean(i, (let(z, w[0]*x[i])*t[i])**4)", "w")
    given = {"x": np.ones(2), "t": np.ones(2), "w": np.ones(1), "vector": np.ones(1), "at": "z"}
    with pytest.raises(sc.SymcalcError, match="depends on t"):
        k.fvp(**given)
    k.gnvp(**given)


def test_a_loss_that_is_no_likelihood_has_no_fisher():
    point, v = linear_point()
    with pytest.raises(sc.SymcalcError, match="negative log-likelihood"):
        sc.compile(no_likelihood, backend="numpy").fvp(**point, vector=v, at="z")


def test_an_objective_may_name_its_model():
    objective = dataclasses.replace(sc.parse(CROSS_ENTROPY, wrt="W"), model="logits")
    k = sc.compile(objective, backend="numpy")
    point, v = linear_point()
    np.testing.assert_array_equal(k.gnvp(**point, vector=v), k.gnvp(**point, vector=v, at="logits"))


def test_a_shifts_tangent_leaves_what_is_out_of_bounds_alone():
    k = sc.compile(sc.parse("sum(t, (V[t] - V[t-1])**4)", wrt="V"))
    v = np.array([1.0, -2.0, 0.5, 3.0])
    rng = np.random.default_rng(3)
    move = rng.normal(size=4)
    expected = differences(lambda t: k.grad(v + t * move))
    np.testing.assert_allclose(k.hvp(v, vector=move), expected, rtol=1e-8)
    np.testing.assert_allclose(k.hessian_diagonal(v), np.diag(k.hessian(v)), rtol=1e-12)


def test_modes_can_be_prepared(kernel):
    for mode in ("third", "hessian_diagonal", "hvp"):
        kernel("mse").prepare(mode)
    with pytest.raises(sc.SymcalcError, match="mode: expected"):
        kernel("mse").prepare("fourth")
