"""Toy sets of points in the plane, and how far two sets are from each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from symcalc.notation.errors import ArgumentError

Sampler = Callable[[int, np.random.Generator], np.ndarray]


def moons(count: int, rng: np.random.Generator) -> np.ndarray:
    """Two half circles that reach into each other."""
    angle, side = rng.uniform(0, np.pi, count), rng.integers(0, 2, count)
    x = np.where(side, 1 - np.cos(angle), np.cos(angle)) - 0.5
    y = np.where(side, 0.5 - np.sin(angle), np.sin(angle)) - 0.25
    return np.column_stack([x, y]) + 0.06 * rng.normal(size=(count, 2))


def ring(count: int, rng: np.random.Generator) -> np.ndarray:
    """A circle of radius 1."""
    angle = rng.uniform(0, 2 * np.pi, count)
    points = np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(points + 0.06 * rng.normal(size=(count, 2)))


def clouds(count: int, rng: np.random.Generator) -> np.ndarray:
    """Four clouds at the corners of a square."""
    corners = rng.choice([-0.8, 0.8], (count, 2))
    return np.asarray(corners + 0.12 * rng.normal(size=(count, 2)))


TOYS: Mapping[str, Sampler] = MappingProxyType({"moons": moons, "ring": ring, "clouds": clouds})


def toy(name: str) -> Sampler:
    """Return the toy set of this name.

    Raises:
        ArgumentError: there is none.
    """
    if name not in TOYS:
        raise ArgumentError(f"data: expected one of {', '.join(TOYS)}, got {name!r}")
    return TOYS[name]


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the energy distance of two samples, 2 E|a - b| - E|a - a'| - E|b - b'|.

    It is zero for equal distributions only. Pairs of a point with itself are left out, so that
    it may be a little below zero.

    Args:
        a: a point a row.
        b: likewise.

    Reference: Szekely and Rizzo (2013), doi:10.1016/j.jspi.2013.03.018
    """
    across = _lengths(a, b).mean()
    within = [_lengths(s, s).sum() / (len(s) * (len(s) - 1)) for s in (a, b)]
    return float(2 * across - within[0] - within[1])


def _lengths(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)))
