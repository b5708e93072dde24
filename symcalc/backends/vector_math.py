"""Elementary functions that LLVM turns into SIMD: branch-free arithmetic and nothing else.

Numba has no vector mathematics library: `math.exp` in a loop is one scalar call an element, and the
call keeps the whole loop from being vectorised.  The functions here are polynomials, selects and
moves between the bits of a float and of an integer, so the loop around them vectorises on any
processor.  One public name serves float64 and float32 (integers are taken as float64): compiled
code resolves it by the argument's type, and from Python it may be called on a number.

No function branches, raises or looks at global state; NaN, infinities, signed zeros and denormals
are values like any other.  "Accuracy" below is the largest error measured against ball arithmetic,
in units in the last place, float64 / float32, with and without a fused multiply-add.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from symcalc.backends import coefficients as table

Scalar = Callable[[Any], Any]
Public = Callable[[float], float]

# 1/0 is inf; the caller's fast-math flags stay outside; inlined before loops are vectorised.
_OPTIONS = {
    "error_model": "numpy",
    "fastmath": False,
    "forceinline": True,
    "no_cfunc_wrapper": True,
}
_shared = njit(inline="always", **_OPTIONS)


# Bits ---------------------------------------------------------------------------------------------


def _layout(x: Any) -> tuple[Any, int, int]:
    """Return the LLVM integer type, the mantissa bits and the exponent bias of a Numba float."""
    return (ir.IntType(64), 52, 1023) if x.bitwidth == 64 else (ir.IntType(32), 23, 127)


def _llvm(builder: Any, name: str, *args: Any) -> Any:
    """Call an LLVM intrinsic whose arguments and result have one type."""
    kind = args[0].type
    width = 64 if isinstance(kind, ir.DoubleType) else 32
    signature = ir.FunctionType(kind, [kind] * len(args))
    return builder.call(
        cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.f{width}"), args
    )


@intrinsic
def _fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, fused where the processor has the instruction."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _llvm(builder, "fmuladd", *args)

    return x(x, x, x), build


@intrinsic
def _copysign(typingctx: Any, x: Any, y: Any) -> Any:
    """|x| with the sign of y."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _llvm(builder, "copysign", *args)

    return x(x, x), build


@intrinsic
def _polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """c0 + x(c1 + x(c2 + ...)) by Horner's rule, in the precision of x."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        argument, constants = args
        *rest, total = (
            context.cast(builder, builder.extract_value(constants, j), types.float64, x)
            for j in range(len(coefficients))
        )
        for c in reversed(rest):
            total = _llvm(builder, "fmuladd", total, argument, c)
        return total

    return x(x, coefficients), build


@intrinsic
def _power_of_two(typingctx: Any, t: Any) -> Any:
    """2^k for a normal result, where t = 1.5*2^(mantissa bits) + k."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, mantissa, bias = _layout(t)
        exponent = builder.add(builder.bitcast(args[0], kind), kind(bias))
        return builder.bitcast(builder.shl(exponent, kind(mantissa)), args[0].type)

    return t(t), build


@intrinsic
def _scale(typingctx: Any, x: Any, t: Any) -> Any:
    """x * 2^k, where t = 1.5*2^(mantissa bits) + k.

    2^k itself may overflow or be denormal; 2^floor(k/2) may not, and only the last product rounds.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, mantissa, bias = _layout(t)
        mask = (1 << (kind.width - mantissa)) - 1
        bits = builder.add(builder.bitcast(args[1], kind), kind(2 * bias))
        both = builder.and_(bits, kind(mask))
        first = builder.lshr(both, kind(1))
        product = args[0]
        for exponent in (first, builder.sub(both, first)):
            power = builder.bitcast(builder.shl(exponent, kind(mantissa)), product.type)
            product = builder.fmul(product, power)
        return product

    return x(x, t), build


@intrinsic
def _split(typingctx: Any, x: Any) -> Any:
    """(m, k) with x = m 2^k and m in [sqrt(1/2), sqrt(2)), for a positive normal x."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, mantissa, bias = _layout(x)
        real = args[0].type
        size = x.bitwidth // 8
        root = int(np.array([0.5**0.5], f"f{size}").view(f"i{size}")[0])
        bits = builder.add(builder.bitcast(args[0], kind), kind((bias << mantissa) - root))
        m = builder.add(builder.and_(bits, kind((1 << mantissa) - 1)), kind(root))
        # k + bias, placed in the mantissa of 2^(mantissa bits), is read off as a number
        unit = kind((bias + mantissa) << mantissa)
        field = builder.bitcast(builder.or_(builder.lshr(bits, kind(mantissa)), unit), real)
        k = builder.fsub(field, real(float((1 << mantissa) + bias)))
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(m, real), k])

    return types.UniTuple(x, 2)(x), build


