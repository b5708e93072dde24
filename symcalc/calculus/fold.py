"""Folding: a factor that a named definition explains is written in terms of the name.

Where the formula defines r = (var + eps)^(-1/2), a factor (var + eps)^(-3/2) is r^3; where it
defines xhat = (x - mu) r, a factor (x - mu) is xhat / r.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation
from symcalc.calculus.operations import cost
from symcalc.calculus.rewriting import placed
from symcalc.notation.atoms import sigmoid, softplus
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor, accesses


def fold_definitions(expression: Any, context: Context) -> Any:
    """Replace sums that stand as factors by what the elementwise definitions make of them."""
    done: set[Tensor] = set()
    while True:
        waiting = [e for e in context.explaining(expression) if e.target not in done]
        if not waiting:
            return expression
        for equation in waiting:
            done.add(equation.target)
            folded = _fold_definition(expression, equation, context)
            if folded != expression:  # by now it reads other tensors, which explain more
                expression = folded
                break


def _fold_definition(expression: Any, equation: Equation, context: Context) -> Any:
    """Replace what one definition explains, as a whole or as a factor."""
    expression = _fold_whole(expression, equation)
    monomial = _monomial(equation)
    if monomial is not None and _may_vanish(monomial[2], context):
        return expression
    return expression if monomial is None else _fold(expression, equation, *monomial)


def _fold_whole(expression: Any, equation: Equation, held: frozenset[Any] = frozenset()) -> Any:
    """Replace the whole body of a definition, wherever it stands, by the name.

    Args:
        expression: where to look.
        equation: the definition.
        held: the conditions under which the expression is looked at.
    """
    if not expression.args or isinstance(expression, Access):
        return expression
    if isinstance(expression, Where):
        when, then, otherwise = expression.args
        inside = held | frozenset(sp.And.make_args(when))
        return Where(
            _fold_whole(when, equation, held),
            _fold_whole(then, equation, inside),
            _fold_whole(otherwise, equation, held),
        )
    for pattern, conditions in _patterns(equation.body):
        if expression.func == pattern.func:
            places = _match(pattern, expression, equation)
            at = dict(zip(equation.indices, places or (), strict=False))
            if places is not None and {c.xreplace(at) for c in conditions} <= held:
                return Access(equation.target, *places)
    return expression.func(*(_fold_whole(a, equation, held) for a in expression.args))


def _patterns(body: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return a body, and what it is where its one choice is taken, with the conditions of that."""
    choices = body.atoms(Where)
    found: list[tuple[Any, tuple[Any, ...]]] = [(body, ())]
    if len(choices) == 1 and not isinstance(body, Where):
        (choice,) = choices
        taken = body.xreplace({choice: choice.args[1]})
        if taken.args and not isinstance(taken, Access):
            found.append((taken, sp.And.make_args(choice.args[0])))
    return found


def _monomial(equation: Equation) -> tuple[Any, Any, Any] | None:
    """Part a body into (sum, exponent, rest) if it is sum**exponent * rest with one such sum."""
    sums, rest = [], []
    for factor in sp.Mul.make_args(equation.body):
        base, exponent = factor.as_base_exp()
        if isinstance(base, sp.Add) and base.atoms(Access):
            sums.append((base, exponent))
        else:
            rest.append(factor)
    if len(sums) != 1:
        return None
    base, exponent = sums[0]
    invertible = exponent in (1, -1) or (exponent.is_Rational and exponent.q == 2)
    others = sp.Mul(*rest)  # divided by: it must not be zero, nor turn a root imaginary
    safe = others.is_positive or (others.is_Number and exponent in (1, -1))
    return (base, exponent, others) if invertible and safe else None


def _may_vanish(positive: Any, context: Context) -> bool:
    """Whether a positive number may be too small for floating point: an exponential is at times."""
    for factor in sp.Mul.make_args(positive):
        base, _ = factor.as_base_exp() if factor.is_Pow else (factor, 1)
        if isinstance(base, _VANISHING):
            return True
        if isinstance(base, Access):
            meant = next((e for e in context.equations if e.target == base.tensor), None)
            if meant is not None and _may_vanish(meant.body, context):
                return True
    return False


