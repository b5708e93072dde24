"""Properties are found, and only where they hold."""

import pytest

from symcalc.api import compile
from symcalc.catalogue import get
from symcalc.notation import parse
from symcalc.report.assemble import evaluator
from symcalc.report.properties import facts
from symcalc.report.symbols import symbols


def known(objective):
    """The properties of an objective, how each is known by its name."""
    kernel = compile(objective, backend="numpy")
    letters = symbols(kernel.objective, kernel.derivation)
    return {f.name: f.how for f in facts(kernel.derivation, evaluator(kernel), letters)}


def test_huber():
    found = known(get("huber"))
    assert {
        "least at target",
        "convex",
        "bounded gradient",
        "symmetric",
        "of the difference",
    } <= set(found)
    assert found["symmetric"].startswith("proved")
    assert "chord" in found["convex"]


def test_logistic_loss_is_smooth_and_convex_by_proof():
    found = known(get("bce_with_logits"))
    assert found["convex"].startswith("proved by interval")
    assert found["smooth"].startswith("proved by interval")
    assert "bounded gradient" in found


def test_softmax_does_not_feel_a_shift():
    found = known(get("softmax_cross_entropy"))
    assert "shift-invariant" in found
    assert "convex" in found


def test_layer_norm_is_shift_invariant_and_not_scale_invariant():
    found = known(get("layer_norm"))
    assert "shift-invariant" in found
    assert "scale-invariant" not in found


@pytest.mark.parametrize(
    ("text", "has", "lacks"),
    [
        ("sum(i, x[i]**2)", {"convex", "even", "homogeneous", "least at zero"}, {"odd"}),
        ("sum(i, x[i])", {"affine", "odd", "homogeneous"}, {"even", "convex"}),
        ("sum(i, -x[i]**2)", {"not convex", "even"}, {"convex"}),
        (
            "sum(i, cos(x[i]))",
            {"not convex", "even", "bounded gradient"},
            {"convex", "homogeneous"},
        ),
        ("mean(i, exp(x[i]))", {"convex", "monotone"}, {"even", "bounded gradient"}),
    ],
)
def test_formulas_of_ones_own(text, has, lacks):
    found = set(known(parse(text, wrt="x")))
    assert has <= found
    assert not lacks & found
