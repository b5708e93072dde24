"""The bar chart of a run: byte for byte the same SVG for the same results, for light and dark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from symcalc.bench.inputs import Case
from symcalc.bench.peers import BOUND, OURS
from symcalc.bench.results import Results
from symcalc.bench.suite import LARGE
from symcalc.bench.summary import (
    AT_LEAST,
    AT_MOST,
    FLOOR_TARGET,
    MEAN_TARGET,
    ROW_TARGET,
    SMALL_TARGETS,
    best_over_ours,
    ours_over_floor,
    over,
)
from symcalc.bench.table import Benchmark, ratio

_WIDTH, _LABEL, _GAP, _BAR, _ROW, _HEAD = 960, 210, 40, 12, 20, 64
_PANEL = (_WIDTH - _LABEL - 3 * _GAP) // 2
_ROOM = 118  # of a panel's width, for the words after the longest bar
_STYLE = """
  .page { fill: #ffffff; stroke: #d0d7de } .word { fill: #1f2328 } .faint { fill: #59636e }
  .good { fill: #1a7f7a } .short { fill: #bc4c00 } .line { stroke: #1f2328; stroke-dasharray: 3 3 }
  text { font: 12px system-ui, sans-serif } .halo { stroke: #ffffff; stroke-width: 4px }
  .title { font-weight: 600; font-size: 14px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d } .word { fill: #f0f6fc } .faint { fill: #9198a1 }
    .good { fill: #3fb6ad } .short { fill: #f0883e } .line { stroke: #f0f6fc }
    .halo { stroke: #0d1117 }
  }
"""


@dataclass(frozen=True)
class _Panel:
    """Bars of one figure over the rows of a group.

    Args:
        title: what the figure is.
        figure: the figure of a row, None where it has none.
        word: what stands after a bar's number.
        target: what a row should reach.
        sense: on which side of it a bar is good.
        marks: the targets, of the row and of the mean or median, each with its words.
    """

    title: str
    figure: Callable[[Benchmark], float | None]
    word: Callable[[Benchmark], str]
    target: float
    sense: str
    marks: tuple[tuple[float, str], ...]


def _numpy_over(way: str) -> Callable[[Benchmark], float | None]:
    return lambda one: over(one, "numpy", way)


def _best_name(one: Benchmark) -> str:
    return one.best_peer.name if one.best_peer else ""


def _nothing(one: Benchmark) -> str:
    return ""


def _small_panels(target: float) -> tuple[_Panel, ...]:
    marks = ((target, f"at least {target:g}"),)
    return tuple(
        _Panel(f"NumPy / our {call} call", _numpy_over(way), _nothing, target, AT_LEAST, marks)
        for call, way in (("checked", OURS.name), ("bound", BOUND.name))
    )


_PANELS = {
    LARGE.name: (
        _Panel(
            "fastest peer / ours", best_over_ours, _best_name, ROW_TARGET, AT_LEAST,
            ((ROW_TARGET, f"each {ROW_TARGET:g}"), (MEAN_TARGET, f"mean {MEAN_TARGET:g}")),
        ),
        _Panel(
            "ours / memory floor", ours_over_floor, _nothing, FLOOR_TARGET, AT_MOST,
            ((FLOOR_TARGET, f"median at most {FLOOR_TARGET:g}"),),
        ),
    ),
    **{name: _small_panels(targets["numpy"]) for name, targets in SMALL_TARGETS.items()},
}  # fmt: skip


def chart(results: Results) -> str:
    """Return the chart as SVG: two panels a group, a bar a row, a dashed line at each target.

    Args:
        results: what a run of the suite found.
    """
    parts: list[str] = []
    top = 20
    for name, panels in _PANELS.items():
        benchmarks = results.group(name)
        if benchmarks:
            parts += _group(name, benchmarks, panels, top)
            top += _HEAD + _ROW * len(benchmarks) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" '
        f'height="{top}" role="img" aria-label="Ratios of symcalc to its peers and to the memory '
        'floor">\n<!-- Made from benchmarks.json by: python -m symcalc.bench.page -->\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{top - 1}" rx="8"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def _group(
    name: str, benchmarks: tuple[Benchmark, ...], panels: tuple[_Panel, ...], top: int
) -> list[str]:
    parts = [_text(_GAP // 2, top + 16, name, "word title")]
    first = top + _HEAD
    for number, one in enumerate(benchmarks):
        label = _label(one.case)
        parts.append(_text(_LABEL, first + number * _ROW + _BAR - 2, label, "word", "end"))
    for number, panel in enumerate(panels):
        left = _LABEL + _GAP // 2 + number * (_PANEL + _GAP)
        parts += _bars(panel, benchmarks, left, top)
    return parts


def _bars(panel: _Panel, benchmarks: tuple[Benchmark, ...], left: int, top: int) -> list[str]:
    figures = [panel.figure(one) for one in benchmarks]
    marks = [mark for mark, _ in panel.marks]
    scale = (_PANEL - _ROOM) / max([*marks, *(f for f in figures if f is not None)])
    first, bottom = top + _HEAD, top + _HEAD + _ROW * len(benchmarks)
    bars, words = [], [_text(left, top + 16, panel.title, "word title")]
    for number, (one, figure) in enumerate(zip(benchmarks, figures, strict=True)):
        y = first + number * _ROW
        if figure is None:
            words.append(_text(left + 4, y + _BAR - 2, "no figure", "faint"))
            continue
        short = figure < panel.target if panel.sense == AT_LEAST else figure > panel.target
        width = figure * scale
        bars.append(
            f'<rect class="{"short" if short else "good"}" x="{left}" y="{y}" '
            f'width="{width:.1f}" height="{_BAR}" rx="2"/>'
        )
        said = f"{ratio(figure)} {panel.word(one)}".rstrip()
        words += [_text(left + width + 6, y + _BAR - 2, said, kind) for kind in ("halo", "word")]
    for mark, said in panel.marks:
        x = left + mark * scale
        bars.append(
            f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{first - 8}" y2="{bottom - 4}"/>'
        )
        words.append(_text(x, first - 14, said, "faint", "middle"))
    return bars + words


def _label(case: Case) -> str:
    return f"{case.name}, {case.dtype}"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(words)}</text>'
