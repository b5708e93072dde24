"""Kills: the witnesses before whom a mutant is tried, each with a truth that is computed once.

- enclosures: its equations against power series of the value, ball against ball; any subgradient
  will do at a kink.
- conventions: the same, but at a kink it must be the one that is declared.
- kernel: what the NumPy backend makes of its equations, against the enclosures, up to rounding.
- differences: the kernel's derivatives against finite differences of its own value or gradient,
  with a computed bound.
- gradcheck, check_grads: the same with the steps and tolerances that PyTorch's and JAX's checkers
  have by default in float64; they are what others have to go by.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from symcalc.backends import numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import Derivation
from symcalc.calculus.orders import Product
from symcalc.notation.errors import SymcalcError
from symcalc.notation.objective import Objective
from symcalc.verify.comparison import NUDGE, ROUNDING, WIDEST, entries_scale, rounding
from symcalc.verify.conventions import Declared
from symcalc.verify.differences import EPS, difference
from symcalc.verify.enclosures import Enclosures, Jet, NoEnclosureError
from symcalc.verify.formula import Formula
from symcalc.verify.sampling import Point
from symcalc.verify.verdict import FAIL

ENCLOSURES, CONVENTIONS, KERNEL, DIFFERENCES, GRADCHECK, CHECK_GRADS = (
    "enclosures", "conventions", "kernel", "differences", "gradcheck", "check_grads",
)  # fmt: skip
EXACT = (ENCLOSURES, CONVENTIONS)
OURS = (*EXACT, KERNEL, DIFFERENCES)
OTHERS = (GRADCHECK, CHECK_GRADS)
TYPICAL, TIES = "typical", "ties"  # the kinds of points at which kernels are tried
_DIRECTIONS = 2
_TURNS = range(3)  # bits of an entry's place, by which it is nudged up or down


@dataclass(frozen=True, repr=False)
class Planted(Derivation):
    """A derivation one of whose equations is wrong, in its gradient and in its product alike.

    Args:
        product: the equations of the Hessian's product.
        is_second: whether only the product stands on the wrong equation.
    """

    product: Product
    is_second: bool

    @property
    def hvp(self) -> Product:
        """The product that was given, and not the tangents of the wrong gradient."""
        return self.product

    @functools.cached_property
    def kernel(self) -> Kernel:
        """What the NumPy backend makes of it; arguments may leave their domains."""
        return Kernel(self, "float64", numpy_backend.build).unchecked


class Remembered(Enclosures):
    """Enclosures that compute nothing twice.

    Args:
        truth: what is asked once.
    """

    def __init__(self, truth: Enclosures) -> None:
        super().__init__(truth.objective, truth.point)
        self._truth = truth
        self._known: dict[Any, Any] = {}

    def entries(self) -> Any:
        """Return the balls of all entries of the value."""
        return self._once("entries", self._truth.entries)

    def slopes(self, wrt: str) -> Any:
        """Return the first derivative by each entry of an input."""
        return self._once(("slopes", wrt), lambda: self._truth.slopes(wrt))

    def mixed_product(self, wrt: str, vectors: dict[str, Any]) -> Any:
        """Return the rows of one input of the Hessian times a vector."""
        key = ("product", wrt, *((name, array.tobytes()) for name, array in vectors.items()))
        return self._once(key, lambda: self._truth.mixed_product(wrt, vectors))

    def along(self, directions: dict[str, Any]) -> Jet:
        """Return value, slope and curvature along a direction."""
        key = ("along", *((name, array.tobytes()) for name, array in directions.items()))
        found: Jet = self._once(key, lambda: self._truth.along(directions))
        return found

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        if key not in self._known:
            try:
                self._known[key] = compute()
            except NoEnclosureError as error:
                self._known[key] = error
        if isinstance(self._known[key], NoEnclosureError):
            raise self._known[key]
        return self._known[key]


class Truths:
    """The truth of an objective at each of some points.

    Args:
        kind: of enclosures.
    """

    def __init__(self, kind: type[Enclosures]) -> None:
        self.kind = kind
        self._known: dict[int, Remembered] = {}  # by identity: a point is a bag of arrays

    def __call__(self, objective: Objective, point: Point) -> Remembered:
        """Return the enclosures at a point, which must be kept."""
        if id(point) not in self._known:
            self._known[id(point)] = Remembered(self.kind(objective, point))
        return self._known[id(point)]


class Court:
    """Tries mutants of one objective.

    Args:
        points: at which equations are tried, those that tell most first.
        few: at which kernels are tried: of moderate size, where rounding is small.
    """

    def __init__(self, points: Sequence[Point], few: Sequence[Point]) -> None:
        self.points = tuple(points)
        self.few = tuple(few)
        self._truths = {ENCLOSURES: Truths(Enclosures), CONVENTIONS: Truths(Declared)}
        self._nudged = [list(_nudges(point)) for point in self.few]

    def convictions(self, planted: Planted, witnesses: Sequence[str]) -> dict[str, bool]:
        """Return which of some witnesses convict a mutant.

        Args:
            planted: the mutant.
            witnesses: whom to ask.
        """
        results = [Results(planted, point) for point in self.few]
        return {
            name: self._by_equations(planted, name)
            if name in self._truths
            else self._by_kernel(results, *_KERNEL_WITNESSES[name])
            for name in witnesses
        }

    def _by_equations(self, planted: Planted, kind: str) -> bool:
        formula = Formula(planted, planted.product, self._truths[kind])
        for point in self.points:
            try:
                if any(finding.verdict == FAIL for finding in formula.findings(point)):
                    return True
            except LookupError:
                return True  # it reads what is not there
        return False

    def _by_kernel(
        self, results: Sequence[Results], differs: Differs, kinds: Sequence[str], most: int
    ) -> bool:
        asked = [pair for pair in zip(results, self._nudged, strict=True)
                 if pair[0].point.kind in kinds]  # fmt: skip
        for each, nudged in asked[:most]:
            truths = [self._truths[CONVENTIONS](each.planted.objective, point)
                      for point in (each.point, *nudged)]  # fmt: skip
            try:
                with np.errstate(all="ignore"):
                    if differs(each, truths):
                        return True
            except (SymcalcError, LookupError, ArithmeticError, ValueError):
                return True  # it cannot even be run
        return False


Differs = Callable[["Results", Sequence[Enclosures]], bool]


class Results:
    """What a planted kernel gives at a point, and the derivatives it claims of that.

    Where only the Hessian's product is wrong that is the gradients, else the value.

    Args:
        planted: whose kernel it is.
        point: the arguments.
    """

    def __init__(self, planted: Planted, point: Point) -> None:
        self.planted = planted
        self.point = point
        names = [tensor.name for tensor in planted.objective.inputs]
        self.places = [names.index(name) for name in planted.wrt]
        self.shapes = [np.shape(point.arrays[place]) for place in self.places]

    def value(self) -> Any:
        """The value, an array with no axes or with a layer's."""
        return self._value(self.point)

    def gradients(self) -> tuple[Any, ...]:
        """The gradients, of sum(cotangent * value)."""
        return self._gradients(self.point, self.point.cotangent)

    def products(self, vectors: Sequence[Any]) -> tuple[Any, ...]:
        """The Hessian's products."""
        given = tuple(vectors) if len(vectors) > 1 else vectors[0]
        more = {} if self.point.cotangent is None else {"cotangent": self.point.cotangent}
        kernel = self.planted.kernel
        return _several(kernel.hvp(*self.point.arrays, vector=given, **more, **self.point.hyper))

    def beside(self, step: Any) -> Any:
        """What it gives where the inputs are moved by a step, as one row of numbers."""
        point = self.point
        for place, move in zip(self.places, self.apart(step), strict=True):
            point = point.moved(place, point.arrays[place] + move)
        if self.planted.is_second:
            return _joined(self._gradients(point, point.cotangent))
        return np.ravel(self._value(point))

    @functools.cached_property
    def jacobian(self) -> Any:
        """The derivatives it claims: a row an entry of what it gives, a column an entry moved."""
        if self.planted.is_second:
            units = np.eye(sum(int(np.prod(shape)) for shape in self.shapes))
            return np.array([_joined(self.products(self.apart(unit))) for unit in units]).T
        if self.point.cotangent is None:
            return _joined(self.gradients())[None, :]
        units = np.eye(self.point.cotangent.size)
        shape = self.point.cotangent.shape
        return np.array(
            [_joined(self._gradients(self.point, unit.reshape(shape))) for unit in units]
        )

    def apart(self, row: Any) -> list[Any]:
        """One row of numbers as an array for each input."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        return [
            part.reshape(shape)
            for part, shape in zip(np.split(row, ends), self.shapes, strict=True)
        ]

    def _value(self, point: Point) -> Any:
        return np.asarray(self.planted.kernel(*point.arrays, **point.hyper))

    def _gradients(self, point: Point, cotangent: Any) -> tuple[Any, ...]:
        kernel = self.planted.kernel
        if cotangent is None:
            return _several(kernel.grad(*point.arrays, **point.hyper))
        return _several(kernel.vjp(*point.arrays, cotangent=cotangent, **point.hyper)[1])


def _several(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (np.asarray(found),)


def _joined(arrays: Sequence[Any]) -> Any:
    return np.concatenate([np.ravel(array) for array in arrays])


def _differs(results: Results, truths: Sequence[Enclosures]) -> bool:
    """Whether an entry of value, gradient or product is beyond rounding from its enclosure."""
    pairs = _second(results) if results.planted.is_second else _first(results)
    return any(_beyond(came, expected, truths, results.point) for came, expected in pairs)


def _first(results: Results) -> Iterator[tuple[Any, Callable[[Enclosures], Any]]]:
    yield results.value(), lambda truth: truth.entries()
    for wrt, came in zip(results.planted.wrt, results.gradients(), strict=True):
        yield came, functools.partial(_slopes, wrt)


def _second(results: Results) -> Iterator[tuple[Any, Callable[[Enclosures], Any]]]:
    vectors = [
        1.0 + (number + np.arange(np.prod(shape)).reshape(shape)) / 8.0
        for number, shape in enumerate(results.shapes)
    ]
    named = dict(zip(results.planted.wrt, vectors, strict=True))
    for wrt, came in zip(named, results.products(vectors), strict=True):
        yield came, functools.partial(_mixed_product, wrt, named)


def _slopes(wrt: str, truth: Enclosures) -> Any:
    return truth.slopes(wrt)


def _mixed_product(wrt: str, vectors: dict[str, Any], truth: Enclosures) -> Any:
    return truth.mixed_product(wrt, vectors)


def _beyond(
    came: Any, expected: Callable[[Enclosures], Any], truths: Sequence[Enclosures], point: Point
) -> bool:
    """Whether entries are further from the truth than rounding them and the inputs may lead."""
    try:
        true, *nearby = (_middles(expected(truth)) for truth in truths)
    except NoEnclosureError:
        return False
    moves = sum((np.abs(near - true) for near in nearby), np.zeros(true.shape)) / NUDGE
    largest = max(float(np.max(np.abs(true), initial=0.0)), entries_scale(point), 1.0)
    largest = max(largest, float(np.max(moves, initial=0.0)))
    return not bool(np.all(np.abs(np.ravel(came) - true) <= rounding(true, largest)))


def _nudges(point: Point) -> Iterator[Point]:
    """A typical point with its entries moved a little, neighbours in turn up and down.

    Elsewhere a nudge would cross a kink.
    """
    for bit in _TURNS if point.kind == TYPICAL else ():
        yield replace(point, arrays=tuple(_nudged(array, bit) for array in point.arrays))


def _nudged(array: Any, bit: int) -> Any:
    if array.dtype.kind == "i":
        return array
    signs = 1 - 2 * (np.arange(array.size).reshape(array.shape) >> bit & 1)
    return array * (1 + NUDGE * signs)


def _middles(balls: Any) -> Any:
    return np.array([float(getattr(b, "right", b).mid()) for b in balls.flat])


def _slope_differs(results: Results, _: Sequence[Enclosures]) -> bool:
    """Whether a slope is beyond the bound of a finite difference from it."""
    rng = np.random.default_rng(0)
    rows, columns = results.jacobian.shape
    for _turn in range(_DIRECTIONS):
        move = rng.choice([-1.0, 1.0], columns) * rng.uniform(0.5, 1.0, columns)
        weights = rng.choice([-1.0, 1.0], rows) * rng.uniform(0.5, 1.0, rows)
        slope = float(weights @ results.jacobian @ move)

        def along(t: float, move: Any = move, weights: Any = weights) -> float:
            return float(weights @ results.beside(t * move))

        size = float(np.abs(weights) @ np.abs(results.beside(0.0 * move))) + 1.0
        found = difference(along, ROUNDING / 8 * EPS * size)
        scale = max(abs(slope), entries_scale(results.point))
        decided = found.bound <= WIDEST * scale
        if decided and not abs(slope - found.slope) <= found.bound + ROUNDING * EPS * scale:
            return True
    return False


def _gradcheck_differs(results: Results, _: Sequence[Enclosures]) -> bool:
    """Entry by entry, central differences of 1e-6: |a - n| <= 1e-5 + 1e-3 |n| is let pass."""
    for column, unit in enumerate(np.eye(results.jacobian.shape[1])):
        numeric = _central(results, unit, 1e-6)
        analytic = results.jacobian[:, column]
        if not np.all(np.abs(analytic - numeric) <= 1e-5 + 1e-3 * np.abs(numeric)):
            return True
    return False


def _check_grads_differs(results: Results, _: Sequence[Enclosures]) -> bool:
    """One random direction, a central difference of 1e-4: |a - n| <= 1e-5 + 1e-5 |n| passes."""
    rng = np.random.RandomState(0)
    rows, columns = results.jacobian.shape
    move, weights = rng.standard_normal(columns), rng.standard_normal(rows)
    analytic = weights @ results.jacobian @ move
    numeric = weights @ _central(results, move, 1e-4)
    return not abs(analytic - numeric) <= 1e-5 + 1e-5 * abs(numeric)


def _central(results: Results, move: Any, step: float) -> Any:
    """Return the central difference of all it gives, along a direction."""
    return (results.beside(step * move) - results.beside(-step * move)) / (2 * step)


_KERNEL_WITNESSES: Mapping[str, tuple[Differs, tuple[str, ...], int]] = MappingProxyType({
    KERNEL: (_differs, (TYPICAL, TIES), 8), DIFFERENCES: (_slope_differs, (TYPICAL,), 3),
    GRADCHECK: (_gradcheck_differs, (TYPICAL,), 1),
    CHECK_GRADS: (_check_grads_differs, (TYPICAL,), 1),
})  # fmt: skip
