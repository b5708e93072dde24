"""stop_gradient in every mode; JAX's own lax.stop_gradient is the witness where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

import symcalc as sc

RNG = np.random.default_rng(5)
PHI, NEXT = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 3))
R, W, DIRECTION = RNG.normal(size=6), RNG.normal(size=3), RNG.normal(size=3)
GAMMA = 0.9
V, V_NEXT = "sum(j, phi[i,j]*w[j])", "sum(j, psi[i,j]*w[j])"
SHAPES = {"phi": "n d", "psi": "n d", "w": "d", "r": "n"}


def td(target):
    text = f"mean(i, (r[i] + {GAMMA}*{target} - {V})**2)/2"
    return sc.compile(sc.parse(text, wrt="w", shapes=SHAPES), backend="numpy")


def arrays(**more):
    return {"r": R, "psi": NEXT, "phi": PHI, "w": W, **more}


def test_semi_gradient_td_and_the_residual_gradient():
    delta = R + GAMMA * NEXT @ W - PHI @ W
    semi, full = td(f"stop_gradient({V_NEXT})"), td(V_NEXT)
    values = [k(**arrays()) for k in (semi, full)]
    assert values == pytest.approx([np.mean(delta**2) / 2] * 2)
    np.testing.assert_allclose(semi.grad(**arrays()), -PHI.T @ delta / 6, rtol=1e-12)
    np.testing.assert_allclose(
        full.grad(**arrays()), (GAMMA * NEXT - PHI).T @ delta / 6, rtol=1e-12
    )


def test_the_tangent_of_a_held_target_is_zero():
    delta = R + GAMMA * NEXT @ W - PHI @ W
    _, tangent = td(f"stop_gradient({V_NEXT})").jvp(**arrays(), tangents={"w": DIRECTION})
    assert tangent == pytest.approx(np.mean(delta * (-PHI @ DIRECTION)))


def test_the_hessian_product_of_the_semi_gradient_is_its_gauss_newton_product():
    """Everything behind stop_gradient counts as constant, however often it is differentiated."""
    product = td(f"stop_gradient({V_NEXT})").hvp(**arrays(), vector=DIRECTION)
    np.testing.assert_allclose(product, PHI.T @ (PHI @ DIRECTION) / 6, rtol=1e-12)


CASES = [
    "sum(i, stop_gradient(x[i])*x[i]**2)",
    "sum(i, stop_gradient(stop_gradient(x[i])**2*x[i])*x[i])",
    "sum(i, exp(stop_gradient(x[i]*sum(j, x[j]))*x[i]/8))",
    "sum(i, stop_gradient(let(p, sigmoid(x[i])))*let(p, sigmoid(x[i])))",
    "sum(i, let(t, stop_gradient(x[i]**3))*x[i] + let(t, stop_gradient(x[i]**3)))",
    "logsumexp(i, x[i] - stop_gradient(x[i]/2))",
    "sum(i, x[i]*stop_gradient(max(j, x[j])))",
    "sum(i, x[i]) + stop_gradient(sum(i, x[i]**2))",
]


def witness(jax, text):
    """The formula in jax.numpy, written out from its text."""
    np_, hold = jax.numpy, jax.lax.stop_gradient
    sigmoid = jax.nn.sigmoid
    return {
        CASES[0]: lambda x: (hold(x) * x**2).sum(),
        CASES[1]: lambda x: (hold(hold(x) ** 2 * x) * x).sum(),
        CASES[2]: lambda x: np_.exp(hold(x * x.sum()) * x / 8).sum(),
        CASES[3]: lambda x: (hold(sigmoid(x)) * sigmoid(x)).sum(),
        CASES[4]: lambda x: (hold(x**3) * x + hold(x**3)).sum(),
        CASES[5]: lambda x: jax.nn.logsumexp(x - hold(x / 2)),
        CASES[6]: lambda x: (x * hold(x.max())).sum(),
        CASES[7]: lambda x: x.sum() + hold((x**2).sum()),
    }[text]


@pytest.mark.parametrize("text", CASES)
def test_every_mode_agrees_with_jax(text):
    jax = pytest.importorskip("jax")
    made = sc.compile(sc.parse(text, wrt="x"), backend="numpy")
    f, x, v = witness(jax, text), np.array([0.5, -1.25, 2.0]), np.array([1.0, -0.5, 0.25])
    with jax.enable_x64(True):
        x_, v_ = (jax.numpy.asarray(a, dtype="float64") for a in (x, v))
        value, slope = jax.value_and_grad(f)(x_)
        _, tangent = jax.jvp(f, (x_,), (v_,))
        _, product = jax.jvp(jax.grad(f), (x_,), (v_,))
    found, gradient = made.value_and_grad(x)
    assert found == pytest.approx(float(value), rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-14)
    assert made.jvp(x, tangents={"x": v})[1] == pytest.approx(float(tangent), rel=1e-12)
    np.testing.assert_allclose(made.hvp(x, vector=v), product, rtol=1e-12, atol=1e-14)


def test_a_layer_pulls_nothing_back_through_what_is_held():
    text = "x[i]*stop_gradient(sum(j, x[j]))"
    made = sc.compile(sc.parse(text, wrt="x", shapes={"x": "n"}), backend="numpy")
    x, bar = np.array([1.0, 2.0, -4.0]), np.array([1.0, 0.5, 3.0])
    out, pulled = made.vjp(x, cotangent=bar)
    np.testing.assert_allclose(out, x * x.sum())
    np.testing.assert_allclose(pulled, bar * x.sum())


def test_both_backends_hold_alike(kernel):
    text = CASES[2]
    x, v = np.array([0.5, -1.25, 2.0]), np.array([1.0, -0.5, 0.25])
    one, two = kernel(text), kernel(text, backend="numpy")
    np.testing.assert_allclose(one.grad(x), two.grad(x), rtol=1e-12)
    np.testing.assert_allclose(one.hvp(x, vector=v), two.hvp(x, vector=v), rtol=1e-12)


def test_holding_everything_leaves_a_gradient_of_zero_or_says_so():
    with pytest.raises(sc.DerivationError, match="does not depend on"):
        sc.derive(sc.parse("c + 0*sum(i, x[i])", wrt="x"))
    held = sc.compile(sc.parse("sum(i, stop_gradient(x[i]))", wrt="x"), backend="numpy")
    np.testing.assert_array_equal(held.grad(np.ones(3)), np.zeros(3))
