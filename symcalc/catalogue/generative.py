"""Losses of generative models: adversarial, variational, diffusion and flows.

Each is minimized, by the discriminator or critic as much as by the generator.
"""

from symcalc.notation import (
    Array,
    Formula,
    NonNegative,
    Positive,
    Probability,
    Real,
    Simplex,
    exp,
    expm1x,
    gaussian_expectation,
    gaussian_pathwise,
    gaussian_score,
    indices,
    kl_div,
    log,
    log_sigmoid,
    mean,
    norm2,
    objective,
    relu,
    softplus,
    sqrt,
    sum,
    variable,
    where,
)


@objective(
    wrt=("real_logits", "fake_logits"), reference="Goodfellow et al. (2014), arXiv:1406.2661"
)
def gan_discriminator(real_logits: Real[Array, "n"], fake_logits: Real[Array, "m"]) -> Formula:
    """Cross-entropy of telling real from generated samples: -log D(x) - log(1 - D(G(z))).

    D is the sigmoid of the logits. The two batches are averaged apart and may differ in size.
    """
    i, j = indices("n j:m")
    return mean(i, softplus(-real_logits[i])) + mean(j, softplus(fake_logits[j]))


@objective(wrt="fake_logits", reference="Goodfellow et al. (2014), arXiv:1406.2661, section 3")
def gan_generator(fake_logits: Real[Array, "n"]) -> Formula:
    """Non-saturating generator's loss, -log D(G(z)): steep where the discriminator is sure."""
    i = indices("n")
    return mean(i, softplus(-fake_logits[i]))


@objective(wrt="fake_logits", reference="Goodfellow et al. (2014), arXiv:1406.2661, equation 1")
def gan_generator_saturating(fake_logits: Real[Array, "n"]) -> Formula:
    """The minimax game's own generator's loss, log(1 - D(G(z))).

    It is flat where the discriminator is sure, and has no lower bound where it is fooled.
    """
    i = indices("n")
    return mean(i, log_sigmoid(-fake_logits[i]))


@objective(wrt="q", reference="Goodfellow et al. (2014), arXiv:1406.2661, proposition 1")
def optimal_discriminator(q: Probability[Array, "n c"], p: Simplex[Array, "n c"]) -> Formula:
    """The best answer to generator q on data p, over a finite set: p / (p + q).

    Where neither has mass any answer is as good; it is taken as one half.
    """
    i, k = indices("n c")
    both = p[i, k] + q[i, k]
    return where(both > 0, p[i, k] / both, 0.5)


@objective(wrt="q", reference="Goodfellow et al. (2014), arXiv:1406.2661, theorem 1")
def gan_value(q: Probability[Array, "n c"], p: Simplex[Array, "n c"]) -> Formula:
    """The game's value E log D + E log(1 - D) at the optimal discriminator, averaged over rows.

    It is twice the Jensen-Shannon divergence less log 4; the generator q minimizes it. The
    derivative is minus infinity where q is 0 and p is not. Rows of q are taken as they are.
    """
    i, k = indices("n c")
    m = (p[i, k] + q[i, k]) / 2
    apart = where(p[i, k] > 0, kl_div(p[i, k], m) + kl_div(q[i, k], m), q[i, k] * log(2))
    return mean(i, sum(k, apart - 2 * m * log(2)))


@objective(wrt=("real_scores", "fake_scores"), reference="Arjovsky et al. (2017), arXiv:1701.07875")
def wgan_critic(real_scores: Real[Array, "n"], fake_scores: Real[Array, "m"]) -> Formula:
    """Negated estimate of the Wasserstein distance: mean of fake less mean of real scores.

    The paper's critic ascends real less fake; minimizing this does the same. The critic has to be
    held to slopes of at most 1 by other means: see wgan_gp.
    """
    i, j = indices("n j:m")
    return mean(j, fake_scores[j]) - mean(i, real_scores[i])


@objective(wrt="fake_scores", reference="Arjovsky et al. (2017), arXiv:1701.07875")
def wgan_generator(fake_scores: Real[Array, "n"]) -> Formula:
    """Negated mean of the critic's scores of generated samples, so that scores go up."""
    i = indices("n")
    return -mean(i, fake_scores[i])


