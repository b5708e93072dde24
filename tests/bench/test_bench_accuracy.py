"""The reference against ball arithmetic, and the error measure against errors that are known."""

import flint
import numpy as np
import pytest
from shapes import extents

from symcalc.bench.accuracy import SAMPLE, entries, judge, positions, reference_entries, ulps
from symcalc.bench.inputs import draw, make_case
from symcalc.bench.reference import Reference, is_precise_enough
from symcalc.calculus import balls, probe
from symcalc.catalogue import catalogue, get
from symcalc.notation import parse
from symcalc.verify.sampling import roomy

EPS = np.finfo(float).eps
pytestmark = pytest.mark.skipif(
    not is_precise_enough("float64"), reason="long double is no longer than double here"
)


def ball_entries(problem, derivation):
    """Every equation of the derivation in ball arithmetic, on the problem's arrays."""
    env = {dim: dict(problem.case.extents)[dim.name] for dim in problem.objective.dims}
    for parameter in problem.objective.parameters:
        env[parameter.symbol] = flint.arb(problem.hyper[parameter.name])
    arrays = {t: problem.arrays[t.name] for t in problem.objective.inputs}
    if derivation.cotangent is not None:
        arrays[derivation.cotangent] = problem.cotangent
    for tensor, array in arrays.items():
        kind = int if tensor.domain.integer else lambda x: flint.arb(float(x))
        env[tensor] = {place: kind(array[place]) for place in np.ndindex(array.shape)}
    for equation in derivation.equations:
        env[equation.target] = {
            places: balls.evaluate(equation.body, {**env, **at})
            for places, at in probe.points(equation.indices, env)
        }
    return env


# Between 1 - clip and 1 + clip the two sides of ppo_clip's minimum are equal: balls cannot tell.
DECIDED = {"ppo_clip": {"clip": 1e-9}}


@pytest.mark.parametrize("name", catalogue())
def test_reference_agrees_with_balls(name):
    objective = get(name)
    shape = tuple(roomy(objective, extents(objective, 5, 3)).values())
    problem = draw(objective, make_case(objective, shape=shape))
    problem.hyper.update(DECIDED.get(name, {}))
    reference = Reference(problem)
    derivation = reference.derivation
    deep = len(derivation.equations) > 25  # each of them rounds
    with flint.ctx.workprec(200):
        env = ball_entries(problem, derivation)
        for name_, tensor in [("value", derivation.value)] + [
            (n, derivation.gradient_of(n).target) for n in derivation.wrt
        ]:
            true = list(env[tensor].values())
            flat = np.arange(len(true))
            found = reference.value(flat) if name_ == "value" else reference.gradient(name_, flat)
            scale = max(abs(float(ball)) for ball in true)
            for number, ball in zip(found, true, strict=True):
                high = float(number)
                exact = flint.arb(high) + flint.arb(float(number - np.longdouble(high)))
                assert abs(float(exact - ball)) <= (1e-16 if deep else 1e-17) * scale


def test_reference_evaluates_functions_that_numpy_lacks():
    objective = parse("sum(i, erf(x[i]) + lgamma(x[i]**2 + 1))", wrt="x")
    problem = draw(objective, make_case(objective, shape=(4,)))
    with flint.ctx.workprec(200):
        squares = [flint.arb(float(x)) for x in problem.arrays["x"]]
        true = sum((x.erf() + (x * x + 1).lgamma() for x in squares), flint.arb(0))
    assert ulps([float(true)], reference_entries(problem)["value"], "float64") <= 0.51
    assert np.isfinite(reference_entries(problem)["x"]).all()


ATOMS_ON_BALLS = {
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: x.exp().log1p(),
    "log_sigmoid": lambda x: -(-x).exp().log1p(),
    "log_cosh": lambda x: x.cosh().log(),
    "sech": lambda x: 1 / x.cosh(),
    "expm1x": lambda x: x.exp() - 1 - x,
    "erfc": lambda x: x.erfc(),
}


