"""Compare value and gradient of losses at the places where numerics go wrong, peer by peer.

    python tools/numerics.py            # rewrites derivations/numerics.md

Tails, zeros, equal huge logits and constant rows, in float64 and in float32. The truth is worked
out in mpmath at 400 digits. Each peer runs in a process of its own; one that is not installed has
no column.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "derivations" / "numerics.md"
DIGITS, ULPS = 400, 8
DTYPES = ("float64", "float32")
PEERS = ("ours", "naive", "torch", "jax", "optax")
RIGHT = "right"

Truth = tuple[Any, list[Any]]


@dataclass(frozen=True)
class Loss:
    """One loss.

    Args:
        formula: in our notation, by x.
        truth: value and gradient in mpmath, of lists.
        points: the arrays, by name.
        defaults: of hyperparameters.
    """

    formula: str
    truth: Callable[..., Truth]
    points: tuple[dict[str, list[float]], ...]
    defaults: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Case:
    """A loss at a point, in a precision; the point's numbers are of that precision."""

    loss: str
    dtype: str
    point: dict[str, list[float]]

    @property
    def label(self) -> str:
        """The first columns of its row."""
        at = "; ".join(f"{name} = {_listed(array)}" for name, array in self.point.items())
        return f"| {self.loss} | {self.dtype} | {at} |"


def _listed(array: list[float]) -> str:
    return ", ".join(f"{entry:.6g}" for entry in array)


def each(value: Callable[..., Any], slope: Callable[..., Any]) -> Callable[..., Truth]:
    """Return the truth of a sum of one term an entry."""

    def truth(x: list[Any], **others: list[Any]) -> Truth:
        rows = [dict(zip(others, row, strict=True)) for row in zip(*others.values(), strict=True)]
        rows = rows or [{}] * len(x)
        terms = [value(e, **row) for e, row in zip(x, rows, strict=True)]
        return mpmath.fsum(terms), [slope(e, **row) for e, row in zip(x, rows, strict=True)]

    return truth


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x))."""
    return mpmath.log1p(mpmath.exp(x))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + mpmath.exp(-x))


def bce(w: float) -> Callable[..., Truth]:
    """Return the truth of binary cross-entropy, positives weighted by w."""
    return each(
        lambda x, y: w * y * softplus(-x) + (1 - y) * softplus(x),
        lambda x, y: (1 - y) * sigmoid(x) - w * y * sigmoid(-x),
    )


def norm(x: list[Any]) -> Truth:
    """Return the two-norm; at zero its gradient is taken as zero."""
    value = mpmath.sqrt(mpmath.fsum(e**2 for e in x))
    return value, [e / value if value else mpf(0) for e in x]


def squared(x: list[Any]) -> Truth:
    """Return the squared two-norm."""
    return mpmath.fsum(e**2 for e in x), [2 * e for e in x]


def logsumexp(x: list[Any]) -> Truth:
    """Return log sum exp, and softmax."""
    total = mpmath.fsum(map(mpmath.exp, x))
    return mpmath.log(total), [mpmath.exp(e) / total for e in x]


def cross_entropy(x: list[Any], p: list[Any]) -> Truth:
    """Return logsumexp(x) - sum p x for a p of one and zeros."""
    value, shares = logsumexp(x)
    rests = [mpmath.fsum(s for j, s in enumerate(shares) if j != k) for k in range(len(x))]
    slopes = [-r if q else s for q, s, r in zip(p, shares, rests, strict=True)]
    return value - mpmath.fsum(q * e for q, e in zip(p, x, strict=True)), slopes


def layer_norm(x: list[Any], c: list[Any]) -> Truth:
    """Return sum c y for y = x without its mean, of variance one."""
    n, mean = len(x), mpmath.fsum(x) / len(x)
    root = mpmath.sqrt(mpmath.fsum((e - mean) ** 2 for e in x) / n + mpf(1) / 10**5)
    y = [(e - mean) / root for e in x]
    along = mpmath.fsum(a * b for a, b in zip(c, y, strict=True))
    middle = mpmath.fsum(c) / n
    return along, [(a - middle - b * along / n) / root for a, b in zip(c, y, strict=True)]


def inside(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function where x > 0, and zero elsewhere."""
    return lambda x: function(x) if x > 0 else mpf(0)


