"""Charts as SVG, the same byte for byte wherever they are drawn: axes, curves, dots, arrows.

Nothing but rounded numbers goes into a drawing, and a curve keeps only the points that an eye can
tell from a straight line. Colours are the variables of a page's style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from symcalc.report import boxes

Array = npt.NDArray[np.float64]

WIDTH, HEIGHT = 352.0, 236.0
COLOURS = tuple(f"var(--curve-{k})" for k in range(1, 5))
_DASHES = ("", "6 3", "1.5 2.5", "6 3 1.5 3")
_LEFT, _RIGHT, _BOTTOM = 46.0, 10.0, 24.0
_SMALL = 11.0
_FINE = 0.15  # how far a curve may be from the points that were computed


@dataclass(frozen=True)
class Scale:
    """What an axis shows, and where it writes numbers.

    Args:
        low: where it begins.
        high: where it ends.
        ticks: numbers and how they are written, as LaTeX.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float, start: float, end: float) -> float:
        """Return where on the drawing a number lies, given where the axis starts and ends."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)


@dataclass(frozen=True)
class Curve:
    """A curve; it is parted where a point is not finite.

    Args:
        xs: arguments.
        ys: values.
        label: LaTeX for the legend; none where it is empty.
        style: which colour and dashes.
        thick: how thick the line is.
    """

    xs: Array
    ys: Array
    label: str = ""
    style: int = 0
    thick: float = 1.8


@dataclass(frozen=True)
class Dot:
    """A dot: filled, or open."""

    x: float
    y: float
    is_open: bool = False
    style: int = 0


@dataclass(frozen=True)
class Arrow:
    """An arrow from a point along a vector, in units of the drawing."""

    x: float
    y: float
    dx: float
    dy: float
    style: int = 1


@dataclass(frozen=True)
class Chart:
    """What is drawn in one pair of axes.

    Args:
        x: the horizontal axis.
        y: the vertical one.
        curves: drawn first.
        dots: drawn over them.
        arrows: drawn over them too.
        height: of the drawing.
    """

    x: Scale
    y: Scale
    curves: tuple[Curve, ...]
    dots: tuple[Dot, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    height: float = field(default=HEIGHT)

    def svg(self) -> str:
        """Draw it."""
        legend, top = _legend(self.curves)
        frame = (_LEFT, WIDTH - _RIGHT, self.height - _BOTTOM, top + 8.0)
        inside = _grid(self.x, self.y, frame)
        inside += "".join(self._curve(curve, frame) for curve in self.curves)
        inside += "".join(self._arrow(arrow, frame) for arrow in self.arrows)
        inside += "".join(self._dot(dot, frame) for dot in self.dots)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {self.height:g}" '
            f'width="{WIDTH:g}" height="{self.height:g}" '
            'font-family="Georgia,serif" style="max-width:24rem;margin:auto">'
            f"{legend}{inside}</svg>"
        )

    def _place(self, x: float, y: float, frame: tuple[float, ...]) -> tuple[float, float]:
        left, right, bottom, top = frame
        return self.x.at(x, left, right), self.y.at(y, bottom, top)

    def _curve(self, curve: Curve, frame: tuple[float, ...]) -> str:
        path = ""
        for run in _runs(curve.xs, curve.ys):
            points = [self._place(float(curve.xs[k]), float(curve.ys[k]), frame) for k in run]
            path += _path(simplified(points))
        dash = _DASHES[curve.style % len(_DASHES)]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        return (
            f'<path d="{path}" fill="none" stroke="{COLOURS[curve.style % 4]}" '
            f'stroke-width="{curve.thick:g}" stroke-linejoin="round"{dashes}/>'
        )

    def _dot(self, dot: Dot, frame: tuple[float, ...]) -> str:
        x, y = self._place(dot.x, dot.y, frame)
        colour = COLOURS[dot.style % 4]
        fill = "var(--paper)" if dot.is_open else colour
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="{colour}" '
            'stroke-width="1.2"/>'
        )

    def _arrow(self, arrow: Arrow, frame: tuple[float, ...]) -> str:
        x, y = self._place(arrow.x, arrow.y, frame)
        long = math.hypot(arrow.dx, arrow.dy)
        if long < 1.0:
            return ""
        ux, uy = arrow.dx / long, -arrow.dy / long
        ex, ey = x + arrow.dx, y - arrow.dy
        barb = 3.0
        left = (ex - barb * (ux + 0.6 * uy), ey - barb * (uy - 0.6 * ux))
        right = (ex - barb * (ux - 0.6 * uy), ey - barb * (uy + 0.6 * ux))
        path = _path([(x, y), (ex, ey)]) + _path([left, (ex, ey), right])
        return f'<path d="{path}" fill="none" stroke="{COLOURS[arrow.style % 4]}"/>'


def linear(low: float, high: float, margin: float = 0.0) -> Scale:
    """Return an axis with round numbers on it.

    Args:
        low: the least number to show.
        high: the greatest.
        margin: what part of the range to leave free on both sides.
    """
    pad = margin * (high - low)
    low, high = low - pad, high + pad
    step = _round_step((high - low) / 5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple((k * step, number(k * step)) for k in range(first, last + 1))
    return Scale(low, high, ticks)


def around(*values: Array, least: float = 0.25) -> Scale:
    """Return an axis that shows all finite values; a constant is no stretched rounding error.

    Args:
        values: what is to be shown.
        least: the smallest range, beyond which zero is shown too.
    """
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = float(finite.min()), float(finite.max())
    if high - low < least:
        low, high = min(low, 0.0) - least, max(high, 0.0) + least
    return linear(low, high, 0.06)


def number(value: float) -> str:
    """Write a number of an axis as LaTeX."""
    if value == 0 or abs(value) < 1e-300:
        return "0"
    digits, _, exponent = f"{value:.4g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def simplified(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out the points that lie on the line between those kept, as far as an eye can tell.

    Reference: Douglas and Peucker (1973), doi:10.3138/FM57-6770-U75U-7727
    """
    keep = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        (x0, y0), (x1, y1) = points[first], points[last]
        long = math.hypot(x1 - x0, y1 - y0) or 1.0
        far, at = max(
            (abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / long, k)
            for k, (x, y) in enumerate(points[first + 1 : last], first + 1)
        )
        if far > _FINE:
            keep.add(at)
            waiting += [(first, at), (at, last)]
    return [points[k] for k in sorted(keep)]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return float(next(k for k in (1, 2, 5, 10) if k * power >= step * 0.999) * power)


