"""Numbers of any size for the NumPy backend: arrays of numbers times powers of two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

_LEAST, _MOST = 2.0**-900, 2.0**900
_BEYOND = 2**40  # powers of two that no product of numbers comes to


class AnySize(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of numbers m 2**e; a product of two is another, all else makes plain numbers of it.

    Args:
        number: m, zero or infinite or from a half to one.
        power: e, whole numbers.
    """

    def __init__(self, number: Any, power: Any) -> None:
        self.number, more = np.frexp(number)
        self.power = np.where(number == 0, 0, power + more.astype(np.int64))

    @classmethod
    def of(cls, values: Any) -> AnySize:
        """Return plain numbers as such an array."""
        return values if isinstance(values, cls) else cls(np.asarray(values, np.float64), 0)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as of an array."""
        return tuple(np.shape(self.number))

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.size(self.number))

    @property
    def dtype(self) -> Any:
        """What plain numbers are made of it."""
        return np.dtype(np.float64)

    def __getitem__(self, places: Any) -> AnySize:
        return AnySize(self.number[places], self.power[places])

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        power = np.clip(self.power, -5000, 5000).astype(np.int32)
        return np.asarray(np.ldexp(self.number, power), dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.multiply and method == "__call__" and not options:
            a, b = map(AnySize.of, inputs)
            return AnySize(a.number * b.number, a.power + b.power)
        plain = (np.asarray(i) if isinstance(i, AnySize) else i for i in inputs)
        return getattr(ufunc, method)(*plain, **options)

    def plus(self, other: AnySize) -> AnySize:
        """Return the sum, taken at the power of the greater one."""
        mine, theirs = (np.where(x.number == 0, -_BEYOND, x.power) for x in (self, other))
        top = np.maximum(mine, theirs)
        parts = (AnySize(x.number, np.where(x.number == 0, 0, x.power - top))
                 for x in (self, other))  # fmt: skip
        first, second = map(np.asarray, parts)
        return AnySize(first + second, np.where(top == -_BEYOND, 0, top))


def chosen(when: Any, then: Any, otherwise: Any) -> Any:
    """Choose as `np.where` does, among numbers of any size too."""
    if not isinstance(then, AnySize) and not isinstance(otherwise, AnySize):
        return np.where(when, then, otherwise)
    a, b = AnySize.of(then), AnySize.of(otherwise)
    return AnySize(np.where(when, a.number, b.number), np.where(when, a.power, b.power))


def product(values: Any) -> Any:
    """Return the product along the last axis, whatever its parts come to on the way."""
    plain = np.prod(values, axis=-1, dtype=np.float64)
    size = np.abs(np.multiply.accumulate(values, axis=-1, dtype=np.float64))
    if np.all((size > _LEAST) & (size < _MOST)):
        return plain
    found = AnySize.of(values)
    while found.shape[-1] > 1:  # in pairs, the odd one out taken along
        even = found.shape[-1] // 2 * 2
        rest = found[..., even:]
        pairs = found[..., 0:even:2] * found[..., 1:even:2]
        found = AnySize(np.concatenate([pairs.number, rest.number], -1),
                        np.concatenate([pairs.power, rest.power], -1))  # fmt: skip
    return np.asarray(found[..., 0]) if found.shape[-1] else plain


def run_through(decay: Any, term: Any, start: Any, order: Iterable[int]) -> Any:
    """Return all entries of y[t] = decay[t] y[t-1] + term[t], of any size where one needs be.

    Args:
        decay: along the first axis, as all.
        term: likewise.
        start: what stands before the first entry.
        order: of the entries.
    """
    order = list(order)
    state, plain = start.astype(np.float64), np.empty(term.shape)
    for place in order:
        state = decay[place] * state + term[place]
        plain[place] = state
    size = np.abs(plain)
    if np.all((size > _LEAST) & (size < _MOST)):
        return plain
    wide, number, power = AnySize.of(start), np.empty(term.shape), np.zeros(term.shape, np.int64)
    decays, terms = AnySize.of(decay), AnySize.of(term)
    for place in order:
        wide = (decays[place] * wide).plus(terms[place])
        number[place], power[place] = wide.number, wide.power
    return AnySize(number, power)
