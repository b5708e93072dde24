"""Bounded numbers: what a kernel should have computed, and how far off what it did compute may be.

A number of the kernel is written x + e, where the ball of x is what exact arithmetic gives and the
bound of |e| grows with every operation: fl(a op b) = (a op b)(1 + d) with |d| <= u, and where the
result is subnormal an absolute half of the smallest subnormal. Nothing of second order is left
out: the bound of a product is |a| eb + |b| ea + ea eb, that of a function the greatest slope over
everything its argument may be, times the argument's error.

Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), sections 2.2 and 3.3.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flint


@dataclass(frozen=True)
class Format:
    """A floating-point format.

    Args:
        digits: of the significand, in bits.
        least: the exponent of the smallest subnormal.
        most: the exponent of the first power of two that overflows.
    """

    digits: int
    least: int
    most: int

    @property
    def unit(self) -> Any:
        """The unit roundoff: what one rounding may change at most, relatively."""
        return _power_of_two(-self.digits)

    @property
    def smallest(self) -> Any:
        """The smallest subnormal."""
        return _power_of_two(self.least)

    def ulp(self, size: Any) -> Any:
        """Return the distance between numbers of this format just below a size."""
        return _power_of_two(max(exponent(size) - self.digits, self.least))

    def holds(self, number: Any) -> bool:
        """Whether a ball is a single number, and one of this format."""
        if not number.is_exact():
            return False
        if not number.is_finite():
            return not number.is_nan()
        mantissa, shift = number.man_exp()
        bits = int(mantissa).bit_length()
        return not bits or (
            bits <= self.digits and shift >= self.least and shift + bits <= self.most
        )

    def overflows(self, size: Any) -> bool:
        """Whether a size is beyond the greatest number of this format, or may be."""
        return not size.is_finite() or exponent(size) > self.most


DOUBLE = Format(53, -1074, 1024)
SINGLE = Format(24, -149, 128)
FORMATS = {"float64": DOUBLE, "float32": SINGLE}
ZERO, INFINITE = flint.arb(0), flint.arb("+inf")


@functools.lru_cache(maxsize=8192)
def _power_of_two(power: int) -> Any:
    return flint.arb(2) ** power


def exponent(size: Any) -> int:
    """Return the least k with |size| < 2**k; a very small one for zero."""
    if not size.is_finite():
        return 1 << 30
    mantissa, shift = size.abs_upper().man_exp()
    bits = int(mantissa).bit_length()
    return int(shift) + bits if bits else -(1 << 30)


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number as a kernel has it.

    Args:
        exact: the ball of what it should be.
        error: how far off it is at most, a number; infinite where nothing can be said.
        format: what it was rounded to.
    """

    exact: Any
    error: Any
    format: Format

    @property
    def top(self) -> Any:
        """The greatest size it may have."""
        return (abs(self.exact) + self.error).abs_upper()

    @property
    def fat(self) -> Any:
        """The ball of everything it may be."""
        return self.exact + (ZERO if self.error == 0 else flint.arb(0, self.error))

    @property
    def is_exact(self) -> bool:
        """Whether the kernel has the very number."""
        return bool(self.error == 0 and self.exact.is_exact())

    @property
    def is_nothing(self) -> bool:
        """Whether it is zero, and certainly so."""
        return bool(self.error == 0 and self.exact == 0)

    @property
    def is_shift(self) -> bool:
        """Whether it is a power of two: multiplying by it rounds nothing."""
        if not self.is_exact or self.exact == 0 or not self.exact.is_finite():
            return False
        return abs(int(self.exact.man_exp()[0])) == 1

    def __neg__(self) -> Bounded:
        return Bounded(-self.exact, self.error, self.format)


def number(value: Any, format: Format) -> Bounded:
    """Return what a kernel was given, which is exact."""
    return Bounded(flint.arb(value), ZERO, format)


