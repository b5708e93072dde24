"""Zero times an exponential that overflows: where a choice has left nothing of it, zero.

a[i] r[i]  with  r[i] = exp(...)  and  a[i] = (... where ..., 0 otherwise)
        becomes  p[i] = (0 if a[i] = 0 and r[i] > 1, else a[i] r[i])

Any bound above zero would do: below it the product is zero anyway, and NaN is not above it. What
stands in such a product and is itself made of r[i] is settled likewise:

a[i] (t[i] - f(k) r[i])  with  t[i] = g(i) r[i]
        becomes  a[i] (t'[i] - f(k) r'[i]),  x'[i] = (0 if a[i] = 0 and r[i] is huge, else x[i])
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.tensors import Access, Tensor

_HUGE = sp.Integer(2) ** 100  # float32 holds it, and a few factors more


def settled(equations: tuple[Equation, ...], namer: Namer) -> tuple[Equation, ...]:
    """Return equations in which such products are defined once, and are zero where they should be.

    Args:
        equations: in an order in which each stands on those before it.
        namer: of the products.
    """
    settling = _Settling(namer)
    for equation in equations:
        settling.take(equation)
    return tuple(settling.found)


@dataclass
class _Settling:
    """Takes equations one after another.

    Attributes:
        found: the new equations.
        choices: those that may be zero by choice.
        grown: for each exponential and what is made of it, the exponential and on which of the
            indices it depends.
        made: what was defined on the way, by what it is for.
    """

    namer: Namer
    found: list[Equation] = field(default_factory=list)
    choices: dict[Tensor, Equation] = field(default_factory=dict)
    grown: dict[Tensor, tuple[Equation, Tensor, tuple[int, ...]]] = field(default_factory=dict)
    made: dict[tuple[Tensor, ...], Tensor] = field(default_factory=dict)

    def take(self, equation: Equation) -> None:
        """Settle an equation's products, and note what it defines."""
        at = {}
        for product in equation.body.atoms(sp.Mul):
            value = self._product(product)
            if value is not product:
                at[product] = value
        equation = Equation(equation.target, equation.indices, equation.body.xreplace(at))
        self.found.append(equation)
        if isinstance(equation.body, sp.exp):
            places = tuple(range(len(equation.indices)))
            self.grown[equation.target] = (equation, equation.target, places)
            return
        if equation.reduction is None and equation.recurrence is None and equation.indices:
            self._note_growth(equation)
            if equation.body.has(Where):
                self.choices[equation.target] = equation

    def _note_growth(self, equation: Equation) -> None:
        for access in sorted(equation.body.atoms(Access), key=str):
            if access.tensor in self.grown:
                _, power, positions = self.grown[access.tensor]
                places = [access.places[position] for position in positions]
                if set(places) <= set(equation.indices):
                    own = tuple(equation.indices.index(place) for place in places)
                    self.grown[equation.target] = (equation, power, own)
                    return

    def _product(self, product: Any) -> Any:
        """Return a product that is zero where a factor is by choice, whatever the others are."""
        factors = list(product.args)
        for choice in [f for f in factors if isinstance(f, Access) and f.tensor in self.choices]:
            power = next((f for f in factors if self._is_power(f, choice)), None)
            if power is not None:
                factors.remove(choice)
                factors.remove(power)
                factors.append(Access(self._joined(choice.tensor, power.tensor), *choice.places))
            others = {
                access: Access(self._single(choice.tensor, access.tensor), *access.places)
                for factor in factors for access in factor.atoms(Access)
                if self._grows(access, choice)
            }  # fmt: skip
            if power is not None or others:
                return sp.Mul(*(factor.xreplace(others) for factor in factors))
        return product

    def _is_power(self, factor: Any, choice: Access) -> bool:
        """Whether a factor is the exponential at the place of a choice."""
        return (
            isinstance(factor, Access) and self._grows(factor, choice)
            and self.grown[factor.tensor][1] == factor.tensor
        )  # fmt: skip

    def _grows(self, access: Access, choice: Access) -> bool:
        """Whether an entry is made of an exponential at the place of a choice."""
        if access.tensor not in self.grown or access.tensor == choice.tensor:
            return False
        _, _, positions = self.grown[access.tensor]
        return tuple(access.places[position] for position in positions) == choice.places

    def _joined(self, choice: Tensor, power: Tensor) -> Tensor:
        """Define the product of a choice and an exponential."""
        key = (choice, power)
        if key not in self.made:
            indices = self.choices[choice].indices
            one, other = Access(choice, *indices), Access(power, *indices)
            nothing = sp.And(sp.Eq(one, 0), other > 1)
            target = Tensor(self.namer.name(f"{choice.name}_{power.name}"), choice.shape)
            self.found.append(Equation(target, indices, Where(nothing, 0, one * other)))
            self.made[key] = target
        return self.made[key]

    def _single(self, choice: Tensor, grown: Tensor) -> Tensor:
        """Define what is made of an exponential as zero where a choice makes nothing of it."""
        key = (choice, grown, grown)
        if key not in self.made:
            equation, power, positions = self.grown[grown]
            at = tuple(equation.indices[position] for position in positions)
            nothing = sp.And(sp.Eq(Access(choice, *at), 0), Access(power, *at) > _HUGE)
            target = Tensor(self.namer.name(f"{grown.name}_left"), grown.shape)
            body = Where(nothing, 0, Access(grown, *equation.indices))
            self.found.append(Equation(target, equation.indices, body))
            self.made[key] = target
        return self.made[key]
