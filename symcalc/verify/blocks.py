"""Blocks: kernels at extents at which they go from block to block, before their own equations.

A power series takes one evaluation of the whole formula an entry, which some thousand entries make
dear. That the equations are right is shown at small extents (see `formula`); here they are
evaluated in balls, and the kernel is held to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symcalc.backends.kernel import Kernel
from symcalc.verify.accuracy import VALUE, Held, Reading
from symcalc.verify.sampling import draw, primes
from symcalc.verify.verdict import GRADIENT

# A block holds some four thousand entries: each of these ends in the middle of one. Further dims
# are small.
ROWS = ((1399, 3, 2, 2, 2, 2), (5, 211, 2, 2, 2, 2))
LONG = (4133,)


def block_readings(kernel: Kernel, seed: int) -> Iterator[Reading]:
    """Hold value and gradient of a kernel to its equations, on some thousand entries.

    Args:
        kernel: what is held.
        seed: of the points.
    """
    objective = kernel.objective
    flat = all(len(tensor.shape) < 2 for tensor in objective.inputs)
    for sizes in (LONG,) if flat else ROWS:
        point = draw(objective, primes(objective, sizes), seed + sizes[0])
        held = Held(kernel, replace(point, at="some thousand entries"))
        value, gradients = held.first_order()
        computed = held.value()
        yield held.compared(VALUE, VALUE, value, computed.equations, computed)
        for wrt, came in zip(kernel.derivation.wrt, gradients, strict=True):
            computed = held.gradient(wrt)
            yield held.compared(GRADIENT, wrt, came, computed.equations, computed)
