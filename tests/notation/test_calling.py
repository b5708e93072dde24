"""One objective inside another: calls, definitions, compositions."""

import pickle

import numpy as np
import pytest

import symcalc as sc
from symcalc import (
    Array,
    Formula,
    Label,
    NonNegative,
    Positive,
    Real,
    define,
    indices,
    mean,
    objective,
    sigmoid,
    sum,
)

dense, layer_norm = sc.get("dense"), sc.get("layer_norm")
cross_entropy, mse = sc.get("softmax_cross_entropy"), sc.get("mse")


@objective(wrt=("x", "weight"))
def regression(
    x: Real[Array, "n d"], weight: Real[Array, "d"], y: Real[Array, "n"], lam: NonNegative = 0.5
) -> Formula:
    """Ridge regression of a sigmoid."""
    i, j = indices("n d")
    p = define("p", i, sigmoid(sum(j, x[i, j] * weight[j])))
    return mse(p, y) + sc.get("l2")(weight, lam=lam)


@objective(wrt=("x", "w"))
def classified(
    x: Real[Array, "b f"], w: Real[Array, "h f"], c: Real[Array, "h"], y: Label[Array, "b -> h"]
) -> Formula:
    """Dense, normalized, classified: three calls."""
    z = dense(x, w, bias=c)
    return cross_entropy(layer_norm(z, c, c, eps=0.5), y)


@objective(wrt="x")
def shifted(x: Real[Array, "n d"]) -> Formula:
    """A definition read at two places and at one."""
    i, j = indices("n d")
    h = define("h", (i, j), sc.tanh(x[i, j + 1] * x[i, j]))
    return mean(i, sum(j, (h[i, j + 1] - h[i, j]) ** 2) + h[i, 0])


def test_a_brute_force_check_knows_definitions():
    assert sc.check(sc.compose(cross_entropy, dense))


def test_hyperparameters_are_numbers_symbols_or_defaults():
    assert [p.name for p in regression.parameters] == ["lam"]
    assert "lam*sum(j, weight[j]**2)/2" in str(regression)
    assert "1/2" in str(classified.definitions[1]) or "1/2" in str(classified)


def test_dims_become_those_of_the_arguments():
    assert {str(d) for d in classified.dims} == {"b", "f", "h"}
    extents = {str(i.extent) for meant in classified.definitions for i in meant.indices}
    assert extents == {"b", "h"}


def test_two_calls_of_one_layer_have_names_of_their_own():
    @objective(wrt="x")
    def twice(x: Real[Array, "n d"], w: Real[Array, "d d"], c: Real[Array, "d"]) -> Formula:
        """Twice."""
        return dense(dense(x, w, c), w, c)

    assert [meant.name for meant in twice.definitions] == ["dense"]
    assert [str(i.extent) for i in twice.outputs] == ["n", "d"]

    @objective(wrt="x")
    def thrice(x: Real[Array, "n d"], w: Real[Array, "d d"], c: Real[Array, "d"]) -> Formula:
        """Thrice."""
        return dense(dense(dense(x, w, c), w, c), w, c)

    assert [meant.name for meant in thrice.definitions] == ["dense", "dense_2"]


def test_bound_indices_are_fresh():
    @objective(wrt="x")
    def square(x: Real[Array, "d d"], c: Real[Array, "d"]) -> Formula:
        """A square."""
        return dense(x, x, c)

    x, c = np.arange(9.0).reshape(3, 3), np.ones(3)
    np.testing.assert_allclose(sc.compile(square, backend="numpy")(x, c), x @ x.T + 1)


def test_a_composition_is_an_objective_like_any_other():
    made = sc.compose(cross_entropy, dense)
    assert made.name == "softmax_cross_entropy_of_dense"
    assert [t.name for t in made.inputs] == ["x", "weight", "bias", "labels"]
    assert made.wrt == ("x", "weight", "bias")
    assert made.model == "logits"
    assert made.averages
    assert made.takes_weights
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    named = sc.compose(cross_entropy, dense, wrt="weight", name="softmax_regression")
    assert (named.name, named.wrt, named.single) == ("softmax_regression", ("weight",), True)
    assert named.spelling == 'sc.compose(sc.get("softmax_cross_entropy"), sc.get("dense"))'


def test_reduction_and_weights_mean_what_they_mean_to_the_outer_one(sample):
    made = sc.compose(mse, sc.parse("sum(k, z[i,k]*a[k])", name="line", shapes={"z": "n d"}))
    arrays = sample(made, 0, n=5, d=2)
    weights = np.array([0.5, 2.0, 0.0, 1.0, 3.0])
    residual = (arrays["z"] @ arrays["a"] - arrays["target"]) ** 2
    each = sc.compile(made, backend="numpy", reduction="none")
    np.testing.assert_allclose(each(**arrays), residual)
    total = sc.compile(made, backend="numpy", reduction="sum")
    assert total(**arrays) == pytest.approx(residual.sum())
    whole = sc.compile(made, backend="numpy")
    assert whole(**arrays, weights=weights) == pytest.approx(np.average(residual, weights=weights))
    summed = sc.compose(mse.with_reduction("sum"), sc.parse("sum(k, z[i,k]*a[k])", name="line",
                                                             shapes={"z": "n d"}))  # fmt: skip
    assert sc.compile(summed, backend="numpy")(**arrays) == pytest.approx(residual.sum())


