r"""Formulas as vectors and matrices: \(\bar{\mathbf{x}} = \frac{1}{n} A^\top (A \mathbf{x} - b)\).

A form pairs what is written with what it means entry by entry. The meaning is put together from the
meanings of the parts by what the notation says, never taken from the formula that is being written;
so a form is shown only if its meaning agrees with that formula in ball arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation
from symcalc.calculus.steps import Step
from symcalc.notation.atoms import Atom
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.latex import Symbols, latex
from symcalc.notation.lettering import Glyph, glyph
from symcalc.notation.products import bracketed
from symcalc.notation.reductions import Mean, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor, free_indices

SUM, PRODUCT, WHOLE = range(3)  # how tightly the parts of what is written hold together
_ONES, _ACROSS, _TIMES = r"\mathbf{1}", r"^\top", r" \circ "


class NoFormError(Exception):
    """A formula has no form in vectors and matrices."""


@dataclass(frozen=True)
class Form:
    """A number, a column or a matrix.

    Args:
        shown: LaTeX.
        axes: the index of its rows, then that of its columns; none for a number.
        entry: what it means, a formula of those indices.
        level: how tightly it holds together.
    """

    shown: str
    axes: tuple[Index, ...]
    entry: Any
    level: int = WHOLE

    def within(self, level: int) -> str:
        """Return what is written, in brackets where it would fall apart."""
        return self.shown if self.level >= level else bracketed(self.shown)

    @property
    def turned(self) -> Form:
        """The transposed matrix."""
        rows, columns = self.axes
        if self.level == WHOLE and self.shown.endswith(_ACROSS):
            return replace(self, shown=self.shown.removesuffix(_ACROSS), axes=(columns, rows))
        return Form(f"{self.within(WHOLE)}{_ACROSS}", (columns, rows), self.entry)


# What is explained where it is used.
WORDS = {
    r"\mathbf{1}": "is a column of ones",
    r"\circ": "multiplies entry by entry",
    r"\operatorname{diag}": "puts a column on a diagonal",
}


@dataclass(frozen=True)
class VectorRow:
    """The right side of an equation as vectors.

    Args:
        shown: LaTeX.
        words: the keys of WORDS that it uses.
        hot: LaTeX of the labels and of their one-hot matrix, where it uses one.
    """

    shown: str
    words: tuple[str, ...]
    hot: tuple[str, ...] = ()


def vector_row(equation: Equation, letters: Symbols) -> VectorRow | None:
    """Write an equation as vectors and matrices.

    Args:
        equation: of one index or two, each used once on its left.
        letters: the letters of the page.

    Returns:
        The right side; None where it has no such form.
    """
    if not 1 <= len(equation.indices) <= 2:
        return None
    writer = _Writer(letters)
    try:
        form = writer.spread(writer.form(equation.body), equation.indices)
    except NoFormError:
        return None
    step = Step("as vectors", equation.target, equation.indices, equation.body, form.entry)
    if not step.holds():
        return None
    words = tuple(word for word in WORDS if word in form.shown)
    return VectorRow(form.shown, words, writer.hot)


def bold(tensor: Tensor, letters: Symbols) -> str:
    """Return the letter of a vector, or the capital of a matrix, in bold.

    Args:
        tensor: of one axis or two.
        letters: the letters of the page.

    Raises:
        NoFormError: it is written as a word.
    """
    return _bold(glyph(tensor.name, letters), len(tensor.shape))


def _bold(letter: Glyph, rank: int) -> str:
    base = letter.base
    if "\\mathrm" in base:
        raise NoFormError
    plain = re.search(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])", base)
    greek = re.search(
        r"\\(?!hat|bar|tilde|dot|overline|widehat|widetilde|ell|mathcal|log)[a-zA-Z]+", base
    )
    found = plain or greek
    if rank == 0 or found is None:
        return letter.at()
    word = found[0].upper() if plain and rank == 2 else found[0]
    style = "mathbf" if plain else "boldsymbol"
    base = f"{base[: found.start()]}\\{style}{{{word}}}{base[found.end() :]}"
    return replace(letter, base=base).at()


class _Writer:
    """Finds the form of a formula, part by part."""

    def __init__(self, letters: Symbols) -> None:
        self.letters = letters
        self.hot: tuple[str, ...] = ()
        self.names: dict[str, Tensor] = {}

    def form(self, expression: Any) -> Form:
        """Return a form, its axes in the order in which they are met."""
        if not free_indices(expression):
            if any(access.tensor.shape for access in expression.atoms(Access)):
                return self._array(expression)
            level = SUM if isinstance(expression, sp.Add) else WHOLE
            return Form(latex(expression, self.letters), (), expression, level)
        return self._array(expression)

    def _array(self, expression: Any) -> Form:
        if isinstance(expression, Access):
            return self._access(expression)
        if isinstance(expression, sp.Add):
            return self._sum(expression)
        if isinstance(expression, sp.Mul):
            return self._product(expression)
        if isinstance(expression, (Sum, Mean)):
            return self._reduced(expression)
        if isinstance(expression, Where):
            return self._indicator(expression)
        if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
            return self._power(expression)
        if isinstance(expression, (Atom, sp.exp, sp.log, sp.Pow)):
            return self._function(expression)
        raise NoFormError

    def spread(self, form: Form, axes: Sequence[Index]) -> Form:
        """Write a form over more axes: a number as a multiple of ones, a column as equal columns.

        Args:
            form: whose axes are among those wanted.
            axes: one or two.
        """
        axes = tuple(axes)
        if form.axes == axes:
            return form
        if len(form.axes) == 2 and form.axes == axes[::-1]:
            return form.turned
        if not set(form.axes) < set(axes):
            raise NoFormError
        front = "" if form.shown == "1" else f"{form.within(PRODUCT)} "
        if not form.axes:
            ones = _ONES if len(axes) == 1 else rf"{_ONES} {_ONES}{_ACROSS}"
            shown = f"{front}{ones}"
        elif form.axes[0] == axes[0]:
            shown = rf"{front}{_ONES}{_ACROSS}"
        else:
            shown = rf"{_ONES} {form.within(WHOLE)}{_ACROSS}"
        return Form(shown, axes, form.entry, PRODUCT)

    def _access(self, access: Access) -> Form:
        if not access.places:
            return Form(latex(access, self.letters), (), access)
        axes = tuple(access.places)
        if len(axes) > 2 or len(set(axes)) < len(axes):
            raise NoFormError
        if not all(isinstance(place, Index) for place in axes):
            raise NoFormError
        if access.tensor.domain.integer:
            raise NoFormError
        shown = bold(access.tensor, self.letters)
        if self.names.setdefault(shown, access.tensor) != access.tensor:
            raise NoFormError  # two letters that differ in size alone
        if axes[0].extent != access.tensor.shape[0] or axes[-1].extent != access.tensor.shape[-1]:
            raise NoFormError  # a part of it
        return Form(shown, axes, access)

    def _sum(self, expression: Any) -> Form:
        forms = [self.form(term) for term in expression.args]
        widest = max(forms, key=lambda form: len(form.axes)).axes
        axes = widest + tuple(
            axis for form in forms for axis in form.axes if axis not in widest
        )  # fmt: skip
        if len(dict.fromkeys(axes)) > 2:
            raise NoFormError
        forms = [self.spread(form, tuple(dict.fromkeys(axes))) for form in forms]
        forms.sort(key=lambda form: (form.shown.startswith("-"), len(form.shown), form.shown))
        shown = forms[0].shown
        for form in forms[1:]:
            word = form.shown
            shown += f" - {word[1:]}" if word.startswith("-") else f" + {word}"
        return Form(shown, tuple(dict.fromkeys(axes)), sp.Add(*(f.entry for f in forms)), SUM)

    def _product(self, expression: Any) -> Form:
        numbers = [f for f in expression.args if self._is_number(f)]
        forms = [self.form(f) for f in expression.args if f not in numbers]
        return self._scaled(sp.Mul(*numbers), self._multiplied(forms))

    @staticmethod
    def _is_number(factor: Any) -> bool:
        """Whether a factor has no index, and reads no array."""
        shaped = any(access.tensor.shape for access in factor.atoms(Access))
        return not shaped and not free_indices(factor)

    def _multiplied(self, forms: list[Form]) -> Form:
        """Multiply entry by entry; numbers that were summed up stand in front."""
        whole = self._joined([form for form in forms if form.axes])
        for form in forms:
            if not form.axes:
                behind = "" if whole.shown == "1" else f" {whole.within(PRODUCT)}"
                front = form.within(WHOLE) if behind else form.shown
                level = PRODUCT if behind else form.level
                whole = Form(f"{front}{behind}", whole.axes, form.entry * whole.entry, level)
        return whole

    def _scaled(self, number: Any, form: Form) -> Form:
        """Put a number in front of a form."""
        if number == 1:
            return form
        entry = number * form.entry
        if number == -1:
            return Form(f"-{form.within(PRODUCT)}", form.axes, entry, PRODUCT)
        front = latex(number, self.letters)
        if form.shown == "1":
            return Form(front, form.axes, entry, SUM if isinstance(number, sp.Add) else WHOLE)
        if isinstance(number, sp.Add):
            front = bracketed(front)
        return Form(f"{front} {form.within(PRODUCT)}", form.axes, entry, PRODUCT)

    def _joined(self, forms: list[Form]) -> Form:
        """Multiply arrays entry by entry, whatever axes they have."""
        if not forms:
            return Form("1", (), sp.Integer(1))
        groups: dict[frozenset[Index], list[Form]] = {}
        for form in forms:
            groups.setdefault(frozenset(form.axes), []).append(form)
        alike = [self._entrywise(group) for group in groups.values()]
        axes = tuple(dict.fromkeys(axis for form in sorted(alike, key=lambda f: -len(f.axes))
                                   for axis in form.axes))  # fmt: skip
        if len(axes) > 2:
            raise NoFormError
        whole = [form for form in alike if len(form.axes) == 2]
        columns = [form for form in alike if len(form.axes) == 1]
        if not columns:
            return whole[0]
        entry = sp.Mul(*(form.entry for form in alike))
        if not whole:
            if len(columns) == 1:
                return columns[0]
            first, second = columns
            shown = rf"{first.within(WHOLE)} {second.within(WHOLE)}{_ACROSS}"
            return Form(shown, (first.axes[0], second.axes[0]), entry, PRODUCT)
        shown = whole[0].within(PRODUCT if _TIMES not in whole[0].shown else WHOLE)
        for form in columns:
            scaled = rf"\operatorname{{diag}}{bracketed(form.shown)}"
            shown = f"{scaled} {shown}" if form.axes[0] == axes[0] else f"{shown} {scaled}"
        return Form(shown, axes, entry, PRODUCT)

    def _entrywise(self, forms: list[Form]) -> Form:
        """Multiply arrays of the same axes."""
        if len(forms) == 1:
            return forms[0]
        axes = forms[0].axes
        forms = sorted((self.spread(form, axes) for form in forms), key=lambda f: f.shown)
        shown = _TIMES.join(form.within(WHOLE) for form in forms)
        return Form(shown, axes, sp.Mul(*(form.entry for form in forms)), PRODUCT)

    def _power(self, expression: Any) -> Form:
        base, power = self.form(expression.base), expression.exp
        if not base.axes:
            entry = base.entry**power
            return Form(latex(entry, self.letters), (), entry)
        shown = rf"{base.within(WHOLE)}^{{\circ {latex(power)}}}"
        if "^" in base.shown[-8:]:
            shown = rf"{bracketed(base.shown)}^{{\circ {latex(power)}}}"
        return Form(shown, base.axes, base.entry**power)

    def _function(self, expression: Any) -> Form:
        """Apply a function to every entry."""
        forms = [self.form(argument) for argument in expression.args]
        widest = max((form.axes for form in forms), key=len)
        if not widest or any(form.axes and set(form.axes) != set(widest) for form in forms):
            raise NoFormError
        forms = [self.spread(form, widest) if form.axes else form for form in forms]
        names: dict[str, Glyph] = {**self.letters}
        swaps = []
        for place, form in enumerate(forms):
            name = f"argument{place}q"
            names[name] = Glyph(form.shown)
            swaps.append(sp.Symbol(name, real=True) if form.axes else form.entry)
        entry = expression.func(*(form.entry for form in forms))
        if isinstance(expression, sp.exp):  # e to a matrix is another thing
            return Form(rf"\exp{bracketed(forms[0].shown)}", widest, entry)
        shown = latex(expression.func(*swaps), names)
        return Form(shown, widest, entry)

    def _reduced(self, expression: Reduction) -> Form:
        """Sum over an index: a product of matrices, where there is one."""
        index = expression.index
        factors = sp.Mul.make_args(expression.body)
        outside = [f for f in factors if index not in f.free_symbols]
        inside = [f for f in factors if index in f.free_symbols]
        if isinstance(expression, Mean):
            outside.append(1 / index.extent)
        made = self._contracted(inside, index)
        numbers = [f for f in outside if self._is_number(f)]
        others = [self.form(f) for f in outside if f not in numbers]
        if others:
            made = self._multiplied([*others, made])
        return self._scaled(sp.Mul(*numbers), made)

    def _contracted(self, factors: list[Any], index: Index) -> Form:
        groups: dict[frozenset[Index], list[Form]] = {}
        for factor in factors:
            form = self.form(factor)
            groups.setdefault(frozenset(form.axes), []).append(form)
        forms = [self._entrywise(group) for group in groups.values()]
        columns = [form for form in forms if len(form.axes) == 1]
        matrices = [form for form in forms if len(form.axes) == 2]
        if not matrices and len(groups) == 1:
            return self._dot(next(iter(groups.values())), index)
        if len(matrices) == 1:
            (matrix,) = matrices
            matrix = matrix if matrix.axes[1] == index else matrix.turned
            other = columns[0] if columns else Form(_ONES, (index,), sp.Integer(1))
            return self._times(matrix, other, index)
        if len(matrices) == 2:
            left, right = matrices
            left = left if left.axes[1] == index else left.turned
            right = right if right.axes[0] == index else right.turned
            if columns:
                shown = (
                    rf"{left.within(PRODUCT)} \operatorname{{diag}}{bracketed(columns[0].shown)}"
                )
                left = Form(shown, left.axes, left.entry * columns[0].entry, PRODUCT)
            return self._times(left, right, index)
        raise NoFormError

    def _times(self, left: Form, right: Form, index: Index) -> Form:
        """Multiply matrices, or a matrix and a column."""
        loose = _TIMES in left.shown
        front = left.within(WHOLE if loose else PRODUCT)
        behind = right.within(WHOLE if _TIMES in right.shown else PRODUCT)
        entry = Sum.over(index, left.entry * right.entry)
        return Form(f"{front} {behind}", (left.axes[0], *right.axes[1:]), entry, PRODUCT)

    def _dot(self, forms: list[Form], index: Index) -> Form:
        """Sum a product of columns up."""
        entry = Sum.over(index, sp.Mul(*(form.entry for form in forms)))
        if len(forms) == 1:
            front, behind = _ONES, forms[0].within(WHOLE)
        else:
            first, *rest = sorted(forms, key=lambda form: form.shown)
            front, behind = first.within(WHOLE), self._entrywise(rest).within(WHOLE)
        return Form(f"{front}{_ACROSS} {behind}", (), entry, PRODUCT)

    def _indicator(self, expression: Where) -> Form:
        """Write [k = y_i] as the matrix of one-hot labels."""
        when = expression.args[0]
        if not expression.is_indicator or not isinstance(when, sp.Eq):
            raise NoFormError
        sides: tuple[Any, Any] = when.args
        for column, label in (sides, sides[::-1]):
            if isinstance(column, Index) and isinstance(label, Access):
                if len(label.places) == 1 and isinstance(label.places[0], Index):
                    shown = _bold(glyph(label.tensor.name, self.letters), 2)
                    if self.names.setdefault(shown, label.tensor) != label.tensor:
                        raise NoFormError
                    self.hot = (latex(label, self.letters), shown)
                    return Form(shown, (label.places[0], column), expression)
        raise NoFormError