class Arithmetic:
    """What a processor does in one format.

    Args:
        format: what every result is rounded to.

    Attributes:
        overflowed: whether a finite result has certainly been too large for the format.
    """

    def __init__(self, format: Format) -> None:
        self.format = format
        self.overflowed = False

    def rounded(self, exact: Any, error: Any, ulps: float = 0.5) -> Bounded:
        """Return a result that is off by an error, after a rounding of so many ulps."""
        error = error.abs_upper()
        if error == 0 and ulps == 0.5 and self.format.holds(exact):
            return Bounded(exact, ZERO, self.format)
        if abs(exact) == INFINITE and error.is_finite():  # no error moves an infinity
            return Bounded(exact, ZERO, self.format)
        top = (abs(exact) + error).abs_upper()
        if self.format.overflows(top):
            least = abs(exact) - error
            if least.is_finite() and least > _power_of_two(self.format.most):
                self.overflowed = True
            return Bounded(exact, INFINITE, self.format)
        return Bounded(exact, (error + self.format.ulp(top) * ulps).abs_upper(), self.format)

    def shifted(self, exact: Any, error: Any) -> Bounded:
        """Return a result that only a subnormal or an infinite one needs a rounding for."""
        if exponent(exact) - self.format.digits <= self.format.least + 1:
            return self.rounded(exact, error)
        return self.rounded(exact, error, 0.0)

    def held(self, value: Bounded) -> Bounded:
        """Return a number as this format holds it."""
        if value.format.digits <= self.format.digits:
            return value
        return self.rounded(value.exact, value.error)

    def literal(self, exact: Any) -> Bounded:
        """Return a constant of the source."""
        return self.rounded(exact, ZERO)

    def add(self, terms: Sequence[Bounded]) -> Bounded:
        """Return a sum, one term taken in after another, in whatever order.

        The running totals are sums of two terms, of three and so on: none is greater than the
        greatest sum of that many.
        """
        found = [term for term in terms if not term.is_nothing] or list(terms[:1])
        exact, error = _total(found)
        if not exact.is_finite():
            return self.rounded(exact, error)
        if len(found) == 1:
            return self.rounded(exact, error, 0.0)
        for size in _running(found):
            if size == math.inf:
                return Bounded(exact, INFINITE, self.format)
            error = error + self.format.ulp(flint.arb(size) + error) / 2
        return self.rounded(exact, error)

    def gather(self, terms: Sequence[Bounded]) -> Bounded:
        """Return a sum of many terms, added up in whatever order and in any number of parts."""
        found = [term for term in terms if not term.is_nothing]
        if not found:
            return Bounded(ZERO, ZERO, self.format)
        exact, error = _total(found)
        if not exact.is_finite():
            return self.rounded(exact, error)
        if len(found) == 1:
            return self.rounded(exact, error, 0.0)
        above = sum((max(float(t.exact), 0.0) for t in found), 0.0)
        below = sum((max(-float(t.exact), 0.0) for t in found), 0.0)
        largest = max(above, below) * _SLACK
        if largest == math.inf:
            return Bounded(exact, INFINITE, self.format)
        half = self.format.ulp(flint.arb(largest) + error) / 2
        return self.rounded(exact, error + half * (len(found) - 2))

    def multiply(self, factors: Sequence[Bounded]) -> Bounded:
        """Return a product, one factor taken in after another, in whatever order."""
        exact, error = factors[0].exact, factors[0].error
        for factor in factors[1:]:
            error = abs(exact) * factor.error + (abs(factor.exact) + factor.error) * error
            exact = exact * factor.exact
        if len(factors) == 1:
            return Bounded(exact, error, factors[0].format)
        sizes = [exponent(factor.top) for factor in factors]
        among = len(factors) > 2  # products between, that may leave the format's range
        if among and sum(size for size in sizes if size > 0) > self.format.most:
            return Bounded(exact, INFINITE, self.format)
        if exact == 0 and error == 0:
            return Bounded(exact, ZERO, self.format)
        low = sum(size - 1 for size in sizes if size <= 0)
        if among and low - self.format.digits <= self.format.least + 1:
            grown = math.prod((max(factor.top, _ONE) for factor in factors), start=_ONE)
            error = error + self.format.smallest * grown * (len(factors) - 2)
        elif error == 0 and self.format.holds(exact):
            return Bounded(exact, ZERO, self.format)
        roundings = sum(not factor.is_shift for factor in factors) - 1
        if roundings <= 0:
            return self.shifted(exact, error)
        lost = (abs(exact) + error) * self.format.unit * (roundings - 1)
        return self.rounded(exact, error + lost)

    def divide(self, above: Bounded, below: Bounded) -> Bounded:
        """Return a quotient."""
        exact = above.exact / below.exact
        if above.is_nothing and exact == 0:
            return Bounded(exact, ZERO, self.format)
        least = abs(below.exact) - below.error
        if not least > 0:
            return Bounded(exact, INFINITE, self.format)
        error = (above.error + abs(exact) * below.error) / least
        if below.is_shift:
            return self.shifted(exact, error)
        return self.rounded(exact, error)

    def root(self, value: Bounded) -> Bounded:
        """Return a square root."""
        exact = value.exact.sqrt()
        if value.error == 0:
            return self.rounded(exact, ZERO)
        least = exact.abs_lower()
        wide = value.error.sqrt()
        error = wide if least == 0 else min(wide, value.error / least)
        return self.rounded(exact, error)

    def apply(
        self, function: Callable[..., Any], slopes: Callable[..., Sequence[Any]],
        arguments: Sequence[Bounded], ulps: float,
    ) -> Bounded:  # fmt: skip
        """Return a function, computed to so many ulps.

        Args:
            function: of balls.
            slopes: its partial derivatives, of balls.
            arguments: what it is given.
            ulps: the error of the kernel's own, in units in the last place of the result.
        """
        exact = function(*(argument.exact for argument in arguments))
        error = ZERO
        if any(argument.error > 0 for argument in arguments):
            if not all(argument.error.is_finite() for argument in arguments):
                return Bounded(exact, INFINITE, self.format)
            for slope, argument in zip(slopes(*(a.fat for a in arguments)), arguments, strict=True):
                if argument.error > 0:
                    error = error + abs(slope) * argument.error
            if not error.is_finite():
                error = INFINITE
        return self.rounded(exact, error, ulps)


_SLACK = 1 + 1e-9
_ONE = flint.arb(1)


def _total(terms: Sequence[Bounded]) -> tuple[Any, Any]:
    exact, error = ZERO, ZERO
    for term in terms:
        exact, error = exact + term.exact, error + term.error
    return exact, error


def _running(terms: Sequence[Bounded]) -> list[float]:
    """The greatest size of a sum of two, three, ... of the terms, but not of all."""
    if len(terms) < 3:
        return []
    values = sorted(float(term.exact) for term in terms)
    below, above, found = 0.0, 0.0, []
    for low, high in zip(values[:-1], values[:0:-1], strict=True):
        below, above = below + low, above + high
        found.append(max(-below, above) * _SLACK)
    return found[1:]
