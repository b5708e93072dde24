"""Expectations as they are written: Python, text, LaTeX, errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import symcalc as sc
from symcalc.notation.domains import REAL
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.latex import latex
from symcalc.notation.parameters import Parameter
from symcalc.notation.spelling import Array, Positive, Real
from symcalc.notation.tables import HermiteNode, HermiteWeight, gauss_hermite


@sc.objective(wrt="mu")
def smoothed(mu: Real[Array, "n"], x: Real[Array, "n"], sigma: Positive = 0.5):
    """A square, smoothed."""
    i, z = sc.indices("n"), sc.variable("z")
    return sc.mean(i, sc.gaussian_expectation(z, mu[i], sigma, (z - x[i]) ** 2))


def test_python_and_text_are_spelled_alike():
    text = "mean(i, gaussian_expectation(z, mu[i], sigma, (z - x[i])**2))"
    assert str(smoothed.body) == "mean(i, gaussian_expectation(z, mu[i], sigma, (z - x[i])**2))"
    parsed = sc.parse(text, wrt="mu", domains={"sigma": "positive"})
    assert str(parsed.body) == text
    assert [p.name for p in parsed.parameters] == ["sigma"]  # z is bound: no hyperparameter


def test_options_survive_a_round_trip():
    text = 'gaussian_expectation(z, mu[i], 1, z**2, method="quadrature", nodes=5)'
    body = sc.parse(text).body
    assert (body.method, body.nodes) == ("quadrature", 5)
    assert str(sc.parse(str(body)).body) == text


def test_a_variable_is_bound_in_the_function_alone_and_lexically():
    objective = sc.parse("gaussian_expectation(z, z, 1, z*w[i])")
    assert [p.name for p in objective.parameters] == ["z"]
    nested = sc.parse("gaussian_expectation(z, m[i], 1, gaussian_expectation(z, z, 1, z**2))")
    assert nested.parameters == ()
    assert sc.derive(nested).gradient["m"] is not None


def test_two_variables_of_one_name_never_meet():
    z = sc.variable("z")
    one, two = (sc.gaussian_expectation(z, m, 1, z) for m in (2, 3))
    assert one.variable != two.variable != z
    assert not (one + two).free_symbols


def test_an_expectation_over_a_finite_set_is_its_sum():
    k = sc.indices("k:c")
    assert str(sc.parse("expectation(k, p[k], f[k])").body) in (
        "sum(k, f[k]*p[k])", "sum(k, p[k]*f[k])",
    )  # fmt: skip
    kernel = sc.compile(sc.parse("expectation(k, p[k], f[k])", wrt=("p", "f")), backend="numpy")
    p, f = np.array([0.25, 0.75]), np.array([2.0, 4.0])
    value, (by_p, by_f) = kernel.value_and_grad(p=p, f=f)
    assert value == 3.5
    np.testing.assert_array_equal(by_p, f)
    np.testing.assert_array_equal(by_f, p)
    with pytest.raises(sc.NotationError, match="expectation: expected an index first"):
        sc.expectation(3, k, k)


def test_the_latex_is_an_expectation():
    shown = latex(smoothed.body)
    assert r"\mathbb{E}_{z \sim \mathcal{N}(\mu_i, \sigma^2)} [(z - x_i)^2]" in shown


def test_tables_are_the_nodes_and_weights():
    nodes, weights = gauss_hermite(3)  # 0 and the roots of 3; 2/3 and 1/6
    np.testing.assert_allclose(nodes, [-np.sqrt(3), 0, np.sqrt(3)], atol=1e-15)
    np.testing.assert_allclose(weights, [1 / 6, 2 / 3, 1 / 6], rtol=1e-14)
    q = sc.notation.dims.Index("q", 3)
    assert HermiteNode(3, q).values == nodes
    assert HermiteWeight(3, q).is_positive
    assert HermiteNode(3, q).diff(q) == 0
    assert pickle.loads(pickle.dumps(HermiteNode(3, q))) == HermiteNode(3, q)


def test_an_expectation_pickles():
    body = smoothed.body
    copy = pickle.loads(pickle.dumps(body))
    assert copy == body
    assert hash(copy) == hash(body)
    assert copy.atoms(GaussianExpectation) == body.atoms(GaussianExpectation)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gaussian_expectation(z, 1, w[i])", "expected 4 arguments, got 3"),
        ("gaussian_expectation(3, 1, 1, w[i])", "expected a variable such as z"),
        ("gaussian_expectation(z, 1, 1, w[z])", "z is a number, not an index"),
        ("gaussian_expectation(z, 1, 0, z*w[i])", "sigma: expected a deviation above 0"),
        ('gaussian_expectation(z, 1, 1, z*w[i], method="best")', "expected one of auto, closed"),
        ("gaussian_expectation(z, 1, 1, z*w[i], nodes=0)", "whole number from 1 to 128"),
        ("gaussian_expectation(z, 1, 1, z*w[i], nodes=k)", "nodes: expected a constant"),
        ("gaussian_expectation(z, 1, 1, z*w[i], order=2)", "expected plain arguments"),
        ("expectation(2, p[i], f[i])", "expected an index here"),
        ("score_function(k, p[k])", "expected 3 arguments, got 2"),
        ("gaussian_score(s, z, 0, 1, eps[s])", "expected 6 arguments, got 5"),
    ],
)
def test_bad_spelling_is_refused(text, message):
    with pytest.raises(sc.NotationError, match=message):
        sc.parse(text)


def test_bad_python_is_refused():
    z = sc.variable("z")
    with pytest.raises(sc.NotationError, match="expected a variable"):
        sc.gaussian_expectation(3, 0, 1, z)
    with pytest.raises(sc.NotationError, match="expected a name"):
        sc.variable("a b")
    m = Parameter("m", REAL).symbol
    with pytest.raises(sc.NotationError, match="differentiated by the calculus"):
        sc.gaussian_expectation(z, m, 1, z).diff(m)
