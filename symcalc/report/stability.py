"""Numerical stability as a picture: the definition as written against the kernel, over the tails.

Relative errors are taken against balls that certainly hold the truth, and rounded up to whole
powers of ten, so that the last bit of some machine's exponential does not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.calculus.balls import ball
from symcalc.calculus.derive import Derivation
from symcalc.notation.dims import Dim
from symcalc.notation.objective import Objective
from symcalc.report.blocks import Block, Figure, Line, Math, Paragraph
from symcalc.report.chart import Chart, Curve, Scale
from symcalc.report.naive import AsWritten, NotNaiveError
from symcalc.report.plots import Line1D
from symcalc.report.slices import Evaluate
from symcalc.report.symbols import title
from symcalc.verify.enclosures import Enclosures, NoEnclosureError
from symcalc.verify.sampling import Point

_LEAST, _MOST = -12, 5  # powers of four
_FLOORS = {"float64": -16, "float32": -7}
_TYPES: dict[str, Callable[[Any], Any]] = {"float32": np.float32, "float64": np.float64}
_TELLING = 3  # decades by which the definition must be worse for a picture to be worth it
_WRITTEN = ("as written, float32", "as written, float64")
_STYLES = (2, 1, 0)


@dataclass(frozen=True)
class Reading:
    """What came out at one argument.

    Args:
        x: the argument.
        levels: for value and gradient the three errors, as powers of ten: of the definition in
            float32, in float64, and of the kernel; NaN where the truth is no number of that dtype.
    """

    x: float
    levels: tuple[tuple[float, ...], tuple[float, ...]]


def stability(
    objective: Objective, derivation: Derivation, line: Line1D, evaluate: Evaluate, whose: str
) -> tuple[Block, ...]:
    """Draw the errors of value and gradient over the tails, where there is something to see.

    Args:
        objective: what is computed; of a layer nothing is drawn.
        derivation: its equations, which are computed as written too.
        line: whose moving entry runs through the tails.
        evaluate: value and gradients, of the kernel whose errors are drawn.
        whose: that kernel, in words.

    Returns:
        Up to two figures, or a sentence if the definition as written is as good.
    """
    if not objective.is_scalar:
        return ()
    try:
        found = list(_readings(objective, derivation, line, evaluate))
    except NotNaiveError:
        return ()
    if len(found) < 4:
        return ()
    drawn = []
    for which, kind in enumerate(("value", "gradient")):
        rows = np.array([reading.levels[which] for reading in found], dtype=np.float64)
        worse = rows[:, 1] - rows[:, 2]
        if np.isfinite(worse).any() and np.nanmax(worse) >= _TELLING:
            drawn.append(_figure(objective, line, kind, [r.x for r in found], rows, whose))
    if drawn:
        return tuple(drawn)
    ends = rf"4^{{{_LEAST}}}", rf"4^{{{_MOST}}}"
    text: Line = (
        "With ", Math(rf"\lvert {line.moved} \rvert"), " from ", Math(ends[0]), " to ",
        Math(ends[1]), ", value and gradient typed into NumPy as they are written lose no more "
        f"than {_TELLING - 1} digits beside {whose}.",
    )  # fmt: skip
    return (Paragraph(text),)


def _readings(
    objective: Objective, derivation: Derivation, line: Line1D, evaluate: Evaluate
) -> Iterator[Reading]:
    moved = objective.input(line.along.moved)
    curve = line.along.curves[0]
    for sign in (-1.0, 1.0):
        for power in range(_LEAST, _MOST + 1):
            x = sign * 4.0 ** (power if sign > 0 else _LEAST + _MOST - power)
            if not moved.domain.admits(x):
                continue
            arrays, hyper = curve.given(x)
            point = Point(_extents(objective, arrays), tuple(arrays[t.name] for t in
                          objective.inputs), hyper)  # fmt: skip
            direction = np.zeros(arrays[moved.name].shape)
            direction[line.along.place] = 1.0
            try:
                jet = Enclosures(objective, point).along({moved.name: direction})
            except NoEnclosureError:
                continue
            if not jet.slope.is_smooth:
                continue
            truths = jet.value, jet.slope.right
            with np.errstate(all="ignore"):
                came = [
                    *(_written(objective, derivation, point, line, dtype) for dtype in _TYPES),
                    _computed(objective, point, line, evaluate),
                ]
            dtypes = ("float32", "float64", "float64")
            value, slope = (
                tuple(_level(pair[k], truths[k], t) for pair, t in zip(came, dtypes, strict=True))
                for k in (0, 1)
            )
            yield Reading(x, (value, slope))


def _computed(
    objective: Objective, point: Point, line: Line1D, evaluate: Evaluate
) -> tuple[float, float]:
    """Compute value and slope with the kernel."""
    value, gradients = evaluate(point.arrays, point.hyper, None)
    by = dict(zip(objective.wrt, gradients if isinstance(gradients, (tuple, list)) else
                  (gradients,), strict=True))  # fmt: skip
    return float(value), float(np.asarray(by[line.along.moved])[line.along.place])


def _extents(objective: Objective, arrays: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for tensor in objective.inputs:
        for extent, size in zip(tensor.shape, arrays[tensor.name].shape, strict=True):
            if isinstance(extent, Dim):
                found[extent.name] = size
    return found


def _written(
    objective: Objective, derivation: Derivation, point: Point, line: Line1D, dtype: str
) -> tuple[float, float]:
    """Compute value and slope as they are written."""
    symbols: dict[Any, float] = {p.symbol: point.hyper[p.name] for p in objective.parameters}
    symbols |= {Dim(name): extent for name, extent in point.extents.items()}
    equations = {e.target: e for e in derivation.equations}
    arrays = dict(zip(objective.inputs, point.arrays, strict=True))
    machine = AsWritten(arrays, symbols, equations, _TYPES[dtype])
    bar = derivation.gradient_of(line.along.moved).target
    value, slope = machine.entry(derivation.value, ()), machine.entry(bar, line.along.place)
    return float(value), float(slope)


def _level(came: float, truth: Any, dtype: str) -> float:
    """Return the relative error as a whole power of ten, between the dtype's last bit and one."""
    info = np.finfo(dtype)
    size = abs(float(truth.mid()))
    if size > float(info.max) or 0 < size < float(info.tiny):
        return math.nan
    if not math.isfinite(came):
        return 0.0
    if size == 0:
        return _FLOORS[dtype] if came == 0 else 0.0
    error = abs(float(((ball(came) - truth) / truth).mid()))
    if error <= 8 * float(info.eps):
        return _FLOORS[dtype]
    return min(0.0, math.ceil(math.log10(error)))


