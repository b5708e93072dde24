"""Recurrences under both passes, against SymPy's own derivative of what is written out."""

import dataclasses

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from witness import Unrolled, draw

import symcalc as sc
from symcalc.calculus.equations import lift_objective
from symcalc.calculus.recurrences import all_but_one
from symcalc.notation.scans import Recurrence, ReverseScan, Scan

AB = ("a", "b")
FORMULAS = {
    "sum(t, scan(t, a[t], b[t])**2)": AB,
    "sum(t, reverse_scan(t, a[t], b[t])**2)": AB,
    "scan(t, a[t], b[t], 2)": AB,
    "sum(t, scan(t, a[t], b[t], z[1]**2)**2)": ("a", "b", "z"),
    "sum(t, reverse_scan(t, a[t], b[t], z[0]*z[1])**3)": ("a", "b", "z"),
    # decays and terms that are formulas
    "sum(t, scan(t, sigmoid(a[t]), (1 - sigmoid(a[t]))*b[t])**2)": AB,
    "sum(t, scan(t, a[t]*b[t], a[t] + b[t])**2)": AB,
    "sum(t, exp(scan(t, a[t], tanh(b[t])*t)/9))": AB,
    # layouts
    "sum(i, t, reverse_scan(t, a[i,t], b[i,t])**2)": AB,
    "sum(i, t, scan(t, a[t,i], b[t,i])**2)": AB,
    "sum(i, t, scan(t, a[t], b[i,t], z[i])**2)": ("a", "b", "z"),
    # entries at other places
    "sum(t, scan(t, a[t], b[t], 0)*scan(u, a[u], b[u], 0, t+1))": AB,
    "sum(t, b[t]*reverse_scan(u, a[u], b[u], 0, t-1)**2)": AB,
    "reverse_scan(t, a[t], b[t], 0, 0)**2": AB,
    "sum(t, where(t == n_t - 1, scan(t, a[t], b[t])**2, 0))": AB,
    "reverse_scan(t, 0.5, b[t]*(b[t] - b[t+1]))": "b",
    # recurrences of recurrences
    "sum(t, scan(t, a[t], reverse_scan(t, a[t], b[t]))**2)": AB,
    "sum(t, scan(t, scan(t, a[t], b[t])/4, b[t], 1)**2)": AB,
    "sum(t, cumsum(t, cumprod(t, a[t])*b[t])**2)": AB,
    # what they are built for
    "cumsum(t, b[t]**2)": "b",
    "reverse_cumsum(t, b[t])*b[t]": "b",
    "sum(t, cumprod(t, b[t])**2)": "b",
    "sum(i, j, b[j]*cumsum(k, a[k], i))": AB,
    "sum(t, stop_gradient(reverse_scan(t, 0.9, b[t]))*log_sigmoid(a[t]*b[t]))": AB,
    "logsumexp(t, scan(t, 0.5, b[t]))": "b",
    "max(t, cumsum(t, b[t]))": "b",
    # products
    "prod(t, a[t])": "a",
    "sum(i, prod(t, a[t,i]**2 + b[i]))": AB,
    "prod(t, sum(i, a[t,i]))**2": "a",
    "sum(t, a[t]*prod(j, where(j == t, 1, a[j])))": "a",
}


def flat(formula):
    """Everything unrolled: the total, and one symbol an entry."""
    outputs = np.atleast_1d(formula._each_output(lambda body: body)).ravel()
    return sum(outputs)


def product(witness, names, vectors):
    """The Hessian's product with a direction, by SymPy."""
    total = flat(witness)
    slope = sum(
        sp.diff(total, symbol) * sp.Rational(float(vectors[name][place]))
        for name in names for place, symbol in witness.symbols[name].items()
    )  # fmt: skip
    return {
        name: np.reshape(
            [float(witness.number(sp.diff(slope, s))) for s in witness.symbols[name].values()],
            vectors[name].shape,
        )
        for name in names
    }


def compared(objective, sizes, seed=0):
    """Hold value, gradient, tangent and Hessian product against the witness."""
    kernel = sc.compile(objective, backend="numpy")
    point = draw(objective, sizes, seed)
    witness = Unrolled(objective, sizes, point)
    names = objective.wrt
    rng = np.random.default_rng(seed)
    vectors = {name: rng.integers(-9, 9, np.shape(point[name])) / 8 for name in names}
    value = np.asarray(witness.value(), dtype=float)
    close(kernel(**point), value)
    gradients = {name: np.asarray(witness.gradient(name), dtype=float) for name in names}
    if objective.is_scalar:
        found = kernel.grad(**point)
        several = isinstance(found, tuple)
        direction = tuple(vectors.values()) if several else vectors[names[0]]
        products = kernel.hvp(**point, vector=direction)
        expected = product(witness, names, vectors)
        for name, one in zip(names, products if several else (products,), strict=True):
            close(one, expected[name])
    else:
        found = kernel.vjp(**point, cotangent=np.ones(value.shape))[1]
    for name, one in zip(names, found if isinstance(found, tuple) else (found,), strict=True):
        close(one, gradients[name])
    tangent = kernel.jvp(**point, tangents=vectors)[1]
    close(np.sum(tangent), sum(np.sum(gradients[name] * vectors[name]) for name in names))


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("text", FORMULAS)
def test_every_mode_agrees_with_brute_force(text):
    objective = sc.parse(text, wrt=FORMULAS[text])
    for n_t in (1, 3):
        sizes = {dim.name: {"n_t": n_t}.get(dim.name, 2) for dim in objective.dims}
        compared(objective, sizes)


