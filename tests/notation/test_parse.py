"""`parse`: the conventions that text has, and the same formula in Python and in text."""

import pytest

import symcalc as sc
from symcalc import (
    Array,
    Fraction,
    Label,
    Positive,
    Probability,
    Real,
    indices,
    log1p,
    logsumexp,
    maximum,
    mean,
    objective,
    softplus,
    sum,
    where,
)


def shapes(formula):
    """Each input's dims by name."""
    return {t.name: " ".join(map(str, t.shape)) for t in formula.inputs}


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("mean(i, x[i])", {}, {"x": "n"}),
        ("sum(k, z[k])", {}, {"z": "n_k"}),
        ("sum(i, sum(k, z[i, k]))", {}, {"z": "n n_k"}),
        ("sum(i, sum(k, z[i, k]*w[k]))", {"z": "n c"}, {"z": "n c", "w": "c"}),
        ("sum(i, sum(k, z[i, k]*w[k]))", {"w": "c"}, {"z": "n c", "w": "c"}),
        ("sum(i, sum(j, x[i]*x[j]))", {}, {"x": "n"}),
        ("sum(i, sum(j, A[i,j]*A[j,i]))", {}, {"A": "n n"}),
        ("sum(j, a[j]) + sum(i, b[i])", {}, {"a": "n_j", "b": "n"}),
        ("sum(i, z[i, y[i]])", {}, {"z": "n n_y", "y": "n"}),
        ("sum(i, z[i, y[i]])", {"z": "n c"}, {"z": "n c", "y": "n"}),
        ("sum(i, sum(k, z[i,k])*z[i, y[i]])", {}, {"z": "n n_k", "y": "n"}),
        ("sum(t, V[t+1] - V[t])", {"V": "T"}, {"V": "T"}),
        ("x[0] + x[1]", {}, {"x": "n_x"}),
        ("x[i, ] + y[i]", {}, {"x": "n", "y": "n"}),
        ("  sum(i,\n x[i])  ", {}, {"x": "n"}),
        ("sum(i, x[i])", {"x": "batch,"}, {"x": "batch"}),
    ],
)
def test_every_axis_gets_the_dim_the_conventions_say(text, given, expected):
    assert shapes(sc.parse(text, shapes=given)) == expected


def test_what_is_used_as_an_index_holds_labels():
    formula = sc.parse("sum(i, z[i, y[i]])", shapes={"z": "n c"})
    domain = formula.input("y").domain
    assert domain.integer
    assert domain.below.name == "c"
    assert not formula.input("z").domain.integer


def test_a_bare_name_is_a_hyperparameter_and_an_extent_is_an_extent():
    text = "lam*sum(i, x[i]**2)/n + pi"
    formula = sc.parse(text, defaults={"lam": 0.5}, domains={"lam": "positive"})
    (only,) = formula.parameters
    assert (only.name, only.default, only.domain.name) == ("lam", 0.5, "positive numbers")
    assert formula.body.has(formula.dims[0])


def test_binders_are_lexical_in_text_too(alike):
    once = sc.parse("sum(i, x[i]*sum(i, x[i]**2))").body
    apart = sc.parse("sum(i, x[i]*sum(j, x[j]**2))").body
    assert alike(once, apart)


def test_a_letter_is_free_outside_its_binder():
    formula = sc.parse("sum(i, x[i]) + x[i]")
    assert [str(o.extent) for o in formula.outputs] == ["n"]


def test_free_indices_become_axes_in_the_order_of_the_dims():
    formula = sc.parse("z[i,k]*w[k]", shapes={"z": "n c"})
    assert [o.name for o in formula.outputs] == ["i", "k"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("max(i, x[i])", "Max"), ("max(x[i], y[i])", "maximum"), ("max(x[i], 0)", "maximum"),
     ("min(i, x[i])", "Min"), ("max(a, x[i])", "maximum"), ("max(i, j, A[i,j])", "Max"),
     ("max(x[i], y[i], 0)", "maximum")],
)  # fmt: skip
def test_max_is_read_by_whether_its_first_argument_is_an_index_of_the_last(text, kind):
    assert type(sc.parse(text).body).__name__ == kind


@objective(wrt="z")
def bce(z: Real[Array, "n"], y: Probability[Array, "n"]):
    i = indices("n")
    return mean(i, softplus(z[i]) - y[i] * z[i])


@objective(wrt="z")
def cross_entropy(z: Real[Array, "n c"], y: Label[Array, "n -> c"]):
    i, k = indices("n c")
    return mean(i, logsumexp(k, z[i, k]) - z[i, y[i]])


@objective(wrt="z")
def masked(z: Real[Array, "n c"], y: Label[Array, "n -> c"]):
    i, k = indices("n c")
    return sum(i, sum(k, where(k == y[i], 1, 0) * z[i, k] ** 2))


@objective(wrt="x")
def triangular(x: Array["n"]):
    i, j = indices("n j:n")
    return sum(i, sum(j, where(j <= i, x[j], 0) * x[i]))


@objective(wrt="x")
def clipped(x: Array["n"], a: Positive = 1.0, b: Fraction = 0.5):
    i = indices("n")
    return mean(i, maximum(sc.clip(x[i], -a, a), log1p(x[i] ** 2) / 3) ** 2) * b


