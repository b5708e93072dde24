"""Statements as Numba source: loops and what stands in them, shared subexpressions named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.backends.numba_expressions import CHEAP_MATH, VECTOR_MATH, ExpressionWriter
from symcalc.backends.numba_frame import RESERVED, Frame, safe_names
from symcalc.notation.dims import Index
from symcalc.notation.dims import unused as unused_name
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.pivots import COUNT
from symcalc.program.primitives import (
    PATTERNS,
    UNSIGNED,
    Pattern,
    ScaledSquare,
    ShiftedExp,
    Unsigned,
)
from symcalc.program.program import (
    Accumulate,
    Assign,
    Contract,
    Descent,
    Loop,
    Node,
    Program,
    Recentre,
    Start,
)
from symcalc.program.sections import (
    Section,
    accumulated,
    carried,
    carried_values,
    in_pairs,
    loops,
    sections,
    targets,
)
from symcalc.program.sharing import Shared, share
from symcalc.program.spare import all_but_one

DEAR_MATH = frozenset(VECTOR_MATH) - set(CHEAP_MATH)
_IDENTITIES = {"sum": 0.0, "prod": 1.0, "power": 0.0, "max": -float("inf"), "min": float("inf")}


@dataclass(frozen=True)
class _Terms:
    """The terms of a sum, written down before they are added up.

    Args:
        name: of the buffer they are in.
        size: how many it holds, empty where it is a buffer of the program's own.
        but: the place of the one term that is left out, if one is.
    """

    name: str
    size: str
    but: Access | None


class StatementWriter:
    """Writes the statements of one program.

    Args:
        program: what to write.
        dtype: "float64" or "float32".
    """

    def __init__(self, program: Program, dtype: str) -> None:
        self.program = program
        self.single = dtype == "float32"
        self.lines: list[str] = []
        self.names = safe_names(program)
        self.expressions = ExpressionWriter(self.single, self._place, self.names)
        if self.single:
            self.expressions.narrow = frozenset(self.names[p.name] for p in program.parameters)
        self.frame = Frame(program, self.single, self.names, self.expressions.whole)
        self.reduced: dict[Tensor, str] = {}
        self.running: dict[Tensor, str] = {}
        self.terms: dict[Tensor, _Terms] = {}
        self.pivots: set[Tensor] = set()
        self.outer: dict[Access, str] = {}
        self.scales: set[str] = set()
        self.double = False
        self.private: set[Tensor] = set()
        self.local = {b.tensor for b in program.buffers if b.kind == "local"}
        self.local |= {*program.numbers, *self.frame.shared}
        self.carried = carried(program)
        self.in_pairs = in_pairs(program)
        self.product_of = {powers.tensor: tensor for tensor, powers in program.powers}
        self.sums = accumulated(program) | self.carried | self.in_pairs
        self.wide_names = self._wide_names()

    def _outer(self, loop: Loop, opened: list[Index], indent: str) -> None:
        """Read what inner loops read and never change before they begin.

        Only entries at plain indices: they are in bounds, whatever the conditions around them.
        """
        inner = [node for node in loop.body if isinstance(node, Loop)]
        read = {access for node in inner for access in _accesses(node)}
        made = targets(loop.body)
        for access in sorted(read - self.outer.keys(), key=str):
            plain = access.places and set(access.places) <= set(opened)
            if plain and access.tensor not in made and access.tensor not in self.local:
                name = unused_name("_".join([access.tensor.name, *map(str, access.places)]),
                                   self._taken())  # fmt: skip
                text = self.expressions.whole(access) if access.tensor.domain.integer else ""
                self._line(indent, f"{name} = {text or self._place(access)}")
                self.outer[access] = name

    def _body(self, body: tuple[Node, ...], indent: str, opened: Sequence[Index] = ()) -> None:
        """Write statements in order; a run of them without a loop shares subexpressions."""
        run: list[Assign | Accumulate] = []
        closing: list[str] = []
        for node in body:
            if isinstance(node, (Assign, Accumulate)):
                run.append(node)
                continue
            self._run(run, indent)
            run = []
            if isinstance(node, Start):
                closing += self._start(node, indent)
                continue
            if isinstance(node, Contract):
                self._contract(node, indent)
                continue
            if isinstance(node, Recentre):
                self._recentre(node, indent)
                continue
            inside_of = indent
            if node.when is not None:
                self._line(indent, f"if {self.expressions.condition(node.when)}:")
                inside_of += "    "
            extent = self.expressions.whole(node.index.extent)
            values = f"{extent} - 1, -1, -1" if isinstance(node, Descent) else extent
            self._line(inside_of, f"for {self.names[node.index.name]} in range({values}):")
            inside = [*opened, node.index]
            self._outer(node, inside, inside_of + "    ")
            self._body(node.body, inside_of + "    ", inside)
            for line in (*self._summed(node, extent), *closing):
                self._line(indent, line)
            closing = []
        self._run(run, indent)

    def _start(self, node: Start, indent: str) -> list[str]:
        """Set an accumulator up before its loop; return what stores it afterwards."""
        start = self._identity(node.target, node.kind)
        access = Access(node.target, *node.places)
        if not node.free:
            name = self.names[node.target.name]
            if self._kind(node.target) == "local":
                self._line(indent, f"{name} = {start}")
                return []
            self.running[node.target] = f"{name}_running"
            self._line(indent, f"{name}_running = {start}")
            stored = [f"{self._place(access)} = {name}_running"]
            if node.target in self.frame.shared:
                stored.append(f"work[{self.frame.slot(node.target)}] = {name}_running")
            return stored
        for index in node.free:
            self._line(
                indent,
                f"for {self.names[index.name]} in range({self.expressions.whole(index.extent)}):",
            )
            indent += "    "
        self._line(indent, f"{self._place(access)} = {start}")
        return []

    def _contract(self, node: Contract, indent: str) -> None:
        """Write a matrix product of whole matrices."""
        row, column = node.places[-2:]
        flipped = (node.left.places[-1] == row, node.right.places[-1] != column)
        left, right, target = (
            self._whole_matrix(access.tensor, access.places)
            for access in (node.left, node.right, Access(node.target, *node.places))
        )
        name = "product_" + "".join("t" if turned else "n" for turned in flipped)
        both = zip((left, right), flipped, strict=True)
        shown = (f"{matrix}.T" if turned else matrix for matrix, turned in both)
        call = self.expressions.call(name, left, right, target)
        self._line(indent, f"{call}  # np.dot({', '.join(shown)}, {target})")

    def _recentre(self, node: Recentre, indent: str) -> None:
        """Write a sum around a mean from the blocks' sums around their pivots."""
        mean, pivot, *terms = node.value.args
        number = next(n for n, s in enumerate(sections(self.program)) if pivot.tensor in s.reads)
        cut, target = self.frame.cuts[number], self.names[node.target.name]
        places = [self.names[place.name] for place in node.places]
        loops = [f"for {letter} in range({self.expressions.whole(place.extent)}):"
                 for letter, place in zip(places, node.places, strict=True)]  # fmt: skip
        inside = ", ".join(places)
        blocks = {a: f"{self.names[a.tensor.name]}_parts[block, {inside}]"
                  for term in terms for a in term.atoms(Access)}  # fmt: skip
        self.expressions.single = False
        texts = [self._term(term, blocks) for term in terms]
        self.expressions.single = self.single
        self._nest([*loops, f"{target}[{inside}] = 0.0"], indent)
        self._line(indent, f"for block in range({cut.blocks}):")
        extent = self.expressions.whole(cut.extent)
        self._line(indent + "    ", f"count = min({cut.rows}, {extent} - block * {cut.rows})")
        shift = f"{self._place(mean)} - {self.names[pivot.tensor.name]}_parts[block, {inside}]"
        while not texts[-1]:
            texts.pop()
        value = texts.pop()
        for text in reversed(texts):
            value = f"{text} + shift * ({value})" if " + " in value else f"{text} + shift * {value}"
        total = f"{target}[{inside}] + ({value})"
        lines = [*loops, f"shift = {shift}", f"{target}[{inside}] = {total}"]
        self._nest(lines, indent + "    ")

    def _term(self, term: Any, blocks: dict[Access, str]) -> str:
        """Write one coefficient of a block: a number times a sum, or times the count of rows."""
        if term == 0:
            return ""
        found = [factor for factor in sp.Mul.make_args(term) if factor in blocks]
        rest = sp.Mul(*(f for f in sp.Mul.make_args(term) if f not in blocks and f != COUNT))
        factors = [blocks[factor] for factor in found]
        factors += ["count"] if term.has(COUNT) else []
        if rest != 1 or not factors:
            factors.insert(0, self.expressions.write(rest, 2))
        return " * ".join(factors)

    def _nest(self, lines: list[str], indent: str) -> None:
        """Write lines, each deeper than a loop before it."""
        for line in lines:
            self._line(indent, line)
            indent += "    " if line.startswith("for ") else ""

    def _whole_matrix(self, tensor: Tensor, places: tuple[Any, ...]) -> str:
        batch = ", ".join(self.expressions.whole(place) for place in places[:-2])
        return f"{self.names[tensor.name]}[{batch}]" if batch else self.names[tensor.name]

    def _taken(self) -> set[str]:
        taken = set(self.names.values()) | RESERVED | {loop.name for loop in loops(self.program)}
        return taken | set(self.outer.values()) | self.scales

    def _run(self, run: list[Assign | Accumulate], indent: str) -> None:
        for line in share(run, self._taken(), self.local | self.private | self.carried):
            if isinstance(line, Shared):
                self._line(indent, f"{line.symbol.name} = {self._value(line.value)}")
            elif isinstance(line, Assign):
                self._assign(line, indent)
            else:
                self._accumulate(line, indent)

    def _assign(self, line: Assign, indent: str) -> None:
        place = self._place(Access(line.target, *line.places))
        if line.target in self.carried | self.in_pairs:
            self.expressions.names = {**self.names, **self.wide_names}
            value = self._wide(line.value)
            self.expressions.names = self.names
        else:
            value = self._value(line.value)
        self._line(indent, f"{place} = {value}")
        if not line.target.shape:
            self._store(line.target, indent)

    def _store(self, tensor: Tensor, indent: str) -> None:
        """Put a scalar where other parts, or the caller, find it."""
        if tensor in self.frame.shared:
            line = f"work[{self.frame.slot(tensor)}] = {self.names[tensor.name]}"
            self._line(indent, line)
        elif tensor in self.program.numbers:
            self._line(indent, "if turn is not None:")
            line = f"work[{self.frame.slot(tensor)}] = {self.names[tensor.name]}"
            self._line(indent + "    ", line)

    def _value(self, value: Any) -> str:
        """Write a value; one made of sums is computed in float64, then rounded."""
        wide = self.single and any(a.tensor in self.sums for a in value.atoms(Access))
        if self.double or not wide:
            return self._wide(value) if self.double else self.expressions.write(value)
        return f"f4({self._wide(value)})"

    def _wide_names(self) -> dict[str, str]:
        """What hyperparameters are called in float64, where a recurrence carries them along.

        A decay of 0.9999 rounded to float32 would be off by a ten thousandth part in the end.
        """
        if not self.single:
            return {}
        known = {parameter.name for parameter in self.program.parameters}
        return {
            symbol.name: f"{self.names[symbol.name]}_wide"
            for value in carried_values(self.program)
            for symbol in value.free_symbols
            if symbol.name in known
        }

    def _wide(self, value: Any) -> str:
        """Write a value that is computed in float64 and left there."""
        self.expressions.single = False
        text = self.expressions.write(value)
        self.expressions.single = self.single
        return text

    def _accumulate(self, line: Accumulate, indent: str) -> None:
        terms = self.terms.get(line.target)
        if terms is not None:
            if terms.size:
                place = self.names[line.index.name]
                place = f"{place} - start" if line.index == self.expressions.unsigned else place
                _, term = all_but_one(line.value, line.index)
                self._line(indent, f"{terms.name}[{place}] = {self.expressions.write(term)}")
            return
        whole = line.target.domain.integer
        value = self._whole_choice(line.value) if whole else self.expressions.write(line.value)
        state = self._state(line.target, line.places)
        if line.kind == "power":
            product = self._state(self.product_of[line.target], line.places)
            self._line(indent, f"{state} = {state} + {self._excess(product, value)}")
            return
        self._line(indent, f"{state} = {self._joined(line.kind, line.target, state, value)}")

    def _excess(self, product: str, factor: str) -> str:
        return self.expressions.call("excess", product, factor)

    def _state(self, tensor: Tensor, places: tuple[Any, ...]) -> str:
        """Where an accumulator is while its loop runs."""
        name = self.names[tensor.name]
        if tensor in self.reduced:
            inside = ", ".join(self.expressions.whole(p) for p in places)
            return f"{name}_block[{inside}]" if places else f"{name}_block"
        if tensor in self.running:
            return self.running[tensor]
        return name if self._kind(tensor) == "local" else self._place(Access(tensor, *places))

    def _whole_choice(self, value: Any) -> str:
        """Write `index where a condition holds, else extent` in whole numbers, or a bit pattern."""
        words = self.expressions
        if isinstance(value, Unsigned):
            return f"u8({self._stored(value.args[0])})"
        if isinstance(value, Pattern):
            return words.call("bits", words.write(value.args[0]))
        if isinstance(value, Access):
            return self._place(value)
        when, then, otherwise = value.args
        return f"({words.signed(then)} if {words.condition(when)} else {words.whole(otherwise)})"

    def _kind(self, tensor: Tensor) -> str:
        buffer = self.program.buffer(tensor)
        return "input" if buffer is None else buffer.kind

    def _place(self, access: Access) -> str:
        """How an access is written: only the stored axes, a scalar gradient as its one entry."""
        return self.outer.get(access) or self._stored(access)

    def _stored(self, access: Access) -> str:
        """How the entry in memory is written."""
        name = self.names[access.tensor.name]
        if access.tensor in self.pivots:
            inside = ", ".join(self.expressions.whole(place) for place in access.places)
            return f"{name}_block[{inside}]"
        if access.tensor in self.private or (access.tensor in self.local and not access.places):
            return name
        buffer = self.program.buffer(access.tensor)
        places = access.places
        if buffer is not None:
            places = tuple(access.places[axis] for axis in buffer.axes)
            if not places:
                return name if buffer.kind == "local" else f"{name}[0]"
        inside = ", ".join(self.expressions.whole(place) for place in places)
        return f"{name}[{inside or '0'}]"

    def _line(self, indent: str, text: str) -> None:
        self.lines.append(indent + text if text else "")

    def _identity(self, tensor: Tensor, kind: str) -> str:
        """An accumulator's state before anything has come in; sums are kept in float64."""
        if tensor.domain is PATTERNS and self.single and not tensor.shape:
            return "u4(0)"
        if tensor.domain in (PATTERNS, UNSIGNED):
            return "u8(0)"
        if tensor.domain.integer:
            return "9223372036854775807"
        value = _IDENTITIES[kind]
        if abs(value) == float("inf"):
            self.expressions.used.add("inf")
            one = self.single and (not tensor.shape or self._kind(tensor) == "local")
            return f"f4({value!r})" if one else repr(value)
        return repr(value)

    def _joined(
        self, kind: str, tensor: Tensor, state: str, value: str, in_order: bool = False
    ) -> str:
        """One more value taken into an accumulator."""
        if kind == "sum":
            return f"{state} + {value}" if in_order else self.expressions.call("add", state, value)
        if kind == "prod":
            return self.expressions.call("times", state, value)
        if tensor.domain.integer:
            return f"{kind}({state}, {value})"
        return self.expressions.call("maximum" if kind == "max" else "minimum", state, value)

    def _in_terms(self, section: Section, rows: str) -> dict[Tensor, _Terms]:
        """The sums whose terms are first written down in float32, then added up in float64.

        A loop of exponentials in float32 runs at half its width if it also adds in float64.
        """
        found: dict[Tensor, _Terms] = {}
        for loop in _loops(Loop(section.index, section.body)) if self.single else ():
            outer = loop.index == section.index
            size = rows if outer else self.expressions.whole(loop.index.extent)
            made = targets(loop.body)
            for node in _dear_sums(loop):
                place, term = all_but_one(node.value, loop.index)
                row = isinstance(term, Access) and term.tensor in made
                if row and self._kind(term.tensor) == "row" and term.places[-1] == loop.index:
                    found[node.target] = _Terms(self.names[term.tensor.name], "", place)
                else:
                    name = f"{self.names[node.target.name]}_terms"
                    found[node.target] = _Terms(name, size, place)
        return found

    def _summed(self, loop: Loop, count: str) -> list[str]:
        """Add up, after their loop, the terms that were written down in it."""
        lines = []
        for node in _sums(loop):
            terms = self.terms.get(node.target)
            if terms is None:
                continue
            state = self._state(node.target, ())
            if terms.but is None:
                total = self.expressions.call("total", terms.name, count)
            else:
                but = self.expressions.whole(terms.but)
                total = self.expressions.call("total_but", terms.name, count, but)
            lines.append(f"{state} = {self.expressions.call('add', state, total)}")
        return lines


