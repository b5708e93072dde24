"""Where the true value is finite and floating point usually loses it: references from mpmath."""

import functools

import mpmath
import numpy as np
import pytest
from entries import entries

import symcalc as sc

INF = float("inf")
mp = mpmath.mp


def exactly(function):
    """Evaluate at fifty digits."""

    @functools.wraps(function)
    def run(*arguments):
        with mpmath.workdps(50):
            return float(function(*(mpmath.mpf(float(a)) for a in arguments)))

    return run


BCE = (
    exactly(
        lambda z, y: (
            (1 - y) * z + mpmath.log1p(mpmath.exp(-z))
            if z > 0
            else mpmath.log1p(mpmath.exp(z)) - y * z
        )
    ),
    exactly(
        lambda z, y: (1 - y) - 1 / (1 + mpmath.exp(z)) if z > 0 else 1 / (1 + mpmath.exp(-z)) - y
    ),
)
LOG_COSH = (
    exactly(lambda p, t: mpmath.log(mpmath.cosh(p - t))),
    exactly(lambda p, t: mpmath.tanh(p - t)),
)


def ulps(found, true, dtype, least=0.0):
    """The distance in units of the last place of the true value, or of `least` if that is more."""
    true = np.asarray(true, dtype=np.float64)
    least = max(least, float(np.finfo(dtype).tiny))
    spacing = np.spacing(np.maximum(np.abs(true), least).astype(dtype))
    return np.max(np.abs(np.asarray(found, np.float64) - true) / spacing)


def one(kernel, x, y):
    """Value and slope of a loss at one sample."""
    value, gradient = kernel.value_and_grad(
        np.array([x], kernel.dtype), np.array([y], kernel.dtype)
    )
    return value, gradient[0]


LOGITS = [0.0, 1e-9, -1e-9, 0.5, -0.5, 3.0, 17.0, 36.0, 37.43, -37.43, 50.0, -50.0, 87.0, -87.0,
          100.0, -100.0, 700.0, -700.0, 745.0, -745.0, 800.0, -800.0, 1e20, -1e20]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.5, 0.25])
def test_binary_cross_entropy_keeps_its_digits(kernel, dtype, target):
    compiled = kernel("bce_with_logits", dtype=dtype)
    for logit in LOGITS:
        logit = float(np.dtype(dtype).type(logit))
        value, slope = one(compiled, logit, target)
        true_value, true_slope = (f(logit, target) for f in BCE)
        assert ulps(value, true_value, dtype) <= 4, (logit, value, true_value)
        least = target if 0 < target < 1 else 0.0  # the slope is a difference from the target
        assert ulps(slope, true_slope, dtype, least) <= 4, (logit, slope, true_slope)


def test_the_slope_that_was_lost_is_there(kernel):
    _, slope = one(kernel("bce_with_logits"), 37.43, 1.0)
    assert slope == pytest.approx(-5.55e-17, rel=0.01)
    value, _ = one(kernel("bce_with_logits"), -50.0, 0.0)
    assert value == pytest.approx(1.928749847963918e-22, rel=1e-14)


INFINITE = [
    (INF, 1.0, 0.0, 0.0),
    (-INF, 0.0, 0.0, 0.0),
    (INF, 0.0, INF, 1.0),
    (-INF, 1.0, INF, -1.0),
    (INF, 0.5, INF, 0.5),
    (-INF, 0.5, INF, -0.5),
]


