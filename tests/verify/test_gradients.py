"""check_gradient: wrong gradients are caught and told, right ones are not accused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import symcalc as sc
from symcalc.verify.differences import noise_level, slopes
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS


def mse(x, y):
    return np.mean((x - y) ** 2)


def mse_slope(x, y):
    return 2 * (x - y) / x.size


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def deviations(x):
    return np.var(x, ddof=1)


def first_largest(x):
    slope = np.zeros_like(x)
    slope[np.argmax(x)] = 1
    return slope


def shared_largest(x):
    return (x == x.max()) / np.sum(x == x.max())


def softmax_loss(z, y):
    shifted = z - z.max(1, keepdims=True)
    picked = shifted[np.arange(len(z)), y]
    return np.mean(np.log(np.exp(shifted).sum(1)) - picked)


def softmax_slope(z, y):
    shares = np.exp(z - z.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    shares[np.arange(len(z)), y] -= 1
    return shares / len(z)


def logistic(z, y):
    return np.mean(np.logaddexp(0, z) - y * z)


def logistic_slope(z, y):
    return (1 / (1 + np.exp(-z)) - y) / z.size


# what is wrong, at how many entries, and how the diagnosis puts it
WRONG = {
    "half, at 1e5 (jax#3130)": (mse, lambda x, y: (x - y) / x.size, 100_000, "factor 1/2"),
    "sign": (mse, lambda x, y: -mse_slope(x, y), 5, "sign"),
    "zero": (mse, lambda x, y: 0 * x, 5, "zero where it should not be"),
    "n": (mse, lambda x, y: 2 * (x - y), 7, "factor n, n = 7"),
    "1e-8": (mse, lambda x, y: (1 + 1e-8) * mse_slope(x, y), 9, ""),
    "NaN": (mse, lambda x, y: mse_slope(x, y) * np.where(x == x.max(), np.nan, 1), 5, "not finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_gradient_is_told(case):
    fun, grad, n, words = WRONG[case]
    report = sc.check_gradient(fun, grad, normal(n), normal(n, seed=1))
    assert report.verdict == FAIL
    assert not report
    assert words in report.diagnosis
    assert words in str(report)
    assert report.wrongs


def test_n_for_n_less_one_at_1500_entries():
    report = sc.check_gradient(deviations, lambda x: 2 * (x - x.mean()) / x.size, normal(1500))
    assert report.diagnosis == "factor (n-1)/n, n = 1500"
    (x,) = report.example.arrays
    assert x.shape == (2,)
    assert np.array_equal(x, np.round(x, 1))


def test_one_wrong_entry_among_ten_thousand():
    def grad(x, y):
        return np.where(np.arange(x.size) == 777, 1.5, 1.0) * mse_slope(x, y)

    report = sc.check_gradient(mse, grad, normal(10_000), normal(10_000, seed=1))
    assert [wrong.entry for wrong in report.wrongs] == [(777,)]
    assert report.diagnosis == "factor 3/2"


def test_errors_that_cancel_in_a_sum():
    """Pytorch#57166: a projection on ones does not see them."""

    def grad(x, y):
        error = np.where(np.arange(x.size) % 2, 1e-3, -1e-3)
        return mse_slope(x, y) + error - error.mean()

    assert sc.check_gradient(mse, grad, normal(1000), normal(1000, seed=1)).verdict == FAIL


@pytest.mark.parametrize("shape", [(4, 4), (3, 3)])
def test_transposed(shape):
    a, b = normal(*shape), normal(*shape, seed=1)

    def grad(a, b):
        return ((1 - np.tanh(a @ b) ** 2) @ b.T).T

    report = sc.check_gradient(lambda a, b: np.tanh(a @ b).sum(), grad, a, b)
    assert report.diagnosis == "transposed"
    assert max(array.size for array in report.example.arrays) <= 4


def test_a_softmax_shrinks_by_rows_and_classes():
    report = sc.check_gradient(
        softmax_loss, lambda z, y: 2 * softmax_slope(z, y), normal(40, 7), np.arange(40) % 7
    )
    assert report.diagnosis == "factor 2"
    logits, labels = report.example.arrays
    assert logits.size <= 6
    assert labels.size == 1
    assert labels.dtype.kind == "i"


