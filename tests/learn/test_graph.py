"""The graph of a formula: both sweeps give the gradient, node by node."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.learn.graph import graph
from symcalc.learn.graph_picture import layout
from symcalc.learn.operations import MOST


def test_the_textbooks_example_by_hand():
    found = graph("x*y + sin(x)", {"x": 2, "y": 3})
    names = [node.name for node in found.nodes]
    assert names == ["x", "y", "v1", "v2", "v3"]
    product, sine, total = (found[name] for name in names[2:])
    assert (product.formula, product.parents, product.partials) == ("x * y", ("x", "y"), ("y", "x"))
    assert (sine.formula, sine.partials) == ("sin(x)", ("cos(x)",))
    assert (product.value, product.slopes) == (6, (3, 2))
    assert total.value == found.value == 6 + np.sin(2)
    assert dict(product.tangents) == {"x": 3, "y": 2}
    assert dict(sine.tangents) == {"x": np.cos(2), "y": 0}
    assert dict(total.tangents) == {"x": 3 + np.cos(2), "y": 2}
    assert [node.adjoint for node in found.nodes] == [3 + np.cos(2), 2, 1, 1, 1]
    assert found.gradient == {"x": 3 + np.cos(2), "y": 2}


numbers = st.integers(-12, 12).map(lambda k: k / 4)
leaves = st.sampled_from(["x", "y", "2*x", "(y - 0.5)", "pi*x", "x**2"])


def grown(inner):
    pairs = st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
    calls = st.tuples(st.sampled_from(["sin", "tanh", "softplus", "-"]), inner)
    choices = st.tuples(inner, inner, inner).map(lambda p: f"where(x*{p[0]} > y, {p[1]}, {p[2]})")
    extremes = st.tuples(inner, inner).map(lambda p: f"max({p[0]}, {p[1]}**2)")
    return st.one_of(pairs, calls.map(lambda c: f"{c[0]}({c[1]})"), choices, extremes)


@given(st.recursive(leaves, grown, max_leaves=8), numbers, numbers)
def test_both_sweeps_are_the_gradient_of_the_whole(formula, x, y):
    formula = f"x*y + tanh({formula})"
    found = graph(formula, {"x": x, "y": y})
    whole = sc.parse(formula, wrt=("x", "y"), shapes={"x": "", "y": ""})
    value, slopes = sc.compile(whole, backend="numpy").value_and_grad(np.array(x), np.array(y))
    assert found.value == pytest.approx(value, rel=1e-12, abs=1e-12)
    for name, slope in zip("xy", slopes, strict=True):
        assert found.gradient[name] == pytest.approx(slope, rel=1e-10, abs=1e-12)
        assert found.nodes[-1].tangents[name] == pytest.approx(slope, rel=1e-10, abs=1e-12)


def test_equal_parts_are_one_node():
    found = graph("exp(x)*exp(x) + 1/exp(x)", {"x": 0.5})
    assert [node.formula for node in found.nodes] == [
        "", "exp(x)", "v1 * v1", "1 / v1", "v2 + v3"
    ]  # fmt: skip
    assert found["v2"].parents == ("v1",)
    assert found["v2"].partials == ("2*v1",)
    assert found.gradient["x"] == pytest.approx(2 * np.exp(1) - np.exp(-0.5))


def test_a_side_that_is_not_taken_poisons_nothing():
    found = graph("where(x > 0, log(x), 3*x) + abs(x)", {"x": -1})
    assert np.isnan(found["v1"].value)
    assert found.gradient == {"x": 3 - 1}
    assert found.nodes[-1].tangents["x"] == 2


def test_constants_are_part_of_what_reads_them():
    found = graph("2*x**3 - sqrt(2)*pi", {"x": 3})
    assert [node.formula for node in found.nodes[1:]] == ["x ** 3", "2 * v1", "v2 - sqrt(2) * pi"]
    assert found.value == pytest.approx(54 - np.sqrt(2) * np.pi)


def test_a_named_part_is_what_it_names():
    found = graph("let(u, x*x) + u2", {"x": 2, "u2": 1})
    assert [node.formula for node in found.nodes[2:]] == ["x * x", "v1 + u2"]


def test_names_keep_out_of_each_others_way():
    found = graph("v1*sin(v1)", {"v1": 2})
    assert found.gradient["v1"] == pytest.approx(np.sin(2) + 2 * np.cos(2))
    assert len({node.name for node in found.nodes}) == 3


def test_the_outline_shows_values_and_adjoints():
    lines = graph("(x + 1)*(x + 1)*y", {"x": 1, "y": 5}).outline()
    assert lines == [
        "v3 = v2 * y = 20, adjoint 1",
        "├─ v2 = v1 * v1 = 4, adjoint 5",
        "│  └─ v1 = x + 1 = 2, adjoint 20",
        "│     └─ x = 1, adjoint 20",
        "└─ y = 5, adjoint 4",
    ]
    twice = graph("exp(x) + sin(exp(x))", {"x": 0}).outline()
    assert twice[-1] == "   └─ v1 (above)"


def test_the_tables_have_a_row_a_node_and_a_row_an_edge():
    found = graph("x*y + sin(x)", {"x": 2, "y": 3})
    assert found.table()[0] == ("node", "formula", "value", "d/dx", "d/dy", "adjoint")
    assert found.table()[3] == ("v1", "x * y", "6", "3", "2", "1")
    assert found.edges()[1] == ("x -> v1", "y", "3")
    assert len(found.edges()) == 6


def test_every_node_has_a_place_of_its_own_after_its_parents():
    found = graph("where(x > y, x**2, -y)/(1 + exp(-x)) + max(x, 2*y)", {"x": 2, "y": 3})
    places = layout(found)
    assert len(set(places.values())) == len(found.nodes)
    for node in found.nodes:
        assert all(places[parent][0] < places[node.name][0] for parent in node.parents)


def test_the_picture_bears_every_number():
    found = graph("x*y + sin(x)", {"x": 2, "y": 3})
    figure = found.draw()
    forward, reverse = (
        [text.get_text() for text in axes.texts if text.get_text()] for axes in figure.axes
    )
    assert "v1 = x * y\n6\nd/dx = 3\nd/dy = 2" in forward
    assert "x\n2\nadjoint 2.584" in reverse
    assert forward.count("cos(x) = -0.4161") == 1


@pytest.mark.parametrize(
    ("formula", "at", "words"),
    [
        ("x*y", {"x": 1}, "at: missing y"),
        ("x", {"x": 1}, "expected a formula of an operation at least, got 'x'"),
        ("x + 1", {"x": 1, "z": 2}, r"at: z does not stand in 'x \+ 1'"),
        ("x + 1", {}, "at: expected a number for each name"),
        ("x + 1", {"x": "a"}, "at: x: expected a finite number, got 'a'"),
        ("x + 1", {"x": np.inf}, "at: x: expected a finite number, got inf"),
        ("sum(i, x[i])", {"x": 1}, "expected a formula of numbers, got the array x"),
        ("x + y[i]", {"x": 1, "y": 2}, "expected a formula of numbers, got the array y"),
        ("log(x)", {"x": -1}, r"v1 = log\(x\): expected a finite value.* got nan"),
        ("2*sqrt(x)", {"x": 0}, r"v1 = sqrt\(x\): expected a finite value.* got 0 and inf"),
        ("exp(x)*exp(x)*exp(x)", {"x": 300}, r"v3 = v2 \* v1: expected a finite value"),
        ("x +", {"x": 1}, "something is missing after '[+]'"),
        ("not " * 900 + "x", {"x": 1}, "formula: "),
        ("x + foo(x)", {"x": 1}, "foo is not a function"),
        ("gaussian_expectation(z, x, 1, z**2)", {"x": 1}, "expected operations on numbers"),
        ("+".join(f"sin({k}*x)" for k in range(40)), {"x": 1}, f"at most {MOST} nodes"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused(formula, at, words):
    with pytest.raises(ValueError, match=words) as caught:
        graph(formula, at)
    assert isinstance(caught.value, sc.SymcalcError)