@pytest.mark.parametrize(("logit", "target", "value", "slope"), INFINITE)
def test_an_infinite_logit_has_the_limits_loss(kernel, logit, target, value, slope):
    assert one(kernel("bce_with_logits"), logit, target) == (value, slope)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_log_cosh_keeps_its_digits(kernel, dtype):
    compiled = kernel("log_cosh", dtype=dtype)
    for x in (0.0, 1e-9, -1e-9, 1e-4, 0.1, -0.5, 0.999, 1.0, 1.001, 5.0, -30.0, 1e4, -1e4):
        x = float(np.dtype(dtype).type(x))
        value, slope = one(compiled, x, 0.0)
        assert ulps(value, LOG_COSH[0](x, 0), dtype) <= 8, x
        assert ulps(slope, LOG_COSH[1](x, 0), dtype) <= 8, x


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_softmax_cross_entropy_of_large_and_masked_logits(kernel, backend):
    call = kernel("softmax_cross_entropy", backend=backend).value_and_grad
    cases = [
        ([1e4, 0.0, -1e4], 1, 1e4, [1, -1, 0]),
        ([1e4, 0.0, -1e4], 0, 0.0, [0, 0, 0]),
        ([1e4, 1e4, 1e4], 2, np.log(3), [1 / 3, 1 / 3, -2 / 3]),
        ([-1e4, -1e4], 0, np.log(2), [-0.5, 0.5]),
        ([-INF, 1.0, 1.0], 1, np.log(2), [0, -0.5, 0.5]),
        ([-INF, -INF, 3.0], 2, 0.0, [0, 0, 0]),
        ([-INF, 1.0, 1.0], 0, INF, [-1, 0.5, 0.5]),
        ([7.0], 0, 0.0, [0]),
        ([1e308, -1e308], 0, 0.0, [0, 0]),
        ([INF, 1.0, 2.0], 0, 0.0, [0, 0, 0]),
        ([INF, 1.0, 2.0], 1, INF, [1, -1, 0]),
    ]
    for logits, label, value, gradient in cases:
        found, slope = call([logits], [label])
        loss = 1e-13 if backend == "numba" else 1e-11  # the witness subtracts L from the logit
        assert found == pytest.approx(value, rel=loss, abs=1e-300), logits
        np.testing.assert_allclose(slope[0], gradient, rtol=1e-11, atol=1e-300, err_msg=str(logits))


def test_cross_entropy_keeps_the_digits_of_a_confident_row(kernel):
    value, slope = kernel("softmax_cross_entropy").value_and_grad([[40.0, 0.0]], [0])
    true = exactly(lambda x: mpmath.log1p(mpmath.exp(-x)))(40)
    assert value == pytest.approx(true, rel=1e-13)
    assert slope[0, 1] == pytest.approx(true, rel=1e-13)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_divergence_with_probability_zero(kernel, backend):
    call = kernel("kl_divergence", backend=backend).value_and_grad
    value, slope = call(np.log([[0.5, 0.5]]), [[0.0, 1.0]])
    assert value == pytest.approx(np.log(2), rel=1e-15)
    np.testing.assert_array_equal(slope, [[0, -1]])
    value, slope = call([[-INF, 0.0]], [[0.0, 1.0]])
    assert value == 0
    np.testing.assert_array_equal(slope, [[0, -1]])
    value, slope = call([[-INF, 0.0]], [[0.5, 0.5]])
    assert value == INF
    np.testing.assert_array_equal(slope, [[-0.5, -0.5]])
    tiny = 5e-324
    value, _ = call([[0.0, 0.0]], [[tiny, 1.0]])
    assert value == pytest.approx(tiny * np.log(tiny), abs=1e-320)


def test_hinge_on_its_margin_and_l1_at_zero(kernel):
    value, slope = kernel("hinge").value_and_grad([1.0, -1.0, 0.5, 2.0], [1, -1, 1, 1])
    assert value == 0.125
    np.testing.assert_array_equal(slope, [0, 0, -0.25, 0])
    value, slope = kernel("l1").value_and_grad([0.0, -0.0, 2.0, -3.0])
    assert value == 5
    np.testing.assert_array_equal(slope, [0, 0, 1, -1])
    value, slope = kernel("mae").value_and_grad([1.0, 2.0], [1.0, 5.0])
    np.testing.assert_array_equal(slope, [0, -0.5])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_huber_on_its_boundary_in_its_tail_and_beyond(kernel, backend):
    call = kernel("huber", backend=backend).value_and_grad
    for r, delta, value, slope in [(1.0, 1.0, 0.5, 1.0), (-1.0, 1.0, 0.5, -1.0),
                                   (3.0, 2.0, 4.0, 2.0), (1e200, 1.0, 1e200, 1.0),
                                   (1e-200, 1.0, 0.0, 1e-200), (INF, 1.0, INF, 1.0),
                                   (0.5, INF, 0.125, 0.5), (0.0, 1e-300, 0.0, 0.0)]:  # fmt: skip
        found, gradient = call([r], [0.0], delta=delta)
        assert (found, gradient[0]) == (value, slope), (r, delta)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_nan_and_infinity_stay_in_their_row(kernel, backend):
    logits = np.array([[1.0, 2.0], [np.nan, 0.0], [3.0, 1.0]])
    call = kernel("softmax_cross_entropy", backend=backend).value_and_grad
    value, slope = call(logits, [0, 1, 1])
    assert np.isnan(value)
    assert np.isnan(slope).all(axis=1).tolist() == [False, True, False]
    assert np.isfinite(slope[[0, 2]]).all()
    layer = kernel("layer_norm", backend=backend)
    out, (x_bar, *_) = layer.vjp(logits, np.ones(2), np.ones(2), cotangent=np.ones((3, 2)))
    assert np.isnan(out).all(axis=1).tolist() == [False, True, False]
    assert np.isnan(x_bar).all(axis=1).tolist() == [False, True, False]
    value, slope = kernel("mse", backend=backend).value_and_grad([INF, 1.0], [0.0, 1.0])
    assert value == INF
    assert slope.tolist() == [INF, 0.0]


