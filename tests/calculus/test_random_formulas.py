"""Random formulas from the whole grammar: value, gradient, jvp and hvp agree with JAX.

Everything to 1e-9 of the scale of what is added up (see `agreement.scales`). What is let go, and
counted, is a point where rounding alone decides which side of a kink is taken. Where equal parts
cancel, `x[0] - x[0]` inside, symcalc says that the value does not depend on an input; then JAX's
derivative must be zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings

pytest.importorskip("jax", minversion="0.5")

import jax
from agreement import disagreements, expected, near, on_a_kink, scales
from grammar import Case, cases
from witness import Unrolled

import symcalc as sc

CHECKS = list(HealthCheck)
FEW = 5  # of a hundred points, at most so many may stand on a kink


def examine(count: int, number: int, check: Callable[[Case], None], **shape: int) -> int:
    """Hold so many distinct random formulas to a check; return how many there were."""
    passed: set[str] = set()

    @seed(number)
    @settings(max_examples=count, suppress_health_check=CHECKS, derandomize=False)
    @given(cases(**shape))
    def each(case: Case) -> None:
        key = str(case.objective)
        assume(key not in passed)
        check(case)
        passed.add(key)

    each()
    return len(passed)


class Agreement:
    """The check against JAX, and how many points it let go."""

    def __init__(self, backends: tuple[str, ...]) -> None:
        self.backends = backends
        self.kinks: list[Case] = []

    def __call__(self, case: Case) -> None:
        wanted = expected(case)
        assume(all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(wanted)))
        for backend in self.backends:
            try:
                kernel = sc.compile(case.objective, backend=backend)
            except sc.DerivationError as error:
                if not is_constant(case, wanted, str(error)):
                    raise
                return
            told = disagreements(case, kernel, wanted)
            if told and on_a_kink(case):
                self.kinks.append(case)
                return
            assert not told, "\n".join([backend, repr(case), *told])


def is_constant(case: Case, wanted: dict[str, Any], message: str) -> bool:
    """Whether JAX finds that the value depends on none of the inputs that a refusal names."""
    names = message.rpartition(" does not depend on ")[2].split(", ")
    sizes = scales(case, wanted)["grad"]
    return all(near(np.asarray(wanted["grad"][name]), 0.0, sizes[name]) for name in names)


@pytest.mark.parametrize("chunk", range(2))
def test_random_formulas_agree_with_jax(chunk: int) -> None:
    check = Agreement(("numpy",))
    assert examine(50, chunk, check) == 50
    assert len(check.kinks) <= FEW


def test_random_formulas_agree_with_jax_when_compiled() -> None:
    check = Agreement(("numba",))
    assert examine(10, 100, check) == 10
    assert len(check.kinks) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_random_formulas_agree_with_jax(chunk: int) -> None:
    check = Agreement(("numpy",))
    assert examine(100, 1000 + chunk, check) == 100
    assert len(check.kinks) <= FEW


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_many_random_formulas_agree_with_jax_when_compiled(chunk: int) -> None:
    check = Agreement(("numba",))
    assert examine(25, 2000 + chunk, check) == 25
    assert len(check.kinks) <= FEW


def by_sympy(case: Case) -> None:
    """Hold value, gradient and hvp against SymPy's own of the formula written out."""
    if not case.objective.is_scalar:
        assume(False)
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
    assert examine(15, 300, by_sympy, room=6, most=2) == 15