def _figure(
    objective: Objective, line: Line1D, kind: str, xs: list[float], rows: Any, whose: str
) -> Figure:
    names = (*_WRITTEN, whose)
    along = np.array([_position(x) for x in xs])
    gap = int(np.searchsorted(along, 0.0))
    curves = tuple(
        Curve(
            np.insert(along, gap, 0.0),
            np.insert(rows[:, k], gap, np.nan),
            rf"\text{{{name}}}",
            style,
        )
        for k, (name, style) in enumerate(zip(names, _STYLES, strict=True))
    )
    chart = Chart(_axis(xs), Scale(-17.0, 0.5, tuple((k, _power(k)) for k in (-16, -12, -8, -4,
                  0))), curves)  # fmt: skip
    worst = [np.nanmax(rows[:, k], initial=-16) for k in range(3)]
    caption: Line = (
        f"Relative error of the {kind} as ", Math(line.moved), " runs through powers of four, "
        "rounded up to powers of ten. At one no digit is right.",
    )  # fmt: skip
    said = ", ".join(
        f"{name} up to 1e{int(level)}" if level else f"{name} up to 1"
        for name, level in zip(names, worst, strict=True)
    )
    alt = (
        f"Relative error of the {kind} of {title(objective.name)} over the tails of "
        f"{line.along.moved}: {said}."
    ).replace("e-", "e−")
    return Figure(chart.svg(), alt, caption)


def _position(x: float) -> float:
    """Put negative and positive tails on one axis, small numbers in the middle."""
    return math.copysign(math.log(abs(x), 4) - _LEAST + 1, x)


def _axis(xs: list[float]) -> Scale:
    top = _MOST - _LEAST + 2.0
    powers = (-6, -3, 0, 3)
    ticks = [(_position(10.0**k), _power(k)) for k in powers]
    below = [(-at, f"-{word}") for at, word in ticks[1:]]
    if min(xs) >= 0:
        return Scale(0.0, top, tuple(ticks))
    return Scale(-top, top, (*below[::2], *ticks[::-2]))


def _power(exponent: int) -> str:
    return "1" if exponent == 0 else rf"10^{{{exponent}}}"
