"""Losses for real-valued targets."""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    NonNegative,
    NonNegativeReal,
    OneToTwo,
    Positive,
    PositiveReal,
    Real,
    abs,
    clip,
    eq,
    exp,
    expm1,
    indices,
    log1p,
    mean,
    objective,
    relu,
    sqrt,
    weighted,
    where,
)
from symcalc.notation import log_cosh as log_cosh_of
from symcalc.notation import mean as average


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


@objective(wrt="prediction", reference="Girshick (2015), arXiv:1504.08083, equation 3")
def smooth_l1(
    prediction: Real[Array, "n"], target: Real[Array, "n"], beta: NonNegative = 1.0
) -> Formula:
    """Quadratic near zero, linear with slope 1 in the tails.

    The convention is PyTorch's SmoothL1Loss: huber divided by beta; at beta = 0 it is mae.
    """
    i = indices("n")
    r = prediction[i] - target[i]
    return mean(i, where(abs(r) < beta, r**2 / (2 * beta), abs(r) - beta / 2))


@objective(wrt="prediction", reference="Charbonnier et al. (1994), doi:10.1109/ICIP.1994.413553")
def pseudo_huber(
    prediction: Real[Array, "n"], target: Real[Array, "n"], delta: Positive = 1.0
) -> Formula:
    """Smooth approximation of huber: delta^2 (sqrt(1 + (r/delta)^2) - 1).

    It is written as a quotient, so that nothing cancels near zero. Its domain ends where the
    square of r/delta overflows.
    """
    i = indices("n")
    r = prediction[i] - target[i]
    return mean(i, r**2 / (1 + sqrt(1 + (r / delta) ** 2)))


@objective(wrt="prediction", reference="Koenker and Bassett (1978), doi:10.2307/1913643")
def pinball(
    prediction: Real[Array, "n"], target: Real[Array, "n"], quantile: Fraction = 0.5
) -> Formula:
    """Absolute error tilted so that its minimizer is the quantile.

    A target above the prediction costs quantile, one below it 1 - quantile, for each unit. At
    zero residual the derivative is taken as zero.
    """
    i = indices("n")
    r = target[i] - prediction[i]
    return mean(i, quantile * relu(r) + (1 - quantile) * relu(-r))


@objective(wrt="prediction", reference="Newey and Powell (1987), doi:10.2307/1911031")
def expectile(
    prediction: Real[Array, "n"], target: Real[Array, "n"], tau: Fraction = 0.5
) -> Formula:
    """Squared error tilted so that its minimizer is the expectile.

    A target above the prediction weighs tau, one below it 1 - tau. There is no further factor:
    at tau = 1/2 it is half of mse.
    """
    i = indices("n")
    r = target[i] - prediction[i]
    return mean(i, where(r >= 0, tau, 1 - tau) * r**2)


@objective(wrt="prediction", reference="Vapnik (1995), doi:10.1007/978-1-4757-2440-0")
def epsilon_insensitive(
    prediction: Real[Array, "n"], target: Real[Array, "n"], epsilon: NonNegative = 0.1
) -> Formula:
    """Absolute error beyond a tube of half-width epsilon: the loss of support vector regression.

    On the wall of the tube the derivative is taken as zero.
    """
    i = indices("n")
    return mean(i, relu(abs(prediction[i] - target[i]) - epsilon))


@objective(
    wrt="prediction", reference="Hyndman and Koehler (2006), doi:10.1016/j.ijforecast.2006.03.001"
)
def squared_log_error(
    prediction: NonNegativeReal[Array, "n"], target: NonNegativeReal[Array, "n"]
) -> Formula:
    """Squared error of log(1 + x), for values that are never negative.

    The convention is scikit-learn's mean_squared_log_error.
    """
    i = indices("n")
    return mean(i, (log1p(prediction[i]) - log1p(target[i])) ** 2)


@objective(wrt="prediction", reference="Black and Anandan (1996), doi:10.1006/cviu.1996.0006")
def cauchy(prediction: Real[Array, "n"], target: Real[Array, "n"], c: Positive = 2.385) -> Formula:
    """Robust loss that grows like a logarithm: c^2/2 log(1 + (r/c)^2).

    The default c keeps 95% efficiency under standard normal noise. Its domain ends where the
    square of r/c overflows.
    """
    i = indices("n")
    r = prediction[i] - target[i]
    return mean(i, c**2 / 2 * log1p((r / c) ** 2))


