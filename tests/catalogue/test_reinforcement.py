"""Reinforcement learning against PyTorch's autograd on the papers' formulas, and its theorems."""

from types import SimpleNamespace

import numpy as np
import pytest

import symcalc as sc

SIZES = {"n": 6, "c": 4, "d": 3, "T + 1": 6, "T": 5, "g": 3, "m": 4, "t": 5, "s": 4, "a": 3}
FAMILIES = ("reinforcement", "value_learning", "preferences")


def taken(t, logits, actions):
    return t.distributions.Categorical(logits=logits).log_prob(actions)


def categorical(t, logits):
    return t.distributions.Categorical(logits=logits)


def td_error(a, gamma=0.9):
    return a.rewards + gamma * (1 - a.dones) * a.next_values - a.values


def a2c(t, f, a):
    policy = categorical(t, a.logits)
    gain = (a.advantages * policy.log_prob(a.actions)).mean()
    return 0.4 * f.mse_loss(a.values, a.returns) - gain - 0.03 * policy.entropy().mean()


def ppo_clip(t, a):
    ratio = (taken(t, a.logits, a.actions) - a.old_log_probs).exp()
    return -t.minimum(ratio * a.advantages, ratio.clamp(0.8, 1.2) * a.advantages).mean()


def ppo_kl(t, a):
    old, new = categorical(t, a.old_logits), categorical(t, a.logits)
    ratio = (new.log_prob(a.actions) - old.log_prob(a.actions)).exp()
    gap = t.distributions.kl_divergence(old, new)
    return (0.7 * gap - ratio * a.advantages).mean()


def squashed(t, a):
    """The action, and its log-density; PyTorch's own transform rounds softplus off from 20 on."""
    drawn = t.distributions.Normal(0.0, 1.0).log_prob(a.noise) - a.log_deviation
    u = a.mu + a.log_deviation.exp() * a.noise
    stretch = 2 * (np.log(2) - u - t.logaddexp(t.zeros_like(u), -2 * u))
    log_density = drawn - stretch
    return u.tanh(), log_density.sum(1)


def sac_actor(t, a):
    action, log_density = squashed(t, a)
    return (0.3 * log_density - (a.slopes * action).sum(1)).mean()


def sac_critic(t, f, a):
    soft = t.minimum(a.next_q1, a.next_q2) - 0.3 * a.next_log_probs
    return f.mse_loss(a.q, (a.rewards + 0.9 * (1 - a.dones) * soft).detach()) / 2


def bootstrapped(a, following):
    return (a.rewards + 0.9 * (1 - a.dones) * following).detach()


def picked(q, actions):
    return q.gather(1, actions[:, None])[:, 0]


def margin(a):
    return a.chosen - a.reference_chosen - a.rejected + a.reference_rejected


def kto(t, a):
    gain = 0.3 * (a.log_probs - a.reference_log_probs - a.mismatched.mean().clamp(min=0))
    return t.where(a.desirable == 1, 1.2 * (-gain).sigmoid(), 0.8 * gain.sigmoid()).mean()


def tokens(t, a, advantage, low, high, beta):
    ratio = (a.log_probs - a.old_log_probs).exp()
    gap = a.reference_log_probs - a.log_probs
    advantage = advantage[..., None]
    surrogate = t.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)
    return (beta * (gap.exp() - gap - 1) - surrogate) * a.mask


def centered(a):
    return a.rewards - a.rewards.mean(1, keepdim=True)


def standardized(a):
    return centered(a) / (a.rewards.std(1, keepdim=True) + 1e-4)


def grpo(t, a):
    loss = tokens(t, a, standardized(a), 0.2, 0.2, 0.04)
    return (loss.sum(-1) / a.mask.sum(-1).clamp(min=1)).mean()


