"""A long kernel as one function a part: compilers take more than twice as long for twice the text.

if part <= 3 <= last_part:                  if part <= 3 <= last_part:
    for block in range(first, ...):             part_3(x, n, work, first, last)
        ...

Parts that differ in names alone, as the layers of a network do, share the function of the first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
_ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*) = ")


def parted(
    parts: Sequence[Sequence[str]],
    given: Collection[str],
    local: Sequence[str],
    first: str,
    known: Collection[str],
) -> tuple[list[str], list[str]]:
    """Return the functions of some parts, and the lines that call them.

    Args:
        parts: the lines of each, the first a condition, the rest inside it.
        given: the names that the lines before the parts define; a part gets those it speaks of.
        local: lines that set up what a part counts in; a part begins with those it speaks of.
        first: the first line of every function.
        known: names that mean the same everywhere.
    """
    functions: list[str] = []
    calls: list[str] = []
    made: dict[str, int] = {}
    for number, (condition, *inside) in enumerate(parts):
        spoken = set(_names(inside))
        begun = [line for line in local if spoken.intersection(_names([line]))]
        own = set(_names(begun))
        lines = [*begun, *(line.removeprefix("    ") for line in inside)]
        passed = [name for name in _names(lines) if name in given and name not in own]
        arguments = ", ".join(passed)
        alike = _nameless(lines, known)
        if alike not in made:
            made[alike] = number
            functions += ["", "", '@njit(error_model="numpy")', f"def part_{number}({arguments}):"]
            functions += [first, *lines]
        calls += [condition, f"        part_{made[alike]}({arguments})"]
    return functions, calls


def assigned(lines: Iterable[str]) -> list[str]:
    """Return the names that lines define, in order."""
    found = [match[1] for match in map(_ASSIGNED.match, lines) if match]
    return list(dict.fromkeys(name for names in found for name in names.split(", ")))


def _names(lines: Iterable[str]) -> list[str]:
    """The names that lines speak of, in the order in which they do."""
    return list(dict.fromkeys(n for line in lines for n in _NAME.findall(_code(line))))


def _nameless(lines: Iterable[str], known: Collection[str]) -> str:
    """The text of lines, each name that is not known replaced by its number in the text."""
    numbers: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        name = found[0]
        return name if name in known else numbers.setdefault(name, f"@{len(numbers)}")

    return "\n".join(_NAME.sub(renamed, _code(line)) for line in lines)


def _code(line: str) -> str:
    """A line without its comment."""
    return line.partition("#")[0].rstrip()
