"""`minimize` takes the steps that the optimizers' papers write, on the batches it says."""

import pickle

import numpy as np
import pytest

import symcalc as sc
from symcalc import learn
from symcalc.notation import Array, Positive, Real

X = np.random.default_rng(3).normal(size=(7, 2))
Y = X @ np.array([1.0, -2.0]) + 0.5


@sc.objective(wrt="theta")
def bowl(theta: Real[Array, "n"], scale: Real[Array, "n"], sharp: Positive = 1.0):
    """Half a weighted sum of squares."""
    i = sc.indices("n")
    return sharp * sc.sum(i, scale[i] * theta[i] ** 2) / 2


def run(optimizer="gradient_descent", start=(1.0, -2.0), scale=(1.0, 3.0), **options):
    options = {"steps": 5, "backend": "numpy", **options}
    return learn.minimize(bowl, np.array(start), optimizer, {"scale": np.array(scale)}, **options)


def test_gradient_descent_is_the_power_of_a_matrix():
    found = run(lr=0.1, steps=6)
    powers = np.array([[0.9**k, -2 * 0.7**k] for k in range(7)])
    np.testing.assert_allclose(found.parameters["theta"], powers, rtol=1e-13)
    np.testing.assert_array_equal(found.at, range(7))
    np.testing.assert_allclose(found.values, powers**2 @ [0.5, 1.5], rtol=1e-13)
    np.testing.assert_array_equal(found.step_sizes, [0.1] * 6)
    np.testing.assert_array_equal(found.final, found.parameters["theta"][-1])
    assert (found.steps, found.objective, found.optimizer) == (6, "bowl", "gradient_descent")
    assert not found.diverged


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_adam_is_the_papers_algorithm(backend):
    found = run(learn.use("adam", beta1=0.8), lr=0.1, steps=40, backend=backend)
    theta, m, v = np.array([1.0, -2.0]), 0.0, 0.0
    for t in range(1, 41):
        g = np.array([1.0, 3.0]) * theta
        m, v = 0.8 * m + 0.2 * g, 0.999 * v + 0.001 * g * g
        theta = theta - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(found.final, theta, rtol=1e-10)


@pytest.mark.parametrize("name", learn.optimizers())
def test_every_optimizer_goes_down(name):
    found = run(name, steps=60, lr=None if name == "adadelta" else 0.02)
    assert found.values[-1] < found.values[0]


def test_the_start_is_copied_and_hyperparameters_go_with_the_data():
    start = np.array([1.0, 1.0])
    data = {"scale": np.ones(2), "sharp": 2.0}
    found = learn.minimize(bowl, start, "sgd", data, steps=1, lr=0.25, backend="numpy")
    np.testing.assert_array_equal(start, 1)
    np.testing.assert_array_equal(found.final, 0.5)


def test_several_parameters_are_one_vector_to_the_clip():
    start = {"weight": np.zeros(2), "bias": np.array(0.0)}
    free, held = (
        learn.minimize(
            "linear_regression", start, "gradient_descent", {"x": X, "y": Y}, steps=1, lr=1.0,
            clip=clip, backend="numpy",
        ).final
        for clip in (None, 0.5)
    )  # fmt: skip
    assert set(free) == {"weight", "bias"}
    assert free["bias"].shape == ()
    flat = [np.concatenate([f["weight"], [f["bias"]]]) for f in (free, held)]
    np.testing.assert_allclose(flat[0][:2], 2 * X.T @ Y / 7)
    assert np.linalg.norm(flat[1]) == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(flat[1] / flat[0], flat[1][0] / flat[0][0])


def test_an_epoch_sees_every_row_once():
    """With a step size of next to nothing, the batches' gradients add up to the whole one."""
    start = {"weight": np.zeros(2), "bias": np.array(0.0)}
    found = learn.minimize(
        "linear_regression", start, "gradient_descent", {"x": X, "y": Y}, steps=6, lr=1e-9,
        batch=3, backend="numpy",
    )  # fmt: skip
    sizes = np.array([3, 3, 1])
    for epoch in (found.values[:3], found.values[3:6]):
        assert np.mean(Y**2) * 7 == pytest.approx(epoch @ sizes, rel=1e-6)
    assert not np.allclose(found.values[:3], found.values[3:6])
    assert found.values[-1] == pytest.approx(np.mean(Y**2), rel=1e-6)


