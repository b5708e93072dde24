"""Closed forms of Gaussian expectations, found by what is linear and by a few integrals.

A function of z ~ N(m, v) is brought to a sum of terms z^n exp(a z - q z^2) [c z + d > 0], or with
an erf in place of the indicator. The exponential tilts the Gaussian to another one (complete the
square); the moments of that one follow from Stein's identity E (z - m) g(z) = v E g'(z), and those
of one cut off at 0 from the same, with a boundary term in the first:

    u ~ N(M, S^2), T_n = E u^n [u > 0]:  T_0 = Phi(M/S),  T_1 = M T_0 + S phi(M/S),
    T_n = M T_{n-1} + (n - 1) S^2 T_{n-2}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.notation import atoms
from symcalc.notation.conditions import Let, Where
from symcalc.notation.errors import DerivationError
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.tensors import Access

MOST_POWER = 12


class NoClosedFormError(DerivationError):
    """No closed form of an expectation is known."""


class _UnknownError(Exception):
    """A part has no closed form."""


class _Above(sp.Function):
    """One where the argument is above zero, else zero."""

    nargs = 1

    def _sympystr(self, printer: Any) -> str:
        return f"[{printer._print(self.args[0])} > 0]"

    def _eval_power(self, exponent: Any) -> Any:
        return self if exponent.is_Integer and exponent > 0 else None


@dataclass(frozen=True)
class _Gaussian:
    """z ~ N(mean, variance); the deviation is the nonnegative root of the variance."""

    z: Any
    mean: Any
    variance: Any
    deviation: Any


def closed_form(node: GaussianExpectation) -> Any:
    """Return a Gaussian expectation as a formula without quadrature.

    Args:
        node: the expectation; its function may contain no further ones.

    Raises:
        NoClosedFormError: none is known; the part that has none is shown.
    """
    sigma = node.deviation
    given = _Gaussian(node.variable, node.mean, sigma**2, atoms.abs(sigma))
    try:
        return _expected(unnamed(node.body, node.variable), given)
    except _UnknownError as error:
        raise NoClosedFormError(
            f"gaussian_expectation: no closed form is known of the expectation of {node.body} over "
            f"{node.variable}: {error}"
        ) from None


def unnamed(expression: Any, z: Any) -> Any:
    """Drop the names of parts that vary with a bound variable."""
    if isinstance(expression, Let) and z in expression.free_symbols:
        return unnamed(expression.body, z)
    if not expression.args or isinstance(expression, Access):
        return expression
    return expression.func(*(unnamed(argument, z) for argument in expression.args))


def _expected(f: Any, given: _Gaussian) -> Any:
    """Take the expectation term by term."""
    z = given.z
    if z not in f.free_symbols:
        return f
    if isinstance(f, sp.Add):
        return sp.Add(*(_expected(term, given) for term in f.args))
    if isinstance(f, (Sum, Mean)):
        return f.func(_expected(f.body, given), f.index)
    if isinstance(f, Where) and z not in f.args[0].free_symbols:
        return Where(f.args[0], *(_expected(side, given) for side in f.args[1:]))
    if isinstance(f, sp.Mul):
        outside = [factor for factor in f.args if z not in factor.free_symbols]
        if outside:
            inside = sp.Mul(*(factor for factor in f.args if z in factor.free_symbols))
            return sp.Mul(*outside) * _expected(inside, given)
    plain = _expand(_pieces(f, given))
    if plain.has(_Above):
        return _by_pieces(plain, given)
    return _expected(plain, given) if plain != f else _term(f, given)


def _expand(f: Any) -> Any:
    """Multiply out, and leave what stands inside functions and exponents."""
    return sp.expand(f, power_exp=False, power_base=False, log=False, func=False)


def _by_pieces(f: Any, given: _Gaussian) -> Any:
    """Take what is cut off at u = 0 as a function of u, for each u: (z - w)^2 [z > w] is u^2."""
    total, rest = sp.Integer(0), f
    for mark in sorted(f.atoms(_Above), key=str):
        slope, constant = _affine(mark.args[0], given)
        cut = f.coeff(mark)
        rest = _expand(rest - mark * cut)
        if cut.has(_Above):
            raise _UnknownError("two choices multiply")
        if rest.has(mark):
            raise _UnknownError(f"the choice {mark} stands inside a function")
        if not slope.is_positive and not slope.is_negative:
            raise _UnknownError(f"the slope {slope} of {mark.args[0]} may be zero")
        u = sp.Dummy("u", real=True)
        deviation = atoms.abs(slope) * given.deviation
        moved = _Gaussian(u, slope * given.mean + constant, deviation**2, deviation)
        inside = _expand(cut.xreplace({given.z: (u - constant) / slope}))
        for term in sp.Add.make_args(inside):
            outside, varying = term.as_independent(u, as_Add=False)
            total += outside * _term(varying * _Above(u), moved)
    return total + _expected(rest, given)


def _pieces(f: Any, given: _Gaussian) -> Any:
    """Write what is made of pieces by indicators: relu(u) = u [u > 0]."""
    if given.z not in f.free_symbols or not f.args or isinstance(f, Access):
        return f
    if isinstance(f, (Sum, Mean)):
        return f
    if isinstance(f, Where):
        then, otherwise = (_pieces(side, given) for side in f.args[1:])
        return otherwise + _indicator(f.args[0], given) * (then - otherwise)
    arguments = [_pieces(argument, given) for argument in f.args]
    if isinstance(f, atoms.clip) and not (arguments[2] - arguments[1]).is_nonnegative:
        raise _UnknownError(f"the low end of {f} may be above its high end")
    rule = _PIECES.get(type(f))
    return rule(*arguments) if rule is not None else f.func(*arguments)


_PIECES: dict[Any, Any] = {
    atoms.relu: lambda u: u * _Above(u),
    atoms.abs: lambda u: 2 * u * _Above(u) - u,
    atoms.sign: lambda u: 2 * _Above(u) - 1,
    atoms.maximum: lambda a, b: b + (a - b) * _Above(a - b),
    atoms.minimum: lambda a, b: a - (a - b) * _Above(a - b),
    atoms.clip: lambda x, low, high: (
        low + (x - low) * _Above(x - low) - (x - high) * _Above(x - high)
    ),
    atoms.erfc: lambda u: 1 - atoms.erf(u),
    atoms.expm1: lambda u: sp.exp(u) - 1,
    atoms.expm1x: lambda u: sp.exp(u) - 1 - u,
    atoms.weighted: lambda x, y: x * y,
}


def _indicator(when: Any, given: _Gaussian) -> Any:
    """Return a condition on z as an indicator; whether its end belongs to it does not matter."""
    if isinstance(when, (sp.Lt, sp.Le)):
        return _Above(when.rhs - when.lhs)
    if isinstance(when, (sp.Gt, sp.Ge)):
        return _Above(when.lhs - when.rhs)
    raise _UnknownError(f"the condition {when} is not of a kind that is known")


def _affine(u: Any, given: _Gaussian) -> tuple[Any, Any]:
    """Return slope and constant of an affine form in z."""
    *_, slope, constant = _coefficients(u, given, 1)
    return slope, constant


def _coefficients(u: Any, given: _Gaussian, degree: int) -> list[Any]:
    """Return the coefficients of a polynomial in z, the highest first."""
    u = _expand(u)
    found = [u.coeff(given.z, power) for power in range(degree, -1, -1)]
    rest = u - sum(c * given.z**p for c, p in zip(found, range(degree, -1, -1), strict=True))
    if sp.expand(rest) != 0 or any(given.z in c.free_symbols for c in found):
        raise _UnknownError(f"{u} is not of a low enough degree")
    return found


def _term(f: Any, given: _Gaussian) -> Any:
    """Take the expectation of z^n exp(a z - q z^2), with one indicator or one erf."""
    power, exponent = 0, sp.Integer(0)
    marks: list[Any] = []
    for factor in sp.Mul.make_args(f):
        base, raised = factor.as_base_exp()
        if isinstance(factor, sp.exp):
            exponent += factor.args[0]
        elif base == given.z and raised.is_Integer and 0 < raised <= MOST_POWER:
            power += int(raised)
        elif base.is_positive and given.z not in base.free_symbols:
            exponent += raised * sp.log(base)
        elif isinstance(factor, (_Above, atoms.erf)):
            marks.append(factor)
        else:
            raise _UnknownError(f"nothing is known of {factor}")
    if len(marks) > 1 or power > MOST_POWER:
        raise _UnknownError(f"nothing is known of {f}")
    scale, tilted = _tilted(exponent, given)
    if not marks:
        return scale * _moment(power, tilted)
    (mark,) = marks
    if isinstance(mark, _Above):
        return scale * _cut_off(power, mark.args[0], tilted)
    return scale * _with_erf(power, mark, tilted)


def _tilted(exponent: Any, given: _Gaussian) -> tuple[Any, _Gaussian]:
    """Complete the square: exp(b + a z - q z^2) times one Gaussian is a multiple of another."""
    square, a, b = _coefficients(exponent, given, 2)
    q, mean, variance = -square, given.mean, given.variance
    if not q.is_nonnegative:
        raise _UnknownError(f"{sp.exp(exponent)} may grow too fast")
    shrink = 1 + 2 * q * variance
    scale = sp.exp(b + (a * mean + a**2 * variance / 2 - q * mean**2) / shrink) / sp.sqrt(shrink)
    moved = (mean + a * variance) / shrink
    deviation = given.deviation / sp.sqrt(shrink)
    return scale, _Gaussian(given.z, moved, variance / shrink, deviation)


def _moment(power: int, given: _Gaussian) -> Any:
    """Return E z^n, expanded."""
    before, now = sp.Integer(0), sp.Integer(1)
    for n in range(1, power + 1):
        before, now = now, given.mean * now + (n - 1) * given.variance * before
    return _expand(now)


def _cut_off(power: int, u: Any, given: _Gaussian) -> Any:
    """Return E u^n [u > 0] where u is itself the variable."""
    if u != given.z:
        raise _UnknownError(f"two pieces meet in {u}")
    mean, deviation = given.mean, given.deviation
    standard = -mean / (sp.sqrt(2) * deviation)
    share = atoms.erfc(standard) / 2
    density = sp.exp(-(standard**2)) / sp.sqrt(2 * sp.pi)
    moments = [share, mean * share + deviation * density]
    for n in range(2, power + 1):
        moments.append(mean * moments[n - 1] + (n - 1) * given.variance * moments[n - 2])
    return moments[power]


def _with_erf(power: int, mark: Any, given: _Gaussian) -> Any:
    """Return E z^n erf(c z + d), by Stein's identity."""
    slope, constant = _affine(mark.args[0], given)
    z, mean, variance = given.z, given.mean, given.variance
    if power == 0:
        inside = (slope * mean + constant) / sp.sqrt(1 + 2 * slope**2 * variance)
        return atoms.erf(inside)
    inner = (power - 1) * z ** max(power - 2, 0) * mark
    inner += z ** (power - 1) * mark.diff(z)
    return mean * _expected(z ** (power - 1) * mark, given) + variance * _expected(inner, given)
