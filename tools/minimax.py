"""Compute the polynomial coefficients of the vector mathematics.

    python tools/minimax.py            # rewrites symcalc/backends/coefficients.py

Each polynomial p of degree n minimises max |w(x) (g(x) - p(x))| over an interval, with the weight w
that turns the error of p into the relative error of the function it serves.  The minimum is found
by Remez's exchange on a dense Chebyshev grid; the coefficients are then rounded to the target
precision, the lowest powers one after the other with a refit of the remaining ones after each, so
that the higher coefficients absorb what the lower ones lost.

Reference: Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., chapters 10 and 11;
Brisebarre, Muller and Tisserand, Computing machine-efficient polynomial approximations (2006).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpmath import mp, mpf

Function = Callable[[mpf], mpf]

DIGITS = 50
POINTS_PER_COEFFICIENT = 12
ROUNDS = 200
TOLERANCE = mpf(2) ** -7
NEGLIGIBLE = mpf(2) ** -60
REFITS = 4
MARGIN = 1 + mpf(2) ** -20
ERFC_SHIFT = 3
HYPERBOLIC_END = mpf("0.7")
STIRLING_START = mpf("6.5")
TRIGAMMA_START = mpf("7.5")
DIGAMMA_ROOT = "1.46163214496836234126265954232572132846819620400644629512959840860"
TARGET = Path(__file__).resolve().parent.parent / "symcalc" / "backends" / "coefficients.py"


@dataclass(frozen=True)
class Precision:
    """A binary format: significant bits, exponent range, and what is chosen for it."""

    name: str
    numpy: str
    bits: int
    max_exponent: int
    ln2_bits: int
    erfc_end: mpf
    degrees: dict[str, int]

    @property
    def tiniest_exponent(self) -> int:
        """Return e, where 2^e is the smallest denormal number."""
        return 3 - self.max_exponent - self.bits


PRECISIONS = (
    Precision(
        "F64", "float64", 53, 1024, 41, mpf(28),
        {"exp": 9, "exp_wide": 11, "expm1": 10, "log": 6, "log1p_unit": 9, "tanh": 7,
         "log_cosh": 5, "power": 6, "kl_div": 19, "erf": 12, "erfc": 21, "sin_pi": 7, "cot_pi": 14,
         "lgamma": 25, "stirling": 6, "digamma": 27, "digamma_far": 6, "trigamma_far": 7},
    ),
    Precision(
        "F32", "float32", 24, 128, 15, mpf("10.5"),
        {"exp": 4, "exp_wide": 5, "expm1": 5, "log": 2, "log1p_unit": 3, "tanh": 3,
         "log_cosh": 1, "kl_div": 8, "erf": 6, "erfc": 9},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One polynomial: p(x) ~ g(x) on the interval, error weighted by w(x)."""

    name: str
    meaning: str
    g: Function
    w: Function
    interval: tuple[mpf, mpf]


def round_to(x: mpf, bits: int) -> mpf:
    """Round x to the nearest number with `bits` significant bits, ties to even."""
    if x == 0:
        return mpf(0)
    with mp.workprec(bits):
        return +x


