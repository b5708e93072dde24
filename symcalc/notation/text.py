"""Formulas as text, spelled as the parser reads them."""

from __future__ import annotations

from typing import Any

from sympy.printing.str import StrPrinter


class TextPrinter(StrPrinter):
    """SymPy's own text, but what is added stands before what is taken away: `x[i] - mu`."""

    def _print_Infinity(self, expr: Any) -> str:
        return "inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-inf"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        terms = self._as_ordered_terms(expr, order=order)
        plus = [term for term in terms if not term.could_extract_minus_sign()]
        minus = [term for term in terms if term.could_extract_minus_sign()]
        first, *rest = [self.parenthesize(term, 30) for term in (*plus, *minus)]
        for word in rest:
            first += f" - {word[1:]}" if word.startswith("-") else f" + {word}"
        return first


def text(expression: Any) -> str:
    """Return a formula as text that `parse` reads back, given its shapes and domains."""
    return str(TextPrinter().doprint(expression))
