"""Optimizers: updates, equations with state; and schedules of the learning rate.

A step replaces the parameters and the optimizer's own state: `kernel.step(theta, gradient, ...)`.
Conventions and defaults are PyTorch's where it has the optimizer. `step` counts from 1.
"""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    NonNegative,
    NonNegativeReal,
    Positive,
    PositiveReal,
    Real,
    abs,
    becomes,
    cos,
    define,
    indices,
    let,
    maximum,
    minimum,
    objective,
    pi,
    sign,
    sqrt,
    where,
)


@objective(wrt="gradient", reference="Cauchy (1847), Comptes rendus 25, 536")
def gradient_descent(
    theta: Real[Array, "n"], gradient: Real[Array, "n"], lr: Positive = 1e-2
) -> Formula:
    """One step against the gradient."""
    i = indices("n")
    return becomes(theta=theta[i] - lr * gradient[i])


@objective(wrt="gradient", reference="Robbins and Monro (1951), doi:10.1214/aoms/1177729586")
def sgd(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    lr: Positive = 1e-3,
    weight_decay: NonNegative = 0.0,
) -> Formula:
    """One step against the gradient of a minibatch; weight decay adds to the gradient."""
    i = indices("n")
    return becomes(theta=theta[i] - lr * (gradient[i] + weight_decay * theta[i]))


@objective(wrt="gradient", reference="Polyak (1964), doi:10.1016/0041-5553(64)90137-5")
def momentum(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    velocity: Real[Array, "n"],
    lr: Positive = 1e-3,
    mu: Fraction = 0.9,
) -> Formula:
    """The heavy ball: gradients are added up with a decay, and the sum is followed.

    The velocity starts at zero and is measured in gradients, as PyTorch has it.
    """
    i = indices("n")
    velocity_next = define("velocity_next", i, mu * velocity[i] + gradient[i])
    return becomes(theta=theta[i] - lr * velocity_next[i], velocity=velocity_next)


@objective(wrt="gradient", reference="Nesterov (1983), Soviet Math. Dokl. 27, 372")
def nesterov(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    velocity: Real[Array, "n"],
    lr: Positive = 1e-3,
    mu: Fraction = 0.9,
) -> Formula:
    """Momentum that looks ahead: the new velocity counts once more.

    The gradient is that at theta, as PyTorch and Sutskever et al. (2013) arrange it.
    """
    i = indices("n")
    velocity_next = define("velocity_next", i, mu * velocity[i] + gradient[i])
    return becomes(
        theta=theta[i] - lr * (gradient[i] + mu * velocity_next[i]), velocity=velocity_next
    )


@objective(wrt="gradient", reference="Kingma and Ba (2015), arXiv:1412.6980")
def adam(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    v: NonNegativeReal[Array, "n"],
    step: Positive,
    lr: Positive = 1e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: Positive = 1e-8,
) -> Formula:
    """Running means of the gradient and of its square, corrected for their start at zero.

    eps is added to the corrected root, as in the paper's algorithm and in PyTorch.
    """
    i = indices("n")
    m_next = define("m_next", i, beta1 * m[i] + (1 - beta1) * gradient[i])
    v_next = define("v_next", i, beta2 * v[i] + (1 - beta2) * gradient[i] ** 2)
    rate = let("rate", lr / (1 - beta1**step))
    root = let("root", sqrt(1 - beta2**step))
    return becomes(
        theta=theta[i] - rate * m_next[i] / (sqrt(v_next[i]) / root + eps), m=m_next, v=v_next
    )


