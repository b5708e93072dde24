"""Proofs that a mutant is no mistake: an argument for each way in which one can fail to be one.

No argument tries numbers: what it grants is proved, and what none of them grants counts as a
mistake.

- never read: no result stands on the equation.
- same formula: both have one canonical form, what they stand on written out (see `same_formula`).
- same results: so has each result that stands on the equation.
- equal where they part: < and <= choose differently only where both sides are equal, and there what
  they choose between is the same formula.
- same choice: two conditions hold in the same places, wherever what they are multiplied by is not
  zero (see `regions`).
- never there: the two differ only where the condition around them does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sympy as sp

from symcalc.calculus.canonical import TooManyTermsError
from symcalc.calculus.equal import same_formula, written_out
from symcalc.calculus.equations import Equation
from symcalc.calculus.orders import behind
from symcalc.notation import atoms
from symcalc.notation.conditions import Where
from symcalc.notation.tensors import Access, Tensor
from symcalc.verify.regions import NotLinearError, hold_alike

_STRICT = ({sp.Le, sp.Lt}, {sp.Ge, sp.Gt})


@dataclass(frozen=True)
class Change:
    """A change of one equation.

    Args:
        before: the equation as it was derived.
        after: the changed one.
        equations: all of them, each standing on those before it, `before` among them.
        results: the tensors that are wanted.
    """

    before: Equation
    after: Equation
    equations: tuple[Equation, ...]
    results: tuple[Tensor, ...]

    @property
    def changed(self) -> tuple[Equation, ...]:
        """All equations, the changed one among them."""
        return tuple(self.after if e is self.before else e for e in self.equations)


@dataclass(frozen=True)
class Parting:
    """The least parts in which two bodies differ.

    Args:
        left: a part of one.
        right: that of the other in the same place.
        conditions: under which they are looked at.
        factors: entries they are multiplied by on the way.
    """

    left: Any
    right: Any
    conditions: tuple[Any, ...]
    factors: tuple[Any, ...]

    def boundary(self) -> tuple[Any, Any] | None:
        """Return two formulas where whose equality alone the parts may differ; None if untold."""
        left, right = self.left, self.right
        if isinstance(left, atoms.sign) and right == Where(left.args[0] >= 0, 1, -1):
            return left.args[0], sp.Integer(0)
        if not (isinstance(left, Where) and isinstance(right, Where)):
            return None
        one, other = left.args[0], right.args[0]
        same = left.args[1:] == right.args[1:] and one.args == other.args
        return one.args if same and {type(one), type(other)} in _STRICT else None


def proof_of(change: Change) -> str:
    """Return the name of an argument that proves a change to change nothing, or ""."""
    for name, argument in _ARGUMENTS.items():
        try:
            if argument(change):
                return name
        except (TooManyTermsError, NotLinearError):
            continue
    return ""


def _is_never_read(change: Change) -> bool:
    return change.before not in behind(change.equations, change.results)


def _is_same_formula(change: Change) -> bool:
    place = change.equations.index(change.before)
    return same_formula(change.before.body, change.after.body, change.equations[:place])


def _are_same_results(change: Change) -> bool:
    """Whether every result that stands on the equation has one canonical form."""
    old, new = change.equations, change.changed
    pairs = [
        (written_out(one.body, old), written_out(other.body, new))
        for one, other in zip(old, new, strict=True)
        if one.target in change.results and change.before in behind(old, (one.target,))
    ]
    return bool(pairs) and all(same_formula(*pair) for pair in pairs)


def _is_equal_where_they_part(change: Change) -> bool:
    parting = _parting(change.before.body, change.after.body)
    found = parting.boundary()
    if found is None or not isinstance(parting.left, Where):
        return False
    _, then, otherwise = parting.left.args
    return any(
        same_formula(_at(then, letter, other), _at(otherwise, letter, other))
        for letter, other in (found, found[::-1])
        if isinstance(letter, sp.Symbol) and letter not in other.free_symbols
    )


def _at(formula: Any, letter: Any, value: Any) -> Any:
    """A formula where a letter has a value; where |x| is positive, sign(x) is x / |x|."""
    if letter.is_positive and isinstance(value, atoms.abs):
        (x,) = value.args
        formula = formula.xreplace({atoms.sign(x): x / value})
    return formula.xreplace({letter: value})


def _is_same_choice(change: Change) -> bool:
    parting = _parting(change.before.body, change.after.body)
    left, right = parting.left, parting.right
    if not (isinstance(left, Where) and isinstance(right, Where)):
        return False
    if left.args[1:] != right.args[1:]:
        return False
    return hold_alike(left.args[0], right.args[0], parting.factors)


def _is_never_there(change: Change) -> bool:
    parting = _parting(change.before.body, change.after.body)
    found = parting.boundary()
    if found is None:
        return False
    return any(when.xreplace({found[0]: found[1]}) == sp.false for when in parting.conditions)


def _parting(left: Any, right: Any) -> Parting:
    """Follow two bodies down as long as they differ in one argument; a choice is looked at whole.

    A bound index must be the same in both, as it is in a mutant.
    """
    conditions: list[Any] = []
    factors: list[Any] = []
    while left.func == right.func and not isinstance(left, Access):
        ours, theirs = ([a for a in one.args if a not in other.args]
                        for one, other in ((left, right), (right, left)))  # fmt: skip
        if len(ours) != 1 or len(theirs) != 1 or len(left.args) != len(right.args):
            break
        in_place = left.args.index(ours[0]) == right.args.index(theirs[0])
        if not (in_place or isinstance(left, (sp.Add, sp.Mul))):
            break
        if isinstance(left, Where):
            place = left.args.index(ours[0])
            if place == 0:
                break
            conditions.append(left.args[0] if place == 1 else sp.Not(left.args[0]))
        if isinstance(left, sp.Mul):
            factors += [a for a in left.args if isinstance(a, Access)]
        left, right = ours[0], theirs[0]
    return Parting(left, right, tuple(conditions), tuple(factors))


_ARGUMENTS: Mapping[str, Callable[[Change], bool]] = MappingProxyType({
    "never read": _is_never_read,
    "same formula": _is_same_formula,
    "equal where they part": _is_equal_where_they_part,
    "same choice": _is_same_choice,
    "never there": _is_never_there,
    "same results": _are_same_results,
})  # fmt: skip
