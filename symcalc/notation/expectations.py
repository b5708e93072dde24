r"""Expectations: over a finite set, over a Gaussian, and the estimators of their gradients.

`expectation(k, p, f)` is a sum with weights. `gaussian_expectation(z, mu, sigma, f)` binds the
variable z; the calculus replaces it by a closed form where it finds one, by Gauss-Hermite
quadrature elsewhere. The rest are surrogates: formulas whose gradient is a gradient of an
expectation, with `stop_gradient` where it belongs.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.atoms import log, stop_gradient
from symcalc.notation.compare import Comparable, expression
from symcalc.notation.conditions import let
from symcalc.notation.dims import Index, fresh_number
from symcalc.notation.errors import NotationError
from symcalc.notation.reductions import Mean, Sum, reduce_over

METHODS = ("auto", "closed", "quadrature")
NODES = 32
MOST_NODES = 128


class Variable(Comparable, sp.Dummy):
    """A scalar that an expectation binds; each one made is a new one."""

    def __new__(cls, name: str, dummy_index: int | None = None) -> Variable:
        """Make a fresh variable, unless `dummy_index` names an old one (unpickling)."""
        number = fresh_number() if dummy_index is None else dummy_index
        return super().__new__(cls, name, number, real=True)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Rebuild with identity."""
        return (self.name, self.dummy_index), {}

    def __getstate__(self) -> None:
        """Everything stands in the arguments."""
        return None

    def _sympystr(self, printer: Any) -> str:
        return str(self.name)


class GaussianExpectation(sp.Expr):
    """E f(z) for z ~ N(mu, sigma^2), before it is known how it is computed.

    `args` are z, mu, sigma, f, the method and the number of nodes; z is bound in f alone.
    """

    is_commutative = True

    @property
    def variable(self) -> Variable:
        """The bound variable."""
        return self.args[0]

    @property
    def mean(self) -> Any:
        """The mean of z."""
        return self.args[1]

    @property
    def deviation(self) -> Any:
        """The standard deviation of z."""
        return self.args[2]

    @property
    def body(self) -> Any:
        """The function of z."""
        return self.args[3]

    @property
    def method(self) -> str:
        """How it is to be computed: "auto", "closed" or "quadrature"."""
        return str(self.args[4])

    @property
    def nodes(self) -> int:
        """How many nodes a quadrature has."""
        return int(self.args[5])

    def by(self, method: str) -> GaussianExpectation:
        """Return the same expectation, to be computed by another method."""
        return GaussianExpectation(*self.args[:4], sp.Symbol(method), self.args[5])

    @property
    def free_symbols(self) -> set[Any]:
        """Those of mean and deviation, and of the function less its variable."""
        inside = self.body.free_symbols - {self.variable}
        return set(inside | self.mean.free_symbols | self.deviation.free_symbols)

    def _eval_derivative(self, symbol: Any) -> Any:
        if symbol not in self.free_symbols:
            return sp.Integer(0)
        raise NotationError(f"{self}: an expectation is differentiated by the calculus, not diff")

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_extended_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        words = [self.variable.name, *(printer._print(part) for part in self.args[1:4])]
        if self.method != "auto":
            words.append(f'method="{self.method}"')
        if self.nodes != NODES:
            words.append(f"nodes={self.nodes}")
        return f"gaussian_expectation({', '.join(words)})"


