"""Zero times an exponential that overflows: where a choice has left nothing of it, zero.

a[i] r[i]  with  r[i] = exp(...)  and  a[i] = (... where ..., 0 otherwise)
        becomes  p[i] = (0 if a[i] = 0 and r[i] > 1, else a[i] r[i])

Any bound above zero would do: below it the product is zero anyway, and NaN is not above it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.tensors import Access, Tensor


def settled(equations: tuple[Equation, ...], namer: Namer) -> tuple[Equation, ...]:
    """Return equations in which such products are defined once, and are zero where they should be.

    Args:
        equations: in an order in which each stands on those before it.
        namer: of the products.
    """
    powers: dict[Tensor, Equation] = {}
    choices: dict[Tensor, Equation] = {}
    products: dict[tuple[Tensor, Tensor], Tensor] = {}
    found: list[Equation] = []
    for equation in equations:
        at = {}
        for product in equation.body.atoms(sp.Mul):
            for choice, power in _pairs(product, choices, powers):
                key = (choice.tensor, power.tensor)
                if key not in products:
                    made = _product(choices[choice.tensor], power.tensor, namer)
                    products[key] = made.target
                    found.append(made)
                one = Access(products[key], *choice.places)
                rest = [factor for factor in product.args if factor not in (choice, power)]
                at[product] = sp.Mul(one, *rest)
        found.append(Equation(equation.target, equation.indices, equation.body.xreplace(at)))
        if isinstance(equation.body, sp.exp):
            powers[equation.target] = equation
        elif equation.indices and equation.reduction is None and equation.body.has(Where):
            choices[equation.target] = equation
    return tuple(found)


def _pairs(
    product: Any, choices: dict[Tensor, Equation], powers: dict[Tensor, Equation]
) -> list[tuple[Access, Access]]:
    """The factor that may be zero by choice and the exponential at the same place, if any."""
    factors = [factor for factor in product.args if isinstance(factor, Access)]
    chosen = [factor for factor in factors if factor.tensor in choices]
    high = [factor for factor in factors if factor.tensor in powers]
    return [(a, b) for a in chosen for b in high if a.places == b.places][:1]


def _product(choice: Equation, power: Tensor, namer: Namer) -> Equation:
    one, other = Access(choice.target, *choice.indices), Access(power, *choice.indices)
    nothing = sp.And(sp.Eq(one, 0), other > 1)
    target = Tensor(namer.name(f"{choice.target.name}_{power.name}"), choice.target.shape)
    return Equation(target, choice.indices, Where(nothing, 0, one * other))
