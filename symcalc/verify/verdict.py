"""What a check says: rows of method, worst point, error, bound and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VALUE, GRADIENT, HVP, DIAGONAL = "value", "gradient", "hvp", "hessian diagonal"
PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
_STYLES = {PASS: "green", FAIL: "bold red", INCONCLUSIVE: "yellow"}


@dataclass(frozen=True)
class CheckRow:
    """The outcome of one method for one input.

    Args:
        method: what bore witness.
        wrt: the input whose gradient was held against it, or "value".
        worst: where the error is worst relative to its bound.
        error: the error there.
        bound: what it may be at most.
        verdict: PASS, FAIL or INCONCLUSIVE.
        points: how many entries were compared.
        of: what was held against it: "gradient" (or the value), "jvp", "hvp", "hessian diagonal".
    """

    method: str
    wrt: str
    worst: str
    error: float
    bound: float
    verdict: str
    points: int
    of: str = GRADIENT

    @property
    def what(self) -> str:
        """What was held against the witness, in words: "value", "logits", "hvp by logits"."""
        return self.wrt if self.of == GRADIENT else f"{self.of} by {self.wrt}"


@dataclass(frozen=True)
class CheckReport:
    """The outcome of all methods; true only if every row passed.

    Args:
        name: the objective's name.
        rows: one a method and input.
    """

    name: str
    rows: tuple[CheckRow, ...]

    def __bool__(self) -> bool:
        return bool(self.rows) and all(row.verdict == PASS for row in self.rows)

    @property
    def verdict(self) -> str:
        """FAIL if any row failed, else INCONCLUSIVE if any is, else PASS."""
        verdicts = {row.verdict for row in self.rows}
        return FAIL if FAIL in verdicts else INCONCLUSIVE if INCONCLUSIVE in verdicts else PASS

    def table(self) -> Any:
        """Return the report as a rich table."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"check of {self.name}: {self.verdict}")
        for column in ("method", "of", "worst at", "error", "bound", "entries", "verdict"):
            number = column in ("error", "bound", "entries")
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in self.rows:
            table.add_row(
                Text(row.method), Text(row.what), Text(row.worst), f"{row.error:.1e}",
                f"{row.bound:.1e}", str(row.points), Text(row.verdict, _STYLES[row.verdict]),
            )  # fmt: skip
        return table

    def __str__(self) -> str:
        lines = [f"check of {self.name}: {self.verdict}"]
        lines += [
            f"  {row.verdict:<12} {row.method}, {row.what}: error {row.error:.1e}, "
            f"bound {row.bound:.1e}, worst at {row.worst}"
            for row in self.rows
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        rows = []
        for row in self.rows:
            cells = (row.method, row.what, row.worst, f"{row.error:.1e}", f"{row.bound:.1e}")
            shown = "".join(f"<td>{escape(cell)}</td>" for cell in (*cells, row.verdict))
            rows.append(f"<tr>{shown}</tr>")
        title = escape(f"check of {self.name}: {self.verdict}")
        return f"<table><caption>{title}</caption>{''.join(rows)}</table>"
