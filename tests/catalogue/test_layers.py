"""Penalties, transforms and layers against PyTorch's: value and gradient, entry by entry."""

from types import SimpleNamespace

import numpy as np
import pytest

import symcalc as sc

SIZES = {"n": 5, "d": 4, "m": 3, "g": 2, "c": 3, "l": 4, "p": 2, "h": 2, "w": 3, "v": 7}


def statistics(f, a):
    mean, var = a.running_mean.clone(), a.running_var.clone()
    f.batch_norm(a.x.detach(), mean, var, training=True, momentum=0.3)
    return 0.7 * a.running_mean + 0.3 * a.x.mean(0), mean, var


def group_norm(f, a):
    x = a.x.reshape(5, 6, 4)
    return f.group_norm(x, 2, a.gamma.flatten(), a.beta.flatten()).reshape(5, 2, 3, 4)


def residual(f, a):
    return a.x + f.linear(f.linear(a.x, a.weight1, a.bias1).relu(), a.weight2, a.bias2)


def multi_head(f, a):
    q, k, v = (f.linear(a.x, w.flatten(0, 1)).reshape(5, 2, 2).transpose(0, 1)
               for w in (a.wq, a.wk, a.wv))  # fmt: skip
    heads = f.scaled_dot_product_attention(q, k, v)
    return f.linear(heads.transpose(0, 1).reshape(5, 4), a.wo.flatten(1))


def transformer_block(f, a):
    a.x, x = f.layer_norm(a.x, (4,), a.gamma1, a.beta1), a.x
    a.x, middle = x, x + multi_head(f, a)
    hidden = f.gelu(f.linear(f.layer_norm(middle, (4,), a.gamma2, a.beta2), a.w1, a.b1))
    return middle + f.linear(hidden, a.w2, a.b2)


