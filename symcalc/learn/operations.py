"""A formula of numbers, taken apart into single operations."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from symcalc.notation.errors import ArgumentError, ParseError
from symcalc.notation.parser import parse
from symcalc.notation.vocabulary import SCALARS

MOST = 60  # nodes that a picture has room for
_NOT_NUMBERS = (ast.Compare, ast.BoolOp)


@dataclass(frozen=True)
class Operations:
    """A formula, an operation at a time.

    Args:
        text: the formula on one line.
        inputs: the names that it reads.
        formulas: of each operation by its name, what it computes of the names of others.
        parents: of each operation, the names that it reads; each stands after these.
        last: the name of the operation that gives the whole.
    """

    text: str
    inputs: tuple[str, ...]
    formulas: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]
    last: str


def operations(formula: str, names: tuple[str, ...]) -> Operations:
    """Take a formula apart; equal parts are one operation.

    Args:
        formula: in the notation, of names without brackets.
        names: those that have a number.

    Raises:
        ParseError: the text is no formula, or does more than compute with numbers.
        ArgumentError: a name has no number, a number no name; there is no operation, or too many.
    """
    inputs = _check(formula, names)
    text = " ".join(formula.split("\n")).strip()
    builder = _Builder(text, inputs)
    last = builder.visit(ast.parse(text, mode="eval").body)
    if last not in builder.parents:
        raise ArgumentError(f"graph: expected a formula of an operation at least, got {text!r}")
    return Operations(text, inputs, builder.formulas, builder.parents, last)


def _check(formula: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Read the formula, to find what is wrong with it; return the names that it reads."""
    used = {n.id for n in ast.walk(_tree(formula)) if isinstance(n, ast.Name)}
    for name in names:
        if name not in used:
            raise ArgumentError(f"at: {name} does not stand in {formula!r}")
    if not names:
        raise ArgumentError("at: expected a number for each name, such as x=2, got none")
    indexed = {ast.unparse(n.value) for n in ast.walk(_tree(formula)) if _reads_an_index(n)}
    if indexed:
        raise ArgumentError(
            f"graph: expected a formula of numbers, got the array {', '.join(sorted(indexed))}"
        )
    whole = parse(formula, wrt=names, shapes=dict.fromkeys(names, ""))
    if whole.parameters:
        missing = ", ".join(p.name for p in whole.parameters)
        raise ArgumentError(f"at: missing {missing}: expected a number for each name")
    return tuple(tensor.name for tensor in whole.inputs)


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

    def __init__(self, text: str, inputs: tuple[str, ...]) -> None:
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
