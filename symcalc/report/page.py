"""Puts a page together: from an objective, its derivation, its checks and its kernel's source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equal import written_out
from symcalc.calculus.equations import Equation
from symcalc.calculus.kinks import crossings
from symcalc.notation.conditions import Let
from symcalc.notation.latex import Symbols, adjoint_latex, defined_latex, latex, standing
from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, Tensor
from symcalc.report.beside import beside
from symcalc.report.blocks import (
    Block,
    Bullets,
    CheckRow,
    Code,
    Figure,
    Fold,
    Formula,
    Inline,
    Line,
    Listing,
    Math,
    Page,
    Paragraph,
    Section,
    Table,
)
from symcalc.report.curvature import curvature
from symcalc.report.example import example
from symcalc.report.libraries import libraries
from symcalc.report.properties import Fact
from symcalc.report.story import broken, story, width
from symcalc.report.symbols import symbols as choose_symbols
from symcalc.report.symbols import title
from symcalc.report.usage import usage
from symcalc.report.vectors import WORDS, NoFormError, bold, vector_row

_INTEGERS = "int32/64"
_REALS = "float32/64"
_MOST_WRITTEN_OUT = 10  # equations
_WIDEST_WRITTEN_OUT = 110


def build_page(
    objective: Objective,
    derivation: Derivation,
    *,
    source: str = "",
    checks: Sequence[CheckRow] = (),
    figures: Sequence[Figure] = (),
    facts: Sequence[Fact] = (),
) -> Page:
    """Assemble the report on an objective.

    Args:
        objective: what the page is about.
        derivation: its derivation.
        source: the generated kernel's source; the section is left out where it is empty.
        checks: the lines of the table of checks; left out where there are none.
        figures: drawings of value and gradient, as `plots.figures` makes them.
        facts: properties, as `properties.facts` finds them; left out where there are none.

    Returns:
        The page, which `html.render` and `markdown.render` write out.
    """
    letters = choose_symbols(objective, derivation)
    sections = [
        Section("Definition", "definition", _definition(objective, derivation, letters)),
        Section("Inputs", "inputs", _inputs(objective, letters)),
        Section("Gradient", "gradient", _gradient(objective, derivation, letters)),
        Section("Derivation", "derivation", _derivation(objective, derivation, letters)),
        Section("Curvature", "curvature", curvature(derivation, letters)),
        Section("Kinks", "kinks", _kinks(derivation, letters)),
        Section("Properties", "properties", _properties(facts)),
        Section("Worked example", "example", example(derivation, letters)),
    ]
    sections = [section for section in sections if section.blocks]
    if figures:
        sections.append(Section("Picture", "picture", tuple(figures)))
    if checks:
        sections.append(Section("Checks", "checks", _checks(checks)))
    if source:
        sections.append(Section("Kernel", "kernel", _kernel(source, derivation, letters)))
    sections.append(Section("Use", "use", (Listing(usage(objective)),)))
    if objective.notes and not objective.family:  # a formula of one's own keeps its text
        sections.append(Section("As written", "as-written", (Listing(objective.notes + "\n"),)))
    elif objective.notes:
        paragraphs = tuple(
            Paragraph((" ".join(part.split()),)) for part in objective.notes.split("\n\n")
        )
        sections.append(Section("Conventions", "conventions", paragraphs))
    if objective.family:
        calls = libraries(objective.name)
        sections += [Section("In other libraries", "libraries", calls)] if calls else []
    return Page(
        objective.name, title(objective.name), objective.summary, objective.reference,
        tuple(sections),
    )  # fmt: skip


def value_letter(objective: Objective, derivation: Derivation, letters: Symbols) -> str:
    """Write the left-hand side of the definition: the loss, or an entry of the layer's output."""
    return latex(Access(derivation.value, *objective.outputs), letters)


def _definition(
    objective: Objective, derivation: Derivation, letters: Symbols
) -> tuple[Block, ...]:
    rows = _definition_rows(objective, derivation, letters)
    return (Formula(tuple(rows), label=f"Definition of {title(objective.name)}"),)


def _definition_rows(objective: Objective, derivation: Derivation, letters: Symbols) -> list[str]:
    rows = []
    for meant in objective.definitions:
        rows += _let_rows(meant.body, derivation, letters)
        written = latex(Access(meant.tensor, *meant.indices), letters)
        body = _as_derived(meant.body, derivation)
        rows.append(f"{written} &= {latex(body, letters, meant.indices)}")
    rows += _let_rows(objective.body, derivation, letters)
    left = value_letter(objective, derivation, letters)
    body = _as_derived(objective.body, derivation)
    rows.append(f"{left} &= {latex(body, letters, objective.outputs)}")
    return rows


def _let_rows(body: Any, derivation: Derivation, letters: Symbols) -> list[str]:
    rows = []
    for let in _named_parts(body):
        meant = _as_derived(let.body, derivation)
        left = _as_derived(let, derivation)
        places = tuple(latex(index, letters) for index in standing(let.body))
        shown = glyph(let.name, letters).at(places) if left == let else latex(left, letters)
        rows.append(f"{shown} &= {latex(meant, letters)}")
    return rows


