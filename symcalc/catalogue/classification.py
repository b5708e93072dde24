"""Losses for classes and distributions."""

from symcalc.notation import (
    Array,
    Formula,
    Label,
    PlusMinusOne,
    Probability,
    Real,
    Simplex,
    indices,
    logsumexp,
    maximum,
    mean,
    objective,
    softplus,
    sum,
    weighted,
    xlogy,
)


@objective(wrt="logits", reference="Cox (1958), doi:10.1111/j.2517-6161.1958.tb00292.x")
def bce_with_logits(logits: Real[Array, "n"], targets: Probability[Array, "n"]) -> Formula:
    """Binary cross-entropy of sigmoid(logits) against probabilities.

    It equals -y log sigmoid(z) - (1 - y) log(1 - sigmoid(z)), put together so that nothing
    overflows or cancels.
    """
    i = indices("n")
    return mean(i, softplus(logits[i]) - targets[i] * logits[i])


@objective(wrt="logits", reference="Bridle (1990), doi:10.1007/978-3-642-76153-9_28")
def softmax_cross_entropy(logits: Real[Array, "n c"], labels: Label[Array, "n -> c"]) -> Formula:
    """Negative log-probability of the true class under softmax(logits).

    A logit of minus infinity masks a class.
    """
    i, k = indices("n c")
    return mean(i, logsumexp(k, logits[i, k]) - logits[i, labels[i]])


@objective(wrt="scores", reference="Cortes and Vapnik (1995), doi:10.1007/BF00994018")
def hinge(scores: Real[Array, "n"], labels: PlusMinusOne[Array, "n"]) -> Formula:
    """Margin loss of the support vector machine; labels are -1 and +1.

    On the margin itself the derivative is taken as zero.
    """
    i = indices("n")
    return mean(i, maximum(0, 1 - labels[i] * scores[i]))


@objective(wrt="log_q", reference="Kullback and Leibler (1951), doi:10.1214/aoms/1177729694")
def kl_divergence(log_q: Real[Array, "n c"], p: Simplex[Array, "n c"]) -> Formula:
    """Kullback-Leibler divergence of log-probabilities from target rows, averaged over rows.

    The convention is PyTorch's KLDivLoss with batchmean: the first argument is a logarithm,
    and 0 log 0 is 0. Rows of log_q are taken as they are: where their exponentials do not sum to
    one, the value may be negative.
    """
    i, k = indices("n c")
    return mean(i, sum(k, xlogy(p[i, k], p[i, k]) - weighted(p[i, k], log_q[i, k])))
