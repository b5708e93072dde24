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
_FLOOR = 0.01  # ulps; what is exact is drawn here
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
    """Return the drawing: one panel a result and precision, an error for every number swept.

    The numbers stand side by side in order, since no axis shows 1e-300, 1 and 1e300 at once.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    dtypes = list(dict.fromkeys(trace.dtype for trace in atlas.traces))
    salt = f"atlas-{atlas.name}"
    with rc_context({**_SETTINGS, "svg.hashsalt": salt}):
        figure = Figure(figsize=(4.4 * len(dtypes), 6.6))
        FigureCanvasSVG(figure)
        panels = figure.subplots(len(RESULTS), len(dtypes), squeeze=False)
        for row, of in zip(panels, RESULTS, strict=True):
            for axes, dtype in zip(row, dtypes, strict=True):
                mine = [t for t in atlas.traces if (t.of, t.dtype) == (of, dtype)]
                _panel(axes, mine)
                axes.set_title(f"{of}, {dtype}", fontsize=9, loc="left")
        for axes in panels[-1]:
            axes.set_xlabel(atlas.wrt)
        for axes in panels[:, 0]:
            axes.set_ylabel("ulps")
        figure.subplots_adjust(0.08, 0.07, 0.98, 0.96, wspace=0.16, hspace=0.38)
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).strip() + "\n"


def _panel(axes: Any, traces: list[Trace]) -> None:
    """Draw the errors of one result: the worst of all settings at each number."""
    xs = np.unique(np.concatenate([trace.xs for trace in traces]))
    worst = np.full(xs.size, np.nan)
    for trace in traces:
        places = np.searchsorted(xs, trace.xs)
        worst[places] = np.fmax(worst[places], trace.ulps)
    shown = np.clip(worst, _FLOOR, 1e6)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.plot(np.arange(xs.size), shown, ".", markersize=2.0, color=_COLOUR)
    axes.axhline(ULPS, color=_BOUND, linewidth=0.8)
    axes.set_yscale("log")
    top = float(np.nanmax(shown, initial=_FLOOR))
    axes.set_ylim(_FLOOR / 1.6, max(2 * top, 4 * ULPS))
    ticks = [at for at in _TICKS if xs[0] <= at <= xs[-1]]
    axes.set_xticks(np.searchsorted(xs, ticks), [f"{at:g}" for at in ticks], fontsize=7,
                    rotation=45)  # fmt: skip
    axes.margins(x=0.01)
