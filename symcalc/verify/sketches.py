"""Sketches: all entries of a derivative at once, along a random direction.

A gradient has g . v for its slope along v, and a Hessian's product Hw has u . Hw for the mixed
derivative along u and w. Two arrays that differ in any entry differ in that number too, but for one
direction in some millions (Schwartz, Zippel); so one evaluation of the value shows what one an
entry would. What keeps it as strict is that the entries along one direction are of like size, and
that its ball is narrow beside the least of them: no entry's error hides behind another entry.

Whatever a sketch does not confirm is looked at entry by entry: kinks, ends of domains, infinities
and errors, so that the report names the entry.

Reference: Schwartz (1980), doi:10.1145/322217.322225.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from symcalc.calculus.balls import ball
from symcalc.verify.enclosures import Enclosures, NoEnclosureError, places_of
from symcalc.verify.formula import (
    TANGENT,
    Arrays,
    Finding,
    Formula,
    any_direction,
    claim_of,
    compared,
    paired,
)
from symcalc.verify.sampling import Point
from symcalc.verify.verdict import PASS

_ALIKE = 12  # entries along one direction are within so many powers of two
_BITS = 60  # of relative accuracy that a sketch shows of each entry
_LEAST = -1010  # entries less than two to this, zeros among them, are held to two to -1070

Entry = tuple[str, tuple[int, ...]]


class Sketched(Formula):
    """Holds the equations of a derivation against enclosures, whole arrays at a time.

    It finds what `Formula` finds; the arguments are the same.
    """

    def slopes(self, truth: Enclosures, wrt: str, found: Any) -> Any:
        """Return what the gradient by an input must be: what it is, if a sketch confirms that."""
        if _are_confirmed(truth, {wrt: found}):
            return found
        return super().slopes(truth, wrt, found)

    def rows(self, truth: Enclosures, vectors: Arrays, found: Arrays) -> Arrays:
        """Return what the Hessian's product must be: what it is, if a sketch confirms that."""
        if _are_confirmed(truth, found, vectors):
            return found
        return super().rows(truth, vectors, found)

    def _tangents(self, truth: Enclosures, point: Point) -> Iterator[Finding]:
        """Hold the value's derivative along a direction in which all inputs move."""
        found = self.tangents(truth, point, self.derivation.wrt)
        held = [
            finding
            for wrt in self.derivation.wrt
            for finding in compared(claim_of(TANGENT, wrt, point), *found)
        ]
        if held and all(finding.verdict == PASS for finding in held):
            yield from held
        else:
            yield from super()._tangents(truth, point)


def _are_confirmed(truth: Enclosures, claimed: Arrays, vectors: Arrays | None = None) -> bool:
    """Whether a gradient, or with vectors a Hessian's product with them, is what it is to be."""
    if any(isinstance(balls, Exception) for balls in claimed.values()):
        return False
    rng = np.random.default_rng((1, *truth.point.extents.values()))
    shapes = {name: balls.shape for name, balls in claimed.items()}
    try:
        return all(
            _is_confirmed(truth, claimed, _direction(rng, shapes, group), least, vectors)
            for least, group in _groups(claimed)
        )
    except NoEnclosureError:
        return False


def _is_confirmed(
    truth: Enclosures, claimed: Arrays, direction: Arrays, least: int, vectors: Arrays | None
) -> bool:
    width = ball(2) ** (least - _BITS)
    came = paired(claimed, direction)
    if not came.rad() <= width:
        return False
    if vectors is not None:
        return bool(came.overlaps(truth.form(direction, vectors, width)))
    slope = truth.slope(direction, width)
    return slope.is_smooth and bool(came.overlaps(slope.right))


def _groups(claimed: Arrays) -> Iterator[tuple[int, list[Entry]]]:
    """Yield entries of like size, behind the power of two that none of them is less than."""
    sizes = {
        (name, place): _size(balls[place])
        for name, balls in claimed.items()
        for place in places_of(balls.shape)
    }
    left = sorted(sizes, key=lambda entry: sizes[entry])
    while left:
        least = sizes[left[0]]
        group = [entry for entry in left if sizes[entry] <= least + _ALIKE]
        yield least, group
        left = left[len(group) :]


def _size(number: Any) -> int:
    """The greatest power of two that an entry is not less than."""
    if not abs(number) > 0:
        return _LEAST
    mantissa, exponent = number.abs_lower().man_exp()
    return max(int(mantissa).bit_length() + int(exponent) - 1, _LEAST)


def _direction(
    rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], group: list[Entry]
) -> Arrays:
    """A direction in which the entries of a group move, and nothing else."""
    found: Arrays = {}
    for name, shape in shapes.items():
        places = [place for other, place in group if other == name]
        steps = any_direction(rng, shape)
        if places:
            found[name] = np.zeros(shape)
            for place in places:
                found[name][place] = steps[place]
    return found
