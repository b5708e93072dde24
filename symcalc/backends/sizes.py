"""Extents as functions of the sizes met at run time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.backends.executable import Sizes
from symcalc.notation.dims import Dim
from symcalc.notation.places import with_quotients

_QUOTIENT = {"Quotient": operator.floordiv}


def size_function(extent: Any, dims: tuple[Dim, ...]) -> Callable[[Sizes], int]:
    """Return an extent as a function of the dims' sizes.

    Args:
        extent: a Dim, a whole number, or a polynomial in dims such as n - 1 or n * d.
        dims: the order in which sizes are given.
    """
    extent = sp.sympify(extent)
    if extent.is_Integer:
        value = int(extent)
        return lambda sizes: value
    if extent in dims:
        place = dims.index(extent)
        return lambda sizes: sizes[place]
    symbols = [dim for dim in dims if dim in extent.free_symbols]
    places = [dims.index(dim) for dim in symbols]
    function = sp.lambdify(symbols, with_quotients(extent), modules=[_QUOTIENT, "math"])
    return lambda sizes: int(function(*(sizes[place] for place in places)))
