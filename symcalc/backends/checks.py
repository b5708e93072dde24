"""Domain checks as equations of their own, so that the kernel's one pass computes them too.

A probability of 1.2 shows in the greatest entry, a label of 3 among -1 and +1 in a count: each is
one more reduction over an input that is read anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Lifter, Namer
from symcalc.notation.atoms import abs as absolute
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index, unused
from symcalc.notation.domains import Domain
from symcalc.notation.reductions import Max, Min, Sum
from symcalc.notation.tensors import Tensor

ROW_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DomainCheck:
    """One number that tells whether an input lies in its domain.

    Args:
        of: the input.
        measured: the tensor that holds the number.
        admits: whether the number is in order; NaN always is, for it propagates.
        expected: what was expected, in words.
        found: what the number says, as a message part, such as "a greatest entry of".
    """

    of: Tensor
    measured: Tensor
    admits: Callable[[float], bool]
    expected: str
    found: str


def domain_checks(
    inputs: tuple[Tensor, ...], namer: Namer
) -> tuple[list[Equation], list[DomainCheck]]:
    """Return the equations that measure the inputs, and what to make of the results.

    Labels are not among them: they must be known good before a kernel reads by them.
    """
    lifter = Lifter(namer)
    checks = []
    for tensor in inputs:
        if tensor.domain.integer or not tensor.domain.is_checked or not tensor.shape:
            continue
        for name, body, admits, found in _measures(tensor):
            measured = lifter.define(f"{tensor.name}_{name}", (), body)
            checks.append(DomainCheck(tensor, measured, admits, tensor.domain.describe(), found))
    return lifter.equations, checks


def _measures(tensor: Tensor) -> list[tuple[str, Any, Callable[[float], bool], str]]:
    """The reductions that decide whether an input lies in its domain."""
    domain, indices = tensor.domain, _indices(tensor)
    entry = tensor[indices]
    if domain.values:
        good = sp.Or(*(sp.Eq(entry, sp.nsimplify(value)) for value in domain.values))
        stray = Where(good, 0, 1)
        return [("strays", _over(Sum, indices, stray), lambda n: n == 0, "stray entries:")]
    found: list[tuple[str, Any, Callable[[float], bool], str]] = []
    if domain.lower > -float("inf"):
        found.append(("low", _over(Min, indices, entry), _not_below(domain), "a least entry of"))
    if domain.upper < float("inf"):
        upper = domain.upper
        found.append(
            ("high", _over(Max, indices, entry), lambda v: not v > upper, "a greatest entry of")
        )
    if domain.positive_total:
        found.append(("total", _over(Sum, indices, entry), lambda v: not v <= 0, "a total of"))
    if domain.rows_sum_to_one:
        *rows, last = indices
        off = absolute(Sum.over(last, entry) - 1)
        found.append(
            ("row_error", _over(Max, tuple(rows), off) if rows else off,
             lambda v: not v > ROW_SUM_TOLERANCE, "a row sum off by")
        )  # fmt: skip
    return found


def _not_below(domain: Domain) -> Callable[[float], bool]:
    lower = domain.lower
    return (lambda v: not v <= lower) if domain.open_lower else (lambda v: not v < lower)


def _indices(tensor: Tensor) -> tuple[Index, ...]:
    made: list[Index] = []
    for extent in tensor.shape:
        made.append(Index(unused("ijklm"[len(made) % 5], {i.name for i in made}), extent))
    return tuple(made)


def _over(kind: Any, indices: tuple[Index, ...], body: Any) -> Any:
    for index in reversed(indices):
        body = kind.over(index, body)
    return body
