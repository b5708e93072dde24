"""Guards: places that a condition keeps in bounds, so that no range need be narrowed for them.

`where(t > 0, V[t-1], 0)` looks at V[t-1] where t - 1 >= 0, and `sum(j <= i, x[i-j]*w[j])` at x[i-j]
where i - j >= 0: each runs over everything there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from symcalc.notation.conditions import Where
from symcalc.notation.dims import FAR, Dim, Index
from symcalc.notation.places import Look, affine, extreme
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access


def looks(body: Any, guards: tuple[Any, ...] = ()) -> Iterator[Look]:
    """Run through the places of a formula, with what the conditions around them leave open.

    Args:
        body: the formula.
        guards: expressions of indices that are not negative where it is looked at.

    Returns:
        The places of accesses and of recurrences' entries.
    """
    if isinstance(body, Access):
        for place, extent in zip(body.places, body.tensor.shape, strict=True):
            below, above = (not _is_kept(g, guards) for g in (place, extent - 1 - place))
            yield Look(place, extent, below, above)
            yield from looks(place, guards)
        return
    if isinstance(body, Recurrence):
        yield Look(body.place, body.index.extent)
    if isinstance(body, Where):
        when, then, otherwise = body.args
        yield from looks(when, guards)
        yield from looks(then, (*guards, *_not_negative(when)))
        yield from looks(otherwise, (*guards, *_not_negative(sp.Not(when))))
        return
    for argument in body.args:
        yield from looks(argument, guards)


def _is_kept(gap: Any, guards: tuple[Any, ...]) -> bool:
    """Whether a guard keeps an expression from being negative."""
    return any(_never_negative(gap - guard) for guard in guards)


def _never_negative(gap: Any) -> bool:
    apart = affine(gap)
    if apart is None or any(index.extent == FAR for index in apart.coefficients):
        return False
    return bool(extreme(apart, False).is_nonnegative)


def _not_negative(when: Any) -> tuple[Any, ...]:
    """Return what a condition on indices says is not negative."""
    found: list[Any] = []
    for part in when.args if isinstance(when, sp.And) else (when,):
        if not isinstance(part, Relational) or part.atoms(Access):
            continue
        gap = part.lhs - part.rhs
        if all(isinstance(symbol, (Index, Dim)) for symbol in gap.free_symbols):
            found += {
                sp.Ge: (gap,), sp.Gt: (gap - 1,), sp.Le: (-gap,), sp.Lt: (-gap - 1,),
                sp.Eq: (gap, -gap),
            }.get(part.func, ())  # fmt: skip
    return tuple(found)