def at(*numbers: float, **others: float) -> tuple[dict[str, list[float]], ...]:
    """Return one point a number, the others beside it."""
    rest = {name: [number] for name, number in others.items()}
    return tuple({"x": [number], **rest} for number in numbers)


UPPER = (0.0, 16.0, 37.0, 37.43, 40.0, 88.7, 700.0, 745.0, 1e4, 1e20)
TAILS = (*(-x for x in reversed(UPPER[1:])), *UPPER)
LABELS = (*at(*TAILS, y=0.0), *at(*TAILS, y=1.0))
BRANCHES = at(-1.0, 0.0, 1e-20, 40.0, 1e20)
HUGE = ([0.0, 0.0, 0.0], [0.0, 40.0, -40.0], [88.7] * 3, [745.0] * 3, [-745.0] * 3, [1e4] * 3,
        [1e20] * 3, [0.0, 1e4, -1e4], [0.0, 1e20, -1e20])  # fmt: skip
SURE = tuple({"x": [0.0, x, -x], "p": [0.0, 1.0, 0.0]} for x in (16.0, 40.0, 745.0, 1e4))
ROWS = ([0.0] * 4, [1.0] * 4, [1e4] * 4, [1e20] * 4, [0.0, 0.0, 0.0, 1e-20], [1.0, 2.0, 3.0, 5.0])
CHOICE = {"c": [1.0, -2.0, 0.5, 3.0]}
LENGTHS = ([0.0, 0.0], [3.0, 4.0], [1e-20, 0.0], [1e20, 1e20], [1e-30, 1e-30])

LOSSES: dict[str, Loss] = {
    "bce": Loss("sum(i, softplus(x[i]) - y[i]*x[i])", bce(1), LABELS),
    "bce of sigmoid": Loss(
        "sum(i, -y[i]*log(sigmoid(x[i])) - (1 - y[i])*log(1 - sigmoid(x[i])))", bce(1), LABELS),
    "bce pos_weight": Loss(
        "sum(i, -3*y[i]*log(sigmoid(x[i])) - (1 - y[i])*log(1 - sigmoid(x[i])))", bce(3),
        (*at(-120.0, y=0.0), *at(-120.0, y=1.0), *LABELS)),
    "expm1": Loss("sum(i, expm1(x[i]))", each(mpmath.expm1, mpmath.exp), at(*TAILS, 1e-20)),
    "sigmoid": Loss("sum(i, sigmoid(x[i]))",
                    each(sigmoid, lambda x: sigmoid(x) * sigmoid(-x)), at(*TAILS)),
    "softplus": Loss("sum(i, softplus(x[i]))", each(softplus, sigmoid), at(*TAILS)),
    "log_cosh": Loss("sum(i, log_cosh(x[i]))",
                     each(lambda x: mpmath.log(mpmath.cosh(x)), mpmath.tanh), at(*TAILS, 1e-10)),
    "tanh": Loss("sum(i, tanh(x[i]))",
                 each(mpmath.tanh, lambda x: mpmath.sech(x) ** 2), at(*TAILS)),
    "kl_div": Loss("sum(i, xlogy(p[i], p[i]) - weighted(p[i], x[i]))",
                   each(lambda x, p: (p * mpmath.log(p) if p else p) - p * x, lambda x, p: -p),
                   (*at(-1.0, -40.0, -1e4, p=0.0), *at(-40.0, -1e4, p=1.0))),
    "norm": Loss("norm2(i, x[i])", norm, tuple({"x": x} for x in LENGTHS)),
    "squared norm": Loss("norm2(i, x[i])**2", squared, tuple({"x": x} for x in LENGTHS)),
    "where sqrt": Loss("sum(i, where(x[i] > 0, sqrt(x[i]), 0))",
                       each(inside(mpmath.sqrt), inside(lambda x: 1 / (2 * mpmath.sqrt(x)))),
                       BRANCHES),
    "where log": Loss("sum(i, where(x[i] > 0, log(x[i]), 0))",
                      each(inside(mpmath.log), inside(lambda x: 1 / x)), BRANCHES),
    "focal, gamma = 0": Loss(
        "sum(i, -(1 - sigmoid(x[i]))**gamma*log(sigmoid(x[i])))",
        each(lambda x: softplus(-x), lambda x: -sigmoid(-x)), at(*TAILS), (("gamma", 0.0),)),
    "xlogy": Loss("sum(i, xlogy(p[i], x[i]))",
                  each(lambda x, p: p * mpmath.log(x), lambda x, p: p / x),
                  (*at(1e-30, 1.0, 1e20, p=0.0), *at(1e-30, 1e20, p=1.0))),
    "logsumexp": Loss("logsumexp(i, x[i])", logsumexp, tuple({"x": x} for x in HUGE)),
    "cross-entropy": Loss("logsumexp(i, x[i]) - sum(i, p[i]*x[i])", cross_entropy,
                          (*({"x": x, "p": [1.0, 0.0, 0.0]} for x in HUGE), *SURE)),
    "layer norm": Loss(
        "sum(j, c[j]*(x[j] - mean(i, x[i]))/sqrt(mean(k, (x[k] - mean(i, x[i]))**2) + 1e-5))",
        layer_norm, tuple({"x": x, **CHOICE} for x in ROWS)),
}  # fmt: skip


