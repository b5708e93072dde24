"""Mutation: every mistake that can be planted in a derivation, and whether it is found.

A mutant is one equation with one mistake. It is killed if a witness convicts it at some point; it
is equivalent if it is proved to be no mistake (see `proofs`); else it has survived.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from symcalc.calculus.derive import Derivation, derive
from symcalc.calculus.equations import Equation
from symcalc.calculus.kinks import crossings
from symcalc.calculus.orders import Product
from symcalc.notation.objective import Objective
from symcalc.verify.corners import corners, plain
from symcalc.verify.crossings import crossed
from symcalc.verify.kills import EXACT, OTHERS, OURS, TIES, TYPICAL, Court, Planted
from symcalc.verify.mutators import OPERATORS
from symcalc.verify.proofs import Change, proof_of
from symcalc.verify.sampling import Point, draw, primes

VALUE, GRADIENT, PRODUCT = "value", "gradient", "Hessian product"
KILLED, EQUIVALENT, SURVIVED = "killed", "equivalent", "survived"
DRAWS = (
    ("typical", (3, 2)), ("typical", (2, 3)), ("ties", (3, 2)), ("tails", (2, 3)),
    ("ties", (2, 3)), ("typical", (1, 1)),
)  # fmt: skip
_MODERATE = (TYPICAL, TIES)
_FEW = 8
_MORE = 30
_OFFSETS = (2.0**10, -(2.0**10), 2.0**40, -(2.0**40))
_BITS = 10
_STARTS = 8
_TINY = 2.0**-40


@dataclass(frozen=True)
class Mutant:
    """One equation with one mistake.

    Args:
        operator: the mistake's name.
        part: what the equation belongs to: the value, the gradient, the Hessian's product.
        before: the equation as it was derived.
        after: the wrong one.
        change: what was put in the place of what.
    """

    operator: str
    part: str
    before: Equation
    after: Equation
    change: str

    def planted(self, derivation: Derivation, product: Product) -> Planted:
        """Return a derivation with the mistake in it."""
        wrong = replace(derivation, equations=self._in(derivation.equations))
        also = replace(product, equations=self._in(product.equations))
        return planted(wrong, also, self.part == PRODUCT)

    def _in(self, equations: Sequence[Equation]) -> tuple[Equation, ...]:
        target = self.before.target
        return tuple(self.after if e.target == target else e for e in equations)

    def __str__(self) -> str:
        return f"{self.operator}: {self.after} (was {self.before.body})"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Args:
        mutant: which.
        fate: killed, equivalent or survived.
        by: for each witness that was asked, whether it convicts.
        proof: by what argument it is equivalent.
    """

    mutant: Mutant
    fate: str
    by: Mapping[str, bool]
    proof: str = ""


def planted(derivation: Derivation, product: Product, is_second: bool) -> Planted:
    """Return a derivation that has a product of its own."""
    given = {f.name: getattr(derivation, f.name) for f in fields(Derivation)}
    return Planted(**given, product=product, is_second=is_second)


def mutants(derivation: Derivation, product: Product) -> Iterator[Mutant]:
    """Yield every mutant of a derivation and its Hessian's product, no two alike.

    Args:
        derivation: its value's and gradient's equations are mutated.
        product: and those that it adds and stands on.
    """
    for part, equation in _parts(derivation, product):
        seen = {equation.body}
        for operator, mutate in OPERATORS.items():
            for after, change in mutate(equation):
                if after.body not in seen:
                    seen.add(after.body)
                    yield Mutant(operator, part, equation, after, change)


def _parts(derivation: Derivation, product: Product) -> Iterator[tuple[str, Equation]]:
    part = VALUE
    for equation in derivation.equations:
        yield part, equation
        if equation.target == derivation.value:
            part = GRADIENT
    known = {equation.target for equation in derivation.equations}
    for equation in product.needed:
        if equation.target not in known:
            yield PRODUCT, equation


def usual_points(objective: Objective, seed: int = 0) -> tuple[Point, ...]:
    """Return the points of a check: a few draws, then all corners.

    Args:
        objective: whose points they are.
        seed: of the random numbers.
    """
    first = tuple(_drawn(objective, kind, sizes, seed + number)
                  for number, (kind, sizes) in enumerate(DRAWS))  # fmt: skip
    far = tuple(_far(objective, point, offset) for point in first[:2] for offset in _OFFSETS)
    more = tuple(_drawn(objective, *DRAWS[number % 5], seed + 100 + number)
                 for number in range(_MORE))  # fmt: skip
    return (*first, *corners(objective, seed, None), *far, *more)


