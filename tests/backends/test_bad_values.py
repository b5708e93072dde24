"""NaN and infinity in each input: the value and each entry of the gradient, worked out by hand.

What an entry does not reach keeps every bit of what it was; what it reaches is as stated here.
"""

import numpy as np
import pytest

import symcalc as sc

NAN, INF = float("nan"), float("inf")
N = 3
T = np.tanh(1.0)

ELEMENTWISE = {
    # objective: (inputs at the place in question, its loss, its slope times n)
    "mse": [
        ((NAN, 0.0), NAN, NAN), ((0.0, NAN), NAN, NAN), ((INF, 0.0), INF, INF),
        ((-INF, 0.0), INF, -INF), ((0.0, INF), INF, -INF), ((0.0, -INF), INF, INF),
        ((INF, INF), NAN, NAN), ((INF, -INF), INF, INF), ((1e200, 0.0), INF, 2e200),
    ],
    "mae": [
        ((NAN, 0.0), NAN, NAN), ((0.0, NAN), NAN, NAN), ((INF, 0.0), INF, 1.0),
        ((-INF, 0.0), INF, -1.0), ((0.0, INF), INF, -1.0), ((0.0, -INF), INF, 1.0),
        ((INF, INF), NAN, NAN), ((1e308, -1e308), INF, 1.0),
    ],
    "huber": [
        ((NAN, 0.0), NAN, NAN), ((0.0, NAN), NAN, NAN), ((INF, 0.0), INF, 1.0),
        ((-INF, 0.0), INF, -1.0), ((0.0, INF), INF, -1.0), ((0.0, -INF), INF, 1.0),
        ((INF, INF), NAN, NAN), ((1e300, 0.0), 1e300, 1.0),
    ],
    "log_cosh": [
        ((NAN, 0.0), NAN, NAN), ((0.0, NAN), NAN, NAN), ((INF, 0.0), INF, 1.0),
        ((-INF, 0.0), INF, -1.0), ((0.0, INF), INF, -1.0), ((0.0, -INF), INF, 1.0),
        ((INF, INF), NAN, NAN), ((1e300, 0.0), 1e300, 1.0), ((1.0, 0.0), np.log(np.cosh(1)), T),
    ],
    "bce_with_logits": [
        ((NAN, 0.0), NAN, NAN), ((0.0, NAN), NAN, NAN), ((NAN, 1.0), NAN, NAN),
        ((INF, 1.0), 0.0, 0.0), ((INF, 0.0), INF, 1.0), ((INF, 0.25), INF, 0.75),
        ((-INF, 0.0), 0.0, 0.0), ((-INF, 1.0), INF, -1.0), ((-INF, 0.25), INF, -0.25),
        ((1e300, 0.0), 1e300, 1.0), ((-1e300, 0.0), 0.0, 0.0),
    ],
    "hinge": [
        ((NAN, 1.0), NAN, None), ((INF, 1.0), 0.0, 0.0), ((-INF, 1.0), INF, -1.0),
        ((INF, -1.0), INF, 1.0), ((-INF, -1.0), 0.0, 0.0), ((0.5, NAN), NAN, NAN),
        ((INF, NAN), NAN, NAN),
    ],
}  # fmt: skip
PENALTIES = {
    "l1": [((NAN,), NAN, NAN), ((INF,), INF, 1.0), ((-INF,), INF, -1.0)],
    "l2": [((NAN,), NAN, NAN), ((INF,), INF, INF), ((-INF,), INF, -INF)],
    "elastic_net": [((NAN,), NAN, NAN), ((INF,), INF, INF), ((-INF,), INF, -INF)],
}
CASES = [(name, *case) for name, cases in ELEMENTWISE.items() for case in cases]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "at", "loss", "slope"), CASES)
def test_a_bad_sample_is_alone_in_its_badness(kernel, sample, name, at, loss, slope, dtype):
    if dtype == "float32" and np.nanmax(np.abs(np.where(np.isinf(at), 0, at))) > 1e38:
        pytest.skip("beyond float32")
    clean = sample(sc.get(name), 3, dtype, n=N)
    dirty = {key: array.copy() for key, array in clean.items()}
    for array, entry in zip(dirty.values(), at, strict=True):
        array[1] = entry
    value, gradient = kernel(name, dtype=dtype).value_and_grad(**dirty)
    rest = {key: array[[0, 2]] for key, array in clean.items()}
    others = kernel(name, dtype=dtype).value_and_grad(**rest)[0] * 2
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(value, (others + loss) / N, rtol=tolerance)
    _, was = kernel(name, dtype=dtype).value_and_grad(**clean)
    np.testing.assert_array_equal(gradient[[0, 2]], was[[0, 2]])
    if slope is not None:  # hinge: which side of the margin NaN is on, nobody says
        np.testing.assert_allclose(gradient[1], slope / N, rtol=tolerance)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_bad_parameter_is_alone_in_its_badness(kernel, name):
    for (entry,), value, slope in PENALTIES[name]:
        theta = np.array([0.5, entry, -2.0])
        found, gradient = kernel(name).value_and_grad(theta)
        np.testing.assert_array_equal([found, gradient[1]], [value, slope])
        _, was = kernel(name).value_and_grad(np.array([0.5, 1.0, -2.0]))
        np.testing.assert_array_equal(gradient[[0, 2]], was[[0, 2]])


