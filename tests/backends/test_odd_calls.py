"""What a kernel is called with on a bad day: a right number, or an error that names it."""

import array
import decimal
import fractions
import warnings

import numpy as np
import pytest

import symcalc as sc

Z = np.array([0.3, -1.2, 2.0])
Y = np.array([1.0, 0.0, 0.25])
ROWS = np.arange(6.0).reshape(2, 3)
MSE = float(np.mean((Z - Y) ** 2))


class Frame:
    """As a column of a data frame: an array of its own making, an index, a length."""

    index = ("a", "b", "c")

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


class Two:
    def __float__(self):
        return 2.0


class Index:
    def __index__(self):
        return 2


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise ValueError("no array today")


def subclass():
    return Z.view(type("Sub", (np.ndarray,), {}))


GOOD = {
    "column": lambda: Frame(Z),
    "array.array": lambda: array.array("d", Z),
    "memoryview": lambda: memoryview(Z),
    "tuple of fractions' floats": lambda: tuple(map(float, Z)),
    "list of 0-d arrays": lambda: [np.array(z) for z in Z],
    "subclass": subclass,
    "memory map": lambda: Z.copy().view(np.memmap),
}
BAD = {
    "bytes": b"123", "set": {1.0, 2.0}, "ellipsis": ...,
    "text": ["1", "2", "3"], "None inside": [None, 1.0, 2.0], "huge": [10**30, 1, 2],
    "huger": [10**400, 1.5, 2], "module": np, "class": np.ndarray, "function": len,
    "iterator": iter([1.0, 2.0, 3.0]), "values": {1: 2.0}.values(), "broken": Broken(),
    "times": np.array([1, 2, 3], "m8[s]"), "void": np.zeros(3, "V8"),
    "strings": np.array(["1", "2", "3"], np.dtypes.StringDType()),
    "masked": np.ma.masked_array(Z, [0, 0, 0]), "masked constant": np.ma.masked,
    "decimals": [decimal.Decimal(1)] * 3, "0-d": np.array(1.0), "number": 1.0,
    "deep": [[[[[[1.0]]]]]], "complex": Z + 0j, "extended": Z.astype("g") if np.dtype(
        "g").itemsize > 8 else Z + 0j,
}  # fmt: skip


@pytest.fixture(scope="module", params=["value", "grad", "value_and_grad"])
def way(request, kernel):
    """A call of the compiled kernel that returns its value, where there is one."""
    compiled = kernel("mse")
    compiled.value_and_grad(Z, Y)
    if request.param == "value":
        return compiled
    return getattr(compiled, request.param)


@pytest.mark.parametrize("kind", GOOD)
def test_what_can_be_an_array_is_one(way, kind):
    for arrays, named in [((GOOD[kind](), Y), {}), ((), {"target": Y, "prediction": GOOD[kind]()})]:
        found = way(*arrays, **named)
        found = found[0] if isinstance(found, tuple) else found
        if isinstance(found, float):
            assert found == pytest.approx(MSE, rel=1e-15)
        else:
            np.testing.assert_allclose(found, 2 * (Z - Y) / 3, rtol=1e-15)


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_is_refused_by_name(way, kind):
    for arrays, name in [((BAD[kind], Y), "prediction"), ((Z, BAD[kind]), "target")]:
        with pytest.raises(sc.SymcalcError, match=f"mse: {name}: expected"):
            way(*arrays)


def test_a_list_that_holds_itself_is_refused(kernel):
    itself = []
    itself.append(itself)
    with pytest.raises(sc.ArgumentTypeError, match="prediction: expected"):
        kernel("mse")(itself, Y)


def test_a_matrix_is_two_dimensional(kernel):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
        with pytest.raises(sc.ArgumentError, match=r"prediction: expected shape \(n,\), got"):
            kernel("mse")(matrix[0], Y)
        value = kernel("softmax_cross_entropy")(matrix, [1, 1])
        assert value == pytest.approx(np.log1p(np.exp(-1)), rel=1e-14)