def _runs(xs: Array, ys: Array) -> list[list[int]]:
    """Return the places of points that are joined: all finite."""
    runs: list[list[int]] = [[]]
    for k, fine in enumerate(np.isfinite(xs) & np.isfinite(ys)):
        if fine:
            runs[-1].append(k)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _path(points: Sequence[tuple[float, float]]) -> str:
    first, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{first}" + (f"L{' '.join(rest)}" if rest else "")


def _legend(curves: Sequence[Curve]) -> tuple[str, float]:
    """Draw what tells the curves apart, on as many lines as it takes; return the height too."""
    named = [curve for curve in curves if curve.label]
    out, x, y = "", 4.0, 0.0
    for curve in named:
        box = boxes.typeset(curve.label, 12.5)
        if x > 4.0 and x + 26 + box.width > WIDTH:
            x, y = 4.0, y + 18.0
        dash = _DASHES[curve.style % len(_DASHES)]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        out += (
            f'<path d="M{x:.1f} {y + 9:g}h20" stroke="{COLOURS[curve.style % 4]}" '
            f'stroke-width="1.8"{dashes}/>'
        )
        out += boxes.svg(box.moved(x + 25, y + 13))
        x += 25 + box.width + 16
    return out, y + 18.0 if named else 0.0


def _grid(x: Scale, y: Scale, frame: tuple[float, ...]) -> str:
    left, right, bottom, top = frame
    lines, letters = "", ""
    for value, word in x.ticks:
        at = x.at(value, left, right)
        lines += f"M{at:.1f} {top:g}V{bottom:g}"
        box = boxes.typeset(word, _SMALL)
        letters += boxes.svg(box.moved(at - box.width / 2, bottom + 15), "var(--quiet)")
    for value, word in y.ticks:
        at = y.at(value, bottom, top)
        lines += f"M{left:g} {at:.1f}H{right:g}"
        box = boxes.typeset(word, _SMALL)
        letters += boxes.svg(box.moved(left - 6 - box.width, at + 4), "var(--quiet)")
    grid = f'<path d="{lines}" stroke="var(--grid)" stroke-width=".7"/>'
    axes = f'<path d="M{left:g} {top:g}V{bottom:g}H{right:g}" fill="none" stroke="var(--quiet)"/>'
    return grid + axes + letters
