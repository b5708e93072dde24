"""Logarithms of sums of exponentials for the NumPy backend, in two parts that cancel exactly.

L = top + rest, so that x - L = (x - top) - rest, which is -rest where x is the top itself, be it
ever so large. Nothing has a share in a total of nothing: x - L is minus infinity there.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Total(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of such logarithms, or of their negatives; what is subtracted sees both parts.

    Args:
        top: the greatest exponents.
        rest: the logarithms of the sums of all exponentials, over that of the top.
        sign: 1 or -1.
    """

    def __init__(self, top: Any, rest: Any, sign: int = 1) -> None:
        self.top, self.rest, self.sign = top, rest, sign

    @classmethod
    def over_last(cls, values: Any) -> Total:
        """Return the logarithms of sums along the last axis."""
        values = np.asarray(values, np.result_type(values, np.float32))  # whole numbers as well
        top = np.max(values, axis=-1, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):
            heights = np.where(values == top, 0, values - top)
            rest = np.log(np.sum(np.exp(heights), axis=-1))
        return cls(top[..., 0], rest)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as of an array."""
        return tuple(np.shape(self.top))

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.size(self.top))

    @property
    def dtype(self) -> Any:
        """What plain numbers are made of it."""
        return np.dtype(np.float64)

    def __getitem__(self, places: Any) -> Total:
        return Total(self.top[places], self.rest[places], self.sign)

    def __float__(self) -> float:
        return float(np.asarray(self))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        with np.errstate(invalid="ignore"):
            value = np.where(np.isinf(self.top), self.top, self.top + self.rest)
        return np.asarray(self.sign * value, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options:
            first, last = inputs[0], inputs[-1]
            if ufunc is np.negative:
                return Total(self.top, self.rest, -self.sign)
            both = isinstance(first, Total) and isinstance(last, Total)
            if ufunc is np.subtract and not both:
                return self._beside(first) if last is self else -self._beside(last, np.nan)
            if ufunc is np.add and not both:
                return (-self)._beside(first if last is self else last)
        plain = (np.asarray(i) if isinstance(i, Total) else i for i in inputs)
        return getattr(ufunc, method)(*plain, **options)

    def _beside(self, other: Any, empty: float = -np.inf) -> Any:
        """Return other - self, and `empty` beside a total of nothing."""
        if self.sign < 0:
            return np.asarray(other) + np.asarray(-self)
        with np.errstate(invalid="ignore"):
            height = np.where(other == self.top, 0, other - self.top)
            return np.where(self.top == -np.inf, empty, height - self.rest)
