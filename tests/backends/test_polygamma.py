"""The derivatives of the trigamma function, against mpmath."""

import math

import mpmath
import numpy as np
import pytest

import symcalc as sc
from symcalc.backends.polygamma import polygamma

RNG = np.random.default_rng(11)
POSITIVE = [*10.0 ** RNG.uniform(-8, 6, 60), 0.5, 1.0, 19.999, 20.0]
NEGATIVE = [*-RNG.uniform(0, 60, 60), -1e-12, -0.5, -3.0000001, -2.9999999]


def truth(order, x):
    with mpmath.workdps(60):
        return mpmath.polygamma(order, mpmath.mpf(float(x)))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
def test_positive_arguments_keep_their_digits(order):
    for x in POSITIVE:
        wanted = truth(order, x)
        assert abs(polygamma(order, x) - wanted) <= 8 * math.ulp(float(abs(wanted))), x


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_negative_arguments_lose_what_their_terms_cancel(order):
    for x in NEGATIVE:
        distance = abs(x - round(x)) or 1.0
        size = math.factorial(order) / distance ** (order + 1)  # of the term of the nearest pole
        error = abs(polygamma(order, x) - truth(order, x))
        assert error <= 16 * math.ulp(size), x


def test_there_is_no_value_at_the_poles():
    for x in (0.0, -1.0, -7.0, -1e16, -1e300, -math.inf, math.nan):
        assert math.isnan(polygamma(2, x))


def test_limits_at_the_ends_of_the_range():
    for x in (5e-324, 1e-300):
        assert [polygamma(order, x) for order in (1, 2, 3)] == [math.inf, -math.inf, math.inf]
    for x in (1e300, math.inf):
        assert polygamma(2, x) == 0


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_second_derivatives_of_digamma_and_its_derivative(backend):
    x = np.array([0.3, 2.5, 7.0, 40.0, -1.3])
    for text, function in (
        ("sum(i, digamma(x[i])**2)", lambda v: mpmath.digamma(v) ** 2),
        ("sum(i, trigamma(x[i]))", lambda v: mpmath.polygamma(1, v)),
    ):
        found = sc.compile(sc.parse(text, wrt="x"), backend=backend).hessian_diagonal(x)
        with mpmath.workdps(30):
            wanted = [float(mpmath.diff(function, mpmath.mpf(float(v)), 2)) for v in x]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
