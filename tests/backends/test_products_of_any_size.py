"""Products whose prefixes overflow or underflow, though they themselves do not."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symcalc as sc

BACKENDS = ("numba", "numpy")
ROWS = [
    [1e200, 1e200, 1e-200, 1e-200],
    [1e-200, 1e-200, 1e200, 1e200],
    [1e200, -1e200, 1e200, 1e-300, 1e-300],
    [1e308, 1e308, 1e308, 1e308, 1e-308, -1e-308, 1e-308, 1e-308],
    [5e-324, 5e-324, 1e308, 1e308, 3.0],
    [1e200, 1e200, 0.0, 1e-200, 1e-200],
    [1e200, 1e200, 0.0, 0.0],
    [1e200, 1e200],
    [1e-200, 1e-200, 1e-300],
    [2.0, -3.0, 0.5],
    [7.0],
]


def others(row: list[float]) -> list[float]:
    """The product of all factors but one, for each, rounded once."""
    with mpmath.workdps(60):
        return [
            float(mpmath.fprod(mpmath.mpf(x) for k, x in enumerate(row) if k != i))
            for i in range(len(row))
        ]


def whole(row: list[float]) -> float:
    with mpmath.workdps(60):
        return float(mpmath.fprod(map(mpmath.mpf, row)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_prefixes_beyond_the_range(backend: str) -> None:
    kernel = sc.compile(sc.parse("prod(i, x[i])", wrt="x"), backend=backend)
    for row in ROWS:
        value, slope = kernel.value_and_grad(np.array(row))
        np.testing.assert_allclose(value, whole(row), rtol=4e-15, err_msg=str(row))
        np.testing.assert_allclose(slope, others(row), rtol=4e-15, err_msg=str(row))


@pytest.mark.parametrize("formula", ["sum(k, prod(i, x[i,k]))", "sum(k, prod(i, x[k,i]))"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_products_of_rows_and_of_columns(backend: str, formula: str) -> None:
    rows = [row for row in ROWS if len(row) == 4] + [[1.0, 2.0, 3.0, 4.0]]
    kernel = sc.compile(sc.parse(formula, wrt="x"), backend=backend)
    x = np.array(rows) if "k,i" in formula else np.array(rows).T
    value, slope = kernel.value_and_grad(x)
    np.testing.assert_allclose(value, sum(map(whole, rows)), rtol=4e-15)
    expected = np.array([others(row) for row in rows])
    np.testing.assert_allclose(slope, expected if "k,i" in formula else expected.T, rtol=4e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cumulative_products_beyond_the_range(backend: str) -> None:
    """h[t] = x[0] ... x[t] with weights w: dv/dx[i] = sum_(t >= i) w[t] h[t] / x[i]."""
    formula = sc.parse("sum(i, w[i]*cumprod(i, x[i]))", wrt="x")
    kernel = sc.compile(formula, backend=backend)
    for row in ([1e-200, 1e-200, 1e200, 1e200], [1e200, 1e200, 1e-200, 1e-200], [1.5, 2.0, 0.5]):
        for last in (True, False):
            w = np.array([0.0] * (len(row) - 1) + [1.0]) if last else np.ones(len(row))
            if not last and row[0] > 1e100:
                continue  # the value is infinite
            with mpmath.workdps(700):
                factors = list(map(mpmath.mpf, row))
                h = [mpmath.fprod(factors[: t + 1]) for t in range(len(row))]
                value = mpmath.fsum(a * mpmath.mpf(b) for a, b in zip(h, w, strict=True))
                slope = [
                    mpmath.fsum(mpmath.mpf(w[t]) * h[t] for t in range(i, len(row))) / factors[i]
                    for i in range(len(row))
                ]
            if last and row[0] > 1e100:  # zero times what overflows is none
                found = kernel.grad(x=np.array(row), w=w)
            else:
                total, found = kernel.value_and_grad(x=np.array(row), w=w)
                np.testing.assert_allclose(total, float(value), rtol=4e-15)
            np.testing.assert_allclose(found, [float(s) for s in slope], rtol=4e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_long_product_that_comes_back(backend: str) -> None:
    """Thousands of factors above one, then their reciprocals: the exponents leave every format."""
    half = np.random.default_rng(3).uniform(2, 1000, 3000)
    x = np.concatenate([half, 1 / half])
    kernel = sc.compile(sc.parse("prod(i, x[i])", wrt="x"), backend=backend)
    value, slope = kernel.value_and_grad(x)
    expected = whole(list(x))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, expected / x, rtol=1e-12)


def test_threads_put_numbers_and_powers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 450_000
    half = np.full(n // 2, 1.5)
    x = np.concatenate([half, 1 / half])
    kernel = sc.compile(sc.parse("prod(i, x[i])", wrt="x"))
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("SYMCALC_THREADS", threads)
        found.append(kernel.value_and_grad(x))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    with mpmath.workdps(40):  # 1 / 1.5 is rounded, two hundred thousand times alike
        expected = float((mpmath.mpf(1.5) * mpmath.mpf(1 / 1.5)) ** (n // 2))
    np.testing.assert_allclose(found[0][0], expected, rtol=1e-10)
    np.testing.assert_allclose(found[0][1][[0, -1]], expected / x[[0, -1]], rtol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision(backend: str) -> None:
    kernel = sc.compile(sc.parse("prod(i, x[i])", wrt="x"), backend=backend, dtype="float32")
    row = np.array([1e30] * 20 + [1e-30] * 20, np.float32)
    value, slope = kernel.value_and_grad(row)
    np.testing.assert_allclose(value, whole(list(row.astype(float))), rtol=1e-6)
    np.testing.assert_allclose(slope, others(list(row.astype(float))), rtol=1e-6)
    assert slope.dtype == np.float32


@pytest.mark.parametrize("backend", BACKENDS)
def test_infinite_and_undefined_factors(backend: str) -> None:
    kernel = sc.compile(sc.parse("prod(i, x[i])", wrt="x"), backend=backend)
    assert kernel(np.array([2.0, np.inf, -3.0])) == -np.inf
    assert np.isnan(kernel(np.array([2.0, np.nan, 0.0])))
    assert np.isnan(kernel(np.array([0.0, np.inf])))
    assert kernel(np.zeros(0)) == 1.0
