"""How each peer computes the losses of tools/numerics.py: value and gradient, as its users would.

Every function takes x and the other arrays by name, arrays of one dtype, and returns the value; the
libraries differentiate it themselves. NumPy's gradients are the textbook's.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

GAMMA, WEIGHT = 0.0, 3.0
Answer = tuple[float, list[float]]
Peer = Callable[[str, str, dict[str, Any]], Answer | None]


def ours() -> tuple[str, Peer]:
    """Kernels of symcalc on Numba."""
    import functools

    import numerics

    import symcalc as sc

    @functools.cache
    def kernel(loss: str, dtype: str) -> Any:
        made = numerics.LOSSES[loss]
        objective = sc.parse(made.formula, wrt="x", defaults=dict(made.defaults))
        return sc.compile(objective, dtype=dtype)

    def run(loss: str, dtype: str, arrays: dict[str, Any]) -> Answer:
        made = kernel(loss, dtype)
        order = [tensor.name for tensor in made.objective.inputs]
        return plain(*made.value_and_grad(*(np.asarray(arrays[name], dtype) for name in order)))

    return "symcalc", run


def plain(value: Any, gradient: Any) -> Answer:
    """Return a value and a gradient as Python floats."""
    return float(value), [float(entry) for entry in np.asarray(gradient).reshape(-1)]


def naive() -> tuple[str, Peer]:
    """NumPy, the formula and the textbook's gradient as they stand."""

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def softmax(x: Any) -> Any:
        return np.exp(x) / np.sum(np.exp(x))

    def layer_norm(x: Any, c: Any) -> Any:
        root = np.sqrt(np.var(x) + np.asarray(1e-5, x.dtype))
        y = (x - np.mean(x)) / root
        return np.sum(c * y), (c - np.mean(c) - y * np.mean(c * y)) / root

    def logits(x: Any, y: Any, w: Any) -> Any:
        p = sigmoid(x)
        value = -np.sum(w * y * np.log(p) + (1 - y) * np.log(1 - p))
        return value, p * (1 - y + w * y) - w * y

    def norm(x: Any) -> Any:
        value = np.sqrt(np.sum(x**2))
        return value, x / value

    made: dict[str, Callable[..., Any]] = {
        "bce": lambda x, y: (np.sum(np.log(1 + np.exp(x)) - y * x), sigmoid(x) - y),
        "bce of sigmoid": lambda x, y: logits(x, y, 1),
        "bce pos_weight": lambda x, y: logits(x, y, WEIGHT),
        "expm1": lambda x: (np.sum(np.exp(x) - 1), np.exp(x)),
        "sigmoid": lambda x: (np.sum(sigmoid(x)), sigmoid(x) * (1 - sigmoid(x))),
        "softplus": lambda x: (np.sum(np.log(1 + np.exp(x))), sigmoid(x)),
        "log_cosh": lambda x: (np.sum(np.log(np.cosh(x))), np.tanh(x)),
        "tanh": lambda x: (np.sum(np.tanh(x)), 1 - np.tanh(x) ** 2),
        "kl_div": lambda x, p: (np.sum(p * (np.log(p) - x)), -p),
        "norm": norm,
        "squared norm": lambda x: (norm(x)[0] ** 2, 2 * norm(x)[0] * norm(x)[1]),
        "where sqrt": lambda x: (
            np.sum((x > 0) * np.sqrt(x)), (x > 0) / (2 * np.sqrt(x))),
        "where log": lambda x: (np.sum((x > 0) * np.log(x)), (x > 0) / x),
        "focal, gamma = 0": lambda x: (
            np.sum(-((1 - sigmoid(x)) ** GAMMA) * np.log(sigmoid(x))),
            GAMMA * (1 - sigmoid(x)) ** (GAMMA - 1) * sigmoid(x) * (1 - sigmoid(x))
            * np.log(sigmoid(x)) - (1 - sigmoid(x)) ** (GAMMA + 1)),
        "xlogy": lambda x, p: (np.sum(p * np.log(x)), p / x),
        "logsumexp": lambda x: (np.log(np.sum(np.exp(x))), softmax(x)),
        "cross-entropy": lambda x, p: (-np.sum(p * np.log(softmax(x))), softmax(x) - p),
        "layer norm": layer_norm,
    }  # fmt: skip

    def run(loss: str, dtype: str, arrays: dict[str, Any]) -> Answer:
        with np.errstate(all="ignore"):
            return plain(*made[loss](**{k: np.asarray(a, dtype) for k, a in arrays.items()}))

    return f"NumPy {np.__version__}, naive", run


