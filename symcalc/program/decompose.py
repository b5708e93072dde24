"""Decomposition: means, logsumexp and norms as sums, maxima and scalar statements."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.atoms import Grouped
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import ArgMax, ArgMin, LogSumExp, Max, Mean, Min, Norm2, Sum
from symcalc.notation.tensors import Access, Tensor, accesses
from symcalc.program.primitives import (
    FinitePlus,
    FiniteTop,
    ShiftedExp,
    below_one,
    norm_of_sums,
    same,
    square,
    square_of_large,
    square_of_small,
)

# Functions dear enough that a value used in several loops is stored and not computed again.
DEAR = (sp.exp, sp.log, sp.sin, sp.cos, sp.Pow, ShiftedExp)
SQUARES = {"sum": square, "large": square_of_large, "small": square_of_small}


@dataclass
class _Parts:
    """What a logsumexp was taken apart into."""

    equation: Equation
    top: Tensor  # the greatest term
    exponential: Tensor  # exp(term - top)
    total: Tensor  # their sum
    share: Tensor  # one over it
    log_total: Tensor  # the logarithm of their sum


@dataclass
class Decomposer:
    """Takes equations apart, one after another."""

    namer: Namer
    out: list[Equation] = field(default_factory=list)
    parts: dict[Tensor, _Parts] = field(default_factory=dict)
    softmaxes: dict[Tensor, _Parts] = field(default_factory=dict)
    others: dict[Any, Tensor] = field(default_factory=dict)
    rests: dict[Tensor, Tensor] = field(default_factory=dict)

    def run(self, equations: tuple[Equation, ...]) -> list[Equation]:
        """Return equations whose only reductions are sums, products and extremes."""
        for equation in equations:
            self._note_softmax(equation)
            body = self._with_parts(equation.body)
            self._take(Equation(equation.target, equation.indices, body))
        return self.out

    def _take(self, equation: Equation) -> None:
        body, indices, name = equation.body, equation.indices, equation.target.name
        if isinstance(body, Mean):
            total = self._define(f"{name}_sum", indices, Sum(*body.args))
            self.out.append(Equation(equation.target, indices, total[indices] / body.index.extent))
        elif isinstance(body, Norm2):
            sums = [
                self._define(f"{name}_{part}", indices, Sum(squared(body.body), body.index))
                for part, squared in SQUARES.items()
            ]
            norm = norm_of_sums(*(total[indices] for total in sums))
            self.out.append(Equation(equation.target, indices, norm))
        elif isinstance(body, LogSumExp):
            self._logsumexp(equation)
        elif isinstance(body, (ArgMax, ArgMin)):
            self._place(equation)
        else:
            self.out.append(equation)

    def _define(self, name: str, indices: tuple[Index, ...], body: Any) -> Tensor:
        target = Tensor(self.namer.name(name), tuple(i.extent for i in indices))
        self.out.append(Equation(target, indices, body))
        return target

    def _place(self, equation: Equation) -> None:
        """The first place of an extreme: the least r at which body(r) is the extreme itself.

        NaN is the extreme wherever it stands, and its first place is the first of the extreme.
        """
        body, indices = equation.body, equation.indices
        kind = Max if isinstance(body, ArgMax) else Min
        name, inner = f"{equation.target.name}_{kind.spelling}", body.body
        if not _is_found_again(inner):
            terms = self._define(f"{equation.target.name}_term", (*indices, body.index), inner)
            inner = terms[(*indices, body.index)]
        extreme = self._define(name, indices, kind(inner, body.index))
        least = Where(sp.Eq(same(inner, extreme[indices]), 1), body.index, body.index.extent)
        self.out.append(Equation(equation.target, indices, Min(least, body.index)))

    def _logsumexp(self, equation: Equation) -> None:
        """L = top + log(sum exp(body - top)), which neither overflows nor loses infinities.

        Of a row of minus infinities, all masked, there is no top to measure from: L is minus
        infinity, and nothing has a share in it.
        """
        body, indices, name = equation.body, equation.indices, equation.target.name
        greatest = self._define(f"{name}_greatest", indices, Max(*body.args))[indices]
        top = self._define(f"{name}_top", indices, FiniteTop(greatest))
        bound = body.index.fresh()
        inner = body.body.xreplace({body.index: bound})
        both = (*indices, bound)
        exponential = self._define(f"{name}_exp", both, ShiftedExp(inner, top[indices]))
        total = self._define(
            f"{name}_total", indices, Sum(exponential[(*indices, body.index)], body.index)
        )
        weight = total[indices]
        share = self._define(f"{name}_share", indices, Where(sp.Eq(weight, 0), 0, 1 / weight))
        log_total = self._define(f"{name}_log_total", indices, sp.log(weight))
        whole = FinitePlus(top[indices], log_total[indices])
        self.out.append(Equation(equation.target, indices, whole))
        self.parts[equation.target] = _Parts(equation, top, exponential, total, share, log_total)

    def _with_parts(self, body: Any) -> Any:
        """Write exp(e - L) and L - e by the parts of L, so that large logits cancel exactly."""
        if not body.args or isinstance(body, Access):
            return body
        if isinstance(body, sp.exp):
            found = self._exponential(body.args[0])
            if found is not None:
                return found
        if isinstance(body, sp.Add):
            found = self._residual(body)
            if found is None:
                found = self._difference(body)
            if found is None:
                found = self._complement(body)
            if found is not None:
                return found
        arguments = [self._with_parts(argument) for argument in body.args]
        return body.func(*arguments)

    def _note_softmax(self, equation: Equation) -> None:
        """Remember a tensor that is the softmax entry, the summand's place its last index."""
        if not isinstance(equation.body, sp.exp):
            return
        for access in accesses(equation.body.args[0]):
            parts = self.parts.get(access.tensor)
            if parts is not None and equation.indices[:-1] == access.places:
                rest = equation.body.args[0] + access
                if _summand_at(rest, access, parts) == equation.indices[-1]:
                    self.softmaxes[equation.target] = parts

    def _residual(self, total: Any) -> Any:
        """p[k] - [k = a] + rest: at the true class a, minus the share of all the others.

        One minus a probability near one would keep none of its digits.
        """
        for term in total.args:
            sign, access = term.as_coeff_Mul()
            parts = self.softmaxes.get(access.tensor) if isinstance(access, Access) else None
            if parts is None:
                continue
            *rows, place = access.places
            for other in total.args:
                scale, indicator = other.as_coeff_Mul()
                label = _label(indicator, place)
                if scale != -sign or label is None:
                    continue
                others = self._others(parts, dict(zip(rows, parts.equation.indices, strict=True)),
                                      label)  # fmt: skip
                share = parts.share[tuple(rows)]
                chosen = Where(
                    sp.Eq(place, label), -others[tuple(rows)] * share,
                    parts.exponential[access.places] * share,
                )  # fmt: skip
                return sign * chosen + self._with_parts(total - term - other)
        return None

    def _others(self, parts: _Parts, at: dict[Any, Any], label: Access) -> Tensor:
        """The sum of all exponentials but one."""
        mine = label.xreplace(at)
        key = (parts.equation.target, mine)
        if key not in self.others:
            bound = parts.equation.body.index.fresh()
            indices = parts.equation.indices
            entry = Where(sp.Eq(bound, mine), 0, parts.exponential[(*indices, bound)])
            name = f"{parts.equation.target.name}_others"
            self.others[key] = self._define(name, indices, Sum(entry, bound))
        return self.others[key]

    def _complement(self, total: Any) -> Any:
        """1 - p[k] + other terms: at the top that is the share of all the others."""
        for term in total.args:
            parts = self.softmaxes.get((-term).tensor) if isinstance(-term, Access) else None
            if parts is not None and sp.Integer(1) in total.args:
                places = (-term).places
                exponential, share = parts.exponential[places], parts.share[places[:-1]]
                chosen = Where(
                    sp.Eq(exponential, 1), self._rest(parts)[places[:-1]] * share,
                    1 - exponential * share,
                )  # fmt: skip
                return chosen + self._with_parts(total - term - 1)
        return None

    def _rest(self, parts: _Parts) -> Tensor:
        """The sum of all exponentials but the greatest, which is 1.

        Only where it is alone of its size the rest may be small; elsewhere a difference does.
        """
        target, indices = parts.equation.target, parts.equation.indices
        if target not in self.rests:
            bound = parts.equation.body.index.fresh()
            entry = parts.exponential[(*indices, bound)]
            lower = self._define(f"{target.name}_lower", indices, Sum(below_one(entry), bound))
            total = parts.total[indices]
            rest = Where(total < sp.Rational(3, 2), lower[indices], total - 1)
            self.rests[target] = self._define(f"{target.name}_rest", indices, rest)
        return self.rests[target]

    def _log_total(self, entry: Any, access: Access, parts: _Parts) -> Any:
        """log(1 + the rest): that of the sum as rounded, and what the rounding lost of the rest.

        At a label a the rest is known from its own sum, since exp(a - top) - 1 is 0 at the top.
        """
        rows = access.places
        place = _summand_at(entry, access, parts)
        label = isinstance(place, Access) and set(place.places) <= set(rows)
        if label and all(isinstance(row, Index) for row in rows):
            others = self._others(
                parts, dict(zip(rows, parts.equation.indices, strict=True)), place
            )
            mine = parts.exponential[(*rows, place)]
            rest = others[rows] + Grouped(mine - 1)
        else:
            rest = self._rest(parts)[rows]
        lost = Grouped(rest - Grouped(parts.total[rows] - 1))
        return parts.log_total[rows] + lost * parts.share[rows]

    def _exponential(self, exponent: Any) -> Any:
        """exp(e - L): the softmax entry itself if e is what L sums over, else by the top."""
        for access in accesses(exponent):
            parts = self.parts.get(access.tensor)
            if parts is None or exponent.coeff(access) != -1:
                continue
            rest, share = exponent + access, parts.share[access.places]
            place = _summand_at(rest, access, parts)
            if place is not None:
                return parts.exponential[(*access.places, place)] * share
            return sp.exp(self._from_top(rest, access, parts)) * share
        return None

    def _from_top(self, exponent: Any, access: Access, parts: _Parts) -> Any:
        """Write e + rest - top, e a term that L sums over: e - top is 0 at an infinite top too."""
        top = parts.top[access.places]
        for term in sp.Add.make_args(exponent):
            if _summand_at(term, access, parts) is not None:
                return Where(sp.Eq(term, top), 0, term - top) + (exponent - term)
        return exponent - top

    def _difference(self, total: Any) -> Any:
        """L - e + rest as (top - e) + log of the sum + rest, e being a term that L sums over."""
        for term in total.args:
            sign, access = term.as_coeff_Mul()
            parts = self.parts.get(access.tensor) if isinstance(access, Access) else None
            if parts is None or abs(sign) != 1:
                continue
            for other in total.args:
                if other != term and _summand_at(-sign * other, access, parts) is not None:
                    top, entry = parts.top[access.places], -sign * other
                    gap = Where(sp.Eq(entry, top), 0, top - entry)
                    rest = self._with_parts(total - term - other)
                    own = self._log_total(entry, access, parts)
                    return sign * Grouped(gap + own) + rest
        return None


