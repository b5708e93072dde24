"""Score-function and pathwise surrogates: their gradients are unbiased."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import symcalc as sc

integrate = pytest.importorskip("scipy.integrate")

MU, RHO, W = np.array([0.4]), np.array([-0.3]), np.array([0.7])
# The function of z; whether the pathwise form may be used: where f jumps it is biased.
FUNCTIONS = [
    ("w[i]*z**2 + z", True),
    ("exp(w[i]*z)", True),
    ("relu(z - w[i])", True),
    ("softplus(3*z)*w[i]", True),
    ("w[i]*where(z > 0.5, 1, 0)", False),
]


def kernel(text):
    return sc.compile(sc.parse(text, wrt=("mu", "rho")), backend="numpy")


def averaged(estimator, kink):
    """The expectation of the estimator's gradient over its noise, by adaptive quadrature."""

    def weighed(eps):
        grads = estimator.grad(mu=MU, rho=RHO, w=W, eps=np.array([eps]))
        density = math.exp(-(eps**2) / 2) / math.sqrt(2 * math.pi)
        return np.array([g[0] for g in grads]) * density

    ends = sorted({-9.0, kink, 9.0})
    found = [
        integrate.quad_vec(weighed, a, b, epsabs=1e-10)[0] for a, b in itertools.pairwise(ends)
    ]
    return sum(found)


@pytest.mark.parametrize(("f", "is_continuous"), FUNCTIONS)
def test_the_gaussian_estimators_are_unbiased(f, is_continuous):
    exact = kernel(f"sum(i, w[i] + gaussian_expectation(z, mu[i], exp(rho[i]), {f}, nodes=128))")
    expected = [g[0] for g in exact.grad(mu=MU, rho=RHO, w=W)]
    edge = 0.5 if "where" in f else W[0]
    kink = float((edge - MU[0]) / math.exp(RHO[0]))
    for form in ("gaussian_score", "gaussian_pathwise"):
        made = kernel(f"sum(i, w[i] + {form}(s, z, mu[i], exp(rho[i]), eps[s], {f}))")
        found = averaged(made, kink)
        if form == "gaussian_score" or is_continuous:
            np.testing.assert_allclose(found, expected, rtol=1e-7)
        else:
            np.testing.assert_array_equal(found, 0)  # a step has no slope to follow


def test_the_score_surrogate_has_the_textbook_gradient():
    """mean_s f(z_s) (z_s - mu)/sigma^2 by mu, and the like by log sigma."""
    made = kernel("sum(i, gaussian_score(s, z, mu[i], exp(rho[i]), eps[s], w[i]*z**3))")
    eps = np.array([-1.5, 0.25, 2.0])
    by_mu, by_rho = made.grad(mu=MU, rho=RHO, w=W, eps=eps)
    sigma = np.exp(RHO)
    f = W * (MU + sigma * eps) ** 3
    np.testing.assert_allclose(by_mu, [np.mean(f * eps / sigma)], rtol=1e-12)
    np.testing.assert_allclose(by_rho, [np.mean(f * (eps**2 - 1))], rtol=1e-12)


def test_the_pathwise_form_is_the_sampled_value_itself():
    made = kernel("sum(i, gaussian_pathwise(s, z, mu[i], exp(rho[i]), eps[s], w[i]*z**3))")
    eps = np.array([-1.5, 0.25, 2.0])
    z = MU + np.exp(RHO) * eps
    value, (by_mu, by_rho) = made.value_and_grad(mu=MU, rho=RHO, w=W, eps=eps)
    assert value == pytest.approx(np.mean(W * z**3))
    np.testing.assert_allclose(by_mu, [np.mean(3 * W * z**2)], rtol=1e-12)
    np.testing.assert_allclose(by_rho, [np.mean(3 * W * z**2 * np.exp(RHO) * eps)], rtol=1e-12)


def test_the_log_density_is_the_one_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    i = sc.indices("n")

    @sc.objective(wrt="z")
    def density(z: sc.Real[sc.Array, "n"], mu: sc.Real[sc.Array, "n"], sigma: sc.Positive = 0.3):
        return sc.sum(i, sc.gaussian_log_density(z[i], mu[i], sigma))

    z, mu = np.array([1.0, -2.0]), np.array([0.5, 0.25])
    found = sc.compile(density, backend="numpy")(z, mu)
    assert found == pytest.approx(stats.norm.logpdf(z, mu, 0.3).sum(), rel=1e-13)


def test_the_score_of_a_finite_set_holds_weight_and_return():
    text = "score_function(k, exp(t[k] - logsumexp(j, t[j])), t[k]**2)"
    made = sc.compile(sc.parse(text, wrt="t"), backend="numpy")
    t = np.array([0.5, -1.0, 2.0])
    p = np.exp(t) / np.exp(t).sum()
    np.testing.assert_allclose(made.grad(t), p * t**2 - p * (p @ t**2), rtol=1e-12)


def test_a_large_mean_does_not_swallow_a_small_deviation():
    """The slope by mu is eps f/sigma at any size of mu."""
    made = sc.parse("mean(i, gaussian_score(s, z, mu[i], sigma, eps[s], 3))", wrt="mu",
                    domains={"sigma": "positive"})  # fmt: skip
    slope = sc.compile(made, backend="numpy").grad(mu=np.ones(1) * 1e6, sigma=1e-12, eps=np.ones(1))
    np.testing.assert_allclose(slope, 3e12, rtol=1e-14)
