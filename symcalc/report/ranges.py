"""Ranges: between which numbers a formula lies, whatever its inputs are, by interval arithmetic.

A range is a pair of exact numbers, or infinities, that enclose every value; it may be too wide and
never too narrow. Reference: Moore, Kearfott and Cloud, Introduction to Interval Analysis (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.notation import atoms
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.errors import NotationError
from symcalc.notation.reductions import (
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm2,
    Prod,
    Reduction,
    Sum,
)
from symcalc.notation.tensors import Access

Range = tuple[Any, Any]
ANYTHING: Range = (-sp.oo, sp.oo)
_ZERO, _ONE, _QUARTER = sp.Integer(0), sp.Integer(1), sp.Rational(1, 4)
UNIT: Range = (_ZERO, _ONE)
NATURAL: Range = (_ZERO, sp.oo)

# Functions that nowhere decrease, and what they tend to at both ends of where they are defined.
_RISING: dict[Any, Range] = {
    sp.exp: NATURAL, atoms.expm1: (-_ONE, sp.oo), sp.log: ANYTHING, atoms.log1p: ANYTHING,
    atoms.tanh: (-_ONE, _ONE), atoms.sigmoid: UNIT, atoms.softplus: NATURAL,
    atoms.log_sigmoid: (-sp.oo, _ZERO), atoms.erf: (-_ONE, _ONE), atoms.relu: NATURAL,
}  # fmt: skip
_STARTS = {sp.log: _ZERO, atoms.log1p: -_ONE}
# Functions of which only their whole range is known.
_WHOLE: dict[Any, Range] = {
    atoms.sech: UNIT, atoms.log_cosh: NATURAL, atoms.sign: (-_ONE, _ONE), atoms.kl_div: NATURAL,
    atoms.erfc: (_ZERO, sp.Integer(2)), sp.sin: (-_ONE, _ONE), sp.cos: (-_ONE, _ONE),
    atoms.log1mexp: (-sp.oo, _ZERO), Norm2: NATURAL,
}  # fmt: skip


class Ranges:
    """Asks for the ranges of formulas that stand on the same equations.

    Args:
        equations: each standing on those before it.
        hyper: ranges of hyperparameters by name; those of others follow from their signs.
    """

    def __init__(self, equations: Iterable[Equation], hyper: Mapping[str, Range]) -> None:
        self.equations = {equation.target: equation for equation in equations}
        self.hyper = hyper
        self._known: dict[Any, Range] = {}
        self._assumed: list[tuple[Any, Range]] = []

    def of(self, formula: Any) -> Range:
        """Return numbers between which a formula lies.

        Args:
            formula: of the notation; tensors that the equations define are looked up in them.
        """
        for term, within in self._assumed:
            if formula == term:
                return _both(self._of(formula), within)
            if formula == -term:
                return _both(self._of(formula), (-within[1], -within[0]))
        return self._of(formula)

    def _of(self, formula: Any) -> Range:
        if isinstance(formula, Access):
            return self._entry(formula)
        if formula.is_Number or formula.is_NumberSymbol:
            return formula, formula
        if isinstance(formula, sp.Symbol):
            return self._symbol(formula)
        if isinstance(formula, sp.Add):
            return self._sum(formula)
        if isinstance(formula, sp.Mul):
            return self._product(formula)
        if isinstance(formula, sp.Pow):
            return self._power(formula)
        if isinstance(formula, Where):
            return self._choice(formula)
        if isinstance(formula, Let):
            return self.of(formula.body)
        if isinstance(formula, Reduction):
            return self._reduced(formula)
        return self._function(formula)

    def _entry(self, access: Access) -> Range:
        tensor = access.tensor
        if tensor in self.equations:
            if tensor not in self._known:
                self._known[tensor] = ANYTHING  # of itself, a recurrence knows nothing
                self._known[tensor] = self.of(self.equations[tensor].body)
            return self._known[tensor]
        domain = tensor.domain
        if domain.below is not None:
            return NATURAL
        return exact(domain.lower), exact(domain.upper)

    def _symbol(self, symbol: Any) -> Range:
        if isinstance(symbol, Dim):
            return _ONE, sp.oo
        if isinstance(symbol, Index):
            return NATURAL
        known = self.hyper.get(symbol.name)
        return known or (NATURAL if symbol.is_nonnegative else ANYTHING)

    def _sum(self, formula: Any) -> Range:
        for term in formula.args:
            if isinstance(term, Access) and self._exceeds(term, term - formula):
                return NATURAL
        low = high = _ZERO
        for term in formula.args:
            a, b = self.of(term)
            low, high = low + a, high + b
        return low, high

    def _exceeds(self, total: Access, part: Any) -> bool:
        """Whether `total` is the logarithm of a sum of exponentials, `part` being one exponent."""
        equation = self.equations.get(total.tensor)
        if equation is None or not isinstance(equation.body, LogSumExp):
            return False
        body = equation.at(total.places)
        places = {p for a in part.atoms(Access) for p in a.places} | part.atoms(Index)
        return any(_at(body.body, body.index, place) == part for place in places)

    def _product(self, formula: Any) -> Range:
        factors = list(formula.args)
        found: Range = (_ONE, _ONE)
        for one in formula.args:
            for other in formula.args:
                if one in factors and other in factors and self._complements(one, other):
                    factors = [f for f in factors if f not in (one, other)]
                    found = _times(found, (_ZERO, _QUARTER))
        for factor in factors:
            found = _times(found, self.of(factor))
        return found

    def _complements(self, one: Any, other: Any) -> bool:
        """Whether two factors lie between 0 and 1 and add up to 1."""
        if isinstance(one, atoms.sigmoid) and isinstance(other, atoms.sigmoid):
            return bool(one.args[0] == -other.args[0])
        return one != other and one + other == 1 and _inside(self.of(one), UNIT)

    def _power(self, formula: Any) -> Range:
        base, exponent = self.of(formula.base), formula.exp
        if not exponent.is_Rational:
            return NATURAL if base[0] >= 0 else ANYTHING
        if exponent.is_negative:
            return _inverse(self._power(sp.Pow(formula.base, -exponent, evaluate=False)))
        if exponent.is_Integer and exponent % 2 == 0:
            ends = [_raised(abs(end), exponent) for end in base]
            return (_ZERO if base[0] <= 0 <= base[1] else min(ends)), max(ends)
        if exponent.is_Integer or base[0] >= 0:
            return _raised(base[0], exponent), _raised(base[1], exponent)
        return ANYTHING

    def _choice(self, formula: Where) -> Range:
        when, then, otherwise = formula.args
        one = self._under(when, then)
        other = self._under(sp.Not(when), otherwise)
        return min(one[0], other[0]), max(one[1], other[1])

    def _under(self, when: Any, formula: Any) -> Range:
        """The range of a formula where a condition holds."""
        before = list(self._assumed)
        for relation in when.args if isinstance(when, sp.And) else (when,):
            self._assume(relation)
        found = self.of(formula)
        self._assumed = before
        return found

    def _assume(self, relation: Any) -> None:
        if not isinstance(relation, (sp.Le, sp.Lt, sp.Ge, sp.Gt)):
            return
        less, more = relation.args
        if isinstance(relation, (sp.Ge, sp.Gt)):
            less, more = more, less
        top, bottom = self.of(more)[1], self.of(less)[0]
        self._assumed.append((less, (-sp.oo, top)))
        self._assumed.append((more, (bottom, sp.oo)))
        if isinstance(less, atoms.abs):
            self._assumed.append((less.args[0], (-top, top)))

    def _reduced(self, formula: Reduction) -> Range:
        low, high = self.of(formula.body)
        if isinstance(formula, (Mean, Max, Min)):
            return low, high
        if isinstance(formula, Sum):  # of no one knows how many, or of none
            return (_ZERO if low >= 0 else -sp.oo), (_ZERO if high <= 0 else sp.oo)
        if isinstance(formula, LogSumExp):
            return low, sp.oo
        if isinstance(formula, Prod) and low >= 0:
            return UNIT if high <= 1 else NATURAL
        return _WHOLE.get(type(formula), ANYTHING)

    def _function(self, formula: Any) -> Range:
        kind = formula.func
        if kind in _WHOLE:
            return _WHOLE[kind]
        if kind is sp.exp and self._is_share(formula.args[0]):
            return UNIT
        if kind in _RISING:
            return self._rising(kind, self.of(formula.args[0]))
        rule = _RULES.get(kind)
        return ANYTHING if rule is None else rule(*(self.of(a) for a in formula.args))

    def _is_share(self, exponent: Any) -> bool:
        """Whether exp of it is one term of a sum of exponentials over the whole sum."""
        terms = sp.Add.make_args(exponent)
        return any(
            isinstance(-term, Access) and self._exceeds(-term, exponent - term) for term in terms
        )

    @staticmethod
    def _rising(kind: Any, argument: Range) -> Range:
        start = _STARTS.get(kind, -sp.oo)
        bottom, top = _RISING[kind]
        made = getattr(kind, "definition", kind)
        low = bottom if argument[0] <= start else made(argument[0])
        high = top if argument[1] == sp.oo else made(argument[1])
        return sp.simplify(low), sp.simplify(high)


def _at(body: Any, index: Index, place: Any) -> Any:
    """A body at a place of its index; nothing where no array reaches that far."""
    try:
        return body.xreplace({index: place})
    except NotationError:
        return None


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _inside(one: Range, other: Range) -> bool:
    return bool(one[0] >= other[0] and one[1] <= other[1])


def exact(end: float) -> Any:
    """Write a number, or an infinity, exactly.

    Args:
        end: the end of a domain, or a default; 0.1 is one tenth.
    """
    if abs(end) == float("inf"):
        return sp.oo if end > 0 else -sp.oo
    return sp.Rational(str(end))


def _end(a: Any, b: Any) -> Any:
    """Multiply ends; nothing times anything is nothing."""
    return _ZERO if a == 0 or b == 0 else a * b


def _times(one: Range, other: Range) -> Range:
    ends = [_end(a, b) for a in one for b in other]
    return min(ends), max(ends)


def _raised(end: Any, exponent: Any) -> Any:
    return end if abs(end) == sp.oo else end**exponent


def _inverse(found: Range) -> Range:
    low, high = found
    if low < 0 < high or low == high == 0:
        return ANYTHING
    if low >= 0:
        return (_ZERO if high == sp.oo else 1 / high), (sp.oo if low == 0 else 1 / low)
    return (-sp.oo if high == 0 else 1 / high), (_ZERO if low == -sp.oo else 1 / low)


def _size(x: Range) -> Range:
    ends = [abs(end) for end in x]
    return (_ZERO if x[0] <= 0 <= x[1] else min(ends)), max(ends)


_RULES: dict[Any, Callable[..., Range]] = {
    atoms.abs: _size,
    atoms.maximum: lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    atoms.minimum: lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    atoms.clip: lambda x, low, high: (
        min(max(x[0], low[0]), high[0]), min(max(x[1], low[1]), high[1])
    ),
    atoms.weighted: _times,
    atoms.xlogy: lambda x, y: _times(x, Ranges._rising(sp.log, y)),
    atoms.stop_gradient: lambda x: x,
    atoms.trigamma: lambda x: NATURAL if x[0] >= 0 else ANYTHING,
}  # fmt: skip
