"""Elementary functions that LLVM turns into SIMD: branch-free arithmetic and nothing else.

In Numba `math.exp` is a scalar call, which keeps the loop around it from being vectorised.  These
are polynomials, selects and moves between the bits of a float and of an integer, so that loops
vectorise on any processor.  One name serves float64 and float32 (integers are taken as float64):
compiled code resolves it by the argument's type, and from Python it may be called on a number.

NaN, infinities, signed zeros and denormals are values like any other.  Accuracy is the largest
error seen, float64 / float32, the worse of with and without a fused multiply-add.

Reference: Cody and Waite, Software Manual for the Elementary Functions (1980), range reduction in
two parts; Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., chapters 4 and 10.
"""

from __future__ import annotations

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

# 1/0 is inf; the caller's fast-math flags stay outside; inlined before its loop is vectorised
_FLAGS = {"error_model": "numpy", "fastmath": False, "forceinline": True, "no_cfunc_wrapper": True}
_step = njit(inline="always", **_FLAGS)  # a part of several formulas


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
def _fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, fused where the processor has the instruction."""
    return _llvm(builder, "fmuladd", x, y, z)


@_on_floats
def _copysign(builder: Any, x: Any, y: Any) -> Any:
    """|x| with the sign of y."""
    return _llvm(builder, "copysign", x, y)


@_on_floats
def _power_of_two(builder: Any, t: Any) -> Any:
    """2^k for a normal result, where t = magic + k."""
    kind, mantissa, bias = _layout(t.type)
    exponent = builder.add(builder.bitcast(t, kind), kind(bias))
    return builder.bitcast(builder.shl(exponent, kind(mantissa)), t.type)


@_on_floats
def _scale(builder: Any, x: Any, t: Any) -> Any:
    """Multiply x by 2^k, by halves as 2^k may overflow; only the last product can round."""
    kind, mantissa, bias = _layout(t.type)
    mask = (1 << (kind.width - mantissa)) - 1
    both = builder.and_(builder.add(builder.bitcast(t, kind), kind(2 * bias)), kind(mask))
    first = builder.lshr(both, kind(1))
    for exponent in (first, builder.sub(both, first)):
        x = builder.fmul(x, builder.bitcast(builder.shl(exponent, kind(mantissa)), x.type))
    return x


@intrinsic
def _split(typingctx: Any, x: Any) -> Any:
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


@intrinsic
def _polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """c0 + x(c1 + x(c2 + ...)) by Horner's rule, in the precision of x."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        *rest, total = (
            context.cast(builder, builder.extract_value(args[1], j), types.float64, x)
            for j in range(len(coefficients))
        )
        for c in reversed(rest):
            total = _llvm(builder, "fmuladd", total, args[0], c)
        return total

    return x(x, coefficients), build


def _vector(make: Callable[[Coefficients], Formula]) -> Callable[[float], float]:
    """Turn a maker of formulas into the function they compute, in compiled code and in Python."""
    versions = {64: make(F64), 32: make(F32)}

    def function(x: float) -> float:
        return compiled(x)

    @njit
    def compiled(x: Any) -> Any:
        return function(x)

    def of_integer(x: Any) -> Any:
        return function(np.float64(x))

    def choose(x: Any) -> Formula | None:
        if isinstance(x, types.Integer | types.Boolean):
            return of_integer
        return versions.get(x.bitwidth) if isinstance(x, types.Float) else None

    overload(function, jit_options=_FLAGS)(choose)
    function.__name__ = function.__qualname__ = make.__name__
    function.__doc__ = make.__doc__
    return function


@_vector
def exp(p: Coefficients) -> Formula:
    """e^x.

    x = k ln(2) + r with |r| <= ln(2)/2, then e^x = 2^k (1 + r + r^2 q(r)).
    Domain: all numbers; inf from 709.79 (88.73 in float32), 0 below -745.13 (-103.97).
    Accuracy: 0.96 / 0.99 ulp.
    """
    one, magic, log2e, high, low = p.real(1), p.magic, p.log2e, -p.ln2_high, -p.ln2_low
    largest, smallest, q = p.overflow, p.underflow, p.expm1

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        x = smallest if x < smallest else x
        t = _fma(x, log2e, magic)
        k = t - magic
        r = _fma(k, low, _fma(k, high, x))
        return _scale(one + _fma(r * r, _polynomial(r, q), r), t)

    return formula


