"""Lessons: what a learning command hands over, a table and a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Progress = Callable[[int, int, str], None]  # steps done, steps in all, what to say of them


class Lesson(Protocol):
    """A finished run that can be shown."""

    def table(self) -> list[tuple[str, ...]]:
        """Return what was measured, as rows of words; the first row is the heading."""

    def draw(self) -> Any:
        """Return the picture, a matplotlib figure."""


def silent(done: int, total: int, words: str) -> None:
    """Show no progress."""


def seconds(spent: float) -> str:
    """Return a time in words: 0.52 s."""
    return f"{spent:.2g} s" if spent < 10 else f"{spent:.0f} s"
