"""Measure the accuracy of every atom as it is compiled, against ball arithmetic.

    python tools/accuracy.py            # rewrites derivations/accuracy.md

Each atom (and exp, log, sqrt, exp2, powers) is written by the same writer as in a kernel, compiled
in float64 and in float32, with and without a fused multiply-add, and run over its whole domain:
random bit patterns, denormals, powers of two, dense samples where the function is neither trivial
nor saturated, and both sides of every place where its formula changes.  An error is counted in
units in the last place (ulps) of the exact value, which python-flint encloses; an overflow or an
underflow counts by how far it lies from where rounding would have put it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import flint
import numba
import numpy as np
import sympy as sp

from symcalc.backends import numba_expressions, scalar_math, vector_math
from symcalc.notation import atoms
from symcalc.program.primitives import to_primitives

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "derivations" / "accuracy.md"
SEED = 20240607
POINTS = 5000
PRECISIONS = {"float64": np.float64, "float32": np.float32}
UNFUSED = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
SATURATED = 20_000  # past it in size every exponential of ours has over- or underflowed

Ball = Any
Array = Any

X, Y, Z = (sp.Symbol(letter, real=True) for letter in "xyz")


@dataclass(frozen=True)
class Case:
    """One function of the table.

    Args:
        formula: the function of the symbols x, y and z, as a kernel would have it.
        exact: the same on balls, however it is had.
        limit: the largest error allowed, in ulps.
        spans: for each argument, where most happens.
        turns: where a formula changes or a function turns; both sides are looked at.
        inside: which points belong to the domain.
        unit: of which quantity the ulps are, if not of the exact value itself.
        title: what the table calls it, if not by its name.
    """

    formula: Any
    exact: Callable[..., Ball]
    limit: float
    spans: tuple[tuple[float, float], ...]
    turns: tuple[float, ...] = ()
    inside: Callable[..., Array] = lambda *x: np.full(x[0].shape, True)
    unit: Callable[..., Ball] | None = None
    title: str = ""


# The functions on balls ---------------------------------------------------------------------------


def held(x: Ball) -> Ball:
    """Hold x where exponentials have over- or underflowed, so that balls stay small."""
    return min(max(x, flint.arb(-SATURATED)), flint.arb(SATURATED))


def log_cosh(x: Ball) -> Ball:
    """Return |x| + log(1 + exp(-2 |x|)) - log(2)."""
    return abs(x) + (-2 * held(abs(x))).exp().log1p() - flint.arb.const_log2()


def softplus(x: Ball) -> Ball:
    """Return log(1 + exp(x))."""
    return max(x, flint.arb(0)) + (-held(abs(x))).exp().log1p()


def power(x: Ball, y: Ball) -> Ball:
    """Return x to the power y; for x < 0 by the parity of y."""
    size = held(y * abs(x).log()).exp()
    odd = y.is_integer() and not (y / 2).is_integer()
    return -size if x < 0 and odd else size


def lgamma(x: Ball) -> Ball:
    """Return log|gamma(x)|, for x < 0 by reflection."""
    if x > 0:
        return x.lgamma()
    return flint.arb.pi().log() - abs(x.sin_pi()).log() - (1 - x).lgamma()


def lgamma_terms(x: Ball) -> Ball:
    """Return the greatest of what lgamma is put together from, for x < 0."""
    return max(abs(abs(x.sin_pi()).log()), abs((1 - x).lgamma()), flint.arb(1))


def digamma(x: Ball) -> Ball:
    """Return the derivative of lgamma, for x < 0 by reflection."""
    if x > 0:
        return x.digamma()
    return (1 - x).digamma() - flint.arb.pi() * x.cot_pi()


def digamma_terms(x: Ball) -> Ball:
    """Return the greatest of what digamma is put together from, for x < 0."""
    return max(abs((1 - x).digamma()), abs(flint.arb.pi() * x.cot_pi()), flint.arb(1))


def trigamma(x: Ball) -> Ball:
    """Return the derivative of digamma: zeta(2, x), or its series with a bound for what is left."""
    if x < 0:
        return (flint.arb.pi() / x.sin_pi()) ** 2 - trigamma(1 - x)
    if x < 1_000_000:
        return flint.arb.zeta(flint.arb(2), x)
    lost = flint.arb(0, 1) / (30 * x**5)
    return 1 / x + 1 / (2 * x**2) + 1 / (6 * x**3) + lost


def divergence(x: Ball, y: Ball) -> Ball:
    """Return x log(x/y) - x + y, and y where x is 0."""
    return y if x == 0 else x * (x.log() - y.log()) - x + y


def clipped(x: Ball, low: Ball, high: Ball) -> Ball:
    """Return x held between two numbers."""
    return min(max(x, low), high)


# The table ----------------------------------------------------------------------------------------

ALL = ((-4.0, 4.0),)
TAILS = ((-40.0, 40.0),)
EXPONENTIAL = ((-750.0, 711.0),)
POSITIVE = ((0.0, 4.0),)
EXP_ENDS = (709.782712893384, -745.1332191019412, -708.3964185322641, 88.72284, -103.97208,
            -87.33655, math.log(2) / 2, -math.log(2) / 2, math.log(2), 1.0, -1.0)  # fmt: skip
HALVES = tuple(j / 2 for j in range(-41, 42))


def positive(x: Array, *_: Array) -> Array:
    """Whether x > 0."""
    return x > 0


def both_positive(x: Array, y: Array) -> Array:
    """Whether x > 0 and y > 0."""
    return (x > 0) & (y > 0)


def no_pole(x: Array) -> Array:
    """Whether x is neither zero nor a negative integer, and not so far out that the balls fail."""
    return (x > 0) | ((x != np.floor(x)) & (x > -1e15))


def pole_free_right(x: Array) -> Array:
    """Whether x > 0."""
    return x > 0


def pole_free_left(x: Array) -> Array:
    """Whether x < 0 and no integer."""
    return no_pole(x) & (x < 0)


def has_power(x: Array, y: Array) -> Array:
    """Whether x^y is a real number other than the conventions' own."""
    return (x > 0) | ((x < 0) & (y == np.floor(y)))


