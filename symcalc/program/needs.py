"""What the sizes must at least be: the mean of nothing is an error, not a number."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from symcalc.notation.dims import Dim, Index
from symcalc.notation.objective import Objective
from symcalc.notation.places import is_size
from symcalc.notation.reductions import Prod, Reduction, Sum
from symcalc.notation.scans import recurrences
from symcalc.notation.tensors import Access


@dataclass(frozen=True)
class Need:
    """A bound on an extent.

    Args:
        extent: a dim or a polynomial in dims.
        least: what it must at least be.
        message: what to say where it is less.
        shown: what to say the value of; the extent itself if None.
    """

    extent: Any
    least: int
    message: str
    shown: Any = None


@functools.lru_cache(maxsize=256)
def needs(objective: Objective) -> tuple[Need, ...]:
    """Return what an objective asks of its extents."""
    found: dict[Any, Need] = {}
    for reduction in atoms(objective, Reduction):
        extent, kind = reduction.index.extent, reduction.spelling
        if not isinstance(reduction, (Sum, Prod)):
            message = f"expected {extent} of at least 1 ({kind} of nothing is undefined)"
            found[extent] = Need(extent, 1, message)
    for index in {*objective.outputs, *atoms(objective, Index)}:
        if not isinstance(index.extent, Dim) and not index.extent.is_Integer:
            message = f"expected {index.extent} of at least 0"
            found.setdefault(index.extent, Need(index.extent, 0, message))
    for access in atoms(objective, Access):
        for place, extent in zip(access.places, access.tensor.shape, strict=True):
            if place.is_Integer and not extent.is_Integer:
                message = f"{access} needs {extent} of more than {place}"
                found[extent - place] = Need(extent - place, 1, message)
            elif is_size(place) and not place.is_Integer:
                message = f"{access} needs {place} of at least 0"
                found[place] = Need(place, 0, message)
    for entry in set().union(*map(recurrences, objective.formulas)):
        if entry.place.is_Integer:
            extent, message = entry.index.extent, f"{entry} needs {entry.index.extent} of more than"
            found[extent - entry.place] = Need(extent - entry.place, 1, f"{message} {entry.place}")
    for size in objective.sizes:
        for sign in (1, -1):
            found[sign * size.dim] = Need(
                sign * size.dim, sign * size.value,
                f"expected {size.dim} = {size.value} ({size.source})", size.dim,
            )  # fmt: skip
    return tuple(sorted(found.values(), key=lambda need: str(need.extent)))


def atoms(objective: Objective, kind: type[Any]) -> set[Any]:
    """Return every part of an objective's formulas that is of a kind."""
    return set().union(*(formula.atoms(kind) for formula in objective.formulas))
