"""What other libraries call an objective, and where their conventions differ: one line a call.

The table says what their documentation says; `symcalc bench` holds the numbers side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from symcalc.report.blocks import Block, Code, Line, Table

TORCH, OPTAX, SKLEARN, FLAX, JAX = "PyTorch", "optax", "scikit-learn", "Flax", "JAX"
_EACH = "a value for each entry; the mean is left to the caller"
_ROW = "a value for each row; the mean is left to the caller"
_SAME = "the same"


@dataclass(frozen=True)
class Call:
    """How a library spells an objective.

    Args:
        library: its name.
        code: the call.
        remark: what differs from this page.
    """

    library: str
    code: str
    remark: str


_F = "torch.nn.functional"
_CALLS: dict[str, tuple[Call, ...]] = {
    "mse": (
        Call(TORCH, f"{_F}.mse_loss(prediction, target)", _SAME),
        Call(OPTAX, "optax.squared_error(prediction, target)",
             f"{_EACH}; optax.l2_loss has a factor one half"),
        Call(SKLEARN, "sklearn.metrics.mean_squared_error(target, prediction)",
             "the target comes first"),
    ),
    "mae": (
        Call(TORCH, f"{_F}.l1_loss(prediction, target)", _SAME),
        Call(SKLEARN, "sklearn.metrics.mean_absolute_error(target, prediction)",
             "the target comes first"),
    ),
    "huber": (
        Call(TORCH, f"{_F}.huber_loss(prediction, target, delta=1.0)", _SAME),
        Call(OPTAX, "optax.huber_loss(prediction, target, delta=1.0)", _EACH),
        Call(SKLEARN, "sklearn.linear_model.HuberRegressor(epsilon=1.35)",
             "a whole model, which estimates the scale of the residuals too"),
    ),
    "smooth_l1": (
        Call(TORCH, f"{_F}.smooth_l1_loss(prediction, target, beta=1.0)", _SAME),
    ),
    "log_cosh": (
        Call(OPTAX, "optax.log_cosh(prediction, target)", _EACH),
    ),
    "pinball": (
        Call(SKLEARN, "sklearn.metrics.mean_pinball_loss(target, prediction, alpha=0.5)",
             "the target comes first; the quantile is called alpha"),
    ),
    "poisson_nll": (
        Call(TORCH, f"{_F}.poisson_nll_loss(log_rate, count)", _SAME),
    ),
    "bce_with_logits": (
        Call(TORCH, f"{_F}.binary_cross_entropy_with_logits(logits, targets)", _SAME),
        Call(OPTAX, "optax.sigmoid_binary_cross_entropy(logits, targets)", _EACH),
        Call(SKLEARN, "sklearn.metrics.log_loss(targets, probabilities)",
             "labels first, then probabilities in place of logits"),
    ),
    "binary_cross_entropy": (
        Call(TORCH, f"{_F}.binary_cross_entropy(probability, target)",
             "each logarithm is held at -100 or above"),
        Call(SKLEARN, "sklearn.metrics.log_loss(target, probability)",
             "labels first; probabilities are clipped by the machine epsilon"),
    ),
    "softmax_cross_entropy": (
        Call(TORCH, f"{_F}.cross_entropy(logits, labels)", _SAME),
        Call(OPTAX, "optax.softmax_cross_entropy_with_integer_labels(logits, labels)", _ROW),
        Call(SKLEARN, "sklearn.metrics.log_loss(labels, probabilities)",
             "labels first, then probabilities in place of logits"),
    ),
    "label_smoothing_cross_entropy": (
        Call(TORCH, f"{_F}.cross_entropy(logits, labels, label_smoothing=0.1)", _SAME),
    ),
    "soft_cross_entropy": (
        Call(TORCH, f"{_F}.cross_entropy(logits, probabilities)", _SAME),
        Call(OPTAX, "optax.softmax_cross_entropy(logits, probabilities)", _ROW),
    ),
    "hinge": (
        Call(OPTAX, "optax.hinge_loss(scores, labels)", _EACH),
        Call(SKLEARN, "sklearn.metrics.hinge_loss(labels, scores)", "the labels come first"),
    ),
    "kl_divergence": (
        Call(TORCH, f'{_F}.kl_div(log_q, p, reduction="batchmean")', _SAME),
        Call(OPTAX, "optax.kl_divergence(log_q, p)", _ROW),
    ),
    "layer_norm": (
        Call(TORCH, f"{_F}.layer_norm(x, (d,), gamma, beta, eps=1e-05)", _SAME),
        Call(FLAX, "flax.linen.LayerNorm(epsilon=1e-06)", "a smaller epsilon by default"),
    ),
    "batch_norm": (
        Call(TORCH, f"{_F}.batch_norm(x, None, None, gamma, beta, training=True)",
             "the same; running variances, where asked for, divide by n - 1"),
        Call(FLAX, "flax.linen.BatchNorm(use_running_average=False)",
             "running variances divide by n"),
    ),
    "rms_norm": (
        Call(TORCH, f"{_F}.rms_norm(x, (d,), gamma)", "epsilon is the dtype's unless it is given"),
        Call(FLAX, "flax.linen.RMSNorm(epsilon=1e-06)", _SAME),
    ),
    "dense": (
        Call(TORCH, f"{_F}.linear(x, weight, bias)", _SAME),
        Call(FLAX, "flax.linen.Dense(features)", "the kernel is the transposed weight"),
    ),
    "causal_attention": (
        Call(TORCH, f"{_F}.scaled_dot_product_attention(q, k, v, is_causal=True)",
             "the same, over leading batch and head dims"),
        Call(JAX, "jax.nn.dot_product_attention(q, k, v, is_causal=True)",
             "heads stand after the positions"),
    ),
    "gelu": (
        Call(TORCH, f"{_F}.gelu(x)", _SAME),
        Call(JAX, "jax.nn.gelu(x, approximate=False)", "approximated by tanh unless told not to"),
    ),
    "gelu_tanh": (
        Call(TORCH, f'{_F}.gelu(x, approximate="tanh")', _SAME),
        Call(JAX, "jax.nn.gelu(x)", _SAME),
    ),
}  # fmt: skip


def libraries(name: str) -> tuple[Block, ...]:
    """Return the table of what other libraries call an objective; nothing where none is known.

    Args:
        name: in the catalogue.
    """
    rows: list[tuple[Line, ...]] = [
        ((call.library,), (Code(call.code),), (call.remark,)) for call in _CALLS.get(name, ())
    ]
    return (Table(("Library", "Call", "Beside this page"), tuple(rows)),) if rows else ()