@pytest.mark.parametrize("name", ATOMS_ON_BALLS)
def test_reference_evaluates_the_atoms(name):
    objective = parse(f"sum(i, {name}(x[i]))", wrt="x")
    problem = draw(objective, make_case(objective, shape=(1,)))
    with flint.ctx.workprec(200):
        true = ATOMS_ON_BALLS[name](flint.arb(float(problem.arrays["x"][0])))
    assert ulps([float(true)], reference_entries(problem)["value"], "float64") <= 0.51


@pytest.mark.parametrize("name", ["kl_div", "log_ratio"])
def test_reference_evaluates_atoms_of_two(name):
    objective = parse(f"sum(i, {name}(2 + x[i]**2, 2.01 + x[i]**2))", wrt="x")
    problem = draw(objective, make_case(objective, shape=(1,)))
    with flint.ctx.workprec(200):
        x = flint.arb(float(problem.arrays["x"][0])) ** 2 + 2
        y = x + flint.arb(1) / 100
        ratio = (x / y).log()
        true = float(ratio if name == "log_ratio" else x * ratio - x + y)
    # the arguments themselves are rounded to 64 bits, and their difference is a small one
    assert reference_entries(problem)["value"][0][0] == pytest.approx(true, rel=1e-14)


@pytest.mark.parametrize(
    ("found", "reference", "dtype", "expected"),
    [
        (1.0, (1.0, 0.0), "float64", 0.0),
        (1.0 + EPS, (1.0, 0.0), "float64", 1.0),
        (1.0 + EPS, (1.0, EPS / 4), "float64", 0.75),
        (-1.0, (1.0, 0.0), "float64", 2 / EPS),
        (1.0 + 2.0**-23, (1.0, 0.0), "float32", 1.0),
        (1e-300 * (1 + 4 * EPS), (1e-300, 0.0), "float64", 4.0),
        (5e-324, (0.0, 0.0), "float64", 1.0),
        (np.inf, (np.inf, 0.0), "float64", 0.0),
        (-np.inf, (np.inf, 0.0), "float64", np.inf),
        (np.nan, (1.0, 0.0), "float64", np.inf),
        (1.0, (np.nan, 0.0), "float64", np.inf),
        (np.nan, (np.nan, 0.0), "float64", 0.0),
    ],
)
def test_ulps(found, reference, dtype, expected):
    assert ulps([found], [reference], dtype)[0] == pytest.approx(expected, rel=0.3)


def test_a_planted_error_shows_in_one_entry_only():
    objective = get("huber")
    problem = draw(objective, make_case(objective, size=100))
    reference = reference_entries(problem)
    value, grad = (
        Reference(problem).value([0])[0],
        Reference(problem).gradient("prediction", np.arange(100)).astype(float),
    )
    good = judge(entries(problem, value, (grad,)), reference, "float64")
    assert max(good.value, good.gradient) <= 0.5
    grad[17] *= 1 + 1e-12
    bad = judge(entries(problem, value, (grad,)), reference, "float64")
    assert 2000 < bad.gradient < 20000
    assert bad.gradient_median == good.gradient_median
    assert bad.value == good.value


def test_the_sample_is_fixed_by_the_seed_and_lies_inside():
    chosen = positions(10**6, 3)
    np.testing.assert_array_equal(chosen, positions(10**6, 3))
    assert not np.array_equal(chosen, positions(10**6, 4))
    assert SAMPLE * 0.9 < len(chosen) <= SAMPLE
    assert chosen.min() >= 0
    assert chosen.max() < 10**6
    assert len(positions(SAMPLE, 0)) == SAMPLE


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "layer_norm"])
def test_a_sample_of_a_large_array_is_the_array_at_those_places(name):
    objective = get(name)
    problem = draw(objective, make_case(objective, shape=(70, 40)))
    whole = Reference(problem).gradient(objective.wrt[0], np.arange(2800))
    some = np.array([5, 41, 1000, 2799])
    np.testing.assert_array_equal(Reference(problem).gradient(objective.wrt[0], some), whole[some])
