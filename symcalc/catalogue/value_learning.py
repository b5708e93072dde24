"""Values of states and actions in reinforcement learning: operators, errors and advantages.

Where an episode ends, its mask `dones` is 1 and nothing that follows counts.
"""

from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    Positive,
    Real,
    Simplex,
    abs,
    argmax,
    becomes,
    define,
    eq,
    exp,
    indices,
    let,
    max,
    mean,
    minimum,
    objective,
    reverse_scan,
    stop_gradient,
    sum,
    where,
)


@objective(wrt="values", reference="Bellman (1957), doi:10.1512/iumj.1957.6.56038")
def bellman_operator(
    values: Real[Array, "s"],
    rewards: Real[Array, "s a"],
    transitions: Simplex[Array, "s a s"],
    gamma: Fraction = 0.99,
) -> Formula:
    """What the best action of each state is worth where the next state is worth its value.

    transitions[s, a, t] is the probability of t after a in s. Two values come closer by a factor
    of gamma in the maximum norm. Of tied actions the first is followed.
    """
    s, a, t = indices("s a t:s")
    return max(a, rewards[s, a] + gamma * sum(t, transitions[s, a, t] * values[t]))


@objective(wrt=("q", "next_q"), reference="Watkins and Dayan (1992), doi:10.1007/BF00992698")
def q_learning(
    q: Real[Array, "n c"],
    next_q: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """Half the squared error of the taken action's value against r + gamma max Q'.

    The target is held: no gradient goes to next_q. A step of lr n against the gradient of a table
    is the update of Watkins.
    """
    i, k = indices("n c")
    best = max(k, next_q[i, k])
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * best)
    return mean(i, (q[i, actions[i]] - target) ** 2) / 2


@objective(wrt="q", reference="Watkins and Dayan (1992), doi:10.1007/BF00992698")
def q_learning_update(
    q: Real[Array, "s c"],
    states: Label[Array, "n -> s"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    next_states: Label[Array, "n -> s"],
    dones: Mask[Array, "n"],
    lr: Positive = 0.1,
    gamma: Fraction = 0.99,
) -> Formula:
    """One step of a table of values towards r + gamma max Q' where its transitions went.

    With one transition it is Watkins' own; of several, all look at the table before the step, and
    their errors add up where they meet.
    """
    s, k, a, i = indices("s k:c a:c i:n")
    best = define("best", s, max(a, q[s, a]))
    error = define(
        "error",
        i,
        rewards[i] + gamma * (1 - dones[i]) * best[next_states[i]] - q[states[i], actions[i]],
    )
    here = eq(states[i], s) & eq(actions[i], k)
    return becomes(q=q[s, k] + lr * sum(i, where(here, error[i], 0)))


@objective(wrt=("q", "next_q"), reference="Mnih et al. (2015), doi:10.1038/nature14236")
def dqn_huber(
    q: Real[Array, "n c"],
    next_q: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
    delta: Positive = 1.0,
) -> Formula:
    """Huber's loss of the taken action's value against r + gamma max Q', the target held.

    next_q are the target network's values. The paper clips the error at 1: that is delta.
    """
    i, k = indices("n c")
    best = max(k, next_q[i, k])
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * best)
    r = let("r", q[i, actions[i]] - target)
    return mean(i, where(abs(r) <= delta, r**2 / 2, delta * (abs(r) - delta / 2)))


@objective(wrt="q", reference="van Hasselt, Guez and Silver (2016), arXiv:1509.06461, equation 4")
def double_q(
    q: Real[Array, "n c"],
    next_q: Real[Array, "n c"],
    next_target_q: Real[Array, "n c"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """Half the squared error against a target whose action one network picks and another values.

    next_q picks, the first of tied actions, and next_target_q values; the target is held.
    """
    i, k = indices("n c")
    chosen = next_target_q[i, argmax(k, next_q[i, k])]
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * chosen)
    return mean(i, (q[i, actions[i]] - target) ** 2) / 2


@objective(wrt="q", reference="van Seijen et al. (2009), doi:10.1109/ADPRL.2009.4927542")
def expected_sarsa(
    q: Real[Array, "n c"],
    next_q: Real[Array, "n c"],
    next_policy: Simplex[Array, "n c"],
    actions: Label[Array, "n -> c"],
    rewards: Real[Array, "n"],
    dones: Mask[Array, "n"],
    gamma: Fraction = 0.99,
) -> Formula:
    """Half the squared error against r + gamma E Q' over the policy's next action; target held."""
    i, k = indices("n c")
    expected = sum(k, next_policy[i, k] * next_q[i, k])
    target = stop_gradient(rewards[i] + gamma * (1 - dones[i]) * expected)
    return mean(i, (q[i, actions[i]] - target) ** 2) / 2


@objective(
    wrt=("values", "rewards"), reference="Schulman et al. (2016), arXiv:1506.02438, equation 16"
)
def gae(
    values: Real[Array, "n T+1"],
    rewards: Real[Array, "n T"],
    dones: Mask[Array, "n T"],
    gamma: Fraction = 0.99,
    lam: Fraction = 0.95,
) -> Formula:
    """Advantages along each row's trajectory: discounted sums of r + gamma V' - V.

    A[t] = delta[t] + gamma lam (1 - done[t]) A[t+1]. The last value stands for what follows the
    last step.
    """
    i, t = indices("n T")
    goes_on = gamma * (1 - dones[i, t])
    delta = rewards[i, t] + goes_on * values[i, t + 1] - values[i, t]
    return reverse_scan(t, lam * goes_on, delta)


@objective(
    wrt=("values", "rewards"), reference="Espeholt et al. (2018), arXiv:1802.01561, remark 1"
)
def v_trace(
    values: Real[Array, "n T+1"],
    rewards: Real[Array, "n T"],
    log_ratios: Real[Array, "n T"],
    dones: Mask[Array, "n T"],
    gamma: Fraction = 0.99,
    rho_bar: Positive = 1.0,
    c_bar: NonNegative = 1.0,
) -> Formula:
    """Targets of values from another policy's trajectories, importance weights clipped.

    v[t] = V[t] + rho[t] (r[t] + gamma V[t+1] - V[t]) + gamma c[t] (v[t+1] - V[t+1]), with
    rho = min(rho_bar, ratio), c = min(c_bar, ratio) and ratio = exp(log_ratios), that of the
    policy's to the behaviour's probability. A ratio that overflows is clipped like any other.
    """
    i, t = indices("n T")
    goes_on = gamma * (1 - dones[i, t])
    ratio = exp(log_ratios[i, t])
    delta = rewards[i, t] + goes_on * values[i, t + 1] - values[i, t]
    corrections = reverse_scan(t, goes_on * minimum(c_bar, ratio), minimum(rho_bar, ratio) * delta)
    return values[i, t] + corrections
