"""The kill matrix: how many mutants of each mistake each witness convicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from symcalc.verify.alarms import Alarms, false_alarms
from symcalc.verify.kills import OTHERS, OURS
from symcalc.verify.mutation import EQUIVALENT, SURVIVED, Outcome, Trial
from symcalc.verify.mutators import OPERATORS

WITNESSES = (*OURS, *OTHERS)
_SHOWN = 20


@dataclass(frozen=True)
class Tally:
    """What became of some mutants.

    Args:
        name: of what they have in common.
        mutants: how many there are.
        equivalent: how many of them are proved to be no mistake.
        survived: how many no witness of ours convicts, and nothing excuses.
        killed: by witness, how many it convicts.
    """

    name: str
    mutants: int
    equivalent: int
    survived: int
    killed: dict[str, int]

    @classmethod
    def of(cls, name: str, outcomes: Iterable[Outcome]) -> Tally:
        """Count outcomes."""
        found = tuple(outcomes)
        killed = {
            witness: sum(outcome.by.get(witness, False) for outcome in found)
            for witness in WITNESSES
        }
        fates = [outcome.fate for outcome in found]
        return cls(name, len(found), fates.count(EQUIVALENT), fates.count(SURVIVED), killed)

    @property
    def wrong(self) -> int:
        """How many are mistakes."""
        return self.mutants - self.equivalent

    def cells(self) -> list[str]:
        """Return the row of a table."""
        counts = (self.mutants, self.equivalent, self.wrong)
        kills = (self.killed[witness] for witness in WITNESSES)
        return [self.name, *map(str, (*counts, *kills, self.survived))]


HEADS = ("", "mutants", "equivalent", "wrong", *WITNESSES, "survived")


@dataclass(frozen=True)
class KillMatrix:
    """What became of all mutants of one objective, or of several; true if none has survived.

    Args:
        name: of the objective.
        outcomes: one a mutant.
        alarms: how often right equations were accused.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    alarms: Alarms

    def __bool__(self) -> bool:
        return bool(self.outcomes) and not self.survivors and not self.alarms.total

    @property
    def survivors(self) -> tuple[Outcome, ...]:
        """Mistakes that no witness has found."""
        return tuple(outcome for outcome in self.outcomes if outcome.fate == SURVIVED)

    @property
    def equivalents(self) -> tuple[Outcome, ...]:
        """Mutants that are proved to be no mistake."""
        return tuple(outcome for outcome in self.outcomes if outcome.fate == EQUIVALENT)

    @property
    def total(self) -> Tally:
        """All of them counted together."""
        return Tally.of(self.name, self.outcomes)

    def tallies(self) -> Iterator[Tally]:
        """Count the mutants of each mistake, then all."""
        for operator in OPERATORS:
            mine = [o for o in self.outcomes if o.mutant.operator == operator]
            if mine:
                yield Tally.of(operator, mine)
        yield Tally.of("all", self.outcomes)

    def table(self) -> Any:
        """Return the matrix as a rich table."""
        from rich.table import Table
        from rich.text import Text

        total = self.total
        title = f"mutants of {self.name}: {total.wrong - total.survived} of {total.wrong} killed"
        table = Table(title=f"{title}; {self.alarms}")
        for number, head in enumerate(HEADS):
            table.add_column(head, justify="right" if number else "left", overflow="fold")
        for tally in self.tallies():
            if tally.name == "all":
                table.add_section()
            style = "bold red" if tally.survived else ""
            table.add_row(*(Text(cell, style=style) for cell in tally.cells()))
        return table

    def remarks(self) -> Iterator[str]:
        """Say which mutants have survived, and which are no mistakes and why."""
        for outcome in self.survivors[:_SHOWN]:
            yield f"survived: {outcome.mutant}"
        if len(self.survivors) > _SHOWN:
            yield f"survived: {len(self.survivors) - _SHOWN} more"
        for outcome in self.equivalents:
            yield f"equivalent, {outcome.proof}: {outcome.mutant}"

    def __str__(self) -> str:
        rows = [" ".join(f"{cell:>11}" for cell in tally.cells()) for tally in self.tallies()]
        return "\n".join([f"mutants of {self.name}; {self.alarms}", *rows, *self.remarks()])


def kill_matrix(trial: Trial, seeds: int) -> KillMatrix:
    """Try all mutants of an objective before all witnesses, and right equations before ours.

    Args:
        trial: of the objective.
        seeds: at how many points right equations are tried.
    """
    name = trial.derivation.objective.name
    outcomes = tuple(trial.outcome(mutant) for mutant in trial.mutants)
    return KillMatrix(name, outcomes, false_alarms(trial, seeds))


def joined(matrices: Iterable[KillMatrix]) -> KillMatrix:
    """Return the matrix of several objectives together."""
    found = tuple(matrices)
    outcomes = tuple(outcome for matrix in found for outcome in matrix.outcomes)
    name = f"{len(found)} objectives"
    return KillMatrix(name, outcomes, sum((m.alarms for m in found), Alarms.none()))
