"""Operations: how many additions, products, divisions and functions a formula costs.

Counts are polynomials in the extents: `2 c n additions, c n exp`. An operation is counted where the
formula writes it, a sum over n terms as n additions; signs, places and equal parts that a kernel
would share are not looked at.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.calculus.partial import Partial
from symcalc.notation.atoms import abs, clip, maximum, minimum, relu, sign, stop_gradient
from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import LogSumExp, Mean, Norm2, Prod, Reduction, Sum
from symcalc.notation.tensors import Access

_ORDER = ("additions", "multiplications", "divisions", "choices")
_CHOICES = (abs, clip, maximum, minimum, relu, sign)
_LARGEST_PRODUCT = 4  # x**4 is three multiplications; beyond it a power is a function


@dataclass(frozen=True)
class Operations:
    """How often each operation is done.

    Args:
        counts: pairs of a name ("additions", "multiplications", "divisions", "choices", or a
            function's such as "exp") and a count, a polynomial in the extents; none is zero.
    """

    counts: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, counts: Mapping[str, Any]) -> Operations:
        """Make the count of a mapping, its names in a fixed order."""
        kept = {name: sp.expand(count) for name, count in counts.items() if count != 0}
        ordered = sorted(kept, key=lambda name: (_place(name), name))
        return cls(tuple((name, kept[name]) for name in ordered))

    def __add__(self, other: Operations) -> Operations:
        found = dict(self.counts)
        for name, count in other.counts:
            found[name] = found.get(name, 0) + count
        return Operations.of(found)

    def times(self, factor: Any) -> Operations:
        """The same done several times."""
        return Operations.of({name: count * factor for name, count in self.counts})

    @property
    def total(self) -> Any:
        """All operations alike, a polynomial in the extents."""
        return sp.expand(sp.Add(*(count for _, count in self.counts)))

    def __getitem__(self, name: str) -> Any:
        return dict(self.counts).get(name, sp.Integer(0))

    def __str__(self) -> str:
        return ", ".join(f"{_words(count)} {name}" for name, count in self.counts) or "none"


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _words(count: Any) -> str:
    """Write a polynomial as a reader does: 3 c n + n."""
    terms = []
    for term in sp.expand(count).as_ordered_terms():
        number, extents = term.as_coeff_Mul()
        powers = [
            str(base) if power == 1 else f"{base}^{power}"
            for base, power in sorted(extents.as_powers_dict().items(), key=str)
            if base != 1
        ]
        terms.append(" ".join([*([] if number == 1 and powers else [str(number)]), *powers]))
    return " + ".join(terms).replace("+ -", "- ")


def operations(expression: Any, indices: Iterable[Index] = ()) -> Operations:
    """Count the operations of a formula.

    Args:
        expression: the formula.
        indices: its free indices, if all entries are meant and not one.

    Returns:
        The Operations.
    """
    return _count(expression).times(sp.Mul(*(index.extent for index in indices)))


def operations_of(equations: Iterable[Equation]) -> Operations:
    """Count the operations of equations, each for every value of its indices."""
    return builtins.sum((operations(e.body, e.indices) for e in equations), Operations())


def cost(expression: Any) -> Any:
    """All operations of one entry of a formula alike, every extent taken as large."""
    return _count(expression).total


def _count(expression: Any) -> Operations:
    if not expression.args or isinstance(expression, (Access, sp.Symbol)):
        return Operations()
    if isinstance(expression, Where):
        when, *sides = expression.args
        relations = when.atoms(sp.core.relational.Relational)
        compared = [side for relation in relations for side in relation.args]
        return _of_all((*sides, *compared)) + _one("choices", builtins.max(len(relations), 1))
    if isinstance(expression, (Let, Partial, stop_gradient)):
        return _count(expression.args[-1] if isinstance(expression, Let) else expression.args[0])
    if isinstance(expression, Reduction):
        return _count_reduction(expression)
    if isinstance(expression, sp.Add):
        return _of_all(expression.args) + _one("additions", len(expression.args) - 1)
    if isinstance(expression, (sp.Mul, sp.Pow)):
        return _count_product(expression)
    if isinstance(expression, _CHOICES):
        return _of_all(expression.args) + _one("choices")
    return _of_all(expression.args) + _one(expression.func.__name__)


def _of_all(expressions: Iterable[Any]) -> Operations:
    return builtins.sum((_count(expression) for expression in expressions), Operations())


def _one(name: str, count: Any = 1) -> Operations:
    return Operations.of({name: sp.sympify(count)})


def _count_reduction(reduction: Reduction) -> Operations:
    n = reduction.index.extent
    parts = _PARTS.get(type(reduction), {"choices": (1, 0)})
    own = Operations.of({name: each * n + once for name, (each, once) in parts.items()})
    return _count(reduction.body).times(n) + own


# What a reduction does for each value, and once.
_PARTS: dict[type[Reduction], dict[str, tuple[int, int]]] = {
    Sum: {"additions": (1, 0)},
    Mean: {"additions": (1, 0), "divisions": (0, 1)},
    Prod: {"multiplications": (1, 0)},
    LogSumExp: {"additions": (1, 0), "exp": (1, 0), "log": (0, 1)},
    Norm2: {"additions": (1, 0), "multiplications": (1, 0), "sqrt": (0, 1)},
}


def _count_product(product: Any) -> Operations:
    """Count a quotient of two products, each power written out."""
    found = Operations()
    above, below = 0, 0
    for factor in sp.Mul.make_args(product):
        if isinstance(factor, sp.Rational):
            above += builtins.abs(factor.p) != 1
            below += factor.q != 1
            continue
        base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.Integer(1))
        found += _count(base)
        if not exponent.is_number:
            found += _count(exponent)
        size = builtins.abs(exponent) if exponent.is_Rational else exponent
        if size == sp.Rational(1, 2):
            found += _one("sqrt")
        elif size.is_Integer and size <= _LARGEST_PRODUCT:
            found += _one("multiplications", size - 1)
        else:
            found += _one("pow")
        downward = bool(exponent.is_Rational and exponent.is_negative)
        above, below = above + (not downward), below + downward
    inner = builtins.max(above - 1, 0) + builtins.max(below - 1, 0)
    return found + _one("multiplications", inner) + _one("divisions", int(below > 0))