# Name, hyperparameters, and the same by torch: f is torch.nn.functional, a the inputs by name.
G = {"gamma": 0.9}
PEERS = [
    ("policy_gradient_theorem", {},
     lambda t, f, a: -(f.softmax(a.logits, 1) * a.action_values).sum(1).mean()),
    ("reinforce", {}, lambda t, f, a: -(a.returns * taken(t, a.logits, a.actions)).mean()),
    ("reinforce_with_baseline", {},
     lambda t, f, a: -((a.returns - a.baseline) * taken(t, a.logits, a.actions)).mean()),
    ("actor_loss", G, lambda t, f, a: -(td_error(a) * taken(t, a.logits, a.actions)).mean()),
    ("critic_loss", G,
     lambda t, f, a: f.mse_loss(a.values, (td_error(a) + a.values).detach()) / 2
                     + 0 * a.next_values.sum()),
    ("critic_residual_gradient", G, lambda t, f, a: (td_error(a) ** 2).mean() / 2),
    ("a2c", {"value_weight": 0.4, "entropy_weight": 0.03}, a2c),
    ("ppo_clip", {}, lambda t, f, a: ppo_clip(t, a)),
    ("ppo_kl", {"beta": 0.7}, lambda t, f, a: ppo_kl(t, a)),
    ("trpo_surrogate", {},
     lambda t, f, a: -((taken(t, a.logits, a.actions) - a.old_log_probs).exp()
                       * a.advantages).mean()),
    ("policy_kl", {},
     lambda t, f, a: t.distributions.kl_divergence(categorical(t, a.old_logits),
                                                   categorical(t, a.logits)).mean()),
    ("gaussian_policy_log_prob", {},
     lambda t, f, a: t.distributions.Normal(a.mu, a.log_deviation.exp())
                      .log_prob(a.actions).sum(1)),
    ("tanh_gaussian_log_prob", {}, lambda t, f, a: squashed(t, a)[1]),
    ("sac_actor", {"temperature": 0.3}, lambda t, f, a: sac_actor(t, a)),
    ("sac_critic", {"temperature": 0.3, **G}, sac_critic),
    ("sac_temperature", {"target_entropy": -2.0},
     lambda t, f, a: -(a.log_temperature.exp() * (a.log_probs - 2)).mean()),
    ("bellman_operator", G,
     lambda t, f, a: (a.rewards + 0.9 * a.transitions @ a.values).max(1).values),
    ("q_learning", G,
     lambda t, f, a: f.mse_loss(picked(a.q, a.actions), bootstrapped(a, a.next_q.max(1).values)) / 2
                     + 0 * a.next_q.sum()),
    ("dqn_huber", {"delta": 0.8, **G},
     lambda t, f, a: f.huber_loss(picked(a.q, a.actions), bootstrapped(a, a.next_q.max(1).values),
                                  delta=0.8) + 0 * a.next_q.sum()),
    ("double_q", G,
     lambda t, f, a: f.mse_loss(picked(a.q, a.actions),
                                bootstrapped(a, picked(a.next_target_q, a.next_q.argmax(1)))) / 2),
    ("expected_sarsa", G,
     lambda t, f, a: f.mse_loss(picked(a.q, a.actions),
                                bootstrapped(a, (a.next_policy * a.next_q).sum(1))) / 2),
    ("dpo", {"beta": 0.3}, lambda t, f, a: -f.logsigmoid(0.3 * margin(a)).mean()),
    ("ipo", {"beta": 0.3}, lambda t, f, a: ((margin(a) - 1 / 0.6) ** 2).mean()),
    ("kto", {"beta": 0.3, "desirable_weight": 1.2, "undesirable_weight": 0.8},
     lambda t, f, a: kto(t, a)),
    ("grpo", {}, lambda t, f, a: grpo(t, a)),
    ("grpo_per_token", {"beta": 0.1},
     lambda t, f, a: tokens(t, a, standardized(a), 0.2, 0.28, 0.1).sum() / a.mask.sum()),
    ("grpo_no_std", {"beta": 0.1},
     lambda t, f, a: tokens(t, a, centered(a), 0.2, 0.2, 0.1).sum() / 60),
    ("kl_k1", {}, lambda t, f, a: (a.log_probs - a.reference_log_probs).mean()),
    ("kl_k2", {}, lambda t, f, a: ((a.log_probs - a.reference_log_probs) ** 2).mean() / 2),
    ("kl_k3", {},
     lambda t, f, a: ((a.reference_log_probs - a.log_probs).exp() - 1
                      - (a.reference_log_probs - a.log_probs)).mean()),
]  # fmt: skip
ELSEWHERE = {"gae", "v_trace", "q_learning_update"}


