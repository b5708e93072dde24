"""Losses for classes and distributions."""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    PlusMinusOne,
    Positive,
    Probability,
    Real,
    Scalar,
    Simplex,
    eq,
    exp,
    expm1,
    extent,
    indices,
    kl_div,
    let,
    log,
    log1p,
    log_sigmoid,
    logsumexp,
    maximum,
    mean,
    ne,
    objective,
    relu,
    softplus,
    sqrt,
    sum,
    weighted,
    where,
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


@objective(wrt="probability", reference="Good (1952), doi:10.1111/j.2517-6161.1952.tb00104.x")
def binary_cross_entropy(
    probability: Probability[Array, "n"], target: Probability[Array, "n"]
) -> Formula:
    """Cross-entropy of predicted against target probabilities.

    Nothing is clamped: 0 log 0 is 0, and a probability of 0 or 1 that the target rules out costs
    infinity, with an infinite derivative (PyTorch holds the logarithm at -100). From logits,
    bce_with_logits is the accurate way.
    """
    i = indices("n")
    p, t = probability[i], target[i]
    hit = where(t > 0, t * log(p), 0)
    return -mean(i, hit + where(t < 1, (1 - t) * log1p(-p), 0))


@objective(wrt="probability", reference="Good (1952), doi:10.1111/j.2517-6161.1952.tb00104.x")
def categorical_cross_entropy(
    probability: Probability[Array, "n c"], one_hot: Simplex[Array, "n c"]
) -> Formula:
    """Cross-entropy of predicted class probabilities against one-hot or soft target rows.

    Nothing is clamped: 0 log 0 is 0, and a class of target above 0 and probability 0 costs
    infinity. Rows of probabilities are taken as they are; from logits, softmax_cross_entropy is
    the accurate way.
    """
    i, k = indices("n c")
    t = one_hot[i, k]
    return -mean(i, sum(k, where(t > 0, t * log(probability[i, k]), 0)))


@objective(wrt="logits", reference="Szegedy et al. (2016), arXiv:1512.00567, section 7")
def soft_cross_entropy(
    logits: Real[Array, "n c"], probabilities: Simplex[Array, "n c"], smoothing: Fraction = 0.0
) -> Formula:
    """Cross-entropy of softmax(logits) against target rows.

    With smoothing s the target is (1 - s) p + s/c, as PyTorch's label_smoothing.
    """
    i, k = indices("n c")
    t = (1 - smoothing) * probabilities[i, k] + smoothing / extent(k)
    return mean(i, logsumexp(k, logits[i, k]) - sum(k, weighted(t, logits[i, k])))


@objective(wrt="logits", reference="Szegedy et al. (2016), arXiv:1512.00567, section 7")
def label_smoothing_cross_entropy(
    logits: Real[Array, "n c"], labels: Label[Array, "n -> c"], smoothing: Fraction = 0.1
) -> Formula:
    """Softmax cross-entropy whose target gives a share of smoothing to all classes alike.

    The convention is PyTorch's CrossEntropyLoss with label_smoothing.
    """
    i, k = indices("n c")
    aim = (1 - smoothing) * logits[i, labels[i]] + smoothing * mean(k, logits[i, k])
    return mean(i, logsumexp(k, logits[i, k]) - aim)


@objective(wrt="scores", reference="Lee and Mangasarian (2001), doi:10.1023/A:1011215321374")
def squared_hinge(scores: Real[Array, "n"], labels: PlusMinusOne[Array, "n"]) -> Formula:
    """Square of the hinge; labels are -1 and +1."""
    i = indices("n")
    return mean(i, relu(1 - labels[i] * scores[i]) ** 2)


@objective(wrt="scores", reference="Weston and Watkins (1999), ESANN, 219-224")
def multiclass_hinge(
    scores: Real[Array, "n c"], labels: Label[Array, "n -> c"], margin: NonNegative = 1.0
) -> Formula:
    """Hinge of every wrong class against the true one, divided by the number of classes.

    The convention is PyTorch's MultiMarginLoss. On the margin the derivative is taken as zero.
    """
    i, k = indices("n c")
    gap = margin - scores[i, labels[i]] + scores[i, k]
    return mean(i, mean(k, where(ne(k, labels[i]), relu(gap), 0)))


@objective(wrt="scores", reference="Weston and Watkins (1999), ESANN, 219-224")
def multiclass_squared_hinge(
    scores: Real[Array, "n c"], labels: Label[Array, "n -> c"], margin: NonNegative = 1.0
) -> Formula:
    """Squared hinge of every wrong class against the true one, divided by the number of classes.

    The convention is PyTorch's MultiMarginLoss with p = 2.
    """
    i, k = indices("n c")
    gap = margin - scores[i, labels[i]] + scores[i, k]
    return mean(i, mean(k, where(ne(k, labels[i]), relu(gap) ** 2, 0)))


@objective(wrt="probability", reference="Lin et al. (2017), arXiv:1708.02002, equation 4")
def focal(
    probability: Probability[Array, "n"], target: Mask[Array, "n"], gamma: NonNegative = 2.0
) -> Formula:
    """Cross-entropy that fades for well classified examples: -(1 - p)^gamma log p at target 1.

    At gamma = 0 it is binary_cross_entropy. Where the true class is certain, value and, for
    gamma above 0, derivative are 0.
    """
    i = indices("n")
    p = probability[i]
    hit = where(p < 1, (1 - p) ** gamma * log(p), 0)
    miss = where(p > 0, p**gamma * log1p(-p), 0)
    plain = where(eq(target[i], 1), log(p), log1p(-p))
    return -mean(i, where(gamma > 0, where(eq(target[i], 1), hit, miss), plain))


