"""Compositions against the formula written out entry by entry."""

import numpy as np
import pytest
from witness import Unrolled

import symcalc as sc
from symcalc import (
    Array,
    Formula,
    Label,
    NonNegative,
    Real,
    define,
    indices,
    mean,
    objective,
    sigmoid,
    sum,
)

dense, layer_norm = sc.get("dense"), sc.get("layer_norm")
cross_entropy, mse = sc.get("softmax_cross_entropy"), sc.get("mse")


@objective(wrt=("x", "weight"))
def regression(
    x: Real[Array, "n d"], weight: Real[Array, "d"], y: Real[Array, "n"], lam: NonNegative = 0.5
) -> Formula:
    """Ridge regression of a sigmoid."""
    i, j = indices("n d")
    p = define("p", i, sigmoid(sum(j, x[i, j] * weight[j])))
    return mse(p, y) + sc.get("l2")(weight, lam=lam)


@objective(wrt=("x", "w"))
def classified(
    x: Real[Array, "b f"], w: Real[Array, "h f"], c: Real[Array, "h"], y: Label[Array, "b -> h"]
) -> Formula:
    """Dense, normalized, classified: three calls."""
    z = dense(x, w, bias=c)
    return cross_entropy(layer_norm(z, c, c, eps=0.5), y)


@objective(wrt="x")
def shifted(x: Real[Array, "n d"]) -> Formula:
    """A definition read at two places and at one."""
    i, j = indices("n d")
    h = define("h", (i, j), sc.tanh(x[i, j + 1] * x[i, j]))
    return mean(i, sum(j, (h[i, j + 1] - h[i, j]) ** 2) + h[i, 0])


POINTS = {
    "regression": (regression, {"n": 3, "d": 2}),
    "classified": (classified, {"b": 2, "f": 2, "h": 3}),
    "shifted": (shifted, {"n": 2, "d": 4}),
    "composed": (sc.compose(cross_entropy, dense), {"n": 3, "d": 2, "m": 3}),
    "three deep": (sc.compose(mse, sc.parse("sum(k, z[i,k])", wrt="z", shapes={"z": "n k"},
                                            name="total"), dense), {"n": 3, "d": 2, "m": 2}),
}  # fmt: skip


@pytest.mark.parametrize("case", POINTS)
def test_values_and_gradients_are_those_of_the_formula_written_out(case, sample):
    made, sizes = POINTS[case]
    arrays = sample(made, 3, **sizes)
    truth = Unrolled(made, sizes, arrays)
    kernel = sc.compile(made, backend="numpy")
    assert kernel(**arrays) == pytest.approx(float(truth.value()), rel=1e-13)
    gradients = kernel.grad(**arrays)
    for name, came in zip(made.wrt, gradients if not made.single else (gradients,), strict=True):
        np.testing.assert_allclose(came, truth.gradient(name).astype(float), rtol=1e-11, atol=1e-13)
    assert all(step.holds() for step in sc.derive(made).steps)


def test_both_backends_agree_on_a_composition(sample):
    made, sizes = POINTS["classified"]
    arrays = sample(made, 1, **sizes)
    one, other = (sc.compile(made, backend=b) for b in ("numba", "numpy"))
    for a, b in zip(one.grad(**arrays), other.grad(**arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
