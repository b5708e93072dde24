"""Programs interpreted: they are to compute what formulas say; bounds hold and are tight."""

import re
from pathlib import Path

import numpy as np
import pytest
from entries import entries

import symcalc as sc
from symcalc.verify import ulps
from symcalc.verify.accuracy import ALL, GRADIENT, VALUE, as_single, witness
from symcalc.verify.bounded import FORMATS
from symcalc.verify.elementary import ulps_of
from symcalc.verify.enclosures import Enclosures, places_of
from symcalc.verify.recipes import NoBoundError
from symcalc.verify.running import program_of, running_error
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.verdict import PASS

POSITIVE = ("log", "**q", "**(", "gamma")  # formulas with these are of positive numbers
# every kind of node: each is interpreted, and compared with the formula, without a compiler
FORMULAS = [
    "sum(i, erf(x[i]) + lgamma(x[i]**2 + 1))",
    "sum(i, x[i]**q[i] + x[i]**p)",
    "sum(i, sqrt(x[i]) + x[i]**(3/2) + x[i]**(-5/2) + 2**x[i])",
    "sum(i, digamma(x[i]) + trigamma(x[i]))",
    "sum(i, sin(x[i])*cos(q[i]) - cos(x[i])**2)",
    "sum(i, kl_div(q[i], x[i]) + xlogy(q[i], x[i]) + log_ratio(q[i], x[i]))",
    "sum(i, log1mexp(x[i]) + expm1(-x[i]) + expm1x(x[i]) + log1p(x[i]))",
    "sum(i, erfc(x[i])*sigmoid(x[i])*log_sigmoid(x[i]) + sech(x[i])*tanh(x[i])*log_cosh(x[i]))",
    "mean(i, clip(x[i], 0, 1)**2 + maximum(x[i], q[i]) + relu(x[i] - 1) + abs(x[i] - 2))",
    "prod(t, x[t])",
    "sum(t, scan(t, a[t], x[t])**2)",
    "sum(t, let(A, reverse_scan(t, c[t], x[t]))**2)",
    "sum(i, q[i]*cumsum(j, x[j], i))",
    "sum(t, (x[t+1] - x[t])**2) + sum(t, where(t > 0, x[t], 0))",
    "sum(i, sum(j, x[i+j]*w[j])**2)",
    "logsumexp(k, x[k])",
    "norm2(i, x[i])",
    "max(i, x[i]**2) + x[argmax(j, q[j])]",
    "sum(i, sum(k, sum(j, x[i,j]*B[j,k])**2))",
    "sum(k, mean(i, (x[i,k] - mean(j, x[j,k]))**2)**2)",
    "x[i,k]/sqrt(mean(l, x[i,l]**2) + 0.001)",
    "exp(x[i,k] - logsumexp(l, x[i,l]))",
    "sum(i, gaussian_expectation(z, x[i], 1, softplus(z)))",
]


def objective(text):
    letters = set(re.findall(r"\b[pqx]\b", text))
    positive = any(word in text for word in POSITIVE)
    domains = {letter: "positive" for letter in letters if positive or letter == "p"}
    return sc.parse(text, wrt="x", domains=domains)


def inputs_of(point, derivation):
    cotangent = () if derivation.objective.is_scalar else (point.cotangent,)
    return [*point.arrays, *cotangent]


def interpreted(derivation, point, dtype="float64"):
    mode = "value_and_grad" if derivation.objective.is_scalar else "vjp"
    program = program_of(derivation, mode)
    arrays = inputs_of(point, derivation)
    return running_error(program, dtype, arrays, point.hyper, point.extents).outputs


@pytest.mark.parametrize("text", FORMULAS)
def test_programs_are_to_compute_what_formulas_say(text):
    derivation = sc.derive(objective(text))
    for kind, sizes in (("typical", (3, 2)), ("ties", (2, 3)), ("tails", (2, 3))):
        point = draw(derivation.objective, primes(derivation.objective, sizes), 3, kind)
        truth = Enclosures(derivation.objective, point)
        found = interpreted(derivation, point)
        entries = truth.entries()
        for place in places_of(entries.shape):
            assert found[derivation.value][place].exact.overlaps(entries[place])
        slopes = truth.slopes("x")
        gradient = found[derivation.gradient_of("x").target]
        for place in places_of(slopes.shape):
            if slopes[place].is_smooth:
                assert gradient[place].exact.overlaps(slopes[place].right)


def test_compensated_cancellation_is_no_error_of_the_ball():
    derivation = sc.derive(objective("sum(i, expm1x(x[i])*(exp(x[i]) - 1))"))
    point = Point({"n": 1}, (np.array([1e-12]),), {})
    value = interpreted(derivation, point)[derivation.value][()]
    assert value.exact.rel_accuracy_bits() > 60
    assert value.error > abs(value.exact) * 1e-6  # exp(x) - 1 as written does cancel


def test_ulps_are_those_that_the_vector_mathematics_is_held_to():
    page = Path(__file__).parents[2] / "derivations" / "accuracy.md"
    limits = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1] == "float64":
            limits[cells[0].split(" ")[0]] = max(limits.get(cells[0], 0.0), float(cells[-1]))
    exact = {"sqrt", "abs", "sign", "relu", "maximum", "minimum", "clip", "weighted"}
    for name in limits.keys() - exact - {"stop_gradient"}:
        assert ulps_of(name) >= limits[name], name
    assert ulps_of("exp_nonpositive") >= limits["exp"]


