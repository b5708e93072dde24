"""The equations of every objective against power series in ball arithmetic."""

import dataclasses

import pytest
import sympy as sp

import symcalc as sc
from symcalc.notation.tensors import Access
from symcalc.verify.formula import Formula
from symcalc.verify.sampling import draw, primes
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS


def verdicts(derivation, product, kind="typical", sizes=(2, 3), seed=1):
    objective = derivation.objective
    point = draw(objective, primes(objective, sizes), seed, kind)
    return {(f.of, f.wrt, f.verdict) for f in Formula(derivation, product).findings(point)}


@pytest.mark.parametrize("kind", ["typical", "ties", "tails"])
@pytest.mark.parametrize("name", sc.catalogue())
def test_every_objective_passes(name, kind):
    derivation = sc.derive(sc.get(name).at_any_size)
    found = verdicts(derivation, derivation.hvp, kind)
    # At a kink a slope jumps: where its own derivative has no enclosure, nothing is claimed.
    undecided = {of for of, _, verdict in found if verdict == INCONCLUSIVE}
    assert undecided <= ({"hvp"} if kind == "ties" else set())
    assert {verdict for _, _, verdict in found} <= {PASS, INCONCLUSIVE}
    assert {wrt for of, wrt, _ in found if of == "gradient"} == set(derivation.wrt)


@pytest.mark.parametrize("factor", [-1, 2, 1 + sp.Rational(1, 10**8), 1 + sp.Rational(1, 10**20)])
@pytest.mark.parametrize("name", ["log_cosh", "softmax_cross_entropy", "layer_norm"])
def test_a_factor_however_near_to_one_is_caught(name, factor):
    derivation = sc.derive(name)
    target = derivation.gradient_of(derivation.wrt[0]).target
    wrong = tuple(
        dataclasses.replace(e, body=factor * e.body) if e.target == target else e
        for e in derivation.equations
    )
    planted = dataclasses.replace(derivation, equations=wrong)
    found = verdicts(planted, None)
    assert ("gradient", derivation.wrt[0], FAIL) in found
    assert ("value", "value", PASS) in found


def test_a_path_that_is_left_out_is_caught():
    derivation = sc.derive("layer_norm")
    wrong = []
    for equation in derivation.equations:
        if equation.target.name == "x_bar":
            dropped = {a: sp.Integer(0) for a in equation.body.atoms(Access)
                       if a.tensor.name == "xhat"}  # fmt: skip
            equation = dataclasses.replace(equation, body=equation.body.xreplace(dropped))
        wrong.append(equation)
    planted = dataclasses.replace(derivation, equations=tuple(wrong))
    assert ("gradient", "x", FAIL) in verdicts(planted, None)