def chebyshev_grid(low: mpf, high: mpf, count: int) -> list[mpf]:
    """Return `count` Chebyshev points of the first kind in (low, high), increasing."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * (2 * j + 1) / (2 * count)) for j in range(count)]


def horner(coefficients: list[mpf], x: mpf) -> mpf:
    """Evaluate c0 + c1 x + c2 x^2 + ..."""
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def reference(errors: list[mpf], size: int) -> list[int]:
    """Pick `size` extrema of alternating sign, the largest error among them."""
    picks: list[int] = []
    for j, e in enumerate(errors):
        if picks and (errors[picks[-1]] > 0) == (e > 0):
            if abs(e) > abs(errors[picks[-1]]):
                picks[-1] = j
        else:
            picks.append(j)
    while len(picks) > size:
        heights = [abs(errors[j]) for j in picks]
        least = heights.index(min(heights))
        if len(picks) == size + 1:
            del picks[0 if heights[0] < heights[-1] else -1]
        elif least in (0, len(picks) - 1):
            del picks[least]
        else:  # with a neighbour, so that the signs still alternate
            low = least - 1 if heights[least - 1] < heights[least + 1] else least
            del picks[low : low + 2]
    return picks


def remez(xs: list[mpf], gs: list[mpf], ws: list[mpf], degree: int) -> tuple[list[mpf], mpf]:
    """Return the polynomial with the least weighted maximal error on the grid, and that error."""
    size = degree + 2
    heaviest = max(ws)  # a point of no weight has no say, and would spoil the linear system
    points = [p for p in zip(xs, gs, ws, strict=True) if p[2] > heaviest * NEGLIGIBLE]
    xs, gs, ws = (list(column) for column in zip(*points, strict=True))
    picks = [round(j * (len(xs) - 1) / (size - 1)) for j in range(size)]
    coefficients: list[mpf] = []
    for _ in range(ROUNDS):
        rows = [
            [xs[j] ** power for power in range(degree + 1)] + [(-1) ** row / ws[j]]
            for row, j in enumerate(picks)
        ]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([gs[j] for j in picks]))
        coefficients, level = list(solution[: degree + 1]), abs(solution[degree + 1])
        errors = [w * (g - horner(coefficients, x)) for x, g, w in zip(xs, gs, ws, strict=True)]
        worst = max(range(len(xs)), key=lambda j: abs(errors[j]))
        if abs(errors[worst]) <= level * (1 + TOLERANCE):
            return coefficients, abs(errors[worst])
        picks = reference(errors, size)
    raise ArithmeticError(f"Remez exchange did not settle in {ROUNDS} rounds")


def fit(task: Task, degree: int, bits: int) -> tuple[list[mpf], mpf, mpf]:
    """Return the rounded coefficients, their weighted maximal error, and the unrounded optimum."""
    xs = chebyshev_grid(*task.interval, POINTS_PER_COEFFICIENT * (degree + 2))
    target = [task.g(x) for x in xs]
    weight = [task.w(x) for x in xs]
    gs, ws = target, weight
    rounded: list[mpf] = []
    optimum = mpf(0)
    for power in range(degree + 1):
        free, error = remez(xs, gs, ws, degree - power)
        optimum = optimum or error
        if power == REFITS:
            rounded += [round_to(c, bits) for c in free]
            break
        c = round_to(free[0], bits)
        rounded.append(c)
        gs = [(g - c) / x for g, x in zip(gs, xs, strict=True)]
        ws = [w * abs(x) for w, x in zip(ws, xs, strict=True)]
    error = max(
        abs(w * (g - horner(rounded, x))) for x, g, w in zip(xs, target, weight, strict=True)
    )
    return rounded, error, optimum


def log_tail(z: mpf) -> mpf:
    """(2 atanh(s) - 2 s) / s^3 with z = s^2."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def near_two(z: mpf) -> mpf:
    """Evaluate log gamma(2 + z) / (z (1 + z))."""
    return mp.loggamma(2 + z) / (z * (1 + z)) if z else mp.digamma(2)


def stirling(w: mpf) -> mpf:
    """Evaluate x (log gamma(x) - (x - 1/2) log(x) + x - log(2 pi)/2) with w = 1/x^2."""
    x = 1 / mp.sqrt(w)
    return x * (mp.loggamma(x) - (x - mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def digamma_near(v: mpf) -> mpf:
    """Evaluate digamma(y) / (y - root) with y = 2 + v."""
    return mp.digamma(2 + v) / (2 + v - mpf(DIGAMMA_ROOT))


def digamma_far(w: mpf) -> mpf:
    """Evaluate x^2 (log(x) - 1/(2 x) - digamma(x)) with w = 1/x^2."""
    x = 1 / mp.sqrt(w)
    return x**2 * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))


def trigamma_far(w: mpf) -> mpf:
    """Evaluate x^3 (trigamma(x) - 1/x - 1/(2 x^2)) with w = 1/x^2."""
    x = 1 / mp.sqrt(w)
    return x**3 * (mp.polygamma(1, x) - 1 / x - 1 / (2 * x**2))


def sin_tail(z: mpf) -> mpf:
    """(sin(pi d)/(pi d) - 1) / d^2 with z = d^2."""
    d = mp.sqrt(z)
    return (mp.sin(mp.pi * d) / (mp.pi * d) - 1) / z


