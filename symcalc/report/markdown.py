"""A page as GitHub-flavoured Markdown.

Mathematics stands in ```math fences and in $`...`$: the spellings of GitHub and GitLab in which no
underscore or backslash is read as Markdown first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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

_FILES = {"index": "README"}  # what a forge shows of a folder


def render(page: Page, figures: Mapping[str, str] | None = None) -> str:
    """Return a page as Markdown.

    Args:
        page: what `build_page` assembled.
        figures: for each drawing's SVG source the file that holds it, relative to the page.
    """
    parts = [" · ".join(map(_inline, page.links))] if page.links else []
    parts.append(f"# {_plain(page.title)}")
    parts += [f"*{_plain(page.summary)}*"] if page.summary else []
    parts += [_plain(page.reference)] if page.reference else []
    for section in page.sections:
        parts.append(f"## {_plain(section.title)}")
        parts += [text for block in section.blocks if (text := _block(block, figures or {}))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, figures: Mapping[str, str]) -> str:
    if isinstance(block, Paragraph):
        return _line(block.parts)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_line(item)}" for item in block.items)
    if isinstance(block, Formula):
        return _formula(block.rows, boxed=block.boxed)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Listing):
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.code)), default=0))
        return f"{fence}{block.language}\n{block.code.rstrip()}\n{fence}"
    if isinstance(block, StepGroup):
        return _group(block)
    if isinstance(block, Fold):
        inside = "\n\n".join(_block(inner, figures) for inner in block.blocks)
        return _folded(_html(block.summary), inside)
    if isinstance(block, Beside):
        rows = (f"{_formula((formula,))}\n\n```python\n{code}\n```" for formula, code in block.rows)
        return "\n\n".join(rows)
    if isinstance(block, Search):  # Markdown runs no scripts
        return ""
    return _figure(block, figures)


def _inline(part: Inline) -> str:
    if isinstance(part, Math):
        return f"$`{_supported(part.latex)}`$"
    if isinstance(part, Code):
        return f"`{part.text}`"
    if isinstance(part, Link):
        return f"[{_plain(part.text)}]({_FILES.get(part.page, part.page)}.md)"
    return _plain(part)


def _line(parts: Line) -> str:
    # Inline mathematics wants a blank or a bracket on both sides to be seen as such.
    return "".join(_inline(part) for part in parts)


def _plain(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return re.sub(r"([\\`*_\[\]<>$|#])", r"\\\1", text)


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _supported(latex: str) -> str:
    r"""GitHub refuses `\operatorname`; `\mathrm` with a thin space looks the same."""
    latex = re.sub(r"([\w}\])]) \\operatorname", r"\1 \\, \\operatorname", latex)
    return latex.replace(r"\operatorname", r"\mathrm")


def _formula(rows: Sequence[str], boxed: bool = False) -> str:
    inside = " \\\\\n".join(_supported(row) for row in rows)
    aligned = f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"
    if boxed:
        aligned = f"\\boxed{{\n{aligned}\n}}"
    return f"```math\n{aligned}\n```"


def _table(table: Table) -> str:
    keep = [c for c in range(len(table.head)) if any(_line(row[c]) for row in table.rows)]
    lines = [
        "| " + " | ".join(_plain(table.head[c]) for c in keep) + " |",
        "|" + "---|" * len(keep),
    ]
    lines += ["| " + " | ".join(_line(row[c]) for c in keep) + " |" for row in table.rows]
    return "\n".join(lines)


def _figure(figure: Figure, figures: Mapping[str, str]) -> str:
    caption = _line(figure.caption)
    place = figures.get(figure.svg)
    return f"![{_plain(figure.alt)}]({place})\n\n{caption}" if place else caption


def _folded(summary: str, inside: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{inside}\n\n</details>"


def _group(group: StepGroup) -> str:
    parts = [f"### The adjoint $`{_supported(group.of)}`$"]
    parts += [_step(step) for step in group.steps]
    if group.result:
        parts += ["Hence", _formula(group.result)]
    return "\n\n".join(parts)


def _step(step: StepBlock) -> str:
    if step.routine:
        return _folded(f"{step.number}. {_html(step.rule)}", _formula(step.rows))
    notes = f", {_line(step.notes)}" if step.notes else ""
    return f"**{step.number}.** *{_plain(step.rule)}*{notes}\n\n{_formula(step.rows)}"
