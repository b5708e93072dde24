"""Arrays of nothing, of one, and of one column: every objective, every reduction, every mode."""

import numpy as np
import pytest
from entries import entries

import symcalc as sc

BATCHED = entries(lambda o: o.is_scalar and o.takes_weights)
PENALTIES = ["l1", "l2", "elastic_net"]
ROWS = ["softmax_cross_entropy", "kl_divergence", "reinforce", "ppo_clip"]
NOTHING = r"expected n of at least 1 \(mean of nothing is undefined\), got 0"


def drawn(sample, name, dtype="float64", **sizes):
    return sample(sc.get(name), 1, dtype, **{"n": 2, "c": 3, "d": 3, **sizes})


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BATCHED)
def test_the_mean_of_nothing_is_an_error_each_time(kernel, sample, name, dtype):
    compiled = kernel(name, dtype=dtype)
    none = drawn(sample, name, dtype, n=0)
    some = drawn(sample, name, dtype)
    for _ in range(2):  # before and after there is anything compiled
        for call in (compiled, compiled.value_and_grad):
            with pytest.raises(sc.ArgumentError, match=NOTHING):
                call(**none)
            with pytest.raises(sc.ArgumentError, match=NOTHING):
                call(*none.values())
        assert np.isfinite(compiled(*some.values()))
        assert np.isfinite(compiled.value_and_grad(*some.values())[0])


@pytest.mark.parametrize("name", BATCHED)
def test_the_sum_of_nothing_is_zero_and_none_of_nothing_is_nothing(kernel, sample, name):
    none = drawn(sample, name, n=0)
    shape = none[sc.get(name).wrt[0]].shape
    total = kernel(name, reduction="sum")
    value, gradient = total.value_and_grad(**none)
    assert value == 0
    assert gradient.shape == shape
    each = kernel(name, reduction="none")
    value, gradient = each.vjp(**none, cotangent=np.empty(0))
    assert value.shape == (0,)
    assert gradient.shape == shape


@pytest.mark.slow
@pytest.mark.parametrize("name", BATCHED)
def test_one_sample_is_its_own_mean_and_sum(kernel, sample, name):
    one = drawn(sample, name, n=1)
    value, gradient = kernel(name).value_and_grad(**one)
    added, same = kernel(name, reduction="sum").value_and_grad(**one)
    alone, slope = kernel(name, reduction="none").vjp(**one, cotangent=np.ones(1))
    assert value == added
    assert alone.tolist() == [value]
    np.testing.assert_array_equal(gradient, same)
    np.testing.assert_array_equal(gradient, slope)


def test_one_sample_by_hand(kernel):
    two = np.log(2)
    cases = [
        ("mse", ([3.0], [1.0]), 4.0, [4.0]),
        ("mae", ([3.0], [1.0]), 2.0, [1.0]),
        ("huber", ([3.0], [1.0]), 1.5, [1.0]),
        ("log_cosh", ([1.0], [1.0]), 0.0, [0.0]),
        ("bce_with_logits", ([0.0], [1.0]), two, [-0.5]),
        ("hinge", ([0.25], [1.0]), 0.75, [-1.0]),
        ("softmax_cross_entropy", ([[0.0, 0.0]], [1]), two, [[0.5, -0.5]]),
        ("softmax_cross_entropy", ([[7.0]], [0]), 0.0, [[0.0]]),
        ("kl_divergence", ([[0.0]], [[1.0]]), 0.0, [[-1.0]]),
        ("reinforce", ([[0.0, 0.0]], [1], [3.0]), 3 * two, [[1.5, -1.5]]),
        ("reinforce", ([[7.0]], [0], [3.0]), 0.0, [[0.0]]),
        ("ppo_clip", ([[0.0, 0.0]], [1], [-two], [3.0]), -3.0, [[1.5, -1.5]]),
        ("ppo_clip", ([[7.0]], [0], [0.0], [3.0]), -3.0, [[0.0]]),
        ("l1", ([-2.0],), 2.0, [-1.0]),
        ("l2", ([-2.0],), 2.0, [-2.0]),
        ("elastic_net", ([-2.0],), 6.0, [-5.0]),
    ]
    for name, arrays, value, gradient in cases:
        found, slope = kernel(name).value_and_grad(*arrays)
        assert found == pytest.approx(value, rel=1e-15, abs=0), name
        np.testing.assert_allclose(slope, gradient, rtol=1e-15, atol=0, err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PENALTIES)
