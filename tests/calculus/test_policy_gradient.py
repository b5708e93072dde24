"""The policy-gradient theorem on a finite action set, proved as an equality of formulas."""

from __future__ import annotations

import pytest

import symcalc as sc
from symcalc.calculus.equal import gradients_agree
from symcalc.notation.errors import DerivationError

PI = "exp(theta[a] - logsumexp(b, theta[b]))"
LOG_PI = "(theta[a] - logsumexp(b, theta[b]))"
RETURN = sc.parse(f"expectation(a, {PI}, Q[a])", wrt="theta")

STATES = {"theta": "s c", "Q": "s c", "d": "s", "v": "s"}
PI_S = "exp(theta[i,a] - logsumexp(b, theta[i,b]))"
LOG_PI_S = "(theta[i,a] - logsumexp(b, theta[i,b]))"
MEAN_RETURN = sc.parse(f"mean(i, d[i]*sum(a, {PI_S}*Q[i,a]))", wrt="theta",
                       shapes={k: v for k, v in STATES.items() if k != "v"})  # fmt: skip


def proved(left, right, name="theta"):
    """Whether the two gradients are proved equal; the probe must never contradict a proof."""
    one, other = sc.derive(left), sc.derive(right)
    same = sc.same_gradient(one, other, name)
    assert same == gradients_agree(one, other, name)
    return same


HELD_VALUE = "stop_gradient(sum(b, Q[b]*exp(theta[b]))/sum(b, exp(theta[b])))"


@pytest.mark.parametrize(
    "surrogate",
    [
        f"score_function(a, {PI}, Q[a])",
        f"sum(a, stop_gradient({PI})*Q[a]*{LOG_PI})",
        f"sum(a, stop_gradient({PI})*(Q[a] - v)*log({PI}))",  # a baseline free of the action
        f"sum(a, stop_gradient({PI})*(Q[a] - {HELD_VALUE})*{LOG_PI})",  # the value as baseline
    ],
)
def test_the_score_form_has_the_gradient_of_the_expected_return(surrogate):
    assert proved(RETURN, sc.parse(surrogate, wrt="theta"))


@pytest.mark.parametrize(
    "wrong",
    [
        f"sum(a, stop_gradient({PI})*(Q[a] - v[a])*{LOG_PI})",  # a baseline that knows the action
        f"sum(a, {PI}*Q[a]*{LOG_PI})",  # the weight not held
        f"sum(a, Q[a]*{LOG_PI})",  # the weight forgotten
        f"sum(a, stop_gradient({PI})*Q[a]*theta[a])",  # the normaliser forgotten
        f"-score_function(a, {PI}, Q[a])",
        f"mean(a, stop_gradient({PI})*Q[a]*{LOG_PI})",
    ],
)
def test_a_wrong_form_is_not_proved(wrong):
    assert not proved(RETURN, sc.parse(wrong, wrt="theta"))


def test_the_theorem_holds_state_by_state_with_a_baseline():
    for advantage in ("Q[i,a]", "(Q[i,a] - v[i])"):
        form = f"mean(i, d[i]*sum(a, stop_gradient({PI_S})*{advantage}*{LOG_PI_S}))"
        shapes = {k: v for k, v in STATES.items() if k + "[" in form}
        assert proved(MEAN_RETURN, sc.parse(form, wrt="theta", shapes=shapes))
    wrong = f"mean(i, d[i]*sum(a, stop_gradient({PI_S})*(Q[i,a] - v[a])*{LOG_PI_S}))"
    shapes = {**STATES, "v": "c"}
    assert not proved(MEAN_RETURN, sc.parse(wrong, wrt="theta", shapes=shapes))


def test_an_entropy_bonus_has_the_gradient_the_papers_give():
    entropy = sc.parse(f"-sum(a, {PI}*{LOG_PI})", wrt="theta")
    form = sc.parse(f"-sum(a, stop_gradient({PI}*{LOG_PI})*{LOG_PI})", wrt="theta")
    assert proved(entropy, form)


def test_what_cannot_be_compared_is_refused():
    other = sc.parse("sum(a, theta[a]*Q[a])", wrt="theta", domains={"theta": "positive"})
    with pytest.raises(DerivationError, match="theta has shape"):
        sc.same_gradient(sc.derive(RETURN), sc.derive(other), "theta")
    with pytest.raises(DerivationError, match="expected an input derived by"):
        sc.same_gradient(sc.derive(RETURN), sc.derive(RETURN), "Q")
