"""The kernel: what float64 and float32 kernels return, against enclosures, in ulps of each entry.

An entry passes if it is within 8 ulps of the truth, or within what the roundings of its program may
add up to (see `running`), or within what rounding the inputs does to it: sum_j |d out / d x_j|
|x_j| u. Which of the three it took is said. At a kink the truth is everything between the one-sided
derivatives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.notation.errors import ArgumentError, SymcalcError
from symcalc.verify.bounded import FORMATS, INFINITE, ZERO, Bounded, Format
from symcalc.verify.conditioning import of_gradient, of_value
from symcalc.verify.enclosures import Enclosures, NoEnclosureError, places_of
from symcalc.verify.recipes import NoBoundError
from symcalc.verify.running import program_of, running_error
from symcalc.verify.sampling import Point
from symcalc.verify.verdict import FAIL, GRADIENT, INCONCLUSIVE, PASS, CheckRow

VALUE, HVP, DIAGONAL = "value", "hvp", "hessian diagonal"
ALL = (VALUE, GRADIENT, HVP, DIAGONAL)
ULPS = 8.0
_ORDER = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}


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
        ulps: how far off that is, in ulps of the truth.
        bound: how far off it may be, in ulps.
        by: what the bound stands on: "8 ulps", "running error" or "conditioning".
        verdict: PASS, FAIL, or INCONCLUSIVE where there is no enclosure or no bound.
        entries: how many were compared.
        why: what made it inconclusive.
    """

    dtype: str
    of: str
    wrt: str
    at: str
    place: tuple[int, ...]
    came: float
    ulps: float
    bound: float
    by: str
    verdict: str
    entries: int
    why: str = ""

    @property
    def method(self) -> str:
        """The name of the witness."""
        return f"enclosure ({self.dtype})"

    @property
    def share(self) -> float:
        """The error as a share of its bound; failures come after everything else."""
        return self.ulps / self.bound if self.bound else self.ulps

    def row(self) -> CheckRow:
        """Return the reading as a row of a report, error and bound in ulps."""
        entry = f", entry {list(self.place)}" if self.place else ""
        what = self.why or self.by
        return CheckRow(
            self.method, self.wrt, f"{self.at}{entry}: in ulps, by {what}", self.ulps, self.bound,
            self.verdict, self.entries, GRADIENT if self.of == VALUE else self.of,
        )  # fmt: skip


def witness(
    kernel64: Kernel, kernel32: Kernel | None, points: Iterable[Point], of: Sequence[str] = ALL
) -> Iterator[Reading]:
    """Hold kernels of one objective against enclosures, entry by entry.

    A point is rounded to float32 for the float32 kernel, and left out there if that takes it out of
    a domain.

    Args:
        kernel64: the float64 kernel.
        kernel32: the float32 kernel of the same objective; None leaves it out.
        points: where.
        of: which results: some of "value", "gradient", "hvp" and "hessian diagonal".

    Returns:
        One reading a result and point.
    """
    kernels = [kernel for kernel in (kernel64, kernel32) if kernel is not None]
    for point in points:
        for kernel in kernels:
            rounded = point if kernel.dtype == np.float64 else as_single(point)
            if rounded is not None:
                try:
                    yield from _Held(kernel, rounded).readings(of)
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
    return {PASS: 1, INCONCLUSIVE: 0, FAIL: 2}[reading.verdict], reading.share


def as_single(point: Point) -> Point | None:
    """Return a point rounded to float32, or None where that makes an infinity."""

    def rounded(array: Any) -> Any:
        if array is None or np.asarray(array).dtype.kind == "i":
            return array
        with np.errstate(over="ignore"):
            return np.asarray(array, np.float32).astype(np.float64)

    arrays = tuple(rounded(array) for array in point.arrays)
    hyper = {name: float(rounded(value)) for name, value in point.hyper.items()}
    found = Point(point.extents, arrays, hyper, rounded(point.cotangent))
    new = [*arrays, *hyper.values()]
    old = [*point.arrays, *point.hyper.values()]
    return found if all(map(_as_finite, new, old)) else None


def _as_finite(new: Any, old: Any) -> bool:
    return bool(np.all(np.isfinite(new) == np.isfinite(old)))


