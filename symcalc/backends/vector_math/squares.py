"""Squares for sums that neither overflow nor underflow: each entry is in one of three sums.

Reference: Blue, A portable Fortran program to find the Euclidean norm of a vector (1978).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symcalc.backends.coefficients import Coefficients
from symcalc.backends.vector_math.building import Formula, vector

LARGE, SMALL = np.float64(2) ** 486, np.float64(2) ** -511
SHRINK, GROW = np.float64(2) ** -538, np.float64(2) ** 563


def _none(x: Any) -> Any:
    return np.float64(0)


@vector
def square(p: Coefficients) -> Formula:
    """x^2 in float64, and 0 where that over- or underflows.

    Domain: all numbers; NaN and no other special value stays. In float32 there are no such x.
    """

    def double(x: Any) -> Any:
        a = abs(x)
        return np.float64(0) if a > LARGE or a < SMALL else a * a

    def single(x: Any) -> Any:
        return np.float64(x) * np.float64(x)

    return double if p.real is np.float64 else single


@vector
def square_of_large(p: Coefficients) -> Formula:
    """(x 2^-538)^2 for |x| > 2^486, else 0; always 0 in float32.

    Domain: all numbers.
    """

    def double(x: Any) -> Any:
        a = abs(x) * SHRINK
        return a * a if a > LARGE * SHRINK else np.float64(0)

    return double if p.real is np.float64 else _none


@vector
def square_of_small(p: Coefficients) -> Formula:
    """(x 2^563)^2 for |x| < 2^-511, else 0; always 0 in float32.

    Domain: all numbers.
    """

    def double(x: Any) -> Any:
        a = abs(x) * GROW
        return a * a if a < SMALL * GROW else np.float64(0)

    return double if p.real is np.float64 else _none