RIGHT = {
    "relu at 0": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, [0.0, 1, -1, 0]),
    "relu at 0, of one": (lambda x: np.maximum(x, 0).sum(), lambda x: (x >= 0) * 1.0, [0.0, 1, -1]),
    "abs at 0": (lambda x: np.abs(x).sum(), np.sign, np.round(normal(300))),
    "negated abs": (lambda x: -np.abs(x).mean(), lambda x: -np.sign(x) / x.size, [0.0, 0.0, 2.0]),
    "abs both ways": (
        lambda x: np.abs(x[::2]).sum() - np.abs(x[1::2]).sum(),
        lambda x: np.sign(x) * np.where(np.arange(x.size) % 2, -1, 1), np.zeros(10),
    ),
    "max tied": (np.max, first_largest, np.ones(7)),
    "max tied, shared": (np.max, shared_largest, np.ones(700)),
    "log": (lambda x: np.log(x).sum(), lambda x: 1 / x, normal(40) ** 8),
    "domain's end": (lambda x: (x * np.sqrt(x)).sum(), lambda x: 1.5 * np.sqrt(x), [0.0, 1.0]),
    "stiff": (lambda x: np.sin(1e4 * x).sum(), lambda x: 1e4 * np.cos(1e4 * x), normal(6)),
    "constant": (lambda x: 3.0, np.zeros_like, normal(4)),
    "minimum": (lambda x: (x**2).sum(), lambda x: 2 * x, np.zeros(5)),
    "one number": (lambda x: x**3, lambda x: 3 * x**2, np.array(1.5)),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_gradient_passes(case):
    fun, grad, x = RIGHT[case]
    report = sc.check_gradient(fun, grad, np.asarray(x, dtype=float))
    assert report, str(report)
    assert report.example is None


@pytest.mark.parametrize("scale", [1e-150, 1e-10, 1e10, 1e150])
def test_scales(scale):
    x, y = scale * normal(50), scale * normal(50, seed=1)
    assert sc.check_gradient(mse, mse_slope, x, y)
    assert sc.check_gradient(mse, lambda x, y: mse_slope(x, y) / 2, x, y).verdict == FAIL


def test_offsets():
    x, y = normal(50), normal(50, seed=1)
    assert sc.check_gradient(mse, mse_slope, 1e10 + x, 1e10 + y)
    assert sc.check_gradient(lambda x, y: 1e10 + mse(x, y), mse_slope, x, y)


def test_a_gradient_below_the_noise_is_inconclusive():
    report = sc.check_gradient(
        lambda x, y: 1e20 + mse(x, y), mse_slope, normal(5), normal(5, seed=1)
    )
    assert report.verdict == INCONCLUSIVE
    assert not report
    assert any("noise" in note for note in report.notes)


def test_an_infinite_slope_is_inconclusive():
    def slope(x):
        return 0.5 / np.sqrt(np.maximum(x, 1e-300))

    report = sc.check_gradient(lambda x: np.sqrt(x).sum(), slope, np.array([0.0, 1.0]))
    assert report.verdict == INCONCLUSIVE
    assert report.notes


def test_kinks_do_not_hide_what_is_wrong_beside_them():
    x = np.round(normal(5000), 1)  # some four per cent are zero
    report = sc.check_gradient(lambda x: np.abs(x).mean(), lambda x: 0.99 * np.sign(x) / x.size, x)
    assert report.verdict == FAIL
    assert "0.99" in report.diagnosis


def test_a_subgradient_beyond_the_slopes_fails():
    grad = lambda x: np.where(x > 0, 1.0, 0.0) + 1.5 * (x == 0)  # noqa: E731
    report = sc.check_gradient(lambda x: np.maximum(x, 0).sum(), grad, np.array([0.0, 1.0]))
    assert [wrong.entry for wrong in report.wrongs] == [(0,)]


@pytest.mark.parametrize("n", [50, 10_000])
def test_float32(n):
    x, y = normal(n).astype("f"), normal(n, seed=1).astype("f")
    assert sc.check_gradient(mse, mse_slope, x, y)
    report = sc.check_gradient(mse, lambda x, y: mse_slope(x, y) / 2, x, y)
    assert report.diagnosis == "factor 1/2"
    assert report.example.arrays[0].dtype == np.float32


