"""Conditions as they are written in Python, and reductions that bind their own letters."""

import pytest
import sympy as sp

import symcalc as sc
from symcalc import eq, indices, let, mean, ne, sum, where
from symcalc.notation import domains
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim
from symcalc.notation.reductions import Max, Min, Sum
from symcalc.notation.tensors import Tensor

i, k = indices("n c")
x = Tensor("x", (Dim("n"),))
z = Tensor("z", (Dim("n"), Dim("c")))
y = Tensor("y", (Dim("n"),), domains.labels("c"))
a = sp.Symbol("a", real=True)


def when(chosen):
    """The condition of a choice."""
    assert isinstance(chosen, Where)
    return chosen.args[0]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (lambda: k == y[i], sp.Eq(k, y[i])),
        (lambda: y[i] == k, sp.Eq(y[i], k)),
        (lambda: y[i] != k, sp.Ne(y[i], k)),
        (lambda: i == 0, sp.Eq(i, 0)),
        (lambda: 0 == i, sp.Eq(i, 0)),
        (lambda: x[i] == 0, sp.Eq(x[i], 0)),
        (lambda: x[i] <= a, sp.Le(x[i], a)),
        (lambda: a >= x[i], sp.Le(x[i], a)),
        (lambda: (x[i] > 0) & (x[i] < 1), sp.And(x[i] > 0, x[i] < 1)),
        (lambda: (x[i] > 1) | ~(x[i] > 0), sp.Or(x[i] > 1, x[i] <= 0)),
        (lambda: (y[i] == k) & (x[i] < 1), sp.And(sp.Eq(y[i], k), x[i] < 1)),
        (lambda: (x[i] < 1) & (y[i] == k), sp.And(sp.Eq(y[i], k), x[i] < 1)),
        (lambda: (y[i] == k) & (i == 0), sp.And(sp.Eq(y[i], k), sp.Eq(i, 0))),
        (lambda: (y[i] == k) | (i == 0), sp.Or(sp.Eq(y[i], k), sp.Eq(i, 0))),
        (lambda: ~(y[i] == k), sp.Ne(y[i], k)),
        (lambda: eq(x[i] + 1, a), sp.Eq(x[i] + 1, a)),
        (lambda: ne(x[i] + 1, a), sp.Ne(x[i] + 1, a)),
    ],
)
def test_a_condition_means_what_was_written(alike, written, meant):
    assert alike(when(where(written(), 2, 3)), meant)


@pytest.mark.parametrize(
    "written", [lambda: True, lambda: False, lambda: x[i] + 1 == a, lambda: x[i], lambda: 1,
                lambda: None, lambda: "x > 0", lambda: a, lambda: a + 1 != x[i]],
)  # fmt: skip
def test_what_is_no_condition_is_refused(written):
    with pytest.raises(sc.NotationError, match="expected"):
        where(written(), 1, 0)


def test_equality_is_still_pythons_where_python_asks():
    j = indices("n")
    assert x[i] == x[i]
    assert not x[i] == x[j]
    assert x[i] != x[j]
    assert not x[i] != x[i]
    assert x[i] != 0
    assert i != 0
    assert not i == 0
    assert x[i] in [z[i, k], x[i]]
    assert x[i] not in [z[i, k], x[j]]
    assert len({x[i], x[i], x[j]}) == 2
    assert {x[i]: 1}[x[i]] == 1
    assert (x[i] == "x[i]") is False
    assert (x[i] == None) is False  # noqa: E711


@pytest.mark.parametrize("other", [0, 1, a, x[i] + 1, sp.Integer(0), sp.pi, 2 * k])
def test_an_access_and_an_index_differ_from_everything_else(other):
    for one in (x[i], i, k, z[i, k]):
        assert bool(one != other)
        assert not bool(one == other)


def test_a_decided_choice_is_no_choice():
    assert where(sp.true, x[i], 0) == x[i]
    assert where(sp.false, x[i], a) == a
    assert where(x[i] > 0, a, a) == a


