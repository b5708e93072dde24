"""The command line over `symcalc.api`: list, show, derive, check, bench, report, ...

Exit status: 0 good, 1 a check failed or a kernel could not be timed, 2 bad input.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from symcalc import __version__, api, arguments, cli_learn, parallel, terminal
from symcalc.catalogue import catalogue
from symcalc.catalogue.topics import TOPICS
from symcalc.notation.errors import ArgumentError, SymcalcError

R = TypeVar("R")

_NEGATED = re.compile(r"-+[^=]*[(\[*+]")  # -mean(i, x[i]) and -x*y are formulas, no options


class Backend(StrEnum):
    """The backends."""

    numba = "numba"
    numpy = "numpy"


class Precision(StrEnum):
    """The dtypes."""

    float64 = "float64"
    float32 = "float32"


class _Commands(TyperGroup):
    """The commands; what is wrong with the input is said in one message, with status 2."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {a}" if _NEGATED.match(a) else a for a in args])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            terminal.close_pipe()
        except (SymcalcError, OSError) as error:
            terminal.print_failure(error)
            raise typer.Exit(2) from None


app = typer.Typer(
    name="symcalc", cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
cache_app = typer.Typer(no_args_is_help=True, help="Look at the generated kernels on disk.")
app.add_typer(cache_app, name="cache")
app.add_typer(cli_learn.app, name="learn")
app.command()(cli_learn.graph)


def _complete(incomplete: str) -> list[tuple[str, str]]:
    """Return the catalogue names that begin so, each with its summary."""
    return [(name, o.summary) for name, o in catalogue().items() if name.startswith(incomplete)]


_WHAT = "A catalogue name, or a formula in quotes."
What = Annotated[str, typer.Argument(metavar="NAME|FORMULA", help=_WHAT, autocompletion=_complete)]
MaybeWhat = Annotated[
    str | None, typer.Argument(metavar="[NAME|FORMULA]", help=_WHAT, autocompletion=_complete)
]
Whats = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME|FORMULA]...", help=_WHAT, autocompletion=_complete),
]
All = Annotated[bool, typer.Option("--all", help="Every objective of the catalogue.")]
Wrt = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="The inputs to differentiate by.")
]
Shape = Annotated[
    list[str] | None,
    typer.Option(metavar="ARRAY=DIM,...", help="A formula's array and its dims: z=n,c."),
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="NAME=WORD", help="A domain: y=probability, y='label c'."),
]
Default = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="A formula's hyperparameter and its default."),
]
Dtype = Annotated[Precision, typer.Option(help="Of the kernel.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"symcalc {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """One definition of an objective becomes derivation, kernel, check, page and benchmark."""


@app.command("list")
def list_objectives() -> None:
    """List the catalogue: names, inputs, what each is differentiated by; networks and lessons."""
    console = terminal.output()
    console.print(terminal.catalogue_table(catalogue().values(), console.width))
    sections = {**TOPICS, "lessons": cli_learn.lessons()}
    console.print(terminal.topics_table(sections, console.width))


@app.command()
def show(
    what: What,
    backend: Annotated[Backend, typer.Option(help="Whose code to show.")] = Backend.numba,
    dtype: Dtype = Precision.float64,
    wrt: Wrt = None,
    shape: Shape = None,
    domain: Domains = None,
    default: Default = None,
) -> None:
    """Show an objective: definition, inputs, reference, kinks, and the generated kernel."""
    (objective,) = arguments.objectives([what], False, wrt, shape, domain, default)
    kernel = api.compile(objective, backend=backend.value, dtype=dtype.value)
    console = terminal.output()
    terminal.print_definition(console, kernel.derivation)
    terminal.print_source(console, kernel.source)


@app.command()
def derive(
    what: What,
    wrt: Wrt = None,
    shape: Shape = None,
    domain: Domains = None,
    default: Default = None,
    steps: Annotated[bool, typer.Option(help="Show how the gradient is found.")] = True,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX and nothing else.")] = False,
) -> None:
    """Derive the gradient: the equations, the numbered steps, the result."""
    (objective,) = arguments.objectives([what], False, wrt, shape, domain, default)
    derivation = api.derive(objective)
    if latex:
        typer.echo(derivation.latex())
    else:
        terminal.print_derivation(terminal.output(), derivation, steps=steps)


@app.command()
def check(
    what: Whats = None,
    everything: All = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the random points.")] = 0,
    atlas: Annotated[
        bool, typer.Option("--atlas", help="Sweep scalar objectives over their whole domain.")
    ] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Plant mistakes and print who finds them.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(min=0, help="With --mutate: to count false alarms at.", show_default="100"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --atlas or --mutate: the folder for what it makes."),
    ] = None,
    wrt: Wrt = None,
    shape: Shape = None,
    domain: Domains = None,
    default: Default = None,
) -> None:
    """Check kernels against independent witnesses; exit status 1 if one fails."""
    if not (atlas or mutate):
        arguments.refuse("a check without --atlas or --mutate", {"--out": out})
    if not mutate:
        arguments.refuse("a check without --mutate", {"--seeds": seeds})
    objectives = arguments.objectives(what, everything, wrt, shape, domain, default)
    console = terminal.output()
    if atlas:
        _atlases(objectives, out, everything)
    if mutate:
        which = ["--all"] if everything else what or []
        _mutate(objectives, which, 100 if seeds is None else seeds, out)
    if atlas or mutate:
        return
    failed = []
    reports = _each(functools.partial(api.check, seed=seed), objectives)
    with terminal.progress(console, len(objectives)) as begin:
        for objective in objectives:
            begin(objective.name)
            report = next(reports)
            console.print(report.table())
            if not report:
                failed.append(objective.name)
    if len(objectives) > 1:
        console.print(_summary(len(objectives), failed))
    if failed:
        raise typer.Exit(1)


def _atlases(objectives: list[Any], out: Path | None, everything: bool) -> None:
    """Sweep objectives and print their tables; of all, leave out those that have no atlas."""
    from symcalc.verify.atlas import NoAtlasError
    from symcalc.verify.atlas_plot import write

    console = terminal.output()
    failed = []
    with terminal.progress(console, len(objectives)) as begin:
        for objective in objectives:
            begin(objective.name)
            try:
                found = api.atlas(objective)
            except NoAtlasError as error:
                if not everything:
                    raise
                console.print(f"left out: {error}")
                continue
            console.print(found.table())
            if not found:
                failed.append(objective.name)
            for path in () if out is None else write(found, out):
                console.print(str(path), soft_wrap=True)
    if failed:
        console.print(f"too large: {', '.join(failed)}")
        raise typer.Exit(1)


def _mutate(objectives: list[Any], which: list[str], seeds: int, out: Path | None) -> None:
    """Print who finds which mistakes, objective by objective and in all; write the page."""
    from symcalc.verify import mutation_page
    from symcalc.verify.matrix import joined

    console = terminal.output()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        _try_writing(out / mutation_page.PAGE)
    matrices = []
    found = _each(functools.partial(api.mutate, seeds=seeds), objectives)
    with terminal.progress(console, len(objectives)) as begin:
        for objective in objectives:
            begin(objective.name)
            matrices.append(next(found))
            console.print(matrices[-1].table())
            for remark in matrices[-1].remarks():
                console.print(remark, soft_wrap=True)
    if len(matrices) > 1:
        console.print(joined(matrices).table())
    if out is not None:
        said = ("symcalc", "check", *which, "--mutate", "--seeds", str(seeds), "--out", str(out))
        console.print(str(mutation_page.write(matrices, out, shlex.join(said))), soft_wrap=True)
    if not all(matrices):
        raise typer.Exit(1)


def _each(work: Callable[[Any], R], objectives: list[Any]) -> Iterator[R]:
    """Yield what work makes of each objective; many of the catalogue are worked on at once."""
    known = catalogue() if len(objectives) >= parallel.WORTH else {}
    if all(known.get(objective.name) is objective for objective in objectives):
        return parallel.each(work, [objective.name for objective in objectives])
    return map(work, objectives)


def _summary(count: int, failed: list[str]) -> str:
    passed = f"{count - len(failed)} of {count} objectives pass"
    return f"{passed}; not: {', '.join(failed)}" if failed else passed


@app.command()
def bench(
    what: MaybeWhat = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole suite: data, page and chart into --out.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Elements of the largest input.")] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIM=SIZE,...",
            help="Extents, in place of --size: n=8192,c=1024. A formula's array too: z=n,c.",
        ),
    ] = None,
    dtype: Annotated[
        Precision | None, typer.Option(help="Of the kernel.", show_default="float64")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="How many batches are timed.", show_default="7")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads for each peer.", show_default="all processors")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write everything measured here too.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder --all writes to.", show_default="derivations"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --all: in small, to see that it works.")
    ] = False,
    wrt: Wrt = None,
    domain: Domains = None,
    default: Default = None,
) -> None:
    """Time value and gradient, or an update's step, beside the peers and the memory floor."""
    case: dict[str, Any] = {
        "NAME|FORMULA": what, "--size": size, "--shape": shape, "--dtype": dtype,
        "--rounds": rounds, "--wrt": wrt, "--domain": domain, "--default": default,
    }  # fmt: skip
    if everything:
        arguments.refuse("--all", case)
        _bench_suite(out or Path("derivations"), json, threads, quick)
        return
    arguments.refuse("one objective", {"--out": out, "--quick": quick or None})
    if what is None:
        raise ArgumentError("expected a name or a formula, or --all for the whole suite")
    extents, arrays = arguments.split_shapes(shape)
    (objective,) = arguments.objectives([what], False, wrt, arrays, domain, default)
    if json is not None:
        _try_writing(json)
    with _benchmark_bar() as progress:
        result = api.benchmark(
            objective, size=size, shape=arguments.extents(objective, extents),
            dtype=(dtype or Precision.float64).value, rounds=7 if rounds is None else rounds,
            threads=threads, progress=progress,
        )  # fmt: skip
    if json is not None:
        json.write_text(result.to_json(), encoding="utf-8")
    terminal.output().print(result)
    ours = result.row("symcalc")
    if ours is None or ours.median is None:
        raise typer.Exit(1)


