"""What a kernel is called with: every usable array is used, every other refused by name."""

import warnings

import numpy as np
import pytest

import symcalc as sc

Z = np.array([0.3, -1.2, 2.0])
Y = np.array([1.0, 0.0, 0.25])
ROWS = np.arange(6.0).reshape(2, 3)
VALUE, GRADIENT = 0.8148552409498436, [-0.14185249, 0.07715841, 0.21026569]


@pytest.fixture(scope="module", params=["numba", "numpy"])
def bce(request, kernel):
    return kernel("bce_with_logits", backend=request.param).value_and_grad


@pytest.fixture(scope="module", params=["numba", "numpy"])
def entropy(request, kernel):
    return kernel("softmax_cross_entropy", backend=request.param).value_and_grad


class Wrapped:
    """Something that knows how to become an array."""

    def __array__(self, dtype=None, copy=None):
        return Z


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


USABLE = {
    "plain": Z,
    "list": Z.tolist(),
    "tuple": tuple(Z),
    "range of views": np.repeat(Z, 2)[::2],
    "reversed": Z[::-1].copy()[::-1],
    "read-only": frozen(Z),
    "big-endian": Z.astype(">f8"),
    "little-endian": Z.astype("<f8"),
    "a column": np.asfortranarray(np.stack([Z, Z], 1))[:, 0],
    "misaligned": np.frombuffer(b"\0" + Z.tobytes(), np.uint8)[1:].view(np.float64),
    "subclass": Z.view(type("Sub", (np.ndarray,), {})),
    "array protocol": Wrapped(),
    "list of NumPy scalars": list(Z),
}


