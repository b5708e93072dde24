"""Finite differences: the bound holds, and what cannot be decided is not decided."""

from __future__ import annotations

import math

import pytest

from symcalc.verify.differences import EPS, difference

CASES = {
    "exp": (lambda t: math.exp(0.3 + t), math.exp(0.3)),
    "sin, fast": (lambda t: math.sin(40 * (0.2 + t)), 40 * math.cos(8.0)),
    "quadratic": (lambda t: (1.5 + t) ** 2, 3.0),
    "far": (lambda t: 1e6 + math.tanh(t), 1.0),
    "tail": (lambda t: math.log1p(math.exp(-(30 + t))), -1 / (1 + math.exp(30.0))),
    "root": (lambda t: math.sqrt(2.0 + t), 0.5 / math.sqrt(2.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_truth_lies_within_the_bound(case):
    function, slope = CASES[case]
    found = difference(function, EPS * (abs(function(0.0)) + 1.0))
    assert abs(found.slope - slope) <= found.bound


@pytest.mark.parametrize("case", ["exp", "quadratic", "root"])
def test_the_bound_is_tight_enough_to_decide(case):
    function, slope = CASES[case]
    found = difference(function, EPS * abs(function(0.0)))
    assert found.bound <= 1e-8 * abs(slope)


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6, 1e-8])
def test_near_a_kink_the_bound_still_holds(distance):
    found = difference(lambda t: abs(t - distance), EPS)
    assert abs(found.slope + 1.0) <= found.bound