def test_a_constant_row_is_normalized_to_zero(kernel):
    x = np.full((2, 4), 1e6)
    out, (x_bar, gamma_bar, _) = kernel("layer_norm").vjp(
        x, np.ones(4), np.zeros(4), cotangent=np.arange(8.0).reshape(2, 4)
    )
    np.testing.assert_array_equal(out, 0)
    assert np.isfinite(x_bar).all()
    np.testing.assert_array_equal(gamma_bar, 0)


def test_a_large_mean_costs_a_variance_no_digits(kernel):
    x = 1e8 + np.array([[0.0, 1.0, 2.0, 3.0]])
    out, _ = kernel("layer_norm").vjp(x, np.ones(4), np.zeros(4), cotangent=x, eps=1e-12)
    np.testing.assert_allclose(out[0], (np.arange(4) - 1.5) / np.sqrt(1.25), rtol=1e-12)


def test_a_mean_in_single_precision_is_summed_in_double(kernel):
    n = 3_000_001
    x = np.full(n, 0.1, np.float32)
    value, _ = kernel("mse", dtype="float32").value_and_grad(x, np.zeros(n, np.float32))
    assert value == pytest.approx(float(np.float32(0.1)) ** 2, rel=1e-6)


@pytest.mark.parametrize("name", entries(lambda o: o.is_scalar))
def test_tiny_and_denormal_inputs_are_met(kernel, sample, name):
    arrays = sample(sc.get(name), n=4, c=3, d=4)
    wrt = sc.get(name).wrt[0]
    for tiny in (5e-324, 1e-310, 2.3e-308):
        value, gradient = kernel(name).value_and_grad(**{**arrays, wrt: arrays[wrt] * tiny})
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


@pytest.fixture(scope="module")
def formula():
    """Kernels of formulas in x (and y), compiled once."""

    @functools.cache
    def compiled(text, backend="numba", dtype="float64", wrt="x"):
        domains = {"y": "positive"} if "y[" in text else {}
        return sc.compile(sc.parse(text, wrt=wrt, domains=domains), backend=backend, dtype=dtype)

    return compiled


NORMS = [  # entries, their norm, and each entry over it
    ([3e200, -4e200], 5e200, [0.6, -0.8]),
    ([3e-200, 4e-200], 5e-200, [0.6, 0.8]),
    ([3 * 5e-324, -4 * 5e-324], 5 * 5e-324, [0.6, -0.8]),
    ([1e200, 1e-200, 1.0], 1e200, [1, 0, 1e-200]),
    ([1e-200, 1.0, 1e-200], 1.0, [1e-200, 1, 1e-200]),
    ([3e160, 4e160, 1e140], 5e160, [0.6, 0.8, 2e-21]),
    ([3e-155, 4e-155, 1e-170], 5e-155, [0.6, 0.8, 2e-16]),
    ([np.finfo(np.float64).max, 0.0], np.finfo(np.float64).max, [1, 0]),
    ([0.0, 0.0], 0.0, [0, 0]),
]


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(("x", "norm", "slope"), NORMS)
def test_a_norm_neither_overflows_nor_underflows(formula, backend, x, norm, slope):
    value, gradient = formula("norm2(i, x[i])", backend).value_and_grad(x)
    assert value == pytest.approx(norm, rel=4e-16, abs=0)
    np.testing.assert_allclose(gradient, slope, rtol=1e-15)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_norm_in_single_precision_neither_overflows_nor_underflows(formula, backend):
    kernel = formula("norm2(i, x[i])", backend, "float32")
    for scale in (1e37, 1.0, 1e-30, 2.0**-147):
        x = np.array([3 * scale, -4 * scale], np.float32)
        value, gradient = kernel.value_and_grad(x)
        assert value == pytest.approx(float(np.hypot(*x.astype(float))), rel=1e-7, abs=0)
        np.testing.assert_allclose(gradient, x / np.float32(value), rtol=3e-7)


