"""What the program room does to equations on their way to loops: each rewrite changes no number."""

import re

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import symcalc as sc
from symcalc.backends.modes import task
from symcalc.notation import Array, Label, Positive, Real, indices, mean
from symcalc.notation.conditions import Where
from symcalc.program.lower import lower
from symcalc.program.needs import needs
from symcalc.program.program import Accumulate, Assign, Contract, Loop

RNG = np.random.default_rng(4)


def walk(body):
    """Every statement, with the loop directly around it."""
    for node in body:
        if isinstance(node, Loop):
            for inner, loop in walk(node.body):
                yield inner, loop or node
        else:
            yield node, None


def program(objective, mode=None):
    objective = sc.get(objective) if isinstance(objective, str) else objective
    mode = mode or ("value_and_grad" if objective.is_scalar else "vjp")
    wanted = task(sc.derive(objective), mode)
    return lower(objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs)


def statements(made, kind):
    return [n for stage in made.stages for n, _ in walk(stage.body) if isinstance(n, kind)]


def compiled(text, wrt, dtype="float64", **options):
    return sc.compile(sc.parse(text, wrt=wrt, **options), dtype=dtype)


# Factors


@pytest.mark.parametrize("name", sc.catalogue())
def test_no_sum_multiplies_by_what_it_does_not_run_over(name):
    for node in statements(program(name), Accumulate):
        if node.kind == "sum" and isinstance(node.value, sp.Mul):
            for factor in node.value.args:
                assert node.index in factor.free_symbols, f"{node.target}: {factor} stays in"


def test_sums_that_differ_by_a_factor_are_one():
    made = program(sc.parse("sum(i, a[i]*sum(j, 3*x[i,j]) + exp(b*sum(j, x[i,j])))", wrt="a"))
    inner = [n for n in statements(made, Accumulate) if "n_j" in str(n.index.extent)]
    assert [str(n.value) for n in inner] == ["x[i, j]"]


def test_sums_that_look_alike_and_are_not_stay_apart():
    """The same letters over other ranges, other axes, other dims."""
    v, a = RNG.normal(size=5), RNG.normal(size=(4, 4))
    k = compiled("sum(t, 2*V[t+1])**2 + sum(t, 3*V[t])**2", "V")
    gradient = np.full(5, 18 * v.sum())
    gradient[1:] += 8 * v[1:].sum()
    np.testing.assert_allclose(k.grad(v), gradient, rtol=1e-13)
    assert k(v) == pytest.approx(4 * v[1:].sum() ** 2 + 9 * v.sum() ** 2, rel=1e-13)
    k = compiled("sum(i, sum(j, A[i,j])**2) + sum(j, sum(i, A[i,j])**3)", "A", shapes={"A": "n n"})
    rows, columns = a.sum(axis=1), a.sum(axis=0)
    assert k(a) == pytest.approx((rows**2).sum() + (columns**3).sum(), rel=1e-12)
    np.testing.assert_allclose(k.grad(a), 2 * rows[:, None] + 3 * columns**2, rtol=1e-12)
    x, y = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 5))
    k = compiled("sum(i, sum(j, x[i,j])*sum(j, y[i,j]))", ("x", "y"),
                 shapes={"x": "n a", "y": "n b"})  # fmt: skip
    by_x, by_y = k.grad(x, y)
    np.testing.assert_allclose(by_x, np.repeat(y.sum(axis=1)[:, None], 3, 1), rtol=1e-13)
    np.testing.assert_allclose(by_y, np.repeat(x.sum(axis=1)[:, None], 5, 1), rtol=1e-13)


def test_a_factor_taken_out_of_a_sum_of_nothing_leaves_zero():
    k = compiled("sum(i, c*a[i]*sum(j, d*a[i]*x[i,j]))", ("a", "x"))
    value, (by_a, by_x) = k.value_and_grad(np.ones(2), np.ones((2, 0)), c=2.0, d=3.0)
    assert value == 0
    np.testing.assert_array_equal(by_a, [0, 0])
    assert by_x.shape == (2, 0)
    assert k(np.ones(0), np.ones((0, 3)), c=2.0, d=3.0) == 0


