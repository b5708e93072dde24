"""Networks and generalized linear models: losses over layers, written by calling both.

A perceptron of any depth is built by `mlp`, in the file of that name.
"""

from symcalc.catalogue import get
from symcalc.notation import (
    Array,
    Formula,
    NonNegativeReal,
    Positive,
    Probability,
    Real,
    define,
    indices,
    objective,
    sum,
)

layer_norm, multi_head_attention = get("layer_norm"), get("multi_head_attention")
dense, gelu = get("dense"), get("gelu")


@objective(wrt=("weight", "bias"), reference="Legendre (1805), Nouvelles methodes, appendix")
def linear_regression(
    x: Real[Array, "n d"], weight: Real[Array, "d"], bias: Real[Array, ""], y: Real[Array, "n"]
) -> Formula:
    """Mean squared error of an affine model: mse(x w + b, y).

    There is no factor one half: the gradient by the weight is 2/n times X^T (x w + b - y).
    """
    i, j = indices("n d")
    prediction = define("prediction", i, sum(j, x[i, j] * weight[j]) + bias[()])
    return get("mse")(prediction, y)


@objective(wrt=("weight", "bias"), reference="Cox (1958), doi:10.1111/j.2517-6161.1958.tb00292.x")
def logistic_regression(
    x: Real[Array, "n d"],
    weight: Real[Array, "d"],
    bias: Real[Array, ""],
    y: Probability[Array, "n"],
) -> Formula:
    """Mean binary cross-entropy of an affine model of the log-odds; targets from 0 to 1.

    No penalty is added. Where a plane parts the classes there is no minimum: the weights grow.
    """
    i, j = indices("n d")
    logits = define("logits", i, sum(j, x[i, j] * weight[j]) + bias[()])
    return get("bce_with_logits")(logits, y)


@objective(wrt=("weight", "bias"), reference="Nelder and Wedderburn (1972), doi:10.2307/2344614")
def poisson_regression(
    x: Real[Array, "n d"],
    weight: Real[Array, "d"],
    bias: Real[Array, ""],
    count: NonNegativeReal[Array, "n"],
) -> Formula:
    """Mean Poisson loss of an affine model of the log-rate: exp(x w + b) - count (x w + b).

    What the counts alone make, log(count!), is left out, as poisson_nll and PyTorch do.
    """
    i, j = indices("n d")
    log_rate = define("log_rate", i, sum(j, x[i, j] * weight[j]) + bias[()])
    return get("poisson_nll")(log_rate, count)


@objective(
    wrt=("x", "gamma1", "beta1", "wq", "wk", "wv", "wo", "gamma2", "beta2", "w1", "b1", "w2", "b2"),
    reference="Vaswani et al. (2017), arXiv:1706.03762; Xiong et al. (2020), arXiv:2002.04745",
)
def transformer_block(
    x: Real[Array, "n d"],
    gamma1: Real[Array, "d"],
    beta1: Real[Array, "d"],
    wq: Real[Array, "h p d"],
    wk: Real[Array, "h p d"],
    wv: Real[Array, "h p d"],
    wo: Real[Array, "d h p"],
    gamma2: Real[Array, "d"],
    beta2: Real[Array, "d"],
    w1: Real[Array, "m d"],
    b1: Real[Array, "m"],
    w2: Real[Array, "d m"],
    b2: Real[Array, "d"],
    eps: Positive = 1e-5,
) -> Formula:
    """Self-attention and two dense layers, each on a normalized copy and added to the rows.

    The normalization comes first (pre-norm), as in PyTorch's TransformerEncoderLayer with
    norm_first=True, activation="gelu" and no dropout; attention has no biases and no mask.
    """
    i, j = indices("n d")
    normal1 = layer_norm(x, gamma1, beta1, eps=eps).named("normal1")
    attended = multi_head_attention(normal1, wq, wk, wv, wo).named("attended")
    middle = define("middle", (i, j), x[i, j] + attended[i, j])
    normal2 = layer_norm(middle, gamma2, beta2, eps=eps).named("normal2")
    hidden = gelu(dense(normal2, w1, b1).named("z")).named("hidden")
    branch = dense(hidden, w2, b2).named("branch")
    return middle[i, j] + branch[i, j]
