"""What the vector functions are made of: bits, fused products, polynomials, and their assembly."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from symcalc.backends.coefficients import F32, F64, Coefficients

Formula = Callable[..., Any]

SHORT = 6  # a polynomial of more coefficients is cut into its even and its odd part

# 1/0 is inf; the caller's fast-math flags stay outside; inlined before its loop is vectorised
FLAGS = {"error_model": "numpy", "fastmath": False, "forceinline": True, "no_cfunc_wrapper": True}
step = njit(inline="always", **FLAGS)  # a part of several formulas


def _layout(real: Any) -> tuple[Any, int, int]:
    """Return the integer type, the mantissa bits and the exponent bias of an LLVM float type."""
    double = isinstance(real, ir.DoubleType)
    return (ir.IntType(64), 52, 1023) if double else (ir.IntType(32), 23, 127)


def _llvm(builder: Any, name: str, *args: Any) -> Any:
    """Call an LLVM intrinsic whose arguments and result have one float type."""
    real = args[0].type
    signature = ir.FunctionType(real, [real] * len(args))
    function = f"llvm.{name}.f{_layout(real)[0].width}"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, function), args)


def _on_floats(emit: Formula) -> Any:
    """Make emit(builder, x, ...), on floats of one type, a function for compiled code."""

    def typed(typingctx: Any, *args: Any) -> Any:
        return args[0](*args[:1] * len(args)), lambda _, builder, __, values: emit(builder, *values)

    return intrinsic(update_wrapper(typed, emit))


@_on_floats
def fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, fused where the processor has the instruction."""
    return _llvm(builder, "fmuladd", x, y, z)


@_on_floats
def copysign(builder: Any, x: Any, y: Any) -> Any:
    """|x| with the sign of y."""
    return _llvm(builder, "copysign", x, y)


@_on_floats
def head(builder: Any, x: Any) -> Any:
    """The upper half of the digits of x, so that a product of two such is exact."""
    kind, mantissa, _ = _layout(x.type)
    mask = kind(-1 << (mantissa + 2) // 2)
    return builder.bitcast(builder.and_(builder.bitcast(x, kind), mask), x.type)


@_on_floats
def power_of_two(builder: Any, t: Any) -> Any:
    """2^k for a normal result, where t = magic + exponent_bias + k."""
    kind, mantissa, _ = _layout(t.type)
    return builder.bitcast(builder.shl(builder.bitcast(t, kind), kind(mantissa)), t.type)


@_on_floats
def scale(builder: Any, x: Any, t: Any) -> Any:
    """Multiply x by 2^k, t = magic + k, by halves as 2^k may overflow; the last alone can round."""
    kind, mantissa, bias = _layout(t.type)
    mask = (1 << (kind.width - mantissa)) - 1
    both = builder.and_(builder.add(builder.bitcast(t, kind), kind(2 * bias)), kind(mask))
    first = builder.lshr(both, kind(1))
    for exponent in (first, builder.sub(both, first)):
        x = builder.fmul(x, builder.bitcast(builder.shl(exponent, kind(mantissa)), x.type))
    return x


@intrinsic
def choose(typingctx: Any, condition: Any, x: Any, y: Any) -> Any:
    """X where the condition holds, else y, with both computed: a ternary would be a branch first.

    LLVM takes a dear branch for a rare one, and may then not vectorise at all.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return x(types.boolean, x, x), build


@intrinsic
def split(typingctx: Any, x: Any) -> Any:
    """(m, k) with x = m 2^k and m in [sqrt(1/2), sqrt(2)), for a positive normal x."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = args[0].type
        kind, mantissa, bias = _layout(real)
        root = ((bias - 1) << mantissa) + round((math.sqrt(2) - 1) * 2**mantissa)
        bits = builder.add(builder.bitcast(args[0], kind), kind((bias << mantissa) - root))
        m = builder.add(builder.and_(bits, kind((1 << mantissa) - 1)), kind(root))
        # k + bias, placed in the mantissa of 2^(mantissa bits), is read off as a number
        unit = kind((bias + mantissa) << mantissa)
        field = builder.bitcast(builder.or_(builder.lshr(bits, kind(mantissa)), unit), real)
        k = builder.fsub(field, real(float((1 << mantissa) + bias)))
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(m, real), k])

    return types.UniTuple(x, 2)(x), build