def _as_derived(body: Any, derivation: Derivation) -> Any:
    """Write named parts as the derivation does: the same letter, its indices in the same order."""
    known = {equation.target.name: equation for equation in derivation.equations}
    swaps = {}
    for let in body.atoms(Let):
        equation = known.get(let.name)
        if equation is None or isinstance(let.body, Recurrence):
            continue
        here = {index.name: index for index in standing(let.body)}
        wanted = [index.name for index in equation.indices]
        if sorted(here) == sorted(wanted) and len(here) == len(standing(let.body)):
            swaps[let] = Access(equation.target, *(here[name] for name in wanted))
    return body.xreplace(swaps)


def _named_parts(body: Any) -> list[Let]:
    """Return what the formula names, each after what it stands on."""
    found: dict[str, Let] = {}

    def visit(node: Any) -> None:
        for argument in node.args:
            visit(argument)
        if isinstance(node, Let):
            found.setdefault(node.name, node)

    visit(body)
    return list(found.values())


def _inputs(objective: Objective, letters: Symbols) -> tuple[Block, ...]:
    rows: list[tuple[Line, ...]] = []
    for tensor in objective.inputs:
        rows.append((
            (Math(glyph(tensor.name, letters).at()),), (Code(tensor.name),), (_shape(tensor),),
            (_INTEGERS if tensor.domain.integer else _REALS,), (tensor.domain.describe(),), ("",),
        ))  # fmt: skip
    for parameter in objective.parameters:
        rows.append((
            (Math(glyph(parameter.name, letters).at()),), (Code(parameter.name),), ("scalar",),
            ("float",), (parameter.domain.describe(),),
            (_number(parameter.default),),
        ))  # fmt: skip
    head = ("Symbol", "Argument", "Shape", "Type", "Domain", "Default")
    return (Table(head, tuple(rows)),)


def _number(default: float | None) -> Inline:
    if default is None:
        return "required"
    digits, _, exponent = f"{default:g}".partition("e")
    if not exponent:
        return digits
    front = "" if digits == "1" else rf"{digits} \cdot "
    return Math(rf"{front}10^{{{int(exponent)}}}")


def _shape(tensor: Tensor) -> Math:
    sizes = [latex(extent) for extent in tensor.shape]
    return Math(r" \times ".join(sizes) if sizes else "1")


