"""Kernels of so many arrays that they are looked at beforehand, each part a function of its own."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import make_objective
from symcalc.notation.tensors import Tensor

COUNT = 24


def many(dtype="float64"):
    """The sum of 24 means, each of an array's own, all gradients wanted."""
    i, n = Index("i", Dim("n")), Dim("n")
    tensors = tuple(Tensor(f"x{k}", (n,)) for k in range(COUNT))
    body = sum(
        sc.mean(i, (t[i] - k) ** 2) * sc.tanh(sc.mean(i, t[i])) for k, t in enumerate(tensors)
    )
    names = tuple(t.name for t in tensors)
    return sc.compile(make_objective("many", tensors, (), body, names), dtype=dtype)


def expected(arrays):
    """Value and gradients, written out."""
    value, gradients = 0.0, []
    for k, x in enumerate(arrays):
        square, top = np.mean((x - k) ** 2), np.tanh(np.mean(x))
        value += square * top
        gradients.append((2 * (x - k) * top + square * (1 - top**2)) / x.size)
    return value, gradients


@pytest.mark.parametrize("size", [1, 37, 250_000])
def test_the_numbers_are_right_on_one_thread_and_on_several(size):
    kernel = many()
    rng = np.random.default_rng(size)
    arrays = [rng.normal(size=size) for _ in range(COUNT)]
    value, gradients = kernel.value_and_grad(*arrays)
    true_value, truth = expected(arrays)
    assert value == pytest.approx(true_value, rel=1e-12)
    for came, wanted in zip(gradients, truth, strict=True):
        np.testing.assert_allclose(came, wanted, rtol=1e-11, atol=1e-13)


def test_each_part_is_a_function_of_its_own():
    source = many().source
    assert source.count("def part_") > 1
    assert source.count('@njit(error_model="numpy")') == source.count("def part_") + 1


def test_parts_that_differ_in_names_alone_share_a_function():
    deep, deeper = (sc.compile(sc.mlp((3,) * (depth + 1), loss="mse")).source for depth in (13, 15))
    assert deep.count("def part_") == deeper.count("def part_") < 16
    assert deep.count("part_") < deeper.count("part_")


def test_a_deep_network_has_the_slopes_of_its_layers():
    rng = np.random.default_rng(4)
    shapes = [s for _ in range(13) for s in ((3, 3), (3,))]
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    weights = [rng.normal(size=shape) for shape in shapes]
    value, slopes = sc.compile(sc.mlp((3,) * 14, loss="mse")).value_and_grad(x, *weights, y)
    hidden = [x]
    for layer in range(13):
        z = hidden[-1] @ weights[2 * layer].T + weights[2 * layer + 1]
        hidden.append(z if layer == 12 else 1 / (1 + np.exp(-z)))
    assert value == pytest.approx(np.mean((hidden[-1] - y) ** 2), rel=1e-13)
    delta = 2 * (hidden[-1] - y) / y.size
    for layer in reversed(range(13)):
        np.testing.assert_allclose(slopes[2 * layer], delta.T @ hidden[layer], rtol=1e-11)
        np.testing.assert_allclose(slopes[2 * layer + 1], delta.sum(0), rtol=1e-11)
        delta = delta @ weights[2 * layer] * hidden[layer] * (1 - hidden[layer])


def test_single_precision():
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=100).astype(np.float32) for _ in range(COUNT)]
    value, gradients = many("float32").value_and_grad(*arrays)
    true_value, truth = expected([a.astype(np.float64) for a in arrays])
    assert value == pytest.approx(true_value, rel=1e-5)
    for came, wanted in zip(gradients, truth, strict=True):
        np.testing.assert_allclose(came, wanted, rtol=1e-3, atol=1e-5)


def test_the_doors_of_python_find_overlaps_among_many_arrays():
    kernel = many()
    rng = np.random.default_rng(2)
    arrays = [rng.normal(size=8) for _ in range(COUNT)]
    out = [np.empty(8) for _ in range(COUNT)]
    value, gradients = kernel.value_and_grad(*arrays, out=out)
    assert all(a is b for a, b in zip(gradients, out, strict=True))
    out[17] = arrays[3]
    with pytest.raises(sc.ArgumentError, match="out for x17 overlaps"):
        kernel.value_and_grad(*arrays, out=out)
    out[17] = out[20]
    with pytest.raises(sc.ArgumentError, match="out for x20 overlaps"):
        kernel.value_and_grad(*arrays, out=out)
    block = np.empty((8, 2))
    out[17], out[20] = block[:, 0].copy(), np.empty(8)
    kernel.value_and_grad(*arrays, out=out)
    step = kernel.bind(*arrays, out=out)
    assert step() == pytest.approx(value)
    assert kernel.fast(*arrays, *out) == pytest.approx(value)
