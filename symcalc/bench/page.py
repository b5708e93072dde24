"""The benchmark page, its chart and its data: three files made from the results of one run.

`python -m symcalc.bench.page FOLDER` makes page and chart anew from the folder's benchmarks.json,
measuring nothing: after a finding was written down, or the page's words changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from symcalc.bench.chart import chart
from symcalc.bench.findings import FINDINGS
from symcalc.bench.peers import FLOOR, OURS, PEERS
from symcalc.bench.results import Results
from symcalc.bench.suite import HUNDRED, LARGE, THOUSAND
from symcalc.bench.summary import (
    FLOOR_TARGET,
    MEAN_TARGET,
    SMALL_TARGETS,
    WAYS,
    Score,
    best_over_ours,
    ours_over_floor,
    over,
    shortfalls,
    summarize,
)
from symcalc.bench.table import Benchmark, Row, error, pipe, ratio, seconds, size

DATA, PAGE, CHART = "benchmarks.json", "benchmarks.md", "benchmarks.svg"
COMMANDS = {"full": "symcalc bench --all", "quick": "symcalc bench --all --quick"}
_REMAKE = "python -m symcalc.bench.page FOLDER"

_METHOD = """\
- A row is one objective at one size in one dtype: its value and its gradient, for a layer its
  output and the vector-Jacobian product with a given cotangent.
- Every library runs in a process of its own, all with the same number of threads and on the same
  processors; lambdify and PyTensor's default mode use one thread whatever they are given. All are
  prepared first: imports, compilation and two calls are outside the timing. "torch" is PyTorch run
  eagerly.
- Then come interleaved rounds. In each, every library in turn runs one batch of calls, the order
  rotated from round to round; a time is the median over rounds of the seconds a call. A ratio is
  one median over another of the same row.
- The memory floor is `c = a + b` in compiled code over as many bytes as the row must move: inputs
  read once, results written once. It is measured in the same rounds. Below 100 kB one thread adds,
  from 4 MB all of them; in between, where waking threads costs about as much as the work, the
  faster way counts. At a thousand elements everything stays in the cache: there the floor says what
  a compiled loop costs when it is called from Python, and not what memory does.
- Ours writes its results into buffers, by `out=` and `value_out=`. NumPy, numexpr and scikit-learn
  write into buffers as well; PyTorch, JAX, PyTensor, tensorgrad and lambdify return fresh arrays,
  as they are made to. What fresh arrays cost ours is the row "symcalc, fresh arrays" of the
  details.
- Ours is called as a user calls it, every argument checked each time. "Bound" is the call made once
  by `Kernel.bind`, which checks the arguments then and not again.
- Errors are in units in the last place at up to 2000 sampled entries, against the derivation's
  equations in extended precision. "Value" and "gradient" are the worst error, "typical" is the
  gradient's median one. A worst error far above the typical one is an entry near zero, where terms
  cancel.
- The best peer is the fastest one whose result keeps at least half of its digits, in the value and
  typically in the gradient; a faster one that does not is named below the tables.
- tensorgrad's programs are called without the named tensors they are wrapped in, which newer
  versions of PyTorch no longer have; labels go in as indicators, as its own cross-entropy has them.
"""


def write(results: Results, folder: Path) -> tuple[Path, ...]:
    """Write data, page and chart into a folder, which is made if need be.

    Args:
        results: what a run of the suite found.
        folder: where to.

    Returns:
        The paths written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {DATA: results.to_json(), PAGE: page(results), CHART: chart(results)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in files)


