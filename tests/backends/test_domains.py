"""Domains, held in the kernel's own pass: just inside is taken, just outside refused by name."""

import numpy as np
import pytest

import symcalc as sc

DTYPES = ("float64", "float32")


def above(x, dtype):
    return float(np.nextafter(np.dtype(dtype).type(x), np.dtype(dtype).type(np.inf)))


def below(x, dtype):
    return float(np.nextafter(np.dtype(dtype).type(x), np.dtype(dtype).type(-np.inf)))


DOMAINS = {
    # domain: (good entries, bad entries), each by dtype
    "probability": (
        lambda t: [0.0, -0.0, above(0, t), 0.5, below(1, t), 1.0, np.nan],
        lambda t: [below(0, t), above(1, t), -1.0, 2.0, np.inf, -np.inf],
    ),
    "plus_minus_one": (
        lambda t: [1.0, -1.0, np.nan],
        lambda t: [0.0, above(1, t), below(1, t), above(-1, t), below(-1, t), 2.0, np.inf],
    ),
    "mask": (
        lambda t: [0.0, -0.0, 1.0, np.nan],
        lambda t: [above(0, t), below(0, t), 0.5, above(1, t), below(1, t), -1.0, np.inf],
    ),
    "positive": (
        lambda t: [above(0, t), 1.0, np.finfo(t).max, np.inf, np.nan],
        lambda t: [0.0, -0.0, below(0, t), -1.0, -np.inf],
    ),
    "nonnegative": (
        lambda t: [0.0, -0.0, above(0, t), 1.0, np.finfo(t).max, np.inf, np.nan],
        lambda t: [below(0, t), -1.0, -np.inf],
    ),
}
WORDS = {
    "probability": "probabilities, 0 to 1", "plus_minus_one": r"labels -1 or \+1",
    "mask": "mask of 0 and 1", "positive": "positive numbers", "nonnegative": "non-negative num",
}  # fmt: skip


def of(kernel, domain, dtype):
    return kernel("mean(i, p[i]*x[i])", dtype=dtype, wrt="x", domains={"p": domain})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_least_step_outside_is_seen(kernel, domain, dtype):
    compiled, (good, bad) = of(kernel, domain, dtype), DOMAINS[domain]
    size, usual = 5_000, np.ones(5_000, dtype)  # more than a block
    x = np.ones(size, dtype)
    for entry in good(dtype):
        for place in (0, 4_096, size - 1):
            p = usual.copy()
            p[place] = entry
            value, gradient = compiled.value_and_grad(p=p, x=x)
            with np.errstate(over="ignore"):
                expected = (size - 1 + np.float64(entry)) / size
            assert value == pytest.approx(expected, rel=1e-6, nan_ok=True), (entry, place)
            assert gradient[place] == pytest.approx(entry / size, rel=1e-6, abs=0, nan_ok=True)
    for entry in bad(dtype):
        for place in (0, 4_096, size - 1):
            p = usual.copy()
            p[place] = entry
            message = rf"p: .*{WORDS[domain]}.*at \[{place}\]"
            for call in (compiled.value_and_grad, compiled):
                with pytest.raises(sc.ArgumentError, match=message):
                    call(p=p, x=x)


@pytest.mark.parametrize("domain", DOMAINS)
def test_one_wrong_entry_beside_nan_is_still_seen(kernel, domain):
    compiled, bad = of(kernel, domain, "float64"), DOMAINS[domain][1]("float64")[0]
    for p in ([np.nan, bad, 1.0], [bad, np.nan, 1.0], [1.0, np.nan, bad], [np.nan, np.nan, bad]):
        with pytest.raises(sc.ArgumentError, match="p: expected"):
            compiled.value_and_grad(p=np.array(p), x=np.ones(3))


