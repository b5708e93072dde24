"""Binding: from what a caller passes to arrays a kernel may trust, or an error that helps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from symcalc.backends.executable import Sizes
from symcalc.backends.sizes import size_function
from symcalc.notation.dims import Dim, sole_dim
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Tensor

_DOUBLE = np.dtype(np.float64)
UNSETTLED = -1
FEW_ARRAYS = 16  # so few are compared pair by pair


@dataclass(frozen=True)
class _Expected:
    """One array as the fast path meets it."""

    dtype: Any
    rank: int
    axes: tuple[tuple[int, int], ...]  # for each axis the place of its dim, and what it lacks of it
    others: tuple[tuple[int, Any], ...]  # axes that settle no dim, and their sizes by the dims'
    is_label: bool


class Binder:
    """Knows the declared arguments of one kernel and meets what comes.

    Args:
        title: the objective's name, for messages.
        inputs: the arrays in order.
        parameters: the hyperparameters.
        dims: the order in which sizes are given.
        dtype: of the real arrays.
        called: what the caller calls an input, where it is not the input's own name.
    """

    def __init__(
        self,
        title: str,
        inputs: tuple[Tensor, ...],
        parameters: tuple[Parameter, ...],
        dims: tuple[Dim, ...],
        dtype: np.dtype[Any],
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.title = title
        self.inputs = inputs
        self.parameters = parameters
        self.dims = dims
        self.dtype = dtype
        self.called = called
        self.expected = tuple(self._expected(tensor) for tensor in inputs)
        self._fast = tuple((expected.dtype, expected.axes) for expected in self.expected)
        self.has_others = any(expected.others for expected in self.expected)
        self.has_shifts = any(lacks for e in self.expected for _, lacks in e.axes)
        self.has_labels = any(expected.is_label for expected in self.expected)
        defaults = [parameter.default for parameter in parameters]
        self.defaults = None if None in defaults else tuple(d for d in defaults if d is not None)

    def _called(self, tensor: Tensor) -> str:
        return self.called.get(tensor.name, tensor.name)

    def _expected(self, tensor: Tensor) -> _Expected:
        axes, others = [], []
        for axis, extent in enumerate(tensor.shape):
            dim = sole_dim(extent)
            if dim is None:
                axes.append((UNSETTLED, 0))
                others.append((axis, size_function(extent, self.dims)))
            else:
                axes.append((self.dims.index(dim), int(dim - extent)))
        wanted = np.dtype(np.int64) if tensor.domain.integer else self.dtype
        return _Expected(
            wanted, len(axes), tuple(axes), tuple(others), isinstance(tensor.domain.below, Dim)
        )

    def bind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], Sequence[float], Sizes]:
        """Return arrays in order, hyperparameters in order, and the size of each dim.

        An array of no axes is returned as a row of one entry.

        Raises:
            ArgumentTypeError: an argument is missing, unknown, given twice or of the wrong type.
            ArgumentError: a shape, a size or a value does not fit.
        """
        hyper = kwargs
        if len(args) != len(self.inputs) or kwargs:
            args, hyper = self._by_name(args, dict(kwargs))
        sizes = [-1] * len(self.dims)
        arrays = list(args)
        for place, (dtype, axes) in enumerate(self._fast):
            given = args[place]
            if type(given) is not np.ndarray or given.dtype is not dtype or not given.flags.aligned:
                given = arrays[place] = self._converted(self.inputs[place], given, dtype)
            shape = given.shape
            if len(shape) != len(axes):
                raise self._wrong_rank(self.inputs[place], given)
            for extent, (dim, lacks) in zip(shape, axes):  # noqa: B905 (lengths are equal)
                if dim < 0:
                    continue
                if sizes[dim] < 0:
                    sizes[dim] = extent + lacks
                elif sizes[dim] != extent + lacks:
                    raise self._clash(place, arrays)
            if not axes:
                arrays[place] = given.reshape(1)
        if self.has_shifts:
            self._check_shifts(arrays, sizes)
        if self.has_others:
            self._check_others(arrays, sizes)
        if self.has_labels:
            self._check_labels(arrays, sizes)
        if hyper or self.defaults is None:
            return arrays, self._hyper(hyper), tuple(sizes)
        return arrays, self.defaults, tuple(sizes)

    def _check_shifts(self, arrays: list[Any], sizes: list[int]) -> None:
        """Refuse an array that leaves a dim less than nothing: none of n+1 entries."""
        for place, expected in enumerate(self.expected):
            for axis, (dim, lacks) in enumerate(expected.axes):
                short = lacks and not arrays[place].shape[axis] + lacks == sizes[dim] >= 0
                if dim >= 0 and short:
                    tensor = self.inputs[place]
                    raise ArgumentError(
                        f"{self.title}: {self._called(tensor)}: expected shape {_shape(tensor)} "
                        f"with {self.dims[dim]} of at least 0, got {tuple(arrays[place].shape)}"
                    )

    def _check_others(self, arrays: list[Any], sizes: list[int]) -> None:
        """Hold axes of fixed or computed extents to them, the dims being settled."""
        for place, expected in enumerate(self.expected):
            for axis, size in expected.others:
                if arrays[place].shape[axis] != size(tuple(sizes)):
                    raise self._clash(place, arrays, sizes)

    def _by_name(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put keyword arrays in their places; what remains are hyperparameters."""
        names = [tensor.name for tensor in self.inputs]
        own = [name for name in names if name not in self.called]  # not cotangent, vector, ...
        if len(args) > len(own):
            raise ArgumentTypeError(
                f"{self.title}: expected {len(own)} arrays ({', '.join(own)}), got "
                f"{len(args)}; hyperparameters go by keyword"
            )
        hyper = [parameter.name for parameter in self.parameters]
        known = {*names, *hyper}
        for name in kwargs:
            if name not in known:
                raise ArgumentTypeError(
                    f"{self.title}: unknown argument {name!r}; expected "
                    f"{', '.join([*map(self._called, self.inputs), *hyper])}"
                )
        placed = list(args)
        for name in names[: len(args)]:
            if name in kwargs:
                raise ArgumentTypeError(f"{self.title}: {name} was given twice")
        for name in names[len(args) :]:
            if name not in kwargs:
                raise ArgumentTypeError(
                    f"{self.title}: missing array {name!r}; expected {', '.join(own)}"
                )
            placed.append(kwargs.pop(name))
        return tuple(placed), kwargs

    def _wrong_rank(self, tensor: Tensor, array: Any) -> ArgumentError:
        return ArgumentError(
            f"{self.title}: {self._called(tensor)}: expected shape {_shape(tensor)}, "
            f"got {tuple(array.shape)}"
        )

    def _converted(self, tensor: Tensor, given: Any, wanted: np.dtype[Any]) -> Any:
        """Convert what can be converted without loss; refuse the rest."""
        if isinstance(given, np.ma.MaskedArray):
            raise ArgumentTypeError(
                f"{self.title}: {self._called(tensor)}: expected a plain array, got a masked one; "
                "fill or compress it first"
            )
        try:
            array = np.asarray(given)
        except (ValueError, TypeError) as error:
            raise ArgumentTypeError(
                f"{self.title}: {self._called(tensor)}: expected an array of {wanted}, got "
                f"{type(given).__name__} ({error})"
            ) from None
        literal = not isinstance(given, (np.ndarray, np.generic)) and not hasattr(
            given, "__array__"
        )
        if literal and not array.size:  # NumPy takes an empty list for one of reals
            array = array.astype(wanted)
        if array.dtype.kind not in ("iu" if tensor.domain.integer else "fiub"):
            raise ArgumentTypeError(
                f"{self.title}: {self._called(tensor)}: expected "
                f"{tensor.domain.describe()} as {wanted}, got dtype {array.dtype}"
            )
        whole = array.dtype.kind in "iub"
        if not (literal or whole or np.can_cast(array.dtype, wanted, "safe")):
            raise ArgumentTypeError(
                f"{self.title}: {self._called(tensor)}: expected {wanted}, got "
                f"{array.dtype}, which would lose digits; cast it, or compile with "
                f"dtype='{array.dtype}'"
            )
        try:
            with np.errstate(over="raise"):
                converted = np.require(array, wanted, "A")
        except FloatingPointError:
            raise ArgumentError(
                f"{self.title}: {self._called(tensor)}: expected numbers within the "
                f"range of {wanted}"
            ) from None
        if array.dtype.kind in "iu" and wanted.kind == "f" and not literal:
            self._check_digits(tensor, array, converted)
        return converted

    def _check_digits(self, tensor: Tensor, given: Any, converted: Any) -> None:
        """Refuse whole numbers that the wanted type has no room for."""
        wanted, most = converted.dtype, np.iinfo(given.dtype).max
        exact = 2 ** (np.finfo(wanted).nmant + 1)
        if not given.size or max(-int(given.min()), int(given.max())) <= exact:
            return
        inside = converted < 2.0 ** int(most).bit_length()
        wrong = np.argwhere(~inside | (np.where(inside, converted, 0).astype(given.dtype) != given))
        if len(wrong):
            place = tuple(int(p) for p in wrong[0])
            raise ArgumentError(
                f"{self.title}: {self._called(tensor)}: expected whole numbers that {wanted} "
                f"holds exactly, got {given[place]} at {list(place)}"
            )

    def _clash(self, place: int, arrays: list[Any], sizes: Sequence[int] = ()) -> ArgumentError:
        """Name the array that does not fit, and where each of its sizes comes from."""
        tensor, known = self.inputs[place], []
        for dim in dict.fromkeys(dim for dim, _ in self.expected[place].axes if dim >= 0):
            for other in range(place + 1):
                axes = [d for d, _ in self.expected[other].axes]
                if dim in axes:
                    axis = axes.index(dim)
                    size = arrays[other].shape[axis] + self.expected[other].axes[axis][1]
                    source = self._called(self.inputs[other])
                    known.append(f"{self.dims[dim]} = {size} from {source}")
                    break
        for extent in tensor.shape if sizes else ():
            for dim in sorted(extent.free_symbols, key=str) if sole_dim(extent) is None else ():
                known.append(f"{dim} = {sizes[self.dims.index(dim)]}")
        told = f" with {', '.join(dict.fromkeys(known))}" if known else ""
        return ArgumentError(
            f"{self.title}: {self._called(tensor)}: expected shape {_shape(tensor)}{told}, got "
            f"{tuple(arrays[place].shape)}"
        )

    def _check_labels(self, arrays: list[Any], sizes: list[int]) -> None:
        """Refuse labels of nothing; those out of range are met by the kernel itself."""
        for tensor, array in zip(self.inputs, arrays, strict=True):
            below = tensor.domain.below
            if isinstance(below, Dim) and array.size and sizes[self.dims.index(below)] < 1:
                raise ArgumentError(
                    f"{self.title}: {self._called(tensor)}: expected no labels, for {below} = 0, "
                    f"got {array.size}"
                )

    def numbers(self, given: Mapping[str, Any]) -> list[float]:
        """Return the hyperparameters in order, each held against its domain.

        Args:
            given: by name; one that has a default may be missing.

        Raises:
            ArgumentTypeError: one is missing, unknown or no number.
            ArgumentError: one lies outside its domain.
        """
        unknown = given.keys() - {parameter.name for parameter in self.parameters}
        if unknown:
            raise ArgumentTypeError(
                f"{self.title}: unknown hyperparameter {min(unknown)!r}; expected one of "
                f"{', '.join(parameter.name for parameter in self.parameters) or 'none'}"
            )
        return self._hyper(given)

    def _hyper(self, given: Mapping[str, Any]) -> list[float]:
        values: list[float] = []
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise ArgumentTypeError(
                    f"{self.title}: missing hyperparameter {parameter.name!r}; "
                    f"expected one of the {parameter.domain.describe()}"
                )
            values.append(self._number(parameter, value))
        return values

    def _number(self, parameter: Parameter, value: Any) -> float:
        number = real_number(f"{self.title}: {parameter.name}", value)
        if not parameter.domain.admits(number):
            raise ArgumentError(
                f"{self.title}: {parameter.name}: expected one of the "
                f"{parameter.domain.describe()}, got {number}"
            )
        return number


