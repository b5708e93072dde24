"""The mathematics: one file a family, one short function an objective."""

from __future__ import annotations

import difflib
import functools
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from symcalc.catalogue.topics import topic
from symcalc.notation.errors import UnknownObjectiveError
from symcalc.notation.making import MAKING
from symcalc.notation.objective import Objective

FAMILIES = ("regression", "classification", "metric", "regularizers", "normalization",
            "layers", "networks", "optimizers", "reinforcement", "value_learning", "preferences",
            "generative")  # fmt: skip


@functools.cache
def catalogue() -> Mapping[str, Objective]:
    """Return every objective of the catalogue by name, in family order.

    Returns:
        A read-only mapping, name to Objective.
    """
    found: dict[str, Objective] = {}
    for family in FAMILIES:
        found |= _members(family)
    return MappingProxyType(found)


def get(name: str) -> Objective:
    """Return the objective of this name.

    Args:
        name: a catalogue name, such as "huber".

    Raises:
        UnknownObjectiveError: there is none; the message says which come close.
    """
    if isinstance(name, str):
        members = _members(_family_of(name))
        if name in members:
            return members[name]
    known = catalogue()
    if isinstance(name, str) and name in known:
        return known[name]
    wanted = str(name).lower().replace("-", "_")
    close = _close(wanted, known)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see symcalc list"
    if (found := topic(wanted)) is not None:
        hint = f"it is no entry: {found.run}"
    if not close and not wanted.isidentifier():
        hint = "a formula becomes an objective by parse"
    raise UnknownObjectiveError(f"objective: no {name!r} in the catalogue; {hint}")


def _close(wanted: str, known: Mapping[str, Objective]) -> list[str]:
    """Return up to three names: those that hold it or lie in it, share a word, or look alike."""
    if not wanted:
        return []
    held = [name for name in known if wanted in name or name in wanted]
    words = set(wanted.split("_"))
    starts = [name for name in known if "_" in wanted and name.split("_")[0] in words]
    return (held or starts or difflib.get_close_matches(wanted, known, n=3, cutoff=0.5))[:3]


@functools.cache
def _members(family: str | None) -> Mapping[str, Objective]:
    """Run the definitions of one family; of no family there are none."""
    if family is None:
        return {}
    with MAKING:
        module = importlib.import_module(f"{__name__}.{family}")
    return {o.name: o for o in vars(module).values() if _belongs(o, family)}


def _belongs(found: object, family: str) -> bool:
    """Whether it is an entry of this family, not one that it took from another to build on."""
    return isinstance(found, Objective) and found.family == family


def _family_of(name: str) -> str | None:
    """Tell from the text alone which family defines a name, so that the others need not run."""
    definition = re.compile(rf"^def {re.escape(name)}\(", re.MULTILINE)
    for family in FAMILIES:
        path = Path(__file__).with_name(f"{family}.py")
        if path.is_file() and definition.search(path.read_text("utf-8")):
            return family
    return None
