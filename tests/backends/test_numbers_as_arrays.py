"""Arrays of no axes: a number that is an input, read, differentiated by and filled."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.notation.spelling import Array, Real

X = np.array([1.0, 2.0, 3.0])


@sc.objective(wrt=("s", "x"))
def scaled(s: Real[Array, ""], x: Real[Array, "n"]):
    """Sum of squares, scaled by a number."""
    i = sc.indices("n")
    return sc.sum(i, x[i] ** 2) * s[()] ** 3


@sc.objective(wrt=("s", "x"))
def layer(s: Real[Array, ""], x: Real[Array, "n"]):
    """A number times a row."""
    i = sc.indices("n")
    return x[i] * s[()] ** 2


@pytest.fixture(params=["numpy", "numba"], scope="module")
def backend(request):
    return request.param


def test_its_gradient_is_an_array_of_no_axes(backend):
    kernel = sc.compile(scaled, backend=backend)
    for s in (2.0, np.array(2.0), np.float64(2.0)):
        value, (by_s, by_x) = kernel.value_and_grad(s, X)
        assert value == 112
        assert (by_s.shape, by_s.item()) == ((), 168)
        np.testing.assert_array_equal(by_x, 16 * X)
    by_s, by_x = kernel.hvp(2.0, X, vector=(1.0, np.ones(3)))
    assert by_s.item() == 12 * 14 + 12 * 12  # 6 s sum(x^2) + 3 s^2 sum(2 x)
    np.testing.assert_array_equal(by_x, 24 * X + 16)
    assert kernel.jvp(2.0, X, tangents={"s": 1.0}) == (112, 168)


def test_a_layer_has_one_too(backend):
    value, (by_s, by_x) = sc.compile(layer, backend=backend).vjp(2.0, X, cotangent=np.ones(3))
    np.testing.assert_array_equal(value, 4 * X)
    assert (by_s.shape, by_s.item()) == ((), 24)
    np.testing.assert_array_equal(by_x, [4, 4, 4])


def test_a_buffer_of_no_axes_is_filled(backend):
    out = (np.empty(()), np.empty(3))
    _, gradient = sc.compile(scaled, backend=backend).value_and_grad(2.0, X, out=out)
    assert gradient[0] is out[0]
    assert out[0].item() == 168


def test_a_row_is_no_number(backend):
    kernel = sc.compile(scaled, backend=backend)
    with pytest.raises(sc.SymcalcError, match="s: expected shape"):
        kernel.grad(np.ones(1), X)


def test_what_was_bound_is_read_again(backend):
    s = np.array(2.0)
    step = sc.compile(scaled, backend=backend).bind(s, X)
    assert step() == 112
    s[...] = 1.0
    assert step() == 14
    assert step.gradient[0].item() == 42
