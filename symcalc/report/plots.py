"""Drawings of value and gradient, as SVG that is the same byte for byte wherever it is made."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from symcalc.calculus.derive import Derivation
from symcalc.notation.latex import Symbols
from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.report.blocks import Figure, Inline, Line, Math
from symcalc.report.slices import Bend, Evaluate, Slice, bends, sample, telling_slice
from symcalc.report.symbols import symbols, title

# Colours that no palette has stand for the variables of the page's style.
_INK, _QUIET, _GRID, _PAPER = "#010203", "#010204", "#010205", "#010206"
_CURVES = ("#010207", "#010208", "#010209", "#01020a")
_VARIABLES = {
    _INK: "var(--ink)", _QUIET: "var(--quiet)", _GRID: "var(--grid)", _PAPER: "var(--paper)",
    **{colour: f"var(--curve-{n})" for n, colour in enumerate(_CURVES, 1)},
}  # fmt: skip
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1.2, 1.6)), (0, (5, 2, 1.2, 2)))
_SETTINGS = {
    "svg.fonttype": "none", "font.family": "DejaVu Serif", "font.size": 10,
    "axes.edgecolor": _QUIET, "axes.labelcolor": _INK, "text.color": _INK,
    "xtick.color": _QUIET, "ytick.color": _QUIET, "axes.unicode_minus": True,
    "axes.linewidth": 0.8, "path.simplify": True, "path.simplify_threshold": 0.2,
}  # fmt: skip
_LETTERS = {
    r"\hat{y}": "ŷ", r"\epsilon": "ϵ", r"\varepsilon": "ε", r"\delta": "δ", r"\lambda": "λ",
    r"\lambda_1": "λ₁", r"\lambda_2": "λ₂", r"\theta": "θ", r"\log q": "log q", r"\tau": "τ",
}  # fmt: skip


def figures(objective: Objective, derivation: Derivation, evaluate: Evaluate) -> tuple[Figure, ...]:
    """Draw an objective and its gradient along a telling line.

    Args:
        objective: what to draw.
        derivation: its derivation, whose kinks are marked.
        evaluate: called with the arrays in declared order, the hyperparameters by name, and the
            cotangent (None for a scalar objective); returns the value and the gradients, one array
            or a tuple in the order of `wrt`.

    Returns:
        Two figures, the value's and the gradient's; none if nothing finite can be drawn.
    """
    along = telling_slice(objective, evaluate)
    letters = symbols(objective, derivation)
    sampled = [sample(curve, along.low, along.high) for curve in along.curves]
    if not sampled or not all(np.isfinite(v).any() for _, v, _ in sampled):
        return ()
    found = [
        bends(curve, xs, slopes) if derivation.kinks else []
        for curve, (xs, _, slopes) in zip(along.curves, sampled, strict=True)
    ]
    names = [_named(curve.label, letters) for curve in along.curves]
    place = tuple(str(k) for k in along.place)
    moved = glyph(along.moved, letters).at(place if any(k > 0 for k in _extents(along)) else ())
    return (
        _draw(objective, along, names, sampled, found, moved, letters, slopes=False),
        _draw(objective, along, names, sampled, found, moved, letters, slopes=True),
    )


def _extents(along: Slice) -> tuple[int, ...]:
    return (1,) * len(along.place) if len(along.place) > 1 else (0,)


def _named(label: str, letters: Symbols) -> str:
    """Write a curve's label with the letters of the page."""
    first, space, rest = label.partition("first ")
    if space and not first:
        return f"{_named(rest, letters).replace(' =', '₀ =')}"
    name, equals, value = label.partition(" = ")
    if label.startswith("entry "):
        letter = glyph("out", letters).at()
        return letter + label.removeprefix("entry ").translate(str.maketrans("0123", "₀₁₂₃"))
    if not equals:
        return label
    letter = glyph(name, letters).at()
    shown = _LETTERS.get(letter, letter if len(letter) == 1 else name)
    return f"{shown} = {value.replace('-', '−')}"


