"""The calls of a kernel: out=, vjp, wrt, reduction, weights, and arrays of nothing or of one."""

import numpy as np
import pytest

import symcalc as sc

Z = np.array([0.3, -1.2, 2.0])
Y = np.array([1.0, 0.0, 0.25])
ROWS = np.arange(6.0).reshape(2, 3)


@pytest.fixture(scope="module")
def bce(kernel):
    return kernel("bce_with_logits")


def test_out_is_filled_and_returned(kernel, bce):
    value, gradient = bce.value_and_grad(Z, Y)
    buffer = np.full(3, np.nan)
    again, returned = bce.value_and_grad(Z, Y, out=buffer)
    assert returned is buffer
    assert again == value
    np.testing.assert_array_equal(buffer, gradient)
    layer = kernel("layer_norm")
    buffers = tuple(np.full(shape, np.nan) for shape in ((2, 3), (3,), (3,)))
    arrays = (ROWS, np.ones(3), np.zeros(3))
    _, returned = layer.vjp(*arrays, cotangent=ROWS**2, out=buffers)
    _, fresh = layer.vjp(*arrays, cotangent=ROWS**2)
    for mine, theirs, made in zip(returned, buffers, fresh, strict=True):
        assert mine is theirs
        np.testing.assert_array_equal(mine, made)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda z: np.empty(3, "f4"), "expected a float64 array, got dtype float32"),
        (lambda z: np.empty(3, int), "expected a float64 array"),
        (lambda z: np.empty(3, ">f8"), "expected a float64 array"),
        (lambda z: np.empty(4), r"expected shape \(3,\), got \(4,\)"),
        (lambda z: np.empty((3, 1)), r"expected shape \(3,\), got \(3, 1\)"),
        (lambda z: np.empty(6)[::2], "C-contiguous"),
        (lambda z: np.broadcast_to(0.0, 3), "writable"),
        (lambda z: [0.0, 0.0, 0.0], "expected"),
        (lambda z: "abc", "expected"),
        (lambda z: (), "expected 1 arrays, got 0"),
        (lambda z: (np.empty(3), np.empty(3)), "expected 1 arrays, got 2"),
        (lambda z: z[:3], "overlaps"),
        (lambda z: z[1:], "overlaps"),
    ],
)
def test_out_that_does_not_fit_is_refused(kernel, backend, make, message):
    z = np.arange(4.0)
    compiled = kernel("bce_with_logits", backend=backend)
    with pytest.raises(sc.SymcalcError, match=f"out.*{message}"):
        compiled.value_and_grad(z[:3], Y, out=make(z))


def test_out_buffers_may_not_overlap_each_other(kernel):
    memory = np.empty(6)
    both = kernel("bce_with_logits", wrt=("logits", "targets"))
    with pytest.raises(sc.ArgumentError, match="out for targets overlaps"):
        both.value_and_grad(Z, Y, out=(memory[:3], memory[2:5]))
    both.value_and_grad(Z, Y, out=(memory[:3], memory[3:]))
    np.testing.assert_allclose(memory[3:], -Z / 3)


def test_the_gradient_has_the_structure_of_wrt(kernel, bce):
    assert isinstance(bce.value_and_grad(Z, Y)[1], np.ndarray)
    both = kernel("bce_with_logits", wrt=("logits", "targets"))
    _, gradients = both.value_and_grad(Z, Y)
    assert isinstance(gradients, tuple)
    assert len(gradients) == 2
    np.testing.assert_allclose(gradients[1], -Z / 3, rtol=1e-15)
    one = kernel("bce_with_logits", backend="numpy", wrt=("targets",)).grad(Z, Y)
    assert isinstance(one, tuple)
    np.testing.assert_allclose(one[0], -Z / 3, rtol=1e-15)
    swapped = kernel("bce_with_logits", backend="numpy", wrt=("targets", "logits")).grad(Z, Y)
    np.testing.assert_array_equal(swapped[0], one[0])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_value_gradient_and_both_agree(kernel, backend):
    compiled = kernel("bce_with_logits", backend=backend)
    value, gradient = compiled.value_and_grad(Z, Y)
    assert compiled(Z, Y) == value
    np.testing.assert_array_equal(compiled.grad(Z, Y), gradient)
    again, scaled = compiled.vjp(Z, Y, cotangent=2.0)
    assert again == value
    np.testing.assert_allclose(scaled, 2 * gradient, rtol=1e-15)


@pytest.mark.parametrize("cotangent", [np.ones(3), "a", None, 1j, [1.0, 2.0]])
def test_a_scalar_wants_a_scalar_cotangent(bce, cotangent):
    with pytest.raises(sc.SymcalcError, match="cotangent"):
        bce.vjp(Z, Y, cotangent=cotangent)


def test_a_layer_wants_a_cotangent_of_its_shape(kernel):
    layer = kernel("layer_norm")
    arrays = (ROWS, np.ones(3), np.zeros(3))
    with pytest.raises(sc.SymcalcError, match="cotangent"):
        layer.vjp(*arrays)
    with pytest.raises(sc.SymcalcError, match="cotangent"):
        layer.vjp(*arrays, cotangent=np.ones(3))
    for call in (layer.grad, layer.value_and_grad):
        with pytest.raises(sc.ArgumentTypeError, match=r"call vjp\("):
            call(*arrays)


