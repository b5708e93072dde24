"""Drawings of value, gradient and curvature: over the argument, and over each hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.calculus.derive import Derivation
from symcalc.notation.latex import Symbols
from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.notation.parameters import Parameter
from symcalc.report.blocks import Figure, Inline, Line, Math
from symcalc.report.chart import Array, Chart, Curve, Dot, around, linear, number
from symcalc.report.slices import Bend, Evaluate, Slice, bends, sample, telling_slice
from symcalc.report.symbols import symbols, title

KINDS = ("value", "gradient", "curvature")
_SAYS = {
    "value": "The value against ", "gradient": "The derivative by ",
    "curvature": "The second derivative by ",
}  # fmt: skip
_TURNS = 17  # values of a hyperparameter
_KNOBS = 3  # hyperparameters drawn
_STEP = 1e-3  # of the difference that a curvature over a hyperparameter is read from


@dataclass(frozen=True)
class Line1D:
    """An objective along a telling line: what was computed there.

    Args:
        along: the line.
        letters: of the page.
        sampled: for each curve the arguments, values and slopes.
        found: for each curve where it bends.
    """

    along: Slice
    letters: Symbols
    sampled: tuple[tuple[Array, Array, Array], ...]
    found: tuple[tuple[Bend, ...], ...]

    @property
    def moved(self) -> str:
        """What moves, as LaTeX."""
        many = len(self.along.place) > 1
        place = tuple(str(k) for k in self.along.place) if many else ()
        return glyph(self.along.moved, self.letters).at(place)


def line_of(objective: Objective, derivation: Derivation, evaluate: Evaluate) -> Line1D | None:
    """Compute an objective along a telling line; None if nothing finite can be drawn.

    Args:
        objective: what to draw.
        derivation: its derivation, whose kinks are looked for.
        evaluate: called with the arrays in declared order, the hyperparameters by name, and the
            cotangent (None for a scalar objective); returns the value and the gradients, one array
            or a tuple in the order of `wrt`.
    """
    along = telling_slice(objective, evaluate)
    sampled = tuple(sample(curve, along.low, along.high) for curve in along.curves)
    if not sampled or not all(np.isfinite(values).any() for _, values, _ in sampled):
        return None
    found = tuple(
        tuple(bends(curve, xs, slopes)) if derivation.kinks else ()
        for curve, (xs, _, slopes) in zip(along.curves, sampled, strict=True)
    )
    return Line1D(along, symbols(objective, derivation), sampled, found)


def figures(objective: Objective, derivation: Derivation, evaluate: Evaluate) -> tuple[Figure, ...]:
    """Draw value, gradient and curvature along a telling line.

    Args:
        objective: what to draw.
        derivation: its derivation.
        evaluate: as `line_of` wants it.

    Returns:
        A figure each; none if nothing finite can be drawn, no curvature where it is zero.
    """
    line = line_of(objective, derivation, evaluate)
    return () if line is None else line_figures(objective, line)


def line_figures(objective: Objective, line: Line1D) -> tuple[Figure, ...]:
    """Draw value, gradient and curvature along a line that was computed."""
    drawn = {kind: [_points(line, k, kind) for k in range(len(line.sampled))] for kind in KINDS}
    flat = all(np.nanmax(np.abs(ys), initial=0.0) < 1e-6 for _, ys in drawn["curvature"])
    kinds = KINDS[:2] if flat else KINDS
    return tuple(_draw(objective, line, kind, drawn[kind]) for kind in kinds)


def _points(line: Line1D, which: int, kind: str) -> tuple[Array, Array]:
    """Return what is drawn of a curve, parted where it jumps."""
    xs, values, slopes = line.sampled[which]
    if kind == "value":
        return xs, values
    if kind == "gradient":
        return _parted(xs, slopes, [bend.at for bend in line.found[which] if bend.is_jump])
    with np.errstate(invalid="ignore"):
        rates = np.diff(slopes) / np.diff(xs)
    for bend in line.found[which]:  # no line is drawn across
        rates[max(0, int(np.searchsorted(xs, bend.at)) - 1)] = np.nan
    return (xs[1:] + xs[:-1]) / 2, rates


def _parted(xs: Array, ys: Array, cuts: list[float]) -> tuple[Array, Array]:
    """Break a curve where it jumps."""
    for cut in sorted(cuts, reverse=True):
        place = int(np.searchsorted(xs, cut))
        xs, ys = np.insert(xs, place, cut), np.insert(ys, place, np.nan)
    return xs, ys


def _draw(
    objective: Objective, line: Line1D, kind: str, points: list[tuple[Array, Array]]
) -> Figure:
    curves = tuple(
        Curve(xs, ys, named(curve.label, curve.entry, line.letters), k)
        for k, ((xs, ys), curve) in enumerate(zip(points, line.along.curves, strict=True))
    )
    dots = tuple(
        dot for k, found in enumerate(line.found) for bend in found for dot in _dots(bend, kind, k)
    )
    seen = around(*(ys for _, ys in points), np.array([dot.y for dot in dots] or [np.nan]))
    drawn = Chart(linear(line.along.low, line.along.high), seen, curves, dots)
    return Figure(drawn.svg(), _alt(objective, line, kind), _caption(objective, line, kind))


def named(label: str, entry: tuple[int, ...] | None, letters: Symbols) -> str:
    """Write a curve's label as LaTeX, with the letters of the page."""
    if entry is not None:
        return glyph("out", letters).at(tuple(str(k) for k in entry))
    if not label:
        return ""
    name, equals, value = label.removeprefix("first ").partition(" = ")
    if not equals:
        return rf"\text{{{label}}}"
    place = ("0",) if label.startswith("first ") else ()
    return f"{glyph(name, letters).at(place)} = {value}"


