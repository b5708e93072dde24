"""Penalties on parameters, transforms of gradients, and dropout."""

from symcalc.notation import (
    Array,
    Formula,
    Mask,
    NonNegative,
    Positive,
    PositiveFraction,
    Real,
    abs,
    clip,
    eq,
    indices,
    let,
    norm2,
    objective,
    sum,
    where,
)


@objective(wrt="theta", reference="Tibshirani (1996), doi:10.1111/j.2517-6161.1996.tb02080.x")
def l1(theta: Real[Array, "d"], lam: NonNegative = 1.0) -> Formula:
    """Lasso penalty; at zero the subgradient zero is taken."""
    j = indices("d")
    return lam * sum(j, abs(theta[j]))


@objective(wrt="theta", reference="Hoerl and Kennard (1970), doi:10.1080/00401706.1970.10488634")
def l2(theta: Real[Array, "d"], lam: NonNegative = 1.0) -> Formula:
    """Ridge penalty, with the factor one half: its gradient is lam * theta."""
    j = indices("d")
    return lam / 2 * sum(j, theta[j] ** 2)


@objective(wrt="theta", reference="Zou and Hastie (2005), doi:10.1111/j.1467-9868.2005.00503.x")
def elastic_net(
    theta: Real[Array, "d"], lam1: NonNegative = 1.0, lam2: NonNegative = 1.0
) -> Formula:
    """Lasso and ridge together: lam1 times the one-norm plus lam2 times the squared two-norm."""
    j = indices("d")
    return lam1 * sum(j, abs(theta[j])) + lam2 * sum(j, theta[j] ** 2)


@objective(wrt="theta", reference="Yuan and Lin (2006), doi:10.1111/j.1467-9868.2005.00532.x")
def group_lasso(theta: Real[Array, "m d"], lam: NonNegative = 1.0) -> Formula:
    """Sum of the two-norms of the rows, each a group; at a zero row the subgradient zero is taken.

    The paper's weight of a group, the root of its size, is one number here and belongs to lam.
    """
    k, j = indices("m d")
    return lam * sum(k, norm2(j, theta[k, j]))


@objective(wrt="theta", reference="Girshick (2015), arXiv:1504.08083, equation 3")
def smooth_l1_penalty(
    theta: Real[Array, "d"], lam: NonNegative = 1.0, beta: Positive = 1.0
) -> Formula:
    """Lasso penalty rounded off at zero: quadratic within beta, linear beyond."""
    j = indices("d")
    size = abs(theta[j])
    small = size * (size / beta) / 2
    return lam * sum(j, where(size < beta, small, size - beta / 2))


@objective(wrt="x", reference="Rudin, Osher and Fatemi (1992), doi:10.1016/0167-2789(92)90242-F")
def total_variation(x: Real[Array, "n"], lam: NonNegative = 1.0) -> Formula:
    """Sum of the jumps between neighbours; at equal neighbours the subgradient zero is taken."""
    i = indices("n")
    return lam * sum(i, abs(x[i + 1] - x[i]))


@objective(wrt="weight", reference="Brock et al. (2017), arXiv:1609.07093")
def orthogonality(weight: Real[Array, "m d"], lam: NonNegative = 1.0) -> Formula:
    """Squared Frobenius norm of W W^T - I: zero where the rows are orthonormal."""
    k, p, j = indices("m m d")
    gram = let("gram", sum(j, weight[k, j] * weight[p, j]))
    return lam * sum(k, p, (gram - where(eq(k, p), 1, 0)) ** 2)


@objective(wrt="gradient", reference="Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063")
def clip_by_global_norm(
    gradient: Real[Array, "n"], max_norm: Positive = 1.0, eps: NonNegative = 1e-6
) -> Formula:
    """A gradient shortened to length max_norm where it is longer.

    The convention is PyTorch's clip_grad_norm_: eps is added to the length, so that what is
    clipped ends a little below max_norm; eps = 0 clips exactly, as optax does.
    """
    i = indices("n")
    length = let("length", norm2(i, gradient[i]))
    return where(length + eps <= max_norm, gradient[i], max_norm * gradient[i] / (length + eps))


@objective(wrt="gradient", reference="Mikolov (2012), PhD thesis, Brno University of Technology")
def clip_by_value(gradient: Real[Array, "n"], max_value: Positive = 1.0) -> Formula:
    """Each entry of a gradient held between -max_value and max_value."""
    i = indices("n")
    return clip(gradient[i], -max_value, max_value)


@objective(wrt="x", reference="Srivastava et al. (2014), JMLR 15, 1929")
def dropout(
    x: Real[Array, "n d"], mask: Mask[Array, "n d"], keep_prob: PositiveFraction = 0.5
) -> Formula:
    """Entries are kept where the mask is 1 and zeroed where it is 0; what is kept is scaled up.

    The scaling is the inverted one, 1 / keep_prob, as PyTorch has it: over masks that keep an
    entry with this probability the expectation is x itself, as dropout_expectation shows.
    """
    i, j = indices("n d")
    return where(eq(mask[i, j], 1), x[i, j] / keep_prob, 0)


@objective(wrt="x", reference="Srivastava et al. (2014), JMLR 15, 1929, section 10")
def dropout_expectation(x: Real[Array, "n d"], keep_prob: PositiveFraction = 0.5) -> Formula:
    """The expectation of dropout over its mask, written out over both values: x itself."""
    i, j = indices("n d")
    kept = let("kept", x[i, j] / keep_prob)
    dropped = 0 * x[i, j]
    return keep_prob * kept + (1 - keep_prob) * dropped
