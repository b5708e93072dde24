"""What the lessons minimize besides entries of the catalogue: those under a model, and examples."""

from symcalc.catalogue import get
from symcalc.catalogue.mlp import network
from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    Positive,
    Probability,
    Real,
    define,
    exp,
    gaussian_log_density,
    indices,
    let,
    mean,
    objective,
    sum,
)

# Two hidden layers, written out wherever they are called; sizes are those of the arrays.
generator = network((2, 64, 64, 2), "tanh").at_any_size
discriminator = network((2, 64, 64, 1), "relu").at_any_size


@objective(wrt="theta", reference="Rosenbrock (1960), doi:10.1093/comjnl/3.3.175")
def rosenbrock(theta: Real[Array, "n"]) -> Formula:
    """A bent valley: 100 (theta[i+1] - theta[i]^2)^2 + (1 - theta[i])^2, summed."""
    i = indices("n")
    return sum(i, 100 * (theta[i + 1] - theta[i] ** 2) ** 2 + (1 - theta[i]) ** 2)


@objective(wrt="theta")
def quadratic(
    theta: Real[Array, "n"], matrix: Real[Array, "n n"], linear: Real[Array, "n"]
) -> Formula:
    """Half theta^T A theta, less b^T theta."""
    i, j = indices("n n")
    pull = let("pull", sum(j, matrix[i, j] * theta[j]))
    return sum(i, theta[i] * (pull / 2 - linear[i]))


@objective(wrt="theta", reference="Cox (1958), doi:10.1111/j.2517-6161.1958.tb00292.x")
def penalized_logistic(
    theta: Real[Array, "d"],
    x: Real[Array, "n d"],
    y: Probability[Array, "n"],
    lam: NonNegative = 1e-2,
) -> Formula:
    """Mean cross-entropy of log-odds x theta, and half lam times the squared length of theta."""
    i, j = indices("n d")
    logits = define("logits", i, sum(j, x[i, j] * theta[j]))
    return get("bce_with_logits")(logits, y) + get("l2")(theta, lam=lam)


@objective(wrt="theta", reference="Williams (1992), doi:10.1007/BF00992696")
def bandit_reinforce(
    theta: Real[Array, "c"],
    actions: Label[Array, "n -> c"],
    returns: Real[Array, "n"],
    baseline: Real[Array, "n"],
) -> Formula:
    """reinforce_with_baseline of a policy that has the same logits theta at every pull."""
    i, k = indices("n c")
    logits = define("logits", (i, k), theta[k])
    return get("reinforce_with_baseline")(logits, actions, returns, baseline)


@objective(
    wrt=("logits", "values"),
    reference="Sutton and Barto (2018), ISBN 9780262039246, section 13.5",
)
def tabular_actor_critic(
    logits: Real[Array, "s c"],
    values: Real[Array, "s"],
    states: Label[Array, "n -> s"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    next_states: Label[Array, "n -> s"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """actor_loss and critic_loss of tables: a row of logits and a value for each state.

    Neither's gradient touches the other's table.
    """
    i, k = indices("n c")
    rows = define("rows", (i, k), logits[states[i], k])
    here = define("here", i, values[states[i]])
    ahead = define("ahead", i, values[next_states[i]])
    actor = get("actor_loss")(rows, actions, here, ahead, rewards, dones, gamma=gamma)
    critic = get("critic_loss")(here, ahead, rewards, dones, gamma=gamma)
    return actor + critic


@objective(
    wrt=("W1", "b1", "W2", "b2", "W3", "b3"), reference="Goodfellow et al. (2014), arXiv:1406.2661"
)
def network_discriminator(
    real: Real[Array, "n d"],
    fake: Real[Array, "m d"],
    W1: Real[Array, "h d"],
    b1: Real[Array, "h"],
    W2: Real[Array, "p h"],
    b2: Real[Array, "p"],
    W3: Real[Array, "o p"],
    b3: Real[Array, "o"],
) -> Formula:
    """gan_discriminator of a network with two hidden layers and one output."""
    i, j, k = indices("n j:m k:o")
    on_real = discriminator(real, W1, b1, W2, b2, W3, b3).named("on_real")
    on_fake = discriminator(fake, W1, b1, W2, b2, W3, b3).named("on_fake")
    real_logits = define("real_logits", i, sum(k, on_real[i, k]))
    fake_logits = define("fake_logits", j, sum(k, on_fake[j, k]))
    return get("gan_discriminator")(real_logits, fake_logits)


@objective(
    wrt=("V1", "c1", "V2", "c2", "V3", "c3"),
    reference="Goodfellow et al. (2014), arXiv:1406.2661, section 3",
)
def network_generator(
    noise: Real[Array, "n l"],
    V1: Real[Array, "g l"],
    c1: Real[Array, "g"],
    V2: Real[Array, "q g"],
    c2: Real[Array, "q"],
    V3: Real[Array, "d q"],
    c3: Real[Array, "d"],
    W1: Real[Array, "h d"],
    b1: Real[Array, "h"],
    W2: Real[Array, "p h"],
    b2: Real[Array, "p"],
    W3: Real[Array, "o p"],
    b3: Real[Array, "o"],
) -> Formula:
    """gan_generator of one network under another: the gradient goes through the discriminator."""
    i, k = indices("n k:o")
    fake = generator(noise, V1, c1, V2, c2, V3, c3).named("fake")
    scores = discriminator(fake, W1, b1, W2, b2, W3, b3).named("scores")
    fake_logits = define("fake_logits", i, sum(k, scores[i, k]))
    return get("gan_generator")(fake_logits)


@objective(
    wrt=("E1", "e1", "E2", "e2", "Em", "em", "Ev", "ev", "D1", "d1", "D2", "d2", "D3", "d3"),
    reference="Kingma and Welling (2014), arXiv:1312.6114, equation 10",
)
def network_vae(
    x: Real[Array, "n d"],
    noise: Real[Array, "n l"],
    E1: Real[Array, "h d"],
    e1: Real[Array, "h"],
    E2: Real[Array, "p h"],
    e2: Real[Array, "p"],
    Em: Real[Array, "l p"],
    em: Real[Array, "l"],
    Ev: Real[Array, "l p"],
    ev: Real[Array, "l"],
    D1: Real[Array, "q l"],
    d1: Real[Array, "q"],
    D2: Real[Array, "r q"],
    d2: Real[Array, "r"],
    D3: Real[Array, "d r"],
    d3: Real[Array, "d"],
    sigma: Positive = 0.1,
) -> Formula:
    """Negated evidence lower bound of two networks, a row a sample.

    The decoder is Gaussian of deviation sigma, from one code a row, mu + exp(log_variance/2)
    noise; the divergence of the code from the standard Gaussian is gaussian_kl.
    """
    i, k, a = indices("n k:d a:l")
    dense, bent = get("dense"), get("tanh")
    h1 = bent(dense(x, E1, e1).named("z1")).named("h1")
    h2 = bent(dense(h1, E2, e2).named("z2")).named("h2")
    mu, log_variance = dense(h2, Em, em).named("mu"), dense(h2, Ev, ev).named("l")
    code = define("code", (i, a), mu[i, a] + exp(log_variance[i, a] / 2) * noise[i, a])
    xhat = generator(code, D1, d1, D2, d2, D3, d3).named("xhat")
    likelihood = mean(i, sum(k, gaussian_log_density(x[i, k], xhat[i, k], sigma)))
    return get("gaussian_kl")(mu, log_variance) - likelihood