def test_clashing_names_are_told_apart():
    scaled = sc.parse("delta*z[i]", wrt="z", name="scaled", defaults={"delta": 2.0})
    made = sc.compose(sc.get("huber"), scaled)
    assert [p.name for p in made.parameters] == ["delta", "huber_delta"]
    one = sc.parse("z[i]*target[i]", wrt="z", name="one")
    made = sc.compose(mse, one)
    assert [t.name for t in made.inputs] == ["z", "target", "mse_target"]
    norm_of = sc.compose(layer_norm, dense)
    assert norm_of.model == "dense"  # x is an input's name already
    assert [t.name for t in norm_of.inputs] == ["x", "weight", "bias", "gamma", "beta"]
    table = sc.parse("sum(j, t[i,j]*q[j])", wrt="q", shapes={"t": "n d", "q": "d"}, name="table")
    pair = sc.parse("mean(i, z[i]*sum(j, w[j]))", wrt="z", shapes={"w": "d"}, name="pair")
    assert [str(t.shape) for t in sc.compose(pair, table).inputs][-1] == "(d_2,)"


REFUSED = [
    (lambda: sc.compose(mse), "at least two"),
    (lambda: sc.compose(mse, "dense"), "expected objectives, got 'dense'"),
    (lambda: sc.compose(cross_entropy, mse), "mse gives a number"),
    (lambda: sc.compose(mse, dense), r"prediction\[n\], got dense\[n, m\]"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_both_shapes(made, message):
    with pytest.raises(sc.NotationError, match=message):
        made()


def written(call):
    """Write an objective whose formula is one call."""

    @objective(wrt="x")
    def outer(
        x: Real[Array, "n d"], v: Real[Array, "d"], y: Label[Array, "n -> c"],
        q: Real[Array, "n c"], s: Real[Array, "n"], a: Positive = 1.0,
    ) -> Formula:  # fmt: skip
        """Outer."""
        return call(x, v, y, q, s, a)

    return outer


BAD_CALLS = [
    (lambda x, v, y, q, s, a: mse(s), r"missing target; expected prediction\[n\], target\[n\]"),
    (lambda x, v, y, q, s, a: mse(s, s, s), "got 3 arguments"),
    (lambda x, v, y, q, s, a: mse(s, s, target=s), "target was given twice"),
    (lambda x, v, y, q, s, a: mse(s, goal=s), "unknown argument 'goal'"),
    (lambda x, v, y, q, s, a: mse(s, v), r"expected target\[n\] with n = n from s, got v\[d\]"),
    (lambda x, v, y, q, s, a: mse(x, s), r"prediction\[n\], of 1 axes, got x\[n, d\], of 2"),
    (lambda x, v, y, q, s, a: mse(x[0, 0], s), r'got x\[0, 0\]; .*define\("prediction"'),
    (lambda x, v, y, q, s, a: mse(np.ones(3), s), "compiled kernel"),
    (lambda x, v, y, q, s, a: cross_entropy(q, s), "labels holds integer labels.*s holds real"),
    (lambda x, v, y, q, s, a: cross_entropy(x, y), "labels below d, the extent c of x, got y"),
    (lambda x, v, y, q, s, a: sc.get("bce_with_logits")(s, s), "targets holds probabilities.*real"),
    (lambda x, v, y, q, s, a: sc.get("huber")(s, s, delta=-1), "expected one of the positive"),
    (lambda x, v, y, q, s, a: sc.get("huber")(s, s, delta=s[0]), "a number or hyperparameters"),
    (lambda x, v, y, q, s, a: sc.get("huber")(s, s, delta=a - 1), "may be others"),
    (lambda x, v, y, q, s, a: define("2h", indices("n"), 1), "expected a name"),
    (lambda x, v, y, q, s, a: define("h", 3, 1), "distinct indices"),
    (lambda x, v, y, q, s, a: define("h", indices("n"), x[indices("k:n d")]), "index j, k"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD_CALLS)
def test_a_call_that_does_not_fit_says_what_was_expected_and_what_came(call, message):
    with pytest.raises(sc.NotationError, match=message):
        written(call)


def test_a_definition_may_be_scalar_and_may_be_read_in_others():
    @objective(wrt="x")
    def spread(x: Real[Array, "n"]) -> Formula:
        """Squares around the middle."""
        i = indices("n")
        middle = define("middle", (), mean(i, x[i]))
        around = define("around", i, x[i] - middle[()])
        return sum(i, around[i] ** 2)

    x = np.array([1.0, 2.0, 6.0])
    kernel = sc.compile(spread, backend="numpy")
    assert kernel(x) == pytest.approx(14.0)
    np.testing.assert_allclose(kernel.grad(x), 2 * (x - 3))


@pytest.mark.parametrize("size", [1, 3])
def test_a_layer_that_runs_backwards_may_stand_over_an_axis_of_fixed_length(size):
    """Its place, the extent less 1 less j, is then 2 - j, or -j on an axis of one."""

    @objective(wrt="a")
    def turned(a: Real[Array, "p"]) -> Formula:
        """The row read from its end."""
        j = indices("p")
        return a[sc.extent(j) - 1 - j] * 2

    @objective(wrt="x")
    def over(x: Real[Array, str(size)]) -> Formula:
        """A row of fixed length, turned, beside weights of its own."""
        j = sc.indices(f"j:{size}")
        h = turned(define("h", j, sc.exp(x[j])))
        return sum(j, h[j] * (j + 1))

    x = np.array([0.5, -1.0, 2.0])[:size]
    wanted = 2 * np.exp(x) * np.arange(size, 0, -1)
    value, gradient = sc.compile(over, backend="numpy").value_and_grad(x)
    assert value == pytest.approx(wanted.sum())
    np.testing.assert_allclose(gradient, wanted)
