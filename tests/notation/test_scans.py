"""Recurrences as they are written: what binds, which entry is asked for, what is refused."""

import pytest
import sympy as sp
from conftest import canonical

import symcalc as sc
from symcalc.notation.dims import Dim
from symcalc.notation.latex import latex
from symcalc.notation.scans import ReverseScan, Scan
from symcalc.notation.tensors import Tensor, free_indices

T, B = Dim("T"), Dim("B")
r, a, V = (Tensor(name, (T,)) for name in ("r", "a", "V"))
x = Tensor("x", (B, T))


def letters():
    return sc.indices("t:T b:B")


def test_the_index_is_bound_and_the_place_is_free():
    t, _ = letters()
    y = sc.scan(t, a[t], r[t])
    assert isinstance(y, Scan)
    assert y.place is t
    assert y.index != t
    assert free_indices(y) == {t}


def test_another_entry_is_the_same_sequence_at_another_place():
    t, _ = letters()
    y = sc.reverse_scan(t, a[t], r[t])
    later = y.xreplace({t: t + 1})
    assert later == y[t + 1]
    assert (later.decay, later.term, later.index) == (y.decay, y.term, y.index)
    assert isinstance(later, ReverseScan)


def test_equal_letters_of_two_recurrences_never_meet():
    t, _ = letters()
    inner = sc.cumsum(t, r[t])
    outer = sc.scan(t, a[t], inner)
    assert outer.term.place == outer.index
    assert free_indices(outer) == {t}


def test_cumulative_sums_and_products_are_recurrences():
    t, _ = letters()
    assert sc.cumsum(t, r[t]).parts[::2] == (1, 0)
    assert sc.reverse_cumsum(t, r[t]).parts[::2] == (1, 0)
    assert sc.cumprod(t, r[t]).parts[1:] == (0, 1)


def test_bounds_narrow_as_for_an_access():
    t, _ = letters()
    advantage = sc.reverse_scan(t, sp.Rational(9, 10), r[t] + V[t + 1] - V[t])
    assert advantage.index.extent == T - 1
    assert sc.sum(t, advantage).index.extent == T - 1
    y = sc.scan(t, a[t], r[t])
    assert sc.sum(t, y[t + 1]).index.extent == T - 1
    assert sc.sum(t, y[t - 1] * r[t]).index.extent == T - 1


def test_a_range_that_begins_later_shifts_the_place():
    t, _ = letters()
    change = sc.scan(t, a[t], V[t] - V[t - 1])
    assert change.index.extent == T - 1
    assert change.place == t - 1
    total = sc.sum(t, change)
    assert total.index.extent == T - 1
    assert total.body.place == total.index


def test_signs_are_known():
    t, _ = letters()
    n = Tensor("n", (T,), sc.notation.domains.NONNEGATIVE)
    assert sc.cumsum(t, n[t]).is_nonnegative
    assert sc.cumsum(t, r[t]).is_nonnegative is None


TEXTS = {
    "sum(t, scan(t, g, r[t])*r[t])": "sum(t, r[t]*scan(t, g, r[t]))",
    "scan(t, g, r[t], y0)": "scan(t, g, r[t], y0)",
    "cumsum(t, x[b, t])": "scan(t, 1, x[b, t])",
    "cumprod(t, r[t])": "scan(t, r[t], 0, 1)",
    "reverse_cumsum(t, r[t])": "reverse_scan(t, 1, r[t])",
    "reverse_scan(t, g, r[t], 0, 0)": "reverse_scan(t, g, r[t], 0, 0)",
    "sum(t, r[t]*cumsum(u, a[u], t+1))": "sum(t, r[t]*scan(u, 1, a[u], 0, t + 1))",
    "sum(t, r[t]*cumsum(t, a[t], t+1))": "sum(t, r[t]*scan(i, 1, a[i], 0, t + 1))",
    "scan(t, g, V[t] - V[t-1])": "scan(t, g, -V[t] + V[t + 1])",
}