def test_norms_of_rows_and_of_columns_are_scaled_each(formula):
    x = np.array([[3e200, 4e200], [3e-200, -4e-200]])
    _, rows = formula("sum(i, norm2(k, x[i, k]))").value_and_grad(x)
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.6, -0.8]], rtol=1e-15)
    _, columns = formula("sum(k, norm2(i, x[i, k]))").value_and_grad(x.T.copy())
    np.testing.assert_allclose(columns, [[0.6, 0.6], [0.8, -0.8]], rtol=1e-15)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_norm_of_what_is_not_finite(formula, backend):
    kernel = formula("norm2(i, x[i])", backend)
    assert kernel([1.0, -INF]) == INF
    for x in ([np.nan, 1.0], [np.nan, 1e300], [1e-300, np.nan], [np.nan, INF]):
        value, gradient = kernel.value_and_grad(x)
        assert np.isnan(value), x
        assert np.isnan(gradient).any(), x


REST_OF_EXP = exactly(lambda x: mpmath.expm1(x) - x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_left_of_exp_keeps_its_digits(formula, dtype):
    kernel = formula("sum(i, expm1x(x[i]))", dtype=dtype)
    for x in (1e-15, -1e-15, 1e-4, 0.3, -0.34, 0.35, -0.7, 2.0, -3.0, 40.0, -40.0, -1e10):
        x = float(np.dtype(dtype).type(x))
        value, slope = kernel.value_and_grad(np.array([x], dtype))
        assert ulps(value, REST_OF_EXP(x), dtype) <= 4, x
        assert ulps(slope[0], exactly(mpmath.expm1)(x), dtype) <= 2, x


DIVERGENCE = exactly(lambda x, y: x * mpmath.log(x / y) - x + y if x else y)
CLOSE = [(1.0, 1 + 1e-9), (3.0, 3 - 4e-16), (0.5, 0.6), (1.0, 4.1), (1.0, 0.24), (2e-5, 7.0),
         (7.0, 2e-5), (1e-30, 1e30), (1e30, 1e-30), (0.0, 2.0)]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("x", "y"), CLOSE)
def test_a_divergence_keeps_its_digits_where_its_arguments_are_close(formula, dtype, x, y):
    x, y = (float(np.dtype(dtype).type(v)) for v in (x, y))
    kernel = formula("sum(i, kl_div(x[i], y[i]))", dtype=dtype)
    value, slope = kernel.value_and_grad(np.array([x], dtype), np.array([y], dtype))
    assert ulps(value, DIVERGENCE(x, y), dtype) <= 4
    if x:
        assert ulps(slope[0], exactly(lambda x, y: mpmath.log(x / y))(x, y), dtype) <= 4


def test_a_divergence_over_the_whole_range_of_double(formula):
    kernel = formula("sum(i, kl_div(x[i], y[i]))")
    for x, y in ((1e300, 1e-300), (1e-300, 1e300), (5e-324, 1.0), (1e308, 1.7e308)):
        assert ulps(kernel([x], [y]), DIVERGENCE(x, y), "float64") <= 4, (x, y)
    assert kernel([1.0], [5e-324]) == pytest.approx(DIVERGENCE(1.0, 5e-324), rel=1e-15)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_both_backends_agree_on_the_new_atoms(formula, backend):
    x, y = np.array([0.3, 2.0, 5.0, 1.0]), np.array([0.30001, 9.0, 0.2, 1.0])
    for text, reference in (("kl_div(x[i], y[i])", DIVERGENCE),
                            ("log_ratio(x[i], y[i])", exactly(lambda a, b: mpmath.log(a / b))),
                            ("expm1x(x[i] - y[i])", None), ("erfc(x[i]*y[i])", None)):  # fmt: skip
        want = (
            sum(map(reference, x, y))
            if reference
            else sum(map(REST_OF_EXP, x - y))
            if "expm1x" in text
            else sum(map(exactly(mpmath.erfc), x * y))
        )
        found = formula(f"sum(i, {text})", backend)(x, y)
        assert found == pytest.approx(want, rel=1e-13), text


LOG1MEXP = exactly(
    lambda x: mpmath.log1p(-mpmath.exp(-x)) if x > 1 else mpmath.log(-mpmath.expm1(-x))
)