def _drawn(objective: Objective, kind: str, sizes: tuple[int, ...], seed: int) -> Point:
    return replace(draw(objective, primes(objective, sizes), seed, kind), kind=kind)


def _far(objective: Objective, point: Point, offset: float) -> Point:
    """Move all entries by one large number, so that all but their differences is large.

    They are cut to few bits first, so that no difference is rounded.
    """
    arrays = tuple(
        np.round(array * 2.0**_BITS) / 2.0**_BITS + offset if tensor.domain.is_real_line else array
        for tensor, array in zip(objective.inputs, point.arrays, strict=True)
    )
    return replace(point, arrays=arrays, kind="far", at=f"all entries moved by {offset:.0e}")


def searched_points(objective: Objective) -> Iterator[Point]:
    """Yield points around every boundary, from many starts and with hyperparameters far out.

    What differs only near a boundary, and on one side of it, is found here.

    Args:
        objective: whose points they are.
    """
    rng = np.random.default_rng(0)
    for seed in range(1, _STARTS + 1):
        start = plain(objective, primes(objective, (3, 2)), seed)
        for hyper in _hypers(objective, start.hyper):
            for boundary in crossings(objective):
                yield from crossed(objective, boundary, replace(start, hyper=hyper), rng)


def _hypers(objective: Objective, given: dict[str, float]) -> Iterator[dict[str, float]]:
    """Hyperparameters as they are, then each in turn very small, in its domain."""
    yield given
    for parameter in objective.parameters:
        if parameter.domain.admits(_TINY):
            yield {**given, parameter.name: _TINY}


def _is_convicted(by: Mapping[str, bool]) -> bool:
    return any(by[name] for name in OURS if name in by)


def is_moderate(point: Point) -> bool:
    """Whether rounding is small at a point, as far as its kind tells."""
    return point.kind in _MODERATE


class Trial:
    """Tries the mutants of one objective.

    Args:
        objective: any; its size is left open.
        points: at which mutants are tried, see `usual_points`.
    """

    def __init__(self, objective: Objective, points: Sequence[Point] | None = None) -> None:
        self.derivation = derive(objective.at_any_size)
        self.product = self.derivation.hvp
        chosen = usual_points(self.derivation.objective) if points is None else points
        self.court = Court(chosen, [point for point in chosen if is_moderate(point)][:_FEW])

    @property
    def right(self) -> Planted:
        """The derivation with no mistake in it."""
        return planted(self.derivation, self.product, False)

    @functools.cached_property
    def mutants(self) -> tuple[Mutant, ...]:
        """All of them."""
        return tuple(mutants(self.derivation, self.product))

    def outcome(self, mutant: Mutant, witnesses: Sequence[str] = OURS + OTHERS) -> Outcome:
        """Try one mutant before some witnesses.

        Args:
            mutant: which.
            witnesses: whom to ask.
        """
        planted = mutant.planted(self.derivation, self.product)
        by = self.court.convictions(planted, witnesses)
        if _is_convicted(by):
            return Outcome(mutant, KILLED, by)
        proof = proof_of(self._change(mutant))
        if proof:
            return Outcome(mutant, EQUIVALENT, by, proof)
        by |= self.appeal.convictions(planted, [name for name in EXACT if name in by])
        return Outcome(mutant, KILLED if _is_convicted(by) else SURVIVED, by)

    @functools.cached_property
    def appeal(self) -> Court:
        """Where mutants go that were neither convicted nor excused, and there are more points."""
        return Court(tuple(searched_points(self.derivation.objective)), ())

    def _change(self, mutant: Mutant) -> Change:
        """What a mutant changes, among all equations and for all results."""
        gradients = (self.derivation.gradient_of(name).target for name in self.derivation.wrt)
        results = (self.derivation.value, *gradients, *self.product.results)
        known = {equation.target for equation in self.derivation.equations}
        more = (e for e in self.product.needed if e.target not in known)
        return Change(mutant.before, mutant.after, (*self.derivation.equations, *more), results)
