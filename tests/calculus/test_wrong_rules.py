"""Wrong rules of every kind are caught, and the error shows the rule, both sides and a point."""

import dataclasses

import pytest
import sympy as sp

import symcalc as sc
from symcalc.calculus import simplify
from symcalc.calculus.rewriting import bottom_up
from symcalc.calculus.simplify import RewriteError
from symcalc.notation.atoms import sigmoid
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim
from symcalc.notation.reductions import Mean, Sum
from symcalc.notation.tensors import Access

N = Dim("n")


def everywhere(kind, change):
    """A rule that changes every node of a kind."""
    return lambda expression, context: bottom_up(
        expression, lambda node: change(node) if isinstance(node, kind) else node
    )


def less_a_factor(product):
    kept = [factor for factor in product.args if not isinstance(factor, Access)]
    return sp.Mul(*kept) if len(kept) < len(product.args) else product


def swapped(node):
    if not isinstance(node, Sum):
        return node
    return node.replace(
        lambda a: isinstance(a, Access) and len(a.places) == 2,
        lambda a: a.tensor[a.places[1], a.places[0]],
    )


SQUARE = "sum(i, sum(j, x[i]*A[i,j]*x[j]))"
CHOICE = "mean(i, where(abs(x[i] - y[i]) <= delta, (x[i] - y[i])**2, 3*x[i]*delta))"
RARE = "mean(i, where(x[i] > 15/10, exp(x[i]), x[i]**2))"

PLANTED = {
    "a factor less": ("mean(i, x[i]**2*w[i])", everywhere(sp.Mul, less_a_factor)),
    "n - 1 for n": ("mean(i, x[i]**2)", lambda e, context: e.xreplace({N: N - 1})),
    "2 for n": ("mean(i, x[i]**2)", lambda e, context: e.xreplace({N: sp.Integer(2)})),
    "3 for 2": (
        "mean(i, x[i]**2)", everywhere(sp.Mul, lambda m: m * 3 / 2 if 2 in m.args else m)
    ),
    "a sum for a mean": (
        "sum(i, (x[i] - mean(j, x[j]))**3)", 
        everywhere(Mean, lambda node: Sum(*node.args) / (node.index.extent - 1)),
    ),
    "the other sign of one branch": (
        CHOICE, everywhere(Where, lambda node: Where(node.args[0], node.args[1], -node.args[2]))
    ),
    "twice one branch": (
        CHOICE, everywhere(Where, lambda node: Where(node.args[0], 2 * node.args[1], node.args[2]))
    ),
    "a branch that is seldom taken": (
        RARE, everywhere(Where, lambda node: Where(node.args[0], 2 * node.args[1], node.args[2]))
    ),
    "branches changed for one another": (
        CHOICE, everywhere(Where, lambda node: Where(node.args[0], node.args[2], node.args[1]))
    ),
    "the other comparison": (
        CHOICE, everywhere(Where, lambda node: Where(~node.args[0], *node.args[1:]))
    ),
    "swapped indices": (SQUARE, lambda e, context: swapped(e)),
    "the wrong place of a label": (
        "mean(i, exp(z[i, y[i]]))",
        lambda e, context: e.replace(
            lambda node: isinstance(node, sp.Eq), lambda node: sp.Ne(*node.args)
        ),
    ),
    "sigmoid for its complement": (
        "mean(i, softplus(x[i]))", everywhere(sigmoid, lambda node: sigmoid(-node.args[0]))
    ),
    "a term of a sum less": (
        "mean(i, x[i]*w[i] + exp(x[i]))", everywhere(sp.Add, lambda node: node.args[0])
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_wrong_rule_is_caught(monkeypatch, planted):
    text, rule = PLANTED[planted]
    formula = sc.parse(text)
    sc.derive(formula)
    monkeypatch.setattr(simplify, "RULES", (*simplify.RULES, (planted, rule)))
    with pytest.raises(RewriteError) as caught:
        sc.derive(formula)
    message = str(caught.value)
    assert message.startswith(f"{planted}: ")
    assert " is not " in message
    assert ", at n = 3, " in message


def test_the_error_shows_a_point_and_both_values(monkeypatch):
    rule = ("doubles", lambda e, context: 2 * e if e.atoms(Access) else e)
    monkeypatch.setattr(simplify, "RULES", (*simplify.RULES, rule))
    with pytest.raises(RewriteError) as caught:
        sc.derive(sc.parse("sum(i, x[i]**2)"))
    before, after, point = "2*x[i]", "4*x[i]", ", at n = 3, i = 0, x = ["
    assert str(caught.value).startswith(f"doubles: {before} is not {after}{point}")
    first, second = map(float, str(caught.value).rpartition(": ")[2].split(" and "))
    assert second == pytest.approx(2 * first)


def test_a_step_that_holds_has_no_counterexample():
    (*_, step) = sc.derive("huber").steps
    assert step.counterexample() is None
    wrong = dataclasses.replace(step, after=step.after + 1)
    assert "delta = " in wrong.counterexample()


def test_both_sides_of_a_condition_are_looked_at():
    formula = sc.parse(RARE)
    (*_, step) = sc.derive(formula).steps
    choice = next(iter(step.after.atoms(Where)))
    for side in (1, 2):
        sides = list(choice.args)
        sides[side] += sp.Rational(1, 10**30)
        for seed in range(10):
            wrong = dataclasses.replace(step, after=step.after.xreplace({choice: Where(*sides)}))
            assert not wrong.holds(seed=seed, points=1)
