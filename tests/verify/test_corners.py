"""Corners: where they lie, that they are all there, and what is held at them."""

import dataclasses
import itertools

import numpy as np
import pytest
import sympy as sp
from entries import entries

import symcalc as sc
from symcalc.calculus.balls import ball, evaluate
from symcalc.notation.conditions import Where
from symcalc.notation.reductions import Max
from symcalc.verify.corners import corners, plain
from symcalc.verify.formula import Formula
from symcalc.verify.sampling import KINK, TIE, Point, primes, size
from symcalc.verify.special import DENORMALS, TAILS
from symcalc.verify.verdict import FAIL, PASS

SHAPED = {
    "sum(i, w[i]*x[i]**2)/sum(i, w[i])": {"domains": {"w": "positive"}},
    "sum(i, sum(k, xlogy(p[i,k], q[i,k])))": {"domains": {"p": "simplex", "q": "nonnegative"}},
    "sum(i, m[i]*relu(x[i] - t))": {"domains": {"m": "mask", "t": "probability"}},
    "sum(i, abs(z[i, y[i]]))": {"shapes": {"z": "n c"}},
    "sum(t, abs(V[t+2] - V[t]))": {},
}


@pytest.fixture(scope="module")
def objectives():
    shaped = [sc.parse(text, **options) for text, options in SHAPED.items()]
    weighted = sc.get("mse").with_weights().by(("prediction", "weights"))
    return [*sc.catalogue().values(), *shaped, weighted, sc.mlp((2, 3, 1), "relu", "hinge")]


def everything(text, most=None, **options):
    objective = sc.parse(text, **options) if "(" in text else sc.get(text)
    return objective, list(corners(objective, most=most))


def named(objective, point, name):
    return point.arrays[[tensor.name for tensor in objective.inputs].index(name)]


def test_every_corner_lies_in_the_domain_of_every_input(objectives):
    for objective in objectives:
        for point in corners(objective, seed=3, most=None):
            for tensor, array in zip(objective.inputs, point.arrays, strict=True):
                domain, where = tensor.domain, f"{objective.name}, {point.at}"
                shape = tuple(size(extent, point.extents) for extent in tensor.shape)
                assert array.shape == shape, where
                assert all(domain.admits(float(entry)) for entry in array.flat), where
                if domain.below is not None:
                    assert array.dtype.kind == "i", where
                    assert array.max() < point.extents[domain.below.name], where
                if domain.rows_sum_to_one:
                    assert np.all(array.sum(axis=-1) == 1), where
                if domain.positive_total:
                    assert array.sum() > 0, where
            for parameter in objective.parameters:
                assert parameter.domain.admits(point.hyper[parameter.name])


def test_corners_say_what_is_special_and_none_comes_twice(objectives):
    for objective in objectives:
        said = [(point.kind, point.at) for point in corners(objective, most=None)]
        assert all(kind and at for kind, at in said)
        assert len(set(said)) == len(said)


def test_an_entry_is_what_the_corner_says():
    objective, points = everything("bce_with_logits")
    (point,) = [p for p in points if p.at.startswith("logits[") and p.at.endswith(" = 745.0")]
    place = int(point.at[len("logits[")])
    assert named(objective, point, "logits")[place] == 745
    assert point.kind == "tail"


def test_tails_zeros_and_denormals_of_both_signs_are_tried():
    objective, points = everything("mse")
    entries = np.concatenate([named(objective, p, "prediction") for p in points])
    for value in (*TAILS, *DENORMALS):
        assert {value, -value} <= set(entries)
    zeros = entries[entries == 0]
    assert set(np.signbit(zeros)) == {False, True}


def test_a_positive_input_gets_no_other_numbers():
    _, points = everything("sum(i, log(x[i]))", domains={"x": "positive"})
    entries = np.concatenate([point.arrays[0] for point in points])
    assert entries.min() == 5e-324
    assert entries.max() == np.inf or entries.max() == 1e20


def test_probabilities_come_to_zero_and_one():
    objective, points = everything("bce_with_logits")
    entries = set(np.concatenate([named(objective, p, "targets") for p in points]))
    assert {0.0, 1.0, 5e-324, np.nextafter(1.0, 0.0)} <= entries


def test_labels_come_to_both_ends_and_rows_are_certain():
    objective, points = everything("softmax_cross_entropy")
    seen = {tuple(named(objective, p, "labels")) for p in points if p.kind == "labels"}
    assert seen == {(0, 0), (2, 2), (0, 2)}
    objective, points = everything("kl_divergence")
    hot = [named(objective, p, "p") for p in points if "certain of 1" in p.at]
    assert np.array_equal(hot[0], [[0, 1, 0], [0, 1, 0]])