NUMBERS = [
    2, 2.0, np.float32(2), np.float64(2), np.int8(2), np.array(2.0), np.array(2), Two(), Index(),
    decimal.Decimal(2), fractions.Fraction(2),
]  # fmt: skip
NO_NUMBERS = [
    "2", b"2", bytearray(b"2"), np.str_("2"), 2j, np.complex128(2), [2.0], (2.0,), np.ones(1),
    np.ones((1, 1)), {}, None, len, float, np.ma.masked, np.datetime64("2020"), np.timedelta64(2),
    np.timedelta64(2, "s"), decimal.Decimal("sNaN"), ...,
]  # fmt: skip


@pytest.mark.parametrize("delta", NUMBERS, ids=lambda d: type(d).__name__)
def test_a_number_of_any_type_is_a_hyperparameter(kernel, delta):
    for _ in range(2):
        assert kernel("huber").value_and_grad([3.0], [0.0], delta=delta)[0] == 4
    assert kernel("huber").fast(np.array([3.0]), np.zeros(1), delta, np.empty(1)) == 4


@pytest.mark.parametrize("delta", NO_NUMBERS, ids=repr)
def test_anything_else_is_none(kernel, delta):
    compiled = kernel("huber")
    message = "missing hyperparameter 'delta'" if delta is None else "delta: expected a number"
    calls = [
        lambda: compiled.value_and_grad(Z, Y, delta=delta),
        lambda: compiled.bind(Z, Y, delta=delta),
        lambda: compiled.fast(Z, Y, delta, np.empty(3)),
        lambda: compiled.hvp(Z, Y, vector=Z, delta=delta),
    ]
    for call in calls:
        with pytest.raises(sc.ArgumentTypeError, match=message):
            call()
    if delta is not None:
        with pytest.raises(sc.ArgumentTypeError, match="cotangent of a number: expected a number"):
            compiled.vjp(Z, Y, cotangent=delta)


@pytest.mark.parametrize("huge", [10**400, -(10**400)])
def test_a_number_beyond_float64_is_refused(kernel, huge):
    with pytest.raises(sc.ArgumentError, match="delta: expected a number within the range"):
        kernel("huber").value_and_grad(Z, Y, delta=huge)
    with pytest.raises(sc.ArgumentError, match="cotangent of a number: expected a number within"):
        kernel("huber").vjp(Z, Y, cotangent=huge)


def test_whole_numbers_are_not_rounded_quietly(kernel):
    double, single = kernel("mse"), kernel("mse", dtype="float32")
    zeros = np.zeros(2)
    for good in (2**53, -(2**53), 2**53 + 2, -(2**63)):
        assert double(np.array([good, 0]), zeros) == pytest.approx(float(good) ** 2 / 2, rel=1e-15)
    assert double(np.array([2**63, 0], "u8"), zeros) == 2.0**125
    for bad in (2**53 + 1, -(2**53) - 1, 2**63 - 1):
        with pytest.raises(sc.ArgumentError, match=rf"prediction: .*exactly, got {bad} at \[1\]"):
            double(np.array([0, bad]), zeros)
    with pytest.raises(sc.ArgumentError, match=r"float64 holds exactly, got 18446744073709551615"):
        double(np.array([2**64 - 1, 0], "u8"), zeros)
    assert single(np.array([2**24, 2]), zeros.astype("f4")) == pytest.approx(2.0**47, rel=1e-6)
    with pytest.raises(sc.ArgumentError, match=r"float32 holds exactly, got 16777217 at \[0\]"):
        single(np.array([2**24 + 1, 2], "i4"), zeros.astype("f4"))