def test_binders_are_lexical(alike):
    inner = sum(i, x[i] ** 2)
    once = sum(i, x[i] * inner)
    j = indices("j:n")
    assert alike(once, sum(j, x[j] * sum(i, x[i] ** 2)))
    assert once.free_symbols == set()


def test_a_bound_index_is_captured_by_nothing():
    outer = sum(i, x[i])
    body = outer.xreplace({i: sp.Integer(3)})
    assert body == outer
    assert sum(i, x[i] * outer).body.has(Sum)
    assert i not in sum(i, x[i] * outer).free_symbols


def test_several_indices_are_bound_outermost_first(alike):
    assert alike(sum(i, k, z[i, k]), sum(i, sum(k, z[i, k])))
    assert alike(mean(i, k, z[i, k]), mean(i, mean(k, z[i, k])))


def test_max_of_an_index_is_a_reduction_and_of_expressions_a_choice():
    assert isinstance(sc.max(i, x[i]), Max)
    assert isinstance(sc.min(i, x[i]), Min)
    assert type(sc.max(x[i], a)).__name__ == "maximum"
    assert type(sc.min(x[i], 0)).__name__ == "minimum"
    three = sc.max(x[i], a, 0)
    assert type(three).__name__ == "maximum"
    assert three.free_symbols >= {i, a}
    assert type(three.args[0]).__name__ == "maximum"


@pytest.mark.parametrize("reduce", [sc.sum, sc.mean, sc.prod, sc.logsumexp, sc.norm2])
@pytest.mark.parametrize("arguments", [(), (x[i],), (x[i], i), (2, x[i]), ("i", x[i])])
def test_a_reduction_wants_an_index_first(reduce, arguments):
    with pytest.raises(sc.NotationError, match="expected an index"):
        reduce(*arguments)


@pytest.mark.parametrize("arguments", [(), (x[i],), (i,)])
def test_max_wants_two_arguments(arguments):
    with pytest.raises(sc.NotationError, match="max: expected"):
        sc.max(*arguments)


def test_a_shifted_access_narrows_its_index_to_what_is_in_bounds():
    t = indices("t")
    value = Tensor("V", (Dim("t"),))
    assert str(sum(t, value[t + 1] - value[t]).index.extent) == "t - 1"
    assert str(sum(t, value[t] - value[t - 1]).index.extent) == "t - 1"
    assert str(sum(t, value[t + 2] * value[t - 1]).index.extent) == "t - 3"
    assert str(sum(t, value[t] ** 2).index.extent) == "t"
    back = sum(t, value[t] - value[t - 1])
    s = back.index
    assert sp.expand(back.body - (value[s + 1] - value[s])) == 0


def test_a_name_is_only_a_name(alike):
    assert alike(let("mu", mean(i, x[i])), mean(i, x[i]))
    assert let("mu", mean(i, x[i])).name == "mu"


@pytest.mark.parametrize("name", ["", "a b", "3", "a-b", 3, None])
def test_let_wants_a_name(name):
    with pytest.raises(sc.NotationError, match="let"):
        let(name, x[i])


def test_the_sign_of_an_extent_less_a_reduction_is_left_open():
    n = Dim("n")
    for part in (sum(i, x[0]), sum(i, sum(k, z[0, k]))):
        for asked in (n - part, n * part - 3, n + sp.exp(part) - 2, n**2 - n * part):
            assert asked.is_nonnegative is None
            assert str(where(asked > 0, asked, 0)).startswith("where(")


def test_tensors_alike_have_an_order():
    other = Tensor("x", (Dim("n"),), domains.POSITIVE)
    same = Tensor("x", (Dim("n"),), domains.POSITIVE)
    assert other == same
    assert other != x
    assert other.compare(same) == 0
    assert other.compare(x) == -x.compare(other) != 0
    assert x.compare(Tensor("x", (Dim("c"),))) == -Tensor("x", (Dim("c"),)).compare(x) != 0
