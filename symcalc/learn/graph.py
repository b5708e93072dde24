"""The computational graph of a formula of numbers, with both modes of differentiation on it.

Forward mode carries with each node its derivative by an input, from the inputs to the value:
dv = sum over parents u of (dv/du) du. Reverse mode carries the value's derivative by each node, the
other way: the adjoint of u is the sum, over the nodes v that read it, of their adjoint times dv/du.

Reference: Griewank and Walther (2008), ISBN 9780898716597, chapter 3
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

import numpy as np

from symcalc.calculus.derive import derive
from symcalc.learn.kernels import kernel_of
from symcalc.notation.errors import ArgumentError, ParseError
from symcalc.notation.objective import Objective
from symcalc.notation.parser import parse
from symcalc.notation.text import text as as_text
from symcalc.notation.vocabulary import SCALARS

MOST = 60  # nodes that a picture has room for
_NOT_NUMBERS = (ast.Compare, ast.BoolOp)


@dataclass(frozen=True)
class Node:
    """One operation, or an input.

    Args:
        name: the input's, or v1, v2, ...
        formula: what it computes, of the names of its parents; empty for an input.
        parents: the nodes that it reads.
        value: at the point.
        partials: its derivative by each parent, as a formula.
        slopes: the same, as a number.
        tangents: its derivative by each input.
        adjoint: the derivative of the whole by it.
    """

    name: str
    formula: str
    parents: tuple[str, ...]
    value: float
    partials: tuple[str, ...]
    slopes: tuple[float, ...]
    tangents: Mapping[str, float]
    adjoint: float


@dataclass(frozen=True)
class Graph:
    """A formula as a graph, with values, tangents and adjoints at a point.

    Args:
        formula: the text.
        at: the point.
        nodes: the inputs, then the operations, each after those that it reads; the last is the
            whole.
    """

    formula: str
    at: Mapping[str, float]
    nodes: tuple[Node, ...]

    @property
    def value(self) -> float:
        """Of the whole."""
        return self.nodes[-1].value

    @property
    def gradient(self) -> dict[str, float]:
        """The derivative of the whole by each input: the adjoints of these."""
        return {node.name: node.adjoint for node in self.nodes if node.name in self.at}

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def table(self) -> list[tuple[str, ...]]:
        """Return a row a node: formula, value, a tangent for each input, adjoint."""
        rows: list[tuple[str, ...]] = [
            ("node", "formula", "value", *(f"d/d{name}" for name in self.at), "adjoint")
        ]
        for node in self.nodes:
            numbers = (node.value, *node.tangents.values(), node.adjoint)
            rows.append((node.name, node.formula or "input", *map(shown, numbers)))
        return rows

    def edges(self) -> list[tuple[str, ...]]:
        """Return a row an edge: who reads whom, the partial derivative, and its value."""
        rows: list[tuple[str, ...]] = [("edge", "partial derivative", "value")]
        for node in self.nodes:
            for parent, partial, slope in zip(
                node.parents, node.partials, node.slopes, strict=True
            ):
                rows.append((f"{parent} -> {node.name}", partial, shown(slope)))
        return rows

    def outline(self) -> list[str]:
        """Return the graph as lines of text: below each node those that it reads.

        A node that is read twice stands in full where it is read first.
        """
        lines: list[str] = []
        told: set[str] = set()

        def write(node: Node, lead: str, branch: str, below: str) -> None:
            formula = f" = {node.formula}" if node.formula else ""
            again = node.name in told and bool(node.parents)
            said = f"{node.name}{formula} = {shown(node.value)}, adjoint {shown(node.adjoint)}"
            lines.append(lead + branch + (f"{node.name} (above)" if again else said))
            told.add(node.name)
            parents = () if again else node.parents
            for place, parent in enumerate(parents):
                is_last = place == len(parents) - 1
                write(self[parent], lead + below, "└─ " if is_last else "├─ ",
                      "   " if is_last else "│  ")  # fmt: skip

        write(self.nodes[-1], "", "", "")
        return lines

    def draw(self) -> Any:
        """Draw the graph twice: forward with tangents, reverse with adjoints."""
        from symcalc.learn.graph_picture import draw

        return draw(self)


def graph(formula: str, at: Mapping[str, float]) -> Graph:
    """Take a formula of numbers apart into a graph, and differentiate it in both modes.

    graph("x*y + sin(x)", {"x": 2, "y": 3})

    Equal parts are one node. The derivative of each operation is derived by itself; the sweeps
    only multiply and add.

    Args:
        formula: in the notation, of names without brackets.
        at: a finite number for each name.

    Returns:
        The Graph: .value, .gradient, .nodes, .table(), .draw().

    Raises:
        ParseError: the text is no formula, or reads an index.
        ArgumentError: a name has no number, a number no name; a node is not finite there.
    """
    point = {name: _number(name, given) for name, given in at.items()}
    whole = _whole(formula, point)
    flat = " ".join(formula.split("\n")).strip()
    builder = _Builder(flat, [t.name for t in whole.inputs])
    last = builder.visit(ast.parse(flat, mode="eval").body)
    if last not in builder.parents:
        raise ArgumentError(f"graph: expected a formula of an operation at least, got {flat!r}")
    values: dict[str, float] = {name: point[name] for name in builder.inputs}
    partials: dict[str, tuple[str, ...]] = {}
    slopes: dict[str, tuple[float, ...]] = {}
    for name, parents in builder.parents.items():
        found = _local(builder.formulas[name], parents, values)
        values[name], partials[name], slopes[name] = found
    tangents = _forward(builder.inputs, builder.parents, slopes)
    adjoints = _reverse(builder.inputs, builder.parents, slopes, last)
    nodes = [
        Node(
            name, builder.formulas.get(name, ""), builder.parents.get(name, ()), value,
            partials.get(name, ()), slopes.get(name, ()), MappingProxyType(tangents[name]),
            adjoints[name],
        )
        for name, value in values.items()
    ]  # fmt: skip
    _check_finite(nodes)
    return Graph(flat, MappingProxyType({n: point[n] for n in builder.inputs}), tuple(nodes))


def _number(name: str, given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ArgumentError(f"at: {name}: expected a finite number, got {given!r:.40}")
    return number


def _whole(formula: str, point: Mapping[str, float]) -> Objective:
    """Read the formula, to find what is wrong with it, and hold its names against the point."""
    used = {n.id for n in ast.walk(_tree(formula)) if isinstance(n, ast.Name)}
    for name in point:
        if name not in used:
            raise ArgumentError(f"at: {name} does not stand in {formula!r}")
    if not point:
        raise ArgumentError("at: expected a number for each name, such as x=2, got none")
    indexed = {ast.unparse(n.value) for n in ast.walk(_tree(formula)) if _reads_an_index(n)}
    if indexed:
        raise ArgumentError(
            f"graph: expected a formula of numbers, got the array {', '.join(sorted(indexed))}"
        )
    whole = parse(formula, wrt=tuple(point), shapes=dict.fromkeys(point, ""))
    if whole.parameters:
        missing = ", ".join(p.name for p in whole.parameters)
        raise ArgumentError(f"at: missing {missing}: expected a number for each name")
    return whole


def _reads_an_index(node: ast.AST) -> TypeGuard[ast.Subscript]:
    if not isinstance(node, ast.Subscript):
        return False
    return not (isinstance(node.slice, ast.Tuple) and not node.slice.elts)


def _tree(formula: str) -> ast.AST:
    """The syntax, if it is any; what is not, `parse` says better."""
    try:
        return ast.parse(" ".join(str(formula).split("\n")).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        parse(formula)
        raise ParseError(f"formula: cannot be read: {formula!r:.80}") from None


class _Builder:
    """Takes a syntax tree that `parse` has accepted apart, a node an operation."""

    def __init__(self, text: str, inputs: list[str]) -> None:
        self.text = text
        self.inputs = inputs
        self.parents: dict[str, tuple[str, ...]] = {}
        self.formulas: dict[str, str] = {}
        self.letter = "v" if not any(n[0] == "v" and n[1:].isdigit() for n in inputs) else "w_"

    def visit(self, node: ast.AST) -> str:
        """Return the name of the node that computes this part, or the constant as text."""
        if isinstance(node, (ast.Name, ast.Subscript, ast.Constant)):
            return ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.visit(node.operand)
        if isinstance(node, ast.Call):
            return self.visit_call(node)
        if isinstance(node, (ast.BinOp, ast.UnaryOp, *_NOT_NUMBERS)):
            return self.made(node)
        raise ParseError(f"graph: {ast.unparse(node)} is no operation on numbers", self.text)

    def visit_call(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)  # parse has seen to it
        if node.func.id == "let":
            return self.visit(node.args[1])
        if node.func.id not in (*SCALARS, "where", "max", "min", "eq", "ne"):
            raise ParseError(
                f"graph: expected operations on numbers, got {node.func.id}",
                self.text, node.col_offset,
            )  # fmt: skip
        return self.made(node)

    def made(self, node: Any) -> str:
        """Name an operation, its operands named before; of constants alone it is one itself."""
        parts = {id(part): self.operand(part) for part in _operands(node)}
        formula = ast.unparse(_Renamed(parts).visit(node))
        read = [n.id for n in ast.walk(ast.parse(formula)) if isinstance(n, ast.Name)]
        parents = tuple(dict.fromkeys(n for n in read if n in self.inputs or n in self.parents))
        if not parents:
            return f"({formula})"
        for name, known in self.formulas.items():
            if known == formula:
                return name
        name = f"{self.letter}{len(self.formulas) + 1}"
        if len(self.formulas) + len(self.inputs) >= MOST:
            raise ArgumentError(f"graph: expected at most {MOST} nodes, to be drawn")
        self.formulas[name], self.parents[name] = formula, parents
        return name

    def operand(self, node: ast.AST) -> ast.expr:
        return ast.parse(self.visit(node), mode="eval").body


def _operands(node: ast.AST) -> list[ast.AST]:
    """The parts that are numbers; a condition is part of the choice that it makes."""
    if isinstance(node, ast.BinOp):
        parts: list[ast.AST] = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.BoolOp):
        parts = list(node.values)
    else:
        assert isinstance(node, ast.Call)
        parts = list(node.args)
    found = []
    for part in parts:
        found += _operands(part) if _is_condition(part) else [part]
    return found


def _is_condition(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("eq", "ne")
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.BitAnd, ast.BitOr))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.Not, ast.Invert))
    return isinstance(node, _NOT_NUMBERS)


class _Renamed(ast.NodeTransformer):
    """Puts names in the places of operands."""

    def __init__(self, parts: Mapping[int, ast.expr]) -> None:
        self.parts = parts

    def visit(self, node: ast.AST) -> Any:
        return self.parts[id(node)] if id(node) in self.parts else self.generic_visit(node)


def _local(
    formula: str, parents: tuple[str, ...], values: Mapping[str, float]
) -> tuple[float, tuple[str, ...], tuple[float, ...]]:
    """Derive one operation by itself; return value, partial derivatives, and these as numbers."""
    operation = parse(formula, wrt=parents, shapes=dict.fromkeys(parents, ""))
    derivation = derive(operation)
    kernel = kernel_of(operation, "numpy")
    point = {name: np.array(values[name]) for name in parents}
    with np.errstate(all="ignore"):
        value, slopes = kernel.value_and_grad(**point)
    partials = tuple(as_text(derivation.gradient[name]) for name in parents)
    return float(value), partials, tuple(float(slope) for slope in slopes)


def _forward(
    inputs: list[str], parents: Mapping[str, tuple[str, ...]], slopes: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Carry the derivative by each input from node to node."""
    tangents = {name: {by: float(by == name) for by in inputs} for name in inputs}
    for name, read in parents.items():
        tangents[name] = {
            by: sum(_times(s, tangents[u][by]) for u, s in zip(read, slopes[name], strict=True))
            for by in inputs
        }
    return tangents


