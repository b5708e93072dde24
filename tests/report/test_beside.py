"""Kernels with the mathematics beside their lines."""

import pytest

from symcalc.api import compile
from symcalc.backends.numba_written import numba_source
from symcalc.calculus.derive import derive
from symcalc.catalogue import get
from symcalc.report import html, markdown
from symcalc.report.beside import beside
from symcalc.report.blocks import Page, Section
from symcalc.report.symbols import symbols


def parts(name):
    derivation = derive(get(name))
    return beside(numba_source(derivation), derivation, symbols(derivation.objective, derivation))


def test_the_source_is_what_is_compiled():
    kernel = compile("hinge")
    assert numba_source(kernel.derivation) == kernel.source


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "layer_norm", "huber"])
def test_every_line_stands_in_the_source_in_order(name):
    source = [line.strip() for line in numba_source(derive(get(name))).splitlines()]
    place = 0
    for _, code in parts(name).rows:
        for line in code.splitlines():
            place = source.index(line.strip(), place) + 1


def test_the_lines_of_a_gradient_stand_beside_it():
    rows = dict(parts("softmax_cross_entropy").rows)
    (gradient,) = (f for f in rows if f.startswith(r"\bar{z}_{ik} ="))
    assert "logits_bar[i, k] =" in rows[gradient]


def test_both_formats_show_both_columns():
    page = Page("x", "X", "", "", (Section("Kernel", "kernel", (parts("mse"),)),))
    assert '<div class="beside"><div class="why"' in html.render(page)
    assert "```python" in markdown.render(page)
