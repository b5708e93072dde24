"""What a compiled kernel does at its door: refuse what does not fit."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from symcalc.notation.errors import ArgumentError


class UnfitError(ArgumentError):
    """What came does not fit, or is too large for one thread: the careful call says which."""

    def __init__(
        self,
        message: str = "an argument does not fit the kernel; value_and_grad or vjp says which",
    ) -> None:
        super().__init__(message)


@intrinsic
def _address(typing_context: Any, array: Any) -> Any:
    """Return where an array's data begins, as a whole number."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.uint64(array), generate


@njit(error_model="numpy", inline="never")
def apart(a: Any, b: Any) -> bool:
    """Whether two contiguous arrays share no memory."""
    first, second = _address(a), _address(b)
    return first + a.nbytes <= second or second + b.nbytes <= first
