"""Blocks: kernels at extents at which they go from block to block, before their own equations.

A power series takes one evaluation of the whole formula an entry, which some thousand entries make
dear. That the equations are right is shown at small extents (see `formula`); here they are
evaluated in balls, and the kernel is held to them: every entry to 8 ulps of the largest beside it,
or of the largest that it is a sum of. Only where that does not do are the roundings of the program
counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from symcalc.backends.kernel import Kernel
from symcalc.calculus.equations import Equation
from symcalc.notation.errors import SymcalcError
from symcalc.verify.accuracy import Held, Reading
from symcalc.verify.comparison import entries_scale
from symcalc.verify.computed import Computed
from symcalc.verify.sampling import draw, primes, size
from symcalc.verify.ulps import BY_LARGEST, ULPS, Judgement
from symcalc.verify.verdict import GRADIENT, PASS, VALUE

# A block holds some four thousand entries: the first of these ends in the middle of one, and so
# does what is one long row. Further dims are small.
ROWS = ((1399, 3, 2, 2, 2, 2), (2, 211, 2, 2, 2, 2))
LONG = (4133,)
# Terms that are added up in balls, at most; formulas with triangles take smaller extents.
MOST_TERMS = 60_000


def block_readings(kernel: Kernel, seed: int) -> Iterator[Reading]:
    """Hold value and gradient of a kernel to its equations, on some thousand entries.

    Args:
        kernel: what is held.
        seed: of the points.
    """
    objective = kernel.objective
    flat = all(len(tensor.shape) < 2 for tensor in objective.inputs)
    for sizes in (LONG,) if flat else ROWS:
        point = draw(objective, _affordable(kernel, sizes), seed + sizes[0])
        held = Held(kernel, replace(point, at="some thousand entries"))
        value, gradients = held.first_order()
        yield _reading(held, VALUE, VALUE, value, held.value())
        for wrt, came in zip(kernel.derivation.wrt, gradients, strict=True):
            yield _reading(held, GRADIENT, wrt, came, held.gradient(wrt))


def _affordable(kernel: Kernel, sizes: tuple[int, ...]) -> dict[str, int]:
    """Return extents of these sizes, or halves until the equations take few enough terms."""
    while True:
        extents = primes(kernel.objective, sizes)
        terms = sum(_terms(equation, extents) for equation in kernel.derivation.equations)
        if terms <= MOST_TERMS or max(sizes) <= 4:
            return extents
        sizes = tuple(max(extent // 2, 2) for extent in sizes)


def _terms(equation: Equation, extents: dict[str, int]) -> int:
    """How many terms an equation adds up; a recurrence begins anew for each of its entries."""
    indices = list(equation.indices)
    for part in (equation.reduction, equation.recurrence):
        indices += [] if part is None else [part.index]
    return int(np.prod([size(index.extent, extents) for index in indices], dtype=float))


def _reading(held: Held, of: str, wrt: str, came: Any, computed: Computed) -> Reading:
    """Compare all entries at once; look at each where that leaves a doubt."""
    came = np.asarray(came, np.float64)
    try:
        truth = np.array([float(ball.mid()) for ball in np.ravel(computed.equations())])
    except SymcalcError:
        truth = np.full(came.size, np.nan)
    largest = np.spacing(np.max(np.abs(truth), initial=entries_scale(held.point)))
    ulps = np.abs(np.ravel(came) - truth) / largest
    if not came.size or not np.all(ulps <= ULPS):
        return held.compared(of, wrt, came, computed.equations, computed)
    worst = int(np.argmax(ulps))
    place = tuple(int(p) for p in np.unravel_index(worst, came.shape))
    found = Judgement(float(ulps[worst]), ULPS, BY_LARGEST, PASS)
    return Reading(held.dtype, of, wrt, held.at, place, float(came[place]), found, came.size)
