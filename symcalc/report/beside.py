"""A kernel's lines with the mathematics that they compute beside them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.notation.latex import Symbols, defined_latex, latex
from symcalc.report.blocks import Beside

_ASSIGNED = re.compile(r"\s*(\w+)(?:\[[^\]]*\])?(?:, \w+)* = ")
_MULTIPLIED = re.compile(r"\s*product_\w+\(\w+, \w+, (\w+)\)")
_ONLY_READ = re.compile(r"\s*\w+ = (?:\w+\[[^\]]*\]|np\.empty\(.*)$")
_MOST = 40  # groups of lines; a longer kernel is shown as it is


def beside(source: str, derivation: Derivation, letters: Symbols) -> Beside | None:
    """Part the source of a kernel by the equations that its lines compute.

    Args:
        source: what a backend has written.
        derivation: what it was written of.
        letters: the letters of the page.

    Returns:
        The groups of lines in order, from the first that computes something to the last; None
        where they are too many to be read.
    """
    names = {e.target.name: e for e in derivation.equations}
    inputs = {t.name for t in derivation.objective.inputs}
    rows: list[tuple[str, str]] = []
    told: set[str] = set()
    for equation, lines in _groups(source.splitlines(), names, inputs):
        left = latex(equation.left, letters)
        shown = left
        if left not in told:
            told.add(left)
            body = defined_latex(equation.left, equation.body, letters, equation.indices)
            shown = f"{left} = {body}"
        rows.append((shown, textwrap.dedent("\n".join(lines))))
    return Beside(tuple(rows)) if 0 < len(rows) <= _MOST else None


def _groups(
    lines: list[str], names: dict[str, Equation], inputs: set[str]
) -> Iterator[tuple[Equation, list[str]]]:
    """Yield equations and the runs of lines that compute them; a loop's head goes with its body."""
    start = next((k for k, line in enumerate(lines) if line.startswith("def ")), 0)
    frame = [k for k, line in enumerate(lines) if line.lstrip().startswith(("work =", "spread ="))]
    current: Equation | None = None
    held: list[str] = []
    waiting: list[str] = []
    for line in lines[max([start, *frame]) + 1 :]:
        found = _computed(line, names, inputs)
        waiting.append(line)
        if found is None or not line.startswith("     "):  # what is only set up computes nothing
            if current is None and not line.startswith("     "):
                waiting.clear()
            continue
        if current is not None and found != current:
            yield current, held
            held = []
        held += waiting
        waiting = []
        current = found
    if current is not None:
        yield current, held


def _computed(line: str, names: dict[str, Equation], inputs: set[str]) -> Equation | None:
    """Return the equation that a line is a part of."""
    assigned = _MULTIPLIED.match(line) or _ASSIGNED.match(line)
    if assigned is None or _ONLY_READ.match(line):
        return None
    word = assigned[1]
    while word:
        if word in names:
            return names[word]
        if word in inputs:
            return None
        word = word.rpartition("_")[0]
    return None