def _draw(
    objective: Objective,
    along: Slice,
    names: list[str],
    sampled: list[Any],
    found: list[list[Bend]],
    moved: str,
    letters: Symbols,
    slopes: bool,
) -> Figure:
    """Draw one panel: the values, or the slopes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    which = "gradient" if slopes else "value"
    salt = f"{objective.name}-{which}"
    with rc_context({**_SETTINGS, "svg.hashsalt": salt}):
        drawing = Drawing(figsize=(4.6, 3.1))
        FigureCanvasSVG(drawing)
        axes = drawing.add_axes((0.12, 0.1, 0.85, 0.79 if any(names) else 0.86))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.grid(color=_GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.patch.set_alpha(0)
        for k, (xs, values, rates) in enumerate(sampled):
            ys = rates if slopes else values
            colour = _CURVES[k % len(_CURVES)]
            parts = _parted(xs, ys, [b.at for b in found[k] if b.is_jump] if slopes else [])
            axes.plot(*parts, color=colour, linestyle=_DASHES[k % 4], linewidth=1.8,
                      label=names[k] or None)  # fmt: skip
            for bend in found[k]:
                _mark(axes, bend, colour, slopes)
        axes.margins(x=0.01, y=0.06)
        low, high = axes.get_ylim()
        if high - low < 0.25:  # a constant, not a stretched rounding error
            axes.set_ylim(min(low, 0.0) - 0.25, max(high, 0.0) + 0.25)
        axes.locator_params(nbins=6)
        if any(names):
            axes.legend(
                frameon=False,
                handlelength=2.2,
                borderaxespad=0,
                columnspacing=1.4,
                fontsize=10.5,
                loc="lower left",
                bbox_to_anchor=(0, 1.02),
                ncols=4,
            )
        svg = _written(drawing, salt)
    alt = _alt(objective, along, names, which, found)
    return Figure(svg, alt, _caption(objective, along, moved, letters, slopes, found))


def _parted(xs: Any, ys: Any, cuts: list[float]) -> tuple[Any, Any]:
    """Break a curve where it jumps, so that no line is drawn across."""
    for cut in sorted(cuts, reverse=True):
        place = int(np.searchsorted(xs, cut))
        xs, ys = np.insert(xs, place, cut), np.insert(ys, place, np.nan)
    return xs, ys


def _mark(axes: Any, bend: Bend, colour: str, slopes: bool) -> None:
    before, at, after = bend.slopes
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.4, "zorder": 5}
    if not slopes:
        axes.plot([bend.at], [bend.value], color=colour, **dot)
        return
    if bend.is_jump:
        apart = 1e-6 * (1 + abs(at))
        ends = [end for end in (before, after) if not bend.exact or abs(end - at) > apart]
        axes.plot([bend.at] * len(ends), ends, markerfacecolor=_PAPER, markeredgecolor=colour,
                  **dot)  # fmt: skip
    if bend.exact or not bend.is_jump:
        axes.plot([bend.at], [at], color=colour, **dot)


def _written(drawing: Any, salt: str) -> str:
    """Write the SVG: no date, colours as variables, identifiers that no other drawing has."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawing.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(width|height)="[\d.]+pt"', "", svg, count=2)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r'\bid="', f'id="{salt}-', svg)
    svg = re.sub(r"(url\(|href=\")#", rf"\1#{salt}-", svg)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = svg.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    svg = re.sub(r' xmlns:xlink="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    return re.sub(r"\n\s*", "\n", svg).strip()


def _caption(
    objective: Objective,
    along: Slice,
    moved: str,
    letters: Symbols,
    slopes: bool,
    found: list[list[Bend]],
) -> Line:
    parts: list[Inline] = ["The derivative by " if slopes else "The value against ", Math(moved)]
    if objective.averages:
        parts.append(" for one sample")
    if len(along.place) > 1:
        parts += [", the other entries of ", Math(glyph(along.moved, letters).at())]
        parts.append(" at 0" if objective.is_scalar else " held fixed")
    for name, words in along.fixed:
        parts += [", ", Math(glyph(name, letters).at()), f" at {words}"]
    parts.append(".")
    jumps = [bend for curve in found for bend in curve if bend.is_jump] if slopes else []
    if any(bend.exact for bend in jumps):
        parts.append(" At a jump the filled dot is the convention.")
    elif jumps:
        parts.append(" Open dots mark where it jumps.")
    elif any(found):
        parts.append(" Dots mark the kinks.")
    return tuple(parts)


def _alt(
    objective: Objective, along: Slice, names: list[str], which: str, found: list[list[Bend]]
) -> str:
    """Say in words what a drawing shows."""
    ends = f"from {along.low:g} to {along.high:g}".replace("-", "−")
    curves = f", a curve for each of: {'; '.join(names)}" if any(names) else ""
    kinks = sorted({round(b.at, 3) + 0.0 for curve in found for b in curve})
    at = ", ".join(f"{x:g}" for x in kinks).replace("-", "−")
    marked = f"; kinks at {at}" if kinks else ""
    what = f"The {which} of {title(objective.name)}"
    return f"{what} as one entry of {along.moved} runs {ends}{curves}{marked}."
