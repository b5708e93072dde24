"""The check: right kernels pass, planted errors are caught by each witness that can see them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc.backends import numba_backend, numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import derive
from symcalc.notation.tensors import Access
from symcalc.verify.check import check_kernel
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


def kernels(name):
    return sc.compile(name), sc.compile(name, backend="numpy")


# Brute force writes these out to minutes' length; test_formula holds their equations.
TOO_LONG = ("multi_head_attention", "transformer_block")


@pytest.mark.parametrize("name", [name for name in sc.catalogue() if name not in TOO_LONG])
def test_every_objective_passes(name):
    report = sc.check(name)
    assert report, str(report)
    methods = {row.method for row in report.rows}
    assert methods == {"brute-force SymPy", "NumPy backend", "finite differences"}
    assert {row.wrt for row in report.rows} - {"value"} == set(sc.get(name).wrt)
    held = {row.of for row in report.rows}
    assert {"gradient", "jvp", "hvp"} <= held
    assert ("hessian diagonal" in held) == (len(sc.get(name).wrt) == 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_right_gradient_is_never_accused(seed):
    for name in ("huber", "hinge", "l1", "softmax_cross_entropy"):
        assert check_kernel(*kernels(name), seed=7919 * (seed + 1))


CHANGES = {
    "sign": lambda g: -g,
    "factor two": lambda g: 2 * g,
    "factor 1 + 1e-8": lambda g: g * (1 + 1e-8),
    "one entry": lambda g: np.where(np.arange(g.size).reshape(g.shape) == g.size - 1, g + 1e-6, g),
    "nan": lambda g: g * np.nan,
    "rolled": lambda g: np.roll(g, 1, axis=0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["bce_with_logits", "softmax_cross_entropy", "layer_norm"])
def test_a_planted_wrong_gradient_is_caught(name, change):
    kernel, sibling = kernels(name)
    report = check_kernel(Tampered(kernel, CHANGES[change]), sibling)
    failed = {row.method for row in report.rows if row.verdict == FAIL}
    assert not report
    assert {"brute-force SymPy", "NumPy backend"} <= failed


@pytest.mark.parametrize("change", ["sign", "factor two", "factor 1 + 1e-8"])
@pytest.mark.parametrize("mode", ["jvp", "hvp", "hessian_diagonal"])
@pytest.mark.parametrize("name", ["bce_with_logits", "softmax_cross_entropy"])
def test_a_planted_wrong_derivative_beyond_the_gradient_is_caught(name, mode, change):
    kernel, sibling = kernels(name)
    report = check_kernel(TamperedBeyond(kernel, CHANGES[change], mode), sibling)
    failed = {row.of for row in report.rows if row.verdict == FAIL}
    assert failed == {mode.replace("_", " ")}


@pytest.mark.parametrize("change", ["sign", "factor two"])
def test_finite_differences_alone_catch_it(change):
    kernel, sibling = kernels("bce_with_logits")
    report = check_kernel(Tampered(kernel, CHANGES[change]), sibling)
    rows = [r for r in report.rows if r.method == "finite differences" and r.of == GRADIENT]
    assert rows
    assert all(row.verdict == FAIL for row in rows)


def test_a_wrong_derivation_is_caught_though_both_backends_agree():
    """The missing path through the variance: both backends compute it, two witnesses object."""
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
    kernel = Kernel(planted, "float64", numba_backend.build)
    sibling = Kernel(planted, "float64", numpy_backend.build)
    rows = check_kernel(kernel, sibling).rows
    verdicts = {(r.method, r.wrt): r.verdict for r in rows if r.of == GRADIENT}
    assert verdicts["NumPy backend", "x"] == PASS
    assert verdicts["brute-force SymPy", "x"] == FAIL
    assert verdicts["finite differences", "x"] == FAIL
    assert verdicts["brute-force SymPy", "gamma"] == PASS


def test_a_wrong_value_is_caught():
    kernel, sibling = kernels("huber")

    class Shifted(Tampered):
        def value_and_grad(self, *args, **kwargs):
            value, gradient = self._kernel.value_and_grad(*args, **kwargs)
            return value * (1 + 1e-10), gradient

    report = check_kernel(Shifted(kernel, None), sibling)
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
    assert "brute-force SymPy" in str(report)
    assert "<table>" in report._repr_html_()


def test_a_formula_of_ones_own():
    objective = sc.parse("mean(i, log(1 + exp(-y[i]*z[i])))", wrt="z",
                         domains={"y": "plus_minus_one"})  # fmt: skip
    assert sc.check(objective)


def test_an_error_in_the_tails_alone_is_caught():
    kernel, sibling = kernels("huber")

    class Wrong(Tampered):
        def value_and_grad(self, prediction, target, **kwargs):
            value, gradient = self._kernel.value_and_grad(prediction, target, **kwargs)
            return value, np.where(np.abs(prediction - target) > 20, -gradient, gradient)

    assert not check_kernel(Wrong(kernel, None), sibling)


def test_an_error_at_a_tie_alone_is_caught():
    kernel, sibling = kernels("l1")

    class Wrong(Tampered):
        def value_and_grad(self, theta, **kwargs):
            value, gradient = self._kernel.value_and_grad(theta, **kwargs)
            return value, np.where(theta == 0, 7.0, gradient)

    assert not check_kernel(Wrong(kernel, None), sibling)


def test_a_stopped_gradient_is_checked_by_the_witnesses_that_know_of_it():
    objective = sc.parse("mean(i, (r[i] + stop_gradient(v[i]) - v[i])**2)", wrt="v")
    report = sc.check(objective)
    assert report, str(report)
    assert {row.method for row in report.rows} == {"brute-force SymPy", "NumPy backend"}
    twice = sc.parse("sum(i, stop_gradient(v[i]**2) * v[i])", wrt="v")
    np.testing.assert_allclose(sc.compile(twice).grad([3.0, -2.0]), [9.0, 4.0])
    assert sc.check(twice)
