"""Optimizers: updates, equations with state."""

from symcalc.notation import (
    Array,
    Formula,
    NonNegative,
    Positive,
    Real,
    becomes,
    define,
    indices,
    let,
    objective,
    sqrt,
)


@objective(wrt="gradient", reference="Cauchy (1847), Comptes rendus 25, 536")
def gradient_descent(
    theta: Real[Array, "n"], gradient: Real[Array, "n"], lr: Positive = 1e-2
) -> Formula:
    """One step against the gradient."""
    i = indices("n")
    return becomes(theta=theta[i] - lr * gradient[i])


@objective(wrt="gradient", reference="Kingma and Ba (2015), arXiv:1412.6980")
def adam(
    theta: Real[Array, "n"],
    gradient: Real[Array, "n"],
    m: Real[Array, "n"],
    v: Real[Array, "n"],
    step: Positive,
    lr: Positive = 1e-3,
    beta1: NonNegative = 0.9,
    beta2: NonNegative = 0.999,
    eps: Positive = 1e-8,
) -> Formula:
    """Running means of gradient and square, corrected for their start at zero."""
    i = indices("n")
    m_next = define("m_next", i, beta1 * m[i] + (1 - beta1) * gradient[i])
    v_next = define("v_next", i, beta2 * v[i] + (1 - beta2) * gradient[i] ** 2)
    rate = let("rate", lr / (1 - beta1**step))
    root = let("root", sqrt(1 - beta2**step))
    return becomes(
        theta=theta[i] - rate * m_next[i] / (sqrt(v_next[i]) / root + eps), m=m_next, v=v_next
    )