# Name, hyperparameters, and the same by torch: f is torch.nn.functional, a the inputs by name.
PEERS = [
    ("l1", {"lam": 0.3}, lambda t, f, a: 0.3 * a.theta.abs().sum()),
    ("l2", {"lam": 0.3}, lambda t, f, a: 0.15 * (a.theta**2).sum()),
    ("elastic_net", {"lam1": 0.3, "lam2": 0.7},
     lambda t, f, a: 0.3 * a.theta.abs().sum() + 0.7 * (a.theta**2).sum()),
    ("group_lasso", {"lam": 0.3}, lambda t, f, a: 0.3 * a.theta.norm(dim=1).sum()),
    ("smooth_l1_penalty", {"lam": 0.3, "beta": 0.7},
     lambda t, f, a: 0.3 * f.smooth_l1_loss(a.theta, 0 * a.theta.detach(), beta=0.7,
                                            reduction="sum")),
    ("total_variation", {"lam": 0.3}, lambda t, f, a: 0.3 * a.x.diff().abs().sum()),
    ("orthogonality", {"lam": 0.3},
     lambda t, f, a: 0.3 * ((a.weight @ a.weight.T - t.eye(3).double()) ** 2).sum()),
    ("clip_by_global_norm", {"max_norm": 0.5},
     lambda t, f, a: a.gradient * (0.5 / (a.gradient.norm() + 1e-6)).clamp(max=1)),
    ("clip_by_global_norm", {"max_norm": 50.0},
     lambda t, f, a: a.gradient * (50 / (a.gradient.norm() + 1e-6)).clamp(max=1)),
    ("clip_by_value", {"max_value": 0.6}, lambda t, f, a: a.gradient.clamp(-0.6, 0.6)),
    ("dropout", {"keep_prob": 0.8}, lambda t, f, a: a.x * a.mask / 0.8),
    ("dropout_expectation", {"keep_prob": 0.8}, lambda t, f, a: 1 * a.x),
    ("batch_norm", {},
     lambda t, f, a: f.batch_norm(a.x, None, None, a.gamma, a.beta, training=True)),
    ("batch_norm_inference", {},
     lambda t, f, a: f.batch_norm(a.x, a.running_mean, a.running_var, a.gamma, a.beta)),
    ("batch_norm_statistics", {"momentum": 0.3}, lambda t, f, a: statistics(f, a)[0]),
    ("layer_norm", {}, lambda t, f, a: f.layer_norm(a.x, (4,), a.gamma, a.beta)),
    ("rms_norm", {"eps": 1e-3}, lambda t, f, a: f.rms_norm(a.x, (4,), a.gamma, 1e-3)),
    ("group_norm", {}, lambda t, f, a: group_norm(f, a)),
    ("instance_norm", {}, lambda t, f, a: f.instance_norm(a.x, weight=a.gamma, bias=a.beta)),
    ("weight_norm", {}, lambda t, f, a: t._weight_norm(a.v, a.g[:, None])),
    ("dense", {}, lambda t, f, a: f.linear(a.x, a.weight, a.bias)),
    ("linear", {}, lambda t, f, a: f.linear(a.x, a.weight)),
    ("residual", {}, lambda t, f, a: residual(f, a)),
    ("sigmoid", {}, lambda t, f, a: a.x.sigmoid()),
    ("tanh", {}, lambda t, f, a: a.x.tanh()),
    ("relu", {}, lambda t, f, a: a.x.relu()),
    ("softplus", {}, lambda t, f, a: f.softplus(a.x)),
    ("gelu", {}, lambda t, f, a: f.gelu(a.x)),
    ("gelu_tanh", {}, lambda t, f, a: f.gelu(a.x, approximate="tanh")),
    ("silu", {}, lambda t, f, a: f.silu(a.x)),
    ("mish", {}, lambda t, f, a: f.mish(a.x)),
    ("swiglu", {}, lambda t, f, a: f.silu(f.linear(a.x, a.gate)) * f.linear(a.x, a.weight)),
    ("softmax", {}, lambda t, f, a: a.x.softmax(1)),
    ("scaled_dot_product_attention", {},
     lambda t, f, a: f.scaled_dot_product_attention(a.q[None], a.k[None], a.v[None])[0]),
    ("scaled_dot_product_attention_masked", {},
     lambda t, f, a: f.scaled_dot_product_attention(a.q[None], a.k[None], a.v[None],
                                                    attn_mask=a.mask.bool())[0]),
    ("causal_attention", {},
     lambda t, f, a: f.scaled_dot_product_attention(a.q[None], a.k[None], a.v[None],
                                                    is_causal=True)[0]),
    ("multi_head_attention", {}, lambda t, f, a: multi_head(f, a)),
    ("conv1d", {}, lambda t, f, a: f.conv1d(a.x, a.weight, a.bias)),
    ("embedding", {}, lambda t, f, a: f.embedding(a.tokens, a.weight)),
    ("linear_regression", {}, lambda t, f, a: f.mse_loss(a.x @ a.weight + a.bias, a.y)),
    ("logistic_regression", {},
     lambda t, f, a: f.binary_cross_entropy_with_logits(a.x @ a.weight + a.bias, a.y)),
    ("poisson_regression", {},
     lambda t, f, a: f.poisson_nll_loss(a.x @ a.weight + a.bias, a.count)),
    ("transformer_block", {}, lambda t, f, a: transformer_block(f, a)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "peer"), PEERS)
