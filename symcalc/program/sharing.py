"""Common subexpressions of a run of statements, each computed once under a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import sympy as sp

from symcalc.notation.atoms import Grouped, sign
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.primitives import FinitePlus, FiniteTop, ShiftedExp, Unsigned
from symcalc.program.program import Accumulate, Assign

_MOST_PAIRS = 20
# What is read from memory as it stands: a label to be looked at is no number to be named.
_WHOLE = (Access, Unsigned)


@dataclass(frozen=True)
class Shared:
    """A value computed once: `symbol = value`."""

    symbol: Any
    value: Any


Line = Shared | Assign | Accumulate


def share(statements: list[Assign | Accumulate], taken: set[str], local: set[Tensor]) -> list[Line]:
    """Name what several statements, or several parts of one, have in common.

    What stands under a condition on indices is left there: it may be out of bounds elsewhere. Of a
    quotient the divisor is named, never its reciprocal: that of a tiny number would overflow.

    Args:
        statements: in order; none of them reads an accumulator of the others.
        taken: names that are in use; the new ones are added.
        local: tensors that live in scalars, whose mention costs nothing.
    """
    statements = _paired(statements)
    counts: Counter[Any] = Counter()
    for statement in statements:
        for node in _visible(statement.value):
            counts[node] += 1
            for argument in _written_twice(node):
                counts[argument] += 1
    for node in list(counts):
        if isinstance(node, Access) and node.tensor in local:
            del counts[node]
    named: dict[Any, Any] = {}
    lines: list[Line] = []
    for statement in statements:
        value = _rewrite(statement.value, counts, named, lines, taken)
        if isinstance(statement, Assign):
            lines.append(Assign(statement.target, statement.places, value))
        else:
            lines.append(Accumulate(statement.target, statement.places, statement.kind, value,
                                    statement.index))  # fmt: skip
    return lines


def _paired(statements: list[Assign | Accumulate]) -> list[Assign | Accumulate]:
    """Group two factors that stand together in several products, so that they have a name.

    x*y*a and x*y*b share no subexpression until (x*y) is one.
    """
    for _ in range(_MOST_PAIRS):
        counts: Counter[Any] = Counter()
        for statement in statements:
            for product in _products(statement.value):
                counts.update(combinations(_factors(product), 2))
        pair, count = max(counts.items(), key=lambda c: (c[1], str(c[0])), default=(None, 0))
        if pair is None or count < 2:
            break
        statements = [replace(s, value=_grouped(s.value, pair)) for s in statements]
    return statements


def _products(expression: Any) -> Iterator[Any]:
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Mul) and len(_factors(node)) > 2:
            yield node


def _factors(product: Any) -> list[Any]:
    """The factors that take time: no numbers, no quotients, nothing under a condition."""
    return sorted(
        (f for f in product.args
         if not f.is_number and not isinstance(f, Where) and not f.as_base_exp()[1].is_negative),
        key=str,
    )  # fmt: skip


def _grouped(expression: Any, pair: tuple[Any, Any]) -> Any:
    if not expression.args or isinstance(expression, Access):
        return expression
    arguments = [_grouped(argument, pair) for argument in expression.args]
    if isinstance(expression, sp.Mul) and len(_factors(expression)) > 2:
        if all(factor in arguments for factor in pair):
            rest = [argument for argument in arguments if argument not in pair]
            return sp.Mul(Grouped(sp.Mul(*pair)), *rest)
    same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
    return expression if same else expression.func(*arguments)


def _written_twice(node: Any) -> tuple[Any, ...]:
    """The arguments that the code of a primitive mentions more than once."""
    if isinstance(node, sp.Pow) and node.exp.is_Integer and abs(node.exp) > 1:
        return (node.base,)
    if isinstance(node, (FinitePlus, FiniteTop, ShiftedExp)):
        return node.args[:1]
    return node.args if isinstance(node, sign) else ()


def guards_bounds(node: Any) -> bool:
    """Whether a choice hangs on indices themselves, so that its sides may be out of bounds."""
    if not isinstance(node, Where) or node.is_indicator:
        return False
    when = node.args[0]
    plain = when.xreplace({access: sp.Dummy() for access in when.atoms(Access)})
    return bool(plain.atoms(Index))


def _visible(expression: Any, seen: set[Any] | None = None) -> Iterator[Any]:
    """Every node that may be computed ahead; the inside of a repeated one only once."""
    seen = set() if seen is None else seen
    if not expression.args:
        return
    yield expression
    if expression in seen or isinstance(expression, _WHOLE):
        return
    seen.add(expression)
    inside = expression.args[:1] if guards_bounds(expression) else expression.args
    if isinstance(expression, Grouped):  # its name is that of what it groups
        inside = expression.args[0].args
    for argument in inside:
        divides = isinstance(expression, sp.Mul) and _divides(argument)
        yield from _visible(_divisor(argument)[0] if divides else argument, seen)


def _divisor(quotient: Any) -> tuple[Any, int]:
    """What is divided by, and how often: by a square twice, for it may leave the format's range."""
    base, exponent = quotient.args
    return (base, int(-exponent)) if exponent.is_Integer else (base**-exponent, 1)


def _divides(factor: Any) -> bool:
    """Whether a factor is a reciprocal of something other than extents."""
    if not isinstance(factor, sp.Pow) or not factor.exp.is_Rational or factor.exp > 0:
        return False
    return bool(factor.base.atoms(Access) or {type(s) for s in factor.base.free_symbols} - {Dim})


def _rewrite(
    expression: Any, counts: Counter[Any], named: dict[Any, Any], lines: list[Line], taken: set[str]
) -> Any:
    if expression in named:
        return named[expression]
    if not expression.args:
        return expression
    rebuilt = expression
    if not isinstance(expression, _WHOLE) and not guards_bounds(expression):
        arguments = []
        for argument in expression.args:
            if isinstance(expression, sp.Mul) and _divides(argument):
                part, times = _divisor(argument)
                arguments.append(_rewrite(part, counts, named, lines, taken) ** -times)
            else:
                arguments.append(_rewrite(argument, counts, named, lines, taken))
        if tuple(arguments) != expression.args:
            rebuilt = expression.func(*arguments)
    if counts[expression] < 2 or not _is_work(expression):
        return rebuilt
    symbol = sp.Symbol(_name(expression, taken), real=True)
    named[expression] = symbol
    lines.append(Shared(symbol, rebuilt))
    return symbol


def _is_work(expression: Any) -> bool:
    """Whether naming it saves anything: not for a sign, a number, or an extent."""
    if isinstance(expression, sp.logic.boolalg.Boolean):
        return False
    if isinstance(expression, sp.Mul) and len(expression.args) == 2 and expression.args[0] == -1:
        return False
    return not all(isinstance(s, (Dim, Index)) for s in expression.atoms(sp.Symbol)) or isinstance(
        expression, Access
    )


def _name(expression: Any, taken: set[str]) -> str:
    if isinstance(expression, Access) and all(p.is_Symbol for p in expression.places):
        wanted = "_".join([expression.tensor.name, *(p.name for p in expression.places)])
    elif isinstance(expression, sp.exp):
        wanted = "e"
    else:
        wanted = "t"
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}{count}"
    taken.add(name)
    return name
