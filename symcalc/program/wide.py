"""Products of any size: what a running product has reached is a number times a power of two.

p[i] = x[0] ... x[i]       is  m[i] 2**e[i],  e[i] = 0 unless the product would leave the range
p[i] s[i]                  is  (m[i] r[i]) 2**(e[i] + f[i])

A prefix may overflow, and what follows bring the product back. A recurrence is first run as it
stands; only if an entry leaves the range is it run anew, and has powers. Of an ordinary product
every power is zero, and nothing is rounded otherwise than it would be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.reductions import Prod
from symcalc.notation.tensors import Access, Tensor
from symcalc.program.primitives import scaled


@dataclass(frozen=True)
class Powers:
    """What stands beside a tensor that is kept with powers of two.

    Args:
        tensor: holds the powers.
        beyond: above zero where the powers are not all zero, by the outer indices of a recurrence;
            the powers are not even written elsewhere. None for a reduction, which has them always.
    """

    tensor: Tensor
    beyond: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that is computed."""
        return (self.tensor,) if self.beyond is None else (self.tensor, self.beyond)

    def at(self, places: tuple[Any, ...]) -> Any:
        """Return the power of an entry."""
        power = Access(self.tensor, *places)
        if self.beyond is None:
            return power
        beyond = Access(self.beyond, *places[: len(self.beyond.shape)])
        return Where(beyond > 0, power, 0)


def widened(
    equations: tuple[Equation, ...], outputs: set[Tensor], namer: Namer
) -> tuple[tuple[Equation, ...], dict[Tensor, Powers]]:
    """Return equations in which running products are taken with their powers of two.

    Args:
        equations: in an order in which each stands on those before it.
        outputs: the tensors wanted; they are plain numbers.
        namer: of the powers.

    Returns:
        The equations, and what stands beside each tensor that is kept with powers. No equation
        defines that: a running product makes both.
    """
    widening = _Widening(outputs, namer)
    widening.wide = _kept_in_pairs(equations)
    for equation in equations:
        widening.take(equation)
    return tuple(widening.found), widening.powers


def is_product(equation: Equation) -> bool:
    """Whether an equation is a recurrence that does nothing but multiply."""
    return equation.recurrence is not None and equation.recurrence.term == 0


def _kept_in_pairs(equations: tuple[Equation, ...]) -> set[Tensor]:
    """The running products that are multiplied by another, and whatever else those are."""
    sequences = {e.target for e in equations if e.recurrence is not None}
    products = {e.target for e in equations if is_product(e)}
    found: set[Tensor] = set()
    for equation in equations:
        for node in equation.body.atoms(sp.Mul) if products else ():
            read = [_read_in(factor, sequences) for factor in node.args]
            several = [tensors for tensors in read if tensors]
            if len(several) > 1 and products & set().union(*several):
                found.update(*several)
    return found


def _read_in(factor: Any, sequences: set[Tensor]) -> set[Tensor]:
    """The sequences that a factor is an entry of, by choice or always."""
    sides = factor.args[1:] if isinstance(factor, Where) else (factor,)
    return {s.tensor for s in sides if isinstance(s, Access) and s.tensor in sequences}


@dataclass
class _Widening:
    """Takes equations one after another.

    Attributes:
        found: the new equations.
        wide: the sequences that are kept with their powers.
        powers: of each tensor kept so.
        plain: for each such output, what it is made from.
    """

    outputs: set[Tensor]
    namer: Namer
    found: list[Equation] = field(default_factory=list)
    wide: set[Tensor] = field(default_factory=set)
    powers: dict[Tensor, Powers] = field(default_factory=dict)
    plain: dict[Tensor, Tensor] = field(default_factory=dict)

    def take(self, equation: Equation) -> None:
        """Rewrite an equation, or two for it."""
        body = self._written(equation.body)
        target, indices = equation.target, equation.indices
        product = isinstance(body, Prod)
        if not product and target not in self.wide:
            self.found.append(Equation(target, indices, body))
            return
        kept = target
        if product or target in self.outputs:
            kept = Tensor(self.namer.name(f"{target.name}_scaled"), target.shape)
        power = Tensor(self.namer.name(f"{target.name}_power"), target.shape)
        beyond = None
        if equation.recurrence is not None:
            outer = target.shape[: indices.index(equation.recurrence.place)]
            beyond = Tensor(self.namer.name(f"{target.name}_beyond"), outer)
        self.powers[kept] = Powers(power, beyond)
        self.found.append(Equation(kept, indices, body))
        if kept is not target:
            self.plain[target] = kept
            whole = scaled(Access(kept, *indices), self.powers[kept].at(indices))
            self.found.append(Equation(target, indices, whole))

    def _written(self, expression: Any) -> Any:
        """Write entries of wide sequences as numbers times powers, two at a time in a product."""
        if isinstance(expression, Access):
            pair = self._pair(expression)
            return expression if pair is None else scaled(*pair)
        if not expression.args:
            return expression
        if isinstance(expression, sp.Mul):
            pairs = {factor: self._pair(factor) for factor in expression.args}
            wide = [factor for factor, pair in pairs.items() if pair is not None][:2]
            if len(wide) == 2:
                numbers, powers = zip(*(pairs[factor] for factor in wide), strict=True)
                rest = [self._written(f) for f in expression.args if f not in wide]
                return sp.Mul(scaled(sp.Mul(*numbers), sp.Add(*powers)), *rest)
        arguments = [self._written(argument) for argument in expression.args]
        same = all(a is b for a, b in zip(arguments, expression.args, strict=True))
        return expression if same else expression.func(*arguments)

    def _pair(self, factor: Any) -> tuple[Any, Any] | None:
        """Return number and power of an entry, or of a choice between an entry and another."""
        if isinstance(factor, Access):
            kept = self.plain.get(factor.tensor, factor.tensor)
            if factor.tensor not in self.wide or kept not in self.powers:
                return None
            return Access(kept, *factor.places), self.powers[kept].at(factor.places)
        if not isinstance(factor, Where):
            return None
        when, *sides = factor.args
        pairs = [self._pair(side) if isinstance(side, Access) else None for side in sides]
        if not any(pairs):
            return None
        numbers, powers = zip(
            *(pair or (self._written(side), sp.Integer(0))
              for pair, side in zip(pairs, sides, strict=True)), strict=True,
        )  # fmt: skip
        return Where(when, *numbers), Where(when, *powers)
