"""Operations: how many additions, products, divisions and functions a formula costs.

Counts are polynomials in the extents: `2 c n additions, c n exp`. A part of a formula is computed
once for every value of the indices it depends on, no oftener; a sum over n terms is n additions.
Signs, places, numbers and the sharing of equal parts are not looked at.
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
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, free_indices

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

    @property
    def total(self) -> Any:
        """All operations alike, a polynomial in the extents."""
        return sp.expand(sp.Add(*(count for _, count in self.counts)))

    def __getitem__(self, name: str) -> Any:
        return dict(self.counts).get(name, sp.Integer(0))

    def __str__(self) -> str:
        words = (f"{_words(n)} {name[:-1] if n == 1 and name in _ORDER else name}"
                 for name, n in self.counts)  # fmt: skip
        return ", ".join(words) or "none"


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


def operations(expression: Any) -> Operations:
    """Count the operations of a formula, for all values of its indices.

    Args:
        expression: the formula.

    Returns:
        The Operations.
    """
    return _count(expression)[0]


def operations_of(equations: Iterable[Equation]) -> Operations:
    """Count the operations of equations."""
    return builtins.sum((operations(equation.body) for equation in equations), Operations())


def cost(expression: Any) -> int:
    """All operations of a formula alike, every extent being ten."""
    total = operations(expression).total
    return int(total.xreplace({extent: sp.Integer(10) for extent in total.free_symbols}))


_Counted = tuple[Operations, frozenset[Index]]  # the operations, and the indices they depend on


def _count(expression: Any) -> _Counted:
    if isinstance(expression, (Access, sp.Symbol)) or not expression.args:
        return Operations(), frozenset(free_indices(expression))
    if not expression.free_symbols and not expression.atoms(Access):
        return Operations(), frozenset()  # a number
    if isinstance(expression, Where):
        when, *sides = expression.args
        relations = when.atoms(sp.core.relational.Relational)
        compared = [side for relation in relations for side in relation.args]
        return _joined((*sides, *compared), "choices", builtins.max(len(relations), 1))
    if isinstance(expression, (Let, Partial, stop_gradient)):
        return _count(expression.args[-1] if isinstance(expression, Let) else expression.args[0])
    if isinstance(expression, Reduction):
        return _count_reduction(expression)
    if isinstance(expression, Recurrence):
        return _count_recurrence(expression)
    if isinstance(expression, sp.Add):
        return _chained(expression.args, "additions")
    if isinstance(expression, (sp.Mul, sp.Pow)):
        return _count_product(expression)
    if isinstance(expression, _CHOICES):
        return _joined(expression.args, "choices")
    return _joined(expression.args, expression.func.__name__)


def _done(name: str, indices: frozenset[Index], count: Any = 1) -> Operations:
    """One operation (or several) for each value of some indices."""
    return Operations.of({name: sp.Mul(count, *(index.extent for index in indices))})


def _joined(parts: Iterable[Any], name: str, count: int = 1) -> _Counted:
    """All parts, and one operation that takes them all."""
    counted = [_count(part) for part in parts]
    indices = frozenset[Index]().union(*(own for _, own in counted))
    return builtins.sum((ops for ops, _ in counted), Operations()) + _done(
        name, indices, count
    ), indices


def _chained(parts: Iterable[Any], name: str) -> _Counted:
    """All parts, put together two by two, those first that depend on fewer indices."""
    return _chain([_count(part) for part in parts], name)


def _chain(counted: list[_Counted], name: str) -> _Counted:
    found, indices = Operations(), frozenset[Index]()
    for place, (ops, own) in enumerate(sorted(counted, key=_spread)):
        indices |= own
        found += ops + (_done(name, indices) if place else Operations())
    return found, indices


def _spread(one: _Counted) -> tuple[int, list[str]]:
    """Sort what depends on few indices first, and what depends on the same ones together."""
    return len(one[1]), sorted(f"{index.name} {index.dummy_index}" for index in one[1])


def _count_reduction(reduction: Reduction) -> _Counted:
    inner, indices = _count(reduction.body)
    indices -= {reduction.index}
    parts = _PARTS.get(type(reduction), {"choices": (1, 0)})
    for name, (each, once) in parts.items():
        inner += _done(name, indices, each * reduction.index.extent + once)
    return inner, indices


def _count_recurrence(recurrence: Recurrence) -> _Counted:
    """Count a product and a sum for each entry, of which those before the last are kept."""
    decay, term = ((ops, own | {recurrence.index}) for ops, own in
                   (_count(recurrence.decay), _count(recurrence.term)))  # fmt: skip
    found, indices = _chain([_chain([decay, (Operations(), decay[1])], "multiplications"), term],
                            "additions")  # fmt: skip
    start, place = _count(recurrence.start), frozenset(free_indices(recurrence.place))
    return found + start[0], indices - {recurrence.index} | start[1] | place


# What a reduction does for each value, and once.
_PARTS: dict[type[Reduction], dict[str, tuple[int, int]]] = {
    Sum: {"additions": (1, 0)},
    Mean: {"additions": (1, 0), "divisions": (0, 1)},
    Prod: {"multiplications": (1, 0)},
    LogSumExp: {"additions": (1, 0), "exp": (1, 0), "log": (0, 1)},
    Norm2: {"additions": (1, 0), "multiplications": (1, 0), "sqrt": (0, 1)},
}


def _count_product(product: Any) -> _Counted:
    """Count a quotient of two products, each power written out."""
    above: list[_Counted] = []
    below: list[_Counted] = []
    for factor in sp.Mul.make_args(product):
        if isinstance(factor, sp.Rational):
            above += [_NUMBER] * (builtins.abs(factor.p) != 1)
            below += [_NUMBER] * (factor.q != 1)
            continue
        base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.Integer(1))
        down = bool(exponent.is_Rational and exponent.is_negative)
        (below if down else above).append(_count_power(base, -exponent if down else exponent))
    top, bottom = _chain(above, "multiplications"), _chain(below, "multiplications")
    if not below:
        return top
    indices = top[1] | bottom[1]
    return top[0] + bottom[0] + _done("divisions", indices), indices


_NUMBER: _Counted = (Operations(), frozenset())


def _count_power(base: Any, exponent: Any) -> _Counted:
    """Count a power: a few products, a root, or a function of its own."""
    if exponent == 1:
        return _count(base)
    if exponent == sp.Rational(1, 2):
        return _joined((base,), "sqrt")
    if exponent.is_Integer and exponent <= _LARGEST_PRODUCT:
        return _joined((base,), "multiplications", int(exponent) - 1)
    return _joined((base, exponent), "pow")
