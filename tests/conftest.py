"""What all tests share: a kernel cache of their own, compiled kernels, and how formulas compare."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

_MADE: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a cache of its own; workers inherit it from the process that starts them."""
    if not hasattr(config, "workerinput"):
        _MADE.append(tempfile.mkdtemp(prefix="symcalc-tests-"))
        os.environ["SYMCALC_CACHE_DIR"] = str(Path(_MADE[0]) / "kernels")
    try:
        import hypothesis
    except ImportError:
        return
    home = Path(os.environ["SYMCALC_CACHE_DIR"]).parent / "hypothesis"
    hypothesis.configuration.set_hypothesis_home_dir(home)
    hypothesis.settings.register_profile(
        "symcalc", derandomize=True, deadline=None, max_examples=20, database=None
    )
    hypothesis.settings.load_profile("symcalc")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache."""
    for folder in _MADE:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _compiled(
    name: str, dtype: str, backend: str, wrt: Any, reduction: str | None, options: Any
) -> Any:
    import symcalc as sc

    known = name in sc.catalogue()
    objective: Any = name if known else sc.parse(name, **{k: dict(v) for k, v in options})
    return sc.compile(objective, wrt=wrt, backend=backend, dtype=dtype, reduction=reduction)


@pytest.fixture(scope="session")
def kernel() -> Any:
    """The kernel of a catalogue name or of a formula, compiled once a process."""

    def get(
        name: str,
        dtype: str = "float64",
        backend: str = "numba",
        wrt: Any = None,
        reduction: str | None = None,
        **options: dict[str, Any],
    ) -> Any:
        frozen = tuple((key, tuple(value.items())) for key, value in sorted(options.items()))
        return _compiled(name, dtype, backend, wrt, reduction, frozen)

    return get


@pytest.fixture(scope="session")
def sample() -> Any:
    """Random inputs of an objective, by name, each in its domain."""

    def draw(objective: Any, seed: int = 0, dtype: str = "float64", **sizes: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        found = {}
        for tensor in objective.inputs:
            shape = tuple(sizes[str(extent)] for extent in tensor.shape)
            below = tensor.domain.below
            values = tensor.domain.sample(rng, shape, sizes[below.name] if below else 2)
            found[tensor.name] = values if values.dtype.kind == "i" else values.astype(dtype)
        return found

    return draw


@pytest.fixture(scope="session")
def alike() -> Any:
    """Whether two formulas are the same up to the letters of their bound indices."""
    return lambda a, b: canonical(a) == canonical(b)


def canonical(node: Any, bound: dict[Any, str] | None = None) -> Any:
    """Return a formula as nested tuples, bound indices named by their depth."""
    from symcalc.notation.conditions import Let
    from symcalc.notation.dims import Index
    from symcalc.notation.reductions import Reduction
    from symcalc.notation.scans import Recurrence
    from symcalc.notation.tensors import Access

    bound = bound or {}
    node = sp.sympify(node)
    if isinstance(node, Let):
        return canonical(node.body, bound)
    if isinstance(node, Index):
        return bound.get(node, node.name)
    if isinstance(node, Access):
        return ("access", node.tensor.name, *(canonical(place, bound) for place in node.places))
    if isinstance(node, Reduction):
        inside = {**bound, node.index: f"#{len(bound)}"}
        return (type(node).__name__, str(node.index.extent), canonical(node.body, inside))
    if isinstance(node, Recurrence):
        inside = {**bound, node.index: f"#{len(bound)}"}
        parts = [canonical(part, inside) for part in (node.decay, node.term)]
        outside = [canonical(part, bound) for part in (node.start, node.place)]
        return (type(node).__name__, str(node.index.extent), *parts, *outside)
    if not node.args:
        return str(node)
    name, arguments = type(node).__name__, [canonical(a, bound) for a in node.args]
    flipped = {"GreaterThan": "LessThan", "StrictGreaterThan": "StrictLessThan"}
    if name in flipped:
        name, arguments = flipped[name], arguments[::-1]
    if name in ("Add", "Mul", "And", "Or", "Equality", "Unequality"):
        arguments.sort(key=repr)
    return (name, *arguments)
