"""What a terminal shows: consoles for terminals and pipes, failures, definitions, derivations."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.calculus.steps import Step
from symcalc.catalogue import catalogue
from symcalc.catalogue.topics import Topic
from symcalc.notation.errors import ParseError
from symcalc.notation.objective import Objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Access, Tensor
from symcalc.notation.text import text

_PIPE_WIDTH = 100_000  # a pipe has no edge: nothing is wrapped or cut there
_NARROW = 120
_SIGPIPE_STATUS = 141
_WORD = re.compile(r"(?:\[[^]]*\]|\S)+")


class PlainConsole(Console):
    """A console that takes every bracket literally, and ends quietly when its reader has gone."""

    def __init__(self, stream: IO[str], *, stderr: bool = False) -> None:
        fixed = stream.isatty() or "COLUMNS" in os.environ
        super().__init__(
            stderr=stderr, markup=False, emoji=False, highlight=False,
            width=None if fixed else _PIPE_WIDTH,
        )  # fmt: skip

    def on_broken_pipe(self) -> NoReturn:
        """End the program as a program whose pipe was closed ends."""
        close_pipe()


def output() -> PlainConsole:
    """Return the console of standard output, as it is now."""
    return PlainConsole(sys.stdout)


def messages() -> PlainConsole:
    """Return the console of standard error, as it is now."""
    return PlainConsole(sys.stderr, stderr=True)


def close_pipe() -> NoReturn:
    """End quietly: whoever read our output reads no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(_SIGPIPE_STATUS)


