"""Random formulas from the whole grammar: value, gradient, jvp and hvp agree with JAX.

Everything to 1e-9 of the scale of what is added up (see `agreement.scales`). What is let go is
counted by reason, printed, and held to a share:

- a point where rounding alone decides which side of a kink is taken;
- a formula that JAX finds no finite number for;
- a draw that makes no objective, and a formula that was drawn before.

Where equal parts cancel, `x[0] - x[0]` inside, symcalc says that the value does not depend on an
input; then JAX's derivative must be zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

pytest.importorskip("jax", minversion="0.5")

import jax
from agreement import disagreements, expected, near, on_a_kink, scales
from cases import Case, cases
from spoken import OPTIONS, SPELLINGS, sn
from witness import Unrolled

import symcalc as sc

CHECKS = list(HealthCheck)
# What may be skipped: this share of the formulas, or so many where they are few.
MOST = {"on a kink": (0.05, 1), "not finite": (0.1, 2), "does not depend": (0.1, 4)}
LET_GO = 0.5  # of all draws but repetitions, at most


class SkipError(Exception):
    """A formula that a check has nothing to say of, and why."""


def examine(count: int, number: int, check: Callable[[Case], None], **shape: int) -> Counter[str]:
    """Hold so many distinct random formulas to a check.

    Args:
        count: how many.
        number: of the seed.
        check: raises AssertionError, or SkipError.
        shape: arguments of `cases`.

    Returns:
        How many were held to it, and how many were skipped, by reason.
    """
    seen: set[str] = set()
    counts: Counter[str] = Counter()

    @seed(number)
    @settings(max_examples=4 * count, suppress_health_check=CHECKS, derandomize=False,
              phases=(Phase.generate, Phase.shrink))  # fmt: skip
    @given(cases(skips=counts, **shape))
    def each(case: Case) -> None:
        key = str(case.objective)
        if counts["held"] >= count and not counts["failed"]:
            return
        if key in seen:
            counts["drawn before"] += 1
            return
        try:
            check(case)
        except SkipError as reason:
            counts[str(reason)] += 1
        except BaseException:
            counts["failed"] += 1  # from here on nothing is let pass: it would look flaky
            raise
        else:
            counts["held"] += 1
        seen.add(key)  # what fails is not seen, and fails again

    each()
    return counts


def told(counts: Counter[str], count: int) -> None:
    """Print what was skipped, and fail where it is too much."""
    print(", ".join(f"{number} {reason}" for reason, number in counts.most_common()))
    assert counts["held"] == count
    for reason, (share, few) in MOST.items():
        assert counts[reason] <= max(share * count, few), f"{counts[reason]} formulas: {reason}"
    fresh = counts.total() - counts["drawn before"]
    assert fresh - count <= LET_GO * fresh, counts


class Agreement:
    """The check against JAX."""

    def __init__(self, backend: str) -> None:
        self.backend = backend

    def __call__(self, case: Case) -> None:
        wanted = expected(case)
        if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(wanted)):
            raise SkipError("not finite")
        try:
            kernel = sc.compile(case.objective, backend=self.backend)
        except sc.DerivationError as error:
            if not is_constant(case, wanted, str(error)):
                raise
            raise SkipError("does not depend") from None
        told = disagreements(case, kernel, wanted)
        if told and on_a_kink(case):
            raise SkipError("on a kink")
        assert not told, "\n".join([self.backend, repr(case), *told])


def is_constant(case: Case, wanted: dict[str, Any], message: str) -> bool:
    """Whether JAX finds that the value depends on none of the inputs that a refusal names."""
    _, refused, names = message.rpartition(" does not depend on ")
    sizes = scales(case, wanted)["grad"] if refused else {}
    return bool(refused) and all(
        near(np.asarray(wanted["grad"][name]), 0.0, sizes[name]) for name in names.split(", ")
    )


@pytest.mark.parametrize("chunk", range(2))
def test_random_formulas_agree_with_jax(chunk: int) -> None:
    told(examine(50, chunk, Agreement("numpy")), 50)


def test_random_formulas_agree_with_jax_when_compiled() -> None:
    told(examine(10, 100, Agreement("numba")), 10)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_random_formulas_agree_with_jax(chunk: int, capsys: Any) -> None:
    counts = examine(100, 1000 + chunk, Agreement("numpy"))
    with capsys.disabled():
        told(counts, 100)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_random_formulas_agree_with_jax_when_compiled(chunk: int, capsys: Any) -> None:
    counts = examine(25, 2000 + chunk, Agreement("numba"))
    with capsys.disabled():
        told(counts, 25)


# What no random formula says, and why.
UNSAID = {
    "indices": "the builder makes the indices, with letters that clash",
    "objective": "the builder makes the objective of a formula, not of a function",
    "parse": "text is parsed to the same nodes: tests/notation/test_round_trip.py",
}


@pytest.mark.slow
def test_the_grammar_reaches_every_spelling_of_the_notation() -> None:
    sn.heard.clear()
    examine(250, 1, lambda case: None, room=40)
    assert (SPELLINGS | OPTIONS) - set(sn.heard) == set(UNSAID)


def by_sympy(case: Case) -> None:
    """Hold value, gradient and hvp against SymPy's own of the formula written out."""
    if not case.objective.is_scalar:
        raise SkipError("no number")
    kernel = sc.compile(case.objective, backend="numpy")
    witness = Unrolled(case.objective, case.sizes, case.arrays, case.parameters)
    given: dict[str, Any] = {**case.arrays, **case.parameters}
    value, gradients = kernel.value_and_grad(**given)
    close(value, witness.value())
    along = {name: case.like(np.shape(case.arrays[name]), 7) for name in case.objective.wrt}
    products = kernel.hvp(**given, vector=tuple(along.values()))
    for name, gradient, product in zip(case.objective.wrt, gradients, products, strict=True):
        close(gradient, witness.gradient(name))
        close(product, witness.product(name, along))


def close(found: Any, expected: Any) -> None:
    """Compare with what was computed to forty digits."""
    expected = np.asarray(expected, dtype=float)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_random_formulas_agree_with_sympy() -> None:
    assert examine(15, 300, by_sympy, room=6, most=2)["held"] == 15
