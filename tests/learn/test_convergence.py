"""The bounds on gradient descent are computed right, and no run crosses them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symcalc as sc
from symcalc.learn import problems
from symcalc.learn.convergence import converge, curvatures

numbers = st.integers(-8, 8).map(lambda k: k / 4)


@given(
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(numbers, min_size=3, max_size=3).filter(any),
    st.sampled_from([0.05, 0.5, 1.0]),
)
def test_no_quadratic_crosses_its_bounds(root, start, factor):
    matrix = np.array(root) @ np.array(root).T
    if not matrix.any() or np.allclose(matrix @ start, 0):
        return
    found = converge(problems.bowl(matrix, start), 60, factor, backend="numpy")
    spectrum = np.linalg.eigvalsh(matrix)
    assert found.smoothness == pytest.approx(spectrum[-1], rel=1e-9)
    assert found.convexity == pytest.approx(max(spectrum[0], 0), abs=1e-9 * spectrum[-1])
    assert found.rate == pytest.approx(factor / spectrum[-1], rel=1e-9)
    assert found.holds


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("factor", [0.2, 1.0])
def test_no_logistic_run_crosses_its_bounds(seed, factor):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 3)) * rng.uniform(0.2, 4, 3)
    y = (x @ rng.normal(size=3) + rng.normal(size=30) > 0).astype(float)
    problem = problems.logistic(x, y, lam=10.0 ** -(seed % 3 + 1))
    found = converge(problem, 300, factor, backend="numpy")
    assert found.holds
    assert found.distances[-1] < found.distances[0]
    # The curvature along the run lies between mu and L.
    for theta in found.trajectory.parameters["theta"][::60]:
        spectrum = np.linalg.eigvalsh(problem.hessian(theta))
        assert found.convexity <= spectrum[0] <= spectrum[-1] <= found.smoothness * (1 + 1e-12)


def test_along_the_flattest_axis_the_contraction_is_exact():
    found = converge(problems.bowl(np.diag([1.0, 8.0]), [2.0, 0.0]), 50, backend="numpy")
    np.testing.assert_allclose(found.distances, found.distance_bounds, rtol=1e-12)
    np.testing.assert_allclose(found.distance_bounds, 2 * (7 / 8) ** np.arange(51), rtol=1e-12)
    np.testing.assert_allclose(found.gap_bounds[1:], 8 * 4 / (2 * np.arange(1, 51)), rtol=1e-12)
    assert found.gap_bounds[0] == np.inf


def test_the_bounds_at_one_step_are_tight_for_the_gap():
    """f = L x^2 / 2 at alpha = 1/(L (k + 1)) or so comes within a factor of the bound."""
    found = converge(problems.bowl([[4.0]], [1.0]), 1, 0.5, backend="numpy")
    assert found.gaps[1] == pytest.approx(4 * 0.25 / 2)
    assert found.gap_bounds[1] == pytest.approx(1 / (2 * 0.125))


def test_a_run_that_does_cross_is_seen():
    found = converge(problems.ill_conditioned(20), 40, backend="numpy")
    assert found.holds
    for wrong in (
        dataclasses.replace(found, convexity=1.01 * found.convexity),
        dataclasses.replace(found, trajectory=dict(found.others)[2.05]),
        dataclasses.replace(found, trajectory=dict(found.others)[0.3]),
    ):
        assert not wrong.holds
        assert ("bounds crossed", "YES", "") in wrong.table()
    high = dataclasses.replace(found.trajectory, values=found.trajectory.values + 50)
    assert not dataclasses.replace(found, trajectory=high).holds


def test_beyond_two_over_the_curvature_a_quadratic_diverges():
    found = converge(problems.bowl(np.diag([1.0, 5.0]), [1.0, 1.0]), 100, backend="numpy")
    last = {f: np.linalg.norm(run.final) for f, run in found.others}
    assert last[0.3] < 1
    assert last[1.0] < 1e-5
    assert last[1.9] < 1e-3
    assert last[2.05] == pytest.approx(1.05**100, rel=1e-6)


def test_of_a_flat_direction_the_nearest_minimum_is_meant():
    problem = problems.bowl([[2.0, 0.0], [0.0, 0.0]], [3.0, 7.0], [4.0, 0.0])
    np.testing.assert_allclose(problem.best, [2.0, 7.0])
    found = converge(problem, 20, backend="numpy")
    assert (found.smoothness, found.convexity) == (2.0, 0.0)
    assert found.holds
    assert ("least curvature mu, condition", "0", "infinite") in found.table()


def test_newton_finds_the_minimum():
    problem = problems.two_clouds()
    kernel = sc.compile(problem.objective, backend="numpy")
    assert np.abs(kernel.grad(problem.best, **problem.data)).max() < 1e-15


def test_the_picture_draws_run_and_bound():
    found = converge(problems.ill_conditioned(20), 30, backend="numpy")
    left, middle, right = found.draw().axes
    real, bound = (line.get_ydata() for line in left.lines)
    np.testing.assert_allclose(real, found.distances)
    np.testing.assert_allclose(bound, found.distance_bounds)
    real, bound = (line.get_ydata() for line in middle.lines)
    assert (real <= bound).all()
    assert len(right.lines) == 4


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("matrix: expected a square matrix", lambda: problems.bowl([[1.0, 2.0]], [1.0])),
        ("matrix: expected a square matrix", lambda: problems.bowl([[np.nan]], [1.0])),
        ("matrix: expected a symmetric", lambda: problems.bowl([[1.0, 2.0], [0.0, 1.0]], [1, 1])),
        ("eigenvalues of 0 and above.*got -1", lambda: problems.bowl([[-1.0]], [1.0])),
        ("eigenvalues of 0 and above", lambda: problems.bowl([[0.0]], [1.0])),
        ("start: expected 1 finite numbers", lambda: problems.bowl([[1.0]], [1.0, 2.0])),
        ("no minimum", lambda: problems.bowl([[1.0, 0], [0, 0]], [1.0, 2.0], [0.0, 1.0])),
        ("lam: expected a number above 0, got 0", lambda: problems.two_clouds(lam=0)),
        ("y", lambda: problems.logistic(np.ones((2, 1)), [0.0, 2.0])),
        ("x: expected a matrix", lambda: problems.logistic(np.ones(2), [0.0, 1.0])),
        ("rate: .*got 1.5", lambda: converge(problems.ill_conditioned(), factor=1.5)),
        ("rate: .*got 0", lambda: converge(problems.ill_conditioned(), factor=0)),
        ("start: expected a point other", lambda: converge(problems.bowl([[1.0]], [0.0]))),
        ("expected a quadratic or a logistic", lambda: curvatures(problems.valley(), 1.0)),
        ("--matrix: expected numbers", lambda: problems.bowl_from_text("1,a", None)),
        ("--matrix: expected rows of one", lambda: problems.bowl_from_text("1,2;3", None)),
        ("start: expected 2 finite", lambda: problems.bowl_from_text("2,0;0,1", "1,2,3")),
    ],
)  # fmt: skip
def test_what_has_no_bounds_is_refused(words, make):
    with pytest.raises(sc.ArgumentError, match=words):
        make()