TERMS = st.lists(
    st.tuples(
        st.sampled_from(["", "a[i]*", "a[i]**2*", "c*", "2*c*a[i]*"]),
        st.sampled_from(["x[i,j]", "b[j]*x[i,j]", "a[i]*x[i,j]*b[j]", "c*x[i,j]", "b[j]*b[j]"]),
        st.sampled_from(["", "**2"]),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=5)
@given(terms=TERMS)
def test_any_sums_of_products_are_the_same_numbers(terms):
    """The gradient by every input, against the sums written out in NumPy and differenced."""
    text = " + ".join(f"{before}sum(j, {term}){power}" for before, term, power in terms)
    made = sc.parse(f"sum(i, a[i]**3 + {text})", wrt="a")
    a, b, c = np.array([0.5, -1.0, 2.0]), np.array([1.5, -0.25]), 0.75
    x = np.array([[1.0, 2.0], [-0.5, 0.25], [3.0, -1.0]])
    arrays = {t.name: {"a": a, "b": b, "x": x}[t.name] for t in made.inputs}

    def value(a):
        cells = {"a[i]": a[:, None], "x[i,j]": x, "b[j]": b[None, :], "c": np.array(c)}
        total = a[:, None] ** 3
        for before, term, power in terms:
            summed = np.broadcast_to(product(term, cells), (3, 2)).sum(axis=1, keepdims=True)
            total = total + product(before.rstrip("*"), cells) * summed ** (2 if power else 1)
        return np.sum(np.broadcast_to(total, (3, 1)))

    k = sc.compile(made)
    hyper = {"c": c} if made.parameters else {}
    assert k(**arrays, **hyper) == pytest.approx(value(a), rel=1e-12, abs=1e-12)
    step = 1e-20j  # complex steps lose no digits
    slopes = [value(a + step * (np.arange(3) == p)).imag / 1e-20 for p in range(3)]
    np.testing.assert_allclose(k.grad(**arrays, **hyper), slopes, rtol=1e-12, atol=1e-12)


def product(text, cells):
    """A product of cells and numbers, as NumPy has it."""
    found = np.array(1.0)
    for factor in re.split(r"(?<!\*)\*(?!\*)", text) if text else ():
        base, _, power = factor.partition("**")
        cell = cells[base] if base in cells else float(base)
        found = found * cell ** (int(power) if power else 1)
    return found


# One entry of a row


def chosen_in_loops(made):
    """Assignments inside innermost loops that ask whether this is the chosen entry."""
    found = []
    for stage in made.stages:
        for node, loop in walk(stage.body):
            if isinstance(node, Assign) and loop is not None:
                found += [
                    node for choice in node.value.atoms(Where)
                    if isinstance(choice.args[0], sp.Eq) and loop.index in choice.args[0].args
                ]  # fmt: skip
    return found


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "reinforce", "ppo_clip"])
def test_no_entry_of_a_row_is_asked_whether_it_is_the_label(name):
    made = program(name)
    assert chosen_in_loops(made) == []
    sums = [n for n in statements(made, Accumulate) if n.kind == "sum" and str(n.index) == "k"]
    assert len(sums) == 1  # the total is the sum of the others and the chosen one


def test_one_sum_for_two():
    text = "sum(i, sum(k, exp(x[i,k])) * sum(k, where(k == y[i], 0, exp(x[i,k]))))"
    k = compiled(text, "x", domains={"y": "label n_k"})
    x, y = RNG.normal(size=(5, 4)), np.array([0, 3, 3, 1, 2])
    e, at = np.exp(x), np.arange(5)
    total, chosen = e.sum(axis=1), e[at, y]
    assert k(x, y) == pytest.approx((total * (total - chosen)).sum(), rel=1e-13)
    gradient = e * (2 * total - chosen)[:, None]
    gradient[at, y] = chosen * (total - chosen)
    np.testing.assert_allclose(k.grad(x, y), gradient, rtol=1e-12)
    spread = k.grad(np.array([[800.0, -800.0]]) - 800, [0])  # exp(-1600) is zero, nothing is inf
    np.testing.assert_array_equal(spread, [[0, 0]])


def test_the_chosen_entry_is_written_last_unless_the_row_is_read_before():
    """A row that the same loop reads must be right by the time it is read."""
    row = "let(h, where(k == y[i], exp(x[i,k]), exp(-x[i,k])))"
    x, w = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 3))
    y = np.array([0, 1, 2, 0, 0, 1])
    mine = np.arange(3) == y[:, None]
    h = np.where(mine, np.exp(x), np.exp(-x))
    slope = np.where(mine, h, -h)
    for text, value, by_w, by_x in [
        (f"sum(i, sum(k, {row}*w[i,k]))", (h * w).sum(), h, slope * w),
        (f"sum(i, sum(k, {row}*w[i,k])**2)", ((h * w).sum(axis=1) ** 2).sum(),
         2 * (h * w).sum(axis=1, keepdims=True) * h,
         2 * (h * w).sum(axis=1, keepdims=True) * slope * w),
        (f"sum(i, sum(k, {row}**2*w[i,k]))", (h**2 * w).sum(), h**2, 2 * h * slope * w),
    ]:  # fmt: skip
        k = compiled(text, ("w", "x"), domains={"y": "label n_k"})
        arrays = {"x": x, "w": w, "y": y}
        found, gradients = k.value_and_grad(**arrays)
        assert found == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(gradients[0], by_w, rtol=1e-12)
        np.testing.assert_allclose(gradients[1], by_x, rtol=1e-12)


