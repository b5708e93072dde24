"""A layered drawing of a directed graph: what is read stands above what reads it.

Layers by longest path, order within a layer by the mean place of neighbours, then places that pull
each node towards its neighbours. Long edges pass through the layers between at places of their own.
The same graph always gets the same drawing.

Reference: Sugiyama, Tagawa and Toda (1981), doi:10.1109/TSMC.1981.4308636
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
_GAP = 14.0  # between neighbours in a layer
_RISE = 34.0  # between layers
_THREAD = 8.0  # what an edge that passes through takes up


@dataclass(frozen=True)
class Place:
    """Where a node stands: its middle."""

    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Where everything is.

    Args:
        width: of the whole.
        height: of the whole.
        places: of the nodes.
        edges: for each edge the points that it runs through, from the reader's parent down.
    """

    width: float
    height: float
    places: Mapping[str, Place]
    edges: Mapping[tuple[str, str], tuple[Place, ...]]


def layered(
    sizes: Mapping[str, tuple[float, float]], parents: Mapping[str, Sequence[str]]
) -> Drawing:
    """Place the nodes of a graph in layers.

    Args:
        sizes: width and height of each node, each node after those that it reads.
        parents: for each node those that it reads.

    Returns:
        The Drawing.
    """
    depth = _depths(list(sizes), parents)
    rows, chains = _rows(list(sizes), parents, depth)
    widths = {node: size[0] for node, size in sizes.items()}
    widths |= {node: _THREAD for row in rows for node in row if node not in sizes}
    near = _neighbours(chains)
    rows = _ordered(rows, near, depth)
    xs = _columns(rows, widths, near)
    left = min(xs[n] - widths[n] / 2 for n in xs)
    right = max(xs[n] + widths[n] / 2 for n in xs)
    y, places = 0.0, {}
    tops: list[tuple[float, float]] = []
    for row in rows:
        tall = max((sizes[n][1] for n in row if n in sizes), default=0.0)
        for node in row:
            places[node] = Place(xs[node] - left, y + tall / 2)
        tops.append((y, y + tall))
        y += tall + _RISE
    level = {node: k for k, row in enumerate(rows) for node in row}
    edges = {
        (chain[0], chain[-1]): _route(chain, places, sizes, [tops[level[n]] for n in chain])
        for chain in chains
    }
    return Drawing(right - left, y - _RISE, {n: places[n] for n in sizes}, edges)


