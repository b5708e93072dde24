"""What a compiled kernel does at its door: refuse what does not fit, let other threads run."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from symcalc.notation.errors import ArgumentError

_POINTER = ir.IntType(8).as_pointer()
_WORD = ir.IntType(64)


class UnfitError(ArgumentError):
    """What came does not fit, or is too large for one thread: the careful call says which."""

    def __init__(
        self,
        message: str = "an argument does not fit the kernel; value_and_grad or vjp says which",
    ) -> None:
        super().__init__(message)


@intrinsic
def apart(typing_context: Any, a: Any, b: Any) -> Any:
    """Whether two contiguous arrays share no memory."""

    def span(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
        array = context.make_array(kind)(context, builder, value)
        first = builder.ptrtoint(array.data, _WORD)
        return first, builder.add(first, builder.mul(array.nitems, array.itemsize))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        (first, end), (other, other_end) = (
            span(context, builder, kind, value)
            for kind, value in zip(signature.args, values, strict=True)
        )
        before = builder.icmp_unsigned("<=", end, other)
        return builder.or_(before, builder.icmp_unsigned("<=", other_end, first))

    return types.boolean(a, b), generate


@intrinsic
def given(typing_context: Any, array: Any) -> Any:
    """Return an argument that may be None as an array: where it is none it must not be used."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_helper(builder, array, value=values[0]).data
        return impl_ret_borrowed(context, builder, array.type, data)

    return array.type(array), generate


@intrinsic
def corner(typing_context: Any) -> Any:
    """Return an array of one number on the stack: where that goes which nobody will read."""
    made = types.Array(types.float64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        one, width = context.get_constant(types.intp, 1), context.get_constant(types.intp, 8)
        array = context.make_array(made)(context, builder)
        data = cgutils.alloca_once(builder, ir.DoubleType())
        populate_array(array, data, [one], [width], width, None)
        return array._getvalue()

    return made(), generate


@intrinsic
def carve(typing_context: Any, work: Any, at: Any, shape: Any, kind: Any) -> Any:
    """Return an array of a shape and a number type whose memory begins at work[at]."""
    made = types.Array(kind.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole = context.make_array(signature.args[0])(context, builder, values[0])
        start = builder.gep(whole.data, [values[1]])
        width = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
        extents = cgutils.unpack_tuple(builder, values[2], len(shape))
        strides = [width]
        for extent in reversed(extents[1:]):
            strides.insert(0, builder.mul(extent, strides[0]))
        array = context.make_array(made)(context, builder)
        data = builder.bitcast(start, array.data.type)
        populate_array(array, data, extents, strides, width, whole.meminfo, whole.parent)
        return impl_ret_borrowed(context, builder, made, array._getvalue())

    return made(work, types.intp, types.UniTuple(types.intp, len(shape)), kind), generate


@intrinsic
def release_gil(typing_context: Any) -> Any:
    """Let other threads run Python; return what `take_gil` needs.

    A kernel does so only where threads share its work: for a small array it costs as much as the
    computation.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_POINTER, [])
        save = cgutils.get_or_insert_function(builder.module, kind, "PyEval_SaveThread")
        return builder.ptrtoint(builder.call(save, []), _WORD)

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
