"""Learning by reward: the bandit finds its arm, the walker its way, the network its balance."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn import bandit, cartpole, gridworld
from symcalc.learn.environments import Bandit, CartPole, GridWorld
from symcalc.learn.losses import bandit_reinforce, tabular_actor_critic
from symcalc.learn.policies import draw, softmax


def test_draws_follow_the_policy():
    logits = np.broadcast_to([0.0, 1.0, -1.0], (40_000, 3))
    counts = np.bincount(draw(logits, np.random.default_rng(0))) / 40_000
    np.testing.assert_allclose(counts, softmax(logits[0]), atol=0.01)
    np.testing.assert_allclose(softmax(logits[0]), np.exp([0, 1, -1]) / np.exp([0, 1, -1]).sum())
    np.testing.assert_array_equal(softmax(np.array([1000.0, -1000.0])), [1, 0])


def test_the_bandits_gradient_is_the_score_times_what_is_above_the_baseline():
    rng = np.random.default_rng(1)
    theta, actions = rng.normal(size=4), rng.integers(0, 4, 9)
    returns, baseline = rng.normal(size=(2, 9))
    found = sc.compile(bandit_reinforce, backend="numpy").grad(theta, actions, returns, baseline)
    scores = np.eye(4)[actions] - np.exp(theta) / np.exp(theta).sum()
    np.testing.assert_allclose(found, -((returns - baseline)[:, None] * scores).mean(axis=0))


def test_the_tables_are_learnt_apart():
    rng = np.random.default_rng(2)
    logits, values = rng.normal(size=(5, 3)), rng.normal(size=5)
    states, after = rng.integers(0, 5, (2, 8))
    actions, rewards, dones = rng.integers(0, 3, 8), rng.normal(size=8), np.eye(8)[0]
    kernel = sc.compile(tabular_actor_critic, backend="numpy")
    by_logits, by_values = kernel.grad(
        logits, values, states, actions, rewards, after, dones, gamma=0.9
    )
    errors = rewards + 0.9 * (1 - dones) * values[after] - values[states]
    policy = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.zeros((5, 3)), np.zeros(5)
    for s, a, e in zip(states, actions, errors, strict=True):
        wanted[0][s] -= e * (np.eye(3)[a] - policy[s]) / 8
        wanted[1][s] -= e / 8
    np.testing.assert_allclose(by_logits, wanted[0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_values, wanted[1], rtol=1e-12, atol=1e-15)


@pytest.fixture(scope="module")
def pulled():
    return bandit.train(Bandit((1.0, 3.0, 2.0), noise=0.5), 120, 4, backend="numpy")


def test_the_best_arm_is_found(pulled):
    name = "with baseline"
    assert pulled.expected[name].shape == (4, 121)
    np.testing.assert_allclose(pulled.expected[name][:, 0], 2)  # the even policy
    assert pulled.expected[name][:, -1].min() > 2.85
    assert pulled.best[name].min() > 0.85


def test_a_baseline_steadies_the_gradient(pulled):
    assert pulled.spread["with baseline"] < 0.6 * pulled.spread["without baseline"]
    # One pull: (r - b)(e_a - 1/3); its variance written out, over 16 pulls.
    for name, b in (("without baseline", 0.0), ("with baseline", 2.0)):
        second = np.mean([((m - b) ** 2 + 0.25) * 2 / 3 for m in (1.0, 3.0, 2.0)])
        first = np.mean([(m - b) * (np.eye(3)[a] - 1 / 3) for a, m in enumerate((1, 3, 2))], axis=0)
        exact = np.sqrt((second - first @ first) / 16)
        assert pulled.spread[name] == pytest.approx(exact, rel=0.06)


def test_the_bandits_table_and_picture(pulled):
    assert pulled.table()[0] == ("REINFORCE", "without baseline", "with baseline")
    assert len(pulled.draw().axes[1].patches) == 3


@pytest.fixture(scope="module")
def walked():
    return gridworld.train(GridWorld(("..G", "S#P", "...")), 1500, 0.9, backend="numpy")


def test_value_iteration_finds_the_fixed_point_and_contracts(walked):
    world = walked.world
    q = gridworld.action_values(world, walked.values, 0.9)
    np.testing.assert_allclose(q.max(axis=1), walked.values, atol=1e-12)
    best = gridworld.worth(world, np.eye(4)[q.argmax(axis=1)], 0.9)
    np.testing.assert_allclose(best, walked.values, atol=1e-12)
    assert len(walked.contractions) > 5
    assert walked.contractions.max() <= 0.9 * (1 + 1e-6)


def test_both_methods_learn_the_way(walked):
    for name in ("Q-learning", "actor-critic"):
        assert walked.returns[name][-1] > 0.97 * walked.best
        assert walked.returns[name].max() <= walked.best + 1e-12
    chosen = gridworld.action_values(walked.world, walked.values, 0.9)
    start = walked.world.start
    assert walked.policies["Q-learning"][start] == chosen[start].argmax()


def test_the_map_shows_an_arrow_a_state(walked):
    figure = walked.draw()
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert sorted(t for t in texts if t in "GP") == ["G", "P"]
    assert len(texts) == len(walked.world.cells)


def test_an_episode_goes_from_state_to_state():
    world = CartPole(limit=7)
    rng = np.random.default_rng(0)
    policy = cartpole._Network("reinforce", 2, 1e-2, rng, "numpy")
    lasted, states, actions = cartpole._episodes(world, policy, rng)
    assert (lasted == 7).all()
    assert states.shape == (cartpole.POLES, 7, 4)
    np.testing.assert_allclose(world.step(states[:, 3], actions[:, 3]), states[:, 4])


def test_a_stretch_ends_episodes_and_begins_new_ones(monkeypatch):
    monkeypatch.setattr(cartpole, "HORIZON", 40)
    rng = np.random.default_rng(0)
    policy = cartpole._Network("ppo_clip", 2, 1e-3, rng, "numpy")
    critic = cartpole._Network("mse", 1, 1e-3, rng, "numpy")
    stretch = cartpole._Stretch(CartPole(limit=15), rng)
    data = stretch.collect(policy, critic)
    assert data["dones"].sum() == len(stretch.ended)
    assert max(length for _, length in stretch.ended) == 15
    over = np.argwhere(data["dones"] == 1)
    for pole, t in over[over[:, 1] < 39]:
        assert np.abs(data["x"][pole, t + 1]).max() <= 0.05  # anew
    cut = [r for r, d in zip(data["rewards"].ravel(), data["dones"].ravel(), strict=True) if d]
    assert np.ptp(cut) > 0  # what the last state is worth counts where the episode was cut off
    logits = policy(data["x"].reshape(-1, 4))
    chosen = np.log(softmax(logits))[np.arange(len(logits)), data["actions"].ravel()]
    np.testing.assert_allclose(data["old_log_probs"].ravel(), chosen, rtol=1e-10)
    assert data["values"].shape == (cartpole.POLES, 41)


@pytest.mark.slow
def test_the_pole_is_balanced():
    run = cartpole.train()
    for name in ("REINFORCE", "PPO"):
        assert run.trials[name].mean() > 450
        assert run.episodes[name][:20, 1].mean() < 60  # as long as chance keeps it up
    assert len(run.draw().axes) == 2


@pytest.mark.parametrize(
    ("words", "train"),
    [
        ("steps: expected a whole number from 1 on, got 0", lambda: bandit.train(steps=0)),
        ("runs: expected a whole number from 1 on, got 0", lambda: bandit.train(runs=0)),
        ("arms: expected at least two, got 1", lambda: bandit.train(Bandit((1.0,)))),
        ("lr", lambda: bandit.train(lr=0.0, backend="numpy")),
        ("steps: expected a whole number from 100 on", lambda: gridworld.train(steps=5)),
        ("gamma: expected a number between 0 and 1, got 1", lambda: gridworld.train(gamma=1.0)),
        ("steps: expected a whole number from 2048 on", lambda: cartpole.train(100)),
    ],
)
def test_numbers_that_do_not_fit_are_refused(words, train):
    with pytest.raises(sc.ArgumentError, match=words):
        train()