def test_normalized_rows_and_columns_are_constant():
    objective, points = everything("layer_norm")
    x = [named(objective, p, "x") for p in points if p.kind == "constant"]
    assert any(np.all(a == a[0, 0]) for a in x)
    assert any(np.all(a == a[:, :1]) and not np.all(a == a[0, 0]) for a in x)
    assert any(np.all(a == a[:1]) and not np.all(a == a[0, 0]) for a in x)


def test_extents_of_one_and_two_are_tried():
    _, points = everything("layer_norm")
    sizes = {tuple(p.extents.values()) for p in points if p.kind == "extent"}
    assert sizes == {(1, 1), (2, 2), (1, 3), (2, 1), (2, 3), (2, 2)}


def test_hyperparameters_come_to_their_ends():
    _, points = everything("huber")
    assert {1e-15, 1e20} <= {p.hyper["delta"] for p in points}
    _, points = everything("ppo_clip")
    assert {0.0, 1.0} <= {p.hyper["clip"] for p in points}


def test_a_boundary_is_met_and_passed_on_both_sides():
    objective, points = everything("huber")
    found = {}
    for point in points:
        if point.kind == KINK and ", prediction[" in point.at:
            r = named(objective, point, "prediction") - named(objective, point, "target")
            i = int(point.at.partition("i = ")[2][0])
            side = point.at.partition(", ")[2].partition("] ")[2]
            found.setdefault(side, []).append((abs(r[i]) - point.hyper["delta"]) * np.sign(r[i]))
    assert set(found["on it"]) == {0.0}
    assert 0 < max(map(abs, found["1 ulp above"])) < 1e-14
    assert 0 < max(map(abs, found["1 ulp below"])) < 1e-14
    assert min(found["1 ulp above"]) > 0 > max(found["1 ulp below"])
    assert np.allclose(found["1e-8 above"], 1e-8, rtol=0.5)
    assert np.allclose(found["1e-8 below"], -1e-8, rtol=0.5)


def test_a_boundary_that_no_number_lies_on_is_held_between_neighbours():
    _, points = everything("sum(i, relu(exp(x[i]) - 2))")
    beside = [p for p in points if p.kind == KINK]
    assert not any("on it" in p.at for p in beside)
    x = {p.at.partition("] ")[2].rpartition("] ")[2]: p.arrays[0] for p in beside}
    assert np.log(2) == pytest.approx(max(x["1 ulp above"], key=lambda v: -abs(v - np.log(2))))
    step = np.max(np.abs(x["1 ulp above"] - x["1 ulp below"]))
    assert step == np.spacing(np.log(2))


def test_two_and_all_candidates_of_a_maximum_tie():
    _, points = everything("sum(i, max(k, x[i,k]))")
    ties = [p for p in points if p.kind == TIE]
    most = [max((row == row.max()).sum() for row in p.arrays[0]) for p in ties]
    assert {1, 2, 3} == set(most)
    assert all((m == 3) == ("all 3 tie" in p.at) for m, p in zip(most, ties, strict=True))


def test_all_that_a_norm_is_made_of_vanishes():
    _, points = everything("sum(i, norm2(k, x[i,k] - y[i,k]))", wrt="x")
    gaps = [p.arrays[0] - p.arrays[1] for p in points if p.kind == KINK and "on it" in p.at]
    assert gaps
    assert all((gap == 0).all(axis=1).any() for gap in gaps)


def test_boundaries_of_what_a_network_defines_are_found():
    objective = sc.mlp((2, 3, 1), "relu", "hinge").at_any_size
    kinks = [p for p in corners(objective, most=None) if p.kind == KINK]
    assert {p.at.partition(" ")[0][:2] for p in kinks} >= {"z1", "0"}


def test_infinite_logits_mask_a_class_where_that_has_a_limit():
    objective, points = everything("softmax_cross_entropy")
    infinite = [named(objective, p, "logits") for p in points if p.kind == "infinite"]
    assert all((a == -np.inf).sum() == 1 for a in infinite)
    objective, points = everything("kl_divergence")
    found = [p for p in points if p.kind == "infinite"]
    masked = [np.isinf(named(objective, p, "log_q")) for p in found]
    assert all(np.all(named(objective, p, "p")[m] == 0) for p, m in zip(found, masked, strict=True))
    assert found
    objective, points = everything("bce_with_logits")
    found = [p for p in points if p.kind == "infinite"]
    assert {named(objective, p, "targets")[np.isinf(named(objective, p, "logits"))][0]
            for p in found} == {0.0}  # fmt: skip
    assert not [p for p in everything("mse")[1] if p.kind == "infinite"]


