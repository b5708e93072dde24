"""Names a user may choose freely, whatever the generated code calls its own things."""

import keyword

import numpy as np
import pytest

import symcalc as sc

NAMES = [
    "rows", "block", "value", "x_bar", "stage", "total", "first", "blocks", "np", "f4", "e", "inf",
    "t", "s", "n", "i", "abs_", "self", "weights", "formula", "S", "I",
]  # fmt: skip


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", NAMES)
def test_a_hyperparameter_may_be_called_anything(name, backend):
    if name in ("n", "i", "weights"):
        pytest.skip("means something else in text")
    kernel = sc.compile(sc.parse(f"mean(i, exp({name}*x[i]) - {name})", wrt="x"), backend=backend)
    x = np.array([0.5, -1.0])
    value, gradient = kernel.value_and_grad(x, **{name: 0.5})
    assert value == pytest.approx(np.mean(np.exp(0.5 * x) - 0.5), rel=1e-14)
    np.testing.assert_allclose(gradient, 0.25 * np.exp(0.5 * x), rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_an_input_may_be_called_anything(name):
    kernel = sc.compile(sc.parse(f"sum(j, exp({name}[j]))*mean(j, {name}[j]*q[j])", wrt=name))
    x, q = np.array([0.5, -1.0]), np.array([2.0, 3.0])
    value, gradient = kernel.value_and_grad(**{name: x, "q": q})
    total, mean = np.exp(x).sum(), np.mean(x * q)
    assert value == pytest.approx(total * mean, rel=1e-14)
    np.testing.assert_allclose(gradient, np.exp(x) * mean + total * q / 2, rtol=1e-13)


@pytest.mark.parametrize("name", ["rows", "block", "value", "stage", "np", "x_bar", "e", "n"])
def test_an_index_and_a_dim_may_be_called_anything(name):
    text = f"mean({name}, exp(x[{name}]))*sum({name}, x[{name}])"
    formula = sc.parse(text, shapes={"x": f"{name}"} if name != "n" else {})
    x = np.array([0.5, -1.0])
    value, gradient = sc.compile(formula).value_and_grad(x)
    assert value == pytest.approx(np.exp(x).mean() * x.sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, np.exp(x) / 2 * x.sum() + np.exp(x).mean(), rtol=1e-13)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_hyperparameters_may_be_called_like_functions(backend):
    @sc.objective(wrt="x")
    def loss(
        x: sc.Real[sc.Array, "n"], clip: sc.Positive = 0.2, max: sc.Positive = 2.0,
        exp: sc.Positive = 3.0, gamma: sc.Real = 1.5, lambda_: sc.Real = 0.5, sum: sc.Real = 7.0,
    ):  # fmt: skip
        i = sc.indices("n")
        bounded = sc.clip(sc.exp(x[i]), clip, max)
        return sc.mean(i, exp * bounded + gamma * x[i] + lambda_ * x[i] ** 2 + sum)

    x = np.array([-5.0, 0.1, 2.0])
    value, gradient = sc.compile(loss, backend=backend).value_and_grad(x)
    bounded = np.clip(np.exp(x), 0.2, 2.0)
    assert value == pytest.approx(np.mean(3 * bounded + 1.5 * x + x**2 / 2 + 7), rel=1e-14)
    slope = 3 * np.where((np.exp(x) > 0.2) & (np.exp(x) < 2), np.exp(x), 0) + 1.5 + x
    np.testing.assert_allclose(gradient, slope / 3, rtol=1e-13)


@pytest.mark.parametrize("name", ["out", "cotangent"])
def test_names_that_the_calls_use_themselves_are_refused_in_words(name):
    with pytest.raises(sc.SymcalcError, match=name):
        sc.compile(sc.parse(f"sum(j, {name}[j]*q[j])", wrt="q"), backend="numpy").vjp(
            **{name: [1.0]}, q=[1.0]
        )


@pytest.mark.parametrize("name", sorted({*keyword.kwlist} - {"None", "True", "False"}))
def test_pythons_own_words_are_refused_in_text(name):
    with pytest.raises(sc.ParseError):
        sc.parse(f"sum(i, {name}*x[i])")


@pytest.mark.parametrize("name", ["my loss", "../x", "a/b", "", "1st", "lambda", "x" * 300, "é"])
def test_an_objective_may_have_any_title(name):
    formula = sc.parse("sum(i, x[i]**2)", name=name)
    try:
        kernel = sc.compile(formula)
    except sc.SymcalcError:
        return
    assert kernel.value_and_grad([1.0, 2.0])[0] == 5


def test_the_source_is_readable_and_of_one_function(kernel):
    source = kernel("bce_with_logits").source
    compile(source, "<source>", "exec")
    assert "def value_and_grad(" in source
    assert source.count("\ndef ") == 1
    assert "logits" in source
    assert "targets" in source
    assert max(map(len, source.splitlines())) < 400
    assert "softmax" in kernel("softmax_cross_entropy", backend="numpy").source
