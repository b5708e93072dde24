"""`parse`: an objective from text. A whitelist over Python's syntax tree; nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any

import sympy as sp

from symcalc.notation.compare import is_condition
from symcalc.notation.conditions import let
from symcalc.notation.dims import Dim, Index
from symcalc.notation.domains import NAMED, REAL, Domain, labels
from symcalc.notation.errors import NotationError, ParseError
from symcalc.notation.expectations import variable
from symcalc.notation.infer import Inferred, infer
from symcalc.notation.objective import Objective, make_objective
from symcalc.notation.parameters import Parameter
from symcalc.notation.tensors import Access, Tensor
from symcalc.notation.vocabulary import BINDINGS, FUNCTIONS, PLACE_AT, SCALARS

MAX_LENGTH = 10_000
MAX_DEPTH = 60
MAX_BITS = 256

_BINARY = {ast.Add: "__add__", ast.Sub: "__sub__", ast.Mult: "__mul__", ast.Div: "__truediv__"}
_COMPARE = {
    ast.Eq: sp.Eq, ast.NotEq: sp.Ne, ast.Lt: sp.Lt, ast.LtE: sp.Le, ast.Gt: sp.Gt, ast.GtE: sp.Ge,
}  # fmt: skip
_CONSTANTS = {"pi": sp.pi, "inf": sp.oo}


def parse(
    text: str,
    wrt: str | tuple[str, ...] | None = None,
    *,
    shapes: Mapping[str, str] | None = None,
    domains: Mapping[str, str] | None = None,
    defaults: Mapping[str, float] | None = None,
    name: str = "formula",
) -> Objective:
    """Read an objective from text.

    parse("mean(i, softplus(z[i]) - y[i]*z[i])", wrt="z")

    Args:
        text: the formula, spelled as in Python; see the notation page.
        wrt: what to differentiate by; the first real array if not given.
        shapes: dim names of arrays, such as {"z": "n c"}; {"x": ""} makes x an array of no axes,
            which stands in the text without brackets.
        domains: domains of arrays and hyperparameters, such as {"y": "probability"}.
        defaults: defaults of hyperparameters.
        name: the objective's name.

    Returns:
        The Objective.

    Raises:
        ParseError: the text is no formula of the notation; the place is marked.
        NotationError: the formula does not make sense.
    """
    tree = _with_entries(_syntax(text), {n for n, words in (shapes or {}).items() if words == ""})
    named = frozenset({**(shapes or {}), **(domains or {}), **(defaults or {})})
    found = infer(tree, text, dict(shapes or {}), named)
    given = {key: _domain(key, word) for key, word in dict(domains or {}).items()}
    tensors = {
        tensor: Tensor(tensor, dims, _tensor_domain(tensor, found, given))
        for tensor, dims in found.shapes.items()
    }
    values = dict(defaults or {})
    parameters = {
        scalar: Parameter(scalar, given.get(scalar, REAL), values.get(scalar))
        for scalar in found.scalars
    }
    for label, asked in (("shapes", shapes), ("domains", domains), ("defaults", defaults)):
        for key in asked or {}:
            if key not in tensors and key not in parameters:
                raise NotationError(f"{label}: {key!r} does not stand in the formula")
    for key, value in values.items():
        if key not in parameters:
            raise NotationError(
                f"defaults: {key!r} is no hyperparameter of the formula: it stands with brackets, "
                f"as an array"
            )
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not parameters[key].domain.admits(value):
            raise NotationError(
                f"defaults: {key}: expected one of the {parameters[key].domain.describe()}, "
                f"got {value!r}"
            )
    for key, domain in given.items():
        if key in parameters and (domain.below or domain.rows_sum_to_one):
            raise NotationError(f"domains: {key} is a scalar: it cannot be {domain.describe()}")
    body = _Reader(text, found, tensors, parameters, named).read(tree)
    return make_objective(
        name, tuple(tensors.values()), tuple(parameters.values()), body, wrt,
        summary="A formula of one's own.", notes=text,
    )  # fmt: skip


def _syntax(text: str) -> ast.expr:
    """Return the syntax tree, having refused what Python's parser would choke on."""
    if not isinstance(text, str) or not text.strip():
        raise ParseError(f"formula: expected text such as 'mean(i, x[i]**2)', got {text!r}")
    if len(text) > MAX_LENGTH:
        raise ParseError(f"formula: expected at most {MAX_LENGTH} characters, got {len(text)}")
    depth = 0
    for column, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth > MAX_DEPTH:
            raise ParseError(f"formula: brackets nested deeper than {MAX_DEPTH}", text, column)
    flat = " ".join(text.split("\n"))
    try:
        return ast.parse(flat.strip(), mode="eval").body
    except SyntaxError as error:
        lead = len(flat) - len(flat.lstrip())
        column = max((error.offset or 1) - 1 + lead, 0)
        raise ParseError(f"formula: {error.msg}", flat, min(column, len(flat) - 1)) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ParseError(f"formula: too deep or not text ({type(error).__name__})") from None


