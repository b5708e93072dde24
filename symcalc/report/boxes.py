"""Formulas inside drawings: MathML laid out as SVG text, each letter at a place of its own.

A drawing that stands alone has no MathML, so a formula becomes boxes as TeX makes them: a width,
what rises above the baseline and what hangs below it. Letters are centred on their places, so that
a font with other widths than the table's still sets a readable formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TypeAlias
from xml.etree import ElementTree

from symcalc.report.errors import ReportError
from symcalc.report.mathml import mathml

_SMALL = 0.72  # a script beside its base
_RELATIONS = "=<>≤≥≠∈←≈→∼"
_NARROW = dict.fromkeys("ijlI.,;:'!|()[]′ℓ", 0.32) | dict.fromkeys("ftrsJ/", 0.4)
_WIDE = dict.fromkeys("mwMW∑∏", 0.8) | dict.fromkeys("ABCDGHKNOQRTUVXYZωΓΔΘΛΞΠΣΦΨΩℒ𝒩𝒟ℋℝℕℤ𝔼", 0.7)
_WIDTHS = _NARROW | _WIDE | dict.fromkeys("=<>+−≤≥≠∈←≈→∼×⋅∧∨", 0.6) | {"\xa0": 0.28, " ": 0.28}
_TALL = "bdfhklitδβθλζξ|()[]{}‖/∂ℓ"


@dataclass(frozen=True)
class Letter:
    """A letter, or a word that stays together, centred on its place."""

    x: float
    y: float
    text: str
    size: float
    italic: bool = False


@dataclass(frozen=True)
class Stroke:
    """A line of a formula: points that a path runs through, straight or through control points."""

    points: tuple[tuple[float, float], ...]
    curved: bool = False


Mark: TypeAlias = Letter | Stroke


@dataclass(frozen=True)
class Box:
    """A formula laid out, its baseline at height zero, downward positive.

    Args:
        width: how wide it is.
        above: how far it rises above the baseline.
        below: how far it hangs below.
        marks: what is drawn.
    """

    width: float
    above: float
    below: float
    marks: tuple[Mark, ...] = ()

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.above + self.below

    def moved(self, x: float, y: float = 0.0) -> tuple[Mark, ...]:
        """Return what is drawn, elsewhere."""
        found: list[Mark] = []
        for mark in self.marks:
            if isinstance(mark, Letter):
                found.append(replace(mark, x=mark.x + x, y=mark.y + y))
            else:
                found.append(replace(mark, points=tuple((a + x, b + y) for a, b in mark.points)))
        return tuple(found)


def typeset(latex: str, size: float = 15.0) -> Box:
    """Lay out a formula.

    Args:
        latex: as the notation prints it.
        size: of a letter, in units of the drawing.

    Raises:
        ReportError: the LaTeX has something that the notation never prints.
    """
    return _laid(ElementTree.fromstring(mathml(latex)), size)


def words(text: str, size: float = 13.0) -> Box:
    """Lay out plain words as a box."""
    width = sum(_WIDTHS.get(letter, 0.5) for letter in text) * size
    return Box(width, 0.75 * size, 0.25 * size, (Letter(width / 2, 0.0, text, size),))


def beside(boxes: Sequence[Box], gap: float = 0.0) -> Box:
    """Set boxes side by side on one baseline."""
    marks: tuple[Mark, ...] = ()
    x = 0.0
    for place, box in enumerate(boxes):
        x += gap * bool(place)
        marks += box.moved(x)
        x += box.width
    above = max((box.above for box in boxes), default=0.0)
    below = max((box.below for box in boxes), default=0.0)
    return Box(x, above, below, marks)


def stacked(rows: Sequence[Box], gap: float) -> Box:
    """Set boxes below each other, each in the middle; the baseline is that of the first."""
    width = max(row.width for row in rows)
    marks: tuple[Mark, ...] = ()
    y = 0.0
    for place, row in enumerate(rows):
        y += row.above + gap if place else 0.0
        marks += row.moved((width - row.width) / 2, y)
        y += row.below
    return Box(width, rows[0].above, y, marks)


def svg(marks: Sequence[Mark], colour: str = "var(--ink)") -> str:
    """Draw marks: letters of one height and size share an element.

    Args:
        marks: what a box was moved to.
        colour: of letters and lines.
    """
    runs: dict[tuple[float, float, bool], list[Letter]] = {}
    long: list[Letter] = []
    path = ""
    for mark in marks:
        if isinstance(mark, Stroke):
            path += _path(mark)
        elif len(mark.text) == 1:
            runs.setdefault((round(mark.y, 1), round(mark.size, 1), mark.italic), []).append(mark)
        else:
            long.append(mark)
    out = ""
    for (y, size, italic), letters in runs.items():
        out += _span(" ".join(f"{m.x:.1f}" for m in letters), y, size, italic,
                     "".join(m.text for m in letters))  # fmt: skip
    for mark in long:
        out += _span(f"{mark.x:.1f}", round(mark.y, 1), mark.size, mark.italic, mark.text)
    drawn = f'<text text-anchor="middle" fill="{colour}">{out}</text>' if out else ""
    if path:
        drawn += f'<path fill="none" stroke="{colour}" d="{path}"/>'
    return drawn


def _span(x: str, y: float, size: float, italic: bool, text: str) -> str:
    style = ' font-style="italic"' if italic else ""
    return f'<tspan x="{x}" y="{y:g}" font-size="{size:.3g}"{style}>{escape(text)}</tspan>'


def _path(stroke: Stroke) -> str:
    (x, y), *rest = stroke.points
    to = " ".join(f"{a:.1f} {b:.1f}" for a, b in rest)
    return f"M{x:.1f} {y:.1f}{'Q' if stroke.curved else 'L'}{to}"


def _laid(node: ElementTree.Element, size: float) -> Box:
    """Lay out one element."""
    reader = _ELEMENTS.get(node.tag)
    if reader is None:
        raise ReportError(f"boxes: expected MathML of the notation, got <{node.tag}>")
    return reader(node, size)


def _row(node: ElementTree.Element, size: float) -> Box:
    children = list(node)
    inner = [
        child if child.get("fence") and child.get("stretchy") == "true" else _laid(child, size)
        for child in children
    ]
    tall = [box for box in inner if isinstance(box, Box)]
    above = max((box.above for box in tall), default=0.7 * size)
    below = max((box.below for box in tall), default=0.2 * size)
    boxes = [
        box if isinstance(box, Box) else _fence(box.text or "", above, below, size) for box in inner
    ]
    box = beside(boxes)
    if node.get("class") == "bar":
        y = -box.above - 0.12 * size
        bar = Stroke(((0.04 * size, y), (box.width - 0.04 * size, y)))
        return Box(box.width, box.above + 0.2 * size, box.below, (*box.marks, bar))
    return box


def _letter(text: str, size: float, italic: bool, before: float = 0.0, after: float = 0.0) -> Box:
    width = sum(_WIDTHS.get(letter, 0.49) for letter in text) * size
    tall = any(c.isupper() or c.isdigit() or c in _TALL for c in text)
    deep = any(c in "gjpqyβγημρφχψζξϕ|()[]{}," for c in text)
    place = (before + 0.0) * size + width / 2
    return Box(
        width + (before + after) * size, (0.72 if tall else 0.5) * size, (0.22 if deep else 0.02) *
        size, (Letter(place, 0.0, text, size, italic),),
    )  # fmt: skip


def _identifier(node: ElementTree.Element, size: float) -> Box:
    text = node.text or ""
    italic = len(text) == 1 and node.get("mathvariant") != "normal"
    return _letter(text, size, italic)


def _plain(node: ElementTree.Element, size: float) -> Box:
    return _letter(node.text or "", size, False)


def _operator(node: ElementTree.Element, size: float) -> Box:
    text = (node.text or "").strip()
    if text in ("∑", "∏"):
        big = 1.35 * size
        return Box(0.85 * big, 0.8 * big, 0.25 * big, (Letter(0.42 * big, 0.0, text, big),))
    if node.get("form") == "infix":
        return _letter(text, size, False, 0.22, 0.22)
    if text in _RELATIONS:
        return _letter(text, size, False, 0.28, 0.28)
    if node.get("separator"):
        return _letter(text, size, False, 0.0, 0.17)
    return _letter(text, size, False)


def _space(node: ElementTree.Element, size: float) -> Box:
    return Box(float((node.get("width") or "0em").removesuffix("em")) * size, 0.0, 0.0)


def _fraction(node: ElementTree.Element, size: float) -> Box:
    top, bottom = (_laid(child, 0.86 * size) for child in node)
    axis, gap = 0.27 * size, 0.16 * size
    width = max(top.width, bottom.width) + 0.2 * size
    up, down = -axis - gap - top.below, -axis + gap + bottom.above
    rule = Stroke(((0.06 * size, -axis), (width - 0.06 * size, -axis)))
    marks = (*top.moved((width - top.width) / 2, up), *bottom.moved((width - bottom.width) / 2,
             down), rule)  # fmt: skip
    return Box(width, top.above - up, down + bottom.below, marks)


def _root(node: ElementTree.Element, size: float) -> Box:
    inside = beside([_laid(child, size) for child in node])
    lead, top = 0.55 * size, -inside.above - 0.14 * size
    points = (
        (0.05 * size, -0.25 * size), (0.18 * size, -0.32 * size), (0.34 * size, inside.below),
        (0.5 * size, top), (lead + inside.width, top),
    )  # fmt: skip
    marks = (*inside.moved(lead), Stroke(points))
    return Box(lead + inside.width + 0.08 * size, 0.1 * size - top, inside.below, marks)


def _scripts(node: ElementTree.Element, size: float) -> Box:
    base, *scripts = list(node)
    below = scripts[0] if node.tag in ("msub", "msubsup") else None
    above = scripts[-1] if node.tag in ("msup", "msubsup") else None
    box = _laid(base, size)
    marks, width, top, bottom = box.marks, 0.0, box.above, box.below
    if below is not None:
        sub = _laid(below, _SMALL * size)
        y = max(0.18 * size, box.below - 0.1 * size + 0.1 * sub.above)
        marks += sub.moved(box.width + 0.02 * size, y)
        width, bottom = sub.width, max(bottom, y + sub.below)
    if above is not None:
        sup = _laid(above, _SMALL * size)
        y = -max(0.36 * size, box.above - 0.32 * size) - sup.below
        marks += sup.moved(box.width + 0.04 * size, y)
        width, top = max(width, sup.width), max(top, sup.above - y)
    return Box(box.width + width + 0.06 * size, top, bottom, marks)


def _limits(node: ElementTree.Element, size: float) -> Box:
    """Set what runs below a sum or a maximum, and an accent above a letter."""
    if node.get("accent"):
        return _accented(node, size)
    base, *others = list(node)
    box = _laid(base, size)
    scripts = [_laid(other, 0.66 * size) for other in others]
    width = max(box.width, *(script.width for script in scripts))
    marks = box.moved((width - box.width) / 2)
    top, bottom = box.above, box.below
    for name, script in zip(_sides(node.tag), scripts, strict=True):
        if name == "under":
            y = bottom + 0.12 * size + script.above
            bottom = y + script.below
        else:
            y = -top - 0.12 * size - script.below
            top = script.above - y
        marks += script.moved((width - script.width) / 2, y)
    return Box(width + 0.1 * size, top, bottom, marks)


def _sides(tag: str) -> tuple[str, ...]:
    return {"munder": ("under",), "mover": ("over",)}.get(tag, ("under", "over"))


def _accented(node: ElementTree.Element, size: float) -> Box:
    base, accent = list(node)
    box = _laid(base, size)
    middle, y = box.width / 2 + 0.05 * size, -box.above - 0.1 * size
    half = min(max(0.17 * size, 0.32 * box.width), 0.6 * size)
    rise = 0.13 * size
    shapes: dict[str, Stroke] = {
        "^": Stroke(((middle - half, y), (middle, y - rise), (middle + half, y))),
        "~": Stroke(((middle - half, y), (middle - half / 2, y - 2 * rise), (middle, y - rise / 2),
                     (middle + half / 2, y + rise / 2), (middle + half, y - rise)), True),
        "˙": Stroke(((middle - 0.04 * size, y), (middle + 0.04 * size, y))),
    }  # fmt: skip
    bar = Stroke(((middle - half, y), (middle + half, y)))
    mark = shapes.get(accent.text or "", bar)
    return Box(box.width, box.above + 0.3 * size, box.below, (*box.marks, mark))


def _fence(sign: str, above: float, below: float, size: float) -> Box:
    """Draw a bracket as tall as what stands in it."""
    if sign in ("", "."):
        return Box(0.1 * size, 0.0, 0.0)
    if above + below < 1.25 * size and sign != "{":
        return _letter(sign, size, False)
    top, bottom, wide = -above - 0.08 * size, below + 0.08 * size, 0.22 * size
    middle = (top + bottom) / 2
    left, right = 0.1 * size, 0.1 * size + wide
    bent = {
        "(": ((right, top), (left - wide / 2, middle), (right, bottom)),
        ")": ((left, top), (right + wide / 2, middle), (left, bottom)),
        "{": _brace(left, top, bottom, wide),
    }
    straight = {
        "[": ((right, top), (left, top), (left, bottom), (right, bottom)),
        "]": ((left, top), (right, top), (right, bottom), (left, bottom)),
    }
    upright = ((left + wide / 2, top), (left + wide / 2, bottom))
    first = Stroke(bent[sign], True) if sign in bent else Stroke(straight.get(sign, upright))
    marks: tuple[Mark, ...] = (first,)
    if sign == "‖":
        marks += (Stroke(tuple((x + wide / 1.5, y) for x, y in upright)),)
    return Box(wide + 0.25 * size, -top, bottom, marks)


def _brace(left: float, top: float, bottom: float, wide: float) -> tuple[tuple[float, float], ...]:
    """Return the points of a brace: corners and control points in turn."""
    middle, stem, right = (top + bottom) / 2, left + wide / 2, left + wide
    return (
        (right, top), (stem, top), (stem, top + wide), (stem, middle - wide),
        (stem, middle - wide), (stem, middle), (left, middle), (stem, middle),
        (stem, middle + wide), (stem, bottom - wide), (stem, bottom - wide), (stem, bottom),
        (right, bottom),
    )  # fmt: skip


def _table(node: ElementTree.Element, size: float) -> Box:
    rows = [[_laid(cell, size) for cell in row] for row in node]
    columns = max(map(len, rows))
    widths = [max((row[c].width for row in rows if c < len(row)), default=0.0)
              for c in range(columns)]  # fmt: skip
    gap = 1.0 * size if node.get("class") == "cases" else 0.0
    lines: list[Box] = []
    for row in rows:
        x = 0.0
        marks: tuple[Mark, ...] = ()
        for c, cell in enumerate(row):
            marks += cell.moved(x)
            x += widths[c] + gap
        lines.append(Box(x - gap, max(b.above for b in row), max(b.below for b in row), marks))
    height = sum(line.height for line in lines) + 0.3 * size * (len(lines) - 1)
    y = -height / 2 - 0.27 * size
    drawn: tuple[Mark, ...] = ()
    for line in lines:
        drawn += line.moved(0.0, y + line.above)
        y += line.height + 0.3 * size
    width = max(line.width for line in lines)
    return Box(width, height / 2 + 0.27 * size, height / 2 - 0.27 * size, drawn)


_ELEMENTS: dict[str, Callable[[ElementTree.Element, float], Box]] = {
    "math": _row, "mrow": _row, "mtd": _row, "mi": _identifier, "mn": _plain, "mtext": _plain,
    "mo": _operator, "mspace": _space, "mfrac": _fraction, "msqrt": _root, "msub": _scripts,
    "msup": _scripts, "msubsup": _scripts, "munder": _limits, "mover": _limits,
    "munderover": _limits, "mtable": _table,
}  # fmt: skip
