"""The drawings of a page: the graph, charts, kinks, the gradient field, stability."""

import functools
import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from symcalc.api import compile
from symcalc.calculus.derive import derive
from symcalc.catalogue import get
from symcalc.notation.parser import parse
from symcalc.report import boxes
from symcalc.report.assemble import evaluator
from symcalc.report.blocks import Paragraph
from symcalc.report.chart import Chart, Curve, around, linear, simplified
from symcalc.report.field import contours, field_figures
from symcalc.report.graph import graph_figure, graph_nodes
from symcalc.report.kinkplots import kink_figures
from symcalc.report.layers import layered
from symcalc.report.naive import AsWritten, NotNaiveError
from symcalc.report.plots import line_figures, line_of, turned_figures
from symcalc.report.stability import stability
from symcalc.report.symbols import symbols


@functools.cache
def drawn(text, wrt=None):
    """Return objective, derivation, evaluator and line of an entry or a formula."""
    objective = parse(text, wrt=wrt) if wrt else get(text)
    kernel = compile(objective, backend="numpy")
    evaluate = evaluator(kernel)
    return objective, kernel.derivation, evaluate, line_of(objective, kernel.derivation, evaluate)


def nodes_of(name):
    objective = get(name)
    derivation = derive(objective)
    return graph_nodes(objective, derivation, symbols(objective, derivation))


class TestBoxes:
    def test_a_fraction_is_as_wide_as_its_wider_side(self):
        half, sum_ = boxes.typeset(r"\frac{1}{2}"), boxes.typeset(r"\frac{1}{a + b + c}")
        assert sum_.width > 2 * half.width
        assert half.above > boxes.typeset("1").above
        assert half.below > 0

    @pytest.mark.parametrize(
        "latex",
        [
            r"\sqrt{\sigma_i^2 + \varepsilon}", r"\overline{\sigma^2}_i", r"\hat{x}_{ij}",
            r"\frac{1}{n} \sum_{i} \left(x_i - 1\right)^2", r"\left\lVert x \right\rVert",
            r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
            r"\max_{k} z_{ik}", r"\tilde{u} + \dot{v}", r"\log \prod_{t} p_t",
        ],
    )  # fmt: skip
    def test_whatever_the_notation_prints_is_set_inside_its_box(self, latex):
        box = boxes.typeset(latex)
        for mark in box.moved(0.0):
            points = [(mark.x, mark.y)] if isinstance(mark, boxes.Letter) else mark.points
            assert all(-3 <= x <= box.width + 3 for x, _ in points)
            assert all(-box.above - 4 <= y <= box.below + 4 for _, y in points)
        ElementTree.fromstring(f"<svg>{boxes.svg(box.marks)}</svg>")

    def test_letters_follow_one_another(self):
        marks = boxes.typeset("a + b").moved(0.0)
        assert [mark.text for mark in marks] == ["a", "+", "b"]
        assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)


class TestLayers:
    def test_what_is_read_stands_above(self):
        reads = {"b": ("a",), "c": ("a", "b"), "d": ("c", "a")}
        found = layered(dict.fromkeys("abcd", (40.0, 20.0)), reads)
        for child, parents in reads.items():
            for parent in parents:
                assert found.places[parent].y < found.places[child].y

    def test_nothing_overlaps_and_nothing_stands_outside(self):
        sizes = {name: (30.0 + 10 * k, 20.0) for k, name in enumerate("abcdefgh")}
        parents = {name: tuple("abcd") for name in "efgh"}
        found = layered(sizes, parents)
        for row in ("abcd", "efgh"):
            ends = sorted((found.places[n].x - sizes[n][0] / 2, found.places[n].x + sizes[n][0] / 2)
                          for n in row)  # fmt: skip
            assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
            assert ends[0][0] >= -1e-9
            assert ends[-1][1] <= found.width + 1e-9

    def test_crossings_are_taken_out(self):
        sizes = dict.fromkeys(["a", "b", "x", "y"], (30.0, 20.0))
        found = layered(sizes, {"x": ("b",), "y": ("a",)})
        across = found.places["a"].x - found.places["b"].x
        assert across * (found.places["y"].x - found.places["x"].x) > 0


class TestGraph:
    def test_layer_norm_is_drawn_as_it_is_defined(self):
        reads = {node.name: node.parents for node in nodes_of("layer_norm")}
        assert reads == {
            "x": (), "gamma": (), "beta": (), "mu": ("x",), "var": ("mu", "x"), "r": ("var",),
            "xhat": ("mu", "r", "x"), "out": ("beta", "gamma", "xhat"),
        }  # fmt: skip

    def test_the_derivative_comes_back_along_the_paths_to_what_is_differentiated_by(self):
        flows = {node.name: node.flows for node in nodes_of("softmax_cross_entropy")}
        assert flows == {"logits": True, "labels": False, "L": True, "value": True}

    def test_a_large_network_is_drawn_by_what_it_names(self):
        nodes = nodes_of("transformer_block")
        assert len(nodes) < 22
        assert sum(len(node.own) for node in nodes) == 12
        assert nodes[0].name == "x"

    def test_it_fits_a_phone_and_says_what_it_shows(self):
        objective = get("layer_norm")
        derivation = derive(objective)
        figure = graph_figure(objective, derivation, symbols(objective, derivation))
        root = ElementTree.fromstring(figure.svg)
        assert float(root.get("width")) < 360
        assert "xhat from mu, r, x" in figure.alt
        assert figure == graph_figure(objective, derivation, symbols(objective, derivation))


