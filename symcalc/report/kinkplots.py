"""A picture of each kink: the curve, its slopes on both sides, and the slope that is declared."""

from __future__ import annotations

import numpy as np

from symcalc.notation.objective import Objective
from symcalc.report.blocks import Figure, Line, Math
from symcalc.report.chart import Chart, Curve, Dot, around, linear, number
from symcalc.report.plots import Line1D, minus, named
from symcalc.report.slices import Bend
from symcalc.report.slices import Curve as Along
from symcalc.report.symbols import title

_MOST = 3
_POINTS = 41
_WIDE = 0.6


def kink_figures(objective: Objective, line: Line1D) -> tuple[Figure, ...]:
    """Draw the kinks that lie on a line.

    Where the slope jumps: the value, the one-sided slopes, the declared subgradient. Where it only
    bends: the slope, and the curvatures on both sides of it.

    Args:
        objective: what has the kinks.
        line: along which they were found.
    """
    seen: list[tuple[float, bool]] = []
    made: list[Figure] = []
    middle = len(line.along.curves) // 2 if len(line.along.curves) == 3 else 0
    order = sorted(range(len(line.along.curves)), key=lambda k: k != middle)
    for k in order:
        if len(made) and k != middle and objective.is_scalar:
            break  # the other curves have kinks of the same kind
        for bend in sorted(line.found[k], key=lambda b: not b.is_jump):
            key = (round(abs(bend.at), 6), bend.is_jump)
            if key not in seen and len(made) < _MOST and bend.exact:
                seen.append(key)
                made.append(_draw(objective, line, line.along.curves[k], bend))
    return tuple(made)


def _draw(objective: Objective, line: Line1D, curve: Along, bend: Bend) -> Figure:
    low = max(line.along.low, bend.at - _WIDE)
    high = min(line.along.high, bend.at + _WIDE)
    xs = np.unique(np.append(np.linspace(low, high, _POINTS), bend.at))
    computed = np.array([curve.at(float(x)) for x in xs])
    ys = computed[:, 0 if bend.is_jump else 1]
    height = bend.value if bend.is_jump else bend.slopes[1]
    before, at, after = bend.slopes if bend.is_jump else _rates(curve, bend)
    ends = np.array([low, bend.at]), np.array([bend.at, high])
    left = height + before * (ends[0] - bend.at)
    right = height + after * (ends[1] - bend.at)
    curves = [
        Curve(xs, ys, r"\text{the value}" if bend.is_jump else r"\text{the gradient}", 0, 2.4),
        Curve(ends[0], left, rf"\text{{slope before}} = {_short(before)}", 1, 1.4),
        Curve(ends[1], right, rf"\text{{after}} = {_short(after)}", 2, 1.4),
    ]
    if bend.is_jump:
        both = np.array([low, high])
        declared = height + at * (both - bend.at)
        curves.append(Curve(both, declared, rf"\text{{declared}} = {_short(at)}", 3, 1.4))
    seen = around(*(c.ys for c in curves))
    drawn = Chart(linear(low, high), seen, tuple(curves), (Dot(bend.at, height),))
    where = _where(line, curve)
    place = number(round(bend.at, 3))
    if bend.is_jump:
        caption: Line = (
            "The kink at ", Math(f"{line.moved} = {place}"), *where, ": the slope is ",
            Math(_short(before)), " before and ", Math(_short(after)), " after; ",
            Math(_short(at)), " is declared.",
        )  # fmt: skip
        said = f"slope {_short(before)} before, {_short(after)} after, {_short(at)} declared"
    else:
        caption = (
            "At ", Math(f"{line.moved} = {place}"), *where, " the gradient is continuous and the "
            "curvature jumps, from ", Math(_short(before)), " to ", Math(_short(after)), ".",
        )  # fmt: skip
        said = f"the gradient bends, curvature {_short(before)} before, {_short(after)} after"
    alt = minus(f"A kink of {title(objective.name)} at {line.along.moved} = {bend.at:.3g}: {said}.")
    return Figure(drawn.svg(), alt, caption)


def _rates(curve: Along, bend: Bend) -> tuple[float, float, float]:
    """Return how the slope changes on both sides of a bend."""
    step = 1e-4
    slopes = [curve.at(bend.at + k * step)[1] for k in (-2, -1, 1, 2)]
    before, after = (slopes[1] - slopes[0]) / step, (slopes[3] - slopes[2]) / step
    return before, (before + after) / 2, after


def _where(line: Line1D, curve: Along) -> Line:
    label = named(curve.label, curve.entry, line.letters)
    if not label:
        return ()
    return (" for ", Math(label)) if not label.startswith(r"\text") else (f", {curve.label}",)


def _short(slope: float) -> str:
    return number(round(slope, 3) + 0.0)