def _accesses(loop: Loop) -> set[Access]:
    """Every entry that a loop and the loops inside it read."""
    found: set[Access] = set()
    for node in loop.body:
        if isinstance(node, Loop):
            found |= _accesses(node)
        elif not isinstance(node, Start):
            found |= node.value.atoms(Access)
    return found


def _loops(loop: Loop) -> list[Loop]:
    """A loop and all loops inside it."""
    inner = [node for node in loop.body if isinstance(node, Loop)]
    return [loop, *(found for node in inner for found in _loops(node))]


def _sums(loop: Loop) -> list[Accumulate]:
    """The scalar sums over a loop that has no loops inside."""
    if any(isinstance(node, Loop) for node in loop.body):
        return []
    return [
        node for node in loop.body
        if isinstance(node, Accumulate) and node.kind == "sum" and node.index == loop.index
        and not node.target.domain.integer
    ]  # fmt: skip


def _dear_sums(loop: Loop) -> list[Accumulate]:
    """The sums of an innermost loop, if it computes exponentials, logarithms and the like."""
    values = [node.value for node in loop.body if isinstance(node, (Assign, Accumulate))]
    if not any(_is_dear(value) for value in values):
        return []
    return [node for node in _sums(loop) if not node.value.has(ScaledSquare)]  # they are float64


def _is_dear(value: Any) -> bool:
    return any(
        isinstance(node, ShiftedExp) or type(node).__name__ in DEAR_MATH
        for node in sp.preorder_traversal(value)
    )
