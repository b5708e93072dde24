"""Formulas that make no sense, or more than one: refused, with the part that is at fault."""

import numpy as np
import pytest

import symcalc as sc

IN_TEXT = {
    "an index bound twice": (
        "mean(i, i, x[i])", {}, 8, "mean: i is bound twice"),
    "an index of nothing": (
        "sum(i, x[i]) + sum(q, 2)", {}, 19, 
        "index q runs over n_q, which is the extent of no input"),
    "an array without brackets": (
        "sum(i, x[i]*exp(x))", {}, 16, "x is an array: write x[...] with its indices, as in x[i]"),
    "two ranks": (
        "sum(i, x[i]*x[i,i])", {}, 12, "x has 1 indices elsewhere, in x[i], 2 here"),
    "two shapes": (
        "sum(i, x[i]*w[i])", {"shapes": {"x": "n", "w": "m"}}, None,
        "shapes: w: axis 0 is declared as m, but its index also runs over n: x[i] and w[i]"),
    "a label of two dims": (
        "sum(i, z[i,y[i]] + w[y[i],i])", {"shapes": {"z": "n c", "w": "k n"}}, None,
        "y is an index into both c and k, in w[y[i], i]"),
    "a derivative by labels": (
        "mean(i, z[i,y[i]])", {"wrt": "y"}, None,
        "wrt: expected a real input, got 'y', which holds integer labels, 0 to n_y - 1, as in "
        "z[i, y[i]]: integers have no derivative"),
    "a derivative by a hyperparameter": (
        "mean(i, lam*x[i])", {"wrt": "lam"}, None,
        "wrt: expected one of ['x'], got 'lam'; a hyperparameter is a number"),
    "a default for an array": (
        "mean(i, lam[i]*x[i])", {"defaults": {"lam": 1.0}}, None,
        "defaults: 'lam' is no hyperparameter of the formula: it stands with brackets"),
    "a part's name outside of it": (
        "let(mu, mean(i, x[i]))*2 + mu", {}, None,
        "mu is the name of a part, let(mu, mean(i, x[i])), and a hyperparameter elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_TEXT)
def test_text_that_makes_no_sense_is_refused(name):
    text, options, column, message = IN_TEXT[name]
    with pytest.raises(sc.NotationError) as caught:
        sc.parse(text, **options)
    assert message in str(caught.value)
    if column is not None:
        assert caught.value.column == column
        assert str(caught.value).endswith(f"\n  {text}\n  {' ' * column}^")


x_n = sc.Real[sc.Array, "n"]
x_nm = sc.Real[sc.Array, "n m"]
i, j = sc.indices("i:n j:m")


def bound_twice(x: x_n):
    return sc.sum(i, i, x[i])


def another_index_of_the_letter(x: x_n):
    return sc.sum(sc.indices("i:n"), x[i])


def two_free_indices_of_a_letter(x: x_n):
    return x[i] * sc.exp(x[sc.indices("i:n")])


def an_array_without_brackets(x: x_n):
    return sc.sum(i, sc.exp(x) * x[i])


def an_array_alone(x: x_nm):
    return x


def an_array_in_a_condition(x: x_n):
    return sc.sum(i, sc.where(x > 0, x[i], 0))


def a_hyperparameter_with_brackets(x: x_n, lam: sc.Positive = 1.0):
    return sc.sum(i, lam[i] * x[i])


def a_dim_of_two_extents(x: x_n, w: sc.Real[sc.Array, "m"]):
    return sc.sum(i, x[i] * w[i])


def too_few_brackets(x: x_nm):
    return sc.sum(i, x[i])


def an_array_for_an_index(x: x_n, lam: sc.Positive = 1.0):
    return sc.sum(x, lam)


def a_real_for_an_index(x: x_n, w: x_n):
    return sc.sum(i, x[w[i]])


IN_PYTHON = {
    bound_twice: "sum: i is bound twice in sum(i, i, x[i])",
    another_index_of_the_letter: "sum: the i in x[i] is another index than the i that sum binds",
    two_free_indices_of_a_letter: "two free indices are called i in exp(x[i])*x[i]",
    an_array_without_brackets: "x is an array of shape (n): expected its indices, as in x[i], "
                               "not exp(x)",
    an_array_alone: "x is an array of shape (n, m): expected its indices, as in x[i, j]",
    an_array_in_a_condition: "expected its indices, as in x[i], not x > 0",
    a_hyperparameter_with_brackets: "lam[i]: lam is a hyperparameter, a single number",
    a_dim_of_two_extents: "w: index i at axis 0 runs over n, but that axis has extent m: w[i]",
    too_few_brackets: "x: expected 2 indices (n, m), got 1: x[i]",
    an_array_for_an_index: "sum: expected an index first, as in sum(i, x[i]), got x",
    a_real_for_an_index: "expected integers at axis 0, got w[i], declared as real numbers: x[w[i]]",
}  # fmt: skip


@pytest.mark.parametrize("function", IN_PYTHON, ids=lambda function: function.__name__)
def test_definitions_that_make_no_sense_are_refused(function):
    with pytest.raises(sc.NotationError) as caught:
        sc.objective(function)
    assert str(caught.value).startswith(f"{function.__name__}: ")
    assert IN_PYTHON[function] in str(caught.value)


def test_a_derivative_by_labels_shows_where_they_stand():
    with pytest.raises(sc.NotationError, match=r"got 'labels'.*logits\[i, labels\[i\]\]"):
        sc.derive("softmax_cross_entropy", wrt="labels")


@pytest.mark.parametrize("call", ["grad", "value_and_grad"])
def test_an_array_where_a_number_is_needed_is_shown_with_its_index(call):
    kernel = sc.compile(sc.parse("x[i]**2"), backend="numpy")
    with pytest.raises(sc.SymcalcError, match=rf"{call} needs a scalar.*x\[i\]\*\*2 for every i"):
        getattr(kernel, call)(np.ones(2))


def test_a_second_derivative_of_an_array_wants_a_cotangent():
    kernel = sc.compile(sc.parse("x[i]**2"), backend="numpy")
    with pytest.raises(sc.SymcalcError, match="hvp: missing cotangent="):
        kernel.hvp(np.ones(2), vector=np.ones(2))


LEGAL = {
    "a letter bound within and without": ("sum(i, x[i]*sum(i, x[i]))", 9.0),
    "a letter bound inside alone": ("sum(i, sum(i, x[i]))", 6.0),
    "one letter in two sums": ("sum(i, x[i])*sum(i, x[i]**2)", 15.0),
    "a diagonal": ("sum(i, A[i,i]*x[i])", 6.0),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_has_one_reading_stays_legal(name):
    text, expected = LEGAL[name]
    arrays = {"x": np.array([1.0, 2.0])}
    if "A" in text:
        arrays["A"] = np.array([[2.0, 9.0], [9.0, 2.0]])
    assert sc.compile(sc.parse(text), backend="numpy")(**arrays) == expected


def test_one_index_serves_nested_sums_in_python_too():
    @sc.objective
    def product(x: x_n):
        return sc.sum(i, x[i] * sc.sum(i, x[i]))

    assert sc.compile(product, backend="numpy")(np.array([1.0, 2.0])) == 9.0
