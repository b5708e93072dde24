"""The atlas: who has one, what it sweeps, what it says, and that it catches what is planted."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import symcalc as sc
from symcalc import api
from symcalc.notation.domains import POSITIVE, PROBABILITY, REAL
from symcalc.verify.accuracy import VALUE
from symcalc.verify.atlas import CURVATURE, NoAtlasError, atlas, is_entrywise
from symcalc.verify.atlas_plot import draw, write
from symcalc.verify.sweeps import crossings, sweep
from symcalc.verify.verdict import FAIL, GRADIENT, PASS

ENTRYWISE = {"mse", "mae", "huber", "log_cosh", "bce_with_logits", "hinge", "l1", "l2",
             "elastic_net", "kl_divergence"}  # fmt: skip
MIXING = {"softmax_cross_entropy", "layer_norm", "batch_norm", "dense", "ppo_clip", "reinforce"}


@pytest.mark.parametrize("name", sorted(ENTRYWISE | MIXING))
def test_scalar_objectives_are_known_by_their_structure(name):
    assert is_entrywise(sc.derive(sc.get(name).at_any_size)) == (name in ENTRYWISE)


@pytest.mark.parametrize(
    ("text", "scalar"),
    [("mean(i, exp(x[i])*y[i])", True), ("sum(i, sum(k, x[i,k]**2))", True),
     ("sum(i, x[i])**2", False), ("sum(t, (x[t+1] - x[t])**2)", False), ("x[i]**2", False)],
)  # fmt: skip
def test_and_so_are_formulas(text, scalar):
    assert is_entrywise(sc.derive(sc.parse(text, wrt="x"))) == scalar


@pytest.fixture(scope="module")
def softplus():
    return api.atlas(sc.parse("mean(i, softplus(x[i]))", name="soft"))


def test_all_results_are_swept_in_both_precisions(softplus):
    assert softplus
    assert [(line.of, line.dtype) for line in softplus.lines] == [
        (of, dtype) for of in (VALUE, GRADIENT, CURVATURE) for dtype in ("float64", "float32")
    ]
    for line in softplus.lines:
        assert line.worst.verdict == PASS
        assert line.without == 0
        assert line.points > 500
    value, single, *_ = softplus.lines
    assert 0.5 < value.worst.ulps <= 2  # what the vector mathematics is documented to do
    assert 0.5 < single.worst.ulps <= 2


def test_tables_and_drawings(softplus, tmp_path):
    page, drawing = write(softplus, tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    assert "| value | float64 |" in text
    assert "![The errors over x](soft.svg)" in text
    picture = drawing.read_text(encoding="utf-8")
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert picture == draw(softplus)
    assert len(picture) < 300_000
    assert "gradient, float32" in picture
    assert softplus.table().row_count == len(softplus.lines)


class Planted:
    """A kernel whose gradient is off in one tail alone."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __getattr__(self, name):
        return getattr(self.kernel, name)

    def value_and_grad(self, x, *arrays, **named):
        value, gradient = self.kernel.value_and_grad(x, *arrays, **named)
        return value, np.where(x > 700, gradient * (1 + 1e-13), gradient)


def test_an_error_in_one_tail_is_caught(kernel):
    found = atlas(Planted(kernel("log_cosh")), None)
    assert not found
    wrong = {(line.of, line.worst.verdict) for line in found.lines}
    assert wrong == {(VALUE, PASS), (GRADIENT, FAIL), (CURVATURE, PASS)}
    (line,) = (line for line in found.lines if line.of == GRADIENT)
    assert line.at > 700


def test_branches_that_rounding_decides_are_counted_apart(kernel):
    found = atlas(kernel("huber"), None)
    curvature = found.lines[-1]
    assert found
    assert curvature.branches > 0  # beside |prediction - 0.7| = delta
    assert curvature.worst.ulps <= 8


def test_objectives_that_mix_entries_are_refused():
    with pytest.raises(NoAtlasError, match="mixes entries of logits"):
        api.atlas("softmax_cross_entropy")


class TestSweeps:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_reach_from_end_to_end(self, dtype):
        xs, info = sweep(REAL, dtype), np.finfo(dtype)
        assert np.all(np.diff(xs) > 0)
        assert xs[0] == -float(info.max)
        assert xs[-1] == float(info.max)
        assert float(info.smallest_subnormal) in xs
        assert 0.0 in xs
        assert np.array_equal(xs, xs.astype(dtype).astype(float))

    def test_stay_in_the_domain(self):
        assert np.all(sweep(POSITIVE, "float64") > 0)
        probabilities = sweep(PROBABILITY, "float64")
        assert probabilities[0] == 0.0
        assert probabilities[-1] == 1.0
        assert 1 - 2.0**-53 in probabilities
        assert np.any((probabilities > 0) & (probabilities < 1e-300))

    def test_come_close_to_kinks_from_both_sides(self):
        xs = sweep(REAL, "float64", [1.7])
        assert {np.nextafter(1.7, 0), 1.7, np.nextafter(1.7, 2)} <= set(xs)

    def test_crossings_are_neighbours(self):
        low, high = crossings(lambda x: 1 if x * x * x > 2 else -1, "float64")
        assert np.nextafter(low, 2) == high
        assert abs(low - 2 ** (1 / 3)) < 1e-15
        assert crossings(lambda x: int(np.sign(x - 4)), "float32") == [4.0]
        assert crossings(lambda x: None, "float64") == []