def _reverse(
    inputs: list[str], parents: Mapping[str, tuple[str, ...]], slopes: Mapping[str, Any], last: str
) -> dict[str, float]:
    """Carry the derivative of the last node back to all that it stands on."""
    adjoints = dict.fromkeys([*inputs, *parents], 0.0) | {last: 1.0}
    for name in reversed(list(parents)):
        for parent, slope in zip(parents[name], slopes[name], strict=True):
            adjoints[parent] += _times(adjoints[name], slope)
    return adjoints


def _times(a: float, b: float) -> float:
    """A product in which 0 is nothing at all: a side that is not taken may hold what it likes."""
    return a * b if a and b else 0.0


def _check_finite(nodes: list[Node]) -> None:
    """Refuse a point at which the value or its gradient is not finite; name where that begins."""
    for node in nodes:
        matters = bool(node.parents) and (node.adjoint != 0 or node is nodes[-1])
        if matters and not np.isfinite((node.value, *node.slopes)).all():
            slopes = ", ".join(map(shown, node.slopes))
            raise ArgumentError(
                f"graph: {node.name} = {node.formula}: expected a finite value and finite slopes, "
                f"got {shown(node.value)} and {slopes}"
            )
    for node in nodes:
        if not np.isfinite(node.adjoint):
            raise ArgumentError(
                f"graph: {node.name}: expected a finite adjoint, got {shown(node.adjoint)}"
            )


def shown(number: float) -> str:
    """Return a number in six digits."""
    return f"{number:.6g}"
