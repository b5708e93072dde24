"""The Hessian row by row: one product with a unit vector an entry of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symcalc.backends.executable import Sizes

Product = Callable[[Any], Any]


def dense(gradient: Any, product: Product) -> Any:
    """Return the matrix of second derivatives.

    Args:
        gradient: the gradient where it is taken.
        product: multiplies the Hessian by a vector of the gradient's shape.

    Returns:
        An array of shape (*gradient.shape, *gradient.shape).
    """
    shape = gradient.shape
    return np.array(list(_rows(shape, gradient.dtype, product))).reshape(*shape, *shape)


def diagonal(gradient: Any, product: Product) -> Any:
    """Return the second derivative by each entry, from all rows of the Hessian.

    Args:
        gradient: the gradient where it is taken.
        product: multiplies the Hessian by a vector of the gradient's shape.

    Returns:
        An array of the gradient's shape.
    """
    rows = _rows(gradient.shape, gradient.dtype, product)
    found = [row.ravel()[place] for place, row in enumerate(rows)]
    return np.array(found).reshape(gradient.shape)


def _rows(shape: Sizes, dtype: Any, product: Product) -> Iterator[Any]:
    size = int(np.prod(shape))
    for place in range(size):
        unit = np.zeros(size, dtype)
        unit[place] = 1
        yield product(unit.reshape(shape))