CASES: dict[str, Case] = {
    "exp": Case(sp.exp(X), lambda x: held(x).exp(), 2, EXPONENTIAL, EXP_ENDS),
    "exp (x <= 0)": Case(sp.exp(-abs(X)), lambda x: (-held(abs(x))).exp(), 2, EXPONENTIAL,
                         EXP_ENDS),
    "exp2": Case(sp.Pow(2, X), lambda x: flint.arb(2) ** held(x), 4, ((-1080.0, 1030.0),),
                 (1024.0, -1074.0, -1022.0, 128.0, -149.0, -126.0, *HALVES)),
    "log": Case(sp.log(X), lambda x: x.log(), 2, POSITIVE, (1.0, math.sqrt(2), math.sqrt(0.5)),
                positive),
    "sqrt": Case(sp.sqrt(X), lambda x: x.sqrt(), 0.5, POSITIVE, (1.0,), positive),
    "power": Case(X**Y, power, 4, ((0.0, 4.0), (-30.0, 30.0)), (1.0, -1.0, 2.0, math.sqrt(2)),
                  has_power),
    "expm1": Case(atoms.expm1(X), lambda x: held(x).expm1(), 2, EXPONENTIAL, EXP_ENDS),
    "expm1x": Case(atoms.expm1x(X), lambda x: held(x).exp() - 1 - x, 4, TAILS, EXP_ENDS),
    "log1p": Case(atoms.log1p(X), lambda x: x.log1p(), 2, ((-1.0, 4.0),),
                  (1.0, -1.0, math.sqrt(2) - 1, math.sqrt(0.5) - 1), lambda x: x > -1),
    "tanh": Case(atoms.tanh(X), lambda x: x.tanh(), 2, ALL, (0.7, -0.7)),
    "sech": Case(atoms.sech(X), lambda x: held(x).sech(), 4, TAILS, EXP_ENDS),
    "sigmoid": Case(atoms.sigmoid(X), lambda x: 1 / (1 + (-held(x)).exp()), 2, TAILS, EXP_ENDS),
    "softplus": Case(atoms.softplus(X), softplus, 2, TAILS, EXP_ENDS),
    "log_sigmoid": Case(atoms.log_sigmoid(X), lambda x: -softplus(-x), 2, TAILS, EXP_ENDS),
    "log_cosh": Case(atoms.log_cosh(X), log_cosh, 4, ALL, (0.7, -0.7)),
    "xlogy": Case(atoms.xlogy(X, Y), lambda x, y: x * y.log(), 4, (ALL[0], POSITIVE[0]), (1.0,),
                  lambda x, y: y > 0),
    "log_ratio": Case(atoms.log_ratio(X, Y), lambda x, y: x.log() - y.log(), 4, POSITIVE * 2,
                      (1.0, 1.5), both_positive),
    "kl_div": Case(atoms.kl_div(X, Y), divergence, 4, POSITIVE * 2, (1.0, 1.5), both_positive),
    "log1mexp": Case(atoms.log1mexp(X), lambda x: (-(-held(x)).expm1()).log(), 4, POSITIVE,
                     (math.log(2), *EXP_ENDS), positive),
    "erf": Case(atoms.erf(X), lambda x: x.erf(), 4, ALL, (1.0, -1.0)),
    "erfc": Case(atoms.erfc(X), lambda x: held(x).erfc(), 4, ((-6.0, 28.0),),
                 (0.5, -0.5, 26.5, 27.2262, 10.05)),
    "lgamma": Case(atoms.lgamma(X), lgamma, 4, ((0.0, 9.0),), HALVES, pole_free_right),
    "lgamma (x < 0)": Case(atoms.lgamma(X), lgamma, 4, ((-9.0, 0.0),), HALVES, pole_free_left,
                           lgamma_terms),
    "digamma": Case(atoms.digamma(X), digamma, 4, ((0.0, 9.0),), (1.4616321449683623, *HALVES),
                    pole_free_right),
    "digamma (x < 0)": Case(atoms.digamma(X), digamma, 4, ((-9.0, 0.0),), HALVES, pole_free_left,
                            digamma_terms),
    "trigamma": Case(atoms.trigamma(X), trigamma, 4, ((-9.0, 9.0),), HALVES, no_pole),
    "abs": Case(atoms.abs(X), abs, 0, ALL),
    "sign": Case(atoms.sign(X), lambda x: x.sgn(), 0, ALL),
    "relu": Case(atoms.relu(X), lambda x: max(x, flint.arb(0)), 0, ALL),
    "maximum": Case(atoms.maximum(X, Y), max, 0, ALL * 2),
    "minimum": Case(atoms.minimum(X, Y), min, 0, ALL * 2),
    "clip": Case(atoms.clip(X, Y, Z), clipped, 0, ALL * 3, (), lambda x, y, z: y <= z),
    "weighted": Case(atoms.weighted(X, Y), lambda x, y: x * y, 0.5, ALL * 2),
    "stop_gradient": Case(atoms.stop_gradient(X), lambda x: x, 0, ALL),
}  # fmt: skip


