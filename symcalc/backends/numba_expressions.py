"""Expressions as Numba source, in float64 or float32, every literal typed."""

from __future__ import annotations

import functools
from typing import Any

import sympy as sp

from symcalc.notation.atoms import Atom, Grouped
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import SymcalcError
from symcalc.notation.tables import Table
from symcalc.notation.tensors import Access
from symcalc.program.primitives import (
    PATTERNS,
    UNSIGNED,
    FinitePlus,
    FiniteTop,
    ShiftedExp,
    divisors,
)

# Where a function comes from, by its name in the notation.
VECTOR_MATH = (
    "digamma", "erf", "erfc", "exp", "exp2", "exp_nonpositive", "expm1", "expm1x", "kl_div",
    "lgamma", "log", "log1mexp", "log1p", "log_cosh", "log_ratio", "log_sigmoid", "power", "sech",
    "sigmoid", "softplus", "square", "square_of_large", "square_of_small", "tanh", "trigamma",
    "xlogy",
)  # fmt: skip
# These of them cost no more than a few products.
CHEAP_MATH = ("square", "square_of_large", "square_of_small")
SCALAR_MATH = (
    "maximum", "minimum", "add", "bits", "from_bits", "total", "total_but", "wide_vectors",
    "fetch_row", "two_sum", "with_lost", "scaled", "times", "excess", "stepped", "stepped_power",
    "out_of_range", "same", "below_one",
)  # fmt: skip
SPECIAL_MATH = ("polygamma",)
PRODUCTS = ("product_nn", "product_nt", "product_tn", "product_tt")
PLAIN_MATH = ("sqrt", "copysign", "sin", "cos")

_WHOLE = (sp.floor, sp.Mod, sp.Min, sp.Max)  # of indices and extents
_SUM, _PRODUCT, _UNIT = 1, 2, 3
_RELATIONS = {
    sp.Eq: "==", sp.Ne: "!=", sp.Lt: "<", sp.Le: "<=", sp.Gt: ">", sp.Ge: ">=",
}  # fmt: skip