def torch() -> tuple[str, Peer]:
    """PyTorch's own functions where it has them."""
    import torch as t
    import torch.nn.functional as F

    t.set_num_threads(1)
    reduced = {"reduction": "sum"}
    made: dict[str, Callable[..., Any]] = {
        "bce": lambda x, y: F.binary_cross_entropy_with_logits(x, y, **reduced),
        "bce of sigmoid": lambda x, y: F.binary_cross_entropy(t.sigmoid(x), y, **reduced),
        "bce pos_weight": lambda x, y: F.binary_cross_entropy_with_logits(
            x, y, pos_weight=t.tensor([WEIGHT], dtype=x.dtype), **reduced),
        "expm1": lambda x: t.expm1(x).sum(),
        "sigmoid": lambda x: t.sigmoid(x).sum(),
        "softplus": lambda x: F.softplus(x).sum(),
        "log_cosh": lambda x: t.log(t.cosh(x)).sum(),
        "tanh": lambda x: t.tanh(x).sum(),
        "kl_div": lambda x, p: F.kl_div(x, p, **reduced),
        "norm": lambda x: t.linalg.vector_norm(x),
        "squared norm": lambda x: t.linalg.vector_norm(x) ** 2,
        "where sqrt": lambda x: t.where(x > 0, t.sqrt(x), 0).sum(),
        "where log": lambda x: t.where(x > 0, t.log(x), 0).sum(),
        "focal, gamma = 0": lambda x: (-(1 - t.sigmoid(x)) ** GAMMA * F.logsigmoid(x)).sum(),
        "xlogy": lambda x, p: t.xlogy(p, x).sum(),
        "logsumexp": lambda x: t.logsumexp(x, 0),
        "cross-entropy": lambda x, p: F.cross_entropy(x, p),
        "layer norm": lambda x, c: (c * F.layer_norm(x, x.shape, eps=1e-5)).sum(),
    }  # fmt: skip

    def run(loss: str, dtype: str, arrays: dict[str, Any]) -> Answer:
        given = {name: t.tensor(a, dtype=getattr(t, dtype)) for name, a in arrays.items()}
        given["x"].requires_grad_()
        value = made[loss](**given)
        value.backward()
        return plain(value.detach().numpy(), given["x"].grad.numpy())

    return f"PyTorch {t.__version__.split('+')[0]}", run


def jax() -> tuple[str, Peer]:
    """JAX's own functions where it has them."""
    import jax as j
    import jax.numpy as jnp

    j.config.update("jax_platforms", "cpu")
    j.config.update("jax_enable_x64", True)
    softplus, sigmoid, log_sigmoid = j.nn.softplus, j.nn.sigmoid, j.nn.log_sigmoid

    def logits(x: Any, y: Any, w: Any) -> Any:
        return -(w * y * jnp.log(sigmoid(x)) + (1 - y) * jnp.log(1 - sigmoid(x))).sum()

    made: dict[str, Callable[..., Any]] = {
        "bce": lambda x, y: (-y * log_sigmoid(x) - (1 - y) * log_sigmoid(-x)).sum(),
        "bce of sigmoid": lambda x, y: logits(x, y, 1),
        "bce pos_weight": lambda x, y: (
            -WEIGHT * y * log_sigmoid(x) - (1 - y) * log_sigmoid(-x)).sum(),
        "expm1": lambda x: jnp.expm1(x).sum(),
        "sigmoid": lambda x: sigmoid(x).sum(),
        "softplus": lambda x: softplus(x).sum(),
        "log_cosh": lambda x: jnp.log(jnp.cosh(x)).sum(),
        "tanh": lambda x: jnp.tanh(x).sum(),
        "kl_div": lambda x, p: (j.scipy.special.xlogy(p, p) - p * x).sum(),
        "norm": lambda x: jnp.linalg.norm(x),
        "squared norm": lambda x: jnp.linalg.norm(x) ** 2,
        "where sqrt": lambda x: jnp.where(x > 0, jnp.sqrt(x), 0).sum(),
        "where log": lambda x: jnp.where(x > 0, jnp.log(x), 0).sum(),
        "focal, gamma = 0": lambda x: (-((1 - sigmoid(x)) ** GAMMA) * log_sigmoid(x)).sum(),
        "xlogy": lambda x, p: j.scipy.special.xlogy(p, x).sum(),
        "logsumexp": lambda x: j.scipy.special.logsumexp(x),
        "cross-entropy": lambda x, p: -(p * j.nn.log_softmax(x)).sum(),
        "layer norm": lambda x, c: (c * j.nn.standardize(x, epsilon=1e-5)).sum(),
    }  # fmt: skip

    def run(loss: str, dtype: str, arrays: dict[str, Any]) -> Answer:
        given = {name: jnp.asarray(a, dtype) for name, a in arrays.items()}
        others = {name: a for name, a in given.items() if name != "x"}
        return plain(*j.value_and_grad(lambda x: made[loss](x, **others))(given["x"]))

    return f"JAX {j.__version__}", run


def optax() -> tuple[str, Peer]:
    """Optax's losses; it has but some of them."""
    import jax as j
    import jax.numpy as jnp
    import optax as o

    j.config.update("jax_platforms", "cpu")
    j.config.update("jax_enable_x64", True)
    made: dict[str, Callable[..., Any]] = {
        "bce": lambda x, y: o.sigmoid_binary_cross_entropy(x, y).sum(),
        "log_cosh": lambda x: o.log_cosh(x, jnp.zeros_like(x)).sum(),
        "kl_div": lambda x, p: o.kl_divergence(x, p).sum(),
        "focal, gamma = 0": lambda x: o.sigmoid_focal_loss(x, jnp.ones_like(x), gamma=GAMMA).sum(),
        "cross-entropy": lambda x, p: o.softmax_cross_entropy(x, p),
        "norm": lambda x: o.safe_norm(x, 0.0),
    }

    def run(loss: str, dtype: str, arrays: dict[str, Any]) -> Answer | None:
        if loss not in made:
            return None
        given = {name: jnp.asarray(a, dtype) for name, a in arrays.items()}
        others = {name: a for name, a in given.items() if name != "x"}
        return plain(*j.value_and_grad(lambda x: made[loss](x, **others))(given["x"]))

    return f"optax {importlib.metadata.version('optax')}", run


PEERS: dict[str, Callable[[], tuple[str, Peer]]] = {
    "ours": ours, "naive": naive, "torch": torch, "jax": jax, "optax": optax,
}  # fmt: skip


def answers(peer: str, asked: list[tuple[str, str, dict[str, Any]]]) -> tuple[str, list[Any]]:
    """Return a peer's name and its answers; None where it has no such loss."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name, run = PEERS[peer]()
        return name, [run(*each) for each in asked]
