"""Which entries of the catalogue a test runs over by default, and which under `-m slow` alone.

What is cheap, equations and text, is tested on all. What compiles kernels or evaluates hundreds of
points in balls runs on the first sixteen, of which design.md speaks; on all others it is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import symcalc as sc

FIRST = ("mse", "mae", "huber", "log_cosh", "bce_with_logits", "softmax_cross_entropy", "hinge",
         "kl_divergence", "l1", "l2", "elastic_net", "batch_norm", "layer_norm", "dense",
         "reinforce", "ppo_clip")  # fmt: skip


def entries(
    which: Callable[[Any], bool] = lambda objective: True, quick: Iterable[str] = FIRST
) -> list[Any]:
    """Return the names of entries as parameters of a test, those not quick marked as slow.

    Args:
        which: whether an entry is to be tested at all.
        quick: those that run by default.
    """
    quick = set(quick)
    names = [name for name, objective in sc.catalogue().items() if which(objective)]
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]