@objective(wrt="logits", reference="Lin et al. (2017), arXiv:1708.02002, equation 5")
def focal_with_logits(
    logits: Real[Array, "n"],
    targets: Mask[Array, "n"],
    gamma: NonNegative = 2.0,
    alpha: Fraction = 0.25,
) -> Formula:
    """Focal loss of sigmoid(logits); the positive class weighs alpha, the other 1 - alpha.

    The convention is torchvision's sigmoid_focal_loss, averaged.
    """
    i = indices("n")
    s = where(eq(targets[i], 1), logits[i], -logits[i])
    share = where(eq(targets[i], 1), alpha, 1 - alpha)
    return mean(i, share * exp(gamma * log_sigmoid(-s)) * softplus(-s))


@objective(wrt="q", reference="Lin (1991), doi:10.1109/18.61115")
def js_divergence(q: Probability[Array, "n c"], p: Simplex[Array, "n c"]) -> Formula:
    """Jensen-Shannon divergence of rows, in nats, averaged over rows.

    The derivative is minus infinity where q is 0 and p is not. Rows of q are taken as they are.
    """
    i, k = indices("n c")
    m = (p[i, k] + q[i, k]) / 2
    both = kl_div(p[i, k], m) + kl_div(q[i, k], m)
    return mean(i, sum(k, where(p[i, k] > 0, both, q[i, k] * log(2))) / 2)


@objective(wrt="scores", reference="Freund and Schapire (1997), doi:10.1006/jcss.1997.1504")
def exponential_loss(scores: Real[Array, "n"], labels: PlusMinusOne[Array, "n"]) -> Formula:
    """Loss of AdaBoost, exp(-y s); labels are -1 and +1."""
    i = indices("n")
    return mean(i, exp(-labels[i] * scores[i]))


@objective(
    wrt="probability",
    reference="Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
)
def brier(probability: Probability[Array, "n c"], one_hot: Simplex[Array, "n c"]) -> Formula:
    """Squared distance of predicted class probabilities from one-hot rows.

    The convention is Brier's: classes are summed, so that two classes count each error twice.
    """
    i, k = indices("n c")
    return mean(i, sum(k, (probability[i, k] - one_hot[i, k]) ** 2))


@objective(wrt="logits", reference="Leng et al. (2022), arXiv:2204.12511, equation 4")
def poly_loss(
    logits: Real[Array, "n c"], labels: Label[Array, "n -> c"], epsilon: Scalar = 1.0
) -> Formula:
    """Softmax cross-entropy with its first polynomial term raised by epsilon: Poly-1.

    It adds epsilon times one minus the probability of the true class.
    """
    i, k = indices("n c")
    entropy = let("entropy", logsumexp(k, logits[i, k]) - logits[i, labels[i]])
    return mean(i, entropy - epsilon * expm1(-entropy))


@objective(wrt="probability", reference="Sudre et al. (2017), arXiv:1707.03237")
def dice(
    probability: Probability[Array, "n d"],
    target: Probability[Array, "n d"],
    smooth: Positive = 1.0,
) -> Formula:
    """One minus the overlap 2|P and T| / (|P| + |T|) of each row's soft sets, averaged over rows.

    smooth is added above and below: two empty sets overlap fully.
    """
    i, k = indices("n d")
    p, t = probability[i, k], target[i, k]
    overlap = 2 * sum(k, p * t) + smooth
    return mean(i, 1 - overlap / (sum(k, p) + sum(k, t) + smooth))


@objective(wrt="probability", reference="Salehi et al. (2017), arXiv:1706.05721")
def tversky(
    probability: Probability[Array, "n d"],
    target: Probability[Array, "n d"],
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    smooth: Positive = 1.0,
) -> Formula:
    """One minus Tversky's index of each row's soft sets, averaged over rows.

    False positives weigh alpha, false negatives beta; smooth is added above and below.
    """
    i, k = indices("n d")
    p, t = probability[i, k], target[i, k]
    hit = let("hit", sum(k, p * t) + smooth)
    return mean(i, 1 - hit / (hit + alpha * sum(k, p * (1 - t)) + beta * sum(k, (1 - p) * t)))


@objective(wrt=("x", "y"), reference="PyTorch, torch.nn.CosineEmbeddingLoss")
def cosine_embedding(
    x: Real[Array, "n d"],
    y: Real[Array, "n d"],
    labels: PlusMinusOne[Array, "n"],
    margin: Scalar = 0.0,
) -> Formula:
    """One minus the cosine of like pairs, the cosine beyond the margin of unlike pairs.

    The convention is PyTorch's: 1e-12 is added to each squared length, so that the cosine with a
    zero vector is 0. On the margin the derivative is taken as zero.
    """
    i, k = indices("n d")
    length_x = let("length_x", sqrt(sum(k, x[i, k] ** 2) + 1e-12))
    length_y = let("length_y", sqrt(sum(k, y[i, k] ** 2) + 1e-12))
    cosine = let("cosine", sum(k, x[i, k] * y[i, k]) / (length_x * length_y))
    return mean(i, where(eq(labels[i], 1), 1 - cosine, relu(cosine - margin)))