# Formulas -----------------------------------------------------------------------------------------


class _Precision:
    """The numbers that depend on the precision, typed so that float32 code stays float32."""

    def __init__(self, suffix: str, real: Any) -> None:
        info = np.finfo(real)
        self.real = real
        self.digits: int = info.nmant
        self.magic = real(1.5 * 2.0**info.nmant)
        self.max_exponent = real(info.maxexp - 1)
        self.tiny = real(info.smallest_normal)
        self.negligible = real(float(info.eps) / 4)
        # past these exp is inf and 0
        self.overflow = real(1.001 * math.log(float(info.max)))
        self.underflow = real(math.log(float(info.smallest_subnormal)) - 2)
        # past this expm1 is -1
        self.saturated = real(-info.nmant - 4)
        # past this erfc is 0
        self.erfc_underflow = real(28.0 if info.nmant == 52 else 10.5)
        # x*splitter - (x*splitter - x) keeps the upper half of the digits of x (Veltkamp)
        self.splitter = real(2.0 ** ((info.nmant + 3) // 2) + 1)
        self.log2e = real(getattr(table, f"LOG2_E_{suffix}"))
        self.ln2_high = real(getattr(table, f"LN2_HIGH_{suffix}"))
        self.ln2_low = real(getattr(table, f"LN2_LOW_{suffix}"))
        self.expm1: tuple[float, ...] = getattr(table, f"EXPM1_{suffix}")
        self.log: tuple[float, ...] = getattr(table, f"LOG_{suffix}")
        self.erf: tuple[float, ...] = getattr(table, f"ERF_{suffix}")
        self.erfc: tuple[float, ...] = getattr(table, f"ERFC_{suffix}")


def _make_exp(p: _Precision) -> Scalar:
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


def _make_exp2(p: _Precision) -> Scalar:
    one, magic, high, low = p.real(1), p.magic, p.ln2_high, p.ln2_low
    largest, smallest, q = p.max_exponent + one, -p.max_exponent - p.real(p.digits + 2), p.expm1

    def formula(x: Any) -> Any:
        x = largest if x > largest else x
        x = smallest if x < smallest else x
        t = x + magic
        f = x - (t - magic)
        r = _fma(f, high, f * low)
        return _scale(one + _fma(r * r, _polynomial(r, q), r), t)

    return formula


def _expm1_pair(p: _Precision) -> Scalar:
    """Return the step shared by expm1 and tanh: t and expm1(x) = (main + small)(1 + t' - t)."""
    one, magic, log2e, high, low = p.real(1), p.magic, p.log2e, -p.ln2_high, -p.ln2_low
    top, q = p.magic + p.max_exponent, p.expm1

    @_shared
    def pair(x: Any) -> Any:
        t = _fma(x, log2e, magic)
        k = t - magic
        upper = _fma(k, high, x)
        r = _fma(k, low, upper)
        lost = _fma(k, low, upper - r)
        tail = _fma(r * r, _polynomial(r, q), _fma(lost, r, lost))
        clipped = top if t > top else t
        s = _power_of_two(clipped)
        base = s - one
        main = _fma(s, r, base)
        small = _fma(s, tail, _fma(s, r, base - main))
        return main, small, one + (t - clipped)

    return pair


def _make_expm1(p: _Precision) -> Scalar:
    pair = _expm1_pair(p)
    largest, smallest, negligible = p.overflow, p.saturated, p.negligible

    def formula(x: Any) -> Any:
        a = largest if x > largest else x
        a = smallest if a < smallest else a
        main, small, factor = pair(a)
        return x if abs(x) < negligible else (main + small) * factor

    return formula


def _make_tanh(p: _Precision) -> Scalar:
    pair = _expm1_pair(p)
    smallest, two, half = p.saturated, p.real(2), p.real(0.5)

    def formula(x: Any) -> Any:
        a = -two * abs(x)
        a = smallest if a < smallest else a
        main, small, _ = pair(a)
        e = main + small
        d = two + e
        e_low = small - (e - main)
        d_low = (e - (d - two)) + e_low
        y = -e / d
        # -(e + e_low)/(d + d_low) to first order, where 1/d = (1 + y)/2
        y = y - _fma(y, half, half) * _fma(y, d_low, e_low)
        return _copysign(y, x)

    return formula


def _log_near_one(p: _Precision) -> Scalar:
    """Return the step shared by log and log1p: k ln(2) + log(1 + f) + rest."""
    two, half, high, low, w = p.real(2), p.real(0.5), p.ln2_high, p.ln2_low, p.log

    @_shared
    def near_one(f: Any, k: Any, rest: Any) -> Any:
        s = f / (two + f)
        z = s * s
        square = half * f * f
        inner = _fma(s, _fma(z, _polynomial(z, w), square), _fma(k, low, rest))
        return k * high - ((square - inner) - f)

    return near_one


def _make_log(p: _Precision) -> Scalar:
    near_one = _log_near_one(p)
    one, zero, inf, nan = (p.real(c) for c in (1, 0, math.inf, math.nan))
    tiny, lift, drop = p.tiny, p.real(2.0 ** (p.digits + 2)), p.real(p.digits + 2)

    def formula(x: Any) -> Any:
        denormal = x < tiny
        m, k = _split(x * lift if denormal else x)
        k = k - drop if denormal else k
        y = near_one(m - one, k, zero)
        y = y if x < inf else x
        y = y if x > zero else nan
        return -inf if x == zero else y

    return formula


def _make_log1p(p: _Precision) -> Scalar:
    near_one = _log_near_one(p)
    one, zero, inf, nan = (p.real(c) for c in (1, 0, math.inf, math.nan))
    magic, negligible, huge = p.magic, p.negligible, p.real(2.0 ** (p.digits + 10))

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


def _erfc_positive(p: _Precision) -> Scalar:
    """Return the step shared by erf and erfc: erfc(a) for a >= 0."""
    one, magic, log2e, high, low = p.real(1), p.magic, p.log2e, -p.ln2_high, -p.ln2_low
    shift, split, q, g = p.real(table.ERFC_SHIFT), p.splitter, p.expm1, p.erfc

    @_shared
    def positive(a: Any) -> Any:
        inverse = one / (a + shift)
        h = _polynomial((a - shift) * inverse, g)
        scaled = a * split
        head = scaled - (scaled - a)
        square = head * head
        t = _fma(-square, log2e, magic)
        k = t - magic
        r = _fma(k, low, _fma(k, high, -square) - (a - head) * (a + head))
        e = _fma(r * r, _polynomial(r, q), r)
        return _scale(_fma(h, e, h) * inverse, t)

    return positive


def _make_erfc(p: _Precision) -> Scalar:
    positive = _erfc_positive(p)
    zero, two, largest = p.real(0), p.real(2), p.erfc_underflow

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        y = positive(a)
        return two - y if x < zero else y

    return formula


def _make_erf(p: _Precision) -> Scalar:
    positive = _erfc_positive(p)
    one, largest, w = p.real(1), p.erfc_underflow, p.erf

    def formula(x: Any) -> Any:
        a = abs(x)
        a = largest if a > largest else a
        near = _fma(x, _polynomial(x * x, w), x)
        far = _copysign(one - positive(a), x)
        return near if a < one else far

    return formula


# Public names -------------------------------------------------------------------------------------


@cache
def _from_python(function: Public) -> Scalar:
    """Return a compiled face of a public function for calls from Python."""

    def call(x: Any) -> Any:
        return function(x)

    return njit(call)


def _vector(make: Callable[[_Precision], Scalar]) -> Callable[[Public], Public]:
    """Give a public function its compiled versions, one a precision."""
    versions = {
        64: make(_Precision("F64", np.float64)),
        32: make(_Precision("F32", np.float32)),
    }

    def publish(function: Public) -> Public:
        def of_integer(x: Any) -> Any:
            return function(np.float64(x))

        def choose(x: Any) -> Scalar | None:
            if isinstance(x, types.Integer | types.Boolean):
                return of_integer
            return versions.get(x.bitwidth) if isinstance(x, types.Float) else None

        overload(function, jit_options=_OPTIONS)(choose)
        return function

    return publish


@_vector(_make_exp)
def exp(x: float) -> float:
    return _from_python(exp)(x)


@_vector(_make_exp2)
def exp2(x: float) -> float:
    return _from_python(exp2)(x)


@_vector(_make_expm1)
def expm1(x: float) -> float:
    return _from_python(expm1)(x)


@_vector(_make_log)
def log(x: float) -> float:
    return _from_python(log)(x)


@_vector(_make_log1p)
def log1p(x: float) -> float:
    return _from_python(log1p)(x)


@_vector(_make_tanh)
def tanh(x: float) -> float:
    return _from_python(tanh)(x)


@_vector(_make_erf)
def erf(x: float) -> float:
    return _from_python(erf)(x)


@_vector(_make_erfc)
def erfc(x: float) -> float:
    return _from_python(erfc)(x)