def _dots(bend: Bend, kind: str, style: int) -> list[Dot]:
    """Mark a bend: the value; or both ends of a jump, open, and the convention."""
    before, at, after = bend.slopes
    if kind == "value":
        return [Dot(bend.at, bend.value, style=style)]
    if kind == "curvature":
        return []
    dots = []
    if bend.is_jump:
        apart = 1e-6 * (1 + abs(at))
        ends = [end for end in (before, after) if not bend.exact or abs(end - at) > apart]
        dots = [Dot(bend.at, end, True, style) for end in ends]
    if bend.exact or not bend.is_jump:
        dots.append(Dot(bend.at, at, style=style))
    return dots


def _caption(objective: Objective, line: Line1D, kind: str) -> Line:
    along = line.along
    parts: list[Inline] = [_SAYS[kind], Math(line.moved)]
    if objective.averages:
        parts.append(" for one sample")
    if len(along.place) > 1:
        parts += [", the other entries of ", Math(glyph(along.moved, line.letters).at())]
        parts.append(" at 0" if objective.is_scalar else " held fixed")
    for name, words in along.fixed:
        parts += [", ", Math(glyph(name, line.letters).at()), f" at {words}"]
    parts.append(".")
    found = [bend for curve in line.found for bend in curve]
    jumps = [bend for bend in found if bend.is_jump]
    if kind == "gradient" and any(bend.exact for bend in jumps):
        parts.append(" At a jump the filled dot is the convention.")
    elif kind == "gradient" and jumps:
        parts.append(" Open dots mark where it jumps.")
    elif found and kind != "curvature":
        parts.append(" Dots mark the kinks.")
    elif found:
        parts.append(" It is parted at the kinks.")
    return tuple(parts)


def _alt(objective: Objective, line: Line1D, kind: str) -> str:
    """Say in words what a drawing shows."""
    along = line.along
    ends = minus(f"from {along.low:g} to {along.high:g}")
    names = [curve.label for curve in along.curves]
    curves = minus(f", a curve for each of: {'; '.join(names)}") if any(names) else ""
    kinks = sorted({round(bend.at, 3) + 0.0 for found in line.found for bend in found})
    at = minus(", ".join(f"{x:g}" for x in kinks))
    marked = f"; kinks at {at}" if kinks else ""
    what = f"The {kind} of {title(objective.name)}"
    return f"{what} as one entry of {along.moved} runs {ends}{curves}{marked}."


def minus(text: str) -> str:
    """Write minus signs as such."""
    return text.replace("-", "−")


def turned_figures(objective: Objective, line: Line1D) -> tuple[Figure, ...]:
    """Draw value, gradient and curvature over each hyperparameter, at three arguments.

    A drawing on which nothing moves is left out.

    Args:
        objective: what to draw.
        line: along which the arguments lie.
    """
    found: list[Figure] = []
    for parameter in objective.parameters[:_KNOBS]:
        turns = _turns(parameter)
        if len(turns) > 2:
            found += _turned(objective, line, parameter, turns)
    return tuple(found)


def _turns(parameter: Parameter) -> Array:
    """Return the values of a hyperparameter to draw at."""
    base = 1.0 if parameter.default is None else parameter.default
    if parameter.domain.integer:
        return np.array([])
    low, high = (base / 8, 3 * base) if base > 0 else (3 * base or -1.0, -base / 8 or 1.0)
    return np.array([t for t in np.linspace(low, high, _TURNS) if parameter.domain.admits(t)])


def _turned(objective: Objective, line: Line1D, parameter: Parameter, turns: Array) -> list[Figure]:
    along, curve = line.along, line.along.curves[0]
    arguments = [round(along.low + part * (along.high - along.low), 2) for part in (0.2, 0.6, 0.85)]
    computed = []
    for x in arguments:
        rows = []
        for turn in turns:
            knob = {parameter.name: float(turn)}
            value, slope = curve.turned(x, knob)
            below, above = (curve.turned(x + s * _STEP, knob)[1] for s in (-1, 1))
            rows.append((value, slope, (above - below) / (2 * _STEP)))
        computed.append(np.array(rows, dtype=np.float64))
    letter = glyph(parameter.name, line.letters).at()
    made = []
    for place, kind in enumerate(KINDS):
        columns = [rows[:, place] for rows in computed]
        if not _moves(columns):
            continue
        curves = tuple(
            Curve(turns, ys, f"{line.moved} = {number(x)}", k)
            for k, (x, ys) in enumerate(zip(arguments, columns, strict=True))
        )
        drawn = Chart(linear(float(turns[0]), float(turns[-1])), around(*columns), curves)
        says: Line = ("The value",) if kind == "value" else (_SAYS[kind], Math(line.moved))
        at = () if not curve.label else (" (", Math(named(curve.label, curve.entry, line.letters)),
                                         ")")  # fmt: skip
        own = curve.label.startswith(f"{parameter.name} = ")
        alt = minus(
            f"The {kind} of {title(objective.name)} as {parameter.name} runs from {turns[0]:g} to "
            f"{turns[-1]:g}, with one entry of {along.moved} at "
            f"{', '.join(f'{x:g}' for x in arguments)}."
        )
        caption: Line = (*says, " against ", Math(letter), *(() if own else at), ".")
        made.append(Figure(drawn.svg(), alt, caption))
    return made


def _moves(columns: Sequence[Any]) -> bool:
    """Whether there is something to see, and it is finite."""
    if not all(np.isfinite(ys).all() for ys in columns):
        return False
    return any(float(np.ptp(ys)) > 1e-3 * (1e-3 + float(np.abs(ys).max())) for ys in columns)
