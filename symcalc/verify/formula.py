"""The formula: derived equations against enclosures by power series, ball against ball.

Both sides are certain to hold what they stand for. Two balls that do not meet prove the equations
wrong; two that meet, each narrow to eighty bits, leave no error beyond 1e-24 of the entry. Nothing
is tolerated, so nothing right is ever accused. At a kink the equations must give a subgradient:
a number between the one-sided derivatives, entry by entry and, where one boundary alone is met,
along directions that move several entries at once; or, where several boundaries meet, a number
between the slopes of the pieces around. Where a derivative jumps there is no curvature to hold the
equations to, and none is looked at; nor is anything where the truth itself is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from symcalc.calculus.balls import ball
from symcalc.calculus.derive import Derivation
from symcalc.calculus.orders import Product
from symcalc.notation.errors import SymcalcError
from symcalc.notation.objective import Objective
from symcalc.verify.derived import Derived
from symcalc.verify.enclosures import (
    Enclosure,
    Enclosures,
    KinkError,
    NoEnclosureError,
    SingularError,
    places_of,
)
from symcalc.verify.sampling import KINK, TIE, Point
from symcalc.verify.ulps import precise
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS

VALUE, GRADIENT, ALONG = "value", "gradient", "gradient along a direction"
TANGENT, CURVATURE = "jvp", "hvp"
_FINE = 2**20  # directions are whole numbers over this: exact, and no two entries alike


@dataclass(frozen=True)
class Finding:
    """One entry of one derivative at one point.

    Args:
        of: "value", "gradient", "gradient along a direction", "jvp" or "hvp".
        wrt: the input, or "value".
        place: the entry.
        came: the ball of the equations; None where there is none.
        low: the ball of the truth; at a kink the lesser one-sided derivative.
        high: the same ball, or the greater one.
        verdict: PASS, FAIL or INCONCLUSIVE.
        why: what made it inconclusive.
    """

    of: str
    wrt: str
    place: tuple[int, ...]
    came: Any
    low: Any
    high: Any
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Claim:
    """What is held against an enclosure.

    Args:
        of: "value", "gradient", "gradient along a direction", "jvp" or "hvp".
        wrt: the input, or "value".
        infinite: whether an entry of the point is infinite.
    """

    of: str
    wrt: str
    infinite: bool

    def whole(self, verdict: str, why: str) -> Finding:
        """Return a finding on the array as a whole."""
        return Finding(self.of, self.wrt, (), None, None, None, verdict, why)

    def entry(
        self, place: tuple[int, ...], came: Any, slopes: list[Any], verdict: str, why: str = ""
    ) -> Finding:
        """Return a finding on one entry, between the least and the greatest of several slopes."""
        low, high = min(slopes, key=_middle), max(slopes, key=_middle)
        return Finding(self.of, self.wrt, place, came, low, high, verdict, why)


def _middle(slope: Any) -> float:
    return float(slope.mid())


Pieces = Callable[[tuple[int, ...]], list[Any]]
Arrays = dict[str, Any]
_NO_SUBGRADIENT = "no subgradient: no slope near this kink is like it"


class Formula:
    """Holds the equations of a derivation against enclosures, at any points.

    Args:
        derivation: whose equations are held; they may be wrong, the objective counts as right.
        product: the equations of the Hessian's product; None leaves it out.
        truth: gives the enclosures of an objective at a point.
        tangent: the equations of the value's derivative along directions; None leaves them out.
    """

    def __init__(
        self,
        derivation: Derivation,
        product: Product | None = None,
        truth: Callable[[Objective, Point], Enclosures] = Enclosures,
        tangent: Product | None = None,
    ) -> None:
        self.derivation = derivation
        self.product = product
        self.truth = truth
        self.tangent = tangent
        self.symbols = {p.name: p.symbol for p in derivation.objective.parameters}

    def findings(self, point: Point) -> Iterator[Finding]:
        """Compare every entry of value, gradient and product at one point."""
        truth = self.truth(self.derivation.objective, point)
        value = _outcome(truth.entries)
        if isinstance(value, SingularError):
            return  # an infinite value has no slopes
        derived = self._derived(self.derivation.equations, point, {})
        yield from self._values(derived, value, point)
        finite = True
        for wrt in self.derivation.wrt:
            target = self.derivation.gradient_of(wrt).target
            found = _outcome(partial(derived.entries, target))
            slopes = self.slopes(truth, wrt, found)
            finite = finite and not isinstance(slopes, SingularError)
            yield from self._gradients(truth, found, slopes, point, wrt)
            if point.kind in (KINK, TIE):
                yield from self._along(derived, truth, point, wrt)
        if self.tangent is not None and finite:
            yield from self._tangents(truth, point)
        if self.product is not None and finite:
            yield from self._products(self.product, truth, point)

    def _tangents(self, truth: Enclosures, point: Point) -> Iterator[Finding]:
        """Hold the value's derivative along a direction of each input, where it has one."""
        for wrt in self.derivation.wrt:
            yield from compared(claim_of(TANGENT, wrt, point), *self.tangents(truth, point, (wrt,)))

    def tangents(self, truth: Enclosures, point: Point, moving: Sequence[str]) -> tuple[Any, Any]:
        """Return the value's derivative along a direction, and what it must be; or why not.

        Args:
            truth: the enclosures at the point.
            point: where.
            moving: the inputs that move.
        """
        assert self.tangent is not None
        names, arrays = self.derivation.wrt, self._arrays(point)
        rng = np.random.default_rng(sum(point.extents.values()))
        moves = {wrt: any_direction(rng, arrays[wrt].shape) for wrt in moving}
        directions = {
            direction: moves.get(name, np.zeros(arrays[name].shape))
            for name, direction in zip(names, self.tangent.directions, strict=True)
        }
        derived = self._derived(self.tangent.equations, point, directions)
        result = self.tangent.results[0]

        def came() -> Any:
            found = derived.entries(result)
            if point.cotangent is None:
                return found
            return np.array(paired({VALUE: found}, {VALUE: point.cotangent}), dtype=object)

        def slope() -> Any:
            found = truth.along(moves).slope
            if not found.is_smooth:
                raise KinkError("a derivative jumps along this direction")
            return np.array(found.right, dtype=object)

        return _outcome(came), _outcome(slope)

    def _arrays(self, point: Point) -> dict[str, Any]:
        names = (tensor.name for tensor in self.derivation.objective.inputs)
        return dict(zip(names, point.arrays, strict=True))

    def _derived(self, equations: Any, point: Point, directions: dict[Any, Any]) -> Derived:
        given = dict(directions)
        if self.derivation.cotangent is not None:
            given[self.derivation.cotangent] = point.cotangent
        return Derived(equations, point, self.derivation.objective.inputs, self.symbols, given)

    def _values(self, derived: Derived, value: Any, point: Point) -> Iterator[Finding]:
        found = _outcome(lambda: derived.entries(self.derivation.value))
        yield from compared(claim_of(VALUE, VALUE, point), found, value)

    def slopes(self, truth: Enclosures, wrt: str, found: Any) -> Any:
        """Return what the gradient by an input must be, or why that is not known.

        Args:
            truth: the enclosures at a point.
            wrt: the input.
            found: what the equations say, or why they say nothing.
        """
        return _outcome(partial(truth.slopes, wrt))

    def rows(self, truth: Enclosures, vectors: Arrays, found: Arrays) -> Arrays:
        """Return what the Hessian's product with vectors must be, by input, as `slopes` does.

        Args:
            truth: the enclosures at a point.
            vectors: by input.
            found: what the equations say, by input, or why they say nothing.
        """
        return {wrt: _outcome(partial(truth.mixed_product, wrt, vectors)) for wrt in found}

    def _gradients(
        self, truth: Enclosures, found: Any, slopes: Any, point: Point, wrt: str
    ) -> Iterator[Finding]:
        def pieces(place: tuple[int, ...]) -> list[Any]:
            unit = np.zeros(self._shape(point, wrt))
            unit[place] = 1.0
            return truth.nearby(wrt, unit)

        yield from compared(claim_of(GRADIENT, wrt, point), found, slopes, pieces)

    def _along(
        self, derived: Derived, truth: Enclosures, point: Point, wrt: str
    ) -> Iterator[Finding]:
        """Hold the gradient against the slopes along a few directions.

        Of two pieces that meet, and of any number in a max or a min, a subgradient's slope lies
        between the one-sided slopes along every direction. Where a convex and a concave kink meet
        it need not: points with one boundary only are asked for it.
        """
        target = self.derivation.gradient_of(wrt).target
        shape = self._shape(point, wrt)
        rng = np.random.default_rng(len(point.at))
        for direction in (np.ones(shape), any_direction(rng, shape)):

            def came(direction: Any = direction) -> Any:
                found = derived.entries(target)
                return np.array(paired({wrt: found}, {wrt: direction}), dtype=object)

            def slope(direction: Any = direction) -> Any:
                return np.array(truth.along({wrt: direction}).slope, dtype=object)

            def pieces(_: tuple[int, ...], direction: Any = direction) -> list[Any]:
                return truth.nearby(wrt, direction)

            yield from compared(
                claim_of(ALONG, wrt, point), _outcome(came), _outcome(slope), pieces
            )

    def _products(self, product: Product, truth: Enclosures, point: Point) -> Iterator[Finding]:
        """Hold the Hessian's product, all inputs moving at once: mixed derivatives count too."""
        rng = np.random.default_rng(sum(point.extents.values()))
        arrays = self._arrays(point)
        vectors = {name: any_direction(rng, arrays[name].shape) for name in self.derivation.wrt}
        directions = dict(zip(product.directions, vectors.values(), strict=True))
        derived = self._derived(product.equations, point, directions)
        found = {
            wrt: _outcome(partial(derived.entries, result))
            for wrt, result in zip(self.derivation.wrt, product.results, strict=True)
        }
        expected = self.rows(truth, vectors, found)
        for wrt, balls in found.items():
            yield from compared(claim_of(CURVATURE, wrt, point), balls, expected[wrt])

    def _shape(self, point: Point, wrt: str) -> tuple[int, ...]:
        names = [tensor.name for tensor in self.derivation.objective.inputs]
        return tuple(point.arrays[names.index(wrt)].shape)


