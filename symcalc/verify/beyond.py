"""Beyond: derivatives too large for a format, of which a kernel's products need not be finite.

A Hessian's product with a vector is a sum of entries times components. Where an entry is beyond the
greatest number, the kernel has an infinity for it, and zero times that, or the difference of two,
is undefined: there the product is not held to its truth, however small that may be. So it is with
the Jacobian of a layer, with a mean whose sum is beyond, and with what is differentiated if it is
beyond itself.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symcalc.notation.objective import Objective
from symcalc.verify.bounded import Format
from symcalc.verify.enclosures import Enclosures, NoEnclosureError, places_of
from symcalc.verify.sampling import Point, size
from symcalc.verify.ulps import is_representable
from symcalc.verify.verdict import DIAGONAL, GRADIENT, HVP

MANY = 1000  # points of so many entries are typical ones: nothing is beyond there


@dataclass(frozen=True)
class Beyond:
    """What an objective's derivatives are beyond at a point.

    Args:
        objective: whose derivatives are looked at.
        point: where.
        format: the kernel's.
    """

    objective: Objective
    point: Point
    format: Format

    def any(self, of: str, wrt: str) -> bool:
        """Whether an entry that a result is a product with is beyond the greatest number.

        Args:
            of: "gradient", "hvp" or "hessian diagonal"; of a value nothing is a product.
            wrt: the input.
        """
        if math.prod(self.point.extents.values()) > MANY:
            return False
        try:
            if of in (HVP, DIAGONAL):
                return any(self._holds_beyond(name, 2) for name in self.objective.wrt)
            return of == GRADIENT and (self._is_beyond() or self._holds_beyond(wrt, 1))
        except NoEnclosureError:
            return False

    def _is_beyond(self) -> bool:
        """Whether an entry of the value itself is beyond the greatest number."""
        entries = Enclosures(self.objective, self.point).entries()
        return any(not is_representable(entry, self.format) for entry in entries.flat)

    def _holds_beyond(self, wrt: str, order: int) -> bool:
        share = math.prod(self.point.extents.values())  # a sum may overflow before its mean
        return any(
            not is_representable(end * share, self.format)
            for truth in self._truths()
            for found in (truth.slopes(wrt) if order == 1 else truth.curvatures(wrt)).flat
            for end in found.ends()
        )

    def _truths(self) -> list[Enclosures]:
        """The objective's own enclosures; of a layer, one for each entry of its output."""
        if self.objective.is_scalar:
            return [Enclosures(self.objective, self.point)]
        shape = tuple(size(i.extent, self.point.extents) for i in self.objective.outputs)
        return [
            Enclosures(self.objective, replace(self.point, cotangent=_unit(shape, place)))
            for place in places_of(shape)
        ]


@functools.lru_cache(maxsize=64)
def _unit(shape: tuple[int, ...], place: tuple[int, ...]) -> Any:
    found = np.zeros(shape)
    found[place] = 1.0
    return found
