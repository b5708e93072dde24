"""Preference and group-relative losses of language models, and estimates of their divergence.

Log-probabilities come ready from the model: of whole answers, or of tokens.
"""

from symcalc.notation import (
    Array,
    Formula,
    Mask,
    NonNegative,
    Positive,
    Real,
    eq,
    exp,
    expm1x,
    extent,
    indices,
    let,
    maximum,
    mean,
    minimum,
    objective,
    sigmoid,
    softplus,
    sqrt,
    stop_gradient,
    sum,
    where,
)
from symcalc.notation import clip as clip_to


@objective(
    wrt=("chosen", "rejected"), reference="Rafailov et al. (2023), arXiv:2305.18290, equation 7"
)
def dpo(
    chosen: Real[Array, "n"],
    rejected: Real[Array, "n"],
    reference_chosen: Real[Array, "n"],
    reference_rejected: Real[Array, "n"],
    beta: Positive = 0.1,
) -> Formula:
    """Direct preference optimization: the chosen answer's log-ratio is to exceed the other's.

    Each input is the log-probability of a whole answer, under the policy or the reference.
    """
    i = indices("n")
    margin = (chosen[i] - reference_chosen[i]) - (rejected[i] - reference_rejected[i])
    return mean(i, softplus(-beta * margin))


@objective(
    wrt=("chosen", "rejected"), reference="Azar et al. (2023), arXiv:2310.12036, equation 17"
)
def ipo(
    chosen: Real[Array, "n"],
    rejected: Real[Array, "n"],
    reference_chosen: Real[Array, "n"],
    reference_rejected: Real[Array, "n"],
    beta: Positive = 0.1,
) -> Formula:
    """Identity preference optimization: the margin of log-ratios is drawn to 1/(2 beta)."""
    i = indices("n")
    margin = (chosen[i] - reference_chosen[i]) - (rejected[i] - reference_rejected[i])
    return mean(i, (margin - 1 / (2 * beta)) ** 2)


@objective(wrt="log_probs", reference="Ethayarajh et al. (2024), arXiv:2402.01306, equation 8")
def kto(
    log_probs: Real[Array, "n"],
    reference_log_probs: Real[Array, "n"],
    desirable: Mask[Array, "n"],
    mismatched: Real[Array, "m"],
    beta: Positive = 0.1,
    desirable_weight: NonNegative = 1.0,
    undesirable_weight: NonNegative = 1.0,
) -> Formula:
    """Kahneman-Tversky optimization: answers judged one by one against the policy's divergence.

    mismatched are log-ratios of answers to other prompts: their mean, at least 0, estimates the
    divergence and counts as a constant.
    """
    i, j = indices("n j:m")
    anchor = stop_gradient(maximum(mean(j, mismatched[j]), 0))
    gain = beta * (log_probs[i] - reference_log_probs[i] - anchor)
    good = desirable_weight * sigmoid(-gain)
    bad = undesirable_weight * sigmoid(gain)
    return mean(i, where(eq(desirable[i], 1), good, bad))


def _standardized(rewards: Formula, g: Formula, j: Formula, eps: Formula) -> Formula:
    """Each reward less its group's mean, over its group's deviation."""
    center = let("center", mean(j, rewards[g, j]))
    biased = mean(j, (rewards[g, j] - center) ** 2)
    deviation = sqrt(biased * extent(j) / maximum(extent(j) - 1, 1))
    return (rewards[g, j] - center) / (deviation + eps)


def _token_loss(
    log_probs: Formula, old: Formula, reference: Formula, advantage: Formula,
    clip_low: Formula, clip_high: Formula, beta: Formula,
) -> Formula:  # fmt: skip
    """Negated clipped surrogate of one token, with the k3 estimate of divergence."""
    ratio = let("ratio", exp(log_probs - old))
    clipped = clip_to(ratio, 1 - clip_low, 1 + clip_high)
    surrogate = minimum(ratio * advantage, clipped * advantage)
    return beta * expm1x(reference - log_probs) - surrogate


@objective(wrt="log_probs", reference="Shao et al. (2024), arXiv:2402.03300, equation 3")
def grpo(
    log_probs: Real[Array, "g m t"],
    old_log_probs: Real[Array, "g m t"],
    reference_log_probs: Real[Array, "g m t"],
    mask: Mask[Array, "g m t"],
    rewards: Real[Array, "g m"],
    clip_low: NonNegative = 0.2,
    clip_high: NonNegative = 0.2,
    beta: NonNegative = 0.04,
    eps: Positive = 1e-4,
) -> Formula:
    """Group-relative policy optimization: means over an answer's tokens, then over answers.

    Axes are groups of answers to one prompt, answers, tokens; the mask is 1 on tokens that count.
    Advantages are rewards standardized in their group (deviation over m - 1, eps added to it): a
    group of equal rewards has none. The divergence is k3. An answer that is all masked costs 0.
    """
    g, j, t = indices("g j:m t")
    advantage = _standardized(rewards, g, j, eps)
    loss = _token_loss(
        log_probs[g, j, t], old_log_probs[g, j, t], reference_log_probs[g, j, t],
        advantage, clip_low, clip_high, beta,
    )  # fmt: skip
    total = sum(t, where(eq(mask[g, j, t], 1), loss, 0))
    return mean(g, mean(j, total / maximum(sum(t, mask[g, j, t]), 1)))


