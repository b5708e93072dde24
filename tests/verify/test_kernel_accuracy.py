"""Kernels before enclosures: what is wrong by next to nothing is caught, what is right passes."""

import flint
import numpy as np
import pytest

import symcalc as sc
from symcalc.verify.accuracy import DIAGONAL, GRADIENT, HVP, VALUE, as_single, rows, witness
from symcalc.verify.bounded import DOUBLE, SINGLE, Bounded
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.ulps import Limits, judge
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS

NAMES = ("log_cosh", "bce_with_logits", "softmax_cross_entropy", "layer_norm")


class Planted:
    """A kernel whose results are changed on their way out."""

    def __init__(self, kernel, change, of):
        self.kernel, self.change, self.of = kernel, change, of

    def __getattr__(self, name):
        return getattr(self.kernel, name)

    def _first(self, call, arrays, named):
        value, gradient = getattr(self.kernel, call)(*arrays, **named)
        several = isinstance(gradient, tuple)
        if self.of == VALUE:
            value = self.change(value)
        if self.of == GRADIENT:
            gradient = tuple(map(self.change, gradient if several else (gradient,)))
            gradient = gradient if several else gradient[0]
        return value, gradient

    def value_and_grad(self, *arrays, **named):
        return self._first("value_and_grad", arrays, named)

    def vjp(self, *arrays, **named):
        return self._first("vjp", arrays, named)

    def hvp(self, *arrays, **named):
        found = self.kernel.hvp(*arrays, **named)
        several = isinstance(found, tuple)
        changed = tuple(map(self.change, found if several else (found,)))
        return changed if several else changed[0]

    def hessian_diagonal(self, *arrays, **named):
        return self.change(self.kernel.hessian_diagonal(*arrays, **named))


def points_of(objective, seeds=3, kind="typical", sizes=(3, 5)):
    return [draw(objective, primes(objective, sizes), seed, kind) for seed in range(seeds)]


def verdicts(readings):
    return {(r.dtype, r.of): r.verdict for r in readings}


@pytest.mark.parametrize("of", [VALUE, GRADIENT])
@pytest.mark.parametrize("name", NAMES)
def test_a_factor_next_to_one_is_caught(name, of, kernel):
    exact, single = kernel(name), kernel(name, dtype="float32")
    wrong = (Planted(exact, lambda a: a * (1 + 1e-8), of),
             Planted(single, lambda a: a * np.float32(1 + 1e-4), of))  # fmt: skip
    for point in points_of(exact.objective):
        found = {}
        for reading in witness(*wrong, [point], (of,)):
            found.setdefault(reading.dtype, []).append(reading.verdict)
        assert FAIL in found["float64"]
        assert FAIL in found["float32"]


def test_second_derivatives_off_by_next_to_nothing_are_caught(kernel):
    exact = kernel("log_cosh")
    wrong = Planted(exact, lambda a: a * (1 + 1e-8), None)
    (point,) = points_of(exact.objective, seeds=1)
    found = verdicts(witness(wrong, None, [point]))
    assert found["float64", HVP] == FAIL
    assert found["float64", DIAGONAL] == FAIL
    assert found["float64", VALUE] == found["float64", GRADIENT] == PASS


@pytest.mark.parametrize(
    "change", [lambda a: -a, lambda a: a + 1e-13, lambda a: a * np.nan, lambda a: np.roll(a, 1)]
)
def test_other_errors_are_caught(change, kernel):
    exact = kernel("log_cosh")
    wrong = Planted(exact, change, GRADIENT)
    found = verdicts(witness(wrong, None, points_of(exact.objective, 1), (GRADIENT,)))
    assert found["float64", GRADIENT] == FAIL


@pytest.mark.parametrize("kind", ["typical", "ties", "tails"])
@pytest.mark.parametrize("name", ["huber", "softmax_cross_entropy", "batch_norm"])
def test_nothing_right_is_accused(name, kind, kernel):
    exact, single = kernel(name), kernel(name, dtype="float32")
    points = points_of(exact.objective, 30, kind, (2, 3))
    for reading in witness(exact, single, points, (VALUE, GRADIENT)):
        assert reading.verdict == PASS, reading


def test_every_result_of_both_precisions_is_read(kernel):
    exact, single = kernel("huber"), kernel("huber", dtype="float32")
    readings = list(witness(exact, single, points_of(exact.objective, 2)))
    found = rows(readings)
    assert len(readings) == 16
    assert {(row.method, row.what, row.verdict) for row in found} == {
        (f"enclosure ({dtype})", what, PASS)
        for dtype in ("float64", "float32")
        for what in ("value", "prediction", "hvp by prediction", "hessian diagonal by prediction")
    }
    assert all("in ulps, by 8 ulps" in row.worst for row in found)
    assert {row.points for row in found if row.wrt == VALUE} == {2}