@pytest.mark.parametrize("text", FORMULAS)
def test_every_step_holds(text):
    steps = sc.derive(sc.parse(text, wrt=FORMULAS[text])).steps
    assert [str(step) for step in steps if not step.holds()] == []


def test_the_adjoint_is_the_recurrence_run_backwards():
    d = sc.derive(sc.parse("sum(t, scan(t, a[t], b[t], c)**2)", wrt=AB))
    known = {e.target.name: e for e in d.equations}
    assert isinstance(known["h"].body, Scan)
    adjoint = known["h_bar"].body
    assert isinstance(adjoint, ReverseScan)
    assert str(adjoint) == "reverse_scan(t, where(t == n_t - 1, 0, a[t + 1]), 2*h[t])"
    assert str(d.gradient["a"]) == "h_bar[t]*where(t == 0, c, h[t - 1])"
    assert str(d.gradient["b"]) == "h_bar[t]"
    (step,) = [s for s in d.steps if "run backwards" in s.rule]
    assert step.rule == "adjoint of a recurrence is the recurrence run backwards"
    assert not step.before.atoms(Recurrence)


def test_a_constant_decay_needs_no_guard():
    d = sc.derive(sc.parse("reverse_scan(t, g, r[t])"))
    assert str(d.equations[-2].body) == "scan(t, g, out_bar[t])"


def test_wrong_adjoints_are_told_from_right_ones():
    d = sc.derive(sc.parse("sum(t, scan(t, a[t], b[t])**2)", wrt=AB))
    (step,) = [s for s in d.steps if "run backwards" in s.rule]
    decay, term, start, index, place = step.after.args
    wrong = (
        ReverseScan(2 * decay, term, start, index, place),
        ReverseScan(decay.args[2].xreplace({index: index - 1}), term, start, index, place),
        Scan(decay, term, start, index, place),
    )
    for after in wrong:
        assert not dataclasses.replace(step, after=after).holds()


def test_equal_recurrences_are_one_equation_whatever_their_places():
    text = "sum(t, scan(t, g, r[t])*scan(u, g, r[u], 0, t+1) + scan(v, g, r[v], 0, 0))"
    equations, _ = lift_objective(sc.parse(text))
    assert sum(isinstance(e.body, Recurrence) for e in equations) == 1


def test_the_entries_stand_where_the_inputs_have_them():
    for places, rank in (("b, t", 1), ("t, b", 0)):
        equations, _ = lift_objective(sc.parse(f"sum(b, t, cumsum(t, x[{places}])**2)"))
        assert equations[0].indices[rank] == equations[0].body.place


def test_all_other_factors_come_from_both_sides():
    t = sc.indices("t:T")
    x = sc.notation.tensors.Tensor("x", (sc.notation.dims.Dim("T"),))
    before, behind = all_but_one(x[t], t)
    assert str(before) == "scan(t, where(t == 0, 1, x[t - 1]), 0, 1)"
    assert str(behind) == "reverse_scan(t, where(t == T - 1, 1, x[t + 1]), 0, 1)"


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2, 3)])
def test_zeros_do_not_trouble_products(zeros):
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[list(zeros)] = 0
    kernel = sc.compile(sc.parse("prod(t, x[t])"), backend="numpy")
    others = [np.prod(np.delete(x, k)) for k in range(4)]
    np.testing.assert_array_equal(kernel.grad(x), others)
    cumulative = sc.compile(sc.parse("cumprod(t, x[t])"), backend="numpy")
    value, gradient = cumulative.vjp(x, cotangent=np.ones(4))
    np.testing.assert_array_equal(value, np.cumprod(x))
    expected = [
        sum(np.prod(np.delete(x[: k + 1], j)) for k in range(j, 4)) for j in range(4)
    ]  # fmt: skip
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)


DECAYS = st.sampled_from(["a[t]", "0.5", "sigmoid(b[t])", "a[t]*c", "1", "t/4"])
TERMS = st.sampled_from(["b[t]", "a[t]*b[t]", "0", "tanh(b[t])", "cumsum(t, b[t])", "c"])
STARTS = st.sampled_from(["0", "1", "c", "b[0]"])
KINDS = st.sampled_from(["scan", "reverse_scan"])
OUTER = st.sampled_from(["{}**2", "{}*b[t]", "tanh({})", "exp({}/20)*a[t]"])


@settings(max_examples=8)
@given(st.lists(st.tuples(KINDS, DECAYS, TERMS, STARTS), min_size=1, max_size=2), OUTER,
       st.integers(1, 3))  # fmt: skip
def test_any_recurrence_agrees_with_brute_force(parts, outer, n_t):
    entries = [f"{kind}(t, {decay}, {term}, {start})" for kind, decay, term, start in parts]
    text = f"sum(t, {outer.format('*'.join(entries))} + a[t]*b[t]*c)"
    compared(sc.parse(text, wrt=AB, defaults={"c": 0.75}), {"n_t": n_t})
