"""A worked example on a page: formula, numbers, value, at a size that is followed by hand.

Every number is the middle of a ball that encloses it, so the digits are the same on any machine.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp

from symcalc.calculus.derive import Derivation
from symcalc.calculus.equations import Equation
from symcalc.calculus.orders import behind
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim
from symcalc.notation.errors import NotationError
from symcalc.notation.latex import Symbols, latex
from symcalc.notation.lettering import Glyph, glyph
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import LogSumExp, Mean, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor
from symcalc.report.blocks import Block, Line, Math, Paragraph, Table
from symcalc.verify.derived import Derived
from symcalc.verify.enclosures import NoEnclosureError
from symcalc.verify.sampling import Point, draw, roomy, size

_SIZES = (2, 3, 2, 3)
_ATTEMPTS = 6  # seeds that are tried; a rounded number may lie on a kink
_DIGITS = 4  # significant ones
_MOST = 12  # entries that are printed of one array
_WIDEST = 150  # characters of LaTeX of a line with numbers
_TIMES = re.compile(r"(?<=[\d)])(?: \\,)? (?=[\d(])")  # between two numbers
_ALONE = re.compile(r"\{\((-[\d.]+)\)\}")  # brackets that braces make superfluous


def example(derivation: Derivation, letters: Symbols) -> tuple[Block, ...]:
    """Work one example out, equation by equation.

    Args:
        derivation: what `derive` returned.
        letters: the letters of the page.

    Returns:
        The blocks; none where no small example has finite values.
    """
    for seed in range(_ATTEMPTS):
        point = _rounded(derivation.objective, seed)
        try:
            return _worked(derivation, point, letters)
        except NoEnclosureError:
            continue
    return ()


def _rounded(objective: Objective, seed: int) -> Point:
    """Draw a point of few digits, at the smallest telling size."""
    sizes = {dim.name: n for dim, n in zip(objective.dims, itertools.cycle(_SIZES), strict=False)}
    drawn = draw(objective, roomy(objective, sizes), seed)
    arrays = tuple(
        _few_digits(tensor, array)
        for tensor, array in zip(objective.inputs, drawn.arrays, strict=True)
    )
    hyper = {p.name: drawn.hyper[p.name] if p.default is None else p.default
             for p in objective.parameters}  # fmt: skip
    hyper = {name: float(f"{value:.2g}") for name, value in hyper.items()}
    cotangent = None if drawn.cotangent is None else np.round(drawn.cotangent, 1)
    return Point(drawn.extents, arrays, hyper, cotangent)


def _few_digits(tensor: Tensor, array: Any) -> Any:
    """Round an array as far as its domain admits; each row of probabilities still sums to one."""
    if array.dtype.kind == "i":
        return array
    for digits in (1, 2):
        found = np.round(array, digits)
        if tensor.domain.rows_sum_to_one:
            found[..., -1] = np.round(1 - found[..., :-1].sum(-1), digits)
        if all(tensor.domain.admits(float(entry)) for entry in found.flat):
            return found + 0.0
    return array


def _worked(derivation: Derivation, point: Point, letters: Symbols) -> tuple[Block, ...]:
    objective = derivation.objective
    given = {} if derivation.cotangent is None else {derivation.cotangent: point.cotangent}
    symbols = {p.name: p.symbol for p in objective.parameters}
    derived = Derived(derivation.equations, point, objective.inputs, symbols, given)
    worker = _Worker(derivation, point, letters, derived)
    said: list[Any] = ["With "]
    sizes = [(Dim(name), extent) for name, extent in point.extents.items()]
    facts = [f"{latex(dim)} = {extent}" for dim, extent in sizes]
    facts += [
        f"{glyph(name, letters).at()} = {_number(value)}" for name, value in point.hyper.items()
    ]
    for place, fact in enumerate(facts):
        said += [", "] * bool(place) + [Math(fact)]
    said.append(" and these inputs:" if facts else "these inputs:")
    arrays = list(zip(objective.inputs, point.arrays, strict=True)) + list(given.items())
    inputs: list[tuple[Line, ...]] = [
        ((Math(glyph(tensor.name, letters).at()),), (_values(array),)) for tensor, array in arrays
    ]
    rows = [worker.row(equation) for equation in worker.told()]
    note = (
        "Entries are counted from zero. Rows of a matrix are parted by semicolons. Numbers are "
        f"rounded to {_DIGITS} digits where they are shown, and nowhere else."
    )
    return (
        Paragraph(tuple(said)),
        Table(("Input", "Numbers"), tuple(inputs)),
        Table(("Formula", "First entry, in numbers", "Values"), tuple(rows)),
        Paragraph((note,)),
    )


class _Worker:
    """Writes equations with numbers in them."""

    def __init__(
        self, derivation: Derivation, point: Point, letters: Symbols, derived: Derived
    ) -> None:
        self.derivation = derivation
        self.point = point
        self.letters = letters
        self.derived = derived
        self.sizes: dict[Any, int] = {Dim(name): n for name, n in point.extents.items()}

    def told(self) -> Iterator[Equation]:
        """Run through the equations of the value, then those of the gradients."""
        ends = [self.derivation.gradient_of(name).target for name in self.derivation.wrt]
        yield from behind(self.derivation.equations, [self.derivation.value, *ends])

    def row(self, equation: Equation) -> tuple[Line, ...]:
        """Return formula, numbers and values of one equation."""
        left = latex(equation.left, self.letters)
        shown = f"{left} = {latex(equation.body, self.letters, equation.indices)}"
        numbers = self._numbers(equation)
        return (
            (Math(shown),),
            (Math(numbers),) if numbers else ("",),
            (_values(self._entries(equation.target)),),
        )

    def _entries(self, tensor: Tensor) -> Any:
        found = self._array(tensor)
        return found if found is not None else self.derived.entries(tensor)

    def _array(self, tensor: Tensor) -> Any:
        return self.derived.arrays.get(tensor)

    def _numbers(self, equation: Equation) -> str:
        """Write the first entry's formula with a number for every letter, or nothing.

        Nothing stands where it would be long, or where a branch that is not taken reads beyond an
        end.
        """
        first = {index: sp.Integer(0) for index in equation.indices}
        try:
            body = self._decided(self._labelled(self._unrolled(equation.body.xreplace(first))))
        except NotationError:
            return ""
        if body.has(Reduction):
            return ""
        names: dict[str, Glyph] = {}
        swaps: dict[Any, Any] = {}

        def stand(number: str) -> Any:
            name = f"number{len(names):03d}q"
            names[name] = Glyph(f"({number})" if number.startswith("-") else number)
            return sp.Symbol(name, real=True)

        for access in sorted(body.atoms(Access), key=str):
            places = self._places(access)
            if places is None:
                return ""
            entries = self._entries(access.tensor)
            swaps[access] = stand(_number(float(_middle(entries[places]))))
        for symbol in sorted(body.free_symbols, key=str):
            if symbol.name in self.point.hyper:
                swaps[symbol] = stand(_number(self.point.hyper[symbol.name]))
            elif isinstance(symbol, Dim):
                swaps[symbol] = stand(str(self.sizes[symbol]))
        written = _TIMES.sub(r" \\cdot ", latex(body.xreplace(swaps), names))
        written = _ALONE.sub(r"{\1}", written)
        return written if len(written) < _WIDEST and names else ""

    def _unrolled(self, body: Any) -> Any:
        """Write sums out."""
        if isinstance(body, (Sum, Mean, LogSumExp)):
            inner = self._unrolled(body.body)
            extent = size(body.index.extent, self.point.extents)
            terms = [inner.xreplace({body.index: sp.Integer(k)}) for k in range(extent)]
            if isinstance(body, LogSumExp):
                return sp.log(sp.Add(*map(sp.exp, terms)))
            total = sp.Add(*terms)
            return total / body.index.extent if isinstance(body, Mean) else total
        if isinstance(body, Reduction) or not body.args or isinstance(body, Access):
            return body
        return body.func(*(self._unrolled(argument) for argument in body.args))

    def _labelled(self, body: Any) -> Any:
        """Put the labels in, which say what else is read."""
        swaps = {}
        for access in body.atoms(Access):
            places, array = self._places(access), self._array(access.tensor)
            if places is not None and array is not None and array.dtype.kind == "i":
                swaps[access] = sp.Integer(int(array[places]))
        return body.xreplace(swaps)

    def _decided(self, body: Any) -> Any:
        """Keep the branch that is taken, where there are several."""
        if isinstance(body, Where):
            when, then, otherwise = body.args
            decided = when.xreplace(self._exact(when))
            if decided in (sp.true, sp.false):
                return self._decided(then if decided == sp.true else otherwise)
            return body
        if not body.args or isinstance(body, (Access, Reduction)):
            return body
        return body.func(*(self._decided(argument) for argument in body.args))

    def _exact(self, when: Any) -> dict[Any, Any]:
        """Return the numbers that stand in a condition, unrounded."""
        found: dict[Any, Any] = {}
        for access in when.atoms(Access):
            places = self._places(access)
            if places is not None:
                entry = self._entries(access.tensor)[places]
                found[access] = sp.Rational(_middle(entry))
        for symbol in when.free_symbols:
            if symbol.name in self.point.hyper:
                found[symbol] = sp.Rational(self.point.hyper[symbol.name])
        return found

    def _places(self, access: Access) -> tuple[int, ...] | None:
        if all(getattr(place, "is_Integer", False) for place in access.places):
            return tuple(int(place) for place in access.places)
        return None


def _middle(entry: Any) -> float:
    return float(entry.mid()) if hasattr(entry, "mid") else float(entry)


def _number(value: float) -> str:
    """Write a number with few digits, the same everywhere."""
    shown = f"{value:.{_DIGITS}g}"
    if shown in {"-0", "0"}:
        return "0"
    if "e" in shown:
        digits, exponent = shown.split("e")
        front = "" if digits == "1" else rf"{digits} \cdot "
        return rf"{front}10^{{{int(exponent)}}}"
    return shown


def _plain(value: float) -> str:
    shown = f"{value:.{_DIGITS}g}"
    return ("0" if shown == "-0" else shown).replace("-", "\N{MINUS SIGN}")


def _values(array: Any) -> str:
    """Write an array on one line, rows parted by semicolons."""
    array = np.asarray(array, dtype=object)
    flat = [_plain(_middle(entry)) for entry in array.flat]
    if len(flat) > _MOST:
        return ", ".join(flat[:_MOST]) + ", …"
    width = array.shape[-1] if array.ndim > 1 else len(flat)
    rows = [", ".join(flat[at : at + width]) for at in range(0, len(flat), max(width, 1))]
    return "; ".join(rows)
