"""What can go wrong when a report is written."""

from __future__ import annotations

from symcalc.notation.errors import SymcalcError


class ReportError(SymcalcError, ValueError):
    """A report was asked for in a way that makes no sense: an unknown format, an odd name."""


class ReportWriteError(SymcalcError, OSError):
    """A report could not be written where it was to go."""


class MissingTypstError(SymcalcError, ImportError):
    """A PDF was asked for, and the package that sets it is not installed."""
