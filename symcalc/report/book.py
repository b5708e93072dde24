"""The book: an index by family, how to read a derivation, and a page for each objective."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from symcalc.calculus.derive import Derivation
from symcalc.report.blocks import (
    Block,
    Bullets,
    Code,
    Formula,
    Line,
    Link,
    Math,
    Page,
    Paragraph,
    Search,
    Section,
    Table,
)
from symcalc.report.symbols import title
from symcalc.report.writer import known_formats, write

COMMAND = "symcalc report --all --out derivations"


@dataclass(frozen=True)
class Member:
    """A page of the book, and what the index says of it.

    Args:
        page: the page.
        family: whose section of the index it stands in.
        hessian: the structure of the second derivatives, in words.
        kinks: on how many conditions a derivative jumps.
        steps: of the derivation.
        facts: what was established, a word or two each.
    """

    page: Page
    family: str
    hessian: str
    kinks: int
    steps: int
    facts: tuple[str, ...] = ()


def member(derivation: Derivation, page: Page, facts: Iterable[str] = ()) -> Member:
    """Put a page into the book.

    Args:
        derivation: what the page tells.
        page: the page.
        facts: what was established, a word or two each.
    """
    several = len(derivation.wrt) > 1
    hessian = "as a product" if several else derivation.hessian_structure.kind
    family = derivation.objective.family or "formulas"
    steps, kinks = len(derivation.steps), len(derivation.kinks)
    return Member(page, family, hessian, kinks, steps, tuple(facts))


def write_book(
    members: Iterable[Member],
    names: Sequence[str],
    out: str | os.PathLike[str],
    formats: Iterable[str] = ("html", "md"),
) -> Iterator[Path]:
    """Write the pages of objectives, how to read them, and their index.

    Args:
        members: in the order of the index, families together; each is written before the next is
            asked for.
        names: of their pages, in the same order, by which each is linked to its neighbours.
        out: the folder, made if need be.
        formats: those that `write` knows.

    Yields:
        Each path as it is written. The index of the Markdown is README.md, which a forge shows.

    Raises:
        ReportError: an unknown format.
        ReportWriteError: the folder cannot be written to.
    """
    wanted = known_formats(formats)
    found = []
    for place, each in enumerate(members):
        found.append(replace(each, page=Page(each.page.name, each.page.title, each.page.summary,
                                             "", ())))  # fmt: skip
        yield from write(replace(each.page, links=_beside(names, place)), out, wanted)
    yield from write(reading(), out, wanted)
    contents = index(found)
    for name in wanted:
        called = "README" if name == "md" else "index"
        yield from write(replace(contents, name=called), out, (name,))


def _beside(names: Sequence[str], place: int) -> tuple[Link, ...]:
    """Link a page to the index, to how it is read, and to the pages beside it."""
    links = [Link("The book", "index"), Link("How to read a derivation", "reading")]
    if place > 0:
        links.append(Link(f"\N{LEFTWARDS ARROW} {title(names[place - 1])}", names[place - 1]))
    if place + 1 < len(names):
        links.append(Link(f"{title(names[place + 1])} \N{RIGHTWARDS ARROW}", names[place + 1]))
    return tuple(links)


def index(members: Sequence[Member]) -> Page:
    """Make the index: a table a family, with what was established of each objective.

    Args:
        members: families together.
    """
    families: dict[str, list[tuple[Line, ...]]] = {}
    for each in members:
        row: tuple[Line, ...] = (
            (Link(each.page.title, each.page.name),), (each.page.summary,), (each.hessian,),
            (str(each.kinks) if each.kinks else "none",), (", ".join(each.facts),),
            (str(each.steps),),
        )  # fmt: skip
        families.setdefault(each.family, []).append(row)
    head = ("Objective", "What it is", "Hessian", "Kinks", "Properties", "Steps")
    sections = [
        Section("Start here", "start", (
            Paragraph((
                Link("How to read a derivation", "reading"),
                ": the notation, the bar, the conventions at kinks.",
            )),
            Search("Search"),
        )),
        *(Section(title(family), family, (Table(head, tuple(rows)),))
          for family, rows in families.items()),
        Section("How this was made", "made", (Paragraph((
            "Every page is written by ", Code(COMMAND),
            " from the definitions alone; no formula in it was typed. A property stands in the "
            "tables where it was proved, or held at every point that was tried; each page says "
            "which.",
        )),)),
    ]  # fmt: skip
    count = f"{len(members)} objectives and layers of machine learning, "
    return Page("index", "The book of derivations", count + "each with its gradient derived step "
                "by step.", "", tuple(sections))  # fmt: skip


def reading() -> Page:
    """Make the page on notation, conventions and how a derivation is read."""
    sections = (
        Section("Letters", "letters", _letters()),
        Section("The bar", "bar", _bar()),
        Section("Steps", "steps", _steps()),
        Section("Conventions", "conventions", _conventions()),
    )
    return Page("reading", "How to read a derivation", "Notation and conventions of this book.",
                "", sections, (Link("The book", "index"),))  # fmt: skip


def _letters() -> tuple[Block, ...]:
    rows: tuple[tuple[Line, ...], ...] = (
        ((Math("i, j, k"),), ("indices; they are counted from zero",)),
        ((Math("n, c, d"),), ("sizes: samples, classes, features",)),
        ((Math(r"\mathcal{L}"),), ("the value of a loss",)),
        ((Math(r"[k = y_i]"),), ("one where the condition holds, zero elsewhere",)),
        ((Math(r"\sigma(z)"),), ("the sigmoid; with an index below it, a standard deviation",)),
        ((Math(r"\log \sum_{k} e^{z_k}"),), ("computed without overflow, as one operation",)),
    )
    text = "Each page lists its inputs, with the letter and the name of every argument."
    return (Paragraph((text,)), Table(("Sign", "Meaning"), rows))


def _bar() -> tuple[Block, ...]:
    return (
        Paragraph(("A bar marks the derivative of the final number by what is under it:",)),
        Formula((r"\bar{u}_i &= \frac{\partial \mathcal{L}}{\partial u_i}",), label="The bar"),
        Paragraph((
            "Where an equation makes ", Math("v"), " from ", Math("u"),
            ", it passes the bar of its left side on to its right side. That is the only rule of "
            "the whole book about indices:",
        )),
        Formula((r"\bar{u}_i &\leftarrow \sum_{j} \bar{v}_j "
                 r"\frac{\partial v_j}{\partial u_i}",), label="The chain rule"),
    )  # fmt: skip


def _steps() -> tuple[Block, ...]:
    items: tuple[Line, ...] = (
        ("A step names its rule, and shows the formula before and after it.",),
        ("Routine steps are folded; a click opens them.",),
        ("An arrow says that a quantity receives a contribution, one path among several.",),
        ("Every step was evaluated before and after, at random points, in ball arithmetic: "
         "numbers that carry a proved bound on their error.",),
    )  # fmt: skip
    return (Bullets(items),)


def _conventions() -> tuple[Block, ...]:
    items: tuple[Line, ...] = (
        ("Every objective is a loss, to be minimized.",),
        ("At a kink a subgradient is chosen, and the page says which: ",
         Math(r"\mathrm{sign}(0) = 0"), "; ties of a maximum go to the first.",),
        ("A layer has an array for a value. Its page says how it turns the cotangent, the bar of "
         "its output, into the bars of its inputs.",),
        ("Worked examples are rounded where they are shown and nowhere else.",),
    )  # fmt: skip
    return (Bullets(items),)
