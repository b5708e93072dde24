"""Functions of users: NumPy, PyTorch or JAX arrays in, numbers and arrays out, by duck typing."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.notation.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True)
class Pair:
    """A function and its gradient, as functions of NumPy arrays.

    Args:
        fun: returns one number, or that and the gradient if there is no `grad`.
        grad: returns the gradient: an array, or a tuple of them.
        given: the arguments as the user gave them, whose kind the functions expect.
        keywords: passed on to both.
        argnums: the places differentiated by; None for the first ones, as many as `grad` returns.
    """

    fun: Callable[..., Any]
    grad: Callable[..., Any] | None
    given: tuple[Any, ...]
    keywords: dict[str, Any]
    argnums: tuple[int, ...] | None = None

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arguments as NumPy arrays of their own."""
        return tuple(np.array(to_numpy(value)) for value in self.given)

    def value(self, arrays: tuple[Any, ...]) -> float:
        """Return the function's value.

        Raises:
            ArgumentError: it is not one number.
        """
        found = self.fun(*self._alike(arrays), **self.keywords)
        if self.grad is None:
            found = _both(found)[0]
        return _number(found)

    def quiet_value(self, arrays: tuple[Any, ...]) -> float:
        """Return the value, or NaN where the function is not defined."""
        with _quiet():
            try:
                return self.value(arrays)
            except Exception:  # whatever a function of another's raises outside its domain
                return np.nan

    def gradients(self, arrays: tuple[Any, ...]) -> dict[int, Any]:
        """Return the gradients as float64 arrays, by the place of their argument.

        Raises:
            ArgumentError: a shape, a number or a type that no gradient has.
        """
        values = self._alike(arrays)
        if self.grad is None:
            found = _both(self.fun(*values, **self.keywords))[1]
        else:
            found = self.grad(*values, **self.keywords)
        parts = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        places = self._places(arrays, len(parts))
        gradients = {}
        for place, part in zip(places, parts, strict=True):
            name, array = name_of(place), _as_array("grad", part)
            if array.shape != arrays[place].shape:
                raise ArgumentError(
                    f"grad: {name}: expected an array of shape {arrays[place].shape}, "
                    f"got {array.shape}"
                )
            if array.dtype.kind not in "fiu":
                raise ArgumentTypeError(f"grad: {name}: expected real numbers, got {array.dtype}")
            gradients[place] = array.astype(np.float64)
        return gradients

    def at(self, arrays: tuple[Any, ...]) -> Pair:
        """Return the pair at other arrays, of the same kinds."""
        return replace(self, given=self._alike(arrays))

    def _places(self, arrays: tuple[Any, ...], count: int) -> tuple[int, ...]:
        if self.argnums is None:
            places = tuple(k for k, array in enumerate(arrays) if array.dtype.kind == "f")
            if 0 < count <= len(places):
                return places[:count]
            raise ArgumentError(
                f"grad: expected at most {len(places)} arrays, one a real argument, got {count}"
            )
        if len(self.argnums) != count:
            raise ArgumentError(
                f"grad: expected {len(self.argnums)} arrays, one for each of argnums, got {count}"
            )
        return self.argnums

    def _alike(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(like(g, a) for g, a in zip(self.given, arrays, strict=True))


def pair_of(
    fun: Any, grad: Any, given: tuple[Any, ...], argnums: Any, keywords: dict[str, Any]
) -> Pair:
    """Return the pair that the arguments of `check_gradient` mean.

    Raises:
        ArgumentTypeError: what should be a function is none, or no argument is real.
        ArgumentError: an argument that cannot be checked at.
    """
    if not callable(fun):
        raise ArgumentTypeError(f"fun: expected a function, got {type(fun).__name__}")
    if grad is None:
        grad = getattr(fun, "grad", None)
    if grad is True:
        grad = None
    elif not callable(grad):
        raise ArgumentTypeError(
            "grad: expected a function, or True where fun returns value and gradient, "
            f"got {type(grad).__name__}"
        )
    if not given:
        raise ArgumentTypeError("arrays: expected at least one, after fun and grad; got none")
    arrays = tuple(_as_array(name_of(k), value) for k, value in enumerate(given))
    for place, array in enumerate(arrays):
        _look_at(name_of(place), array)
    if not any(array.dtype.kind == "f" for array in arrays):
        kinds = ", ".join(str(array.dtype) for array in arrays)
        raise ArgumentTypeError(f"arrays: expected one of float64 or float32, got {kinds}")
    return Pair(fun, grad, given, keywords, _argnums(argnums, arrays))


def name_of(place: int) -> str:
    """Return what an argument is called: by its place, counted from zero."""
    return f"argument {place}"


def to_numpy(value: Any) -> Any:
    """Return an array or a tensor as a NumPy array; a Python number as one without axes."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def like(given: Any, array: Any) -> Any:
    """Return a NumPy array as what `given` is: a tensor, a JAX array, a number, an array."""
    if hasattr(given, "new_tensor"):
        made = given.new_tensor(array)
        return made.requires_grad_(True) if given.requires_grad else made
    if isinstance(given, (bool, int, float)):
        return array.item()
    if isinstance(given, np.ndarray) or not hasattr(given, "__array_namespace__"):
        return np.array(array)
    return given.__array_namespace__().asarray(array)


def _argnums(argnums: Any, arrays: tuple[Any, ...]) -> tuple[int, ...] | None:
    if argnums is None:
        return None
    places = tuple(argnums) if isinstance(argnums, (tuple, list)) else (argnums,)
    for place in places:
        if not isinstance(place, int) or not 0 <= place < len(arrays):
            raise ArgumentError(
                f"argnums: expected places of arguments, 0 to {len(arrays) - 1}, got {argnums!r}"
            )
        if arrays[place].dtype.kind != "f":
            raise ArgumentTypeError(
                f"argnums: {name_of(place)}: expected real numbers, got {arrays[place].dtype}"
            )
    if len(set(places)) != len(places) or not places:
        raise ArgumentError(f"argnums: expected different places, got {argnums!r}")
    return places


def _look_at(name: str, array: Any) -> None:
    if array.dtype.kind == "c":
        raise ArgumentTypeError(f"{name}: expected real numbers, got {array.dtype}")
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"{name}: expected an array of numbers, got {array.dtype}")
    if array.dtype.kind == "f" and array.dtype not in (np.float64, np.float32):
        raise ArgumentTypeError(f"{name}: expected float64 or float32, got {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name}: expected at least one entry, got shape {array.shape}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        place = [int(p) for p in np.argwhere(np.isnan(array))[0]]
        raise ArgumentError(f"{name}: expected numbers, got NaN at {place}")


def _as_array(name: str, value: Any) -> Any:
    try:
        return to_numpy(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentTypeError(
            f"{name}: expected an array, got {type(value).__name__}: {error}"
        ) from None


def _both(found: Any) -> tuple[Any, Any]:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise ArgumentTypeError(
            f"fun: expected (value, gradient), for grad is True; got {type(found).__name__}"
        )
    return found[0], found[1]


def _number(found: Any) -> float:
    array = _as_array("fun", found)
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"fun: expected one real number, got {array.dtype}")
    if array.size != 1:
        raise ArgumentError(f"fun: expected one number, got shape {array.shape}")
    return float(array.reshape(()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
