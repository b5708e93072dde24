"""The check: right kernels pass, planted errors are caught by each witness that can see them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp
from entries import entries

import symcalc as sc
from symcalc.backends import numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import derive
from symcalc.notation.tensors import Access
from symcalc.verify.blocks import ROWS
from symcalc.verify.check import check_kernel
from symcalc.verify.sampling import draw, primes
from symcalc.verify.verdict import FAIL, GRADIENT, INCONCLUSIVE, PASS, CheckReport, CheckRow


class Tampered:
    """A kernel whose gradient is changed on the way out."""

    def __init__(self, kernel, change, modes=("value_and_grad", "vjp")):
        self._kernel, self._change = kernel, change

    def __getattr__(self, name):
        return getattr(self._kernel, name)

    def __call__(self, *args, **kwargs):
        return self._kernel(*args, **kwargs)

    def _changed(self, result):
        value, gradient = result
        if isinstance(gradient, tuple):
            return value, (self._change(gradient[0]), *gradient[1:])
        return value, self._change(gradient)

    def value_and_grad(self, *args, **kwargs):
        return self._changed(self._kernel.value_and_grad(*args, **kwargs))

    def vjp(self, *args, **kwargs):
        return self._changed(self._kernel.vjp(*args, **kwargs))


class TamperedBeyond:
    """A kernel one of whose other derivatives is changed on the way out."""

    def __init__(self, kernel, change, mode):
        self._kernel, self._change, self._mode = kernel, change, mode

    def __getattr__(self, name):
        call = getattr(self._kernel, name)
        if name != self._mode:
            return call
        return lambda *args, **kwargs: self._changed(call(*args, **kwargs))

    def _changed(self, result):
        if isinstance(result, tuple):
            return *result[:-1], self._change(result[-1])
        return self._change(result)


METHODS = {"power series", "enclosure (float64)", "enclosure (float32)", "finite differences"}


@pytest.mark.parametrize("name", entries())
def test_every_objective_passes(name):
    report = sc.check(name)
    assert report, str(report)
    assert {row.method for row in report.rows} == METHODS
    assert {row.wrt for row in report.rows} - {"value"} == set(sc.get(name).wrt)
    held = {row.of for row in report.rows}
    assert {"gradient", "jvp", "hvp"} <= held
    assert ("hessian diagonal" in held) == (len(sc.get(name).wrt) == 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_right_gradient_is_never_accused(kernel, seed):
    for name in ("huber", "hinge", "l1", "softmax_cross_entropy"):
        report = check_kernel(kernel(name), seed=7919 * (seed + 1))
        assert report, str(report)


SLOW_LAYER = pytest.param("layer_norm", marks=pytest.mark.slow)
CHANGES = {
    "sign": lambda g: -g,
    "factor two": lambda g: 2 * g,
    "factor 1 + 1e-8": lambda g: g * (1 + 1e-8),
    "one entry": lambda g: np.where(np.arange(g.size).reshape(g.shape) == g.size - 1, g + 1e-6, g),
    "nan": lambda g: g * np.nan,
    "rolled": lambda g: np.roll(g, 1, axis=0),
}


def failed(report):
    return {(row.method, row.of) for row in report.rows if row.verdict == FAIL}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["bce_with_logits", "softmax_cross_entropy", "dense", SLOW_LAYER])
def test_a_planted_wrong_gradient_is_caught(kernel, name, change):
    report = check_kernel(Tampered(kernel(name), CHANGES[change]))
    assert ("enclosure (float64)", "gradient") in failed(report)
    assert {of for _, of in failed(report)} == {"gradient"}
    assert "power series" not in {method for method, _ in failed(report)}  # the equations are right


@pytest.mark.parametrize("change", ["sign", "factor two", "factor 1 + 1e-8"])
@pytest.mark.parametrize("mode", ["hvp", "hessian_diagonal"])
@pytest.mark.parametrize("name", ["bce_with_logits", "softmax_cross_entropy"])
def test_a_planted_wrong_derivative_beyond_the_gradient_is_caught(kernel, name, mode, change):
    report = check_kernel(TamperedBeyond(kernel(name), CHANGES[change], mode))
    assert ("enclosure (float64)", mode.replace("_", " ")) in failed(report)
    assert {of for _, of in failed(report)} == {mode.replace("_", " ")}


def test_an_error_of_the_float32_kernel_alone_is_caught(kernel):
    wrong = Tampered(kernel("huber", "float32"), lambda g: g * np.float32(1 + 1e-4))
    report = check_kernel(kernel("huber"), wrong)
    assert failed(report) == {("enclosure (float32)", "gradient")}


@pytest.mark.parametrize("change", ["sign", "factor two"])
def test_finite_differences_catch_it_too(kernel, change):
    report = check_kernel(Tampered(kernel("bce_with_logits"), CHANGES[change]))
    assert ("finite differences", "gradient") in failed(report)


def test_an_error_from_the_second_block_on_is_caught(kernel):
    def change(gradient):
        late = np.arange(len(gradient)) >= 4096
        return np.where(late, gradient * (1 + 1e-9), gradient)

    report = check_kernel(Tampered(kernel("mse"), change))
    assert failed(report) == {("enclosure (float64)", "gradient")}


def test_a_wrong_derivation_is_caught_though_the_kernel_computes_it_as_it_stands():
    """The missing path through the variance."""
    derivation = derive(sc.get("layer_norm"))
    wrong = []
    for equation in derivation.equations:
        if equation.target.name == "x_bar":
            dropped = [t for t in sp.preorder_traversal(equation.body)
                       if isinstance(t, Access) and t.tensor.name == "xhat"]  # fmt: skip
            body = equation.body.xreplace({access: sp.Integer(0) for access in dropped})
            equation = dataclasses.replace(equation, body=body)
        wrong.append(equation)
    planted = dataclasses.replace(derivation, equations=tuple(wrong))
    rows = check_kernel(Kernel(planted, "float64", numpy_backend.build)).rows
    verdicts = {(r.method, r.wrt): r.verdict for r in rows if r.of == GRADIENT}
    for method in ("power series", "enclosure (float64)", "finite differences"):
        assert verdicts[method, "x"] == FAIL
        assert verdicts[method, "gamma"] == PASS


def test_a_wrong_value_is_caught(kernel):
    class Shifted(Tampered):
        def value_and_grad(self, *args, **kwargs):
            value, gradient = self._kernel.value_and_grad(*args, **kwargs)
            return value * (1 + 1e-10), gradient

    report = check_kernel(Shifted(kernel("huber"), None))
    assert {row.wrt for row in report.rows if row.verdict == FAIL} == {"value"}


def row(verdict):
    return CheckRow("m", "x", "here", 1.0, 2.0, verdict, 3)


def test_inconclusive_is_not_a_pass():
    assert CheckReport("f", (row(PASS),))
    assert not CheckReport("f", (row(PASS), row(INCONCLUSIVE)))
    assert CheckReport("f", (row(PASS), row(INCONCLUSIVE))).verdict == INCONCLUSIVE
    assert CheckReport("f", (row(INCONCLUSIVE), row(FAIL))).verdict == FAIL
    assert not CheckReport("f", ())


def test_the_report_shows_everything():
    report = sc.check("mse")
    assert len(report.table().rows) == len(report.rows)
    assert "power series" in str(report)
    assert "<table>" in report._repr_html_()


def test_a_formula_of_ones_own():
    objective = sc.parse("mean(i, log(1 + exp(-y[i]*z[i])))", wrt="z",
                         domains={"y": "plus_minus_one"})  # fmt: skip
    assert sc.check(objective)


def test_an_error_in_the_tails_alone_is_caught(kernel):

    class Wrong(Tampered):
        def value_and_grad(self, prediction, target, **kwargs):
            value, gradient = self._kernel.value_and_grad(prediction, target, **kwargs)
            return value, np.where(np.abs(prediction - target) > 20, -gradient, gradient)

    assert not check_kernel(Wrong(kernel("huber"), None))


def test_an_error_at_a_tie_alone_is_caught(kernel):

    class Wrong(Tampered):
        def value_and_grad(self, theta, **kwargs):
            value, gradient = self._kernel.value_and_grad(theta, **kwargs)
            return value, np.where(theta == 0, 7.0, gradient)

    assert not check_kernel(Wrong(kernel("l1"), None))


def test_a_stopped_gradient_is_checked_by_the_witnesses_that_know_of_it():
    objective = sc.parse("mean(i, (r[i] + stop_gradient(v[i]) - v[i])**2)", wrt="v")
    report = sc.check(objective)
    assert report, str(report)
    assert {row.method for row in report.rows} == METHODS - {"finite differences"}
    twice = sc.parse("sum(i, stop_gradient(v[i]**2) * v[i])", wrt="v")
    np.testing.assert_allclose(sc.compile(twice).grad([3.0, -2.0]), [9.0, 4.0])
    assert sc.check(twice)


@pytest.mark.parametrize(
    ("text", "wrt"),
    [
        ("mean(t, scan(t, a[t], b[t])**2, where=b[t] > 0)", ("a", "b")),  # the mean over nothing
        ("sum(t, reverse_scan(t, gamma, r[t])**2)", "r"),  # overflows where gamma is above 1
        ("log(sum(i, x[i]))", "x"),  # no real number where the sum is negative
    ],
)
def test_a_point_without_a_value_is_passed_over(text, wrt):
    report = sc.check(sc.parse(text, wrt=wrt))
    # what overflows in float32 alone is told, and is no error of the formula
    wrong = [r for r in report.rows if r.verdict != PASS and r.method != "enclosure (float32)"]
    assert not wrong, str(report)


def test_where_no_point_has_a_value_nothing_is_decided():
    report = sc.check(sc.parse("sum(i, mean(j < i, x[j])**2)", wrt="x"))  # the first row is empty
    assert report.verdict == INCONCLUSIVE, str(report)


def test_a_hyperparameter_is_drawn_from_its_domain():
    made = sc.parse("sum(i, (gamma*x[i])**2)", wrt="x", domains={"gamma": "probability"})
    for seed in range(6):
        point = draw(made, primes(made, (2,)), seed)
        assert 0 <= point.hyper["gamma"] <= 1


def test_the_bound_knows_the_size_of_what_cancels():
    # f[k] - sum(k, p[k]*f[k]) where p is all but one-hot and f is large
    report = sc.check(sc.parse("expectation(k, exp(z[k] - logsumexp(j, z[j])), f[k])", wrt="z"))
    assert report, str(report)


def test_a_convolution_over_a_batch_is_checked_at_sizes_that_fit_in_memory():
    text = "sum(b, sum(i, tanh(sum(j, x[b,i+j]*w[j]))))"
    assert sc.check(sc.parse(text, wrt=("x", "w")))
    made = sc.parse(text, wrt="w")
    for sizes in ROWS:
        extents = primes(made, sizes)
        assert np.prod([float(extent) for extent in extents.values()]) < 1e5, extents
