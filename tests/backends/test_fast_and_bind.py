"""Hot loops: `fast`, which takes everything in order, and `bind`, which takes nothing."""

import gc
import threading
import weakref

import numpy as np
import pytest
from entries import entries
from shapes import cotangent_of, extents

import symcalc as sc
from symcalc.backends.door import UnfitError

Z = np.array([0.3, -1.2, 2.0])
Y = np.array([1.0, 0.0, 0.25])
ROWS = np.arange(6.0).reshape(2, 3)
RNG = np.random.default_rng(11)


def buffers(compiled, arrays, cotangent=None):
    """Buffers for all that `fast` fills."""
    ready = compiled._mode("value_and_grad" if compiled.objective.is_scalar else "vjp")
    like = [np.full_like(arrays[name], np.nan) for name in ready.task.like]
    return like if cotangent is None else [np.full_like(cotangent, np.nan), *like]


def called(compiled, arrays, cotangent=None):
    """Value and gradients by the ordinary call."""
    if compiled.objective.is_scalar:
        value, gradients = compiled.value_and_grad(**arrays)
    else:
        value, gradients = compiled.vjp(**arrays, cotangent=cotangent)
    return value, gradients if isinstance(gradients, tuple) else (gradients,)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", entries())
def test_all_ways_give_one_answer(kernel, sample, name, dtype):
    objective, compiled = sc.get(name), kernel(name, dtype=dtype)
    sizes = extents(objective, 9, 4, 5)
    arrays = sample(objective, 5, dtype, **sizes)
    cotangent = cotangent_of(objective, sizes, np.random.default_rng(6), dtype)
    value, gradients = called(compiled, arrays, cotangent)
    given = [*arrays.values(), *([] if cotangent is None else [cotangent])]
    made = buffers(compiled, arrays, cotangent)
    found = compiled.fast(*given, *(p.default for p in objective.parameters), *made)
    bound = compiled.bind(**arrays, cotangent=cotangent)
    held = bound.gradient if isinstance(bound.gradient, tuple) else (bound.gradient,)
    if objective.is_scalar:
        assert type(found) is type(bound()) is float
        assert found == bound() == value
    else:
        assert found is made.pop(0)
        np.testing.assert_array_equal(found, value)
        np.testing.assert_array_equal(bound(), value)
    for one, two, three in zip(gradients, made, held, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("n", [3, 150_000, 450_000])
def test_a_bound_kernel_sees_what_is_written_to_its_arrays(monkeypatch, kernel, n):
    monkeypatch.setenv("SYMCALC_THREADS", "3")
    x, y, out = RNG.normal(size=n), RNG.normal(size=n), np.empty(n)
    step = kernel("mse").bind(x, y, out=out)
    assert step.gradient is out
    for _ in range(3):
        x[:] = RNG.normal(size=n)
        assert step() == pytest.approx(np.mean((x - y) ** 2), rel=1e-13)
        np.testing.assert_allclose(out, 2 * (x - y) / n, rtol=1e-14)


def test_fast_takes_large_arrays_and_strided_ones(monkeypatch, kernel):
    monkeypatch.setenv("SYMCALC_THREADS", "2")
    fast, n = kernel("huber").fast, 150_001
    for x in (RNG.normal(size=n), RNG.normal(size=2 * n)[::2], RNG.normal(size=n)[::-1]):
        y, out = np.zeros(n), np.empty(n)
        small = np.abs(x) <= 0.5
        loss = np.where(small, x**2 / 2, 0.5 * (np.abs(x) - 0.25))
        assert fast(x, y, 0.5, out) == pytest.approx(loss.mean(), rel=1e-13)
        np.testing.assert_allclose(out, np.where(small, x, np.copysign(0.5, x)) / n, rtol=1e-14)


def test_hyperparameters_and_weights_stay_bound(kernel):
    x, y, w = np.array([0.0, 3.0]), np.zeros(2), np.array([1.0, 3.0])
    assert kernel("huber").bind(x, y, delta=2.0)() == 2.0  # (0 + 2 (3 - 1)) / 2
    step = kernel("mse").bind(x, y, weights=w)
    assert step() == 27 / 4
    w[0] = 0.0
    assert step() == 9.0
    np.testing.assert_array_equal(step.gradient, [0.0, 6.0])
    w[:] = 0.0
    with pytest.raises(sc.ArgumentError, match=r"weights: expected .*nothing but zeros"):
        step()
    w[:] = [1.0, -1.0]
    with pytest.raises(sc.ArgumentError, match=r"weights: expected .*-1.0 at \[1\]"):
        step()
    assert kernel("mse").bind(x, y, weights=None)() == 4.5


INVALID = [
    ("bce_with_logits", (Z, Y), 1, 1.5, r"targets: .*1.5 at \[1\]"),
    ("bce_with_logits", (Z, Y), 1, -1e-300, r"targets: .*-1e-300 at \[1\]"),
    ("hinge", (Z, np.array([1.0, -1.0, 1.0])), 1, 0.0, r"labels: .*0.0 at \[1\]"),
    ("softmax_cross_entropy", (ROWS, np.array([0, 2])), 1, 3, r"labels: .*3 at \[1\]"),
    ("softmax_cross_entropy", (ROWS, np.array([0, 2])), 1, -(2**63), r"labels: .*-922.* at \[1\]"),
    ("softmax_cross_entropy", (ROWS, np.array([0, 2])), 1, 2**62, r"labels: .*461.* at \[1\]"),
    ("reinforce", (ROWS, np.array([0, 2]), np.ones(2)), 1, -1, r"actions: .*-1 at \[1\]"),
]


@pytest.mark.parametrize(("name", "arrays", "place", "bad", "message"), INVALID)
def test_what_becomes_invalid_between_calls_is_refused(kernel, name, arrays, place, bad, message):
    arrays = [array.copy() for array in arrays]
    compiled = kernel(name)
    step = compiled.bind(*arrays)
    good, out = step(), np.empty_like(arrays[0])
    assert compiled.fast(*arrays, out) == good
    before = arrays[place][1]
    arrays[place][1] = bad
    for call in (step, lambda: compiled.fast(*arrays, out)):
        with pytest.raises(sc.ArgumentError, match=message):
            call()
    arrays[place][1] = before
    assert step() == good == compiled.fast(*arrays, out)


def test_nan_may_come_and_go(kernel):
    z, y = Z.copy(), Y.copy()
    step = kernel("bce_with_logits").bind(z, y)
    good = step()
    for array in (z, y):
        kept = array[1]
        array[1] = np.nan
        assert np.isnan(step())
        assert np.isnan(step.gradient).tolist() == [False, True, False]
        array[1] = kept
        assert step() == good
        assert np.isfinite(step.gradient).all()


def test_a_bound_kernel_keeps_its_arrays(kernel):
    x = Z.copy()
    alive = weakref.ref(x)
    step = kernel("mse").bind(x, np.zeros(3))
    expected = np.mean(x**2)
    del x
    gc.collect()
    junk = [np.full(3, np.nan) for _ in range(100)]
    assert step() == expected
    assert alive() is not None
    del step, junk
    gc.collect()
    assert alive() is None


def test_strided_and_read_only_arrays_are_bound_as_they_are(kernel):
    x = np.zeros(6)
    y = np.ones(3)
    y.flags.writeable = False
    step = kernel("mse").bind(x[::-2], y)
    assert step() == 1
    x[:] = 3
    assert step() == 4


@pytest.mark.parametrize(
    "given",
    [[1.0, 2.0, 3.0], Z.astype("f4"), Z.astype(">f8"), np.array([1, 2, 3]), (1.0, 2.0, 3.0)],
    ids=lambda g: str(getattr(g, "dtype", type(g).__name__)),
)  # fmt: skip
def test_only_arrays_that_are_read_where_they_lie_can_be_bound(kernel, given):
    with pytest.raises(sc.ArgumentTypeError, match="bind: target: expected a float64 array"):
        kernel("mse").bind(Z, given)


def test_a_view_of_the_same_memory_is_bound(kernel, tmp_path):
    memory = np.memmap(tmp_path / "x.bin", np.float64, "w+", shape=(3,))
    step = kernel("mse").bind(memory, np.zeros(3))
    memory[:] = 2.0
    assert step() == 4.0
    step = kernel("mse").bind(prediction=np.zeros(3), target=memory)
    memory[:] = 3.0
    assert step() == 9.0


def test_binding_what_does_not_fit_is_refused_at_once(kernel):
    compiled, layer = kernel("huber"), kernel("layer_norm")
    ones = np.ones(3)
    cases = [
        (lambda: compiled.bind(Z, Y[:2]), "target: expected shape"),
        (lambda: compiled.bind(Z, Y, delta=-1.0), "delta: expected"),
        (lambda: compiled.bind(Z, Y, out=Z), "overlaps"),
        (lambda: compiled.bind(Z, Y, out=np.empty(2)), r"out for prediction: expected shape"),
        (lambda: compiled.bind(Z), "missing array 'target'"),
        (lambda: compiled.bind(Z, Y, nothing=1), "unknown argument 'nothing'"),
        (lambda: compiled.bind(Z, Y, cotangent=1.0), "cotangent is for layers"),
        (lambda: layer.bind(ROWS, ones, ones), "missing cotangent"),
        (lambda: layer.bind(ROWS, ones, ones, cotangent=ROWS[:1]), "cotangent: expected shape"),
        (lambda: kernel("bce_with_logits").bind(Z, Y + 1), "targets: expected probabilities"),
    ]
    for call, message in cases:
        with pytest.raises(sc.SymcalcError, match=message):
            call()


def test_fast_wants_every_argument_in_order(kernel):
    fast, out = kernel("huber").fast, np.empty(3)
    with pytest.raises(sc.ArgumentTypeError, match=r"4 arguments \(prediction, target, delta, out"):
        fast(Z, Y, out)
    cases = [
        ((Z, Y, 1.0, out[:2]), "out for prediction: expected shape"),
        ((Z, Y, 1.0, out.astype("f4")), "out for prediction: expected a float64 array"),
        ((Z, Y, 1.0, None), "out for prediction: expected"),
        ((Z, Y, out, 1.0), "delta: expected a number"),
        ((Z, Y, "1", out), "delta: expected a number"),
        ((Z, Y, -1.0, out), "delta: expected one of the positive numbers"),
        ((Z, Y, float("nan"), out), "delta: expected"),
        ((Z, Y[:2], 1.0, out), "target: expected shape"),
        ((Z, Y.astype(complex), 1.0, out), "target: expected real numbers"),
        ((np.ma.masked_array(Z, [1, 0, 0]), Y, 1.0, out), "prediction: expected a plain array"),
        ((Z, Y, 1.0, np.ma.zeros(3)), "out for prediction: expected a float64 array, got Masked"),
    ]
    for arguments, message in cases:
        with pytest.raises(sc.SymcalcError, match=message):
            fast(*arguments)
    assert fast(Z.tolist(), Y, 1, out) == fast(Z, Y, np.float32(1), out) == fast(Z, Y, True, out)


def test_each_thread_may_have_a_binding_of_its_own(kernel):
    compiled, wrong = kernel("bce_with_logits"), []

    def work(seed):
        rng = np.random.default_rng(seed)
        z, y = rng.normal(size=500), rng.uniform(size=500)
        step = compiled.bind(z, y)
        for _ in range(200):
            z += 0.01
            expected = np.mean(np.logaddexp(0, z) - y * z)
            if abs(step() - expected) > 1e-13 * abs(expected):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_an_interrupt_is_not_swallowed(monkeypatch, kernel):
    """What the careful way is for are arguments that do not fit, not the user's Ctrl-C."""
    compiled = kernel("mse")
    compiled.value_and_grad(Z, Y)
    ready = compiled._mode("value_and_grad")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(ready, "_exact", interrupted)
    for call in (
        lambda: compiled.value_and_grad(Z, Y), lambda: compiled.fast(Z, Y, np.empty(3)),
    ):  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            call()


@pytest.mark.parametrize("strided", [True, False], ids=["strided", "contiguous"])
def test_a_bound_call_refuses_an_array_that_changed_its_shape(kernel, strided):
    target = np.zeros(6)[::2] if strided else np.zeros(3)
    owned = np.ones(3)
    step = kernel("mse").bind(owned, target)
    assert step() == 1
    owned.resize(3_000_000, refcheck=False)
    with pytest.raises(sc.ArgumentError, match=r"bind: expected arrays of the shapes \(\(3,\)"):
        step()
    owned.resize(3, refcheck=False)
    owned[:] = 2
    assert step() == 4


def test_the_bare_call_refuses_other_types_without_numbas_words(kernel):
    compiled, out = kernel("mse"), np.empty(3)
    once = compiled.prepare()._mode("value_and_grad").at_once
    whole, other = np.ones(3, np.float32), np.ones(6)[::2]
    for array in (whole, other, np.ones((3, 1))):
        with pytest.raises(UnfitError):
            once.typed(array, np.zeros(3), out, *once.tail)
    fixed = np.ones(3)
    fixed.flags.writeable = False
    assert once.typed(fixed, np.zeros(3), out, *once.tail) == 1
    assert compiled.value_and_grad(other, np.zeros(3), out=out)[0] == 1
