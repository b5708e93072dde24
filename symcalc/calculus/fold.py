"""Folding: a factor that a named definition explains is written in terms of the name.

Where the formula defines r = (var + eps)^(-1/2), a factor (var + eps)^(-3/2) is r^3; where it
defines xhat = (x - mu) r, a factor (x - mu) is xhat / r.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation
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
            folded = _fold_definition(expression, equation)
            if folded != expression:  # by now it reads other tensors, which explain more
                expression = folded
                break


def _fold_definition(expression: Any, equation: Equation) -> Any:
    """Replace what one definition explains, as a whole or as a factor."""
    expression = _fold_whole(expression, equation)
    monomial = _monomial(equation)
    return expression if monomial is None else _fold(expression, equation, *monomial)


def _fold_whole(expression: Any, equation: Equation) -> Any:
    """Replace the whole body of a definition, wherever it stands, by the name."""
    if not expression.args or isinstance(expression, Access):
        return expression
    if expression.func == equation.body.func:
        places = _match(equation.body, expression, equation)
        if places is not None:
            return Access(equation.target, *places)
    return expression.func(*(_fold_whole(argument, equation) for argument in expression.args))


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


def _fold(expression: Any, equation: Equation, base: Any, exponent: Any, rest: Any) -> Any:
    """Replace the base, wherever it stands as a factor, by (T / rest)**(1/exponent)."""
    if not expression.args or isinstance(expression, Access):
        return expression
    if isinstance(expression, sp.Mul):
        return sp.Mul(*(_fold_factor(f, equation, base, exponent, rest) for f in expression.args))
    if isinstance(expression, (sp.Pow, sp.Add)):
        folded = _fold_factor(expression, equation, base, exponent, rest)
        if folded != expression:
            return folded
    return expression.func(
        *(_fold(argument, equation, base, exponent, rest) for argument in expression.args)
    )


def _fold_factor(factor: Any, equation: Equation, base: Any, exponent: Any, rest: Any) -> Any:
    written, power = factor.as_base_exp()
    if isinstance(written, sp.Add) and power.is_Rational:
        content, primitive = written.primitive()
        for sign in (1, -1):
            places = _match(base, sign * primitive, equation)
            whole = power.is_Integer and (power / exponent).is_Integer
            if places is not None and (whole or (sign == 1 and equation.target.is_positive)):
                at = dict(zip(equation.indices, places, strict=True))
                named = Access(equation.target, *places) / rest.xreplace(at)
                return (sign * content) ** power * _power(named, power / exponent)
        return sp.Pow(
            sp.Add(*(_fold(a, equation, base, exponent, rest) for a in written.args)), power
        )
    if isinstance(factor, Access) or not factor.args:
        return factor
    return factor.func(*(_fold(a, equation, base, exponent, rest) for a in factor.args))


def _power(named: Any, exponent: Any) -> Any:
    """Raise a product to a power factor by factor."""
    return sp.Mul(*(factor**exponent for factor in sp.Mul.make_args(named)))


def _match(pattern: Any, candidate: Any, equation: Equation) -> tuple[Any, ...] | None:
    """Return the places at which the pattern's indices give the candidate."""
    for ours in accesses(pattern):
        for theirs in accesses(candidate):
            if ours.tensor != theirs.tensor:
                continue
            at = {ours_at: theirs_at
                  for ours_at, theirs_at in zip(ours.places, theirs.places, strict=True)
                  if ours_at in equation.indices}  # fmt: skip
            places = tuple(at.get(index) for index in equation.indices)
            if None not in places and pattern.xreplace(at) == candidate:
                return places
    return None