def test_at_a_kink_the_convention_passes_and_all_else_fails(kernel):
    exact = kernel("mae")
    point = Point({"n": 2}, (np.array([1.0, 2.0]), np.array([1.0, 0.5])), {})
    for shift, verdict in ((0.0, PASS), (0.25, PASS), (-0.5, PASS), (0.6, FAIL)):
        wrong = Planted(exact, lambda a, shift=shift: a + np.array([shift, 0.0]), GRADIENT)
        (reading,) = witness(wrong, None, [point], (GRADIENT,))
        assert reading.verdict == verdict


def test_conventions_of_kinks_that_meet_are_those_of_the_equations():
    kernel = sc.compile(sc.parse("sum(i, clip(x[i], -1, 1)**2 + maximum(x[i], y[i]))"))
    point = Point({"n": 1}, (np.array([1.0]), np.array([1.0])), {})
    found = verdicts(witness(kernel, None, [point]))
    assert set(found.values()) == {PASS}  # 2 + 1, though the slopes are 1 and 2
    wrong = Planted(kernel, lambda a: a + 1e-9, GRADIENT)
    assert verdicts(witness(wrong, None, [point], (GRADIENT,))) == {("float64", GRADIENT): FAIL}


def test_an_infinity_is_right_where_the_truth_overflows(kernel):
    exact = kernel("mse")
    point = Point({"n": 1}, (np.array([1e200]), np.array([0.0])), {})
    assert verdicts(witness(exact, None, [point], (VALUE,))) == {("float64", VALUE): PASS}
    wrong = Planted(exact, lambda a: -a, VALUE)
    assert verdicts(witness(wrong, None, [point], (VALUE,))) == {("float64", VALUE): INCONCLUSIVE}
    near = Point({"n": 1}, (np.array([1e100]), np.array([0.0])), {})
    wrong = Planted(exact, lambda a: a * np.inf, VALUE)
    assert verdicts(witness(wrong, None, [near], (VALUE,))) == {("float64", VALUE): FAIL}


def test_points_are_rounded_for_float32():
    point = Point({"n": 2}, (np.array([0.1, 1e-50]), np.array([1, 0])), {"delta": 0.1})
    rounded = as_single(point)
    assert rounded.arrays[0].tolist() == [float(np.float32(0.1)), 0.0]
    assert rounded.arrays[1].dtype == np.int64
    assert rounded.hyper == {"delta": float(np.float32(0.1))}
    assert as_single(Point({"n": 1}, (np.array([1e39]),), {})) is None
    infinite = Point({"n": 1}, (np.array([np.inf]),), {})
    assert as_single(infinite).arrays[0][0] == np.inf


def test_a_point_that_rounding_takes_out_of_the_domain_is_left_out():
    formula = sc.parse("mean(i, x[i]*p[i])", wrt="x", domains={"p": "positive"})
    both = [sc.compile(formula, dtype=t, backend="numpy") for t in ("float64", "float32")]
    point = Point({"n": 1}, (np.array([1.0]), np.array([1e-60])), {})
    found = [reading.dtype for reading in witness(*both, [point], (GRADIENT,))]
    assert found == ["float64"]


class TestJudge:
    @staticmethod
    def judged(came, truth, error=None, moved=0.0, format=DOUBLE, overflows=False):
        truth = flint.arb(truth)
        bound = None if error is None else Bounded(truth, flint.arb(error), format)
        limits = Limits(lambda: bound, lambda: overflows, lambda: flint.arb(moved))
        return judge(came, (truth, truth), format, limits)

    def test_eight_ulps_are_free(self):
        found = self.judged(1 + 8 * 2**-52, 1.0)
        assert (found.ulps, found.by, found.verdict) == (8.0, "8 ulps", PASS)

    def test_then_the_running_error_counts(self):
        assert self.judged(1 + 9 * 2**-52, 1.0, error=0.0).verdict == FAIL
        found = self.judged(1 + 9 * 2**-52, 1.0, error=10 * 2**-52)
        assert (found.bound, found.by, found.verdict) == (10.0, "running error", PASS)

    def test_without_one_the_conditioning_does(self):
        assert self.judged(1 + 9 * 2**-52, 1.0, error=0.0, moved=20.0).verdict == FAIL
        found = self.judged(1 + 9 * 2**-52, 1.0, moved=20.0)
        assert (found.bound, found.by, found.verdict) == (10.0, "conditioning", PASS)

    def test_without_a_bound_it_is_inconclusive(self):
        assert self.judged(1.1, 1.0).verdict == INCONCLUSIVE
        assert self.judged(np.nan, 1.0).verdict == FAIL

    def test_an_overflow_on_the_way_is_no_excuse(self):
        found = self.judged(1.1, 1.0, error=np.inf, overflows=True)
        assert (found.verdict, found.why) == (FAIL, "an overflow on the way")

    def test_a_wide_enclosure_decides_nothing(self):
        for wide in (flint.arb(1, 2**-53), flint.arb("nan")):
            assert self.judged(1.5, wide, error=0.0).verdict == INCONCLUSIVE

    def test_units_are_those_of_the_precision(self):
        assert self.judged(1 + 2**-23, 1.0, format=SINGLE).ulps == 1.0
        assert self.judged(2**-149, 0.0, format=SINGLE).ulps == 1.0
