"""What the lessons minimize besides entries of the catalogue: those under a model, and examples."""

from symcalc.catalogue import get
from symcalc.notation import (
    Array,
    Formula,
    Fraction,
    Label,
    Mask,
    NonNegative,
    Probability,
    Real,
    define,
    indices,
    let,
    objective,
    sum,
)


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