_VANISHING = (sp.exp, sigmoid, softplus)


def _fold(expression: Any, equation: Equation, base: Any, exponent: Any, rest: Any) -> Any:
    """Replace the base, wherever it stands as a factor, by (T / rest)**(1/exponent)."""
    if not expression.args or isinstance(expression, Access):
        return expression
    if isinstance(expression, sp.Mul):
        folded = sp.Mul(*(_fold_factor(f, equation, base, exponent, rest) for f in expression.args))
        if _no_worse(folded, expression):
            return folded
        return sp.Mul(*(_fold_inside(f, equation, base, exponent, rest) for f in expression.args))
    if isinstance(expression, (sp.Pow, sp.Add)):
        folded = _fold_factor(expression, equation, base, exponent, rest)
        if folded != expression and _no_worse(folded, expression):
            return folded
    return _fold_inside(expression, equation, base, exponent, rest)


def _no_worse(folded: Any, written: Any) -> bool:
    """Whether folding brings in no function, as exp(s) for exp(-s), and no more operations."""
    return bool(
        folded == written
        or (
            folded.atoms(sp.Function) <= written.atoms(sp.Function)
            and cost(folded) <= cost(written)
        )
    )


def _fold_factor(factor: Any, equation: Equation, base: Any, exponent: Any, rest: Any) -> Any:
    """Replace a power of the base itself, else what stands inside a factor."""
    written, power = factor.as_base_exp()
    if isinstance(written, sp.Add) and power.is_Rational:
        for content, primitive in {(sp.Integer(1), written): 0, written.primitive(): 1}:
            for sign in (1, -1):
                places = _match(base, sign * primitive, equation)
                whole = power.is_Integer and (power / exponent).is_Integer
                if places is not None and (whole or (sign == 1 and equation.target.is_positive)):
                    at = dict(zip(equation.indices, places, strict=True))
                    named = Access(equation.target, *places) / rest.xreplace(at)
                    return (sign * content) ** power * _power(named, power / exponent)
    return _fold_inside(factor, equation, base, exponent, rest)


def _fold_inside(factor: Any, equation: Equation, base: Any, exponent: Any, rest: Any) -> Any:
    """Fold what a factor is made of, but not the factor itself."""
    if isinstance(factor, Access) or not factor.args:
        return factor
    written, power = factor.as_base_exp() if factor.is_Pow else (factor, sp.Integer(1))
    if isinstance(written, sp.Add):
        terms = (_fold(term, equation, base, exponent, rest) for term in written.args)
        return sp.Pow(sp.Add(*terms), power)
    return factor.func(*(_fold(a, equation, base, exponent, rest) for a in factor.args))


def _power(named: Any, exponent: Any) -> Any:
    """Raise a product to a power factor by factor."""
    return sp.Mul(*(factor**exponent for factor in sp.Mul.make_args(named)))


def _match(pattern: Any, candidate: Any, equation: Equation) -> tuple[Any, ...] | None:
    """Return the places at which the pattern's indices give the candidate."""
    theirs = accesses(candidate)
    for at in _placings(accesses(pattern), theirs, equation.indices, {}):
        if placed(pattern, at) == candidate:
            return tuple(at[index] for index in equation.indices)
    return None


def _placings(
    ours: list[Access], theirs: list[Access], indices: tuple[Index, ...], at: dict[Any, Any]
) -> Iterator[dict[Any, Any]]:
    """Run through what the indices may stand for: each access tells of those in its own places."""
    if all(index in at for index in indices):
        yield at
        return
    if not ours:
        return
    first, *rest = ours
    new = [place for place in first.places if place in indices and place not in at]
    for access in theirs if new else ():
        if access.tensor == first.tensor:
            more = dict(zip(first.places, access.places, strict=True))
            if all(at.get(place, there) == there for place, there in more.items()):
                known = {place: there for place, there in more.items() if place in indices}
                yield from _placings(rest, theirs, indices, {**at, **known})
    if not new:
        yield from _placings(rest, theirs, indices, at)
