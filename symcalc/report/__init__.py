"""Pages that a person reads: definition, gradient, how it comes about, what proves it."""

from symcalc.report.blocks import CheckRow, Figure, Page
from symcalc.report.errors import ReportError, ReportWriteError
from symcalc.report.page import build_page
from symcalc.report.writer import FORMATS, known_formats, write

__all__ = [
    "FORMATS", "CheckRow", "Figure", "Page", "ReportError", "ReportWriteError", "build_page",
    "known_formats",
    "write",
]  # fmt: skip
