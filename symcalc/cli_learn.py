"""The learning commands: each trains, prints what was measured and writes its picture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich import box
from rich.table import Table

from symcalc import arguments, terminal
from symcalc.catalogue.topics import Topic

if TYPE_CHECKING:
    from symcalc.learn.lesson import Lesson, Progress

Finished = TypeVar("Finished", bound="Lesson")

app = typer.Typer(no_args_is_help=True, help="Train: every gradient comes from a kernel.")

Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder for the picture.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMAT,...", help="svg, png.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Toy = Annotated[str, typer.Option("--data", help="moons, ring or clouds.")]
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


@app.command()
def compare(
    optimizers: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Of the catalogue.", show_default="eight")
    ] = None,
    steps: Annotated[int, typer.Option(help="That each has.")] = 1000,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Race the optimizers on Rosenbrock's valley, a narrow bowl and logistic regression."""
    from symcalc.learn import compare as lesson

    names = lesson.OPTIMIZERS if optimizers is None else arguments.parts("--optimizers", optimizers)
    _show("compare", out, formats, lambda told: lesson.compare(names, steps=steps, progress=told))


class Problem(StrEnum):
    """The problems whose convergence is bounded."""

    quadratic = "quadratic"
    logistic = "logistic"


@app.command()
def convergence(
    problem: Annotated[Problem, typer.Argument(help="Which one.")] = Problem.quadratic,
    matrix: Annotated[
        str | None,
        typer.Option(metavar="ROW;...", help="The quadratic's: '20,1;1,2'.", show_default="2 x 2"),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="NUMBER,...", help="The quadratic's.", show_default="ones")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The logistic one's.", show_default="two clouds"),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --csv: of labels 0 and 1.")
    ] = None,
    lam: Annotated[
        float | None, typer.Option(help="The logistic one's penalty.", show_default="0.01")
    ] = None,
    rate: Annotated[float, typer.Option(help="The rate times L, at most 1.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Of gradient descent.")] = 200,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Hold gradient descent against its bounds: 1/L, (1 - alpha mu), L d^2/(2k)."""
    from symcalc.learn import convergence as lesson
    from symcalc.learn import problems, tables

    if problem is Problem.quadratic:
        arguments.refuse("quadratic", {"--csv": csv, "--target": target, "--lam": lam})
        meant = problems.bowl_from_text(matrix, start)
    else:
        arguments.refuse("logistic", {"--matrix": matrix, "--start": start})
        penalty = 1e-2 if lam is None else lam
        if csv is None:
            arguments.refuse("logistic without --csv", {"--target": target})
            meant = problems.two_clouds(lam=penalty)
        else:
            meant = problems.logistic_from_table(tables.read_csv(csv, target), penalty)
    found = _show("convergence", out, formats, lambda t: lesson.converge(meant, steps, rate, t))
    if not found.holds:
        raise typer.Exit(1)


@app.command()
def bandit(
    arms: Annotated[
        str | None,
        typer.Option(metavar="NUMBER,...", help="What each pays.", show_default="five arms"),
    ] = None,
    steps: Annotated[int, typer.Option(help="Of the policy, sixteen pulls each.")] = 300,
    runs: Annotated[int, typer.Option(help="How often, for the average.")] = 20,
    lr: Annotated[float, typer.Option(help="The learning rate.")] = 0.4,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Learn which arm pays most, by REINFORCE with and without a baseline."""
    from symcalc.learn import bandit as lesson
    from symcalc.learn.environments import Bandit

    world = Bandit() if arms is None else Bandit(tuple(arguments.numbers("--arms", arms)))
    _show("bandit", out, formats, lambda told: lesson.train(world, steps, runs, lr, seed, told))