def cot_tail(z: mpf) -> mpf:
    """(1/d - pi cot(pi d)) / d with z = d^2."""
    d = mp.sqrt(z)
    return (1 / d - mp.pi * mp.cot(mp.pi * d)) / d


def power_tail(z: mpf) -> mpf:
    """(3 atanh(s)/s - 3 - s^2) / s^4 with z = s^2."""
    s = mp.sqrt(z)
    return (3 * mp.atanh(s) / s - 3 - z) / z**2


def exp_tail(r: mpf) -> mpf:
    """(exp(r) - 1 - r) / r^2."""
    return (mp.expm1(r) - r) / r**2


def atanh_weight(z: mpf) -> mpf:
    """s^3 / (2 atanh(s)) with z = s^2."""
    s = mp.sqrt(z)
    return s**3 / (2 * mp.atanh(s))


def tanh_tail(z: mpf) -> mpf:
    """(2 tanh(x/2)/x - 1) / x^2 with z = x^2."""
    x = mp.sqrt(z)
    return (2 * mp.tanh(x / 2) / x - 1) / z


def erf_tail(z: mpf) -> mpf:
    """Evaluate erf(x)/x - 1 with z = x^2."""
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1


def erfc_scaled(t: mpf) -> mpf:
    """Evaluate (1 + 2 x) exp(x^2) erfc(x) with t = (x - b)/(x + b)."""
    x = ERFC_SHIFT * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x**2) * mp.erfc(x)


def erfc_tail(t: mpf) -> mpf:
    """Evaluate the same less 5/4, so that rounding the first coefficient costs nothing."""
    return erfc_scaled(t) - mpf(5) / 4


