"""What a formula's text says of its arrays: their ranks, their dims, and which are labels."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass, field

from symcalc.notation.dims import Dim
from symcalc.notation.errors import NotationError, ParseError
from symcalc.notation.vocabulary import FUNCTIONS, REDUCTIONS


@dataclass
class Inferred:
    """Names by what they are.

    Args:
        shapes: arrays and their dims, in order of appearance.
        labels: arrays used as an index, and the dim they stay below.
        scalars: names without brackets that are neither index nor dim.
        free: indices that nothing binds, and their dims.
        bound: for each binding call (by id), its indices and their dims.
        dims: the names of all dims.
    """

    shapes: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    labels: dict[str, Dim] = field(default_factory=dict)
    scalars: list[str] = field(default_factory=list)
    free: dict[str, Dim] = field(default_factory=dict)
    bound: dict[int, dict[str, Dim]] = field(default_factory=dict)
    dims: set[str] = field(default_factory=set)


_Slot = tuple[str, int]  # an array's axis
_Variable = tuple[str, int]  # an index letter and the id of the call that binds it (0: free)


class _Survey(ast.NodeVisitor):
    """First walk: who indexes what, without yet knowing the dims."""

    def __init__(self, text: str, named: frozenset[str] = frozenset()) -> None:
        self.named = named
        self.text = " ".join(text.split("\n"))
        self.lead = len(self.text) - len(self.text.lstrip())
        self.scope: dict[str, int] = {}
        self.ranks: dict[str, int] = {}
        self.bare: dict[str, ast.Name] = {}
        self.pairs: list[tuple[_Slot, _Variable]] = []
        self.gathers: list[tuple[_Slot, str]] = []
        self.variables: dict[_Variable, ast.AST] = {}
        self.written: dict[str, str] = {}  # each array as it stands where it stands first

    def fail(self, node: ast.AST, message: str) -> ParseError:
        return ParseError(
            f"formula: {message}", self.text, getattr(node, "col_offset", 0) + self.lead
        )

    def visit_Call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            shown = ast.unparse(node.func)
            close = difflib.get_close_matches(shown, FUNCTIONS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            shown = shown if len(shown) < 40 else shown[:37] + "..."
            raise self.fail(node, f"{shown} is not a function of the notation{hint}")
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.fail(node, f"{node.func.id}: expected plain arguments")
        outer, rest = dict(self.scope), list(node.args)
        if node.func.id == "let":
            if len(rest) != 2 or not isinstance(rest[0], ast.Name):
                raise self.fail(node, "let: expected a name and a formula, as in let(mu, e)")
            rest = rest[1:]
        if _binds(node):
            for argument in node.args[:-1]:
                if not isinstance(argument, ast.Name):
                    raise self.fail(
                        argument,
                        f"{node.func.id}: expected an index first, as in {node.func.id}(i, x[i])",
                    )
                if self.scope.get(argument.id) == id(node):
                    raise self.fail(
                        argument, f"{node.func.id}: {argument.id} is bound twice; bind it once"
                    )
                self.scope[argument.id] = id(node)
                self.variables.setdefault((argument.id, id(node)), argument)
            rest = node.args[-1:]
        for argument in rest:
            self.visit(argument)
        self.scope = outer

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.value, ast.Name):
            raise self.fail(node, "expected an array's name before the brackets")
        name = node.value.id
        if name in FUNCTIONS:
            raise self.fail(node, f"{name} is a function: write {name}(...)")
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        known = self.ranks.setdefault(name, len(places))
        first = self.written.setdefault(name, ast.unparse(node))
        if known != len(places):
            raise self.fail(
                node, f"{name} has {known} indices elsewhere, in {first}, {len(places)} here"
            )
        for axis, place in enumerate(places):
            self.visit_place(name, axis, place)

    def visit_place(self, name: str, axis: int, place: ast.expr) -> None:
        """An index, an index plus or minus a whole number, a whole number, or an array's entry."""
        if isinstance(place, ast.Subscript):
            self.visit(place)
            assert isinstance(place.value, ast.Name)
            self.gathers.append(((name, axis), place.value.id))
            return
        letters = [n for n in ast.walk(place) if isinstance(n, ast.Name)]
        if isinstance(place, ast.BinOp) and isinstance(place.op, (ast.Add, ast.Sub)):
            if len(letters) != 1 or (
                isinstance(place.op, ast.Sub) and not isinstance(place.left, ast.Name)
            ):
                raise self.fail(place, "expected an index plus or minus a whole number")
        elif not isinstance(place, (ast.Name, ast.Constant)):
            raise self.fail(place, "expected an index, as in x[i] or x[i+1]")
        for letter in letters:
            variable = (letter.id, self.scope.get(letter.id, 0))
            self.variables.setdefault(variable, letter)
            self.pairs.append(((name, axis), variable))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in FUNCTIONS and node.id not in self.named:
            raise self.fail(node, f"{node.id} is a function: write {node.id}(...)")
        if node.id not in self.scope:
            self.bare.setdefault(node.id, node)


