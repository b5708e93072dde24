"""Policy-gradient objectives, each negated so that it is minimized."""

from symcalc.notation import objective
from symcalc.notation.atoms import clip as clip_to
from symcalc.notation.atoms import exp, minimum
from symcalc.notation.conditions import let
from symcalc.notation.dims import indices
from symcalc.notation.reductions import logsumexp, mean
from symcalc.notation.spelling import Array, Fraction, Label, Real


@objective(wrt="logits", reference="Williams (1992), doi:10.1007/BF00992696")
def reinforce(
    logits: Real[Array, "n c"], actions: Label[Array, "n -> c"], returns: Real[Array, "n"]
):
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
):
    """Negated clipped surrogate of proximal policy optimization.

    The ratio of new to old probability is held to 1 - clip ... 1 + clip where that makes the
    objective worse; at a tie the gradient goes through the unclipped ratio.
    """
    i, k = indices("n c")
    ratio = let("ratio", exp(logits[i, actions[i]] - logsumexp(k, logits[i, k]) - old_log_probs[i]))
    clipped = clip_to(ratio, 1 - clip, 1 + clip)
    return -mean(i, minimum(ratio * advantages[i], clipped * advantages[i]))
