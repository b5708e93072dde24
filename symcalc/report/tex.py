r"""A page as LaTeX source, to be set or quoted from; drawings stay with the other formats.

Letters and signs outside ASCII are written as commands, so that any engine reads it.
"""

from __future__ import annotations

import re

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

_HEAD = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=2.6cm]{geometry}
\usepackage{amsmath,amssymb,array,longtable}
\setlength{\parindent}{0pt}
\setlength{\parskip}{.6em}
\allowdisplaybreaks
"""
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}",
    "\N{MINUS SIGN}": r"\ensuremath{-}", "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\ge}", "\N{NO-BREAK SPACE}": "~",
    "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\le}", "\N{INFINITY}": r"\ensuremath{\infty}",
}  # fmt: skip


def render(page: Page) -> str:
    """Return a page as a LaTeX document.

    Args:
        page: what `build_page` assembled.
    """
    parts = [_HEAD + rf"\title{{{_plain(page.title)}}}" + "\n\\author{}\n\\date{}\n"]
    parts.append("\\begin{document}\n\\maketitle")
    parts += [rf"\emph{{{_plain(page.summary)}}}"] if page.summary else []
    parts += [_plain(page.reference)] if page.reference else []
    for section in page.sections:
        parts.append(rf"\section*{{{_plain(section.title)}}}")
        parts += [text for block in section.blocks if (text := _block(block))]
    parts.append("\\end{document}")
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return _line(block.parts)
    if isinstance(block, Bullets):
        items = "\n".join(rf"\item {_line(item)}" for item in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    if isinstance(block, Formula):
        return _formula(block.rows, block.boxed)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Listing):
        return _verbatim(block.code)
    if isinstance(block, StepGroup):
        return _group(block)
    if isinstance(block, Fold):
        inside = [_block(inner) for inner in block.blocks]
        return "\n\n".join([rf"\textit{{{_plain(block.summary)}}}", *inside])
    if isinstance(block, Beside):
        rows = (f"{_formula((formula,))}\n{_verbatim(code)}" for formula, code in block.rows)
        return "\n\n".join(rows)
    if isinstance(block, (Figure, Search)):
        return ""
    raise TypeError(f"tex: a block without a spelling, {type(block).__name__}")


def _inline(part: Inline) -> str:
    if isinstance(part, Math):
        return f"${part.latex}$"
    if isinstance(part, Code):
        return rf"\texttt{{{_plain(part.text)}}}"
    if isinstance(part, Link):
        return _plain(part.text)
    return _plain(part)


def _line(parts: Line) -> str:
    return "".join(map(_inline, parts))


def _plain(text: str) -> str:
    """Escape what LaTeX would read as markup."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _formula(rows: tuple[str, ...], boxed: bool = False) -> str:
    inside = " \\\\\n".join(rows)
    aligned = f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"
    return f"\\[\n\\boxed{{\n{aligned}\n}}\n\\]" if boxed else f"\\[\n{aligned}\n\\]"


def _verbatim(code: str) -> str:
    body = re.sub(r"\\end\{verbatim\}", r"\\end {verbatim}", code.rstrip())
    return f"{{\\footnotesize\n\\begin{{verbatim}}\n{body}\n\\end{{verbatim}}\n}}"


def _table(table: Table) -> str:
    keep = [c for c in range(len(table.head)) if any(_line(row[c]) for row in table.rows)]
    width = f"{0.94 / max(len(keep), 1):.3f}"
    column = rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}"
    head = " & ".join(rf"\textbf{{{_plain(table.head[c])}}}" for c in keep)
    rows = " \\\\\n".join(" & ".join(_line(row[c]) for c in keep) for row in table.rows)
    return (
        f"\\begin{{longtable}}{{{column * len(keep)}}}\n{head} \\\\\n\\hline\n{rows}\n"
        "\\end{longtable}"
    )


def _group(group: StepGroup) -> str:
    parts = [rf"\subsection*{{The adjoint ${group.of}$}}", *map(_step, group.steps)]
    if group.result:
        parts.append(f"Hence {_formula(group.result)}")
    return "\n\n".join(parts)


def _step(step: StepBlock) -> str:
    notes = f", {_line(step.notes)}" if step.notes else ""
    return rf"\textbf{{{step.number}.}} \emph{{{_plain(step.rule)}}}{notes}{_formula(step.rows)}"
