"""Arrays as they lie in memory: what can be read where it is, is read there; the rest is copied."""

import tracemalloc

import numpy as np
import pytest
from entries import entries
from shapes import cotangent_of, extents

import symcalc as sc

RNG = np.random.default_rng(3)
X = RNG.normal(size=(37, 11))
GAMMA, BETA, COTANGENT = RNG.normal(size=11), RNG.normal(size=11), RNG.normal(size=(37, 11))
LABELS = RNG.integers(0, 11, size=37)


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def every_other(array):
    return np.repeat(np.repeat(array, 2, 0), 2, 1)[::2, ::2]


def inside(array):
    """A part of a larger array, with what must not be read all around."""
    outside = -1 if array.dtype.kind == "i" else np.nan
    large = np.full(tuple(size + 5 for size in array.shape), outside, array.dtype)
    large[2:-3, 2:-3] = array
    return large[2:-3, 2:-3]


def misaligned(array):
    memory = np.frombuffer(b"\0" * 3 + array.tobytes(), np.uint8)
    return memory[3:].view(array.dtype).reshape(array.shape)


IN_PLACE = {
    "Fortran order": np.asfortranarray,
    "transposed": lambda a: a.T.copy().T,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "every other": every_other,
    "inside another": inside,
    "read-only": frozen,
    "read-only and strided": lambda a: frozen(np.repeat(a, 2, 0))[::2],
    "a memory map": lambda a: a.copy().view(np.memmap),
    "a subclass": lambda a: a.copy().view(type("Sub", (np.ndarray,), {})),
    "strides of length one": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, a.strides),
}
COPIED = {
    "misaligned": misaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "little-endian by name": lambda a: a.astype(a.dtype.newbyteorder("<")),
}


def bits(parts):
    return [np.asarray(part).tobytes() for part in parts]


def close(parts, expected, dtype="float64"):
    """The same up to the order in which sums are taken: rows in registers are added otherwise."""
    for part, other in zip(parts, expected, strict=True):
        scale = np.max(np.abs(other))
        np.testing.assert_allclose(part, other, rtol=0, atol=16 * np.finfo(dtype).eps * scale)


def identical(parts, expected, dtype):
    assert bits(parts) == bits(expected)


@pytest.mark.parametrize("kind", [*IN_PLACE, *COPIED])
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_memory_order_is_only_another_order(kernel, kind, dtype):
    lay = {**IN_PLACE, **COPIED}[kind]
    same = close if kind in IN_PLACE else identical
    x, cotangent = X.astype(dtype), COTANGENT.astype(dtype)
    gamma, beta = GAMMA.astype(dtype), BETA.astype(dtype)
    layer = kernel("layer_norm", dtype=dtype)
    y, gradients = layer.vjp(x, gamma, beta, cotangent=cotangent)
    z, slopes = layer.vjp(lay(x), gamma, beta, cotangent=lay(cotangent))
    same([z, *slopes], [y, *gradients], dtype)
    assert all(type(part) is np.ndarray and part.flags.c_contiguous for part in (z, *slopes))
    entropy = kernel("softmax_cross_entropy", dtype=dtype)
    result = entropy.value_and_grad(x, LABELS)
    same(entropy.value_and_grad(lay(x), lay(LABELS[:, None])[:, 0]), result, dtype)


@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_can_be_read_in_place_is_not_copied(monkeypatch, kernel, kind):
    """Far less memory is asked for than a copy would take, and `require` hands back a view."""
    x = IN_PLACE[kind](RNG.normal(size=(1_000, 200)))
    labels = np.zeros(1_000, np.int64)
    value = kernel("softmax_cross_entropy")
    value(x, labels)  # compiled by now
    required, require = [], np.require

    def watched(array, *rest):
        required.append(require(array, *rest))
        return required[-1]

    monkeypatch.setattr(np, "require", watched)
    tracemalloc.start()
    try:
        value(x, labels)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < x.nbytes / 10
    assert all(np.shares_memory(array, x) for array in required)


def test_one_value_stands_for_many(kernel):
    """Stride zero: an array that is one number, or one row, over and over."""
    ones = np.broadcast_to(1.0, 5)
    value, gradient = kernel("mse").value_and_grad(np.arange(5.0), ones)
    assert value == np.mean((np.arange(5) - 1.0) ** 2)
    np.testing.assert_allclose(gradient, 2 * (np.arange(5) - 1.0) / 5, rtol=1e-15)
    rows = np.broadcast_to(X[0], X.shape)
    y, _ = kernel("layer_norm").vjp(rows, GAMMA, BETA, cotangent=np.broadcast_to(1.0, X.shape))
    one = (X[0] - X[0].mean()) / np.sqrt(X[0].var() + 1e-5) * GAMMA + BETA
    np.testing.assert_allclose(y, np.broadcast_to(one, X.shape), rtol=1e-12)
    labels = np.broadcast_to(np.int64(4), 37)
    top = X.max(axis=1, keepdims=True)
    loss = np.log(np.exp(X - top).sum(axis=1)) + top[:, 0] - X[:, 4]
    assert kernel("softmax_cross_entropy")(X, labels) == pytest.approx(loss.mean(), rel=1e-13)


