"""Networks: their equations, their numbers, their training."""

import itertools

import numpy as np
import pytest

import symcalc as sc
from symcalc.backends.modes import task
from symcalc.program.lower import lower


def arrays_of(widths, loss, n=7, seed=0):
    """Draw x, the weights and biases, and the targets of a loss."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=(n, widths[0]))]
    for before, width in itertools.pairwise(widths):
        made += [rng.normal(size=(width, before)), rng.normal(size=width)]
    if loss == "softmax_cross_entropy":
        return [*made, rng.integers(0, widths[-1], n)]
    return [*made, rng.uniform(size=n if widths[-1] == 1 else (n, widths[-1]))]


def test_the_equations_are_backpropagation_as_the_textbook_writes_it():
    derivation = sc.derive(sc.mlp((2, 8, 4, 1)))
    written = {str(a.target): str(a.body) for a in derivation.adjoints}
    assert list(written) == [
        "delta3", "delta2", "delta1", "W1_bar", "b1_bar", "W2_bar", "b2_bar", "W3_bar", "b3_bar",
    ]  # fmt: skip
    assert written["delta3"] == "(sigmoid(z3[i, k]) - targets[i])/(d3*n)"
    assert written["W2_bar"] == "sum(i, delta2[i, k]*h1[i, j])"
    assert written["b2_bar"] == "sum(i, delta2[i, k])"
    for part in ("sum(k, W2[k, j]*delta2[i, k])", "h1[i, j]", "sigmoid(-z1[i, j])"):
        assert part in written["delta1"]
    assert r"\delta_{1, ij} &=" in derivation.latex()
    assert all(step.holds() for step in derivation.steps)


def test_every_product_is_one_matrix_product():
    kernel = sc.compile(sc.mlp((3, 5, 4, 2), "tanh", "softmax_cross_entropy"))
    forward, back, weights = 3, 2, 3
    assert kernel.source.count("np.dot") == forward + back + weights


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(
    ("widths", "activation", "loss"),
    [((3, 1), "sigmoid", "mse"), ((2, 8, 1), "sigmoid", "bce_with_logits"),
     ((3, 5, 4, 2), "relu", "softmax_cross_entropy"), ((3, 5, 2), "relu", "mse"),
     ((2, 4, 3, 3, 2), ("tanh", "relu", "sigmoid"), "bce_with_logits")],
)  # fmt: skip
def test_numbers_are_pytorchs(widths, activation, loss, backend):
    torch = pytest.importorskip("torch")
    made = arrays_of(widths, loss)
    x, *parameters, y = (torch.tensor(a) for a in made)
    depth = len(widths) - 1
    for parameter in parameters:
        parameter.requires_grad_(True)
    functions = [activation] * (depth - 1) if isinstance(activation, str) else activation
    h = x
    for layer in range(depth):
        h = torch.nn.functional.linear(h, *parameters[2 * layer : 2 * layer + 2])
        h = getattr(torch, functions[layer])(h) if layer < depth - 1 else h
    name = {"mse": "mse_loss", "bce_with_logits": "binary_cross_entropy_with_logits",
            "softmax_cross_entropy": "cross_entropy"}[loss]  # fmt: skip
    h = h.squeeze(1) if widths[-1] == 1 else h
    truth = getattr(torch.nn.functional, name)(h, y)
    truth.backward()
    kernel = sc.compile(sc.mlp(widths, activation, loss), backend=backend)
    value, gradients = kernel.value_and_grad(*made)
    assert value == pytest.approx(truth.item(), rel=1e-12)
    for came, parameter in zip(gradients, parameters, strict=True):
        size = float(parameter.grad.abs().max())
        np.testing.assert_allclose(came, parameter.grad.numpy(), rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_directional_derivatives_are_those_of_jax(backend):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    x, *parameters, y = arrays_of((2, 3, 2), "mse", n=5)

    def loss(*learned):
        w1, b1, w2, b2 = learned
        z = jax.numpy.tanh(x @ w1.T + b1) @ w2.T + b2
        return jax.numpy.mean((z - y) ** 2)

    rng = np.random.default_rng(3)
    moves = tuple(rng.normal(size=p.shape) for p in parameters)
    primal = tuple(map(jax.numpy.asarray, parameters))
    kernel = sc.compile(sc.mlp((2, 3, 2), "tanh", "mse"), backend=backend)
    value, slope = kernel.jvp(
        x, *parameters, y, tangents=dict(zip(("W1", "b1", "W2", "b2"), moves, strict=True))
    )
    truth = jax.jvp(loss, primal, moves)
    np.testing.assert_allclose((value, slope), [float(t) for t in truth], rtol=1e-12)
    products = kernel.hvp(x, *parameters, y, vector=moves)
    _, wanted = jax.jvp(jax.grad(loss, argnums=(0, 1, 2, 3)), primal, moves)
    for came, true in zip(products, wanted, strict=True):
        np.testing.assert_allclose(came, true, rtol=1e-11, atol=1e-13)


def test_single_precision_and_the_gradient_by_the_input():
    x, *parameters, y = arrays_of((3, 4, 1), "mse")
    whole = sc.compile(sc.mlp((3, 4, 1), "tanh", "mse", wrt="x"))
    h = np.tanh(x @ parameters[0].T + parameters[1])
    residual = (h @ parameters[2].T + parameters[3])[:, 0] - y
    truth = (2 / len(y)) * (residual[:, None] * parameters[2] * (1 - h**2)) @ parameters[0]
    np.testing.assert_allclose(whole.grad(x, *parameters, y), truth, rtol=1e-11)
    single = sc.compile(sc.mlp((3, 4, 1), "tanh", "mse", wrt="x"), dtype="float32")
    narrow = [a.astype(np.float32) for a in (x, *parameters, y)]
    np.testing.assert_allclose(single.grad(*narrow), truth, rtol=1e-4, atol=1e-5)


def test_gradient_descent_learns_exclusive_or():
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0.0, 1.0, 1.0, 0.0])
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=(8, 2)), np.zeros(8), rng.normal(size=(1, 8)), np.zeros(1)]
    kernel = sc.compile(sc.mlp((2, 8, 1)))
    buffers = tuple(np.empty_like(p) for p in parameters)
    first = kernel(x, *parameters, y)
    for _ in range(4000):
        value, _ = kernel.value_and_grad(x, *parameters, y, out=buffers)
        for parameter, slope in zip(parameters, buffers, strict=True):
            parameter -= slope
    h = 1 / (1 + np.exp(-(x @ parameters[0].T + parameters[1])))
    z = (h @ parameters[2].T + parameters[3])[:, 0]
    assert value < 0.05 < first
    np.testing.assert_array_equal(z > 0, y == 1)


def test_a_hundred_layers_are_two_hundred_definitions():
    made = sc.mlp((3, *[2] * 99, 1), "tanh", "mse")
    assert len(made.definitions) == 199
    assert made.model == "z100"
    assert str(made.definitions[-1]) == "z100[i, k] = b100[k] + sum(j, W100[k, j]*h99[i, j])"


def test_the_program_grows_with_the_depth_and_no_faster():
    def length(depth):
        derivation = sc.derive(sc.mlp((2,) * (depth + 1), "tanh", "mse"))
        wanted = task(derivation, "value_and_grad")
        program = lower(derivation.objective, wanted.name, wanted.equations, wanted.inputs,
                        wanted.outputs, wanted.number)  # fmt: skip
        return len(program.stages)

    assert length(9) - length(6) == length(6) - length(3)


def test_reduction_and_weights(sample):
    x, *parameters, y = arrays_of((2, 3, 2), "mse")
    z = np.tanh(x @ parameters[0].T + parameters[1]) @ parameters[2].T + parameters[3]
    each = ((z - y) ** 2).mean(axis=1)
    network = sc.mlp((2, 3, 2), "tanh", "mse")
    kernel = sc.compile(network, backend="numpy")
    weights = np.linspace(0.5, 2, len(each))
    assert kernel(x, *parameters, y) == pytest.approx(each.mean())
    weighted = kernel(x, *parameters, y, weights=weights)
    assert weighted == pytest.approx(np.average(each, weights=weights))
    alone = sc.compile(network, backend="numpy", reduction="none")
    np.testing.assert_allclose(alone(x, *parameters, y), each)


def test_arrays_that_do_not_fit_the_widths_are_refused_by_the_layer():
    kernel = sc.compile(sc.mlp((2, 3, 1), "tanh", "mse"), backend="numpy")
    good = arrays_of((2, 3, 1), "mse")
    wide = arrays_of((2, 4, 1), "mse")
    with pytest.raises(sc.ArgumentError, match=r"d1 = 3 \(layer 1 has 3 units\), got 4"):
        kernel.grad(*wide)
    with pytest.raises(sc.ArgumentError, match=r"d0 = 2 \(layer 1 reads 2 numbers\), got 5"):
        kernel.grad(*arrays_of((5, 3, 1), "mse"))
    with pytest.raises(sc.ArgumentError, match="W2: expected shape"):
        kernel.grad(*good[:3], wide[3], *good[4:])


def test_any_loss_and_any_function_of_the_notation():
    huber = sc.mlp((2, 3, 2), sc.log_cosh, "huber")
    assert [p.name for p in huber.parameters] == ["delta"]
    assert "log_cosh(z1[i, j])" in str(huber)
    assert [str(s) for s in huber.input("target").shape] == ["n", "d2"]
    own = sc.parse("mean(i, (p[i]-x[i])**4)", wrt="p", name="quartic")
    assert [t.name for t in sc.mlp((2, 1), loss=own).inputs] == ["x", "W1", "b1", "quartic_x"]
    divergence = sc.mlp((2, 3), loss="kl_divergence")
    assert [str(s) for s in divergence.input("p").shape] == ["n", "d1"]
    assert sc.mlp((2, 1)).spelling == 'sc.mlp((2, 1), "sigmoid", "bce_with_logits")'
    assert sc.mlp((2, 1), wrt="x").wrt == ("x",)


def test_a_check_looks_at_a_network():
    assert sc.check(sc.mlp((2, 2, 1), "tanh", "mse"))


@pytest.mark.parametrize(
    ("made", "message"),
    [(lambda: sc.mlp((2,)), "at least two whole numbers"),
     (lambda: sc.mlp((2, 0, 1)), "from 1 on"),
     (lambda: sc.mlp((2, 1.5)), "whole numbers"),
     (lambda: sc.mlp(3), "got 3"),
     (lambda: sc.mlp((2, 3, 1), "swish"), "expected one of sigmoid, tanh, relu.*'swish'"),
     (lambda: sc.mlp((2, 3, 1), ("tanh", "relu")), "each of the 1 hidden layers, got 2"),
     (lambda: sc.mlp((2, 1), loss=3), "a scalar objective or a catalogue name, got 3"),
     (lambda: sc.mlp((2, 1), loss="layer_norm"), "a scalar objective"),
     (lambda: sc.mlp((2, 1), loss="l2"), "l2 is neither"),
     (lambda: sc.mlp((2, 1), loss="msee"), "did you mean 'mse'"),
     (lambda: sc.mlp((2, 1), wrt="W9"), "wrt: expected one of")],
)  # fmt: skip
def test_a_description_that_makes_no_sense_is_refused(made, message):
    with pytest.raises(sc.SymcalcError, match=message):
        made()


def test_the_network_alone_gives_what_the_loss_reads():
    layer = sc.network((2, 4, 3), "tanh")
    rng = np.random.default_rng(0)
    x, w1, b1, w2, b2 = (rng.normal(size=s) for s in ((5, 2), (4, 2), 4, (3, 4), 3))
    kernel = sc.compile(layer, backend="numpy")
    z = np.tanh(x @ w1.T + b1) @ w2.T + b2
    np.testing.assert_allclose(kernel(x, w1, b1, w2, b2), z, rtol=1e-13)
    target = rng.normal(size=(5, 3))
    whole = sc.compile(sc.mlp((2, 4, 3), "tanh", "mse"), backend="numpy")
    value, slopes = whole.value_and_grad(x, w1, b1, w2, b2, target)
    assert value == pytest.approx(np.mean((z - target) ** 2), rel=1e-13)
    _, pulled = kernel.vjp(x, w1, b1, w2, b2, cotangent=2 * (z - target) / z.size)
    for ours, theirs in zip(pulled, slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    with pytest.raises(sc.NotationError, match="widths: expected at least two"):
        sc.network((2,))
    with pytest.raises(sc.ArgumentError, match="layer 1 has 4 units"):
        kernel(x, w1[:3], b1[:3], w2[:, :3], b2)