class TestChart:
    def test_points_on_a_line_are_left_out(self):
        line = [(float(x), 2.0 * x) for x in range(50)]
        assert simplified(line) == [line[0], line[-1]]
        bent = [(float(x), abs(x - 25.0)) for x in range(50)]
        assert simplified(bent) == [bent[0], bent[25], bent[-1]]

    def test_axes_have_round_numbers(self):
        assert [value for value, _ in linear(-4, 4).ticks] == [-4, -2, 0, 2, 4]
        assert len(linear(0, 0.37).ticks) < 7

    def test_a_constant_is_no_stretched_rounding_error(self):
        scale = around(np.array([1.0, 1.0 + 1e-15]))
        assert scale.low < 0 < 1 < scale.high

    def test_a_curve_is_parted_where_it_is_not_finite(self):
        xs = np.arange(6.0)
        ys = np.array([0, 1, np.nan, 3, np.inf, 5.0])
        svg = Chart(linear(0, 5), linear(0, 5), (Curve(xs, ys),)).svg()
        path = re.findall(r'<path d="([^"]*)"', svg)[-1]
        assert path.count("M") == 1  # a lone point is no line

    def test_numbers_are_short(self):
        _, _, _, line = drawn("huber")
        (first, *_) = line_figures(get("huber"), line)
        assert not re.search(r"\d\.\d{3}", first.svg)
        assert len(first.svg) < 5000


class TestPictures:
    def test_curvature_is_the_slope_of_the_gradient(self):
        objective, _, _, line = drawn("sum(i, x[i]**3)", "x")
        figures = line_figures(objective, line)
        assert [f.alt.split()[1] for f in figures] == ["value", "gradient", "curvature"]
        xs, _, slopes = line.sampled[0]
        assert np.allclose(slopes, 3 * xs**2)

    def test_no_curvature_is_drawn_where_there_is_none(self):
        objective, _, _, line = drawn("sum(i, abs(x[i]))", "x")
        assert len(line_figures(objective, line)) == 2

    def test_each_hyperparameter_is_turned(self):
        objective, _, _, line = drawn("huber")
        figures = turned_figures(objective, line)
        assert [f.alt.split()[1] for f in figures] == ["value", "gradient", "curvature"]
        assert all("delta runs from 0.125 to 3" in f.alt for f in figures)

    def test_the_kink_of_an_absolute_value_with_its_convention(self):
        objective, _, _, line = drawn("sum(i, abs(x[i]))", "x")
        (figure,) = kink_figures(objective, line)
        assert figure.alt.endswith("at x = 0: slope −1 before, 1 after, 0 declared.")

    def test_a_bend_of_the_gradient_is_shown_as_one(self):
        objective, _, _, line = drawn("huber")
        (figure,) = kink_figures(objective, line)
        assert "the gradient bends, curvature 0 before, 1 after" in figure.alt


class TestField:
    def test_contours_of_a_bowl_are_circles(self):
        us = np.linspace(-2, 2, 41)
        values = us[None, :] ** 2 + us[:, None] ** 2
        ((xs, ys),) = contours(us, us, values, 1.0)
        assert np.allclose(np.hypot(xs, ys), 1, atol=0.01)
        assert (xs[0], ys[0]) == (xs[-1], ys[-1])

    def test_a_saddle_has_two_branches(self):
        us = np.linspace(-1, 1, 20)
        assert len(contours(us, us, us[None, :] * us[:, None], 0.2)) == 2

    def test_two_arguments_have_a_field(self):
        objective, _, evaluate, line = drawn("softmax_cross_entropy")
        (figure,) = field_figures(objective, line, evaluate)
        assert "arrows of steepest descent" in figure.alt

    def test_one_argument_has_none(self):
        objective, _, evaluate, line = drawn("huber")
        assert field_figures(objective, line, evaluate) == ()


class TestStability:
    def test_the_formula_as_written_overflows_and_the_kernel_does_not(self):
        objective, derivation, evaluate, line = drawn("bce_with_logits")
        (figure, *_) = stability(objective, derivation, line, evaluate, "our kernel")
        assert "as written, float64 up to 1," in figure.alt
        assert "our kernel up to 1e−16" in figure.alt

    def test_where_nothing_is_lost_a_sentence_says_so(self):
        objective, derivation, evaluate, line = drawn("mse")
        (block,) = stability(objective, derivation, line, evaluate, "our kernel")
        assert isinstance(block, Paragraph)

    def test_the_formula_is_computed_as_it_is_typed(self):
        objective = parse("sum(i, softplus(x[i]) + sigmoid(x[i])/2)", wrt="x")
        (tensor,) = objective.inputs
        machine = AsWritten({tensor: np.array([0.5, -40.0])}, {objective.dims[0]: 2}, {},
                            np.float64)  # fmt: skip
        expected = sum(math.log(1 + math.exp(x)) + 1 / (1 + math.exp(-x)) / 2 for x in (0.5, -40))
        assert machine.number(objective.body, {}) == pytest.approx(expected, rel=1e-14)

    def test_what_nobody_types_is_refused(self):
        objective = parse("sum(i, lgamma(x[i]))", wrt="x")
        (tensor,) = objective.inputs
        machine = AsWritten({tensor: np.ones(1)}, {objective.dims[0]: 1}, {}, np.float64)
        with pytest.raises(NotNaiveError, match="expected a formula of NumPy's functions"):
            machine.number(objective.body, {})
