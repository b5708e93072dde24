"""Partial: a derivative that is written down but not yet taken."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.tensors import Access


class Partial(sp.Expr):
    """The partial derivative of a formula by one access, not yet taken."""

    is_commutative = True

    @property
    def body(self) -> Any:
        """The formula."""
        return self.args[0]

    @property
    def by(self) -> Access:
        """The access it is to be differentiated by."""
        return self.args[1]

    @property
    def free_symbols(self) -> set[Any]:
        """Those of the formula: what it is differentiated by stands in it."""
        return set(self.body.free_symbols | self.by.free_symbols)

    def _sympystr(self, printer: Any) -> str:
        return f"d({printer._print(self.body)})/d({printer._print(self.by)})"
