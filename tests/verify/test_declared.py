"""Declared derivatives at kinks: one number each, whatever the sides say."""

from __future__ import annotations

import numpy as np
import pytest
from entries import entries

import symcalc as sc
from symcalc.verify.conventions import Declared
from symcalc.verify.corners import corners
from symcalc.verify.enclosures import Enclosures
from symcalc.verify.formula import Formula
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.verdict import PASS


def declared(formula, entries, **hyper):
    objective = sc.parse(formula, wrt="x", defaults=dict.fromkeys(hyper))
    x = np.array(entries, dtype=float)
    found = Declared(objective, Point({"n": x.size}, (x,), hyper)).slopes("x")
    assert all(slope.is_smooth for slope in found.flat)
    return [float(slope.right.mid()) for slope in found.flat]


@pytest.mark.parametrize(
    ("formula", "entries", "expected"),
    [
        ("sum(i, abs(x[i]))", [0.0, 2.0], [0.0, 1.0]),
        ("sum(i, abs(3*x[i] - 6)*x[i])", [2.0, 1.0], [0.0, 0.0]),
        ("sum(i, relu(x[i]))", [0.0, -1.0], [0.0, 0.0]),
        ("max(i, x[i])", [2.0, 2.0, 1.0], [1.0, 0.0, 0.0]),
        ("min(i, x[i])", [2.0, 1.0, 1.0], [0.0, 1.0, 0.0]),
        ("sum(i, where(x[i] <= 1, x[i]**2, 5*x[i] - 4))", [1.0], [2.0]),
        ("sum(i, where(x[i] < 1, x[i]**2, 5*x[i] - 4))", [1.0], [5.0]),
        ("sum(i, maximum(x[i], 2*x[i]))", [0.0], [1.0]),
        ("sum(i, minimum(3*x[i], 2*x[i]))", [0.0], [3.0]),
        ("sum(i, clip(x[i], -1, 1))", [-1.0, 1.0, 1.5], [1.0, 1.0, 0.0]),
    ],
)
def test_one_subgradient_is_declared(formula, entries, expected):
    assert declared(formula, entries) == expected


def test_away_from_kinks_nothing_changes():
    objective = sc.get("huber")
    point = draw(objective, primes(objective, (3,)), 1)
    pairs = (kind(objective, point).slopes("prediction") for kind in (Enclosures, Declared))
    for one, other in zip(*(found.flat for found in pairs), strict=True):
        assert one.right.overlaps(other.right)


@pytest.mark.parametrize("name", entries())
def test_every_objective_keeps_to_what_it_declares(name):
    derivation = sc.derive(sc.get(name).at_any_size)
    formula = Formula(derivation, derivation.hvp, Declared)
    points = [draw(derivation.objective, primes(derivation.objective, (2, 3)), 3, "ties")]
    points += list(corners(derivation.objective, 5, 20))
    verdicts = {f.verdict for point in points for f in formula.findings(point)}
    assert verdicts == {PASS}
