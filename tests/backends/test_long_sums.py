"""Long sums of float32: right to two units in the last place, whatever the numbers are."""

import math

import numpy as np
import pytest

N = 10_000_000
RNG = np.random.default_rng(2)


def alternating():
    """Large and small, plus and minus."""
    x = np.where(np.arange(N) % 2, 1e-3, 1e3) * np.where(np.arange(N) % 3, 1, -1)
    return x.astype(np.float32)


SERIES = {
    "constant": lambda: np.full(N, 0.1, np.float32),
    "random": lambda: RNG.normal(size=N).astype(np.float32),
    "large and small": alternating,
    "rising": lambda: np.sort(RNG.gamma(0.5, size=N)).astype(np.float32),
    "falling": lambda: np.sort(RNG.gamma(0.5, size=N))[::-1].astype(np.float32),
    "one large, then dust": lambda: np.append(np.float32(1e4), np.full(N - 1, 1e-2, np.float32)),
}


def exact(terms):
    """The sum of float64 terms, in extended precision by pieces, put together exactly."""
    pieces = np.array_split(terms, 200)
    return math.fsum(float(p.sum(dtype=np.longdouble)) for p in pieces)


def ulps(found, true):
    """The distance in units of the last place that float32 has there."""
    return abs(float(found) - true) / float(np.spacing(np.float32(abs(true))))


@pytest.mark.parametrize("kind", SERIES)
def test_the_mean_of_ten_million_is_right_to_two_ulp(kernel, kind):
    x = SERIES[kind]()
    zeros = np.zeros(N, np.float32)
    wide = x.astype(np.float64)
    true = exact(wide**2) / N
    assert ulps(kernel("mse", dtype="float32")(x, zeros), true) <= 2
    assert ulps(kernel("l2", dtype="float32")(x), exact(wide**2) / 2) <= 2
    value, _ = kernel("mse", dtype="float32").value_and_grad(x, zeros)
    assert ulps(value, true) <= 2


@pytest.mark.parametrize("kind", ["constant", "random", "falling"])
def test_the_mean_of_ten_million_logarithms_is_right_to_two_ulp(kernel, kind):
    z, y = SERIES[kind](), RNG.uniform(size=N).astype(np.float32)
    wide = z.astype(np.float64)
    true = exact(np.logaddexp(0, wide) - y.astype(np.float64) * wide) / N
    assert ulps(kernel("bce_with_logits", dtype="float32")(z, y), true) <= 2


def test_a_mean_of_what_cancels_keeps_its_digits(kernel):
    """Plain float32 sums of 1 + 1e-7 noise are off in the third digit after ten million terms."""
    logits = np.zeros((N // 10, 2), np.float32)
    returns = np.where(np.arange(N // 10) % 2, 1e4, -1e4 + 1).astype(np.float32)
    value = kernel("reinforce", dtype="float32")(logits, np.zeros(N // 10, np.int64), returns)
    true = float(np.log(np.longdouble(2)) * exact(returns.astype(np.float64)) / (N // 10))
    # each term is right to half a unit of its own last place, a thousandth of the mean
    assert abs(value - true) <= 1e4 * np.log(2) * 2**-24


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
@pytest.mark.parametrize("kind", ["constant", "random"])
def test_gradients_of_scale_and_shift_are_right_to_two_ulp(kernel, name, kind):
    """Sums over a million rows, whose terms are made in float32 and added in float64."""
    n, d = 1_000_000, 4
    x = RNG.normal(size=(n, d)).astype(np.float32)
    c = (np.full((n, d), 0.1) if kind == "constant" else RNG.uniform(0.5, 1, (n, d))).astype("f4")
    if name == "layer_norm":
        c *= x  # so that the sum of c xhat does not cancel
    else:
        c = (c * (1 + (x > 0))).astype("f4")
    ones, zeros = np.ones(d, np.float32), np.zeros(d, np.float32)
    _, (_, gamma_bar, beta_bar) = kernel(name, dtype="float32").vjp(x, ones, zeros, cotangent=c)
    wide, axis = x.astype(np.float64), 1 if name == "layer_norm" else 0
    centred = wide - wide.mean(axis=axis, keepdims=True)
    xhat = centred / np.sqrt((centred**2).mean(axis=axis, keepdims=True) + 1e-5)
    terms = c.astype(np.float64) * xhat
    for j in range(d):
        assert ulps(beta_bar[j], exact(c[:, j].astype(np.float64))) <= 2
        # a term is off by a few units of its own last place at the most, and they average out
        assert ulps(gamma_bar[j], exact(terms[:, j])) <= 2


def available():
    """How much memory can be had, in bytes; nothing if nobody says."""
    try:
        with open("/proc/meminfo") as lines:
            words = next(line.split() for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0
    return int(words[1]) * 1024


@pytest.mark.slow
def test_more_than_two_to_the_31_elements_are_all_met(kernel):
    """Ones where a 32-bit index would not reach, or would reach for something else."""
    n = 2**31 + 5
    if available() < 1.3 * 4 * n:
        pytest.skip("not enough memory")
    compiled = kernel("l2", dtype="float32")
    theta = np.zeros(n, np.float32)
    assert compiled(theta) == 0
    for place in (0, 2**31 - 1, 2**31, 2**31 + 4, -1, 2**30):
        theta[place] = 1
        assert compiled(theta) == 0.5, place
        theta[place] = 0
    theta[[5, 2**31 + 4]] = [3, 4]
    assert compiled(theta, lam=2.0) == 25
    theta[2**31 + 3] = np.nan
    assert np.isnan(compiled(theta))