def test_weights_of_samples_go_with_their_rows():
    """Rows of weight 0 are not there; each row's weight is in its own batch."""
    start = {"weight": np.zeros(2), "bias": np.array(0.0)}
    weights = np.array([1.0, 0, 2, 0, 1, 1, 0])
    options = {"steps": 1, "lr": 0.1, "backend": "numpy"}
    data = {"x": X, "y": Y, "weights": weights}
    whole = learn.minimize("linear_regression", start, "sgd", data, **options)
    assert whole.values[0] == pytest.approx(np.average(Y**2, weights=weights))
    rows = np.random.default_rng(0).permutation(7)[:4]
    part = learn.minimize("linear_regression", start, "sgd", data, batch=4, **options)
    assert part.values[0] == pytest.approx(np.average(Y[rows] ** 2, weights=weights[rows]))
    assert part.values[1] != whole.values[1]


def test_float32_trains_in_float32():
    start = {"weight": np.zeros(2), "bias": np.array(0.0)}
    options = {"steps": 200, "lr": 0.05, "backend": "numpy", "batch": 3}
    found = learn.minimize("linear_regression", start, "adam", {"x": X, "y": Y}, dtype="float32",
                           **options)  # fmt: skip
    assert found.final["weight"].dtype == np.float32
    exact = learn.minimize("linear_regression", start, "adam", {"x": X, "y": Y}, **options)
    np.testing.assert_allclose(found.final["weight"], exact.final["weight"], rtol=1e-3)


def test_the_seed_says_it_all():
    runs = [
        learn.minimize(
            "linear_regression", {"weight": np.zeros(2), "bias": np.array(0.0)}, "momentum",
            {"x": X, "y": Y}, steps=9, batch=2, seed=seed, backend="numpy",
        ).values
        for seed in (1, 1, 2)
    ]  # fmt: skip
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_schedules_count_steps_from_one():
    k = np.arange(1.0, 9.0)
    for schedule, rates in [
        ("inverse_sqrt", 0.1 / np.sqrt(k)),
        ("cosine", 0.1 * (1 + np.cos(np.pi * k / 8)) / 2),
        (learn.use("inverse_time", beta=0.5), 0.1 / (1 + 0.5 * k)),
        (learn.use("warmup_schedule", warmup=4), 0.1 * np.minimum(k / 4, 1)),
    ]:
        found = run(schedule=schedule, lr=0.1, steps=8)
        np.testing.assert_allclose(found.step_sizes, rates, rtol=1e-14, atol=1e-17)


def test_a_run_that_leaves_the_numbers_ends_there():
    with np.errstate(over="ignore"):
        found = run(lr=1e80, steps=50)
    assert found.diverged
    assert found.steps < 10
    assert len(found.values) == found.steps + 1
    assert np.isfinite(found.values[:-1]).all()


def test_long_runs_are_kept_in_fewer_places(monkeypatch):
    monkeypatch.setattr("symcalc.learn.descent.KEPT_NUMBERS", 20)
    found = run(lr=0.1, steps=50)
    assert len(found.at) < 15
    assert found.at[[0, -1]].tolist() == [0, 50]
    np.testing.assert_allclose(found.parameters["theta"][:, 0], 0.9**found.at, rtol=1e-12)


def test_progress_is_told_of_every_step():
    told = []
    found = run(steps=3, progress=lambda step, value: told.append((step, value)))
    assert told == [(1, found.values[0]), (2, found.values[1]), (3, found.values[2])]


def test_an_update_of_ones_own_may_start_where_it_likes():
    @sc.objective(wrt="gradient")
    def averaged(theta: Real[Array, "n"], gradient: Real[Array, "n"], past: Real[Array, "n"]):
        """Half the gradient, half what was followed last."""
        i = sc.indices("n")
        ahead = sc.define("ahead", i, (past[i] + gradient[i]) / 2)
        return sc.becomes(theta=theta[i] - ahead[i], past=ahead)

    found = run(learn.use(averaged, past=3.0), steps=1)
    np.testing.assert_array_equal(found.final, [1 - 2, -2 - (3 - 6) / 2])
    assert np.isnan(found.step_sizes).all()
    with pytest.raises(sc.ArgumentError, match="averaged has no learning rate lr to schedule"):
        run(averaged, schedule="cosine")


def test_a_trajectory_pickles():
    found = run(lr=0.1)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.parameters["theta"], found.parameters["theta"])


def test_the_plot_shows_the_values():
    found = run(lr=0.1)
    (line,) = found.plot().axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), found.values)