def kernels_of(kernel, name, **options):
    return tuple(kernel(name, dtype=dtype, **options) for dtype in ("float64", "float32"))


@pytest.fixture
def no_free_ulps(monkeypatch):
    monkeypatch.setattr(ulps, "ULPS", 0.0)


@pytest.mark.usefixtures("no_free_ulps")
@pytest.mark.parametrize("kind", ["typical", "ties", "tails"])
@pytest.mark.parametrize("name", entries())
def test_no_kernel_of_the_catalogue_errs_beyond_its_bound(name, kind, kernel):
    both = kernels_of(kernel, name)
    points = [draw(both[0].objective, primes(both[0].objective, sizes), seed, kind)
              for sizes in ((2, 3), (3, 5), (1, 1)) for seed in range(3)]  # fmt: skip
    for reading in witness(*both, points, (VALUE, GRADIENT)):
        assert reading.verdict == PASS, reading


@pytest.mark.usefixtures("no_free_ulps")
@pytest.mark.parametrize(
    ("text", "kind", "of"),
    [(FORMULAS[4], "typical", ALL), (FORMULAS[9], "tails", ALL),
     (FORMULAS[17], "tails", (VALUE, GRADIENT)), (FORMULAS[18], "tails", (VALUE, GRADIENT))],
)  # fmt: skip
def test_no_result_errs_beyond_its_bound(text, kind, of):
    found = objective(text)
    both = sc.compile(found), sc.compile(found, dtype="float32")
    points = [draw(found, primes(found, (3, 4)), seed, kind) for seed in range(4)]
    for reading in witness(*both, points, of):
        assert reading.verdict == PASS, reading


@pytest.mark.parametrize(
    ("name", "most"),
    [("mse", 4), ("huber", 4), ("log_cosh", 8), ("softmax_cross_entropy", 20), ("hinge", 3),
     ("elastic_net", 3), ("dense", 30)],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bounds_are_tight(name, most, dtype):
    derivation = sc.derive(sc.get(name).at_any_size)
    point = draw(derivation.objective, primes(derivation.objective, (2, 3)), 5)
    point = point if dtype == "float64" else as_single(point)
    format = FORMATS[dtype]
    for tensor, found in interpreted(derivation, point, dtype).items():
        for value in found.flat:
            unit = format.ulp(value.exact)
            if value.exact != 0:
                assert value.error <= most * unit, (tensor, float(value.error / unit))


def test_where_rounding_decides_the_bound_covers_both_sides():
    derivation = sc.derive(objective("sum(i, where(x[i]*q[i] <= 1, x[i], 2*x[i]))"))
    point = Point({"n": 1}, (np.array([3.0]), np.array([1 / 3])), {})
    value = interpreted(derivation, point)[derivation.value][()]
    assert value.error >= 2.9  # 3.0 * fl(1/3) is below 1, and rounds to it


def test_a_place_that_rounding_decides_has_no_bound():
    derivation = sc.derive(objective("x[argmax(j, exp(x[j]))]**2"))
    point = Point({"n_j": 2}, (np.array([1.0, 1.0 + 2**-52]),), {})
    with pytest.raises(NoBoundError, match="rounding decides"):
        interpreted(derivation, point)


def test_infinite_inputs_are_numbers_like_any_other():
    derivation = sc.derive("softmax_cross_entropy")
    point = Point({"n": 1, "c": 3}, (np.array([[0.5, -np.inf, 0.25]]), np.array([0])), {})
    found = interpreted(derivation, point)
    assert found[derivation.value][()].error < 2e-15  # the sum, and what its rounding lost
    gradient = found[derivation.gradient_of("logits").target]
    assert gradient[0, 1].top < 1e-300
    assert gradient[0, 2].error < 1e-15


def test_an_overflow_on_the_way_is_told():
    derivation = sc.derive(objective("sqrt(sum(i, x[i]*x[i]*q[i]))"))
    program = program_of(derivation, "value")
    for x, overflows in ((1e150, False), (1e170, True)):
        arrays = [np.array([x]), np.array([1.0])]
        found = running_error(program, "float64", arrays, {}, {"n": 1})
        assert found.overflows == overflows


def test_masked_entries_leave_their_rows_a_bound():
    derivation = sc.derive(sc.get("causal_attention").at_any_size)
    point = draw(derivation.objective, primes(derivation.objective, (3, 2)), 1)
    vectors = [np.ones(array.shape) for array in point.arrays]
    for mode, more in (("vjp", []), ("hvp", vectors)):
        given = [*point.arrays, point.cotangent, *more]
        program = program_of(derivation, mode)
        found = running_error(program, "float64", given, point.hyper, point.extents)
        worst = max(entry.error for array in found.outputs.values() for entry in array.flat)
        assert worst < 1e-12


def test_what_balls_do_not_tell_counts_as_either():
    share = "exp(x[i] - logsumexp(j, x[j]))"  # of the first entry: less than 1 by 1e-2172
    text = f"sum(i, where((q[i] > 2) & ({share} >= 1), 3, 2)*x[i])"
    derivation = sc.derive(objective(text))

    def value(q):
        point = Point({"n": 2}, (np.array([q, 1.0]), np.array([5000.0, 1.0])), {})
        return interpreted(derivation, point)[derivation.value][()]

    assert [tensor.name for tensor in derivation.objective.inputs] == ["q", "x"]
    assert value(1.0).error < 1e-12  # the other condition decides
    with pytest.raises(NoBoundError, match="stay wide"):
        value(3.0)
