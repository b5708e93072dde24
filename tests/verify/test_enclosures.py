"""Enclosures hold the truth, are narrow, and tell the two sides of a kink apart."""

import mpmath
import numpy as np
import pytest

import symcalc as sc
from symcalc.verify.enclosures import Enclosures, NoEnclosureError, SingularError
from symcalc.verify.sampling import Point


def at(text, x, wrt="x"):
    return Enclosures(sc.parse(text, wrt=wrt), Point({"n": len(x)}, (np.array(x, float),), {}))


# value, slope and curvature by x, from mpmath's own differentiation
SMOOTH = {
    "exp(x[i])": mpmath.exp,
    "tanh(x[i])": mpmath.tanh,
    "sigmoid(x[i])": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus(x[i])": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "log_cosh(x[i])": lambda x: mpmath.log(mpmath.cosh(x)),
    "erf(x[i])": mpmath.erf,
    "lgamma(x[i]**2 + 1)": lambda x: mpmath.loggamma(x**2 + 1),
    "digamma(x[i]**2 + 1)": lambda x: mpmath.digamma(x**2 + 1),
    "sqrt(x[i]**2 + 1)": lambda x: mpmath.sqrt(x**2 + 1),
}


@pytest.mark.parametrize("x", [-1.75, 0.25, 30.0])
@pytest.mark.parametrize("text", SMOOTH)
def test_slope_and_curvature_hold_what_mpmath_finds(text, x):
    found = at(f"sum(i, {text})", [x])
    with mpmath.workdps(120):
        expected = [mpmath.diff(SMOOTH[text], x, k) for k in (1, 2)]
    for ball, truth in zip((found.slopes("x")[0], found.curvatures("x")[0]), expected, strict=True):
        assert ball.is_smooth
        assert float(ball.right) == pytest.approx(float(truth), rel=1e-14, abs=1e-30)
        assert ball.right.rel_accuracy_bits() >= 80 or abs(ball.right) < 1e-300


SIDES = {
    ("abs(x[i])", 0.0): (-1, 1),
    ("relu(x[i])", 0.0): (0, 1),
    ("relu(x[i])**2", 0.0): (0, 0),
    ("clip(x[i], 0, 1)", 1.0): (1, 0),
    ("sqrt(x[i]**2)", 0.0): (-1, 1),
    ("where(x[i] < 2, 3*x[i], 5*x[i] - 4)", 2.0): (3, 5),
    ("where(x[i]**2 <= 4, 0, x[i]**2 - 4)", 2.0): (0, 4),
}


@pytest.mark.parametrize(("text", "x"), SIDES)
def test_at_a_kink_there_are_two_slopes(text, x):
    slope = at(f"sum(i, {text})", [x]).slopes("x")[0]
    assert not slope.is_smooth
    assert (float(slope.left), float(slope.right)) == SIDES[text, x]


def test_ties_of_a_maximum_have_slopes_zero_and_one():
    slopes = at("max(i, x[i])", [1.0, 1.0, 0.0]).slopes("x")
    assert [(float(s.left), float(s.right)) for s in slopes] == [(0, 1), (0, 1), (0, 0)]


def test_a_norm_at_zero_has_slopes_of_both_signs():
    slopes = at("norm2(i, x[i])", [0.0, 0.0]).slopes("x")
    assert [(float(s.left), float(s.right)) for s in slopes] == [(-1, 1), (-1, 1)]


def test_what_is_stopped_does_not_move():
    slopes = at("sum(i, stop_gradient(x[i]**2)*x[i])", [3.0]).slopes("x")
    assert float(slopes[0].right) == 9


def test_a_product_is_the_hessian_times_the_vector():
    found = at("exp(sum(i, x[i]**2)/4)", [1.0, 0.5, -0.25])
    x, v = np.array([1.0, 0.5, -0.25]), np.array([0.5, -1.0, 2.0])
    e = np.exp((x**2).sum() / 4)
    expected = e / 4 * x * (x @ v) + e / 2 * v
    came = [float(ball) for ball in found.product("x", v)]
    assert came == pytest.approx(expected, rel=1e-14)


def test_where_a_slope_is_infinite_there_is_none():
    with pytest.raises(NoEnclosureError, match="infinite"):
        at("sum(i, sqrt(x[i]))", [0.0]).slopes("x")


@pytest.mark.parametrize(("power", "slope"), [(1.4, 0.0), (2.6, 0.0)])
def test_zero_to_a_broken_power_has_its_first_slopes(power, slope):
    objective = sc.parse("sum(i, p[i]**g*log1p(-p[i]))", wrt="p",
                         domains={"p": "probability", "g": "nonnegative"})  # fmt: skip
    found = Enclosures(objective, Point({"n": 1}, (np.zeros(1),), {"g": power}))
    assert float(found.entries()[()]) == 0
    assert float(found.slopes("p")[0].right) == slope
    assert float(found.curvatures("p")[0].right) == 0  # of p**2.4 and beyond


def test_at_an_end_of_the_domain_a_line_is_seen_from_inside():
    objective = sc.parse("sum(i, p[i]**2.5)", wrt="p", domains={"p": "nonnegative"})
    found = Enclosures(objective, Point({"n": 2}, (np.array([0.0, 1.0]),), {}))
    for way in (1.0, -1.0):
        slope = found.along({"p": np.array([way, 2.0])}).derivatives[0]
        assert float(slope.right) == 5.0
    with pytest.raises(NoEnclosureError, match="leaves the domain"):
        Enclosures(objective, Point({"n": 2}, (np.zeros(2),), {})).along({"p": np.array([1.0, -1])})


def test_a_square_of_a_ball_around_zero_is_a_number():
    """-4/3 + 4/3 is a ball around zero with a radius, of which FLINT gives no power."""
    assert float(at("sum(i, x[i]/3)**2 + 2", [-4.0, 4.0]).value()) == 2


def test_a_held_value_is_a_real_number():
    """The absolute value of one is differentiated as that of any other."""
    objective = sc.parse("mean(i, abs(z[i] - stop_gradient(max(k, z[k]*y[k]))))", wrt="z")
    arrays = {"z": np.array([1.0, 2.0]), "y": np.array([3.0, 1.0])}
    point = Point({"n": 2}, tuple(arrays[t.name] for t in objective.inputs), {})
    found = Enclosures(objective, point)
    assert float(found.value()) == (2 + 1) / 2
    assert [float(slope.right) for slope in found.slopes("z")] == [-0.5, -0.5]


def test_a_zero_entry_is_no_limit_of_what_reads_it():
    for text in ("sum(i, x[i]/norm2(j, x[j]))", "sum(i, x[i]*let(r, 1/norm2(j, x[j])))"):
        with pytest.raises(SingularError):
            at(text, [0.0, 0.0]).value()
    scaled = sc.parse("sum(i, q[i]*x[i]/norm2(j, x[j]))", wrt="q")
    names = [tensor.name for tensor in scaled.inputs]
    arrays = {"q": np.ones(2), "x": np.zeros(2)}
    point = Point({"n": 2}, tuple(arrays[name] for name in names), {})
    with pytest.raises(SingularError):
        Enclosures(scaled, point).slopes("q")
