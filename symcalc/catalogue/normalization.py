"""Normalization layers."""

from symcalc.notation import (
    Array,
    Formula,
    Positive,
    Real,
    indices,
    let,
    mean,
    objective,
    sqrt,
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
