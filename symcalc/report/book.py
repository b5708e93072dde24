"""The book: an index by family, how to read a derivation, and a page for each objective."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from symcalc.calculus.derive import Derivation
from symcalc.notation.objective import Objective
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
    Section,
    Table,
)
from symcalc.report.symbols import title
from symcalc.report.writer import write

COMMAND = "symcalc report --all --out derivations"
Member = tuple[Objective, Derivation, Page]


def write_book(
    objectives: Iterable[Objective],
    member: Callable[[Objective], Member],
    out: str | os.PathLike[str],
    formats: Iterable[str] = ("html", "md"),
) -> Iterator[Path]:
    """Write the pages of objectives, how to read them, and their index.

    Args:
        objectives: in the order of the index, families together.
        member: makes the page of an objective.
        out: the folder, made if need be.
        formats: "html", "md" or both.

    Yields:
        Each path as it is written. The index of the Markdown is README.md, which a forge shows.

    Raises:
        ReportError: an unknown format.
        ReportWriteError: the folder cannot be written to.
    """
    wanted = tuple(formats)
    members = []
    for objective in objectives:
        made = member(objective)
        members.append(made)
        yield from write(made[2], out, wanted)
    yield from write(reading(), out, wanted)
    contents = index(members)
    for name in wanted:
        called = "README" if name == "md" else "index"
        yield from write(replace(contents, name=called), out, (name,))


def index(members: Iterable[Member]) -> Page:
    """Make the index: a table a family, with what was established of each objective.

    Args:
        members: objective, derivation and page, families together.
    """
    families: dict[str, list[tuple[Line, ...]]] = {}
    for objective, derivation, page in members:
        row: tuple[Line, ...] = (
            (Link(page.title, page.name),), (page.summary,), (_curvature(derivation),),
            (_kinks(derivation),), (str(len(derivation.steps)),),
        )  # fmt: skip
        families.setdefault(objective.family or "formulas", []).append(row)
    head = ("Objective", "What it is", "Hessian", "Kinks", "Steps")
    sections = [
        Section("Start here", "start", (Paragraph((
            Link("How to read a derivation", "reading"),
            ": the notation, the bar, the conventions at kinks.",
        )),)),
        *(Section(title(family), family, (Table(head, tuple(rows)),))
          for family, rows in families.items()),
        Section("How this was made", "made", (Paragraph((
            "Every page is written by ", Code(COMMAND),
            " from the definitions alone; no formula in it was typed.",
        )),)),
    ]  # fmt: skip
    return Page("index", "The book of derivations", "Objectives and layers of machine learning, "
                "each with its gradient derived step by step.", "", tuple(sections))  # fmt: skip


def _curvature(derivation: Derivation) -> str:
    if len(derivation.wrt) > 1:
        return "as a product"
    return derivation.hessian_structure.kind


def _kinks(derivation: Derivation) -> str:
    count = len(derivation.kinks)
    return str(count) if count else "none"


def reading() -> Page:
    """Make the page on notation, conventions and how a derivation is read."""
    sections = (
        Section("Letters", "letters", _letters()),
        Section("The bar", "bar", _bar()),
        Section("Steps", "steps", _steps()),
        Section("Conventions", "conventions", _conventions()),
    )
    return Page("reading", "How to read a derivation", "Notation and conventions of this book.",
                "", sections)  # fmt: skip


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