@pytest.mark.parametrize(("name", "parameters", "peer"), PEERS)
def test_value_and_gradient_are_pytorchs(kernel, sample, name, parameters, peer):
    torch = pytest.importorskip("torch")
    objective = sc.get(name)
    arrays = sample(objective, 1, **SIZES)
    inputs = SimpleNamespace(**{k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
    for key in objective.wrt:
        getattr(inputs, key).requires_grad_()
    expected = peer(torch, torch.nn.functional, inputs)
    call = kernel(name, backend="numpy")
    if objective.is_scalar:
        expected.backward()
        value, gradient = call.value_and_grad(**arrays, **parameters)
    else:
        cotangent = np.random.default_rng(2).normal(size=tuple(expected.shape))
        expected.backward(torch.from_numpy(cotangent))
        value, gradient = call.vjp(**arrays, **parameters, cotangent=cotangent)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    for key, part in zip(objective.wrt, parts, strict=True):
        np.testing.assert_allclose(part, getattr(inputs, key).grad.numpy(), rtol=1e-12, atol=1e-14)


def test_every_entry_is_compared():
    ours = {name for name, entry in sc.catalogue().items() if entry.family in FAMILIES}
    assert ours == {name for name, *_ in PEERS} | ELSEWHERE


def trajectory(sample, name):
    return SimpleNamespace(**sample(sc.get(name), 3, **SIZES))


def test_advantages_are_their_recurrence_written_out(kernel, sample):
    a = trajectory(sample, "gae")
    expected, after = np.zeros((6, 5)), np.zeros(6)
    for t in reversed(range(5)):
        goes_on = 0.9 * (1 - a.dones[:, t])
        delta = a.rewards[:, t] + goes_on * a.values[:, t + 1] - a.values[:, t]
        expected[:, t] = after = delta + 0.8 * goes_on * after
    found = kernel("gae", backend="numpy")(a.values, a.rewards, a.dones, gamma=0.9, lam=0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def test_v_trace_is_its_sum_written_out_and_on_policy_the_discounted_return(kernel, sample):
    """Espeholt et al. (2018), equation 1; section 4.1 for the policy's own trajectory."""
    a = trajectory(sample, "v_trace")
    ratio = np.exp(a.log_ratios)
    rho, c, goes_on = np.minimum(1.5, ratio), np.minimum(0.8, ratio), 0.9 * (1 - a.dones)
    delta = rho * (a.rewards + goes_on * a.values[:, 1:] - a.values[:, :-1])
    expected = a.values[:, :-1].copy()
    for s in range(5):
        for t in range(s, 5):
            expected[:, s] += np.prod((goes_on * c)[:, s:t], axis=1) * delta[:, t]
    call = kernel("v_trace", backend="numpy")
    arrays = (a.values, a.rewards, a.log_ratios, a.dones)
    found = call(*arrays, gamma=0.9, rho_bar=1.5, c_bar=0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    own = call(a.values, a.rewards, 0 * a.log_ratios, 0 * a.dones, gamma=0.9)
    powers = 0.9 ** np.arange(6)
    returns = (a.rewards * powers[:5]).sum(1) + powers[5] * a.values[:, 5]
    np.testing.assert_allclose(own[:, 0], returns, rtol=1e-12)


def test_the_table_learns_as_watkins_says(kernel):
    q = np.arange(6.0).reshape(3, 2)
    call = kernel("q_learning_update", backend="numpy")
    state, action, one = np.array([1]), np.array([0]), np.array([1.5])
    call.step(q, state, action, one, np.array([2]), np.array([0.0]), lr=0.5, gamma=0.9)
    np.testing.assert_allclose(q, [[0, 1], [2 + 0.5 * (1.5 + 0.9 * 5 - 2), 3], [4, 5]])


def test_the_bellman_operator_contracts_by_gamma(kernel, sample):
    point = sample(sc.get("bellman_operator"), 0, s=7, a=3)
    call = kernel("bellman_operator", backend="numpy")
    rng = np.random.default_rng(5)
    for _ in range(20):
        one, other = rng.normal(size=(2, 7))
        apart = call(**{**point, "values": one}, gamma=0.9) - call(
            **{**point, "values": other}, gamma=0.9
        )
        assert np.abs(apart).max() <= 0.9 * np.abs(one - other).max() * (1 + 1e-14)
    shifted = call(**{**point, "values": one + 1}, gamma=0.9) - call(
        **{**point, "values": one}, gamma=0.9
    )
    np.testing.assert_allclose(shifted, 0.9, rtol=1e-13)  # no smaller factor will do


def test_the_curvature_of_the_divergence_is_the_fisher_vector_product(kernel, sample):
    """At the old policy the Hessian of policy_kl is E[grad log pi grad log pi^T] of the policy."""
    logits, vector = np.random.default_rng(1).normal(size=(2, 6, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = p * (vector - (p * vector).sum(1, keepdims=True)) / 6
    got = kernel("policy_kl", backend="numpy").hvp(logits, logits, vector=vector)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-16)


def test_trpos_fisher_vector_product_of_a_linear_policy_is_the_kernels_own(kernel, sample):
    """fvp of the actions' log-loss through logits = W x is J^T (Hessian of policy_kl) J v."""
    policy = sc.compose(sc.get("softmax_cross_entropy"), sc.get("dense")).by("weight")
    point = sample(policy, 0, n=6, d=3, m=4)
    vector = np.random.default_rng(1).normal(size=(4, 3))
    found = sc.compile(policy, backend="numpy").fvp(**point, vector=vector)
    logits = point["x"] @ point["weight"].T + point["bias"]
    through = kernel("policy_kl", backend="numpy").hvp(logits, logits, vector=point["x"] @ vector.T)
    np.testing.assert_allclose(found, through.T @ point["x"], rtol=1e-12, atol=1e-15)


PI = "exp(theta[a] - logsumexp(b, theta[b]))"
LOG_PI = "(theta[a] - logsumexp(b, theta[b]))"
R = f"({LOG_PI} - log_ref[a])"
KL = f"sum(a, {PI}*{R})"


def expected_loss(term):
    """What the estimator's term is on average, as a loss with the samples held."""
    return sc.parse(f"sum(a, stop_gradient({PI})*{term})", wrt="theta")


def test_the_estimators_of_divergence_are_biased_as_they_are_said_to_be():
    """Values and gradients over a finite set, with no sampling."""
    kl = sc.parse(KL, wrt="theta")
    k1, k2, k3 = map(expected_loss, (R, f"{R}**2/2", f"(exp(-{R}) - 1 + {R})"))
    reverse = sc.parse(f"sum(a, exp(log_ref[a])*(log_ref[a] - {LOG_PI}))", wrt="theta")
    rng = np.random.default_rng(0)
    theta, reference = rng.normal(size=(2, 5))
    reference -= np.log(np.exp(reference).sum())

    def at(loss):
        call = sc.compile(loss, backend="numpy").value_and_grad
        return call(theta=theta, log_ref=reference)

    true, slope = at(kl)
    values = [at(k)[0] for k in (k1, k2, k3)]
    assert values[0] == pytest.approx(true, rel=1e-13)
    assert abs(values[1] - true) > 0.01
    assert values[2] == pytest.approx(true, rel=1e-13)
    np.testing.assert_allclose(at(k1)[1], 0, atol=1e-15)
    np.testing.assert_allclose(at(k2)[1], slope, rtol=1e-12)
    np.testing.assert_allclose(at(k3)[1], at(reverse)[1], rtol=1e-12, atol=1e-15)
    assert np.abs(at(k3)[1] - slope).max() > 0.01


def test_an_answer_that_is_masked_costs_nothing_and_equal_rewards_give_no_advantage(kernel, sample):
    for name in ("grpo", "grpo_per_token", "grpo_no_std"):
        point = sample(sc.get(name), 2, g=2, m=3, t=4)
        call = kernel(name, backend="numpy").value_and_grad
        value, gradient = call(**{**point, "mask": 0 * point["mask"]})
        assert value == 0
        assert not gradient.any()
        value, gradient = call(**{**point, "rewards": np.ones((2, 3))}, beta=0)
        assert value == 0
        assert not gradient.any()


ONE, ROW, INF = [1.0], [[0.0, 1.0]], np.inf
# Name, inputs, value and first gradient where floating point is at its ends.
ENDS = [
    ("reinforce_with_baseline", ([[800.0, 0.0]], [1], ONE, [0.0]), 800, [[1, -1]]),
    ("dpo", ([-8000.0], [0.0], [0.0], [0.0]), 800, [-0.1]),
    ("dpo", ([8e5], [0.0], [0.0], [0.0]), 0, [0]),
    ("kto", ([8e5], [0.0], ONE, [0.0]), 0, [0]),
    ("kl_k3", ([1e-9], [0.0]), 5e-19, [1e-9]),
    ("policy_kl", ([[800.0, 0.0]], [[0.0, 800.0]]), 800, [[1, -1]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "value", "gradient"), ENDS)
def test_the_ends_of_the_range_are_limits(kernel, name, arrays, value, gradient):
    got, slope = kernel(name, backend="numpy").value_and_grad(*map(np.array, arrays))
    assert got == pytest.approx(value, rel=1e-8)
    slope = slope[0] if isinstance(slope, tuple) else slope
    np.testing.assert_allclose(slope, gradient, rtol=1e-8)


def test_a_squashed_action_at_its_end_has_a_density(kernel):
    """log(1 - tanh(400)^2) is 2 log 2 - 800, where 1 - tanh(400)^2 is 0."""
    zero = np.zeros((1, 1))
    got = kernel("tanh_gaussian_log_prob", backend="numpy")(zero + 400, zero, zero)
    np.testing.assert_allclose(got, 800 - 2 * np.log(2) - np.log(2 * np.pi) / 2, rtol=1e-15)


REFUSED = [
    ("reinforce_with_baseline", (ROW, [2], ONE, ONE), {}, "actions"),
    ("critic_loss", (ONE, ONE, ONE, [0.5]), {}, "dones"),
    ("q_learning", (ROW, ROW, [0], ONE, ONE), {"gamma": 1.5}, "gamma"),
    ("expected_sarsa", (ROW, ROW, [[0.5, 0.6]], [0], ONE, ONE), {}, "next_policy"),
    ("ppo_clip", (ROW, [0], ONE, ONE), {"clip": -0.1}, "clip"),
    ("sac_critic", ([0.0],) * 6, {"temperature": -1.0}, "temperature"),
    ("bellman_operator", (ONE, [[1.0]], [[[0.5]]]), {}, "transitions"),
    ("gae", (ROW, ROW, ROW), {}, "rewards"),
    ("dpo", (ONE, ONE, ONE, ONE), {"beta": 0.0}, "beta"),
    ("kto", (ONE, ONE, [2.0], ONE), {}, "desirable"),
    ("grpo", ([[[1.0]]],) * 4 + ([[1.0]],), {"clip_low": -0.1}, "clip_low"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "culprit"), REFUSED)
def test_bad_input_is_refused_by_name(kernel, name, arrays, parameters, culprit):
    with pytest.raises(sc.ArgumentError, match=f"{name}: {culprit}"):
        kernel(name, backend="numpy")(*map(np.array, arrays), **parameters)
