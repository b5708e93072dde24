"""Sums around a mean in the pass that finds the mean: as accurate as two passes would be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.backends.modes import task
from symcalc.program.lower import lower
from symcalc.program.pivots import COUNT
from symcalc.program.program import Recentre

VARIANCES = "sum(j, mean(i, (x[i,j] - mean(i, x[i,j]))**2))"


def program(objective):
    wanted = task(sc.derive(objective), "vjp" if objective.outputs else "value_and_grad")
    return lower(objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs)


def recentred(made):
    return [node for stage in made.stages for node in stage.body if isinstance(node, Recentre)]


def exact(x):
    """Mean and variance of each column in extended precision, by two passes."""
    wide = x.astype(np.longdouble)
    mean = wide.mean(axis=0)
    return mean, ((wide - mean) ** 2).mean(axis=0)


@pytest.fixture(scope="module")
def variances():
    objective = sc.parse(VARIANCES, name="variances")
    return {dtype: sc.compile(objective, dtype=dtype) for dtype in ("float64", "float32")}


def test_a_variance_is_taken_around_pivots_with_taylor_coefficients():
    (node, *_) = recentred(program(sc.parse(VARIANCES)))
    mean, pivot, _, first, second = node.value.args
    assert pivot.tensor.name == f"{mean.tensor.name}_pivot"
    assert second == COUNT
    assert first.as_coeff_Mul()[0] in (2, -2)


@pytest.mark.parametrize(
    "text",
    [
        "sum(j, mean(i, abs(x[i,j] - mean(i, x[i,j]))))",  # no polynomial
        "sum(j, mean(i, where(x[i,j] > mean(i, x[i,j]), x[i,j] - mean(i, x[i,j]), 0)))",
        "sum(j, mean(i, maximum(x[i,j], mean(i, x[i,j]))))",
        "sum(j, mean(i, sign(x[i,j] - mean(i, x[i,j])) * x[i,j]))",
        "sum(j, mean(i, (x[i,j] - mean(i, x[i,j]))**4))",  # of too high a power
        "sum(j, mean(i, (x[i,j] - sum(i, x[i,j]))**2))",  # around no mean
        "sum(i, mean(j, (x[i,j] - mean(j, x[i,j]))**2))",  # of a row that lies in the cache
    ],
)
def test_other_sums_are_left_alone(text):
    objective = sc.parse(text)
    wanted = task(sc.derive(objective), "value")
    made = lower(objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs)
    assert recentred(made) == []


@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 5000])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
def test_variances_keep_their_digits_far_from_zero(variances, rows, offset):
    x = np.random.default_rng(rows).normal(size=(rows, 7)) + offset
    value, gradient = variances["float64"].value_and_grad(x)
    mean, variance = exact(x)
    np.testing.assert_allclose(value, float(variance.sum()), rtol=1e-13, atol=1e-300)
    wanted = 2 * (x.astype(np.longdouble) - mean) / rows
    np.testing.assert_allclose(gradient, wanted.astype(float), rtol=0, atol=4e-16 * (offset + 4))


@pytest.mark.parametrize("far", [1e3, 1e8, -1e150])
def test_a_pivot_that_lies_far_out_costs_a_few_bits_and_no_more(variances, far):
    x = np.random.default_rng(0).normal(size=(9000, 3))
    x[0] = far
    value, _ = variances["float64"].value_and_grad(x)
    _, variance = exact(x)
    np.testing.assert_allclose(value, float(variance.sum()), rtol=600 * 2**-52)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e9])
def test_rows_in_an_order_lose_no_digits(variances, spread):
    x = np.sort(np.random.default_rng(3).normal(size=(9000, 3)), axis=0) * spread + 1
    value, _ = variances["float64"].value_and_grad(x)
    np.testing.assert_allclose(value, float(exact(x)[1].sum()), rtol=150 * 2**-52)


def test_columns_that_do_not_vary_have_no_variance(variances):
    for dtype, kernel in variances.items():
        x = np.full((500, 4), 0.25, dtype)
        value, gradient = kernel.value_and_grad(x)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 70, 299])
def test_what_is_not_finite_spoils_its_column_alone(variances, wrong, row):
    x = np.random.default_rng(1).normal(size=(300, 4))
    x[row, 2] = wrong
    value, gradient = variances["float64"].value_and_grad(x)
    assert np.isnan(value)
    assert not np.isfinite(gradient[:, 2]).any()
    assert np.isfinite(np.delete(gradient, 2, axis=1)).all()


def test_single_precision_sums_are_kept_in_double(variances):
    x = (np.random.default_rng(2).normal(size=(20_000, 3)) + 3).astype(np.float32)
    value, _ = variances["float32"].value_and_grad(x)
    assert value == pytest.approx(float(exact(x)[1].sum()), rel=1e-6)


@given(rows=st.integers(1, 200), columns=st.integers(1, 5), seed=st.integers(0, 99))
def test_batch_norm_has_the_gradient_of_its_definition(kernel, rows, columns, seed):
    """Against the textbook's formula, written out in extended precision."""
    rng = np.random.default_rng(seed)
    x, bar = rng.normal(size=(2, rows, columns))
    gamma, beta = rng.normal(size=(2, columns))
    value, (x_bar, gamma_bar, beta_bar) = kernel("batch_norm").vjp(x, gamma, beta, cotangent=bar)
    mean, variance = exact(x)
    r = 1 / np.sqrt(variance + np.longdouble("1e-5"))
    hat = (x - mean) * r
    g = bar * gamma
    wanted = r * (g - g.mean(axis=0) - hat * (g * hat).mean(axis=0))
    near = {"rtol": 1e-11, "atol": 1e-11}
    np.testing.assert_allclose(value, (gamma * hat + beta).astype(float), **near)
    np.testing.assert_allclose(x_bar, wanted.astype(float), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gamma_bar, (bar * hat).sum(axis=0).astype(float), **near)
    np.testing.assert_allclose(beta_bar, bar.sum(axis=0), **near)
