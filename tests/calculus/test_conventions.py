"""Ties, zeros and infinities: the stated conventions, in both the formula and its derivative."""

import numpy as np
import pytest

import symcalc as sc

INF = float("inf")


def grad(text, x, **others):
    """Value and gradient by x on the NumPy backend."""
    names = {"x": x, **others}
    options = {"domains": {"x": "nonnegative"}} if "sqrt" in text else {}
    kernel = sc.compile(sc.parse(text, wrt="x", **options), backend="numpy")
    value, gradient = kernel.value_and_grad(**{k: np.asarray(v) for k, v in names.items()})
    return value, gradient.tolist()


CASES = [
    ("sum(i, abs(x[i]))", [0.0, -0.0, 1.0, -2.0], 3.0, [0, 0, 1, -1]),
    ("sum(i, sign(x[i]))", [0.0, -0.0, 3.0], 1.0, [0, 0, 0]),
    ("argmax(i, x[i])", [1.0, 3.0, 3.0], 1.0, [0, 0, 0]),
    ("argmin(i, x[i]**2)", [2.0, -1.0, 1.0], 1.0, [0, 0, 0]),
    ("sum(i, relu(x[i]))", [0.0, 1.0, -1.0], 1.0, [0, 1, 0]),
    ("max(i, x[i])", [2.0, 5.0, 5.0, 1.0], 5.0, [0, 1, 0, 0]),
    ("min(i, x[i])", [2.0, 1.0, 1.0], 1.0, [0, 1, 0]),
    ("max(i, x[i])", [3.0], 3.0, [1]),
    ("sum(i, maximum(x[i], 0))", [0.0, -1.0, 1.0], 1.0, [1, 0, 1]),
    ("sum(i, maximum(0, x[i]))", [0.0, -1.0, 1.0], 1.0, [0, 0, 1]),
    ("sum(i, minimum(x[i], 0))", [0.0, -1.0, 1.0], -1.0, [1, 1, 0]),
    ("sum(i, maximum(x[i], -x[i]))", [0.0], 0.0, [1]),
    ("sum(i, clip(x[i], -1, 1))", [-2.0, -1.0, 0.5, 1.0, 2.0], 0.5, [0, 1, 1, 1, 0]),
    ("sum(i, where(x[i] <= 1, x[i]**2, x[i]))", [1.0, 0.5, 2.0], 3.25, [2, 1, 1]),
    ("sum(i, where(x[i] == 0, 5*x[i], x[i]))", [0.0, 2.0], 2.0, [5, 1]),
    ("norm2(i, x[i])", [0.0, 0.0, 0.0], 0.0, [0, 0, 0]),
    ("norm2(i, x[i])", [3.0, -4.0], 5.0, [0.6, -0.8]),
    ("norm2(i, x[i])", [-2.0], 2.0, [-1]),
    ("norm2(i, x[i])**2", [0.0, 0.0], 0.0, [0, 0]),
    ("prod(i, x[i])", [0.0, 3.0, 5.0], 0.0, [15, 0, 0]),
    ("prod(i, x[i])", [0.0, 0.0, 5.0], 0.0, [0, 0, 0]),
    ("prod(i, x[i])", [4.0], 4.0, [1]),
    ("logsumexp(i, x[i])", [-INF, 0.0, 0.0], np.log(2), [0, 0.5, 0.5]),
    ("logsumexp(i, x[i])", [7.0], 7.0, [1]),
    ("logsumexp(i, x[i])", [1000.0, 1000.0], 1000 + np.log(2), [0.5, 0.5]),
    ("logsumexp(i, x[i])", [-1000.0, -1000.0], -1000 + np.log(2), [0.5, 0.5]),
    ("mean(i, mean(j, x[i]*x[j]))", [1.0, 3.0], 4.0, [2, 2]),
    ("sum(i, xlogy(x[i], x[i] + 1))", [0.0], 0.0, [0]),
    ("sum(i, where(x[i] > 0, sqrt(x[i]), 0))", [0.0, 4.0], 2.0, [0, 0.25]),
    ("sum(i, where(x[i] > 0, log(x[i]), x[i]))", [-1.0, 0.0, 1.0], -1.0, [1, 1, 1]),
    (
        "sum(i, where(((x[i] > 0) & (x[i] < 1)) | (x[i] > 2), 3*x[i], x[i]))",
        [-1.0, 0.5, 1.5, 4.0],
        14.0,
        [1, 3, 1, 3],
    ),
    ("sum(i, where(~((x[i] > 0) & (x[i] < 1)), 3*x[i], x[i]))", [-1.0, 0.5, 2.0], 3.5, [3, 1, 3]),
    ("sum(i, softplus(x[i]))", [-800.0, 0.0, 800.0], 800 + np.log(2), [0, 0.5, 1]),
]


@pytest.mark.parametrize(("text", "x", "value", "gradient"), CASES)
def test_the_convention_holds(text, x, value, gradient):
    found, slope = grad(text, x)
    assert found == pytest.approx(value, rel=1e-14, abs=0)
    assert slope == pytest.approx(gradient, rel=1e-12, abs=1e-300)


def test_a_gather_adds_up_what_hits_one_entry():
    value, slope = grad("sum(i, x[y[i]]*w[i])", [1.0, 2.0, 3.0], y=[2, 0, 2, 2], w=[1.0, 2, 3, 4])
    assert value == 1 * 3 + 2 * 1 + 3 * 3 + 4 * 3
    assert slope == [2, 0, 8]


def test_a_shift_loses_an_end():
    value, slope = grad("sum(t, x[t+1]*x[t])", [1.0, 2.0, 3.0])
    assert (value, slope) == (8.0, [2, 4, 2])
    value, slope = grad("sum(t, (x[t] - x[t-1])**2)", [1.0, 2.0, 4.0])
    assert (value, slope) == (5.0, [-2, -2, 4])


def test_a_running_sum_reaches_only_backwards():
    value, slope = grad("sum(i, w[i]*sum(j, where(j <= i, x[j], 0)))", [1.0, 1.0, 1.0],
                        w=[1.0, 10.0, 100.0])  # fmt: skip
    assert (value, slope) == (321.0, [111, 110, 100])


def test_a_diagonal_leaves_the_rest_alone():
    kernel = sc.compile(sc.parse("sum(i, A[i,i]**2)"), backend="numpy")
    value, slope = kernel.value_and_grad(np.arange(9.0).reshape(3, 3))
    assert value == 0 + 16 + 64
    np.testing.assert_array_equal(slope, np.diag([0, 8, 16]))
