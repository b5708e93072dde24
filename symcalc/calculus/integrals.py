"""Integrals against a Gaussian, to check closed forms by: Gauss-Legendre on pieces, in 200 bits.

The pieces end where the integrand has kinks, so that it is analytic on each. What is left out is
beyond 16 standard deviations, where a ramp may begin that is zero before. This is no rigorous
enclosure, but far narrower than any mistake.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from symcalc.calculus.kinks import boundaries_of
from symcalc.notation.expectations import GaussianExpectation
from symcalc.notation.reductions import Reduction
from symcalc.notation.tables import gauss_hermite
from symcalc.notation.tensors import Access

REACH = 16
STEP = 2
NODES = 32
TOLERANCE = 1e-16

Evaluate = Callable[[Any, dict[Any, Any]], Any]


def gaussian(node: GaussianExpectation, env: dict[Any, Any], evaluate: Evaluate) -> Any:
    """Return a ball around E f(z): the integral, or the sum if a quadrature is meant.

    Args:
        node: the expectation.
        env: what `evaluate` knows.
        evaluate: gives the ball of a formula.
    """
    import flint

    mean, deviation = (flint.arb(evaluate(part, env)) for part in (node.mean, node.deviation))

    def at(u: Any) -> Any:
        return evaluate(node.body, {**env, node.variable: mean + deviation * u})

    if node.method == "quadrature":
        pairs = zip(*gauss_hermite(node.nodes), strict=True)
        return sum((flint.arb(w) * at(flint.arb(x)) for x, w in pairs), flint.arb(0))
    roots = (root for root in _roots(node.body, node.variable, env, evaluate))
    cuts = [((root - mean) / deviation).mid() for root in roots]
    ends = [flint.arb(e) for e in range(-REACH, REACH + 1, STEP)]
    ends += [cut for cut in cuts if abs(cut) < REACH]
    ends.sort(key=float)
    total, size = flint.arb(0), flint.arb(0)
    for low, high in itertools.pairwise(ends):
        half, middle = (high - low) / 2, (high + low) / 2
        for x, weight in _legendre(NODES, flint.ctx.prec):
            u = (middle + half * x).mid()
            term = half * weight * (-(u**2) / 2).exp() * at(u)
            total, size = total + term, size + abs(term)
    root = (2 * flint.arb.pi()).sqrt()
    beyond = (-(flint.arb(REACH) ** 2) / 2).exp() * (1 + abs(mean) + abs(deviation))
    return total / root + flint.arb(0, 1) * (TOLERANCE * (size / root) + beyond)


@functools.cache
def _legendre(count: int, precision: int) -> tuple[tuple[Any, Any], ...]:
    import flint

    return tuple(flint.arb.legendre_p_root(count, k, True) for k in range(count))


def _roots(f: Any, z: Any, env: dict[Any, Any], evaluate: Evaluate) -> Iterator[Any]:
    """Find where affine boundaries of a formula are met, under every value of its bound indices."""
    if isinstance(f, Access) or z not in f.free_symbols:
        return
    if isinstance(f, Reduction):
        extent = f.index.extent
        sizes = {symbol: sp.Integer(env[symbol]) for symbol in extent.free_symbols}
        for k in range(int(extent.xreplace(sizes))):
            yield from _roots(f.body, z, {**env, f.index: k}, evaluate)
        return
    for boundary in boundaries_of(f):
        apart = boundary.left - boundary.right
        if z in apart.free_symbols:
            ends = (evaluate(sp.Integer(k), env) for k in (0, 1))
            first, second = (evaluate(apart, {**env, z: end}) for end in ends)
            if not (second - first).contains(0):
                yield -first / (second - first)
    for argument in f.args:
        if not isinstance(argument, sp.logic.boolalg.Boolean) or isinstance(argument, sp.Expr):
            yield from _roots(argument, z, env, evaluate)
