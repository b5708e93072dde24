"""From atoms to primitives: each atom's stable form, and the sums that must not cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symcalc.notation.atoms import Atom, Grouped, erf, erfc, log1p, sigmoid, softplus
from symcalc.notation.conditions import Where
from symcalc.notation.domains import Domain
from symcalc.notation.reductions import Reduction
from symcalc.notation.tensors import Access

PATTERNS = Domain("bit patterns", lower=0.0, integer=True)
UNSIGNED = Domain("unsigned numbers", lower=0.0, integer=True)


class Pattern(sp.Function):
    """The bits of x as an unsigned number; not above those of `upper` if x is from 0 to `upper`."""

    nargs = 3
    domain = PATTERNS

    def _eval_is_integer(self) -> bool:
        return True


class Unsigned(sp.Function):
    """A whole number read as an unsigned one; above `upper` unless it is from 0 to `upper`."""

    nargs = 3
    domain = UNSIGNED

    def _eval_is_integer(self) -> bool:
        return True


class ShiftedExp(sp.Function):
    """exp(x - top) for x <= top, and 1 where x is infinite: infinite logits share all weight."""

    nargs = 2

    def _eval_is_extended_real(self) -> bool:
        return True


class ScaledSquare(sp.Function):
    """A square, or 0 where it belongs into another of the three sums of a norm."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True


class square(ScaledSquare):
    """x**2 where that neither overflows nor underflows, else 0."""


class square_of_large(ScaledSquare):
    """(x 2**-538)**2 where x**2 would overflow, else 0."""


class square_of_small(ScaledSquare):
    """(x 2**563)**2 where x**2 would underflow, else 0."""


def norm_of_sums(ordinary: Any, large: Any, small: Any) -> Any:
    """Return the root of a sum of squares that was added up in three sums."""
    shrink, grow = sp.Rational(1, 2**538), sp.Integer(2) ** 563
    return Where(
        large > 0,
        sp.sqrt(large + Grouped(ordinary * shrink) * shrink) / shrink,
        Where(
            sp.Eq(ordinary, 0),
            sp.sqrt(small) / grow,
            sp.sqrt(ordinary + Grouped(small / grow) / grow),
        ),
    )


class exp_nonpositive(sp.Function):
    """exp(x) for x <= 0, which is cheaper."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_positive(self) -> bool:
        return True


class FiniteTop(sp.Function):
    """x, and 0 where x is minus infinity: what the terms of a logsumexp are measured from."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True


class FinitePlus(sp.Function):
    """x + y where x is finite, x elsewhere: a logsumexp from its top and the rest."""

    nargs = 2

    def _eval_is_extended_real(self) -> bool:
        return True


