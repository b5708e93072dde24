"""Spread: the forward pass along every unit vector at once, `xdot[p] = [q = p]` for a free q.

The tangent of a tensor is then a sum of terms, each a coefficient times Kronecker deltas that tie
entries of q to places of the tensor; a sum over an index that a delta ties is used up by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation, Namer
from symcalc.calculus.partial import Partial
from symcalc.calculus.rewriting import refreshed
from symcalc.calculus.simplify import simplified
from symcalc.calculus.slopes import Slopes, active, along, partial
from symcalc.calculus.steps import Step
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import Reduction, Sum
from symcalc.notation.tensors import Access, Tensor, accesses

# A formula longer than this, or with sums deeper inside sums, is no insight; the derivative of a
# network by its first layer is one. Products are faster to have, and as fast to compute.
MOST_NODES = 1000
MOST_SUMS_DEEP = 1
MOST_EQUATIONS = 60

Tie = tuple[int, Any]
Terms = dict[frozenset[Tie], Any]


class TooLongError(Exception):
    """The formula grew beyond what is worth having."""


@dataclass(frozen=True)
class Spread:
    """A tensor's derivative by every entry of another: one term for each set of deltas.

    Args:
        indices: of the tensor.
        others: of the entry differentiated by.
        terms: from the deltas `[others[axis] = place]` to the coefficient.
        equations: what the coefficients stand on.
        steps: what was done, in order.
    """

    indices: tuple[Index, ...]
    others: tuple[Index, ...]
    terms: Terms
    equations: tuple[Equation, ...]
    steps: tuple[Step, ...]


class SpreadPass:
    """Differentiates equations by every entry of an input at once.

    Args:
        equations: each standing on those before it.
        value: the tensor that the gradient is of.
        wrt: the input differentiated by.
        others: one index an axis of it.
        namer: hands out the names of what is added.
    """

    def __init__(
        self, equations: tuple[Equation, ...], value: Tensor, wrt: Tensor,
        others: tuple[Index, ...], namer: Namer,
    ) -> None:  # fmt: skip
        self.equations = equations
        self.value = value
        self.wrt = wrt
        self.others = others
        self.slopes = Slopes(Context(equations), namer)
        self.found: dict[Tensor, tuple[tuple[Index, ...], Terms]] = {}
        self.steps: list[Step] = []

    def run(self, output: Tensor) -> Spread:
        """Return the derivative of one tensor.

        Raises:
            TooLongError: it, or something it stands on, is too long.
        """
        moving = active(list(self.equations), {self.wrt.name})
        if len(moving) > MOST_EQUATIONS:
            raise TooLongError
        for equation in self.equations:
            if equation.target in moving:
                self._push(equation)
        last = next(e for e in self.equations if e.target == output)
        terms = self.found.get(output, ((), {}))[1]
        return Spread(
            last.indices,
            self.others,
            terms,
            tuple(self.slopes.context.equations),
            tuple(self.steps),
        )

    def written(self, terms: Terms) -> Any:
        """Return terms as one formula, deltas and all."""
        return sp.Add(*(c * self._deltas(ties) for ties, c in terms.items()))

    def _deltas(self, ties: frozenset[Tie]) -> Any:
        return sp.Mul(*(self.delta(axis, place) for axis, place in sorted(ties, key=str)))

    def delta(self, axis: int, place: Any) -> Any:
        """Return `[others[axis] = place]` as a formula."""
        return Where(sp.Eq(self.others[axis], place), 1, 0)

    def context(self) -> Context:
        """The value's equations and their helpers, the value's own last; then the gradient's."""
        known = self.slopes.context.equations
        position = next(p for p, e in enumerate(known) if e.target == self.value)
        helpers = (e for e in known[position + 1 :] if e.target.is_nonnegative)
        own = {e.target for e in (*known[:position], *helpers)}
        return Context(
            (*(e for e in known if e.target in own), known[position]),
            tuple(e for e in known[position + 1 :] if e.target not in own),
        )

    def _push(self, equation: Equation) -> None:
        """Find the derivative of one tensor from those of what its equation reads."""
        reduction = equation.reduction
        if equation.recurrence is not None:
            raise TooLongError  # its derivative is a triangle
        local = self.slopes.of_reduction(equation)
        written, terms = [], _Sum()
        for access in accesses(equation.inner):
            behind = self._at(access)
            if not behind:
                continue
            written.append(along(equation.inner, access, self.written(behind), Partial))
            for ties, coefficient in behind.items():
                term = local * along(equation.inner, access, coefficient, partial)
                terms.add(*self._contracted(ties, term, reduction))
        if not written:
            return
        before = local * sp.Add(*written)
        if reduction is not None:
            before = Sum.over(reduction.index, before)
        if not _is_short(terms.found):
            raise TooLongError
        whole = (*equation.indices, *self.others)
        target = Tensor(f"{equation.target.name}_dot", tuple(i.extent for i in whole))
        context = self.context()
        after = self.written(terms.found)
        self.steps.append(
            Step(
                "deltas pushed forward", target, whole, before, after,
                (f"through {equation.target.name}",), context.near(before, after),
            )
        )  # fmt: skip
        kept: Terms = {}
        for ties, coefficient in terms.found.items():
            short, steps = simplified(self._tied(ties, coefficient), target, whole, context)
            self.steps.extend(steps)
            if short != 0:
                kept[ties] = short
        if kept:
            self.found[equation.target] = (equation.indices, kept)

    def _at(self, access: Access) -> Terms:
        """The derivative of one access."""
        if access.tensor == self.wrt:
            return {frozenset(enumerate(access.places)): sp.Integer(1)}
        indices, terms = self.found.get(access.tensor, ((), {}))
        at = dict(zip(indices, access.places, strict=False))
        moved = _Sum()
        for ties, coefficient in terms.items():
            moved.add(
                frozenset((axis, place.xreplace(at)) for axis, place in ties),
                refreshed(coefficient).xreplace(at),
            )
        return moved.found

    def _tied(self, ties: frozenset[Tie], coefficient: Any) -> Any:
        """Write a coefficient in the tensor's own indices where deltas tie q to them."""
        at = {
            self.others[axis]: place for axis, place in ties
            if isinstance(place, Index) and place not in self.others
            and place.extent == self.others[axis].extent
        }  # fmt: skip
        return coefficient.xreplace(at) if at else coefficient

    def _contracted(
        self, ties: frozenset[Tie], coefficient: Any, reduction: Reduction | None
    ) -> tuple[frozenset[Tie], Any]:
        """Sum a term over a bound index, by a delta if one ties it."""
        if reduction is None:
            return ties, coefficient
        bound = reduction.index
        ties = _pinned(ties, coefficient, bound)
        for axis, place in sorted(ties, key=str):
            if isinstance(place, Access) or bound not in place.free_symbols:
                continue
            shift = sp.expand(place - bound)
            if not shift.is_Integer:
                continue
            other = self.others[axis]
            at = {bound: other - shift}
            inside = coefficient.xreplace(at)
            bounds = [other >= shift] if shift > 0 else []
            beyond = other.extent - (bound.extent + shift)
            if not (beyond.is_Integer and beyond <= 0):
                bounds.append(other < bound.extent + shift)
            if bounds:
                inside = Where(sp.And(*bounds), inside, 0)
            rest = ties - {(axis, place)}
            return frozenset((a, p.xreplace(at)) for a, p in rest), inside
        held = frozenset(tie for tie in ties if bound in tie[1].free_symbols)
        return ties - held, Sum.over(bound, coefficient * self._deltas(held))