@objective(wrt="gradient", reference="Loshchilov and Hutter (2019), arXiv:1711.05101")
def adamw(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    v: NonNegativeReal[Array, "n"],
    step: Positive,
    lr: Positive = 1e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 1e-2,
) -> Formula:
    """Adam whose weight decay shrinks the parameters themselves, not their gradient."""
    i = indices("n")
    m_next = define("m_next", i, beta1 * m[i] + (1 - beta1) * gradient[i])
    v_next = define("v_next", i, beta2 * v[i] + (1 - beta2) * gradient[i] ** 2)
    rate = let("rate", lr / (1 - beta1**step))
    root = let("root", sqrt(1 - beta2**step))
    shrink = let("shrink", 1 - lr * weight_decay)
    return becomes(
        theta=shrink * theta[i] - rate * m_next[i] / (sqrt(v_next[i]) / root + eps),
        m=m_next,
        v=v_next,
    )


@objective(wrt="gradient", reference="Kingma and Ba (2015), arXiv:1412.6980, section 7.1")
def adamax(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    u: NonNegativeReal[Array, "n"],
    step: Positive,
    lr: Positive = 2e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: Positive = 1e-8,
) -> Formula:
    """Adam with a decaying maximum of the gradient's size for its root mean square.

    eps is added to the size, as PyTorch does.
    """
    i = indices("n")
    m_next = define("m_next", i, beta1 * m[i] + (1 - beta1) * gradient[i])
    u_next = define("u_next", i, maximum(beta2 * u[i], abs(gradient[i]) + eps))
    rate = let("rate", lr / (1 - beta1**step))
    return becomes(theta=theta[i] - rate * m_next[i] / u_next[i], m=m_next, u=u_next)


@objective(wrt="gradient", reference="Dozat (2016), ICLR workshop, OpenReview OM0jvwB8jIp57ZJjtNEZ")
def nadam(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    v: NonNegativeReal[Array, "n"],
    mu_product: Real[Array, ""],
    step: Positive,
    lr: Positive = 2e-3,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: Positive = 1e-8,
    momentum_decay: NonNegative = 4e-3,
) -> Formula:
    """Adam with Nesterov's momentum, whose decay warms up; mu_product starts at 1."""
    i = indices("n")
    mu = let("mu", beta1 * (1 - 0.96 ** (step * momentum_decay) / 2))
    mu_after = let("mu_after", beta1 * (1 - 0.96 ** ((step + 1) * momentum_decay) / 2))
    product = let("product", mu_product[()] * mu)
    m_next = define("m_next", i, beta1 * m[i] + (1 - beta1) * gradient[i])
    v_next = define("v_next", i, beta2 * v[i] + (1 - beta2) * gradient[i] ** 2)
    root = let("root", sqrt(1 - beta2**step))
    now = let("now", lr * (1 - mu) / (1 - product))
    ahead = let("ahead", lr * mu_after / (1 - product * mu_after))
    moved = now * gradient[i] + ahead * m_next[i]
    return becomes(
        theta=theta[i] - moved / (sqrt(v_next[i]) / root + eps),
        m=m_next,
        v=v_next,
        mu_product=product,
    )


@objective(wrt="gradient", reference="Tieleman and Hinton (2012), Coursera lecture 6.5")
def rmsprop(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    v: NonNegativeReal[Array, "n"],
    lr: Positive = 1e-2,
    alpha: Fraction = 0.99,
    eps: Positive = 1e-8,
) -> Formula:
    """Each parameter's step divided by a running root mean square of its gradient."""
    i = indices("n")
    v_next = define("v_next", i, alpha * v[i] + (1 - alpha) * gradient[i] ** 2)
    return becomes(theta=theta[i] - lr * gradient[i] / (sqrt(v_next[i]) + eps), v=v_next)


@objective(wrt="gradient", reference="Duchi, Hazan and Singer (2011), JMLR 12, 2121")
def adagrad(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    total: NonNegativeReal[Array, "n"],
    step: Positive = 1.0,
    lr: Positive = 1e-2,
    lr_decay: NonNegative = 0.0,
    eps: Positive = 1e-10,
) -> Formula:
    """Each parameter's step divided by the root of the sum of all its squared gradients."""
    i = indices("n")
    rate = let("rate", lr / (1 + (step - 1) * lr_decay))
    total_next = define("total_next", i, total[i] + gradient[i] ** 2)
    return becomes(
        theta=theta[i] - rate * gradient[i] / (sqrt(total_next[i]) + eps), total=total_next
    )