W = np.array([1.0, 0.0, 2.0])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_weights_make_the_mean_a_weighted_mean(kernel, backend):
    compiled = kernel("bce_with_logits", backend=backend)
    losses = np.log1p(np.exp(Z)) - Y * Z
    value, gradient = compiled.value_and_grad(Z, Y, weights=W)
    assert value == pytest.approx((W * losses).sum() / W.sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, W * (1 / (1 + np.exp(-Z)) - Y) / 3, rtol=1e-13)
    same, _ = compiled.value_and_grad(Z, Y, weights=np.ones(3))
    assert same == pytest.approx(compiled.value_and_grad(Z, Y)[0], rel=1e-15)


def test_weights_that_make_no_sense_are_refused(bce, kernel):
    for bad in (-W, W[:2], W * 1j, np.ones((3, 1)), "abc"):
        with pytest.raises(sc.SymcalcError, match="weights"):
            bce.value_and_grad(Z, Y, weights=bad)
    with pytest.raises(sc.SymcalcError, match="weights"):
        kernel("l1").value_and_grad(Z, weights=W)
    with pytest.raises(sc.SymcalcError, match="weights"):
        kernel("layer_norm").vjp(ROWS, np.ones(3), np.ones(3), cotangent=ROWS, weights=W[:2])


def test_a_weighted_mean_of_nothing_is_refused(bce):
    with pytest.raises(sc.ArgumentError, match="weights"):
        bce.value_and_grad(Z, Y, weights=np.zeros(3))


def test_no_weights_is_a_way_to_say_none(bce):
    assert bce.value_and_grad(Z, Y, weights=None)[0] == bce.value_and_grad(Z, Y)[0]


def test_weights_of_a_sum_are_not_divided(kernel):
    value, gradient = kernel("mse", backend="numpy", reduction="sum").value_and_grad(
        Z, Y, weights=W
    )
    assert value == pytest.approx((W * (Z - Y) ** 2).sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, 2 * W * (Z - Y), rtol=1e-14)


@pytest.mark.parametrize("bad", ["bad", "", "Mean", 3, True])
def test_reductions_have_three_names(bad):
    with pytest.raises(sc.SymcalcError, match="reduction"):
        sc.compile("mse", reduction=bad)


@pytest.mark.parametrize("name", ["l1", "layer_norm"])
def test_what_averages_over_no_batch_has_no_reduction(name):
    with pytest.raises(sc.SymcalcError, match="reduction"):
        sc.compile(name, reduction="sum")


@pytest.mark.parametrize("options", [
    {"backend": "torch"}, {"dtype": "int64"}, {"dtype": None}, {"dtype": "f"}, {"wrt": "foo"},
    {"wrt": 3}, {"wrt": ("prediction", "prediction")}, {"wrt": ()}, {"wrt": ["prediction", 3]},
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(sc.SymcalcError):
        sc.compile("mse", **options)


def test_only_objectives_are_compiled():
    for bad in (3, None, b"mse", ["mse"]):
        with pytest.raises(sc.SymcalcError):
            sc.compile(bad)
    with pytest.raises(sc.UnknownObjectiveError, match="did you mean 'huber'"):
        sc.compile("hubr")


def test_a_kernel_may_be_compiled_any_number_of_times():
    kernels = [sc.compile("l2") for _ in range(3)]
    assert {k.value_and_grad([3.0, 4.0])[0] for k in kernels} == {12.5}
    again = sc.compile(sc.parse("lam/2*sum(j, theta[j]**2)", name="l2", defaults={"lam": 1.0}))
    assert again.value_and_grad([3.0, 4.0])[0] == 12.5


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_mean_of_nothing_is_refused_and_a_sum_of_nothing_is_zero(kernel, backend):
    none = np.empty(0)
    with pytest.raises(sc.ArgumentError, match=r"n of at least 1.*mean of nothing"):
        kernel("mse", backend=backend).value_and_grad(none, none)
    value, gradient = kernel("l1", backend=backend).value_and_grad(none)
    assert value == 0
    assert gradient.shape == (0,)
    with pytest.raises(sc.ArgumentError):
        kernel("softmax_cross_entropy", backend=backend).value_and_grad(np.empty((3, 0)), [0] * 3)
    with pytest.raises(sc.ArgumentError):
        kernel("kl_divergence", backend=backend).value_and_grad(*np.empty((2, 3, 0)))
    with pytest.raises(sc.ArgumentError, match="d of at least 1"):
        kernel("layer_norm", backend=backend).vjp(
            np.empty((3, 0)), none, none, cotangent=np.empty((3, 0))
        )
    out, (x_bar, gamma_bar, _) = kernel("layer_norm", backend=backend).vjp(
        np.empty((0, 3)), np.ones(3), np.ones(3), cotangent=np.empty((0, 3))
    )
    assert out.shape == x_bar.shape == (0, 3)
    np.testing.assert_array_equal(gamma_bar, 0)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_place_out_of_bounds_is_never_read(kernel, backend):
    fixed = kernel("sum(i, x[2]*x[i])", backend=backend)
    assert fixed.value_and_grad([1.0, 2.0, 3.0])[0] == 18
    for short in ([], [1.0], [1.0, 2.0]):
        with pytest.raises(sc.ArgumentError, match="x"):
            fixed.value_and_grad(short)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_shift_over_too_few_entries_is_an_empty_range(kernel, backend):
    total = kernel("sum(t, (V[t+1] - V[t])**2)", backend=backend)
    value, gradient = total.value_and_grad(np.ones(1))
    assert value == 0
    np.testing.assert_array_equal(gradient, [0])
    with pytest.raises(sc.ArgumentError, match="n_t"):
        total.value_and_grad(np.empty(0))
    mean = kernel("mean(t, (V[t+1] - V[t])**2)", backend=backend)
    with pytest.raises(sc.ArgumentError, match="of nothing"):
        mean.value_and_grad(np.ones(1))
