"""Hyperparameters at the very ends of their domains: kernels of the catalogue bear denormals too.

A check of a formula of one's own tries small numbers that somebody may set (`special_settings`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from entries import entries

from symcalc.verify.accuracy import witness
from symcalc.verify.sampling import draw, primes
from symcalc.verify.special import DENORMAL, special_values
from symcalc.verify.verdict import FAIL


@pytest.mark.parametrize("name", entries(lambda objective: objective.parameters))
def test_denormal_hyperparameters_are_borne(kernel, name):
    compiled = kernel(name)
    objective = compiled.objective
    base = draw(objective, primes(objective, (2, 3)), 0, "typical")
    points = [
        replace(base, hyper={**base.hyper, parameter.name: value}, at=f"{parameter.name} = {value}")
        for parameter in objective.parameters
        for kind, value in special_values(parameter.domain)
        if kind == DENORMAL
    ]
    with np.errstate(all="ignore"):
        wrong = [r for r in witness(compiled, None, points) if r.verdict == FAIL]
    assert not wrong, [(r.of, r.wrt, r.at, r.came) for r in wrong]
