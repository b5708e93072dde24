"""Binding: from what a caller passes to arrays a kernel may trust, or an error that helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Parameter
from symcalc.notation.tensors import Tensor


@dataclass(frozen=True)
class Binder:
    """Knows the declared arguments of one kernel and meets what comes.

    Args:
        title: the objective's name, for messages.
        inputs: the arrays in order.
        parameters: the hyperparameters.
        dtype: of the real arrays.
    """

    title: str
    inputs: tuple[Tensor, ...]
    parameters: tuple[Parameter, ...]
    dtype: np.dtype[Any]

    def bind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], list[float], dict[str, int]]:
        """Return arrays in order, hyperparameters in order, and the size of each dim.

        Raises:
            ArgumentTypeError: an argument is missing, unknown, given twice or of the wrong type.
            ArgumentError: a shape, a size or a value does not fit.
        """
        if len(args) != len(self.inputs) or kwargs:
            args, hyper = self._by_name(args, dict(kwargs))
        else:
            hyper = {}
        extents: dict[str, int] = {}
        owner: dict[str, str] = {}
        arrays = []
        for tensor, given in zip(self.inputs, args, strict=True):
            array = self._array(tensor, given)
            for axis, extent in enumerate(tensor.shape):
                size = array.shape[axis]
                if not extent.is_Symbol:  # a shifted extent: n - 1
                    size, extent = size + int(_dim(extent) - extent), _dim(extent)
                known = extents.setdefault(extent.name, size)
                if known != size:
                    raise self._clash(tensor, array, extents, owner)
                owner.setdefault(extent.name, tensor.name)
            arrays.append(array)
        for tensor, array in zip(self.inputs, arrays, strict=True):
            if tensor.domain.below is not None:
                self._check_labels(tensor, array, extents)
        return arrays, self._hyper(hyper), extents

    def _by_name(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put keyword arrays in their places; what remains are hyperparameters."""
        names = [tensor.name for tensor in self.inputs]
        if len(args) > len(names):
            raise ArgumentTypeError(
                f"{self.title}: expected {len(names)} arrays ({', '.join(names)}), got {len(args)}; "
                "hyperparameters go by keyword"
            )
        placed = list(args)
        for name in names[: len(args)]:
            if name in kwargs:
                raise ArgumentTypeError(f"{self.title}: {name} was given twice")
        for name in names[len(args) :]:
            if name not in kwargs:
                raise ArgumentTypeError(
                    f"{self.title}: missing array {name!r}; expected {', '.join(names)}"
                )
            placed.append(kwargs.pop(name))
        known = {parameter.name for parameter in self.parameters}
        for name in kwargs:
            if name not in known:
                expected = ", ".join([*names, *sorted(known)])
                raise ArgumentTypeError(
                    f"{self.title}: unknown argument {name!r}; expected {expected}"
                )
        return tuple(placed), kwargs

    def _array(self, tensor: Tensor, given: Any) -> Any:
        """Return the argument as a contiguous native array of the kernel's type."""
        wanted = np.int64 if tensor.domain.integer else self.dtype
        if (
            type(given) is np.ndarray
            and given.dtype == wanted
            and given.dtype.isnative
            and given.flags.c_contiguous
            and given.flags.aligned
        ):
            array = given
        else:
            array = self._converted(tensor, given, np.dtype(wanted))
        if array.ndim != len(tensor.shape):
            raise ArgumentError(
                f"{self.title}: {tensor.name}: expected shape {_shape(tensor)}, "
                f"got {tuple(array.shape)}"
            )
        return array

    def _converted(self, tensor: Tensor, given: Any, wanted: np.dtype[Any]) -> Any:
        """Convert what can be converted without loss; refuse the rest."""
        if isinstance(given, np.ma.MaskedArray):
            raise ArgumentTypeError(
                f"{self.title}: {tensor.name}: expected a plain array, got a masked one; "
                "fill or compress it first"
            )
        try:
            array = np.asarray(given)
        except (ValueError, TypeError) as error:
            raise ArgumentTypeError(
                f"{self.title}: {tensor.name}: expected an array of {wanted}, got "
                f"{type(given).__name__} ({error})"
            ) from None
        if array.dtype.kind not in ("iu" if tensor.domain.integer else "fiub"):
            raise ArgumentTypeError(
                f"{self.title}: {tensor.name}: expected {tensor.domain.describe()} as {wanted}, "
                f"got dtype {array.dtype}"
            )
        literal = not isinstance(given, (np.ndarray, np.generic)) and not hasattr(
            given, "__array__"
        )
        whole = array.dtype.kind in "iub"
        if not (literal or whole or np.can_cast(array.dtype, wanted, "safe")):
            raise ArgumentTypeError(
                f"{self.title}: {tensor.name}: expected {wanted}, got {array.dtype}, which would "
                f"lose digits; cast it, or compile with dtype='{array.dtype}'"
            )
        return np.ascontiguousarray(array, dtype=wanted).reshape(array.shape)

    def _clash(
        self, tensor: Tensor, array: Any, extents: dict[str, int], owner: dict[str, str]
    ) -> ArgumentError:
        known = ", ".join(
            f"{e.name} = {extents[e.name]} from {owner.get(e.name, tensor.name)}"
            for e in tensor.shape
            if e.is_Symbol and e.name in extents
        )
        return ArgumentError(
            f"{self.title}: {tensor.name}: expected shape {_shape(tensor)} with {known}, "
            f"got {tuple(array.shape)}"
        )

    def _check_labels(self, tensor: Tensor, array: Any, extents: dict[str, int]) -> None:
        """Labels are met before the kernel reads by them."""
        below = tensor.domain.below
        assert below is not None
        size = extents[below.name]
        if array.size and (array.min() < 0 or array.max() >= size):
            bad = int(np.flatnonzero((array < 0) | (array >= size))[0])
            place = tuple(int(p) for p in np.unravel_index(bad, array.shape))
            raise ArgumentError(
                f"{self.title}: {tensor.name}: expected integer labels, 0 to {size - 1} "
                f"({below} = {size}), got {array[place]} at {list(place)}"
            )

    def _hyper(self, given: dict[str, Any]) -> list[float]:
        values = []
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise ArgumentTypeError(
                    f"{self.title}: missing hyperparameter {parameter.name!r}; "
                    f"expected one of the {parameter.domain.describe()}"
                )
            if value is not parameter.default:
                value = self._number(parameter, value)
            values.append(value)
        return values

    def _number(self, parameter: Parameter, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"{self.title}: {parameter.name}: expected a number, got {value!r}"
            ) from None
        if not parameter.domain.admits(number):
            raise ArgumentError(
                f"{self.title}: {parameter.name}: expected one of the "
                f"{parameter.domain.describe()}, got {number}"
            )
        return number


def check_out(title: str, name: str, given: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return a buffer that may be written to as it is.

    Raises:
        ArgumentTypeError: it is no array of the right dtype.
        ArgumentError: its shape or its memory does not fit.
    """
    if not isinstance(given, np.ndarray) or given.dtype != dtype or not given.dtype.isnative:
        what = f"dtype {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
        raise ArgumentTypeError(f"{title}: out for {name}: expected a {dtype} array, got {what}")
    if given.shape != shape:
        raise ArgumentError(f"{title}: out for {name}: expected shape {shape}, got {given.shape}")
    if not given.flags.c_contiguous or not given.flags.writeable or not given.flags.aligned:
        raise ArgumentError(f"{title}: out for {name}: expected a writable C-contiguous array")
    return given


def _dim(extent: Any) -> Any:
    return next(iter(extent.free_symbols))


def _shape(tensor: Tensor) -> str:
    inside = ", ".join(str(extent) for extent in tensor.shape)
    return f"({inside},)" if len(tensor.shape) == 1 else f"({inside})"
