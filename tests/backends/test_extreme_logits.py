"""Logits that are huge, infinite or masked altogether, and rows with NaN among them."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symcalc as sc

INF, NAN = np.inf, np.nan
BACKENDS = ("numba", "numpy")

# Logits, their logsumexp, and the softmax: the limit where there is one, nothing in a masked row.
ROWS = [
    ([1e200, 1e200, 0.0], 1e200, [0.5, 0.5, 0.0]),
    ([INF, 0.0, 1.0], INF, [1.0, 0.0, 0.0]),
    ([INF, 2.0, INF], INF, [0.5, 0.0, 0.5]),
    ([-INF, -INF, -INF], -INF, [0.0, 0.0, 0.0]),
    ([-1e300, -1e300, -INF], -1e300, [0.5, 0.5, 0.0]),
    ([-INF, 3.0, -INF], 3.0, [0.0, 1.0, 0.0]),
    ([NAN, 1.0, 2.0], NAN, [NAN, NAN, NAN]),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_logsumexp_of_extreme_logits(backend: str, dtype: str) -> None:
    kernel = sc.compile(sc.parse("logsumexp(k, z[k])", wrt="z"), backend=backend, dtype=dtype)
    for row, value, slope in ROWS:
        if dtype == "float32" and any(1e100 < abs(x) < INF for x in row):
            row = [np.sign(x) * 1e38 if 1e100 < abs(x) < INF else x for x in row]
            value = np.sign(value) * 1e38
        found, gradient = kernel.value_and_grad(np.array(row, dtype))
        np.testing.assert_allclose(found, value, rtol=1e-7, err_msg=str(row))
        np.testing.assert_allclose(gradient, slope, rtol=1e-7, err_msg=str(row))


@pytest.mark.parametrize("backend", BACKENDS)
def test_ordinary_logits(backend: str) -> None:
    logits = np.array([0.3, -2.0, 1.7])
    kernel = sc.compile(sc.parse("logsumexp(k, z[k])", wrt="z"), backend=backend)
    value, gradient = kernel.value_and_grad(logits)
    with mpmath.workdps(40):
        powers = [mpmath.exp(mpmath.mpf(x)) for x in logits]
        np.testing.assert_allclose(value, float(mpmath.log(sum(powers))), rtol=1e-15)
        expected = [float(p / sum(powers)) for p in powers]
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_masked_softmax_has_empty_rows(backend: str) -> None:
    kept = "where(m[i,k] > 0, z[i,k], -inf)"
    formula = f"sum(i, sum(k, w[i,k]*exp({kept} - logsumexp(k, {kept}))))"
    kernel = sc.compile(sc.parse(formula, wrt="z"), backend=backend)
    z = np.array([[1e200, 1e200, 3.0], [1.0, 2.0, 3.0], [0.0, np.log(3), 50.0]])
    m = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    w = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    value, gradient = kernel.value_and_grad(w=w, m=m, z=z)
    np.testing.assert_allclose(value, 0.5 + 0.0 + 6.75, rtol=1e-15)
    # p_k (w_k - sum_j p_j w_j)
    expected = [[-0.25, 0.25, 0.0], [0.0, 0.0, 0.0], [0.25 * -0.75, 0.75 * 0.25, 0.0]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)
    curved = kernel.hvp(w=w, m=m, z=z, vector=np.ones((3, 3)))
    np.testing.assert_allclose(curved, np.zeros((3, 3)), atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_strict_triangle_leaves_its_first_row_empty(backend: str) -> None:
    formula = "sum(i, sum(j < i, exp(z[j] - logsumexp(k < i, z[k]))*v[j]))"
    kernel = sc.compile(sc.parse(formula, wrt="z"), backend=backend)
    z, v = np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0])
    value, gradient = kernel.value_and_grad(z=z, v=v)
    with mpmath.workdps(40):
        p = 1 / (1 + mpmath.exp(1))  # the third row has z = (1, 2), the second one entry
        expected = 5 + (5 * p + 7 * (1 - p))
        slope = p * (1 - p) * (5 - 7)
    np.testing.assert_allclose(value, float(expected), rtol=1e-14)
    np.testing.assert_allclose(gradient, [float(slope), -float(slope), 0.0], rtol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["max", "min"])
def test_nan_is_the_extreme_and_takes_the_gradient(backend: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    kernel = sc.compile(sc.parse(f"{name}(k, z[k])", wrt="z"), backend=backend)
    for row in ([NAN, 1.0], [1.0, NAN], [1.0, NAN, 3.0, NAN], [NAN, NAN], [2.0, 2.0, 0.0, 0.0]):
        tensor = torch.tensor(row, dtype=torch.float64, requires_grad=True)
        getattr(torch, name)(tensor, dim=0).values.backward()
        value, gradient = kernel.value_and_grad(np.array(row))
        np.testing.assert_array_equal(value, getattr(np, name)(row))
        np.testing.assert_array_equal(gradient, tensor.grad.numpy(), err_msg=str(row))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_entry_at_the_place_of_a_nan(backend: str) -> None:
    kernel = sc.compile(sc.parse("x[argmax(k, z[k])]", wrt="x"), backend=backend)
    value, gradient = kernel.value_and_grad(x=np.array([1.0, 2.0, 3.0]), z=np.array([1.0, NAN, 3]))
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [0.0, 1.0, 0.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_numbers_are_logits_too(backend: str) -> None:
    formula = "sum(i, x[i])*logsumexp(k, where(x[k] > 0, 1, 2))"
    kernel = sc.compile(sc.parse(formula, wrt="x"), backend=backend)
    value, gradient = kernel.value_and_grad(np.array([2.0, 1.0]))
    with mpmath.workdps(40):
        total = 1 + mpmath.log(2)
    np.testing.assert_allclose(value, float(3 * total), rtol=1e-15)
    np.testing.assert_allclose(gradient, [float(total)] * 2, rtol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loss_in_an_empty_row_has_no_value(backend: str) -> None:
    """Minus infinity less minus infinity."""
    kernel = sc.compile("softmax_cross_entropy", backend=backend)
    assert np.isnan(kernel(np.array([[-INF, -INF]]), np.array([0])))
