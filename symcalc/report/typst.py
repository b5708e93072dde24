"""A page as Typst source, and that as PDF by the `typst` package, where it is installed."""

from __future__ import annotations

import importlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    StepBlock,
    StepGroup,
    Table,
)
from symcalc.report.errors import MissingTypstError
from symcalc.report.typst_math import typst_math

_HEAD = """#set document(title: {title}, date: none)
#set page(paper: "a4", margin: 2.4cm, numbering: "1")
#set text(size: 10.5pt)
#set par(justify: false)
#show raw.where(block: true): set text(size: 7.5pt)
#show heading.where(level: 2): set block(above: 1.8em)
"""
_INK = {
    "ink": "#1f1d1a", "quiet": "#625c52", "grid": "#e4dfd3", "paper": "#ffffff",
    "curve-1": "#1a5fa8", "curve-2": "#b0421a", "curve-3": "#35752f", "curve-4": "#7a4a9c",
}  # fmt: skip


def pdf(page: Page) -> bytes:
    """Return a page as PDF, the same bytes for the same page.

    Args:
        page: what `build_page` assembled.

    Raises:
        MissingTypstError: the `typst` package is not installed.
    """
    typst = require()
    drawings = [b for s in page.sections for b in s.blocks if isinstance(b, Figure)]
    places = {drawing.svg: f"figure-{n}.svg" for n, drawing in enumerate(drawings, 1)}
    with tempfile.TemporaryDirectory() as folder:
        for svg, name in places.items():
            Path(folder, name).write_text(_coloured(svg), "utf-8")
        source = Path(folder, "page.typ")
        source.write_text(render(page, places), "utf-8")
        made: bytes = typst.compile(str(source), root=folder)
        return made


def require() -> Any:
    """Return the `typst` package; ask before anything slow is done.

    Raises:
        MissingTypstError: it is not installed.
    """
    try:
        return importlib.import_module("typst")
    except ImportError:
        raise MissingTypstError(
            "formats: 'pdf' expects the typst package, which is not installed: "
            "pip install 'symcalc[pdf]'"
        ) from None


def render(page: Page, figures: Mapping[str, str]) -> str:
    """Return a page as Typst source.

    Args:
        page: what `build_page` assembled.
        figures: for each drawing's SVG source the file that holds it, beside the page.
    """
    parts = [_HEAD.format(title=_string(page.title)), f"= {_plain(page.title)}"]
    parts += [f"#emph[{_plain(page.summary)}]"] if page.summary else []
    parts += [_plain(page.reference)] if page.reference else []
    for section in page.sections:
        parts.append(f"== {_plain(section.title)}")
        parts += [text for block in section.blocks if (text := _block(block, figures))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, figures: Mapping[str, str]) -> str:
    if isinstance(block, Paragraph):
        return _line(block.parts)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_line(item)}" for item in block.items)
    if isinstance(block, Formula):
        return _formula(block.rows, block.boxed)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Listing):
        return _raw(block.code, block.language)
    if isinstance(block, StepGroup):
        return _group(block)
    if isinstance(block, Fold):
        inside = [_block(inner, figures) for inner in block.blocks]
        return "\n\n".join([f"#emph[{_plain(block.summary)}]", *inside])
    if isinstance(block, Beside):
        return "\n\n".join(f"{_formula((f,))}\n{_raw(code)}" for f, code in block.rows)
    if isinstance(block, Figure):
        drawn = f"image({_string(figures[block.svg])}, width: 9cm, alt: {_string(block.alt)})"
        return f"#align(center, {drawn})\n#align(center)[{_line(block.caption)}]"
    if isinstance(block, Search):
        return ""
    raise TypeError(f"typst: a block without a spelling, {type(block).__name__}")


def _inline(part: Inline) -> str:
    if isinstance(part, Math):
        return f"${typst_math(part.latex)}$"
    if isinstance(part, Code):
        return f"#raw({_string(part.text)})"
    return _plain(part.text if isinstance(part, Link) else part)


def _line(parts: Line) -> str:
    return "".join(map(_inline, parts))


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _plain(text: str) -> str:
    """Write text that is no markup."""
    return f"#{_string(text)};" if text else ""


def _raw(code: str, language: str = "python") -> str:
    return f"#raw({_string(code.rstrip())}, block: true, lang: {_string(language)})"


def _formula(rows: tuple[str, ...], boxed: bool = False) -> str:
    inside = " \\\n".join(map(typst_math, rows))
    shown = f"$ {inside} $"
    return f"#box(stroke: .6pt, inset: 8pt)[{shown}]" if boxed else shown


def _table(table: Table) -> str:
    keep = [c for c in range(len(table.head)) if any(_line(row[c]) for row in table.rows)]
    cells = [f"[*{_plain(table.head[c])}*]" for c in keep]
    cells += [f"[{_line(row[c])}]" for row in table.rows for c in keep]
    columns = ", ".join(["auto"] + ["1fr"] * (len(keep) - 1)) + ","
    inside = ",\n  ".join(cells)
    return f"#table(columns: ({columns}), stroke: (x: none, y: .4pt + gray),\n  {inside})"


def _group(group: StepGroup) -> str:
    parts = [f"=== The adjoint ${typst_math(group.of)}$", *map(_step, group.steps)]
    parts += [_formula(group.result)] if group.result else []
    return "\n\n".join(parts)


def _step(step: StepBlock) -> str:
    notes = f", {_line(step.notes)}" if step.notes else ""
    return f"*{step.number}.* #emph[{_plain(step.rule)}]{notes}\n{_formula(step.rows)}"


def _coloured(svg: str) -> str:
    """Put colours in place of the variables of the page's style."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: _INK.get(found[1], "#000000"), svg)