# Points -------------------------------------------------------------------------------------------


def neighbourhood(turns: tuple[float, ...], real: Any) -> Array:
    """Return places with the three numbers on either side, and ever closer ones further out."""
    info = np.finfo(real)
    found = [np.array(turns, real)]
    for step in range(1, 4):
        found.append(np.nextafter(found[-1], real(math.inf)))
        found.append(np.nextafter(found[-3 if step > 1 else 0], real(-math.inf)))
    closer = np.ldexp(1.0, -np.arange(1, info.nmant))
    spread = np.outer(turns, np.concatenate([1 - closer, 1 + closer])).ravel()
    return np.concatenate([*found, spread.astype(real)])


def edges(real: Any) -> Array:
    """Return powers of two with both neighbours, the ends of the range and zeros, of both signs."""
    info = np.finfo(real)
    powers = np.ldexp(real(1), np.arange(info.minexp - info.nmant, info.maxexp, 5))
    powers = np.concatenate([powers, [info.max, info.tiny, info.smallest_subnormal]]).astype(real)
    both = [powers, np.nextafter(powers, real(0)), np.nextafter(powers, real(1e30))]
    found = np.concatenate([*both, [real(0)]])
    return np.concatenate([found, -found])


def spread(rng: np.random.Generator, low: int, high: int, n: int) -> Array:
    """Draw sizes from 2^low to 2^high, each binade alike, by operations that no machine rounds."""
    return np.ldexp(rng.uniform(1, 2, n), rng.integers(low, high, n))


