"""The accuracy of the atoms: the yardstick, the limits, and the table in derivations/."""

import importlib.util
import math
import platform
import re
import sys
from functools import cache
from pathlib import Path

import flint
import numpy as np
import pytest

from symcalc.notation.atoms import ATOMS

ROOT = Path(__file__).resolve().parents[2]
FEW = 40  # points of each kind, beside all neighbours and edges
X86 = platform.machine() in ("x86_64", "AMD64")


def load():
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "tools" / "accuracy.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


accuracy = load()
each_case = pytest.mark.parametrize("name", accuracy.CASES)
each_precision = pytest.mark.parametrize("dtype", accuracy.PRECISIONS)


@cache
def table():
    """Return what the page says: (function, dtype) -> (fused, at, unfused, at, limit)."""
    text = accuracy.TARGET.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()
            if re.match(r"\| \S.* \| float(32|64) \|", line)]  # fmt: skip
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


def has_fused_operations():
    """Whether this machine fuses, so that the first columns of the page are its own."""
    from llvmlite import binding

    return not X86 or bool(binding.get_host_cpu_features().get("fma"))


def test_every_atom_is_measured():
    measured = {case.formula.func.__name__ for case in accuracy.CASES.values()}
    assert {atom.__name__ for atom in ATOMS} - {"stop_gradient"} <= measured
    assert set(table()) == {(name, dtype) for name in accuracy.CASES for dtype in
                            accuracy.PRECISIONS}  # fmt: skip


@each_precision
@each_case
def test_the_table_keeps_the_limits(name, dtype):
    fused, _, unfused, _, limit = table()[name, dtype]
    assert float(limit) == accuracy.CASES[name].limit
    assert max(float(fused), float(unfused)) <= float(limit)


@pytest.mark.skipif(not has_fused_operations(), reason="the page's columns are another machine's")
@each_precision
@each_case
def test_a_part_of_the_table_is_current(name, dtype):
    """The recorded point has the recorded error, and no point of a small sweep a larger one."""
    real = accuracy.PRECISIONS[dtype]
    recorded, at, *_ = table()[name, dtype]
    columns = [np.array([x], real) for x in at.split(", ")]
    there = max(accuracy.errors(name, real, columns))
    assert f"{there:.2f}" == recorded
    few, where = accuracy.worst(name, real, FEW)
    assert few <= max(float(recorded) + 0.005, accuracy.CASES[name].limit), where


@pytest.mark.slow
@pytest.mark.skipif(not X86 or not has_fused_operations(), reason="another machine's page")
def test_the_whole_table_is_current():
    assert accuracy.TARGET.read_text(encoding="utf-8") == accuracy.page()


def test_the_yardstick_sees_errors():
    one = flint.arb(1)

    def off(exact, computed, real=np.float64):
        return accuracy.ulps(exact, exact, computed, real)

    assert off(one, 1.0) == 0
    assert off(one, 1 + 2**-52) == 1
    assert off(one, 1 + 2**-23, np.float32) == 1
    assert off(flint.arb(2) ** -1074, 0.0) == 1
    assert off(flint.arb(2) ** 1023, math.inf) > 1e15
    assert off(flint.arb(2) ** 1025, -math.inf) > 1e15
    assert off(flint.arb(2) ** 1025, math.inf) == 0
    assert off(one, math.nan) != off(one, math.nan)
    assert accuracy.error_at("exp", np.float64, (0.75,), math.exp(0.75) * (1 + 1e-15)) > 3


def test_a_nan_where_a_number_belongs_is_an_error():
    assert not accuracy.error_at("exp", np.float64, (0.75,), math.nan) <= 2
