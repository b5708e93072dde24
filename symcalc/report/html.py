"""A page as one HTML file: native MathML, style and drawings inside, no network.

No script is needed to read it; the book's index alone has one, for its search.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import re
from collections.abc import Sequence
from html import escape

from symcalc.report.blocks import (
    Beside,
    Block,
    Bullets,
    Code,
    Figure,
    Fold,
    Formula,
    Inline,
    Line,
    Link,
    Listing,
    Math,
    Page,
    Paragraph,
    Search,
    Section,
    StepBlock,
    StepGroup,
    Table,
)
from symcalc.report.colours import coloured
from symcalc.report.compact import compact_css, compact_svg
from symcalc.report.mathml import mathml


def render(page: Page) -> str:
    """Return a page as a self-contained HTML5 document.

    Args:
        page: what `build_page` assembled.
    """
    links = "".join(f'<li><a href="#{s.anchor}">{escape(s.title)}</a></li>' for s in page.sections)
    book = "".join(f"<li>{_inline(link)}</li>" for link in page.links)
    book = f'<nav aria-label="The book"><ul class="book">{book}</ul></nav>\n' if book else ""
    summary = f'<p class="summary">{escape(page.summary)}</p>\n' if page.summary else ""
    reference = f'<p class="reference">{escape(page.reference)}</p>\n' if page.reference else ""
    body = "\n".join(_section(section) for section in page.sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}</title>\n"
        f'<meta name="description" content="{escape(page.summary, quote=True)}">\n'
        f"<style>\n{style()}</style>\n</head>\n<body>\n<main>\n"
        f"<header>\n{book}<h1>{escape(page.title)}</h1>\n{summary}{reference}"
        f'<nav aria-label="On this page"><ul class="contents">{links}</ul></nav>\n</header>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


@functools.cache
def style() -> str:
    """Return the style sheet that every page carries."""
    sheet = importlib.resources.files(__package__).joinpath("style.css").read_text("utf-8")
    return compact_css(sheet)


def _section(section: Section) -> str:
    parts: list[str] = []
    for are_figures, run in itertools.groupby(section.blocks, lambda b: isinstance(b, Figure)):
        drawn = "".join(map(render_block, run))
        parts.append(f'<div class="figures">{drawn}</div>' if are_figures else drawn)
    inside = "\n".join(parts)
    head = f"<h2>{escape(section.title)}</h2>"
    return f'<section id="{section.anchor}">\n{head}\n{inside}\n</section>'


def render_block(block: Block) -> str:
    """Return one block as HTML."""
    if isinstance(block, Paragraph):
        return f"<p>{_line(block.parts)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{_line(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Formula):
        kind = "formula boxed" if block.boxed else "formula"
        return _formula(block.rows, kind, block.label)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Listing):
        code = coloured(block.code) if block.language == "python" else escape(block.code)
        return f'<pre tabindex="0"><code>{code}</code></pre>'
    if isinstance(block, StepGroup):
        return _group(block)
    if isinstance(block, Search):
        return _search(block)
    if isinstance(block, Beside):
        return _beside(block)
    if isinstance(block, Fold):
        inside = "".join(render_block(inner) for inner in block.blocks)
        return f"<details><summary>{escape(block.summary)}</summary>{inside}</details>"
    return _figure(block)


def _inline(part: Inline) -> str:
    if isinstance(part, Math):
        return mathml(part.latex)
    if isinstance(part, Code):
        return f"<code>{escape(part.text)}</code>"
    if isinstance(part, Link):
        return f'<a href="{escape(part.page, quote=True)}.html">{escape(part.text)}</a>'
    return escape(part)


def _line(parts: Line) -> str:
    return "".join(_inline(part) for part in parts)


def _formula(rows: Sequence[str], kind: str, label: str = "") -> str:
    latex = r"\begin{aligned}" + r"\\".join(rows) + r"\end{aligned}"
    name = f' role="group" aria-label="{escape(label, quote=True)}"' if label else ""
    return f'<div class="{kind}" tabindex="0"{name}>{mathml(latex, display=True)}</div>'


def _table(table: Table) -> str:
    keep = [c for c in range(len(table.head)) if any(_line(row[c]) for row in table.rows)]
    head = "".join(f'<th scope="col">{escape(table.head[c])}</th>' for c in keep)
    rows = ""
    for row in table.rows:
        cells = [_line(row[c]) for c in keep]
        first = f'<th scope="row">{cells[0]}</th>'
        rows += f"<tr>{first}" + "".join(f"<td{_mark(c)}>{c}</td>" for c in cells[1:]) + "</tr>\n"
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>"
    )


def _beside(block: Beside) -> str:
    rows = "".join(
        f'<div class="why" tabindex="0">{mathml(formula)}</div>'
        f'<pre tabindex="0"><code>{coloured(code)}</code></pre>'
        for formula, code in block.rows
    )
    return f'<div class="beside">{rows}</div>'


def _search(search: Search) -> str:
    script = importlib.resources.files(__package__).joinpath("search.js").read_text("utf-8")
    label = f'<label for="search">{escape(search.label)}</label>'
    field = '<input id="search" type="search" autocomplete="off">'
    return (
        f'<p class="search" id="search-line" hidden>{label} {field} '
        f'<span id="search-count" role="status"></span></p>\n<script>\n{script}</script>'
    )


def _mark(cell: str) -> str:
    return f' class="{cell}"' if cell in {"PASS", "FAIL", "INCONCLUSIVE"} else ""


def _figure(figure: Figure) -> str:
    alt = escape(figure.alt, quote=True)
    svg = compact_svg(figure.svg).removeprefix("<svg")
    inside = re.sub(r'\sxmlns="[^"]*"', "", svg, count=1)
    drawn = f'<svg role="img" aria-label="{alt}"{inside}'
    return f"<figure>{drawn}<figcaption>{_line(figure.caption)}</figcaption></figure>"


def _group(group: StepGroup) -> str:
    steps = "\n".join(_step(step) for step in group.steps)
    result = _formula(group.result, "formula result", "Result") if group.result else ""
    return f'<h3>The adjoint {mathml(group.of)}</h3>\n<ol class="steps">\n{steps}\n</ol>\n{result}'


def _step(step: StepBlock) -> str:
    rule = f'<span class="rule">{escape(step.rule)}</span>'
    notes = f' <span class="note">{_line(step.notes)}</span>' if step.notes else ""
    formula = _formula(step.rows, "formula")
    if step.routine:
        inside = f"<details><summary>{rule}{notes}</summary>{formula}</details>"
    else:
        inside = f"{rule}{notes}{formula}"
    return f'<li value="{step.number}">{inside}</li>'
