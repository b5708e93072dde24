"""Matrices of derivatives, row by row: one product with a unit vector an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Product = Callable[[Any], Any]


def dense(like: Any, product: Product) -> Any:
    """Return the matrix of second derivatives.

    Args:
        like: an array of the gradient's shape and dtype.
        product: multiplies the Hessian by a vector of the gradient's shape.

    Returns:
        An array of shape (*like.shape, *like.shape).
    """
    shape = like.shape
    return np.array(list(_rows(like, product))).reshape(*shape, *shape)


def diagonal(like: Any, product: Product) -> Any:
    """Return the second derivative by each entry, from all rows of the Hessian.

    Args:
        like: an array of the gradient's shape and dtype.
        product: multiplies the Hessian by a vector of the gradient's shape.

    Returns:
        An array of the gradient's shape.
    """
    found = [row.ravel()[place] for place, row in enumerate(_rows(like, product))]
    return np.array(found, like.dtype).reshape(like.shape)


def rows(value: Any, inputs: Sequence[Any], pull_back: Product) -> tuple[Any, ...]:
    """Return the derivatives of a value by several inputs, from one vjp an entry of the value.

    Args:
        value: an array of the value's shape and dtype.
        inputs: arrays of the inputs' shapes.
        pull_back: from a cotangent to the gradients, an array or a tuple of them.
    """
    made = [np.empty((value.size, *array.shape), value.dtype) for array in inputs]
    for place, row in enumerate(_rows(value, pull_back)):
        for matrix, part in zip(made, row if isinstance(row, tuple) else (row,), strict=True):
            matrix[place] = part
    return tuple(
        matrix.reshape(*value.shape, *array.shape)
        for matrix, array in zip(made, inputs, strict=True)
    )


def columns(value: Any, like: Any, push_forward: Product) -> Any:
    """Return the derivative of a value by one input, from one jvp an entry of the input.

    Args:
        value: an array of the value's shape and dtype.
        like: an array of the input's shape.
        push_forward: from a tangent of the input to that of the value.
    """
    made = np.empty((like.size, value.size), value.dtype)
    for place, column in enumerate(_rows(like, push_forward)):
        made[place] = column.ravel()
    return np.ascontiguousarray(made.T).reshape(*value.shape, *like.shape)


def _rows(like: Any, product: Product) -> Iterator[Any]:
    for place in range(like.size):
        unit = np.zeros(like.size, like.dtype)
        unit[place] = 1
        yield product(unit.reshape(like.shape))
