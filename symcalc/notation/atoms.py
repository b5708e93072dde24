"""The atoms: scalar functions kept whole from notation to kernel.

An atom is one class here and nothing elsewhere: its derivative, its definition (from which its
enclosures follow), its stable form (from which its kernels follow), its LaTeX and its kinks.
A primitive has no stable form: both backends know it by its name.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy as sp

from symcalc.notation.conditions import Where
from symcalc.notation.places import is_size

HALF_LOG_TWO_PI = sp.log(2 * sp.pi) / 2


@dataclass(frozen=True)
class Kink:
    """A place where a derivative may jump: `left = right`, and what is done there."""

    left: Any
    right: Any
    convention: str


class Grouped(sp.Function):
    """A sum kept in brackets: what is inside is added up first."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True


class Atom(sp.Function):
    """Base of the atoms: real-valued, one class each.

    An atom gives its own partials and definition; one that is no primitive its stable form too.
    """

    is_primitive: ClassVar[bool] = False
    latex: ClassVar[str] = ""

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the partial derivative by one argument, as SymPy's chain rule asks for it."""
        return self.partials(*self.args)[argindex - 1]

    def _eval_evalf(self, prec: int) -> Any:
        return self.definition(*self.args)._eval_evalf(prec)

    @staticmethod
    def partials(*args: Any) -> tuple[Any, ...]:
        """The derivative by each argument."""
        raise NotImplementedError

    @staticmethod
    def definition(*args: Any) -> Any:
        """The function in SymPy's own terms, as a textbook defines it."""
        raise NotImplementedError

    @staticmethod
    def stable(*args: Any) -> Any:
        """The function in primitives, so written that floating point keeps every digit."""
        raise NotImplementedError

    @staticmethod
    def plus(rest: Any, *args: Any) -> Any:
        """The atom plus something, where that can be had without cancellation; else None."""
        return None

    @staticmethod
    def kinks(*args: Any) -> tuple[Kink, ...]:
        """Where the derivative jumps."""
        return ()


class abs(Atom):
    """Absolute value."""

    nargs = 1
    is_primitive = True
    latex = r"\left|{0}\right|"
    partials = staticmethod(lambda x: (sign(x),))
    definition = staticmethod(sp.Abs)
    kinks = staticmethod(lambda x: (Kink(x, sp.Integer(0), "sign(0) = 0"),))

    @classmethod
    def eval(cls, x: Any) -> Any:
        """Drop the bars where the sign is known."""
        return x if x.is_nonnegative else -x if x.is_nonpositive else None

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_power(self, exponent: Any) -> Any:
        """An even power needs no bars."""
        return self.args[0] ** exponent if exponent.is_even else None


class sign(Atom):
    """Sign of x, with sign(0) = 0; its derivative is zero away from 0."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{sign}}\left({0}\right)"
    partials = staticmethod(lambda x: (sp.Integer(0),))
    definition = staticmethod(sp.sign)
    kinks = staticmethod(lambda x: (Kink(x, sp.Integer(0), "sign'(0) = 0"),))

    @classmethod
    def eval(cls, x: Any) -> Any:
        """Decide where the sign is known."""
        if x.is_zero:
            return sp.Integer(0)
        return sp.Integer(1) if x.is_positive else sp.Integer(-1) if x.is_negative else None


class expm1(Atom):
    """exp(x) - 1 without cancellation near 0."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{expm1}}\left({0}\right)"
    partials = staticmethod(lambda x: (sp.exp(x),))
    definition = staticmethod(lambda x: sp.exp(x) - 1)


class expm1x(Atom):
    """exp(x) - 1 - x without cancellation near 0, where it is x**2/2."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{expm1x}}\left({0}\right)"
    partials = staticmethod(lambda x: (expm1(x),))
    definition = staticmethod(lambda x: sp.exp(x) - 1 - x)

    def _eval_is_nonnegative(self) -> bool:
        return True


class log1p(Atom):
    """log(1 + x) without cancellation near 0."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{log1p}}\left({0}\right)"
    partials = staticmethod(lambda x: (1 / (1 + x),))
    definition = staticmethod(lambda x: sp.log(1 + x))


