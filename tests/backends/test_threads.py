"""One result for any number of threads, from any thread, in any child."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

import symcalc as sc
from symcalc.backends.door import UnfitError

COUNTS = (1, 2, 3, 5)


def bits(result):
    """A result as bytes."""
    value, gradients = result
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [np.asarray(part).tobytes() for part in (value, *gradients)]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("bce_with_logits", "float64"),
        ("softmax_cross_entropy", "float32"),
        ("layer_norm", "float64"),
        ("batch_norm", "float64"),
    ],
)
def test_results_are_the_same_to_the_last_bit(monkeypatch, kernel, sample, name, dtype):
    objective, compiled = sc.get(name), kernel(name, dtype=dtype)
    rows = 400_003 if name == "bce_with_logits" else 3_001
    arrays = sample(objective, 0, dtype, n=rows, c=101, d=101)
    extra = {}
    if not objective.is_scalar:
        shape = arrays["x"].shape
        extra["cotangent"] = np.random.default_rng(1).normal(size=shape).astype(dtype)
    call = compiled.value_and_grad if objective.is_scalar else compiled.vjp
    found = []
    for count in COUNTS:
        monkeypatch.setenv("SYMCALC_THREADS", str(count))
        found.append(bits(call(**arrays, **extra)))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "", "1.5", " 2 ", "²"])
def test_a_wrong_thread_count_is_no_thread_count(monkeypatch, kernel, wrong):
    monkeypatch.setenv("SYMCALC_THREADS", wrong)
    x = np.ones(200_000)
    assert kernel("l2").value_and_grad(x)[0] == 100_000


def test_sums_are_accurate_however_they_are_cut(kernel):
    x = np.random.default_rng(0).normal(size=1_000_003)
    exact = np.sum(x.astype("g") ** 2) / 2
    assert kernel("l2").value_and_grad(x)[0] == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 8192, 49_999, 50_000, 50_001, 1_048_577])
def test_every_length_of_the_last_block_is_covered(kernel, n):
    x = np.arange(n) % 7 - 3.0
    value, gradient = kernel("l2").value_and_grad(x)
    assert value == (x**2).sum() / 2
    np.testing.assert_array_equal(gradient, x)


def test_many_threads_may_call_one_kernel(kernel):
    compiled = kernel("bce_with_logits")
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=120_000), rng.uniform(size=120_000)) for _ in range(8)]
    expected = [bits(compiled.value_and_grad(*pair)) for pair in inputs]
    found = [None] * len(inputs)

    def work(place):
        for _ in range(5):
            found[place] = bits(compiled.value_and_grad(*inputs[place]))

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == expected


def test_many_threads_may_compile_at_once():
    formula = sc.parse("mean(i, exp(sin_free[i])**2)", name="compiled_at_once")
    found, errors = [], []

    def work():
        try:
            found.append(sc.compile(formula).value_and_grad([0.0, 0.0])[0])
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert found == [1.0] * 4


def _in_child(queue, compiled, arrays):
    queue.put(bits(compiled.value_and_grad(*arrays)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_kernel_works_in_a_forked_child(kernel):
    compiled = kernel("bce_with_logits")
    arrays = (np.linspace(-3, 3, 200_000), np.full(200_000, 0.5))
    expected = bits(compiled.value_and_grad(*arrays))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, compiled, arrays))
    child.start()
    assert queue.get(timeout=30) == expected
    child.join(timeout=30)
    assert child.exitcode == 0


def test_a_sum_over_nothing_beside_a_large_one(monkeypatch):
    monkeypatch.setenv("SYMCALC_THREADS", "2")
    kernel = sc.compile(sc.parse("sum(i, exp(x[i])) + sum(j, exp(y[j]))", wrt=("x", "y")))
    large, nothing = np.zeros(1_000_000), np.empty(0)
    value, (by_large, by_nothing) = kernel.value_and_grad(large, nothing)
    assert value == 1_000_000
    assert (by_large == 1).all()
    assert by_nothing.shape == (0,)
    assert kernel.value_and_grad(nothing, large)[0] == 1_000_000


def test_a_large_matrix_product_is_not_done_at_once_for_it_would_stop_other_threads():
    shapes = {"A": "n m", "B": "m p"}
    kernel = sc.compile(sc.parse("sum(j, A[i,j]*B[j,k])", wrt="A", shapes=shapes)).prepare()
    once = kernel._mode("vjp").at_once

    def call(size):
        square = np.ones((size, size))
        out, gradient = np.empty_like(square), np.empty_like(square)
        once.typed(square, square, square, out, gradient, *once.tail)
        return out

    assert (call(8) == 8).all()
    with pytest.raises(UnfitError):
        call(200)
    square = np.ones((200, 200))
    assert (kernel.vjp(square, square, cotangent=square)[0] == 200).all()
