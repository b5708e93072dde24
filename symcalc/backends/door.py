"""What a compiled kernel does at its door: refuse what does not fit, let other threads run."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from symcalc.notation.errors import ArgumentError

_POINTER = ir.IntType(8).as_pointer()


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


@intrinsic
def release_gil(typing_context: Any) -> Any:
    """Let other threads run Python; return what `take_gil` needs.

    A kernel does so only where threads share its work: for a small array it costs as much as the
    computation.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_POINTER, [])
        save = cgutils.get_or_insert_function(builder.module, kind, "PyEval_SaveThread")
        return builder.ptrtoint(builder.call(save, []), ir.IntType(64))

    return types.int64(), generate


@intrinsic
def take_gil(typing_context: Any, state: Any) -> Any:
    """Wait for the turn to run Python again."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_POINTER])
        restore = cgutils.get_or_insert_function(builder.module, kind, "PyEval_RestoreThread")
        builder.call(restore, [builder.inttoptr(values[0], _POINTER)])
        return context.get_dummy_value()

    return types.void(types.int64), generate
