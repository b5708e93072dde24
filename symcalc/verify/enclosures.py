"""Enclosures: value and derivatives of an objective as balls that certainly hold the truth.

The value is computed in ball arithmetic on power series in t: one entry, or a direction, becomes
x + t, and the coefficients of the value are its derivatives at t = 0. Nothing is differentiated by
SymPy and no adjoint is asked. Where a comparison is a tie at t = 0 the value has two series, one
for t > 0 and one for t < 0: the one-sided derivatives. The precision is raised until the balls are
narrow.

Reference: Johansson (2017), doi:10.1109/TC.2017.2690633, for ball arithmetic.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.calculus.balls import (
    FAULTS,
    MEMORY,
    SURE,
    TIES,
    AlikeError,
    Environment,
    Side,
    UndecidedError,
    ball,
    evaluate,
)
from symcalc.calculus.expansion import expanded
from symcalc.calculus.probe import Defined
from symcalc.notation.dims import Dim
from symcalc.notation.errors import SymcalcError
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.verify.sampling import Point, size

PRECISIONS = (128, 256, 512, 1024, 2048, 4096)
BITS = 80  # of relative accuracy a ball has at least, where it is not at zero
_NOTHING = 2.0**-1070  # a ball around zero narrower than this is as good as zero
_PIECES = 32  # random steps from a point at which several pieces meet
_FINE = 2**18  # they are whole numbers over this
_TURN = 2.0**-30  # exact when added to them
_ORDER = 6  # terms of a series; a square root at zero takes up to half of them

# The side of the inner derivative, by whether a number is the lower or the upper end.
_INNER = {(True, False): Side.RIGHT, (False, True): Side.LEFT}

Moves = dict[tuple[str, tuple[int, ...]], float]


class NoEnclosureError(SymcalcError, ArithmeticError):
    """No narrow ball was found: the value is infinite or undefined here, or a tie is not exact."""


class SingularError(NoEnclosureError):
    """There is no finite value here: a logarithm of zero, a division by zero."""


class KinkError(NoEnclosureError):
    """A derivative jumps here."""


@dataclass(frozen=True)
class Enclosure:
    """A derivative, from the right and from the left; one and the same ball where it is smooth.

    Args:
        right: for t > 0, as a ball.
        left: for t < 0.
    """

    right: Any
    left: Any

    @property
    def is_smooth(self) -> bool:
        """Whether there is one derivative, not two."""
        return self.right is self.left

    @property
    def agrees(self) -> bool:
        """Whether both sides give the same, as far as their balls tell."""
        return self.is_smooth or bool(self.right.overlaps(self.left))

    def ends(self) -> tuple[Any, Any]:
        """Return the lesser and the greater of the two."""
        return (self.left, self.right) if self.left < self.right else (self.right, self.left)


@dataclass(frozen=True)
class Jet:
    """Value and derivatives along a line through a point.

    Args:
        value: a ball.
        derivatives: the first, the second and so on, as far as they were asked for.
    """

    value: Any
    derivatives: tuple[Enclosure, ...]

    @property
    def slope(self) -> Enclosure:
        """The first derivative."""
        return self.derivatives[0]

    @property
    def curvature(self) -> Enclosure:
        """The second derivative."""
        return self.derivatives[1]


class Enclosures:
    """An objective at one point: every derivative in ball arithmetic.

    Args:
        objective: what is enclosed.
        point: its arguments; they are taken as exact.
    """

    def __init__(self, objective: Objective, point: Point) -> None:
        self.objective = objective
        self.point = point
        self._arrays = dict(zip(objective.inputs, point.arrays, strict=True))
        self._bodies = tuple(expanded(formula).body for formula in objective.formulas)

    def value(self) -> Any:
        """Return the ball of the value, or of sum(cotangent * value)."""
        return self._jet({}, 0).value

    def entries(self) -> Any:
        """Return the balls of all entries of the value, as an object array."""
        return self._over(lambda faults: self._each(self._environment({}, {FAULTS: faults})))

    def slopes(self, wrt: str) -> Any:
        """Return the first derivative by each entry of an input, an object array of Enclosures."""
        return self._by_entry(wrt, 1)

    def curvatures(self, wrt: str) -> Any:
        """Return the diagonal of the Hessian by one input, an object array of Enclosures."""
        return self._by_entry(wrt, 2)

    def along(self, directions: dict[str, Any]) -> Jet:
        """Return value, slope and curvature along a direction.

        Args:
            directions: an array for each input that moves.
        """
        return self._along(directions, 2)

    def slope(self, directions: dict[str, Any], width: Any) -> Enclosure:
        """Return the slope along a direction, as a ball of no more than some radius.

        Args:
            directions: an array for each input that moves.
            width: the greatest radius.
        """
        return self._along(directions, 1, width).slope

    def form(self, first: dict[str, Any], second: dict[str, Any], width: Any) -> Any:
        """Return u' H v, as a ball of no more than some radius.

        By polarization: it is a quarter of what the curvatures along v + u and v - u differ by. At
        a boundary both pieces that meet must give the same slope and curvature.

        Args:
            first: u, an array for each input of which it has entries that are not zero.
            second: v, an array for each input that moves; where u has entries, it has some too.
            width: the greatest radius.

        Raises:
            KinkError: the slope or the curvature jumps here.
            NoEnclosureError: no narrow ball was found.
        """
        plus, minus = (
            self._along({n: v + sign * first[n] if n in first else v for n, v in second.items()},
                        2, width)
            for sign in (1, -1)
        )  # fmt: skip
        if not all(d.agrees for jet in (plus, minus) for d in jet.derivatives):
            raise KinkError(f"enclosure of {self.objective.name}: a derivative jumps here")
        return (plus.curvature.right - minus.curvature.right) / 4

    def _along(self, directions: dict[str, Any], order: int, width: Any = None) -> Jet:
        moves = {
            (name, place): float(array[place])
            for name, array in directions.items()
            for place in places_of(array.shape)
            if array[place] != 0
        }
        try:
            return self._jet(moves, order, width=width)
        except NoEnclosureError:
            side = self._inner_side(moves)
            if side is None:
                raise
            return self._jet(moves, order, side, width)

    def _inner_side(self, moves: Moves) -> Side | None:
        """The side of a line that lies in the domain, where entries are at ends; None elsewhere.

        Raises:
            KinkError: neither side does.
        """
        sides = set()
        for (name, place), step in moves.items():
            domain, value = self.objective.input(name).domain, self._array(name)[place]
            if value in (domain.lower, domain.upper) and np.isfinite(value):
                inward = (step > 0) == (value == domain.lower)
                sides.add(Side.RIGHT if inward else Side.LEFT)
        if len(sides) > 1:
            raise KinkError(f"enclosure of {self.objective.name}: a line leaves the domain")
        return sides.pop() if sides else None

    def nearby(self, wrt: str, direction: Any) -> list[Any]:
        """Return the slopes along a direction of the pieces that meet here, as balls.

        A random step leads into one of the pieces, and a step that is turned a very little towards
        the direction into the same: the slopes along both differ by that along the direction.

        Args:
            wrt: the input that moves.
            direction: an array of its shape.
        """
        rng = np.random.default_rng(len(self.point.at))
        found = []
        for _ in range(_PIECES):
            step = rng.integers(1, _FINE, np.shape(direction)) / _FINE
            step = step * rng.choice([-1.0, 1.0], np.shape(direction))
            slopes = [self.along({wrt: turned}).slope.right
                      for turned in (step, step + np.asarray(direction) * _TURN)]  # fmt: skip
            found.append((slopes[1] - slopes[0]) / ball(_TURN))
        return found

    def product(self, wrt: str, vector: Any) -> Any:
        """Return the Hessian by one input times a vector, as an object array of balls.

        See `mixed_product`, where other inputs move as well.
        """
        return self.mixed_product(wrt, {wrt: vector})

    def mixed_product(self, wrt: str, vectors: dict[str, Any]) -> Any:
        """Return the rows of one input of the Hessian times a vector that spans several inputs.

        By polarization: u' H v is a quarter of what the curvatures along v + u and v - u differ by.
        At a boundary both pieces that meet must give the same slope and curvature. No entry of the
        vectors should be zero, nor two of them equal, lest a kink be looked at along itself.

        Args:
            wrt: the input.
            vectors: an array for each input that moves.

        Returns:
            An object array of balls.

        Raises:
            KinkError: the slope or the curvature jumps here.
            NoEnclosureError: no narrow ball was found.
        """
        own = vectors.get(wrt, np.zeros(self._array(wrt).shape))
        largest = max(float(np.max(np.abs(v), initial=0.0)) for v in vectors.values())
        length = 2.0 ** np.ceil(np.log2(max(largest, 1e-300)))
        found = np.empty(own.shape, dtype=object)
        for place in places_of(found.shape):
            unit = np.zeros(own.shape)
            unit[place] = length
            plus, minus = (self.along({**vectors, wrt: own + sign * unit}) for sign in (1, -1))
            if not all(d.agrees for jet in (plus, minus) for d in jet.derivatives):
                raise KinkError(f"enclosure of {self.objective.name}: a derivative jumps here")
            gap = plus.curvature.right - minus.curvature.right
            found[place] = gap / (4 * ball(float(length)))
        return found

    def _array(self, name: str) -> Any:
        return self._arrays[self.objective.input(name)]

    def _by_entry(self, wrt: str, order: int) -> Any:
        """The derivatives of one order by each entry.

        At an end of the domain the inner ones, where the formula means nothing beyond.
        """
        array, domain = self._array(wrt), self.objective.input(wrt).domain
        found = np.empty(array.shape, dtype=object)
        for place in places_of(found.shape):
            end = _INNER.get((array[place] == domain.lower, array[place] == domain.upper))
            try:
                jet = self._jet({(wrt, place): 1}, order)
            except NoEnclosureError:
                if end is None:
                    raise
                jet = self._jet({(wrt, place): 1}, order, end)
            found[place] = jet.derivatives[order - 1]
        return found

    def _over(self, compute: Callable[[list[str]], Any], width: Any = None) -> Any:
        return over_precisions(compute, self.objective.name, width)

    def _jet(self, moves: Moves, order: int, only: Side | None = None, width: Any = None) -> Jet:
        """Value and derivatives along a line; seen from one side only, if that is all there is.

        The derivatives' balls have at most some radius, or else are narrow beside what they hold.
        """

        def compute(faults: list[str]) -> Jet:
            ties: list[Any] = []
            notes = {TIES: ties, FAULTS: faults}
            right = self._series(moves, {Side: only or Side.RIGHT, **notes})
            if only is not None:
                ties.clear()
            left = self._series(moves, {Side: Side.LEFT, **notes}) if ties else right
            found = []
            for k in range(1, order + 1):
                ahead = _coefficient(right, k) * k
                behind = _coefficient(left, k) * k if ties else ahead
                found.append(Enclosure(ahead, behind))
            return Jet(_coefficient(right, 0), tuple(found))

        return self._over(compute, width)

    def _series(self, moves: Moves, notes: Environment) -> Any:
        return self._total(self._environment(moves, notes))

    def _environment(self, moves: Moves, notes: Environment) -> Environment:
        import flint

        symbols = {p.name: p.symbol for p in self.objective.parameters}
        env = environment(self._arrays, symbols, self.point) | notes
        for (name, place), step in moves.items():
            tensor = self.objective.input(name)
            start = float(self._arrays[tensor][place])
            if np.isfinite(start):  # no step leads away from infinity
                env[tensor][place] = flint.arb_series([start, step], prec=_ORDER)
        return env

    def _defined(self, env: Environment) -> Environment:
        for meant, body in zip(self.objective.definitions, self._bodies, strict=False):
            env[meant.tensor] = Defined(meant.indices, body, env)
        return env

    def _total(self, env: Environment) -> Any:
        """The value, or for an array the sum of its entries times the cotangent's."""
        found = self._each(env)
        if self.objective.is_scalar:
            return found[()]
        weights = self.point.cotangent
        return sum((found[p] * float(weights[p]) for p in places_of(found.shape)), ball(0))

    def _each(self, env: Environment) -> Any:
        objective = self.objective
        env, body = self._defined(env), self._bodies[-1]
        shape = tuple(size(index.extent, self.point.extents) for index in objective.outputs)
        found = np.empty(shape, dtype=object)
        for place in places_of(shape):
            at = dict(zip(objective.outputs, place, strict=True))
            found[place] = evaluate(body, {**env, **at} if at else env)
        return found


