"""The place of an extreme is found where its value came from, whatever a compiler makes of it."""

import numpy as np
import pytest

import symcalc as sc

# max(a, b) - max(c, d) + softplus: several operations, joined differently in different loops
TERMS = {
    "softplus(3*u[k]) - relu(2/(3*h[0]))": lambda u, h: np.logaddexp(0, 3 * u) - 2 / (3 * h[0]),
    "u[k]*h[k] + u[k]**2*h[k]": lambda u, h: u * h + u**2 * h,
    "tanh(u[k])*3 - h[k]/7": lambda u, h: 3 * np.tanh(u) - h / 7,
}


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("kind", ["max", "min"])
def test_one_entry_takes_the_whole_gradient(term, kind):
    options = {"domains": {"h": "positive"}, "shapes": {"u": "c", "h": "c"}}
    kernel = sc.compile(sc.parse(f"{kind}(k, {term}) + sum(k, 0*h[k])", wrt="u", **options))
    rng = np.random.default_rng(5)
    for _ in range(20):
        u, h = rng.normal(size=9), rng.uniform(0.1, 2, 9)
        terms = TERMS[term](u, h)
        best = int(np.argmax(terms) if kind == "max" else np.argmin(terms))
        gradient = kernel.grad(u=u, h=h)
        assert np.flatnonzero(gradient).tolist() == [best]


def test_a_term_that_every_place_shares_goes_to_the_first():
    text = "max(k, softplus(3*u[1]) - relu(2/(3*h[0]))*w[k])"
    kernel = sc.compile(sc.parse(text, wrt="w", domains={"h": "positive"}))
    gradient = kernel.grad(u=np.array([0.3, -0.7]), h=np.array([0.9]), w=np.full(4, 0.5))
    assert gradient.tolist() == [-2 / 2.7, 0, 0, 0]


READ = {
    "sum(i, o[argmin(j, W[j,0]), i]*u[i])": lambda o, W, u: o[W[:, 0].argmin()] @ u,
    "q[argmax(i, A[i,i])]*v[argmin(i, A[i,0])]": lambda q, A, v: (
        q[A.diagonal().argmax()] * v[A[:, 0].argmin()]
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", READ)
def test_a_place_that_nothing_else_indexes_is_read_in_another_pass(text, dtype):
    objective = sc.parse(text)
    rng = np.random.default_rng(2)
    point = {t.name: rng.normal(size=(4,) * len(t.shape)).astype(dtype) for t in objective.inputs}
    value = sc.compile(objective, dtype=dtype)(**point)
    assert value == pytest.approx(READ[text](**point), rel=1e-6)