def _horner(builder: Any, x: Any, coefficients: list[Any]) -> Any:
    """c0 + x(c1 + x(c2 + ...)); interleaved, as the chain of dependent steps is what takes time."""
    if len(coefficients) > SHORT:
        square = builder.fmul(x, x)
        even = _horner(builder, square, coefficients[::2])
        odd = _horner(builder, square, coefficients[1::2])
        return _llvm(builder, "fmuladd", odd, x, even)
    *rest, total = coefficients
    for c in reversed(rest):
        total = _llvm(builder, "fmuladd", total, x, c)
    return total


@intrinsic
def polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """c0 + c1 x + c2 x^2 + ..., in the precision of x."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        typed = [
            context.cast(builder, builder.extract_value(args[1], j), types.float64, x)
            for j in range(len(coefficients))
        ]
        return _horner(builder, args[0], typed)

    return x(x, coefficients), build


def vector(make: Callable[[Coefficients], Formula]) -> Callable[..., float]:
    """Turn a maker of formulas into the function they compute, in compiled code and in Python."""
    return _function(make, {64: make(F64), 32: make(F32)})


def vector_in_double(make: Callable[[Coefficients], Formula]) -> Callable[..., float]:
    """Do the same for a formula that float32 too computes in float64, and rounds once."""
    return _function(make, {64: make(F64)})


def _function(make: Callable[..., Formula], versions: dict[int, Formula]) -> Callable[..., float]:
    function, convert, rounded = (_of_one, _of_two)[_arity(versions[64]) - 1]()

    def pick(*kinds: Any) -> Formula | None:
        if not all(isinstance(kind, types.Number | types.Boolean) for kind in kinds):
            return None
        widths = {kind.bitwidth if isinstance(kind, types.Float) else 64 for kind in kinds}
        if not all(isinstance(kind, types.Float) for kind in kinds) or len(widths) > 1:
            return convert
        return versions.get(widths.pop(), rounded)

    overload(function, jit_options=FLAGS)(_with_arity(pick, _arity(versions[64])))
    function.__name__ = function.__qualname__ = make.__name__
    function.__doc__ = make.__doc__
    return function


def _arity(formula: Formula) -> int:
    return len(inspect.signature(formula).parameters)


def _with_arity(pick: Formula, arity: int) -> Formula:
    """Give what picks an overload the parameters that its formulas have."""

    def one(x: Any) -> Any:
        return pick(x)

    def two(x: Any, y: Any) -> Any:
        return pick(x, y)

    return one if arity == 1 else two


def _of_one() -> tuple[Formula, Formula, Formula]:
    """Return a function of one number, its version for integers, and its rounded one."""

    def function(x: float) -> float:
        return compiled(x)

    @njit
    def compiled(x: Any) -> Any:
        return function(x)

    def convert(x: Any) -> Any:
        return function(np.float64(x))

    def rounded(x: Any) -> Any:
        return np.float32(function(np.float64(x)))

    return function, convert, rounded


def _of_two() -> tuple[Formula, Formula, Formula]:
    """Return the same three for a function of two numbers."""

    def function(x: float, y: float) -> float:
        return compiled(x, y)

    @njit
    def compiled(x: Any, y: Any) -> Any:
        return function(x, y)

    def convert(x: Any, y: Any) -> Any:
        return function(np.float64(x), np.float64(y))

    def rounded(x: Any, y: Any) -> Any:
        return np.float32(function(np.float64(x), np.float64(y)))

    return function, convert, rounded