def test_a_row_of_one_has_nothing_but_its_chosen_entry():
    k = compiled("sum(i, sum(k, where(k == y[i], 0, exp(x[i,k]))) + sum(k, exp(x[i,k])))", "x",
                 domains={"y": "label n_k"})  # fmt: skip
    value, gradient = k.value_and_grad(x=[[2.0]], y=[0])
    assert value == pytest.approx(np.exp(2), rel=1e-15)
    np.testing.assert_allclose(gradient, [[np.exp(2)]], rtol=1e-15)


# Scales


def test_a_quotient_that_does_not_vary_is_taken_once():
    source = sc.compile("mse").source
    loop = source[source.index("in range(start, stop):") :]
    assert " / " not in loop[: loop.index("if part <= 1")]
    assert "scale = 2.0 / n" in source


def test_nothing_is_hoisted_that_its_condition_guards():
    k = compiled("sum(i, where(a > 0, x[i]/a, x[i]))", "x")
    value, gradient = k.value_and_grad(np.array([1.0, 0.0, np.inf]), a=0.0)
    assert value == np.inf
    np.testing.assert_array_equal(gradient, [1, 1, 1])
    assert k(np.array([0.0, 3.0]), a=0.0) == 3
    k = compiled("sum(i, where(i > 0, x[i]/(x[i-1]*c), 0))", "x")
    value, gradient = k.value_and_grad(np.array([2.0, 3.0, 6.0]), c=0.5)
    assert value == 2 * (3 / 2 + 6 / 3)
    np.testing.assert_allclose(gradient, [-1.5, 1 - 4 / 3, 2 / 3], rtol=1e-14)
    with pytest.raises(sc.SymcalcError):
        compiled("sum(i, where(i > 0, x[i]/x[7], 0))", "x")(np.ones(3))
    k = compiled("sum(i, where(sum(j, y[j]) > 0, x[i]/sum(j, y[j]), 0))", "x")
    assert k(x=np.ones(2), y=np.zeros(3)) == 0
    assert k(x=np.ones(2), y=np.ones(4)) == 0.5


# Matrix products and sums by label

PRODUCTS = {
    "A B": ("sum(j, A[i,j]*B[j,k])", "n m", "m p", "ij,jk->ik"),
    "A B'": ("sum(j, A[i,j]*B[k,j])", "n m", "p m", "ij,kj->ik"),
    "A' B": ("sum(j, A[j,i]*B[j,k])", "m n", "m p", "ji,jk->ik"),
    "A' B'": ("sum(j, A[j,i]*B[k,j])", "m n", "p m", "ji,kj->ik"),
}
SIZES = [(3, 4, 5), (64, 33, 70), (1, 1, 1), (0, 4, 5), (3, 0, 5), (3, 4, 0), (0, 0, 0)]
SHORT = {"n": 0, "m": 1, "p": 2}


SINGLE = [
    pytest.param(kind, "float32", marks=[] if kind == "A B'" else pytest.mark.slow)
    for kind in PRODUCTS
]
DOUBLE = [
    pytest.param(kind, "float64", marks=[] if kind != "A B'" else pytest.mark.slow)
    for kind in PRODUCTS
]


@pytest.mark.parametrize(("kind", "dtype"), [*DOUBLE, *SINGLE])
def test_matrix_products_go_to_the_blas_whichever_way_they_stand(kind, dtype):
    inner, left, right, path = PRODUCTS[kind]
    k = compiled(f"sum(i, sum(k, {inner}**2))", ("A", "B"), dtype, shapes={"A": left, "B": right})
    assert k.source.count("np.dot") == 3
    for sizes in SIZES:
        a, b = (
            RNG.normal(size=[sizes[SHORT[dim]] for dim in dims.split()]).astype(dtype)
            for dims in (left, right)
        )
        c = np.einsum(path, a.astype(float), b.astype(float))
        (one, two), out = path.split("->")[0].split(","), "ik"
        expected = (
            (c**2).sum(),
            2 * np.einsum(f"{out},{two}->{one}", c, b.astype(float)),
            2 * np.einsum(f"{one},{out}->{two}", a.astype(float), c),
        )
        for arrays in [(a, b), (np.asfortranarray(a), b[::-1].copy()[::-1])]:
            value, gradients = k.value_and_grad(*arrays)
            tolerance = 1e-12 if dtype == "float64" else 2e-5
            for found, true in zip((value, *gradients), expected, strict=True):
                scale = np.max(np.abs(true), initial=1.0)
                np.testing.assert_allclose(found, true, rtol=0, atol=tolerance * scale)


