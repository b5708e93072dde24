"""Names a user may choose freely, whatever the generated code calls its own things."""

import keyword

import numpy as np
import pytest

import symcalc as sc

NAMES = [
    "rows", "block", "value", "x_bar", "stage", "total", "first", "last", "last_stage", "blocks",
    "np", "f4", "e", "inf", "t", "s", "t2", "place0", "njit", "abs_", "weights", "formula", "S",
    "I", "float_", "x_i", "value_parts", "arrays",
]  # fmt: skip
X = np.array([0.5, -1.0])


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("names", [NAMES[:10], NAMES[10:20], NAMES[20:]], ids="+".join)
def test_a_hyperparameter_may_be_called_anything(names, backend):
    names = [name for name in names if name != "weights"]
    terms = " + ".join(f"{k}*exp({name}*x[i])" for k, name in enumerate(names, 1))
    constants = {name: 1.0 for name in names if name == "inf"}  # elsewhere it means infinity
    made = sc.parse(f"mean(i, {terms})", wrt="x", defaults=constants)
    kernel = sc.compile(made, backend=backend)
    given = {name: 0.25 * k for k, name in enumerate(names, 1)}
    value, gradient = kernel.value_and_grad(X, **given)
    parts = [(k, a, np.exp(a * X)) for k, a in enumerate(given.values(), 1)]
    assert value == pytest.approx(sum(np.mean(k * e) for k, _, e in parts), rel=1e-14)
    np.testing.assert_allclose(gradient, sum(k * a * e for k, a, e in parts) / 2, rtol=1e-13)


@pytest.mark.parametrize("names", [NAMES[:10], NAMES[10:20], NAMES[20:]], ids="+".join)
def test_an_input_may_be_called_anything(names):
    terms = " + ".join(f"{k}*exp({name}[j])" for k, name in enumerate(names, 1))
    text = f"sum(j, {terms})*mean(j, {names[0]}[j]*{names[-1]}[j])"
    kernel = sc.compile(sc.parse(text, wrt=tuple(names)))
    given = {name: X / k for k, name in enumerate(names, 1)}
    first, last = given[names[0]], given[names[-1]]
    value, gradients = kernel.value_and_grad(**given)
    total = sum(k * np.exp(a) for k, a in enumerate(given.values(), 1)).sum()
    mean = np.mean(first * last)
    assert value == pytest.approx(total * mean, rel=1e-13)
    for k, (name, gradient) in enumerate(zip(names, gradients, strict=True), 1):
        expected = k * np.exp(given[name]) * mean
        expected += total * last / 2 if name == names[0] else 0
        expected += total * first / 2 if name == names[-1] else 0
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [("rows", "block", "value"), ("stage", "np", "x_bar"), ("n", "e", "total"),
     ("first", "blocks", "last"), ("i", "j", "x")],
)  # fmt: skip
def test_indices_and_dims_may_be_called_anything(a, b, c):
    text = f"sum({a}, mean({b}, exp(sum({c}, T[{a}, {b}, {c}]*y[{c}]))))"
    shapes = {"T": f"{b} {c} {a}"}  # each dim bears the name of another index
    kernel = sc.compile(sc.parse(text, wrt="T", shapes=shapes))
    rng = np.random.default_rng(0)
    cube, y = rng.normal(size=(2, 3, 4)), rng.normal(size=4)
    value, gradient = kernel.value_and_grad(cube, y)
    inner = np.exp(cube @ y)
    assert value == pytest.approx(inner.mean(axis=1).sum(), rel=1e-13)
    np.testing.assert_allclose(gradient, inner[..., None] * y / 3, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_hyperparameters_may_be_called_like_functions(backend):
    @sc.objective(wrt="x")
    def loss(
        x: sc.Real[sc.Array, "n"], clip: sc.Positive = 0.2, max: sc.Positive = 2.0,
        exp: sc.Positive = 3.0, gamma: sc.Real = 1.5, lambda_: sc.Real = 0.5, sum: sc.Real = 7.0,
    ):  # fmt: skip
        i = sc.indices("n")
        bounded = sc.clip(sc.exp(x[i]), clip, max)
        return sc.mean(i, exp * bounded + gamma * x[i] + lambda_ * x[i] ** 2 + sum)

    x = np.array([-5.0, 0.1, 2.0])
    value, gradient = sc.compile(loss, backend=backend).value_and_grad(x)
    bounded = np.clip(np.exp(x), 0.2, 2.0)
    assert value == pytest.approx(np.mean(3 * bounded + 1.5 * x + x**2 / 2 + 7), rel=1e-14)
    slope = 3 * np.where((np.exp(x) > 0.2) & (np.exp(x) < 2), np.exp(x), 0) + 1.5 + x
    np.testing.assert_allclose(gradient, slope / 3, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_hyperparameter_may_be_called_as_an_index_is(backend):
    @sc.objective(wrt="x")
    def loss(x: sc.Real[sc.Array, "n"], i: sc.Positive = 7.0, j: sc.Positive = 2.0):
        a = sc.indices("n")
        return sc.sum(a, i * j * x[a] ** 2)

    value, gradient = sc.compile(loss, backend=backend).value_and_grad(np.ones(3))
    assert value == 42
    assert (gradient == 28).all()


@pytest.mark.parametrize("name", ["n", "d"])
def test_an_argument_called_as_a_dim_is_refused(name):
    with pytest.raises(sc.NotationError, match=f"'{name}' is both an argument and a dim"):
        sc.parse(f"sum(i, {name}[i]**2)", wrt=name, shapes={name: name})


@pytest.mark.parametrize("name", ["out", "self", "value_out"])
def test_a_name_that_the_calls_use_themselves_is_refused_in_words(name):
    with pytest.raises(sc.SymcalcError, match=name):
        sc.compile(sc.parse(f"sum(j, {name}[j]*q[j])", wrt="q"), backend="numpy").value_and_grad(
            [1.0], [1.0]
        )


@pytest.mark.parametrize("name", sorted({*keyword.kwlist} - {"None", "True", "False"}))
def test_pythons_own_words_are_refused_in_text(name):
    with pytest.raises(sc.ParseError):
        sc.parse(f"sum(i, {name}*x[i])")


@pytest.mark.parametrize("name", ["my loss", "../x", "1st/lambda", "x" * 300])
def test_an_objective_may_have_any_title(name):
    formula = sc.parse("sum(i, x[i]**2)", name=name)
    try:
        kernel = sc.compile(formula)
    except sc.SymcalcError:
        return
    assert kernel.value_and_grad([1.0, 2.0])[0] == 5


def test_the_source_is_readable_and_of_one_function(kernel):
    source = kernel("bce_with_logits").source
    compile(source, "<source>", "exec")
    assert "def value_and_grad(" in source
    assert source.count("\ndef ") == 1
    assert "logits" in source
    assert "targets" in source
    assert max(map(len, source.splitlines())) < 400
    assert "softmax" in kernel("softmax_cross_entropy", backend="numpy").source


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_dim_keeps_its_name_where_domain_checks_add_sums(backend):
    """Rows that sum to one are added up under a name of their own, not over the extent s."""
    made = sc.parse(
        "mean(i, max(j, sum(k, P[i,j,k]*v[k])))", wrt="v",
        shapes={"P": "s a s", "v": "s"}, domains={"P": "simplex"},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    point = {"P": rng.dirichlet(np.ones(4), size=(4, 3)), "v": rng.normal(size=4)}
    value, _ = sc.compile(made, backend=backend).value_and_grad(**point)
    assert value == pytest.approx((point["P"] @ point["v"]).max(1).mean(), rel=1e-14)
