"""assert_gradient: for the suites of users."""

from __future__ import annotations

import numpy as np
import pytest

import symcalc as sc
from symcalc.testing import assert_gradient


def square(x):
    return float(np.sum(x**2))


def test_a_right_gradient_is_quiet():
    assert assert_gradient(square, lambda x: 2 * x, np.array([1.0, -2.0])) is None


def test_a_wrong_one_is_told():
    with pytest.raises(AssertionError) as caught:
        assert_gradient(square, lambda x: x, np.array([1.0, -2.0]))
    message = str(caught.value)
    assert "diagnosis: factor 1/2" in message
    assert "came" in message


def test_inconclusive_is_not_right():
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_gradient(lambda x: 1e20 + square(x), lambda x: 2 * x, np.array([1.0, -2.0]))


def test_an_objective_brings_its_own():
    assert_gradient("mse")


def test_an_objective_takes_no_arrays():
    with pytest.raises(sc.ArgumentTypeError, match="alone"):
        assert_gradient("mse", None, np.ones(3))


def test_a_users_suite_shows_no_line_of_ours(tmp_path):
    suite = tmp_path / "test_loss.py"
    suite.write_text(
        "import numpy as np\n"
        "from symcalc.testing import assert_gradient\n\n\n"
        "def test_loss():\n"
        "    assert_gradient(lambda x: float(np.sum(x**2)), lambda x: x, np.ones(2))\n",
        "utf-8",
    )
    import subprocess
    import sys

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(suite)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert found.returncode == 1
    assert "factor 1/2" in found.stdout
    assert "raise AssertionError" not in found.stdout
