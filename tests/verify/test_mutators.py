"""Mutators: each makes its mistake, and nothing else, in equations written by hand."""

from __future__ import annotations

import pytest
import sympy as sp

import symcalc as sc
from symcalc.calculus.equations import Equation
from symcalc.notation import atoms
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.reductions import LogSumExp, Mean, Sum
from symcalc.notation.tensors import Access, Tensor
from symcalc.verify.mutators import OPERATORS, parts

n, d = Dim("n"), Dim("d")
i, j = Index("i", n), Index("j", d)
x, y, m = Tensor("x", (n, d)), Tensor("y", (n, d)), Tensor("m", (d,))
eps = sp.Symbol("eps", positive=True)


def mutated(operator, body, indices=(i, j)):
    target = Tensor("t", tuple(index.extent for index in indices))
    equation = Equation(target, indices, body)
    return [str(after.body) for after, _ in OPERATORS[operator](equation)]


A, B = x[i, j], m[j]


@pytest.mark.parametrize(
    ("operator", "body", "expected"),
    [
        ("sign", A + B, ["-m[j] - x[i, j]", "-m[j] + x[i, j]", "m[j] - x[i, j]"]),
        ("factor 2", A * B, ["2*m[j]*x[i, j]"]),
        ("dropped term", A + B, ["m[j]", "x[i, j]"]),
        ("dropped factor", A * B, ["m[j]", "x[i, j]"]),
        ("duplicated term", A + B, ["2*m[j] + x[i, j]", "m[j] + 2*x[i, j]"]),
        ("swapped index", A, ["x[Min(j, n - 1), j]", "x[i, Min(i, d - 1)]"]),
        ("transposed access", A, ["x[Min(j, n - 1), Min(i, d - 1)]"]),
        ("off-by-one shift", B, ["m[Min(d - 1, j + 1)]", "m[Max(0, j - 1)]"]),
        ("n against n - 1", A / n, ["x[i, j]/(n - 1)"]),
        ("detached path", A * B + A, ["x[i, j]", "0"]),
        ("dropped delta", Where(sp.Eq(i, j), A, 0), ["x[i, j]", "0"]),
        ("wrong branch", Where(A > 0, B, 0), ["where(x[i, j] > 0, 0, m[j])", "m[j]", "0"]),
        ("< against <=", Where(A > 0, B, 0), ["where(x[i, j] >= 0, m[j], 0)"]),
        ("eps outside the root", 1 / sp.sqrt(B + eps), ["1/(eps + sqrt(m[j]))"]),
        ("eps outside the root", sp.sqrt(B + eps), ["eps + sqrt(m[j])"]),
        ("constant nudged", A**2, ["x[i, j]**3", "x[i, j]"]),
        ("neighbouring atom", atoms.abs(A), ["x[i, j]", "relu(x[i, j])"]),
    ],
)
def test_a_mistake_is_made_in_every_place(operator, body, expected):
    assert sorted(mutated(operator, body)) == sorted(expected)


@pytest.mark.parametrize(
    ("operator", "kind", "expected"),
    [
        ("mean against sum", Mean, ["sum(i, x[i, j])"]),
        ("mean against sum", Sum, ["mean(i, x[i, j])"]),
        ("mean against sum", LogSumExp, ["max(i, x[i, j])", "sum(i, x[i, j])"]),
        ("n against n - 1", Mean, ["sum(i, x[i, j]/(n - 1))"]),
        ("sign", Sum, ["sum(i, -x[i, j])"]),
    ],
)
def test_a_mistake_is_made_in_a_reduction(operator, kind, expected):
    assert mutated(operator, kind.over(i, A), (j,)) == expected


def test_the_wrong_axis_is_summed_and_the_other_kept():
    equation = Equation(Tensor("t", (d,)), (j,), Sum.over(i, A))
    ((after, words),) = OPERATORS["wrong reduction axis"](equation)
    assert after.indices == (j,)
    assert after.body.index.extent == d
    assert after.body.body == Access(x, sp.Min(j, n - 1), after.body.index)
    assert words == "over j and not over i"


def test_what_cannot_be_written_is_no_mutant():
    labels = sc.parse("mean(i, z[i, y[i]])", wrt="z")
    (equation,) = sc.derive(labels).equations[:1]
    assert list(OPERATORS["transposed access"](equation)) == []
    assert mutated("detached path", 1 / B) == []  # it would divide by zero


def test_bound_indices_and_places_are_no_parts():
    body = Sum.over(i, A * B)
    assert [str(part.node) for part in parts(body)] == [
        "sum(i, m[j]*x[i, j])", "m[j]*x[i, j]", "m[j]", "x[i, j]",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["huber", "softmax_cross_entropy", "layer_norm", "ppo_clip"])
def test_no_mutant_is_as_it_was_and_each_says_what_changed(name):
    for equation in sc.derive(name).hvp.needed:
        for mutate in OPERATORS.values():
            for after, words in mutate(equation):
                assert after.body != equation.body
                assert after.target == equation.target
                assert words


def test_operators_go_into_recurrences():
    derivation = sc.derive(sc.parse("sum(t, scan(t, a[t], b[t])**2)", wrt=("a", "b")))
    equation = next(e for e in derivation.equations if e.recurrence)
    found = {str(after.body) for after, _ in OPERATORS["off-by-one shift"](equation)}
    assert "scan(t, a[Min(n - 1, t + 1)], b[t], 0, t)" in found or len(found) == 4
