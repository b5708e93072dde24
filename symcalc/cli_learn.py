"""The learning commands: each trains, prints what was measured and writes its picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from symcalc import arguments, terminal

if TYPE_CHECKING:
    from symcalc.learn.lesson import Lesson, Progress

app = typer.Typer(no_args_is_help=True, help="Train: every gradient comes from a kernel.")

Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder for the picture.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMAT,...", help="svg, png.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
_OUT = Path("learn")


@app.command()
def xor(
    hidden: Annotated[int, typer.Option(help="Units of the hidden layer.")] = 8,
    steps: Annotated[int, typer.Option(help="Of the optimizer.")] = 2000,
    optimizer: Annotated[str, typer.Option(help="A name of the catalogue.")] = "adam",
    lr: Annotated[float, typer.Option(help="The learning rate.")] = 0.05,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Train a network of one hidden layer on XOR."""
    from symcalc.learn import xor as lesson

    _show("xor", out, formats, lambda told: lesson.train(hidden, steps, optimizer, lr, seed, told))


@app.command("linear_regression")
def linear_regression(
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Numbers under names.", show_default="diabetes set"),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --csv: what to predict.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="How often all rows are seen.")] = 60,
    batch: Annotated[int, typer.Option(help="Rows of a minibatch.")] = 32,
    lr: Annotated[float, typer.Option(help="The first learning rate.")] = 0.05,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Fit a linear model by minibatch gradient descent, beside least squares."""
    from symcalc.learn import linear_regression as lesson
    from symcalc.learn import tables

    if csv is None:
        arguments.refuse("the diabetes set", {"--target": target})
    data = tables.diabetes() if csv is None else tables.read_csv(csv, target)
    _show(
        "linear_regression", out, formats,
        lambda told: lesson.train(data, epochs, batch, lr, seed, told),
    )  # fmt: skip


def _show(name: str, out: Path, formats: str, train: Callable[[Progress], Lesson]) -> None:
    """Train, print the table, write the picture and say where it is."""
    from symcalc.learn import pictures

    paths = pictures.prepare(out, name, tuple(arguments.parts("--format", formats)))
    with _bar(name) as told:
        done = train(told)
    console = terminal.output()
    console.print(_table(done.table()))
    for path in pictures.save(done.draw(), paths):
        console.print(str(path), soft_wrap=True)


def _table(rows: list[tuple[str, ...]]) -> Table:
    heading, *rest = rows
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, head in enumerate(heading):
        table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
    for row in rest:
        table.add_row(*row)
    return table


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Any]:
    """Show a bar on standard error while the block runs, if anyone is there to see it."""
    from rich import progress as bars

    console = terminal.messages()
    if not console.is_terminal:
        yield lambda done, total, words: None
        return
    columns = (
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(),
        bars.TextColumn("{task.fields[words]}", markup=False), bars.TimeElapsedColumn(),
    )  # fmt: skip
    with bars.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, words="compiling")

        def told(done: int, total: int, words: str) -> None:
            bar.update(task, completed=done, total=total, words=words)

        yield told
