"""What generated kernels call besides vector mathematics: small functions that LLVM vectorizes."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# A sum may be added up in any order: that, and nothing else, lets LLVM use vector registers.
_ANY_ORDER = ("reassoc", "nsz")


@intrinsic
def wide_vectors(typing_context: Any) -> Any:
    """Let LLVM use the widest vectors there are: it prefers 256 bits where 512 are faster here."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        # llvmlite lists the plain attributes alone; this one is a key with a value
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


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
            # which zero is the greater one is nobody's business, and costs two more instructions
            return builder.call(function, values, fastmath=("nsz",))

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


@intrinsic
def from_bits(typing_context: Any, pattern: Any) -> Any:
    """Return the float64 that has this bit pattern; `bits` gives the pattern back."""
    if not isinstance(pattern, types.Integer) or pattern.bitwidth != 64:
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(pattern), generate


@intrinsic
def _fetch(typing_context: Any, array: Any, offset: Any) -> Any:
    """Ask for the cache line that is so many bytes into an array, in order to write to it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        word, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        place = builder.gep(builder.bitcast(data, pointer), [values[1]])
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(ask, [place, word(1), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@njit(error_model="numpy")
def below_one(x: float) -> float:
    """Return x where it is less than 1, else 0."""
    return x * (x < 1.0)


@njit(error_model="numpy")
def same(entry: float, extreme: float) -> float:
    """Return 1.0 where an entry is the extreme of its row, which NaN is wherever it stands."""
    return 1.0 if (entry == extreme) | (entry != entry) else 0.0


@njit(error_model="numpy")
def fetch_row(array: Any, place: int) -> None:
    """Ask for a row that is going to be written to, so that it is there when its time comes."""
    start = place * array.strides[0]
    for offset in range(start, start + array.strides[0], 64):
        _fetch(array, offset)


@njit(error_model="numpy")
def total(terms: Any, count: int) -> float:
    """Return the sum of the first `count` terms, in float64."""
    wide_vectors()
    result = 0.0
    for place in range(count):
        result = add(result, terms[place])
    return result


@njit(error_model="numpy")
def two_sum(whole: float, lost: float, term: float) -> tuple[float, float]:
    """Return whole + term as rounded, and `lost` with what that rounding has lost (Knuth)."""
    rounded = whole + term
    back = rounded - whole
    return rounded, lost + ((whole - (rounded - back)) + (term - back))


@njit(error_model="numpy")
def with_lost(whole: float, lost: float) -> float:
    """Return a sum with what its roundings lost; an infinite sum has lost nothing."""
    return whole + lost if abs(lost) < math.inf else whole


@njit(error_model="numpy")
def total_but(terms: Any, count: int, place: int) -> float:
    """Return the sum of the first `count` terms but the one at a place, in float64."""
    kept = terms[place]
    terms[place] = 0.0
    result = total(terms, count)
    terms[place] = kept
    return result


# A running product goes on as it is while it is of such a size: the product of two such is finite.
_LEAST, _MOST = 2.0**-500, 2.0**500


@njit(error_model="numpy")
def times(state: float, factor: float) -> float:
    """Return the number of a running product, once `factor` is in; `excess` is the power taken."""
    product = state * factor
    return product if _LEAST < abs(product) < _MOST else _times(state, factor)


@njit(error_model="numpy")
def excess(state: float, factor: float) -> float:
    """Return the power of two that `times` takes out of the product: mostly zero."""
    return 0.0 if _LEAST < abs(state * factor) < _MOST else _excess(state, factor)


@njit(error_model="numpy")
def scaled(number: float, power: float) -> float:
    """Return number 2**power."""
    return number if power == 0.0 else _scaled(number, power)


@njit(error_model="numpy")
def out_of_range(entry: float) -> float:
    """Return 1.0 for what a running product should not go on from as it is, else 0.0."""
    size = abs(entry)
    return 0.0 if (size > _LEAST) & (size < _MOST) else 1.0


@njit(error_model="numpy")
def stepped(state: float, power: float, decay: float, term: float) -> float:
    """Return the number of decay (state 2**power) + term; `stepped_power` is its power."""
    entry = decay * state + term
    if power == 0.0 and _LEAST < abs(entry) < _MOST:
        return entry
    return _stepped(state, power, decay, term)[0]


@njit(error_model="numpy")
def stepped_power(state: float, power: float, decay: float, term: float) -> float:
    """Return the power of two of decay (state 2**power) + term: zero where the number fits."""
    if power == 0.0 and _LEAST < abs(decay * state + term) < _MOST:
        return 0.0
    return _stepped(state, power, decay, term)[1]


@njit(error_model="numpy")
def _is_ordinary(number: float) -> bool:
    return 0.0 < abs(number) < math.inf


@njit(error_model="numpy")
def _times(state: float, factor: float) -> float:
    if _is_ordinary(state) and _is_ordinary(factor):
        return math.frexp(state)[0] * math.frexp(factor)[0]
    return state * factor


@njit(error_model="numpy")
def _excess(state: float, factor: float) -> float:
    if _is_ordinary(state) and _is_ordinary(factor):
        return float(math.frexp(state)[1] + math.frexp(factor)[1])
    return 0.0


@njit(error_model="numpy")
def _scaled(number: float, power: float) -> float:
    if not _is_ordinary(number):
        return number
    if abs(power) > 2200.0:  # beyond all numbers
        return number * 0.0 if power < 0.0 else number * math.inf
    mantissa, own = math.frexp(number)
    return math.ldexp(mantissa, int(power) + own)


@njit(error_model="numpy")
def _stepped(state: float, power: float, decay: float, term: float) -> tuple[float, float]:
    """Add the two at the power of the greater one."""
    number, own = _times(state, decay), _excess(state, decay) + power
    if not _is_ordinary(number):
        return _fitted(number + term, 0.0)
    if not _is_ordinary(term):
        return _fitted(number if term == 0.0 else term, own if term == 0.0 else 0.0)
    number, more = math.frexp(number)
    other, size = math.frexp(term)
    own, theirs = own + float(more), float(size)
    top = max(own, theirs)
    return _fitted(_scaled(number, own - top) + _scaled(other, theirs - top), top)


@njit(error_model="numpy")
def _fitted(number: float, power: float) -> tuple[float, float]:
    """Return a number with power zero if it fits so, else between a half and one."""
    if not _is_ordinary(number):
        return number, 0.0
    mantissa, own = math.frexp(number)
    power += float(own)
    if -500.0 < power < 500.0:
        return math.ldexp(mantissa, int(power)), 0.0
    return mantissa, power