def page(results: Results, findings: Mapping[str, str] = FINDINGS) -> str:
    """Return the page as Markdown.

    Args:
        results: what a run of the suite found.
        findings: by case, what bounds it where it falls short.
    """
    command = COMMANDS.get(results.suite, COMMANDS["full"])
    parts = [
        f"<!-- Made by `{command}`, or from {DATA} alone by `{_REMAKE}`; not to be edited. -->",
        "# Benchmarks",
        _stamp(results, command),
        "## Summary", _summary(summarize(results)),
        f"![Ratios of every row, and the targets]({CHART})",
        "How accurate each objective's kernel is over its whole domain stands in "
        "[accuracy.md](accuracy.md).",
        "## How it is measured", _METHOD.rstrip(),
        "## Large arrays", _large(results.group(LARGE.name)),
    ]  # fmt: skip
    for group in (THOUSAND, HUNDRED):
        parts += [f"## Small arrays, {group.name}", _small(results.group(group.name), group.name)]
    parts += [
        "## First calls", _first_calls(results),
        "## What bounds the rows that fall short", _bounds(results, findings),
        "## Details", *map(_details, results.benchmarks),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _stamp(results: Results, command: str) -> str:
    machine = dict(results.machine)
    processor, system = machine.pop("processor", "?"), machine.pop("system", "?")
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    lines = [
        f"Value and gradient beside the libraries that are installed, measured by `{command}` in "
        f"{results.seconds / 60:.1f} minutes.", "",
        pipe(("processor", processor)), pipe(("---", "---")), pipe(("system", system)),
        pipe(("threads for each library", str(results.threads))), pipe(("versions", versions)),
    ]  # fmt: skip
    if results.suite != "full":
        lines += [
            "",
            "**A quick run: small arrays and two short batches. Its figures say nothing.**",
        ]
    return "\n".join([*lines, *(f"\n{note[0].upper()}{note[1:]}." for note in results.notes)])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    line = pipe(("---", *["---:"] * (len(heads) - 1)))
    return "\n".join([pipe(heads), line, *map(pipe, rows)])


def _summary(scores: tuple[Score, ...]) -> str:
    heads = ("", "figure", "target", "", "geometric mean", "rows", "the row that decides")
    table = _table(
        heads,
        (
            (
                score.what,
                ratio(score.figure) or "none",
                f"{score.sense} {score.target:g}",
                f"**{score.verdict}**",
                ratio(score.mean),
                f"{score.rows} of {score.rows + len(score.missing)}",
                score.decides,
            )
            for score in scores
        ),
    )
    words = (
        "A figure of small arrays is that of the row where it is least; the mean over the rows "
        "stands beside it."
    )
    return f"{table}\n\n{words}"


def _present(benchmarks: tuple[Benchmark, ...]) -> list[str]:
    """Return the names of the peers that have a row anywhere, in the order of the list of peers."""
    found = {row.name for one in benchmarks for row in one.rows}
    return [peer.name for peer in PEERS if peer.name in found]


def _large(benchmarks: tuple[Benchmark, ...]) -> str:
    peers = _present(benchmarks)
    heads = ("value and gradient", "must move", "ours", "floor", "ours / floor", "best peer / ours",
             *(f"{name} / ours" for name in peers), "ulps: ours", "ulps: best peer")  # fmt: skip
    table = _table(
        heads,
        (
            (
                one.case.title, size(one.bytes_moved), _time(one, OURS.name),
                _time(one, FLOOR.name), ratio(ours_over_floor(one)), _best(one),
                *(ratio(over(one, name, OURS.name)) or _why(one, name) for name in peers),
                _errors(one.row(OURS.name)), _errors(one.best_peer),
            )
            for one in benchmarks
        ),
    )  # fmt: skip
    return f"{table}\n\n{_READING}{_excluded(benchmarks)}"


_READING = (
    "A dash: the library has no such objective, or was not asked for it; the details say why. "
    "Ulps: value, gradient, typical."
)


def _small(benchmarks: tuple[Benchmark, ...], group: str) -> str:
    peers = _present(benchmarks)
    ways = [way for way in WAYS if any(one.row(way) for one in benchmarks)]
    judged = list(SMALL_TARGETS[group])
    heads = ("value and gradient", *ways, "floor",
             *(f"{name} / {way}" for way in ways for name in judged),
             *(f"{name} / ours" for name in peers if name not in judged),
             "best peer / ours", "ulps: ours", "ulps: best peer")  # fmt: skip
    table = _table(
        heads,
        (
            (
                one.case.title, *(_time(one, way) for way in ways), _time(one, FLOOR.name),
                *(ratio(over(one, name, way)) or _why(one, name) for way in ways
                  for name in judged),
                *(ratio(over(one, name, OURS.name)) or _why(one, name) for name in peers
                  if name not in judged),
                _best(one), _errors(one.row(OURS.name)), _errors(one.best_peer),
            )
            for one in benchmarks
        ),
    )  # fmt: skip
    return f"{table}\n\n{_READING}{_excluded(benchmarks)}"


def _time(one: Benchmark, name: str) -> str:
    row = one.row(name)
    return "" if row is None else seconds(row.median) or "failed"


def _why(one: Benchmark, name: str) -> str:
    return "-" if one.row(name) is None else "failed"


def _best(one: Benchmark) -> str:
    best = one.best_peer
    return "" if best is None else f"{ratio(best_over_ours(one))} {best.name}".strip()


def _errors(row: Row | None) -> str:
    if row is None or row.value_ulps is None:
        return ""
    return ", ".join(map(error, (row.value_ulps, row.gradient_ulps, row.gradient_typical_ulps)))


def _excluded(benchmarks: tuple[Benchmark, ...]) -> str:
    said = [
        f"- {one.case.title}: {row.name} is no best peer, its error is {_errors(row)} ulps."
        for one in benchmarks
        for row in one.insane
    ]
    return "\n\n" + "\n".join(said) if said else ""


def _first_calls(results: Results) -> str:
    heads = ("from import to first result", "library", "cold", "cached", "warm")
    table = _table(
        heads,
        (
            (call.case.title, call.name, seconds(call.cold) or call.note, seconds(call.cached),
             seconds(call.warm))
            for call in results.first_calls
        ),
    )  # fmt: skip
    words = (
        "Cold: a fresh process with empty caches. Cached: a second process, which finds what the "
        "first one left on disk; empty for a library that leaves nothing by default. Warm: a later "
        "call in the same process. Ours counts every import, NumPy and SymPy among them; for the "
        "peers these two are loaded before the clock starts."
    )
    return f"{table}\n\n{words}"


def _bounds(results: Results, findings: Mapping[str, str]) -> str:
    words = (
        f"A large row falls short below {MEAN_TARGET:g} times the best peer or above "
        f"{FLOOR_TARGET:g} times the floor, a small one where a target of its group is missed."
    )
    lines = [
        f"- **{title}** ({'; '.join(short)}): "
        + findings.get(title, "no finding is recorded for this row.")
        for title, short in shortfalls(results).items()
    ]
    return "\n".join([words, "", *(lines or ["No row falls short."])])


def _details(one: Benchmark) -> str:
    text = one.to_markdown().splitlines()
    body = "\n".join(line for line in text[1:] if not line.startswith("- time: median"))
    head = f"<details><summary>{one.title}, {one.rounds} rounds</summary>"
    return f"{head}\n{body.rstrip()}\n\n</details>"


def main() -> None:
    """Make page and chart anew from the data in a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help=f"holds {DATA}")
    folder: Path = parser.parse_args().folder
    for path in write(Results.from_json((folder / DATA).read_text("utf-8")), folder):
        print(path)


if __name__ == "__main__":
    main()