def test_spellings_of_the_gradient():
    x, y = normal(6), normal(6, seed=1)
    assert sc.check_gradient(lambda x, y: (mse(x, y), mse_slope(x, y)), True, x, y)
    assert sc.check_gradient(mse, lambda x, y: (mse_slope(x, y), -mse_slope(x, y)), x, y)
    assert sc.check_gradient(mse, lambda x, y: -mse_slope(x, y), x, y, argnums=1)
    scaled = lambda x, y, scale: scale * mse(x, y)  # noqa: E731
    assert sc.check_gradient(scaled, lambda x, y, scale: scale * mse_slope(x, y), x, y, scale=3.0)
    assert sc.check_gradient(lambda x: x * x, lambda x: 2 * x, 3.0)
    report = sc.check_gradient(mse, lambda x, y: (mse_slope(x, y), mse_slope(x, y)), x, y)
    assert report.diagnosis == "argument 1: sign" or report.diagnosis == "sign"


def test_a_kernel_has_its_own_gradient(kernel):
    x, y = normal(9), normal(9, seed=1)
    assert sc.check_gradient(kernel("huber"), None, x, y, delta=0.7)


def test_no_argument_is_changed():
    x, y = normal(6), normal(6, seed=1)

    def grad(a, b):
        found = mse_slope(a, b)
        a[:] = 0  # a careless function does not spoil the check
        return found

    kept = x.copy()
    assert sc.check_gradient(mse, grad, x, y)
    assert np.array_equal(x, kept)


def test_what_is_shown():
    report = sc.check_gradient(mse, lambda x, y: 3 * mse_slope(x, y), normal(3), normal(3, seed=1))
    shown = str(report)
    for word in ("single entries", "diagnosis: factor 3", "smallest example", "came", "expected"):
        assert word in shown
    assert "diagnosis: factor 3" in report._repr_html_()
    assert "factor 3" in str(report.table().caption)


