"""What a page is made of: plain frozen data, without a word of HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Math:
    """A formula within a line, as LaTeX."""

    latex: str


@dataclass(frozen=True)
class Code:
    """A piece of code within a line."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to another page of the same book.

    Args:
        text: what is read.
        page: the other page's name, which names its file.
    """

    text: str
    page: str


Inline: TypeAlias = str | Math | Code | Link
Line: TypeAlias = tuple[Inline, ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    parts: Line


@dataclass(frozen=True)
class Bullets:
    """A list of short texts."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Formula:
    """Formulas on lines of their own, aligned at their relation signs.

    Args:
        rows: LaTeX with one `&` before the relation sign, one a line.
        boxed: whether this is a result, to be set in a box.
        label: what a listener is told this is.
    """

    rows: tuple[str, ...]
    boxed: bool = False
    label: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Listing:
    """Source code."""

    code: str
    language: str = "python"


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Args:
        svg: its source; colours are CSS variables with defaults.
        alt: what it shows, in words.
        caption: the line below it.
    """

    svg: str
    alt: str
    caption: Line


@dataclass(frozen=True)
class StepBlock:
    """One step of a derivation.

    Args:
        number: its number on the page.
        rule: the rule's name.
        notes: side conditions.
        rows: the formula, before and after, aligned.
        routine: whether a reader may pass over it.
    """

    number: int
    rule: str
    notes: Line
    rows: tuple[str, ...]
    routine: bool = False


@dataclass(frozen=True)
class StepGroup:
    """The steps that lead to one equation.

    Args:
        of: the left-hand side, as LaTeX.
        steps: in order.
        result: the equation they lead to, aligned, or nothing if the last step says it.
    """

    of: str
    steps: tuple[StepBlock, ...]
    result: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fold:
    """Blocks that stay closed until a reader opens them."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Search:
    """A field that hides the rows of the page's tables in which a word is not found.

    It appears where scripts run, and nowhere else.

    Args:
        label: what a reader is told this is.
    """

    label: str


@dataclass(frozen=True)
class Beside:
    """Source code with formulas beside its lines.

    Args:
        rows: a formula as LaTeX and the lines that compute it, in order.
    """

    rows: tuple[tuple[str, str], ...]


Block: TypeAlias = (
    Paragraph | Bullets | Formula | Table | Listing | Figure | StepGroup | Fold | Search | Beside
)


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A report on one objective.

    Args:
        name: the objective's name, which names the files.
        title: the heading.
        summary: what it is, in one line.
        reference: where it comes from.
        sections: in reading order.
        links: to other pages of its book, if it has one.
    """

    name: str
    title: str
    summary: str
    reference: str
    sections: tuple[Section, ...]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class CheckRow:
    """One line of the table of checks, ready to print.

    Args:
        method: the witness.
        wrt: the input whose gradient was checked.
        worst: the point or entry where the error was greatest.
        error: the error there.
        bound: what it had to stay below.
        verdict: PASS, FAIL or INCONCLUSIVE.
        entries: how many entries were compared.
    """

    method: str
    wrt: str
    worst: str
    error: str
    bound: str
    verdict: str
    entries: str = ""