def _with_entries(tree: ast.expr, names: set[str]) -> ast.expr:
    """Return the tree with x[()] for x, where x is one of the names."""
    if not names:
        return tree
    try:
        made = _Bare(names).visit(tree)
    except RecursionError:
        raise ParseError("formula: nested too deeply") from None
    assert isinstance(made, ast.expr)
    return made


class _Bare(ast.NodeTransformer):
    """Writes the entry of an array of no axes, x[()], where its name stands alone."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.slice = self.visit(node.slice)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names:
            return node
        empty = ast.copy_location(ast.Tuple([], ast.Load()), node)
        return ast.copy_location(ast.Subscript(node, empty, ast.Load()), node)


def _domain(key: str, word: str) -> Domain:
    """Return the domain a word names: "positive", or "label c"."""
    if not isinstance(word, str):
        raise NotationError(f"domains: {key}: expected text such as 'positive', got {word!r}")
    if word in NAMED:
        return NAMED[word]
    first, _, below = word.partition(" ")
    if first in ("label", "labels") and below.strip().isidentifier():
        return labels(below.strip())
    raise NotationError(
        f"domains: {key}: expected one of {', '.join(NAMED)}, or 'label c', got {word!r}"
    )


def _tensor_domain(tensor: str, found: Inferred, given: dict[str, Domain]) -> Domain:
    """Labels are known by their use; the rest is as given, or real."""
    below = found.labels.get(tensor)
    if below is None:
        return given.get(tensor, REAL)
    if not isinstance(below, Dim):
        raise NotationError(
            f"shapes: {tensor}: labels point into an axis of a named dim; expected one, got {below}"
        )
    domain = labels(below.name)
    if given.get(tensor, domain) != domain:
        raise NotationError(
            f"domains: {tensor}: used as an index below {below}, but declared as "
            f"{given[tensor].describe()}"
        )
    return domain


def _is_tame(argument: Any) -> bool:
    """Whether a constant argument of a function is small enough to evaluate without thought."""
    if argument.free_symbols or argument.atoms(Access):
        return True
    large = any(abs(number) > 10**6 for number in argument.atoms(sp.Rational))
    return not large and not argument.atoms(sp.Function)


def _spells_infinity(node: ast.AST) -> bool:
    """Whether this is `inf` or `-inf`, and no accident of arithmetic."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Name) and node.id == "inf"


_INDEX_LETTERS = frozenset("ijklst")