def tasks(precision: Precision) -> list[Task]:
    """List the polynomials."""
    r_max = mp.log(2) / 2 * MARGIN
    z_max = (3 - 2 * mp.sqrt(2)) ** 2 * MARGIN
    t_min, t_max = ((x - ERFC_SHIFT) / (x + ERFC_SHIFT) for x in (mpf("0.5"), precision.erfc_end))
    z_unit = mpf(1) / 9 * MARGIN
    end = HYPERBOLIC_END * MARGIN
    decayed = mp.exp(-2 * HYPERBOLIC_END)
    s_cosh = max(mp.tanh(end / 2) ** 2, decayed / (2 + decayed)) * MARGIN
    return [
        Task(
            "exp",
            "(exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to exp(r)",
            exp_tail,
            lambda r: r**2 / mp.exp(r),
            (-r_max, r_max),
        ),
        Task(
            "exp_wide",
            "(exp(r) - 1 - r)/r^2 on |r| <= ln(2); error relative to exp(r)",
            exp_tail,
            lambda r: r**2 / mp.exp(r),
            (-2 * r_max, 2 * r_max),
        ),
        Task(
            "expm1",
            "(exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)",
            exp_tail,
            lambda r: r**2 / abs(mp.expm1(r)),
            (-r_max, r_max),
        ),
        Task(
            "log",
            "(2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; "
            "error relative to log(1 + f)",
            log_tail,
            lambda z: z / 2,
            (mpf(0), z_max),
        ),
        Task(
            "log1p_unit",
            "(2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 1/3; error relative to 2 atanh(s)",
            log_tail,
            atanh_weight,
            (mpf(0), z_unit),
        ),
        Task(
            "tanh",
            "(2 tanh(x/2)/x - 1)/x^2 in x^2, |x| <= hyperbolic_end; error relative to tanh(x/2)",
            tanh_tail,
            lambda z: z / (1 + z * tanh_tail(z)),
            (mpf(0), end**2),
        ),
        Task(
            "log_cosh",
            "(2 atanh(s) - 2 s)/s^3 in z = s^2, where s = tanh(x/2)^2 on |x| <= hyperbolic_end and "
            "e/(2 + e) beyond, e = exp(-2 |x|); error relative to 2 atanh(s)",
            log_tail,
            atanh_weight,
            (mpf(0), s_cosh**2),
        ),
        Task(
            "kl_div",
            "(2 atanh(s) - 2 s)/s^3 in z = s^2, |s| <= 2/3; relative error",
            log_tail,
            lambda z: 1 / log_tail(z),
            (mpf(0), mpf(4) / 9 * MARGIN),
        ),
        Task(
            "power",
            "(3 atanh(s)/s - 3 - s^2)/s^4 in z = s^2, s as for log; error relative to atanh(s)/s",
            power_tail,
            lambda z: z**2,
            (mpf(0), z_max),
        ),
        Task(
            "sin_pi",
            "(sin(pi d)/(pi d) - 1)/d^2 in d^2, |d| <= 1/2; error relative to sin(pi d)",
            sin_tail,
            lambda z: z / (1 + z * sin_tail(z)),
            (mpf(0), mpf(1) / 4),
        ),
        Task(
            "cot_pi",
            "(1/d - pi cot(pi d))/d in d^2, |d| <= 1/2; error of pi cot(pi d)",
            cot_tail,
            mp.sqrt,
            (mpf(0), mpf(1) / 4),
        ),
        Task(
            "lgamma",
            "log gamma(2 + z)/(z (1 + z)) for -1 <= z <= 1/2; relative error",
            near_two,
            lambda z: 1 / near_two(z),
            (-mpf(1), mpf(1) / 2),
        ),
        Task(
            "stirling",
            "x (log gamma(x) - (x - 1/2) log(x) + x - log(2 pi)/2) in 1/x^2, x >= stirling_start; "
            "error relative to log gamma(x)",
            stirling,
            lambda w: mp.sqrt(w) / mp.loggamma(1 / mp.sqrt(w)),
            (mpf(0), STIRLING_START**-2),
        ),
        Task(
            "digamma",
            "digamma(y)/(y - root) in y - 2, 1 <= y <= 2.6; relative error",
            digamma_near,
            lambda v: 1 / digamma_near(v),
            (mpf(-1), mpf("0.6") * MARGIN),
        ),
        Task(
            "digamma_far",
            "x^2 (log(x) - 1/(2 x) - digamma(x)) in 1/x^2, x >= stirling_start; error relative to "
            "digamma(x)",
            digamma_far,
            lambda w: w / mp.digamma(1 / mp.sqrt(w)),
            (mpf(0), STIRLING_START**-2),
        ),
        Task(
            "trigamma_far",
            "x^3 (trigamma(x) - 1/x - 1/(2 x^2)) in 1/x^2, x >= trigamma_start; error relative to "
            "1/x",
            trigamma_far,
            lambda w: w,
            (mpf(0), TRIGAMMA_START**-2),
        ),
        Task(
            "erf",
            "erf(x)/x - 1 in z = x^2, |x| <= 1; error relative to erf(x)",
            erf_tail,
            lambda z: 1 / (1 + erf_tail(z)),
            (mpf(0), mpf(1)),
        ),
        Task(
            "erfc",
            f"(1 + 2 x) exp(x^2) erfc(x) - 5/4 in t = (x - {ERFC_SHIFT})/(x + {ERFC_SHIFT}), "
            f"1/2 <= x <= {float(precision.erfc_end):g}; relative error",
            erfc_tail,
            lambda t: 1 / erfc_scaled(t),
            (t_min, t_max),
        ),
    ]