def _label(indicator: Any, place: Any) -> Access | None:
    """Return the label a of an indicator [k = a] at the place k."""
    if not isinstance(indicator, Where) or not indicator.is_indicator:
        return None
    when = indicator.args[0]
    if isinstance(when, sp.Eq) and place in when.args:
        other = when.args[1] if when.args[0] == place else when.args[0]
        return other if isinstance(other, Access) else None
    return None


def _summand_at(candidate: Any, access: Access, parts: _Parts) -> Any:
    """Return the place at which a logsumexp's summand is the candidate, if there is one."""
    summed = parts.equation.body
    at = dict(zip(parts.equation.indices, access.places, strict=True))
    pattern = summed.body.xreplace(at)
    for theirs in accesses(candidate):
        for ours in accesses(pattern):
            if ours.tensor == theirs.tensor and summed.index in ours.places:
                place = theirs.places[ours.places.index(summed.index)]
                if pattern.xreplace({summed.index: place}) == candidate:
                    return place
    return None


def inlined(
    equations: list[Equation], outputs: set[Tensor], stored: Set[Tensor] = frozenset()
) -> list[Equation]:
    """Write cheap elementwise definitions into what uses them, and drop what nothing uses.

    A definition of rank two or more that costs a few additions and products is cheaper to compute
    again than to store.

    Args:
        equations: in an order in which each stands on those before it.
        outputs: the tensors wanted.
        stored: those that are to be stored in any case.
    """
    bodies: dict[Tensor, Equation] = {}
    kept: list[Equation] = []
    for equation in equations:
        places = {}
        for access in equation.body.atoms(Access):
            if access.tensor in bodies:
                places[access] = bodies[access.tensor].at(access.places)
        body = equation.body.xreplace(places) if places else equation.body
        equation = Equation(equation.target, equation.indices, body)
        if _is_cheap(equation) and equation.target not in outputs | stored:
            bodies[equation.target] = equation
        else:
            kept.append(equation)
    return _alive(kept, outputs)


def _is_cheap(equation: Equation) -> bool:
    return (
        equation.reduction is None
        and equation.recurrence is None
        and len(equation.indices) >= 2
        and not any(isinstance(node, DEAR) for node in sp.preorder_traversal(equation.body))
    )


def _alive(equations: list[Equation], outputs: set[Tensor]) -> list[Equation]:
    needed = set(outputs)
    alive = []
    for equation in reversed(equations):
        if equation.target in needed:
            alive.append(equation)
            needed |= {access.tensor for access in equation.body.atoms(Access)}
    return alive[::-1]


def _is_found_again(body: Any) -> bool:
    """Whether a second computation gives the same bits: entries, chosen, or one operation on them.

    Of several operations the compiler may join some in one loop and others in another, and then no
    term would equal the greatest one.
    """
    if isinstance(body, Where):
        return all(_is_entry(side) or _is_found_again(side) for side in body.args[1:])
    if isinstance(body, (sp.Add, sp.Mul)):
        return len(body.args) == 2 and all(_is_entry(argument) for argument in body.args)
    return _is_entry(body)


def _is_entry(part: Any) -> bool:
    """Whether this is read and not computed."""
    return isinstance(part, (Access, sp.Number, sp.Symbol))
