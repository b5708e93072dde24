"""Pictures: axes in one style, and files that are the same byte for byte at every run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symcalc.notation.errors import ArgumentError

FORMATS = ("svg", "png")
COLOURS = ("#1f6fb4", "#d1495b", "#2a8c5a", "#e0972f", "#7a52a5", "#4c4c4c", "#16a0b0", "#b5738c")
DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1.2, 1.6)))
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "symcalc", "path.simplify": True}


def new_figure(columns: int, rows: int = 1, width: float = 4.6, height: float = 3.4) -> Any:
    """Return a figure and its axes, row by row.

    Args:
        columns: how many panels stand beside each other.
        rows: how many below each other.
        width: of a panel, in inches.
        height: of a panel, in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(color="#e4e4e4", linewidth=0.7)
        each.set_axisbelow(True)
    return figure, tuple(axes)


def curve(axes: Any, xs: Any, ys: Any, label: str = "", **style: Any) -> None:
    """Draw a curve in the next colour; values that are not finite leave gaps."""
    number = len(axes.lines)
    looks = {
        "color": COLOURS[number % len(COLOURS)], "linewidth": 1.5,
        "linestyle": DASHES[number // len(COLOURS) % len(DASHES)], "label": label or None,
    }  # fmt: skip
    ys = np.asarray(ys, float)
    axes.plot(xs, np.where(np.isfinite(ys), ys, np.nan), **(looks | style))


def running_mean(values: Any, window: int) -> np.ndarray:
    """Return the mean of the last `window` values at each place; of fewer at the beginning."""
    total = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    ends = np.arange(1, len(total))
    begins = np.maximum(ends - window, 0)
    return np.asarray((total[ends] - total[begins]) / (ends - begins))


def prepare(folder: Path, name: str, formats: tuple[str, ...]) -> list[Path]:
    """Return the paths of a picture's files, having seen before the work that they can be written.

    Args:
        folder: made if need be.
        name: of the picture.
        formats: some of "svg", "png".

    Raises:
        ArgumentError: an unknown format.
        OSError: a file cannot be written.
    """
    for word in formats:
        if word not in FORMATS:
            raise ArgumentError(f"--format: expected {' or '.join(FORMATS)}, got {word!r}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{word}" for word in dict.fromkeys(formats)]
    for path, is_new in zip(paths, [not path.exists() for path in paths], strict=True):
        path.open("a").close()
        if is_new:
            path.unlink()
    return paths


def save(figure: Any, paths: list[Path]) -> list[Path]:
    """Write a figure to each path, as its suffix says, without a date; return the paths."""
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        for path in paths:
            nothing = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(path, format=path.suffix[1:], dpi=150, metadata=nothing)
    return paths


def scatter(axes: Any, points: Any, title: str, others: Any = None) -> None:
    """Draw points of the plane, and others over them."""
    for number, each in enumerate((points,) if others is None else (points, others)):
        axes.plot(*np.asarray(each).T, ".", color=COLOURS[number], markersize=2.2, alpha=0.6)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title(title)
