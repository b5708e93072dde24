"""The optimizers side by side: what is measured is what the runs did."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn import problems
from symcalc.learn.compare import compare, solved


@pytest.fixture(scope="module")
def race():
    bowls = [problems.ill_conditioned(5), problems.two_clouds(40)]
    return compare(
        ("gradient_descent", "momentum", "adam"), bowls, steps=200, rates=(0.01, 0.1, 0.3),
        backend="numpy",
    )  # fmt: skip


def test_solved_means_solved_to_the_end():
    assert solved(np.array([1.0, 1e-7, 0.5, 1e-7, 1e-8])) == 3
    assert solved(np.array([1.0, 0.5])) is None
    assert solved(np.array([1.0, 1e-9, np.nan])) is None


def test_the_best_rate_is_taken(race):
    quadratic = race.problems[0]
    (descent, *_) = race.on(quadratic)
    # Of 0.01, 0.1 and 0.3 with curvatures 1 and 5, 0.3 contracts best: by |1 - 0.3| a step,
    # so that the gap, which is a square, falls below 1e-6 after about 19 steps.
    assert descent.lr == 0.3
    assert descent.steps_to_solve == pytest.approx(np.log(1e-6) / np.log(0.49), abs=4)
    assert descent.contraction == pytest.approx(0.49, abs=0.03)


def test_every_run_comes_down_to_the_same_minimum(race):
    for run in race.runs:
        assert run.trajectory.values.min() >= run.problem.least - 1e-12
        assert run.gaps[0] == 1
        assert run.gaps[-1] < 1e-3


def test_the_table_says_what_an_update_remembers(race):
    head, *rows = race.table()
    assert head[:3] == ("optimizer", "memory", "hyperparameters")
    assert [row[:3] for row in rows] == [
        ("gradient_descent", "none", "lr"),
        ("momentum", "1 per parameter", "lr, mu"),
        ("adam", "2 per parameter", "lr, beta1, beta2, eps"),
    ]
    assert rows[0][3].endswith(", 0.3")


def test_the_picture_has_a_curve_for_each(race):
    axes = race.draw().axes
    assert [len(each.lines) for each in axes[:2]] == [3, 3]
    assert len(axes[2].lines) == 4  # the ways, and the minimum


def test_the_minimum_of_the_valley():
    valley = problems.valley()
    assert valley.value(valley.best) == 0
    assert valley.value(valley.start) == pytest.approx(24.2)
    np.testing.assert_allclose(valley.hessian(valley.best), [[802, -400], [-400, 200]])


@pytest.mark.slow
def test_the_whole_race_in_a_minute():
    race = compare()
    assert len(race.runs) == 24
    best = {p.name: min(r.steps_to_solve or 9999 for r in race.on(p)) for p in race.problems}
    assert all(count < 400 for count in best.values()), best


def test_what_does_not_fit_is_refused():
    with pytest.raises(sc.UnknownObjectiveError, match="optimizer: no 'adamm'"):
        compare(("adamm",))
    with pytest.raises(sc.ArgumentError, match="each once"):
        compare(("adam", "adam"))
    with pytest.raises(sc.ArgumentError, match="lr"):
        compare(("adam",), [problems.valley()], rates=(-1.0,), backend="numpy")
