"""The gradient field of two arguments: contours of the value, arrows downhill."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.report.blocks import Figure, Line, Math
from symcalc.report.chart import WIDTH, Array, Arrow, Chart, Curve, linear
from symcalc.report.plots import Line1D, minus
from symcalc.report.slices import Evaluate
from symcalc.report.symbols import title

_CELLS = 24
_ARROWS = 4  # an arrow every so many points
_LEVELS = 9
_LONG = 19.0
_HEIGHT = 330.0

Plane = Callable[[float, float], tuple[float, float, float]]


def field_figures(objective: Objective, line: Line1D, evaluate: Evaluate) -> tuple[Figure, ...]:
    """Draw contours and steepest descent over two arguments, where there are two.

    They are the first entries of two inputs differentiated by, or two entries of the one input.

    Args:
        objective: what to draw; nothing is drawn of a layer.
        line: the example around which the arguments move.
        evaluate: value and gradients at given inputs.
    """
    chosen = _arguments(objective, line)
    if not objective.is_scalar or chosen is None:
        return ()
    plane = _plane(objective, line, evaluate, chosen)
    axes = [_axis(objective, name) for name, _ in chosen]
    us, vs = (np.linspace(low, high, _CELLS + 1) for low, high in axes)
    grid = np.array([[plane(float(u), float(v)) for u in us] for v in vs])
    if not np.isfinite(grid).all() or float(np.ptp(grid[..., 0])) < 1e-9:
        return ()
    start = line.along.curves[0].given(0.0)[0]
    names = [
        glyph(name, line.letters).at(tuple(map(str, place)) if start[name].size > 1 else ())
        for name, place in chosen
    ]
    curves = tuple(
        Curve(xs, ys, "", 0, 1.0) for level in _levels(grid[..., 0])
        for xs, ys in contours(us, vs, grid[..., 0], level)
    )  # fmt: skip
    drawn = Chart(linear(*axes[0]), linear(*axes[1]), curves, (), _arrows(us, vs, grid), _HEIGHT)
    caption: Line = (
        "Contours of the value over ", Math(names[0]), " (across) and ", Math(names[1]),
        " (upward). The arrows run against the gradient, the longer the steeper.",
    )  # fmt: skip
    words = " and ".join(dict.fromkeys(name for name, _ in chosen))
    ends = minus(f"from {axes[0][0]:g} to {axes[0][1]:g}")
    alt = (
        f"Contours of the value of {title(objective.name)} over two entries of {words}, each "
        f"{ends}, with arrows of steepest descent."
    )
    return (Figure(drawn.svg(), alt, caption),)


def _arguments(
    objective: Objective, line: Line1D
) -> tuple[tuple[str, tuple[int, ...]], tuple[str, tuple[int, ...]]] | None:
    """Choose two entries to move."""
    arrays = line.along.curves[0].given(0.0)[0]
    if len(objective.wrt) > 1:
        first, second = objective.wrt[:2]
        return (first, (0,) * arrays[first].ndim), (second, (0,) * arrays[second].ndim)
    name = objective.wrt[0]
    shape = arrays[name].shape
    if not shape or shape[-1] < 2:
        return None
    rest = (0,) * (len(shape) - 1)
    return (name, (*rest, 0)), (name, (*rest, 1))


def _axis(objective: Objective, name: str) -> tuple[float, float]:
    domain = objective.input(name).domain
    low = 0.05 if domain.lower == 0 else -3.0
    return low, 0.95 if domain.upper == 1 else 3.0


def _plane(
    objective: Objective,
    line: Line1D,
    evaluate: Evaluate,
    chosen: tuple[tuple[str, tuple[int, ...]], tuple[str, tuple[int, ...]]],
) -> Plane:
    """Return the value and both derivatives as a function of the two entries."""
    start, hyper = line.along.curves[0].given(0.0)

    def at(u: float, v: float) -> tuple[float, float, float]:
        arrays = {name: array.copy() for name, array in start.items()}
        for (name, place), number in zip(chosen, (u, v), strict=True):
            arrays[name][place] = number
        inputs = tuple(arrays[t.name] for t in objective.inputs)
        value, grads = evaluate(inputs, hyper, None)
        by = dict(zip(objective.wrt, grads if isinstance(grads, (tuple, list)) else (grads,),
                      strict=True))  # fmt: skip
        slopes = [float(np.asarray(by[name])[place]) for name, place in chosen]
        return float(value), slopes[0], slopes[1]

    return at


def _levels(values: Array) -> list[float]:
    """Return heights that part the plane into pieces of about one size."""
    ordered = np.sort(values, axis=None)
    places = [(k + 0.5) / _LEVELS * (ordered.size - 1) for k in range(_LEVELS)]
    found = {float(f"{ordered[int(place)]:.3g}") for place in places}
    return sorted(found)


def _arrows(us: Array, vs: Array, grid: Array) -> tuple[Arrow, ...]:
    """Return the arrows of steepest descent, as long as the square root of the slope says."""
    across = (WIDTH - 56.0) / float(us[-1] - us[0])
    up = (_HEIGHT - 32.0) / float(vs[-1] - vs[0])
    inner = slice(_ARROWS // 2, None, _ARROWS)
    slopes = grid[inner, inner, 1:]
    steepest = float(np.hypot(slopes[..., 0], slopes[..., 1]).max())
    found = []
    for v, row in zip(vs[inner], slopes, strict=True):
        for u, (by_u, by_v) in zip(us[inner], row, strict=True):
            steep = math.hypot(by_u, by_v)
            if steep <= 1e-9 * steepest:
                continue
            dx, dy = -by_u * across, -by_v * up
            long = _LONG * math.sqrt(steep / steepest) / math.hypot(dx, dy)
            found.append(Arrow(float(u), float(v), dx * long, dy * long))
    return tuple(found)


def contours(us: Array, vs: Array, values: Array, level: float) -> list[tuple[Array, Array]]:
    """Return the curves on which a function on a grid has a value, by marching squares.

    Args:
        us: the grid's places across.
        vs: its places upward.
        values: at [v, u].
        level: the value.

    Returns:
        Polylines, each as its coordinates.

    Reference: Maple (2003), doi:10.1109/GMAG.2003.1219671
    """
    ends: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    where: dict[tuple[int, int, int], tuple[float, float]] = {}

    def crossing(i: int, j: int, upward: int) -> tuple[int, int, int] | None:
        a = float(values[j, i])
        b = float(values[j + 1, i] if upward else values[j, i + 1])
        if (a < level) == (b < level):
            return None
        t = (level - a) / (b - a)
        u, v = float(us[i]), float(vs[j])
        where[i, j, upward] = (
            (u, v + t * float(vs[j + 1] - vs[j])) if upward
            else (u + t * float(us[i + 1] - us[i]), v)
        )  # fmt: skip
        return i, j, upward

    for j in range(len(vs) - 1):
        for i in range(len(us) - 1):
            sides = (crossing(i, j, 0), crossing(i + 1, j, 1), crossing(i, j + 1, 0),
                     crossing(i, j, 1))  # fmt: skip
            met = [side for side in sides if side is not None]
            for a, b in zip(met[::2], met[1::2], strict=False):
                ends.setdefault(a, []).append(b)
                ends.setdefault(b, []).append(a)
    return [
        (np.array([where[p][0] for p in chain]), np.array([where[p][1] for p in chain]))
        for chain in _chains(ends)
    ]


def _chains(
    ends: dict[tuple[int, int, int], list[tuple[int, int, int]]],
) -> list[list[tuple[int, int, int]]]:
    """Join segments into lines: open ones from their ends first, then closed ones."""
    left = {point: list(near) for point, near in ends.items()}
    chains = []
    for start in sorted(left, key=lambda p: (len(ends[p]) != 1, p)):
        while left[start]:
            chain = [start]
            while left[chain[-1]]:
                onward = left[chain[-1]].pop(0)
                left[onward].remove(chain[-1])
                chain.append(onward)
            chains.append(chain)
    return chains
