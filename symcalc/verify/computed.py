"""What a mode of a kernel computes at a point: bounds of its roundings, and its own equations.

Both are computed when they are asked for, and once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from symcalc.backends.modes import task
from symcalc.calculus.derive import Derivation
from symcalc.notation.tensors import Tensor
from symcalc.verify.bounded import Bounded
from symcalc.verify.derived import Derived
from symcalc.verify.enclosures import places_of
from symcalc.verify.recipes import NoBoundError
from symcalc.verify.running import Interpretation, program_of, running_error
from symcalc.verify.sampling import Point


class Computed(Protocol):
    """One result of a kernel at one point."""

    def bound(self, place: tuple[int, ...]) -> Bounded | None:
        """Return the running-error bound of one entry; None where there is none."""
        ...

    def overflows(self) -> bool:
        """Whether a finite number is too large for the kernel on the way."""
        ...

    def equations(self) -> Any:
        """Return the entries that the derivation's equations give, as balls."""
        ...


class Run:
    """One mode of a kernel at one point.

    Args:
        derivation: what the kernel was compiled from.
        mode: of the kernel: "value_and_grad", "vjp", "hvp", "hessian_diagonal".
        dtype: the kernel's.
        point: its numbers are of that dtype.
        vectors: what the mode is given beside the inputs and the cotangent.
    """

    def __init__(
        self, derivation: Derivation, mode: str, dtype: str, point: Point,
        vectors: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        self.derivation = derivation
        self.mode = mode
        self.dtype = dtype
        self.point = point
        cotangent = () if derivation.objective.is_scalar else (point.cotangent,)
        self.more = (*cotangent, *vectors)

    @functools.cached_property
    def interpretation(self) -> Interpretation | None:
        """What its program computes, with the roundings; None where they have no bound."""
        try:
            return running_error(
                program_of(self.derivation, self.mode), self.dtype,
                [*self.point.arrays, *self.more], self.point.hyper, self.point.extents,
            )  # fmt: skip
        except NoBoundError:
            return None

    @functools.cached_property
    def equations(self) -> Derived:
        """Its equations in balls."""
        objective = self.derivation.objective
        wanted = task(self.derivation, self.mode)
        more = wanted.inputs[len(objective.inputs) :]
        symbols = {p.name: p.symbol for p in objective.parameters}
        given = dict(zip(more, self.more, strict=True))
        return Derived(wanted.equations, self.point, objective.inputs, symbols, given)


@dataclass(frozen=True)
class Result:
    """A tensor that a run computes."""

    run: Run
    tensor: Tensor

    def bound(self, place: tuple[int, ...]) -> Bounded | None:
        """Return the running-error bound of one entry; None where there is none."""
        found = self.run.interpretation
        return None if found is None else found.outputs[self.tensor][place]

    def overflows(self) -> bool:
        """Whether a finite number is too large for the kernel on the way."""
        return self.run.interpretation is not None and self.run.interpretation.overflows

    def equations(self) -> Any:
        """Return the entries that the derivation's equations give, as balls.

        Raises:
            NoEnclosureError: some entry has no narrow ball.
        """
        return self.run.equations.entries(self.tensor)


class DiagonalOfProducts:
    """A Hessian's diagonal that has no formula: one product with a unit vector an entry.

    Args:
        product: from a vector to the product with it.
        shape: of the input.
    """

    def __init__(self, product: Callable[[Any], Computed], shape: tuple[int, ...]) -> None:
        self.product = product
        self.shape = shape

    def bound(self, place: tuple[int, ...]) -> Bounded | None:
        """Return the running-error bound of one entry; None where there is none."""
        return self._along(place).bound(place)

    def overflows(self) -> bool:
        """Whether a finite number is too large for the kernel on the way."""
        return any(self._along(place).overflows() for place in places_of(self.shape))

    def equations(self) -> Any:
        """Return the entries that the derivation's equations give, as balls."""
        found = np.empty(self.shape, dtype=object)
        for place in places_of(self.shape):
            found[place] = self._along(place).equations()[place]
        return found

    def _along(self, place: tuple[int, ...]) -> Computed:
        unit = np.zeros(self.shape)
        unit[place] = 1.0
        return self.product(unit)
