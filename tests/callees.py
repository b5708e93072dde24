"""Objectives that random formulas call: layers and losses, of our own and of the catalogue."""

from __future__ import annotations

import symcalc as sc
from symcalc import Array, Formula, Positive, Real


@sc.objective(wrt="a")
def warp(a: Real[Array, "p q"], b: Real[Array, "q"], gain: Positive = 0.5) -> Formula:
    """A layer that reads its rows twice, and defines a part."""
    i, j, k = sc.indices("i:p j:q k:q")
    bent = sc.define("bent", (i, j), sc.tanh(gain * a[i, j]))
    return bent[i, j] + sc.mean(k, bent[i, k] * b[k])


@sc.objective(wrt="a")
def turned(a: Real[Array, "p q"], shift: Real = 0.25) -> Formula:
    """A layer whose places run backwards."""
    p, q = sc.indices("i:p j:q")
    return sc.softplus(a[sc.extent(p) - 1 - p, q] - shift)


@sc.objective(wrt="a")
def spread(a: Real[Array, "p"], b: Real[Array, "p"]) -> Formula:
    """A number from two rows."""
    i, j = sc.indices("i:p j:p")
    return sc.logsumexp(i, a[i]) - sc.mean(j, a[j] * b[j]) + sc.max(i, sc.abs(b[i]))


NAMES = ("mse", "huber", "layer_norm", "softmax_cross_entropy", "dense", "l2")
CALLEES = (spread, warp, turned, *map(sc.get, NAMES))