def claim_of(of: str, wrt: str, point: Point) -> Claim:
    """Return what is held against an enclosure at a point."""
    infinite = not all(np.isfinite(array).all() for array in point.arrays)
    return Claim(of, wrt, infinite)


def any_direction(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """A direction in which every entry moves, each by another step of up to two."""
    return rng.choice([-1.0, 1.0], shape) * rng.integers(1, 2 * _FINE, shape) / _FINE


@precise()
def paired(balls: Arrays, weights: Arrays) -> Any:
    """Return the weighted sum of all entries of some arrays of balls, by name.

    Args:
        balls: arrays of them.
        weights: an array of numbers for each that counts.
    """
    return sum(
        (
            balls[name][place] * float(weight[place])
            for name, weight in weights.items()
            for place in places_of(np.shape(weight))
        ),
        ball(0),
    )


def compared(
    claim: Claim, found: Any, expected: Any, pieces: Pieces | None = None
) -> Iterator[Finding]:
    """Compare two object arrays of balls, or of one-sided slopes, entry by entry.

    Args:
        claim: what is compared, and where.
        found: the equations' array, or the error there was.
        expected: the enclosures', or theirs.
        pieces: gives, for an entry at which pieces meet, the slopes of each.
    """
    if isinstance(found, Exception) or isinstance(expected, Exception):
        yield from _without_balls(claim, found, expected)
        return
    if found.shape != expected.shape:
        yield claim.whole(FAIL, f"shape {found.shape}, expected {expected.shape}")
        return
    for place in places_of(found.shape):
        yield _entry(claim, place, found[place], expected[place], pieces)


def _outcome(compute: Callable[[], Any]) -> Any:
    """What is computed, or why it cannot be."""
    try:
        return compute()
    except SymcalcError as error:
        return error


def _without_balls(claim: Claim, found: Any, expected: Any) -> Iterator[Finding]:
    """What can be said where one side or both have no balls.

    Nothing where both are infinite or undefined, where a derivative jumps, and where the equations
    meet infinities that cancel.
    """
    if isinstance(expected, KinkError):
        return
    if isinstance(expected, Exception):
        if not (isinstance(expected, SingularError) and isinstance(found, SingularError)):
            yield claim.whole(INCONCLUSIVE, str(expected))
    elif isinstance(found, NoEnclosureError):
        if not claim.infinite:
            known = isinstance(found, SingularError)
            yield claim.whole(FAIL if known else INCONCLUSIVE, str(found))
    else:
        yield claim.whole(FAIL, str(found))


def _entry(
    claim: Claim, place: tuple[int, ...], came: Any, truth: Any, pieces: Pieces | None
) -> Finding:
    """Judge one entry; where several pieces meet, any slope between theirs will do."""
    met = isinstance(truth, Enclosure) and not truth.is_smooth
    slopes = list(truth.ends()) if isinstance(truth, Enclosure) else [truth]
    if _outside(came, slopes) and met and pieces is not None:
        try:
            slopes += pieces(place)
        except NoEnclosureError as error:
            return claim.entry(place, came, slopes, INCONCLUSIVE, str(error))
    if not _outside(came, slopes):
        return claim.entry(place, came, slopes, PASS)
    return claim.entry(place, came, slopes, FAIL, _NO_SUBGRADIENT if met else "")


def _outside(came: Any, slopes: list[Any]) -> bool:
    """Whether a ball is certainly beyond all of several."""
    less, greater = (all(map(beyond, slopes)) for beyond in (came.__lt__, came.__gt__))
    return not came.is_finite() or less or greater
