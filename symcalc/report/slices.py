"""Which line through the space of inputs to draw an objective along, and where it bends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from symcalc.notation.dims import Index
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Mean, Reduction
from symcalc.notation.scans import recurrences
from symcalc.notation.tensors import Tensor
from symcalc.verify.sampling import roomy

Array = npt.NDArray[Any]
# (arrays in declared order, hyperparameters, cotangent or None) -> (value, gradients by wrt)
Evaluate = Callable[[tuple[Array, ...], Mapping[str, float], Array | None], tuple[Any, Any]]

POINTS = 202  # even, so that the points straddle the round numbers at which formulas bend
_ENTRIES = (-1.0, 0.5, 1.5, -0.5, 1.0, 0.0, -1.5)  # seven, so that rows and columns differ


@dataclass(frozen=True)
class Curve:
    """One curve to draw.

    Args:
        label: what tells it from the others.
        at: value and slope at an argument.
    """

    label: str
    at: Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Slice:
    """A line through the space of inputs.

    Args:
        moved: the input of which one entry moves.
        place: which entry.
        low: where it starts.
        high: where it ends.
        curves: what to draw along it.
        fixed: what is held fixed: names of inputs and their values, in words.
    """

    moved: str
    place: tuple[int, ...]
    low: float
    high: float
    curves: tuple[Curve, ...]
    fixed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bend:
    """A point where the slope jumps, or bends.

    Args:
        at: the argument.
        value: the value there.
        slopes: the slope before, at (the convention) and after.
        exact: whether the point was met exactly, so that the slope there is the convention.
    """

    at: float
    value: float
    slopes: tuple[float, float, float]
    exact: bool = True

    @property
    def is_jump(self) -> bool:
        """Whether the slope itself jumps."""
        before, _, after = self.slopes
        return abs(after - before) > 1e-3 * (1 + abs(before) + abs(after))


def telling_slice(objective: Objective, evaluate: Evaluate) -> Slice:
    """Choose an example on which the objective shows what it does.

    A loss averaged over a batch is drawn for one sample; a layer for one moving entry of a small
    array. Labels, probabilities and signs give a curve each; else the hyperparameter does.

    Args:
        objective: what to draw.
        evaluate: value and gradients at given inputs.
    """
    moved = objective.input(objective.wrt[0])
    sizes = roomy(objective, _sizes(objective))
    arrays = {t.name: _fixed(t, sizes, t is moved and not objective.is_scalar)
              for t in objective.inputs}  # fmt: skip
    hyper = {p.name: 1.0 if p.default is None else p.default for p in objective.parameters}
    place = (0,) * len(moved.shape)
    low, high = _range(moved)
    if not _shows(objective, arrays, hyper, evaluate, place, sizes):
        arrays = {t.name: _varied(arrays[t.name], number) if t.domain.is_real_line else
                  arrays[t.name] for number, t in enumerate(objective.inputs)}  # fmt: skip

    def along(changed: Mapping[str, Array], knobs: Mapping[str, float], entry: Any) -> Any:
        def at(x: float) -> tuple[float, float]:
            given = {**arrays, **changed}
            given[moved.name] = given[moved.name].copy()
            given[moved.name][place] = x
            inputs = tuple(given[t.name] for t in objective.inputs)
            if entry is None:
                value, grads = evaluate(inputs, knobs, None)
                value = float(value)
            else:
                cotangent = np.zeros(tuple(_size(i.extent, sizes) for i in objective.outputs))
                cotangent[entry] = 1.0
                out, grads = evaluate(inputs, knobs, cotangent)
                value = float(np.asarray(out)[entry])
            first = grads[0] if isinstance(grads, (tuple, list)) else grads
            return value, float(np.asarray(first)[place])

        return at

    curves: list[Curve] = []
    if objective.is_scalar:
        variants = _variants(objective, arrays, hyper)
        for label, changed, knobs in variants:
            curves.append(Curve(label, along(changed, {**hyper, **knobs}, None)))
        varied = set(variants[0][1])
        fixed = [(name, _words(array)) for name, array in arrays.items()
                 if name != moved.name and name not in varied]  # fmt: skip
    else:
        fixed = []
        for entry in _moving_entries(objective, arrays, hyper, evaluate, place, sizes):
            name = "".join(str(k) for k in entry)
            curves.append(Curve(f"entry {name}", along({}, hyper, entry)))
    return Slice(moved.name, place, low, high, tuple(curves), tuple(fixed))


def _varied(array: Array, number: int) -> Array:
    """Values of which no two neighbours are alike, where there were zeros."""
    other = np.roll(np.resize(np.array(_ENTRIES), array.size), number).reshape(array.shape)
    return np.where(array == 0, other, array)


def _shows(
    objective: Objective, arrays: Mapping[str, Array], hyper: Mapping[str, float],
    evaluate: Evaluate, place: tuple[int, ...], sizes: dict[str, int],
) -> bool:  # fmt: skip
    """Whether there is something to draw: a finite value, or an entry that moves."""
    if not objective.is_scalar:
        return bool(_moving_entries(objective, arrays, hyper, evaluate, place, sizes))
    inputs = tuple(arrays[t.name] for t in objective.inputs)
    return bool(np.isfinite(evaluate(inputs, hyper, None)[0]))


def _sizes(objective: Objective) -> dict[str, int]:
    """One sample of a batch; three classes; four by four for a layer."""
    if not objective.is_scalar:
        return {dim.name: 4 for dim in objective.dims}
    reductions = {r for formula in objective.formulas for r in formula.atoms(Reduction)}
    inner = {m for outer in reductions for m in outer.body.atoms(Reduction)}
    batch = {str(m.index.extent) for m in reductions - inner if isinstance(m, Mean)}
    uneven = {i for f in objective.formulas for i in f.atoms(Index) if not i.extent.is_Symbol}
    uneven |= {entry.index for formula in objective.formulas for entry in recurrences(formula)}
    shifted = {dim.name for index in uneven for dim in index.dims}
    flat = all(len(t.shape) <= 1 for t in objective.inputs)
    return {
        d.name: 1 if (flat or d.name in batch) and d.name not in shifted else 3
        for d in objective.dims
    }


def _size(extent: Any, sizes: Mapping[str, int]) -> int:
    return int(extent.xreplace({s: sp.Integer(sizes[s.name]) for s in extent.free_symbols}))


def _fixed(tensor: Tensor, sizes: Mapping[str, int], spread: bool) -> Array:
    """Round values at which an example is easy to follow."""
    shape = tuple(_size(extent, sizes) for extent in tensor.shape)
    domain = tensor.domain
    if domain.integer:
        return np.zeros(shape, dtype=np.int64)
    if domain.rows_sum_to_one:
        weights = np.arange(shape[-1], 0, -1, dtype=np.float64)
        return np.broadcast_to(weights / weights.sum(), shape).copy()
    if domain.values:
        return np.full(shape, max(domain.values))
    if domain.lower == 0:
        return np.full(shape, 0.5 if domain.upper == 1 else 1.0)
    if spread:
        return np.resize(np.array(_ENTRIES), shape)
    if tensor.name in {"gamma", "scale", "weight", "advantages", "returns"}:
        return np.ones(shape)
    if "log_prob" in tensor.name:
        return np.full(shape, -np.log(max(sizes.values())))
    return np.zeros(shape)


def _range(tensor: Tensor) -> tuple[float, float]:
    low = 0.02 if tensor.domain.lower == 0 else -4.0
    high = 0.98 if tensor.domain.upper == 1 else 4.0
    return low, high


def _words(array: Array) -> str:
    """Write the values of an input that is held fixed."""
    values = [f"{v:.3g}".replace("-", "−") for v in np.asarray(array, dtype=np.float64).ravel()]
    return values[0] if len(set(values)) == 1 else f"({', '.join(values)})"


Variant = tuple[str, dict[str, Array], dict[str, float]]


def _variants(
    objective: Objective, arrays: Mapping[str, Array], hyper: Mapping[str, float]
) -> list[Variant]:
    """What to draw a curve each for: an input with few telling values, or a hyperparameter."""
    others = [t for t in objective.inputs if t.name not in objective.wrt]
    labelled = any(t.domain.below is not None for t in others)
    factors = [t for t in others if labelled and t.domain.describe() == "real numbers"]
    if factors:  # returns and advantages multiply what the labels choose
        name = factors[-1].name
        return [(f"{name} = {v:g}", {name: np.full_like(arrays[name], v)}, {}) for v in (1.0, -1.0)]
    for tensor in others:
        base, domain = arrays[tensor.name], tensor.domain
        if domain.below is not None:
            words = ("it is the true class", "another class is true")
            return [(w, {tensor.name: np.full_like(base, k)}, {}) for k, w in enumerate(words)]
        if domain.rows_sum_to_one and base.shape[-1] > 1:
            return [_row(tensor.name, base, v) for v in (0.2, 0.5, 0.8)]
        unit = (domain.lower, domain.upper) == (0, 1)
        values = domain.values or ((0.0, 0.5, 1.0) if unit else ())
        if values:
            return [(f"{tensor.name} = {v:g}", {tensor.name: np.full_like(base, v)}, {})
                    for v in values]  # fmt: skip
    for knob in objective.parameters[:1]:
        values = (hyper[knob.name] / 2, hyper[knob.name], hyper[knob.name] * 2)
        return [(f"{knob.name} = {v:g}", {}, {knob.name: v}) for v in values
                if knob.domain.admits(v)]  # fmt: skip
    return [("", {}, {})]


def _row(name: str, base: Array, first: float) -> Variant:
    """A row of probabilities whose first entry is given, the others equal."""
    rows = np.full_like(base, (1 - first) / (base.shape[-1] - 1))
    rows[..., 0] = first
    return (f"first {name} = {first:g}", {name: rows}, {})


def _moving_entries(
    objective: Objective,
    arrays: Mapping[str, Array],
    hyper: Mapping[str, float],
    evaluate: Evaluate,
    place: tuple[int, ...],
    sizes: Mapping[str, int],
) -> list[tuple[int, ...]]:
    """The entries of a layer's output that one entry of its input moves, at most four."""
    shape = tuple(_size(i.extent, sizes) for i in objective.outputs)

    def out(shift: float) -> Any:
        given = {name: array.copy() for name, array in arrays.items()}
        given[objective.wrt[0]][place] += shift
        inputs = tuple(given[t.name] for t in objective.inputs)
        return np.asarray(evaluate(inputs, hyper, np.zeros(shape))[0])

    for shift in (1.0, 4.0):  # a small step may stay where the output is flat
        moved = np.argwhere(np.abs(out(shift) - out(0.0)) > 1e-9)
        if moved.size:
            return [tuple(int(k) for k in entry) for entry in moved][:4]
    return []