def environment(arrays: Mapping[Tensor, Any], symbols: Mapping[str, Any], point: Point) -> Any:
    """Return what balls need to know: each array's entries, hyperparameters and extents, exact.

    Args:
        arrays: by tensor.
        symbols: of the hyperparameters, by name.
        point: gives extents and hyperparameters.
    """
    env: Environment = {Dim(name): extent for name, extent in point.extents.items()}
    env[MEMORY] = {}
    env |= {symbol: ball(float(point.hyper[name])) for name, symbol in symbols.items()}
    for tensor, array in arrays.items():
        exact = int if tensor.domain.integer else lambda number: ball(float(number))
        env[tensor] = {place: exact(array[place]) for place in places_of(np.shape(array))}
    return env


def over_precisions(compute: Callable[[list[str]], Any], what: str, width: Any = None) -> Any:
    """Compute with more and more bits until all balls are narrow.

    Args:
        compute: gives a Jet, or an object array of balls; it notes what has no finite value.
        what: is computed, for the message.
        width: the greatest radius of the highest derivative; None for one that is narrow beside
            what the ball holds.

    Raises:
        SingularError: there is no finite value, whatever the precision.
        NoEnclosureError: the balls stay wide, or something cannot be decided.
    """
    import flint

    before, trouble, least = flint.ctx.prec, "its ball stays wide", 0
    try:
        for precision in PRECISIONS:
            if precision < least:
                continue
            flint.ctx.prec = precision
            faults: list[str] = []
            try:
                found = compute(faults)
                if _are_narrow(found, width):
                    return found
                finite = all(each.is_finite() for each in _balls(found))
            except UndecidedError as error:
                trouble, finite = str(error), False
                least = SURE if isinstance(error, AlikeError) else 0
            if faults and not finite:
                raise SingularError(f"enclosure of {what}: {faults[0]} stands in it")
    finally:
        flint.ctx.prec = before
    raise NoEnclosureError(f"enclosure of {what}: {trouble}")


