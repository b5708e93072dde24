"""Policy-gradient objectives, each negated so that it is minimized."""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    Real,
    Scalar,
    exp,
    expectation,
    gaussian_log_density,
    indices,
    let,
    log_cosh,
    logsumexp,
    mean,
    minimum,
    objective,
    stop_gradient,
    sum,
    tanh,
)
from symcalc.notation import clip as clip_to


@objective(wrt="logits", reference="Sutton et al. (2000), NeurIPS 12, 1057-1063, theorem 1")
def policy_gradient_theorem(
    logits: Real[Array, "n c"], action_values: Real[Array, "n c"]
) -> Formula:
    """Negated expected return of a softmax policy over a finite set of actions.

    Its gradient is the theorem's: -E[action_values grad log policy], whatever is taken from the
    values that does not depend on the action.
    """
    i, k = indices("n c")
    policy = exp(logits[i, k] - logsumexp(k, logits[i, k]))
    return -mean(i, expectation(k, policy, action_values[i, k]))


@objective(wrt="logits", reference="Williams (1992), doi:10.1007/BF00992696")
def reinforce(
    logits: Real[Array, "n c"], actions: Label[Array, "n -> c"], returns: Real[Array, "n"]
) -> Formula:
    """Negated return-weighted log-probability of the actions taken by a softmax policy."""
    i, k = indices("n c")
    log_policy = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    return -mean(i, returns[i] * log_policy)


@objective(wrt="logits", reference="Williams (1992), doi:10.1007/BF00992696, theorem 1")
def reinforce_with_baseline(
    logits: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    returns: Real[Array, "n"],
    baseline: Real[Array, "n"],
) -> Formula:
    """Reinforce with a baseline taken from the returns.

    A baseline that does not depend on the action leaves the expected gradient as it is.
    """
    i, k = indices("n c")
    log_policy = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    return -mean(i, (returns[i] - baseline[i]) * log_policy)


