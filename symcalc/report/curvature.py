"""The second derivatives on a page: the Hessian's formula and structure, or its product."""

from __future__ import annotations

from typing import Any

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.calculus.structure import Structure
from symcalc.notation.latex import Symbols, defined_latex, latex
from symcalc.notation.lettering import glyph
from symcalc.notation.tensors import Access
from symcalc.report.blocks import Block, Fold, Formula, Line, Math, Paragraph
from symcalc.report.story import broken


def curvature(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    """Say what the second derivatives are.

    By one input the Hessian is written as a formula, with the structure that was read off it. By
    several it is never formed: the page says how it multiplies a vector.

    Args:
        derivation: what `derive` returned.
        letters: the letters of the page.
    """
    if len(derivation.wrt) > 1:
        return _product(derivation, letters)
    return _hessian(derivation, derivation.hessian_structure, letters)


def _hessian(derivation: Derivation, found: Structure, letters: Symbols) -> tuple[Block, ...]:
    of = Math(latex(Access(found.of, *found.indices), letters))
    away = " away from the kinks" if derivation.kinks else ""
    says: Line = ("The Hessian by ", of, f" is {found.kind}{away}.")
    if found.formula is None:
        return (Paragraph((*says, " Its formula is too long to be of use on paper.")),)
    if found.kind == "zero":
        return (Paragraph(says),)
    x, y = (latex(Access(found.of, *at), letters) for at in (found.indices, found.others))
    body = latex(found.formula, letters, (*found.indices, *found.others))
    rows = [rf"{_second(found, derivation, x, y, letters)} &= {body}"]
    if found.diagonal is not None and found.kind != "diagonal":
        along = latex(found.diagonal, letters, found.indices)
        rows.append(rf"{_second(found, derivation, x, x, letters)} &= {along}")
    shown = tuple(part for row in rows for part in broken(row))
    result = Formula(shown, boxed=True, label="The second derivatives")
    blocks: list[Block] = [Paragraph(says), result]
    known = set(derivation.equations)
    new = _wanted(found, known)
    if new:
        blocks.append(Paragraph(("where",)))
        blocks.append(Formula(tuple(_row(e, letters) for e in new), label="Definitions used"))
    return tuple(blocks)


def _second(found: Structure, derivation: Derivation, x: str, y: str, letters: Symbols) -> str:
    value = latex(Access(found.value), letters) if derivation.cotangent is None else r"\mathcal{L}"
    below = rf"\partial {x}^2" if x == y and "^" not in x else rf"\partial {x} \, \partial {y}"
    return rf"\frac{{\partial^2 {value}}}{{{below}}}"


def _wanted(found: Structure, known: set[Equation]) -> list[Equation]:
    """Return the equations that the formula reads and the page has not shown."""
    wanted = {access.tensor for access in found.formula.atoms(Access)}
    return [e for e in found.equations if e.target in wanted and e not in known]


def _product(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    product = derivation.hvp
    known = set(derivation.equations)
    rows = tuple(_row(e, letters) for e in product.needed if e not in known)
    parts: list[Any] = [
        "By several inputs at once the Hessian is large, and it is never formed. Its product with "
        "a vector comes from the same calculus: the gradient is differentiated along a direction, ",
    ]
    for place, direction in enumerate(product.directions):
        parts += [", "] * bool(place)
        parts.append(Math(_direction(direction, letters)))
    parts.append(".")
    fold = Fold(f"The product in {len(rows)} equations", (Formula(rows, label="The product"),))
    return (Paragraph(tuple(parts)), fold)


def _direction(tensor: Any, letters: Symbols) -> str:
    return glyph(tensor.name, letters).at()


def _row(equation: Equation, letters: Symbols) -> str:
    body = defined_latex(equation.left, equation.body, letters, equation.indices)
    return f"{latex(equation.left, letters)} &= {body}"