@pytest.mark.parametrize(
    ("error", "words", "options"),
    [
        (KeyError, "optimizer: .*adm.*; there are gradient_descent, sgd", {"optimizer": "adm"}),
        (ValueError, "expected an update of parameters", {"optimizer": "mse"}),
        (ValueError, "expected an update of parameters", {"optimizer": "q_learning_update"}),
        (TypeError, "optimizer|expected an Objective", {"optimizer": 3}),
        (ValueError, "lr", {"lr": -1.0}),
        (ValueError, "steps: expected a whole number from 1 on, got 0", {"steps": 0}),
        (TypeError, "steps: expected a whole number, got 2.5", {"steps": 2.5}),
        (ValueError, "schedule: expected one of constant, inverse_time", {"schedule": "mse"}),
        (KeyError, "cosin", {"schedule": "cosin"}),
        (ValueError, "max_norm", {"clip": -1.0}),
        (ValueError, "start: theta: expected finite numbers", {"start": (np.nan, 1.0)}),
        (ValueError, "start: theta: expected an array of 1 axes", {"start": ((1.0, 1.0),)}),
        (TypeError, "start: theta: expected real numbers", {"start": ("a", "b")}),
        (ValueError, "scale: expected shape", {"scale": (1.0, 2.0, 3.0)}),
        (ValueError, "batch: expected data with a row a sample", {"batch": 2}),
        (ValueError, "backend", {"backend": "fortran"}),
        (ValueError, "seed: expected a whole number from 0 on, got -1", {"seed": -1}),
    ],
)
def test_what_does_not_fit_is_said(error, words, options):
    with pytest.raises(error, match=words) as caught:
        run(**options)
    assert isinstance(caught.value, sc.SymcalcError)


def test_more_that_does_not_fit():
    start = {"weight": np.zeros(2), "bias": np.array(0.0)}
    for words, data, options in (
        ("missing y", {"x": X}, {}),
        ("unknown name 'z'; expected x, y, weights", {"x": X, "y": Y, "z": 1}, {}),
        ("unknown name 'bias'", {"x": X, "y": Y, "bias": 1.0}, {}),
        ("batch: expected a whole number from 1 to 7, got 8", {"x": X, "y": Y}, {"batch": 8}),
        ("as many rows each, got x 7, y 6", {"x": X, "y": Y[:6]}, {"batch": 2}),
        ("x: expected an array of 2 axes", {"x": Y, "y": Y}, {"batch": 2}),
    ):
        with pytest.raises(sc.SymcalcError, match=words):
            learn.minimize("linear_regression", start, data=data, backend="numpy", **options)
    with pytest.raises(sc.ArgumentError, match="value is one number"):
        learn.minimize("softmax", {"x": X}, backend="numpy")
    with pytest.raises(TypeError, match="start: expected a dict with weight, bias"):
        learn.minimize("linear_regression", np.zeros(2), data={"x": X, "y": Y})
    with pytest.raises(TypeError, match="start: expected some of theta, scale, got 'thta'"):
        learn.minimize(bowl, {"thta": np.ones(2)}, data={"scale": np.ones(2)})
    with pytest.raises(TypeError, match="lr was given twice"):
        run(learn.use("adam", lr=0.1), lr=0.2)
    masked = np.ma.masked_equal(Y, Y[0])
    with pytest.raises(TypeError, match="y: expected a plain array, got a masked one"):
        learn.minimize("linear_regression", start, data={"x": X, "y": masked}, backend="numpy")
    with pytest.raises(TypeError, match="adam: beta1: expected a number, got 'a'"):
        learn.use("adam", beta1="a")
    with pytest.raises(TypeError, match="unknown hyperparameter 'beta3'; expected step, lr"):
        learn.use("adam", beta3=1)


def test_a_model_computes_from_what_its_parameters_are():
    model = learn.Model(bowl, {"theta": [1.0, 2.0]}, "numpy")
    scale = np.array([1.0, 3.0])
    assert model.value(scale=scale) == 6.5
    assert model.value_and_grad(scale=scale) == 6.5
    np.testing.assert_array_equal(model.gradient, [1, 6])
    model.parameters["theta"][:] = 2
    assert model.value(scale=scale, sharp=2.0) == 16


def test_glorot_needs_widths():
    net = sc.mlp((3, 5, 1))
    start = learn.glorot(net, np.random.default_rng(0))
    assert {name: array.shape for name, array in start.items()} == {
        "W1": (5, 3), "b1": (5,), "W2": (1, 5), "b2": (1,)
    }  # fmt: skip
    assert 0 < np.abs(start["W1"]).max() < np.sqrt(6 / 8)
    assert not start["b1"].any()
    with pytest.raises(sc.ArgumentError, match="expected a network of fixed widths"):
        learn.glorot(sc.get("linear_regression"), np.random.default_rng(0))