def _bench_suite(out: Path, json: Path | None, threads: int | None, quick: bool) -> None:
    """Measure the suite, write its files and print its summary; status 1 if ours failed a row."""
    from symcalc.bench import page, suite, summary
    from symcalc.bench.sweep import sweep

    out.mkdir(parents=True, exist_ok=True)
    for path in (out / page.DATA, *filter(None, [json])):
        _try_writing(path)
    with _benchmark_bar() as progress:
        results = sweep(suite.quick() if quick else suite.FULL, threads=threads, progress=progress)
    written = page.write(results, out)
    if json is not None:
        json.write_text(results.to_json(), encoding="utf-8")
    console = terminal.output()
    console.print(summary.table(summary.summarize(results)))
    for path in written:
        console.print(str(path), soft_wrap=True)
    ours = (one.row("symcalc") for one in results.benchmarks)
    if any(row is None or row.median is None for row in ours):
        raise typer.Exit(1)


@contextlib.contextmanager
def _benchmark_bar() -> Iterator[Any]:
    """Show a bar on standard error while the block runs, if anyone is there to see it."""
    from symcalc.bench.run import progress_bar

    errors = terminal.messages()
    with progress_bar(errors) if errors.is_terminal else contextlib.nullcontext() as progress:
        yield progress


def _try_writing(path: Path) -> None:
    """Find out before the work, and not after it, that a file cannot be written."""
    is_new = not path.exists()
    path.open("a").close()
    if is_new:
        path.unlink()