def test_no_parameters_cost_nothing(kernel, name, dtype):
    value, gradient = kernel(name, dtype=dtype).value_and_grad(np.empty(0, dtype))
    assert value == 0
    assert gradient.shape == (0,)
    assert gradient.dtype == dtype
    assert kernel(name, dtype=dtype)(np.empty(0, dtype)) == 0
    step = kernel(name, dtype=dtype).bind(np.empty(0, dtype))
    assert step() == 0


@pytest.mark.parametrize("name", ROWS)
def test_rows_without_columns_are_refused_or_empty(kernel, sample, name):
    """The logarithm of a sum over no classes is no number, and no label can lie in it."""
    arrays = drawn(sample, name, c=1)
    arrays = {k: a[:, :0] if a.ndim == 2 else a for k, a in arrays.items()}
    if name == "kl_divergence":
        with pytest.raises(sc.ArgumentError, match="p: expected probability rows"):
            kernel(name).value_and_grad(**arrays)
        return
    with pytest.raises(sc.ArgumentError, match=r"c = 0|c of at least 1"):
        kernel(name).value_and_grad(**arrays)


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers_of_one_and_of_nothing(kernel, name, dtype):
    layer, one = kernel(name, dtype=dtype), np.ones(1, dtype)
    two = 2 * one
    y, (x_bar, gamma_bar, beta_bar) = layer.vjp(
        np.full((1, 1), 7, dtype), two, two, cotangent=np.full((1, 1), 3, dtype)
    )
    assert (y, x_bar, gamma_bar, beta_bar) == (2, 0, 0, 3)  # one number has no spread
    wide, none = np.empty((0, 3), dtype), np.empty((3, 0), dtype)
    ones, empty = np.ones(3, dtype), np.empty(0, dtype)
    calls = {
        "layer_norm": (none, empty, (wide, ones)), "batch_norm": (wide, ones, (none, empty)),
    }[name]  # fmt: skip
    x, scale, (good, good_scale) = calls
    dim = "d" if name == "layer_norm" else "n"
    with pytest.raises(sc.ArgumentError, match=rf"{dim} of at least 1 \(mean of nothing"):
        layer.vjp(x, scale, scale, cotangent=x)
    y, (x_bar, gamma_bar, beta_bar) = layer.vjp(good, good_scale, good_scale, cotangent=good)
    assert y.shape == x_bar.shape == good.shape
    np.testing.assert_array_equal(gamma_bar, np.zeros_like(good_scale))
    np.testing.assert_array_equal(beta_bar, np.zeros_like(good_scale))


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
def test_a_layer_of_one_row_or_of_one_column(kernel, name):
    layer, x = kernel(name), np.array([[1.0, 3.0]])
    ones, zeros = np.ones(2), np.zeros(2)
    y, (x_bar, gamma_bar, beta_bar) = layer.vjp(x, ones, zeros, cotangent=np.array([[1.0, 0.0]]))
    r = 1 / np.sqrt(1 + 1e-5)
    if name == "layer_norm":  # mean 2, variance 1
        np.testing.assert_allclose(y, [[-r, r]], rtol=1e-14)
        np.testing.assert_allclose(gamma_bar, [-r, 0], rtol=1e-14)
        slope = r * (0.5 - r**2 / 2)  # r (c - mean c - xhat mean(c xhat)) at the first
        np.testing.assert_allclose(x_bar, [[slope, -slope]], rtol=1e-9)
    else:
        np.testing.assert_array_equal(y, zeros[None])
        np.testing.assert_array_equal(x_bar, zeros[None])
        np.testing.assert_array_equal(gamma_bar, zeros)
    np.testing.assert_array_equal(beta_bar, [1, 0])


def test_curvature_of_nothing_and_of_one(kernel):
    none = np.empty(0)
    assert kernel("l2").hvp(none, vector=none).shape == (0,)
    assert kernel("l2").hessian(none).shape == (0, 0)
    assert kernel("l2").hessian_diagonal(none).shape == (0,)
    value, tangent = kernel("l2").jvp(none, tangents={"theta": none})
    assert (value, tangent) == (0, 0)
    assert kernel("l2").hessian(np.ones(1), lam=3.0).tolist() == [[3.0]]
    with pytest.raises(sc.ArgumentError, match=NOTHING):
        kernel("mse").hvp(none, none, vector=none)
    with pytest.raises(sc.ArgumentError, match=NOTHING):
        kernel("mse").jvp(none, none, tangents={"prediction": none})


def test_a_weighted_mean_of_nothing_is_an_error_and_of_one_is_that_one(kernel):
    none = np.empty(0)
    with pytest.raises(sc.ArgumentError):
        kernel("mse").value_and_grad(none, none, weights=none)
    value, gradient = kernel("mse").value_and_grad([3.0], [1.0], weights=[0.25])
    assert value == 4
    assert gradient.tolist() == [4.0]
