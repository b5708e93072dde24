"""Every objective of the catalogue has a page; what the pages hold, and what they must not."""

import dataclasses
import functools
import html.parser
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from entries import entries

import symcalc
from symcalc.api import compile
from symcalc.calculus.derive import derive
from symcalc.catalogue import catalogue, get
from symcalc.notation.parser import parse
from symcalc.report import html as html_pages
from symcalc.report import markdown
from symcalc.report.assemble import kernel_page
from symcalc.report.blocks import CheckRow, Figure, Formula, StepGroup
from symcalc.report.errors import ReportError, ReportWriteError
from symcalc.report.page import build_page
from symcalc.report.plots import figures
from symcalc.report.slices import telling_slice
from symcalc.report.symbols import symbols, title
from symcalc.report.writer import write

NAMES = entries()
VOID = {"meta", "br", "img", "link", "input", "hr"}
ROW = CheckRow("brute-force <SymPy>", "x", "entry [0]", "within its bound", "", "PASS", "6")


@functools.cache
def page(name):
    return kernel_page(compile(name, backend="numpy"))


def plain_page(name):
    return build_page(get(name), derive(get(name)), source="x = 1  # one\n", checks=(ROW,))


class Outline(html.parser.HTMLParser):
    """Collects tags, and complains of what is closed wrongly."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes, self.ids = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_the_html_is_whole_and_stands_alone(name):
    text = html_pages.render(page(name))
    outline = Outline(text)
    assert not outline.open
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("math") > 5
    assert outline.tags.count("svg") == 2
    assert len(outline.ids) == len(set(outline.ids))
    assert not {"script", "iframe", "object", "img"} & set(outline.tags)
    loads = [v for _, k, v in outline.attributes if k in ("src", "href", "xlink:href")]
    assert all(v.startswith("#") and v[1:] in outline.ids for v in loads)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert all(v for t, k, v in outline.attributes if (t, k) == ("svg", "aria-label"))
    assert len(text.encode()) < 600_000


@pytest.mark.parametrize("name", catalogue())
def test_no_raw_name_stands_in_a_formula(name):
    """Arguments of several letters stand in the table of inputs, formulas speak in letters."""
    text = html_pages.render(plain_page(name))
    words = set(re.findall(r"<mi[^>]*>(\w\w+)</mi>", text))
    known = {"log", "exp", "tanh", "cosh", "sign", "softplus", "clip", "max", "min", "old", "sech",
             "relu", "expm1", "expm1x", "log1p", "erfc", "cos", "kl", "sg", "argmax",
             "arg"}  # fmt: skip
    assert words <= known


@pytest.mark.parametrize("name", NAMES)
def test_the_markdown_is_whole(name):
    text = markdown.render(page(name))
    assert text.startswith(f"# {title(name)}\n")
    assert text.count("```math") > 2
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0
    assert text.count("<details>") == text.count("</details>")
    assert r"\operatorname" not in text
    assert not re.search(r"\$`[^`]*\|[^`]*`\$", text)  # would end a table's cell


@pytest.mark.parametrize("name", NAMES)
def test_sections_come_in_reading_order(name):
    found = [section.title for section in page(name).sections]
    order = ["Definition", "Inputs", "Gradient", "Derivation", "Kinks", "Picture", "Kernel", "Use"]
    assert [t for t in found if t in order] == order


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_numbered_without_a_gap(name):
    groups = [b for s in page(name).sections for b in s.blocks if isinstance(b, StepGroup)]
    numbers = [step.number for group in groups for step in group.steps]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= len(derive(get(name)).steps)


def test_every_adjoint_is_derived_after_those_it_needs():
    groups = [b for s in page("layer_norm").sections for b in s.blocks if isinstance(b, StepGroup)]
    order = [group.of for group in groups]
    assert order == [
        r"\bar{\hat{x}}_{ij}", r"\bar{r}_i", r"\overline{\sigma^2}_i", r"\bar{\mu}_i",
        r"\bar{x}_{ij}", r"\bar{\gamma}_j", r"\bar{\beta}_j",
    ]  # fmt: skip


def test_layer_norm_reads_like_a_textbook():
    definition, _, gradient, *_ = page("layer_norm").sections
    assert definition.blocks[0].rows == (
        r"\mu_i &= \frac{1}{d} \sum_{j} x_{ij}",
        r"\sigma_i^2 &= \frac{1}{d} \sum_{j} (x_{ij} - \mu_i)^2",
        r"r_i &= \frac{1}{\sqrt{\sigma_i^2 + \varepsilon}}",
        r"\hat{x}_{ij} &= r_i \, (x_{ij} - \mu_i)",
        r"y_{ij} &= \gamma_j \hat{x}_{ij} + \beta_j",
    )
    assert gradient.blocks[0].boxed
    assert gradient.blocks[0].rows[0] == r"\bar{\hat{x}}_{ij} &= \gamma_j \bar{y}_{ij}"


def test_softmax_is_defined_where_the_gradient_speaks_of_it():
    section = next(s for s in page("softmax_cross_entropy").sections if s.title == "Gradient")
    rows = [row for block in section.blocks if isinstance(block, Formula) for row in block.rows]
    assert rows[0].endswith(r"&= \frac{1}{n} (p_{ik} - [k = y_i])")
    assert r"p_{ik} &= e^{z_{ik} - L_i}" in rows


def test_a_step_shows_the_chain_rule_without_deltas():
    groups = [b for s in page("mse").sections for b in s.blocks if isinstance(b, StepGroup)]
    first = "".join(groups[0].steps[0].rows)
    assert r"\frac{\partial}{\partial \hat{y}_i} (\hat{y}_i - y_i)^2" in first
    assert "[i" not in first


def test_two_accesses_of_one_tensor_stay_apart():
    derivation = derive(parse("sum(i, sum(k, W[i,k]*W[k,i]*a[i]))", wrt="W"))
    made = build_page(derivation.objective, derivation)
    groups = [b for s in made.sections for b in s.blocks if isinstance(b, StepGroup)]
    rows = [row for step in groups[-1].steps for row in step.rows]
    assert any(r"\frac{\partial}{\partial W_{ik}} (a_i W_{ik} W_{ki})" in row for row in rows)


def test_letters_never_clash():
    objective = parse("mean(i, (target[i] - y[i])**2 + labels[i])", wrt="y")
    letters = symbols(objective, derive(objective))
    shown = [letters[name].at() for name in ("target", "y", "labels")]
    assert len(set(shown)) == 3


def test_routine_steps_are_folded_away():
    text = html_pages.render(plain_page("layer_norm"))
    assert '<details><summary><span class="rule">substitute</span>' in text
    assert "chain rule</span></summary>" not in text


def test_the_table_of_checks_is_escaped_and_coloured():
    text = html_pages.render(plain_page("huber"))
    assert "brute-force &lt;SymPy&gt;" in text
    assert '<td class="PASS">PASS</td>' in text
    assert "Bound</th>" not in text  # a column with nothing in it


def test_hostile_text_does_not_become_markup():
    huber = dataclasses.replace(get("huber"), summary="<script>alert(1)</script> *a* | `b`")
    made = build_page(huber, derive(huber), source="'</code></pre><script>'\n```\n")
    assert "<script" not in html_pages.render(made)
    text = markdown.render(made)
    assert "<script>alert" not in text
    assert "````python" in text


def test_a_formula_of_ones_own_has_a_page(tmp_path):
    objective = parse("mean(i, softplus(z[i]) - y[i]*z[i])", wrt="z")
    paths = write(build_page(objective, derive(objective)), tmp_path)
    assert [path.name for path in paths] == ["formula.html", "formula.md"]
    assert 'sc.parse("mean(i, softplus(z[i]) - y[i]*z[i])", wrt="z")' in paths[1].read_text()


@pytest.mark.parametrize(
    ("text", "wrt"),
    [
        ("sum(t, (V[t+1] - V[t])**2)", "V"),
        ("mean(i, norm2(k, x[i, k]))", "x"),
        ("sum(i, max(k, x[i, k]))", "x"),
        ("softplus(x[i] - m)", "x"),
        ("mean(i, where(abs(r[i]) <= d, r[i]**2/2, d*abs(r[i]) - d**2/2))", "r"),
        ("sum(i, lgamma(exp(x[i])) - xlogy(2, exp(x[i])))", "x"),
    ],
)
def test_formulas_of_ones_own_are_drawn_and_written(tmp_path, text, wrt):
    made = kernel_page(compile(parse(text, wrt=wrt), backend="numpy"))
    assert [len(s.blocks) for s in made.sections if s.title == "Picture"] == [2]
    page_file, _ = write(made, tmp_path)
    assert not Outline(page_file.read_text("utf-8")).open


@pytest.mark.parametrize("name", ["huber", "layer_norm", "ppo_clip", "kl_divergence"])
def test_the_lines_of_use_run(name):
    from symcalc.report.usage import usage

    lines = usage(get(name)).replace("sc.compile(", "compile_(").replace("sc.get(", "get(")
    lines = lines.replace("import symcalc as sc\n", "")
    scope = {"compile_": functools.partial(compile, backend="numpy"), "get": get}
    exec(lines, scope)
    assert np.all(np.isfinite(np.asarray(scope.get("value", scope.get("out")))))


def test_the_lines_of_use_name_what_the_package_has():
    from symcalc.report.usage import usage

    for name in re.findall(r"sc\.(\w+)", usage(get("huber"))):
        assert hasattr(symcalc, name)


def drawing(slope, derivation):
    """Draw |x| with a slope function given."""
    objective = derivation.objective

    def evaluate(arrays, hyper, cotangent):
        x = arrays[0]
        return hyper["lam"] * float(np.abs(x).sum()), hyper["lam"] * slope(x)

    return figures(objective, derivation, evaluate)


def test_kinks_are_found_and_marked():
    found = drawing(np.sign, derive(get("l1")))
    assert [f.alt.rpartition("kinks at ")[2] for f in found] == ["0.", "0."]
    smooth = drawing(np.tanh, derive(get("l1")))
    assert all("kinks" not in f.alt for f in smooth)


def test_the_bends_of_huber_are_where_the_tails_begin():
    drawn = [b for s in page("huber").sections for b in s.blocks if isinstance(b, Figure)]
    ends = "−2, −1, −0.5, 0.5, 1, 2."
    assert [f.alt.rpartition("kinks at ")[2] for f in drawn] == [ends, ends]


def test_the_slice_of_a_layer_moves_a_whole_row():
    kernel = compile("layer_norm", backend="numpy")
    from symcalc.report.assemble import evaluator

    along = telling_slice(kernel.objective, evaluator(kernel))
    assert [curve.label for curve in along.curves] == [f"entry 0{k}" for k in range(4)]


def test_a_drawing_has_no_date_and_its_colours_are_variables():
    figure = next(b for s in page("huber").sections for b in s.blocks if isinstance(b, Figure))
    assert not re.search(r"\d{4}-\d\d-\d\d|Created with|<style|#0102", figure.svg)
    assert "var(--curve-1)" in figure.svg


def test_pages_are_written_whole(tmp_path):
    paths = write(page("huber"), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["huber.html", "huber.md"]
    names = sorted(path.name for path in paths[0].parent.iterdir())
    assert names == ["huber-1.svg", "huber-2.svg", "huber.html", "huber.md"]
    assert "](huber-1.svg)" in paths[1].read_text("utf-8")
    svg = (paths[0].parent / "huber-1.svg").read_text("utf-8")
    assert svg.startswith("<svg")
    assert "prefers-color-scheme" in svg


@pytest.mark.parametrize("formats", [("pdf",), ("html", "docx"), ()])
def test_an_unknown_format_is_named(tmp_path, formats):
    with pytest.raises(ReportError, match=r"formats: expected some of 'html', 'md', got"):
        write(page("mse"), tmp_path / "out", formats)
    assert not (tmp_path / "out").exists()


def test_a_name_cannot_leave_the_folder(tmp_path):
    evil = dataclasses.replace(page("mse"), name="../mse")
    with pytest.raises(ReportError, match="name"):
        write(evil, tmp_path / "out")
    assert not (tmp_path / "mse.html").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ReportWriteError, match="out: expected a directory"):
        write(page("mse"), tmp_path / "file")


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    (old,) = write(page("mse"), tmp_path, ("html",))
    before = old.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReportWriteError, match="No space left"):
        write(page("mae"), tmp_path, ("html",))
    assert old.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mse.html"]


SCRIPT = """
import hashlib
from symcalc.api import compile
from symcalc.report import html, markdown
from symcalc.report.assemble import kernel_page
for name in ("ppo_clip", "batch_norm", "elastic_net"):
    page = kernel_page(compile(name, backend="numpy"))
    print(hashlib.sha256((html.render(page) + markdown.render(page)).encode()).hexdigest())
"""


def test_pages_are_the_same_bytes_whatever_the_hash_seed():
    def run(seed):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(symcalc.__file__).parents[1]
        return subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=env,
            cwd=root,
        ).stdout  # fmt: skip

    first = run("1")
    assert len(first.split()) == 3
    assert first == run("2")


def test_the_report_room_draws_only_when_asked():
    code = "import sys, symcalc.report; print('matplotlib' in sys.modules, 'numba' in sys.modules)"
    root = Path(symcalc.__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=root)  # fmt: skip
    assert found.stdout.split()[0] == "False"
