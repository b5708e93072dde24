"""Losses for real-valued targets."""

from symcalc.notation import (
    Array,
    Formula,
    Positive,
    Real,
    abs,
    indices,
    mean,
    objective,
    where,
)
from symcalc.notation import log_cosh as log_cosh_of


@objective(
    wrt="prediction", reference="Gauss (1809), Theoria motus corporum coelestium, book 2, section 3"
)
def mse(prediction: Real[Array, "n"], target: Real[Array, "n"]) -> Formula:
    """Mean squared error.

    The convention is PyTorch's: no factor one half.
    """
    i = indices("n")
    return mean(i, (prediction[i] - target[i]) ** 2)


@objective(
    wrt="prediction",
    reference="Laplace (1774), Mémoire sur la probabilité des causes par les événements",
)
def mae(prediction: Real[Array, "n"], target: Real[Array, "n"]) -> Formula:
    """Mean absolute error, whose minimizer is the median.

    At zero residual the derivative is taken as zero.
    """
    i = indices("n")
    return mean(i, abs(prediction[i] - target[i]))


@objective(wrt="prediction", reference="Huber (1964), doi:10.1214/aoms/1177703732")
def huber(prediction: Real[Array, "n"], target: Real[Array, "n"], delta: Positive = 1.0) -> Formula:
    """Quadratic near zero, linear in the tails.

    The convention is PyTorch's HuberLoss: slope delta in the tails.
    """
    i = indices("n")
    r = prediction[i] - target[i]
    return mean(i, where(abs(r) <= delta, r**2 / 2, delta * (abs(r) - delta / 2)))


@objective(wrt="prediction", reference="Green (1990), doi:10.1109/42.52985")
def log_cosh(prediction: Real[Array, "n"], target: Real[Array, "n"]) -> Formula:
    """Logarithm of the hyperbolic cosine: smooth everywhere, linear in the tails."""
    i = indices("n")
    return mean(i, log_cosh_of(prediction[i] - target[i]))
