"""The steps of a derivation as a reader wants them: by equation, in order of need."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.derive import Derivation
from symcalc.calculus.simplify import bottom_up, use_indicators
from symcalc.calculus.steps import Step
from symcalc.notation.conditions import Where
from symcalc.notation.latex import Symbols, defined_latex, latex
from symcalc.notation.reductions import Sum
from symcalc.notation.tensors import Access, Tensor
from symcalc.report.blocks import Line, Math, StepBlock, StepGroup

ROUTINE = {"substitute", "factors out of the sum"}


@dataclass
class Chain:
    """What one path contributes to an adjoint, rewritten step by step."""

    steps: list[Step] = field(default_factory=list)

    @property
    def end(self) -> Any:
        """The contribution in its last form."""
        return self.steps[-1].after


@dataclass
class Chapter:
    """All that leads to one adjoint: its contributions, and what is done with their sum."""

    target: Tensor
    chains: list[Chain] = field(default_factory=list)
    closing: list[Step] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """Every step, in order."""
        return [s for chain in self.chains for s in chain.steps] + self.closing


def chapters(derivation: Derivation) -> list[Chapter]:
    """Part the steps by the adjoint they speak of, each adjoint after those it needs."""
    found: dict[Tensor, Chapter] = {}
    for step in derivation.steps:
        chapter = found.setdefault(step.target, Chapter(step.target))
        if any(word.startswith("through ") for word in step.conditions):
            chapter.chains.append(Chain([step]))
        elif chapter.chains and not chapter.closing and step.before == chapter.chains[-1].end:
            chapter.chains[-1].steps.append(step)
        else:
            chapter.closing.append(step)
    ordered: dict[Tensor, Chapter] = {}

    def visit(chapter: Chapter) -> None:
        ordered.setdefault(chapter.target, chapter)
        for step in chapter.steps:
            for access in sorted(step.before.atoms(Access) | step.after.atoms(Access), key=str):
                if access.tensor in found and access.tensor not in ordered:
                    visit(found[access.tensor])
        ordered[chapter.target] = ordered.pop(chapter.target)

    for chapter in found.values():
        if chapter.target not in ordered:
            visit(chapter)
    last = [derivation.gradient_of(name).target.name for name in derivation.wrt]
    ends = [c for name in last for c in ordered.values() if c.target.name == name]
    return [c for c in ordered.values() if c.target.name not in last] + ends


def story(derivation: Derivation, symbols: Symbols) -> tuple[StepGroup, ...]:
    """Tell a derivation as numbered steps, grouped by equation.

    Args:
        derivation: what `derive` returned.
        symbols: the letters of the page.
    """
    teller = _Teller(symbols)
    return tuple(teller.group(chapter) for chapter in chapters(derivation))


class _Teller:
    """Numbers the steps as they are told."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.number = 0

    def group(self, chapter: Chapter) -> StepGroup:
        """Tell how one adjoint comes about."""
        left = latex(chapter.steps[0].left, self.symbols)
        many = len(chapter.chains) > 1
        told: list[StepBlock] = []
        for chain in chapter.chains:
            told += self._chain(chain.steps, left, relation=r"\leftarrow" if many else "=")
        if many:
            told.append(self._sum(chapter, left))
        told += self._chain(chapter.closing, left, opened=many)
        last = told[-1]
        spoken = not last.routine and (len(told) <= 3 or last.rows[0].startswith(left))
        return StepGroup(left, tuple(told), () if spoken else (self._result(chapter, left),))

    def _result(self, chapter: Chapter, left: str) -> str:
        step = chapter.steps[-1]
        if not chapter.closing and len(chapter.chains) > 1:
            return f"{left} &= {self._total(chapter)}"
        return f"{left} &= {self._after(step)}"

    def _after(self, step: Step) -> str:
        return defined_latex(step.left, step.after, self.symbols, step.indices)

    def _chain(
        self, steps: list[Step], left: str, relation: str = "=", opened: bool = False
    ) -> list[StepBlock]:
        """Tell a run of rewritings; what was just shown is not shown again."""
        told: list[StepBlock] = []
        shown = opened
        for step in steps:
            before = latex(_collapsed(step.before), self.symbols, step.indices)
            after = self._after(step)
            routine = step.rule in ROUTINE or before == after
            start = f"{left} &{relation} "
            if before == after:
                lines = [f"{start}{after}"]
            elif shown:
                lines = [f"&= {after}"]
            elif _short(before, after):
                lines = [f"{start}{before} = {after}"]
            else:
                lines = [f"{start}{before}", f"&= {after}"]
            rows = tuple(row for line in lines for row in broken(line))
            self.number += 1
            told.append(StepBlock(self.number, step.rule, self._notes(step), rows, routine))
            shown = not routine
        return told

    def _sum(self, chapter: Chapter, left: str) -> StepBlock:
        self.number += 1
        row = f"{left} &= {self._total(chapter)}"
        return StepBlock(self.number, "the contributions add up", (), (row,))

    def _total(self, chapter: Chapter) -> str:
        indices = chapter.steps[0].indices
        words = [
            latex(_at(chain, indices), self.symbols, indices)
            for chain in chapter.chains if chain.end != 0
        ]  # fmt: skip
        first, *rest = sorted(words, key=lambda word: word.startswith("-")) or ["0"]
        return first + "".join(f" - {w[1:]}" if w[0] == "-" else f" + {w}" for w in rest)

    def _notes(self, step: Step) -> Line:
        """Write the side conditions, tensors as the formulas show them."""
        notes: list[Any] = []
        for word in step.conditions:
            notes.append("; " if notes else "")
            name = word.removeprefix("through ")
            equation = next((e for e in step.definitions if e.target.name == name), None)
            if equation is None or name == word:
                notes.append(word)
            else:
                notes += ["through ", Math(latex(equation.left, self.symbols))]
        return tuple(note for note in notes if note)


