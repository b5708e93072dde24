"""Special values: what entries of a domain are tried at, found from the domain alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from symcalc.notation.domains import Domain

TAIL, ZERO, DENORMAL, END = "tail", "zero", "denormal", "end of domain"
# Where sigmoids and exponentials lose digits, overflow or vanish, in float32 and in float64.
TAILS = (16.0, 37.0, 40.0, 88.7, 700.0, 745.0, 1e4, 1e20)
DENORMALS = (5e-324, 1e-310, float(np.finfo(np.float64).tiny))
_LEAST = 5e-324
_SMALL = (1e-3, 1e-8, 1e-15, -1e-15)


def special_values(domain: Domain) -> Iterator[tuple[str, float]]:
    """Yield kinds and values of one entry; all lie in the domain.

    Args:
        domain: of real numbers; labels and rows that sum to one have ways of their own.
    """
    if domain.values:
        yield from ((END, value) for value in domain.values)
        return
    for sign in (1.0, -1.0):
        yield from ((TAIL, sign * size) for size in TAILS if domain.admits(sign * size))
        yield from ((ZERO, sign * 0.0) for _ in range(1) if domain.admits(0.0))
        yield from ((DENORMAL, sign * size) for size in DENORMALS if domain.admits(sign * size))
    for end, inward in ((domain.lower, np.inf), (domain.upper, -np.inf)):
        if np.isfinite(end) and end != 0:
            near = (end, float(np.nextafter(end, inward)))
            yield from ((END, value) for value in near if domain.admits(value))


def special_settings(domain: Domain) -> Iterator[tuple[str, float]]:
    """The same of a hyperparameter, with a small number that somebody may set for a denormal."""
    for kind, value in special_values(domain):
        if kind != DENORMAL:
            yield kind, value
    yield from ((TAIL, size) for size in _SMALL if domain.admits(size))


def special_labels(shape: tuple[int, ...], below: int) -> Iterator[tuple[str, Any]]:
    """Yield arrays of labels: all the first, all the last, first and last in turn."""
    yield "all 0", np.zeros(shape, np.int64)
    yield f"all {below - 1}", np.full(shape, below - 1, np.int64)
    turns = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape) % 2
    yield f"0 and {below - 1} in turn", turns * (below - 1)


def special_rows(shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Yield arrays whose rows sum to one: certain, even, with one entry next to nothing."""
    *rows, width = shape
    for hot in range(width):
        certain = np.zeros(shape)
        certain[..., hot] = 1.0
        yield f"all rows certain of {hot}", certain
    turns = np.zeros(shape)
    for row in itertools.product(*(range(extent) for extent in rows)):
        turns[(*row, sum(row) % width)] = 1.0
    yield "rows certain, each of another", turns
    if width > 1:
        even = np.zeros(shape)
        even[..., :2] = 0.5
        yield "all rows even between 0 and 1", even
        faint = np.zeros(shape)
        faint[..., 0], faint[..., -1] = 1.0, _LEAST
        yield f"all rows certain of 0 but for {_LEAST}", faint
