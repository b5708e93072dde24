"""Sketches find what a look at each entry finds, at the cost of a few evaluations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc.notation.conditions import Where
from symcalc.verify.enclosures import Enclosures
from symcalc.verify.formula import Formula
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.sketches import Sketched
from symcalc.verify.verdict import FAIL, PASS


def objective(text):
    return sc.parse(text, wrt="x")


def planted(derivation, change):
    """The same equations, the gradient's by the first input changed."""
    target = derivation.gradient_of(derivation.wrt[0]).target
    wrong = tuple(
        dataclasses.replace(e, body=change(e.body, *e.indices)) if e.target == target else e
        for e in derivation.equations
    )
    return dataclasses.replace(derivation, equations=wrong)


def failures(derivation, point, product=None):
    findings = Sketched(derivation, product).findings(point)
    return [(f.of, f.wrt, f.place) for f in findings if f.verdict == FAIL]


def typical(objective, seed=1, kind="typical"):
    return draw(objective, primes(objective, (5, 3)), seed, kind)


@pytest.mark.parametrize("kind", ["typical", "ties", "tails"])
@pytest.mark.parametrize("name", ["elastic_net", "layer_norm", "causal_attention", "ppo_clip"])
def test_it_finds_what_a_look_at_each_entry_finds(name, kind):
    derivation = sc.derive(sc.get(name).at_any_size)
    point = typical(derivation.objective, kind=kind)
    found = [
        {
            (f.of, f.wrt, f.place, f.verdict)
            for f in look(derivation, derivation.hvp).findings(point)
        }
        for look in (Sketched, Formula)
    ]
    assert found[0] == found[1]
    assert {verdict for *_, verdict in found[0]} == {PASS}


@pytest.mark.parametrize("factor", [-1, 2, 1 + sp.Rational(1, 10**8), 1 + sp.Rational(1, 2**50)])
@pytest.mark.parametrize("name", ["log_cosh", "softmax_cross_entropy", "layer_norm"])
def test_a_factor_is_caught_and_its_entries_are_named(name, factor):
    derivation = sc.derive(name)
    wrong = planted(derivation, lambda body, *_: factor * body)
    point = typical(derivation.objective)
    gradient = [f for f in Formula(wrong).findings(point) if f.of == "gradient"]
    expected = [(f.of, f.wrt, f.place) for f in gradient if f.verdict == FAIL]
    assert expected
    assert failures(wrong, point) == expected


def test_one_wrong_entry_among_many_is_caught():
    derivation = sc.derive(objective("sum(i, x[i]**2)"))
    wrong = planted(
        derivation, lambda body, i: body + Where(sp.Eq(i, 3), sp.Rational(1, 10**15), 0)
    )
    point = Point({"n": 31}, (np.linspace(1, 2, 31),), {})
    assert failures(wrong, point) == [("gradient", "x", (3,))]


def test_a_small_entry_does_not_hide_behind_a_great_one():
    derivation = sc.derive(objective("sum(i, x[i]**2)"))
    wrong = planted(derivation, lambda body, i: body * Where(sp.Eq(i, 1), 2, 1))
    point = Point({"n": 3}, (np.array([1e150, 1e-150, -3.0]),), {})
    assert failures(wrong, point) == [("gradient", "x", (1,))]


def test_what_is_said_to_be_zero_is_held_to_that():
    derivation = sc.derive(objective("sum(i, c[i]*x[i])"))
    wrong = planted(derivation, lambda body, i: body * Where(sp.Eq(i, 1), 0, 1))
    point = Point({"n": 3}, (np.array([1.0, 1e-290, 2.0]), np.ones(3)), {})
    names = [tensor.name for tensor in derivation.objective.inputs]
    assert names == ["c", "x"]
    assert failures(wrong, point) == [("gradient", "x", (1,))]


def test_a_wrong_product_is_caught_and_its_entries_are_named():
    derivation = sc.derive("softmax_cross_entropy")
    product = derivation.hvp
    wrong = dataclasses.replace(
        product,
        equations=tuple(
            dataclasses.replace(e, body=e.body * (1 + sp.Rational(1, 10**12)))
            if e.target in product.results
            else e
            for e in product.equations
        ),
    )
    point = typical(derivation.objective)
    shape = point.arrays[0].shape
    assert failures(derivation, point, product) == []
    assert failures(derivation, point, wrong) == [
        ("hvp", "logits", place) for place in np.ndindex(*shape)
    ]


def test_at_a_kink_any_subgradient_will_do_and_nothing_else():
    derivation = sc.derive(objective("sum(i, abs(x[i]))"))
    point = Point({"n": 3}, (np.array([0.0, 1.0, -2.0]),), {}, kind="kink")
    assert failures(derivation, point) == []
    wrong = planted(derivation, lambda body, i: body + Where(sp.Eq(i, 0), sp.Rational(3, 2), 0))
    assert ("gradient", "x", (0,)) in failures(wrong, point)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "layer_norm"])
def test_the_evaluations_do_not_grow_with_the_entries(monkeypatch, name):
    counts = []
    one_series = Enclosures._series

    def counted(self, moves, notes):
        counts[-1] += 1
        return one_series(self, moves, notes)

    monkeypatch.setattr(Enclosures, "_series", counted)
    derivation = sc.derive(name)
    for sizes in ((2, 3), (4, 9)):
        counts.append(0)
        point = draw(derivation.objective, primes(derivation.objective, sizes), 1)
        assert failures(derivation, point, derivation.hvp) == []
    assert max(counts) <= 12 * len(derivation.wrt)
