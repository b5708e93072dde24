"""Both estimators are unbiased, with the variances that paper and pencil give."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn.estimators import COUNTS, estimate


@pytest.fixture(scope="module", params=[(1.0, 0.5, 0.0), (-0.3, 1.2, 0.4)])
def run(request):
    return estimate(*request.param)


def test_the_closed_form_is_the_derivative_of_the_expectation(run):
    """E (z - t)^2 = (mu - t)^2 + sigma^2."""
    d = run.mu - run.target
    np.testing.assert_allclose(run.exact, [2 * d, 2 * run.sigma**2], rtol=1e-12)


@pytest.mark.parametrize("name", ["pathwise", "score"])
def test_the_mean_is_the_closed_form(run, name):
    drawn = run.singles[name]
    errors = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - run.exact) < 4 * errors).all()


def test_the_variances_are_the_moments_of_a_gaussian(run):
    d, s = run.mu - run.target, run.sigma
    # By mu: 2 (d + s e), and (d + s e)^2 e / s; by log sigma: s e 2 (d + s e), and
    # (d + s e)^2 (e^2 - 1); with E e^2, e^4, e^6, e^8 = 1, 3, 15, 105.
    pathwise = [4 * s**2, 4 * (d**2 * s**2 + 3 * s**4) - 4 * s**4]
    fourth = d**4 * 2 + 6 * d**2 * s**2 * (15 - 6 + 1) + s**4 * (105 - 30 + 3)
    score = [d**4 / s**2 + 14 * d**2 + 15 * s**2, fourth - 4 * s**4]
    np.testing.assert_allclose(run.variances["pathwise"], pathwise, rtol=0.08)
    np.testing.assert_allclose(run.variances["score"], score, rtol=0.25)
    assert (run.variances["score"] > run.variances["pathwise"]).all()


def test_the_deviation_falls_with_the_root_of_the_samples(run):
    for rows in run.spreads.values():
        np.testing.assert_allclose(rows * np.sqrt(COUNTS)[:, None], rows[:1].repeat(5, 0), rtol=0.2)


def test_the_table_and_the_picture(run):
    assert run.table()[1][0] == "closed form"
    assert len(run.draw().axes) == 3


def test_numbers_that_do_not_fit_are_refused():
    for words, options in (
        ("sigma: expected a number above 0, got 0", {"sigma": 0.0}),
        ("mu, target: expected finite numbers", {"mu": np.nan}),
        ("draws: expected a whole number from 100 on", {"draws": 1}),
    ):
        with pytest.raises(sc.ArgumentError, match=words):
            estimate(**options)
