"""Extents for the dims of any objective, and a cotangent of its output's shape."""

from __future__ import annotations

from itertools import chain, cycle, islice
from typing import Any

import numpy as np

FURTHER = (4, 3, 5)


def extents(objective: Any, *first: int) -> dict[str, int]:
    """Give the dims of an objective extents, in order of appearance.

    Args:
        objective: the definition.
        first: the extents of the first dims; dims beyond them get small ones that differ, and
            what is left over where there are fewer dims is not used.

    Returns:
        The extent of each dim, by name.
    """
    found = islice(chain(first, cycle(FURTHER)), len(objective.dims))
    return dict(zip((dim.name for dim in objective.dims), found, strict=True))


def cotangent_of(objective: Any, sizes: dict[str, int], rng: Any, dtype: Any = "float64") -> Any:
    """Draw a cotangent of the output's shape, None where the output is a number."""
    if objective.is_scalar:
        return None
    shape = tuple(sizes[str(index.extent)] for index in objective.outputs)
    return np.asarray(rng.normal(size=shape)).astype(dtype)