SOFTMAX = [
    # logits of a row, label, loss, gradient times n
    ([NAN, 0.0, 1.0], 0, NAN, [NAN, NAN, NAN]),
    ([0.0, NAN, 1.0], 0, NAN, [NAN, NAN, NAN]),
    ([NAN, INF, 1.0], 0, NAN, [NAN, NAN, NAN]),
    ([NAN, -INF, -INF], 1, NAN, [NAN, NAN, NAN]),
    ([INF, 0.0, 1.0], 0, 0.0, [0, 0, 0]),
    ([INF, 0.0, 1.0], 1, INF, [1, -1, 0]),
    ([INF, -INF, 1.0], 0, 0.0, [0, 0, 0]),
    ([-INF, 0.0, 0.0], 1, np.log(2), [0, -0.5, 0.5]),
    ([-INF, 0.0, 0.0], 0, INF, [-1, 0.5, 0.5]),
    ([-INF, -INF, 5.0], 2, 0.0, [0, 0, 0]),
    ([-INF, -INF, 5.0], 0, INF, [-1, 0, 1]),
    ([-INF, -INF, -INF], 0, NAN, [0, 0, 0]),  # all masked: nothing has a share, the loss tells it
    ([1e308, -1e308, 0.0], 1, INF, [1, -1, 0]),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("row", "label", "loss", "slope"), SOFTMAX)
def test_a_bad_row_of_logits_is_alone_in_its_badness(kernel, row, label, loss, slope, dtype):
    if dtype == "float32" and 1e308 in row:
        row = [3e38, -3e38, 0.0]
    logits = np.array([[0.5, 0.1, -1.0], row, [2.0, 0.0, 0.0]], dtype)
    labels = np.array([2, label, 0])
    rest, tolerance = [0, 2], 1e-13 if dtype == "float64" else 1e-6
    lse = np.log(np.exp(logits[rest].astype(float)).sum(axis=1))
    clean = lse - logits[rest, labels[rest]]
    value, gradient = kernel("softmax_cross_entropy", dtype=dtype).value_and_grad(logits, labels)
    np.testing.assert_allclose(value, (clean.sum() + loss) / 3, rtol=tolerance)
    np.testing.assert_allclose(gradient[1], np.array(slope) / 3, rtol=tolerance, atol=0)
    softmax = np.exp(logits[rest] - lse[:, None])
    softmax[[0, 1], labels[rest]] -= 1
    np.testing.assert_allclose(gradient[rest], softmax / 3, rtol=30 * tolerance)
    returns = np.array([1.0, 2.0, -0.5], dtype)
    value, gradient = kernel("reinforce", dtype=dtype).value_and_grad(logits, labels, returns)
    expected = (clean @ returns[rest] + (2 * loss)) / 3
    np.testing.assert_allclose(value, expected, rtol=tolerance)
    np.testing.assert_allclose(gradient[1], 2 * np.array(slope) / 3, rtol=tolerance, atol=0)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_bad_return_spoils_its_row_alone(kernel, bad):
    logits, actions = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 0])
    returns = np.array([1.0, bad, 3.0])
    value, gradient = kernel("reinforce").value_and_grad(logits, actions, returns)
    np.testing.assert_array_equal(value, bad)  # a loss above zero times the return
    np.testing.assert_array_equal(gradient[1], [bad, -bad])
    _, was = kernel("reinforce").value_and_grad(logits, actions, np.array([1.0, 1.0, 3.0]))
    np.testing.assert_array_equal(gradient[[0, 2]], was[[0, 2]])