def test_value_and_gradient_are_pytorchs(kernel, sample, name, parameters, peer):
    torch = pytest.importorskip("torch")
    objective = sc.get(name)
    arrays = sample(objective, 1, **SIZES)
    if name == "transformer_block":  # scores of hundreds cost as many units in the last place
        arrays = {k: 0.3 * v if k.startswith("w") else v for k, v in arrays.items()}
    inputs = SimpleNamespace(**{k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
    for key in objective.wrt:
        getattr(inputs, key).requires_grad_()
    expected = peer(torch, torch.nn.functional, inputs)
    compiled = kernel(name, backend="numpy")
    if objective.is_scalar:
        expected.backward()
        value, gradient = compiled.value_and_grad(**arrays, **parameters)
    else:
        cotangent = np.random.default_rng(2).normal(size=tuple(expected.shape))
        expected.backward(torch.from_numpy(cotangent))
        value, gradient = compiled.vjp(**arrays, **parameters, cotangent=cotangent)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    for key, part in zip(objective.wrt, parts, strict=True):
        slope = getattr(inputs, key).grad.numpy()
        np.testing.assert_allclose(part, slope, rtol=1e-12, atol=1e-13)


def test_every_entry_is_compared():
    families = ("regularizers", "normalization", "layers", "networks")
    entries = {name for name, entry in sc.catalogue().items() if entry.family in families}
    assert entries == {name for name, *_ in PEERS}


# Name, inputs, hyperparameters, value and first gradient where floating point is at its ends; a
# layer's gradient is that of its sum.
ENDS = [
    ("group_lasso", ([[0.0, 0.0], [3.0, 4.0]],), {}, 5, [[0, 0], [0.6, 0.8]]),
    ("smooth_l1_penalty", ([1e300, 0.0],), {}, 1e300, [1, 0]),
    ("total_variation", ([2.0, 2.0, 5.0],), {}, 3, [0, -1, 1]),
    ("orthogonality", ([[1.0, 0.0], [0.0, 1.0]],), {}, 0, [[0, 0], [0, 0]]),
    ("clip_by_global_norm", ([0.0, 0.0],), {}, [0, 0], [1, 1]),
    ("clip_by_global_norm", ([3e200, 4e200],), {"eps": 0.0}, [0.6, 0.8], [0, 0]),
    ("clip_by_value", ([-1.0, 1.0, 9.0, np.inf],), {}, [-1, 1, 1, 1], [1, 1, 0, 0]),
    ("dropout", ([[np.inf, 2.0]], [[0.0, 1.0]]), {}, [[0, 4]], [[0, 2]]),
    ("layer_norm", ([[2.0, 2.0]], [1.0, 1.0], [0.5, 0.5]), {}, [[0.5, 0.5]], [[0, 0]]),
    ("batch_norm", ([[2.0], [2.0]], [1.0], [0.5]), {}, [[0.5], [0.5]], [[0], [0]]),
    ("rms_norm", ([[0.0, 0.0]], [1.0, 2.0]), {}, [[0, 0]], [[1e3, 2e3]]),
    ("relu", ([[-1.0, 0.0, 2.0]],), {}, [[0, 0, 2]], [[0, 0, 1]]),
    ("sigmoid", ([[-800.0, 800.0]],), {}, [[0, 1]], [[0, 0]]),
    ("softplus", ([[-700.0, 800.0]],), {}, [[np.exp(-700), 800]], [[np.exp(-700), 1]]),
    ("gelu", ([[-8.0, 0.0, 40.0]],), {}, [[-4.976768459417427e-15, 0, 40]],
     [[-3.979607261086796e-14, 0.5, 1]]),
    ("gelu_tanh", ([[-100.0, 100.0]],), {}, [[0, 100]], [[0, 1]]),
    ("silu", ([[-700.0, 700.0]],), {}, [[-700 * np.exp(-700), 700]],
     [[-699 * np.exp(-700), 1]]),
    ("mish", ([[-700.0, 700.0]],), {}, [[-700 * np.exp(-700), 700]],
     [[-699 * np.exp(-700), 1]]),
    ("softmax", ([[-np.inf, 8.0, 8.0]],), {}, [[0, 0.5, 0.5]], [[0, 0, 0]]),
    ("scaled_dot_product_attention_masked",
     ([[1.0], [2.0]], [[0.5], [800.0]], [[3.0], [4.0]], [[0.0, 0.0], [0.0, 1.0]]), {},
     [[0], [4]], [[0], [0]]),
    ("scaled_dot_product_attention", ([[1.0]], [[800.0], [0.0]], [[3.0], [4.0]]), {},
     [[3]], [[0]]),
    ("causal_attention", ([[1.0], [1.0]], [[0.0], [800.0]], [[3.0], [4.0]]), {},
     [[3], [4]], [[0], [0]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "value", "gradient"), ENDS)
def test_the_ends_of_the_range_are_limits(kernel, name, arrays, parameters, value, gradient):
    compiled = kernel(name, backend="numpy")
    arrays = tuple(map(np.array, arrays))
    if sc.get(name).is_scalar:
        got, slope = compiled.value_and_grad(*arrays, **parameters)
    else:
        ones = np.ones(np.shape(value))
        got, slope = compiled.vjp(*arrays, **parameters, cotangent=ones)
    slope = slope[0] if isinstance(slope, tuple) else slope
    np.testing.assert_allclose(got, value, rtol=1e-13)
    np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-15)


REFUSED = [
    ("clip_by_global_norm", ([1.0],), {"max_norm": 0.0}, "max_norm"),
    ("clip_by_value", ([1.0],), {"max_value": -1.0}, "max_value"),
    ("dropout", ([[1.0]], [[0.5]]), {}, "mask"),
    ("dropout", ([[1.0]], [[1.0]]), {"keep_prob": 0.0}, "keep_prob"),
    ("smooth_l1_penalty", ([1.0],), {"beta": 0.0}, "beta"),
    ("group_lasso", ([[1.0]],), {"lam": -1.0}, "lam"),
    ("batch_norm_inference", ([[1.0]], [1.0], [1.0], [0.0], [-1.0]), {}, "running_var"),
    ("batch_norm_statistics", ([1.0], [1.0], [[1.0]]), {"momentum": 1.5}, "momentum"),
    ("layer_norm", ([[1.0]], [1.0], [1.0]), {"eps": 0.0}, "eps"),
    ("group_norm", ([[[[1.0]]]], [[1.0, 1.0]], [[1.0]]), {}, "gamma"),
    ("scaled_dot_product_attention_masked", ([[1.0]], [[1.0]], [[1.0]], [[2.0]]), {}, "mask"),
    ("scaled_dot_product_attention", ([[1.0]], [[1.0, 2.0]], [[1.0]]), {}, "k"),
    ("embedding", ([2], [[1.0], [1.0]]), {}, "tokens"),
    ("embedding", ([-1], [[1.0], [1.0]]), {}, "tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "culprit"), REFUSED)
def test_bad_input_is_refused_by_name(kernel, name, arrays, parameters, culprit):
    compiled = kernel(name, backend="numpy")
    with pytest.raises(sc.ArgumentError, match=f"{name}: {culprit}"):
        compiled(*map(np.array, arrays), **parameters)


def test_dropout_is_x_in_expectation_over_its_masks(kernel):
    x, keep = np.array([[0.3, -2.0, 5.0]]), 0.7
    total = np.zeros_like(x)
    for bits in np.ndindex(2, 2, 2):
        mask = np.array([bits], dtype=float)
        weight = np.prod(np.where(mask == 1, keep, 1 - keep))
        total += weight * kernel("dropout", backend="numpy")(x, mask, keep_prob=keep)
    np.testing.assert_allclose(total, x, rtol=1e-14)


def test_running_statistics_are_pytorchs(kernel, sample):
    torch = pytest.importorskip("torch")
    arrays = sample(sc.get("batch_norm_statistics"), 1, **SIZES)
    inputs = SimpleNamespace(**{k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
    _, mean, var = statistics(torch.nn.functional, inputs)
    kernel("batch_norm_statistics", backend="numpy").step(**arrays, momentum=0.3)
    np.testing.assert_allclose(arrays["running_mean"], mean.numpy(), rtol=1e-13)
    np.testing.assert_allclose(arrays["running_var"], var.numpy(), rtol=1e-13)


def test_what_has_no_direction_or_no_variance_is_not_a_number(kernel):
    zero = kernel("weight_norm", backend="numpy")(np.zeros((1, 2)), np.ones(1))
    assert np.isnan(zero).all()
    mean, var = np.zeros(1), np.ones(1)
    kernel("batch_norm_statistics", backend="numpy").step(mean, var, np.ones((1, 1)))
    np.testing.assert_allclose(mean, 0.1)
    assert np.isnan(var).all()
    masked = kernel("softmax", backend="numpy")([[-np.inf, -np.inf]])
    np.testing.assert_array_equal(masked, [[0.0, 0.0]])  # nothing has a share


def test_gradients_of_an_embedding_add_up_at_a_token_that_comes_twice(kernel):
    call = kernel("embedding", backend="numpy").vjp
    out, slope = call([1, 1, 0], np.arange(6.0).reshape(3, 2), cotangent=np.ones((3, 2)))
    np.testing.assert_array_equal(out, [[2, 3], [2, 3], [0, 1]])
    np.testing.assert_array_equal(slope, [[1, 1], [2, 2], [0, 0]])
