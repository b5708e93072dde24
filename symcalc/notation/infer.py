"""What a formula's text says of its arrays: their ranks, their dims, and which are labels."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass, field
from typing import Any

from symcalc.notation.dims import FAR, read_extent
from symcalc.notation.errors import NotationError, ParseError
from symcalc.notation.vocabulary import (
    BINDINGS,
    FUNCTIONS,
    PLACE_AT,
    RECURRENCES,
    REDUCTIONS,
    Binding,
)


@dataclass
class Inferred:
    """Names by what they are.

    Args:
        shapes: arrays and their dims, in order of appearance.
        labels: arrays used as an index, and the dim they stay below.
        scalars: names without brackets that are neither index nor dim.
        free: indices that nothing binds, and their extents, FAR where no place ties them to a dim.
        bound: for each binding call (by id), its indices and their dims.
        dims: the names of all dims.
    """

    shapes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    scalars: list[str] = field(default_factory=list)
    free: dict[str, Any] = field(default_factory=dict)
    bound: dict[int, dict[str, Any]] = field(default_factory=dict)
    dims: set[str] = field(default_factory=set)


_Slot = tuple[str, int]  # an array's axis
_Variable = tuple[str, int]  # an index letter and the id of the call that binds it (0: free)


class _Survey(ast.NodeVisitor):
    """First walk: who indexes what, without yet knowing the dims."""

    def __init__(
        self,
        text: str,
        named: frozenset[str] = frozenset(),
        sizes: frozenset[str] = frozenset(),
        ends: frozenset[str] = frozenset(),
    ) -> None:
        self.named = named
        self.sizes = sizes
        self.ends = ends
        self.text = " ".join(text.split("\n"))
        self.lead = len(self.text) - len(self.text.lstrip())
        self.scope: dict[str, int] = {}
        self.ranks: dict[str, int] = {}
        self.bare: dict[str, ast.Name] = {}
        self.pairs: list[tuple[_Slot, _Variable]] = []
        self.gathers: list[tuple[_Slot, str]] = []
        self.loose: set[_Variable] = set()
        self.masks: list[tuple[_Variable, _Variable]] = []
        self.reversed: dict[_Slot, str] = {}
        self.variables: dict[_Variable, ast.AST] = {}
        self.written: dict[str, str] = {}  # each array as it stands where it stands first
        self.alike: list[tuple[_Variable, _Variable]] = []
        self.bound_variables: set[str] = set()

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
        binding = BINDINGS.get(node.func.id, Binding(0))
        keywords = [keyword.arg for keyword in node.keywords]
        masked = keywords == ["where"] and _binds(node)
        plain = masked or all(keyword in binding.options for keyword in keywords)
        if not plain or any(isinstance(a, ast.Starred) for a in node.args):
            hint = "; start and place go by position" if node.func.id in RECURRENCES else ""
            raise self.fail(node, f"{node.func.id}: expected plain arguments{hint}")
        if node.func.id in BINDINGS:
            return self.visit_expectation(node, binding)
        outer, rest = dict(self.scope), list(node.args)
        outer_variables = set(self.bound_variables)
        if node.func.id == "let":
            if len(rest) != 2 or not isinstance(rest[0], ast.Name):
                raise self.fail(node, "let: expected a name and a formula, as in let(mu, e)")
            rest = rest[1:]
        if _binds(node):
            rest = [*node.args[-1:], *(keyword.value for keyword in node.keywords)]
            for argument in node.args[:-1]:
                letter = bound_letter(argument)
                if letter is None:
                    raise self.fail(
                        argument,
                        f"{node.func.id}: expected an index first, as in {node.func.id}(i, x[i])",
                    )
                if self.scope.get(letter.id) == id(node):
                    raise self.fail(
                        argument, f"{node.func.id}: {letter.id} is bound twice; bind it once"
                    )
                self.scope[letter.id] = id(node)
                self.bound_variables.discard(letter.id)
                self.variables.setdefault((letter.id, id(node)), letter)
                if isinstance(argument, ast.Compare):
                    rest += argument.comparators
                    self.masks += [
                        ((letter.id, id(node)), (side.id, self.scope.get(side.id, 0)))
                        for side in argument.comparators
                        if isinstance(side, ast.Name) and side.id not in self.sizes
                    ]
        if node.func.id in RECURRENCES:
            rest = self.visit_recurrence(node, node.func.id)
        for argument in rest:
            self.visit(argument)
        self.scope, self.bound_variables = outer, outer_variables

    def visit_expectation(self, node: ast.Call, binding: Binding) -> None:
        """Indices first, bound in all that follows; a variable, bound in the last argument."""
        assert isinstance(node.func, ast.Name)
        heads = [*range(binding.indices), *([] if binding.variable is None else [binding.variable])]
        if len(node.args) != binding.arguments:
            raise self.fail(
                node,
                f"{node.func.id}: expected {binding.arguments} arguments, got {len(node.args)}",
            )
        for place in heads:
            if not isinstance(node.args[place], ast.Name):
                word = "an index" if place < binding.indices else "a variable such as z"
                raise self.fail(node.args[place], f"{node.func.id}: expected {word} here")
        outer, outer_variables = dict(self.scope), set(self.bound_variables)
        for head in node.args[: binding.indices]:
            assert isinstance(head, ast.Name)
            self.scope[head.id] = id(node)
            self.bound_variables.discard(head.id)
            self.variables.setdefault((head.id, id(node)), head)
        for argument in node.args[len(heads) : -1]:
            self.visit(argument)
        if binding.variable is not None:
            name = node.args[binding.variable]
            assert isinstance(name, ast.Name)
            self.bound_variables.add(name.id)
        self.visit(node.args[-1])
        self.scope, self.bound_variables = outer, outer_variables

    def visit_recurrence(self, node: ast.Call, name: str) -> list[ast.expr]:
        """Its index runs on from outside, unless a place is given: that binds it.

        Returns:
            What is left to visit.
        """
        if not node.args or not isinstance(node.args[0], ast.Name):
            raise self.fail(node, f"{name}: expected an index first, as in {name}(t, x[t])")
        letter = node.args[0].id
        inside, place = node.args[1 : PLACE_AT[name]], node.args[PLACE_AT[name] :]
        mine = (letter, id(node) if place else self.scope.get(letter, 0))
        self.variables.setdefault(mine, node)
        wanted = [part for part in place if not self.is_end(part)]
        for index in (n for part in wanted for n in ast.walk(part) if isinstance(n, ast.Name)):
            asked = (index.id, self.scope.get(index.id, 0))
            self.variables.setdefault(asked, node)
            self.alike.append((mine, asked))
        self.scope[letter] = mine[1]
        return inside

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.value, ast.Name):
            raise self.fail(node, "expected an array's name before the brackets")
        name = node.value.id
        if name in FUNCTIONS and name not in self.named:
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
        """Indices times whole numbers plus extents and a whole number, or an array's entry."""
        if isinstance(place, ast.Subscript):
            self.visit(place)
            assert isinstance(place.value, ast.Name)
            self.gathers.append(((name, axis), place.value.id))
            return
        if isinstance(place, ast.Call):  # argmax(k, z[i, k])
            self.visit(place)
            letter = bound_letter(place.args[0]) if place.args else None
            if not isinstance(place.func, ast.Name) or place.func.id not in _PLACES or not letter:
                raise self.fail(place, _EXPECTED)
            self.pairs.append(((name, axis), (letter.id, id(place))))
            return
        for node in ast.walk(place):
            if not isinstance(node, _AFFINE):
                raise self.fail(place, _EXPECTED)
        names = [n for n in ast.walk(place) if isinstance(n, ast.Name)]
        for name_node in names:
            if name_node.id in self.bound_variables:
                raise self.fail(name_node, f"{name_node.id} is a number, not an index")
        letters = [n.id for n in names]
        sizes = [
            n for n in letters if n not in self.scope and n in self.sizes
            and (letters != [n] or self.is_end(place))
        ]  # fmt: skip
        found = {(n.id, self.scope.get(n.id, 0)): n for n in names if n.id not in sizes}
        variables = list(found)
        for variable, node in found.items():
            self.variables.setdefault(variable, node)
        if _is_shift(place):
            self.pairs += [((name, axis), variable) for variable in variables]
            return
        self.loose |= set(variables)
        if sizes and any(isinstance(n, ast.Sub) for n in ast.walk(place)):
            self.reversed.setdefault((name, axis), sizes[0])

    def is_end(self, place: ast.expr) -> bool:
        """Whether a place is counted from an axis's end, `n-1`, rather than an index shifted."""
        if not isinstance(place, ast.BinOp) or not isinstance(place.op, ast.Sub):
            return False
        return isinstance(place.left, ast.Name) and place.left.id in self.ends - set(self.scope)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in FUNCTIONS and node.id not in self.named:
            raise self.fail(node, f"{node.id} is a function: write {node.id}(...)")
        if node.id not in self.scope and node.id not in self.bound_variables:
            self.bare.setdefault(node.id, node)