def test_bad_log_probabilities_and_probabilities_of_a_divergence(kernel):
    p = np.array([[0.5, 0.5], [0.0, 1.0], [0.25, 0.75]])
    q = np.log([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])
    call = kernel("kl_divergence").value_and_grad
    for bad, value in [(NAN, NAN), (INF, -INF), (-INF, INF)]:
        spoilt = q.copy()
        spoilt[0, 1] = bad
        found, gradient = call(spoilt, p)
        np.testing.assert_array_equal(found, value)
        np.testing.assert_array_equal(gradient, -p / 3)  # which does not depend on log_q
        spoilt = q.copy()
        spoilt[1, 0] = bad  # where p is zero, the log-probability counts for nothing
        found, gradient = call(spoilt, p)
        np.testing.assert_allclose(found, np.log(2) / 3, rtol=1e-14)
        np.testing.assert_array_equal(gradient, -p / 3)
    p[2, 0] = NAN
    found, gradient = call(q, p)
    assert np.isnan(found)
    np.testing.assert_array_equal(gradient, -p / 3)


PPO = [
    # logit of the action, old log-probability, advantage, loss, gradient by the action's logit
    # (two equal logits: log 1/2, softmax 1/2)
    (0.0, -1e4, 1.0, -1.2, 0.0),
    (0.0, -INF, 1.0, -1.2, 0.0),
    (0.0, -INF, -1.0, INF, INF),
    (0.0, INF, 1.0, 0.0, 0.0),
    (0.0, INF, -1.0, 0.8, 0.0),
    (0.0, 1e4, -1.0, 0.8, 0.0),
    (0.0, NAN, 1.0, NAN, NAN),
    (NAN, 0.0, 1.0, NAN, NAN),
    (INF, 0.0, 1.0, -1.0, 0.0),
    (INF, -0.1, 1.0, -np.exp(0.1), 0.0),
    (INF, 1.0, -1.0, 0.8, 0.0),
    (-INF, 0.0, 1.0, 0.0, 0.0),
    (-INF, 0.0, -1.0, 0.8, 0.0),
    (0.0, np.log(0.5), INF, -INF, -INF),
    (0.0, np.log(0.5), -INF, INF, INF),
    (0.0, np.log(0.5), NAN, NAN, NAN),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("logit", "old", "advantage", "loss", "slope"), PPO)
def test_a_clipped_ratio_that_overflows_has_no_gradient(
    kernel, logit, old, advantage, loss, slope, dtype
):
    logits = np.array([[1.0, 0.0], [logit, 0.0], [0.0, 0.0]], dtype)
    old_log_probs = np.array([-1.0, old, -0.7], dtype)
    advantages = np.array([0.5, advantage, -0.3], dtype)
    compiled, actions = kernel("ppo_clip", dtype=dtype), np.zeros(3, np.int64)
    value, gradient = compiled.value_and_grad(logits, actions, old_log_probs, advantages)
    rest = [0, 2]
    others = compiled(logits[rest], actions[:2], old_log_probs[rest], advantages[rest]) * 2
    tolerance = 1e-13 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(value, (others + loss) / 3, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient[1], [slope / 3, -slope / 3], rtol=tolerance)
    logits[1], old_log_probs[1], advantages[1] = 0, -1, 1
    _, was = compiled.value_and_grad(logits, actions, old_log_probs, advantages)
    np.testing.assert_array_equal(gradient[rest], was[rest])