BAD = {
    "fun is none": ((None, np.sign, [1.0]), TypeError, "fun: expected a function, got NoneType"),
    "grad is none": ((mse, None, [1.0]), TypeError, "grad: expected a function, or True"),
    "no arrays": ((mse, np.sign), TypeError, "arrays: expected at least one"),
    "shape": ((np.sum, lambda x: x[:2], np.ones(3)), ValueError, r"shape \(3,\), got \(2,\)"),
    "complex": ((np.sum, np.sign, np.ones(3) * 1j), TypeError, "expected real numbers, got compl"),
    "NaN": ((np.sum, np.sign, np.array([1, np.nan])), ValueError, r"got NaN at \[1\]"),
    "empty": ((np.sum, np.sign, np.ones(0)), ValueError, "at least one entry"),
    "integers": ((np.sum, np.sign, np.arange(3)), TypeError, "float64 or float32, got int64"),
    "words": ((np.sum, np.sign, np.array(["a"])), TypeError, "expected an array of numbers"),
    "no number": ((np.sign, np.sign, np.ones(3)), ValueError, r"expected one number, got shape"),
    "not finite": ((lambda x: np.inf, np.sign, np.ones(3)), ValueError, "a finite value"),
    "too many": ((np.sum, lambda x: (x, x), np.ones(3)), ValueError, "at most 1 arrays"),
    "half a pair": ((np.sum, True, np.ones(3)), TypeError, "value, gradient"),
    "complex gradient": ((np.sum, lambda x: x * 1j, np.ones(3)), TypeError, "grad: argument 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    arguments, kind, message = BAD[case]
    with pytest.raises(sc.SymcalcError, match=message) as caught:
        sc.check_gradient(*arguments)
    assert isinstance(caught.value, kind)


@pytest.mark.parametrize("argnums", [2, (0, 0), "x", ()])
def test_bad_argnums(argnums):
    with pytest.raises(sc.SymcalcError, match="argnums"):
        sc.check_gradient(mse, mse_slope, normal(3), normal(3), argnums=argnums)


def test_torch():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x = torch.tensor(normal(4, 3), requires_grad=True)
        y = torch.tensor([0, 1, 2, 1])
        loss = torch.nn.functional.cross_entropy

        def grad(x, y):
            return torch.autograd.grad(loss(x, y), x)[0]

        assert sc.check_gradient(loss, grad, x, y)
        assert sc.check_gradient(loss, grad, x.detach().float().requires_grad_(True), y)
        assert sc.check_gradient(loss, lambda x, y: 2 * grad(x, y), x, y).diagnosis == "factor 2"
    finally:
        torch.set_num_threads(threads)


def test_jax():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def loss(w, x, y):
        return jnp.mean(jnp.log1p(jnp.exp(-y * (x @ w))))

    fun, grad = jax.jit(loss), jax.jit(jax.grad(loss))
    w, x = jnp.array(normal(5)), jnp.array(normal(50, 5, seed=1))
    y = jnp.sign(jnp.array(normal(50, seed=2)))
    assert sc.check_gradient(fun, grad, w, x, y)
    assert sc.check_gradient(fun, jax.grad(loss, argnums=(0, 1)), w, x, y, argnums=(0, 1))
    assert sc.check_gradient(fun, lambda *a: grad(*a) / 2, w, x, y).diagnosis == "factor 1/2"


def test_sides_of_a_kink():
    found = slopes(lambda t: 2 * t if t > 0 else -t, 1e-16)
    assert found.kink
    assert found.left.slope == pytest.approx(-1)
    assert found.right.slope == pytest.approx(2)


def test_a_side_outside_the_domain_is_no_side():
    found = slopes(lambda t: np.exp(t) if t >= 0 else np.nan, 1e-16)
    assert found.sides == (found.right,)
    assert abs(found.right.slope - 1) <= found.right.bound <= 1e-10


@pytest.mark.parametrize("noise", [1e-12, 1e-7, 1e-3])
def test_noise_is_read_off_differences(noise):
    rng = np.random.default_rng(0)
    found = [
        noise_level([np.exp(1e-6 * k) + noise * rng.normal() for k in range(9)]) for _ in range(50)
    ]
    assert noise / 2 < np.median(found) < 2 * noise


# right gradients of many kinds, drawn at random: none may ever be accused
def _tied(rng):
    return np.round(rng.normal(size=rng.integers(2, 60)), int(rng.integers(0, 3)))


def _wild(rng, dtype="d"):
    size = int(rng.integers(1, 80))
    return (rng.normal(size=size) * 10.0 ** rng.uniform(-3, 3)).astype(dtype)


def _labelled(rng, dtype="d"):
    rows, classes = rng.integers(1, 12), rng.integers(2, 7)
    spread = rng.choice([0.1, 1.0, 20.0])
    logits = (rng.normal(size=(rows, classes)) * spread).astype(dtype)
    return logits, rng.integers(0, classes, rows)


def _pair(x, rng):
    return x, rng.normal(size=x.size).astype(x.dtype)


FAMILIES = [
    lambda r: (lambda x: np.maximum(x, 0).mean(), lambda x: (x > 0) / x.size, _tied(r)),
    lambda r: (lambda x: np.abs(x).sum(), np.sign, _tied(r)),
    lambda r: (np.max, first_largest, _tied(r)),
    lambda r: (np.max, shared_largest, _tied(r)),
    lambda r: (mse, mse_slope, *_pair(_wild(r), r)),
    lambda r: (mse, mse_slope, *_pair(_wild(r, "f"), r)),
    lambda r: (softmax_loss, softmax_slope, *_labelled(r)),
    lambda r: (softmax_loss, softmax_slope, *_labelled(r, "f")),
    lambda r: (lambda x: 1e6 + np.log(x).mean(), lambda x: 1 / x / x.size, np.abs(_wild(r)) + 1e-6),
    lambda r: (
        lambda x: np.tanh(x).sum(dtype=x.dtype), lambda x: 1 / np.cosh(x) ** 2, r.normal(size=30)
    ),
]  # fmt: skip


def _accused(seed):
    fun, grad, *arrays = FAMILIES[seed % len(FAMILIES)](np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cosh overflows in the tails
        return sc.check_gradient(fun, grad, *arrays, seed=seed)


@pytest.mark.parametrize("seed", range(40))
def test_no_right_gradient_is_accused(seed):
    report = _accused(seed)
    assert report.verdict != FAIL, str(report)


@pytest.mark.slow
def test_no_right_gradient_is_accused_at_a_thousand_seeds():
    verdicts = [_accused(seed).verdict for seed in range(1000)]
    assert verdicts.count(FAIL) == 0
    assert verdicts.count(PASS) >= 950