class _Held:
    """One kernel at one point, before the enclosures of its objective."""

    def __init__(self, kernel: Kernel, point: Point) -> None:
        self.kernel = kernel
        self.point = point
        self.derivation = kernel.derivation
        self.objective = kernel.objective
        self.dtype = str(kernel.dtype)
        self.format: Format = FORMATS[self.dtype]
        self.truth = Enclosures(self.objective, point)
        self.arguments = [self._cast(array) for array in point.arrays]
        self.seed = {} if self.objective.is_scalar else {"cotangent": self._cast(point.cotangent)}
        self.at = ", ".join(f"{name} = {size}" for name, size in point.extents.items())

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
        mode = "value_and_grad" if self.objective.is_scalar else "vjp"
        call = getattr(self.kernel, mode)
        value, gradient = call(*self.arguments, **self.seed, **self.point.hyper)
        bounds = self._bounds(mode, ())
        if VALUE in of:
            yield self._compared(
                VALUE, VALUE, value, self.truth.entries, bounds(self.derivation.value),
                functools.partial(of_value, self.truth),
            )  # fmt: skip
        gradients = gradient if isinstance(gradient, tuple) else (gradient,)
        for wrt, came in zip(self.derivation.wrt, gradients, strict=True):
            if GRADIENT in of:
                yield self._compared(
                    GRADIENT, wrt, came, functools.partial(self.truth.slopes, wrt),
                    bounds(self.derivation.gradient_of(wrt).target),
                    functools.partial(of_gradient, self.truth, wrt),
                )  # fmt: skip

    def _products(self) -> Iterator[Reading]:
        rng = np.random.default_rng(sum(self.point.extents.values()))
        names = [tensor.name for tensor in self.objective.inputs]
        shapes = [self.point.arrays[names.index(wrt)].shape for wrt in self.derivation.wrt]
        for turn, wrt in enumerate(self.derivation.wrt):
            vectors = [np.zeros(shape) for shape in shapes]
            vectors[turn] = rng.integers(-8, 9, shapes[turn]) / 4.0
            given = tuple(self._cast(vector) for vector in vectors)
            came = self.kernel.hvp(*self.arguments, vector=given, **self.seed, **self.point.hyper)
            bound = self._bounds("hvp", vectors)(self.derivation.hvp.results[turn])
            truth = functools.partial(self.truth.product, wrt, vectors[turn])
            came = came[turn] if isinstance(came, tuple) else came
            yield self._compared(HVP, wrt, came, truth, bound)

    def _diagonal(self) -> Iterator[Reading]:
        (wrt,) = self.derivation.wrt
        came = self.kernel.hessian_diagonal(*self.arguments, **self.seed, **self.point.hyper)
        bound: Any = None
        if self.derivation.hessian_structure.diagonal is not None:
            program = program_of(self.derivation, "hessian_diagonal")
            bound = self._bounds("hessian_diagonal", ())(program.outputs[0])
        yield self._compared(DIAGONAL, wrt, came, lambda: self.truth.curvatures(wrt), bound)

    def _bounds(self, mode: str, vectors: Sequence[Any]) -> Callable[[Any], Any]:
        """The running-error bounds of one mode, by tensor; None where there are none."""
        arrays = [*self.point.arrays, *self.seed.values(), *vectors]
        try:
            found = running_error(
                program_of(self.derivation, mode), self.dtype, arrays, self.point.hyper,
                self.point.extents,
            )  # fmt: skip
        except NoBoundError:
            return lambda tensor: None
        return found.get

    def _compared(
        self, of: str, wrt: str, came: Any, truth: Callable[[], Any], bounds: Any,
        conditioning: Callable[[tuple[int, ...]], Any] | None = None,
    ) -> Reading:  # fmt: skip
        """Compare all entries of one result; return the worst."""
        came = np.asarray(came, np.float64)
        try:
            expected = truth()
        except (NoEnclosureError, SymcalcError) as error:
            return self._reading(of, wrt, (), 0.0, 0.0, 0.0, "", INCONCLUSIVE, 0, str(error))
        if came.shape != expected.shape:
            why = f"shape {came.shape}, expected {expected.shape}"
            return self._reading(of, wrt, (), 0.0, np.inf, ULPS, why, FAIL, came.size)
        worst: Reading | None = None
        for place in places_of(came.shape):
            bound = None if bounds is None else bounds[place]
            found = self._entry(of, wrt, place, float(came[place]), expected[place], bound,
                                conditioning, came.size)  # fmt: skip
            if worst is None or _rank(found) > _rank(worst):
                worst = found
        if worst is None:
            return self._reading(of, wrt, (), 0.0, 0.0, 0.0, "", INCONCLUSIVE, 0, "no entries")
        return worst

    def _entry(
        self, of: str, wrt: str, place: tuple[int, ...], came: float, truth: Any,
        bounded: Bounded | None, conditioning: Callable[[tuple[int, ...]], Any] | None, count: int,
    ) -> Reading:  # fmt: skip
        low, high = truth.ends() if hasattr(truth, "ends") else (truth, truth)
        unit = self.format.ulp(max(abs(low), abs(high), key=lambda ball: ball.abs_upper()))
        off = _off(came, low, high, self.format)
        ulps, bound, by = float(off / unit), ULPS, "8 ulps"
        if ulps <= bound:
            return self._reading(of, wrt, place, came, ulps, bound, by, PASS, count)
        why = ""
        if bounded is None or not bounded.error.is_finite():
            why = "no running-error bound"
        elif bounded.error > unit * bound:
            bound, by = float(bounded.error / unit), "running error"
        if ulps > bound and conditioning is not None:
            moved = conditioning(place) * self.format.unit / unit
            if moved > bound:
                bound, by = float(moved), "conditioning"
        if ulps <= bound:
            return self._reading(of, wrt, place, came, ulps, bound, by, PASS, count)
        verdict = INCONCLUSIVE if why and np.isfinite(came) else FAIL
        return self._reading(of, wrt, place, came, ulps, bound, by, verdict, count, why)

    def _reading(
        self, of: str, wrt: str, place: tuple[int, ...], came: float, ulps: float, bound: float,
        by: str, verdict: str, entries: int, why: str = "",
    ) -> Reading:  # fmt: skip
        return Reading(self.dtype, of, wrt, self.at, place, came, ulps, bound, by, verdict,
                       entries, why)  # fmt: skip


def _rank(reading: Reading) -> tuple[int, float]:
    return _ORDER[reading.verdict], reading.share


def _off(came: float, low: Any, high: Any, format: Format) -> Any:
    """How far a number is from a ball, or from all between two; at least so far."""
    if np.isnan(came):
        return INFINITE
    if np.isinf(came):
        beyond = high if came > 0 else -low
        return ZERO if beyond > flint.arb(2) ** format.most else INFINITE
    found = flint.arb(came)
    gap = max((low - found).lower(), (found - high).lower(), ZERO)
    return gap
