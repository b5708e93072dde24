"""The source of a kernel without the kernel: nothing is compiled."""

from __future__ import annotations

import numpy as np

from symcalc.backends.compiled import main_mode, watched
from symcalc.backends.modes import task
from symcalc.backends.numba_backend import source
from symcalc.calculus.derive import Derivation


def numba_source(derivation: Derivation, dtype: str = "float64") -> str:
    """Return the code of value and gradient that the Numba backend would compile.

    Args:
        derivation: what `derive` returned.
        dtype: "float64" or "float32".

    Returns:
        The same text as the compiled kernel's `.source`.
    """
    objective = derivation.objective
    main = task(derivation, main_mode(objective))
    wanted, _ = watched(main, objective, np.dtype(dtype), checked=True)
    return source(objective, wanted, dtype)
