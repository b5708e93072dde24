"""Accuracy beside the time: errors in units in the last place at a sample of entries.

The error of an entry is |computed - reference| / ulp(reference), where ulp(r) is the distance from
|r|, rounded to the case's dtype, to the next number of that dtype.  Each entry is judged by its
own ulp, so a small entry counts like a large one: "worst" over a sample therefore shows what
cancellation costs (two probabilities that nearly agree), and the median what a typical entry
costs.  The reference is `symcalc.bench.reference`.  The same entries, chosen by the case's seed,
are compared for every peer; a scalar value is one entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.bench.inputs import Problem
from symcalc.bench.reference import Real, Reference

SAMPLE = 2000


@dataclass(frozen=True)
class Accuracy:
    """Errors in ulps.

    Args:
        value: the worst error of the value's entries.
        value_median: the median error of the value's entries; of a scalar's the same.
        gradient: the worst error of the gradient's entries.
        gradient_median: the median error of the gradient's entries.
    """

    value: float
    value_median: float
    gradient: float
    gradient_median: float


def positions(size: int, seed: int) -> Any:
    """Return the flat positions that are compared in an array: all, or a sorted sample."""
    if size <= SAMPLE:
        return np.arange(size)
    return np.unique(np.random.default_rng([seed, size]).integers(0, size, size=SAMPLE))


def entries(problem: Problem, value: Any, grads: tuple[Any, ...]) -> dict[str, list[float]]:
    """Return what is compared of a result, as Python floats (exact for float64 and float32).

    Args:
        problem: the case it belongs to.
        value: a number, or a layer's output.
        grads: the gradients in the order of the objective's `wrt`.

    Returns:
        The sampled entries: "value", and one list an input.
    """
    arrays = {"value": np.asarray(value)}
    arrays |= dict(zip(problem.objective.wrt, map(np.asarray, grads), strict=True))
    seed = problem.case.seed
    return {
        name: [float(entry) for entry in array.reshape(-1)[positions(array.size, seed)]]
        for name, array in arrays.items()
    }


def reference_entries(problem: Problem) -> dict[str, list[tuple[float, float]]]:
    """Return the reference at the same entries, each as a sum of two floats."""
    reference, seed = Reference(problem), problem.case.seed
    size = 1 if problem.cotangent is None else problem.cotangent.size
    found = {"value": reference.value(positions(size, seed))}
    for name in problem.objective.wrt:
        flat = positions(problem.arrays[name].size, seed)
        found[name] = reference.gradient(name, flat)
    return {name: [_pair(entry) for entry in array] for name, array in found.items()}


def _pair(number: Any) -> tuple[float, float]:
    high = float(number)
    return high, float(number - Real(high)) if np.isfinite(high) else 0.0


def ulps(found: Any, reference: Any, dtype: str) -> Any:
    """Return |found - reference| / ulp(reference), entry by entry.

    Args:
        found: floats.
        reference: pairs of floats, each meant as their sum.
        dtype: whose ulp counts, "float64" or "float32".

    Returns:
        An array of floats; equal infinities and equal NaNs have no error, any other meeting with
        them is infinitely wrong.
    """
    got = np.asarray(found, dtype=np.float64)
    high, low = np.asarray(reference, dtype=np.float64).reshape(-1, 2).T
    with np.errstate(all="ignore"):
        error = np.abs((got.astype(Real) - high) - low)
        unit = np.spacing(np.abs(high).astype(dtype)).astype(Real)
        scaled = (error / unit).astype(np.float64)
    same = (got == high) & ~np.isfinite(high) | np.isnan(got) & np.isnan(high)
    wrong = ~same & ~(np.isfinite(got) & np.isfinite(high))
    return np.where(same, 0.0, np.where(wrong, np.inf, scaled))


def judge(
    found: dict[str, list[float]], reference: dict[str, list[tuple[float, float]]], dtype: str
) -> Accuracy:
    """Return the errors of a peer's entries against the reference's."""
    errors = {name: ulps(found[name], reference[name], dtype) for name in reference}
    value = errors.pop("value")
    grads = np.concatenate(list(errors.values()))
    return Accuracy(
        float(value.max()), float(np.median(value)), float(grads.max()), float(np.median(grads))
    )
