"""Numerics that went wrong in the field although the true value is finite, on our kernels.

Every case carries the issue it was reported in. The truth is worked out in mpmath, by formulas
written here for it. The NumPy backend computes the equations as they stand, and is held only where
these are stable as they stand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import mpmath
import numpy as np
import pytest

import symcalc as sc

ULPS = 8
DIGITS = 1000
BOTH, NUMBA = ("numba", "numpy"), ("numba",)

BCE = "sum(i, softplus(x[i]) - y[i]*x[i])"
NAIVE_BCE = "sum(i, -y[i]*log(sigmoid(x[i])) - (1 - y[i])*log(1 - sigmoid(x[i])))"
WEIGHTED_BCE = "sum(i, -w*y[i]*log(sigmoid(x[i])) - (1 - y[i])*log(1 - sigmoid(x[i])))"
FOCAL = "sum(i, -(1 - sigmoid(x[i]))**gamma * log(sigmoid(x[i])))"
KL = "sum(i, xlogy(p[i], p[i]) - weighted(p[i], x[i]))"


@dataclass(frozen=True)
class Case:
    """A formula at points where others went wrong.

    Args:
        issue: where that was reported.
        formula: ours, by x.
        value: of one x and the other numbers, in mpmath.
        slope: its derivative by x.
        points: values of x.
        others: the other arguments, one number each.
        backends: which are held.
    """

    issue: str
    formula: str
    value: Callable
    slope: Callable
    points: tuple[float, ...]
    others: dict[str, float] = field(default_factory=dict)
    backends: tuple[str, ...] = BOTH


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def bce(x, y, w=1):
    return w * y * softplus(-x) + (1 - y) * softplus(x)


def bce_slope(x, y, w=1):
    return -w * y * sigmoid(-x) + (1 - y) * sigmoid(x)


def focal(x, gamma):
    return sigmoid(-x) ** gamma * softplus(-x)


def focal_slope(x, gamma):
    return -(sigmoid(-x) ** gamma) * (gamma * sigmoid(x) * softplus(-x) + sigmoid(-x))


def inside(function):
    """Return the function where x > 0, and zero elsewhere."""
    return lambda x: function(x) if x > 0 else mpmath.mpf(0)


def zero(x, **others):
    return mpmath.mpf(0)


TAILS = (37.43, -37.43, 50.0, -50.0, -120.0, 745.0, -745.0, 1e4, -1e4, 1e20, -1e20)
CASES = [
    Case("pytorch#195677", BCE, bce, bce_slope, (37.43, 88.7, 745.0), {"y": 1.0}, NUMBA),
    Case("pytorch#195677, y = 0", BCE, bce, bce_slope, TAILS, {"y": 0.0}),
    Case("pytorch#103316", NAIVE_BCE, bce, bce_slope, TAILS, {"y": 0.0}, NUMBA),
    Case("pytorch#103316, y = 1", NAIVE_BCE, bce, bce_slope, TAILS, {"y": 1.0}, NUMBA),
    Case("jax#39794", "sum(i, expm1(x[i]))", mpmath.expm1, mpmath.exp, (-40.0, -700.0, -1e20)),
    Case("jax#40385", "sum(i, sigmoid(x[i]))", sigmoid, lambda x: sigmoid(x) * sigmoid(-x), TAILS),
    Case("pytorch#89558", KL, zero, zero, (-1e4, -40.0, 0.0), {"p": 0.0}),
    Case("pytorch#13773", WEIGHTED_BCE, bce, bce_slope, TAILS, {"y": 0.0, "w": 3.0}, NUMBA),
    Case("pytorch#13773, y = 1", WEIGHTED_BCE, bce, bce_slope, TAILS, {"y": 1.0, "w": 3.0}, NUMBA),
    Case("pytorch#2421, jax#3058", "norm2(i, x[i])", abs, mpmath.sign, (0.0, 1e-320, 1e300)),
    Case("jax#4177", "norm2(i, x[i])**2", lambda x: x**2, lambda x: 2 * x, (0.0, 1e-100, 1e100)),
    Case("jax#347", "sum(i, where(x[i] > 0, sqrt(x[i]), 0))", inside(mpmath.sqrt),
         inside(lambda x: 1 / (2 * mpmath.sqrt(x))), (-1.0, 0.0, 4.0)),
    Case("jax#1052", "sum(i, where(x[i] > 0, log(x[i]), 0))", inside(mpmath.log),
         inside(lambda x: 1 / x), (-1.0, 0.0, 1e20)),
    Case("jax#5798", "sum(i, where(x[i] > 0, 1/x[i], 0))", inside(lambda x: 1 / x),
         inside(lambda x: -1 / x**2), (-1.0, 0.0, 1e20)),
    Case("optax#1267", FOCAL, focal, focal_slope, TAILS, {"gamma": 0.0}, NUMBA),
    Case("optax#1267, gamma = 2", FOCAL, focal, focal_slope, TAILS, {"gamma": 2.0}, NUMBA),
    Case("xlogy at 0", "sum(i, xlogy(p[i], x[i]))", zero, zero, (0.5, 1e-300, 1e20), {"p": 0.0}),
    Case("scikit-learn#28046", BCE, bce, bce_slope, (-1000.0, 1000.0), {"y": 0.0}),
    Case("scikit-learn#28046, exp", "sum(i, exp(x[i]) - y[i]*x[i])",
         lambda x, y: mpmath.exp(x) - y * x, lambda x, y: mpmath.exp(x) - y, (-1000.0, -745.0),
         {"y": 2.0}),
]  # fmt: skip


@cache
def kernel(formula, backend, scalars):
    """Compile a formula; its hyperparameters get their numbers as defaults."""
    return sc.compile(sc.parse(formula, "x", defaults=dict(scalars)), backend=backend)


def ulps(came, true):
    """Return the distance in units in the last place of the truth."""
    with mpmath.workdps(DIGITS):
        return float(abs(mpmath.mpf(float(came)) - true) / float(np.spacing(abs(float(true)))))


@pytest.mark.parametrize(
    ("case", "backend"),
    [(case, backend) for case in CASES for backend in case.backends],
    ids=lambda item: getattr(item, "issue", item),
)
def test_what_went_wrong_in_the_field(case, backend):
    scalars = {name: n for name, n in case.others.items() if name in ("w", "gamma")}
    made = kernel(case.formula, backend, tuple(scalars.items()))
    arrays = {name: n for name, n in case.others.items() if name not in scalars}
    for x in case.points:
        given = {name: np.array([n]) for name, n in {**arrays, "x": x}.items()}
        value, gradient = made.value_and_grad(*(given[each.name] for each in made.objective.inputs))
        with mpmath.workdps(DIGITS):
            value_true = case.value(mpmath.mpf(x), **case.others)
            slope_true = case.slope(mpmath.mpf(x), **case.others)
        assert ulps(value, value_true) <= ULPS, (x, value, float(value_true))
        assert ulps(gradient[0], slope_true) <= ULPS, (x, gradient, float(slope_true))


@pytest.mark.parametrize("x", [-20.0, -3.0])
def test_a_missing_factor_2_of_a_taylor_hessian_is_found(x):  # scikit-learn#28453
    def slope(raw):
        return float(np.sum(1 / (1 + np.exp(-raw))))

    def right(raw):
        return np.exp(raw) / (1 + np.exp(raw)) ** 2

    def wrong(raw):  # exp(raw) (1 - 2 exp(raw)) to second order, its 2 forgotten
        return np.exp(raw) * (1 - np.exp(raw))

    assert sc.check_gradient(slope, right, np.array([x, x / 2]))
    assert not sc.check_gradient(slope, wrong, np.array([x, x / 2]))