def test_strided_arrays_are_shared_out_over_threads_too(monkeypatch, kernel):
    monkeypatch.setenv("SYMCALC_THREADS", "3")
    x = RNG.normal(size=(2, 400_001))
    columns = np.asfortranarray(x)  # each row is every other number
    value, gradient = kernel("mse").value_and_grad(columns[0], columns[1])
    again, same = kernel("mse").value_and_grad(x[0], x[1])
    assert gradient.tobytes() == same.tobytes()
    exact = float(np.mean((x[0] - x[1]).astype("g") ** 2))
    assert value == pytest.approx(exact, rel=1e-14)
    assert again == pytest.approx(exact, rel=1e-14)


FEW = ("huber", "kl_divergence", "batch_norm")


@pytest.mark.parametrize("name", entries(quick=FEW))
def test_a_column_is_as_good_as_an_array(kernel, sample, name):
    objective, compiled = sc.get(name), kernel(name)
    sizes = extents(objective, 6, 3)
    arrays = sample(objective, 0, **sizes)
    columns = {key: np.stack([a, a + 1], -1)[..., 0] for key, a in arrays.items()}
    assert not any(column.flags.c_contiguous for column in columns.values())
    cotangent = cotangent_of(objective, sizes, np.random.default_rng(1))
    extra = {} if cotangent is None else {"cotangent": cotangent}
    call = compiled.value_and_grad if objective.is_scalar else compiled.vjp
    value, gradients = call(**arrays, **extra)
    found, same = call(**columns, **extra)
    gradients, same = (g if isinstance(g, tuple) else (g,) for g in (gradients, same))
    close([found, *same], [value, *gradients])


def test_inputs_may_overlap_each_other(kernel):
    """Reading twice harms nobody."""
    memory = RNG.normal(size=9)
    value, gradient = kernel("mse").value_and_grad(memory[:-1], memory[1:])
    gap = memory[:-1] - memory[1:]
    assert value == pytest.approx(np.mean(gap**2), rel=1e-15)
    np.testing.assert_allclose(gradient, gap / 4, rtol=1e-15)


OVERLAPS = {
    "the same": lambda memory: (memory[:8], memory[:8]),
    "one behind": lambda memory: (memory[:8], memory[1:9]),
    "the last entry": lambda memory: (memory[:8], memory[7:15]),
    "one byte": lambda memory: (memory[:8], memory.view(np.uint8)[63:127].view(np.float64)),
    "backwards": lambda memory: (memory[7::-1], memory[:8]),
    "interleaved at one entry": lambda memory: (memory[:15:2], memory[8:16]),
}
APART = {
    "side by side": lambda memory: (memory[:8], memory[8:16]),
    "interleaved": lambda memory: (memory[1:17:2], np.empty(8)),
}


@pytest.mark.parametrize("kind", OVERLAPS)
@pytest.mark.parametrize("way", ["value_and_grad", "grad", "by name", "fast", "bind"])
def test_a_buffer_that_overlaps_an_input_is_refused(kernel, kind, way):
    memory = np.arange(32.0)
    x, out = OVERLAPS[kind](memory)
    compiled, y = kernel("mse"), np.zeros(8)
    compiled.value_and_grad(y, y, out=np.empty(8))
    compiled.grad(y, y)
    calls = {
        "value_and_grad": lambda: compiled.value_and_grad(x, y, out=out),
        "grad": lambda: compiled.grad(y, x, out=out),
        "by name": lambda: compiled.value_and_grad(prediction=x, target=y, out=out),
        "fast": lambda: compiled.fast(x, y, out),
        "bind": lambda: compiled.bind(x, y, out=out),
    }
    with pytest.raises(sc.ArgumentError, match=r"out for prediction"):
        calls[way]()
    np.testing.assert_array_equal(memory, np.arange(32.0))


@pytest.mark.parametrize("kind", APART)
def test_a_buffer_beside_an_input_is_filled(kernel, kind):
    memory = np.arange(32.0)
    x, out = APART[kind](memory)
    before = x.copy()
    value, gradient = kernel("mse").value_and_grad(x, np.zeros(8), out=out)
    assert gradient is out
    np.testing.assert_array_equal(out, before / 4)
    assert value == np.mean(before**2)


def test_the_buffers_of_a_layer_are_all_apart(kernel):
    layer, n, d = kernel("layer_norm"), 4, 3
    x, ones = np.arange(12.0).reshape(n, d), np.ones(d)
    memory = np.empty(100)
    y, x_bar = memory[:12].reshape(n, d), memory[12:24].reshape(n, d)
    gamma_bar, beta_bar = memory[24:27], memory[27:30]
    good = (x_bar, gamma_bar, beta_bar)
    value, found = layer.vjp(x, ones, ones, cotangent=x, out=good, value_out=y)
    assert value is y
    assert found == good
    bad = [
        (good, x_bar), (good, x),
        ((x_bar, gamma_bar, gamma_bar), y), ((y, gamma_bar, beta_bar), y),
        ((x_bar, ones, beta_bar), y), ((x_bar, memory[23:26], beta_bar), y),
        ((x_bar, gamma_bar, memory[26:29]), y),
    ]  # fmt: skip
    for out, value_out in bad:
        with pytest.raises(sc.ArgumentError, match="overlaps"):
            layer.vjp(x, ones, ones, cotangent=x, out=out, value_out=value_out)
        with pytest.raises(sc.ArgumentError, match="overlaps"):
            layer.fast(x, ones, ones, x, 1e-5, value_out, *out)