class tanh(Atom):
    """Hyperbolic tangent; its derivative is written sech(x)**2, exact in the tails."""

    nargs = 1
    is_primitive = True
    latex = r"\tanh\left({0}\right)"
    partials = staticmethod(lambda x: (sech(x) ** 2,))
    definition = staticmethod(sp.tanh)


class sech(Atom):
    """1 / cosh(x)."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{sech}}\left({0}\right)"
    partials = staticmethod(lambda x: (-sech(x) * tanh(x),))
    definition = staticmethod(lambda x: 1 / sp.cosh(x))

    def _eval_is_positive(self) -> bool:
        return True


class sigmoid(Atom):
    """1 / (1 + exp(-x)); its derivative is written sigmoid(x) sigmoid(-x), exact in both tails."""

    nargs = 1
    is_primitive = True
    latex = r"\sigma\left({0}\right)"
    partials = staticmethod(lambda x: (sigmoid(x) * sigmoid(-x),))
    definition = staticmethod(lambda x: 1 / (1 + sp.exp(-x)))

    @staticmethod
    def plus(rest: Any, x: Any) -> Any:
        """With q = sigmoid(-|x|): (1 + rest) - q on the right, rest + q on the left."""
        if x.is_nonpositive:
            return None  # nothing cancels
        tail = sigmoid(-abs(x))
        return Where(x >= 0, Grouped(1 + rest) - tail, rest + tail)

    def _eval_is_positive(self) -> bool:
        return True


class softplus(Atom):
    """log(1 + exp(x))."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{softplus}}\left({0}\right)"
    partials = staticmethod(lambda x: (sigmoid(x),))
    definition = staticmethod(lambda x: sp.log(1 + sp.exp(x)))

    @staticmethod
    def plus(rest: Any, x: Any) -> Any:
        """With rest = c x + d: ((1 + c) x or c x) + d first, where 0 times infinity is 0."""
        if x.is_nonpositive:
            return None  # nothing cancels
        tail = softplus(-abs(x))
        slope = rest.coeff(x) if not x.is_Add else sp.Integer(0)
        if slope == 0 or rest.coeff(x, 0) + slope * x != rest:
            return Grouped(maximum(x, 0) + rest) + tail
        joined = Where(x >= 0, 1 + slope, slope)
        return Grouped(weighted(joined, x) + rest.coeff(x, 0)) + tail

    def _eval_is_positive(self) -> bool:
        return True


class log_sigmoid(Atom):
    """log(sigmoid(x)) = -softplus(-x)."""

    nargs = 1
    is_primitive = True
    latex = r"\log\sigma\left({0}\right)"
    partials = staticmethod(lambda x: (sigmoid(-x),))
    definition = staticmethod(lambda x: -sp.log(1 + sp.exp(-x)))
    plus = staticmethod(lambda rest, x: Grouped(minimum(x, 0) + rest) - softplus(-abs(x)))


class log_cosh(Atom):
    """log(cosh(x)): x**2/2 near zero, |x| - log 2 in the tails."""

    nargs = 1
    is_primitive = True
    latex = r"\log\cosh\left({0}\right)"
    partials = staticmethod(lambda x: (tanh(x),))
    definition = staticmethod(lambda x: sp.log(sp.cosh(x)))

    def _eval_is_nonnegative(self) -> bool:
        return True


class relu(Atom):
    """max(x, 0), with derivative 0 at 0."""

    nargs = 1
    latex = r"\operatorname{{relu}}\left({0}\right)"
    partials = staticmethod(lambda x: (Where(x > 0, 1, 0),))
    definition = staticmethod(lambda x: sp.Piecewise((x, x > 0), (0, True)))
    stable = staticmethod(lambda x: maximum(x, 0))
    kinks = staticmethod(lambda x: (Kink(x, sp.Integer(0), "relu'(0) = 0"),))

    def _eval_is_nonnegative(self) -> bool:
        return True