@pytest.mark.parametrize("text", TEXTS)
def test_text_says_the_same(text):
    formula = sc.parse(text)
    assert str(formula.body) == TEXTS[text]
    shapes = {t.name: " ".join(map(str, t.shape)) for t in formula.inputs}
    again = sc.parse(str(formula.body), shapes=shapes)
    assert canonical(again.body) == canonical(formula.body)


def test_text_and_python_agree():
    @sc.objective(wrt="x")
    def mine(x: sc.Real[sc.Array, "n n_t"], g: sc.Fraction):
        i, t = sc.indices("n n_t")
        y = sc.scan(t, g, x[i, t], 1)
        return sc.sum(i, t, y * y[t - 1])

    text = "sum(i, t, scan(t, g, x[i,t], 1)*scan(u, g, x[i,u], 1, t-1))"
    written = sc.parse(text, domains={"g": "probability"})
    assert canonical(mine.body) == canonical(written.body)


def test_the_dims_of_a_text_are_inferred_through_the_place():
    formula = sc.parse("sum(i, x[i]*cumsum(j, y[j], i))")
    assert {str(t.shape) for t in formula.inputs} == {"(n,)"}
    free = sc.parse("scan(t, g, 1)*x[t]")
    assert [str(index.extent) for index in free.outputs] == ["n_t"]


REFUSED = {
    "scan(2, g, r[t])": "expected an index first",
    "scan(g, r[t])": "indexes no array",
    "scan(t, g, r[t], r[t])": "expected a start free of the index t, got r[t]",
    "scan(t, g, r[t], place=0)": "scan: expected plain arguments; start and place go by position",
    "scan(t, g, r[t], 0, 0.5)": "expected a place such as t, t + 1 or 0",
    "scan(t, g, r[t], 0, 2*t)": "expected a place such as t",
    "cumsum(t, r[t], -1)": "got -1",
    "scan(t, g, r[t] > 0)": "a condition goes first in where",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_that_makes_no_sense_is_told_why(text):
    with pytest.raises(sc.ParseError) as told:
        sc.parse(text)
    assert REFUSED[text] in str(told.value)


def test_python_is_told_why():
    t, b = letters()
    with pytest.raises(sc.NotationError, match="scan: expected an index first, as in scan"):
        sc.scan(r, 1, r[t])
    with pytest.raises(sc.NotationError, match="cumsum: expected a place such as t"):
        sc.cumsum(t, r[t], place=b)
    with pytest.raises(sc.NotationError, match="differentiated by the calculus, not by diff"):
        sc.cumsum(t, t * r[t]).diff(t)


LATEX = {
    "cumsum(t, r[t])": r"\sum_{u \le t} r_u",
    "reverse_cumsum(t, r[t])": r"\sum_{u \ge t} r_u",
    "cumprod(t, r[t])": r"\prod_{u \le t} r_u",
    "reverse_scan(t, g, r[t])": r"\sum_{u \ge t} g^{u - t} r_u",
    "scan(t, a[t], r[t])": r"\sum_{u \le t} \left(\prod_{u < v \le t} a_v\right) r_u",
    "2*cumsum(t, r[t])": r"2 \sum_{u \le t} r_u",
    "r[t]*scan(u, g, 0, 3, t)": r"r_t \, 3 g^{t + 1}",
    "scan(t, a[t], r[t], 2)*r[t]": (
        r"r_t \, \left(\sum_{u \le t} \left(\prod_{u < v \le t} a_v\right) r_u "
        r"+ 2 \prod_{u \le t} a_u\right)"
    ),
}


@pytest.mark.parametrize("text", LATEX)
def test_inside_a_formula_a_recurrence_is_the_sum_it_is(text):
    formula = sc.parse(text)
    assert latex(formula.body, indices=formula.outputs) == LATEX[text]


def test_in_an_equation_it_is_told_by_the_entry_before():
    rows = sc.derive(sc.parse("sum(t, let(A, reverse_scan(t, c[t], r[t]))**2)", wrt="r")).latex()
    assert r"A_t &= A_{t + 1} c_t + r_t, \quad A_{n_t} = 0" in rows
    assert r"\bar{A}_t &= \bar{A}_{t - 1} c_{t - 1} + 2 A_t, \quad \bar{A}_{-1} = 0" in rows
