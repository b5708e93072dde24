"""Points are drawn from domains, seeded."""

import numpy as np

import symcalc as sc
from symcalc.verify.sampling import draw, primes


def test_points_are_seeded_and_leave_defaults():
    objective = sc.get("huber")
    one, two = (draw(objective, primes(objective, (5,)), 3) for _ in range(2))
    np.testing.assert_array_equal(one.arrays[0], two.arrays[0])
    assert one.hyper["delta"] != 1.0
