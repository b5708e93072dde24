"""Steps: one rule applied once, which anyone may replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symcalc.calculus.equations import Equation
from symcalc.calculus.operations import Operations, operations
from symcalc.calculus.probe import disagreement, probe
from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.notation.text import text


@dataclass(frozen=True)
class Step:
    """One rule applied: `left = before` is `left = after`.

    Args:
        rule: the rule's name.
        target: the tensor that the step speaks of.
        indices: its free indices.
        before: the formula before.
        after: the formula after.
        conditions: what must hold for the rule to apply, in words.
        definitions: the equations of every tensor in `before` and `after` that is no input.
    """

    rule: str
    target: Tensor
    indices: tuple[Index, ...]
    before: Any
    after: Any
    conditions: tuple[str, ...] = ()
    definitions: tuple[Equation, ...] = ()

    @property
    def left(self) -> Access:
        """The left-hand side."""
        return Access(self.target, *self.indices)

    @property
    def operations(self) -> tuple[Operations, Operations]:
        """What the formula costs for all entries, before the step and after."""
        return operations(self.before), operations(self.after)

    def latex(self) -> str:
        """Return the step as aligned LaTeX: the formula before it, and after it."""
        from symcalc.notation.latex import latex

        before, after = (latex(side, None, self.indices) for side in (self.before, self.after))
        rows = [f"{latex(self.left)} &= {before}", f"&= {after}"]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def holds(self, seed: int = 0, points: int = 2) -> bool:
        """Whether both sides agree at random points, in ball arithmetic of 200 bits.

        Args:
            seed: of the random points.
            points: how many points to try.

        Returns:
            False as soon as two balls do not overlap; True if they always do.
        """
        return probe(self.before, self.after, self.indices, self.definitions, seed, points)

    def counterexample(self, seed: int = 0, points: int = 2) -> str | None:
        """A point at which the two sides differ, and their values there, in words; None if none.

        Args:
            seed: of the random points.
            points: how many points to try.
        """
        return disagreement(self.before, self.after, self.indices, self.definitions, seed, points)

    def __str__(self) -> str:
        return f"{self.rule}: {text(self.left)} = {text(self.before)}  ->  {text(self.after)}"