def _binds(call: ast.Call) -> bool:
    """Whether a call binds its leading arguments: a reduction; max(a, b) of formulas does not."""
    assert isinstance(call.func, ast.Name)
    if call.func.id not in REDUCTIONS or len(call.args) < 2:
        return False
    if call.func.id not in ("max", "min"):
        return True
    letters = {argument.id for argument in call.args[:-1] if isinstance(argument, ast.Name)}
    used = {
        name.id
        for node in ast.walk(call.args[-1])
        if isinstance(node, ast.Subscript)
        for name in ast.walk(node.slice)
        if isinstance(name, ast.Name)
    }
    return len(letters) == len(call.args) - 1 and letters <= used


def infer(
    tree: ast.expr, text: str, shapes: dict[str, str], named: frozenset[str] = frozenset()
) -> Inferred:
    """Give every array its dims and every index its dim.

    The dim of i is n, of another index k it is n_k, unless `shapes` names it. A hyperparameter may
    bear a function's name if it is `named`.

    Raises:
        ParseError: the text uses what the notation has not.
        NotationError: one index runs over two dims.
    """
    survey = _Survey(text, named)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not node.id.isascii():
            raise survey.fail(node, f"expected a name in plain letters, got {node.id!r}")
    try:
        survey.visit(tree)
    except RecursionError:
        raise ParseError("formula: nested too deeply", survey.text, 0) from None
    names = _dim_names(survey, shapes)
    found = Inferred()
    for tensor, rank in survey.ranks.items():
        found.shapes[tensor] = tuple(Dim(names[(tensor, axis)]) for axis in range(rank))
    for slot, tensor in survey.gathers:
        below = Dim(names[slot])
        if found.labels.setdefault(tensor, below) != below:
            raise NotationError(
                f"formula: {tensor} is an index into both {found.labels[tensor]} and {below}, in "
                f"{survey.written[slot[0]]}: labels stay below one extent"
            )
    for name, shape in shapes.items():
        if not isinstance(shape, str):
            raise NotationError(f"shapes: {name}: expected text such as 'n c', got {shape!r}")
    found.dims = set(names.values()) | {w for s in shapes.values() for w in _words(s)}
    sizes = {names[slot] for slot in names if slot[0] in survey.ranks}
    for (letter, binder), node in survey.variables.items():
        dim = Dim(names[(letter, binder)])
        if dim.name not in sizes:
            raise survey.fail(
                node, f"index {letter} runs over {dim}, which is the extent of no input: it "
                "indexes no array"
            )  # fmt: skip
        if binder:
            found.bound.setdefault(binder, {})[letter] = dim
        else:
            found.free[letter] = dim
    for name, node in survey.bare.items():
        if name in found.shapes:
            raise survey.fail(
                node, f"{name} is an array: write {name}[...] with its indices, as in "
                f"{survey.written[name]}"
            )  # fmt: skip
        if name not in found.free and name not in found.dims and name != "pi":
            found.scalars.append(name)
    return found


def _words(shape: str) -> list[str]:
    return shape.replace(",", " ").split()


def _dim_names(survey: _Survey, shapes: dict[str, str]) -> dict[tuple[str, int], str]:
    """Unite axes and indices that must agree, and name each class once."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(item: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(item, item) != item:
            item = parent[item]
        return item

    slots = [(tensor, axis) for tensor, rank in survey.ranks.items() for axis in range(rank)]
    keyed = {slot: (f"[{slot[0]}]", slot[1]) for slot in slots}  # arrays apart from letters
    for slot, variable in survey.pairs:
        parent[root(keyed[slot])] = root(variable)
    declared: dict[tuple[str, int], str] = {}
    sources: dict[tuple[str, int], str] = {}
    for tensor, shape in shapes.items():
        if not isinstance(shape, str):
            raise NotationError(f"shapes: {tensor}: expected text such as 'n c', got {shape!r}")
        words = _words(shape)
        if tensor in survey.ranks and len(words) != survey.ranks[tensor]:
            raise NotationError(
                f"shapes: {tensor}: expected {survey.ranks[tensor]} dims, got {shape!r}"
            )
        for axis, word in enumerate(words if tensor in survey.ranks else ()):
            key = root(keyed[(tensor, axis)])
            other = sources.setdefault(key, tensor)
            if declared.setdefault(key, word) != word:
                raise NotationError(
                    f"shapes: {tensor}: axis {axis} is declared as {word}, but its index "
                    f"also runs over {declared[key]}: {survey.written[other]} and "
                    f"{survey.written[tensor]}"
                )
    letters: dict[tuple[str, int], list[str]] = {}
    for variable in survey.variables:
        letters.setdefault(root(variable), []).append(variable[0])

    def named(key: tuple[str, int], fallback: str) -> str:
        if key in declared:
            return declared[key]
        mine = letters.get(key)
        if not mine:
            return fallback
        return "n" if "i" in mine else f"n_{mine[0]}"

    gathered = {slot: label for slot, label in survey.gathers}
    names = {v: named(root(v), "n") for v in survey.variables}
    for slot in slots:
        fallback = f"n_{gathered.get(slot, slot[0])}"
        names[slot] = named(root(keyed[slot]), fallback)
    return names
