"""What generated kernels call besides vector mathematics: small functions that LLVM vectorizes."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

# A sum may be added up in any order: that, and nothing else, lets LLVM use vector registers.
_ANY_ORDER = ("reassoc", "nsz")


@intrinsic
def add(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b as one term of a running sum, in float64; LLVM may reorder such terms."""
    if not isinstance(a, types.Number) or not isinstance(b, types.Number):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fadd(*values, flags=_ANY_ORDER)

    return types.float64(types.float64, types.float64), generate


def _extreme(name: str, doc: str) -> Any:
    @intrinsic
    def extreme(typing_context: Any, a: Any, b: Any) -> Any:
        kind = types.float32 if a == b == types.float32 else types.float64

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            number = ir.FloatType() if kind == types.float32 else ir.DoubleType()
            suffix = "f32" if kind == types.float32 else "f64"
            function = builder.module.declare_intrinsic(
                f"llvm.{name}.{suffix}", fnty=ir.FunctionType(number, [number, number])
            )
            return builder.call(function, values)

        return kind(kind, kind), generate

    extreme.__doc__ = doc
    return extreme


maximum = _extreme("maximum", "Return the greater of two; NaN if either is NaN.")
minimum = _extreme("minimum", "Return the lesser of two; NaN if either is NaN.")


@intrinsic
def bits(typing_context: Any, x: Any) -> Any:
    """Return the bit pattern of a float as an unsigned whole number."""
    if x not in (types.float32, types.float64):
        return None
    number = types.uint32 if x == types.float32 else types.uint64

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.IntType(number.bitwidth))

    return number(x), generate


@njit(error_model="numpy")
def digamma(x: float) -> float:
    """Return the derivative of log gamma.

    psi(x) = psi(x + m) - sum_k 1 / (x + k) until x + m >= 10, then the asymptotic series in
    Bernoulli numbers; below zero by reflection. Source: NIST Handbook, 5.5.2, 5.5.4, 5.11.2.
    """
    if x <= 0.0 and math.floor(x) == x:
        return math.nan
    result = 0.0
    if x < 0.0:
        result = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    while x < 10.0:
        result -= 1.0 / x
        x += 1.0
    s = 1.0 / (x * x)
    tail = s * (1 / 240 - s * (1 / 132 - s * (691 / 32760 - s / 12)))
    return result + math.log(x) - 0.5 / x - s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - tail)))


@njit(error_model="numpy")
def trigamma(x: float) -> float:
    """Return the derivative of digamma, by the same recurrence, series and reflection."""
    if x <= 0.0 and math.floor(x) == x:
        return math.inf
    result, sign = 0.0, 1.0
    if x < 0.0:
        result = (math.pi / math.sin(math.pi * x)) ** 2
        sign = -1.0
        x = 1.0 - x
    while x < 10.0:
        result += sign / (x * x)
        x += 1.0
    s = 1.0 / (x * x)
    tail = s * (1 / 30 - s * (5 / 66 - s * (691 / 2730 - s * 7 / 6)))
    series = 1.0 + s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - tail)))
    return result + sign * (series + 0.5 / x) / x