def column(
    rng: np.random.Generator, span: tuple[float, float], turns: Any, real: Any, n: int
) -> Array:
    """Draw the values of one argument."""
    info = np.finfo(real)
    unsigned = np.dtype(real).str.replace("f", "u")
    bits = rng.integers(0, 2**info.bits, n, dtype=unsigned).view(real)
    denormal = rng.integers(0, 2**info.nmant, n // 8, dtype=unsigned).view(real)
    size = spread(rng, -info.nmant - 8, 8, n) * rng.choice([-1, 1], n)
    parts = [rng.uniform(*span, 2 * n), rng.uniform(-1.5, 1.5, n), size]
    parts = [part.astype(real) for part in parts]
    return np.concatenate([bits, denormal, -denormal, *parts, neighbourhood(turns, real),
                           edges(real)])  # fmt: skip


def points(case: Case, real: Any, n: int) -> list[Array]:
    """Draw the points of a case: one column an argument, the first few of them in step."""
    rng = np.random.default_rng(SEED)
    columns = [column(rng, span, case.turns, real, n) for span in case.spans]
    if len(columns) > 1:
        columns = [rng.permutation(c) for c in columns]
        x, y = columns[0], columns[1]
        with np.errstate(all="ignore"):
            close = (x * (1 + np.exp2(rng.uniform(-30, 0, x.size)))).astype(real)
            along = np.exp2(rng.uniform(-8, 8, x.size))
            steep = rng.uniform(-1.1, 1.1, x.size) * np.finfo(real).maxexp / np.log2(along)
            whole = np.rint(rng.uniform(-40, 40, x.size))
        pairs = [(x, y), (x, close), (along.astype(real), steep.astype(real)),
                 (-along.astype(real), whole.astype(real))]  # fmt: skip
        rest = [np.tile(c, len(pairs)) for c in columns[2:]]
        columns = [np.concatenate(parts) for parts in zip(*pairs, strict=True)] + rest
    with np.errstate(all="ignore"):
        keep = np.logical_and.reduce([np.isfinite(c) for c in columns]) & case.inside(*columns)
    return [c[keep] for c in columns]


# Errors -------------------------------------------------------------------------------------------


def enclosure(function: Callable[..., Ball], at: tuple[float, ...], real: Any) -> Ball:
    """Return a ball much narrower than an ulp, at whatever precision that takes."""
    smallest = flint.arb(2) ** (int(np.finfo(real).minexp) - 80)
    for bits in (128, 256, 640, 1400, 3000, 6000):
        with flint.ctx.workprec(bits):
            found = function(*(flint.arb(x) for x in at))
            if found.rad() <= abs(found) * flint.arb(2) ** -70 or found.rad() < smallest:
                return found
    raise ArithmeticError(f"no enclosure at {at}: {found}")


def ulps(exact: Ball, unit: Ball, computed: float, real: Any) -> float:
    """Return |computed - exact| in units in the last place of `unit`."""
    info = np.finfo(real)
    with flint.ctx.workprec(400):
        limit = flint.arb(2) ** int(info.maxexp)
        if math.isinf(computed):  # an overflow stands for 2^maxexp and all beyond it
            if abs(exact) >= limit and (exact > 0) == (computed > 0):
                return 0.0
            exact_value = limit if computed > 0 else -limit
        else:
            exact_value = flint.arb(computed)
        size = abs(float(unit.mid()))
        exponent = math.frexp(size)[1] - 1 if 0 < size < math.inf else -2000 if size == 0 else 2000
        exponent = min(max(exponent, int(info.minexp)), int(info.maxexp) - 1) - int(info.nmant)
        return float((abs(exact_value - exact) / flint.arb(2) ** exponent).abs_upper())


@cache
def source(name: str, single: bool) -> str:
    """Return the loop over a case's formula, as a kernel's writer writes it."""
    case = CASES[name]
    letters = [letter.name for letter in (X, Y, Z)[: len(case.spans)]]
    writer = numba_expressions.ExpressionWriter(single, None, {})
    text = writer.write(to_primitives(atoms.adopt(case.formula)))
    lines = [f"def run({', '.join(f'{c}s' for c in letters)}, out):",
             "    for i in range(u8(0), u8(out.size)):"]  # fmt: skip
    lines += [f"        {letter} = {letter}s[i]" for letter in letters]
    return "\n".join([*lines, f"        out[i] = {text}", ""])


@cache
def kernel(name: str, real: Any) -> Callable[..., None]:
    """Return the compiled loop of a case."""
    space: dict[str, Any] = {"u8": np.uint64, "f4": np.float32, "inf": math.inf}
    for names, module in ((numba_expressions.VECTOR_MATH, vector_math),
                          (numba_expressions.SCALAR_MATH, scalar_math),
                          (numba_expressions.PLAIN_MATH, math)):  # fmt: skip
        space |= {each: getattr(module, each) for each in names}
    exec(source(name, real is np.float32), space)
    return numba.njit(error_model="numpy")(space["run"])


def computed(name: str, real: Any, columns: list[Array]) -> Array:
    """Run a case's kernel."""
    out = np.empty_like(columns[0])
    kernel(name, real)(*columns, out)
    return out


def error_at(name: str, real: Any, at: tuple[float, ...], got: float) -> float:
    """Return the error of one value in ulps."""
    case = CASES[name]
    exact = enclosure(case.exact, at, real)
    unit = exact if case.unit is None else max(abs(exact), enclosure(case.unit, at, real))
    return ulps(exact, unit, got, real)


def errors(name: str, real: Any, columns: list[Array]) -> Iterator[float]:
    """Yield the error at each point."""
    found = computed(name, real, columns)
    for *at, got in zip(*(c.tolist() for c in columns), found.tolist(), strict=True):
        yield error_at(name, real, tuple(at), got)


def worst(name: str, real: Any, n: int) -> tuple[float, tuple[float, ...]]:
    """Return the largest error over a case's points, and where it is."""
    columns = points(CASES[name], real, n)
    found = list(errors(name, real, columns))
    at = int(np.argmax(found))
    return found[at], tuple(float(c[at]) for c in columns)


# The page -----------------------------------------------------------------------------------------

Measured = dict[str, dict[str, tuple[float, tuple[float, ...]]]]


def measure() -> Measured:
    """Measure every case on this processor as Numba sees it."""
    return {
        name: {dtype: worst(name, real, POINTS) for dtype, real in PRECISIONS.items()}
        for name in CASES
    }


def measure_unfused() -> Measured:
    """Measure the same on a processor without a fused multiply-add."""
    script = Path(__file__).resolve()
    environment = {**os.environ, **UNFUSED}
    command = [sys.executable, str(script), "--measure"]
    result = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    found: Measured = json.loads(result.stdout)
    return found


HEADER = """# Accuracy of the atoms

The largest error seen of each atom as it is compiled, in units in the last place (ulps) of the
exact value, and where it was seen; with a fused multiply-add and without. Regenerate with
`python tools/accuracy.py`; a test compares a part of this page with a fresh run, a slow one all of
it. Points: {count} a function and precision, among them random bit patterns,
denormals and both sides of every change of formula; the exact values are enclosures of
python-flint.

For x < 0, lgamma and digamma are what is left of a difference and have a zero between any two
poles; their ulps there are those of the greatest term of that difference (or of 1, if that is
more), so that the error next to a zero is small beside the terms, not beside the result.

| function | precision | fused | at | unfused | at | limit |
|---|---|--:|---|--:|---|--:|
"""


def line(name: str, dtype: str, fused: Any, unfused: Any) -> str:
    """Return one line of the table."""
    cells = [name, dtype]
    for error, at in (fused, unfused):
        cells += [f"{error:.2f}", ", ".join(shown(x, dtype) for x in at)]
    return f"| {' | '.join(cells)} | {CASES[name].limit:g} |"


def shown(x: float, dtype: str) -> str:
    """Return the shortest decimal that stands for a number of a precision."""
    return str(PRECISIONS[dtype](x))


def page() -> str:
    """Return the whole page."""
    fused, unfused = measure(), measure_unfused()
    lines = [line(name, dtype, fused[name][dtype], unfused[name][dtype])
             for name in CASES for dtype in PRECISIONS]  # fmt: skip
    least = min(points(case, np.float64, POINTS)[0].size for case in CASES.values())
    return HEADER.format(count=f"at least {least:,}") + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure()))
    else:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(page(), encoding="utf-8")
        print(f"wrote {TARGET.relative_to(ROOT)}")
