"""Running-error bounds: a program interpreted at a point, with what its roundings may add up to.

Every statement of the program is computed twice at once: in ball arithmetic as it is meant, and as
a bound of what the kernel, which rounds, may be off by (see `bounded`). The bound stands on the
standard model of floating point and on the ulps that the vector mathematics is tested to; sums may
be taken in any order, matrix products as n u |A||B|.

The bound says what a kernel may do that computes this program. Whether the program is the right one
is not asked here: enclosures tell.

Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.3.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import sympy as sp

from symcalc.backends.modes import task
from symcalc.calculus.balls import UndecidedError
from symcalc.calculus.derive import Derivation
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.lower import lower
from symcalc.program.pivots import COUNT
from symcalc.program.primitives import same
from symcalc.program.program import (
    Accumulate,
    Assign,
    Contract,
    Descent,
    Loop,
    Node,
    Program,
    Recentre,
    Start,
)
from symcalc.program.scales import Scales
from symcalc.program.sections import (
    Section,
    accumulated,
    carried,
    kept,
    pivots_of,
    scattered,
    sections,
)
from symcalc.verify.bounded import (
    DOUBLE,
    FORMATS,
    INFINITE,
    SINGLE,
    ZERO,
    Arithmetic,
    Bounded,
    Format,
    number,
)
from symcalc.verify.elementary import greater, lesser
from symcalc.verify.enclosures import places_of
from symcalc.verify.recipes import NoBoundError, recipe, truth, whole
from symcalc.verify.sampling import size

PRECISIONS = (160, 320, 640, 1280, 2560)
_SHARE = 2.0**-10  # of an error bound that the ball of the exact value may be wide
_MOST = 4096  # entries of one pass: a block holds so many


@functools.lru_cache(maxsize=512)
def program_of(derivation: Derivation, mode: str) -> Program:
    """Return the program of one mode of a kernel, without the looks at its inputs' domains.

    Args:
        derivation: what the kernel was compiled from.
        mode: "value", "value_and_grad", "vjp", "hvp", "hessian_diagonal", ...
    """
    wanted = task(derivation, mode)
    return lower(
        derivation.objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs,
        wanted.number,
    )  # fmt: skip


@dataclass(frozen=True)
class Interpretation:
    """What a program computes at a point.

    Args:
        outputs: each an object array of Bounded.
        overflows: whether a finite number is too large for the kernel on the way.
    """

    outputs: Mapping[Tensor, Any]
    overflows: bool


def running_error(
    program: Program, dtype: str, arrays: Sequence[Any], hyper: dict[str, float],
    extents: dict[str, int],
) -> Interpretation:  # fmt: skip
    """Interpret a program at a point.

    Args:
        program: what the kernel computes.
        dtype: "float64" or "float32", of the kernel.
        arrays: the program's inputs, in order; numbers of the kernel's dtype.
        hyper: the hyperparameters by name, as the kernel has them.
        extents: the size of each dim.

    Raises:
        NoBoundError: roundings decide where the program goes, or a value is undefined on the way.
    """
    before, trouble = flint.ctx.prec, "its balls stay wide"
    try:
        for flint.ctx.prec in PRECISIONS:
            run = _Run(program, FORMATS[dtype], arrays, hyper, extents)
            try:
                run.all()
            except (UndecidedError, ZeroDivisionError) as error:
                trouble = str(error)
                continue
            found = {tensor: run.output(tensor) for tensor in program.outputs}
            if all(_is_sharp(each) for array in found.values() for each in array.flat):
                return Interpretation(found, run.own.overflowed or run.double.overflowed)
    finally:
        flint.ctx.prec = before
    raise NoBoundError(f"running error of {program.title}, {program.name}: {trouble}")


def _is_sharp(value: Bounded) -> bool:
    """Whether the ball adds next to nothing to the error."""
    if not value.error.is_finite():
        return True
    least = value.format.ulp(value.exact)
    if not value.exact.is_finite():
        return not value.exact.is_nan()
    return bool(value.exact.rad() <= (value.error + least) * _SHARE)


@functools.lru_cache(maxsize=64)
def _scales(program: Program) -> tuple[Scales, ...]:
    """What is the same for every index of each section's pass."""
    taken = {parameter.name for parameter in program.parameters}
    return tuple(Scales(section.body, program.inputs, taken) for section in sections(program))


@functools.lru_cache(maxsize=64)
def _wider(program: Program) -> tuple[frozenset[Tensor], frozenset[Tensor]]:
    """Arrays and scalars that are float64 whatever the kernel's precision."""
    own = carried(program)
    return frozenset(scattered(program) | kept(program) | own), frozenset(
        accumulated(program) | own
    )


@functools.lru_cache(maxsize=4096)
def _tensors(expression: Any) -> frozenset[Tensor]:
    """The tensors that an expression reads."""
    return frozenset(access.tensor for access in expression.atoms(Access))