def sample(curve: Curve, low: float, high: float) -> tuple[Array, Array, Array]:
    """Return arguments, values and slopes of a curve."""
    xs = np.linspace(low, high, POINTS)
    found = [curve.at(float(x)) for x in xs]
    return xs, np.array([v for v, _ in found]), np.array([s for _, s in found])


def bends(curve: Curve, xs: Array, slopes: Array) -> list[Bend]:
    """Find the points between samples where the slope jumps or bends.

    Args:
        curve: the curve, for a closer look.
        xs: the arguments sampled.
        slopes: the slopes there.
    """
    found: list[Bend] = []
    steps = np.abs(np.diff(slopes))
    height = float(np.ptp(slopes)) or 1.0
    rates = np.diff(slopes) / np.diff(xs)
    steep = float(np.max(np.abs(rates))) or 1.0
    for k in range(1, len(steps) - 1):
        around = max(steps[k - 1], steps[k + 1])
        if steps[k] > 4 * around + 0.02 * height:
            found.append(_jump(curve, float(xs[k]), float(xs[k + 1])))
    turns: list[tuple[float, float]] = []
    for k in range(2, len(rates) - 2):
        before, after = float(rates[k - 1]), float(rates[k + 1])
        calm = max(abs(before - rates[k - 2]), abs(rates[k + 2] - after))
        if abs(after - before) > max(0.3 * steep, 6 * calm):
            rise = slopes[k + 1] - slopes[k] + before * xs[k] - after * xs[k + 1]
            at = float(rise / (before - after))  # where the lines through both sides meet
            turns.append((calm / abs(after - before), at))
    width = 4 * float(xs[1] - xs[0])
    for _, at in sorted(turns):
        if all(abs(at - b.at) > width for b in found):
            value, slope = curve.at(_rounded(at))
            found.append(Bend(_rounded(at), value, (slope, slope, slope)))
    return found


def _jump(curve: Curve, low: float, high: float) -> Bend:
    """Close in on a jump of the slope."""
    before, after = curve.at(low)[1], curve.at(high)[1]
    for _ in range(40):
        middle = (low + high) / 2
        slope = curve.at(middle)[1]
        if abs(slope - before) <= abs(slope - after):
            low, before = middle, slope
        else:
            high, after = middle, slope
    middle = (low + high) / 2
    at = _rounded(middle)
    value, slope = curve.at(at)
    return Bend(at, value, (before, slope, after), exact=at == round(at, 3))


def _rounded(x: float) -> float:
    """Prefer the short decimal that a bend almost always lies on, so that ties are met exactly."""
    short = round(x, 3)
    return short + 0.0 if abs(short - x) < 1e-7 else x
