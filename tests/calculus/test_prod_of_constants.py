"""A product whose factors do not depend on where it is asked for."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.notation import Array, Real


@sc.objective(wrt="x")
def shared(x: Real[Array, "n"]):
    """One product, defined for every i."""
    i, j = sc.indices("n n")
    total = sc.define("total", i, sc.prod(j, x[j] / 2 + 1))
    return sc.sum(i, total[i] * x[i])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_is_differentiated_all_the_same(backend):
    x = np.array([0.5, -0.25, 2.0])
    factors = x / 2 + 1
    others = [np.prod(np.delete(factors, k)) for k in range(3)]
    _, slope = sc.compile(shared, backend=backend).value_and_grad(x)
    expected = np.prod(factors) + x.sum() * np.array(others) / 2
    np.testing.assert_allclose(slope, expected, rtol=1e-14)
