"""Gaussian expectations: closed forms against integrals, quadrature against both."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc.calculus import expansion, expectations, gaussian
from symcalc.calculus.simplify import RewriteError
from symcalc.notation.tensors import Access

integrate = pytest.importorskip("scipy.integrate")

MU, SIGMA, W = np.array([0.3, -1.2]), np.array([0.7, 1.1]), np.array([0.4, -0.8])


def integral(f, mu, sigma, *cuts):
    """E f(z), by adaptive quadrature in pieces."""

    def weighed(z):
        return f(z) * math.exp(-(((z - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))

    ends = [mu - 14 * sigma, *sorted(cuts), mu + 14 * sigma]
    pieces = itertools.pairwise(ends)
    return sum(integrate.quad(weighed, a, b, epsabs=1e-13, limit=200)[0] for a, b in pieces)


def gradients(f, mu, sigma, *cuts):
    """The gradients by mu and sigma, from the score: no derivative of f is needed."""
    by_mu = integral(lambda z: f(z) * (z - mu) / sigma**2, mu, sigma, *cuts)
    by_sigma = integral(lambda z: f(z) * ((z - mu) ** 2 / sigma**3 - 1 / sigma), mu, sigma, *cuts)
    return by_mu, by_sigma


def relu(u):
    return max(u, 0.0)


# text, the same in Python, where it is cut
CLOSED = [
    ("z**4 - w[i]*z + 2", lambda z, w: z**4 - w * z + 2, []),
    ("(w[i]*z + 1)**3", lambda z, w: (w * z + 1) ** 3, []),
    ("z*exp(w[i]*z)", lambda z, w: z * math.exp(w * z), []),
    ("exp(-(z - w[i])**2/2)*z**2", lambda z, w: math.exp(-((z - w) ** 2) / 2) * z**2, []),
    ("2**z", lambda z, w: 2**z, []),
    ("relu(z - w[i])", lambda z, w: relu(z - w), ["w"]),
    ("relu(z - w[i])**2", lambda z, w: relu(z - w) ** 2, ["w"]),
    ("abs(1 - 2*z)*z", lambda z, w: abs(1 - 2 * z) * z, [0.5]),
    ("max(z, w[i])*exp(z/2)", lambda z, w: max(z, w) * math.exp(z / 2), ["w"]),
    ("clip(z, -1, 1)", lambda z, w: min(max(z, -1), 1), [-1, 1]),
    ("where(z <= w[i], 1, z**2)", lambda z, w: 1 if z <= w else z**2, ["w"]),
    ("sign(z)", lambda z, w: math.copysign(1, z), [0]),
    ("erf(w[i]*z + 1)*z**2", lambda z, w: math.erf(w * z + 1) * z**2, []),
    ("erfc(z)*exp(z)", lambda z, w: math.erfc(z) * math.exp(z), []),
    ("where(w[i] > 0, z, relu(z))", lambda z, w: z if w > 0 else relu(z), [0]),
    ("let(u, z - w[i])**2*let(u, z - w[i])", lambda z, w: (z - w) ** 3, []),
]


def objective(f, options=""):
    text = f"sum(i, w[i] + gaussian_expectation(z, mu[i], sigma[i], {f}{options}))"
    domains = {"sigma": "positive"}
    return sc.parse(text, wrt=("mu", "sigma"), domains=domains)


@pytest.mark.parametrize(("text", "f", "cuts"), CLOSED)
def test_a_closed_form_is_the_integral(text, f, cuts):
    derived = sc.derive(objective(text, ', method="closed"'))
    assert "closed form" in derived.expectations[-1]
    assert all(step.holds() for step in derived.steps)
    kernel = sc.compile(objective(text, ', method="closed"'), backend="numpy")
    value, (by_mu, by_sigma) = kernel.value_and_grad(w=W, mu=MU, sigma=SIGMA)
    expected = W.sum()
    for k, (mu, sigma, w) in enumerate(zip(MU, SIGMA, W, strict=True)):
        at = [w if cut == "w" else cut for cut in cuts]
        expected += integral(lambda z, w=w: f(z, w), mu, sigma, *at)
        slopes = gradients(lambda z, w=w: f(z, w), mu, sigma, *at)
        assert (by_mu[k], by_sigma[k]) == pytest.approx(slopes, rel=1e-9, abs=1e-10)
    assert value == pytest.approx(expected, rel=1e-10)


NOT_CLOSED = [
    ("softplus(z)", "nothing is known of softplus"),
    ("relu(w[i]*z)", "slope w\\[i\\] of .* may be zero"),
    ("exp(z**2)", "may grow too fast"),
    ("relu(z**2 - 1)", "not of a low enough degree"),
    ("relu(z)*relu(z - 1)", "two choices multiply"),
    ("where(z == 1, z, 0)", "is not of a kind that is known"),
    ("exp(abs(z))", "inside a function"),
    ("stop_gradient(z)", "nothing is known of stop_gradient"),
    ("clip(z, w[i], 1)", "low end of .* may be above"),
]


@pytest.mark.parametrize(("text", "message"), NOT_CLOSED)
def test_what_has_no_known_closed_form_is_said_and_goes_to_quadrature(text, message):
    with pytest.raises(sc.DerivationError, match=message):
        sc.derive(objective(text, ', method="closed"'))
    (said,) = sc.derive(objective(text)).expectations
    assert "Gauss-Hermite quadrature (32 nodes, exact for polynomials of degree up to 63" in said
    assert "Golub and Welsch" in said


def test_quadrature_agrees_with_the_integral_on_both_backends():
    f = "softplus(w[i]*z)*sum(k, a[k]*tanh(z/4))"
    a = np.array([0.5, -1.5, 2.0])
    arrays = {"w": W, "mu": MU, "sigma": SIGMA, "a": a}
    expected, slopes = W.sum(), []
    for mu, sigma, w in zip(MU, SIGMA, W, strict=True):

        def plain(z, w=w):
            return math.log1p(math.exp(w * z)) * a.sum() * math.tanh(z / 4)

        expected += integral(plain, mu, sigma)
        slopes.append(gradients(plain, mu, sigma))
    made = objective(f)
    for backend, dtype, rtol in (
        ("numpy", "float64", 1e-9), ("numba", "float64", 1e-9), ("numba", "float32", 3e-5),
    ):  # fmt: skip
        kernel = sc.compile(made, backend=backend, dtype=dtype)
        cast = {name: array.astype(dtype) for name, array in arrays.items()}
        value, (by_mu, by_sigma) = kernel.value_and_grad(**cast)
        assert value == pytest.approx(expected, rel=rtol)
        np.testing.assert_allclose(np.stack([by_mu, by_sigma], 1), slopes, rtol=rtol * 10)
    one, two = (
        sc.compile(made, backend=backend).hvp(**arrays, vector=(MU, SIGMA))
        for backend in ("numpy", "numba")
    )
    np.testing.assert_allclose(one, two, rtol=1e-10)


def test_quadrature_is_exact_up_to_its_degree_and_its_error_at_a_kink_is_as_stated():
    def value(f, options):
        kernel = sc.compile(objective(f, options), backend="numpy")
        zero, one = np.zeros(1), np.ones(1)
        return kernel(w=zero, mu=zero, sigma=one)

    moment = value("z**6", ', method="quadrature", nodes=4')  # E z^6 = 15
    assert moment == pytest.approx(15, rel=1e-13)
    assert value("z**8", ', method="quadrature", nodes=4') != pytest.approx(105, rel=1e-3)
    errors = [
        abs(value("abs(z)", f', method="quadrature", nodes={n}') - math.sqrt(2 / math.pi))
        for n in (16, 32, 64)
    ]
    for coarse, fine in itertools.pairwise(errors):  # like 1/nodes
        assert 1.5 < coarse / fine < 2.5
    (said,) = sc.derive(objective("abs(z)", ', method="quadrature"')).expectations
    assert "not smooth at z = 0" in said
    assert "like 1/nodes at a kink" in said


def test_nested_expectations_are_taken_from_the_inside():
    made = objective("gaussian_expectation(y, z, 2, abs(y))")
    assert len(sc.derive(made).expectations) == 2
    kernel = sc.compile(made, backend="numpy")
    deviations = np.sqrt(SIGMA**2 + 4)  # the two deviations add up as squares
    expected = W.sum() + sum(
        integral(abs, mu, s, 0.0) for mu, s in zip(MU, deviations, strict=True)
    )
    assert kernel(w=W, mu=MU, sigma=SIGMA) == pytest.approx(expected, rel=1e-10)


def test_a_wrong_closed_form_is_caught(monkeypatch):
    right = gaussian._moment
    monkeypatch.setattr(gaussian, "_moment", lambda n, g: right(n, g) * (1 + (n == 2)))
    expansion.expanded.cache_clear()
    expansion._settled.cache_clear()
    with pytest.raises(RewriteError, match="closed form"):
        expectations.expectation_steps(objective("z**2 + w[i]").body)
    expansion.expanded.cache_clear()
    expansion._settled.cache_clear()


def test_kinks_are_those_of_what_is_computed():
    assert sc.derive(objective("relu(z)")).kinks == ()
    found = sc.derive(objective("relu(z)", ', method="quadrature", nodes=3')).kinks
    assert any("hermite_nodes_3" in str(kink) for kink in found)


def test_the_checker_passes():
    verdict = sc.check(objective("relu(z) + sigmoid(z*w[i])", ", nodes=5"))
    assert verdict, verdict.table()


def test_a_page_shows_the_expectation(tmp_path):
    (path,) = sc.report(objective("sigmoid(z)", ", nodes=3"), out=tmp_path, formats=("html",))
    text = path.read_text()
    assert "𝔼" in text
    assert "Gauss-Hermite quadrature" in text


def test_sympy_agrees_on_a_closed_form():
    z, m, w = sp.symbols("z m w", real=True)
    s = sp.Symbol("s", positive=True)
    density = sp.exp(-((z - m) ** 2) / (2 * s**2)) / (s * sp.sqrt(2 * sp.pi))
    ours = sc.derive(objective("z**3 + z")).equations[0].body.body
    letters = {"mu": m, "sigma": s, "w": w}
    names = {access: letters[access.tensor.name] for access in ours.atoms(Access)}
    theirs = w + sp.integrate((z**3 + z) * density, (z, -sp.oo, sp.oo))
    assert sp.simplify(ours.xreplace(names) - theirs) == 0


def test_a_table_and_an_array_of_one_name_do_not_meet():
    text = "sum(i, hermite_nodes_5[i]*gaussian_expectation(z, 0, 1, sigmoid(z + 1), nodes=5))"
    one, two = (sc.compile(sc.parse(text), backend=b) for b in ("numba", "numpy"))
    x = np.array([0.5, 2.0])
    assert one(x) == pytest.approx(two(x), rel=1e-13)
    assert two(x) == pytest.approx(2.5 * integral(lambda z: 1 / (1 + math.exp(-z - 1)), 0, 1), 1e-3)


@pytest.mark.parametrize("far", [20, 1000])
def test_a_ramp_that_begins_beyond_what_is_integrated_is_no_mistake(far):
    (step,) = expectations.expectation_steps(objective(f"relu(z - {far})").body)
    assert step.holds()
