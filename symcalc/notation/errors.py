"""Every error symcalc raises on purpose: each names what was expected and what came."""

from __future__ import annotations


class SymcalcError(Exception):
    """Base of every error that symcalc raises on purpose."""


class NotationError(SymcalcError, ValueError):
    """A formula or an objective's definition does not make sense as written."""


class ParseError(NotationError):
    """A formula given as text cannot be read; the message marks the place under the text.

    Args:
        message: what was expected and what came.
        text: the whole formula.
        column: zero-based place of the fault in `text`.
    """

    def __init__(self, message: str, text: str = "", column: int | None = None) -> None:
        self.reason = message
        self.text = text
        self.column = column
        super().__init__(_mark(message, text, column))


class UnknownObjectiveError(SymcalcError, KeyError):
    """No objective in the catalogue has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class DerivationError(SymcalcError, ValueError):
    """A derivative was asked for that does not exist or is not meant."""


class ArgumentError(SymcalcError, ValueError):
    """A kernel was called with a value that its declaration does not admit."""


class ArgumentTypeError(SymcalcError, TypeError):
    """A kernel was called with an argument of the wrong type, or with too many or too few."""


def _mark(message: str, text: str, column: int | None) -> str:
    """Put a caret under the fault, in a window of the text if the text is long."""
    if not text or column is None:
        return message
    start = max(0, column - 50)
    window = text[start : start + 100].replace("\n", " ")
    lead, tail = ("..." if start else ""), ("..." if start + 100 < len(text) else "")
    return f"{message}\n  {lead}{window}{tail}\n  {' ' * (len(lead) + column - start)}^"