@app.command()
def report(
    what: Whats = None,
    everything: All = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder, made if need be.")] = Path(
        "reports"
    ),
    formats: Annotated[
        str, typer.Option("--format", metavar="FORMAT,...", help="html, md, tex, pdf.")
    ] = "html,md",
    wrt: Wrt = None,
    shape: Shape = None,
    domain: Domains = None,
    default: Default = None,
) -> None:
    """Write the page of each objective: derivation, picture, checks, code; with --all the book."""
    objectives = arguments.objectives(what, everything, wrt, shape, domain, default)
    wanted = tuple(arguments.parts("--format", formats))
    console = terminal.output()
    if everything:
        _book(objectives, out, wanted)
        return
    with terminal.progress(console, len(objectives)) as begin:
        for objective in objectives:
            begin(objective.name)
            for path in api.report(objective, out=out, formats=wanted):
                console.print(str(path), soft_wrap=True)


def _book(objectives: list[Any], out: Path, formats: tuple[str, ...]) -> None:
    """Write the book, a page a processor at a time."""
    from symcalc.backends.threads import thread_count

    console = terminal.output()
    pages = {objective.name for objective in objectives}
    with terminal.progress(console, len(pages)) as begin:
        for path in api.book(objectives, out, formats, processes=thread_count()):
            console.print(str(path), soft_wrap=True)
            if path.stem in pages:
                pages.remove(path.stem)
                begin(path.stem)


@cache_app.command("info")
def cache_info() -> None:
    """Say where the kernels are, how many, and how large."""
    from symcalc.backends import cache

    folder = cache.wanted_directory()
    kernels = cache.stored(folder)
    size = sum(kernel.size for kernel in kernels) / 1e6
    typer.echo(f"{folder}: {len(kernels)} kernels, {size:.1f} MB{cache.state(folder)}")


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove every kernel; each is made again at its next use."""
    from symcalc.backends import cache

    typer.echo(f"removed {cache.clear(cache.wanted_directory())} kernels")


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Greek letters
    try:
        try:
            app(prog_name="symcalc")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        terminal.close_pipe()