SAME = [
    (bce, "mean(i, softplus(z[i]) - y[i]*z[i])", {"domains": {"y": "probability"}}),
    (cross_entropy, "mean(i, logsumexp(k, z[i,k]) - z[i,y[i]])", {"shapes": {"z": "n c"}}),
    (masked, "sum(i, sum(k, where(k == y[i], 1, 0)*z[i,k]**2))",
     {"shapes": {"z": "n c"}, "domains": {"y": "label c"}}),
    (triangular, "sum(i, sum(j, where(j <= i, x[j], 0)*x[i]))", {}),
    (clipped, "mean(i, maximum(clip(x[i], -a, a), log1p(x[i]**2)/3)**2)*b",
     {"domains": {"a": "positive", "b": "probability"}, "defaults": {"a": 1.0, "b": 0.5}}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "text", "options"), SAME, ids=[s[0].name for s in SAME])
def test_python_and_text_say_the_same(alike, written, text, options):
    read = sc.parse(text, **options)
    assert alike(read.body, written.body)
    assert {(t.name, str(t.shape), t.domain) for t in read.inputs} == {
        (t.name, str(t.shape), t.domain) for t in written.inputs
    }
    assert [(p.name, p.default, p.domain) for p in read.parameters] == [
        (p.name, p.default, p.domain) for p in written.parameters
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (
            "sum(i, where(0 < x[i] <= 1, x[i], 0))",
            "sum(i, where((0 < x[i]) & (x[i] <= 1), x[i], 0))",
        ),
        (
            "sum(i, where(x[i] > 0 and y[i] > 0, 1, 2)*x[i])",
            "sum(i, where((x[i] > 0) & (y[i] > 0), 1, 2)*x[i])",
        ),
        ("sum(i, where(not x[i] > 0, 1, 2)*x[i])", "sum(i, where(~(x[i] > 0), 1, 2)*x[i])"),
        ("sum(i, where(eq(x[i], 2), 1, 2)*x[i])", "sum(i, where(x[i] == 2, 1, 2)*x[i])"),
        ("sum(i, +x[i] - -x[i])", "sum(i, 2*x[i])"),
        ("sum(i, 0.1*x[i])", "sum(i, x[i]/10)"),
        ("sum(i, 1e-3*x[i])", "sum(i, x[i]/1000)"),
        ("sum(i, k, z[i,k])", "sum(i, sum(k, z[i,k]))"),
    ],
)
def test_two_spellings_of_one_formula(alike, text, same):
    assert alike(sc.parse(text).body, sc.parse(same).body)


@pytest.mark.parametrize(
    "power", ["x[i]**y[i]", "2**x[i]", "x[i]**(1/3)", "x[i]**a", "x[i]**0.5", "a**x[i]"]
)
def test_powers_of_every_kind_are_read(power):
    domains = {"x": "positive"} | ({"a": "positive"} if "a" in power else {})
    assert sc.parse(f"sum(i, {power})", wrt="x", domains=domains).is_scalar


@pytest.mark.parametrize(
    "options",
    [
        {"shapes": {"x": "n c"}},
        {"shapes": {"q": "n"}},
        {"shapes": {"x": "0"}},
        {"shapes": {"x": ""}},
        {"shapes": {"x": None}},
        {"shapes": {"x": "n", "y": "m"}},
        {"domains": {"x": "foo"}},
        {"domains": {"q": "real"}},
        {"domains": {"x": None}},
        {"domains": {"a": "simplex"}},
        {"domains": {"a": "label c"}},
        {"defaults": {"q": 1.0}},
        {"defaults": {"x": 1.0}},
        {"defaults": {"a": "1"}},
        {"defaults": {"a": float("nan")}},
        {"defaults": {"a": -1.0}, "domains": {"a": "positive"}},
        {"wrt": "q"},
        {"wrt": "a"},
        {"wrt": ()},
        {"wrt": ("x", "x")},
    ],
    ids=str,
)
def test_options_that_do_not_fit_the_formula_are_refused(options):
    with pytest.raises(sc.SymcalcError):
        sc.parse("mean(i, a*x[i]*y[i])", **options)


def test_an_index_over_two_dims_is_refused_and_both_are_named():
    with pytest.raises(sc.NotationError, match=r"n.*m|m.*n"):
        sc.parse("sum(i, x[i]*y[i])", shapes={"x": "n", "y": "m"})


def test_labels_of_two_dims_are_refused():
    with pytest.raises(sc.NotationError, match="y"):
        sc.parse("sum(i, z[i,y[i]]*w[y[i]])", shapes={"z": "n c", "w": "d"})


def test_an_array_of_no_axes_stands_without_brackets() -> None:
    bare = sc.parse("x*y + sin(x)", wrt=("x", "y"), shapes={"x": "", "y": ""})
    written = sc.parse("x[()]*y[()] + sin(x[()])", wrt=("x", "y"))
    assert str(bare) == str(written)
    assert [tensor.shape for tensor in bare.inputs] == [(), ()]
    mixed = sc.parse("mean(i, (z[i] - s)**2) + s", wrt="s", shapes={"s": ""})
    assert [tensor.name for tensor in mixed.inputs] == ["z", "s"]
    with pytest.raises(sc.NotationError, match="expected an index first"):
        sc.parse("sum(x, x)", shapes={"x": ""})
    with pytest.raises(sc.NotationError, match="'y' does not stand in the formula"):
        sc.parse("x**2", shapes={"x": "", "y": ""})
