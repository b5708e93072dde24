"""A sixteenth objective is one function in one file: all else follows with no second edit."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import symcalc as sc

MODULE = '''
"""A loss of one's own."""

import symcalc as sc
from symcalc import Array, Positive, abs, indices, log1p, mean


@sc.objective(wrt="prediction", reference="Fair (1974), Annals of Econ. and Soc. Measurement 3")
def fair(prediction: Array["n"], target: Array["n"], delta: Positive = 1.0):
    """Between squared and absolute error, three times smooth.

    delta is where the one becomes the other.
    """
    i = indices("n")
    u = abs(prediction[i] - target[i]) / delta
    return mean(i, delta**2 * (u - log1p(u)))
'''


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sc.Objective]:
    path = tmp_path_factory.mktemp("mine") / "my_losses.py"
    path.write_text(MODULE, "utf-8")
    spec = importlib.util.spec_from_file_location("my_losses", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["my_losses"] = module
    spec.loader.exec_module(module)
    yield module.fair
    del sys.modules["my_losses"]


PREDICTION = np.array([0.3, -2.0, 5.0, 1.0, -0.5])
TARGET = np.array([0.1, 1.5, -1.0, 1.0, 0.0])


def value_of(delta: float) -> float:
    u = np.abs(PREDICTION - TARGET) / delta
    return float(np.mean(delta**2 * (u - np.log1p(u))))


def gradient_of(delta: float) -> np.ndarray:
    """The influence function r / (1 + |r|/delta), over n: worked out by hand."""
    r = PREDICTION - TARGET
    return r / (1 + np.abs(r) / delta) / r.size


def test_it_is_described(fair: sc.Objective) -> None:
    assert fair.name == "fair"
    assert [tensor.name for tensor in fair.inputs] == ["prediction", "target"]
    assert [(p.name, p.default) for p in fair.parameters] == [("delta", 1.0)]
    assert fair.summary == "Between squared and absolute error, three times smooth."
    assert fair.notes == "delta is where the one becomes the other."
    assert fair.reference.startswith("Fair (1974)")
    assert fair.name not in sc.catalogue()


def test_it_derives_with_steps_that_hold(fair: sc.Objective) -> None:
    derivation = sc.derive(fair)
    assert list(derivation.gradient) == ["prediction"]
    assert derivation.steps
    assert all(step.holds() for step in derivation.steps)
    assert len(derivation.kinks) == 1


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("delta", [1.0, 0.25])
def test_it_compiles_to_the_closed_form(fair: sc.Objective, backend: str, delta: float) -> None:
    kernel = sc.compile(fair, backend=backend)
    value, gradient = kernel.value_and_grad(PREDICTION, TARGET, delta=delta)
    np.testing.assert_allclose(value, value_of(delta), rtol=1e-12)
    np.testing.assert_allclose(gradient, gradient_of(delta), rtol=1e-12)
    assert kernel(PREDICTION, TARGET) == pytest.approx(value_of(1.0), rel=1e-12)


def test_its_domain_is_held(fair: sc.Objective) -> None:
    with pytest.raises(sc.ArgumentError, match="delta"):
        sc.compile(fair)(PREDICTION, TARGET, delta=-1.0)


def test_it_checks(fair: sc.Objective) -> None:
    report = sc.check(fair)
    assert report
    assert "prediction" in {row.wrt for row in report.rows}


def test_it_reports(fair: sc.Objective, tmp_path: Path) -> None:
    paths = sc.report(fair, out=tmp_path)
    assert {path.name for path in paths} == {"fair.html", "fair.md"}
    for path in paths:
        page = path.read_text("utf-8")
        assert "three times smooth" in page
        assert "Fair (1974)" in page


def test_it_benches(fair: sc.Objective) -> None:
    result = sc.benchmark(fair, size=1000, rounds=1, peers=[])
    ours = result.row("symcalc")
    assert ours is not None
    assert ours.median is not None, ours.note
    assert ours.median > 0


def test_it_travels_to_another_process(fair: sc.Objective) -> None:
    again = pickle.loads(pickle.dumps(fair))
    value = sc.compile(again, backend="numpy")(PREDICTION, TARGET)
    assert value == pytest.approx(value_of(1.0), rel=1e-12)