@pytest.mark.parametrize("kind", USABLE)
def test_usable_arrays_are_used(bce, kind):
    value, gradient = bce(USABLE[kind], Y)
    assert value == pytest.approx(VALUE, rel=1e-14)
    np.testing.assert_allclose(gradient, GRADIENT, rtol=1e-7)
    assert type(gradient) is np.ndarray
    assert type(value) is float


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u8", "?", "f2", "f4", ">i2"])
def test_narrower_numbers_are_widened(bce, dtype):
    ones = np.array([1, 0, 1], dtype)
    value, gradient = bce(ones, ones)
    expected, slope = bce([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert value == expected
    np.testing.assert_array_equal(gradient, slope)


def test_fortran_order_is_only_another_order(entropy):
    labels = np.array([0, 2])
    value, gradient = entropy(np.asfortranarray(ROWS), labels)
    same_value, same_gradient = entropy(ROWS, labels)
    assert value == same_value
    np.testing.assert_array_equal(gradient, same_gradient)


def test_inputs_are_never_written_to(bce):
    z, y = Z.copy(), Y.copy()
    bce(z, y)
    np.testing.assert_array_equal(z, Z)
    np.testing.assert_array_equal(y, Y)


def test_an_array_may_stand_in_two_places(kernel):
    value, gradient = kernel("mse").value_and_grad(Z, Z)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


REFUSED = {
    "masked": np.ma.masked_array(Z, [0, 1, 0]),
    "object": Z.astype(object),
    "complex": Z + 0j,
    "text": "abc",
    "array of text": np.array(["1", "2", "3"]),
    "dates": np.array(["2020-01-01"] * 3, dtype="M8[D]"),
    "ragged": [[1, 2], [3]],
    "None": None,
    "dict": {"a": 1},
    "extended": Z.astype("g") if np.dtype("g").itemsize > 8 else Z + 0j,
    "structured": np.zeros(3, [("a", "f8")]),
    "generator": (z for z in Z),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_array_of_reals_is_a_type_error_that_names_it(bce, kind):
    with pytest.raises(sc.ArgumentTypeError, match="bce_with_logits: logits: expected"):
        bce(REFUSED[kind], Y)


SHAPES = [1.0, np.array(1.0), np.ones((3, 1)), np.ones((1, 3)), np.ones((2, 2, 2)), [[1.0, 2, 3]]]


@pytest.mark.parametrize("given", SHAPES, ids=lambda g: str(np.shape(g)))
def test_a_wrong_rank_is_named_with_both_shapes(bce, given):
    with pytest.raises(sc.ArgumentError, match=r"logits: expected shape \(n,\).*got \("):
        bce(given, Y)


def test_dims_that_disagree_are_named_with_their_owners(bce, entropy, kernel):
    with pytest.raises(sc.ArgumentError, match=r"targets: .*n = 3 from logits, got \(2,\)"):
        bce(Z, Y[:2])
    with pytest.raises(sc.ArgumentError, match=r"labels: .*n = 2 from logits, got \(3,\)"):
        entropy(ROWS, np.array([0, 1, 2]))
    with pytest.raises(sc.ArgumentError, match=r"beta: .*d = 3 from x, got \(2,\)"):
        kernel("layer_norm").vjp(ROWS, np.ones(3), np.ones(2), cotangent=ROWS)
    with pytest.raises(sc.ArgumentError, match=r"n = 2 from x"):
        kernel("layer_norm").vjp(ROWS, np.ones(3), np.ones(3), cotangent=ROWS[:1])
    with pytest.raises(sc.ArgumentError, match="p: "):
        kernel("kl_divergence").value_and_grad(ROWS, ROWS.T)


def test_arguments_are_named_when_missing_unknown_or_doubled(bce):
    cases = {
        "missing array 'targets'": ((Z,), {}),
        "missing array 'logits'": ((), {}),
        "expected 2 arrays": ((Z, Y, Z), {}),
        "unknown argument 'foo'": ((Z, Y), {"foo": 1}),
        "unknown argument 'delta'": ((Z, Y), {"delta": 1.0}),
        "logits was given twice": ((Z, Y), {"logits": Z}),
    }
    for message, (args, kwargs) in cases.items():
        with pytest.raises(sc.ArgumentTypeError, match=message):
            bce(*args, **kwargs)


def test_arrays_go_by_name_in_any_order(bce):
    assert bce(targets=Y, logits=Z)[0] == bce(Z, targets=Y)[0] == bce(Z, Y)[0]


def test_float64_is_not_quietly_rounded_to_float32(kernel):
    single = kernel("bce_with_logits", dtype="float32").value_and_grad
    with pytest.raises(sc.ArgumentTypeError, match="logits: expected float32, got float64"):
        single(Z, Y.astype("f4"))
    with pytest.raises(sc.ArgumentTypeError, match="targets: expected float32, got float64"):
        single(Z.astype("f4"), Y)
    assert single(Z.astype("f4"), Y.astype("f4"))[1].dtype == np.float32
    assert single(Z.tolist(), Y.tolist())[0] == pytest.approx(VALUE, rel=1e-6)


def test_a_literal_beyond_float32_is_refused(kernel):
    with pytest.raises(sc.SymcalcError, match="prediction"):
        kernel("mse", dtype="float32").value_and_grad([1e300, 0.0], [0.0, 0.0])


@pytest.mark.parametrize(
    "labels",
    [[0, 3], [-1, 0], [0, 2**40], np.array([1, 2**64 - 1], "u8"), np.array([0, 128], "u1")],
    ids=str,
)
def test_labels_out_of_range_are_named_with_their_place(entropy, labels):
    with pytest.raises(sc.ArgumentError, match=r"labels: expected integer labels, 0 to 2.*at \["):
        entropy(ROWS, labels)


@pytest.mark.parametrize("labels", [[0.0, 1.0], [True, False], ["0", "1"], [0, None], [0j, 1j]])
def test_labels_are_integers(entropy, labels):
    with pytest.raises(sc.ArgumentTypeError, match="labels: expected integer labels"):
        entropy(ROWS, np.array(labels))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "u8", ">i8"])
def test_integers_of_every_width_are_labels(entropy, dtype):
    assert entropy(ROWS, np.array([2, 0], dtype))[0] == entropy(ROWS, [2, 0])[0]


OUTSIDE = [
    ("bce_with_logits", (Z, [1.2, 0, 0]), "targets: expected probabilities, 0 to 1.*1.2"),
    ("bce_with_logits", (Z, [-0.1, 0, 0]), "targets: expected probabilities, 0 to 1.*-0.1"),
    ("bce_with_logits", (Z, [np.inf, 0, 0]), "targets: expected probabilities"),
    ("bce_with_logits", (Z, [0, -np.inf, 0]), "targets: expected probabilities"),
    ("bce_with_logits", (Z, [0, 0, 1 + 2**-52]), "targets: expected probabil.*1.0000000000000002"),
    ("hinge", (Z, [0, 1, -1]), "labels: expected labels -1 or .1"),
    ("hinge", (Z, [1, 0.5, -1]), "labels: expected labels -1 or .1"),
    ("kl_divergence", (np.log([[0.5, 0.5]]), [[0.2, 0.2]]), "p: expected probability rows.*0.4"),
    ("kl_divergence", (np.log([[0.5, 0.5]]), [[-0.2, 1.2]]), "p: expected probability rows"),
]  # fmt: skip


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(("name", "arrays", "message"), OUTSIDE)
def test_values_outside_their_domain_are_refused(kernel, backend, name, arrays, message):
    with pytest.raises(sc.ArgumentError, match=message):
        kernel(name, backend=backend).value_and_grad(*arrays)


def test_nan_goes_through_and_shows(bce):
    value, gradient = bce(Z, [np.nan, 0.5, 0.5])
    assert np.isnan(value)
    assert np.isnan(gradient).tolist() == [True, False, False]
    value, gradient = bce([0.1, np.nan, 0.2], Y)
    assert np.isnan(value)
    assert np.isnan(gradient).tolist() == [False, True, False]


def test_the_domain_can_be_left_unchecked_by_name(kernel):
    unchecked = kernel("bce_with_logits").unchecked
    value, _ = unchecked.value_and_grad(Z, [1.2, 0.0, 0.0])
    assert np.isfinite(value)
    with pytest.raises(sc.ArgumentError, match="targets"):
        unchecked.value_and_grad(Z, Y[:2])
    with pytest.raises(sc.ArgumentError, match="labels"):
        kernel("softmax_cross_entropy").unchecked.value_and_grad(ROWS, [0, 3])


@pytest.mark.parametrize("bad", [-1, 0, -0.0, np.nan, -np.inf, -1e-300])
def test_a_hyperparameter_outside_its_domain_is_refused(kernel, bad):
    with pytest.raises(sc.ArgumentError, match=r"huber: delta: expected .*positive numbers"):
        kernel("huber").value_and_grad(Z, Y, delta=bad)


@pytest.mark.parametrize("bad", ["a", 1j, [1.0, 2.0], np.ones(2), object(), {}, b"1", "1"])
def test_a_hyperparameter_is_a_number(kernel, bad):
    with pytest.raises(sc.ArgumentTypeError, match="huber: delta: expected a number"):
        kernel("huber").value_and_grad(Z, Y, delta=bad)


def test_hyperparameters_go_by_keyword_and_have_defaults(kernel):
    call = kernel("huber").value_and_grad
    assert call(Z, Y)[0] == call(Z, Y, delta=1)[0] == call(Z, Y, delta=np.float32(1))[0]
    with pytest.raises(sc.ArgumentTypeError, match="hyperparameters go by keyword"):
        call(Z, Y, 1.0)
    without = kernel("mean(i, a*x[i]**2)")
    with pytest.raises(sc.ArgumentTypeError, match="missing hyperparameter 'a'"):
        without.value_and_grad(Z)
    assert without.value_and_grad(Z, a=2)[0] == pytest.approx(2 * np.mean(Z**2))


def test_no_warning_is_left_behind(kernel):
    extreme = np.array([1e308, -1e308, 800.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for backend in ("numba", "numpy"):
            for name in ("mse", "bce_with_logits", "huber", "log_cosh"):
                kernel(name, backend=backend).value_and_grad(extreme, [0.0, 1.0, 0.0])