def variable(name: str) -> Variable:
    """Return a fresh scalar variable, to be bound by an expectation.

    Raises:
        NotationError: the name is not an identifier.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise NotationError(f"variable: expected a name such as 'z', got {name!r}")
    return Variable(name)


def expectation(index: Any, p: Any, f: Any) -> Any:
    """Return the expectation over a finite set, sum_k p_k f_k: `expectation(k, p[k], f[k])`.

    It is differentiated exactly, through the weights and through what is weighted.

    Args:
        index: runs over the set.
        p: the probability of each element; that they sum to one is not looked at.
        f: what is averaged.

    Raises:
        NotationError: the first argument is no index.
    """
    _expect_index("expectation", index)
    return reduce_over(Sum, (index, expression(p) * expression(f)))


def gaussian_expectation(
    z: Variable, mu: Any, sigma: Any, f: Any, method: str = "auto", nodes: int = NODES
) -> Any:
    """Return the expectation over a Gaussian, E f(z) for z ~ N(mu, sigma^2).

    z = variable("z"); gaussian_expectation(z, mu[i], sigma[i], z**2), and in text
    "gaussian_expectation(z, mu[i], sigma[i], z**2)".

    Args:
        z: the variable, bound in f alone.
        mu: the mean.
        sigma: the standard deviation. At 0 a closed form of a continuous f gives f(mu), and on a
            kink of f the slopes that small deviations come to, which are subgradients.
        f: a function of z; it may contain anything else.
        method: "closed" for a closed form, found for polynomials, exponentials, erf, pieces of
            affine forms (abs, relu, maximum, where) and their products; "quadrature" for
            Gauss-Hermite; "auto" for the first where there is one, else the second.
        nodes: how many nodes the quadrature has. It is exact for polynomials of degree up to
            2 nodes - 1. For smooth f its error falls geometrically, the slower the larger sigma
            is beside the distance over which f bends: with 32 nodes and mu = 1, E tanh is right to
            2e-7 at sigma = 1, to 1e-3 at 2, to 1e-2 at 3, and not at all from 5 on. Where f has a
            kink the error falls only like 1/nodes, and where it jumps like 1/sqrt(nodes).

    Raises:
        NotationError: z is no variable, or the method or the number of nodes is none.

    Reference: Golub and Welsch (1969), doi:10.1090/S0025-5718-69-99647-1.
    """
    _expect_variable("gaussian_expectation", z)
    if method not in METHODS:
        raise NotationError(
            f"gaussian_expectation: method: expected one of {', '.join(METHODS)}, got {method!r}"
        )
    whole = isinstance(nodes, (int, sp.Integer)) and not isinstance(nodes, bool)
    if not whole or not 1 <= nodes <= MOST_NODES:
        raise NotationError(
            f"gaussian_expectation: nodes: expected a whole number from 1 to {MOST_NODES}, "
            f"got {nodes!r}"
        )
    mu, sigma = expression(mu), expression(sigma)
    if sigma.is_zero:
        raise NotationError("gaussian_expectation: sigma: expected a deviation above 0, got 0")
    bound = Variable(z.name)
    body = expression(f).xreplace({z: bound})
    return GaussianExpectation(bound, mu, sigma, body, sp.Symbol(method), sp.Integer(nodes))


def score_function(index: Any, p: Any, f: Any) -> Any:
    """Return the score-function surrogate over a finite set: sum_k sg(p_k) sg(f_k) log p_k.

    Its gradient is sum_k p_k f_k grad log p_k, that of `expectation(k, p, f)` where f does not
    depend on what p depends on. A baseline is taken from f by whoever writes it: f[k] - b.

    Args:
        index: runs over the set.
        p: the probability of each element, positive.
        f: the return of each; it counts as a constant.

    Raises:
        NotationError: the first argument is no index.

    Reference: Williams (1992), doi:10.1007/BF00992696; Mohamed et al. (2020), JMLR 21(132).
    """
    _expect_index("score_function", index)
    weight = stop_gradient(expression(p)) * stop_gradient(expression(f))
    return reduce_over(Sum, (index, weight * log(p)))


def gaussian_pathwise(index: Any, z: Variable, mu: Any, sigma: Any, noise: Any, f: Any) -> Any:
    """Return the pathwise estimate of E f(z), z ~ N(mu, sigma^2): mean_s f(mu + sigma noise_s).

    Its gradient is an unbiased estimate of that of the expectation, where f has no jumps.

    Args:
        index: runs over the samples.
        z: the variable, bound in f alone.
        mu: the mean.
        sigma: the standard deviation.
        noise: standard normal samples, such as eps[s].
        f: a function of z.

    Raises:
        NotationError: index or z are none.

    Reference: Kingma and Welling (2014), arXiv:1312.6114; Mohamed et al. (2020), JMLR 21(132).
    """
    _expect_index("gaussian_pathwise", index)
    _expect_variable("gaussian_pathwise", z)
    drawn = expression(mu) + expression(sigma) * expression(noise)
    return reduce_over(Mean, (index, expression(f).xreplace({z: drawn})))


def gaussian_score(index: Any, z: Variable, mu: Any, sigma: Any, noise: Any, f: Any) -> Any:
    """Return the score-function surrogate of E f(z), z ~ N(mu, sigma^2), from samples.

    mean_s sg(f(z_s)) log N(z_s; mu, sigma^2) with z_s = sg(mu + sigma noise_s). Its gradient is an
    unbiased estimate of that of the expectation where f depends on mu and sigma through z alone;
    f need not even be continuous.

    Args:
        index: runs over the samples.
        z: the variable, bound in f alone.
        mu: the mean.
        sigma: the standard deviation, positive.
        noise: standard normal samples, such as eps[s].
        f: a function of z; it counts as a constant.

    Raises:
        NotationError: index or z are none.

    Reference: Williams (1992), doi:10.1007/BF00992696; Mohamed et al. (2020), JMLR 21(132).
    """
    _expect_index("gaussian_score", index)
    _expect_variable("gaussian_score", z)
    mu, sigma, noise = expression(mu), expression(sigma), expression(noise)
    held = stop_gradient(expression(f).xreplace({z: mu + sigma * noise}))
    # z - mu with z held: written so that a large mu does not swallow a small sigma.
    shift = let("shift", stop_gradient(mu) - mu)
    away = stop_gradient(sigma) * noise + shift
    log_density = gaussian_log_density(away, 0, sigma)
    return reduce_over(Mean, (index, held * log_density))


def gaussian_log_density(z: Any, mu: Any, sigma: Any) -> Any:
    """Return log N(z; mu, sigma^2) = -(z - mu)^2/(2 sigma^2) - log sigma - log(2 pi)/2."""
    z, mu, sigma = expression(z), expression(mu), expression(sigma)
    return -(((z - mu) / sigma) ** 2) / 2 - log(sigma) - log(2 * sp.pi) / 2


def _expect_index(name: str, index: Any) -> None:
    if not isinstance(index, Index):
        raise NotationError(f"{name}: expected an index first, got {index}")


def _expect_variable(name: str, z: Any) -> None:
    if not isinstance(z, Variable):
        raise NotationError(f'{name}: expected a variable such as z = variable("z"), got {z}')