@objective(wrt="gradient", reference="Zeiler (2012), arXiv:1212.5701")
def adadelta(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    square: NonNegativeReal[Array, "n"],
    moved: NonNegativeReal[Array, "n"],
    lr: Positive = 1.0,
    rho: Fraction = 0.9,
    eps: Positive = 1e-6,
) -> Formula:
    """Steps in the parameters' own units: the root mean square of past steps over the gradient's.

    `square` and `moved` are the running means of squared gradients and of squared steps.
    """
    i = indices("n")
    square_next = define("square_next", i, rho * square[i] + (1 - rho) * gradient[i] ** 2)
    delta = define("delta", i, sqrt(moved[i] + eps) / sqrt(square_next[i] + eps) * gradient[i])
    return becomes(
        theta=theta[i] - lr * delta[i],
        square=square_next,
        moved=rho * moved[i] + (1 - rho) * delta[i] ** 2,
    )


@objective(wrt="gradient", reference="Chen et al. (2023), arXiv:2302.06675")
def lion(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    lr: Positive = 1e-4,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.99,
    weight_decay: NonNegative = 0.0,
) -> Formula:
    """The sign of an interpolated momentum, with decoupled weight decay."""
    i = indices("n")
    direction = sign(beta1 * m[i] + (1 - beta1) * gradient[i])
    return becomes(
        theta=theta[i] - lr * (direction + weight_decay * theta[i]),
        m=beta2 * m[i] + (1 - beta2) * gradient[i],
    )


@objective(wrt="lr", reference="Robbins and Monro (1951), doi:10.1214/aoms/1177729586")
def constant_schedule(step: NonNegativeReal[Array, "n"], lr: PositiveReal[Array, ""]) -> Formula:
    """The same learning rate at every step."""
    k = indices("n")
    return where(step[k] >= 0, lr[()], 0)


@objective(wrt="lr", reference="Robbins and Monro (1951), doi:10.1214/aoms/1177729586")
def inverse_time_schedule(
    step: NonNegativeReal[Array, "n"], lr: PositiveReal[Array, ""], beta: NonNegative = 1e-2
) -> Formula:
    """The learning rate lr / (1 + beta k): its sum diverges, that of its squares converges."""
    k = indices("n")
    return lr[()] / (1 + beta * step[k])


@objective(wrt="lr", reference="Zinkevich (2003), ICML 2003, 928")
def inverse_sqrt_schedule(step: PositiveReal[Array, "n"], lr: PositiveReal[Array, ""]) -> Formula:
    """The learning rate lr / sqrt(k), for steps counted from 1."""
    k = indices("n")
    return lr[()] / sqrt(step[k])


@objective(wrt="lr", reference="Loshchilov and Hutter (2017), arXiv:1608.03983")
def cosine_schedule(
    step: NonNegativeReal[Array, "n"],
    lr: PositiveReal[Array, ""],
    lr_min: NonNegative = 0.0,
    total: Positive = 100.0,
) -> Formula:
    """Half a cosine from lr down to lr_min over `total` steps, then lr_min."""
    k = indices("n")
    part = minimum(step[k] / total, 1)
    return lr_min + (lr[()] - lr_min) * (1 + cos(pi * part)) / 2


@objective(wrt="lr", reference="Goyal et al. (2017), arXiv:1706.02677")
def warmup_schedule(
    step: NonNegativeReal[Array, "n"], lr: PositiveReal[Array, ""], warmup: Positive = 10.0
) -> Formula:
    """The learning rate rises in a line over the first `warmup` steps, then stays."""
    k = indices("n")
    return lr[()] * minimum(step[k] / warmup, 1)