def cases(losses: Sequence[str] = tuple(LOSSES), dtypes: Sequence[str] = DTYPES) -> list[Case]:
    """Return every loss at every point in every precision."""
    return [
        Case(name, dtype, {key: _rounded(array, dtype) for key, array in point.items()})
        for name in losses
        for dtype in dtypes
        for point in LOSSES[name].points
    ]


def _rounded(array: list[float], dtype: str) -> list[float]:
    return [float(entry) for entry in np.asarray(array, dtype)]


def truth(case: Case) -> Truth:
    """Return value and gradient at 400 digits."""
    with mpmath.workdps(DIGITS):
        arrays = {name: [mpf(entry) for entry in array] for name, array in case.point.items()}
        return LOSSES[case.loss].truth(**arrays)


def cast(number: float, dtype: str) -> float:
    """Return a number rounded to a precision."""
    with np.errstate(over="ignore"):
        return float(np.asarray(number).astype(dtype))


def spacing(number: float, dtype: str) -> Any:
    """Return the unit in the last place of a number of a precision."""
    return mpf(float(np.spacing(np.abs(np.asarray(number, dtype)))))


def conditioning(case: Case, exact: Truth) -> float:
    """Return what rounding x does to the value, sum_j |slope_j| |x_j| u, in its ulps."""
    value, slopes = exact
    with mpmath.workdps(DIGITS):
        moved = mpmath.fsum(abs(s * mpf(e)) for s, e in zip(slopes, case.point["x"], strict=True))
        return float(
            moved * float(np.finfo(case.dtype).eps) / 2 / spacing(float(value), case.dtype)
        )


def verdict(came: Sequence[float], true: Sequence[Any], dtype: str) -> str:
    """Say how right numbers are: that of the worst of them."""
    worst = 0.0
    for number, exact in zip(came, true, strict=True):
        nearest = cast(float(exact), dtype)
        if np.isnan(number):
            return "NaN"
        if not np.isfinite(nearest):  # beyond the greatest number: infinity is right
            worst = max(worst, 0.0 if cast(number, dtype) == nearest else np.inf)
        elif not np.isfinite(number):
            return "inf"
        else:
            with mpmath.workdps(DIGITS):
                unit = spacing(nearest, dtype)
                worst = max(worst, float(abs(mpf(number) - exact) / unit))
    return RIGHT if worst <= ULPS else f"off by {worst:.1e} ulps"


