"""Penalties on parameters."""

from symcalc.notation import (
    Array,
    Formula,
    NonNegative,
    Real,
    abs,
    indices,
    objective,
    sum,
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