@objective(
    wrt=("real_scores", "fake_scores", "slopes"),
    reference="Gulrajani et al. (2017), arXiv:1704.00028, equation 3",
)
def wgan_gp(
    real_scores: Real[Array, "n"],
    fake_scores: Real[Array, "m"],
    slopes: Real[Array, "b d"],
    penalty: NonNegative = 10.0,
) -> Formula:
    """The critic's loss with a penalty on slopes whose length is not 1.

    The rows of slopes are the critic's gradients at points between real and fake samples. At a
    slope of zero length the derivative is taken as zero.
    """
    i, j, a, k = indices("n j:m a:b d")
    distance = mean(j, fake_scores[j]) - mean(i, real_scores[i])
    return distance + penalty * mean(a, (norm2(k, slopes[a, k]) - 1) ** 2)


@objective(wrt=("real_scores", "fake_scores"), reference="Lim and Ye (2017), arXiv:1705.02894")
def hinge_gan_discriminator(
    real_scores: Real[Array, "n"], fake_scores: Real[Array, "m"]
) -> Formula:
    """Hinge at +1 for real and at -1 for generated samples.

    On either margin the derivative is taken as zero.
    """
    i, j = indices("n j:m")
    return mean(i, relu(1 - real_scores[i])) + mean(j, relu(1 + fake_scores[j]))


@objective(wrt="fake_scores", reference="Lim and Ye (2017), arXiv:1705.02894")
def hinge_gan_generator(fake_scores: Real[Array, "n"]) -> Formula:
    """Negated mean score of generated samples."""
    i = indices("n")
    return -mean(i, fake_scores[i])


@objective(
    wrt=("real_scores", "fake_scores"), reference="Mao et al. (2017), arXiv:1611.04076, equation 2"
)
def lsgan_discriminator(real_scores: Real[Array, "n"], fake_scores: Real[Array, "m"]) -> Formula:
    """Half the squared distance of real scores from 1 and of fake scores from 0."""
    i, j = indices("n j:m")
    return mean(i, (real_scores[i] - 1) ** 2) / 2 + mean(j, fake_scores[j] ** 2) / 2


@objective(wrt="fake_scores", reference="Mao et al. (2017), arXiv:1611.04076, equation 2")
def lsgan_generator(fake_scores: Real[Array, "n"]) -> Formula:
    """Half the squared distance of fake scores from 1."""
    i = indices("n")
    return mean(i, (fake_scores[i] - 1) ** 2) / 2


@objective(
    wrt=("mu", "log_variance"),
    reference="Kingma and Welling (2014), arXiv:1312.6114, appendix B",
)
def gaussian_kl(mu: Real[Array, "n d"], log_variance: Real[Array, "n d"]) -> Formula:
    """Divergence of a diagonal Gaussian from the standard one, averaged over rows.

    Dimensions are summed: sum_k (mu^2 + exp(l) - 1 - l)/2 at the log-variance l.
    """
    i, k = indices("n d")
    return mean(i, sum(k, mu[i, k] ** 2 + expm1x(log_variance[i, k])) / 2)


@objective(
    wrt=("logits", "mu", "log_variance"),
    reference="Kingma and Welling (2014), arXiv:1312.6114, equation 10",
)
def vae_elbo(
    logits: Real[Array, "n d"],
    x: Probability[Array, "n d"],
    mu: Real[Array, "n h"],
    log_variance: Real[Array, "n h"],
) -> Formula:
    """Negated evidence lower bound of a variational autoencoder, averaged over rows.

    The decoder is Bernoulli in its logits, from one sample of the code; the code is Gaussian and
    its divergence from the standard one in closed form. Dimensions are summed.
    """
    i, k, a = indices("n d a:h")
    reconstruction = sum(k, softplus(logits[i, k]) - x[i, k] * logits[i, k])
    divergence = sum(a, mu[i, a] ** 2 + expm1x(log_variance[i, a])) / 2
    return mean(i, reconstruction + divergence)


@objective(
    wrt=("mu", "log_deviation"),
    reference="Mohamed et al. (2020), JMLR 21(132), section 3",
)
def gaussian_quadratic(
    mu: Real[Array, "n"], log_deviation: Real[Array, "n"], target: Real[Array, "n"]
) -> Formula:
    """The expected squared distance of a Gaussian variable from a target, in closed form.

    It is what gaussian_quadratic_pathwise and gaussian_quadratic_score estimate from samples.
    """
    i = indices("n")
    z = variable("z")
    return mean(i, gaussian_expectation(z, mu[i], exp(log_deviation[i]), (z - target[i]) ** 2))