@objective(wrt="logits", reference="Sutton and Barto (2018), ISBN 9780262039246, section 13.5")
def actor_loss(
    logits: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    values: Real[Array, "n"],
    next_values: Real[Array, "n"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """The actor's half of actor-critic: reinforce with the critic's error for a return.

    The error r + gamma V' - V counts as a constant; after a done, V' is 0.
    """
    i, k = indices("n c")
    log_policy = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    error = rewards[i] + gamma * (1 - dones[i]) * next_values[i] - values[i]
    return -mean(i, stop_gradient(error) * log_policy)


@objective(
    wrt=("values", "next_values"),
    reference="Sutton and Barto (2018), ISBN 9780262039246, section 9.3",
)
def critic_loss(
    values: Real[Array, "n"],
    next_values: Real[Array, "n"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """The critic's half of actor-critic: half the squared error r + gamma V' - V.

    The target r + gamma V' is held: no gradient goes to next_values (the semi-gradient).
    """
    i = indices("n")
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * next_values[i])
    return mean(i, (values[i] - target) ** 2) / 2


@objective(
    wrt=("values", "next_values"),
    reference="Baird (1995), doi:10.1016/B978-1-55860-377-6.50013-X",
)
def critic_residual_gradient(
    values: Real[Array, "n"],
    next_values: Real[Array, "n"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """The same value as critic_loss with the target left free: the residual gradient."""
    i = indices("n")
    target = rewards[i] + gamma * (1 - dones[i]) * next_values[i]
    return mean(i, (values[i] - target) ** 2) / 2


@objective(wrt=("logits", "values"), reference="Mnih et al. (2016), arXiv:1602.01783")
def a2c(
    logits: Real[Array, "n c"],
    values: Real[Array, "n"],
    actions: Label[Array, "n -> c"],
    advantages: Real[Array, "n"],
    returns: Real[Array, "n"],
    value_weight: NonNegative = 0.5,
    entropy_weight: NonNegative = 0.01,
) -> Formula:
    """Policy gradient, squared error of the values and a bonus on the policy's entropy, in one.

    Defaults and conventions are the usual implementations': the squared error has no half of its
    own, advantages are constants. Logits are finite.
    """
    i, k = indices("n c")
    log_policy = let("log_policy", logits[i, k] - logsumexp(k, logits[i, k]))
    taken = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    entropy = -sum(k, exp(log_policy) * log_policy)
    error = value_weight * (values[i] - returns[i]) ** 2
    return mean(i, error - advantages[i] * taken - entropy_weight * entropy)


@objective(wrt="logits", reference="Schulman et al. (2017), arXiv:1707.06347, equation 7")
def ppo_clip(
    logits: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    old_log_probs: Real[Array, "n"],
    advantages: Real[Array, "n"],
    clip: Fraction = 0.2,
) -> Formula:
    """Negated clipped surrogate of proximal policy optimization.

    The ratio of new to old probability is held to 1 - clip ... 1 + clip where that makes the
    objective worse; at a tie the gradient goes through the unclipped ratio.
    """
    i, k = indices("n c")
    ratio = let("ratio", exp(logits[i, actions[i]] - logsumexp(k, logits[i, k]) - old_log_probs[i]))
    clipped = clip_to(ratio, 1 - clip, 1 + clip)
    return -mean(i, minimum(ratio * advantages[i], clipped * advantages[i]))


@objective(wrt="logits", reference="Schulman et al. (2017), arXiv:1707.06347, equation 8")
def ppo_kl(
    logits: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    old_logits: Real[Array, "n c"],
    advantages: Real[Array, "n"],
    beta: NonNegative = 1.0,
) -> Formula:
    """Negated surrogate with a penalty beta on the divergence of the old policy from the new.

    Logits are finite.
    """
    i, k = indices("n c")
    log_policy = let("log_policy", logits[i, k] - logsumexp(k, logits[i, k]))
    old = let("old", old_logits[i, k] - logsumexp(k, old_logits[i, k]))
    new_taken = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    old_taken = old_logits[i, actions[i]] - logsumexp(k, old_logits[i, k])
    divergence = sum(k, exp(old) * (old - log_policy))
    return mean(i, beta * divergence - exp(new_taken - old_taken) * advantages[i])


@objective(wrt="logits", reference="Schulman et al. (2015), arXiv:1502.05477, equation 14")
def trpo_surrogate(
    logits: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    old_log_probs: Real[Array, "n"],
    advantages: Real[Array, "n"],
) -> Formula:
    """Negated advantages weighed by the ratio of new to old probability.

    It is minimized within a bound on policy_kl.
    """
    i, k = indices("n c")
    taken = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    return -mean(i, exp(taken - old_log_probs[i]) * advantages[i])


@objective(wrt="logits", reference="Schulman et al. (2015), arXiv:1502.05477, equation 14")
def policy_kl(logits: Real[Array, "n c"], old_logits: Real[Array, "n c"]) -> Formula:
    """Divergence of the old softmax policy from the new one, averaged over states.

    Its Hessian product where both are one is the Fisher-vector product of the policy. Logits are
    finite.
    """
    i, k = indices("n c")
    log_policy = logits[i, k] - logsumexp(k, logits[i, k])
    old = let("old", old_logits[i, k] - logsumexp(k, old_logits[i, k]))
    return mean(i, sum(k, exp(old) * (old - log_policy)))


@objective(
    wrt=("mu", "log_deviation"),
    reference="Williams (1992), doi:10.1007/BF00992696, section 6",
)
def gaussian_policy_log_prob(
    mu: Real[Array, "n d"], log_deviation: Real[Array, "n d"], actions: Real[Array, "n d"]
) -> Formula:
    """Log-density of each row's action under a diagonal Gaussian policy."""
    i, k = indices("n d")
    return sum(k, gaussian_log_density(actions[i, k], mu[i, k], exp(log_deviation[i, k])))


@objective(
    wrt=("mu", "log_deviation"),
    reference="Haarnoja et al. (2018), arXiv:1812.05905, appendix C",
)
def tanh_gaussian_log_prob(
    mu: Real[Array, "n d"], log_deviation: Real[Array, "n d"], noise: Real[Array, "n d"]
) -> Formula:
    """Log-density of the action tanh(u), u = mu + exp(log_deviation) noise, by reparameterization.

    The logarithm of 1 - tanh(u)^2 is taken as -2 log(cosh(u)): nothing is clamped, and no action
    overflows.
    """
    i, k = indices("n d")
    u = mu[i, k] + exp(log_deviation[i, k]) * noise[i, k]
    gaussian = gaussian_log_density(noise[i, k], 0, 1) - log_deviation[i, k]
    return sum(k, gaussian + 2 * log_cosh(u))


@objective(
    wrt=("mu", "log_deviation"), reference="Haarnoja et al. (2018), arXiv:1812.05905, equation 9"
)
def sac_actor(
    mu: Real[Array, "n d"],
    log_deviation: Real[Array, "n d"],
    noise: Real[Array, "n d"],
    slopes: Real[Array, "n d"],
    temperature: NonNegative = 0.2,
) -> Formula:
    """The soft actor's loss, temperature log pi(a) - Q(a), by reparameterization.

    The action is a = tanh(u), u = mu + exp(log_deviation) noise, as in tanh_gaussian_log_prob.
    The critic stands in by the rows of slopes, its gradient at the action, and counts as linear:
    the gradient is that of the whole loss, the value is that up to a constant.
    """
    i, k = indices("n d")
    u = mu[i, k] + exp(log_deviation[i, k]) * noise[i, k]
    gaussian = gaussian_log_density(noise[i, k], 0, 1) - log_deviation[i, k]
    log_density = gaussian + 2 * log_cosh(u)
    return mean(i, sum(k, temperature * log_density - slopes[i, k] * tanh(u)))


@objective(wrt="q", reference="Haarnoja et al. (2018), arXiv:1812.05905, equation 5")
def sac_critic(
    q: Real[Array, "n"],
    next_q1: Real[Array, "n"],
    next_q2: Real[Array, "n"],
    next_log_probs: Real[Array, "n"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    temperature: NonNegative = 0.2,
    gamma: Fraction = 0.99,
) -> Formula:
    """Half the squared error of a soft critic against the lesser of two target critics.

    The target r + gamma (min(Q1, Q2) - temperature log pi) is held; after a done it is r.
    """
    i = indices("n")
    soft = minimum(next_q1[i], next_q2[i]) - temperature * next_log_probs[i]
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * soft)
    return mean(i, (q[i] - target) ** 2) / 2


@objective(wrt="log_temperature", reference="Haarnoja et al. (2018), arXiv:1812.05905, equation 18")
def sac_temperature(
    log_temperature: Real[Array, ""], log_probs: Real[Array, "n"], target_entropy: Scalar = -1.0
) -> Formula:
    """Loss whose descent holds the policy's entropy at its target: -alpha (log pi + target).

    The temperature alpha is the exponential of its logarithm, as the paper has it (some
    implementations multiply by the logarithm itself).
    """
    i = indices("n")
    return -exp(log_temperature[()]) * mean(i, log_probs[i] + target_entropy)