def test_few_corners_hold_some_of_every_sort_and_the_seed_settles_them():
    few = [(p.kind, p.at) for p in corners(sc.get("huber"), 5, most=20)]
    assert few == [(p.kind, p.at) for p in corners(sc.get("huber"), 5, most=20)]
    assert few != [(p.kind, p.at) for p in corners(sc.get("huber"), 6, most=20)]
    assert len(few) == 20
    assert {KINK, "constant", "extent", "hyperparameter"} < {kind for kind, _ in few}


def test_a_plain_point_is_of_short_fractions():
    objective = sc.get("kl_divergence")
    point = plain(objective, primes(objective, (3, 5)), 2)
    assert all(np.all(a * 2**20 == np.round(a * 2**20)) for a in point.arrays)
    assert np.all(point.arrays[1].sum(axis=-1) == 1)


@pytest.mark.parametrize("name", entries())
def test_every_objective_passes_at_its_corners(name):
    derivation = sc.derive(sc.get(name).at_any_size)
    formula = Formula(derivation, derivation.hvp)
    for point in corners(derivation.objective):
        for finding in formula.findings(point):
            assert finding.verdict == PASS, (point.at, finding)


FORMULAS = {
    "sum(i, norm2(k, x[i,k]))": {},
    "sum(i, max(k, x[i,k]) - min(k, x[i,k]))": {},
    "max(i, min(k, x[i,k]))": {},  # several pieces meet: one-sided slopes alone would not do
    "sum(i, abs(x[i])**3)": {},
    "sum(i, relu(x[i])**2)": {},
    "sum(i, exp(-abs(x[i])))": {},
    "sum(i, clip(x[i], a, b))": {"defaults": {"a": -1.0, "b": 1.0}},
    "sum(i, maximum(q*(y[i] - x[i]), (q - 1)*(y[i] - x[i])))": {"domains": {"q": "probability"}},
    "sum(t, abs(cumsum(t, x[t])))": {},
    "sum(i, (1 - sigmoid(x[i]))**g*softplus(-x[i]))": {"domains": {"g": "nonnegative"}},
    "sum(i, xlogy(x[i], x[i]))": {"domains": {"x": "nonnegative"}},
    "sum(i, -y[i]*log(x[i]) - (1 - y[i])*log(1 - x[i]))": {
        "domains": {"x": "probability", "y": "probability"}
    },
    "sum(i, kl_div(x[i], q[i]))": {"domains": {"x": "probability", "q": "positive"}},
}


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_with_kinks_and_infinite_slopes_pass(text):
    derivation = sc.derive(sc.parse(text, wrt="x", **FORMULAS[text]))
    formula = Formula(derivation, derivation.hvp)
    for point in corners(derivation.objective, most=48):
        for finding in formula.findings(point):
            assert finding.verdict == PASS, (point.at, finding)


def planted(derivation, wrt, change):
    """The derivation with the equation of one gradient changed."""
    target = derivation.gradient_of(wrt).target
    wrong = tuple(
        dataclasses.replace(e, body=change(e)) if e.target == target else e
        for e in derivation.equations
    )
    return dataclasses.replace(derivation, equations=wrong)


def failures(derivation, most=60):
    formula = Formula(derivation)
    return [
        (point.kind, finding.of)
        for point in corners(derivation.objective, most=most)
        for finding in formula.findings(point)
        if finding.verdict == FAIL
    ]


def test_a_gradient_given_to_every_tied_candidate_is_no_subgradient():
    derivation = sc.derive(sc.parse("max(i, x[i])", wrt="x"))
    assert failures(derivation) == []

    def to_all(equation):
        (i,) = equation.indices
        x = derivation.objective.inputs[0]
        j = i.fresh("j")
        return Where(sp.Ge(x[i], Max(x[j], j)), 1, 0)

    found = failures(planted(derivation, "x", to_all))
    assert (TIE, "gradient along a direction") in found
    assert not [kind for kind, of in found if of == "gradient"]  # each entry alone looks right


@pytest.mark.parametrize("slope", [2, -1])
def test_a_slope_beyond_both_sides_of_a_kink_is_caught(slope):
    derivation = sc.derive(sc.parse("sum(i, relu(x[i]))", wrt="x"))

    def beyond(equation):
        x = derivation.objective.inputs[0][equation.indices]
        return Where(x > 0, 1, Where(x >= 0, slope, 0))

    kinds = {kind for kind, _ in failures(planted(derivation, "x", beyond))}
    assert KINK in kinds
    assert "tail" not in kinds


