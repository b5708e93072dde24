"""Normalization layers."""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    NonNegativeReal,
    Positive,
    Real,
    becomes,
    extent,
    indices,
    let,
    mean,
    norm2,
    objective,
    sqrt,
    sum,
)


@objective(wrt=("x", "gamma", "beta"), reference="Ioffe and Szegedy (2015), arXiv:1502.03167")
def batch_norm(
    x: Real[Array, "n d"],
    gamma: Real[Array, "d"],
    beta: Real[Array, "d"],
    eps: Positive = 1e-5,
) -> Formula:
    """Each feature normalized over the batch, then scaled and shifted: the training pass.

    The variance is the biased one, divided by n; eps stands inside the root.
    """
    i, j = indices("n d")
    mu = let("mu", mean(i, x[i, j]))
    var = let("var", mean(i, (x[i, j] - mu) ** 2))
    r = let("r", 1 / sqrt(var + eps))
    xhat = let("xhat", (x[i, j] - mu) * r)
    return gamma[j] * xhat + beta[j]


@objective(wrt=("x", "gamma", "beta"), reference="Ba, Kiros and Hinton (2016), arXiv:1607.06450")
def layer_norm(
    x: Real[Array, "n d"],
    gamma: Real[Array, "d"],
    beta: Real[Array, "d"],
    eps: Positive = 1e-5,
) -> Formula:
    """Each row normalized over its features, then scaled and shifted.

    The variance is the biased one, divided by d; eps stands inside the root.
    """
    i, j = indices("n d")
    mu = let("mu", mean(j, x[i, j]))
    var = let("var", mean(j, (x[i, j] - mu) ** 2))
    r = let("r", 1 / sqrt(var + eps))
    xhat = let("xhat", (x[i, j] - mu) * r)
    return gamma[j] * xhat + beta[j]


@objective(wrt=("x", "gamma", "beta"), reference="Ioffe and Szegedy (2015), algorithm 2")
def batch_norm_inference(
    x: Real[Array, "n d"],
    gamma: Real[Array, "d"],
    beta: Real[Array, "d"],
    running_mean: Real[Array, "d"],
    running_var: NonNegativeReal[Array, "d"],
    eps: Positive = 1e-5,
) -> Formula:
    """Each feature normalized by statistics gathered in training: an affine map of each row.

    The statistics are what batch_norm_statistics makes of the batches seen.
    """
    i, j = indices("n d")
    r = let("r", 1 / sqrt(running_var[j] + eps))
    return gamma[j] * (x[i, j] - running_mean[j]) * r + beta[j]


@objective(wrt="x", reference="PyTorch, torch.nn.BatchNorm1d")
def batch_norm_statistics(
    running_mean: Real[Array, "d"],
    running_var: NonNegativeReal[Array, "d"],
    x: Real[Array, "n d"],
    momentum: Fraction = 0.1,
) -> Formula:
    """The running mean and variance after one more batch, which counts by the momentum.

    The convention is PyTorch's: the variance that is kept is the unbiased one, divided by n - 1.
    A batch of one row has none.
    """
    i, j = indices("n d")
    mu = let("mu", mean(i, x[i, j]))
    var = let("var", sum(i, (x[i, j] - mu) ** 2) / (extent(i) - 1))
    return becomes(
        running_mean=(1 - momentum) * running_mean[j] + momentum * mu,
        running_var=(1 - momentum) * running_var[j] + momentum * var,
    )


@objective(wrt=("x", "gamma"), reference="Zhang and Sennrich (2019), arXiv:1910.07467")
def rms_norm(x: Real[Array, "n d"], gamma: Real[Array, "d"], eps: Positive = 1e-6) -> Formula:
    """Each row divided by its root mean square, then scaled; no mean is taken off.

    eps stands inside the root. PyTorch's default is the machine epsilon of the dtype.
    """
    i, j = indices("n d")
    r = let("r", 1 / sqrt(mean(j, x[i, j] ** 2) + eps))
    return gamma[j] * x[i, j] * r


@objective(wrt=("x", "gamma", "beta"), reference="Wu and He (2018), arXiv:1803.08494")
def group_norm(
    x: Real[Array, "n g c l"],
    gamma: Real[Array, "g c"],
    beta: Real[Array, "g c"],
    eps: Positive = 1e-5,
) -> Formula:
    """Each sample normalized over every group of channels, then scaled and shifted by channel.

    The groups are an axis of their own: PyTorch's (n, channels, places) is to be reshaped to
    (n, groups, channels of a group, places). The variance is the biased one.
    """
    i, q, k, p = indices("n g c l")
    mu = let("mu", mean(k, p, x[i, q, k, p]))
    var = let("var", mean(k, p, (x[i, q, k, p] - mu) ** 2))
    r = let("r", 1 / sqrt(var + eps))
    xhat = let("xhat", (x[i, q, k, p] - mu) * r)
    return gamma[q, k] * xhat + beta[q, k]


@objective(
    wrt=("x", "gamma", "beta"),
    reference="Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022",
)
def instance_norm(
    x: Real[Array, "n c l"],
    gamma: Real[Array, "c"],
    beta: Real[Array, "c"],
    eps: Positive = 1e-5,
) -> Formula:
    """Each channel of each sample normalized over its places, then scaled and shifted.

    The variance is the biased one, divided by the number of places; eps stands inside the root.
    """
    i, k, p = indices("n c l")
    mu = let("mu", mean(p, x[i, k, p]))
    var = let("var", mean(p, (x[i, k, p] - mu) ** 2))
    r = let("r", 1 / sqrt(var + eps))
    xhat = let("xhat", (x[i, k, p] - mu) * r)
    return gamma[k] * xhat + beta[k]


@objective(wrt=("v", "g"), reference="Salimans and Kingma (2016), arXiv:1602.07868, equation 2")
def weight_norm(v: Real[Array, "m d"], g: Real[Array, "m"]) -> Formula:
    """A weight's rows, each of the length g in the direction v.

    A row of v that is zero has no direction and gives not-a-number.
    """
    k, j = indices("m d")
    return g[k] * v[k, j] / norm2(j, v[k, j])
