"""Layers of networks: affine maps, activations, attention. Rows are samples, or tokens.

An activation is a layer here and an atom in the notation, under one name; the atoms are written
`atoms.relu` in this file.
"""

from symcalc.notation import (
    Array,
    Finite,
    Formula,
    Label,
    Mask,
    Real,
    atoms,
    define,
    eq,
    exp,
    extent,
    indices,
    inf,
    let,
    logsumexp,
    objective,
    pi,
    sqrt,
    sum,
    where,
)


@objective(wrt=("x", "weight", "bias"), reference="Rosenblatt (1958), doi:10.1037/h0042519")
def dense(x: Real[Array, "n d"], weight: Real[Array, "m d"], bias: Real[Array, "m"]) -> Formula:
    """Affine map of each row: x W^T + b.

    The convention is PyTorch's Linear: the weight has a row for each output.
    """
    i, k, j = indices("n k:m j:d")
    return sum(j, x[i, j] * weight[k, j]) + bias[k]


@objective(wrt=("x", "weight"), reference="PyTorch, torch.nn.Linear with bias=False")
def linear(x: Real[Array, "n d"], weight: Real[Array, "m d"]) -> Formula:
    """Linear map of each row, x W^T: a dense layer without a bias."""
    i, k, j = indices("n k:m j:d")
    return sum(j, x[i, j] * weight[k, j])


@objective(
    wrt=("x", "weight1", "bias1", "weight2", "bias2"),
    reference="He et al. (2016), arXiv:1512.03385",
)
def residual(
    x: Real[Array, "n d"],
    weight1: Real[Array, "m d"],
    bias1: Real[Array, "m"],
    weight2: Real[Array, "d m"],
    bias2: Real[Array, "d"],
) -> Formula:
    """A row plus what two dense layers with a relu between them make of it.

    The gradient goes through the sum unchanged, and through the layers beside.
    """
    i, k, j = indices("n k:m j:d")
    z = dense(x, weight1, bias1).named("z")
    h = define("h", (i, k), atoms.relu(z[i, k]))
    branch = dense(h, weight2, bias2).named("branch")
    return x[i, j] + branch[i, j]


@objective(wrt="x", reference="Rumelhart, Hinton and Williams (1986), doi:10.1038/323533a0")
def sigmoid(x: Real[Array, "n d"]) -> Formula:
    """Logistic sigmoid of each entry."""
    i, j = indices("n d")
    return atoms.sigmoid(x[i, j])


@objective(wrt="x", reference="LeCun et al. (1998), doi:10.1007/3-540-49430-8_2")
def tanh(x: Real[Array, "n d"]) -> Formula:
    """Hyperbolic tangent of each entry."""
    i, j = indices("n d")
    return atoms.tanh(x[i, j])


@objective(wrt="x", reference="Nair and Hinton (2010), ICML 2010, 807")
def relu(x: Real[Array, "n d"]) -> Formula:
    """The positive part of each entry; at zero the derivative zero is taken."""
    i, j = indices("n d")
    return atoms.relu(x[i, j])


@objective(wrt="x", reference="Dugas et al. (2001), NIPS 13, 472")
def softplus(x: Real[Array, "n d"]) -> Formula:
    """A smooth positive part of each entry, log(1 + exp(x)).

    PyTorch's, with beta = 1, is x itself beyond its threshold; this one is exact everywhere.
    """
    i, j = indices("n d")
    return atoms.softplus(x[i, j])


@objective(wrt="x", reference="Hendrycks and Gimpel (2016), arXiv:1606.08415")
def gelu(x: Real[Array, "n d"]) -> Formula:
    """Each entry times the normal distribution function at it, exactly, by erfc.

    The left tail keeps its digits, where 1 + erf would cancel.
    """
    i, j = indices("n d")
    return x[i, j] * atoms.erfc(-x[i, j] / sqrt(2)) / 2


@objective(wrt="x", reference="Hendrycks and Gimpel (2016), arXiv:1606.08415, section 2")
def gelu_tanh(x: Real[Array, "n d"]) -> Formula:
    """The tanh approximation of gelu, x (1 + tanh(u)) / 2, written as x sigmoid(2u).

    In u = sqrt(2/pi) (x + 0.044715 x^3) an entry counts as at most 30 in size: beyond, the sigmoid
    is 0 or 1 in any floating point, and a cube would overflow.
    """
    i, j = indices("n d")
    held = atoms.clip(x[i, j], -30, 30)
    u = let("u", sqrt(2 / pi) * (held + 0.044715 * held**3))
    return x[i, j] * atoms.sigmoid(2 * u)


@objective(wrt="x", reference="Elfwing, Uchibe and Doya (2018), arXiv:1702.03118")
def silu(x: Real[Array, "n d"]) -> Formula:
    """Each entry times its sigmoid, also called swish."""
    i, j = indices("n d")
    return x[i, j] * atoms.sigmoid(x[i, j])


@objective(wrt="x", reference="Misra (2019), arXiv:1908.08681")
def mish(x: Real[Array, "n d"]) -> Formula:
    """Each entry times the tanh of its softplus."""
    i, j = indices("n d")
    return x[i, j] * atoms.tanh(atoms.softplus(x[i, j]))