def test_a_boundary_off_by_an_ulp_is_caught():
    derivation = sc.derive(sc.parse("sum(i, relu(x[i] - 1))", wrt="x"))

    def late(equation):
        x = derivation.objective.inputs[0][equation.indices]
        return Where(x > 1 + sp.Rational(1, 2**52), 1, 0)

    assert failures(planted(derivation, "x", late))


def test_equations_without_a_value_fail_where_the_truth_has_one():
    derivation = sc.derive(sc.parse("sum(i, sqrt(x[i]**2))", wrt="x"))
    objective = derivation.objective
    point = Point({"n": 2}, (np.array([0.0, 1.5]),), {})
    bare = planted(derivation, "x", lambda e: objective.inputs[0][e.indices]
                   / sp.sqrt(objective.inputs[0][e.indices] ** 2))  # fmt: skip
    findings = [f for f in Formula(bare).findings(point) if f.of == "gradient"]
    assert [f.verdict for f in findings] == [FAIL]
    assert "1/0" in findings[0].why


def test_where_the_truth_is_infinite_nothing_is_asked():
    derivation = sc.derive(sc.parse("sum(i, log(x[i]))", wrt="x"))
    point = Point({"n": 2}, (np.array([0.0, 1.5]),), {})
    assert list(Formula(derivation).findings(point)) == []


def test_conventions_that_add_up_to_no_subgradient_are_told():
    """softplus written out: its slope at zero is one half, and both its kinks say otherwise."""
    written = "sum(i, log1p(exp(-abs(x[i]))) + maximum(x[i], 0))"
    point = Point({"n": 1}, (np.array([0.0]),), {})
    derivation = sc.derive(sc.parse(written, wrt="x"))
    (finding,) = [f for f in Formula(derivation).findings(point) if f.of == "gradient"]
    assert finding.verdict == FAIL
    assert "no subgradient" in finding.why


@pytest.mark.parametrize("x", [40.0, 1e4, 1e20])
def test_one_less_a_sigmoid_stays_apart_from_zero(x):
    entry = sp.Dummy(real=True)
    found = evaluate(1 - sc.sigmoid(entry), {entry: ball(x)})
    assert found > 0
    assert found.rel_accuracy_bits() > 20


def test_a_tail_is_tried_in_every_real_input_of_every_objective():
    for objective in sc.catalogue().values():
        points = list(corners(objective, most=None))
        real = [t for t in objective.inputs if t.domain.admits(-1e20) and not t.domain.values]
        for tensor, value in itertools.product(real, (1e20, -1e20)):
            assert any(np.any(named(objective, p, tensor.name) == value) for p in points)


def test_numbers_that_differ_by_a_denormal_share_are_no_tie():
    """2**u and 4**u differ by 1e-310 of one: a thousand bits do not tell them apart."""
    derivation = sc.derive(sc.parse("min(k, h[k]**u)", wrt="h", domains={"h": "positive"}))
    point = Point({"n_k": 2}, (np.array([4.0, 2.0]),), {"u": 1e-310})
    point = dataclasses.replace(point, extents={d.name: 2 for d in derivation.objective.dims})
    findings = [f for f in Formula(derivation).findings(point) if f.of == "gradient"]
    assert [f.verdict for f in findings] == [PASS, PASS]
    assert [float(f.came) > 0 for f in findings] == [False, True]


def test_at_an_end_of_the_domain_a_convention_is_no_error():
    derivation = sc.derive(
        sc.parse("sum(i, norm2(k, h[i,k]))", wrt="h", domains={"h": "probability"})
    )
    extents = {dim.name: 2 for dim in derivation.objective.dims}
    point = Point(extents, (np.zeros((2, 2)),), {})
    findings = list(Formula(derivation).findings(point))
    assert {f.verdict for f in findings} == {PASS}
    assert any(f.of == "gradient" for f in findings)


def test_no_curvature_is_asked_for_where_a_slope_is_infinite():
    derivation = sc.derive(
        sc.parse("sum(i, xlogy(x[i], x[i])*y[i]**2)", wrt=("x", "y"), domains={"x": "nonnegative"})
    )
    point = Point({"n": 2}, (np.array([0.0, 1.5]), np.array([0.5, 2.0])), {})
    findings = list(Formula(derivation, derivation.hvp).findings(point))
    assert {f.verdict for f in findings} == {PASS}
    assert {(f.of, f.wrt) for f in findings} == {("value", "value"), ("gradient", "y")}
