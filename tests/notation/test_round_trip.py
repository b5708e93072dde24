"""Formulas as text are read back as the same formula."""

import pytest
import sympy as sp
from hypothesis import given, reject
from hypothesis import strategies as st

import symcalc as sc
from symcalc.notation.domains import NAMED
from symcalc.notation.text import text


def read_back(objective):
    """Parse an objective's own text, with the shapes and domains it declares."""
    words = {domain: word for word, domain in NAMED.items()}
    domains = {
        item.name: f"label {item.domain.below}" if item.domain.integer else words[item.domain]
        for item in (*objective.inputs, *objective.parameters)
    }
    shapes = {t.name: " ".join(str(e).replace(" ", "") for e in t.shape) for t in objective.inputs}
    return sc.parse(text(objective.body), wrt=objective.wrt, shapes=shapes, domains=domains)


def is_one_formula(objective):
    """Whether text can say all of it: it defines no tensors, and reads a bare name as a number."""
    whole = not objective.definitions and not objective.state
    return whole and all(tensor.shape for tensor in objective.inputs)


@pytest.mark.parametrize("name", [n for n, o in sc.catalogue().items() if is_one_formula(o)])
def test_the_catalogue_is_read_back(alike, name):
    objective = sc.get(name)
    read = read_back(objective)
    assert alike(read.body, objective.body)
    assert {t.name for t in read.inputs} == {t.name for t in objective.inputs}
    assert {(t.name, t.domain) for t in read.inputs} == {
        (t.name, t.domain) for t in objective.inputs
    }
    assert {p.name for p in read.parameters} == {p.name for p in objective.parameters}


LEAVES = st.sampled_from(
    ["x[i]", "y[i]", "z[i, k]", "w[k]", "z[i, t[i]]", "a", "2", "1/3", "0.25", "n", "i", "x[0]",
     "sum(k, w[k]*z[i, k])", "mean(j, x[j])", "logsumexp(k, z[i, k])", "max(k, z[i, k])", "pi",
     "norm2(k, w[k])", "prod(k, z[i, k])", "min(k, w[k])", "cumsum(i, x[i])",
     "scan(i, a, z[i, k], 2)", "reverse_scan(j, y[j], x[j], 0, i)", "cumprod(k, w[k], 0)"]
)  # fmt: skip
SHAPES = {"x": "n", "y": "n", "z": "n c", "w": "c", "t": "n"}


def extended(inner):
    one = st.sampled_from(
        ["exp", "tanh", "sigmoid", "softplus", "abs", "sign", "log_cosh", "relu", "erf",
         "stop_gradient", "log_sigmoid", "expm1"]
    )  # fmt: skip
    two = st.sampled_from(["maximum", "minimum", "xlogy", "max", "min"])
    sign = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    joined = st.sampled_from(["&", "|"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} / (2 + {}**2))".format, inner, inner),
        st.builds("{}({})".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
        st.builds("(-{})**{}".format, inner, st.integers(2, 4)),
        st.builds("where({} {} {}, {}, {})".format, inner, sign, inner, inner, inner),
        st.builds("where(({} < {}) {} ~(k == t[i]), {}, {})".format,
                  inner, inner, joined, inner, inner),
        st.builds("sum(k, {})".format, inner),
        st.builds("mean(i, {})".format, inner),
    )  # fmt: skip


FORMULAS = st.recursive(LEAVES, extended, max_leaves=6)


@given(FORMULAS)
def test_any_formula_is_read_back(written):
    from conftest import canonical

    whole = f"sum(i, k, x[i]*y[i]*z[i, k]*w[k]*({written}) + z[i, t[i]])"
    try:
        formula = sc.parse(whole, wrt="x", shapes=SHAPES)
    except sc.SymcalcError:  # a constant out of range, an index that nothing bounds
        reject()
    shapes = {t.name: " ".join(map(str, t.shape)) for t in formula.inputs}
    again = sc.parse(text(formula.body), shapes=shapes)
    assert canonical(again.body) == canonical(formula.body)


@given(st.text(max_size=40))
def test_any_text_is_a_formula_or_a_parse_error(garbage):
    try:
        sc.parse(garbage)
    except sc.NotationError:
        pass


ALPHABET = "x [i] ( ) sum i , + ** - 9 where < z[i,k] 0 / == max k not . ' = : lambda [ ]".split()


@given(st.lists(st.sampled_from(ALPHABET), max_size=25).map(" ".join))
def test_any_jumble_of_words_is_a_formula_or_an_error_of_ours(jumble):
    try:
        formula = sc.parse(jumble)
    except sc.NotationError:
        return
    assert not formula.body.has(sp.zoo, sp.nan, sp.I)