def _gradient(objective: Objective, derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    rows = tuple(
        f"{adjoint_latex(derivation, a, letters)} &= {latex(a.body, letters, a.indices)}"
        for a in derivation.adjoints
    )
    blocks: list[Block] = [Formula(rows, boxed=True, label="The gradient in closed form")]
    named = {let.name for formula in objective.formulas for let in _named_parts(formula)}
    named |= {meant.name for meant in objective.definitions}
    helpers = [e for e in _needed(derivation) if e.target.name not in named]
    if helpers:
        blocks.append(Paragraph(("where",)))
        blocks.append(Formula(tuple(_row(e, letters) for e in helpers), label="Definitions used"))
    blocks += _in_the_inputs(derivation, letters)
    blocks += _as_vectors(derivation, letters)
    if derivation.cotangent is not None:
        out = value_letter(objective, derivation, letters)
        blocks.append(_about_cotangent(out, derivation.cotangent, objective, letters))
    elif any(a.of.name not in derivation.wrt for a in derivation.adjoints):
        blocks.append(Paragraph(("A bar marks the derivative of the value by what is under it.",)))
    return tuple(blocks)


def _in_the_inputs(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    """Write the gradient in the inputs alone, where that is short and not what was shown."""
    rows: list[str] = []
    if len(derivation.equations) > _MOST_WRITTEN_OUT:
        return ()
    for name in derivation.wrt:
        a = derivation.gradient_of(name)
        whole = written_out(a.body, derivation.equations)
        if whole == a.body:
            return ()
        row = f"{adjoint_latex(derivation, a, letters)} &= {latex(whole, letters, a.indices)}"
        if width(row) > _WIDEST_WRITTEN_OUT:
            return ()
        rows += broken(row)
    return (Paragraph(("In the inputs alone:",)),
            Formula(tuple(rows), label="The gradient in the inputs alone"))  # fmt: skip


def _as_vectors(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    """Write the gradient as vectors and matrices, where all of it has such a form."""
    rows, words, hot = [], set(), []
    for a in derivation.adjoints:
        found = vector_row(Equation(a.target, a.indices, a.body), letters)
        if found is None:
            return ()
        try:
            left = bold(a.target, letters)
            if a.of.name in derivation.wrt and derivation.cotangent is None:
                value = latex(Access(derivation.value), letters)
                left = rf"\frac{{\partial {value}}}{{\partial {bold(a.of, letters)}}}"
        except NoFormError:
            return ()
        rows.append(f"{left} &= {found.shown}")
        words |= set(found.words)
        hot += [found.hot] if found.hot else []
    text = "As vectors and matrices; functions act on each entry"
    notes: list[Any] = [text]
    for word in sorted(words, key=list(WORDS).index):
        notes += ["; ", Math(word), f" {WORDS[word]}"]
    for label, matrix in dict.fromkeys(hot):
        notes += ["; row ", Math("i"), " of ", Math(matrix), " has a one in the column ",
                  Math(label), " and zeros elsewhere"]  # fmt: skip
    return (Paragraph((*notes, ":")), Formula(tuple(rows), label="The gradient as vectors"))


def _about_cotangent(
    out: str, cotangent: Tensor, objective: Objective, letters: Symbols
) -> Paragraph:
    bar = latex(Access(cotangent, *objective.outputs), letters)
    return Paragraph((
        "The layer has an array for a value. Whatever is computed from ", Math(out),
        " afterwards hands back its derivative ", Math(bar), ", the cotangent; the formulas say "
        "how the layer passes it on. A bar always marks the derivative of the final number by what "
        "is under it.",
    ))  # fmt: skip


def _needed(derivation: Derivation) -> list[Equation]:
    """Return the equations of the value that the gradient speaks of, and those that they need."""
    known = {e.target: e for e in derivation.equations}
    adjoints = {a.target for a in derivation.adjoints}
    wanted = [acc.tensor for a in derivation.adjoints for acc in a.body.atoms(Access)]
    found: set[Tensor] = set()
    while wanted:
        tensor = wanted.pop()
        if tensor in known and tensor not in found and tensor not in adjoints:
            found.add(tensor)
            wanted += [a.tensor for a in known[tensor].body.atoms(Access)]
    return [e for e in derivation.equations if e.target in found]


def _row(equation: Equation, letters: Symbols) -> str:
    body = defined_latex(equation.left, equation.body, letters, equation.indices)
    return f"{latex(equation.left, letters)} &= {body}"


def _derivation(
    objective: Objective, derivation: Derivation, letters: Symbols
) -> tuple[Block, ...]:
    value = derivation.value
    last = next(p for p, e in enumerate(derivation.equations) if e.target == value)
    blocks: list[Block] = []
    forward = [_row(e, letters) for e in derivation.equations[: last + 1]]
    if forward != _definition_rows(objective, derivation, letters):
        blocks.append(Paragraph(("The value, one equation at a time:",)))
        blocks.append(Formula(tuple(forward), label="The value as a list of equations"))
    of = latex(Access(value, *objective.outputs), letters)
    parts: list[Any] = ["Now backwards. ", Math(r"\bar{u}"), " stands for "]
    parts += [Math(rf"\partial {of} / \partial u")] if derivation.cotangent is None else [
        "the derivative of the final number by ", Math("u")
    ]  # fmt: skip
    groups = story(derivation, letters)
    parts.append("; every equation passes the bar of its left side on to what stands on its right.")
    if any(r"\leftarrow" in row for g in groups for s in g.steps for row in s.rows):
        parts += [" Where an adjoint is reached by several paths, ", Math(r"\leftarrow"),
                  " says what it receives by one of them."]  # fmt: skip
    blocks.append(Paragraph(tuple(parts)))
    before, after = derivation.operations
    counted = f"Operations: {before} by the chain rule; {after} in the simplified gradient."
    return (*blocks, *groups, Paragraph((counted,)))


def _kinks(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    if not derivation.kinks:
        text = "None: the formula has no condition on which a derivative could jump."
        return (Paragraph((text,)),)
    items: list[Line] = []
    for kink in crossings(derivation.objective):
        left, right = (_as_derived(side, derivation) for side in (kink.left, kink.right))
        if left.is_Number:
            left, right = right, left
        formula = f"{latex(left, letters)} = {latex(right, letters)}"
        items.append((Math(formula), ": ", kink.convention, "."))
    intro = Paragraph(("A derivative may jump where one of these holds; there the convention is:",))
    return (intro, Bullets(tuple(items)))


def _properties(facts: Sequence[Fact]) -> tuple[Block, ...]:
    rows: list[tuple[Line, ...]] = [(fact.says, (f"{fact.how[0].upper()}{fact.how[1:]}.",))
                                    for fact in facts]  # fmt: skip
    return (Table(("Property", "How it is known"), tuple(rows)),) if rows else ()


def _kernel(source: str, derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    whole = Fold("The generated kernel, as it is compiled", (Listing(source),))
    parts = beside(source, derivation, letters)
    if parts is None:
        return (whole,)
    text = "The lines that compute, and what each run of them computes:"
    return (Paragraph((text,)), parts, whole)


def _checks(checks: Sequence[CheckRow]) -> tuple[Block, ...]:
    head = ("Witness", "Of", "Entries", "Worst at", "Error", "Bound", "Verdict")
    rows: list[tuple[Line, ...]] = [
        ((row.method,), (Code(row.wrt),), (row.entries,), (row.worst,), (row.error,), (row.bound,),
         (row.verdict,))
        for row in checks
    ]  # fmt: skip
    return (Table(head, tuple(rows)),)