def test_edges_of_log1mexp_and_xlogy(formula):
    log1mexp = formula("sum(i, log1mexp(x[i]))")
    for x in (5e-324, 1e-300, 1e-10, 0.69, 0.7, 37.0, 700.0, 744.0):
        true = LOG1MEXP(x)
        assert ulps(log1mexp([x]), true, "float64", 5e-324) <= 4, x
    xlogy = formula("sum(i, xlogy(x[i], y[i]))")
    for x, y in ((0.0, 1e-300), (1e-300, 1e-300), (3.0, 1 + 2**-52), (-2.0, 5e-324)):
        true = exactly(lambda a, b: a * mpmath.log(b))(x, y)
        assert ulps(xlogy([x], [y]), true, "float64") <= 4, (x, y)


def test_powers_in_kernels(formula):
    kernel = formula("sum(i, y[i]**2.7 + 2**y[i] + y[i]**11)", wrt="y")
    true = exactly(lambda v: v ** mpmath.mpf("2.7") + 2**v + v**11)
    for y in (1e-5, 0.5, 1.0, 3.7, 20.0):
        assert kernel([y]) == pytest.approx(true(y), rel=2e-15), y
    value, slope = formula("sum(i, x[i]**11)").value_and_grad([-1.5])
    assert value == pytest.approx(-(1.5**11), rel=1e-15)
    assert slope[0] == pytest.approx(11 * 1.5**10, rel=1e-15)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_derivatives_of_log1mexp_vanish_where_its_argument_is_large(backend):
    kernel = sc.compile(
        sc.parse("sum(i, log1mexp(x[i]))", wrt="x", domains={"x": "positive"}), backend=backend
    )
    x = np.array([0.5, 400.0, 710.0, 745.0, 1e5])
    small = np.exp(-x)  # the slope is exp(-x)/(1 - exp(-x)), the curvature minus that over 1 - ...
    np.testing.assert_allclose(kernel.grad(x), small / (1 - small), rtol=1e-14, atol=5e-324)
    curvature = kernel.hvp(x, vector=np.ones(5))
    np.testing.assert_allclose(curvature, -small / (1 - small) ** 2, rtol=1e-14, atol=5e-324)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_square_divides_twice(backend):
    """The square of 1e-170 is zero; what it divides is brought back into range all the same."""
    quotient = sc.compile(
        sc.parse("sum(i, a[i]*b[i]/x[i]**2)", wrt="x", domains={"x": "positive"}), backend=backend
    )
    value, slope = quotient.value_and_grad(a=[1e-200], b=[1.0], x=[1e-170])
    if backend == "numba":
        assert value == pytest.approx(1e140, rel=1e-14)
        assert slope[0] == pytest.approx(-2e310, rel=1e-14) or slope[0] == -np.inf


def test_what_is_divided_by_a_denormal_in_several_places_is_no_reciprocals():
    made = sc.compile(sc.parse("sum(i, a[i]/x[i] + b[i]/x[i])", wrt="a", domains={"x": "positive"}))
    assert made(a=[0.0], b=[5e-324], x=[5e-324]) == 1
    assert made(a=[1e-310], b=[0.0], x=[1e-310]) == 1


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_choice_of_nothing_beside_an_exponential_is_nothing(backend):
    made = sc.compile("tweedie", backend=backend)
    value, slope = made.value_and_grad([-np.inf], [0.0])
    assert value == -2
    assert slope[0] == 0


def test_hyperparameters_close_to_one_cost_a_float32_kernel_no_digits():
    """1 - beta**step is computed in float64 though beta is a float32."""
    rng = np.random.default_rng(0)
    theta, gradient, m, v = np.abs(rng.normal(size=(4, 5))).astype(np.float32)
    single = sc.compile("adam", dtype="float32")
    exact = sc.compile("adam", backend="numpy")
    betas = {"beta1": float(np.float32(0.9)), "beta2": float(np.float32(0.999))}
    point = {"lr": 1.0, "eps": float(np.float32(1e-8)), **betas}
    for step in (1, 3):
        found = single(theta, gradient, m, v, step=step, **point)
        wanted = exact(*(a.astype(float) for a in (theta, gradient, m, v)), step=step, **point)
        np.testing.assert_allclose(found, wanted, rtol=4e-6)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinity_is_no_finite_number(backend, value):
    kernel = sc.compile("scaled_dot_product_attention_masked", backend=backend)
    q, k, v = np.ones((3, 2, 3))
    k[1, 0] = value
    mask = np.array([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(sc.ArgumentError, match="finite numbers"):
        kernel(q, k, v, mask)
    k[1, 0] = np.nan  # says so itself
    assert np.isnan(kernel(q, k, np.ones((2, 3)), np.ones((2, 2)))).any()