@objective(
    wrt=("mu", "log_deviation"),
    reference="Kingma and Welling (2014), arXiv:1312.6114, section 2.4",
)
def gaussian_quadratic_pathwise(
    mu: Real[Array, "n"],
    log_deviation: Real[Array, "n"],
    target: Real[Array, "n"],
    noise: Real[Array, "n s"],
) -> Formula:
    """The same by reparameterization: z = mu + exp(log_deviation) noise, differentiated through.

    The noise is standard normal. Value and gradient are unbiased.
    """
    i, s = indices("n s")
    z = variable("z")
    deviation = exp(log_deviation[i])
    return mean(i, gaussian_pathwise(s, z, mu[i], deviation, noise[i, s], (z - target[i]) ** 2))


@objective(wrt=("mu", "log_deviation"), reference="Williams (1992), doi:10.1007/BF00992696")
def gaussian_quadratic_score(
    mu: Real[Array, "n"],
    log_deviation: Real[Array, "n"],
    target: Real[Array, "n"],
    noise: Real[Array, "n s"],
) -> Formula:
    """The same by the score function: samples are held, and weigh their log-density.

    The gradient is unbiased, with more variance than the pathwise one; the value is not the
    expectation's.
    """
    i, s = indices("n s")
    z = variable("z")
    deviation = exp(log_deviation[i])
    return mean(i, gaussian_score(s, z, mu[i], deviation, noise[i, s], (z - target[i]) ** 2))


@objective(wrt="x", reference="Ho et al. (2020), arXiv:2006.11239, equation 4")
def ddpm_noising(
    x: Real[Array, "n d"], noise: Real[Array, "n d"], alpha_bar: Probability[Array, "n"]
) -> Formula:
    """Forward diffusion in one leap: sqrt(a) x + sqrt(1 - a) noise, a the signal left of a row."""
    i, k = indices("n d")
    return sqrt(alpha_bar[i]) * x[i, k] + sqrt(1 - alpha_bar[i]) * noise[i, k]


@objective(wrt="prediction", reference="Ho et al. (2020), arXiv:2006.11239, equation 14")
def ddpm_epsilon(prediction: Real[Array, "n d"], noise: Real[Array, "n d"]) -> Formula:
    """Squared error of the predicted noise, steps weighed alike; dimensions are averaged too."""
    i, k = indices("n d")
    return mean(i, mean(k, (prediction[i, k] - noise[i, k]) ** 2))


@objective(
    wrt=("score", "divergence"),
    reference="Hyvarinen (2005), JMLR 6, 695-709, theorem 1",
)
def score_matching(score: Real[Array, "n d"], divergence: Real[Array, "n"]) -> Formula:
    """Distance of a model's score from the data's, up to a constant, by partial integration.

    It is |s|^2/2 + div s, averaged over samples: the model's score and its divergence suffice. It
    has no lower bound where they are not those of a model.
    """
    i, k = indices("n d")
    return mean(i, sum(k, score[i, k] ** 2) / 2 + divergence[i])


@objective(wrt="score", reference="Vincent (2011), doi:10.1162/NECO_a_00142, equation 9")
def denoising_score_matching(
    score: Real[Array, "n d"],
    x: Real[Array, "n d"],
    noisy: Real[Array, "n d"],
    sigma: Positive = 1.0,
) -> Formula:
    """Half the squared distance of the score at noisy samples from (x - noisy) / sigma^2.

    Dimensions are summed and samples averaged; the noise is Gaussian of deviation sigma.
    """
    i, k = indices("n d")
    return mean(i, sum(k, (score[i, k] - (x[i, k] - noisy[i, k]) / sigma**2) ** 2) / 2)


@objective(wrt="velocity", reference="Lipman et al. (2023), arXiv:2210.02747, equation 23")
def flow_matching(
    velocity: Real[Array, "n d"], noise: Real[Array, "n d"], x: Real[Array, "n d"]
) -> Formula:
    """Squared error of a velocity against that of the straight path from noise to data.

    The velocity is the model's at (1 - t) noise + t x; the path's is x - noise. Dimensions are
    averaged.
    """
    i, k = indices("n d")
    return mean(i, mean(k, (velocity[i, k] - (x[i, k] - noise[i, k])) ** 2))
