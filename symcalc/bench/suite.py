"""The suite: which objectives, at which sizes, in which dtypes; and how long each is measured."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from symcalc.bench.inputs import DTYPES, MATRIX_SHAPE, VECTOR_SIZE, Case, make_case
from symcalc.bench.peers import BOUND, FLOOR, FRESH, OURS, PEERS, Peer
from symcalc.catalogue import get

ELEMENTWISE = ("mse", "huber", "log_cosh", "bce_with_logits")
ROW_KERNELS = ("softmax_cross_entropy", "layer_norm", "batch_norm", "ppo_clip")
_SMALL_ROWS = (100, 10)
_LARGE, _QUICK = 1_000_000, 100


@dataclass(frozen=True)
class Group:
    """Cases that are measured alike and judged together.

    Args:
        name: "large", "n = 1000" or "n = 100".
        cases: what is measured.
        ours: in which ways ours is called.
        rounds: how many batches of each peer are timed.
        batch: seconds that a batch of calls should fill.
    """

    name: str
    cases: tuple[Case, ...]
    ours: tuple[Peer, ...]
    rounds: int
    batch: float

    def entrants(self, peers: tuple[Peer, ...]) -> tuple[Peer, ...]:
        """Return ours, the peers and the floor."""
        return (*self.ours, *peers, FLOOR)


@dataclass(frozen=True)
class Suite:
    """All that one command measures.

    Args:
        name: "full" or "quick".
        groups: the cases, the large ones first.
        first_calls: the cases whose first calls are timed, in processes of their own.
        peers: whom to measure beside ours.
        timeout: seconds a peer may take for one answer.
    """

    name: str
    groups: tuple[Group, ...]
    first_calls: tuple[Case, ...]
    peers: tuple[Peer, ...] = PEERS
    timeout: float = 120.0


def _cases(names: tuple[str, ...], shape: tuple[int, ...]) -> list[Case]:
    return [make_case(get(name), shape=shape, dtype=dtype) for name in names for dtype in DTYPES]


LARGE = Group(
    "large",
    (*_cases(ELEMENTWISE, (VECTOR_SIZE,)), *_cases(ROW_KERNELS, MATRIX_SHAPE)),
    (OURS, FRESH), rounds=5, batch=0.1,
)  # fmt: skip
THOUSAND = Group(
    "n = 1000",
    (*_cases(ELEMENTWISE, (1000,)), *_cases(("softmax_cross_entropy",), _SMALL_ROWS)),
    (OURS, BOUND, FRESH), rounds=7, batch=0.03,
)  # fmt: skip
HUNDRED = Group(
    "n = 100", tuple(_cases(ELEMENTWISE, (100,))), (OURS, BOUND, FRESH), rounds=7, batch=0.03
)
FIRST_CALLS = (
    make_case(get("bce_with_logits"), shape=(1000,)),
    make_case(get("softmax_cross_entropy"), shape=_SMALL_ROWS),
    make_case(get("layer_norm"), shape=_SMALL_ROWS),
)
FULL = Suite("full", (LARGE, THOUSAND, HUNDRED), FIRST_CALLS)


def quick(suite: Suite = FULL) -> Suite:
    """Return a suite in small, to see that everything works: its figures say nothing.

    Large cases shrink a hundredfold, one dtype is left of each, and two short batches are timed.

    Args:
        suite: what to shrink.
    """
    groups = tuple(
        dataclasses.replace(
            group, rounds=2, batch=0.005,
            cases=tuple(_shrunk(case) for case in group.cases if case.dtype == DTYPES[0]),
        )
        for group in suite.groups
    )  # fmt: skip
    return dataclasses.replace(
        suite, name="quick", groups=groups, first_calls=suite.first_calls[:1]
    )


def _shrunk(case: Case) -> Case:
    if math.prod(extent for _, extent in case.extents) < _LARGE:
        return case
    (dim, extent), *further = case.extents
    return dataclasses.replace(case, extents=((dim, extent // _QUICK), *further))