def constants(precision: Precision) -> list[tuple[str, str, mpf]]:
    """List name, meaning and value of the numbers; the generator rounds them to the precision."""
    bits, two = precision.bits, mpf(2)
    high = round_to(mp.log(2), precision.ln2_bits)
    root, scale = round_to(mpf(DIGAMMA_ROOT), bits), 2 / (3 * mp.log(2))
    scale_high = round_to(scale, bits // 2)
    return [
        ("magic", "x + magic rounds x to an integer, left in the low bits", 3 * two ** (bits - 2)),
        ("digits", "mantissa bits, without the hidden one", mpf(bits - 1)),
        ("max_exponent", "the largest k with 2^k finite", mpf(precision.max_exponent - 1)),
        ("smallest_normal", "numbers below it are denormal", two ** (2 - precision.max_exponent)),
        ("negligible", "below it in size, expm1(x) and log1p(x) are x", two ** -(bits + 1)),
        ("overflow", "past it exp is inf", mp.log(2) * precision.max_exponent + mpf("0.25")),
        ("underflow", "past it exp is 0", mp.log(2) * (precision.tiniest_exponent - 2)),
        ("saturated", "past it expm1 is -1", mpf(-bits - 3)),
        ("log2e", "1/ln(2)", 1 / mp.log(2)),
        ("ln2_high", "ln(2) to so few bits that k*ln2_high is exact", high),
        ("ln2_low", "the rest of ln(2)", mp.log(2) - high),
        ("splitter", "x*splitter - (x*splitter - x) is the upper half of x (Veltkamp)",
         two ** ((bits + 1) // 2) + 1),
        ("ln2", "ln(2)", mp.log(2)),
        ("exponent_bias", "what the exponent field of 1 holds", mpf(precision.max_exponent - 1)),
        ("lift", "2^lift keeps exp of what is not positive above the denormal numbers",
         two ** (mp.log(precision.max_exponent, 2) - 1)),
        ("hyperbolic_end", "up to it in size tanh and log_cosh are polynomials", HYPERBOLIC_END),
        ("stirling_constant", "(log(2 pi) - 1)/2", (mp.log(2 * mp.pi) - 1) / 2),
        ("stirling_start", "from it on lgamma and digamma are asymptotic", STIRLING_START),
        ("trigamma_start", "from it on trigamma is asymptotic", TRIGAMMA_START),
        ("root_high", "the positive root of digamma", root),
        ("root_low", "the rest of the root", mpf(DIGAMMA_ROOT) - root),
        ("log2_scale", "2/(3 ln(2))", scale),
        ("log2_scale_high", "the upper half of log2_scale", scale_high),
        ("log2_scale_low", "the rest of log2_scale", scale - scale_high),
        ("erfc_shift", "the polynomial of erfc is in (x - erfc_shift)/(x + erfc_shift)",
         mpf(ERFC_SHIFT)),
        ("erfc_end", "past it erfc is 0", precision.erfc_end),
    ]  # fmt: skip


HEADER = '''"""Coefficients of the vector mathematics: a generated file, do not edit.

Regenerate with `python tools/minimax.py`; a test compares this file with a fresh run.
Every number is exact in its precision (F64: 53 bits, F32: 24 bits).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

_hex = float.fromhex


@dataclass(frozen=True)
class Coefficients:
    """The numbers of one precision: scalars of its type, polynomials lowest power first."""

    real: type[np.floating[Any]]
'''


def declaration() -> list[str]:
    """Return the fields of the generated dataclass."""
    with mp.workdps(DIGITS):
        scalars = [f"    {name}: Any  # {meaning}" for name, meaning, _ in constants(PRECISIONS[0])]
        names = [task.name for task in tasks(PRECISIONS[0])]
    least = PRECISIONS[-1].degrees  # what float32 has too comes first, the rest defaults to nothing
    names.sort(key=lambda name: name not in least)
    defaults = {name: "" if name in least else " = ()" for name in names}
    return [*scalars, *(f"    {name}: tuple[float, ...]{defaults[name]}" for name in names)]


def instance(precision: Precision) -> list[str]:
    """Return the lines that define the numbers of one precision."""
    lines = ["", "", f"{precision.name} = Coefficients(", f"    real=np.{precision.numpy},"]
    for name, _, value in constants(precision):
        number = float(round_to(value, precision.bits))
        lines.append(f'    {name}=np.{precision.numpy}(_hex("{number.hex()}")),  # {number!r}')
    for task in (task for task in tasks(precision) if task.name in precision.degrees):
        degree = precision.degrees[task.name]
        coefficients, error, optimum = fit(task, degree, precision.bits)
        lines += [f"    # {line}" for line in textwrap.wrap(task.meaning, 92)]
        lines += [
            f"    # degree {degree}; largest error 2^{float(mp.log(error, 2)):.2f} "
            f"(before rounding 2^{float(mp.log(optimum, 2)):.2f})",
            f"    {task.name}=(",
        ]
        numbers = [float(c) for c in coefficients]
        lines += [f'        _hex("{number.hex()}"),  # {number!r}' for number in numbers]
        lines.append("    ),")
    return [*lines, ")"]


def generate() -> str:
    """Return the text of the coefficients module."""
    lines = declaration()
    with mp.workdps(DIGITS):
        for precision in PRECISIONS:
            lines += instance(precision)
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
