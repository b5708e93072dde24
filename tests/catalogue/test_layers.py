"""Penalties, transforms and layers against PyTorch's: value and gradient, entry by entry."""

from types import SimpleNamespace

import numpy as np
import pytest

import symcalc as sc

SIZES = {"n": 5, "d": 4, "m": 3}

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
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "peer"), PEERS)
def test_value_and_gradient_are_pytorchs(kernel, sample, name, parameters, peer):
    torch = pytest.importorskip("torch")
    objective = sc.get(name)
    arrays = sample(objective, 1, **SIZES)
    inputs = SimpleNamespace(**{k: torch.from_numpy(v.copy()) for k, v in arrays.items()})
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
    families = ("regularizers",)
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
    np.testing.assert_allclose(got, value, rtol=1e-14)
    np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-15)


REFUSED = [
    ("clip_by_global_norm", ([1.0],), {"max_norm": 0.0}, "max_norm"),
    ("clip_by_value", ([1.0],), {"max_value": -1.0}, "max_value"),
    ("dropout", ([[1.0]], [[0.5]]), {}, "mask"),
    ("dropout", ([[1.0]], [[1.0]]), {"keep_prob": 0.0}, "keep_prob"),
    ("smooth_l1_penalty", ([1.0],), {"beta": 0.0}, "beta"),
    ("group_lasso", ([[1.0]],), {"lam": -1.0}, "lam"),
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