def test_a_matrix_with_itself_and_matrices_by_the_batch():
    a = RNG.normal(size=(6, 6))
    k = compiled("sum(i, sum(k, sum(j, A[i,j]*A[j,k])**2))", "A", shapes={"A": "n n"})
    c = a @ a
    np.testing.assert_allclose(k.grad(a), 2 * (c @ a.T + a.T @ c), rtol=1e-11, atol=1e-11)
    k = compiled("sum(q, sum(i, sum(k, sum(j, A[q,i,j]*B[q,j,k])**2)))", ("A", "B"),
                 shapes={"A": "b n m", "B": "b m p"})  # fmt: skip
    assert "np.dot" in k.source
    for batch in (0, 1, 3):
        a, b = RNG.normal(size=(batch, 4, 2)), RNG.normal(size=(batch, 2, 5))
        c = a @ b
        value, (by_a, by_b) = k.value_and_grad(a, b)
        assert value == pytest.approx((c**2).sum(), rel=1e-12)
        np.testing.assert_allclose(by_a, 2 * c @ b.swapaxes(1, 2), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(by_b, 2 * a.swapaxes(1, 2) @ c, rtol=1e-11, atol=1e-12)


def test_a_product_of_more_than_two_is_no_matrix_product():
    text = "sum(i, sum(k, sum(j, A[i,j]*w[j]*B[j,k])**2))"
    made = sc.parse(text, wrt="A")
    a, w, b = RNG.normal(size=(3, 4)), RNG.normal(size=4), RNG.normal(size=(4, 2))
    c = (a * w) @ b
    np.testing.assert_allclose(
        sc.compile(made).grad(A=a, B=b, w=w), 2 * (c @ b.T) * w, rtol=1e-12, atol=1e-13
    )
    assert all(not isinstance(n, Contract) or len(n.value.args) == 2
               for n in statements(program(made), Contract))  # fmt: skip


TABLE = "sum(i, sum(j, {}))"
SHAPES = {"w": "v d", "x": "n d", "y": "n"}


def looked_up(body, dtype="float64", wrt="w"):
    return compiled(TABLE.format(body), wrt, dtype, shapes=SHAPES, domains={"y": "label v"})


def test_a_sum_by_label_is_scattered():
    """Repeated labels add up, labels that never come get zero."""
    k = looked_up("exp(w[y[i],j])*x[i,j]")
    w, x = RNG.normal(size=(7, 3)), RNG.normal(size=(50, 3))
    y = RNG.choice([0, 2, 2, 6], size=50)
    value, gradient = k.value_and_grad(w=w, x=x, y=y)
    expected = np.zeros_like(w)
    np.add.at(expected, y, np.exp(w[y]) * x)
    np.testing.assert_allclose(gradient, expected, rtol=1e-13, atol=1e-14)
    assert not gradient[[1, 3, 4, 5]].any()
    assert value == pytest.approx((np.exp(w[y]) * x).sum(), rel=1e-12)
    again = k.grad(w=w, x=x, y=y)
    np.testing.assert_array_equal(again, gradient)  # not added to what a buffer held
    value, gradient = k.value_and_grad(w=w, x=x[:0], y=y[:0])
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
    v = RNG.normal(size=w.shape)
    curved = np.zeros_like(w)
    np.add.at(curved, y, np.exp(w[y]) * x * v[y])
    np.testing.assert_allclose(k.hvp(w=w, x=x, y=y, vector=v), curved, rtol=1e-12, atol=1e-13)
    _, tangent = k.jvp(w=w, x=x, y=y, tangents={"w": v})
    assert tangent == pytest.approx((expected * v).sum(), rel=1e-12)


def test_long_sums_by_label_keep_float64():
    n = 1_000_000
    k = looked_up("w[y[i],j]*x[i,j]", "float32")
    x, y = np.full((n, 1), 0.1, np.float32), np.zeros(n, np.int64)
    y[-3:] = 2
    gradient = k.grad(w=np.ones((3, 1), np.float32), x=x, y=y)
    tenth = float(np.float32(0.1))
    assert gradient[0, 0] == np.float32((n - 3) * tenth)
    assert gradient[:, 0].tolist()[1:] == [0, np.float32(3 * tenth)]


LABEL_FORMULAS = [
    # w = (1, 2, 4), x = (1, 2, 3), y = (0, 1, 2)
    ("where(y[i] == 1, w[y[i]], 0)*x[i]", 4, [0, 2, 0]),
    ("where(y[i] >= 1, w[y[i]]**2, w[y[i]])*x[i]", 1 + 8 + 48, [1, 8, 24]),
    ("where(y[i] == 1, w[y[i]], where(y[i] == 2, 3*w[y[i]], 0))*x[i]", 4 + 36, [0, 2, 9]),
    ("y[i]*w[y[i]]*x[i] + y[i]**2", 4 + 24 + 1 + 4, [0, 2, 6]),
    ("w[y[i]]*w[y[i]]*x[i]", 1 + 8 + 48, [2, 8, 24]),
    ("w[y[y[i]]]*x[i]", 1 + 4 + 12, [1, 2, 3]),
]


@pytest.mark.parametrize(("body", "value", "gradient"), LABEL_FORMULAS)
def test_a_label_is_a_number_a_condition_and_a_place(body, value, gradient):
    k = compiled(f"sum(i, {body})", "w", shapes={"w": "n", "x": "n", "y": "n"},
                 domains={"y": "label n"})  # fmt: skip
    w, x = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])
    found, slope = k.value_and_grad(w=w, x=x, y=np.arange(3))
    assert found == value
    np.testing.assert_array_equal(slope, gradient)
    for bad in (3, -1, 2**62, -(2**63)):
        with pytest.raises(sc.ArgumentError, match=rf"y: .*got {bad} at \[1\]"):
            k.value_and_grad(w=w, x=x, y=np.array([0, bad, 2]))


