"""Steps hold, wrong ones do not, and a wrong rule is caught before its result is kept."""

import dataclasses

import pytest
import sympy as sp

import symcalc as sc
from symcalc.calculus import simplify
from symcalc.calculus.simplify import RewriteError
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.tensors import Access


@pytest.mark.parametrize("name", sc.catalogue())
def test_every_step_holds_at_other_points_too(name):
    steps = sc.derive(name).steps
    assert steps
    for step in steps:
        assert step.rule
        assert step.holds(seed=7, points=3), str(step)


def vanishes(step):
    """Whether the step's value is zero in fact, as a sum of deviations from a mean is."""
    return step.after == 0 or dataclasses.replace(step, after=sp.Integer(0)).holds()


WRONG = {
    "sign": lambda e: -e,
    "factor two": lambda e: 2 * e,
    "one part in a hundred million": lambda e: e * (1 + sp.Rational(1, 10**8)),
    "one part in ten to the forty": lambda e: e * (1 + sp.Rational(1, 10**40)),
    "a term more": lambda e: e + sp.Rational(1, 10**9),
    "nothing": lambda e: e * 0,
}


@pytest.mark.parametrize("planted", WRONG)
@pytest.mark.parametrize(
    "name", ["mse", "softmax_cross_entropy", "layer_norm", "ppo_clip", "huber"]
)
def test_a_planted_wrong_step_does_not_hold(name, planted):
    for step in sc.derive(name).steps:
        if not vanishes(step):
            wrong = dataclasses.replace(step, after=WRONG[planted](step.after))
            assert not wrong.holds(), str(wrong)


def test_a_sum_for_a_mean_and_an_extent_off_by_one_do_not_hold():
    derivation = sc.derive("batch_norm")
    touched = 0
    (n,) = (d for d in derivation.objective.dims if d.name == "n")
    for step in derivation.steps:
        if vanishes(step):
            continue
        sums = {mean: Sum(*mean.args) for mean in step.after.atoms(Mean)}
        off = {1 / n: 1 / (n - sp.Rational(1, 2))}
        for change in (sums, off):
            wrong = dataclasses.replace(step, after=step.after.xreplace(change))
            if wrong.after != step.after:
                assert not wrong.holds(), str(wrong)
                touched += 1
    assert touched > 3


def test_a_swapped_index_does_not_hold():
    touched = 0
    for step in sc.derive(sc.parse("sum(i, sum(j, x[i]*A[i,j]*x[j]))", wrt="x")).steps:
        accesses = [a for a in step.after.atoms(Access) if len(a.places) == 2]
        swapped = {a: a.tensor[a.places[1], a.places[0]] for a in accesses}
        if swapped:
            assert step.holds()
            assert not dataclasses.replace(step, after=step.after.xreplace(swapped)).holds()
            touched += 1
    assert touched


RULES = {
    "doubles a mean": lambda e, context: e.replace(
        lambda node: isinstance(node, Mean), lambda node: 2 * node
    ),
    "drops a term": lambda e, context: e.args[0] if isinstance(e, sp.Add) else e,
    "forgets an extent": lambda e, context: e.replace(
        lambda node: isinstance(node, Mean), lambda node: Sum(*node.args)
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", RULES)
def test_a_planted_wrong_rule_is_caught(monkeypatch, planted):
    monkeypatch.setattr(simplify, "RULES", (*simplify.RULES, (planted, RULES[planted])))
    with pytest.raises(RewriteError, match=planted):
        sc.derive("layer_norm")


def test_a_wrong_rule_that_changes_nothing_here_does_no_harm(monkeypatch):
    monkeypatch.setattr(simplify, "RULES", (*simplify.RULES, ("idle", lambda e, context: e)))
    assert sc.derive("mse").steps


@sc.objective(wrt="w")
def idle(x: sc.Real[sc.Array, "n"], w: sc.Real[sc.Array, "n"]):
    return sc.sum(sc.indices("n"), x[0] ** 2)


def test_what_does_not_exist_is_refused():
    with pytest.raises(sc.NotationError, match=r"wrt.*labels.*integer labels"):
        sc.derive("softmax_cross_entropy", wrt="labels")
    with pytest.raises(sc.NotationError, match=r"wrt.*expected one of.*got 'foo'"):
        sc.derive("mse", wrt="foo")
    with pytest.raises(sc.NotationError, match="wrt"):
        sc.derive("huber", wrt="delta")
    with pytest.raises(sc.DerivationError, match=r"does not depend on w"):
        sc.derive(idle)
    with pytest.raises(sc.UnknownObjectiveError, match="did you mean 'huber'"):
        sc.derive("hubr")
    with pytest.raises(sc.SymcalcError):
        sc.derive(3)


def test_an_input_among_several_that_the_value_does_not_depend_on_has_gradient_zero():
    formula = sc.parse("sum(i, x[i]*stop_gradient(y[i]))", wrt=("x", "y"))
    assert sc.derive(formula).gradient["y"] == 0


def test_a_derivation_is_the_same_every_time():
    for name in ("layer_norm", "ppo_clip"):
        first, second = sc.derive(name), sc.derive(name)
        assert str(first) == str(second)
        assert [str(s) for s in first.steps] == [str(s) for s in second.steps]
