"""The passes on any equations, by any tensor: derivatives of derivatives, and from between."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc.backends import numpy_backend
from symcalc.backends.tasks import Task
from symcalc.calculus.equations import lift_objective
from symcalc.calculus.orders import along, behind, directions_for, names_in, reverse_of
from symcalc.calculus.split import fisher, gauss_newton
from symcalc.notation.tensors import Tensor

X = np.array([0.5, -1.0, 2.0])


def computed(objective, equations, inputs, wanted, arrays):
    """Evaluate some tensors of equations by NumPy."""
    task = Task("orders", equations, inputs, None, wanted)
    executable = numpy_backend.build(objective, task, "float64")
    sizes = []
    for dim in task.dims:
        found = (a.shape[t.shape.index(dim)] for t, a in zip(inputs, arrays, strict=True)
                 if dim in t.shape)  # fmt: skip
        sizes.append(next(found))
    values = dict(zip(task.dims, sizes, strict=True))
    outputs = [np.empty([values[e] for e in tensor.shape] or [1]) for tensor in wanted]
    executable.plan(tuple(sizes))(arrays, [], outputs)
    return outputs


def lifted(text, wrt):
    objective = sc.parse(text, wrt=wrt)
    equations, _ = lift_objective(objective)
    return objective, tuple(equations), names_in(objective, equations)


def named(equations, name):
    return next(e.target for e in equations if e.target.name == name)


def test_a_gradient_by_an_intermediate_tensor_holds_it_fixed():
    objective, equations, namer = lifted("sum(i, let(h, x[i]**2)**3) + sum(i, x[i])", "x")
    h = named(equations, "h")
    found = reverse_of(equations, equations[-1].target, sp.Integer(1), (h,), namer)
    (slope,) = computed(objective, found.equations, objective.inputs, (found.gradients[h],), [X])
    np.testing.assert_allclose(slope, 3 * X**4)
    assert all(step.holds() for step in found.steps)


def test_an_intermediate_tensor_can_be_what_is_differentiated():
    objective, equations, namer = lifted("sum(i, let(h, x[i]**2)**3)", "x")
    h, x = named(equations, "h"), objective.inputs[0]
    seed = Tensor(namer.name("seed"), h.shape)
    found = reverse_of(equations, h, seed, (x,), namer)
    inputs = (x, seed)
    weights = np.array([1.0, 2.0, 3.0])
    (slope,) = computed(objective, found.equations, inputs, (found.gradients[x],), [X, weights])
    np.testing.assert_allclose(slope, 2 * X * weights)


def test_forward_may_start_between():
    objective, equations, namer = lifted("sum(i, let(h, x[i]**2)**3)", "x")
    h = named(equations, "h")
    directions = directions_for([h], namer)
    found = along(equations, (equations[-1].target,), directions, namer)
    move = np.array([1.0, -1.0, 0.5])
    inputs = (*objective.inputs, *directions.values())
    (slope,) = computed(objective, found.equations, inputs, found.results, [X, move])
    np.testing.assert_allclose(slope, np.sum(3 * X**4 * move))


@pytest.mark.parametrize("text", ["log(sum(i, exp(x[i])))", "norm2(i, x[i])", "prod(i, x[i])",
                                  "sum(i, tanh(x[i])*mean(j, x[j]**2))"])  # fmt: skip
def test_reverse_over_reverse_is_forward_over_reverse(text):
    objective, equations, namer = lifted(text, "x")
    x = objective.inputs[0]
    once = reverse_of(equations, equations[-1].target, sp.Integer(1), (x,), namer)
    gradient = once.gradients[x]
    seed = Tensor(namer.name("seed"), x.shape)
    twice = reverse_of(once.equations, gradient, seed, (x,), namer)
    forward = along(once.equations, (gradient,), {"x": seed}, namer)
    vector = np.array([1.0, 2.0, -0.5])
    inputs = (x, seed)
    (a,) = computed(objective, twice.equations, inputs, (twice.gradients[x],), [X, vector])
    (b,) = computed(objective, forward.equations, inputs, forward.results, [X, vector])
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    steps = (*once.steps, *twice.steps, *forward.steps)
    assert [str(s) for s in steps if not s.holds()] == []


def test_the_fourth_derivative_too():
    objective, equations, namer = lifted("sum(i, exp(2*x[i]))", "x")
    (x,) = objective.inputs
    results, inputs = (equations[-1].target,), [x]
    for _ in range(4):
        directions = directions_for([x], namer)
        moved = along(equations, results, directions, namer)
        equations, results = moved.equations, moved.results
        inputs += directions.values()
    arrays = [X, *(np.full(3, 1.0 + k) for k in range(4))]
    (found,) = computed(objective, equations, tuple(inputs), results, arrays)
    np.testing.assert_allclose(found, np.sum(16 * 24 * np.exp(2 * X)))


def test_what_does_not_move_is_zero():
    objective, equations, namer = lifted("sum(i, x[i]*y[i])", "x")
    x, y = objective.inputs
    once = reverse_of(equations, equations[-1].target, sp.Integer(1), (x, y), namer)
    moved = along(once.equations, (once.gradients[x], once.gradients[y]),
                  directions_for([x], namer), namer)  # fmt: skip
    inputs = (x, y, *moved.directions)
    by_x, by_y = computed(objective, moved.equations, inputs, moved.results, [X, X, X])
    np.testing.assert_array_equal(by_x, np.zeros(3))
    np.testing.assert_array_equal(by_y, X)


def test_only_what_is_needed_is_kept():
    _, equations, _ = lifted("sum(i, exp(x[i])) + sum(i, let(h, x[i]**2))", "x")
    kept = behind(equations, (named(equations, "h"),))
    assert [e.target.name for e in kept] == ["h"]


@pytest.mark.parametrize("split", [gauss_newton, fisher])
def test_every_step_of_a_product_at_a_split_holds(split):
    text = "mean(i, (let(z, tanh(sum(j, A[i,j]*w[j]))) - t[i])**2)"
    objective = sc.parse(text, wrt="w")
    product = split(objective, objective.wrt, "z")
    assert [str(s) for s in product.steps if not s.holds()] == []
    assert "z_dot" in str(product)
    assert product.latex().startswith(r"\begin{aligned}")
