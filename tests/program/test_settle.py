"""What a choice has made zero stays zero, however far the exponential beside it overflows."""

import numpy as np
import pytest

from symcalc.verify.enclosures import Enclosures
from symcalc.verify.sampling import Point

OLD = {"float64": -800.0, "float32": -100.0}  # the ratio of probabilities overflows


@pytest.fixture(params=["float64", "float32"])
def clipped(request, kernel):
    """A kernel, and a sample that is clipped beside one that is not."""
    arrays = (np.array([[0.5, -0.25, 1.0], [0.25, 1.5, 0.0]]), np.array([0, 1]),
              np.array([OLD[request.param], -0.5]), np.array([2.0, 0.75]))  # fmt: skip
    made = kernel("ppo_clip", dtype=request.param)
    real = [a if a.dtype.kind == "i" else a.astype(request.param) for a in arrays]
    return made, real, Point({"n": 2, "c": 3}, arrays, {"clip": 0.25})


def test_gradients(clipped):
    kernel, arrays, point = clipped
    slopes = Enclosures(kernel.objective, point).slopes("logits")
    truth = [[float(entry.right) for entry in row] for row in slopes]
    np.testing.assert_allclose(kernel.grad(*arrays, clip=0.25), truth, rtol=1e-5, atol=0)
    assert not np.any(truth[0])


def test_products_with_the_hessian(clipped):
    kernel, arrays, point = clipped
    vector = np.array([[1.0, -2.0, 0.5], [0.75, 1.0, -0.25]])
    found = kernel.hvp(*arrays, vector=vector.astype(kernel.dtype), clip=0.25)
    truth = [[float(entry) for entry in row]
             for row in Enclosures(kernel.objective, point).product("logits", vector)]  # fmt: skip
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=0)


def test_diagonals(clipped):
    kernel, arrays, point = clipped
    curves = Enclosures(kernel.objective, point).curvatures("logits")
    truth = [[float(entry.right) for entry in row] for row in curves]
    np.testing.assert_allclose(
        kernel.hessian_diagonal(*arrays, clip=0.25), truth, rtol=1e-5, atol=0
    )


def test_nan_is_not_hidden(clipped):
    kernel, arrays, _ = clipped
    vector = np.full((2, 3), np.nan, kernel.dtype)
    arrays[2] = np.array([-3.0, -0.5], kernel.dtype)  # clipped as well, without an overflow
    assert np.all(np.isnan(kernel.hvp(*arrays, vector=vector, clip=0.25)))