class below_one(sp.Function):
    """x where it is less than 1, else 0."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True


class same(sp.Function):
    """1 where x is the extreme y, or is NaN, as the extreme is then; else 0."""

    nargs = 2

    def _eval_is_extended_real(self) -> bool:
        return True


class _Real(sp.Function):
    """A real number that a function of the kernels computes."""

    def _eval_is_extended_real(self) -> bool:
        return True


class scaled(_Real):
    """m 2**e: a number that was kept with a power of two."""

    nargs = 2


class times(_Real):
    """The number that a running product m goes on from, once it has taken in a factor."""

    nargs = 2


class excess(_Real):
    """The power of two that is taken out of m when it takes in a factor; mostly zero."""

    nargs = 2


class out_of_range(_Real):
    """Whether a running product has left the range it can go on from as it is: 1 or 0."""

    nargs = 1


class stepped(_Real):
    """The number of a (m 2**e) + b, of which `stepped_power` is the power: m, e, a, b."""

    nargs = 4


class stepped_power(_Real):
    """The power of two of a (m 2**e) + b: zero, unless the number leaves the range."""

    nargs = 4


def to_primitives(expression: Any) -> Any:
    """Rewrite every composite atom by its stable form, down to primitives.

    A sum that contains an atom which knows how to absorb the rest of the sum is given to it:
    sigmoid(z) - y and softplus(z) - y z keep every digit in both tails that way.
    """
    if not expression.args or isinstance(expression, Access):
        return expression
    if isinstance(expression, sp.Add):
        absorbed = _absorb(expression)
        if absorbed is not None:
            return to_primitives(absorbed)
    if isinstance(expression, sp.Mul):
        expression = _chosen(expression)
    if isinstance(expression, sp.log):
        logit = _logit(expression.args[0])
        if logit is not None:
            return to_primitives(-softplus(-logit))
    if isinstance(expression, Atom) and not expression.is_primitive:
        return to_primitives(sp.sympify(expression.stable(*expression.args)))
    arguments = [to_primitives(argument) for argument in expression.args]
    if isinstance(expression, Reduction):
        return expression.func(*arguments)
    if isinstance(expression, log1p) and isinstance(arguments[0], sp.exp):
        return softplus(*arguments[0].args)
    if isinstance(expression, sp.log) and isinstance(arguments[0], sp.Add):
        rest = arguments[0] - 1
        if isinstance(rest, sp.exp):  # log(1 + exp(x)) overflows where exp(x) does
            return softplus(*rest.args)
    if isinstance(expression, sp.exp) and expression.args[0].is_nonpositive:
        return exp_nonpositive(*arguments)
    if isinstance(expression, (sp.exp, erf, erfc)):
        arguments = [_settled(arguments[0])]
    same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
    return expression if same else expression.func(*arguments)


def _settled(argument: Any) -> Any:
    """Let a quotient 0/0 be 0: a deviation of zero, with nothing to be measured in it."""
    quotients = [
        factor for factor in sp.Mul.make_args(argument)
        if factor.as_base_exp()[1].is_negative and not factor.as_base_exp()[0].is_positive
    ]  # fmt: skip
    varying = [factor for factor in sp.Mul.make_args(argument) if not factor.is_number]
    above = sp.Mul(*(factor for factor in varying if factor not in quotients))
    return Where(sp.Eq(above, 0), 0, argument) if quotients else argument


def _logit(probability: Any) -> Any:
    """Return x of sigmoid(x), and -x of 1 - sigmoid(x), of which a logarithm loses all; or None."""
    if isinstance(probability, sigmoid):
        return probability.args[0]
    rest = 1 - probability
    return -rest.args[0] if isinstance(rest, sigmoid) else None


def _chosen(product: Any) -> Any:
    """Write a product with an indicator as a choice, so that zero times infinity is zero.

    So it is with any choice of zero beside what may overflow, a quotient or an exponential. The
    condition is the one for zero, which NaN does not meet: NaN still propagates.
    """
    for factor in product.args:
        if not isinstance(factor, Where) or 0 not in factor.args[1:]:
            continue
        rest = sp.Mul(*(other for other in product.args if other is not factor))
        when, then, otherwise = factor.args
        if {then, otherwise} != {0, 1} and not _may_overflow(rest):
            continue
        rest = _chosen(rest) if isinstance(rest, sp.Mul) else rest
        if otherwise == 0:
            return Where(sp.Not(when), 0, then * rest)
        return Where(when, 0, otherwise * rest)
    return product


def _may_overflow(product: Any) -> bool:
    """Whether there is a divisor that may be too small, or an exponential."""
    below = (f for f in product.atoms(sp.Pow) if f.exp.is_negative)
    return bool(product.atoms(sp.exp)) or any(factor.base.atoms(Access) for factor in below)


def divisors(below: Sequence[Any]) -> list[list[Any]]:
    """Return what a number is divided by, in turn: all bases, then those of squares once more.

    A square may leave the format's range where what it divides would have brought it back.

    Args:
        below: the divisors, powers of each.
    """
    turns: list[list[Any]] = []
    for factor in below:
        base, times = factor.as_base_exp()
        if factor.is_number or not times.is_Integer:
            base, times = factor, sp.Integer(1)
        for turn in range(int(times)):
            turns += [[]] * (turn == len(turns))
            turns[turn] = [*turns[turn], base]
    return turns


def _absorb(total: Any) -> Any:
    """Let one atom of a sum, with coefficient plus or minus one, take in the rest."""
    for term in total.args:
        sign, atom = term.as_coeff_Mul()
        if isinstance(atom, Atom) and abs(sign) == 1:
            made = atom.plus(sign * (total - term), *atom.args)
            if made is not None:
                return sign * made
    return None