def print_failure(error: Exception) -> None:
    """Say on standard error what was wrong, in red where there is colour."""
    console = messages()
    message = _marked(error, console.width) if isinstance(error, ParseError) else _said(error)
    line = Text("error: ", style="bold red").append(message, style="not bold red")
    console.print(line, soft_wrap=True)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _marked(error: ParseError, width: int) -> str:
    """Return the message with the fault marked below it, in a window that fits the width."""
    if not error.text or error.column is None:
        return error.reason
    whole = error.text.replace("\n", " ").replace("\t", " ")
    room = max(20, min(width - 10, 100))
    start = max(0, error.column - room // 2) if len(whole) > room else 0
    lead, tail = ("..." if start else ""), ("..." if start + room < len(whole) else "")
    caret = " " * (len(lead) + error.column - start)
    return f"{error.reason}\n  {lead}{whole[start : start + room]}{tail}\n  {caret}^"


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over several objectives while the block runs, if anyone is there to see it.

    Args:
        console: where the block prints; the bar stays below that if it is a terminal, and goes to
            standard error otherwise.
        total: how many there are; one needs no bar.

    Yields:
        A function to call with the name of what comes next.
    """
    from rich import progress as bars

    console = console if console.is_terminal else messages()
    columns = (
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(),
        bars.MofNCompleteColumn(), bars.TimeElapsedColumn(),
    )  # fmt: skip
    if not console.is_terminal or total < 2:
        yield lambda name: None
        return
    with bars.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        started = 0

        def begin(name: str) -> None:
            nonlocal started
            bar.update(task, description=name, completed=started)
            started += 1

        yield begin


def catalogue_table(objectives: Iterable[Objective], width: int) -> Table:
    """Return the table of `symcalc list`, a section for each family.

    Args:
        objectives: in family order.
        width: of the console; where it is narrow, inputs stand below the summary.
    """
    narrow = width < _NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("name", "what it is") if narrow else ("name", "inputs", "by", "what it is"):
        table.add_column(head, no_wrap=head == "name", overflow="fold")
    family = None
    for objective in objectives:
        if objective.family != family:
            family = objective.family
            table.add_section()
            table.add_row(Text(family, style="italic cyan"))
        name = Text(objective.name, style="bold")
        inputs = ", ".join(tensor.name for tensor in objective.inputs)
        if objective.parameters:
            inputs += "; " + ", ".join(map(_with_default, objective.parameters))
        wrt = ", ".join(objective.wrt)
        if narrow:
            below = Text(f"\n{inputs}; by {wrt}", style="dim")
            table.add_row(name, Text(objective.summary).append_text(below))
        else:
            table.add_row(name, Text(inputs), Text(wrt), Text(objective.summary))
    return table


def topics_table(sections: Mapping[str, Iterable[Topic]], width: int) -> Table:
    """Return the table of what `symcalc list` shows beside the objectives.

    Args:
        sections: topics by the name of their section.
        width: of the console; where it is narrow, how to run stands below the summary.
    """
    narrow = width < _NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("name", "what it is") if narrow else ("name", "what it is", "how to run it"):
        table.add_column(head, no_wrap=head == "name", overflow="fold")
    for title, topics in sections.items():
        table.add_section()
        table.add_row(Text(title, style="italic cyan"))
        for topic in topics:
            name, summary = Text(topic.name, style="bold"), Text(topic.summary)
            if narrow:
                table.add_row(name, summary.append(f"\n{topic.run}", style="dim"))
            else:
                table.add_row(name, summary, Text(topic.run))
    return table


def _with_default(parameter: Parameter) -> str:
    name, default = parameter.name, parameter.default
    return name if default is None else f"{name}={default:g}"


def print_definition(console: Console, derivation: Derivation) -> None:
    """Print what an objective is: formulas, inputs, hyperparameters, kinks, reference."""
    objective = derivation.objective
    _print_title(console, objective)
    if objective.notes and objective.name in catalogue():
        _print_words(console, objective.notes, by=0)
    _print_heading(console, "Definition")
    for equation in _value_equations(derivation):
        _print_equation(console, text(equation.left), equation.body)
    _print_heading(console, "Inputs")
    for tensor in objective.inputs:
        mark = ", differentiated by" if tensor.name in derivation.wrt else ""
        _print_words(console, f"{_shape(tensor)}: {tensor.domain.describe()}{mark}")
    if objective.parameters:
        _print_heading(console, "Hyperparameters")
    for parameter in objective.parameters:
        given = "no default" if parameter.default is None else f"default {parameter.default:g}"
        _print_words(console, f"{parameter.name}: {parameter.domain.describe()}, {given}")
    if derivation.kinks:
        _print_heading(console, "Kinks")
    for kink in derivation.kinks:
        _print_words(console, f"{text(kink.left)} = {text(kink.right)}: {kink.convention}")
    if objective.reference:
        _print_heading(console, "Reference")
        _print_words(console, objective.reference)


def print_derivation(console: Console, derivation: Derivation, *, steps: bool) -> None:
    """Print the value's equations, the numbered steps if wanted, what they save, the gradient."""
    value = _value_equations(derivation)
    _print_title(console, derivation.objective)
    console.print(Text(f"differentiated by {', '.join(derivation.wrt)}"), soft_wrap=True)
    _print_heading(console, "Value")
    for equation in value:
        _print_equation(console, text(equation.left), equation.body)
    if steps:
        _print_heading(console, "Steps")
        for number, (step, is_part) in enumerate(_with_parts(derivation), start=1):
            rule = ", ".join((step.rule, *step.conditions))
            console.print(Text(f"  {number}. ").append(rule, style="bold cyan"), soft_wrap=True)
            left, sign = text(step.left), "<-" if is_part else "="
            _print_equation(console, left, step.before, by=5, style="dim", sign=sign)
            _print_equation(
                console, " " * len(left), step.after, by=5, sign=" =" if is_part else "="
            )
        if any(is_part for _, is_part in _with_parts(derivation)):
            _print_words(console, "<- one of several contributions, which add up", style="dim")
    _print_heading(console, "Operations of the gradient")
    before, after = derivation.operations
    _print_words(console, f"by the chain rule: {before}\nsimplified: {after}")
    _print_heading(console, "Gradient")
    of = derivation.value.name
    if derivation.cotangent is not None:
        of = f"sum({derivation.cotangent.name} * {of})"
    for name in derivation.wrt:
        bar = derivation.gradient_of(name).target.name
        _print_words(console, f"{bar}: derivative of {of} by {name}", style="dim")
    for equation in derivation.definitions[len(value) :]:
        _print_equation(console, text(equation.left), equation.body)
    for adjoint in derivation.adjoints:
        left = text(Access(adjoint.target, *adjoint.indices))
        style = "bold" if adjoint.of.name in derivation.wrt else ""
        _print_equation(console, left, adjoint.body, style=style)


def print_source(console: Console, source: str) -> None:
    """Print Python source: coloured and wrapped in a terminal, byte for byte in a pipe."""
    from rich.syntax import Syntax  # brings a highlighter along, which other commands can spare

    _print_heading(console, "Kernel")
    if console.is_terminal:
        coloured = Syntax(
            source, "python", theme="ansi_dark", background_color="default", word_wrap=True
        )
        console.print(coloured)
    else:
        console.print(Text(source), soft_wrap=True)


def _value_equations(derivation: Derivation) -> tuple[Equation, ...]:
    last = next(p for p, e in enumerate(derivation.equations) if e.target == derivation.value)
    return derivation.equations[: last + 1]


def _shape(tensor: Tensor) -> str:
    return f"{tensor.name}[{', '.join(map(str, tensor.shape))}]"


def _print_title(console: Console, objective: Objective) -> None:
    title = Text(objective.name, style="bold").append(f"  {objective.summary}", style="not bold")
    console.print(title, soft_wrap=True)


def _print_heading(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _with_parts(derivation: Derivation) -> list[tuple[Step, bool]]:
    """Return the steps, and of each whether it speaks of one of several contributions.

    A contribution comes through an equation; the rewritings that follow it, each beginning where
    the last one ended, belong to it.
    """
    sources = Counter(step.target.name for step in derivation.steps if step.conditions)
    found: list[tuple[Step, bool]] = []
    for step in derivation.steps:
        follows = bool(found) and found[-1][1] and found[-1][0].after == step.before
        part = bool(step.conditions) or (follows and found[-1][0].target.name == step.target.name)
        found.append((step, part and sources[step.target.name] > 1))
    return found


def _print_equation(
    console: Console, left: str, body: Any, by: int = 2, style: str = "", sign: str = "="
) -> None:
    """Print `left = body`, folded under its own right-hand side."""
    start = f"{' ' * by}{left} {sign} "
    _print_folded(console, start, text(body), len(start), style)


def _print_words(console: Console, words: str, by: int = 2, style: str = "") -> None:
    for line in words.splitlines():
        _print_folded(console, " " * by, line, by, style)


def _print_folded(console: Console, start: str, rest: str, hang: int, style: str) -> None:
    """Print a line, folded at the console's width between words; x[i, k] is one word."""
    line = start
    for word in _WORD.findall(rest):
        gap = "" if not line or line.endswith(" ") else " "
        if line.strip() and len(line) + len(gap) + len(word) > console.width:
            console.print(Text(line, style=style), soft_wrap=True)
            line, gap = " " * hang, ""
        line += gap + word
    console.print(Text(line, style=style), soft_wrap=True)
