"""The computational graph of an objective, drawn: inputs, equations, value, and how they hang."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.notation.conditions import Let
from symcalc.notation.latex import Symbols, defined_latex, latex
from symcalc.notation.lettering import glyph
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Access, Tensor
from symcalc.report import boxes
from symcalc.report.blocks import Figure, Inline, Line
from symcalc.report.layers import Drawing, Place, layered
from symcalc.report.symbols import title

_PAD = (11.0, 8.0)
_WIDEST = 330.0  # of an equation in a node: a phone's screen
_TALLEST = 74.0
_MANY = 9  # equations; beyond, only what the objective itself names is drawn
_ROOM = 8.0
_ARROW = 5.5


@dataclass(frozen=True)
class Node:
    """A node of the picture.

    Args:
        name: of the tensor.
        left: the tensor with its indices, as LaTeX.
        right: its formula, as LaTeX; empty for an input.
        parents: the nodes that it reads.
        own: letters of inputs that are written into the node instead of standing beside it.
        flows: whether the derivative comes through here.
    """

    name: str
    left: str
    right: str
    parents: tuple[str, ...]
    own: tuple[str, ...] = ()
    flows: bool = False


def graph_figure(objective: Objective, derivation: Derivation, letters: Symbols) -> Figure:
    """Draw the inputs, the equations of the value and what reads what.

    Of a large network the equations that it names are drawn, without their formulas, and an input
    that one equation alone reads is written into that equation's node.

    Args:
        objective: what to draw.
        derivation: its derivation.
        letters: the letters of the page.
    """
    nodes = graph_nodes(objective, derivation, letters)
    whole = len(_value_equations(derivation)) <= _MANY
    shown = {node.name: _node_box(node, whole) for node in nodes}
    sizes = {
        name: (box.width + 2 * _PAD[0], box.height + 2 * _PAD[1]) for name, box in shown.items()
    }
    drawing = layered(sizes, {node.name: node.parents for node in nodes})
    return Figure(
        _svg(nodes, shown, sizes, drawing), _alt(objective, nodes), _caption(nodes, whole)
    )


def graph_nodes(objective: Objective, derivation: Derivation, letters: Symbols) -> tuple[Node, ...]:
    """Return the nodes of the graph, each after those that it reads; the value is the last."""
    equations = _value_equations(derivation)
    if len(equations) > _MANY:
        equations = _abbreviated(objective, equations)
    reads = {e.target.name: _read(e.body) for e in equations}
    used = {name for found in reads.values() for name in found}
    inputs = [tensor for tensor in objective.inputs if tensor.name in used]
    flows = set(derivation.wrt)
    for equation in equations:
        if flows & set(reads[equation.target.name]):
            flows.add(equation.target.name)
    inside: dict[str, list[Tensor]] = {}
    if len(equations) + len(inputs) > 2 * _MANY - 2:
        inside = _inside(inputs, reads)
    hidden = {tensor.name for found in inside.values() for tensor in found}
    nodes = [
        Node(tensor.name, glyph(tensor.name, letters).at(), "", (), (), tensor.name in flows)
        for tensor in inputs if tensor.name not in hidden
    ]  # fmt: skip
    for equation in equations:
        name = equation.target.name
        right = defined_latex(equation.left, equation.body, letters, equation.indices)
        own = tuple(glyph(tensor.name, letters).at() for tensor in inside.get(name, ()))
        parents = tuple(parent for parent in reads[name] if parent not in hidden)
        nodes.append(Node(name, latex(equation.left, letters), right, parents, own, name in flows))
    return tuple(nodes)


def _value_equations(derivation: Derivation) -> tuple[Equation, ...]:
    """Return the equations that the value stands on, its own last."""
    last = next(p for p, e in enumerate(derivation.equations) if e.target == derivation.value)
    wanted, found = {derivation.value.name}, []
    for equation in reversed(derivation.equations[: last + 1]):
        if equation.target.name in wanted:
            wanted |= set(_read(equation.body))
            found.append(equation)
    return tuple(reversed(found))


def _read(body: Any) -> tuple[str, ...]:
    """Return the names of what a formula reads, in a fixed order."""
    return tuple(sorted({access.tensor.name for access in body.atoms(Access)}))


def _abbreviated(objective: Objective, equations: Sequence[Equation]) -> tuple[Equation, ...]:
    """Leave out the equations that the objective does not name: their readers read through them."""
    named = {meant.name for meant in objective.definitions}
    named |= {let.name for formula in objective.formulas for let in formula.atoms(Let)}
    last = equations[-1].target
    through: dict[Tensor, frozenset[Access]] = {}
    kept = []
    for equation in equations:
        accesses: set[Access] = set()
        for access in equation.body.atoms(Access):
            accesses |= through.get(access.tensor, frozenset({access}))
        if equation.target.name in named or equation.target == last:
            kept.append(Equation(equation.target, equation.indices, _sum_of(accesses)))
        else:
            through[equation.target] = frozenset(accesses)
    return tuple(kept)


def _sum_of(accesses: set[Access]) -> Any:
    """A formula that reads just these."""
    total: Any = 0
    for access in sorted(accesses, key=str):
        total += access
    return total


def _inside(
    inputs: Sequence[Tensor], reads: Mapping[str, Sequence[str]]
) -> dict[str, list[Tensor]]:
    """Return for each equation the inputs that it alone reads, the first input excepted."""
    found: dict[str, list[Tensor]] = {}
    for tensor in inputs[1:]:
        readers = [name for name, names in reads.items() if tensor.name in names]
        if len(readers) == 1:
            found.setdefault(readers[0], []).append(tensor)
    return found


def _node_box(node: Node, whole: bool) -> boxes.Box:
    """Lay out what stands in a node: its equation where there is room, else its letter."""
    left = boxes.typeset(node.left)
    if whole and node.right:
        box = boxes.typeset(f"{node.left} = {node.right}")
        if box.width <= _WIDEST and box.height <= _TALLEST:
            return box
    if node.own:
        with_own = boxes.typeset(", ".join(node.own), 12.0)
        return boxes.stacked((left, with_own), 4.0)
    return left


def _svg(
    nodes: Sequence[Node],
    shown: Mapping[str, boxes.Box],
    sizes: Mapping[str, tuple[float, float]],
    drawing: Drawing,
) -> str:
    width, height = drawing.width + 2 * _ROOM, drawing.height + 2 * _ROOM
    flows = {node.name for node in nodes if node.flows}
    out = ""
    edges = [(flows.issuperset(ends), points) for ends, points in drawing.edges.items()]
    for is_flow, points in sorted(edges, key=lambda edge: edge[0]):  # coloured ones on top
        out += _edge(points, is_flow)
    for node in nodes:
        place, (wide, tall) = drawing.places[node.name], sizes[node.name]
        out += _frame(node, nodes[-1], place, wide, tall)
        box = shown[node.name]
        out += boxes.svg(box.moved(place.x - box.width / 2, place.y + (box.above - box.below) / 2))
    view = f"{-_ROOM:g} {-_ROOM:g} {width:.0f} {height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" font-family="Georgia,serif" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:{width:.0f}px;margin:auto">'
        f"{out}</svg>"
    )


def _frame(node: Node, last: Node, place: Place, wide: float, tall: float) -> str:
    """Draw the frame of a node: round for an input, double for the value."""
    round_ = min(tall / 2, 16.0) if not node.right else 4.0
    stroke = "var(--curve-1)" if node.flows else "var(--quiet)"
    frame = _rect(place, wide, tall, round_, stroke, 1.2)
    if node is last:
        return frame + _rect(place, wide - 5, tall - 5, 2.5, stroke, 0.6)
    return frame


def _rect(place: Place, wide: float, tall: float, corner: float, stroke: str, thick: float) -> str:
    return (
        f'<rect x="{place.x - wide / 2:.1f}" y="{place.y - tall / 2:.1f}" width="{wide:.1f}" '
        f'height="{tall:.1f}" rx="{corner:g}" fill="var(--paper)" stroke="{stroke}" '
        f'stroke-width="{thick:g}"/>'
    )


def _edge(points: Sequence[Place], flows: bool) -> str:
    """Draw an edge as a smooth curve that ends in an arrow."""
    colour = "var(--curve-1)" if flows else "var(--quiet)"
    start, *rest = points
    path = f"M{start.x:.1f} {start.y:.1f}"
    before = start
    for k, point in enumerate(rest):
        end = Place(point.x, point.y - (_ARROW if k == len(rest) - 1 else 0))
        half = (before.y + end.y) / 2
        path += f"C{before.x:.1f} {half:.1f} {end.x:.1f} {half:.1f} {end.x:.1f} {end.y:.1f}"
        before = end
    tip = rest[-1]
    head = f"M{tip.x:.1f} {tip.y:.1f}l{-0.6 * _ARROW:.1f} {-1.3 * _ARROW:.1f}h{1.2 * _ARROW:.1f}z"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{1.5 if flows else 1}"/>'
        f'<path d="{head}" fill="{colour}"/>'
    )


def _alt(objective: Objective, nodes: Sequence[Node]) -> str:
    """Say in words what reads what."""
    inputs = ", ".join(node.name for node in nodes if not node.right)
    said = [
        f"{node.name} from {', '.join(node.parents)}"
        for node in nodes if node.right and node.parents
    ]  # fmt: skip
    return f"Computational graph of {title(objective.name)}. Inputs: {inputs}. {'; '.join(said)}."


def _caption(nodes: Sequence[Node], whole: bool) -> Line:
    parts: list[Inline] = [
        "Inputs are round, the value has a double frame. The coloured arrows are the paths along "
        "which the derivative comes back."
    ]
    if not whole:
        parts.append(" Only what the objective names is drawn.")
    if any(node.own for node in nodes):
        parts.append(" Inputs that one equation alone reads stand in small below it.")
    return tuple(parts)
