"""Places and ranges: how far an index runs, what is refused, how shapes are spelled."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symcalc as sc
from symcalc.notation import (
    Array,
    Real,
    argmax,
    argmin,
    indices,
    inf,
    logsumexp,
    max,
    mean,
    objective,
    sum,
    where,
)
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Access, Tensor


def extent_of(formula: str, letter: str, **options: Any) -> str:
    """The extent of an index, bound or free."""
    made = sc.parse(formula, **options)
    found = (
        {i.name: i.extent for i in (*made.body.atoms(type(made.outputs[0])), *made.outputs)}
        if made.outputs
        else {
            n.index.name: n.index.extent
            for n in sp.preorder_traversal(made.body)
            if hasattr(n, "gives_place")
        }
    )
    return str(found[letter])


@pytest.mark.parametrize(
    ("formula", "letter", "extent"),
    [
        ("sum(j, x[i+j]*w[j])", "i", "-n_j + n_x + 1"),
        ("sum(i, sum(j, x[i+j]*w[j]))", "i", "-n_j + n_x + 1"),
        ("sum(i, sum(j, x[i-j]*w[j]))", "i", "-n_j + n_x + 1"),
        ("mean(i, x[2*i+1] - x[2*i])", "i", "floor(n_x/2)"),
        ("sum(i, b[i]*sum(j, x[i+j]*w[j]))", "i", "Min(n, -n_j + n_x + 1)"),
        ("sum(i, x[n-1-i]*w[i])", "i", "n"),
        ("sum(t, V[t+1] - V[t])", "t", "n_t - 1"),
    ],
)
def test_an_index_runs_as_far_as_every_place_is_in_bounds(formula, letter, extent):
    assert extent_of(formula, letter) == extent


@pytest.mark.parametrize("place", ["2*i", "3*i+2", "i+2*j", "2*i-j", "n-1-2*i", "n-2-i-j", "5*i-3"])
def test_ranges_are_the_largest(place):
    """Counted by trying: no value in the range is out of bounds, one more would be."""
    formula = sc.parse(f"sum(i, x[{place}]*sum(j, w[j]))" if "j" not in place
                       else f"sum(i, sum(j, x[{place}]*w[j]))", shapes={"x": "n"})  # fmt: skip
    outer = formula.body.index
    accesses = [a for a in formula.body.atoms(Access) if a.tensor.name == "x"]
    for n, m in itertools.product((5, 6, 9), (1, 2, 3)):
        at = {Dim("n"): n, Dim("n_j"): m}
        count = int(outer.extent.xreplace(at))
        letters = [i for i in accesses[0].free_symbols if i != outer and i not in at]

        def fits(value: int, at: Any = at, m: int = m, n: int = n, letters: Any = letters) -> bool:
            return all(
                0 <= accesses[0].places[0].xreplace(
                    {**at, outer: value, **dict.fromkeys(letters, j)}) < n
                for j in range(m)
            )  # fmt: skip

        assert all(fits(value) for value in range(count))
        assert not fits(count)


@pytest.mark.parametrize(
    "formula",
    ["sum(i, sum(j, x[i+j]))", "x[i+j]", "x[i+n]", "sum(i, x[i*i])", "sum(i, x[i/2])", "x[-i]",
     "x[1-i]", "x[sum(i, y[i])]", "argmax(i, j, x[i,j])", "softplus(x[i], where=x[i] > 0)",
     "sum(i, x[i], where=3)", "inf*x[i]", "x[i] + inf", "sum(i, x[argmax(k, z[k]) + i])"],
)  # fmt: skip
def test_places_and_masks_that_make_no_sense_are_refused(formula):
    with pytest.raises(sc.SymcalcError, match=r"formula|index"):
        sc.parse(formula, wrt="x")


def test_an_index_without_a_range_is_shown():
    with pytest.raises(sc.NotationError, match=r"index j: nothing tells how far.*x\[i \+ j\]"):
        sc.parse("sum(i, sum(j, x[i+j]))")


@pytest.mark.parametrize("extent", ["n+", "1.5", "0", "n*2", "n-m", "+1", "n+1+1"])
def test_extents_are_a_dim_a_number_or_a_dim_and_a_number(extent):
    with pytest.raises(sc.NotationError, match="expected"):
        sc.parse("sum(i, x[i])", shapes={"x": extent})


def test_python_and_text_say_the_same():
    x, w, s = Tensor("x", (Dim("n_x"),)), Tensor("w", (Dim("n_j"),)), Tensor("s", (Dim("n"),) * 2)
    i, j = indices("i: j:n_j")
    a, b = indices("i:n j:n")
    pairs = [
        (sum(i, sum(j, x[i + j] * w[j])), "sum(i, sum(j, x[i+j]*w[j]))"),
        (sum(a, logsumexp(b <= a, s[a, b])), "sum(i, logsumexp(j <= i, s[i,j]))"),
        (sum(a, max(b, s[a, b], where=b >= a)), "sum(i, max(j, s[i,j], where=j >= i))"),
        (sum(a, mean(b == a, s[a, b])), "sum(i, mean(j == i, s[i,j]))"),
        (sum(a, max(b, where(b < a, s[a, b], -inf))), "sum(i, max(j, where(j < i, s[i,j], -inf)))"),
        (sum(a, s[a, argmax(b, s[a, b])]), "sum(i, s[i, argmax(j, s[i,j])])"),
        (sum(a, argmin(b, s[a, b]) * s[a, a]), "sum(i, argmin(j, s[i,j])*s[i,i])"),
    ]
    for made, text in pairs:
        shapes = {"s": "n n"} if "s[" in text else {}
        assert str(made) == str(sc.parse(text, shapes=shapes).body)


@pytest.mark.parametrize(
    "text",
    ["sum(i, logsumexp(j <= i, s[i,j]))", "sum(i, max(j, s[i,j], where=j >= i))",
     "sum(i, sum(j, x[2*i+3*j]*w[j]))", "sum(i, x[i, argmax(k, z[i,k])]**2)"],
)  # fmt: skip
def test_what_is_printed_reads_back(text):
    made = sc.parse(text)
    assert str(sc.parse(str(made.body)).body) == str(made.body)


@objective(wrt="V")
def temporal(V: Real[Array, "T+1"], r: Real[Array, "T"], R: Real[Array, "T 3"]):
    """Differences in time, and a fixed extent."""
    t, k = indices("T k:3")
    return sum(t, (r[t] + V[t + 1] - V[t]) ** 2 * sum(k, R[t, k]))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_shapes_of_a_dim_and_a_number(backend):
    kernel = sc.compile(temporal, backend=backend)
    rng = np.random.default_rng(0)
    V, r, R = rng.normal(size=5), rng.normal(size=4), rng.normal(size=(4, 3))
    delta = (r + np.diff(V)) * R.sum(1)
    np.testing.assert_allclose(kernel(V, r, R), ((r + np.diff(V)) ** 2 * R.sum(1)).sum())
    np.testing.assert_allclose(kernel.grad(V, r, R), 2 * (np.r_[0, delta] - np.r_[delta, 0]))
    for bad, named in (((V[1:], r, R), "r"), ((V[:0], r[:0], R[:0]), "V"), ((V, r, R.T), "R"),
                       ((V, r, R[:, :2]), "R")):  # fmt: skip
        with pytest.raises(sc.ArgumentError, match=rf"temporal: {named}: expected shape"):
            kernel(*bad)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_ranges_too_short_are_told(backend):
    kernel = sc.compile(sc.parse("sum(i, sum(j, x[i+j]*w[j])**2)"), backend=backend)
    assert kernel(np.ones(2), np.ones(3)) == 0.0
    with pytest.raises(sc.ArgumentError, match=r"expected -n_j \+ n_x \+ 1 of at least 0, got -1"):
        kernel(np.ones(1), np.ones(3))
    mean_of = sc.compile(sc.parse("mean(i, x[2*i+1]**2)"), backend=backend)
    with pytest.raises(sc.ArgumentError, match="of at least 1"):
        mean_of(np.ones(1))


def test_rows_of_which_nothing_is_taken():
    """The logsumexp of nothing is -inf, and its softmax has no entry: kernels hold no NaN."""
    kernel = sc.compile(sc.parse("logsumexp(j < i, s[i,j])", wrt="s"))
    value, slope = kernel.vjp(np.arange(9.0).reshape(3, 3), cotangent=np.ones(3))
    assert value[0] == -np.inf
    np.testing.assert_allclose(slope[:2], [[0, 0, 0], [1, 0, 0]])


GUARDED = {
    "sum(i, where(i < n-1, x[i+1]*x[i], 0))": lambda x, w: float(x[1:] @ x[:-1]),
    "sum(i, x[i] - where(i > 0, x[i-1], 0))": lambda x, w: float(x[-1]),
    "sum(i, sum(j <= i, x[i-j]*w[j])**2)": lambda x, w: float(
        (np.convolve(x, w)[: len(x)] ** 2).sum()
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", GUARDED)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_what_a_condition_keeps_in_bounds_narrows_nothing(text, backend):
    shapes = {"x": "n", "w": "n"} if "w[" in text else {"x": "n"}
    kernel = sc.compile(sc.parse(text, wrt="x", shapes=shapes), backend=backend)
    rng = np.random.default_rng(3)
    for n in (1, 2, 5):
        x, w = rng.normal(size=n), rng.normal(size=n)
        arrays = (x, w) if "w[" in text else (x,)
        value, gradient = kernel.value_and_grad(*arrays)
        assert value == pytest.approx(GUARDED[text](x, w), rel=1e-12, abs=1e-14)
        for place in range(n):
            step = np.eye(n)[place] * 1e-6
            slope = (GUARDED[text](x + step, w) - GUARDED[text](x - step, w)) / 2e-6
            assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_a_condition_that_keeps_too_little_narrows_as_before():
    made = sc.parse("sum(i, where(i < 5, x[i+1], 0))", wrt="x")
    assert sc.compile(made, backend="numpy")(np.arange(4.0)) == 6  # x[1] + x[2] + x[3]


def test_values_of_one_more_state_than_rewards():
    text = "mean(t, reverse_scan(t, g, r[t] + V[t+1] - V[t])**2)"
    made = sc.parse(text, wrt="V", shapes={"V": "T+1", "r": "T"}, defaults={"g": 0.9})
    r, v = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.4, 2.0])
    total, last = [], 0.0
    for delta in (r + v[1:] - v[:-1])[::-1]:
        last = 0.9 * last + delta
        total.append(last)
    for backend in ("numba", "numpy"):
        assert sc.compile(made, backend=backend)(r, v) == pytest.approx(np.mean(np.square(total)))


LAST = {
    "sum(i, x[i])*x[n-1]**2": lambda x: (
        float(x.sum() * x[-1] ** 2),
        x[-1] ** 2 + 2 * x.sum() * x[-1] * (np.arange(len(x)) == len(x) - 1),
    ),
    "sum(i, x[i]**2) + x[0]*x[n-2]": lambda x: (
        float(x @ x + x[0] * x[-2]),
        2 * x + x[-2] * (np.arange(len(x)) == 0) + x[0] * (np.arange(len(x)) == len(x) - 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", LAST)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_place_may_be_counted_from_the_end(text, backend):
    made = sc.parse(text, wrt="x")
    assert made.is_scalar
    assert str(sc.parse(str(made.body), wrt="x").body) == str(made.body)
    kernel = sc.compile(made, backend=backend)
    x = np.array([0.5, -1.5, 2.0, 0.25])
    for n in (2, 4):
        value, gradient = kernel.value_and_grad(x[:n])
        assert value == pytest.approx(LAST[text](x[:n])[0], rel=1e-14)
        np.testing.assert_allclose(gradient, LAST[text](x[:n])[1], rtol=1e-14)
    with pytest.raises(sc.ArgumentError, match=r"x\[n - [12]\] needs n - [12] of at least 0"):
        kernel(x[: 0 if "n-1" in text else 1])


def test_a_place_from_the_end_is_told_from_an_index():
    assert sc.parse("x[n-1]", wrt="x", shapes={"x": "n"}).is_scalar
    assert not sc.parse("x[n] - x[n-1]", wrt="x").is_scalar  # n is an index here
    assert sc.parse("sum(n, x[n] - x[n-1])", wrt="x").is_scalar
    with pytest.raises(sc.NotationError, match="expected a place such as t, t"):
        sc.parse("scan(t, a, b[t], 0, n_t-1)", wrt="b")


def test_a_place_beyond_the_end_is_refused():
    x, n = Tensor("x", (Dim("n"),)), Dim("n")
    with pytest.raises(sc.NotationError, match=r"expected a place below n at axis 0, got n: x"):
        x[n]
    with pytest.raises(sc.NotationError, match=r"expected a place below n at axis 0, got m - 1: x"):
        x[Dim("m") - 1]


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_greatest_entry_is_looked_up_by_its_place(backend):
    objective = sc.parse("sum(i, x[i]*x[argmax(k, x[k])])", wrt="x", shapes={"x": "n"})
    value, slope = sc.compile(objective, backend=backend).value_and_grad(np.array([1.0, 3.0, 2.0]))
    assert value == 18
    np.testing.assert_array_equal(slope, [3.0, 9.0, 3.0])