class _Sum:
    """Terms that are being added up."""

    def __init__(self) -> None:
        self.found: Terms = {}

    def add(self, ties: frozenset[Tie], coefficient: Any) -> None:
        """Add a term to those of the same deltas."""
        total = self.found.get(ties, sp.Integer(0)) + coefficient
        if total == 0:
            self.found.pop(ties, None)
        else:
            self.found[ties] = total


def _pinned(ties: frozenset[Tie], coefficient: Any, bound: Index) -> frozenset[Tie]:
    """Where the coefficient holds `[k = y[i]]`, a delta `[q = y[i]]` is `[q = k]` as well."""
    same: dict[Any, Any] = {}
    for factor in sp.Mul.make_args(coefficient):
        if isinstance(factor, Where) and factor.args[2] == 0 and isinstance(factor.args[0], sp.Eq):
            left, right = factor.args[0].args
            for index, label in ((left, right), (right, left)):
                if isinstance(index, Index) and isinstance(label, Access) and index != bound:
                    same[label] = index
    return frozenset((axis, same.get(place, place)) for axis, place in ties)


def _is_short(terms: Terms) -> bool:
    size = sum(sum(1 for _ in sp.preorder_traversal(c)) for c in terms.values())
    return size <= MOST_NODES and all(_depth(c) <= MOST_SUMS_DEEP for c in terms.values())


def _depth(expression: Any) -> int:
    """How deep reductions stand inside one another."""
    inside = max((_depth(argument) for argument in expression.args), default=0)
    return inside + isinstance(expression, Reduction)