class maximum(Atom):
    """The greater of two; at a tie the derivative goes to the first."""

    nargs = 2
    is_primitive = True
    latex = r"\max\left({0}, {1}\right)"
    partials = staticmethod(lambda a, b: (Where(a >= b, 1, 0), Where(a >= b, 0, 1)))
    definition = staticmethod(lambda a, b: sp.Piecewise((a, a >= b), (b, True)))
    kinks = staticmethod(lambda a, b: (Kink(a, b, "a tie of max goes to the first"),))

    def _eval_is_positive(self) -> bool | None:
        return True if any(side.is_positive for side in self.args) else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if any(side.is_nonnegative for side in self.args) else None


class minimum(Atom):
    """The lesser of two; at a tie the derivative goes to the first."""

    nargs = 2
    is_primitive = True
    latex = r"\min\left({0}, {1}\right)"
    partials = staticmethod(lambda a, b: (Where(a <= b, 1, 0), Where(a <= b, 0, 1)))
    definition = staticmethod(lambda a, b: sp.Piecewise((a, a <= b), (b, True)))
    kinks = staticmethod(lambda a, b: (Kink(a, b, "a tie of min goes to the first"),))


class clip(Atom):
    """x held between low and high; its derivative is 1 on the closed interval."""

    nargs = 3
    latex = r"\operatorname{{clip}}\left({0}, {1}, {2}\right)"
    partials = staticmethod(
        lambda x, low, high: (
            Where(sp.And(x >= low, x <= high), 1, 0),
            Where(x < low, 1, 0),
            Where(x > high, 1, 0),
        )
    )
    definition = staticmethod(
        lambda x, low, high: sp.Piecewise((low, x < low), (high, x > high), (x, True))
    )
    stable = staticmethod(lambda x, low, high: minimum(maximum(x, low), high))
    kinks = staticmethod(
        lambda x, low, high: (
            Kink(x, low, "clip' = 1 at its lower end"),
            Kink(x, high, "clip' = 1 at its upper end"),
        )
    )


class weighted(Atom):
    """x y, and 0 where x = 0, even if y is infinite there."""

    nargs = 2
    latex = r"{0} {1}"
    partials = staticmethod(lambda x, y: (y, x))
    definition = staticmethod(lambda x, y: x * y)
    stable = staticmethod(lambda x, y: Where(sp.Eq(x, 0), 0 * x, x * y))


class xlogy(Atom):
    """x log(y), and 0 where x = 0."""

    nargs = 2
    is_primitive = True
    latex = r"{0} \log\left({1}\right)"
    partials = staticmethod(lambda x, y: (sp.log(y), x / y))
    definition = staticmethod(lambda x, y: sp.Piecewise((0, sp.Eq(x, 0)), (x * sp.log(y), True)))


class log_ratio(Atom):
    """log(x/y), accurate also where x and y are close, and where their quotient overflows."""

    nargs = 2
    is_primitive = True
    latex = r"\log\left({0} / {1}\right)"
    partials = staticmethod(lambda x, y: (1 / x, -1 / y))
    definition = staticmethod(lambda x, y: sp.log(x / y))


class kl_div(Atom):
    """x log(x/y) - x + y, and y where x = 0; nothing cancels where x and y are close."""

    nargs = 2
    is_primitive = True
    latex = r"\operatorname{{kl}}\left({0}, {1}\right)"
    partials = staticmethod(lambda x, y: (log_ratio(x, y), 1 - x / y))
    definition = staticmethod(
        lambda x, y: sp.Piecewise((y, sp.Eq(x, 0)), (x * sp.log(x / y) - x + y, True))
    )

    def _eval_is_nonnegative(self) -> bool:
        return True


