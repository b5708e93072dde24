"""The kernel: what float64 and float32 kernels return, against enclosures, in ulps of each entry.

An entry passes if it is within 8 ulps of the truth, or within what the roundings of its program may
add up to (see `running`). Where that has no bound, what rounding the inputs does to it will do:
sum_j |d out / d x_j| |x_j| u. Which of the three it took is said. The truth is first what the
equations say, in balls, for they are held to the enclosures by `formula`, and all entries of them
cost one evaluation; where an entry does not pass by the first two, it is the enclosures. At a kink
that is everything between the one-sided derivatives, and whatever the equations say.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.notation.errors import ArgumentError, SymcalcError
from symcalc.verify.beyond import Beyond
from symcalc.verify.bounded import FORMATS, ZERO
from symcalc.verify.computed import Computed, DiagonalOfProducts, Result, Run
from symcalc.verify.conditioning import of_gradient, of_value
from symcalc.verify.enclosures import Enclosure, Enclosures, NoEnclosureError, places_of
from symcalc.verify.formula import any_direction
from symcalc.verify.running import program_of
from symcalc.verify.sampling import Point
from symcalc.verify.ulps import Judgement, Limits, judge, precise
from symcalc.verify.verdict import (
    DIAGONAL,
    GRADIENT,
    HVP,
    INCONCLUSIVE,
    PASS,
    VALUE,
    CheckRow,
)

ALL = (VALUE, GRADIENT, HVP, DIAGONAL)
_TAIL = 1e18


@dataclass(frozen=True)
class Reading:
    """One result of a kernel at one point: its entry that is worst for its bound.

    Args:
        dtype: of the kernel.
        of: "value", "gradient", "hvp" or "hessian diagonal".
        wrt: the input, or "value".
        at: the point, in words.
        place: the entry.
        came: what the kernel gave there.
        judgement: how far off that is, how far off it may be, and the verdict.
        entries: how many were compared.
    """

    dtype: str
    of: str
    wrt: str
    at: str
    place: tuple[int, ...]
    came: float
    judgement: Judgement
    entries: int

    @property
    def method(self) -> str:
        """The name of the witness."""
        return f"enclosure ({self.dtype})"

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or INCONCLUSIVE where there is no enclosure or no bound."""
        return self.judgement.verdict

    def row(self) -> CheckRow:
        """Return the reading as a row of a report, error and bound in ulps."""
        entry = f", entry {list(self.place)}" if self.place else ""
        found = self.judgement
        return CheckRow(
            self.method, self.wrt, f"{self.at}{entry}: in ulps, by {found.why or found.by}",
            found.ulps, found.bound, found.verdict, self.entries,
            GRADIENT if self.of == VALUE else self.of,
        )  # fmt: skip


def witness(
    kernel64: Kernel, kernel32: Kernel | None, points: Iterable[Point], of: Sequence[str] = ALL,
    look: type[Held] | None = None,
) -> Iterator[Reading]:  # fmt: skip
    """Hold kernels of one objective against enclosures, entry by entry.

    A point is rounded to float32 for the float32 kernel, and left out there if that takes it out of
    a domain.

    Args:
        kernel64: the float64 kernel.
        kernel32: the float32 kernel of the same objective; None leaves it out.
        points: where.
        of: which results: some of "value", "gradient", "hvp" and "hessian diagonal".
        look: `Held`, which believes the equations first, or `HeldToEnclosures`, which does not.

    Returns:
        One reading a result and point.
    """
    kernels = [kernel for kernel in (kernel64, kernel32) if kernel is not None]
    for point in points:
        for kernel in kernels:
            rounded = point if kernel.dtype == np.float64 else as_single(point)
            if rounded is not None:
                try:
                    yield from (look or Held)(kernel, rounded).readings(of)
                except ArgumentError:
                    if kernel.dtype == np.float64:
                        raise


def rows(readings: Iterable[Reading]) -> list[CheckRow]:
    """Sum readings up: one row a precision, result and input, the reading worst for its bound.

    Points where nothing could be decided count only where nothing else was.
    """
    found: dict[tuple[str, str, str], Reading] = {}
    for reading in readings:
        key = (reading.dtype, reading.of, reading.wrt)
        known = found.get(key)
        if known is None:
            found[key] = reading
            continue
        entries = known.entries + reading.entries
        found[key] = replace(max(known, reading, key=_worse), entries=entries)
    return [reading.row() for reading in found.values()]


def _worse(reading: Reading) -> tuple[int, float]:
    order, share = reading.judgement.rank
    return (-1 if reading.verdict == INCONCLUSIVE else order), share


