"""Equality of formulas: what the identities prove, and what they must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.calculus.equal import difference, written_out
from symcalc.calculus.probe import probe

x = sc.notation.tensors.Tensor("x", (sc.indices("n").extent,))
i, j, k = sc.indices("i:n j:n k:n")


def same(left, right):
    return sc.same_formula(*(parsed(text).body for text in (left, right)))


def parsed(text):
    """All of one extent, so that letters may differ; y and w positive."""
    shapes = {name: shape for name, shape in SHAPES.items() if f"{name}[" in text}
    return sc.parse(text, shapes=shapes, domains={n: "positive" for n in shapes if n in "yw"})


SHAPES = {"x": "n", "y": "n", "w": "n", "A": "n n"}


EQUAL = [
    ("sum(i, (x[i] + 1)**2)", "sum(j, x[j]**2) + 2*sum(k, x[k]) + sum(i, x[i]*0 + 1)"),
    ("sum(i, x[i]) * sum(i, x[i])", "sum(i, sum(j, x[i]*x[j]))"),
    ("sum(i, sum(j, A[i,j]*x[i]*x[j]))", "sum(j, x[j]*sum(i, x[i]*A[i,j]))"),
    ("sum(i, x[i]*sum(j, where(j == i, y[j], 0)))", "sum(i, x[i]*y[i])"),
    ("mean(i, x[i] - mean(j, x[j]))", "0*sum(i, x[i])"),
    ("mean(i, (x[i] - mean(j, x[j]))**2)", "mean(i, x[i]**2) - mean(i, x[i])**2"),
    ("sum(i, exp(x[i] - logsumexp(j, x[j])))", "1 + 0*sum(i, x[i])"),
    ("logsumexp(i, x[i] + c)", "c + logsumexp(i, x[i])"),
    ("sum(i, log(exp(x[i])/sum(j, exp(x[j]))))", "sum(i, x[i] - logsumexp(j, x[j]))"),
    ("sum(i, sigmoid(x[i]) + sigmoid(-x[i]))", "sum(i, 1 + 0*x[i])"),
    ("sum(i, softplus(x[i]) - softplus(-x[i]))", "sum(i, x[i])"),
    ("sum(i, sech(x[i])**2 + tanh(x[i])**2)", "sum(i, 1 + 0*x[i])"),
    ("sum(i, abs(x[i] - y[i])**2)", "sum(i, (y[i] - x[i])**2)"),
    ("sum(i, where(x[i] < 1, y[i], 2*y[i]))", "sum(i, y[i] + where(x[i] >= 1, y[i], 0))"),
    ("sum(i, x[i])/(1 + sum(j, x[j]))", "1 - 1/(1 + sum(i, x[i]))"),
    ("sum(i, stop_gradient(x[i])*x[i])", "sum(i, x[i]**2)"),
    ("sum(k, exp(x[k])*exp(-x[k]))", "sum(k, 1 + 0*x[k])"),
    ("sum(i, kl_div(w[i], y[i]))", "sum(i, w[i]*log(w[i]/y[i])) + sum(i, y[i] - w[i])"),
    ("sum(i, log(w[i]**2*y[i]))", "sum(i, log(y[i]) + 2*log(w[i]))"),
    ("norm2(i, -x[i])", "sqrt(sum(j, x[j]**2))"),
    ("norm2(i, x[i])*prod(j, x[j])", "prod(i, x[i])*norm2(j, x[j])"),
    ("sum(i, gaussian_expectation(z, mu, 1, (z - x[i])**2))", "sum(i, (mu - x[i])**2 + 1)"),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_formulas_are_proved(left, right):
    assert same(left, right)


DIFFERENT = [
    ("sum(i, x[i]**2)", "sum(i, x[i])**2"),
    ("sum(i, sum(j, A[i,j]))", "sum(i, A[i,i])"),
    ("sum(i, sum(j, A[i,j]*x[i]))", "sum(i, sum(j, A[i,j]*x[j]))"),
    ("sum(i, exp(x[i] + logsumexp(j, x[j])))", "1 + 0*sum(i, x[i])"),
    ("mean(i, x[i])", "sum(i, x[i])"),
    ("sum(i, sqrt(x[i]**2))", "sum(i, x[i])"),
    ("sum(i, log(x[i]**2))", "sum(i, 2*log(x[i]))"),
    ("sum(i, sigmoid(x[i]))", "sum(i, sigmoid(-x[i]))"),
    ("sum(i, where(x[i] < 1, 1, 0))", "sum(i, where(x[i] <= 1, 1, 0))"),
    ("sum(i, sum(j, x[i]*x[j]))", "sum(i, x[i]*x[i])"),
    ("sum(i, abs(x[i]))", "sum(i, x[i])"),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_formulas_are_not(left, right):
    assert not same(left, right)


ATOMS = st.sampled_from([lambda: x[i], lambda: x[j], lambda: x[i] * 2, lambda: sc.exp(x[j])])


def grown(children):
    return st.one_of(
        st.tuples(children, children).map(lambda p: p[0] + p[1]),
        st.tuples(children, children).map(lambda p: p[0] * p[1]),
        children.map(lambda e: sc.sum(j, e)),
        children.map(lambda e: sc.exp(-e / 8)),
        children.map(lambda e: sc.where(i == j, e, 1)),
        children.map(lambda e: sc.sigmoid(e)),
        children.map(lambda e: sc.logsumexp(j, e) / 2),
    )


FORMULAS = st.recursive(ATOMS.map(lambda make: make()), grown, max_leaves=5)


@given(FORMULAS, FORMULAS)
def test_what_is_proved_is_true_at_random_points(left, right):
    """A proof is never contradicted by ball arithmetic, and distribution is always proved."""
    whole, parts = left * (right - 1), left * right - left
    assert not difference(whole, parts)
    if not difference(left, right):
        assert probe(left, right, (i, j), (), 0, 1)


@given(FORMULAS)
def test_the_letters_of_bound_indices_do_not_matter(formula):
    assert not difference(sc.sum(i, formula), sc.sum(k, formula.xreplace({i: k})))


def test_definitions_are_written_out():
    d = sc.derive(sc.parse("logsumexp(k, z[k])"))
    (index,) = d.gradient_of("z").indices
    z = d.objective.input("z")
    m = sc.notation.dims.Index("m", z.shape[0])
    expected = sc.exp(z[index]) / sc.sum(m, sc.exp(z[m]))
    assert sc.same_formula(d.gradient["z"], expected, d.equations)
    assert not sc.same_formula(d.gradient["z"], 2 * expected, d.equations)
    assert written_out(d.gradient["z"], d.equations).has(sc.notation.reductions.LogSumExp)


def test_a_formula_that_would_never_end_is_refused():
    long = "(x[i] + y[i] + w[i] + 1 + x[i]*y[i] + w[i]*x[i])**6"
    with pytest.raises(sc.DerivationError, match="multiplied out"):
        same(f"sum(i, {long}*(x[i] - 2*w[i] + {long}))", "sum(i, x[i])")


def test_what_is_no_formula_is_refused():
    made = sc.parse("sum(i, x[i])", wrt="x")
    with pytest.raises(sc.ArgumentTypeError, match=r"same_formula: left: .*got str sum\(i, x\[i\]"):
        sc.same_formula("sum(i, x[i])", made.body)
    with pytest.raises(sc.ArgumentTypeError, match=r"same_formula: right: .*\.body, got Objective"):
        sc.same_formula(made.body, made)
    assert sc.same_formula(made.body, made.body * 1)
    with pytest.raises(sc.ArgumentTypeError, match=r"same_gradient: .*got Objective"):
        sc.same_gradient(made, sc.derive(made), "x")
