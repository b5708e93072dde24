"""Brute force against derivatives known from elsewhere."""

from __future__ import annotations

import numpy as np

import symcalc as sc
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.unrolled import Unrolled


def test_softmax_cross_entropy_by_hand():
    objective = sc.get("softmax_cross_entropy")
    z = np.array([[0.0, 1.0, -2.0], [0.5, 0.25, 3.0]])
    point = Point({"n": 2, "c": 3}, (z, np.array([2, 0])), {})
    (value, gradient), _ = Unrolled(objective, point).gradient("logits")
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(value, -np.mean([np.log(p[0, 2]), np.log(p[1, 0])]), rtol=1e-14)
    onehot = np.array([[0, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(gradient, (p - onehot) / 2, rtol=1e-13)


def test_shift_and_condition_on_indices():
    objective = sc.parse("sum(t, (V[t+1] - V[t])**2) + sum(t, where(t > 0, V[t], 0))", wrt="V")
    v = np.array([1.0, 3.0, -2.0])
    (value, gradient), _ = Unrolled(objective, Point({"n_t": 3}, (v,), {})).gradient("V")
    assert value == 4 + 25 + 1
    np.testing.assert_allclose(gradient, [-4.0, 4 + 10 + 1, -10 + 1])


def test_points_are_seeded_and_leave_defaults():
    objective = sc.get("huber")
    one, two = (draw(objective, primes(objective, (5,)), 3) for _ in range(2))
    np.testing.assert_array_equal(one.arrays[0], two.arrays[0])
    assert one.hyper["delta"] != 1.0


def test_a_held_value_is_a_real_number():
    """The absolute value of one is differentiated as that of any other."""
    objective = sc.parse("mean(i, abs(z[i] - stop_gradient(max(k, z[k]*y[k]))))", wrt="z")
    point = Point({"n": 2}, (np.array([1.0, 2.0]), np.array([3.0, 1.0])), {})
    (value, gradient), _ = Unrolled(objective, point).gradient("z")
    assert value == (2 + 1) / 2
    np.testing.assert_allclose(gradient, [-0.5, -0.5])
