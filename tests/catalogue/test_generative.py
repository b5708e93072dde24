"""Generative losses against PyTorch's autograd, and what their papers prove of them."""

from types import SimpleNamespace

import numpy as np
import pytest

import symcalc as sc

SIZES = {"n": 6, "m": 5, "b": 4, "c": 4, "d": 3, "h": 2, "s": 7}
BCE = "binary_cross_entropy_with_logits"


def bce(f, z, label):
    return getattr(f, BCE)(z, z.new_full(z.shape, label))


def game(t, q, p):
    best = p / (p + q)
    return (p * best.log() + q * (1 - best).log()).sum(1).mean()


def elbo(t, a):
    code = t.distributions.Normal(a.mu, (a.log_variance / 2).exp())
    gap = t.distributions.kl_divergence(code, t.distributions.Normal(0.0, 1.0)).sum(1)
    inside = getattr(t.nn.functional, BCE)(a.logits, a.x, reduction="none").sum(1)
    return (inside + gap).mean()


def divergence(t, a):
    code = t.distributions.Normal(a.mu, (a.log_variance / 2).exp())
    return t.distributions.kl_divergence(code, t.distributions.Normal(0.0, 1.0)).sum(1).mean()


def draws(a):
    return a.mu[:, None] + a.log_deviation.exp()[:, None] * a.noise


def scored(t, a):
    z = draws(a).detach()
    density = t.distributions.Normal(a.mu[:, None], a.log_deviation.exp()[:, None]).log_prob(z)
    return ((z - a.target[:, None]) ** 2 * density).mean()


