"""Proofs that a mutant is no mistake: what is proved is true, and what is false is not proved."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.notation import atoms
from symcalc.verify.mutation import Trial
from symcalc.verify.proofs import Change, proof_of
from symcalc.verify.regions import NotLinearError, hold_alike

a, b = sp.symbols("a b", real=True)
p = sp.Symbol("p", positive=True)


@pytest.mark.parametrize(
    ("left", "right", "alike"),
    [
        (a < b, b > a, True),
        (a < b, a <= b, False),
        (sp.And(a < b, a < b + 1), a < b, True),
        (sp.And(a < b, a < b - 1), a < b, False),
        (a * p <= b * p, a <= b, True),
        (a * a >= 0, sp.true, True),
        (a * b > 0, sp.Or(sp.And(a > 0, b > 0), sp.And(a < 0, b < 0)), True),
        (atoms.clip(a, 0, 1) <= a, a >= 0, True),
        (atoms.clip(a, 0, 1) < a, a > 1, True),
        (atoms.maximum(a, b) > p, sp.Or(a > p, b > p), True),
        (atoms.minimum(a, b) > p, sp.Or(a > p, b > p), False),
        (atoms.abs(a) <= p, sp.And(a <= p, -p <= a), True),
        (atoms.abs(a) <= p, sp.And(a < p, -p <= a), False),
        (a <= 1 + p, a <= 1 + p + sp.Rational(1, 10**20), False),
        (p > 0, sp.true, True),
        (sp.Not(a < b), a >= b, True),
    ],
)
def test_conditions_that_hold_alike(left, right, alike):
    assert hold_alike(left, right) is alike


def test_where_a_factor_is_zero_does_not_count():
    left, right = sp.And(a * b <= 0, b > 0), sp.And(a <= 0, b > 0)
    assert hold_alike(left, right)
    assert not hold_alike(a * b <= 0, sp.Or(a < 0, b < 0))
    assert hold_alike(a * b <= 0, sp.Or(sp.And(a < 0, b > 0), sp.And(a > 0, b < 0)), (a, b))


def test_what_is_not_linear_is_not_told():
    with pytest.raises(NotLinearError, match="linear"):
        hold_alike(sp.exp(a) > b, b < sp.exp(a))
    with pytest.raises(NotLinearError, match="comparison"):
        hold_alike(sp.Eq(a, b), a <= b)


GRID = [sp.Rational(k, 2) for k in range(-4, 5)]
SIDES = [a, b, a + b, 2 * a - 1, sp.Integer(0), atoms.clip(a, -1, b), atoms.abs(a),
         atoms.maximum(a, b)]  # fmt: skip
RELATIONS = st.one_of(
    st.builds(
        lambda kind, one, other: kind(one, other),
        st.sampled_from([sp.Le, sp.Lt]), st.sampled_from(SIDES), st.sampled_from(SIDES),
    ),
    st.sampled_from([a * b <= 0, a * b > 0, (a - 1) * (b + 1) >= 0]),
)  # fmt: skip


def holds(when, at):
    """The truth at a point, clip and the like by their definitions."""
    plain = when.xreplace(at).replace(
        lambda node: isinstance(node, atoms.Atom), lambda node: node.definition(*node.args)
    )
    return bool(plain)


def differ_on_a_grid(left, right):
    points = (dict(zip((a, b), values, strict=True)) for values in itertools.product(GRID, GRID))
    return any(holds(left, at) != holds(right, at) for at in points)


@given(RELATIONS, RELATIONS, RELATIONS)
def test_what_differs_somewhere_is_never_proved_alike(one, two, three):
    for left, right in ((sp.And(one, two), sp.And(one, three)), (sp.Or(one, two), two)):
        if hold_alike(left, right):
            assert not differ_on_a_grid(left, right)


@given(RELATIONS, RELATIONS)
def test_what_is_alike_by_logic_is_proved(one, two):
    assert hold_alike(sp.Or(one, sp.And(one, two, evaluate=False), evaluate=False), one)
    assert hold_alike(sp.Not(sp.And(one, two)), sp.Or(sp.Not(one), sp.Not(two)))


def change_of(name, target, change):
    trial = Trial(sc.get(name), [])
    equations = trial.derivation.equations
    before = next(e for e in equations if e.target.name == target)
    after = dataclasses.replace(before, body=change(before.body))
    wrt = trial.derivation.wrt[0]
    results = (trial.derivation.value, trial.derivation.gradient_of(wrt).target)
    return Change(before, after, equations, results)


def strictly(body):
    (comparison,) = body.atoms(sp.Le)
    return body.xreplace({comparison: sp.Lt(*comparison.args)})


def test_each_argument_has_its_case():
    huber = change_of("huber", "value", strictly)
    assert proof_of(huber) == "equal where they part"
    assert proof_of(change_of("huber", "prediction_bar", strictly)) == "equal where they part"
    assert proof_of(change_of("mse", "prediction_bar", sp.expand)) == "same formula"
    unread = change_of("mse", "prediction_bar", lambda body: 2 * body)
    assert proof_of(dataclasses.replace(unread, results=unread.results[:1])) == "never read"
    assert proof_of(unread) == ""


def test_a_change_that_cancels_is_the_same_in_its_results():
    derivation = sc.derive(sc.parse("sum(j, x[j])**2", wrt="x"))
    total, value = derivation.equations[:2]
    turned = dataclasses.replace(total, body=total.body.func(-total.body.body, total.body.index))
    assert proof_of(Change(total, turned, (total, value), (value.target,))) == "same results"
    gradient = derivation.gradient_of("x").target
    assert proof_of(Change(total, turned, derivation.equations, (value.target, gradient))) == ""


def test_hinge_at_its_kink_is_not_excused():
    def strict(body):
        (comparison,) = body.atoms(sp.Ge)
        return body.xreplace({comparison: sp.Gt(*comparison.args)})

    assert proof_of(change_of("hinge", "scores_bar", strict)) == ""


def test_the_sign_of_what_is_never_zero_may_be_taken_otherwise():
    def otherwise(body):
        (sign,) = body.atoms(atoms.sign)
        (x,) = sign.args
        return body.xreplace({sign: sc.where(x >= 0, 1, -1)})

    assert proof_of(change_of("huber", "prediction_bar", otherwise)) == "never there"
    assert proof_of(change_of("mae", "prediction_bar", otherwise)) == ""