class log1mexp(Atom):
    """log(1 - exp(-x)) for x > 0 (Maechler 2012)."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{log1mexp}}\left({0}\right)"
    partials = staticmethod(lambda x: (-sp.exp(-x) / expm1(-x),))
    definition = staticmethod(lambda x: sp.log(1 - sp.exp(-x)))


class erf(Atom):
    """Error function."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{erf}}\left({0}\right)"
    partials = staticmethod(lambda x: (2 * sp.exp(-(x**2)) / sp.sqrt(sp.pi),))
    definition = staticmethod(sp.erf)


class erfc(Atom):
    """1 - erf(x), with full relative accuracy for large x."""

    nargs = 1
    is_primitive = True
    latex = r"\operatorname{{erfc}}\left({0}\right)"
    partials = staticmethod(lambda x: (-2 * sp.exp(-(x**2)) / sp.sqrt(sp.pi),))
    definition = staticmethod(sp.erfc)

    def _eval_is_positive(self) -> bool:
        return True


class lgamma(Atom):
    """Logarithm of |gamma(x)|."""

    nargs = 1
    is_primitive = True
    latex = r"\log\Gamma\left({0}\right)"
    partials = staticmethod(lambda x: (digamma(x),))
    definition = staticmethod(sp.loggamma)


class digamma(Atom):
    """Derivative of lgamma."""

    nargs = 1
    latex = r"\psi\left({0}\right)"
    is_primitive = True
    partials = staticmethod(lambda x: (trigamma(x),))
    definition = staticmethod(sp.digamma)


class trigamma(Atom):
    """Derivative of digamma."""

    nargs = 1
    latex = r"\psi'\left({0}\right)"
    is_primitive = True
    partials = staticmethod(lambda x: (sp.polygamma(2, x),))
    definition = staticmethod(sp.trigamma)


class stop_gradient(Atom):
    """x itself, whose derivative is taken as zero."""

    nargs = 1
    latex = r"\operatorname{{sg}}\left({0}\right)"
    partials = staticmethod(lambda x: (sp.Integer(0),))
    definition = staticmethod(lambda x: x)
    stable = staticmethod(lambda x: x)


ATOMS: tuple[type[Atom], ...] = (
    abs, sign, expm1, expm1x, log1p, tanh, sech, sigmoid, softplus, log_sigmoid, log_cosh, relu,
    maximum, minimum, clip, weighted, xlogy, log_ratio, kl_div, log1mexp, erf, erfc, lgamma,
    digamma, trigamma, stop_gradient,
)  # fmt: skip


def exp(x: Any) -> Any:
    """Exponential."""
    return sp.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm."""
    return sp.log(x)


pi: Any = sp.pi


def sin(x: Any) -> Any:
    """Sine, of an angle in radians."""
    return sp.sin(x)


def cos(x: Any) -> Any:
    """Cosine, of an angle in radians."""
    return sp.cos(x)


def sqrt(x: Any) -> Any:
    """Square root."""
    return sp.sqrt(x)


# What SymPy calls differently, by the name the notation has for it.
_ADOPTED: dict[Any, Any] = {
    sp.Abs: abs,
    sp.sign: sign,
    sp.tanh: tanh,
    sp.erf: erf,
    sp.erfc: erfc,
    sp.loggamma: lgamma,
}


def adopt(expression: Any) -> Any:
    """Replace SymPy's own functions by the atoms, which know their kinks and kernels."""
    expression = sp.sympify(expression)
    if isinstance(expression, sp.Float):
        return sp.Rational(str(float(expression)))  # 0.1 is meant as one tenth
    if not expression.args:
        return expression
    arguments = [adopt(argument) for argument in expression.args]
    atom = _ADOPTED.get(expression.func)
    if atom is not None:
        return atom(*arguments)
    if isinstance(expression, (sp.Max, sp.Min)) and not is_size(expression):
        return functools.reduce(maximum if isinstance(expression, sp.Max) else minimum, arguments)
    return expression.func(*arguments) if tuple(arguments) != expression.args else expression