# Name, hyperparameters, and the same by torch: f is torch.nn.functional, a the inputs by name.
PEERS = [
    ("gan_discriminator", {},
     lambda t, f, a: bce(f, a.real_logits, 1.0) + bce(f, a.fake_logits, 0.0)),
    ("gan_generator", {}, lambda t, f, a: bce(f, a.fake_logits, 1.0)),
    ("gan_generator_saturating", {}, lambda t, f, a: -bce(f, a.fake_logits, 0.0)),
    ("gan_value", {}, lambda t, f, a: game(t, a.q, a.p)),
    ("wgan_critic", {}, lambda t, f, a: a.fake_scores.mean() - a.real_scores.mean()),
    ("wgan_generator", {}, lambda t, f, a: -a.fake_scores.mean()),
    ("wgan_gp", {"penalty": 3.0},
     lambda t, f, a: a.fake_scores.mean() - a.real_scores.mean()
                     + 3 * ((a.slopes.norm(dim=1) - 1) ** 2).mean()),
    ("hinge_gan_discriminator", {},
     lambda t, f, a: f.relu(1 - a.real_scores).mean() + f.relu(1 + a.fake_scores).mean()),
    ("hinge_gan_generator", {}, lambda t, f, a: -a.fake_scores.mean()),
    ("lsgan_discriminator", {},
     lambda t, f, a: (((a.real_scores - 1) ** 2).mean() + (a.fake_scores**2).mean()) / 2),
    ("lsgan_generator", {}, lambda t, f, a: ((a.fake_scores - 1) ** 2).mean() / 2),
    ("gaussian_kl", {}, lambda t, f, a: divergence(t, a)),
    ("vae_elbo", {}, lambda t, f, a: elbo(t, a)),
    ("gaussian_quadratic", {},
     lambda t, f, a: ((a.mu - a.target) ** 2 + (2 * a.log_deviation).exp()).mean()),
    ("gaussian_quadratic_pathwise", {},
     lambda t, f, a: ((draws(a) - a.target[:, None]) ** 2).mean()),
    ("gaussian_quadratic_score", {}, lambda t, f, a: scored(t, a)),
    ("ddpm_epsilon", {}, lambda t, f, a: f.mse_loss(a.prediction, a.noise)),
    ("score_matching", {},
     lambda t, f, a: ((a.score**2).sum(1) / 2 + a.divergence).mean()),
    ("denoising_score_matching", {"sigma": 0.6},
     lambda t, f, a: ((a.score + (a.noisy - a.x) / 0.36) ** 2).sum(1).mean() / 2),
    ("flow_matching", {}, lambda t, f, a: f.mse_loss(a.velocity, a.x - a.noise)),
]  # fmt: skip
LAYERS = {
    "optimal_discriminator": lambda a: a["p"] / (a["p"] + a["q"]),
    "ddpm_noising": lambda a: (np.sqrt(a["alpha_bar"])[:, None] * a["x"]
                               + np.sqrt(1 - a["alpha_bar"])[:, None] * a["noise"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "peer"), PEERS)
def test_value_and_gradient_are_pytorchs(kernel, sample, name, parameters, peer):
    torch = pytest.importorskip("torch")
    objective = sc.get(name)
    arrays = sample(objective, 1, **SIZES)
    inputs = SimpleNamespace(**{k: torch.from_numpy(v.copy()) for k, v in arrays.items()})
    for key in objective.wrt:
        getattr(inputs, key).requires_grad_()
    expected = peer(torch, torch.nn.functional, inputs)
    expected.backward()
    value, gradient = kernel(name, backend="numpy").value_and_grad(**arrays, **parameters)
    assert value == pytest.approx(expected.item(), rel=1e-12, abs=1e-14)
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    for key, part in zip(objective.wrt, parts, strict=True):
        np.testing.assert_allclose(part, getattr(inputs, key).grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_formula(kernel, sample, name):
    arrays = sample(sc.get(name), 1, **SIZES)
    np.testing.assert_allclose(
        kernel(name, backend="numpy")(**arrays), LAYERS[name](arrays), rtol=1e-14
    )


def test_every_entry_is_compared():
    ours = {name for name, entry in sc.catalogue().items() if entry.family == "generative"}
    assert ours == {name for name, *_ in PEERS} | set(LAYERS)


def test_the_optimal_discriminator_solves_the_game_and_its_value_is_jensen_shannons(kernel):
    """Goodfellow et al. (2014), proposition 1 and theorem 1, on three outcomes."""
    p, q = np.array([[0.2, 0.5, 0.3]]), np.array([[0.6, 0.1, 0.3]])
    best = kernel("optimal_discriminator", backend="numpy")(q, p)
    logits = np.log(best / (1 - best))
    loss = sc.parse("mean(i, sum(k, p[i,k]*softplus(-z[i,k]) + q[i,k]*softplus(z[i,k])))", wrt="z")
    value, slope = sc.compile(loss, backend="numpy").value_and_grad(z=logits, p=p, q=q)
    np.testing.assert_allclose(slope, 0, atol=1e-16)
    game_value = kernel("gan_value", backend="numpy")(q, p)
    assert game_value == pytest.approx(-value, rel=1e-14)
    divergence = kernel("js_divergence", backend="numpy")(q, p)
    assert game_value == pytest.approx(2 * divergence - np.log(4), rel=1e-14)


def test_both_estimators_are_unbiased_and_the_pathwise_one_varies_less(kernel):
    """Means over many draws agree with the closed form within five standard errors."""
    rng, count = np.random.default_rng(0), 20_000
    point = {"mu": np.full(count, 0.4), "log_deviation": np.full(count, -0.3),
             "target": np.full(count, -1.0)}  # fmt: skip
    noise = rng.normal(size=(count, 1))
    exact = kernel("gaussian_quadratic", backend="numpy").grad(**point)
    spread = {}
    for name in ("pathwise", "score"):
        full = f"gaussian_quadratic_{name}"
        parts = kernel(full, backend="numpy").grad(**point, noise=noise)
        each = [count * part for part in parts]
        for found, true in zip(each, exact, strict=True):
            error = found.std() / np.sqrt(count)
            assert abs(found.mean() - count * true[0]) < 5 * error
        spread[name] = [part.var() for part in each]
    for calm, wild in zip(spread["pathwise"], spread["score"], strict=True):
        assert calm < wild / 3


def test_explicit_and_implicit_score_matching_have_one_minimum(kernel):
    """For a Gaussian's score s = -a(x - m) both criteria are least at the data's own a and m."""
    x = np.random.default_rng(3).normal(1.5, 0.7, size=(400, 1))
    implicit = kernel("score_matching", backend="numpy")

    def at(a, m):
        return implicit(-a * (x - m), np.full(400, -a))

    best = at(1 / x.var(), x.mean())
    assert best == pytest.approx(-1 / x.var() / 2, rel=1e-12)
    assert all(at(1 / x.var() + da, x.mean() + dm) > best for da, dm in [(0.1, 0), (-0.1, 0.1)])


ONE, INF = [1.0], np.inf
# Name, inputs, hyperparameters, value and first gradient where floating point is at its ends.
ENDS = [
    ("gan_discriminator", ([-800.0], [800.0]), {}, 1600, [-1]),
    ("gan_discriminator", ([INF], [-INF]), {}, 0, [0]),
    ("gan_generator", ([-800.0],), {}, 800, [-1]),
    ("gan_generator_saturating", ([-800.0],), {}, 0, [0]),
    ("gan_generator_saturating", ([800.0],), {}, -800, [-1]),
    ("gan_value", ([[0.0, 1.0]], [[1.0, 0.0]]), {}, 0, [[-INF, 0]]),
    ("gan_value", ([[1.0, 0.0]], [[1.0, 0.0]]), {}, -np.log(4), [[-np.log(2), 0]]),
    ("wgan_gp", (ONE, ONE, [[0.0, 0.0]]), {}, 10, [-1]),
    ("hinge_gan_discriminator", (ONE, [-1.0]), {}, 0, [0]),
    ("gaussian_kl", ([[0.0]], [[1e-9]]), {}, 2.5e-19, [[0]]),
    ("gaussian_kl", ([[0.0]], [[-800.0]]), {}, 399.5, [[0]]),
    ("vae_elbo", ([[-800.0]], [[1.0]], [[0.0]], [[0.0]]), {}, 800, [[-1]]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "value", "gradient"), ENDS)
def test_the_ends_of_the_range_are_limits(kernel, name, arrays, parameters, value, gradient):
    call = kernel(name, backend="numpy").value_and_grad
    got, slope = call(*map(np.array, arrays), **parameters)
    assert got == pytest.approx(value, rel=1e-14)
    slope = slope[0] if isinstance(slope, tuple) else slope
    np.testing.assert_allclose(slope, gradient, rtol=1e-12)


REFUSED = [
    ("optimal_discriminator", ([[0.5, 1.5]], [[0.5, 0.5]]), {}, "q"),
    ("gan_value", ([[0.5, 0.5]], [[0.5, 0.6]]), {}, "p"),
    ("wgan_gp", (ONE, ONE, [[1.0]]), {"penalty": -1.0}, "penalty"),
    ("vae_elbo", ([[0.0]], [[1.5]], [[0.0]], [[0.0]]), {}, "x"),
    ("gaussian_kl", ([[0.0]], [[0.0, 1.0]]), {}, "log_variance"),
    ("ddpm_noising", ([[0.0]], [[0.0]], [1.2]), {}, "alpha_bar"),
    ("denoising_score_matching", ([[0.0]], [[0.0]], [[0.0]]), {"sigma": 0.0}, "sigma"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "culprit"), REFUSED)
def test_bad_input_is_refused_by_name(kernel, name, arrays, parameters, culprit):
    call = kernel(name, backend="numpy")
    with pytest.raises(sc.ArgumentError, match=f"{name}: {culprit}"):
        call(*map(np.array, arrays), **parameters)
