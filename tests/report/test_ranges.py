"""Ranges enclose every value."""

import numpy as np
import pytest
import sympy as sp

from symcalc.api import compile
from symcalc.calculus.equations import lift_objective
from symcalc.catalogue import catalogue
from symcalc.notation import parse
from symcalc.report.ranges import Ranges
from symcalc.verify.sampling import draw, primes


def body(text, **options):
    equations, _ = lift_objective(parse(text, wrt="x", **options))
    return Ranges(equations, {}).of(equations[-1].body)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("mean(i, x[i]**2)", 0, sp.oo),
        ("mean(i, sigmoid(x[i]))", 0, 1),
        ("mean(i, tanh(x[i])**2 - 1)", -1, 0),
        ("mean(i, clip(x[i], -2, 3))", -2, 3),
        ("mean(i, sigmoid(x[i])*(1 - sigmoid(x[i])))", 0, sp.Rational(1, 4)),
        ("mean(i, where(abs(x[i]) <= 2, x[i], 2*sign(x[i])))", -2, 2),
        ("mean(i, 1/(1 + x[i]**2))", 0, 1),
        ("mean(i, exp(-abs(x[i])))", 0, 1),
        ("mean(i, x[i])", -sp.oo, sp.oo),
        ("mean(i, logsumexp(k, x[i, k]) - x[i, y[i]])", 0, sp.oo),
        ("mean(i, max(0, 1 - x[i]))", 0, sp.oo),
        ("sum(i, abs(x[i]))", 0, sp.oo),
    ],
)
def test_known_ranges(text, low, high):
    options = {"domains": {"y": "label n_k"}} if "y[i]" in text else {}
    assert body(text, **options) == (low, high)


@pytest.mark.parametrize("name", [o.name for o in catalogue().values() if o.is_scalar][::6])
def test_values_and_gradients_lie_in_their_ranges(name):
    kernel = compile(catalogue()[name].at_any_size, backend="numpy")
    objective, derivation = kernel.objective, kernel.derivation
    ranges = Ranges(derivation.equations, {})
    value = next(e for e in derivation.equations if e.target == derivation.value)
    wanted = [value.body, *(derivation.gradient_of(n).body for n in derivation.wrt)]
    for seed in range(6):
        point = draw(
            objective, primes(objective, (2, 3)), seed, ("typical", "tails", "ties")[seed % 3]
        )
        with np.errstate(all="ignore"):
            found, grads = kernel.unchecked.value_and_grad(*point.arrays, **point.hyper)
        arrays = [found, *(grads if isinstance(grads, tuple) else (grads,))]
        for array, formula in zip(arrays, wanted, strict=True):
            low, high = map(float, ranges.of(formula))
            finite = np.asarray(array)[np.isfinite(array)]
            assert np.all((finite >= low - 1e-9) & (finite <= high + 1e-9))
