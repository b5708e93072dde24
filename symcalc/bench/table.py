"""The result of a benchmark: rows that print as a table, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from symcalc.bench.inputs import Case
from symcalc.bench.measure import Measured
from symcalc.bench.peers import BOUND, FLOOR, FRESH, NOT_PEERS, OURS

_HEADS = ("", "time", "spread", "vs symcalc", "vs floor", "value", "gradient", "typical")
_STYLES = {OURS.name: "bold", FRESH.name: "bold", BOUND.name: "bold", FLOOR.name: "dim"}
_UNITS = (
    "time: median; spread: interquartile range; value, gradient: worst error in ulps; "
    "typical: the gradient's median error; a worst one far above it is an entry near zero, "
    "where terms cancel"
)


@dataclass(frozen=True)
class Row:
    """One peer on one case.

    Args:
        name: the peer.
        median: seconds a call, the median over rounds; None if it failed.
        spread: interquartile range over rounds, relative to the median.
        ratio_to_ours: its median over symcalc's.
        ratio_to_floor: its median over the memory floor's.
        value_ulps: the worst error of the value's entries.
        gradient_ulps: the worst error of the gradient's sampled entries.
        gradient_typical_ulps: their median error.
        first: seconds of the first call, import and compilation included, with the other peers
            preparing at the same time.
        times: seconds a call, one for each round.
        note: "failed: reason", or empty.
        value_typical_ulps: the median error of the value's entries.
    """

    name: str
    median: float | None = None
    spread: float | None = None
    ratio_to_ours: float | None = None
    ratio_to_floor: float | None = None
    value_ulps: float | None = None
    gradient_ulps: float | None = None
    gradient_typical_ulps: float | None = None
    first: float | None = None
    times: tuple[float, ...] = ()
    note: str = ""
    value_typical_ulps: float | None = None

    def is_sane(self, dtype: str) -> bool:
        """Whether value and gradient typically keep half of the digits that the dtype has.

        Args:
            dtype: of the case, "float64" or "float32".

        Returns:
            False for a NaN, an infinity, or an error above 1/sqrt(eps) ulps; True where there was
            no reference to measure an error against.
        """
        most = 1 / math.sqrt(np.finfo(dtype).eps)
        typical = (self.value_typical_ulps, self.gradient_typical_ulps)
        known = [one for one in typical if one is not None]
        return all(one <= most for one in known)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one cell a column."""
        if self.note:
            return (self.name, self.note, *[""] * (len(_HEADS) - 2))
        return (
            self.name, seconds(self.median), _percent(self.spread), ratio(self.ratio_to_ours),
            ratio(self.ratio_to_floor), error(self.value_ulps), error(self.gradient_ulps),
            error(self.gradient_typical_ulps),
        )  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """Ours, each peer and the memory floor on one case.

    Args:
        case: what was measured.
        rows: symcalc and its other calls first, the floor last, peers between them, the fastest
            first.
        threads: how many threads each had.
        rounds: how many timed batches each had.
        bytes_moved: bytes that any method must move.
        footnotes: which peers are left out and why.
        machine: the processor and the versions it was measured with.
        what: was timed, in words.
    """

    case: Case
    rows: tuple[Row, ...]
    threads: int
    rounds: int
    bytes_moved: int
    footnotes: tuple[str, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    what: str = "value and gradient"

    def row(self, name: str) -> Row | None:
        """Return the row of this name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def peers(self) -> tuple[Row, ...]:
        """The rows of peers that ran: neither ours nor the floor, and none that failed."""
        return tuple(row for row in self.rows if row.name not in NOT_PEERS and row.median)

    @property
    def insane(self) -> tuple[Row, ...]:
        """The peers whose results are no results: see `Row.is_sane`."""
        return tuple(row for row in self.peers if not row.is_sane(self.case.dtype))

    @property
    def best_peer(self) -> Row | None:
        """The fastest peer that ran and gave a sane result; None if none did."""
        sane = [row for row in self.peers if row.is_sane(self.case.dtype)]
        return min(sane, key=lambda row: row.median or math.inf, default=None)

    @property
    def title(self) -> str:
        """The case, the threads and the bytes in one line."""
        return (f"{self.case.title}: {self.what}, {self.threads} threads, "
                f"{size(self.bytes_moved)} to move")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it; an infinite error is the text "inf"."""
        data = asdict(self) | {"case": self.case.to_dict(), "machine": dict(self.machine)}
        data["rows"] = [{key: _plain(value) for key, value in row.items()} for row in data["rows"]]
        return data

    def to_json(self) -> str:
        """Return everything as JSON text, which `from_json` reads."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Benchmark:
        """Return the benchmark that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Benchmark:
        """Return the benchmark that `to_dict` wrote."""
        rows = tuple(
            Row(**{key: _unplain(key, value) for key, value in row.items()}) for row in data["rows"]
        )
        case, notes = Case.from_dict(data["case"]), tuple(data["footnotes"])
        return cls(**{**data, "case": case, "rows": rows, "footnotes": notes})

    def to_markdown(self) -> str:
        """Return the table as Markdown, with its footnotes."""
        lines = [f"**{self.title}**", "", pipe(_HEADS), pipe(("---", *["---:"] * 7))]
        lines += [pipe(row.cells()) for row in self.rows]
        lines += ["", *(f"- {note}" for note in (_UNITS, *self.footnotes))]
        return "\n".join(lines) + "\n"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(title=self.title, title_justify="left", caption_justify="left")
        for place, head in enumerate(_HEADS):
            table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
        for row in self.rows:
            style = _STYLES.get(row.name, "")
            table.add_row(*map(Text, row.cells()), style=style)
        yield table
        for note in (_UNITS, *self.footnotes):
            yield Text(note, style="dim")

    def __str__(self) -> str:
        console = Console(width=110, color_system=None, force_terminal=False)
        with console.capture() as captured:
            console.print(self)
        return captured.get()


def rows(measured: list[Measured]) -> tuple[Row, ...]:
    """Return the rows of what was measured, absent peers left out: ours, then the fastest first."""
    medians = {m.peer.name: statistics.median(m.times) for m in measured if m.runs and m.times}
    made = [_row(m, medians) for m in measured if not m.absent]
    rank = {OURS.name: -3.0, FRESH.name: -2.0, BOUND.name: -1.0, FLOOR.name: math.inf}
    return tuple(sorted(made, key=lambda r: rank.get(r.name, r.median or 1e300)))


def _row(measured: Measured, medians: dict[str, float]) -> Row:
    name = measured.peer.name
    if name not in medians:
        return Row(name, note=f"failed: {measured.failed or 'no rounds'}")
    median, accuracy = medians[name], measured.accuracy
    return Row(
        name, median, _spread(measured.times, median), _over(median, medians.get(OURS.name)),
        _over(median, medians.get(FLOOR.name)),
        accuracy.value if accuracy else None, accuracy.gradient if accuracy else None,
        accuracy.gradient_median if accuracy else None, measured.first, tuple(measured.times),
        value_typical_ulps=accuracy.value_median if accuracy else None,
    )  # fmt: skip


def _over(median: float, base: float | None) -> float | None:
    return median / base if base else None


def _spread(times: list[float], median: float) -> float | None:
    if len(times) < 2:
        return None
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / median


def seconds(value: float | None) -> str:
    """Return a time in the unit that suits it: "12.3 ms"."""
    if value is None:
        return ""
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{_three(value / factor)} {unit}"
    return f"{_three(value / 1e-9)} ns"


def _three(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f}%"


def ratio(value: float | None) -> str:
    """Return how many times one time is another: "3.20x"."""
    return "" if value is None else f"{value:.2f}x"


def error(value: float | None) -> str:
    """Return an error in ulps with the digits that matter."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}" if value < 1e5 else f"{value:.1e}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it: "240 MB"."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{_three(count / factor)} {unit}"
    return f"{count} bytes"


def pipe(cells: Iterable[str]) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _unplain(key: str, value: Any) -> Any:
    if key == "times":
        return tuple(value)
    return float(value) if isinstance(value, str) and key not in ("name", "note") else value
