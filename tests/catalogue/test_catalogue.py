"""The catalogue as a whole: what every entry has, and that one function is all an entry needs."""

import importlib.util
import sys

import numpy as np
import pytest
from entries import FIRST

import symcalc as sc


def test_the_first_are_there():
    assert set(FIRST) <= set(sc.catalogue())


def test_the_catalogue_is_a_read_only_mapping_in_family_order():
    found = sc.catalogue()
    families = [objective.family for objective in found.values()]
    assert families == sorted(families, key=families.index)
    with pytest.raises(TypeError):
        found["mse"] = None
    assert all(name == objective.name for name, objective in found.items())


@pytest.mark.parametrize("name", sc.catalogue())
def test_every_entry_is_described(name):
    objective = sc.get(name)
    assert objective.summary.endswith(".")
    assert objective.summary[0].isupper()
    assert len(objective.reference) > 10
    assert objective.inputs
    assert set(objective.wrt) <= {t.name for t in objective.inputs}
    assert all(p.default is None or p.domain.admits(p.default) for p in objective.parameters)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("hubr", "huber"), ("layernorm", "layer_norm"), ("MSE", "mse"), ("bce", "bce_with_logits"),
     ("cross_entropy", "softmax_cross_entropy"), ("kl", "kl_divergence")],
)  # fmt: skip
def test_an_unknown_name_comes_with_a_close_one(asked, hint):
    with pytest.raises(sc.UnknownObjectiveError, match=hint) as caught:
        sc.get(asked)
    assert isinstance(caught.value, KeyError)
    assert not str(caught.value).startswith('"')


@pytest.mark.parametrize("asked", ["", "zzzzzz", None, 3, ("mse",), ["mse"], "mse "])
def test_what_is_like_nothing_is_refused_all_the_same(asked):
    with pytest.raises(sc.UnknownObjectiveError):
        sc.get(asked)


# Losses are linear, convex, bounded below, symmetric ... as their definitions say.
@pytest.mark.parametrize("name", ["mse", "mae", "huber", "log_cosh"])
def test_a_regression_loss_is_even_zero_at_zero_and_positive_elsewhere(kernel, name):
    call = kernel(name).value_and_grad
    r = np.array([0.3, -2.0, 5.0])
    assert call(r, r)[0] == 0
    assert call(r, 0 * r)[0] == call(-r, 0 * r)[0]
    assert call(r, 0 * r)[0] > 0
    np.testing.assert_array_equal(call(r, 0 * r)[1], -call(-r, 0 * r)[1])


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "reinforce", "ppo_clip"])
def test_a_softmax_loss_ignores_a_shift_of_its_logits(kernel, sample, name):
    arrays = sample(sc.get(name), 0, n=6, c=4)
    shifted = {**arrays, "logits": arrays["logits"] + 3.0}
    value, gradient = kernel(name).value_and_grad(**arrays)
    same, slope = kernel(name).value_and_grad(**shifted)
    assert same == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


def test_normalization_normalizes_and_its_gradient_has_no_mean(kernel, sample):
    for name, axis in (("layer_norm", 1), ("batch_norm", 0)):
        arrays = sample(sc.get(name), 0, n=50, d=20)
        arrays |= {"gamma": np.ones(20), "beta": np.zeros(20)}
        cotangent = np.random.default_rng(1).normal(size=(50, 20))
        out, (x_bar, *_) = kernel(name).vjp(**arrays, cotangent=cotangent)
        np.testing.assert_allclose(out.mean(axis), 0, atol=1e-14)
        np.testing.assert_allclose(out.var(axis), 1, rtol=1e-4)
        np.testing.assert_allclose(x_bar.sum(axis), 0, atol=1e-12)
        np.testing.assert_allclose((x_bar * out).sum(axis), 0, atol=1e-3)


def test_divergence_is_zero_of_itself_and_positive_otherwise(kernel):
    p = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    with np.errstate(divide="ignore"):
        assert kernel("kl_divergence").value_and_grad(np.log(p + 0.0), p)[0] == pytest.approx(
            0, abs=1e-16
        )
    assert kernel("kl_divergence").value_and_grad(np.log(np.full((2, 3), 1 / 3)), p)[0] > 0


SIXTEENTH = '''
from symcalc.notation import Array, Formula, Positive, Real, abs, indices, log, mean, objective


@objective(wrt="prediction", reference="Black and Anandan (1996), doi:10.1006/cviu.1996.0006")
def cauchy(prediction: Real[Array, "n"], target: Real[Array, "n"], c: Positive = 1.0) -> Formula:
    """Logarithmic in the tails."""
    i = indices("n")
    r = prediction[i] - target[i]
    return c**2 / 2 * mean(i, log(1 + (r / c) ** 2))
'''


def test_a_sixteenth_is_one_function_and_nothing_else(tmp_path):
    path = tmp_path / "sixteenth.py"
    path.write_text(SIXTEENTH)
    spec = importlib.util.spec_from_file_location("sixteenth", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["sixteenth"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["sixteenth"]
    cauchy = module.cauchy
    derivation = sc.derive(cauchy)
    assert all(step.holds() for step in derivation.steps)
    rng = np.random.default_rng(0)
    p, t = rng.normal(size=(2, 40))
    for backend in ("numba", "numpy"):
        value, gradient = sc.compile(cauchy, backend=backend).value_and_grad(p, t, c=0.7)
        r = p - t
        assert value == pytest.approx(0.245 * np.mean(np.log1p((r / 0.7) ** 2)), rel=1e-13)
        np.testing.assert_allclose(gradient, r / (1 + (r / 0.7) ** 2) / 40, rtol=1e-12)
