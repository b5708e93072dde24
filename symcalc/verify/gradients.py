"""`check_gradient`: any function and its gradient, held against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.notation.errors import ArgumentError
from symcalc.verify.functions import Pair, name_of, pair_of
from symcalc.verify.probing import Finding, Probe, norm, scale_of
from symcalc.verify.shrinking import smallest
from symcalc.verify.verdict import FAIL, INCONCLUSIVE, PASS, CheckReport, CheckRow
from symcalc.verify.wrongs import Wrong, diagnosis

ENTRIES, DIRECTIONS, NEARBY = "single entries", "random directions", "directions nearby"
DENSE = 48  # so many entries are each looked at
SAMPLED = 16
DRAWN = 12
HALVINGS = 80  # so many sets of entries are looked at to find a wrong one
SHOWN = 8


@dataclass(frozen=True)
class Example:
    """Arrays at which the gradient is wrong, as small as was found.

    Args:
        arrays: the arguments.
        wrongs: the wrong entries found there, by argument.
    """

    arrays: tuple[Any, ...]
    wrongs: tuple[Wrong, ...]

    def __str__(self) -> str:
        with np.printoptions(threshold=20, edgeitems=2, floatmode="maxprec", linewidth=88):
            lines = [f"  {name_of(k)} = {a!r}" for k, a in enumerate(self.arrays)]
        return "\n".join([*lines, *(f"  {wrong}" for wrong in self.wrongs)])


@dataclass(frozen=True)
class GradientReport(CheckReport):
    """The outcome of `check_gradient`; true only if every row passed.

    Args:
        name: the function's name.
        rows: one a method and argument.
        wrongs: wrong entries at the arrays given.
        diagnosis: what is wrong in words, where that is plain; else empty.
        example: the smallest example that shows it; None if nothing failed.
        notes: why rows are inconclusive.
    """

    wrongs: tuple[Wrong, ...] = ()
    diagnosis: str = ""
    example: Example | None = None
    notes: tuple[str, ...] = ()

    def table(self) -> Any:
        """Return the report as a rich table, what is wrong and the example below it."""
        from rich.text import Text

        table = super().table()
        below = self._below()
        if below:
            table.caption = Text("\n".join(below), style="not italic")
            table.caption_justify = "left"
        return table

    def _below(self) -> list[str]:
        lines = [f"diagnosis: {self.diagnosis}"] if self.diagnosis else []
        if self.wrongs:
            lines += ["wrong entries:", *(f"  {wrong}" for wrong in self.wrongs[:SHOWN])]
        if self.example is not None:
            lines += ["smallest example:", str(self.example)]
        return [*lines, *(f"inconclusive: {note}" for note in self.notes)]

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *self._below()])

    def _repr_html_(self) -> str:
        from html import escape

        below = "\n".join(self._below())
        return super()._repr_html_() + (f"<pre>{escape(below)}</pre>" if below else "")


def check_gradient(
    fun: Callable[..., Any], grad: Any, *arrays: Any, argnums: Any = None, seed: int = 0,
    **keywords: Any,
) -> GradientReport:  # fmt: skip
    """Hold the gradient of any function against finite differences with computed bounds.

    Each side of the point is differenced by itself, so that a subgradient at a kink is not accused.
    Small arrays are looked at entry by entry, large ones along random directions as well.

    Args:
        fun: returns one number. NumPy arrays, PyTorch tensors, JAX arrays: it is called with what
            it was given.
        grad: returns the gradient, an array or a tuple of them; True where `fun` returns
            (value, gradient); None where `fun.grad` is the gradient, as a kernel's is.
        arrays: the arguments, where to check. Integer arrays stay as they are.
        argnums: the places of the arguments that `grad` differentiates by; if not given, the first
            real ones, as many as it returns.
        seed: of the directions.
        keywords: passed on to both.

    Returns:
        The report: true if every row passed; .rows, .table(), .wrongs, .diagnosis, .example.

    Raises:
        ArgumentError, ArgumentTypeError: something that cannot be checked, and why.

    Reference:
        Griewank and Walther (2008), doi:10.1137/1.9780898717761, on slopes along directions.
    """
    pair = pair_of(fun, grad, arrays, argnums, keywords)
    name = getattr(fun, "__name__", type(fun).__name__)
    at = pair.arrays
    value = pair.value(at)
    if not np.isfinite(value):
        raise ArgumentError(f"fun: expected a finite value at the arrays given, got {value}")
    looks = [_Look(probe, place) for place, probe in _probes(pair, at, seed).items()]
    rows = [row for look in looks for row in look.rows()]
    notes = tuple(dict.fromkeys(f"{r[0]}: {r[1]}" for look in looks for r in look.reasons))
    wrongs = tuple(wrong for look in looks for wrong in look.wrongs())
    report = GradientReport(name, tuple(rows), wrongs, notes=notes)
    if report.verdict != FAIL:
        return report
    words = diagnosis(wrongs, {look.place: look.probe for look in looks if look.failed}, at)
    small = smallest(pair, at, wrongs, lambda trial: _fails(pair, trial, seed))
    found = [_Look(p, k) for k, p in _probes(pair, small, seed).items()]
    shown = tuple(wrong for look in found for wrong in look.wrongs())
    return GradientReport(name, tuple(rows), wrongs, words, Example(small, shown[:SHOWN]), notes)


def _probes(pair: Pair, arrays: tuple[Any, ...], seed: int) -> dict[int, Probe]:
    gradients = pair.gradients(arrays)
    with np.errstate(all="ignore"):
        weighed = [np.abs(g * scale_of(arrays[k])).ravel() for k, g in gradients.items()]
        total = norm(np.concatenate([w[np.isfinite(w)] for w in weighed]))
    return {k: Probe(pair, arrays, k, g, total, seed + k) for k, g in gradients.items()}


def _fails(pair: Pair, arrays: tuple[Any, ...], seed: int) -> bool:
    """Whether a few entries and directions show a failure at other arrays."""
    if not np.isfinite(pair.quiet_value(arrays)):
        return False
    try:
        probes = list(_probes(pair, arrays, seed).values())
    except Exception:  # these arrays are none that the functions admit
        return False
    return any(
        any(probe.entry(entry).verdict == FAIL for entry in _sample(probe, 6, probe.rng))
        or (len(probe.movable) > 1 and probe.among(probe.movable).verdict == FAIL)
        for probe in probes
    )


def _sample(probe: Probe, count: int, rng: np.random.Generator) -> list[int]:
    """Entries worth a look: not finite, the largest gradients, the ends, and some at random."""
    size = probe.gradient.size
    if size <= count:
        return [k for k in range(size) if probe.scale[k] > 0]
    broken = np.flatnonzero(~np.isfinite(probe.gradient))[: count // 4]
    largest = np.argsort(probe.weighed)[::-1][: count // 4]
    rest = rng.choice(size, min(size, count), replace=False)
    chosen = dict.fromkeys(int(k) for k in (*broken, *largest, 0, size - 1, *rest))
    return [k for k in chosen if probe.scale[k] > 0][:count]


def _until_told(findings: Iterator[Finding], enough: int) -> list[Finding]:
    """The findings, up to so many failures."""
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        if sum(f.verdict == FAIL for f in found) == enough:
            break
    return found


class _Look:
    """What a probe shows at its arrays: findings by method."""

    def __init__(self, probe: Probe, place: int) -> None:
        self.probe, self.place = probe, place
        self.reasons: list[tuple[str, str]] = []
        dense = probe.gradient.size <= DENSE
        entries = _sample(probe, DENSE if dense else SAMPLED, probe.rng)
        self.entries = _until_told((probe.entry(k) for k in entries), SHOWN)
        self.found: dict[str, list[Finding]] = {ENTRIES: self.entries}
        movable = probe.movable
        if len(movable) > 1:
            self.found[DIRECTIONS] = _until_told((probe.among(movable) for _ in range(DRAWN)), 1)
        if not dense:
            told = [f for f in self.entries if f.verdict != INCONCLUSIVE]
            self.found[ENTRIES] = told or self.entries
            if not told and DIRECTIONS in self.found:
                del self.found[ENTRIES]  # one entry of so many is below the function's noise
        if any(f.kink for f in self.found.get(DIRECTIONS, ())):
            self._look_nearby()

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        return any(f.verdict == FAIL for findings in self.found.values() for f in findings)

    def _look_nearby(self) -> None:
        """Leave the kinks: the gradient a little beside them is held too."""
        probe, pair = self.probe, self.probe.pair
        bits = 10 if probe.eps > 1e-10 else 20
        moves = probe.scale * probe.rng.choice([-1.0, 1.0], probe.base.size)
        moves *= probe.rng.uniform(0.5, 1.0, probe.base.size) * 2.0**-bits
        moved = (probe.base + moves.reshape(probe.base.shape)).astype(probe.base.dtype)
        arrays = (*probe.arrays[: self.place], moved, *probe.arrays[self.place + 1 :])
        if not np.isfinite(pair.quiet_value(arrays)):
            return
        try:
            nearby = _probes(pair, arrays, 1)[self.place]
        except Exception:  # beside the point the functions are not defined
            return
        found = [nearby.among(self.probe.movable) for _ in range(DRAWN // 3)]
        told = [f for f in found if f.verdict != INCONCLUSIVE]
        if told:
            self.found[NEARBY] = told

    def rows(self) -> list[CheckRow]:
        """Sum the findings up, one row a method."""
        return [self._row(method, findings) for method, findings in self.found.items() if findings]

    def _row(self, method: str, findings: list[Finding]) -> CheckRow:
        order = {PASS: 0, INCONCLUSIVE: 1, FAIL: 2}
        worst = max(findings, key=lambda f: (order[f.verdict], f.error / (f.bound or 1e-300)))
        if worst.verdict == INCONCLUSIVE and method == DIRECTIONS:
            decided = [f for f in findings if f.verdict == PASS]
            worst = decided[0] if len(decided) * 2 >= len(findings) else worst
        at = "all entries" if len(worst.entries) > 1 else f"entry {self._entry(worst.entries[0])}"
        step = f", step {worst.step:.0e}" if np.isfinite(worst.step) else ""
        kink = ", a kink" if worst.kink else ""
        if worst.verdict == INCONCLUSIVE:
            self.reasons.append((f"{name_of(self.place)}, {at}", worst.why))
        return CheckRow(
            method, name_of(self.place), f"{at}{step}{kink}", worst.error, worst.bound,
            worst.verdict, sum(len(f.entries) for f in findings),
        )  # fmt: skip

    def _entry(self, flat: int) -> list[int]:
        return [int(p) for p in np.unravel_index(int(flat), self.probe.base.shape)]

    def wrongs(self) -> list[Wrong]:
        """The wrong entries; those that only directions show are searched for by halving."""
        found = {int(f.entries[0]): f for f in self.entries if f.verdict == FAIL}
        if not found and any(f.verdict == FAIL for f in self.found.get(DIRECTIONS, ())):
            found = {int(f.entries[0]): f for f in self._searched()}
        return [
            Wrong(self.place, tuple(self._entry(flat)), f.came, f.expected, f.bound)
            for flat, f in sorted(found.items())
        ]

    def _searched(self) -> list[Finding]:
        waiting, looks = [self.probe.movable], 0
        found: list[Finding] = []
        while waiting and looks < HALVINGS and len(found) < SHOWN:
            entries = waiting.pop()
            halves = [h for h in np.array_split(entries, 2) if len(h)]
            for half in halves:
                looks += 1
                one = len(half) == 1
                seen = self.probe.entry(int(half[0])) if one else self.probe.among(half)
                if seen.verdict == FAIL and one:
                    found.append(seen)
                elif seen.verdict == FAIL:
                    waiting.append(half)
        return found
