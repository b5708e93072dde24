"""Recurrences that are in use, on both backends, against NumPy loops and the frameworks' autograd.

Discounted returns; GAE (Schulman et al. 2015, arXiv:1506.02438, equation 16); V-trace (Espeholt et
al. 2018, arXiv:1802.01561, equation 1); the exponential moving average with a decay that is learnt.
"""

import numpy as np
import pytest

import symcalc as sc

BACKENDS = ["numba", "numpy"]
REAL = np.float64


def discounted(gamma, rewards):
    found, last = np.empty_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        found[t] = last = rewards[t] + gamma * last
    return found


RETURNS = "sum(t, w[t]*reverse_scan(t, gamma, r[t]))"


@pytest.mark.parametrize("backend", BACKENDS)
def test_discounted_returns(kernel, backend):
    rng = np.random.default_rng(0)
    w, r = rng.normal(size=(2, 50))
    k = kernel(RETURNS, backend=backend, wrt=("r", "w"))
    value, (by_reward, by_weight) = k.value_and_grad(w, r, gamma=0.9)
    returns = discounted(0.9, r)
    np.testing.assert_allclose(value, w @ returns, rtol=1e-13)
    np.testing.assert_allclose(by_weight, returns, rtol=1e-13)
    np.testing.assert_allclose(by_reward, discounted(0.9, w[::-1])[::-1], rtol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_advantages_of_gae(kernel, backend):
    """A_t = sum_l (gamma lam)**l delta_{t+l}, delta_t = r_t + gamma V_{t+1} - V_t."""
    text = "reverse_scan(t, gamma*lam, r[t] + gamma*V[t+1] - V[t])"
    k = kernel(text, backend=backend, wrt=("r", "V"))
    rng = np.random.default_rng(1)
    r, values, bar = rng.normal(size=9), rng.normal(size=9), rng.normal(size=8)
    gamma, lam = 0.97, 0.9
    delta = r[:-1] + gamma * values[1:] - values[:-1]
    powers = (gamma * lam) ** np.arange(8)
    expected = [powers[: 8 - t] @ delta[t:] for t in range(8)]
    found, (by_reward, by_value) = k.vjp(r, values, gamma=gamma, lam=lam, cotangent=bar)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    matrix = np.array([[powers[u - t] if u >= t else 0 for u in range(8)] for t in range(8)])
    slope = bar @ matrix
    np.testing.assert_allclose(by_reward, [*slope, 0], rtol=1e-12)
    by_delta = gamma * np.concatenate([[0], slope]) - np.concatenate([slope, [0]])
    np.testing.assert_allclose(by_value, by_delta, rtol=1e-12, atol=1e-13)


VTRACE = ("sum(t, (stop_gradient(reverse_scan(t, gamma*minimum(1, rho[t]), minimum(1, rho[t])*"
          "(r[t] + gamma*V[t+1] - V[t])) + V[t]) - V[t])**2)/2")  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_value_loss_of_v_trace(kernel, backend):
    """v_s = V_s + sum_t gamma**(t-s) (prod_{i<t} c_i) rho_t delta_t, held fixed in the loss."""
    k = kernel(VTRACE, backend=backend, wrt="V")
    rng = np.random.default_rng(2)
    rho, r, values, gamma = rng.uniform(0, 2, 7), rng.normal(size=7), rng.normal(size=7), 0.95
    clipped = np.minimum(1, rho)
    delta = clipped[:-1] * (r[:-1] + gamma * values[1:] - values[:-1])
    targets = np.array(
        [sum(gamma ** (t - s) * np.prod(clipped[s:t]) * delta[t] for t in range(s, 6))
         for s in range(6)]
    )  # fmt: skip
    value, gradient = k.value_and_grad(rho, r, values, gamma=gamma)
    np.testing.assert_allclose(value, np.sum(targets**2) / 2, rtol=1e-12)
    np.testing.assert_allclose(gradient, [*-targets, 0], rtol=1e-12)


EMA = "sum(i, t, (scan(t, 1 - sigmoid(c[i]), sigmoid(c[i])*x[t,i]) - y[t,i])**2)"


def ema_loss(xp, stack, c, x, y):
    """The same loss in a framework, an entry at a time."""
    share, state, entries = 1 / (1 + xp.exp(-c)), 0 * c, []
    for row in x:
        state = (1 - share) * state + share * row
        entries.append(state)
    return ((stack(entries) - y) ** 2).sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_moving_average_with_a_decay_that_is_learnt(kernel, backend):
    rng = np.random.default_rng(3)
    c, x, y = rng.normal(size=3), rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    k = kernel(EMA, backend=backend, wrt="c")
    value, gradient = k.value_and_grad(c=c, x=x, y=y)
    np.testing.assert_allclose(value, ema_loss(np, np.stack, c, x, y), rtol=1e-13)
    steps = np.eye(3) * 1e-6
    slopes = [
        (ema_loss(np, np.stack, c + s, x, y) - ema_loss(np, np.stack, c - s, x, y)) / 2e-6
        for s in steps
    ]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_moving_average_against_torch(kernel, backend):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    c, x, y, v = (rng.normal(size=s) for s in (3, (6, 3), (6, 3), 3))
    k = kernel(EMA, backend=backend, wrt="c")
    theirs = [torch.tensor(part) for part in (c, x, y)]

    def loss(at):
        return ema_loss(torch, torch.stack, at, *theirs[1:])

    value, product = torch.autograd.functional.hvp(loss, theirs[0], torch.tensor(v))
    _, slope = torch.autograd.functional.jvp(loss, theirs[0], torch.tensor(v))
    np.testing.assert_allclose(k(c=c, x=x, y=y), value.numpy(), rtol=1e-12)
    np.testing.assert_allclose(k.jvp(c=c, x=x, y=y, tangents={"c": v})[1], slope, rtol=1e-11)
    np.testing.assert_allclose(k.hvp(c=c, x=x, y=y, vector=v), product, rtol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_general_recurrence_against_jax(kernel, backend):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 4, 9))

    def loss(a, b):
        def step(state, pair):
            state = pair[0] * state + pair[1]
            return state, state

        _, entries = jax.lax.scan(step, jnp.zeros(4), (a.T, jnp.tanh(b.T)))
        return jnp.sum(entries**2)

    k = kernel("sum(i, t, scan(t, a[i,t], tanh(b[i,t]))**2)", backend=backend, wrt=("a", "b"))
    value, gradients = jax.value_and_grad(loss, (0, 1))(a, b)
    found = k.value_and_grad(a, b)
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    for mine, theirs in zip(found[1], gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)
    product = jax.jvp(jax.grad(loss, (0, 1)), (a, b), (b, a))[1]
    for mine, theirs in zip(k.hvp(a, b, vector=(b, a)), product, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)