@objective(
    wrt="prediction", reference="Beaton and Tukey (1974), doi:10.1080/00401706.1974.10489171"
)
def tukey(prediction: Real[Array, "n"], target: Real[Array, "n"], c: Positive = 4.685) -> Formula:
    """Biweight: quadratic near zero, constant c^2/6 beyond c.

    It equals c^2/6 (1 - (1 - (r/c)^2)^3) inside, multiplied out so that nothing cancels near
    zero. The default c keeps 95% efficiency under standard normal noise.
    """
    i = indices("n")
    r = prediction[i] - target[i]
    u = (r / c) ** 2
    return mean(i, where(abs(r) <= c, r**2 / 2 * (1 - u + u**2 / 3), c**2 / 6))


@objective(wrt="prediction", reference="Dennis and Welsch (1978), doi:10.1080/03610917808812083")
def welsch(prediction: Real[Array, "n"], target: Real[Array, "n"], c: Positive = 2.985) -> Formula:
    """Robust loss that levels off: c^2/2 (1 - exp(-(r/c)^2)).

    The default c keeps 95% efficiency under standard normal noise. A residual counts as at most
    40 c in size: beyond, the exponential is 0 in any floating point.
    """
    i = indices("n")
    r = clip(prediction[i] - target[i], -40 * c, 40 * c)
    return mean(i, -(c**2) / 2 * expm1(-((r / c) ** 2)))


@objective(wrt="prediction", reference="Lange, Little and Taylor (1989), doi:10.2307/2290063")
def student_t_nll(
    prediction: Real[Array, "n"],
    target: Real[Array, "n"],
    df: Positive = 3.0,
    scale: Positive = 1.0,
) -> Formula:
    """Negative log-likelihood of residuals under Student's t.

    What depends on df and scale alone is left out, so that it is zero at zero residual. Its domain
    ends where the square of r overflows.
    """
    i = indices("n")
    r = (prediction[i] - target[i]) / scale
    return mean(i, (df + 1) / 2 * log1p(r**2 / df))


@objective(
    wrt=("mean", "log_variance"), reference="Nix and Weigend (1994), doi:10.1109/ICNN.1994.374138"
)
def gaussian_nll(
    mean: Real[Array, "n"], log_variance: Real[Array, "n"], target: Real[Array, "n"]
) -> Formula:
    """Negative log-likelihood of a normal distribution whose mean and variance are predicted.

    The convention is PyTorch's GaussianNLLLoss without the constant log(2 pi)/2; the variance
    is given by its logarithm and needs no floor.
    """
    i = indices("n")
    return average(i, (log_variance[i] + (mean[i] - target[i]) ** 2 * exp(-log_variance[i])) / 2)


@objective(wrt="log_rate", reference="Nelder and Wedderburn (1972), doi:10.2307/2344614")
def poisson_nll(log_rate: Real[Array, "n"], count: NonNegativeReal[Array, "n"]) -> Formula:
    """Negative log-likelihood of counts under Poisson's law.

    The convention is PyTorch's PoissonNLLLoss: the rate is given by its logarithm, and log(count!)
    is left out. A log-rate of minus infinity is a rate of zero.
    """
    i = indices("n")
    return mean(i, exp(log_rate[i]) - weighted(count[i], log_rate[i]))


@objective(wrt="log_mean", reference="McCullagh and Nelder (1989), doi:10.1007/978-1-4899-3242-6")
def gamma_nll(log_mean: Real[Array, "n"], target: PositiveReal[Array, "n"]) -> Formula:
    """Negative log-likelihood of positive targets under a gamma law with predicted mean.

    It is that of unit shape: another shape multiplies it, and what does not depend on the mean
    is left out.
    """
    i = indices("n")
    return mean(i, log_mean[i] + target[i] * exp(-log_mean[i]))


@objective(wrt="log_mean", reference="Jørgensen (1987), doi:10.1111/j.2517-6161.1987.tb01685.x")
def tweedie(
    log_mean: Real[Array, "n"], target: NonNegativeReal[Array, "n"], power: OneToTwo = 1.5
) -> Formula:
    """Half of Tweedie's deviance, for targets with a mass at zero.

    It is kept up to a term that does not depend on the mean, so that it is smooth in the power:
    at 1 it is poisson_nll, at 2 gamma_nll, up to such a term.
    """
    i = indices("n")
    z = log_mean[i]
    above = where(eq(power, 2), z, expm1((2 - power) * z) / (2 - power))
    below = where(eq(power, 1), z, expm1((1 - power) * z) / (1 - power))
    return mean(i, above - where(target[i] > 0, target[i] * below, 0))
