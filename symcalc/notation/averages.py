"""Averages: the means over a batch that a formula is linear in."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symcalc.notation.dims import Index
from symcalc.notation.reductions import Mean, Reduction
from symcalc.notation.tensors import Access


def outer_means(body: Any) -> list[Mean]:
    """The means that the formula is linear in, if it is: c1 mean(...) + c2 mean(...)."""
    found = []
    for term in sp.Add.make_args(body):
        means = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, Mean)]
        others = [factor for factor in sp.Mul.make_args(term) if not isinstance(factor, Mean)]
        if len(means) != 1 or any(factor.has(Reduction, Access) for factor in others):
            return []
        found.append(means[0])
    return found


def batch_of(body: Any) -> Index | None:
    """The index averaged over, if every term is a mean over one dim."""
    means = outer_means(body)
    if means and all(mean.index.extent == means[0].index.extent for mean in means):
        return means[0].index
    return None
