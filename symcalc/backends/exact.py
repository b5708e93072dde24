"""The bare call of a kernel with its own signature: what a hot loop pays beside the kernel.

A function written for its arguments costs a third less than one that takes any.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symcalc.backends.executable import AtOnce


def exact_call(once: AtOnce | None, inputs: int, numbers: int, outputs: int) -> Any:
    """Return a function of arrays and numbers that does everything at once, or raises anything.

    Args:
        once: what computes at once; None where nothing does.
        inputs: how many arrays are read.
        numbers: how many hyperparameters there are.
        outputs: how many arrays are filled.

    Returns:
        A function of inputs, hyperparameters and outputs, in order, that returns the value.  What
        is no plain array is refused: a masked one, say, is more than its data.
    """
    if once is None:
        return _nothing
    given = [f"input{place}" for place in range(inputs)]
    filled = [f"output{place}" for place in range(outputs)]
    checks = " or ".join(f"type({name}) is not ndarray" for name in [*given, *filled])
    wanted = ", ".join([*given, *(f"number{place}" for place in range(numbers)), *filled])
    tail = ", ".join(map(repr, once.tail))
    source = f"""
def exact({wanted}):
    if {checks}:
        raise TypeError
    return typed({wanted}, {tail})
"""
    space: dict[str, Any] = {"typed": once.typed, "ndarray": np.ndarray}
    exec(source, space)
    return space["exact"]


def _nothing(*arguments: Any) -> float:
    """Where nothing computes at once, everything goes the careful way."""
    raise TypeError
