"""Formulas as vectors and matrices."""

import pytest

from symcalc.calculus.derive import derive
from symcalc.calculus.equations import Equation
from symcalc.catalogue import get
from symcalc.notation import parse
from symcalc.report.symbols import symbols
from symcalc.report.vectors import vector_row


def rows(objective):
    """The gradient of an objective as vectors, by input."""
    derivation = derive(objective)
    letters = symbols(objective, derivation)
    return {
        a.of.name: vector_row(Equation(a.target, a.indices, a.body), letters)
        for a in derivation.adjoints
    }


def shown(text, **options):
    """The gradient of a formula by x, as a vector."""
    found = rows(parse(text, wrt="x", **options))["x"]
    return None if found is None else found.shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sum(i, a[i]*x[i])", r"\mathbf{a}"),
        ("sum(i, x[i]**2)", r"2 \mathbf{x}"),
        ("mean(i, softplus(x[i]) - y[i]*x[i])", r"\frac{1}{n} (\sigma(\mathbf{x}) - \mathbf{y})"),
        ("sum(i, a[i]*b[i]*x[i])", r"\mathbf{a} \circ \mathbf{b}"),
        ("sum(i, x[i])**2/2", r"s \mathbf{1}"),
        ("sum(i, x[i]**3)", r"3 \mathbf{x}^{\circ 2}"),
    ],
)
def test_gradients_are_vectors(text, wanted):
    assert shown(text).replace("(", "").replace(")", "") == wanted.replace("(", "").replace(")", "")


def test_least_squares_is_a_product_of_matrices():
    text = "sum(i, (sum(j, A[i,j]*x[j]) - b[i])**2)/2"
    assert r"\mathbf{A}^\top" in shown(text)


def test_one_hot_labels_are_a_matrix():
    row = rows(get("softmax_cross_entropy"))["logits"]
    assert row.shown == r"\frac{1}{n} (\mathbf{P} - \mathbf{Y})"
    assert row.hot == ("y_i", r"\mathbf{Y}")


def test_dense_reads_as_it_is_taught():
    found = {name: row.shown for name, row in rows(get("dense")).items()}
    assert found == {
        "x": r"\bar{\mathbf{Y}} \mathbf{W}",
        "weight": r"\bar{\mathbf{Y}}^\top \mathbf{X}",
        "bias": r"\bar{\mathbf{Y}}^\top \mathbf{1}",
    }


@pytest.mark.parametrize("name", ["huber", "ppo_clip", "batch_norm"])
def test_what_has_no_form_has_none_and_fails_nowhere(name):
    for row in rows(get(name)).values():
        assert row is None or row.shown


def test_a_shifted_access_has_no_form():
    assert rows(parse("sum(t, (V[t+1] - V[t])**2)", wrt="V"))["V"] is None
