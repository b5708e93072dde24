"""Context: the definitions that a rule may rely on."""

from __future__ import annotations

from dataclasses import dataclass

from symcalc.calculus.equations import Equation
from symcalc.notation.tensors import Tensor


@dataclass(frozen=True)
class Context:
    """What a rule may know: the equations of the value, and the adjoints found so far."""

    equations: tuple[Equation, ...]
    adjoints: tuple[Equation, ...] = ()

    @property
    def all(self) -> tuple[Equation, ...]:
        """Every definition, in an order in which each stands on those before it."""
        return (*self.equations, *self.adjoints)

    def definition(self, tensor: Tensor) -> Equation | None:
        """Return the equation of a tensor of the value, if it has one."""
        return next((e for e in self.equations if e.target == tensor), None)
