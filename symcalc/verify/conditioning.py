"""Conditioning: what rounding the inputs does to a result, whoever computes it.

An input that is off by u |x_j| moves a result by |d out / d x_j| |x_j| u. The derivatives are
enclosures; hyperparameters count as exact. Where a derivative jumps or is infinite nothing is
granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from symcalc.verify.bounded import ZERO
from symcalc.verify.enclosures import Enclosures, NoEnclosureError, places_of

_MOST = 60  # entries of all inputs: each takes two power series an entry of the gradient


def of_value(truth: Enclosures, place: tuple[int, ...]) -> Any:
    """Return sum_j |d value / d x_j| |x_j|, or zero where that is not known.

    Args:
        truth: the objective at a point.
        place: the entry of the value; for an array nothing is granted.
    """
    if place:
        return ZERO
    total = ZERO
    try:
        for name, array in _reals(truth):
            slopes = truth.slopes(name)
            for at in places_of(array.shape):
                if slopes[at].is_smooth:
                    total = total + abs(slopes[at].right) * abs(float(array[at]))
    except NoEnclosureError:
        return ZERO
    return total.abs_upper()


def of_gradient(truth: Enclosures, wrt: str, place: tuple[int, ...]) -> Any:
    """Return sum_j |d gradient / d x_j| |x_j|, or zero where that is not known.

    By polarization: d2f / dx dy is a quarter of what the curvatures along x + y, x - y differ by.
    Of points with very many entries it is not asked.

    Args:
        truth: the objective at a point.
        wrt: the input differentiated by.
        place: the entry of the gradient.
    """
    total = ZERO
    arrays = dict(_reals(truth))
    if sum(array.size for array in arrays.values()) > _MOST:
        return ZERO
    try:
        for name, array in arrays.items():
            for at in places_of(array.shape):
                size = abs(float(array[at]))
                if size == 0:
                    continue
                moves = {wrt: np.zeros(arrays[wrt].shape), name: np.zeros(array.shape)}
                found = []
                for sign in (1.0, -1.0):
                    moves[name][...] = 0.0
                    moves[wrt][...] = 0.0
                    moves[wrt][place] += 1.0
                    moves[name][at] += sign
                    found.append(truth.along(moves).curvature)
                if all(each.is_smooth for each in found):
                    total = total + abs(found[0].right - found[1].right) / 4 * size
    except NoEnclosureError:
        return ZERO
    return total.abs_upper()


def _reals(truth: Enclosures) -> Iterator[tuple[str, Any]]:
    """The arrays that rounding could have moved."""
    for tensor, array in zip(truth.objective.inputs, truth.point.arrays, strict=True):
        if not tensor.domain.integer:
            yield tensor.name, np.asarray(array)
