"""The accuracy atlas: the error of a scalar objective over the whole domain of its argument.

An objective is scalar here if each of its terms depends on one entry of what is differentiated by:
losses entry by entry, regularizers. That is read off the Hessian, which is then diagonal. Value,
gradient and curvature are swept at extents of one, both precisions, for a few values of everything
else, and held against enclosures.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symcalc.backends.kernel import Kernel
from symcalc.calculus.balls import UndecidedError, evaluate
from symcalc.calculus.derive import Derivation
from symcalc.calculus.expansion import expanded
from symcalc.calculus.kinks import boundaries_of
from symcalc.calculus.probe import Defined
from symcalc.notation.dims import Index
from symcalc.notation.domains import Domain
from symcalc.notation.errors import DerivationError, SymcalcError
from symcalc.notation.objective import Objective
from symcalc.verify.accuracy import Held, as_single
from symcalc.verify.bounded import ZERO
from symcalc.verify.computed import Computed
from symcalc.verify.conditioning import of_gradient, of_value
from symcalc.verify.enclosures import Enclosure, NoEnclosureError, environment
from symcalc.verify.sampling import Point, primes, size
from symcalc.verify.sweeps import crossings, sweep
from symcalc.verify.ulps import ULPS, Judgement
from symcalc.verify.verdict import FAIL, GRADIENT, INCONCLUSIVE, PASS, VALUE

CURVATURE = "curvature"
RESULTS = (VALUE, GRADIENT, CURVATURE)
_MOST_SETTINGS = 6
_SAYS_NOTHING = 2.0**23  # ulps: a bound so wide is that of a choice that rounding may make


class NoAtlasError(SymcalcError, ValueError):
    """The terms of the objective depend on more than one entry: there is no axis to sweep."""


@dataclass(frozen=True)
class Trace:
    """One result over one sweep.

    Args:
        of: "value", "gradient" or "curvature".
        dtype: of the kernel.
        setting: what everything but the argument is, in words.
        xs: the argument.
        judgements: one a number; None where there is no enclosure.
    """

    of: str
    dtype: str
    setting: str
    xs: Any
    judgements: tuple[Judgement | None, ...]

    @property
    def ulps(self) -> Any:
        """The errors, NaN where there is no enclosure."""
        return np.array([np.nan if j is None else j.ulps for j in self.judgements])


@dataclass(frozen=True)
class Line:
    """What the table says of one result in one precision.

    Args:
        of: the result.
        dtype: the precision.
        worst: the judgement that is worst for its bound.
        at: the argument there.
        setting: what everything else was.
        points: how many numbers were judged.
        without: for how many there was no enclosure.
        beyond: how many were off by more than 8 ulps.
        branches: how many lie so near a kink that rounding decides which side is taken; the worst
            is not sought among them.
    """

    of: str
    dtype: str
    worst: Judgement
    at: float
    setting: str
    points: int
    without: int
    beyond: int
    branches: int


@dataclass(frozen=True)
class Atlas:
    """The errors of an objective over the domain of its argument; true unless one is too large.

    Args:
        name: the objective's.
        wrt: the argument's.
        traces: one a result, precision and setting.
    """

    name: str
    wrt: str
    traces: tuple[Trace, ...]

    def __bool__(self) -> bool:
        return all(line.worst.verdict != FAIL for line in self.lines)

    @functools.cached_property
    def lines(self) -> tuple[Line, ...]:
        """One line a result and precision."""
        return tuple(
            _line(of, dtype, [t for t in self.traces if (t.of, t.dtype) == (of, dtype)])
            for of in RESULTS
            for dtype in dict.fromkeys(trace.dtype for trace in self.traces)
        )

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows of the table, as text."""
        for line in self.lines:
            at = f"{self.wrt} = {line.at!r}" + (f", {line.setting}" if line.setting else "")
            yield (
                line.of, line.dtype, f"{line.worst.ulps:.2f}", at,
                f"{line.worst.bound:.1f} ({line.worst.by})", str(line.beyond),
                str(line.branches), str(line.points), str(line.without), line.worst.verdict,
            )  # fmt: skip

    def table(self) -> Any:
        """Return the atlas as a rich table."""
        from rich.table import Table

        table = Table(title=f"accuracy of {self.name} over all of {self.wrt}")
        for title in HEADINGS:
            table.add_column(title, overflow="fold", justify="left" if title in _WORDS else "right")
        for cells in self.cells():
            table.add_row(*cells)
        return table

    def markdown(self) -> str:
        """Return the atlas as a Markdown table."""
        rule = " | ".join("---" if title in _WORDS else "--:" for title in HEADINGS)
        rows = [f"| {' | '.join(HEADINGS)} |", f"| {rule} |"]
        rows += [f"| {' | '.join(cells)} |" for cells in self.cells()]
        return "\n".join([f"# Accuracy of {self.name}", "", *rows, ""])

    def __str__(self) -> str:
        return self.markdown()


