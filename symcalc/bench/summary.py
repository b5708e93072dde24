"""The summary: a handful of figures, each beside its target, computed from the rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from symcalc.bench.peers import BOUND, FLOOR, OURS
from symcalc.bench.results import Results
from symcalc.bench.suite import HUNDRED, LARGE, THOUSAND
from symcalc.bench.table import Benchmark, ratio

AT_LEAST, AT_MOST = "at least", "at most"
MEAN_TARGET, ROW_TARGET, FLOOR_TARGET = 3.0, 1.5, 1.5
SMALL_TARGETS = {
    THOUSAND.name: {"numpy": 5.0, "torch": 15.0, "torch.compile": 15.0, "jax": 15.0},
    HUNDRED.name: {"numpy": 8.0},
}
WAYS = (OURS.name, BOUND.name)
Figure = Callable[[Benchmark], float | None]


@dataclass(frozen=True)
class Score:
    """One figure and its target.

    Args:
        what: what the figure is.
        figure: the figure; None where no row has one.
        sense: "at least" or "at most".
        target: what it should be.
        rows: how many rows it rests on.
        missing: the rows that should have had a part in it and have none.
        decides: the row that is the figure, where it is a least one; else empty.
        mean: the geometric mean over the rows, where the figure is a least one.
    """

    what: str
    figure: float | None
    sense: str
    target: float
    rows: int
    missing: tuple[str, ...] = ()
    decides: str = ""
    mean: float | None = None

    @property
    def verdict(self) -> str:
        """Return "met", "missed" or "not measured"; with rows missing nothing is met."""
        if self.figure is None:
            return "not measured"
        good = self.figure >= self.target if self.sense == AT_LEAST else self.figure <= self.target
        return "met" if good and not self.missing else "missed"


def table(scores: tuple[Score, ...]) -> Table:
    """Return the summary as a terminal shows it.

    Args:
        scores: what `summarize` returned.
    """
    shown = Table(title="value and gradient, as ratios of medians", title_justify="left")
    for place, head in enumerate(("", "figure", "target", "", "decided by")):
        shown.add_column(head, justify="right" if place == 1 else "left", overflow="fold")
    for score in scores:
        cells = (score.what, ratio(score.figure) or "none", f"{score.sense} {score.target:g}",
                 score.verdict, score.decides)  # fmt: skip
        shown.add_row(*map(Text, cells))
    return shown


def over(benchmark: Benchmark, slower: str, faster: str) -> float | None:
    """Return one row's median over another's; None where one of them has none."""
    first, second = benchmark.row(slower), benchmark.row(faster)
    if first is None or second is None or not first.median or not second.median:
        return None
    return first.median / second.median


def best_over_ours(benchmark: Benchmark) -> float | None:
    """Return the fastest sane peer's median over ours, of the usual call."""
    best = benchmark.best_peer
    return None if best is None else over(benchmark, best.name, OURS.name)


def ours_over_floor(benchmark: Benchmark) -> float | None:
    """Return our median over the memory floor's."""
    return over(benchmark, OURS.name, FLOOR.name)


def geometric_mean(figures: list[float]) -> float | None:
    """Return the geometric mean, None of nothing."""
    return math.exp(statistics.fmean(map(math.log, figures))) if figures else None


def summarize(results: Results) -> tuple[Score, ...]:
    """Return every figure with its target, in the order of the issue they come from.

    Args:
        results: what a run of the suite found.
    """
    return (*_large(results.group(LARGE.name)), *_small(results))


def shortfalls(results: Results) -> dict[str, tuple[str, ...]]:
    """Return the cases that fall short of a target, by title, each with what is short.

    A large case falls short below the target of the mean, or above the target over the floor; a
    small one where one call of ours is not as many times faster than a peer as it should be.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in results.group(LARGE.name):
        short = [
            _short("best peer / ours", best_over_ours(one), MEAN_TARGET, AT_LEAST),
            _short("ours / floor", ours_over_floor(one), FLOOR_TARGET, AT_MOST),
        ]
        found[one.case.title] = tuple(filter(None, short))
    for name, targets in SMALL_TARGETS.items():
        for one in results.group(name):
            short = [
                _short(f"{peer} / {way}", over(one, peer, way), target, AT_LEAST)
                for way in WAYS
                for peer, target in targets.items()
                if one.row(peer) and one.row(way)
            ]
            found[one.case.title] = tuple(filter(None, short))
    return {title: short for title, short in found.items() if short}


def _large(benchmarks: tuple[Benchmark, ...]) -> list[Score]:
    ratios, missing = _figures(benchmarks, best_over_ours)
    floors, floorless = _figures(benchmarks, ours_over_floor)
    least = min(ratios, key=lambda title: ratios[title], default="")
    return [
        Score(
            "large rows: geometric mean of best peer / ours", geometric_mean([*ratios.values()]),
            AT_LEAST, MEAN_TARGET, len(ratios), missing,
        ),
        Score(
            "large rows: least best peer / ours", ratios.get(least), AT_LEAST, ROW_TARGET,
            len(ratios), missing, least,
        ),
        Score(
            "large rows: median of ours / memory floor",
            statistics.median(floors.values()) if floors else None, AT_MOST, FLOOR_TARGET,
            len(floors), floorless,
        ),
    ]  # fmt: skip


def _small(results: Results) -> list[Score]:
    return [
        _least(f"{group}: {peer} / {way}", results.group(group), peer, way, target)
        for group, targets in SMALL_TARGETS.items()
        for way in WAYS
        if any(one.row(way) for one in results.group(group))
        for peer, target in targets.items()
    ]


def _least(
    what: str, benchmarks: tuple[Benchmark, ...], peer: str, way: str, target: float
) -> Score:
    found, missing = _figures(benchmarks, lambda one: over(one, peer, way))
    least = min(found, key=lambda title: found[title], default="")
    mean = geometric_mean([*found.values()])
    return Score(what, found.get(least), AT_LEAST, target, len(found), missing, least, mean)


def _figures(
    benchmarks: tuple[Benchmark, ...], figure: Figure
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the figures by title, and the titles that have none."""
    found = {one.case.title: figure(one) for one in benchmarks}
    known = {title: value for title, value in found.items() if value is not None}
    return known, tuple(title for title in found if title not in known)


def _short(what: str, figure: float | None, target: float, sense: str) -> str:
    if figure is None:
        return f"{what}: no figure"
    good = figure >= target if sense == AT_LEAST else figure <= target
    return "" if good else f"{what}: {figure:.2f}, wanted {sense} {target:g}"
