"""Gaussian expectations in closed form where the deviation is zero, on kinks and off them."""

from __future__ import annotations

import functools
import math

import mpmath
import numpy as np
import pytest

import symcalc as sc

# text, its slope left and right of where it is looked at, in mpmath
FUNCTIONS = [
    ("relu(z)", lambda z: max(z, 0), lambda z: z > 0),
    ("abs(z)", abs, mpmath.sign),
    ("relu(z)**2", lambda z: max(z, 0) ** 2, lambda z: 2 * max(z, 0)),
    ("exp(z)*relu(z)", lambda z: mpmath.exp(z) * max(z, 0),
     lambda z: mpmath.exp(z) * (z + 1) * (z > 0)),
    ("clip(z, 0, 1)", lambda z: min(max(z, 0), 1), lambda z: 0 < z < 1),
    ("max(z, w)", lambda z: max(z, 0.5), lambda z: z > 0.5),
    ("abs(1 - 2*z)*z", lambda z: abs(1 - 2 * z) * z,
     lambda z: mpmath.sign(1 - 2 * z) * (1 - 4 * z)),
]  # fmt: skip
MEANS = (0.0, 1.0, 0.5)


@functools.cache
def slopes(which: int) -> list[tuple[float, float]]:
    """E f'(mu + sigma u) and E u f'(mu + sigma u) at a deviation of 1e-30, for each mean."""
    _, _, slope = FUNCTIONS[which]
    found = []
    with mpmath.workdps(35):
        for mean in MEANS:

            def weighed(u, mean=mean):
                return mpmath.npdf(u) * slope(mean + mpmath.mpf(10) ** -30 * u)

            def moved(u, weighed=weighed):
                return u * weighed(u)

            found.append(tuple(float(mpmath.quad(g, [-12, 0, 12])) for g in (weighed, moved)))
    return found


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("which", range(len(FUNCTIONS)), ids=[text for text, _, _ in FUNCTIONS])
def test_value_and_slopes_are_those_of_a_small_deviation(which, backend):
    text, f, _ = FUNCTIONS[which]
    objective = sc.parse(
        f'sum(i, gaussian_expectation(z, mu[i], sigma[i], {text}, method="closed"))',
        wrt=("mu", "sigma"), domains={"sigma": "nonnegative"},
        defaults={"w": 0.5} if "w" in text else {},
    )  # fmt: skip
    kernel = sc.compile(objective, backend=backend)
    value, found = kernel.value_and_grad(np.array(MEANS), np.zeros(len(MEANS)))
    assert value == pytest.approx(float(sum(f(mpmath.mpf(m)) for m in MEANS)), rel=1e-14)
    expected = np.array(slopes(which)).T
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_closed_form_may_be_compared(backend):
    closed = 'gaussian_expectation(z, m[i], s, abs(z - t[i])*t[i], method="closed")'
    objective = sc.parse(f"sum(i, where({closed} > 1/2, sqrt({closed}), t[i]))", wrt="t")
    m, t = np.array([0.3, 0.1]), np.array([0.3, 2.0])
    value, _ = sc.compile(objective, backend=backend).value_and_grad(m=m, t=t, s=1.0)
    away = (m - t) / np.sqrt(2)  # E|z - t| of a normal z, folded
    folded = [np.sqrt(2 / np.pi) * np.exp(-(a**2)) + a * np.sqrt(2) * math.erf(a) for a in away]
    means = t * folded
    assert value == pytest.approx(np.sum(np.where(means > 0.5, np.sqrt(means), t)), rel=1e-14)
