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
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from symcalc.backends import numpy_backend
from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.calculus.orders import Product
from symcalc.notation.atoms import stop_gradient
from symcalc.notation.errors import SymcalcError
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.verify.comparison import ROUNDING, WIDEST, entries_scale, rounding
from symcalc.verify.conventions import Declared
from symcalc.verify.derived import Derived
from symcalc.verify.differences import EPS, difference
from symcalc.verify.enclosures import Enclosure, Enclosures, Jet, NoEnclosureError
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
_BITS = 53  # of a float64
_SHARE = 4.0  # a kernel may add up in another order than the equations


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

    def slope(self, directions: dict[str, Any], width: Any) -> Enclosure:
        """Return the slope along a direction; it is asked for once."""
        return self._truth.slope(directions, width)

    def form(self, first: dict[str, Any], second: dict[str, Any], width: Any) -> Any:
        """Return the mixed derivative along two directions; it is asked for once."""
        return self._truth.form(first, second, width)

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
        look: how equations are held to enclosures; by entry if they are likely wrong.
    """

    def __init__(
        self, points: Sequence[Point], few: Sequence[Point], look: type[Formula] = Formula
    ) -> None:
        self.points = tuple(points)
        self.few = tuple(few)
        self._look = look
        self._truths = {ENCLOSURES: Truths(Enclosures), CONVENTIONS: Truths(Declared)}

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
        formula = self._look(planted, planted.product, self._truths[kind])
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
        asked = [each for each in results if each.point.kind in kinds]
        for each in asked[:most]:
            truth = self._truths[CONVENTIONS](each.planted.objective, each.point)
            try:
                with np.errstate(all="ignore"):
                    if differs(each, truth):
                        return True
            except (SymcalcError, LookupError, ArithmeticError, ValueError):
                return True  # it cannot even be run
        return False


Differs = Callable[["Results", Enclosures], bool]


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

    def derived(self, equations: Sequence[Equation], directions: dict[Tensor, Any]) -> Derived:
        """The equations at the point."""
        planted, given = self.planted, dict(directions)
        if planted.cotangent is not None:
            given[planted.cotangent] = self.point.cotangent
        symbols = {p.name: p.symbol for p in planted.objective.parameters}
        return Derived(equations, self.point, planted.objective.inputs, symbols, given)

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


def _differs(results: Results, truth: Enclosures) -> bool:
    """Whether an entry of value, gradient or product is beyond rounding from its enclosure.

    What roundings add up to is known from the equations themselves, in balls of 53 bits.
    """
    found = _second(results, truth) if results.planted.is_second else _first(results, truth)
    return any(_beyond(*each, results.point) for each in found)


def _first(results: Results, truth: Enclosures) -> Iterator[tuple[Any, Any, Any]]:
    planted = results.planted
    derived = results.derived(planted.equations, {})
    width = derived.widths(planted.value, _BITS)
    yield results.value(), truth.entries, width
    for wrt, came in zip(planted.wrt, results.gradients(), strict=True):
        width = derived.widths(planted.gradient_of(wrt).target, _BITS)
        yield came, functools.partial(truth.slopes, wrt), width


def _second(results: Results, truth: Enclosures) -> Iterator[tuple[Any, Any, Any]]:
    planted = results.planted
    vectors = [
        1.0 + (number + np.arange(np.prod(shape)).reshape(shape)) / 8.0
        for number, shape in enumerate(results.shapes)
    ]
    product = planted.product
    derived = results.derived(
        product.equations, dict(zip(product.directions, vectors, strict=True))
    )
    named = dict(zip(planted.wrt, vectors, strict=True))
    came = results.products(vectors)
    for wrt, target, entries in zip(planted.wrt, product.results, came, strict=True):
        width = derived.widths(target, _BITS)
        yield entries, functools.partial(truth.mixed_product, wrt, named), width


def _beyond(came: Any, expected: Callable[[], Any], width: Any, point: Point) -> bool:
    try:
        balls = expected()
    except NoEnclosureError:
        return False
    true = np.array([float(getattr(b, "right", b).mid()) for b in balls.flat])
    largest = max(float(np.max(np.abs(true), initial=0.0)), entries_scale(point), 1.0)
    bound = rounding(true, largest) + _SHARE * np.ravel(width)
    return not bool(np.all(np.abs(np.ravel(came) - true) <= bound))


def _slope_differs(results: Results, _: Enclosures) -> bool:
    """Whether a slope is beyond the bound of a finite difference from it.

    What a gradient takes for fixed moves in a difference: there nothing is said.
    """
    if any(formula.has(stop_gradient) for formula in results.planted.objective.formulas):
        return False
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


def _gradcheck_differs(results: Results, _: Enclosures) -> bool:
    """Entry by entry, central differences of 1e-6: |a - n| <= 1e-5 + 1e-3 |n| is let pass."""
    for column, unit in enumerate(np.eye(results.jacobian.shape[1])):
        numeric = _central(results, unit, 1e-6)
        analytic = results.jacobian[:, column]
        if not np.all(np.abs(analytic - numeric) <= 1e-5 + 1e-3 * np.abs(numeric)):
            return True
    return False


def _check_grads_differs(results: Results, _: Enclosures) -> bool:
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