def places_of(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Run through all places of an array."""
    return itertools.product(*(range(extent) for extent in shape))


def _coefficient(series: Any, order: int) -> Any:
    """One coefficient of a series, or of a constant."""
    if not hasattr(series, "length"):
        return ball(series) if order == 0 else ball(0)
    if order >= series.prec:
        raise UndecidedError("balls: a square root at zero used up the terms of a series")
    return series[order]


def _balls(found: Any) -> list[Any]:
    """Return all balls of a result; places, which are whole numbers, are exact."""
    if isinstance(found, Jet):
        ends = (end for each in found.derivatives for end in (each.right, each.left))
        return [found.value, *ends]
    return [entry for entry in found.flat if not isinstance(entry, int)]


def _are_narrow(found: Any, width: Any) -> bool:
    """Whether all balls are narrow; if a width is given, that goes for the highest derivative."""
    if width is None:
        return all(map(_is_narrow, _balls(found)))
    *lower, highest = found.derivatives
    return all(map(_is_narrow, _balls(replace(found, derivatives=tuple(lower))))) and all(
        end.is_finite() and end.rad() <= width for end in (highest.right, highest.left)
    )


def _is_narrow(number: Any) -> bool:
    if not number.is_finite():
        return False
    return bool(number.rel_accuracy_bits() >= BITS or (abs(number) < _NOTHING))
