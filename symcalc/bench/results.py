"""What a run of the suite found, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symcalc.bench.first_call import FirstCall
from symcalc.bench.table import Benchmark

_SHARED = ("threads", "machine")
_ONE_LINE = 3  # a case holds extents, which hold pairs


@dataclass(frozen=True)
class GroupResults:
    """The benchmarks of a group, in the order of its cases.

    Args:
        name: the group's.
        benchmarks: one a case.
    """

    name: str
    benchmarks: tuple[Benchmark, ...]


@dataclass(frozen=True)
class Results:
    """What a run of the suite found.

    Args:
        suite: the suite's name.
        groups: the groups, the large cases first.
        first_calls: what first calls cost.
        threads: how many threads each peer had.
        machine: the processor and the versions it was measured with.
        seconds: how long it took, all told.
        notes: what a reader must know, such as that the machine was busy.
    """

    suite: str
    groups: tuple[GroupResults, ...]
    first_calls: tuple[FirstCall, ...]
    threads: int
    machine: Mapping[str, str]
    seconds: float
    notes: tuple[str, ...] = ()

    def group(self, name: str) -> tuple[Benchmark, ...]:
        """Return the benchmarks of the group of this name; none if there is none."""
        return next((group.benchmarks for group in self.groups if group.name == name), ())

    @property
    def benchmarks(self) -> tuple[Benchmark, ...]:
        """All benchmarks."""
        return tuple(benchmark for group in self.groups for benchmark in group.benchmarks)

    def to_json(self) -> str:
        """Return everything as JSON text, which `from_json` reads."""
        return _text(self.to_dict()) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it; what all benchmarks share stands there once."""
        return {
            "suite": self.suite, "seconds": self.seconds, "threads": self.threads,
            "machine": dict(self.machine), "notes": list(self.notes),
            "groups": [
                {"name": group.name, "benchmarks": [_bare(one) for one in group.benchmarks]}
                for group in self.groups
            ],
            "first_calls": [call.to_dict() for call in self.first_calls],
        }  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Return the results that `to_json` wrote."""
        data = json.loads(text)
        shared = {key: data[key] for key in _SHARED}
        groups = tuple(
            GroupResults(
                group["name"],
                tuple(Benchmark.from_dict({**one, **shared}) for one in group["benchmarks"]),
            )
            for group in data["groups"]
        )
        calls = tuple(map(FirstCall.from_dict, data["first_calls"]))
        return cls(data["suite"], groups, calls, data["threads"], data["machine"],
                   data["seconds"], tuple(data["notes"]))  # fmt: skip


def _bare(benchmark: Benchmark) -> dict[str, Any]:
    return {key: value for key, value in benchmark.to_dict().items() if key not in _SHARED}


def _text(value: Any, indent: str = "") -> str:
    """Return JSON text with a line for each row of a benchmark, and none for each number in it."""
    if _height(value) <= _ONE_LINE:
        return json.dumps(value, allow_nan=False)
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_text(one, inner)}" for key, one in value.items()]
        start, end = "{", "}"
    else:
        parts, start, end = [_text(one, inner) for one in value], "[", "]"
    return f"{start}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"


def _height(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_height, inside), default=0) if isinstance(value, (dict, list)) else 0
