"""The worlds do what they say: probabilities add up, walls hold, the pole falls by physics."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn.environments import Bandit, CartPole, GridWorld


def test_arms_pay_their_means():
    bandit = Bandit((1.0, -2.0), noise=0.5)
    paid = bandit.pull(np.repeat([0, 1], 20_000), np.random.default_rng(0)).reshape(2, -1)
    np.testing.assert_allclose(paid.mean(axis=1), [1, -2], atol=0.02)
    np.testing.assert_allclose(paid.std(axis=1), 0.5, atol=0.02)


def test_moves_slip_to_the_sides_and_walls_hold():
    world = GridWorld(("G.", "#S"), slip=0.2)
    assert world.cells == ((0, 0), (0, 1), (1, 1))
    assert world.start == 2
    up, right, down, left = world.transitions[2]
    np.testing.assert_allclose(up, [0, 0.8, 0.2])  # to either side there is a wall
    np.testing.assert_allclose(right, [0, 0.1, 0.9])
    np.testing.assert_allclose(down, [0, 0, 1])
    np.testing.assert_allclose(left, [0, 0.1, 0.9])
    np.testing.assert_allclose(world.transitions.sum(axis=2), 1)
    np.testing.assert_allclose(world.transitions[0], [[1, 0, 0]] * 4)  # the end
    np.testing.assert_allclose(world.rewards, [0.96, -0.04, -0.04])
    assert not world.expected_rewards[0].any()
    assert world.expected_rewards[1, 3] == pytest.approx(0.8 * 0.96 - 0.2 * 0.04)


def test_steps_are_drawn_from_the_transitions():
    world = GridWorld()
    rng = np.random.default_rng(0)
    states, actions = rng.integers(0, len(world.cells), 40_000), rng.integers(0, 4, 40_000)
    after, rewards, dones = world.step(states, actions, rng)
    counts = np.zeros_like(world.transitions)
    np.add.at(counts, (states, actions, after), 1)
    counts /= counts.sum(axis=2, keepdims=True)
    assert np.abs(counts - world.transitions).max() < 0.08
    np.testing.assert_array_equal(rewards, world.rewards[after])
    np.testing.assert_array_equal(dones, world.ends[after])


@pytest.mark.parametrize(
    "rows", [(), ("S",), ("G",), ("SG", "S"), ("SS", "GG"), ("SG", "x."), ("S.", "..")]
)
def test_a_map_that_makes_no_sense_is_refused(rows):
    with pytest.raises(sc.ArgumentError, match="map: expected"):
        GridWorld(rows)


def test_a_slip_is_a_probability():
    with pytest.raises(sc.ArgumentError, match=r"slip: expected a probability, got 1\.5"):
        GridWorld(slip=1.5)


def test_the_pole_falls_by_the_equations_of_motion():
    """In continuous time: forces and torques balance, with accelerations from a step's speeds."""
    states = np.random.default_rng(0).uniform(-0.2, 0.2, (50, 4))
    actions = np.arange(50) % 2
    after = CartPole().step(states, actions)
    np.testing.assert_allclose(after[:, [0, 2]], states[:, [0, 2]] + 0.02 * states[:, [1, 3]])
    pull, lean = ((after - states)[:, [1, 3]] / 0.02).T
    _, _, angle, turn = states.T
    sine, cosine = np.sin(angle), np.cos(angle)
    push = np.where(actions == 1, 10.0, -10.0)
    np.testing.assert_allclose(
        1.1 * pull + 0.1 * 0.5 * (lean * cosine - turn**2 * sine), push, rtol=1e-9
    )
    torque = 9.8 * sine - pull * cosine
    np.testing.assert_allclose(4 / 3 * 0.5 * lean, torque, rtol=1e-9, atol=1e-12)


def test_an_episode_is_over_when_pole_or_cart_is_too_far():
    world = CartPole()
    states = np.array([[0, 9, 0, 9], [2.5, 0, 0, 0], [0, 0, 0.22, 0], [0, 0, -0.2, 0.0]])
    np.testing.assert_array_equal(world.fallen(states), [False, True, True, False])
    assert (np.abs(world.reset(100, np.random.default_rng(0))) <= 0.05).all()