def _at(chain: Chain, indices: tuple[Any, ...]) -> Any:
    """Return where a chain ends, in the letters of the chapter."""
    return chain.end.xreplace(dict(zip(chain.steps[-1].indices, indices, strict=True)))


def _collapsed(before: Any) -> Any:
    """Use up the Kronecker deltas of a chain rule.

    Each bound index becomes a letter of the left side of its own, so no two accesses that differ
    come to look alike.
    """
    result = before
    for _ in range(4):
        collapsed = use_indicators(bottom_up(result, _deltas_out), Context(()))
        if collapsed == result:
            break
        result = collapsed
    return sp.sympify(result)


def _deltas_out(node: Any) -> Any:
    """Take the deltas that do not depend on a sum's own index out of it."""
    if not isinstance(node, Sum):
        return node
    factors = sp.Mul.make_args(node.body)
    free = [f for f in factors if isinstance(f, Where) and node.index not in f.free_symbols]
    if not free:
        return node
    rest = sp.Mul(*(f for f in factors if f not in free))
    return sp.Mul(*free, Sum(rest, node.index))


def _short(before: str, after: str) -> bool:
    """Whether both sides fit on one line."""
    return width(before) + width(after) < 32


def broken(row: str, limit: int = 66) -> tuple[str, ...]:
    """Break a row that is too wide before the last sign at which it may be broken.

    Signs within a group, a fraction, cases or stretching brackets stay where they are.

    Args:
        row: LaTeX, aligned.
        limit: how wide it may be.
    """
    if width(row) <= limit:
        return (row,)
    depth, places = 0, []
    for token in re.finditer(r"\\left|\\right|\\begin|\\end|[{}]| [+-] ", row):
        word = token[0]
        if word in {r"\left", r"\begin", "{"}:
            depth += 1
        elif word in {r"\right", r"\end", "}"}:
            depth -= 1
        elif depth == 0:
            places.append(token.start())
    fits = [p for p in places if 20 < width(row[:p]) <= limit and width(row[p:]) > 12]
    if not fits:
        return (row,)
    at = max(fits)
    return (row[:at], *broken(rf"&\quad {row[at + 1 :]}", limit))


def width(shown: str) -> int:
    """Estimate how many letters wide a formula is set.

    Args:
        shown: LaTeX.
    """
    bare = re.sub(r"\\(frac|hat|bar|overline|left|right|operatorname|mathrm|text|[,;])", "", shown)
    return len(re.sub(r"\\[a-zA-Z]+", "x", bare).translate(str.maketrans("", "", "{}_^ ")))
