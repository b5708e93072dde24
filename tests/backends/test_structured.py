"""Hessians held by their structure: products and solves in O(n), and where there is no solve."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc

EXTENTS = st.integers(1, 6)
FORMULAS = {
    "mean(i, softplus(x[i]) - w[i]*x[i])": ("x", "w"),
    "logsumexp(i, x[i])": ("x",),
    "norm2(i, x[i])": ("x",),
    "sum(i, x[i]**4) + sum(i, w[i]*x[i])**2": ("x", "w"),
    "sum(i, x[i])*sum(i, w[i]*x[i])": ("x", "w"),
}


def dense(kernel, point, damping=0.0):
    shape = point["x"].shape
    n = int(np.prod(shape))
    return kernel.hessian(**point).reshape(n, n) + damping * np.eye(n)


@pytest.mark.parametrize("text", FORMULAS)
@given(n=EXTENTS)
def test_a_damped_solve_is_the_dense_one(kernel, text, n):
    k = kernel(text, backend="numpy")
    rng = np.random.default_rng(n)
    point = {name: rng.normal(size=n) for name in FORMULAS[text]}
    b = rng.normal(size=n)
    found = k.hessian_structure(**point).solve(b, damping=40.0)
    np.testing.assert_allclose(found, np.linalg.solve(dense(k, point, 40.0), b), rtol=1e-10)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@given(n=EXTENTS, c=EXTENTS, damping=st.sampled_from([1e-3, 0.1, 10.0]))
def test_softmax_curvature_block_by_block(kernel, backend, n, c, damping):
    k = kernel("softmax_cross_entropy", backend=backend)
    rng = np.random.default_rng(n * 6 + c)
    z, y = rng.normal(size=(n, c)), rng.integers(0, c, n)
    structure = k.hessian_structure(z, y)
    whole = k.hessian(z, y).reshape(n * c, n * c)
    v = rng.normal(size=(n, c))
    near = {"rtol": 1e-9, "atol": 1e-13}
    np.testing.assert_allclose(structure @ v, (whole @ v.ravel()).reshape(n, c), **near)
    np.testing.assert_allclose(structure.diagonal.ravel(), np.diag(whole), **near)
    expected = np.linalg.solve(whole + damping * np.eye(n * c), v.ravel()).reshape(n, c)
    np.testing.assert_allclose(structure.solve(v, damping=damping), expected, rtol=1e-9)


def test_blocks_over_a_later_axis(kernel):
    k = kernel("sum(k, logsumexp(i, x[i,k]))", backend="numpy")
    rng = np.random.default_rng(8)
    x, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    structure = k.hessian_structure(x)
    whole = k.hessian(x).reshape(12, 12)
    np.testing.assert_allclose(structure @ b, (whole @ b.ravel()).reshape(4, 3), atol=1e-14)
    expected = np.linalg.solve(whole + np.eye(12), b.ravel()).reshape(4, 3)
    np.testing.assert_allclose(structure.solve(b, damping=1), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 1000), (5, 1), (1, 2)])
def test_a_singular_matrix_asks_for_damping(kernel, dtype, shape):
    k = kernel("softmax_cross_entropy", dtype=dtype)
    rng = np.random.default_rng(9)
    z = rng.normal(size=shape).astype(dtype)
    structure = k.hessian_structure(z, np.zeros(shape[0], int))
    with pytest.raises(sc.SymcalcError, match="is singular at this point"):
        structure.solve(z)
    assert structure.solve(z, damping=0.5).dtype == np.dtype(dtype)


def test_masked_classes_need_damping_too(kernel):
    z = np.array([[0.0, -np.inf, 1.0]])
    structure = kernel("softmax_cross_entropy").hessian_structure(z, [0])
    with pytest.raises(sc.SymcalcError, match="give damping="):
        structure.solve(np.ones((1, 3)))
    found = structure.solve(np.ones((1, 3)), damping=0.5)
    assert found[0, 1] == pytest.approx(2.0)


def test_a_regular_diagonal_needs_none(kernel):
    k = kernel("bce_with_logits")
    z, y = np.array([-30.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.5])
    structure = k.hessian_structure(z, y)
    p = 1 / (1 + np.exp(-z))
    assert structure.kind == "diagonal"
    np.testing.assert_allclose(structure.solve(np.ones(3)), 3 / (p * (1 - p)), rtol=1e-12)


FORM = "sum(i, x[i]**2*a[i])/2 + sum(j, x[j]*u[j])**2/2"


def form(kernel, least):
    a = np.array([1.0, 2.0, least, 3.0, 4.0, 5.0])
    return kernel(FORM, backend="numpy").hessian_structure(a=a, u=np.ones(6), x=np.ones(6)), a


@pytest.mark.parametrize("least", [1e-3, 1e-6, 1e-9, 1e-11])
def test_small_entries_of_the_diagonal_cost_no_digits(kernel, least):
    structure, a = form(kernel, least)
    b = np.arange(6.0)
    np.testing.assert_allclose(structure.solve(b), np.linalg.solve(np.diag(a) + 1.0, b), rtol=1e-9)


def test_entries_too_small_to_be_seen_are_told(kernel):
    structure, _ = form(kernel, 1e-20)
    with pytest.raises(sc.ArgumentError, match="got an entry of 1e-20"):
        structure.solve(np.arange(6.0))


@pytest.mark.parametrize("condition", [1e4, 1e8, 1e12])
def test_a_solve_is_accurate_whatever_the_condition_of_the_diagonal(kernel, condition):
    n = 40
    rng = np.random.default_rng(5)
    a, u, b = np.geomspace(1, 1 / condition, n), rng.normal(size=n), rng.normal(size=n)
    found = kernel(FORM, backend="numpy").hessian_structure(a=a, u=u, x=u).solve(b)
    with mpmath.workdps(60):
        whole = mpmath.diag(list(a)) + mpmath.matrix(list(u)) * mpmath.matrix(list(u)).T
        expected = [float(x) for x in mpmath.lu_solve(whole, mpmath.matrix(list(b)))]
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_the_work_is_linear_in_size(kernel):
    """A matrix of this size, n squared, would take 320 GB."""
    k = kernel("logsumexp(i, x[i])", backend="numpy")
    x = np.random.default_rng(10).normal(size=200_000)
    structure = k.hessian_structure(x)
    v = structure.solve(x, damping=0.1)
    np.testing.assert_allclose(structure @ v + 0.1 * v, x, rtol=1e-9, atol=1e-9)


def test_weights_count(kernel):
    k = kernel("softmax_cross_entropy", backend="numpy")
    rng = np.random.default_rng(12)
    z, y, v = rng.normal(size=(3, 2)), np.array([0, 1, 1]), rng.normal(size=(3, 2))
    w = np.array([1.0, 3.0, 0.0])
    structure = k.hessian_structure(z, y, weights=w)
    np.testing.assert_allclose(structure @ v, k.hvp(z, y, vector=v, weights=w), atol=1e-15)
    np.testing.assert_allclose(structure.diagonal, k.hessian_diagonal(z, y, weights=w), atol=1e-15)


def test_a_layers_structure_by_one_input(kernel):
    k = kernel("layer_norm", wrt="x", backend="numpy")
    rng = np.random.default_rng(13)
    x, g, b, c = (rng.normal(size=s) for s in ((3, 5), 5, 5, (3, 5)))
    structure = k.hessian_structure(x, g, b, cotangent=c)
    whole = k.hessian(x, g, b, cotangent=c).reshape(15, 15)
    assert structure.kind == "block diagonal of diagonal plus rank three"
    np.testing.assert_allclose((structure @ x).ravel(), whole @ x.ravel(), atol=1e-13)
    np.testing.assert_allclose(structure.diagonal.ravel(), np.diag(whole), atol=1e-13)
    expected = np.linalg.solve(whole + 5 * np.eye(15), x.ravel())
    np.testing.assert_allclose(structure.solve(x, damping=5).ravel(), expected, rtol=1e-10)


def test_a_dense_hessian_multiplies_but_does_not_solve(kernel):
    k = kernel("mean(i, (sum(j, A[i,j]*x[j]) - w[i])**2)", wrt="x", backend="numpy")
    rng = np.random.default_rng(14)
    a, x, w = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=6)
    given = {"A": a, "x": x, "w": w}
    structure = k.hessian_structure(**given)
    assert structure.kind == "dense"
    np.testing.assert_allclose(structure @ x, 2 / 6 * a.T @ (a @ x), rtol=1e-12)
    np.testing.assert_allclose(structure.diagonal, 2 / 6 * (a**2).sum(axis=0), rtol=1e-12)
    with pytest.raises(sc.SymcalcError, match="this one is dense"):
        structure.solve(x)


def test_nothing_has_a_curvature_too(kernel):
    structure = kernel("l2").hessian_structure(np.empty(0))
    assert structure.product(np.empty(0)).shape == (0,)
    assert structure.solve(np.empty(0)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.product(np.ones(4)), r"vector: expected shape \(3,\), got \(4,\)"),
        (lambda s: s.product(["a", "b", "c"]), "expected an array of real numbers"),
        (lambda s: s.solve(np.ones(2)), "right_hand_side: expected shape"),
        (lambda s: s.solve(np.ones(3), damping=-1), "damping: expected a finite number"),
        (lambda s: s.solve(np.ones(3), damping=np.nan), "damping: expected a finite number"),
        (lambda s: s.solve(np.ones(3), damping="x"), "damping: expected a number"),
    ],
)
def test_bad_vectors_are_named(kernel, call, message):
    structure = kernel("l2").hessian_structure(np.ones(3))
    with pytest.raises(sc.SymcalcError, match=message):
        call(structure)


def test_several_inputs_are_refused(kernel):
    k = kernel("mse", wrt=("prediction", "target"))
    with pytest.raises(sc.SymcalcError, match="hessian_structure: expected one input"):
        k.hessian_structure([1.0], [2.0])


def test_a_zero_on_the_diagonal_part_is_no_singular_matrix():
    """12 diag(x^2) + 2 w w^T where one x is zero: regular, since w is not zero there."""
    kernel = sc.compile(sc.parse("sum(i, x[i]**4) + sum(i, w[i]*x[i])**2", wrt="x"))
    x, w = np.array([1.0, 2.0, 0.0, 1.0, 3.0]), np.array([1.0, 0.5, 1.0, -1.0, 2.0])
    b = np.array([1.0, -2.0, 3.0, 0.5, 0.25])
    found = kernel.hessian_structure(x=x, w=w).solve(b)
    np.testing.assert_allclose(
        found, np.linalg.solve(12 * np.diag(x**2) + 2 * np.outer(w, w), b), rtol=1e-13
    )
    x[1] = 0.0
    with pytest.raises(sc.ArgumentError, match="more zeros than outer products"):
        kernel.hessian_structure(x=x, w=w).solve(b)


def test_single_precision_solves_with_little_damping(kernel):
    """Not its parts but only what it is given and gives back is float32."""
    rng = np.random.default_rng(4)
    z, y = rng.normal(size=(4, 3)).astype(np.float32), np.array([0, 2, 1, 1])
    b = rng.normal(size=(4, 3)).astype(np.float32)
    structure = kernel("softmax_cross_entropy", dtype="float32").hessian_structure(z, y)
    assert structure.diagonal.dtype == np.float32
    for damping in (1e-3, 1e-6, 1e-9):
        found = structure.solve(b, damping=damping)
        assert found.dtype == np.float32
        with mpmath.workdps(60):
            for row, given, solved in zip(z, b, found, strict=True):
                powers = [mpmath.exp(mpmath.mpf(float(x))) for x in row]
                p = mpmath.matrix([power / mpmath.fsum(powers) for power in powers])
                matrix = (mpmath.diag(list(p)) - p * p.T) / 4 + damping * mpmath.eye(3)
                expected = mpmath.lu_solve(matrix, mpmath.matrix([float(x) for x in given]))
                np.testing.assert_allclose(solved, [float(x) for x in expected], rtol=2e-7)
