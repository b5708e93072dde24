"""Names that nothing else bears."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class Namer:
    """Hands out names that nothing else bears.

    Args:
        taken: the names that are in use.
        called: names that are to be written otherwise, as `z1_bar` is called `delta1`.
    """

    def __init__(self, taken: set[str], called: Mapping[str, str] = MappingProxyType({})) -> None:
        self.taken = set(taken)
        self.called = called

    def name(self, wanted: str) -> str:
        """Return `wanted`, or wanted_2, wanted_3, ... if it is taken."""
        wanted = self.called.get(wanted, wanted)
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name
