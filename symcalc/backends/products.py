"""Matrix products for generated kernels, each handed to the BLAS by a function compiled once.

Written out in a kernel, a call of the BLAS takes as long to compile as the loops around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(error_model="numpy")
def product_nn(a: Any, b: Any, out: Any) -> None:
    """Set out = a b."""
    np.dot(np.ascontiguousarray(a), np.ascontiguousarray(b), out)


@njit(error_model="numpy")
def product_nt(a: Any, b: Any, out: Any) -> None:
    """Set out = a b^T."""
    np.dot(np.ascontiguousarray(a), np.ascontiguousarray(b).T, out)


@njit(error_model="numpy")
def product_tn(a: Any, b: Any, out: Any) -> None:
    """Set out = a^T b."""
    np.dot(np.ascontiguousarray(a).T, np.ascontiguousarray(b), out)


@njit(error_model="numpy")
def product_tt(a: Any, b: Any, out: Any) -> None:
    """Set out = a^T b^T."""
    np.dot(np.ascontiguousarray(a).T, np.ascontiguousarray(b).T, out)