HEADINGS = ("result", "precision", "worst ulps", "at", "bound", "above 8", "at a branch", "points",
            "no enclosure", "verdict")  # fmt: skip
_WORDS = ("result", "precision", "at", "verdict")


def _line(of: str, dtype: str, traces: list[Trace]) -> Line:
    judged = [
        (j, float(x), t.setting)
        for t in traces for x, j in zip(t.xs, t.judgements, strict=True) if j is not None
    ]  # fmt: skip
    without = sum(len(trace.xs) for trace in traces) - len(judged)
    if not judged:
        nothing = Judgement(0.0, 0.0, "", INCONCLUSIVE, "no enclosure")
        return Line(of, dtype, nothing, 0.0, "", 0, without, 0, 0)
    failed = [one for one in judged if one[0].verdict == FAIL]
    telling = [one for one in judged if one[0].verdict == PASS and one[0].bound < _SAYS_NOTHING]
    worst, at, setting = max(failed or telling or judged, key=lambda one: one[0].ulps)
    beyond = sum(j.ulps > ULPS for j, _, _ in judged)
    branches = sum(j.bound >= _SAYS_NOTHING for j, _, _ in judged)
    return Line(of, dtype, worst, at, setting, len(judged), without, beyond, branches)


def is_entrywise(derivation: Derivation) -> bool:
    """Whether each term of an objective depends on one entry: its Hessian is diagonal."""
    if not derivation.objective.is_scalar or len(derivation.wrt) != 1:
        return False
    try:
        structure = derivation.hessian_structure
    except DerivationError:
        return False
    return structure.kind in ("diagonal", "zero") and structure.diagonal is not None


def require_entrywise(derivation: Derivation) -> None:
    """Refuse what has no atlas.

    Raises:
        NoAtlasError: the objective's terms depend on several entries, or on several inputs.
    """
    extents = primes(derivation.objective, (1,))
    if not is_entrywise(derivation) or any(extent != 1 for extent in extents.values()):
        raise NoAtlasError(
            f"atlas of {derivation.objective.name}: expected an objective each of whose terms "
            f"depends on one entry of one input, got one that mixes entries of "
            f"{', '.join(derivation.wrt)}"
        )


def atlas(kernel64: Kernel, kernel32: Kernel | None) -> Atlas:
    """Sweep the argument of a scalar objective over its domain.

    Args:
        kernel64: its float64 kernel.
        kernel32: its float32 kernel; None leaves it out.

    Raises:
        NoAtlasError: the objective's terms depend on several entries, or on several inputs.
    """
    objective, derivation = kernel64.objective, kernel64.derivation
    require_entrywise(derivation)
    extents = primes(objective, (1,))
    traces = [
        trace
        for kernel in (kernel64, kernel32) if kernel is not None
        for point, setting in _settings(objective, derivation.wrt[0], extents)
        for trace in _traces(kernel, point, setting)
    ]  # fmt: skip
    return Atlas(objective.name, derivation.wrt[0], tuple(traces))


def _settings(
    objective: Objective, wrt: str, extents: dict[str, int]
) -> Iterator[tuple[Point, str]]:
    """A few points at extents of one; of the argument only the shape counts."""
    hyper = {p.name: 1.0 if p.default is None else p.default for p in objective.parameters}
    choices = [
        (0.0,) if tensor.name == wrt else _typical(tensor.domain) for tensor in objective.inputs
    ]
    for chosen in itertools.islice(itertools.product(*choices), _MOST_SETTINGS):
        arrays = tuple(
            np.full(
                tuple(size(extent, extents) for extent in tensor.shape), value,
                np.int64 if tensor.domain.integer else np.float64,
            )
            for tensor, value in zip(objective.inputs, chosen, strict=True)
        )  # fmt: skip
        words = ", ".join(
            f"{tensor.name} = {value:g}"
            for tensor, value in zip(objective.inputs, chosen, strict=True) if tensor.name != wrt
        )  # fmt: skip
        yield Point(extents, arrays, hyper), words