@_vector
def exp2(p: Coefficients) -> Formula:
    """2^x.

    x = k + f with |f| <= 1/2 and r = f ln(2), then 2^x = 2^k (1 + r + r^2 q(r)).
    Domain: all numbers; inf from 1024 (128 in float32), 0 below -1075 (-150); exact at integers.
    Accuracy: 1.10 / 1.10 ulp.
    """
    one, two, magic, high, low = p.real(1), p.real(2), p.magic, p.ln2_high, p.ln2_low
    largest, smallest, q = p.max_exponent + one, -p.max_exponent - p.digits - two, p.expm1

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        x = smallest if x < smallest else x
        t = x + magic
        f = x - (t - magic)
        r = _fma(f, high, f * low)
        return _scale(one + _fma(r * r, _polynomial(r, q), r), t)

    return formula


def _expm1_parts(p: Coefficients) -> Formula:
    """Return the step expm1(x) = (main + small) factor, main + small not yet rounded."""
    one, magic, log2e, high, low = p.real(1), p.magic, p.log2e, -p.ln2_high, -p.ln2_low
    top, q = p.magic + p.max_exponent, p.expm1

    @_step
    def parts(x: Any) -> Any:
        t = _fma(x, log2e, magic)
        k = t - magic
        upper = _fma(k, high, x)
        r = _fma(k, low, upper)
        lost = _fma(k, low, upper - r)
        tail = _fma(r * r, _polynomial(r, q), _fma(lost, r, lost))
        clipped = top if t > top else t
        s = _power_of_two(clipped)
        base = s - one
        lost = s - (base + one)
        main = _fma(s, r, base)
        small = _fma(s, tail, _fma(s, r, base - main) + lost)
        return main, small, one + (t - clipped)

    return parts


@_vector
def expm1(p: Coefficients) -> Formula:
    """e^x - 1, without cancellation.

    With r and q as in exp and s = 2^k: (s - 1) + s r as an exact sum of two, then + s r^2 q(r).
    Domain: all numbers; inf from 709.79 (88.73 in float32), -1 at -inf; keeps the sign of zero.
    Accuracy: 1.01 / 1.10 ulp.
    """
    parts = _expm1_parts(p)
    largest, smallest, negligible = p.overflow, p.saturated, p.negligible

    def formula(x: Any) -> Any:
        a = largest if x > largest else x
        a = smallest if a < smallest else a
        main, small, factor = parts(a)
        return x if abs(x) < negligible else (main + small) * factor

    return formula


@_vector
def tanh(p: Coefficients) -> Formula:
    """Hyperbolic tangent.

    With e = expm1(-2|x|): |tanh(x)| = -e/(2 + e), corrected for what e and 2 + e lost in rounding.
    Domain: all numbers; keeps the sign of zero.
    Accuracy: 1.18 / 1.19 ulp.
    """
    parts = _expm1_parts(p)
    smallest, two, half = p.saturated, p.real(2), p.real(0.5)

    def formula(x: Any) -> Any:
        a = -two * abs(x)
        a = smallest if a < smallest else a
        main, small, _ = parts(a)
        e = main + small
        d = two + e
        e_low = small - (e - main)
        d_low = (e - (d - two)) + e_low
        y = -e / d
        # -(e + e_low)/(d + d_low) to first order, where 1/d = (1 + y)/2
        y = y - _fma(y, half, half) * _fma(y, d_low, e_low)
        return _copysign(y, x)

    return formula


def _log_near_one(p: Coefficients) -> Formula:
    """Return the step k ln(2) + log(1 + f) + rest, for 1 + f in [sqrt(1/2), sqrt(2))."""
    two, half, high, low, w = p.real(2), p.real(0.5), p.ln2_high, p.ln2_low, p.log

    @_step
    def near_one(f: Any, k: Any, rest: Any) -> Any:
        s = f / (two + f)
        z = s * s
        square = half * f * f
        inner = _fma(s, _fma(z, _polynomial(z, w), square), _fma(k, low, rest))
        return k * high - ((square - inner) - f)

    return near_one


