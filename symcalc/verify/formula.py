"""The formula: derived equations against enclosures by power series, ball against ball.

Both sides are certain to hold what they stand for. Two balls that do not meet prove the equations
wrong; two that meet, each narrow to eighty bits, leave no error beyond 1e-24 of the entry. Nothing
is tolerated, so nothing right is ever accused. At a kink the equations must give a subgradient:
a number between the one-sided derivatives, entry by entry and, where one boundary alone is met,
along directions that move several entries at once. Where the curvature jumps there is none to hold
the equations to, and none is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.calculus.balls import ball
from symcalc.calculus.derive import Derivation
from symcalc.calculus.orders import Product
from symcalc.notation.errors import SymcalcError
from symcalc.notation.objective import Objective
from symcalc.verify.derived import Derived
from symcalc.verify.enclosures import Enclosures, KinkError, NoEnclosureError, places_of
from symcalc.verify.sampling import KINK, TIE, Point
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS

VALUE, GRADIENT, ALONG, CURVATURE = "value", "gradient", "gradient along a direction", "hvp"
_FINE = 2**20  # directions are whole numbers over this: exact, and no two entries alike


@dataclass(frozen=True)
class Finding:
    """One entry of one derivative at one point.

    Args:
        of: "value", "gradient", "gradient along a direction" or "hvp".
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


class Formula:
    """Holds the equations of a derivation against enclosures, at any points.

    Args:
        derivation: whose equations are held; they may be wrong, the objective counts as right.
        product: the equations of the Hessian's product; None leaves it out.
        truth: gives the enclosures of an objective at a point.
    """

    def __init__(
        self,
        derivation: Derivation,
        product: Product | None = None,
        truth: Callable[[Objective, Point], Enclosures] = Enclosures,
    ) -> None:
        self.derivation = derivation
        self.product = product
        self.truth = truth
        self.symbols = {p.name: p.symbol for p in derivation.objective.parameters}

    def findings(self, point: Point) -> Iterator[Finding]:
        """Compare every entry of value, gradient and product at one point."""
        truth = self.truth(self.derivation.objective, point)
        yield from self._values(truth, point)
        for wrt in self.derivation.wrt:
            yield from self._gradients(truth, point, wrt)
        if point.kind in (KINK, TIE):
            for wrt in self.derivation.wrt:
                yield from self._along(truth, point, wrt)
        if self.product is not None:
            for wrt in self.derivation.wrt:
                yield from self._products(truth, point, wrt)

    def _derived(self, equations: Any, point: Point, directions: dict[Any, Any]) -> Derived:
        given = dict(directions)
        if self.derivation.cotangent is not None:
            given[self.derivation.cotangent] = point.cotangent
        return Derived(equations, point, self.derivation.objective.inputs, self.symbols, given)

    def _values(self, truth: Enclosures, point: Point) -> Iterator[Finding]:
        derived = self._derived(self.derivation.equations, point, {})
        yield from _compared(
            VALUE, VALUE, lambda: derived.entries(self.derivation.value), truth.entries
        )

    def _gradients(self, truth: Enclosures, point: Point, wrt: str) -> Iterator[Finding]:
        derived = self._derived(self.derivation.equations, point, {})
        target = self.derivation.gradient_of(wrt).target
        yield from _compared(
            GRADIENT, wrt, lambda: derived.entries(target), lambda: truth.slopes(wrt)
        )

    def _along(self, truth: Enclosures, point: Point, wrt: str) -> Iterator[Finding]:
        """Hold the gradient against the slopes along a few directions.

        Of two pieces that meet, and of any number in a max or a min, a subgradient's slope lies
        between the one-sided slopes along every direction. Where a convex and a concave kink meet
        it need not: points with one boundary only are asked for it.
        """
        objective = self.derivation.objective
        derived = self._derived(self.derivation.equations, point, {})
        target = self.derivation.gradient_of(wrt).target
        number = [tensor.name for tensor in objective.inputs].index(wrt)
        shape = np.shape(point.arrays[number])
        rng = np.random.default_rng(len(point.at))
        for direction in (np.ones(shape), _direction(rng, shape)):

            def came(direction: Any = direction) -> Any:
                found = derived.entries(target)
                terms = (found[place] * float(direction[place]) for place in places_of(shape))
                return np.array(sum(terms, ball(0)), dtype=object)

            def slope(direction: Any = direction) -> Any:
                return np.array(truth.along({wrt: direction}).slope, dtype=object)

            yield from _compared(ALONG, wrt, came, slope)

    def _products(self, truth: Enclosures, point: Point, wrt: str) -> Iterator[Finding]:
        """Hold the Hessian's product, all inputs moving at once: mixed derivatives count too."""
        assert self.product is not None
        rng = np.random.default_rng(sum(point.extents.values()))
        objective = self.derivation.objective
        arrays = dict(zip((t.name for t in objective.inputs), point.arrays, strict=True))
        vectors = {name: _direction(rng, arrays[name].shape) for name in self.derivation.wrt}
        directions = dict(zip(self.product.directions, vectors.values(), strict=True))
        derived = self._derived(self.product.equations, point, directions)
        result = self.product.results[self.derivation.wrt.index(wrt)]
        yield from _compared(
            CURVATURE, wrt, lambda: derived.entries(result),
            lambda: truth.mixed_product(wrt, vectors),
        )  # fmt: skip


def _direction(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """A direction in which every entry moves, each by another step of up to two."""
    return rng.choice([-1.0, 1.0], shape) * rng.integers(1, 2 * _FINE, shape) / _FINE


def _compared(of: str, wrt: str, came: Any, truth: Any) -> Iterator[Finding]:
    """Compare two object arrays of balls, or of one-sided slopes, entry by entry."""
    try:
        found, expected = came(), truth()
    except KinkError:
        return
    except NoEnclosureError as error:
        yield Finding(of, wrt, (), None, None, None, INCONCLUSIVE, str(error))
        return
    except SymcalcError as error:
        yield Finding(of, wrt, (), None, None, None, FAIL, str(error))
        return
    if found.shape != expected.shape:
        why = f"shape {found.shape}, expected {expected.shape}"
        yield Finding(of, wrt, (), None, None, None, FAIL, why)
        return
    for place in places_of(found.shape):
        ends = expected[place]
        low, high = ends.ends() if hasattr(ends, "ends") else (ends, ends)
        entry = found[place]
        outside = entry < low or entry > high
        verdict = FAIL if outside or not entry.is_finite() else PASS
        yield Finding(of, wrt, place, entry, low, high, verdict)