@objective(wrt="log_probs", reference="Yu et al. (2025), arXiv:2503.14476, equation 8")
def grpo_per_token(
    log_probs: Real[Array, "g m t"],
    old_log_probs: Real[Array, "g m t"],
    reference_log_probs: Real[Array, "g m t"],
    mask: Mask[Array, "g m t"],
    rewards: Real[Array, "g m"],
    clip_low: NonNegative = 0.2,
    clip_high: NonNegative = 0.28,
    beta: NonNegative = 0.0,
    eps: Positive = 1e-4,
) -> Formula:
    """Grpo averaged over all tokens that count, so that each weighs alike, whatever its answer.

    This is DAPO's loss, with its higher upper clip and no divergence; all else is as in grpo.
    """
    g, j, t = indices("g j:m t")
    advantage = _standardized(rewards, g, j, eps)
    loss = _token_loss(
        log_probs[g, j, t], old_log_probs[g, j, t], reference_log_probs[g, j, t],
        advantage, clip_low, clip_high, beta,
    )  # fmt: skip
    total = sum(g, sum(j, sum(t, where(eq(mask[g, j, t], 1), loss, 0))))
    return total / maximum(sum(g, sum(j, sum(t, mask[g, j, t]))), 1)


@objective(wrt="log_probs", reference="Liu et al. (2025), arXiv:2503.20783, figure 1")
def grpo_no_std(
    log_probs: Real[Array, "g m t"],
    old_log_probs: Real[Array, "g m t"],
    reference_log_probs: Real[Array, "g m t"],
    mask: Mask[Array, "g m t"],
    rewards: Real[Array, "g m"],
    clip_low: NonNegative = 0.2,
    clip_high: NonNegative = 0.2,
    beta: NonNegative = 0.0,
) -> Formula:
    """Grpo without its two biases: Dr. GRPO.

    Advantages are rewards less their group's mean, not divided by a deviation; sums over tokens
    are divided by the length of the token axis, not by the answer's own. All else is as in grpo.
    """
    g, j, t = indices("g j:m t")
    advantage = rewards[g, j] - let("center", mean(j, rewards[g, j]))
    loss = _token_loss(
        log_probs[g, j, t], old_log_probs[g, j, t], reference_log_probs[g, j, t],
        advantage, clip_low, clip_high, beta,
    )  # fmt: skip
    return mean(g, mean(j, mean(t, where(eq(mask[g, j, t], 1), loss, 0))))


@objective(wrt="log_probs", reference="Schulman (2020), joschu.net/blog/kl-approx.html")
def kl_k1(log_probs: Real[Array, "n"], reference_log_probs: Real[Array, "n"]) -> Formula:
    """Mean log-ratio over samples of the policy: an unbiased estimate of KL(policy, reference).

    Differentiated as a loss with the samples held, its expected gradient is 0, not the
    divergence's.
    """
    i = indices("n")
    return mean(i, log_probs[i] - reference_log_probs[i])


@objective(wrt="log_probs", reference="Schulman (2020), joschu.net/blog/kl-approx.html")
def kl_k2(log_probs: Real[Array, "n"], reference_log_probs: Real[Array, "n"]) -> Formula:
    """Half the mean squared log-ratio over samples of the policy: biased, with less variance.

    Differentiated as a loss with the samples held, its expected gradient is the divergence's own.
    """
    i = indices("n")
    return mean(i, (log_probs[i] - reference_log_probs[i]) ** 2) / 2


@objective(wrt="log_probs", reference="Schulman (2020), joschu.net/blog/kl-approx.html")
def kl_k3(log_probs: Real[Array, "n"], reference_log_probs: Real[Array, "n"]) -> Formula:
    """Mean of exp(-r) - 1 + r at the log-ratio r, over samples of the policy: unbiased, never < 0.

    Differentiated as a loss with the samples held, its expected gradient is that of the reverse
    divergence, KL(reference, policy).
    """
    i = indices("n")
    return mean(i, expm1x(reference_log_probs[i] - log_probs[i]))
