"""How a product is set: what goes into the fraction in front, what follows, what is bracketed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import sympy as sp

from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access

Fraction = tuple[tuple[Any, ...], tuple[Any, ...]]


def arrange(product: Any, spelled: Callable[[Any], str]) -> tuple[str, Fraction | None, list[Any]]:
    r"""Part a product for setting: sign, fraction in front, and the factors after it.

    Numbers and hyperparameters over sizes go into a small fraction in front of what is large,
    `\frac{1}{n} (...)`; what is small altogether becomes one fraction, `\frac{p_{ik}}{n}`.

    Args:
        product: a Mul.
        spelled: what a factor looks like, to order factors of one kind by.

    Returns:
        "-" or "", the fraction as (above, below) or None, and the factors in reading order.
    """
    number, factors = _flattened(product)
    above, below = [], []
    for factor in factors:
        base, exponent = factor.as_base_exp() if isinstance(factor, sp.Pow) else (factor, 1)
        if sp.sympify(exponent).is_Rational and exponent < 0:
            below.append(base if exponent == -1 else sp.Pow(base, -exponent))
        else:
            above.append(factor)
    above.sort(key=lambda f: _reading_order(f, spelled))
    below.sort(key=lambda f: _reading_order(f, spelled))
    sign = "-" if number < 0 else ""
    number = abs(number)
    counts = [sp.Integer(number.p)] if number.p != 1 else []
    sizes = [sp.Integer(number.q)] if number.q != 1 else []
    if not below and not sizes:
        return sign, None, counts + above
    divisors = tuple(sizes + below)
    if _is_one_fraction(above, below):
        return sign, (tuple(counts + above), divisors), []
    front = [f for f in above if _is_constant(f)]
    rest = [f for f in above if not _is_constant(f)]
    return sign, (tuple(counts + front), divisors), rest


def _flattened(product: Any) -> tuple[Any, list[Any]]:
    """Return the rational coefficient and the other factors, nested products opened."""
    number, factors = sp.Integer(1), []
    for factor in sp.Mul.make_args(product):
        if factor.is_Rational:
            number *= factor
        elif isinstance(factor, sp.Mul):
            inner, others = _flattened(factor)
            number *= inner
            factors += others
        else:
            factors.append(factor)
    return number, factors


def _is_one_fraction(above: list[Any], below: list[Any]) -> bool:
    """Whether everything fits into one fraction that is no taller than it need be."""
    if not above:
        return True
    if all(_is_constant(f) for f in below):
        return len(above) == 1 and _is_light(above[0])
    if len(above) == 1 and isinstance(above[0], sp.Add):
        return not above[0].has(Recurrence, Reduction, Where)
    return all(_is_light(f) for f in above)


def _is_constant(factor: Any) -> bool:
    """Whether this is a size, a hyperparameter or a number."""
    return not factor.has(Access, Let, Index, Where)


def _is_light(factor: Any) -> bool:
    """Whether this is one letter, with indices and a power."""
    base, exponent = factor.as_base_exp() if isinstance(factor, sp.Pow) else (factor, sp.Integer(1))
    return isinstance(base, (Access, Let, sp.Symbol)) and exponent.is_Integer


def _reading_order(factor: Any, spelled: Callable[[Any], str]) -> tuple[int, int, str]:
    """Constants, then letters with few indices, functions, brackets, deltas, and sums last."""
    base = factor.base if isinstance(factor, sp.Pow) else factor
    word, places = spelled(factor), 0
    if isinstance(factor, (Recurrence, Reduction, Where)):
        kind = 7 if word.startswith("[") else 8
    elif type(factor).__name__ == "Partial":
        kind = 6
    elif isinstance(base, sp.Add):
        kind = 5
    elif isinstance(base, (Access, Let)):
        kind = 4 if word.startswith("log") else 2
        places = len(base.places) if isinstance(base, Access) else 1
    elif base.is_Number or isinstance(base, Dim):
        kind = 0
    else:
        kind = 1 if isinstance(base, sp.Symbol) else 4
    return (kind, places, word)


def letters(shown: str) -> str:
    """Return what is left of a formula without accents, numbers in front and braces."""
    bare = re.sub(r"\\(hat|bar|overline|operatorname|mathrm|frac|partial)\b|[\\{}]", "", shown)
    return bare.lstrip("0123456789- ")


def tall(shown: str) -> bool:
    """Whether a formula stands taller than a letter, so that its brackets must grow."""
    return re.search(r"\\(frac|sum|prod|max_|min_|begin|sqrt)", shown) is not None


def bracketed(shown: str) -> str:
    """Put round brackets of the right height around a formula."""
    return rf"\left({shown}\right)" if tall(shown) else f"({shown})"


def juxtaposed(words: list[str]) -> str:
    """Set factors side by side, with a thin space where one could be read into the next."""
    out = words[0] if words else ""
    for before, word in itertools.pairwise(words):
        opens = re.match(r"\(|\\left\(", word) is not None
        closed = re.fullmatch(r"-?\\frac.*|.*\\right\)|\d+", before) is not None
        apart = re.match(r"\(|\[|\\left|\\lvert|\\frac|\\sigma\(|\\mathrm|\\begin|\d", word)
        wide = before == "d" or (before.endswith("}") and "mathrm{" in before)
        out += rf" \, {word}" if (apart or wide) and not (opens and closed) else f" {word}"
    return out
