"""Products with derivatives that no format holds: not held to a truth; everything else is."""

import numpy as np

import symcalc as sc
from symcalc.verify.accuracy import as_single, witness
from symcalc.verify.beyond import Beyond
from symcalc.verify.bounded import DOUBLE
from symcalc.verify.sampling import Point
from symcalc.verify.verdict import DIAGONAL, FAIL, GRADIENT, HVP, INCONCLUSIVE, VALUE


def at(p, t):
    return Point({"n": 2}, (np.array(p), np.array(t)), {})


def test_a_hessian_beyond_the_format_excuses_its_products_alone():
    objective = sc.get("binary_cross_entropy")
    beyond = Beyond(objective, at([1e-300, 0.5], [0.5, 0.5]), DOUBLE)
    assert beyond.any(HVP, "probability")
    assert beyond.any(DIAGONAL, "probability")
    assert not beyond.any(GRADIENT, "probability")
    assert not beyond.any(VALUE, "value")
    assert not Beyond(objective, at([0.1, 0.5], [0.5, 0.5]), DOUBLE).any(HVP, "probability")


class Lost:
    """A kernel that gives not-a-number for its gradient."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __getattr__(self, name):
        return getattr(self.kernel, name)

    def value_and_grad(self, *arrays, **named):
        value, gradient = self.kernel.value_and_grad(*arrays, **named)
        return value, gradient * np.nan


def test_a_gradient_that_is_lost_is_excused_by_nothing_less(kernel):
    lost = Lost(kernel("binary_cross_entropy", backend="numpy"))
    (reading,) = witness(lost, None, [at([1e-300, 0.5], [0.5, 0.5])], (GRADIENT,))
    assert reading.verdict == FAIL
    (reading,) = witness(lost, None, [at([5e-324, 0.5], [0.5, 0.5])], (GRADIENT,))
    assert reading.verdict == INCONCLUSIVE


def test_a_jacobian_beyond_the_format_is_seen_entry_by_entry():
    objective = sc.get("weight_norm")
    arrays = (np.array([[0.0, 0.0, 5e-324]]), np.ones(1))
    point = Point({"m": 1, "d": 3}, arrays, {}, np.ones((1, 3)))
    assert Beyond(objective, point, DOUBLE).any(GRADIENT, "v")


def test_a_tail_of_float32_is_one_whose_square_it_holds():
    single = as_single(Point({"n": 2}, (np.array([1e20, -1e20]), np.array([np.inf, 1.0])), {}))
    np.testing.assert_array_equal(single.arrays[0], np.float32([1e18, -1e18]))
    assert single.arrays[1][0] == np.inf
