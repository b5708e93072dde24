"""The picture of a computational graph: forward mode above, reverse mode below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from symcalc.learn.graph import Graph, Node

_FORWARD, _REVERSE = "#1f6fb4", "#d1495b"
_BOX = {"boxstyle": "round,pad=0.45", "facecolor": "white"}


def draw(graph: Graph) -> Any:
    """Draw a graph twice, inputs on the left and the whole on the right.

    Above, arrows run with the computation and each node has its derivative by each input; below,
    they run against it and each node has its adjoint. An arrow bears the partial derivative.

    Args:
        graph: what to draw.

    Returns:
        The matplotlib figure.
    """
    from symcalc.learn.pictures import new_figure

    places = layout(graph)
    wide = 1 + max(x for x, _ in places.values())
    high = 1 + max(y for _, y in places.values()) - min(y for _, y in places.values())
    figure, panels = new_figure(1, 2, width=max(6.0, 2.6 * wide), height=max(2.6, 1.15 * high))

    def with_tangents(node: Node) -> str:
        return "\n".join(f"d/d{by} = {number:.4g}" for by, number in node.tangents.items())

    def with_adjoint(node: Node) -> str:
        return f"adjoint {node.adjoint:.4g}"

    _panel(panels[0], graph, places, with_tangents, _FORWARD, 1)
    _panel(panels[1], graph, places, with_adjoint, _REVERSE, -1)
    told = ", ".join(f"{name} = {number:g}" for name, number in graph.at.items())
    panels[0].set_title(f"forward mode: {graph.formula} at {told}", fontsize=11)
    panels[1].set_title("reverse mode", fontsize=11)
    return figure


def layout(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return a place for each node: its longest way from an input, and a height near its parents.

    Args:
        graph: whose nodes stand in an order in which each is after its parents.
    """
    depth: dict[str, int] = {}
    for node in graph.nodes:
        depth[node.name] = 1 + max((depth[parent] for parent in node.parents), default=-1)
    places: dict[str, tuple[float, float]] = {}
    for level in range(max(depth.values()) + 1):
        here = [node for node in graph.nodes if depth[node.name] == level]
        heights = [
            float(np.mean([places[parent][1] for parent in node.parents])) if node.parents else -k
            for k, node in enumerate(here)
        ]
        middle = float(np.mean(heights))
        order = sorted(range(len(here)), key=lambda k: (-heights[k], k))
        for rank, k in enumerate(order):
            places[here[k].name] = (level, middle + (len(here) - 1) / 2 - rank)
    return places


def _panel(
    axes: Any,
    graph: Graph,
    places: dict[str, tuple[float, float]],
    words: Callable[[Node], str],
    colour: str,
    way: int,
) -> None:
    """Draw nodes and arrows; the way is 1 from parents to children, -1 back."""
    boxes = {}
    for node in graph.nodes:
        head = node.name if not node.formula else f"{node.name} = {node.formula}"
        boxes[node.name] = axes.annotate(
            f"{head}\n{node.value:.6g}\n{words(node)}", places[node.name], ha="center",
            va="center", fontsize=8, linespacing=1.35, bbox={**_BOX, "edgecolor": colour}, zorder=3,
        )  # fmt: skip
    for node in graph.nodes:
        for parent, partial, slope in zip(node.parents, node.partials, node.slopes, strict=True):
            ends = (parent, node.name)[::way]
            skips = places[node.name][0] - places[parent][0] > 1
            bend = 0.12 if skips else 0.0  # around what stands between
            axes.annotate(
                "", places[ends[1]], places[ends[0]], zorder=2,
                arrowprops={
                    "arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "alpha": 0.8,
                    "connectionstyle": f"arc3,rad={way * bend}",
                    "patchA": boxes[ends[0]].get_bbox_patch(),
                    "patchB": boxes[ends[1]].get_bbox_patch(), "shrinkA": 1, "shrinkB": 1,
                },
            )  # fmt: skip
            middle = np.mean([places[parent], places[node.name]], axis=0)
            middle[1] -= bend * np.ptp([places[parent][0], places[node.name][0]]) / 2
            axes.annotate(
                _said(partial, slope), middle,
                ha="center", va="center", fontsize=7, color=colour, zorder=2.5,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0},
            )  # fmt: skip
    xs, ys = np.array(list(places.values())).T
    axes.set(xlim=(xs.min() - 0.5, xs.max() + 0.5), ylim=(ys.min() - 0.6, ys.max() + 0.6))
    axes.set_axis_off()


def _said(partial: str, slope: float) -> str:
    """A partial derivative, as far as there is room, and its value."""
    number = f"{slope:.4g}"
    return number if partial == number or len(partial) > 14 else f"{partial} = {number}"