def judged(case: Case, answer: Any, exact: Truth) -> tuple[str, str] | None:
    """Return the verdicts on value and gradient, or None where the peer has no such loss."""
    if answer is None:
        return None
    value, gradient = answer
    slopes = verdict(gradient, exact[1], case.dtype)
    return verdict([value], [exact[0]], case.dtype), slopes


def cell(verdicts: tuple[str, str] | None) -> str:
    """Return one cell of the page."""
    if verdicts is None:
        return ""
    return RIGHT if verdicts == (RIGHT, RIGHT) else " · ".join(verdicts)


def measured(peer: str, asked: list[Case]) -> tuple[str, list[Any]] | None:
    """Run a peer in a process of its own; None if it is not installed."""
    done = subprocess.run(
        [sys.executable, str(HERE / "numerics.py"), "--peer", peer],
        input=json.dumps([[case.loss, case.dtype, case.point] for case in asked]),
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        if "ModuleNotFoundError" in done.stderr:
            return None
        raise RuntimeError(f"{peer}: {done.stderr}")
    name, answers = json.loads(done.stdout.splitlines()[-1])
    return name, answers


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    asked = cases()
    exact = [truth(case) for case in asked]
    found = [column for peer in PEERS if (column := measured(peer, asked))]
    names = [name for name, _ in found]
    columns = [
        [
            judged(case, answer, true)
            for case, answer, true in zip(asked, answers, exact, strict=True)
        ]
        for _, answers in found
    ]
    yield from HEADER
    yield f"| peer | cases | value right | gradient right | NaN or inf |\n|---|{'--:|' * 4}"
    for name, column in zip(names, columns, strict=True):
        told = [verdicts for verdicts in column if verdicts]
        value, slope = (sum(v[k] == RIGHT for v in told) for k in (0, 1))
        lost = sum(bool({"NaN", "inf"} & set(v)) for v in told)
        yield f"| {name} | {len(told)} | {value} | {slope} | {lost} |"
    yield "\n## Where our kernels are beyond 8 ulps\n"
    yield "Conditioning is sum |slope| |x| u, in ulps of the value: what rounding x does to it.\n"
    yield "| loss | precision | at | ours | value's conditioning |\n|---|---|---|---|--:|"
    for case, told, true in zip(asked, columns[0], exact, strict=True):
        if cell(told) != RIGHT:
            yield f"{case.label} {cell(told)} | {conditioning(case, true):.1e} |"
    yield "\n## Case by case\n"
    yield f"| loss | precision | at | {' | '.join(names)} |\n|---|---|---|{'---|' * len(names)}"
    for k, case in enumerate(asked):
        yield f"{case.label} {' | '.join(cell(column[k]) for column in columns)} |"


HEADER = (
    "# Numerics at the edges\n",
    "Value and gradient where numerics go wrong although the truth is finite: tails, zeros, equal",
    "huge logits, constant rows. Regenerate with `python tools/numerics.py`; a test compares part",
    "of our column with a fresh run. Each peer was measured in a process of its own, on the CPU;",
    "one that was not installed has no column. The truth is mpmath's, at 400 digits.\n",
    f'"Right" is within {ULPS} ulps of the precision, value and gradient both, the worst entry of',
    "a gradient counting; infinity is right where the truth is beyond the greatest number.",
    "Elsewhere the value comes first, then the gradient. At a kink the zero subgradient is taken",
    "for right, and where a value is ill-conditioned 8 ulps is more than can be asked of anyone.\n",
)


def main() -> None:
    """Write the page; with --peer, answer for one peer."""
    if sys.argv[1:2] == ["--peer"]:
        import numerics_peers

        print(json.dumps(numerics_peers.answers(sys.argv[2], json.load(sys.stdin))))
        return
    TARGET.write_text("\n".join(page()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
