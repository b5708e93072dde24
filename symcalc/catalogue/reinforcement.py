"""Policy-gradient objectives, each negated so that it is minimized."""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Real,
    exp,
    indices,
    let,
    logsumexp,
    mean,
    minimum,
    objective,
)
from symcalc.notation import clip as clip_to


@objective(wrt="logits", reference="Williams (1992), doi:10.1007/BF00992696")
def reinforce(
    logits: Real[Array, "n c"], actions: Label[Array, "n -> c"], returns: Real[Array, "n"]
) -> Formula:
    """Negated return-weighted log-probability of the actions taken by a softmax policy."""
    i, k = indices("n c")
    log_policy = logits[i, actions[i]] - logsumexp(k, logits[i, k])
    return -mean(i, returns[i] * log_policy)


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
