r"""Formulas as LaTeX, as a textbook would set them.

A mean is `\frac{1}{n} \sum_i`, an indicator is an Iverson bracket `[k = y_i]`, a fraction never
grows taller than it must, what is added stands before what is taken away, and a bound letter never
clashes with one in scope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from symcalc.notation import atoms
from symcalc.notation.atoms import Atom
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.expectations import GaussianExpectation, Variable
from symcalc.notation.latex_recurrences import is_sum, stepwise, summed
from symcalc.notation.lettering import Glyph, glyph, script
from symcalc.notation.products import arrange, bracketed, juxtaposed, letters, tall
from symcalc.notation.reductions import (
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm2,
    Prod,
    Reduction,
    Sum,
)
from symcalc.notation.scans import Recurrence
from symcalc.notation.tables import HermiteNode, Table
from symcalc.notation.tensors import Access, Tensor, accesses, free_indices

Symbols = Mapping[str, Glyph]

_LETTERS = "ijklmpqrstuvwabcdefgh"
_RELATIONS: dict[Any, str] = {
    sp.Eq: "=", sp.Ne: r"\ne", sp.Lt: "<", sp.Le: r"\le", sp.Gt: ">", sp.Ge: r"\ge",
}  # fmt: skip
_OPERATORS: dict[type[Reduction], str] = {
    Sum: r"\sum", Mean: r"\sum", Prod: r"\prod", Max: r"\max", Min: r"\min",
    ArgMax: r"\arg\max", ArgMin: r"\arg\min", LogSumExp: r"\log \sum", Norm2: r"\sum",
}  # fmt: skip


class LatexWriter(LatexPrinter):
    """The printer: one method a node.

    Args:
        symbols: names that are to be written otherwise than `glyph` does.
        indices: the indices in scope, which keep their letters.
    """

    def __init__(self, symbols: Symbols | None = None, indices: Sequence[Index] = ()) -> None:
        super().__init__()
        self.symbols = symbols
        self.letters: dict[Index, str] = {}
        self.avoided: set[str] = set()
        for index in indices:
            self._enter(index)

    def doprint(self, expr: Any) -> str:
        """Return an expression as LaTeX."""
        expression = sp.sympify(expr)
        names = {s.name for s in expression.atoms(sp.Symbol) if not isinstance(s, Index)}
        self.avoided |= {glyph(name, self.symbols).base for name in names}
        for index in sorted(free_indices(expression), key=lambda i: (i.name, i.dummy_index)):
            if index not in self.letters:
                self._enter(index)
        return str(self._print(expression))

    def _print(self, expr: Any, **kwargs: Any) -> Any:
        """Choose by class where SymPy has a class of the same name, by name elsewhere."""
        if isinstance(expr, Reduction):
            return self._print_Reduction(expr)
        if isinstance(expr, Recurrence):
            return self._print_Recurrence(expr)
        if isinstance(expr, Atom):
            return self._print_Atom(expr)
        if isinstance(expr, Table):
            return self._print_Table(expr)
        return super()._print(expr, **kwargs)

    def _enter(self, index: Index) -> str:
        """Give an index its letter, or the next one that nothing in scope bears."""
        taken = set(self.letters.values())
        name = str(index.name)
        if name in taken:
            start = _LETTERS.find(name) + 1
            spare = _LETTERS[start:] + _LETTERS[:start]
            free = [s for s in spare if s not in taken and s not in self.avoided]
            name = next(iter(free), f"{name}'")
        self.letters[index] = name
        return name

    # Sums, products, powers

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        shown = [(self._enclosed(term, "term"), term) for term in expr.args]
        indexed = any(isinstance(term, Index) for term in expr.args)
        plus = [pair for pair in shown if not pair[0].startswith("-")]
        minus = [pair for pair in shown if pair[0].startswith("-")]
        plus.sort(key=lambda pair: (_rank(pair[1], indexed), letters(pair[0]), pair[0]))
        minus.sort(key=lambda pair: (len(pair[0]), pair[0]))
        first, *rest = [word for word, _ in (*plus, *minus)]
        return first + "".join(f" - {w[1:]}" if w[0] == "-" else f" + {w}" for w in rest)

    def _print_Mul(self, expr: Any) -> str:
        sign, front, parts = arrange(expr, self._stem)
        written = [self._fraction(*front)] if front else []
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            written.append(self._enclosed(part, "last" if last else "factor"))
        return sign + juxtaposed([word for word in written if word])

    def _stem(self, factor: Any) -> str:
        """Return the letters of a factor, what is accented after what is not, to order factors."""
        shown = str(self._print(factor))
        return f"{letters(shown)} {len(shown):04}"

    def _fraction(self, above: tuple[Any, ...], below: tuple[Any, ...]) -> str:
        return rf"\frac{{{self._factors(above)}}}{{{self._factors(below)}}}"

    def _factors(self, factors: tuple[Any, ...]) -> str:
        if len(factors) == 1:
            return str(self._print(factors[0]))
        return juxtaposed([self._enclosed(f, "factor") for f in factors]) or "1"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        if exponent.is_Rational and exponent.is_negative:
            return self._fraction((), (sp.Pow(base, -exponent),))
        if exponent == sp.Rational(1, 2):
            return rf"\sqrt{{{self._print(base)}}}"
        power = f"{exponent.p}/{exponent.q}" if exponent.is_Rational and exponent.q != 1 else (
            self._print(exponent)
        )  # fmt: skip
        if isinstance(base, Access):
            return self._access(base, power)
        if isinstance(base, sp.Symbol) and not isinstance(base, Index):
            return glyph(base.name, self.symbols).at((), power)
        shown = str(self._print(base))
        named = re.fullmatch(r"(\\tanh|\\operatorname\{sech\})(\(.*\))", shown)
        if named and isinstance(base, Atom):
            return f"{named[1]}{script('^', power)}{named[2]}"
        if isinstance(base, atoms.abs):
            return f"{shown}{script('^', power)}"
        return f"{bracketed(shown)}{script('^', power)}"

    def _print_Rational(self, expr: Any) -> str:
        if expr.q == 1:
            return str(expr.p)
        sign = "-" if expr.p < 0 else ""
        return rf"{sign}\frac{{{-expr.p if sign else expr.p}}}{{{expr.q}}}"

    def _enclosed(self, expr: Any, role: str) -> str:
        """Print an operand; bracket it where the reader could part it wrongly.

        Roles: `term` of a sum, `factor` of a product, its `last` factor, `body` of an operator.
        """
        shown = str(self._print(expr))
        loose = isinstance(expr, sp.Add) or is_sum(expr) or shown.startswith("-")
        if loose and role != "term":
            return bracketed(shown)
        open_ended = isinstance(expr, (Recurrence, Reduction, Where)) and not shown.startswith("[")
        if open_ended and role == "factor":
            return bracketed(shown)
        return shown

    # Names

    def _access(self, expr: Access, power: str = "") -> str:
        places = tuple(str(self._print(place)) for place in expr.places)
        return glyph(expr.tensor.name, self.symbols).at(places, power)

    def _print_Access(self, expr: Access) -> str:
        return self._access(expr)

    def _print_Index(self, expr: Index) -> str:
        return self.letters.get(expr, str(expr.name))

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        return glyph(expr.name, self.symbols).at()

    def _print_Dim(self, expr: Dim) -> str:
        return glyph(expr.name).at()

    def _print_Tensor(self, expr: Tensor) -> str:
        return glyph(expr.name, self.symbols).at()

    def _print_Dummy(self, expr: Any) -> str:
        return self._print_Symbol(expr)

    def _print_Let(self, expr: Let) -> str:
        body, at = expr.body, {}
        if isinstance(body, Recurrence):
            at = {body.index: body.place}
            body = sp.Tuple(*body.parts)
        places = tuple(str(self._print(at.get(index, index))) for index in standing(body))
        return glyph(expr.name, self.symbols).at(places)

    # Operators over an index

    def _print_Reduction(self, expr: Reduction) -> str:
        return self._scoped(expr, lambda: self._operator(expr))

    def _operator(self, expr: Reduction) -> str:
        letter = self._enter(expr.index)
        body = self._reduced(expr)
        extent = expr.index.extent
        operator = f"{_OPERATORS[type(expr)]}_{{{letter}}}"
        if not isinstance(extent, Dim):  # a narrowed range is worth saying
            operator = f"{operator[:-1]}=0}}^{{{self._print(extent - 1)}}}"
        if isinstance(expr, Mean):
            return rf"\frac{{1}}{{{self._print(extent)}}} {operator} {body}"
        if isinstance(expr, Norm2):
            return rf"\sqrt{{{operator} {body}}}"
        return f"{operator} {body}"

    def _reduced(self, expr: Reduction) -> str:
        if isinstance(expr, LogSumExp):
            return self._exponential(expr.body)
        if isinstance(expr, Norm2):
            return str(self._print_Pow(sp.Pow(expr.body, 2, evaluate=False)))
        return self._enclosed(expr.body, "body")

    def _print_Recurrence(self, expr: Recurrence) -> str:
        return self._scoped(expr, lambda: summed(self, expr))

    def _scoped(self, expr: Any, write: Callable[[], str]) -> str:
        """Write something that binds, the letters it gives forgotten afterwards."""
        outside = dict(self.letters)
        for index in sorted(free_indices(expr), key=lambda i: (i.name, i.dummy_index)):
            if index not in self.letters:
                self._enter(index)
        shown = write()
        self.letters = outside
        return shown

    def written(self, expr: Any, role: str = "term") -> str:
        """Write an operand, bracketed as its role asks for."""
        return self._enclosed(expr, role)

    def named(self, tensor: Tensor) -> Glyph:
        """Return how a tensor is written."""
        return glyph(tensor.name, self.symbols)

    def enter(self, index: Index) -> str:
        """Give an index a letter that nothing in scope bears."""
        return self._enter(index)

    def defined(self, left: Access, body: Any) -> str:
        """Write the right side of an equation: a recurrence by the entry before."""
        if isinstance(body, Recurrence):
            return stepwise(self, left, body)
        return self.doprint(body)

    def _print_Partial(self, expr: Any) -> str:
        body, by = expr.args
        if isinstance(body, Access):
            return rf"\frac{{\partial {self._print(body)}}}{{\partial {self._print(by)}}}"
        shown = str(self._print(body))
        closed = isinstance(body, (Atom, Where, sp.exp, sp.Pow)) and not isinstance(
            body, atoms.xlogy
        )
        operand = shown if closed and not shown.startswith("e") else bracketed(shown)
        return rf"\frac{{\partial}}{{\partial {self._print(by)}}} {operand}"

    # Expectations

    def _print_GaussianExpectation(self, expr: GaussianExpectation) -> str:
        z = self._print(expr.variable)
        density = rf"{self._print(expr.mean)}, {self._print(expr.deviation**2)}"
        body = str(self._print(expr.body))
        held = rf"\left[{body}\right]" if tall(body) else f"[{body}]"
        return rf"\mathbb{{E}}_{{{z} \sim \mathcal{{N}}({density})}} {held}"

    def _print_Variable(self, expr: Variable) -> str:
        return self._print_Symbol(expr)

    def _print_Table(self, expr: Table) -> str:
        letter = r"\xi" if isinstance(expr, HermiteNode) else r"\omega"
        return f"{letter}{script('_', self._print(expr.index))}"

    # Choice

    def _print_Where(self, expr: Where) -> str:
        when, then, otherwise = expr.args
        if expr.is_indicator:
            return f"[{self.condition(when)}]"
        if then == 0 and otherwise == 1:
            return f"[{self.condition(sp.Not(when))}]"
        rows = []
        while True:
            rows.append(rf"{self._print(then)} & \text{{if }} {self.condition(when)}")
            if not isinstance(otherwise, Where) or otherwise.args[2] == 0:
                break
            when, then, otherwise = otherwise.args
        rows.append(rf"{self._print(otherwise)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def condition(self, when: Any) -> str:
        r"""Write a condition: `k = y_i`, `a \le x \le b`."""
        if isinstance(when, sp.Not) and isinstance(when.args[0], sp.core.relational.Relational):
            when = when.args[0].negated
        if isinstance(when, sp.core.relational.Relational):
            when = when.reversed if when.lhs.is_Number else when
            sign = _RELATIONS[type(when)]
            return f"{self._print(when.lhs)} {sign} {self._print(when.rhs)}"
        if isinstance(when, sp.And):
            return self._between(when) or r" \wedge ".join(sorted(map(self.condition, when.args)))
        if isinstance(when, sp.Or):
            return r" \vee ".join(sorted(map(self.condition, when.args)))
        if isinstance(when, sp.Not):
            return rf"\neg({self.condition(when.args[0])})"
        return str(self._print(when))

    def _between(self, when: Any) -> str:
        r"""Write two bounds on one thing as a chain, `a \le x \le b`."""
        if len(when.args) != 2:
            return ""
        for low, high in (when.args, when.args[::-1]):
            for lower in (low, low.reversed) if isinstance(low, _ORDER) else ():
                for upper in (high, high.reversed) if isinstance(high, _ORDER) else ():
                    if lower.rhs == upper.lhs and {type(lower), type(upper)} <= {sp.Le, sp.Lt}:
                        first, second = _RELATIONS[type(lower)], _RELATIONS[type(upper)]
                        middle, end = self._print(lower.rhs), self._print(upper.rhs)
                        return f"{self._print(lower.lhs)} {first} {middle} {second} {end}"
        return ""

    # Functions

    def _print_Atom(self, expr: Atom) -> str:
        if isinstance(expr, atoms.log1p):  # accuracy is the kernel's concern, not the reader's
            return str(self._print(sp.log(expr.args[0] + 1, evaluate=False)))
        if isinstance(expr, (atoms.expm1, atoms.expm1x)):
            return bracketed(self._print(type(expr).definition(*expr.args)))
        if isinstance(expr, atoms.clip):
            inside = ", ".join(str(self._print(argument)) for argument in expr.args)
            return rf"\operatorname{{clip}}{bracketed(inside)}"
        roles = ["factor" if isinstance(expr, atoms.xlogy) and not place else "term"
                 for place in range(len(expr.args))]  # fmt: skip
        shown = [self._enclosed(a, role) for a, role in zip(expr.args, roles, strict=True)]
        made = str(type(expr).latex.format(*shown))
        if isinstance(expr, atoms.xlogy) and isinstance(expr.args[1], Access):
            made = made.replace(rf"\log\left({shown[1]}\right)", rf"\log {shown[1]}")
        if tall(made):
            return made
        made = made.replace(r"\left|", r"\lvert ").replace(r"\right|", r" \rvert")
        return made.replace(r"\left", "").replace(r"\right", "")

    def _print_ExpBase(self, expr: Any, exp: Any = None) -> str:
        return self._exponential(expr.args[0])

    def _exponential(self, argument: Any) -> str:
        shown = str(self._print(argument))
        deep = tall(shown) or len(sp.Add.make_args(argument)) > 2 or any(
            isinstance(place, Access) for a in accesses(argument) for place in a.places
        )  # fmt: skip
        return rf"\exp{bracketed(shown)}" if deep else f"e{script('^', shown)}"

    def _print_log(self, expr: Any, exp: Any = None) -> str:
        shown = str(self._print(expr.args[0]))
        plain = isinstance(expr.args[0], (Access, sp.Integer, sp.Symbol))
        return rf"\log {shown}" if plain else rf"\log{bracketed(shown)}"

    def _print_polygamma(self, expr: Any, exp: Any = None) -> str:
        order, argument = expr.args
        shown = rf"\psi^{{({order})}}{bracketed(self._print(argument))}"
        return shown if exp is None else rf"{{{shown}}}^{{{exp}}}"

    def _print_Piecewise(self, expr: Any) -> str:
        made = sp.Integer(0)
        for then, when in reversed(expr.args):
            made = then if when == sp.true else Where(when, then, made)
        return str(self._print(made))


_ORDER = (sp.Le, sp.Lt, sp.Ge, sp.Gt)


def latex(expression: Any, symbols: Symbols | None = None, indices: Sequence[Index] = ()) -> str:
    """Return a formula of the notation as LaTeX.

    Args:
        expression: any node of the notation, or a SymPy expression.
        symbols: names that are to be written otherwise, name to Glyph.
        indices: further indices in scope, whose letters no bound index may take.
    """
    return LatexWriter(symbols, indices).doprint(expression)


def defined_latex(
    left: Access, body: Any, symbols: Symbols | None = None, indices: Sequence[Index] = ()
) -> str:
    """Return the right side of an equation as LaTeX; a recurrence is told by the entry before.

    Args:
        left: what is defined.
        body: what it is.
        symbols: names that are to be written otherwise.
        indices: further indices in scope.
    """
    return LatexWriter(symbols, indices).defined(left, body)


def condition_latex(
    when: Any, symbols: Symbols | None = None, indices: Sequence[Index] = ()
) -> str:
    r"""Return a condition as LaTeX, `a \le x \le b`."""
    return LatexWriter(symbols, indices).condition(when)


def derivation_latex(derivation: Any, symbols: Symbols | None = None) -> str:
    """Return the result of a derivation as aligned LaTeX.

    Args:
        derivation: what `derive` returned: its definitions, then its adjoints, one a row.
        symbols: names that are to be written otherwise.
    """
    rows = [
        f"{latex(e.left, symbols)} &= {defined_latex(e.left, e.body, symbols, e.indices)}"
        for e in derivation.definitions
    ]
    for a in derivation.adjoints:
        body = defined_latex(Access(a.target, *a.indices), a.body, symbols, a.indices)
        rows.append(f"{adjoint_latex(derivation, a, symbols)} &= {body}")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def adjoint_latex(derivation: Any, adjoint: Any, symbols: Symbols | None = None) -> str:
    r"""Write the left side of an adjoint: `\frac{\partial L}{\partial z_i}`, or `\bar{x}_{ij}`.

    Args:
        derivation: where it stands.
        adjoint: one of its adjoints.
        symbols: names that are to be written otherwise.
    """
    if adjoint.of.name in derivation.wrt and derivation.cotangent is None:
        of = latex(Access(adjoint.of, *adjoint.indices), symbols)
        return rf"\frac{{\partial {latex(Access(derivation.value), symbols)}}}{{\partial {of}}}"
    return latex(Access(adjoint.target, *adjoint.indices), symbols)


def standing(body: Any) -> list[Index]:
    """Return the free indices of a body as they stand on its widest access."""
    free = free_indices(body)
    seen: dict[Index, None] = {}
    outer = [a for a in body.atoms(Access) if a.free_symbols <= free]
    for access in sorted(outer or body.atoms(Access), key=lambda a: (-len(a.places), str(a))):
        for place in access.places:
            for index in sorted(place.free_symbols & free, key=lambda i: i.name):
                seen.setdefault(index)
    return list(seen)


def _rank(term: Any, indexed: bool) -> int:
    """Order what is added: numbers, then what has most factors that vary, then constants."""
    if term.is_Number:
        return 1 if indexed else -9
    return -sum(bool(factor.has(Access, Let)) for factor in sp.Mul.make_args(term))
