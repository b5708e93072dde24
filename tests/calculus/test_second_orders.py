"""Second derivatives of every trap, by all routes, against differences of the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from test_against_sympy import TRAPS
from witness import draw

import symcalc as sc
from symcalc.notation.atoms import stop_gradient

STEP = 1e-3


def cases():
    for text, options in TRAPS.items():
        for name in sc.parse(text, **options).wrt:
            yield pytest.param(text, options, name, id=f"{text} by {name}")


def slope(function):
    """The derivative at zero of a function of one number, by the nine-point rule."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(w * (function(k * STEP) - function(-k * STEP)) for k, w in weights.items()) / STEP


@pytest.mark.parametrize(("text", "options", "name"), list(cases()))
def test_all_routes_to_the_second_derivative_agree(text, options, name):
    objective = sc.parse(text, **options).by(name)
    derivation = sc.derive(objective)
    structure = derivation.hessian_structure
    steps = (*structure.steps, *derivation.hvp.steps)
    assert [str(s) for s in steps if not s.holds(points=1)] == []

    sizes = dict.fromkeys((d.name for d in objective.dims), 3)
    sizes |= {t.domain.below.name: 3 for t in objective.inputs if t.domain.below is not None}
    point = draw(objective, sizes)
    kernel = sc.compile(objective, backend="numpy")
    rng = np.random.default_rng(1)
    more = {}
    if not objective.is_scalar:
        more = {"cotangent": rng.normal(size=np.shape(kernel(**point)))}
    shape = np.shape(point[name])
    vector = rng.choice([-1.0, 1.0], shape)

    def gradient(t):
        moved = {**point, name: point[name] + t * vector}
        free = kernel.unchecked
        return free.vjp(**moved, **more)[1] if more else free.grad(**moved)

    product = kernel.hvp(**point, vector=vector, **more)
    near = {"rtol": 1e-10, "atol": 1e-10 * (1 + np.abs(product).max())}
    if not objective.body.has(stop_gradient):
        np.testing.assert_allclose(product, slope(gradient), rtol=1e-6, atol=near["atol"] * 1e3)
    dense = kernel.hessian(**point, **more).reshape(vector.size, vector.size)
    held = kernel.hessian_structure(**point, **more)
    np.testing.assert_allclose(dense @ vector.ravel(), product.ravel(), **near)
    np.testing.assert_allclose(held @ vector, product, **near)
    np.testing.assert_allclose(held.diagonal.ravel(), np.diag(dense), **near)
    np.testing.assert_allclose(kernel.hessian_diagonal(**point, **more), held.diagonal, **near)


SMOOTH_AT_ZERO = [
    ("sum(i, abs(x[i]) - log1p(abs(x[i])))", 1.0),
    ("sum(i, abs(x[i])**2)", 2.0),
    ("sum(i, abs(x[i])**p)", 2.0),
    ("norm2(i, x[i])**2", 2.0),
    ("sum(i, exp(-abs(x[i])) + abs(x[i]))", 1.0),
]


@pytest.mark.parametrize(("text", "curvature"), SMOOTH_AT_ZERO)
def test_an_absolute_value_does_not_hide_the_curvature_at_zero(text, curvature):
    hyper = {"p": 2.0} if "p)" in text[-4:] else {}
    kernel = sc.compile(sc.parse(text, wrt="x"), backend="numpy")
    found = kernel.hvp(np.array([0.0, -0.0]), vector=np.array([1.0, -3.0]), **hyper)
    assert found == pytest.approx([curvature, -3 * curvature], rel=1e-15)