@objective(wrt=("x", "gate", "weight"), reference="Shazeer (2020), arXiv:2002.05202, equation 5")
def swiglu(x: Real[Array, "n d"], gate: Real[Array, "m d"], weight: Real[Array, "m d"]) -> Formula:
    """A linear map of each row, gated by the silu of another: silu(x G^T) * (x W^T).

    Both weights have a row for each output, as in PyTorch; there is no bias.
    """
    i, k = indices("n k:m")
    a = linear(x, gate).named("a")
    b = linear(x, weight).named("b")
    return a[i, k] * atoms.sigmoid(a[i, k]) * b[i, k]


@objective(wrt="x", reference="Bridle (1990), doi:10.1007/978-3-642-76153-9_28")
def softmax(x: Real[Array, "n c"]) -> Formula:
    """Each row as probabilities, proportional to the exponentials of its entries.

    A masked entry, -inf, has probability zero; so has every entry of a row of nothing else.
    """
    i, k = indices("n c")
    return exp(x[i, k] - logsumexp(k, x[i, k]))


@objective(wrt=("q", "k", "v"), reference="Vaswani et al. (2017), arXiv:1706.03762, equation 1")
def scaled_dot_product_attention(
    q: Real[Array, "n d"], k: Real[Array, "m d"], v: Real[Array, "m p"]
) -> Formula:
    """Each query's mean of the values, weighted by the softmax of its products with the keys.

    The products are divided by sqrt(d).
    """
    i, j, a, b = indices("n m a:d b:p")
    score = let("score", sum(a, q[i, a] * k[j, a]) / sqrt(extent(a)))
    share = let("share", exp(score - logsumexp(j, score)))
    return sum(j, share * v[j, b])


@objective(wrt=("q", "k", "v"), reference="Vaswani et al. (2017), arXiv:1706.03762, section 3.2.3")
def scaled_dot_product_attention_masked(
    q: Finite[Array, "n d"],
    k: Finite[Array, "m d"],
    v: Finite[Array, "m p"],
    mask: Mask[Array, "n m"],
) -> Formula:
    """Attention in which a query sees only the keys for which its mask is 1.

    A query that sees none gives zeros, and no gradient. What no query sees must be finite too.
    """
    i, j, a, b = indices("n m a:d b:p")
    seen = eq(mask[i, j], 1)
    hidden = where(eq(sum(j, mask[i, j]), 0), 0, -inf)  # of nothing there is no softmax
    score = let("score", where(seen, sum(a, q[i, a] * k[j, a]) / sqrt(extent(a)), hidden))
    share = let("share", where(seen, exp(score - logsumexp(j, score)), 0))
    return sum(j, share * v[j, b])


@objective(wrt=("q", "k", "v"), reference="Vaswani et al. (2017), arXiv:1706.03762, section 3.2.3")
def causal_attention(
    q: Real[Array, "n d"], k: Real[Array, "n d"], v: Real[Array, "n p"]
) -> Formula:
    """Attention in which a token sees itself and those before it."""
    i, j, a, b = indices("n j:n a:d b:p")
    score = let("score", where(j <= i, sum(a, q[i, a] * k[j, a]) / sqrt(extent(a)), -inf))
    share = let("share", exp(score - logsumexp(j, score)))
    return sum(j, share * v[j, b])


@objective(
    wrt=("x", "wq", "wk", "wv", "wo"),
    reference="Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2",
)
def multi_head_attention(
    x: Real[Array, "n d"],
    wq: Real[Array, "h p d"],
    wk: Real[Array, "h p d"],
    wv: Real[Array, "h p d"],
    wo: Real[Array, "d h p"],
) -> Formula:
    """Self-attention by several heads, whose outputs are mapped back to the width of a row.

    The heads are an axis: PyTorch's in_proj_weight, (3 d, d), is wq, wk and wv reshaped to
    (h p, d) and stacked; its out_proj.weight is wo reshaped to (d, h p). There are no biases.
    """
    i, j, h, a, b = indices("n j:n h a:p b:d")
    q = define("q", (h, i, a), sum(b, wq[h, a, b] * x[i, b]))
    k = define("k", (h, i, a), sum(b, wk[h, a, b] * x[i, b]))
    v = define("v", (h, i, a), sum(b, wv[h, a, b] * x[i, b]))
    score = let("score", sum(a, q[h, i, a] * k[h, j, a]) / sqrt(extent(a)))
    share = let("share", exp(score - logsumexp(j, score)))
    head = define("head", (h, i, a), sum(j, share * v[h, j, a]))
    return sum(h, a, wo[b, h, a] * head[h, i, a])


@objective(
    wrt=("x", "weight", "bias"), reference="LeCun et al. (1989), doi:10.1162/neco.1989.1.4.541"
)
def conv1d(
    x: Real[Array, "n c l"], weight: Real[Array, "m c w"], bias: Real[Array, "m"]
) -> Formula:
    """Cross-correlation along the last axis, over all channels, as PyTorch's Conv1d has it.

    The stride is 1 and nothing is padded: the output is w - 1 shorter than the input.
    """
    i, k, c, t, s = indices("n k:m c t:l s:w")
    return define("out", (i, k, t), sum(c, s, x[i, c, t + s] * weight[k, c, s]) + bias[k])


@objective(wrt="weight", reference="Bengio et al. (2003), JMLR 3, 1137")
def embedding(tokens: Label[Array, "n -> v"], weight: Real[Array, "v d"]) -> Formula:
    """The row of a table for each token; the gradient is scattered to the rows that were read."""
    i, j = indices("n d")
    return weight[tokens[i], j]