def test_a_scalar_that_is_a_reduction_reaches_its_array():
    """The tangent of a sum, of a product, of an extreme: nothing but the reduction itself."""
    x, v = np.array([1.0, 2.0, 4.0]), np.array([1.0, -1.0, 0.5])
    for text, value, tangent in [
        ("sum(i, x[i])", 7, 0.5), ("sum(i, x[i]**2)", 21, 2 * 1 - 2 * 2 + 2 * 2),
        ("prod(i, x[i])", 8, 1 * 8 - 1 * 4 + 0.5 * 2), ("max(i, x[i])", 4, 0.5),
        ("mean(i, x[i])", 7 / 3, 0.5 / 3), ("sum(i, sum(j, x[i]*x[j]))", 49, 2 * 7 * 0.5),
    ]:  # fmt: skip
        found = compiled(text, "x").jvp(x, tangents={"x": v})
        assert found == (pytest.approx(value, rel=1e-14), pytest.approx(tangent, rel=1e-14))
    n = 500_000  # on several threads
    k = compiled("sum(i, x[i]**2)", "x")
    value, tangent = k.jvp(np.ones(n), tangents={"x": np.full(n, 0.5)})
    assert (value, tangent) == (n, n)


# Needs


def test_what_the_sizes_must_be():
    @sc.objective(wrt="z")
    def odd(z: Real[Array, "n d"], y: Label[Array, "n -> d"], s: Positive = 1.0):
        """A mean of what needs a third column."""
        i = indices("n")
        return mean(i, z[i, y[i]] * s + z[i, 2])

    found = {str(need.extent): (need.least, need.message) for need in needs(odd)}
    assert found["n"] == (1, "expected n of at least 1 (mean of nothing is undefined)")
    assert found["d - 2"][0] == 1
    assert found.keys() == {"n", "d - 2"}
    assert needs(sc.get("l2")) == ()
    assert [str(n.extent) for n in needs(sc.get("batch_norm"))] == ["n"]
    assert [str(n.extent) for n in needs(sc.get("layer_norm"))] == ["d"]
    shifted = needs(sc.parse("sum(t, V[t+2] - V[t])", wrt="V"))
    assert [(str(n.extent), n.least) for n in shifted] == [("n_t - 2", 0)]
    k = sc.compile(odd)
    z = np.arange(8.0).reshape(2, 4)
    assert k(z, [0, 3]) == (0 + 7) / 2 + (2 + 6) / 2
    for bad in (z[:, :2], z[:0]):
        with pytest.raises(sc.ArgumentError, match=r"of at least 1|of more than 2"):
            k(bad, np.zeros(len(bad), int))
