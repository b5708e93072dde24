"""Identities of the atoms: what a textbook writes for 1 - sigmoid(x) and its like."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.rewriting import bottom_up, without
from symcalc.notation.atoms import log_sigmoid, sech, sigmoid, softplus, tanh


def complements(expression: Any, context: Context) -> Any:
    """Write 1 - sigmoid(x) as sigmoid(-x), and 1 - tanh(x)^2 as sech(x)^2.

    A common multiple of both terms is allowed, c - c sigmoid(x) = c sigmoid(-x); so is the sum
    sigmoid(x) + sigmoid(-x) = 1.
    """

    def change(node: Any) -> Any:
        while isinstance(node, sp.Add):
            shorter = _without_complement(node)
            if shorter is None:
                break
            node = shorter
        return node

    return bottom_up(expression, change)


def _without_complement(total: Any) -> Any:
    """Replace the first pair of terms that are complements by one term, if there is a pair."""
    terms = set(total.args)
    for term in total.args:
        for factor in sp.Mul.make_args(term):
            rest = without(term, factor)
            if isinstance(factor, sigmoid):
                mirrored = sigmoid(-factor.args[0])
                if -rest in terms:
                    return total - term + rest - rest * mirrored
                if rest * mirrored in terms:
                    return total - term - rest * mirrored + rest
            if factor.is_Pow and isinstance(factor.base, tanh) and factor.exp == 2:
                if -rest in terms:
                    return total - term + rest - rest * sech(*factor.base.args) ** 2
    return None


def exponentials(expression: Any, context: Context) -> Any:
    """Write exp(log_sigmoid(x)) and exp(-softplus(-x)) as sigmoid(x), log of it by its atom."""

    def change(node: Any) -> Any:
        if isinstance(node, sp.log) and isinstance(node.args[0], sigmoid):
            return log_sigmoid(*node.args[0].args)
        if not isinstance(node, sp.exp):
            return node
        for term in sp.Add.make_args(node.args[0]):
            if isinstance(term, log_sigmoid):
                return sigmoid(*term.args) * sp.exp(node.args[0] - term)
            if isinstance(-term, softplus):
                return sigmoid(-(-term).args[0]) * sp.exp(node.args[0] - term)
        return node

    return bottom_up(expression, change)


def logistic(expression: Any, context: Context) -> Any:
    """Write 1/(1 + exp(x)) as sigmoid(-x)."""

    def change(node: Any) -> Any:
        if not node.is_Pow or not node.base.is_Add or not (-node.exp).is_positive:
            return node
        powers = [term for term in node.base.args if isinstance(term, sp.exp)]
        if not node.exp.is_Integer or len(powers) != 1 or node.base != 1 + powers[0]:
            return node
        return sigmoid(-powers[0].args[0]) ** (-node.exp)

    return bottom_up(expression, change)


def mirrored_sigmoids(expression: Any, context: Context) -> Any:
    """Write exp(-x) sigmoid(x) as sigmoid(-x), and so the powers of both, as many as pair up.

    The product is inf * 0 in floating point where exp(-x) overflows; sigmoid(-x) is 1 there.
    """

    def change(node: Any) -> Any:
        while isinstance(node, sp.Mul):
            shorter = _without_mirror(node)
            if shorter is None:
                break
            node = shorter
        return node

    return bottom_up(expression, change)


def _without_mirror(product: Any) -> Any:
    """Pair the first exponential with powers of the sigmoid that undo it, if there are any."""
    for power in product.args:
        if not isinstance(power, sp.exp):
            continue
        size, direction = power.args[0].primitive()
        for factor in product.args:
            base, exponent = factor.as_base_exp()
            if not isinstance(base, sigmoid) or not (exponent.is_Integer and exponent > 0):
                continue
            unit, mirrored = (-base.args[0]).primitive()
            times = size / unit
            if mirrored != direction or not times.is_Integer:
                continue
            pairs = min(times, exponent)
            rest = without(without(product, factor), power) * base ** (exponent - pairs)
            left = sp.exp((times - pairs) * -base.args[0])
            return rest * left * sigmoid(-base.args[0]) ** pairs
    return None