class _Reader:
    """Turns a whitelisted syntax tree into an expression."""

    def __init__(
        self,
        text: str,
        found: Inferred,
        tensors: dict[str, Tensor],
        parameters: dict[str, Parameter],
        declared: Collection[str],
    ) -> None:
        self.declared = declared
        self.text = " ".join(text.split("\n"))
        self.lead = len(self.text) - len(self.text.lstrip())
        self.found = found
        self.tensors = tensors
        self.parameters = parameters
        self.scope: dict[str, Any] = {
            letter: Index(letter, dim) for letter, dim in found.free.items()
        }

    def read(self, node: ast.expr) -> Any:
        """Read the whole tree."""
        try:
            return self.visit(node)
        except RecursionError:
            raise ParseError("formula: nested too deeply", self.text, 0) from None

    def fail(self, node: ast.AST, message: str) -> ParseError:
        return ParseError(
            f"formula: {message}", self.text, getattr(node, "col_offset", 0) + self.lead
        )

    def visit(self, node: ast.AST) -> Any:
        """Read one node by the method of its kind; anything else is refused."""
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            raise self.fail(node, f"{type(node).__name__} is not part of the notation")
        try:
            made = method(node)
        except ParseError:
            raise
        except NotationError as error:
            raise self.fail(node, str(error)) from None
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise self.fail(node, f"does not make sense here ({error})") from None
        if isinstance(made, sp.Rational) and max(abs(made.p), made.q).bit_length() > MAX_BITS:
            raise self.fail(node, "number too large")
        if made in (sp.zoo, sp.nan) or (made in (sp.oo, -sp.oo) and not _spells_infinity(node)):
            raise self.fail(node, "division by zero")
        return made

    def visit_Constant(self, node: ast.Constant) -> Any:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(node, f"expected a number, got {value!r}")
        if isinstance(value, float) and not abs(value) < float("inf"):
            raise self.fail(node, "number too large")
        written = ast.get_source_segment(self.text.strip(), node) or ""
        if not value and any(digit in written.lower().split("e")[0] for digit in "123456789"):
            raise self.fail(node, "number too small")
        return sp.Integer(value) if isinstance(value, int) else sp.Rational(repr(value))

    def visit_Name(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.scope:
            return self.scope[name]
        if name in self.parameters:
            return self.parameters[name].symbol
        if name in self.found.dims:
            return Dim(name)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in self.tensors:
            raise self.fail(node, f"{name} is an array: write {name}[...] with its indices")
        raise self.fail(node, f"{name} is not known here")

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        assert isinstance(node.value, ast.Name)  # infer has seen to it
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return self.tensors[node.value.id][tuple(self.visit(place) for place in places)]

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub):
            return -operand
        if isinstance(node.op, ast.UAdd):
            return operand
        if not is_condition(operand):
            raise self.fail(node, "not and ~ take a condition")
        return sp.Not(operand)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.visit(node.left), self.visit(node.right)
        joins = isinstance(node.op, (ast.BitAnd, ast.BitOr))
        if is_condition(left) != joins or is_condition(right) != joins:
            raise self.fail(node, "conditions are joined by & and |, numbers by arithmetic")
        if isinstance(node.op, ast.Pow):
            if isinstance(left, sp.Number) and isinstance(right, sp.Number) and abs(right) > 64:
                raise self.fail(node.right, f"power too large: {right}")
            return left**right
        if joins:
            return (sp.And if isinstance(node.op, ast.BitAnd) else sp.Or)(left, right)
        operation = _BINARY.get(type(node.op))
        if isinstance(node.op, ast.BitXor):
            raise self.fail(node, "powers are written **")
        if operation is None:
            raise self.fail(node, f"operator {type(node.op).__name__} is not part of the notation")
        return getattr(left, operation)(right)

    def visit_Compare(self, node: ast.Compare) -> Any:
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        relations = []
        for place, operator in enumerate(node.ops):
            if type(operator) not in _COMPARE:
                raise self.fail(node, f"{type(operator).__name__} is not part of the notation")
            relations.append(_COMPARE[type(operator)](sides[place], sides[place + 1]))
        if any(isinstance(side, Index) for side in sides):
            for side in (node.left, *node.comparators):
                self.refuse_unbound(side)
        return sp.And(*relations)

    def refuse_unbound(self, side: ast.expr) -> None:
        """Refuse an index letter beside an index where it is none itself and nobody declared it."""
        if not isinstance(side, ast.Name) or side.id not in _INDEX_LETTERS:
            return
        if side.id in self.parameters and side.id not in self.declared:
            raise self.fail(
                side,
                f"{side.id} indexes no array, and no sum binds it: an unbound index; for a "
                f"hyperparameter of this name declare it, as in domains={{{side.id!r}: 'real'}}",
            )

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        parts = [self.visit(value) for value in node.values]
        return (sp.And if isinstance(node.op, ast.And) else sp.Or)(*parts)

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)  # infer has seen to it
        name = node.func.id
        if name == "let":
            assert isinstance(node.args[0], ast.Name)  # infer has seen to it
            return let(node.args[0].id, self.visit(node.args[1]))
        bound = self.found.bound.get(id(node), {})
        outer = dict(self.scope)
        self.scope |= {letter: Index(letter, dim) for letter, dim in bound.items()}
        inside = PLACE_AT.get(name, len(node.args))
        try:
            arguments = self._arguments(node, inside)
            options = {k.arg: self._option(name, k) for k in node.keywords if k.arg}
        finally:
            self.scope = outer
        arguments += [self.visit(argument) for argument in node.args[inside:]]
        masked = [isinstance(written, ast.Compare) for written in node.args[:-1]] + [False]
        if "where" in options and not is_condition(options["where"]):
            raise self.fail(node.keywords[0].value, f"{name}: expected a condition after where=")
        for argument, written in zip(arguments, node.args, strict=True):
            if bound and masked[arguments.index(argument)]:
                continue
            if name in SCALARS and not _is_tame(argument):
                raise self.fail(
                    written, f"{name}: expected a plain number of at most 10**6, got a constant"
                )
            if is_condition(argument) != (name == "where" and argument is arguments[0]):
                raise self.fail(written, f"{name}: a condition goes first in where, nowhere else")
        return FUNCTIONS[name](*arguments, **options)

    def _arguments(self, node: ast.Call, inside: int) -> list[Any]:
        """Read some arguments of a call; a variable that it binds is known in the last alone."""
        assert isinstance(node.func, ast.Name)
        place = BINDINGS[node.func.id].variable if node.func.id in BINDINGS else None
        if place is None:
            return [self.visit(argument) for argument in node.args[:inside]]
        name = node.args[place]
        assert isinstance(name, ast.Name)  # infer has seen to it
        bound = variable(name.id)
        made = [bound if p == place else self.visit(a) for p, a in enumerate(node.args[:-1])]
        self.scope = {**self.scope, name.id: bound}
        return [*made, self.visit(node.args[-1])]

    def _option(self, function: str, keyword: ast.keyword) -> Any:
        """Read a keyword's value: a reduction's condition, else a word or a whole number."""
        if function not in BINDINGS:
            return self.visit(keyword.value)
        if not isinstance(keyword.value, ast.Constant):
            raise self.fail(keyword.value, f"{keyword.arg}: expected a constant")
        return keyword.value.value