def _depths(nodes: list[str], parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Give each node its layer; one that reads nothing stands just above its first reader."""
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth[p] for p in parents.get(node, ())), default=-1)
    for node in nodes:
        if not parents.get(node):
            readers = [depth[n] for n in nodes if node in parents.get(n, ())]
            depth[node] = min(readers, default=1) - 1
    return depth


def _rows(
    nodes: list[str], parents: Mapping[str, Sequence[str]], depth: Mapping[str, int]
) -> tuple[list[list[str]], list[tuple[str, ...]]]:
    """Put nodes into layers, and a thread into each layer that an edge passes."""
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in nodes:
        rows[depth[node]].append(node)
    chains = []
    for node in nodes:
        for parent in parents.get(node, ()):
            between = [f"{parent}>{node}>{k}" for k in range(depth[parent] + 1, depth[node])]
            for k, thread in enumerate(between, depth[parent] + 1):
                rows[k].append(thread)
            chains.append((parent, *between, node))
    return rows, chains


def _neighbours(chains: list[tuple[str, ...]]) -> dict[str, tuple[list[str], list[str]]]:
    """Return for each node those above it and those below."""
    near: dict[str, tuple[list[str], list[str]]] = {}
    for chain in chains:
        for above, below in pairwise(chain):
            near.setdefault(above, ([], []))[1].append(below)
            near.setdefault(below, ([], []))[0].append(above)
    return near


def _ordered(
    rows: list[list[str]],
    near: Mapping[str, tuple[list[str], list[str]]],
    depth: Mapping[str, int],
) -> list[list[str]]:
    """Order each layer by where the neighbours of its nodes stand; keep what crosses least."""
    best = rows
    fewest = _crossings(rows, near)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        rows = [list(row) for row in rows]
        for k in range(len(rows)) if down else reversed(range(len(rows))):
            beside = k - 1 if down else k + 1
            if not 0 <= beside < len(rows):
                continue
            rank = {node: place for place, node in enumerate(rows[beside])}
            own = {node: place for place, node in enumerate(rows[k])}

            def middle(node: str, rank: dict[str, int] = rank, own: dict[str, int] = own,
                       side: int = 0 if down else 1) -> float:  # fmt: skip
                beside = [rank[n] for n in near.get(node, ([], []))[side] if n in rank]
                return sum(beside) / len(beside) if beside else own[node]

            rows[k].sort(key=middle)
        crossed = _crossings(rows, near)
        if crossed < fewest:
            best, fewest = rows, crossed
    return best


def _crossings(rows: list[list[str]], near: Mapping[str, tuple[list[str], list[str]]]) -> int:
    """Count the pairs of edges that cross between layers."""
    count = 0
    for above, below in pairwise(rows):
        rank = {node: place for place, node in enumerate(below)}
        ends = [rank[n] for node in above for n in sorted(near.get(node, ([], []))[1],
                key=lambda n: rank.get(n, -1)) if n in rank]  # fmt: skip
        count += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
    return count


def _columns(
    rows: list[list[str]],
    widths: Mapping[str, float],
    near: Mapping[str, tuple[list[str], list[str]]],
) -> dict[str, float]:
    """Place nodes along their layers, near the middle of their neighbours, without overlap."""
    xs: dict[str, float] = {}
    for row in rows:
        wide = sum(widths[n] for n in row) + _GAP * (len(row) - 1)
        x = -wide / 2
        for node in row:
            xs[node] = x + widths[node] / 2
            x += widths[node] + _GAP
    for sweep in range(3 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wish = {}
            for node in row:
                beside = [xs[n] for side in near.get(node, ([], [])) for n in side]
                wish[node] = sum(beside) / len(beside) if beside else xs[node]
            xs |= _apart(row, wish, widths)
    return xs


def _apart(
    row: list[str], wish: Mapping[str, float], widths: Mapping[str, float]
) -> dict[str, float]:
    """Meet wishes in order without overlap: neighbours that collide move as one block."""
    blocks: list[tuple[list[str], float, float]] = []  # nodes, left end, width
    for node in row:
        block = ([node], wish[node] - widths[node] / 2, widths[node])
        while blocks and blocks[-1][1] + blocks[-1][2] + _GAP > block[1]:
            nodes, left, wide = blocks.pop()
            total = wide + _GAP + block[2]
            share = len(nodes) / (len(nodes) + len(block[0]))
            start = left * share + (block[1] - wide - _GAP) * (1 - share)
            block = (nodes + block[0], start, total)
        blocks.append(block)
    found = {}
    for nodes, left, _ in blocks:
        x = left
        for node in nodes:
            found[node] = x + widths[node] / 2
            x += widths[node] + _GAP
    return found


def _route(
    chain: tuple[str, ...],
    places: Mapping[str, Place],
    sizes: Mapping[str, tuple[float, float]],
    levels: list[tuple[float, float]],
) -> tuple[Place, ...]:
    """Run an edge from the foot of one node to the head of another, straight through layers."""
    first, last = places[chain[0]], places[chain[-1]]
    points = [Place(first.x, first.y + sizes[chain[0]][1] / 2)]
    for node, (top, bottom) in zip(chain[1:-1], levels[1:-1], strict=True):
        points += [Place(places[node].x, top), Place(places[node].x, bottom)]
    head = Place(last.x, last.y - sizes[chain[-1]][1] / 2)
    return (*points, head)
