"""A canonical form of formulas: what two spellings of one formula have in common.

A formula becomes a polynomial: a table from monomials to rational coefficients. A monomial is a set
of factors with exponents, and a factor is a letter (an access, a size, a hyperparameter) or a
tagged tuple:

    ("exp", m)              the exponential of a monomial; exp(a + b) is two factors
    ("log", p)              the logarithm of a polynomial
    ("sum", letters, m)     a sum over bound letters that hang together in the monomial
    ("reduce", kind, k, p)  another reduction over one letter
    ("poly", p)             a polynomial of several terms, where its power cannot be multiplied out
    ("call", name, p, ...)  a function that is left alone
    ("if", sign, p, ...)    one where a condition holds and zero elsewhere

So products are multiplied out, sums pulled apart into those that hang together and emptied of what
they do not vary, deltas used up, and `exp(logsumexp_k x)` is `sum_k exp(x)`. Bound letters are
named by how deep they stand. That a softmax sums to one follows: the sum over k leaves the
normaliser outside, where it meets its inverse.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from symcalc.notation.conditions import Let, Where
from symcalc.notation.dims import Index
from symcalc.notation.errors import DerivationError
from symcalc.notation.reductions import LogSumExp, Mean, Norm2, Reduction, Sum
from symcalc.notation.tensors import Access

Monomial = frozenset[tuple[Any, Any]]
Poly = dict[Monomial, Any]

ONE: Monomial = frozenset()
MOST_MULTIPLIED_OUT = 8
MOST_TOGETHER = 6
MOST_TERMS = 5000


class TooManyTermsError(DerivationError):
    """A formula has more terms, multiplied out, than anyone would wait for."""


def frozen(poly: Poly) -> frozenset[tuple[Monomial, Any]]:
    """Return a polynomial that may stand in a factor."""
    return frozenset(poly.items())


def constant(value: Any) -> Poly:
    """Return a number as a polynomial."""
    return {ONE: sp.sympify(value)} if value != 0 else {}


def single(factor: Any, exponent: Any = 1) -> Poly:
    """Return one factor as a polynomial."""
    return {frozenset({(factor, sp.sympify(exponent))}): sp.Integer(1)}


def added(*polys: Poly) -> Poly:
    """Return the sum of polynomials."""
    total: Poly = {}
    for poly in polys:
        for monomial, coefficient in poly.items():
            total[monomial] = total.get(monomial, sp.Integer(0)) + coefficient
    return {monomial: c for monomial, c in total.items() if c != 0}


def scaled(poly: Poly, number: Any) -> Poly:
    """Return a polynomial times a number."""
    return {monomial: c * number for monomial, c in poly.items()} if number != 0 else {}


def multiplied(*polys: Poly) -> Poly:
    """Return the product of polynomials, multiplied out."""
    return functools.reduce(_times, polys, constant(1))


def _times(left: Poly, right: Poly) -> Poly:
    if len(left) * len(right) > MOST_TERMS:
        raise TooManyTermsError(
            f"same_formula: expected at most {MOST_TERMS} terms when multiplied out, got a product "
            f"of {len(left)} terms by {len(right)}"
        )
    return added(*(
        scaled(_product(a, b), x * y) for a, x in left.items() for b, y in right.items()
    ))  # fmt: skip


def _product(left: Iterable[tuple[Any, Any]], right: Iterable[tuple[Any, Any]]) -> Poly:
    """Multiply two monomials; what is no monomial at its new power is multiplied out."""
    table: dict[Any, Any] = {}
    for factor, exponent in (*left, *right):
        table[factor] = table.get(factor, sp.Integer(0)) + exponent
    kept: dict[Any, Any] = {}
    opened: list[Poly] = []
    for factor, exponent in table.items():
        rest, more = _opened(factor, exponent)
        opened += more
        if rest != 0:
            kept[factor] = rest
    made = {frozenset(kept.items()): sp.Integer(1)}
    return multiplied(made, *opened) if opened else made


def _opened(factor: Any, exponent: Any) -> tuple[Any, list[Poly]]:
    """Return the exponent at which a factor is kept, and what stands for the rest of its power."""
    if not isinstance(factor, tuple) or not exponent.is_Integer or exponent <= 0:
        return exponent, []
    if factor[0] == "if":  # an indicator is its own square
        return sp.Integer(1), []
    if exponent > MOST_MULTIPLIED_OUT:
        return exponent, []
    if factor[0] == "poly":
        return sp.Integer(0), [dict(factor[1])] * int(exponent)
    if factor[:2] == ("call", "abs"):
        return exponent % 2, [dict(factor[2])] * int(exponent - exponent % 2)
    if factor[:2] == ("call", "sech"):
        tanh = single(("call", "tanh", factor[2]), 2)
        return exponent % 2, [_not(tanh)] * int(exponent // 2)
    return exponent, []


# Letters


def letters_of(thing: Any) -> set[Any]:
    """Return the indices that occur in a structure, bound ones too."""
    if isinstance(thing, sp.Basic):
        return thing.atoms(Index)
    if isinstance(thing, (tuple, frozenset)):
        return set().union(*(letters_of(part) for part in thing))
    return set()


def renamed(thing: Any, names: dict[Any, Any]) -> Any:
    """Replace indices throughout a structure."""
    if isinstance(thing, sp.Basic):
        return thing.xreplace(names)
    if isinstance(thing, tuple):
        return tuple(renamed(part, names) for part in thing)
    if isinstance(thing, frozenset):
        return frozenset(renamed(part, names) for part in thing)
    return thing


def _height(thing: Any) -> int:
    """How many sums stand inside one another."""
    if isinstance(thing, (tuple, frozenset)):
        inside = max((_height(part) for part in thing), default=0)
        return inside + (isinstance(thing, tuple) and thing[:1] in (("sum",), ("reduce",)))
    return 0


@functools.lru_cache(maxsize=1024)
def _letter(height: int, place: int, extent: Any) -> Index:
    """Return the index that stands for a bound one of this depth, always the same."""
    return Index(f"_{height}_{place}", extent)


def key(thing: Any) -> str:
    """Return a text that tells structures apart and does not hang on the order of sets."""
    if isinstance(thing, frozenset):
        return "{" + ", ".join(sorted(key(part) for part in thing)) + "}"
    if isinstance(thing, tuple):
        return "(" + ", ".join(key(part) for part in thing) + ")"
    return str(thing)


# Sums


def summed(index: Index, poly: Poly) -> Poly:
    """Return the sum of a polynomial over an index."""
    return added(*(scaled(joint_sum((index,), m), c) for m, c in poly.items()))


def joint_sum(bound: tuple[Index, ...], monomial: Monomial) -> Poly:
    """Sum a monomial over several indices: parts that do not hang together become factors."""
    wider, product = _merged(bound, monomial)
    if wider != bound:
        return _summed_again(wider, product)
    for factor, _ in monomial:
        for index in bound:
            place = _pinned(factor, index)
            if place is not None:
                rest = frozenset(f for f in monomial if f[0] != factor)
                others = tuple(i for i in bound if i != index)
                return _summed_again(others, _product(renamed(rest, {index: place}), ONE))
    waiting, total = list(bound), constant(1)
    for part in _connected(bound, monomial):
        mine = tuple(i for i in bound if i in letters_of(part))
        waiting = [i for i in waiting if i not in mine]
        made = single(_named_sum(mine, part)) if mine else {part: sp.Integer(1)}
        total = multiplied(total, made)
    return multiplied(total, *(polynomial(index.extent) for index in waiting))


def _summed_again(bound: tuple[Index, ...], poly: Poly) -> Poly:
    if not bound:
        return poly
    return added(*(scaled(joint_sum(bound, m), c) for m, c in poly.items()))


def _merged(bound: tuple[Index, ...], monomial: Monomial) -> tuple[tuple[Index, ...], Poly]:
    """Open the sums inside that vary with the bound indices, under letters of their own."""
    kept: list[tuple[Any, Any]] = []
    opened: list[tuple[Any, Any]] = []
    wider = bound
    for factor, exponent in monomial:
        is_sum = isinstance(factor, tuple) and factor[0] == "sum"
        whole = is_sum and exponent.is_Integer and exponent > 0
        fits = whole and len(wider) + exponent * len(factor[1]) <= MOST_TOGETHER
        if not fits or not letters_of(factor) & set(bound):
            kept.append((factor, exponent))
            continue
        for _ in range(int(exponent)):
            fresh = {index: index.fresh() for index in factor[1]}
            wider = (*wider, *fresh.values())
            opened += renamed(factor[2], fresh)
    return wider, _product(kept, opened)


def _pinned(factor: Any, index: Index) -> Any:
    """Return where an indicator holds an index, if it does and the place is in range."""
    if not isinstance(factor, tuple) or factor[:2] != ("if", "same") or index not in factor[2]:
        return None
    (other,) = factor[2] - {index} or {index}
    if isinstance(other, Index) and other != index and other.extent == index.extent:
        return other
    if isinstance(other, Access) and other.tensor.domain.below == index.extent:
        return None if index in other.free_symbols else other
    return None


def _connected(bound: tuple[Index, ...], monomial: Monomial) -> list[Monomial]:
    """Part a monomial into pieces that share no bound index; what varies with none comes first."""
    free = frozenset(f for f in monomial if not letters_of(f[0]) & set(bound))
    pieces: list[tuple[set[Any], set[Any]]] = []
    for factor in monomial - free:
        mine, parts = letters_of(factor[0]) & set(bound), {factor}
        apart = []
        for letters, factors in pieces:
            if letters & mine:
                mine, parts = mine | letters, parts | factors
            else:
                apart.append((letters, factors))
        pieces = [*apart, (mine, parts)]
    return [free, *(frozenset(parts) for _, parts in pieces)]


def _named_sum(bound: tuple[Index, ...], monomial: Monomial) -> Any:
    """Name the bound indices by depth; of all orders, the one whose text comes first."""
    height = _height(monomial) + 1
    found = []
    for order in itertools.permutations(bound):
        names = {i: _letter(height, place, i.extent) for place, i in enumerate(order)}
        found.append(("sum", tuple(names[i] for i in order), renamed(monomial, names)))
    return min(found, key=key)


# Powers, exponentials, logarithms


def _is_positive(factor: Any) -> bool:
    if not isinstance(factor, tuple):
        return bool(factor.is_positive)
    if factor[0] == "sum":
        return all(_is_positive(f) for f, _ in factor[2])
    if factor[0] == "poly":
        return all(c > 0 and all(_is_positive(f) for f, _ in m) for m, c in factor[1])
    return bool(factor[0] == "exp" or factor[:2] == ("call", "sigmoid"))


def powered(poly: Poly, exponent: Any) -> Poly:
    """Return a power of a polynomial by a rational number."""
    if exponent.is_Integer and 0 <= exponent <= MOST_MULTIPLIED_OUT:
        return multiplied(*[poly] * int(exponent))
    if len(poly) == 1:
        ((monomial, coefficient),) = poly.items()
        doubtful = [e for f, e in monomial if not _is_positive(f)]
        safe = len(doubtful) <= 1 and all(e == 1 for e in doubtful) and coefficient > 0
        if exponent.is_Integer or safe:
            power = constant(coefficient**exponent)
            return multiplied(
                power, {frozenset((f, e * exponent) for f, e in monomial): sp.Integer(1)}
            )
    if not poly:
        return constant(0) if exponent > 0 else single(("poly", frozen(poly)), exponent)
    lead = abs(poly[min(poly, key=key)])
    if exponent.is_Integer:
        lead = poly[min(poly, key=key)]
    inside = frozen(scaled(poly, 1 / lead))
    return multiplied(constant(lead**exponent), single(("poly", inside), exponent))


def exponential(poly: Poly) -> Poly:
    """Return the exponential of a polynomial, a factor for each of its terms."""
    made = constant(1)
    for monomial, coefficient in poly.items():
        (factor, exponent), *more = [*monomial, (None, None)]
        is_log = isinstance(factor, tuple) and factor[0] == "log"
        if is_log and exponent == 1 and len(more) == 1:
            made = multiplied(made, powered(dict(factor[1]), coefficient))
        else:
            made = multiplied(made, single(("exp", monomial), coefficient))
    return made


def logarithm(poly: Poly) -> Poly:
    """Return the logarithm of a polynomial; that of a product of positive factors is a sum."""
    if len(poly) == 1:
        ((monomial, coefficient),) = poly.items()
        doubtful = [(f, e) for f, e in monomial if not _is_positive(f)]
        if coefficient > 0 and (not doubtful or (len(doubtful) == 1 and doubtful[0][1] == 1)):
            terms = [scaled(_log_of(f), e) for f, e in monomial]
            if coefficient != 1:
                terms.append(single(("log", frozen(constant(coefficient)))))
            return added(*terms)
    return single(("log", frozen(poly)))


def _log_of(factor: Any) -> Poly:
    if isinstance(factor, tuple) and factor[0] == "exp":
        return {factor[1]: sp.Integer(1)}
    if isinstance(factor, tuple) and factor[0] == "poly":
        return single(("log", factor[1]))
    return single(("log", frozen(single(factor))))


# Formulas


def polynomial(expression: Any) -> Poly:
    """Return the canonical form of a formula, in which definitions have been written out."""
    e = expression
    if isinstance(e, sp.Rational):
        return constant(e)
    if isinstance(e, sp.Add):
        return added(*(polynomial(argument) for argument in e.args))
    if isinstance(e, sp.Mul):
        return multiplied(*(polynomial(argument) for argument in e.args))
    if isinstance(e, sp.exp):
        return exponential(polynomial(e.args[0]))
    if isinstance(e, sp.log):
        return logarithm(polynomial(e.args[0]))
    if isinstance(e, sp.Pow):
        if e.exp.is_Rational:
            return powered(polynomial(e.base), e.exp)
        return single(("call", "pow", *(frozen(polynomial(a)) for a in e.args)))
    if isinstance(e, Let):
        return polynomial(e.body)
    if isinstance(e, Reduction):
        return _reduction(e)
    if isinstance(e, Where):
        return _choice(e)
    rule = _RULES.get(type(e).__name__)
    if rule is not None:
        return rule(*e.args)
    if not e.args or isinstance(e, Access):
        return single(e)
    return single(("call", type(e).__name__, *(frozen(polynomial(a)) for a in e.args)))


def _reduction(expression: Reduction) -> Poly:
    body, index = expression.args
    if isinstance(expression, Sum):
        return summed(index, polynomial(body))
    if isinstance(expression, Mean):
        share = powered(polynomial(index.extent), sp.Integer(-1))
        return multiplied(share, summed(index, polynomial(body)))
    if isinstance(expression, LogSumExp):
        return logarithm(summed(index, exponential(polynomial(body))))
    if isinstance(expression, Norm2):
        return powered(summed(index, powered(polynomial(body), sp.Integer(2))), sp.Rational(1, 2))
    inside = frozen(polynomial(body))
    name = _letter(_height(inside) + 1, 0, index.extent)
    return single(("reduce", expression.spelling, name, renamed(inside, {index: name})))


def _choice(expression: Where) -> Poly:
    when, then, otherwise = expression.args
    chosen = _indicator(when)
    first, second = polynomial(then), polynomial(otherwise)
    return added(second, multiplied(chosen, first), scaled(multiplied(chosen, second), -1))


def _indicator(when: Any) -> Poly:
    """Return a condition as a polynomial of indicators of two kinds, p = 0 and p >= 0."""
    if isinstance(when, sp.And):
        return multiplied(*(_indicator(part) for part in when.args))
    if isinstance(when, sp.Not):
        return _not(_indicator(when.args[0]))
    if isinstance(when, sp.Or):
        return _not(multiplied(*(_not(_indicator(part)) for part in when.args)))
    if when in (sp.true, sp.false):
        return constant(int(bool(when)))
    left, right = when.lhs, when.rhs
    if isinstance(when, sp.Ne):
        return _not(_indicator(sp.Eq(left, right)))
    if isinstance(when, sp.Eq):
        whole = all(isinstance(side, (Index, Access)) for side in (left, right))
        if whole and left.is_integer and right.is_integer:
            return single(("if", "same", frozenset({left, right})))
        apart = polynomial(left - right)
        if not apart:
            return constant(1)
        lead = apart[min(apart, key=key)]
        return single(("if", "zero", frozen(scaled(apart, 1 / lead))))
    if isinstance(when, (sp.Lt, sp.Gt)):
        return _not(_indicator(when.negated))
    low, high = (left, right) if isinstance(when, sp.Le) else (right, left)
    apart = polynomial(high - low)
    if not apart:
        return constant(1)
    return single(("if", "above", frozen(scaled(apart, 1 / abs(apart[min(apart, key=key)])))))


def _not(poly: Poly) -> Poly:
    return added(constant(1), scaled(poly, -1))


def _turned(argument: Any) -> tuple[Poly, bool]:
    """Return an argument with its sign so turned that the first term is added."""
    poly = polynomial(argument)
    if poly and poly[min(poly, key=key)] < 0:
        return scaled(poly, -1), True
    return poly, False


def _sigmoid(x: Any) -> Poly:
    inside, turned = _turned(x)
    made = single(("call", "sigmoid", frozen(inside)))
    return _not(made) if turned else made


def _softplus(x: Any) -> Poly:
    inside, turned = _turned(x)
    made = single(("call", "softplus", frozen(inside)))
    return added(made, scaled(inside, -1)) if turned else made


def _odd(name: str) -> Callable[[Any], Poly]:
    def made(x: Any) -> Poly:
        inside, turned = _turned(x)
        return scaled(single(("call", name, frozen(inside))), -1 if turned else 1)

    return made


# What atoms are to one another: the second half of a pair is written by the first.
_RULES: dict[str, Callable[..., Poly]] = {
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "log_sigmoid": lambda x: scaled(_softplus(-x), -1),
    "tanh": _odd("tanh"),
    "erf": _odd("erf"),
    "erfc": lambda x: _not(_odd("erf")(x)),
    "expm1": lambda x: polynomial(sp.exp(x) - 1),
    "expm1x": lambda x: polynomial(sp.exp(x) - 1 - x),
    "log1p": lambda x: polynomial(sp.log(1 + x)),
    "log_ratio": lambda x, y: polynomial(sp.log(x) - sp.log(y)),
    "kl_div": lambda x, y: polynomial(x * sp.log(x) - x * sp.log(y) - x + y),
    "xlogy": lambda x, y: polynomial(x * sp.log(y)),
    "weighted": lambda x, y: polynomial(x * y),
    "relu": lambda x: polynomial(Where(x > 0, x, 0)),
    "abs": lambda x: single(("call", "abs", frozen(_turned(x)[0]))),
    "sech": lambda x: single(("call", "sech", frozen(_turned(x)[0]))),
    "maximum": lambda a, b: polynomial(Where(a >= b, a, b)),
    "minimum": lambda a, b: polynomial(Where(a <= b, a, b)),
    "stop_gradient": lambda x: polynomial(x),
}