@app.command()
def gridworld(
    rows: Annotated[
        str | None,
        typer.Option("--map", metavar="ROW,...", help="Of . # S G P.", show_default="4 x 4"),
    ] = None,
    slip: Annotated[float, typer.Option(help="How often a move goes astray.")] = 0.2,
    gamma: Annotated[float, typer.Option(help="The discount.")] = 0.95,
    steps: Annotated[int, typer.Option(help="Of sixteen walkers.")] = 4000,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Walk a slippery grid: value iteration, Q-learning, actor-critic."""
    from symcalc.learn import gridworld as lesson
    from symcalc.learn.environments import GridWorld

    drawn = GridWorld().rows if rows is None else tuple(arguments.parts("--map", rows))
    world = GridWorld(drawn, slip)
    _show("gridworld", out, formats, lambda told: lesson.train(world, steps, gamma, seed, told))


@app.command()
def cartpole(
    steps: Annotated[int, typer.Option(help="Of all poles together, for each method.")] = 120_000,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Balance a pole on a cart, by REINFORCE and by PPO."""
    from symcalc.learn import cartpole as lesson

    _show("cartpole", out, formats, lambda told: lesson.train(steps, seed=seed, progress=told))


@app.command()
def gan(
    data: Toy = "moons",
    steps: Annotated[int, typer.Option(help="Of either network, in turn.")] = 8000,
    lr: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-3,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Train a generator against a discriminator on points in the plane."""
    from symcalc.learn import gan as lesson

    _show("gan", out, formats, lambda told: lesson.train(data, steps, lr, seed, told))


@app.command()
def vae(
    data: Toy = "moons",
    steps: Annotated[int, typer.Option(help="Of the optimizer.")] = 8000,
    lr: Annotated[float, typer.Option(help="The first learning rate.")] = 3e-3,
    sigma: Annotated[float, typer.Option(help="The decoder's deviation.")] = 0.1,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Train a variational autoencoder on points in the plane."""
    from symcalc.learn import vae as lesson

    _show("vae", out, formats, lambda told: lesson.train(data, steps, lr, sigma, seed, told))


@app.command()
def estimators(
    mu: Annotated[float, typer.Option(help="The mean of z.")] = 1.0,
    sigma: Annotated[float, typer.Option(help="The deviation of z.")] = 0.5,
    target: Annotated[float, typer.Option(help="What z is to be near.")] = 0.0,
    draws: Annotated[int, typer.Option(help="Estimates of either kind.")] = 20_000,
    seed: Seed = 0,
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Estimate a gradient by reparameterization and by the score function."""
    from symcalc.learn import estimators as lesson

    _show(
        "estimators", out, formats,
        lambda told: lesson.estimate(mu, sigma, target, draws, seed, told),
    )  # fmt: skip


def graph(
    formula: Annotated[str, typer.Argument(help="Of numbers, in quotes.")],
    at: Annotated[str, typer.Option(metavar="NAME=NUMBER,...", help="The point.")],
    out: Out = _OUT,
    formats: Formats = "svg",
) -> None:
    """Draw a formula's graph, with forward and reverse mode on its nodes."""
    from symcalc.learn import pictures
    from symcalc.learn.graph import graph as taken_apart

    point = {name: arguments.finite(f"--at: {name}", number)
             for name, number in arguments.pairs("--at", arguments.parts("--at", at))}  # fmt: skip
    made = taken_apart(formula, point)
    paths = pictures.prepare(out, "graph", tuple(arguments.parts("--format", formats)))
    console = terminal.output()
    for line in made.outline():
        console.print(line, soft_wrap=True)
    console.print(_table(made.table()))
    console.print(_table(made.edges()))
    for path in pictures.save(made.draw(), paths):
        console.print(str(path), soft_wrap=True)


def lessons() -> list[Topic]:
    """Return the learning commands, each with the first line of its help."""
    commands = typer.main.get_group(app).commands
    return [
        Topic(name, (command.help or "").splitlines()[0], f"symcalc learn {name}")
        for name, command in commands.items()
    ]


def _show(name: str, out: Path, formats: str, train: Callable[[Progress], Finished]) -> Finished:
    """Train, print the table, write the picture and say where it is; return what was found."""
    from symcalc.learn import pictures

    paths = pictures.prepare(out, name, tuple(arguments.parts("--format", formats)))
    with _bar(name) as told:
        done = train(told)
    console = terminal.output()
    console.print(_table(done.table()))
    for path in pictures.save(done.draw(), paths):
        console.print(str(path), soft_wrap=True)
    return done


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