def real_number(what: str, value: Any) -> float:
    """Return a number as a float.

    Args:
        what: what it is, for messages.
        value: a real number of any type; text, complex numbers and times are none.

    Raises:
        ArgumentTypeError: it is no real number.
        ArgumentError: it is a whole number beyond the range of float64.
    """
    known = value.dtype.kind if isinstance(value, (np.ndarray, np.generic)) else "f"
    if known in "fiub" and not isinstance(value, (str, bytes, bytearray, np.ma.MaskedArray)):
        try:
            return float(value)
        except OverflowError:
            raise ArgumentError(
                f"{what}: expected a number within the range of float64, got a greater one"
            ) from None
        except (TypeError, ValueError):
            pass
    raise ArgumentTypeError(f"{what}: expected a number, got {value!r:.80}")


def check_outputs(
    title: str,
    names: Sequence[str],
    out: Any,
    shapes: Sequence[Sizes],
    dtype: np.dtype[Any],
    inputs: Sequence[Any],
    called: str = "out for ",
    scalar: np.dtype[Any] = _DOUBLE,
) -> Sequence[Any]:
    """Return the caller's buffers, which may be written to as they are.

    Args:
        title: the objective's name, for messages.
        names: what each buffer is the gradient by.
        out: one array, or a sequence of them.
        shapes: what their shapes must be.
        dtype: what their dtype must be.
        inputs: arrays that they must not overlap.
        called: what stands before each name in messages.
        scalar: what the dtype of a buffer without axes must be.

    Raises:
        ArgumentTypeError: a buffer is missing, or is no array of the right dtype.
        ArgumentError: its shape or its memory does not fit.
    """
    given = out if isinstance(out, (tuple, list)) else (out,)
    if len(given) != len(names):
        raise ArgumentTypeError(f"{title}: out: expected {len(names)} arrays, got {len(given)}")
    for name, buffer, shape in zip(names, given, shapes, strict=True):
        _check_out(title, called + name, buffer, shape, dtype if shape else scalar)
    arrays = [*given, *inputs]
    for one, other in _neighbours(arrays):
        if one < len(given) and np.shares_memory(arrays[one], arrays[other]):
            buffer = names[other if other < len(given) else one]
            raise ArgumentError(f"{title}: {called}{buffer} overlaps another array")
    return given