LAYOUTS = {
    "sum(i, t, scan(t, a[i,t], x[i,t], 1)**2)": ((3, 5), (3, 5)),
    "sum(i, t, reverse_scan(t, a[t,i], x[t,i], 1)**2)": ((5, 3), (5, 3)),
    "sum(i, t, k, reverse_scan(t, a[i,t], x[i,t,k], 1)**2)": ((3, 5), (3, 5, 4)),
    "sum(i, t, k, scan(t, a[t], x[t,i,k], 1)**2)": ((5,), (5, 3, 4)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", LAYOUTS)
def test_the_backends_agree_in_every_layout(kernel, text, dtype):
    rng = np.random.default_rng(6)
    a, x = (rng.normal(size=shape).astype(dtype) for shape in LAYOUTS[text])
    value, gradients = kernel(text, dtype=dtype, wrt=("a", "x")).value_and_grad(a, x)
    exact, expected = kernel(text, backend="numpy", wrt=("a", "x")).value_and_grad(
        a.astype(REAL), x.astype(REAL)
    )
    digits = 1e-13 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(value, exact, rtol=digits)
    for found, right in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=digits, atol=digits * np.abs(right).max())


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_and_one_entry(kernel, backend):
    k = kernel("sum(t, scan(t, a[t], x[t], 2)**2)", backend=backend, wrt=("a", "x"))
    value, gradients = k.value_and_grad(np.empty(0), np.empty(0))
    assert value == 0
    assert [g.shape for g in gradients] == [(0,), (0,)]
    value, gradients = k.value_and_grad(np.array([3.0]), np.array([1.0]))
    assert (value, *gradients) == (49, 28, 14)
    last = kernel("reverse_scan(t, gamma, r[t], 0, 0)", backend=backend)
    with pytest.raises(sc.ArgumentError, match="needs n_t of more than 0, got 0"):
        last(np.empty(0), gamma=0.5)


def test_a_million_steps_in_float32_keep_their_digits(kernel):
    k = kernel("reverse_scan(t, gamma, r[t])", dtype="float32")
    rewards = np.random.default_rng(7).random(10**6).astype(np.float32)
    found = k(rewards, gamma=1.0)
    exact = np.cumsum(rewards[::-1].astype(REAL))[::-1]
    np.testing.assert_allclose(found, exact, rtol=1.5e-7)
    found = k(rewards[:50_000], gamma=0.9999)  # which is no float32
    np.testing.assert_allclose(found, discounted(0.9999, rewards[:50_000].astype(REAL)), rtol=1e-7)


def test_threads_do_not_change_a_bit(kernel):
    k = kernel("sum(i, t, scan(t, a[i,t], x[i,t], 1)**2)", wrt=("a", "x"))
    a, x = np.random.default_rng(8).uniform(0, 1, (2, 600, 800))  # shared among threads
    few, many = a[:100], x[:100]
    whole = k.grad(a, x)
    part = k.grad(np.ascontiguousarray(few), np.ascontiguousarray(many))
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[:100], other)


def test_what_stands_beyond_the_ends_is_never_read(kernel):
    """A tangent keeps within the bounds that its tensor is read in."""
    k = kernel("sum(t, V[t]**2*V[t+1]**3)")
    v = np.array([1.0, -2.0, 3.0])
    product = k.hvp(v, vector=np.array([1.0, 0.5, -1.0]))
    x, y, z = v
    hessian = [[2 * y**3, 6 * x * y**2, 0],
               [6 * x * y**2, 6 * x**2 * y + 2 * z**3, 6 * y * z**2],
               [0, 6 * y * z**2, 6 * y**2 * z]]  # fmt: skip
    np.testing.assert_allclose(product, np.array(hessian) @ [1, 0.5, -1], rtol=1e-14)
