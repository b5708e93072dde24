"""Drawings of an atlas, as SVG that is the same byte for byte wherever it is made."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from symcalc.verify.atlas import RESULTS, Atlas, Trace
from symcalc.verify.ulps import ULPS

_SETTINGS = {"svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9,
             "axes.linewidth": 0.8, "path.simplify": False}  # fmt: skip
_COLOUR, _BOUND, _GRID = "#2a5d9f", "#b03a2e", "#dddddd"
_FLOOR, _CEILING = 0.01, 1e6  # ulps; what is exact stands at the one, choices at the other
_COLUMNS = 240  # each is as high as the worst of the numbers it stands for
_ROOM = 0.09  # of the axis, between what is written below it
_TICKS = (-1e300, -1e30, -40.0, -1.0, -1e-30, 0.0, 1e-30, 1.0, 40.0, 1e30, 1e300)


def write(atlas: Atlas, folder: Path) -> tuple[Path, ...]:
    """Write an atlas's table and drawing.

    Args:
        atlas: what to write.
        folder: made if need be.

    Returns:
        The paths: NAME.md and NAME.svg.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page, drawing = folder / f"{atlas.name}.md", folder / f"{atlas.name}.svg"
    picture = f"![The errors over {atlas.wrt}]({drawing.name})\n"
    page.write_text(f"{atlas.markdown()}\n{picture}", encoding="utf-8")
    drawing.write_text(draw(atlas), encoding="utf-8")
    return page, drawing


def draw(atlas: Atlas) -> str:
    """Return the drawing: one panel a result and precision, the errors of all numbers swept.

    The numbers stand side by side in order, since no axis shows 1e-300, 1 and 1e300 at once.
    """
    from matplotlib import rc_context

    with rc_context({**_SETTINGS, "svg.hashsalt": f"atlas-{atlas.name}"}):
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure(atlas).savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).strip() + "\n"


def figure(atlas: Atlas) -> Any:
    """Return the drawing as a figure of matplotlib."""
    from matplotlib.figure import Figure

    dtypes = list(dict.fromkeys(trace.dtype for trace in atlas.traces))
    drawing = Figure(figsize=(4.4 * len(dtypes), 6.6))
    panels = drawing.subplots(len(RESULTS), len(dtypes), squeeze=False)
    for row, of in zip(panels, RESULTS, strict=True):
        for axes, dtype in zip(row, dtypes, strict=True):
            _panel(axes, [t for t in atlas.traces if (t.of, t.dtype) == (of, dtype)])
            axes.set_title(f"{of}, {dtype}", fontsize=9, loc="left")
    for axes in panels[-1]:
        axes.set_xlabel(atlas.wrt)
    for axes in panels[:, 0]:
        axes.set_ylabel("ulps")
    drawing.subplots_adjust(0.08, 0.08, 0.98, 0.96, wspace=0.16, hspace=0.42)
    return drawing


def _panel(axes: Any, traces: list[Trace]) -> None:
    """Draw the errors of one result: the worst of all settings at each number."""
    xs = np.unique(np.concatenate([trace.xs for trace in traces]))
    worst = np.full(xs.size, np.nan)
    for trace in traces:
        places = np.searchsorted(xs, trace.xs)
        worst[places] = np.fmax(worst[places], trace.ulps)
    edges = np.linspace(0, xs.size, min(xs.size, _COLUMNS) + 1).astype(int)
    columns = np.fmax.reduceat(worst, edges[:-1])
    shown = np.clip(columns, _FLOOR, _CEILING)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.fill_between(edges[:-1], _FLOOR / 1.6, shown, step="post", color=_COLOUR, linewidth=0)
    axes.axhline(ULPS, color=_BOUND, linewidth=0.8)
    axes.set_yscale("log")
    top = float(np.nanmax(shown, initial=_FLOOR))
    axes.set_ylim(_FLOOR / 1.6, max(2 * top, 4 * ULPS))
    ticks = _ticks(xs)
    axes.minorticks_off()
    axes.set_xticks(np.searchsorted(xs, ticks), [f"{at:g}" for at in ticks], fontsize=7)
    axes.margins(x=0.01)


def _ticks(xs: Any) -> list[float]:
    """Return the numbers to write below the axis, with room for each."""
    found: list[float] = []
    for at in _TICKS:
        place = np.searchsorted(xs, at)
        room = not found or place - np.searchsorted(xs, found[-1]) > _ROOM * xs.size
        if xs[0] <= at <= xs[-1] and room:
            found.append(at)
    return found
