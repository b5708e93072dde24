"""Updates step in place, say what is wrong before they write, and agree across backends."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.backends.executable import Copying
from symcalc.notation import Array, Positive, Real

BACKENDS = ("numba", "numpy")


@sc.objective(wrt="x")
def swap(x: Real[Array, "n"], y: Real[Array, "n"], rate: Positive = 0.5):
    """Each array moves to where the other was."""
    i = sc.indices("n")
    return sc.becomes(x=x[i] + rate * (y[i] - x[i]), y=y[i] + rate * (x[i] - y[i]))


@sc.objective(wrt="x")
def turned(x: Real[Array, "n"]):
    """Each entry becomes the one opposite to it."""
    i = sc.indices("n")
    return sc.becomes(x=x[x.shape[0] - 1 - i])


@sc.objective(wrt="x")
def centred(x: Real[Array, "n d"], total: Real[Array, ""]):
    """Rows lose their mean; a running total counts what was lost."""
    i, j = sc.indices("n d")
    mu = sc.define("mu", i, sc.mean(j, x[i, j]))
    return sc.becomes(x=x[i, j] - mu[i], total=total[()] + sc.sum(i, mu[i]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_read_by_both_is_read_before_it_is_written(backend):
    kernel = sc.compile(swap, backend=backend)
    x, y = np.arange(5.0), np.arange(5.0) ** 2
    expected = x + 0.25 * (y - x), y + 0.25 * (x - y)
    assert kernel.step(x, y, rate=0.25) is None
    np.testing.assert_array_equal((x, y), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_entries_that_others_read_are_computed_apart(backend):
    kernel = sc.compile(turned, backend=backend)
    for size in (0, 1, 2, 9999):
        x = np.arange(float(size))
        kernel.step(x)
        np.testing.assert_array_equal(x, np.arange(float(size))[::-1])
    assert isinstance(kernel._mode("step").executable, Copying)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_and_numbers_are_states_too(backend):
    kernel = sc.compile(centred, backend=backend)
    rng = np.random.default_rng(0)
    x, total = rng.normal(size=(400, 30)), np.array(2.0)
    means, before = x.mean(axis=1), x.copy()
    kernel.step(x, total)
    np.testing.assert_allclose(x, before - means[:, None], atol=1e-14)
    assert total == pytest.approx(2 + means.sum(), rel=1e-12)


def test_an_update_is_a_layer_as_well():
    kernel = sc.compile("momentum")
    theta, gradient, velocity = np.ones(3), np.arange(3.0), np.full(3, 2.0)
    after = kernel(theta, gradient, velocity, lr=0.1)
    np.testing.assert_allclose(after, 1 - 0.1 * (1.8 + np.arange(3.0)))
    np.testing.assert_array_equal(velocity, 2)  # a layer replaces nothing
    _, slope = kernel.vjp(theta, gradient, velocity, cotangent=np.ones(3), lr=0.1)
    np.testing.assert_allclose(slope, -0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_entries_are_stepped_as_few_are(dtype, monkeypatch):
    kernel = sc.compile("adam", dtype=dtype)
    rng = np.random.default_rng(0)
    many = [rng.normal(size=2_000_003).astype(dtype) ** 2 for _ in range(4)]
    some = [array[:1001].copy() for array in many]
    for step in (1, 2):
        kernel.step(*many, step=step)
        kernel.step(*some, step=step)
    for large, small in zip(many, some, strict=True):
        np.testing.assert_array_equal(large[:1001], small)


def test_a_stepper_looks_at_its_arrays_once():
    kernel = sc.compile("adam")
    theta, gradient, m, v = np.ones(3), np.ones(3), np.zeros(3), np.zeros(3)
    step = kernel.stepper(theta, gradient, m, v, step=1, lr=0.5)
    step()
    np.testing.assert_allclose(theta, 0.5, atol=1e-7)
    gradient[:] = 0
    step(step=2)
    assert (theta < 0.5).all()


COPIED = {
    "narrow": (np.ones(3, np.float32), "dtype float32"),
    "whole": (np.ones(3, np.int64), "dtype int64"),
    "list": ([1.0, 1.0, 1.0], "list"),
}


@pytest.mark.parametrize("what", COPIED)
def test_a_stepper_takes_nothing_that_it_would_have_to_copy(kernel, what):
    gradient, got = COPIED[what]
    compiled = kernel("sgd", backend="numpy")
    theta = np.zeros(3)
    told = f"sgd: gradient: expected a float64 array, which each step reads anew, got {got}"
    with pytest.raises(sc.ArgumentTypeError, match=told):
        compiled.stepper(theta, gradient, lr=0.5)
    compiled.step(theta, gradient, lr=0.5)  # a single step needs no array to follow
    np.testing.assert_array_equal(theta, -0.5)


def test_a_state_of_another_dtype_is_named_not_lost(kernel):
    theta = np.ones(3, np.float32)
    for call in (kernel("sgd").step, kernel("sgd").stepper):
        with pytest.raises(sc.ArgumentTypeError, match="sgd: theta: expected a float64 array"):
            call(theta, np.ones(3))
    np.testing.assert_array_equal(theta, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_number_of_the_state_has_the_dtype_of_the_kernel(kernel, dtype):
    arrays = [np.ones(3, dtype), np.ones(3, dtype), np.zeros(3, dtype), np.zeros(3, dtype)]
    product = np.ones((), dtype)
    kernel("nadam", dtype=dtype).step(*arrays, product, step=1)
    assert product == pytest.approx(0.9 * (1 - 0.96**0.004 / 2), rel=1e-6)


def rejected(**changed):
    arrays = {name: np.ones(3) for name in ("theta", "gradient", "m", "v")}
    return {**arrays, "step": 1, **changed}


WRONG = {
    "shape": ({"m": np.ones(4)}, "m: expected shape"),
    "dtype": ({"v": np.ones(3, np.float32)}, "v: expected a float64 array"),
    "list": ({"theta": [1.0, 2.0, 3.0]}, "theta: expected a float64 array, got list"),
    "strided": ({"theta": np.ones(6)[::2]}, "theta: expected a writable C-contiguous"),
    "number": ({"lr": -1.0}, "lr: expected one of the positive numbers"),
    "fraction": ({"beta1": 1.5}, "beta1: expected one of the"),
    "unknown": ({"rate": 1.0}, "unknown argument 'rate'"),
    "counts": ({"step": "one"}, "step: expected a number"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_before_anything_is_written(kernel, what, backend):
    changed, message = WRONG[what]
    given = rejected(**changed)
    before = {name: np.array(value) for name, value in given.items()}
    with pytest.raises(sc.SymcalcError, match=f"adam: {message}"):
        kernel("adam", backend=backend).step(**given)
    for name, value in given.items():
        np.testing.assert_array_equal(value, before[name])


def test_arrays_that_overlap_are_refused(kernel):
    both = np.ones(5)
    with pytest.raises(sc.ArgumentError, match="overlaps"):
        kernel("adam").step(both[:3], np.ones(3), both[2:], np.ones(3), step=1)


def test_an_objective_does_not_step(kernel):
    with pytest.raises(sc.ArgumentTypeError, match="step needs an update"):
        kernel("mse").step(np.ones(3), np.ones(3))


MISTAKES = {
    "unknown": (lambda i, x: sc.becomes(z=x[i]), "expected one of"),
    "shape": (lambda i, x: sc.becomes(x=sc.sum(i, x[i])), "free indices"),
    "nothing": (lambda i, x: sc.becomes(), "expected at least one"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_what_makes_no_update_is_refused(what):
    made, message = MISTAKES[what]
    with pytest.raises(sc.NotationError, match=message):

        @sc.objective
        def wrong(x: Real[Array, "n"]):
            """Wrong."""
            return made(sc.indices("n"), x)
