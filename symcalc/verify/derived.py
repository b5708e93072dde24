"""Derived: the equations of a derivation at one point, in ball arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from symcalc.calculus.balls import FAULTS, Environment, UndecidedError
from symcalc.calculus.equations import Equation
from symcalc.calculus.probe import Defined
from symcalc.notation.tensors import Tensor
from symcalc.verify.enclosures import environment, over_precisions, places_of
from symcalc.verify.sampling import Point, size


class Derived:
    """Equations at one point.

    Args:
        equations: each standing on those before it.
        point: the arguments; they are taken as exact.
        inputs: the objective's inputs, in the order of the point's arrays.
        parameters: its hyperparameters' symbols by name.
        given: other tensors the equations stand on, and their arrays: cotangents, directions.
    """

    def __init__(
        self,
        equations: Iterable[Equation],
        point: Point,
        inputs: Iterable[Tensor],
        parameters: Mapping[str, Any],
        given: Mapping[Tensor, Any] | None = None,
    ) -> None:
        self.equations = tuple(equations)
        self.point = point
        self.arrays = dict(zip(inputs, point.arrays, strict=True)) | dict(given or {})
        self.parameters = parameters
        self._known: dict[int, Environment] = {}  # by precision: what was computed on the way

    def entries(self, tensor: Tensor) -> Any:
        """Return the balls of all entries of one tensor, as an object array.

        Raises:
            SingularError: some entry has no finite value.
            NoEnclosureError: some entry has no narrow ball.
        """
        return over_precisions(
            lambda faults: self._entries(tensor, faults), f"equation of {tensor.name}"
        )

    def widths(self, tensor: Tensor, bits: int) -> Any:
        """Return what roundings add up to where numbers have so few bits, entry by entry.

        They are the radii of the balls: infinite where nothing is known.
        """
        import flint

        before = flint.ctx.prec
        try:
            flint.ctx.prec = bits
            balls = self._entries(tensor, [])
        except UndecidedError:
            return np.inf
        finally:
            flint.ctx.prec = before
        radii = [float(b.rad()) if b.is_finite() else np.inf for b in balls.flat]
        return np.array(radii).reshape(balls.shape)

    def _entries(self, tensor: Tensor, faults: list[str]) -> Any:
        env = self._environment(faults)
        shape = tuple(size(extent, self.point.extents) for extent in tensor.shape)
        found = np.empty(shape, dtype=object)
        for place in places_of(shape):
            found[place] = env[tensor][place]
        return found

    def _environment(self, faults: list[str]) -> Environment:
        """Return what the equations stand on and say, as far as it was computed without a fault."""
        import flint

        env = self._known.get(flint.ctx.prec)
        if env is None or env[FAULTS]:
            env = environment(self.arrays, self.parameters, self.point)
            for equation in self.equations:
                env[equation.target] = Defined(equation.indices, equation.body, env)
            self._known[flint.ctx.prec] = env
        env[FAULTS] = faults
        return env
