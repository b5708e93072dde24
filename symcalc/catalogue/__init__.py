"""The mathematics: one file a family, one short function an objective."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Mapping
from types import MappingProxyType

from symcalc.notation.errors import UnknownObjectiveError
from symcalc.notation.objective import Objective

FAMILIES = ("regression", "classification", "regularizers", "normalization", "reinforcement")


@functools.cache
def catalogue() -> Mapping[str, Objective]:
    """Return every objective of the catalogue by name, in family order.

    Returns:
        A read-only mapping, name to Objective.
    """
    found: dict[str, Objective] = {}
    for family in FAMILIES:
        module = importlib.import_module(f"{__name__}.{family}")
        found |= {o.name: o for o in vars(module).values() if isinstance(o, Objective)}
    return MappingProxyType(found)


def get(name: str) -> Objective:
    """Return the objective of this name.

    Args:
        name: a catalogue name, such as "huber".

    Raises:
        UnknownObjectiveError: there is none; the message says which come close.
    """
    known = catalogue()
    if isinstance(name, str) and name in known:
        return known[name]
    wanted = str(name).lower().replace("-", "_")
    close = [k for k in known if wanted and (wanted in k or k in wanted)]
    close = (close or difflib.get_close_matches(wanted, known, n=3, cutoff=0.5))[:3]
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see symcalc list"
    if not close and not wanted.isidentifier():
        hint = "a formula becomes an objective by parse"
    raise UnknownObjectiveError(f"objective: no {name!r} in the catalogue; {hint}")
