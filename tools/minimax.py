"""Compute the polynomial coefficients of the vector mathematics.

    python tools/minimax.py            # rewrites symcalc/backends/coefficients.py

Each polynomial p of degree n minimises  max |w(x) (g(x) - p(x))|  over an interval, with the weight w
that turns the error of p into the relative error of the function it serves.  The minimum is found
by Remez's exchange on a dense Chebyshev grid; the coefficients are then rounded to the target
precision one after the other, lowest power first, refitting the remaining ones after each rounding,
so that the higher coefficients absorb what the lower ones lost.

Reference: Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., chapters 10 and 11;
Brisebarre, Muller and Tisserand, Computing machine-efficient polynomial approximations (2006).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpmath import mp, mpf

Function = Callable[[mpf], mpf]

DIGITS = 50
POINTS_PER_COEFFICIENT = 24
ROUNDS = 200
TOLERANCE = mpf(2) ** -7
NEGLIGIBLE = mpf(2) ** -60
MARGIN = 1 + mpf(2) ** -20
ERFC_SHIFT = 3
TARGET = Path(__file__).resolve().parent.parent / "symcalc" / "backends" / "coefficients.py"


@dataclass(frozen=True)
class Task:
    """One polynomial: p(x) ~ g(x) on the interval, error weighted by w(x)."""

    name: str
    meaning: str
    g: Function
    w: Function
    interval: tuple[mpf, mpf]
    degree: int
    bits: int


@dataclass(frozen=True)
class Constant:
    """One number, rounded to `bits` significant bits."""

    name: str
    meaning: str
    value: mpf


def round_to(x: mpf, bits: int) -> mpf:
    """Round x to the nearest number with `bits` significant bits, ties to even."""
    if x == 0:
        return mpf(0)
    with mp.workprec(bits):
        return +x


def split(x: mpf, bits_high: int, bits: int) -> tuple[mpf, mpf]:
    """Split x = high + low, where high has `bits_high` bits and low is rounded to `bits`."""
    high = round_to(x, bits_high)
    return high, round_to(x - high, bits)


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


def fit(task: Task) -> tuple[list[mpf], mpf, mpf]:
    """Return the rounded coefficients, their weighted maximal error, and the unrounded optimum."""
    xs = chebyshev_grid(*task.interval, POINTS_PER_COEFFICIENT * (task.degree + 2))
    target = [task.g(x) for x in xs]
    weight = [task.w(x) for x in xs]
    gs, ws = target, weight
    rounded: list[mpf] = []
    optimum = mpf(0)
    for power in range(task.degree + 1):
        free, error = remez(xs, gs, ws, task.degree - power)
        optimum = optimum or error
        c = round_to(free[0], task.bits)
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


def erf_tail(z: mpf) -> mpf:
    """Evaluate erf(x)/x - 1 with z = x^2."""
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1


def erfc_scaled(t: mpf) -> mpf:
    """Evaluate (x + b) exp(x^2) erfc(x) with t = (x - b)/(x + b)."""
    x = ERFC_SHIFT * (1 + t) / (1 - t)
    return (x + ERFC_SHIFT) * mp.exp(x**2) * mp.erfc(x)


def tasks() -> list[Task]:
    """List the polynomials, float64 and float32."""
    r_max = mp.log(2) / 2 * MARGIN
    z_max = (3 - 2 * mp.sqrt(2)) ** 2 * MARGIN
    entries: list[Task] = []
    for suffix, bits, erfc_end, degrees in (
        ("F64", 53, 28, (10, 6, 12, 22)),
        ("F32", 24, mpf("10.5"), (4, 2, 5, 10)),
    ):
        end = (erfc_end - ERFC_SHIFT) / (erfc_end + ERFC_SHIFT)
        entries += [
            Task(
                f"EXPM1_{suffix}",
                "(exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error relative to expm1(r)",
                lambda r: (mp.expm1(r) - r) / r**2,
                lambda r: r**2 / abs(mp.expm1(r)),
                (-r_max, r_max),
                degrees[0],
                bits,
            ),
            Task(
                f"LOG_{suffix}",
                "(2 atanh(s) - 2 s)/s^3 in z = s^2, s = f/(2 + f), 1 + f in [sqrt(1/2), sqrt(2)]; "
                "error relative to log(1 + f)",
                log_tail,
                lambda z: z / 2,
                (mpf(0), z_max),
                degrees[1],
                bits,
            ),
            Task(
                f"ERF_{suffix}",
                "erf(x)/x - 1 in z = x^2, |x| <= 1; error relative to erf(x)",
                erf_tail,
                lambda z: 1 / (1 + erf_tail(z)),
                (mpf(0), mpf(1)),
                degrees[2],
                bits,
            ),
            Task(
                f"ERFC_{suffix}",
                f"(x + {ERFC_SHIFT}) exp(x^2) erfc(x) in t = (x - {ERFC_SHIFT})/(x + {ERFC_SHIFT}), "
                f"0 <= x <= {float(erfc_end):g}; relative error",
                erfc_scaled,
                lambda t: 1 / erfc_scaled(t),
                (mpf(-1), mpf(end)),
                degrees[3],
                bits,
            ),
        ]
    return entries


def constants() -> list[Constant]:
    """List the numbers of the range reductions."""
    entries = [Constant("ERFC_SHIFT", "the b of the ERFC polynomials", mpf(ERFC_SHIFT))]
    for suffix, bits, bits_high in (("F64", 53, 41), ("F32", 24, 15)):
        high, low = split(mp.log(2), bits_high, bits)
        entries += [
            Constant(f"LOG2_E_{suffix}", "1/ln(2)", round_to(1 / mp.log(2), bits)),
            Constant(f"LN2_HIGH_{suffix}", f"ln(2) to {bits_high} bits: k*this is exact", high),
            Constant(f"LN2_LOW_{suffix}", "the rest of ln(2)", low),
        ]
    return entries


def generate() -> str:
    """Return the text of the coefficients module."""
    lines = [
        '"""Coefficients of the vector mathematics: a generated file, do not edit.',
        "",
        "Regenerate with `python tools/minimax.py`; a test compares this file with a fresh run.",
        "Every number is exact in its precision (F64: 53 bits, F32: 24 bits).",
        '"""',
        "",
        "_hex = float.fromhex",
    ]
    with mp.workdps(DIGITS):
        lines.append("")
        for constant in constants():
            number = float(constant.value)
            lines.append(f"# {constant.meaning}: {number!r}")
            lines.append(f'{constant.name} = _hex("{number.hex()}")')
        for task in tasks():
            coefficients, error, optimum = fit(task)
            lines += [
                "",
                *(f"# {line}" for line in wrap(task.meaning)),
                f"# degree {task.degree}; largest error 2^{float(mp.log(error, 2)):.2f} "
                f"(before rounding 2^{float(mp.log(optimum, 2)):.2f})",
                f"{task.name}: tuple[float, ...] = (",
            ]
            for c in coefficients:
                number = float(c)
                lines.append(f'    _hex("{number.hex()}"),  # {number!r}')
            lines.append(")")
    return "\n".join(lines) + "\n"


def wrap(text: str, width: int = 96) -> list[str]:
    """Break a comment into lines at spaces."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
