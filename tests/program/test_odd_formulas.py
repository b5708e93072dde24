"""Formulas that once went wrong: letters of nested loops, partials read too early, guarded sums."""

from __future__ import annotations

import numpy as np
import pytest

import symcalc as sc
from symcalc.notation import Array, Formula, Label, Real, indices, let, where
from symcalc.notation import sum as total

RNG = np.random.default_rng(5)
BOTH = pytest.mark.parametrize("backend", ["numba", "numpy"])


@BOTH
def test_a_zeroing_loop_leaves_the_open_loops_alone(backend):
    formula = sc.parse(
        "sum(l, sum(j, sum(k, sum(i, T[l,j,i,k])**2)) + sum(k, sum(j, sum(i, T[l,k,i,j]**2)**3)))",
        wrt="T", shapes={"T": "m a b c"},
    )  # fmt: skip
    t = RNG.normal(size=(2, 4, 3, 5))
    expected = (t.sum(axis=2) ** 2).sum() + ((t**2).sum(axis=2) ** 3).sum()
    assert sc.compile(formula, backend=backend)(t) == pytest.approx(expected, rel=1e-12)
    gradient = 2 * t.sum(axis=2)[:, :, None, :] + 6 * t * ((t**2).sum(axis=2) ** 2)[:, :, None, :]
    found = sc.compile(formula, backend=backend).grad(t)
    np.testing.assert_allclose(found, np.broadcast_to(gradient, t.shape), rtol=1e-11)


@sc.objective(wrt=("x", "w"))
def scattered(
    x: Real[Array, "d"], w: Real[Array, "d"], y: Label[Array, "d -> d"], z: Real[Array, "n d"]
) -> Formula:
    """A gather of a product, summed with weights."""
    i, k = indices("n d")
    p = indices("d")
    return total(i, total(k, z[i, k] * let("q", total(p, where(k == y[p], x[p] * w[p], 0)))))


@BOTH
def test_partials_are_put_together_before_they_are_gathered_from(backend):
    x, w, y, z = (
        RNG.normal(size=4),
        RNG.normal(size=4),
        np.array([3, 3, 2, 0]),
        RNG.normal(size=(6, 4)),
    )
    by_x, by_w = sc.compile(scattered, backend=backend).grad(x, w, y, z)
    column = z.sum(axis=0)[y]
    np.testing.assert_allclose(by_x, column * w, rtol=1e-12)
    np.testing.assert_allclose(by_w, column * x, rtol=1e-12)


@BOTH
def test_a_shifted_sum_stays_in_bounds(backend):
    k = sc.compile(sc.parse("sum(i, sum(j, x[i]*A[i+1,j]))", wrt="x"), backend=backend)
    a = RNG.normal(size=(3, 5))
    np.testing.assert_allclose(k.grad(np.ones(3), a), [a[1].sum(), a[2].sum(), 0.0], rtol=1e-12)


@BOTH
def test_two_conditions_on_two_indices(backend):
    formula = sc.parse("sum(t, sum(k, (z[t+1,k+1] - z[t,k])**2))", wrt="z")
    z = RNG.normal(size=(4, 3))
    gap = z[1:, 1:] - z[:-1, :-1]
    expected = np.zeros_like(z)
    expected[1:, 1:] += 2 * gap
    expected[:-1, :-1] -= 2 * gap
    np.testing.assert_allclose(sc.compile(formula, backend=backend).grad(z), expected, rtol=1e-12)


def test_folding_divides_by_nothing_that_may_be_zero():
    formula = sc.parse(
        "sum(i, stop_gradient(let(h, v[i]*(x[i]+w[i]))) + (x[i]+w[i])**2*x[i])", wrt="w"
    )
    x, w, v = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.0, -1.0]), np.array([1.0, 0.0, -1.0])
    arrays = {"x": x, "w": w, "v": v}
    np.testing.assert_allclose(sc.compile(formula).grad(**arrays), 2 * (x + w) * x)


@pytest.mark.parametrize(
    "text",
    [
        "sum(i, let(h, w[i]*(x[i]+2))**2 + sqrt(x[i]+2))",
        "sum(i, exp(let(h, -(x[i]+2)**1.5)) + (x[i]+2)**2)",
        "sum(i, where(x[i] > 0, sum(j, where(j <= i, sqrt(x[i])*x[j], 0)), 0))",
    ],
)
def test_roots_of_what_may_be_negative_are_derived(text):
    assert all(
        step.holds() for step in sc.derive(sc.parse(text, wrt="x", domains={"x": "positive"})).steps
    )


def test_an_indicator_of_zero_wins_over_infinity():
    k = sc.compile(sc.parse("sum(i, relu(log(x[i])))", wrt="x"))
    np.testing.assert_array_equal(k.grad([0.0, 2.0, 0.5]), [0.0, 0.5, 0.0])
    assert np.isnan(k.grad([np.nan])[0])
