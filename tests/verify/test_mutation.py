"""The kill matrix: every mistake is found, right equations are not accused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from entries import FIRST, entries

import symcalc as sc
from symcalc import api
from symcalc.verify import mutation_page
from symcalc.verify.alarms import Alarms, false_alarms, seeded_points
from symcalc.verify.kills import (
    CHECK_GRADS,
    CONVENTIONS,
    ENCLOSURES,
    EXACT,
    GRADCHECK,
    KERNEL,
    OURS,
    Court,
    Results,
)  # fmt: skip
from symcalc.verify.matrix import KillMatrix, joined
from symcalc.verify.mutation import (
    GRADIENT,
    KILLED,
    PRODUCT,
    SURVIVED,
    VALUE,
    Mutant,
    Trial,
    usual_points,
)  # fmt: skip
from symcalc.verify.sampling import draw, primes

PAGE = Path(__file__).parents[2] / "derivations" / mutation_page.PAGE
SEEDS = 1000
COMMAND = f"symcalc check {' '.join(FIRST)} --mutate --seeds {SEEDS} --out derivations"
LONG = ("batch_norm", "layer_norm", "dense", "ppo_clip")


@pytest.fixture(scope="module")
def l1():
    return api.mutate("l1", seeds=20)


@pytest.mark.parametrize("name", entries(quick=[n for n in FIRST if n not in LONG]))
def test_every_mistake_is_found_in_ball_arithmetic(name):
    trial = Trial(sc.get(name))
    outcomes = [trial.outcome(mutant, EXACT) for mutant in trial.mutants]
    assert [str(o.mutant) for o in outcomes if o.fate == SURVIVED] == []
    assert sum(o.fate == KILLED for o in outcomes) > 30


@pytest.mark.parametrize(
    "formula",
    [
        "sum(t, (a[t] + 0.9*b[t+1] - b[t])**2)",
        "logsumexp(i, a[i]*b[i])",
        "sum(i, where(a[i] < b[i], tanh(a[i]), b[i]**3))",
    ],
)
def test_mistakes_in_a_formula_of_ones_own_are_found(formula):
    trial = Trial(sc.parse(formula, wrt=("a", "b")))
    some = trial.mutants[::7]
    outcomes = [trial.outcome(mutant, (*EXACT, KERNEL)) for mutant in some]
    assert [str(o.mutant) for o in outcomes if o.fate == SURVIVED] == []


def test_what_is_no_mistake_but_not_proved_so_counts_as_one():
    """The first decay of a recurrence meets a start of zero, whatever it is."""
    trial = Trial(sc.parse("sum(t, scan(t, a[t], b[t])**2)", wrt=("a", "b")))
    (mutant,) = [m for m in trial.mutants if m.before.target.name == "h_bar"
                 and m.operator == "constant nudged" and m.change == "0 -> 1/1000"
                 and "scan(t, where(t == n_t - 1, 1/1000" in str(m.after)]  # fmt: skip
    assert trial.outcome(mutant, EXACT).fate == SURVIVED


def test_every_part_of_a_derivation_is_mutated_and_no_two_mutants_are_alike():
    mutants = Trial(sc.get("layer_norm"), []).mutants
    assert {mutant.part for mutant in mutants} == {VALUE, GRADIENT, PRODUCT}
    assert len({(m.before.target, m.after.body) for m in mutants}) == len(mutants)
    assert {m.before.target.name for m in mutants if m.part == PRODUCT} >= {"x_bar_dot", "m_dot"}
    assert {m.operator for m in mutants} >= {"wrong reduction axis", "eps outside the root"}


def test_mixed_second_derivatives_are_held():
    """A Hessian product that forgets how gamma moves: each input alone shows nothing of it."""
    trial = Trial(sc.get("layer_norm"), usual_points(sc.get("layer_norm"))[:1])
    forgotten = [m for m in trial.mutants if m.part == PRODUCT and m.operator == "detached path"
                 and "gamma_dot" in m.change]  # fmt: skip
    assert forgotten
    for mutant in forgotten:
        assert trial.outcome(mutant, EXACT).fate == KILLED


def test_another_subgradient_than_the_declared_one_is_a_mistake():
    trial = Trial(sc.get("hinge"))
    (mutant,) = [m for m in trial.mutants if m.operator == "< against <=" and m.part == GRADIENT]
    by = trial.outcome(mutant).by
    assert not by[ENCLOSURES]
    assert by[CONVENTIONS]
    assert by[KERNEL]


def test_a_mistake_that_is_not_looked_for_survives():
    objective = sc.get("l1")
    point = draw(objective, primes(objective, (2,)), 0)
    trial = Trial(objective, [point])
    blind = dataclasses.replace(point, arrays=(np.abs(point.arrays[0]),))
    trial.court = Court([blind], [blind])
    trial.appeal = Court([], [])
    (mutant,) = [m for m in trial.mutants if m.part == GRADIENT and m.operator == "detached path"]
    assert trial.outcome(mutant).fate == KILLED
    flipped = [m for m in trial.mutants if "where(theta[j] >= 0, 1, -1)" in m.change]
    outcomes = [trial.outcome(m) for m in flipped]
    assert {o.fate for o in outcomes} == {SURVIVED}
    matrix = KillMatrix("l1", tuple(outcomes), Alarms.none())
    assert not matrix
    assert "survived: neighbouring atom" in str(matrix)


def test_right_equations_are_not_accused():
    for name in ("huber", "softmax_cross_entropy", "kl_divergence"):
        alarms = false_alarms(Trial(sc.get(name), []), 24)
        assert alarms.points == 24
        assert alarms.total == 0, str(alarms)


def test_alarms_are_counted():
    trial = Trial(sc.get("l2"), [])
    wrong = next(m for m in trial.mutants if m.part == GRADIENT)
    trial.derivation = wrong.planted(trial.derivation, trial.product)
    alarms = false_alarms(trial, 3)
    assert alarms.raised[ENCLOSURES] == 3
    assert not KillMatrix("l2", (), alarms)
    assert "false alarms at 3 points, such as at" in str(alarms)


def test_seeded_points_are_of_every_kind():
    kinds = {point.kind for point in seeded_points(sc.get("huber"), 40)}
    assert kinds >= {"typical", "ties", "tails"}
    assert len(kinds) > 4


def test_the_matrix_shows_everything(l1):
    assert l1
    text = str(l1)
    for tally in l1.tallies():
        assert tally.name in text
    assert len(l1.table().rows) == len(list(l1.tallies()))
    assert l1.total.mutants == len(l1.outcomes)
    both = joined([l1, l1])
    assert both.total.mutants == 2 * l1.total.mutants
    assert both.alarms.points == 40


def test_a_mutant_says_what_it_is():
    mutant = Trial(sc.get("l2"), []).mutants[0]
    assert isinstance(mutant, Mutant)
    assert str(mutant) == "sign: s = sum(j, -theta[j]**2) (was sum(j, theta[j]**2))"


# Others' tolerances


def first_order(name):
    objective = sc.get(name)
    trial = Trial(objective, [draw(objective, primes(objective, (3, 2)), 0)])
    for mutant in trial.mutants:
        if mutant.part != PRODUCT:
            planted = mutant.planted(trial.derivation, trial.product)
            yield trial, planted, Results(planted, trial.court.few[0])


@pytest.mark.parametrize("name", ["mse", "huber"])
def test_gradcheck_would_say_the_same(name):
    torch = pytest.importorskip("torch")
    seen = set()
    for trial, planted, results in first_order(name):

        class Planted(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, results=results):
                at = results.point.arrays[0]
                return torch.tensor(results.beside(x.detach().numpy() - at)[0])

            @staticmethod
            def backward(ctx, bar, results=results):
                return bar * torch.tensor(results.jacobian[0])

        at = results.point.arrays[0]
        x = torch.tensor(at, requires_grad=True)
        passes = torch.autograd.gradcheck(Planted.apply, (x,), raise_exception=False)
        ours = trial.court.convictions(planted, [GRADCHECK])[GRADCHECK]
        assert passes == (not ours), str(planted.equations)
        seen.add(passes)
    assert seen == {True, False}


@pytest.mark.parametrize("name", ["mse", "huber"])
def test_check_grads_would_say_the_same(name):
    pytest.importorskip("jax")
    import jax
    from jax.test_util import check_vjp

    seen = set()
    with jax.enable_x64(True):
        for trial, planted, results in first_order(name):
            at = results.point.arrays[0]

            def function(x, results=results, at=at):
                return np.asarray(results.beside(x - at)[0])

            def vjp(x, results=results, function=function):
                return function(x), lambda bar: (bar * results.jacobian[0],)

            try:
                check_vjp(function, vjp, (at,))
                passes = True
            except AssertionError:
                passes = False
            ours = trial.court.convictions(planted, [CHECK_GRADS])[CHECK_GRADS]
            assert passes == (not ours)
            seen.add(passes)
    assert seen == {True, False}


# The page


def test_the_page_is_written_the_same_twice(l1, tmp_path):
    path = mutation_page.write([l1], tmp_path / "deep", "symcalc this")
    text = path.read_text("utf-8")
    assert text == mutation_page.page([api.mutate("l1", seeds=20)], "symcalc this")
    assert "Written by `symcalc this`" in text
    assert all(name in text for name in OURS)


def test_a_survivor_stands_on_the_page(l1):
    lost = dataclasses.replace(l1.outcomes[0], fate=SURVIVED)
    page = mutation_page.page([dataclasses.replace(l1, outcomes=(lost,))], "this")
    assert "## Survivors" in page
    assert str(lost.mutant) in page


def test_the_committed_page_is_of_this_catalogue_and_of_these_mutants(l1):
    """The small part that is quick to make again; all of it is made again by a slow test."""
    lines = PAGE.read_text("utf-8").splitlines()
    assert mutation_page.row(mutation_page.objective_row(l1)) in lines
    for name in FIRST:
        found = [line for line in lines if line.startswith(f"| {name} |")]
        assert len(found) == 2
        count = len(Trial(sc.get(name), []).mutants)
        assert found[0].split("|")[2].strip() == str(count)
        assert found[0].split("|")[-2].strip() == "0"
        assert set(found[1].split("|")[3:-1]) == {" 0 "}
        assert found[1].split("|")[2].strip() == str(SEEDS)


@pytest.mark.slow
def test_the_committed_page_is_not_stale():
    matrices = [api.mutate(name, seeds=SEEDS) for name in FIRST]
    assert PAGE.read_text("utf-8") == mutation_page.page(matrices, COMMAND)