def _neighbours(arrays: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Give the pairs of arrays whose memory may overlap, the earlier one first.

    Many arrays are met in the order of their addresses, so that only neighbours are compared.
    """
    if len(arrays) <= FEW_ARRAYS:
        for one, other in itertools.combinations(range(len(arrays)), 2):
            if np.may_share_memory(arrays[one], arrays[other]):
                yield one, other
        return
    spans = [(*np.lib.array_utils.byte_bounds(a), place) for place, a in enumerate(arrays)]
    around: list[tuple[int, int, int]] = []
    for start, stop, place in sorted(spans):
        around = [other for other in around if other[1] > start]
        for _, _, other in around:
            yield min(place, other), max(place, other)
        around.append((start, stop, place))


def _check_out(title: str, name: str, given: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse a buffer that may not be written to as it is."""
    plain = isinstance(given, np.ndarray) and not isinstance(given, np.ma.MaskedArray)
    if not plain or given.dtype != dtype or not given.dtype.isnative:
        what = f"dtype {given.dtype}" if plain else type(given).__name__
        raise ArgumentTypeError(f"{title}: {name}: expected a {dtype} array, got {what}")
    if given.shape != shape:
        raise ArgumentError(f"{title}: {name}: expected shape {shape}, got {given.shape}")
    if not given.flags.c_contiguous or not given.flags.writeable or not given.flags.aligned:
        raise ArgumentError(f"{title}: {name}: expected a writable C-contiguous array")


def _shape(tensor: Tensor) -> str:
    inside = ", ".join(str(extent) for extent in tensor.shape)
    return f"({inside},)" if len(tensor.shape) == 1 else f"({inside})"