def test_strided_and_large_arrays_are_held_against_their_domain_too(monkeypatch, kernel):
    monkeypatch.setenv("SYMCALC_THREADS", "3")
    compiled, n = kernel("bce_with_logits"), 300_000
    z, memory = np.zeros(n), np.full((n, 2), 7.0)
    y = memory[:, 0]
    y[:] = 0.5
    assert compiled.value_and_grad(z, y)[0] == pytest.approx(np.log(2), rel=1e-14)
    for place in (0, 12_345, n - 1):
        for given in (y, y.copy()):
            given[place] = 1 + 2**-52
            with pytest.raises(sc.ArgumentError, match=rf"targets: .*at \[{place}\]"):
                compiled.value_and_grad(z, given)
            given[place] = 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_probabilities_sum_to_one(kernel, dtype):
    compiled = kernel("kl_divergence", dtype=dtype)
    q = np.log(np.full((3, 2), 0.5)).astype(dtype)
    rows = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]], dtype)
    assert np.isfinite(compiled.value_and_grad(q, rows)[0])
    third = np.full((1, 3), 1 / 3, dtype)  # no three of them make one exactly
    assert np.isfinite(compiled.value_and_grad(np.log(third), third)[0])
    bad = [
        ([0.5, 0.498], "a row that sums to 0.99"), ([0.5, 0.502], "a row that sums to 1.00"),
        ([0.0, 0.0], "a row that sums to 0"), ([1.0, 1.0], "a row that sums to 2"),
        ([-0.5, 1.5], r"-0.5 at \[1, 0\]"), ([below(0, dtype), 1.0], r"at \[1, 0\]"),
        ([0.0, above(1, dtype)], r"at \[1, 1\]"), ([np.inf, 0.0], r"inf at \[1, 0\]"),
    ]  # fmt: skip
    for row, message in bad:
        p = rows.copy()
        p[1] = row
        with pytest.raises(sc.ArgumentError, match=f"p: expected probability rows.*{message}"):
            compiled.value_and_grad(q, p)
    rows[1] = [np.nan, 0.5]
    assert np.isnan(compiled.value_and_grad(q, rows)[0])
    rows[2] = [0.5, 0.7]  # NaN in one row hides no fault in another
    with pytest.raises(sc.ArgumentError, match=r"a row that sums to 1\.2"):
        compiled.value_and_grad(q, rows)


def test_weights_are_no_less_than_zero_and_not_all_of_them_zero(kernel):
    x, y = np.array([1.0, 2.0, 4.0]), np.zeros(3)
    call = kernel("mse").value_and_grad
    assert call(x, y, weights=[0.0, 0.0, 5e-324])[0] == 16
    assert call(x, y, weights=[-0.0, 1.0, 0.0])[0] == 4
    assert np.isnan(call(x, y, weights=[np.nan, 1.0, 0.0])[0])
    for weights, message in [
        ([0.0, 0.0, 0.0], "nothing but zeros"), ([-0.0, 0.0, 0.0], "nothing but zeros"),
        ([-5e-324, 1.0, 1.0], r"-5e-324 at \[0\]"), ([1.0, 1.0, -np.inf], r"-inf at \[2\]"),
        ([np.nan, -1.0, 1.0], r"-1.0 at \[1\]"),
    ]:  # fmt: skip
        with pytest.raises(sc.ArgumentError, match=f"weights: expected weights.*{message}"):
            call(x, y, weights=weights)


LABELS = [3, 4, 7, 100, 2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1, -1, -2, -(2**31), -(2**62),
          -(2**63), -(2**63) + 1]  # fmt: skip