class ExpressionWriter:
    """Writes expressions; remembers which functions it used.

    Args:
        single: whether reals are float32, so that literals, extents and indices are cast.
        place: how an access is written, given by the program's buffers.
        names: what dims, indices and hyperparameters are called in the code.
    """

    def __init__(self, single: bool, place: Any, names: dict[str, str]) -> None:
        self.single = single
        self.place = place
        self.names = names
        self.narrow: frozenset[str] = frozenset()  # names of numbers that the code holds in float32
        self.unsigned: Any = None
        self.used: set[str] = set()
        self.tables: dict[str, tuple[float, ...]] = {}

    def write(self, expression: Any, level: int = 0) -> str:
        """Return the source of a real expression, in brackets if it binds looser than `level`."""
        text, own = self._real(expression)
        return f"({text})" if own < level else text

    def literal(self, value: Any) -> str:
        """Return a number as a literal of the kernel's own precision."""
        text = repr(float(value))
        return f"f4({text})" if self.single else text

    def infinity(self) -> str:
        """Return infinity in the kernel's own precision."""
        self.used.add("inf")
        return "f4(inf)" if self.single else "inf"

    def whole(self, expression: Any) -> str:
        """Return the source of an index expression."""
        if isinstance(expression, Access):
            return self._label(expression)
        if isinstance(expression, (Index, Dim)):
            return self.names[expression.name]
        if isinstance(expression, sp.Integer):
            return str(expression) if expression < 2**31 else f"u8({expression})"
        if isinstance(expression, sp.Add):
            parts = [self.signed(term) for term in expression.as_ordered_terms()]
            return " + ".join(parts).replace("+ -", "- ")
        if isinstance(expression, sp.Mul):
            return "*".join(self._factor(factor) for factor in expression.args)
        if isinstance(expression, sp.floor):
            above, below = sp.together(expression.args[0]).as_numer_denom()
            return f"(({self.signed(above)}) // {below})"
        if isinstance(expression, sp.Mod):
            return f"(({self.signed(expression.args[0])}) % {expression.args[1]})"
        if isinstance(expression, (sp.Min, sp.Max)):
            name = "min" if isinstance(expression, sp.Min) else "max"
            sides = sorted((self.signed(side) for side in expression.args), key=str)
            return functools.reduce(lambda a, b: f"{name}({a}, {b})", sides)
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer and expression.exp > 0:
            return "*".join([self.whole(expression.base)] * int(expression.exp))
        raise SymcalcError(f"numba: no whole-number code for {expression}")

    def _label(self, access: Access) -> str:
        """A whole-number entry; a label is held to its range, wrong ones are told of later."""
        text, below = str(self.place(access)), access.tensor.domain.below
        if below is None or text.isidentifier():  # read and held to its range before
            return text
        return f"min(max({text}, 0), {self.names[below.name]} - 1)"

    def _factor(self, factor: Any) -> str:
        text = self.signed(factor)
        return f"({text})" if isinstance(factor, sp.Add) else text

    def signed(self, term: Any) -> str:
        """A whole number beside signed ones: an unsigned index would make a float of both."""
        text = self.whole(term)
        return f"np.int64({text})" if term == self.unsigned else text

    def condition(self, when: Any) -> str:
        """Return the source of a condition."""
        if isinstance(when, (sp.And, sp.Or)):
            word = " and " if isinstance(when, sp.And) else " or "
            return (
                "(" + word.join(self.condition(part) for part in sorted(when.args, key=str)) + ")"
            )
        if isinstance(when, sp.Not):
            return f"not ({self.condition(when.args[0])})"
        sides = (when.lhs, when.rhs)
        if any(isinstance(s, Access) and s.tensor.domain in (PATTERNS, UNSIGNED) for s in sides):
            left, right = (f"u8({self.whole(side)})" for side in sides)
        else:
            integral = all(_is_whole(side) for side in sides)
            left, right = (self.whole(s) if integral else self.write(s, _SUM) for s in sides)
        return f"{left} {_RELATIONS[when.func]} {right}"

    def call(self, name: str, *arguments: str) -> str:
        """Return a call, remembering where the function is to be imported from."""
        self.used.add(name)
        return f"{name}({', '.join(arguments)})"

    def _real(self, expression: Any) -> tuple[str, int]:
        if isinstance(expression, Access):
            text = str(self.place(expression))
            if expression.tensor.domain.integer:
                return (f"f4({text})" if self.single else f"float({text})"), _UNIT
            return text, _UNIT
        if isinstance(expression, (Dim, Index)):
            text = self.names[expression.name]
            return (f"f4({text})" if self.single else text), _UNIT
        if isinstance(expression, _WHOLE):
            text = self.whole(expression)
            return (f"f4({text})" if self.single else f"float({text})"), _UNIT
        if expression in (sp.oo, -sp.oo):
            return (self.infinity(), _UNIT) if expression > 0 else (f"-{self.infinity()}", _SUM)
        if isinstance(expression, sp.Symbol):
            text = self.names.get(expression.name, expression.name)
            widened = not self.single and text in self.narrow
            return (f"np.float64({text})" if widened else text), _UNIT
        if isinstance(expression, sp.Number) or (
            not expression.free_symbols and not expression.args
        ):
            return self.literal(expression), (_UNIT if expression >= 0 else _SUM)
        if isinstance(expression, sp.Add):
            return self._sum(expression), _SUM
        if isinstance(expression, sp.Mul):
            return self._product(expression)
        if isinstance(expression, sp.Pow):
            return self._power(expression.base, expression.exp)
        if isinstance(expression, Where):
            return self._choice(expression), 0
        if isinstance(expression, Table):
            self.tables[expression.name] = expression.values
            return f"{expression.name}[{self.whole(expression.index)}]", _UNIT
        return self._function(expression), _UNIT

    def _sum(self, expression: Any) -> str:
        terms = list(expression.as_ordered_terms())
        terms.sort(key=lambda term: term.could_extract_minus_sign())
        text = self.write(terms[0], _SUM)
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                text += f" - {self.write(-term, _PRODUCT)}"
            else:
                text += f" + {self.write(term, _SUM)}"
        return text

    def _product(self, expression: Any) -> tuple[str, int]:
        coefficient, rest = expression.as_coeff_Mul()
        if coefficient.is_negative:
            return f"-{self.write(-expression, _PRODUCT)}", _SUM
        above, below = [], []
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            if exponent.is_Rational and exponent < 0 and not isinstance(factor, sp.exp):
                below.append(base ** (-exponent))
            else:
                above.append(factor)
        above.sort(key=lambda factor: isinstance(factor, Where))
        if coefficient != 1 and _is_exact(coefficient):
            above.insert(0, coefficient)
        elif coefficient != 1:
            above[:0] = [sp.Integer(coefficient.p)] if coefficient.p != 1 else []
            below.append(sp.Integer(coefficient.q))
        text = " * ".join(self.write(factor, _PRODUCT) for factor in above) or self.literal(1)
        for turn in divisors(below):
            under = " * ".join(self.write(factor, _UNIT if len(turn) == 1 else _PRODUCT)
                               for factor in turn)  # fmt: skip
            text += f" / ({under})" if len(turn) > 1 else f" / {under}"
        return text, _PRODUCT

    def _power(self, base: Any, exponent: Any) -> tuple[str, int]:
        if exponent.is_Rational and exponent < 0:
            return f"{self.literal(1)} / {self.write(base ** (-exponent), _UNIT)}", _PRODUCT
        if exponent == sp.Rational(1, 2):
            return self.call("sqrt", self.write(base)), _UNIT
        if exponent.is_Integer and 1 < exponent <= 8:
            factor = self.write(base, _UNIT)
            return " * ".join([factor] * int(exponent)), _PRODUCT
        if exponent.is_Rational and exponent.q == 2 and exponent <= 8:
            root = self.call("sqrt", self.write(base))
            whole, _ = self._power(base, sp.Integer(exponent.p // 2)) if exponent.p > 3 else (
                self.write(base, _PRODUCT), 0)  # fmt: skip
            return f"{whole} * {root}", _PRODUCT
        if base == 2:
            return self.call("exp2", self.write(exponent)), _UNIT
        return self.call("power", self.write(base), self.write(exponent)), _UNIT

    def _choice(self, expression: Any) -> str:
        when, then, otherwise = expression.args
        then_text, otherwise_text = self.write(then, _SUM), self.write(otherwise)
        return f"{then_text} if {self.condition(when)} else {otherwise_text}"

    def _function(self, expression: Any) -> str:
        name = expression.func.__name__
        if isinstance(expression, Grouped):
            return self.write(expression.args[0], _UNIT)
        if isinstance(expression, sp.polygamma):  # its order is a whole number
            order, argument = expression.args
            text = self.call("polygamma", str(int(order)), self.write(argument))
            return f"f4({text})" if self.single else text
        arguments = [self.write(argument) for argument in expression.args]
        if name == "abs":
            return f"abs({arguments[0]})"
        if name == "sign":
            one = self.call("copysign", self.literal(1), arguments[0])
            return f"({one} if abs({arguments[0]}) > {self.literal(0)} else {arguments[0]})"
        if isinstance(expression, FinitePlus):
            first, second = arguments
            return f"({first} + {second} if abs({first}) < {self.infinity()} else {first})"
        if isinstance(expression, FiniteTop):
            (top,) = arguments
            return f"({self.literal(0)} if {top} == -{self.infinity()} else {top})"
        if isinstance(expression, ShiftedExp):
            power = self.call(
                "exp_nonpositive", self.write(expression.args[0] - expression.args[1])
            )
            return f"({self.literal(1)} if {arguments[0]} == {self.infinity()} else {power})"
        if name in (*VECTOR_MATH, *SCALAR_MATH, *PLAIN_MATH):
            return self.call(name, *arguments)
        kind = "atom" if isinstance(expression, Atom) else "function"
        raise SymcalcError(f"numba: the {kind} {name} has no kernel yet: {expression}")


def _is_exact(coefficient: Any) -> bool:
    """Whether a rational number is a float without rounding, or a decimal meant as written."""
    return bool(coefficient.q & (coefficient.q - 1) == 0) or coefficient.q in (10, 100, 1000)


def _is_whole(expression: Any) -> bool:
    """Whether an expression is made of indices, extents, whole numbers and integer entries."""
    if isinstance(expression, Access):
        return bool(expression.tensor.domain.integer)
    if isinstance(expression, (Index, Dim, sp.Integer)):
        return True
    return (
        bool(expression.args)
        and all(_is_whole(a) for a in expression.args)
        and isinstance(expression, (sp.Add, sp.Mul))
    ) or isinstance(expression, _WHOLE)