@_vector
def log(p: Coefficients) -> Formula:
    """Natural logarithm.

    x = 2^k (1 + f), s = f/(2 + f), z = s^2: log(x) = k ln(2) + f - (f^2/2 - s (f^2/2 + z w(z))),
    from log(1 + f) = 2 atanh(s).
    Domain: x >= 0, with -inf at zeros of either sign; NaN below.
    Accuracy: 0.79 / 0.82 ulp.
    """
    near_one = _log_near_one(p)
    one, two, zero, inf, nan = (p.real(c) for c in (1, 2, 0, math.inf, math.nan))
    tiny, lift, drop = p.smallest_normal, two ** (p.digits + two), p.digits + two

    def formula(x: Any) -> Any:
        denormal = x < tiny
        m, k = _split(x * lift if denormal else x)
        k = k - drop if denormal else k
        y = near_one(m - one, k, zero)
        y = y if x < inf else x
        y = y if x > zero else nan
        return -inf if x == zero else y

    return formula


@_vector
def log1p(p: Coefficients) -> Formula:
    """log(1 + x), without cancellation.

    1 + x = u + c exactly, u = 2^k m, f = (m - 1) + 2^-k c, then as log; f is x itself when k is 0.
    Domain: x >= -1, with -inf at -1; NaN below; keeps the sign of zero.
    Accuracy: 0.79 / 0.83 ulp.
    """
    near_one = _log_near_one(p)
    one, zero, inf, nan = (p.real(c) for c in (1, 0, math.inf, math.nan))
    magic, negligible, huge = p.magic, p.negligible, one / p.negligible

    def formula(x: Any) -> Any:
        u = one + x
        back = u - one
        c = (one - (u - back)) + (x - back)
        m, k = _split(u)
        c = zero if x > huge else c * _power_of_two(magic - k)
        g = m - one
        f = g + c
        lost = c - (f - g)
        y = near_one(f, k, _fma(-lost, f, lost))
        y = x if abs(x) < negligible else y
        y = y if x < inf else x
        y = y if x > -one else nan
        return -inf if x == -one else y

    return formula


def _erfc_positive(p: Coefficients) -> Formula:
    """Return the step erfc(a) for a >= 1/2."""
    one, magic, log2e, high, low = p.real(1), p.magic, p.log2e, -p.ln2_high, -p.ln2_low
    shift, splitter, q, g = p.erfc_shift, p.splitter, p.expm1, p.erfc

    @_step
    def positive(a: Any) -> Any:
        h = _polynomial((a - shift) / (a + shift), g)
        scaled = a * splitter
        head = scaled - (scaled - a)
        square = head * head
        t = _fma(-square, log2e, magic)
        k = t - magic
        r = _fma(k, low, _fma(k, high, -square) - (a - head) * (a + head))
        e = _fma(r * r, _polynomial(r, q), r)
        return _scale(_fma(h, e, h) / (one + (a + a)), t)

    return positive


@_vector
def erf(p: Coefficients) -> Formula:
    """Error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    |x| < 1: x + x w(x^2); elsewhere 1 - erfc(|x|) with the sign of x.
    Domain: all numbers; keeps the sign of zero.
    Accuracy: 1.18 / 1.31 ulp.
    """
    positive = _erfc_positive(p)
    one, largest, w = p.real(1), p.erfc_end, p.erf

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        near = _fma(x, _polynomial(x * x, w), x)
        far = _copysign(one - positive(a), x)
        return near if a < one else far

    return formula


@_vector
def erfc(p: Coefficients) -> Formula:
    """Complementary error function, 1 - erf(x), with full relative accuracy for large x.

    |x| < 1/2: (1/2 - x) + (1/2 - x w(x^2)); beyond, with a = |x| and t = (a - 3)/(a + 3),
    exp(-a^2) g(t)/(1 + 2a), a^2 in two parts; 2 - erfc(|x|) for x < 0.
    Domain: all numbers; 0 from 27.23 (10.06 in float32).
    Accuracy: 2.51 / 3.57 ulp.
    Reference: Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x (1981).
    """
    positive = _erfc_positive(p)
    zero, two, half, largest, w = p.real(0), p.real(2), p.real(0.5), p.erfc_end, p.erf

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        y = positive(a)
        far = two - y if x < zero else y
        near = (half - x) + _fma(-x, _polynomial(x * x, w), half)
        return near if a < half else far

    return formula