def test_labels_of_nothing_may_be_an_empty_list(kernel):
    total = kernel("softmax_cross_entropy", reduction="sum")
    value, gradient = total.value_and_grad(np.empty((0, 3)), [])
    assert value == 0
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize(
    "out", [{}, {"prediction": Z}, True, "abc", {1}, (None,), [], (), iter([Z]), np.ma.zeros(3), 0],
    ids=lambda o: type(o).__name__,
)  # fmt: skip
def test_odd_buffers_are_refused_every_time(kernel, out):
    compiled = kernel("mse")
    compiled.grad(Z, Y)
    for call in (compiled.value_and_grad, compiled.grad):
        for _ in range(2):
            with pytest.raises(sc.ArgumentTypeError, match="mse: out"):
                call(Z, Y, out=out)


def test_one_buffer_may_come_in_a_list(kernel):
    out = np.empty(3)
    _, gradient = kernel("mse").value_and_grad(Z, Y, out=[out])
    assert gradient is out


def test_a_number_has_no_buffer(kernel):
    compiled = kernel("mse")
    for _ in range(2):
        compiled(Z, Y)
        with pytest.raises(sc.ArgumentTypeError, match="out: the value is a number"):
            compiled(Z, Y, out=np.empty(3))
    with pytest.raises(sc.ArgumentTypeError, match="value_out: the value is a number"):
        compiled.vjp(Z, Y, cotangent=1.0, value_out=np.empty(1))


def test_what_is_missing_is_named(kernel):
    compiled, layer = kernel("mse"), kernel("layer_norm")
    cases = [
        (lambda: compiled.hvp(Z, Y), "hvp: missing vector="),
        (lambda: compiled.jvp(Z, Y), "tangents: expected a dict"),
        (lambda: compiled.vjp(Z, Y), "vjp: missing cotangent="),
        (lambda: layer.vjp(ROWS, Z, Z), "vjp: missing cotangent="),
        (lambda: compiled.jvp(Z, Y, tangents=[Z]), "tangents: expected a dict"),
        (lambda: compiled.jvp(Z, Y, tangents={}), "tangents: expected a dict"),
        (lambda: compiled.jvp(Z, Y, tangents={1: Z}), "tangents: expected a dict"),
        (lambda: compiled.jvp(Z, Y, tangents={"prediction": None}), "tangents.'prediction'"),
        (lambda: compiled.hvp(Z, Y, vector=Z[:2]), "vector: expected shape"),
        (lambda: compiled.hvp(Z, Y, vector=(Z, Z)), "vector: expected 1 arrays, got 2"),
    ]
    for call, message in cases:
        with pytest.raises(sc.SymcalcError, match=message):
            call()


@pytest.mark.parametrize("name", ["self", "mode", "arrays", "named", "outt", "cotangent", "logits"])
def test_unknown_keywords_are_unknown_whatever_they_are_called(kernel, name):
    compiled = kernel("mse")
    for call in (compiled, compiled.grad, compiled.value_and_grad):
        with pytest.raises(sc.ArgumentTypeError, match=f"unknown argument '{name}'; expected pred"):
            call(Z, Y, **{name: 1.0})
    with pytest.raises(sc.ArgumentTypeError, match=r"expected prediction, target, vector$"):
        compiled.hvp(Z, Y, vector=Z, nothing=1.0)
    with pytest.raises(sc.ArgumentTypeError, match=r"expected x, gamma, beta, cotangent, eps$"):
        kernel("layer_norm").vjp(ROWS, Z, Z, cotangent=ROWS, nothing=1.0)


def test_arrays_come_in_order_and_by_name_at_once(kernel):
    compiled = kernel("mse")
    assert compiled(Z, target=Y) == compiled(Z, Y)
    with pytest.raises(sc.ArgumentTypeError, match="prediction was given twice"):
        compiled(Z, prediction=Y)
    with pytest.raises(sc.ArgumentTypeError, match="missing array 'prediction'"):
        compiled(target=Y)


W = np.array([1.0, 0.0, 3.0])


