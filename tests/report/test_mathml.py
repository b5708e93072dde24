"""LaTeX of the notation becomes MathML that browsers draw well."""

import xml.etree.ElementTree as ET

import pytest

from symcalc.report.errors import ReportError
from symcalc.report.mathml import mathml


def parsed(latex):
    return ET.fromstring(mathml(latex))


def texts(latex, tag):
    return [node.text for node in parsed(latex).iter(tag)]


def test_scripts_fractions_and_accents_have_their_elements():
    assert [c.tag for c in parsed(r"x_{ij}^2").iter("msubsup")] == ["msubsup"]
    assert [node.text for node in next(parsed("x_i^2").iter("msubsup"))] == ["x", "i", "2"]
    assert len(list(parsed(r"\frac{1}{n}").iter("mfrac"))) == 1
    barred = next(n for n in parsed(r"\bar{\hat{x}}_i").iter("mrow") if n.get("class") == "bar")
    assert [node.text for node in barred.iter("mo")] == ["^"]


def test_a_sum_carries_its_index_below():
    assert [c.text for c in next(parsed(r"\sum_{k} x_k").iter("munder")).iter("mi")] == ["k"]
    assert len(list(parsed(r"\sum_{t=0}^{T - 2} x_t").iter("munderover"))) == 1


def test_cases_and_aligned_are_tables():
    cases = r"\begin{cases} a & \text{if } b \\ c & \text{otherwise} \end{cases}"
    assert [len(row) for row in parsed(cases).iter("mtr")] == [2, 2]
    assert texts(r"\begin{cases} a & \text{if } b \end{cases}", "mtext") == ["if\u00a0"]
    assert len(list(parsed(r"\begin{aligned} a &= b \\ &= c \end{aligned}").iter("mtd"))) == 4


def test_words_stand_upright_and_whole():
    assert texts(r"\mathrm{old~log~probs}_i", "mi")[0] == "old\u00a0log\u00a0probs"
    assert texts(r"\operatorname{softplus}(z)", "mi") == ["softplus", "z"]


def test_a_minus_after_a_relation_is_a_sign():
    signs = [n for n in parsed("a = -b - c").iter("mo") if n.text == "−"]
    assert [n.get("form") for n in signs] == ["prefix", "infix"]


def test_brackets_stretch_only_where_asked():
    assert {n.get("stretchy") for n in parsed("(a)").iter("mo")} == {"false"}
    assert {n.get("stretchy") for n in parsed(r"\left(a\right)").iter("mo")} == {None}
    assert {n.get("stretchy") for n in parsed(r"\left|a\right|").iter("mo")} == {"true"}


def test_markup_in_names_is_escaped():
    assert mathml("a < b").count("&lt;") == 1
    assert "<b>" not in mathml(r"\text{<b>}")


@pytest.mark.parametrize(
    "latex",
    [r"\unknown", r"\frac{a}", r"\left(a", "{a", "a}", r"\begin{matrix} a \end{matrix}"],
)
def test_what_the_notation_never_prints_is_refused(latex):
    with pytest.raises(ReportError, match="mathml"):
        mathml(latex)