_AFFINE = (
    ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Add, ast.Sub, ast.Mult, ast.USub, ast.UAdd,
    ast.Load,
)  # fmt: skip
_PLACES = ("argmax", "argmin")
_EXPECTED = (
    "expected an index, as in x[i], or indices times whole numbers plus a whole number, as in "
    "x[2*i+j-1]"
)


def _is_shift(place: ast.expr) -> bool:
    """Whether a place is an index, an index plus or minus a whole number, or a whole number."""
    if isinstance(place, (ast.Name, ast.Constant)):
        return True
    if not isinstance(place, ast.BinOp) or isinstance(place.op, ast.Mult):
        return False
    sides = (place.left, place.right)
    if isinstance(place.op, ast.Add) and isinstance(sides[0], ast.Constant):
        sides = (sides[1], sides[0])
    return isinstance(sides[0], ast.Name) and isinstance(sides[1], ast.Constant)


def bound_letter(argument: ast.expr) -> ast.Name | None:
    """Return the name that an argument of a reduction binds: `j`, or the left side of `j <= i`."""
    if isinstance(argument, ast.Compare):
        argument = argument.left
    return argument if isinstance(argument, ast.Name) else None


def _binds(call: ast.Call) -> bool:
    """Whether a call binds its leading arguments: a reduction; max(a, b) of formulas does not."""
    assert isinstance(call.func, ast.Name)
    if call.func.id not in REDUCTIONS or len(call.args) < 2:
        return False
    if call.func.id not in ("max", "min") or call.keywords:
        return True
    found = [bound_letter(argument) for argument in call.args[:-1]]
    letters = {letter.id for letter in found if letter is not None}
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

    The dim of i is n, of another index k it is n_k, unless `shapes` names it. An input may bear a
    function's name if it is `named`.

    Raises:
        ParseError: the text uses what the notation has not.
        NotationError: one index runs over two dims.
    """
    words = {word for shape in shapes.values() if isinstance(shape, str) for word in _words(shape)}
    sizes = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id[:2] in ("n", "n_")}
    sizes |= {str(s) for word in words for s in read_extent("shapes", word).free_symbols}
    survey = _Survey(text, named, frozenset(sizes), _ends(tree, sizes, words))
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
        found.shapes[tensor] = tuple(
            read_extent(f"shapes: {tensor}", names[(tensor, axis)]) for axis in range(rank)
        )
    for slot, tensor in survey.gathers:
        below = read_extent(f"shapes: {tensor}", names[slot])
        if found.labels.setdefault(tensor, below) != below:
            raise NotationError(
                f"formula: {tensor} is an index into both {found.labels[tensor]} and {below}, in "
                f"{survey.written[slot[0]]}: labels stay below one extent"
            )
    for name, shape in shapes.items():
        if not isinstance(shape, str):
            raise NotationError(f"shapes: {name}: expected text such as 'n c', got {shape!r}")
    named_extents = {*names.values(), *(w for s in shapes.values() for w in _words(s))} - {""}
    found.dims = {
        str(s) for word in named_extents for s in read_extent("shapes", word).free_symbols
    }
    known = {s for shape in found.shapes.values() for e in shape for s in e.free_symbols}
    for (letter, binder), node in survey.variables.items():
        word = names[(letter, binder)]
        dim = read_extent("shapes", word) if word else FAR
        if word and not dim.free_symbols <= known:
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
        constant = name in ("pi", "inf") and name not in named
        if name not in found.free and name not in found.dims and not constant:
            found.scalars.append(name)
    return found


def _ends(tree: ast.expr, sizes: set[str], words: set[str]) -> frozenset[str]:
    """The letters that mean an extent even where they stand alone, as in `x[n-1]`.

    They are declared, or name the dim of an index of the formula; none is an index itself.
    """
    letters = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    plain = {
        place.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for place in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])
        if isinstance(place, ast.Name)
    }
    declared = {str(s) for word in words for s in read_extent("shapes", word).free_symbols}
    named = {n for n in sizes if (n == "n" and "i" in letters) or n[2:] in letters}
    return frozenset((declared | named) - plain)


def _words(shape: str) -> list[str]:
    return shape.replace(",", " ").split()


def _dims_in(word: str) -> frozenset[Any]:
    """What an extent is made of: T + 1 and T speak of one dim, a number of none."""
    extent = read_extent("shapes", word)
    return frozenset(extent.free_symbols) or frozenset({extent})


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
    indexing = {variable for _, variable in survey.pairs} | survey.loose
    for bound, beside in survey.masks:  # in sum(j <= i, x[j]) nothing else may say how far i runs
        if beside in survey.variables and beside not in indexing:
            parent[root(beside)] = root(bound)
    for mine, asked in survey.alike:
        parent[root(mine)] = root(asked)
    declared: dict[tuple[str, int], str] = {}
    written: dict[_Slot, str] = {}
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
            written[(tensor, axis)] = word
            other = sources.setdefault(key, tensor)
            if _dims_in(declared.setdefault(key, word)) != _dims_in(word):
                raise NotationError(
                    f"shapes: {tensor}: axis {axis} is declared as {word}, but its index "
                    f"also runs over {declared[key]}: {survey.written[other]} and "
                    f"{survey.written[tensor]}"
                )
    tied = {root(variable) for _, variable in survey.pairs}
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
    uneven = {root(keyed[slot]) for slot, word in written.items() if not word.isidentifier()}
    names = {
        v: "" if (v in survey.loose and root(v) not in tied) or root(v) in uneven
        else named(root(v), "n")
        for v in survey.variables
    }  # fmt: skip
    for slot in slots:
        fallback = survey.reversed.get(slot) or f"n_{gathered.get(slot, slot[0])}"
        names[slot] = written.get(slot) or named(root(keyed[slot]), fallback)
    return names
