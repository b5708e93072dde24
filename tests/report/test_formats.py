"""LaTeX source and PDF."""

import builtins
import re

import pytest

from symcalc.calculus.derive import derive
from symcalc.catalogue import catalogue, get
from symcalc.report import tex, typst
from symcalc.report.errors import MissingTypstError, ReportError
from symcalc.report.page import build_page
from symcalc.report.typst_math import typst_math
from symcalc.report.writer import write


def page(name):
    return build_page(get(name), derive(get(name)), source="def f(x):\n    return x\n")


@pytest.mark.parametrize("name", ["huber", "layer_norm"])
def test_latex_opens_and_closes_everything(name):
    text = tex.render(page(name))
    assert text.isascii()
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert r"\boxed{" in text


def test_what_is_special_to_latex_is_escaped():
    assert tex._plain("50% of a_b & c") == r"50\% of a\_b \& c"


@pytest.mark.parametrize(
    ("latex", "wanted"),
    [
        (r"\frac{1}{n} \sum_{i} x_i", "frac(1, n) sum _(i) x _(i)"),
        (r"\bar{x}_{ij}", "macron(x) _(i j)"),
        (r"\left(a + b\right)^2", r"lr(\( a + b \)) ^(2)"),
        (r"\begin{cases} a & \text{if } x \le 0 \\ b & \text{otherwise} \end{cases}",
         'cases(a & upright("if ") x ≤ 0, b & upright("otherwise"))'),
        (r"\operatorname{clip}(x, 1, 2)", r'op("clip") \( x \, 1 \, 2 \)'),
    ],
)  # fmt: skip
def test_formulas_are_spelled_for_typst(latex, wanted):
    assert " ".join(typst_math(latex).split()) == wanted


def test_what_is_not_understood_is_named():
    with pytest.raises(ReportError, match="typst: expected LaTeX of the notation"):
        typst_math(r"\oint x")


def test_a_missing_typst_is_said_before_anything_is_made(tmp_path, monkeypatch):
    def absent(name, *rest):
        if name == "typst":
            raise ImportError(name)
        return real(name, *rest)

    real = typst.importlib.import_module
    monkeypatch.setattr(typst.importlib, "import_module", absent)
    with pytest.raises(MissingTypstError, match=r"pip install 'symcalc\[pdf\]'"):
        write(page("mse"), tmp_path / "out", ("pdf",))
    assert not (tmp_path / "out").exists()
    assert builtins.issubclass(MissingTypstError, ImportError)


@pytest.mark.parametrize("name", ["huber", "layer_norm", "softmax_cross_entropy", "ppo_clip"])
def test_a_pdf_is_set(name, tmp_path):
    pytest.importorskip("typst")
    (path,) = write(page(name), tmp_path, ("pdf",))
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue()))
def test_every_formula_has_a_spelling(name):
    made = page(name)
    typst.render(made, {})
    tex.render(made)
