"""Cross-entropies of a class that is all but sure: value, slope and curvature keep their digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symcalc as sc

ROWS = [
    ([0.0, 40.0, -40.0], 1),
    ([0.0, 40.0, -40.0], 0),
    ([800.0, 0.0, 60.0], 0),
    ([50.0, 0.0, 0.0], 0),
    ([40.0, 40.0, 0.0], 1),
    ([1e-9, 0.0, -45.0], 0),
    ([3.0, -2.0, 2.5], 2),
    ([17.0], 0),
]
SOFT = "mean(i, -sum(k, y[i,k]*(z[i,k] - logsumexp(j, z[i,j]))))"


def expected(row: list[float], label: int) -> tuple[float, list[float], list[float]]:
    """-log p_a, p - [k = a] and p (1 - p), each of its own terms."""
    with mpmath.workdps(800):
        powers = [mpmath.exp(mpmath.mpf(z)) for z in row]
        p = [power / mpmath.fsum(powers) for power in powers]
        slope = [q - (k == label) for k, q in enumerate(p)]
        return (
            float(-mpmath.log(p[label])), [float(s) for s in slope], [float(q * (1 - q)) for q in p]
        )  # fmt: skip


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 4e-15), ("float32", 2e-6)])
def test_of_labels(dtype: str, digits: float) -> None:
    kernel = sc.compile("softmax_cross_entropy", dtype=dtype)
    for row, label in ROWS:
        z, y = np.array([row], dtype), np.array([label])
        loss, slope, curvature = expected([float(x) for x in z[0]], label)
        value, gradient = kernel.value_and_grad(z, y)
        least = float(np.finfo(dtype).tiny)
        np.testing.assert_allclose(value, loss, rtol=digits, atol=least, err_msg=str(row))
        np.testing.assert_allclose(kernel(z, y), loss, rtol=digits, atol=least, err_msg=str(row))
        np.testing.assert_allclose(gradient[0], slope, rtol=digits, atol=least, err_msg=str(row))
        found = kernel.hessian_diagonal(z, y)[0]
        np.testing.assert_allclose(found, curvature, rtol=digits, atol=least, err_msg=str(row))


def test_of_soft_targets() -> None:
    kernel = sc.compile(sc.parse(SOFT, wrt="z"))
    for row, label in ROWS:
        z, y = np.array([row]), np.eye(len(row))[[label]]
        loss, _, curvature = expected(row, label)
        np.testing.assert_allclose(kernel(z=z, y=y), loss, rtol=4e-15, err_msg=str(row))
        found = kernel.hessian_diagonal(z=z, y=y)[0]
        np.testing.assert_allclose(found, curvature, rtol=4e-15, err_msg=str(row))


def test_all_classes_masked_but_one() -> None:
    kernel = sc.compile("softmax_cross_entropy")
    z, y = np.array([[-np.inf, 3.0, -np.inf], [np.inf, 1.0, np.inf]]), np.array([1, 0])
    np.testing.assert_allclose(kernel(z, y), np.log(2) / 2, rtol=1e-15)
    found = kernel.hessian_diagonal(z, y)
    np.testing.assert_allclose(found, [[0, 0, 0], [0.125, 0, 0.125]], rtol=1e-15)
