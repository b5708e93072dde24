"""Recurrences of first order: `y[t] = a[t] y[t-1] + b[t]`, and the same run backwards.

Each binds its index, as a reduction does, and says beside it at which place its value is asked for:
`y[t+1]` is the node of `y[t]` with another place, and no other difference.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.dims import Index, unused
from symcalc.notation.errors import NotationError


class Recurrence(sp.Expr):
    """Base: one entry of the sequence that a linear equation of first order defines.

    `args` are the decay and the term (formulas in the bound index), what comes before the first
    entry, the bound index, and the place of the entry.
    """

    is_commutative = True
    spelling = ""

    @property
    def decay(self) -> Any:
        """What the entry before is multiplied by."""
        return self.args[0]

    @property
    def term(self) -> Any:
        """What is added."""
        return self.args[1]

    @property
    def start(self) -> Any:
        """What stands in for the entry before the first."""
        return self.args[2]

    @property
    def index(self) -> Index:
        """The bound index."""
        return self.args[3]

    @property
    def place(self) -> Any:
        """Where the value is asked for: an index, shifted or not, or a whole number."""
        return self.args[4]

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        """Decay, term and start."""
        return self.args[:3]

    @property
    def free_symbols(self) -> set[Any]:
        """Those of decay and term, less the bound index, and those of start and place.

        The extent is none, as in a reduction.
        """
        inside = (self.decay.free_symbols | self.term.free_symbols) - {self.index}
        outside = self.start.free_symbols | self.place.free_symbols
        return inside | outside

    __iter__ = None  # having places does not make a recurrence a sequence of Python's

    def __getitem__(self, place: Any) -> Any:
        return self.asked(sp.sympify(place))

    def asked(self, place: Any) -> Any:
        """Return another entry: `y[t - 1]`, `y[0]`, where y is the entry at t."""
        return self.func(*self.args[:4], place)

    def refreshed(self) -> Any:
        """Return the same entry under a bound index of its own."""
        bound = self.index.fresh()
        return self._under(bound)

    def entry(self, index: Any, before: Any) -> Any:
        """Return the defining formula at an index, of the entry before it: `a before + b`."""
        at = {self.index: index}
        return self.decay.xreplace(at) * before + self.term.xreplace(at)

    def before(self, index: Any) -> Any:
        """Return the place of the entry that an entry is computed from."""
        raise NotImplementedError

    def first(self, index: Any) -> Any:
        """Return the condition that an entry is the first one computed."""
        raise NotImplementedError

    def order(self, count: int) -> range:
        """Return the places of so many entries, in the order in which they are computed."""
        raise NotImplementedError

    def readable(self) -> Any:
        """Rename the bound index where its letter would be mistaken for a free one."""
        taken = {s.name for s in self.free_symbols if isinstance(s, Index)}
        if self.index.name not in taken:
            return self
        return self._under(self.index.fresh(unused(self.index.name, taken)))

    def _under(self, bound: Index) -> Any:
        at = {self.index: bound}
        decay, term = self.decay.xreplace(at), self.term.xreplace(at)
        return self.func(decay, term, self.start, bound, self.place)

    def _eval_derivative(self, symbol: Any) -> Any:
        if symbol not in self.free_symbols:
            return sp.Integer(0)
        raise NotationError(f"{self}: a recurrence is differentiated by the calculus, not by diff")

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool | None:
        return True if all(part.is_nonnegative for part in self.parts) else None

    def _sympystr(self, printer: Any) -> str:
        plain = isinstance(self.place, Index) and self.place.extent == self.index.extent
        clash = self.decay.free_symbols | self.term.free_symbols
        if plain and self.place not in clash:
            shown = self._under(self.place)
            words = [self.place.name, *map(printer._print, (shown.decay, shown.term))]
            words += [printer._print(self.start)] if self.start != 0 else []
        else:
            shown = self.readable()
            words = [shown.index.name, *map(printer._print, (*shown.parts, self.place))]
        return f"{self.spelling}({', '.join(words)})"


class Scan(Recurrence):
    """y[t] = a[t] y[t-1] + b[t] from the first entry on; y[-1] is the start."""

    spelling = "scan"

    def before(self, index: Any) -> Any:
        """Return index - 1."""
        return index - 1

    def first(self, index: Any) -> Any:
        """Return index = 0."""
        return sp.Eq(index, 0)

    def order(self, count: int) -> range:
        """Count upwards."""
        return range(count)


class ReverseScan(Recurrence):
    """y[t] = a[t] y[t+1] + b[t] from the last entry down; y[T] is the start."""

    spelling = "reverse_scan"

    def before(self, index: Any) -> Any:
        """Return index + 1."""
        return index + 1

    def first(self, index: Any) -> Any:
        """Return index = T - 1."""
        return sp.Eq(index, self.index.extent - 1)

    def order(self, count: int) -> range:
        """Count downwards."""
        return range(count - 1, -1, -1)


def recurrences(expression: Any) -> list[Recurrence]:
    """Return every recurrence in an expression, in a fixed order, those inside others too."""
    found = [n for n in sp.preorder_traversal(expression) if isinstance(n, Recurrence)]
    return list(dict.fromkeys(found))
