"""Puts the drawings into a page: the graph, the kinks, the pictures, the stability."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symcalc.calculus.derive import Derivation
from symcalc.notation.objective import Objective
from symcalc.report.blocks import Block, Figure, Page, Section
from symcalc.report.field import field_figures
from symcalc.report.graph import graph_figure
from symcalc.report.kinkplots import kink_figures
from symcalc.report.plots import line_figures, line_of, turned_figures
from symcalc.report.slices import Evaluate
from symcalc.report.stability import stability
from symcalc.report.symbols import symbols


@dataclass(frozen=True)
class Drawings:
    """All drawings of a page.

    Args:
        graph: the computational graph.
        kinks: a picture of each kink that was found.
        picture: value, gradient and curvature, and the gradient field of two arguments.
        turned: the same over each hyperparameter.
        stability: the errors over the tails, or a sentence on them.
    """

    graph: Figure
    kinks: tuple[Figure, ...] = ()
    picture: tuple[Figure, ...] = ()
    turned: tuple[Figure, ...] = ()
    stability: tuple[Block, ...] = ()


def drawings(
    objective: Objective, derivation: Derivation, evaluate: Evaluate, whose: str
) -> Drawings:
    """Draw everything that a page shows.

    Args:
        objective: what the page is about.
        derivation: its derivation.
        evaluate: value and gradients at given inputs; called a thousand times.
        whose: what computes them, in words: its errors are drawn.
    """
    graph = graph_figure(objective, derivation, symbols(objective, derivation))
    line = line_of(objective, derivation, evaluate)
    if line is None:
        return Drawings(graph)
    return Drawings(
        graph,
        kink_figures(objective, line),
        (*line_figures(objective, line), *field_figures(objective, line, evaluate)),
        turned_figures(objective, line),
        stability(objective, derivation, line, evaluate, whose),
    )


def illustrated(page: Page, drawn: Drawings) -> Page:
    """Return a page with its drawings, each in the section where a reader looks for it.

    Args:
        page: what `build_page` assembled.
        drawn: what `drawings` drew.
    """
    sections: list[Section] = []
    for section in page.sections:
        if section.anchor == "kinks":
            section = replace(section, blocks=(*section.blocks, *drawn.kinks))
        sections.append(section)
        if section.anchor == "inputs":
            sections.append(Section("Computational graph", "graph", (drawn.graph,)))
        if section.anchor == "example" or (
            section.anchor == "kinks" and not any(s.anchor == "example" for s in page.sections)
        ):
            sections += _pictures(drawn)
    return replace(page, sections=tuple(sections))


def _pictures(drawn: Drawings) -> list[Section]:
    found = [
        Section("Picture", "picture", drawn.picture),
        Section("Hyperparameters", "hyperparameters", drawn.turned),
        Section("Numerical stability", "stability", drawn.stability),
    ]
    return [section for section in found if section.blocks]
