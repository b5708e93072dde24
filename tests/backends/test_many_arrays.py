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
