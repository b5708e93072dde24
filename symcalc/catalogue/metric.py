"""Losses on distances, similarities and orders."""

from symcalc.notation import (
    Array,
    Formula,
    Mask,
    PlusMinusOne,
    Positive,
    Real,
    Scalar,
    define,
    exp,
    indices,
    let,
    logsumexp,
    mean,
    ne,
    norm2,
    objective,
    relu,
    softplus,
    sum,
    where,
)


@objective(
    wrt=("anchor", "positive", "negative"),
    reference="Schroff, Kalenichenko and Philbin (2015), arXiv:1503.03832",
)
def triplet(
    anchor: Real[Array, "n d"],
    positive: Real[Array, "n d"],
    negative: Real[Array, "n d"],
    margin: Positive = 1.0,
) -> Formula:
    """An anchor is to be nearer to its positive than to its negative by a margin.

    The convention is PyTorch's TripletMarginLoss: distances are not squared. They are exact, as
    with eps = 0. On the margin, and at distance zero, the derivative is taken as zero.
    """
    i, k = indices("n d")
    near = norm2(k, anchor[i, k] - positive[i, k])
    far = norm2(k, anchor[i, k] - negative[i, k])
    return mean(i, relu(margin + near - far))


@objective(wrt=("x", "y"), reference="Hadsell, Chopra and LeCun (2006), doi:10.1109/CVPR.2006.100")
def contrastive(
    x: Real[Array, "n d"],
    y: Real[Array, "n d"],
    dissimilar: Mask[Array, "n"],
    margin: Positive = 1.0,
) -> Formula:
    """Like pairs are drawn together, unlike ones pushed apart as far as the margin.

    The convention is the paper's: 0 is a like pair, 1 an unlike one, and each half is halved.
    At distance zero the derivative of an unlike pair is taken as zero.
    """
    i, k = indices("n d")
    like = sum(k, (x[i, k] - y[i, k]) ** 2)
    unlike = relu(margin - norm2(k, x[i, k] - y[i, k])) ** 2
    return mean(i, ((1 - dissimilar[i]) * like + dissimilar[i] * unlike) / 2)


@objective(
    wrt=("queries", "keys"), reference="van den Oord, Li and Vinyals (2018), arXiv:1807.03748"
)
def info_nce(
    queries: Real[Array, "n d"], keys: Real[Array, "n d"], temperature: Positive = 0.1
) -> Formula:
    """Each query is to pick its own key among the keys of the batch.

    Similarity is the inner product over the temperature: rows of length 1 make it the cosine.
    """
    i, j, k = indices("n n d")
    own = sum(k, queries[i, k] * keys[i, k])
    similarity = let("similarity", sum(k, queries[i, k] * keys[j, k]) / temperature)
    return mean(i, logsumexp(j, similarity) - own / temperature)


@objective(wrt=("queries", "keys"), reference="Chen et al. (2020), arXiv:2002.05709, equation 1")
def nt_xent(
    queries: Real[Array, "n d"], keys: Real[Array, "n d"], temperature: Positive = 0.5
) -> Formula:
    """Each view is to pick its twin among all other views of the batch: the loss of SimCLR.

    Row i of queries and row i of keys are two views of one example; all 2n views are averaged.
    Similarity is the cosine over the temperature: a zero row has none, and gives not-a-number.
    """
    i, j, k = indices("n n d")
    a = define("a", (i, k), queries[i, k] / norm2(k, queries[i, k]))
    b = define("b", (i, k), keys[i, k] / norm2(k, keys[i, k]))
    across = define("across", (i, j), sum(k, a[i, k] * b[j, k]) / temperature)
    queried = define("queried", (i, j), sum(k, a[i, k] * a[j, k]) / temperature)
    keyed = define("keyed", (i, j), sum(k, b[i, k] * b[j, k]) / temperature)

    def all_others(own: Formula, other: Formula) -> Formula:
        both = own + softplus(other - own)  # the logarithm of the sum of two exponentials
        return logsumexp(j, where(ne(i, j), both, own))

    first = all_others(across[i, j], queried[i, j])
    second = all_others(across[j, i], keyed[i, j])
    return mean(i, (first + second) / 2 - across[i, i])


@objective(wrt=("x", "y"), reference="PyTorch, torch.nn.MarginRankingLoss")
def margin_ranking(
    x: Real[Array, "n"],
    y: Real[Array, "n"],
    labels: PlusMinusOne[Array, "n"],
    margin: Scalar = 0.0,
) -> Formula:
    """Hinge of the difference of two scores; label +1 ranks x first, -1 ranks y first.

    On the margin the derivative is taken as zero.
    """
    i = indices("n")
    return mean(i, relu(margin - labels[i] * (x[i] - y[i])))


@objective(wrt=("positive", "negative"), reference="Rendle et al. (2009), arXiv:1205.2618")
def bpr(positive: Real[Array, "n"], negative: Real[Array, "n"]) -> Formula:
    """Bayesian personalized ranking: -log sigmoid of how far the positive scores above the other.

    The paper's penalty on the parameters is left to l2.
    """
    i = indices("n")
    return mean(i, softplus(negative[i] - positive[i]))


@objective(wrt="scores", reference="Cao et al. (2007), doi:10.1145/1273496.1273513")
def listnet(scores: Real[Array, "n c"], relevance: Real[Array, "n c"]) -> Formula:
    """Cross-entropy of top-one probabilities: softmax(scores) against softmax(relevance)."""
    i, k = indices("n c")
    share = let("share", exp(relevance[i, k] - logsumexp(k, relevance[i, k])))
    return mean(i, logsumexp(k, scores[i, k]) - sum(k, share * scores[i, k]))
