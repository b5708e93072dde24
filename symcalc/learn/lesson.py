"""Lessons: what a learning command hands over, a table and a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from symcalc.notation.errors import ArgumentError

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


def check_positive(**numbers: float) -> None:
    """Refuse a number that is not above 0 and finite, before anything is compiled.

    Raises:
        ArgumentError: there is one.
    """
    for name, number in numbers.items():
        if not 0 < number < float("inf"):
            raise ArgumentError(f"{name}: expected a number above 0, got {number:g}")
