"""The computational graph of a formula of numbers, with both modes of differentiation on it.

Forward mode carries with each node its derivative by an input, from the inputs to the value:
dv = sum over parents u of (dv/du) du. Reverse mode carries the value's derivative by each node, the
other way: the adjoint of u is the sum, over the nodes v that read it, of their adjoint times dv/du.

Reference: Griewank and Walther (2008), ISBN 9780898716597, chapter 3
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from symcalc.calculus.derive import derive
from symcalc.learn.kernels import kernel_of
from symcalc.learn.operations import operations
from symcalc.notation.errors import ArgumentError
from symcalc.notation.parser import parse
from symcalc.notation.text import text as as_text


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
    parts = operations(formula, tuple(point))
    values: dict[str, float] = {name: point[name] for name in parts.inputs}
    partials: dict[str, tuple[str, ...]] = {}
    slopes: dict[str, tuple[float, ...]] = {}
    for name, parents in parts.parents.items():
        found = _local(parts.formulas[name], parents, values)
        values[name], partials[name], slopes[name] = found
    tangents = _forward(parts.inputs, parts.parents, slopes)
    adjoints = _reverse(parts.inputs, parts.parents, slopes, parts.last)
    nodes = [
        Node(
            name, parts.formulas.get(name, ""), parts.parents.get(name, ()), value,
            partials.get(name, ()), slopes.get(name, ()), MappingProxyType(tangents[name]),
            adjoints[name],
        )
        for name, value in values.items()
    ]  # fmt: skip
    _check_finite(nodes)
    return Graph(parts.text, MappingProxyType({n: point[n] for n in parts.inputs}), tuple(nodes))


def _number(name: str, given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ArgumentError(f"at: {name}: expected a finite number, got {given!r:.40}")
    return number


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
    inputs: tuple[str, ...], parents: Mapping[str, tuple[str, ...]], slopes: Mapping[str, Any]
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
    inputs: tuple[str, ...],
    parents: Mapping[str, tuple[str, ...]],
    slopes: Mapping[str, Any],
    last: str,
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
