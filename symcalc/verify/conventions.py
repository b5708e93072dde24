"""Conventions: the derivative that is declared at a kink, as a ball.

At a kink any number between the one-sided derivatives is a subgradient, but one of them is
declared: the side that a condition names, the first of equal ones, sign(0) = 0. It is the
derivative of the formula with every comparison held as it falls at the very point. Away from kinks
nothing changes.
"""

from __future__ import annotations

from typing import Any

from symcalc.calculus.balls import Environment, Side
from symcalc.verify.enclosures import Enclosures, Moves


class Declared(Enclosures):
    """An objective at one point: every derivative as it is declared, in ball arithmetic.

    Args:
        objective: what is enclosed.
        point: its arguments; they are taken as exact.
    """

    def slopes(self, wrt: str) -> Any:
        """Return what is declared, where the formula has finite one-sided derivatives.

        Raises:
            SingularError: it has none: at an end of a domain a choice may hide that.
        """
        found = super().slopes(wrt)
        Enclosures(self.objective, self.point).slopes(wrt)
        return found

    def _series(self, moves: Moves, notes: Environment) -> Any:
        sideless = {key: note for key, note in notes.items() if key is not Side}
        return self._total(self._environment(moves, sideless))
