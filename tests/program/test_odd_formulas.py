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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(i, sum(k, z[i,k]**2))", lambda z, t: 2 * (z * t).sum()),
        ("sum(i, max(k, z[i,k]))", lambda z, t: t[np.arange(len(z)), z.argmax(axis=1)].sum()),
        ("sum(i, sum(k, z[i,k])**2)", lambda z, t: 2 * (z.sum(axis=1) * t.sum(axis=1)).sum()),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tangent_that_is_a_sum_is_stored(text, expected, dtype):
    z, t = RNG.normal(size=(2, 3, 4)).astype(dtype)
    _, tangent = sc.compile(sc.parse(text), dtype=dtype).jvp(z, tangents={"z": t})
    precision = 1e-12 if dtype == "float64" else 1e-5
    assert tangent == pytest.approx(expected(z.astype(float), t.astype(float)), rel=precision)


def test_a_tangent_is_summed_alike_by_any_number_of_threads():
    z, t = RNG.normal(size=(2, 700, 900))
    kernel = sc.compile(sc.parse("sum(i, sum(k, z[i,k]**2))"))
    _, tangent = kernel.jvp(z, tangents={"z": t})
    assert tangent == pytest.approx(2 * (z * t).sum(), rel=1e-11)


OTHER_CLASSES = {"w": "n m", "z": "n c"}


@BOTH
def test_a_label_may_lie_beyond_the_entries_it_is_compared_with(backend):
    text = "sum(i, z[i,y[i]] + sum(k, where(k == y[i], 5*w[i,k], w[i,k])))"
    kernel = sc.compile(sc.parse(text, wrt="w", shapes=OTHER_CLASSES), backend=backend)
    w, z, y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 9)), np.array([0, 2, 8, 7, 3])
    expected = np.ones((5, 3))
    expected[0, 0] = expected[1, 2] = 5.0
    np.testing.assert_array_equal(kernel.grad(w=w, z=z, y=y), expected)


@BOTH
def test_a_sum_without_an_entry_that_may_not_be_there(backend):
    text = "mean(i, z[i,y[i]] + sum(k, where(k == y[i], 0, exp(w[i,k]))) + sum(k, exp(w[i,k])))"
    kernel = sc.compile(sc.parse(text, wrt="w", shapes=OTHER_CLASSES), backend=backend)
    w, z, y = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 9)), np.array([1, 8])
    e = np.exp(w)
    expected = (z[0, 1] + z[1, 8] + 2 * e.sum() - e[0, 1]) / 2
    value, gradient = kernel.value_and_grad(w=w, z=z, y=y)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, e * [[1.0, 0.5, 1.0], [1.0] * 3], rtol=1e-13)


@BOTH
def test_what_is_added_up_by_a_label_of_other_classes(backend):
    text = "sum(k, v[k]*sum(i, where(k == y[i], x[i], 0))) + sum(i, z[i,y[i]])"
    formula = sc.parse(text, wrt="v", shapes={"v": "m", "z": "n c"})
    kernel = sc.compile(formula, backend=backend)
    found = kernel.grad(v=np.ones(3), x=np.arange(1.0, 6.0), z=np.ones((5, 9)),
                        y=np.array([0, 2, 8, 2, 3]))  # fmt: skip
    np.testing.assert_array_equal(found, [1.0, 0.0, 6.0])


@BOTH
def test_sums_over_unlike_extents_are_not_taken_for_one(backend):
    text = "sum(i, x[i]*sum(k, where(k == y[i], 0, w[k]**2)))*sum(k, w[k]**2) + sum(i, z[i,y[i]])"
    kernel = sc.compile(sc.parse(text, wrt="w", shapes={"w": "c", "z": "n c"}), backend=backend)
    x, w, z, y = RNG.normal(size=2), RNG.normal(size=3), np.zeros((2, 3)), np.array([1, 1])
    expected = x.sum() * (w[0] ** 2 + w[2] ** 2) * (w**2).sum()
    assert kernel(x=x, w=w, z=z, y=y) == pytest.approx(expected, rel=1e-12)


@BOTH
def test_the_slope_of_a_power_has_its_value_at_zero(backend):
    x = np.array([0.0, -0.0, -2.0, 3.0])
    kernel = sc.compile(sc.parse("sum(i, x[i]**p)", wrt="x"), backend=backend)
    np.testing.assert_allclose(kernel.grad(x, p=2.0), 2 * x, rtol=1e-15)
    np.testing.assert_allclose(kernel.grad(x, p=3.0), 3 * x**2, rtol=1e-15)
    np.testing.assert_allclose(kernel.grad(x, p=1.0), np.ones(4), rtol=1e-15)
    np.testing.assert_allclose(kernel.hvp(x, p=3.0, vector=np.ones(4)), 6 * x, rtol=1e-15)


@BOTH
def test_the_slope_of_a_power_of_an_array_has_its_value_at_zero(backend):
    kernel = sc.compile(sc.parse("sum(i, x[i]**q[i])", wrt="x"), backend=backend)
    found = kernel.grad(x=np.array([0.0, 0.0, -2.0]), q=np.array([2.0, 1.0, 3.0]))
    np.testing.assert_allclose(found, [0.0, 1.0, 12.0], rtol=1e-15)


def test_scratch_arrays_of_narrowed_extents_lie_apart():
    text = "prod(k, prod(i, tanh(u[k]*z[i,k+1] + z[i+1,k])/2 + 1))"
    objective = sc.parse(text, shapes={"u": "c", "z": "n c"}, wrt=("u", "z"))
    u, z = (np.random.default_rng(4).normal(size=shape) for shape in (5, (6, 5)))
    one, other = (sc.compile(objective, backend=b) for b in ("numba", "numpy"))
    value, gradients = one.value_and_grad(u, z)
    wanted, slopes = other.value_and_grad(u, z)
    np.testing.assert_allclose(value, wanted, rtol=1e-13)
    for mine, theirs in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
