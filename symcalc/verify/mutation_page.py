"""The page of the kill matrix: Markdown, the same bytes whenever the same is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from symcalc.verify.kills import OTHERS, OURS
from symcalc.verify.matrix import HEADS, KillMatrix, joined

PAGE = "verification.md"

_WITNESSES = """\
- **enclosures**: the equations against power series of the value in ball arithmetic, ball against
  ball, at draws and corners of tiny extents. No tolerance. Any subgradient will do at a kink.
- **conventions**: the same, but at a kink it must be the derivative that is declared there.
- **kernel**: what the NumPy backend makes of the equations, in float64, against the enclosures, up
  to the roundings of the equations in balls of 53 bits, at up to 8 points, typical or with ties.
- **differences**: the kernel's derivatives against finite differences of its own value, or of its
  gradient, with a computed step and bound, at 3 typical points.
- **gradcheck**, **check_grads**: what PyTorch's and JAX's checkers would say of the same kernel at
  one typical point with their default steps and tolerances in float64. They are no witnesses of
  ours: a mutant that they alone convict would count as survived."""

_PROOFS = """\
A mutant is equivalent only if one of these arguments holds; none of them tries numbers.
*Same formula*: both equations have one canonical form. *Equal where they part*: `<` and `<=` choose
differently only where both sides are equal, and there what they choose between is the same formula.
*Same choice*: two conditions hold in the same places, wherever what they are multiplied by is not
zero. *Never there*: the two differ only where the condition around them does not hold.
*Never read*: no result stands on the equation.
*Same results*: all results have one canonical form."""


def write(matrices: Sequence[KillMatrix], out: Path, command: str) -> Path:
    """Write the page into a folder, made if need be; return its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / PAGE
    path.write_text(page(matrices, command), encoding="utf-8")
    return path


def page(matrices: Sequence[KillMatrix], command: str) -> str:
    """Return the page.

    Args:
        matrices: one an objective.
        command: that writes it.
    """
    return "\n".join(_lines(matrices, command)) + "\n"


def _lines(matrices: Sequence[KillMatrix], command: str) -> Iterator[str]:
    whole = joined(matrices)
    total = whole.total
    yield "# Verification"
    yield ""
    yield f"Written by `{command}`; do not edit it by hand."
    yield ""
    yield (
        f"Into the equations of {len(matrices)} objectives, those of the value, the gradient and "
        f"the Hessian's product, {total.mutants} mistakes were planted, one at a time. "
        f"{total.equivalent} of them are proved to be none. Of the other {total.wrong}, "
        f"{total.wrong - total.survived} were found and {total.survived} survived. "
        f"Right equations: {whole.alarms}."
    )
    yield ""
    yield _WITNESSES
    yield ""
    yield "## By mistake"
    yield ""
    yield "What two mistakes make alike counts once, under the first."
    yield ""
    yield from _table(HEADS, [tally.cells() for tally in whole.tallies()])
    yield ""
    yield "## By objective"
    yield ""
    yield from _table(HEADS, [objective_row(matrix) for matrix in matrices])
    yield ""
    yield "## False alarms"
    yield ""
    yield (
        "Right equations, at one point a seed: typical, with ties, in the tails, or a corner. "
        "How often a witness accused them:"
    )
    yield ""
    yield from _table(("", "points", *OURS), [alarms_row(matrix) for matrix in matrices])
    yield ""
    yield "## Equivalent mutants"
    yield ""
    yield _PROOFS
    yield ""
    for matrix in matrices:
        yield from equivalents(matrix)
    if whole.survivors:
        yield ""
        yield "## Survivors"
        yield ""
        yield from (f"- {m.name}, {o.mutant}" for m in matrices for o in m.survivors)
    yield ""
    yield "## What others' tolerances let through"
    yield ""
    missed = {name: total.wrong - _wrongly(matrices, name) for name in OTHERS}
    yield (
        f"Of the {total.wrong} mistakes, gradcheck's defaults let {missed[OTHERS[0]]} pass "
        f"({_share(missed[OTHERS[0]], total.wrong)}), check_grads's {missed[OTHERS[1]]} "
        f"({_share(missed[OTHERS[1]], total.wrong)}). A wrong value whose gradient fits it is "
        "among them: neither checker has another value to hold it against."
    )


def objective_row(matrix: KillMatrix) -> list[str]:
    """Return an objective's row of the kill matrix."""
    return matrix.total.cells()


def alarms_row(matrix: KillMatrix) -> list[str]:
    """Return an objective's row of the false alarms."""
    raised = (str(matrix.alarms.raised[name]) for name in OURS)
    return [matrix.name, str(matrix.alarms.points), *raised]


def equivalents(matrix: KillMatrix) -> Iterator[str]:
    """List an objective's equivalent mutants, each with the name of its proof."""
    for outcome in matrix.equivalents:
        mutant = outcome.mutant
        yield f"- {matrix.name}, {mutant.operator}, by *{outcome.proof}*:"
        yield f"  `{mutant.before}` as `{mutant.after}`"


def row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield row([head.replace("<", "&lt;") for head in heads])
    yield row(["---", *("---:" for _ in heads[1:])])
    for cells in rows:
        yield row([cell.replace("<", "&lt;") for cell in cells])


def _wrongly(matrices: Sequence[KillMatrix], name: str) -> int:
    """How many mistakes a witness convicts; what is equivalent is none."""
    return sum(o.by[name] for m in matrices for o in m.outcomes if not o.proof)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "none"