def _typical(domain: Domain) -> tuple[float, ...]:
    """A few values of a domain: its ends, and one that is no short decimal in binary."""
    if domain.values:
        return domain.values
    if domain.below is not None:
        return (0.0,)
    if domain.rows_sum_to_one:
        return (1.0,)
    inside = 0.3 if domain.upper == 1 else 0.7
    ends = [end for end in (domain.lower, domain.upper) if np.isfinite(end)] or [0.0]
    return (inside, *(end for end in ends if domain.admits(end)))


def _traces(kernel: Kernel, point: Point, setting: str) -> Iterator[Trace]:
    """Sweep one kernel at one setting."""
    (wrt,), dtype = kernel.derivation.wrt, str(kernel.dtype)
    number = [tensor.name for tensor in kernel.objective.inputs].index(wrt)
    shape = point.arrays[number].shape
    rounded = point if dtype == "float64" else as_single(point)
    assert rounded is not None

    def at_x(x: float) -> Point:
        return rounded.moved(number, np.full(shape, x))

    around = [
        at
        for left, right in _sides(kernel.objective)
        for at in crossings(functools.partial(_order, kernel.objective, at_x, left, right), dtype)
    ]
    xs = sweep(kernel.objective.input(wrt).domain, dtype, around)
    found = [_judged(kernel, at_x(x), float(x)) for x in xs]
    for place, of in enumerate(RESULTS):
        yield Trace(of, dtype, setting, xs, tuple(each[place] for each in found))


def _sides(objective: Objective) -> list[tuple[Any, Any]]:
    """The two sides of every boundary on which a derivative may jump."""
    found: dict[tuple[Any, Any], None] = {}
    for formula in objective.formulas:
        for node in sp.preorder_traversal(expanded(formula).body):
            for boundary in boundaries_of(node):
                found[boundary.left, boundary.right] = None
    return list(found)


def _order(
    objective: Objective, at_x: Callable[[float], Point], left: Any, right: Any, x: float
) -> int | None:
    """How two sides compare at extents of one, where every index is zero."""
    point = at_x(x)
    env = environment(
        dict(zip(objective.inputs, point.arrays, strict=True)),
        {p.name: p.symbol for p in objective.parameters}, point,
    )  # fmt: skip
    for meant in objective.definitions:
        env[meant.tensor] = Defined(meant.indices, expanded(meant.body).body, env)
    env |= dict.fromkeys((left - right).atoms(Index), 0)
    try:
        gap = evaluate(left, dict(env)) - evaluate(right, dict(env))
    except (UndecidedError, ZeroDivisionError, KeyError):
        return None
    return 1 if gap > 0 else -1 if gap < 0 else 0 if gap == 0 else None


def _judged(kernel: Kernel, point: Point, x: float) -> tuple[Judgement | None, ...]:
    """Judge value, gradient and curvature at one number."""
    held = Held(kernel, point)
    (wrt,) = kernel.derivation.wrt
    shape = tuple(size(e, point.extents) for e in kernel.objective.input(wrt).shape)
    try:
        jet = held.truth.along({wrt: np.ones(shape)})
    except NoEnclosureError:
        return (None,) * len(RESULTS)
    place = (0,) * len(shape)
    value, gradient = kernel.value_and_grad(*held.arguments, **point.hyper)
    curvature = kernel.hessian_diagonal(*held.arguments, **point.hyper)
    domain = kernel.objective.input(wrt).domain
    slope, bend = (_inner(each, x, domain) for each in jet.derivatives)
    cases: list[tuple[float, Any, Computed, Any]] = [
        (value, jet.value, held.value(), lambda: of_value(held.truth, ())),
        (gradient[place], slope, held.gradient(wrt), lambda: of_gradient(held.truth, wrt, place)),
        (curvature[place], bend, held.diagonal(), lambda: ZERO),
    ]
    return tuple(
        held.judged(float(came), truth, computed, () if number == 0 else place, conditioning)
        for number, (came, truth, computed, conditioning) in enumerate(cases)
    )


def _inner(both: Enclosure, x: float, domain: Domain) -> Enclosure:
    """At an end of the domain the derivative is the inner one."""
    if x == domain.lower:
        return Enclosure(both.right, both.right)
    return Enclosure(both.left, both.left) if x == domain.upper else both