LABELLED = {
    "softmax_cross_entropy": (),
    "reinforce": (np.ones(600),),
    "ppo_clip": (np.full(600, -1.0), np.ones(600)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LABELLED)
def test_no_label_reads_what_is_not_there(kernel, name, dtype):
    """Addresses that far away are not mapped: to read, or to write, there would be the end."""
    compiled = kernel(name, dtype=dtype)
    logits = np.zeros((600, 3), dtype)
    rest = [array.astype(dtype) for array in LABELLED[name]]
    for label in LABELS:
        for place in (0, 599):
            labels = np.arange(600) % 3
            labels[place] = label
            for checked in (compiled, compiled.unchecked):
                with pytest.raises(sc.ArgumentError, match=rf"{label} at \[{place}\]"):
                    checked.value_and_grad(logits, labels, *rest)


def test_labels_of_a_scatter_are_held_too(kernel):
    """A gradient by a table of rows is added to at the labels."""
    table = np.arange(6.0).reshape(3, 2)
    compiled = kernel(
        "sum(i, sum(j, w[y[i],j]*x[i,j]))", wrt="w",
        shapes={"w": "v d", "x": "n d", "y": "n"}, domains={"y": "label v"},
    )  # fmt: skip
    x = np.ones((4, 2))
    value, gradient = compiled.value_and_grad(w=table, x=x, y=[0, 2, 2, 2])
    assert value == 1 + 3 * 9
    assert gradient.tolist() == [[1, 1], [0, 0], [3, 3]]
    for label in LABELS:
        for call in (compiled.value_and_grad, compiled.grad, compiled):
            with pytest.raises(sc.ArgumentError, match=rf"y: .*{label} at \[1\]"):
                call(w=table, x=x, y=[0, label, 2, 2])


def test_a_hyperparameter_is_held_before_anything_is_computed(kernel):
    z = np.zeros(2)
    for name, key, bad in [
        ("huber", "delta", [0.0, -0.0, -5e-324, -np.inf, np.nan]),
        ("l1", "lam", [-5e-324, -1.0, np.nan]),
        ("elastic_net", "lam2", [-5e-324, np.nan]),
    ]:
        arrays = (z, z) if name == "huber" else (z,)
        compiled = kernel(name)
        compiled.value_and_grad(*arrays)
        for value in bad:
            out = np.full(2, 9.0)
            with pytest.raises(sc.ArgumentError, match=f"{name}: {key}: expected"):
                compiled.value_and_grad(*arrays, out=out, **{key: value})
            np.testing.assert_array_equal(out, 9)
    clip = kernel("ppo_clip")
    arrays = (np.zeros((1, 2)), [0], [-0.5], [1.0])
    for value in (-5e-324, 1 + 2**-52, np.nan, np.inf):
        with pytest.raises(sc.ArgumentError, match="ppo_clip: clip: expected"):
            clip.value_and_grad(*arrays, clip=value)
    assert np.isfinite(clip.value_and_grad(*arrays, clip=0.0)[0])
    assert np.isfinite(clip.value_and_grad(*arrays, clip=1.0)[0])


class Watched(np.ndarray):
    """An array that will not be looked at by NumPy."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        raise AssertionError(f"a pass over memory by {ufunc.__name__}")

    def __array_function__(self, func, types, args, kwargs):
        raise AssertionError(f"a pass over memory by {func.__name__}")


@pytest.mark.parametrize(
    ("name", "checked"),
    [("bce_with_logits", 1), ("hinge", 1), ("softmax_cross_entropy", 1), ("kl_divergence", 1)],
)
def test_good_data_is_looked_at_by_the_kernel_alone(monkeypatch, kernel, sample, name, checked):
    """Neither a complaint is looked for nor anything reduced outside the compiled code."""
    from symcalc.backends.checks import DomainCheck

    compiled = kernel(name)
    arrays = list(sample(sc.get(name), 0, n=50, c=3).values())
    expected = compiled.value_and_grad(*arrays)

    def looked(self, array, sizes):
        raise AssertionError("a second pass over memory")

    monkeypatch.setattr(DomainCheck, "complaint", looked)
    for call in (compiled.value_and_grad, lambda *a: compiled.value_and_grad(*a[:-1], **{
        sc.get(name).inputs[-1].name: a[-1]})):  # fmt: skip
        value, gradient = call(*arrays)
        assert value == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])
    arrays[checked] = arrays[checked].view(Watched)
    original = np.require

    def plain(array, dtype, flags):
        return np.ndarray(array.shape, array.dtype, array.data)

    monkeypatch.setattr(np, "require", plain)
    monkeypatch.setattr(np, "asarray", lambda array: array)
    value, _ = compiled.value_and_grad(*arrays)
    monkeypatch.setattr(np, "require", original)
    assert value == expected[0]


@pytest.mark.parametrize("name", ["bce_with_logits", "hinge", "softmax_cross_entropy"])
def test_the_domain_is_measured_in_the_loop_of_the_value(kernel, name):
    """One pass over the samples in the code, and the checked input is read nowhere else."""
    lines = kernel(name).source.splitlines()
    loops = [line for line in lines if " in range(start, stop):" in line]
    assert len(loops) == 1
    checked = sc.get(name).inputs[1].name
    start = lines.index(loops[0])
    depth = len(loops[0]) - len(loops[0].lstrip())
    stop = next(
        place for place in range(start + 1, len(lines))
        if len(lines[place]) - len(lines[place].lstrip()) <= depth
    )  # fmt: skip
    reads = [place for place, line in enumerate(lines) if f"{checked}[" in line]
    assert reads
    assert all(start < place < stop for place in reads)
    assert any(line.lstrip().startswith("if ") and "_suspect" in line for line in lines)
