"""A long kernel as one function a part: compilers take more than twice as long for twice the text.

if part <= 3 <= last_part:                  if part <= 3 <= last_part:
    for block in range(first, ...):             part_3(x, n, work, first, last)
        ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
_ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*) = ")


def parted(
    parts: Sequence[Sequence[str]], given: Sequence[str], local: Sequence[str], first: str
) -> tuple[list[str], list[str]]:
    """Return the functions of some parts, and the lines that call them.

    Args:
        parts: the lines of each, the first a condition, the rest inside it.
        given: the names that the lines before the parts define; a part gets those it speaks of.
        local: lines that set up what a part counts in; a part begins with those it speaks of.
        first: the first line of every function.
    """
    functions: list[str] = []
    calls: list[str] = []
    for number, (condition, *inside) in enumerate(parts):
        spoken = _names(inside)
        begun = [line for line in local if _names([line]) & spoken]
        own = _names(begun)
        arguments = ", ".join(name for name in given if name in spoken and name not in own)
        functions += ["", "", '@njit(error_model="numpy")', f"def part_{number}({arguments}):"]
        functions += [first, *begun, *(line.removeprefix("    ") for line in inside)]
        calls += [condition, f"        part_{number}({arguments})"]
    return functions, calls


def assigned(lines: Iterable[str]) -> list[str]:
    """Return the names that lines define, in order."""
    found = [match[1] for match in map(_ASSIGNED.match, lines) if match]
    return list(dict.fromkeys(name for names in found for name in names.split(", ")))


def _names(lines: Iterable[str]) -> set[str]:
    return {name for line in lines for name in _NAME.findall(line.partition("#")[0])}
