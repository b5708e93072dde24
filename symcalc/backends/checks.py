"""Domain checks as equations of their own, so that the kernel's one pass computes them too.

Each asks, in one more reduction over an input that is read anyway, whether anything looks wrong;
only then are the entries looked at one by one, to say which and where.

A probability is recognised by its bits: among floating-point numbers, exactly those from 0 to 1
have a bit pattern, read as an unsigned number, of at most that of 1.  A label is recognised
likewise: read as an unsigned number, a negative one is greater than any extent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symcalc.calculus.equations import Equation, Lifter, Namer
from symcalc.notation.atoms import abs as absolute
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index, unused
from symcalc.notation.domains import Domain
from symcalc.notation.reductions import Max, Sum
from symcalc.notation.tensors import Tensor
from symcalc.program.primitives import PATTERNS, UNSIGNED, Pattern, Unsigned

ROW_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DomainCheck:
    """A suspicion about one input.

    Args:
        of: the input.
        place: which of the inputs it is.
        measured: the scalar that is above zero where something looks wrong; of a single number
            itself, which is looked at before the run.
    """

    of: Tensor
    place: int
    measured: Tensor

    def expected(self, sizes: Mapping[Dim, int]) -> str:
        """Say in words what belongs to the domain."""
        below = self.of.domain.below
        if below is None:
            return self.of.domain.describe()
        return f"integer labels, 0 to {sizes[below] - 1} ({below} = {sizes[below]})"

    def complaint(self, array: Any, sizes: Mapping[Dim, int]) -> str:
        """Say which entry is outside the domain; nothing if the suspicion was unfounded.

        NaN is let through: it propagates.
        """
        domain = self.of.domain
        if domain.below is not None:
            outside = np.flatnonzero((array < 0) | (array >= sizes[domain.below]))
        else:
            outside = np.flatnonzero(_outside(domain, array))
        if outside.size:
            place = tuple(int(p) for p in np.unravel_index(outside[0], array.shape))
            return f"{array[place]} at {list(place)}"
        if domain.rows_sum_to_one:
            off = np.abs(np.sum(array, axis=-1, dtype=np.float64) - 1)
            rows = np.flatnonzero(off > ROW_SUM_TOLERANCE)
            if rows.size:
                return f"a row that sums to {np.ravel(array.sum(axis=-1))[rows[0]]}"
        if domain.positive_total and np.sum(array) <= 0:
            return "nothing but zeros"
        return ""


def _outside(domain: Domain, array: Any) -> Any:
    if domain.values:
        return ~(np.isin(array, domain.values) | np.isnan(array))
    below = array <= domain.lower if domain.open_lower else array < domain.lower
    return below | (array > domain.upper) | (np.isinf(array) & domain.finite)


def label_tensors(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the inputs that other arrays are read by."""
    return tuple(tensor for tensor in inputs if tensor.domain.below is not None)


def checked_tensors(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the arrays whose values could lie outside their domain, labels among them."""
    return tuple(tensor for tensor in inputs if tensor.domain.is_checked and tensor.shape)


def number_checks(inputs: tuple[Tensor, ...]) -> list[DomainCheck]:
    """Return the checks of inputs without axes: one number each, which needs no kernel."""
    return [
        DomainCheck(tensor, place, tensor)
        for place, tensor in enumerate(inputs)
        if tensor.domain.is_checked and not tensor.shape
    ]


def domain_checks(
    inputs: tuple[Tensor, ...],
    watched: tuple[Tensor, ...],
    namer: Namer,
    dtype: np.dtype[Any],
) -> tuple[list[Equation], list[DomainCheck]]:
    """Return the equations that raise suspicions about inputs, and what they are about.

    Args:
        inputs: the arrays a kernel is given, in order.
        watched: those to be suspicious of.
        namer: of the new equations' tensors.
        dtype: of the real arrays.
    """
    lifter = Lifter(namer)
    checks = []
    for place, tensor in enumerate(inputs):
        if tensor not in watched:
            continue
        for body in _suspicions(tensor, lifter, dtype):
            measured = lifter.define(f"{tensor.name}_suspect", (), body)
            checks.append(DomainCheck(tensor, place, measured))
    return lifter.equations, checks


def _suspicions(tensor: Tensor, lifter: Lifter, dtype: np.dtype[Any]) -> list[Any]:
    """The scalars that are above zero where an input looks wrong."""
    domain, indices = tensor.domain, _indices(tensor)
    entry = tensor[indices]
    found: list[Any] = []
    if domain.below is not None:
        unsigned = _over(Max, indices, Unsigned(entry, sp.Integer(0), domain.below - 1))
        greatest = lifter.define(f"{tensor.name}_greatest", (), unsigned, UNSIGNED)
        found.append(Where(sp.Ge(greatest[()], domain.below), 1, 0))
    elif domain.lower == 0 and not domain.open_lower and not domain.values:
        pattern = _over(Max, indices, Pattern(entry, sp.nsimplify(0), _limit(domain.upper)))
        greatest = lifter.define(f"{tensor.name}_pattern", (), pattern, PATTERNS)
        found.append(Where(greatest[()] > _bits(domain.upper, dtype), 1, 0))
    else:
        found.append(_over(Sum, indices, Where(_good(domain, entry, dtype), 0, 1)))
    if domain.rows_sum_to_one:
        *rows, last = indices
        off = absolute(Sum.over(last, entry) - 1)
        worst = _over(Max, tuple(rows), off) if rows else off
        found.append(Where(worst <= sp.Rational(str(ROW_SUM_TOLERANCE)), 0, 1))
    if domain.positive_total:
        found.append(Where(_over(Sum, indices, entry) > 0, 0, 1))
    return found


def _good(domain: Domain, entry: Any, dtype: np.dtype[Any]) -> Any:
    """The condition that an entry is in order.

    An open bound is asked for by the next number above it: SymPy, which takes the domain's word
    for it, would find `entry > 0` true.
    """
    if domain.values == (-1.0, 1.0):
        return sp.Eq(absolute(entry), 1)
    if domain.values:
        return sp.Or(*(sp.Eq(entry, sp.nsimplify(value)) for value in domain.values))
    conditions = []
    if domain.lower > -float("inf"):
        lower = sp.nsimplify(domain.lower)
        if domain.open_lower:
            lower = sp.Float(float(np.nextafter(dtype.type(domain.lower), dtype.type(np.inf))))
        conditions.append(sp.GreaterThan(entry, lower, evaluate=False))
    if domain.upper < float("inf"):
        conditions.append(sp.LessThan(entry, sp.nsimplify(domain.upper), evaluate=False))
    if domain.finite:
        most = sp.Float(float(np.finfo(dtype).max) / 2)  # what is beyond is looked at
        conditions.append(sp.LessThan(absolute(entry), most, evaluate=False))
    return sp.And(*conditions)


def _limit(upper: float) -> Any:
    return sp.nsimplify(upper) if upper < float("inf") else sp.oo


def _bits(value: float, dtype: np.dtype[Any]) -> Any:
    """The bit pattern of a number, as an unsigned number."""
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    return sp.Integer(int(np.array(value, dtype).view(unsigned)))


def _indices(tensor: Tensor) -> tuple[Index, ...]:
    made: list[Index] = []
    for extent in tensor.shape:
        made.append(Index(unused("ijklm"[len(made) % 5], {i.name for i in made}), extent))
    return tuple(made)


def _over(kind: Any, indices: tuple[Index, ...], body: Any) -> Any:
    for index in reversed(indices):
        body = kind.over(index, body)
    return body
