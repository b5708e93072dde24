"""False alarms: how often the witnesses accuse equations that are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from symcalc.notation.objective import Objective
from symcalc.verify.corners import corners
from symcalc.verify.kills import OURS, Court
from symcalc.verify.mutation import Trial, is_moderate
from symcalc.verify.sampling import Point, draw, primes
from symcalc.verify.sketches import Sketched

_KINDS = ("typical", "ties", "tails")
_CORNERS = 12  # of a seed one is taken, the next one each time
_SIZES = ((2, 3), (3, 2), (1, 2), (2, 2), (1, 1))


@dataclass(frozen=True)
class Alarms:
    """How often right equations were accused.

    Args:
        points: at how many points each witness was asked.
        raised: how often it accused, by witness.
        worst: a point at which one did, in words.
    """

    points: int
    raised: dict[str, int]
    worst: str = ""

    @classmethod
    def none(cls) -> Alarms:
        """Nobody was asked."""
        return cls(0, dict.fromkeys(OURS, 0))

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.raised.values())

    def __add__(self, other: Alarms) -> Alarms:
        raised = {name: self.raised[name] + other.raised[name] for name in OURS}
        return Alarms(self.points + other.points, raised, self.worst or other.worst)

    def __str__(self) -> str:
        where = f", such as at {self.worst}" if self.worst else ""
        return f"{self.total} false alarms at {self.points} points{where}"


def false_alarms(trial: Trial, seeds: int) -> Alarms:
    """Ask every witness of ours about right equations, at one point a seed.

    Args:
        trial: of an objective.
        seeds: how many: 0, 1, 2 and so on.
    """
    found = Alarms.none()
    right = trial.right
    for point in seeded_points(trial.derivation.objective, seeds):
        few = (point,) if is_moderate(point) else ()
        raised = Court((point,), few, Sketched).convictions(right, OURS)
        worst = f"{point.kind} {point.at}".strip() if any(raised.values()) else ""
        found += Alarms(1, {name: int(raised[name]) for name in OURS}, worst)
    return found


def seeded_points(objective: Objective, seeds: int) -> Iterator[Point]:
    """Yield a point a seed: typical, tied, in the tails, and every fourth a corner."""
    for seed in range(seeds):
        if seed % 4 == 3:
            turn = seed // 4 % _CORNERS
            yield list(corners(objective, seed, turn + 1))[-1]
        else:
            kind = _KINDS[seed % 4 % 3]
            sizes = _SIZES[seed // 4 % len(_SIZES)]
            yield replace(draw(objective, primes(objective, sizes), seed, kind), kind=kind)
