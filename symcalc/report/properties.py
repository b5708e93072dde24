"""What holds of an objective: bounds, convexity, smoothness, minimum, symmetries, and how we know.

Nothing here is written for one objective: each property is looked for in all. What is proved is
proved by interval arithmetic over the whole domain or by a canonical form; what is not says at how
many points it was tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.derive import Derivation
from symcalc.notation.averages import batch_of
from symcalc.notation.latex import Symbols, latex
from symcalc.notation.lettering import glyph
from symcalc.notation.tensors import Access
from symcalc.report.blocks import Line, Math
from symcalc.report.ranges import Range, Ranges, exact
from symcalc.report.slices import Evaluate
from symcalc.report.symmetries import CHORDS, Probe, symmetries

INTERVALS = "proved by interval arithmetic over the whole domain"


@dataclass(frozen=True)
class Fact:
    """A property.

    Args:
        name: a word or two, for tables.
        says: the property.
        how: how it is known.
    """

    name: str
    says: Line
    how: str


def facts(derivation: Derivation, evaluate: Evaluate, letters: Symbols) -> tuple[Fact, ...]:
    """Look for every property that can be established.

    Args:
        derivation: of the objective.
        evaluate: value and gradients at given inputs, as for the drawings.
        letters: the letters of the page.
    """
    found = _Finder(derivation, Probe(derivation.objective, evaluate), letters)
    return tuple(found.all())


class _Finder:
    """Looks for one property after another."""

    def __init__(self, derivation: Derivation, probe: Probe, letters: Symbols) -> None:
        self.derivation = derivation
        self.objective = derivation.objective
        self.probe = probe
        self.letters = letters
        parameters = self.objective.parameters
        self.free = Ranges(derivation.equations, {
            p.name: (exact(p.domain.lower), exact(p.domain.upper)) for p in parameters
        })  # fmt: skip
        self.set = Ranges(derivation.equations, {
            p.name: (exact(p.default),) * 2 for p in parameters if p.default is not None
        })  # fmt: skip

    def all(self) -> Iterator[Fact]:
        """Run through the properties in the order of the page."""
        if self.objective.is_scalar:
            yield from self._value()
            yield from self._minimum()
            yield from self._convexity()
            yield from self._slopes()
            yield from self._curvature()
        for each in symmetries(self.derivation, self.probe, self.letters):
            yield Fact(each.name, each.says, each.how)

    def _known(self, formula: Any) -> tuple[Range, str]:
        """Return a range, with hyperparameters at will or, if that says nothing, as they stand."""
        found, how = self.free.of(formula), INTERVALS
        if found == (-sp.oo, sp.oo) and self.objective.parameters:
            found, how = (
                self.set.of(formula),
                f"{INTERVALS}, with hyperparameters at their defaults",
            )
        return found, how

    def _value(self) -> Iterator[Fact]:
        of = Math(latex(Access(self.derivation.value), self.letters))
        (low, high), how = self._known(self._body)
        if low == -sp.oo and high == sp.oo:
            return
        if high == sp.oo:
            yield Fact(
                f"\N{GREATER-THAN OR EQUAL TO} {low}",
                ("Bounded below: ", Math(f"{of.latex} \\ge {latex(low)}"), "."),
                how,
            )
        elif low == -sp.oo:
            yield Fact(
                f"\N{LESS-THAN OR EQUAL TO} {high}",
                ("Bounded above: ", Math(f"{of.latex} \\le {latex(high)}"), "."),
                how,
            )
        else:
            bounds = f"{latex(low)} \\le {of.latex} \\le {latex(high)}"
            yield Fact("bounded", ("Bounded: ", Math(bounds), "."), how)

    @property
    def _body(self) -> Any:
        target = self.derivation.value
        return next(e.body for e in self.derivation.equations if e.target == target)

    def _minimum(self) -> Iterator[Fact]:
        (low, _), how = self._known(self._body)
        if low == -sp.oo or len(self.derivation.wrt) != 1:
            return
        moved = self.objective.input(self.derivation.wrt[0])
        of = latex(Access(self.derivation.value), self.letters)
        for words, latex_of, made in self._candidates(moved):
            if self.probe.always(made, float(low)):
                says: Line = ("Its least value is ", Math(f"{of} = {latex(low)}"), ", reached at ",
                              Math(f"{glyph(moved.name, self.letters).at()} = {latex_of}"),
                              ".")  # fmt: skip
                bound = "the bound was " + how
                yield Fact(f"least at {words}", says, f"{bound}; there it was met at each of "
                           f"{self.probe.tried} points")  # fmt: skip
                return

    def _candidates(self, moved: Any) -> Iterator[tuple[str, str, Any]]:
        """Places where a least value may be: where an input equals another, and at zero."""
        for other in self.objective.inputs:
            if other is not moved and other.shape == moved.shape and not other.domain.integer:
                same = glyph(other.name, self.letters).at()
                yield other.name, same, self.probe.copied(moved.name, other.name)
        if moved.domain.admits(0.0) and not moved.domain.rows_sum_to_one:
            yield "zero", "0", self.probe.zeroed(moved.name)

    def _convexity(self) -> Iterator[Fact]:
        by = self._by
        structure = self._structure
        smooth = not self.derivation.kinks
        if structure is not None and structure.kind == "zero" and smooth:
            yield Fact("affine", ("Affine in ", *by, "."), "its second derivative is zero")
            return
        plain = structure is not None and not structure.is_dense and not structure.factors
        if smooth and plain and structure is not None and structure.base is not None:
            (low, _), how = self._known(structure.base)
            if low >= 0:
                yield Fact("convex", ("Convex in ", *by, ": no second derivative is negative."),
                           how)  # fmt: skip
                return
        verdict = self.probe.chords(self.derivation.wrt)
        if verdict is True:
            yield Fact("convex", ("Convex in ", *by, "."),
                       f"no chord of {CHORDS} random ones lies below the graph")  # fmt: skip
        elif verdict is False:
            yield Fact("not convex", ("Not convex in ", *by, "."),
                       "a chord was found that lies below the graph")  # fmt: skip

    @property
    def _by(self) -> Line:
        parts: list[Any] = []
        for place, name in enumerate(self.derivation.wrt):
            parts += [", "] * bool(place) + [Math(glyph(name, self.letters).at())]
        return tuple(parts)

    @property
    def _structure(self) -> Any:
        return self.derivation.hessian_structure if len(self.derivation.wrt) == 1 else None

    @property
    def _batch(self) -> tuple[Any, str]:
        """What the mean divides by, and how it is written in front."""
        batch = batch_of(self.objective.body)
        if batch is None:
            return sp.Integer(1), ""
        return batch.extent, f"{latex(batch.extent)} \\, "

    def _slopes(self) -> Iterator[Fact]:
        times, front = self._batch
        of = latex(Access(self.derivation.value), self.letters)
        for adjoint in self.derivation.adjoints:
            if adjoint.of.name not in self.derivation.wrt:
                continue
            at = latex(Access(adjoint.of, *adjoint.indices), self.letters)
            slope = rf"{front}\frac{{\partial {of}}}{{\partial {at}}}"
            (low, high), how = self._known(times * adjoint.body)
            bounded = low != -sp.oo and high != sp.oo
            if bounded and low == high:
                continue
            if bounded:
                bounds = f"{latex(low)} \\le {slope} \\le {latex(high)}"
                yield Fact("bounded gradient", ("Bounded gradient: ", Math(bounds), "."), how)
            elif low >= 0 or high <= 0:
                word, sign = ("decreasing", r"\ge") if low >= 0 else ("increasing", r"\le")
                says = (f"Nowhere {word} in ", Math(at), ": ", Math(f"{slope} {sign} 0"), ".")
                yield Fact("monotone", says, how)

    def _curvature(self) -> Iterator[Fact]:
        structure = self._structure
        if structure is None or structure.diagonal is None or self.derivation.kinks:
            return
        times, front = self._batch
        of = latex(Access(self.derivation.value), self.letters)
        at = latex(Access(structure.of, *structure.indices), self.letters)
        (low, high), how = self._known(times * structure.diagonal)
        if low == -sp.oo or high == sp.oo or low == high == 0:
            return
        second = rf"{front}\frac{{\partial^2 {of}}}{{\partial {at}^2}}"
        bounds = (f"{second} = {latex(low)}" if low == high
                  else f"{latex(low)} \\le {second} \\le {latex(high)}")  # fmt: skip
        plain = not structure.is_dense and not structure.factors
        size = max(abs(low), abs(high)) / times
        more: Line = (", so the gradient is Lipschitz with the constant ", Math(latex(size)), ".")
        yield Fact("smooth", ("Bounded curvature: ", Math(bounds), *(more if plain else (".",))),
                   how)  # fmt: skip