class _Run:
    """One interpretation of a program; it is what recipes compute in."""

    def __init__(
        self, program: Program, format: Format, arrays: Sequence[Any], hyper: dict[str, float],
        extents: dict[str, int],
    ) -> None:  # fmt: skip
        self.program = program
        self.extents = extents
        self.sizes: dict[Any, int] = {}
        self.own, self.double = Arithmetic(format), Arithmetic(DOUBLE)
        self.arithmetic = self.own
        self.single = format is SINGLE
        self.at: dict[Index, int] = {}
        self.symbols = {name: number(value, format) for name, value in hyper.items()}
        self.values: dict[Tensor, dict[tuple[int, ...], Any]] = {
            tensor: {place: array[place] for place in places_of(np.shape(array))}
            for tensor, array in zip(program.inputs, arrays, strict=True)
        }
        self.inputs = set(program.inputs)
        self.sums: dict[tuple[Tensor, tuple[int, ...]], tuple[str, list[Bounded]]] = {}
        self.candidates: dict[tuple[Tensor, tuple[int, ...]], list[bool]] = {}
        self.wide, self.doubles = _wider(program)
        self.format = format

    def all(self) -> None:
        """Run every section."""
        for section, scales in zip(sections(self.program), _scales(self.program), strict=True):
            if section.index is None:
                self._alone(section)
            else:
                self._pass(section, scales)

    def output(self, tensor: Tensor) -> Any:
        """Return an output as it is handed back."""
        shape = tuple(self._size(extent) for extent in tensor.shape)
        found = np.empty(shape, dtype=object)
        handed = self.double if tensor in self.program.numbers else self.own
        for place in places_of(shape):
            found[place] = handed.held(self._value(tensor, place))
        return found

    def entry(self, access: Access) -> Bounded:
        """Return a real entry, as the arithmetic holds it."""
        place = tuple(whole(p, self) for p in access.places)
        value = self._value(access.tensor, place)
        if self.single and access.tensor.shape and access.tensor not in self.wide:
            value = self.own.held(value)
        return self.arithmetic.held(value)

    def whole_entry(self, access: Access) -> int:
        """Return a whole-number entry."""
        return int(self.values[access.tensor][tuple(whole(p, self) for p in access.places)])

    def position(self, symbol: Any) -> int:
        """Return an index or an extent."""
        return self.at[symbol] if symbol in self.at else self.extents[symbol.name]

    def named(self, symbol: Any) -> Bounded:
        """Return a hyperparameter, or a scale that was computed before a loop."""
        return self.arithmetic.held(self.symbols[symbol.name])

    def _size(self, extent: Any) -> int:
        if extent not in self.sizes:
            self.sizes[extent] = size(extent, self.extents)
        return self.sizes[extent]

    def _value(self, tensor: Tensor, place: tuple[int, ...]) -> Bounded:
        key = (tensor, place)
        if key in self.sums:
            kind, terms = self.sums.pop(key)
            self.values.setdefault(tensor, {})[place] = self._gathered(kind, tensor, terms)
        found = self.values[tensor][place]
        if tensor in self.inputs:
            return number(float(found), self.format)
        return found

    def _gathered(self, kind: str, tensor: Tensor, terms: list[Bounded]) -> Bounded:
        """Put together what an accumulator took in."""
        if kind in ("max", "min"):
            return functools.reduce(greater if kind == "max" else lesser, terms)
        buffer = self.program.buffer(tensor)
        in_row = buffer is not None and buffer.kind == "row" and tensor not in self.wide
        arithmetic = self.own if in_row else self.double
        if kind == "power":
            return number(0, DOUBLE)
        if kind == "sum":
            return arithmetic.gather(terms)
        return arithmetic.multiply(terms) if terms else number(1, DOUBLE)

    def _alone(self, section: Section) -> None:
        """What one thread does, in float64; it may run over the index of what it put together."""
        self.arithmetic = self.double
        body = section.body
        if section.index_after is not None:
            body = (Loop(section.index_after, body),)
        self._nodes(body)
        self.arithmetic = self.own

    def _pass(self, section: Section, scales: Scales) -> None:
        width = self._size(section.index.extent * section.width)
        if pivots_of(self.program, section) and width > _MOST:
            raise NoBoundError(f"running error: {width} entries make more than one block")
        for symbol, value in scales.defined:
            self.symbols[symbol.name] = recipe(value)(self)
        for tensor, kind in section.reduced:
            shape = tuple(self._size(extent) for extent in tensor.shape)
            for place in places_of(shape):
                self._begin(tensor, place, kind)
        self._pivots(section)
        self._nodes((Loop(section.index, scales.body),))

    def _pivots(self, section: Section) -> None:
        """The mean of a few rows: whatever it comes out as, it is a pivot and counts as exact."""
        for pivot in pivots_of(self.program, section):
            few = max(math.isqrt(self._size(section.index.extent)), 1)
            shape = tuple(self._size(extent) for extent in pivot.tensor.shape)
            term, found = recipe(pivot.term), {}
            for place in places_of(shape):
                self.at |= dict(zip(pivot.indices, place, strict=True))
                total = ZERO
                for row in range(few):
                    self.at[pivot.index] = row
                    total = total + term(self).exact
                found[place] = Bounded(total / few, ZERO, self.format)
            self.values[pivot.tensor] = found

    def _nodes(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            if isinstance(node, Loop) and node.when is not None:
                continue  # the same once more, with powers of two: balls have no range
            if isinstance(node, Loop):
                count = range(self._size(node.index.extent))
                for place in reversed(count) if isinstance(node, Descent) else count:
                    self.at[node.index] = place
                    self._nodes(node.body)
            elif isinstance(node, Start):
                self._start(node)
            elif isinstance(node, Assign):
                self._assign(node)
            elif isinstance(node, Accumulate):
                self._accumulate(node)
            elif isinstance(node, Contract):
                self._contract(node)
            else:
                self._recentre(node)

    def _assign(self, node: Assign) -> None:
        place = tuple(whole(p, self) for p in node.places)
        self.sums.pop((node.target, place), None)
        whole_number = node.target.domain.integer
        value = whole(node.value, self) if whole_number else self._real(node.value)
        self.values.setdefault(node.target, {})[place] = value

    def _real(self, expression: Any) -> Bounded:
        """Compute a real value; one made of sums is float64, which does not overflow so soon."""
        before = self.own.overflowed
        value = recipe(expression)(self)
        if self.single and not self.doubles.isdisjoint(_tensors(expression)):
            self.own.overflowed = before
        return value

    def _start(self, node: Start) -> None:
        ranges = [range(self._size(index.extent)) for index in node.free]
        for chosen in itertools.product(*ranges):
            self.at |= dict(zip(node.free, chosen, strict=True))
            self._begin(node.target, tuple(whole(p, self) for p in node.places), node.kind)

    def _begin(self, tensor: Tensor, place: tuple[int, ...], kind: str) -> None:
        if tensor.domain.integer:
            self.values.setdefault(tensor, {}).pop(place, None)
            self.candidates.pop((tensor, place), None)
        else:
            self.sums[tensor, place] = (kind, [])

    def _accumulate(self, node: Accumulate) -> None:
        place = tuple(whole(p, self) for p in node.places)
        if node.target.domain.integer:
            known = self.values.setdefault(node.target, {})
            found = self._chosen(node, place)
            join = max if node.kind == "max" else min
            known[place] = join(known[place], found) if place in known else found
            return
        value = self._real(node.value)
        if value.exact.is_nan():
            raise NoBoundError(f"running error: {node.value} has no value here")
        self.sums[node.target, place][1].append(value)

    def _chosen(self, node: Accumulate, place: tuple[int, ...]) -> int:
        """What an accumulator of places takes in: an index whose term is the greatest, or beyond.

        One of the terms is the greatest. Where only one may be, it is, though the bounds alone do
        not tell that it equals itself.
        """
        value = node.value
        if not isinstance(value, Where) or not isinstance(value.args[0], sp.Eq):
            return whole(value, self)
        marked = value.args[0].lhs
        when = sp.Eq(*marked.args) if isinstance(marked, same) else value.args[0]
        _, possible = truth(when, self)
        if True not in possible:
            return whole(value.args[2], self)
        candidates = self.candidates.setdefault((node.target, place), [])
        candidates.append(len(possible) == 1)
        if len(candidates) > 1 and not all(candidates):
            raise NoBoundError(f"running error: rounding decides where {value.args[0]}")
        return whole(value.args[1], self)

    def _contract(self, node: Contract) -> None:
        """A matrix product; the BLAS may add in any order, and round once where it can."""
        row, column = node.places[-2:]
        ranges = (range(self._size(index.extent)) for index in (row, column))
        terms = range(self._size(node.index.extent))
        found = self.values.setdefault(node.target, {})
        format = self.format
        for self.at[row], self.at[column] in itertools.product(*ranges):
            exact, error, largest = ZERO, ZERO, ZERO
            for self.at[node.index] in terms:
                a, b = self.entry(node.left), self.entry(node.right)
                exact = exact + a.exact * b.exact
                error = error + abs(a.exact) * b.error + b.top * a.error
                largest = largest + a.top * b.top
            error = error + (largest * format.unit + format.smallest) * (len(terms) + 1)
            place = tuple(whole(p, self) for p in node.places)
            if format.overflows(largest):
                found[place] = self.own.rounded(exact, INFINITE if exact.is_finite() else ZERO)
            else:
                found[place] = Bounded(exact, error.abs_upper(), format)

    def _recentre(self, node: Recentre) -> None:
        """A sum around a mean from the only block's sums around its pivot."""
        mean, pivot, *terms = node.value.args
        section = next(s for s in sections(self.program) if pivot.tensor in s.reads)
        count = self._size(section.index.extent)
        ranges = (range(self._size(index.extent)) for index in node.places)
        self.symbols[COUNT.name] = number(count, DOUBLE)
        recipes = [recipe(term) for term in (mean - pivot, *terms)]
        found = self.values.setdefault(node.target, {})
        for place in itertools.product(*ranges):
            self.at |= dict(zip(node.places, place, strict=True))
            shift, *parts = (each(self) for each in recipes)
            value = parts.pop()
            for part in reversed(parts):
                value = self.double.add([part, self.double.multiply([shift, value])])
            found[place] = value