def test_every_call_of_a_mean_takes_weights(kernel):
    compiled, v = kernel("mse"), np.array([1.0, 1.0, -2.0])
    gap, slope = Z - Y, 2 * W * (Z - Y) / 4
    value = (W * gap**2).sum() / 4
    assert compiled(Z, Y, weights=W) == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(compiled.grad(Z, Y, weights=W), slope, rtol=1e-14)
    found, scaled = compiled.vjp(Z, Y, cotangent=-2, weights=W)
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(scaled, -2 * slope, rtol=1e-14)
    found, tangent = compiled.jvp(Z, Y, tangents={"prediction": v}, weights=W)
    assert (found, tangent) == (pytest.approx(value, rel=1e-14), pytest.approx(slope @ v))
    curvature = 2 * W / 4
    np.testing.assert_allclose(compiled.hvp(Z, Y, vector=v, weights=W), curvature * v, rtol=1e-14)
    np.testing.assert_allclose(compiled.hessian(Z, Y, weights=W), np.diag(curvature), rtol=1e-14)
    np.testing.assert_allclose(compiled.hessian_diagonal(Z, Y, weights=W), curvature, rtol=1e-14)
    for call in (
        lambda **w: compiled.jvp(Z, Y, tangents={"prediction": v}, **w),
        lambda **w: compiled.vjp(Z, Y, cotangent=1.0, **w)[0],
        lambda **w: compiled.hvp(Z, Y, vector=v, **w).tolist(),
        lambda **w: compiled.hessian_diagonal(Z, Y, **w).tolist(),
    ):
        assert call(weights=None) == call()


def test_a_cotangent_may_be_infinite_or_vanish(kernel):
    compiled = kernel("mse")
    _, gradient = compiled.vjp([1.0, 2.0], [1.0, 0.0], cotangent=np.inf)
    np.testing.assert_array_equal(gradient, [np.nan, np.inf])
    _, gradient = compiled.vjp([1e300, 2.0], [0.0, 2.0], cotangent=1e300)
    np.testing.assert_array_equal(gradient, [np.inf, 0.0])
    _, gradient = compiled.vjp([1.0, 2.0], [1.0, 0.0], cotangent=np.nan)
    assert np.isnan(gradient).all()


@pytest.mark.parametrize("mode", ["foo", "", 3, "jvp", "jvp foo", "jvp labels", "vjp", "grad x"])
def test_a_mode_that_is_none_cannot_be_prepared(mode):
    with pytest.raises(sc.ArgumentTypeError, match="mode: expected value, grad"):
        sc.compile("softmax_cross_entropy").prepare(mode)


def test_modes_can_be_prepared(kernel):
    compiled = sc.compile("mse")
    for mode in (None, "value", "grad", "hvp", "jvp target"):
        assert compiled.prepare(mode) is compiled
    assert "hvp" in repr(compiled)


def test_an_error_is_of_the_kind_that_python_has_for_it(kernel):
    compiled = kernel("mse")
    with pytest.raises(ValueError, match="target"):
        compiled(Z, Y[:2])
    with pytest.raises(TypeError, match="target"):
        compiled(Z, "abc")
    with pytest.raises(TypeError, match="missing array"):
        compiled(Z)
    with pytest.raises(KeyError):
        sc.get("nothing of the kind")


def test_what_an_argument_raises_of_its_own_is_not_hidden(kernel):
    class Interrupted:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernel("mse")(Interrupted(), Y)


def test_vectors_are_no_positional_arrays():
    made, x = sc.compile("mse", backend="numpy"), np.ones(3)
    with pytest.raises(
        sc.ArgumentTypeError, match=r"missing array 'target'; expected prediction, target$"
    ):
        made.hvp(x, vector=x)
    with pytest.raises(
        sc.ArgumentTypeError, match=r"expected 2 arrays \(prediction, target\), got 3"
    ):
        made.hvp(x, x, x, vector=x)