def as_single(point: Point) -> Point | None:
    """Return a point rounded to float32, or None where that makes an infinity.

    A tail of 1e20, whose square float64 holds, is one of 1e18, whose square float32 holds.
    """

    def rounded(array: Any) -> Any:
        if array is None or np.asarray(array).dtype.kind == "i":
            return array
        with np.errstate(over="ignore"):
            found = np.asarray(array, np.float32)
        tail = (np.abs(found) > _TAIL) & np.isfinite(found)
        return np.where(tail, np.copysign(np.float32(_TAIL), found), found).astype(np.float64)

    arrays = tuple(rounded(array) for array in point.arrays)
    hyper = {name: float(rounded(value)) for name, value in point.hyper.items()}
    found = replace(point, arrays=arrays, hyper=hyper, cotangent=rounded(point.cotangent))
    new = [*arrays, *hyper.values()]
    old = [*point.arrays, *point.hyper.values()]
    return found if all(map(_as_finite, new, old)) else None


def _as_finite(new: Any, old: Any) -> bool:
    return bool(np.all(np.isfinite(new) == np.isfinite(old)))


class Held:
    """One kernel at one point, before the enclosures of its objective.

    Args:
        kernel: what is held.
        point: its numbers are of the kernel's dtype.
    """

    def __init__(self, kernel: Kernel, point: Point) -> None:
        self.kernel = kernel
        self.point = point
        self.derivation = kernel.derivation
        self.objective = kernel.objective
        self.dtype = str(kernel.dtype)
        self.format = FORMATS[self.dtype]
        self.truth = Enclosures(self.objective, point)
        self.beyond = functools.cache(Beyond(self.objective, point, self.format).any)
        self.arguments = [self._cast(array) for array in point.arrays]
        self.seed = {} if self.objective.is_scalar else {"cotangent": self._cast(point.cotangent)}
        sizes = ", ".join(f"{name} = {size}" for name, size in point.extents.items())
        self.at = f"{sizes}; {point.at or point.kind}"

    def readings(self, of: Sequence[str]) -> Iterator[Reading]:
        """Compare what was asked for."""
        if VALUE in of or GRADIENT in of:
            yield from self._first_order(of)
        if HVP in of:
            yield from self._products()
        if DIAGONAL in of and len(self.derivation.wrt) == 1:
            yield from self._diagonal()

    def _cast(self, array: Any) -> Any:
        return array if array.dtype.kind == "i" else array.astype(self.kernel.dtype)

    def _first_order(self, of: Sequence[str]) -> Iterator[Reading]:
        value, gradients = self.first_order()
        if VALUE in of:
            yield self.compared(
                VALUE, VALUE, value, self.truth.entries, self.value(),
                functools.partial(of_value, self.truth),
            )  # fmt: skip
        for wrt, came in zip(self.derivation.wrt, gradients, strict=True):
            if GRADIENT in of:
                yield self.compared(
                    GRADIENT, wrt, came, functools.partial(self.truth.slopes, wrt),
                    self.gradient(wrt), functools.partial(of_gradient, self.truth, wrt),
                )  # fmt: skip

    def first_order(self) -> tuple[Any, tuple[Any, ...]]:
        """Return the kernel's value and its gradients, one an input."""
        call = getattr(self.kernel, self._first)
        value, gradient = call(*self.arguments, **self.seed, **self.point.hyper)
        return value, gradient if isinstance(gradient, tuple) else (gradient,)

    def _products(self) -> Iterator[Reading]:
        """Compare the Hessian's product with a vector in which all inputs move."""
        rng = np.random.default_rng(sum(self.point.extents.values()))
        vectors = {wrt: any_direction(rng, self._shape(wrt)) for wrt in self.derivation.wrt}
        given = tuple(self._cast(vector) for vector in vectors.values())
        found = self.kernel.hvp(*self.arguments, vector=given, **self.seed, **self.point.hyper)
        run = self._mode("hvp", tuple(vectors.values()))
        for wrt, came, result in zip(
            vectors, found if isinstance(found, tuple) else (found,),
            self.derivation.hvp.results, strict=True,
        ):  # fmt: skip
            truth = functools.partial(self.truth.mixed_product, wrt, vectors)
            yield self.compared(HVP, wrt, came, truth, Result(run, result))

    def _diagonal(self) -> Iterator[Reading]:
        (wrt,) = self.derivation.wrt
        came = self.kernel.hessian_diagonal(*self.arguments, **self.seed, **self.point.hyper)
        truth = functools.partial(self.truth.curvatures, wrt)
        yield self.compared(DIAGONAL, wrt, came, truth, self.diagonal())

    def value(self) -> Computed:
        """Return what computes the value."""
        return Result(self._run, self.derivation.value)

    def gradient(self, wrt: str) -> Computed:
        """Return what computes the gradient by one input."""
        return Result(self._run, self.derivation.gradient_of(wrt).target)

    def product(self, wrt: str, vectors: Sequence[Any]) -> Computed:
        """Return what computes the Hessian's product with vectors, one an input."""
        result = self.derivation.hvp.results[self.derivation.wrt.index(wrt)]
        return Result(self._mode("hvp", vectors), result)

    def diagonal(self) -> Computed:
        """Return what computes the Hessian's diagonal."""
        (wrt,) = self.derivation.wrt
        if self.derivation.hessian_structure.diagonal is None:
            return DiagonalOfProducts(lambda unit: self.product(wrt, [unit]), self._shape(wrt))
        program = program_of(self.derivation, "hessian_diagonal")
        return Result(self._mode("hessian_diagonal"), program.outputs[0])

    @property
    def _first(self) -> str:
        return "value_and_grad" if self.objective.is_scalar else "vjp"

    @functools.cached_property
    def _run(self) -> Run:
        return self._mode(self._first)

    def _mode(self, mode: str, vectors: Sequence[Any] = ()) -> Run:
        return Run(self.derivation, mode, self.dtype, self.point, vectors)

    def _shape(self, wrt: str) -> tuple[int, ...]:
        names = [tensor.name for tensor in self.objective.inputs]
        return self.point.arrays[names.index(wrt)].shape

    @precise()
    def compared(
        self, of: str, wrt: str, came: Any, truth: Callable[[], Any], computed: Computed,
        conditioning: Callable[[tuple[int, ...]], Any] = lambda place: ZERO,
    ) -> Reading:  # fmt: skip
        """Compare all entries of one result; return the worst."""
        came = np.asarray(came, np.float64)
        if not came.size:
            return self._undecided(of, wrt, "no entries")
        near = self._by_equations(of, wrt, came, computed)
        if near is not None:
            return near
        try:
            expected = _first_known(truth, computed.equations)
            largest = max((abs(e).abs_upper() for t in expected.flat for e in _ends(t)), key=_known)
            found = {
                place: self.judged(
                    float(came[place]), expected[place], computed, place,
                    functools.partial(conditioning, place), largest,
                    functools.partial(self.beyond, of, wrt),
                )
                for place in places_of(came.shape)
            }  # fmt: skip
        except SymcalcError as error:
            return self._undecided(of, wrt, str(error))
        worst = max(found, key=lambda place: found[place].rank)
        return Reading(self.dtype, of, wrt, self.at, worst, float(came[worst]), found[worst],
                       came.size)  # fmt: skip

    def _by_equations(self, of: str, wrt: str, came: Any, computed: Computed) -> Reading | None:
        """Compare with the equations' balls, which `formula` holds to the enclosures.

        They cost one evaluation in all, and not one an entry.

        Returns:
            The worst entry where all are within 8 ulps or their running errors; None where any is
            not.
        """
        found = {}
        try:
            meant = computed.equations()
            largest = max((abs(ball).abs_upper() for ball in meant.flat), key=_known)
            for place in places_of(came.shape):
                bound = functools.partial(computed.bound, place)
                limits = Limits(bound, computed.overflows, lambda: ZERO)
                truth = (meant[place], meant[place])
                found[place] = judge(float(came[place]), truth, self.format, limits, largest)
                if found[place].verdict != PASS:
                    return None
        except SymcalcError:
            return None
        worst = max(found, key=lambda place: found[place].rank)
        return Reading(self.dtype, of, wrt, self.at, worst, float(came[worst]), found[worst],
                       came.size)  # fmt: skip

    @precise()
    def judged(
        self, came: float, truth: Any, computed: Computed, place: tuple[int, ...],
        conditioning: Callable[[], Any], largest: Any = ZERO,
        beyond: Callable[[], bool] = lambda: False,
    ) -> Judgement:  # fmt: skip
        """Judge one entry.

        Args:
            came: what the kernel gave.
            truth: a ball, or the one-sided derivatives. At a kink what lies between them is right,
                and so is what the equations say, for a convention may do neither.
            computed: gives bounds and equations.
            place: the entry.
            conditioning: see `Limits`.
            largest: see `judge`.
            beyond: see `Limits`.
        """
        bound = functools.partial(computed.bound, place)
        limits = Limits(bound, computed.overflows, conditioning, beyond)
        found = judge(came, _ends(truth), self.format, limits, largest)
        if found.verdict == PASS or not isinstance(truth, Enclosure) or truth.is_smooth:
            return found
        meant = computed.equations()[place]
        return judge(came, (meant, meant), self.format, limits, largest)

    def _undecided(self, of: str, wrt: str, why: str) -> Reading:
        nothing = Judgement(0.0, 0.0, "", INCONCLUSIVE, why)
        return Reading(self.dtype, of, wrt, self.at, (), 0.0, nothing, 0)


class HeldToEnclosures(Held):
    """A kernel whose equations are not believed: they are found to be wrong."""

    def _by_equations(self, of: str, wrt: str, came: Any, computed: Computed) -> Reading | None:
        return None


def _first_known(truth: Callable[[], Any], equations: Callable[[], Any]) -> Any:
    """The enclosures; where a kink leaves none, what the equations say."""
    try:
        return truth()
    except NoEnclosureError as error:
        try:
            return equations()
        except SymcalcError:
            raise error from None


def _ends(truth: Any) -> tuple[Any, Any]:
    """A ball twice, or those of the one-sided derivatives."""
    return truth.ends() if isinstance(truth, Enclosure) else (truth, truth)


def _known(size: Any) -> float:
    """A size to compare by; what is not finite is no size."""
    return float(size) if size.is_finite() else -1.0
