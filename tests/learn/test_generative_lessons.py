"""The losses under networks are what they say, and what is generated comes near the data."""

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn import gan, losses, toys, vae


def layers(x, *weights):
    for place, (w, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        x = (np.tanh(x) if place else x) @ w.T + b
    return x


def rectified(x, *weights):
    for place, (w, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        x = (np.where(x.real > 0, x, 0) if place else x) @ w.T + b
    return x[:, 0]


def softplus(x):
    return np.log(1 + np.exp(x))


def judged(real, fake, *w):
    return softplus(-rectified(real, *w)).mean() + softplus(rectified(fake, *w)).mean()


def forged(noise, *weights):
    return softplus(-rectified(layers(noise, *weights[:6]), *weights[6:])).mean()


def bounded(x, noise, *weights):
    *trunk, wm, bm, wv, bv = weights[:8]
    mu, log_variance = layers(x, *trunk, wm, bm), layers(x, *trunk, wv, bv)
    xhat = layers(mu + np.exp(log_variance / 2) * noise, *weights[8:])
    likelihood = -((x - xhat) ** 2) / (2 * 0.1**2) - np.log(0.1) - np.log(2 * np.pi) / 2
    divergence = (mu**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return (divergence.sum(axis=1) - likelihood.sum(axis=1)).mean()


@pytest.mark.parametrize(
    ("objective", "written"),
    [
        (losses.network_discriminator, judged),
        (losses.network_generator, forged),
        (losses.network_vae, bounded),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_value_and_gradient_are_those_of_the_networks_written_out(objective, written):
    """The gradient of what is written out, by steps into the imaginary direction."""
    rng = np.random.default_rng(0)
    sizes = dict.fromkeys("hgqprn", 3) | {"d": 2, "l": 2, "m": 4, "o": 1, "n": 5}
    arrays = [
        rng.normal(size=[sizes[str(extent)] for extent in tensor.shape])
        for tensor in objective.inputs
    ]
    value, slopes = sc.compile(objective, backend="numpy").value_and_grad(*arrays)
    assert value == pytest.approx(written(*arrays), rel=1e-13)
    names = [tensor.name for tensor in objective.inputs]
    for name, slope in zip(objective.wrt, slopes, strict=True):
        place = names.index(name)
        for entry in np.ndindex(slope.shape):
            moved = [array.astype(complex) for array in arrays]
            moved[place][entry] += 1e-30j
            assert slope[entry] == pytest.approx(written(*moved).imag / 1e-30, rel=1e-11, abs=1e-14)


def test_the_energy_distance_tells_sets_apart():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400, 2))
    assert abs(toys.energy_distance(a, b)) < 0.02
    # Of two points, from each other and from themselves: 2 * 3 - 0 - 0.
    far = toys.energy_distance(np.zeros((2, 2)), np.tile([3.0, 0.0], (2, 1)))
    assert far == pytest.approx(6)
    assert toys.energy_distance(a, b + 1) > 0.5


@pytest.mark.parametrize("name", toys.TOYS)
def test_toy_sets_are_centred_and_of_a_size(name):
    points = toys.toy(name)(4000, np.random.default_rng(0))
    assert points.shape == (4000, 2)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.05)
    assert 0.5 < points.std() < 1.1


@pytest.fixture(scope="module", params=[gan, vae], ids=["gan", "vae"])
def short(request):
    return request.param, request.param.train("ring", 60, backend="numpy")


def test_a_few_steps_leave_a_whole_run(short):
    module, run = short
    assert len(run.losses) == 60
    assert run.samples.shape == run.data.shape == (module.SHOWN, 2)
    assert not np.array_equal(run.samples, run.before)
    assert abs(run.floor) < 0.02
    assert run.table()[0][0].endswith("on ring")
    assert len(run.draw().axes) == (3 if module is gan else 4)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "most"), [(gan, 0.015), (vae, 0.02)])
def test_samples_come_near_the_data(module, most):
    run = module.train("moons")
    assert toys.energy_distance(run.before, run.data) > 0.1
    assert toys.energy_distance(run.samples, run.data) < most


def test_what_does_not_fit_is_refused():
    for words, train in (
        ("data: expected one of moons, ring, clouds, got 'eggs'", lambda: gan.train("eggs")),
        ("steps: expected a whole number from 1 on, got 0", lambda: vae.train(steps=0)),
        ("sigma: expected a number above 0, got -1", lambda: vae.train(sigma=-1.0)),
        ("lr: expected a number above 0, got -1", lambda: gan.train(lr=-1.0)),
    ):
        with pytest.raises(sc.ArgumentError, match=words):
            train()