RNG = np.random.default_rng(8)
X, OUT_BAR = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))
GAMMA, BETA = RNG.normal(size=4), RNG.normal(size=4)
ALL, NONE = np.ones((5, 4), bool), np.zeros((5, 4), bool)
ROW, COLUMN, ENTRY = NONE.copy(), NONE.copy(), NONE.copy()
ROW[2], COLUMN[:, 1], ENTRY[2, 1] = True, True, True
AT = np.arange(4) == 1
EVERY, NO = np.ones(4, bool), np.zeros(4, bool)
# layer, input: what an entry of it reaches of the output, x's, gamma's and beta's gradient
REACHES = {
    ("layer_norm", "x"): (ROW, ROW, EVERY, NO),
    ("layer_norm", "gamma"): (COLUMN, ALL, NO, NO),
    ("layer_norm", "beta"): (COLUMN, NONE, NO, NO),
    ("layer_norm", "cotangent"): (NONE, ROW, AT, AT),
    ("batch_norm", "x"): (COLUMN, COLUMN, AT, NO),
    ("batch_norm", "gamma"): (COLUMN, COLUMN, NO, NO),
    ("batch_norm", "beta"): (COLUMN, NONE, NO, NO),
    ("batch_norm", "cotangent"): (NONE, COLUMN, AT, AT),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize(("name", "of"), REACHES)
def test_a_bad_entry_reaches_what_the_layer_says(kernel, name, of, bad, dtype):
    arrays = {"x": X, "gamma": GAMMA, "beta": BETA, "cotangent": OUT_BAR}
    arrays = {key: array.astype(dtype) for key, array in arrays.items()}
    layer = kernel(name, dtype=dtype)
    y, gradients = layer.vjp(**arrays)
    arrays[of] = arrays[of].copy()
    arrays[of][(2, 1) if arrays[of].ndim == 2 else 1] = bad
    z, slopes = layer.vjp(**arrays)
    for found, was, reached in zip((z, *slopes), (y, *gradients), REACHES[name, of], strict=True):
        np.testing.assert_array_equal(found[~reached], was[~reached])
        assert not np.isfinite(found[reached]).any()
        if np.isnan(bad) or of == "x":  # the mean is infinite, and infinity less infinity is NaN
            assert np.isnan(found[reached]).all()


@pytest.mark.parametrize("way", ["jvp", "hvp"])
def test_directions_propagate_nan_too(kernel, way):
    z, y, v = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, 1.0]), np.array([1.0, NAN, 1.0])
    compiled = kernel("bce_with_logits")
    if way == "jvp":
        value, tangent = compiled.jvp(z, y, tangents={"logits": v})
        assert value == pytest.approx(np.mean(np.logaddexp(0, z) - y * z), rel=1e-14)
        assert np.isnan(tangent)
    else:
        product = compiled.hvp(z, y, vector=v)
        sigmoid = 1 / (1 + np.exp(-z))
        np.testing.assert_allclose(product, sigmoid * (1 - sigmoid) * v / 3, rtol=1e-13)


def test_bad_weights_spoil_what_they_weigh(kernel):
    x, y = np.array([1.0, 2.0, 4.0]), np.zeros(3)
    value, gradient = kernel("mse").value_and_grad(x, y, weights=[1.0, NAN, 1.0])
    assert np.isnan(value)  # the sum of the weights is NaN, and divides everything
    assert np.isnan(gradient).all()
    total = kernel("mse", reduction="sum")
    value, gradient = total.value_and_grad(x, y, weights=[1.0, NAN, 1.0])
    assert np.isnan(value)
    np.testing.assert_array_equal(gradient, [2.0, NAN, 8.0])


def test_torch_agrees_where_it_is_at_hand(kernel):
    """Elementwise losses at NaN and infinity, in PyTorch's own kernels."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    losses = {
        "mse": functional.mse_loss, "mae": functional.l1_loss, "huber": functional.huber_loss,
    }  # fmt: skip
    for name, loss in losses.items():
        for at in [(NAN, 0.0), (0.0, NAN), (INF, 0.0), (-INF, 0.0), (0.0, INF), (0.0, -INF)]:
            x, t = np.array([0.3, at[0], -2.0]), np.array([0.0, at[1], 1.0])
            value, gradient = kernel(name).value_and_grad(x, t)
            theirs = torch.tensor(x, requires_grad=True)
            out = loss(theirs, torch.tensor(t))
            out.backward()
            np.testing.assert_allclose(value, out.item(), rtol=1e-14, err_msg=f"{name} {at}")
            expected = theirs.grad.numpy()
            if name == "mae":
                expected = np.where(np.isnan(x - t), NAN, expected)  # its sign of NaN is zero
            np.testing.assert_allclose(gradient, expected, rtol=1e-14, err_msg=f"{name} {at}")
