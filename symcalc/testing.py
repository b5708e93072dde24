"""For the test suites of users: `assert_gradient`."""

from __future__ import annotations

from typing import Any

from symcalc import api
from symcalc.notation.errors import ArgumentTypeError
from symcalc.notation.objective import Objective

__all__ = ["assert_gradient"]


def assert_gradient(
    fun: Any, grad: Any = None, *arrays: Any, argnums: int | tuple[int, ...] | None = None,
    seed: int = 0, **keywords: Any,
) -> None:  # fmt: skip
    """Assert that a gradient is right; inconclusive is not.

    Args:
        fun: an Objective or a catalogue name, checked by `symcalc.check`; or any function of
            arrays, checked by `symcalc.check_gradient`.
        grad: the function's gradient, as `check_gradient` takes it; an objective has its own.
        arrays: the function's arguments; an objective draws its own.
        argnums: as `check_gradient` takes it.
        seed: of random points and directions.
        keywords: passed on to the function and its gradient.

    Raises:
        AssertionError: a check failed or was inconclusive; the message is the report.
        ArgumentError, ArgumentTypeError: something that cannot be checked, and why.
    """
    __tracebackhide__ = True
    if isinstance(fun, (Objective, str)):
        if grad is not None or arrays or keywords or argnums is not None:
            raise ArgumentTypeError(
                "assert_gradient: an objective has its own gradient and arrays; expected it alone"
            )
        report = api.check(fun, seed=seed)
    else:
        report = api.check_gradient(fun, grad, *arrays, argnums=argnums, seed=seed, **keywords)
    if not report:
        raise AssertionError(str(report))
