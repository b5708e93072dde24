"""The Hessian's structure: right by brute force, recognised where it is there, its steps probed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from witness import Unrolled, draw

import symcalc as sc
from symcalc.calculus.orders import places_of
from symcalc.notation.dims import Dim
from symcalc.notation.tensors import Tensor

KINDS = {
    "sum(i, x[i]**3)": "diagonal",
    "mean(i, softplus(y[i]*x[i]))": "diagonal",
    "mean(i, exp(x[y[i]])*r[i])": "diagonal",
    "sum(i, x[i, i]**2)": "diagonal",
    "max(i, x[i]**2)": "diagonal",
    "sum(i, w[i]*x[i])": "zero",
    "sum(i, abs(x[i]))": "zero",
    "norm2(i, x[i])": "diagonal plus rank one",
    "sum(i, x[i]**2)**2": "diagonal plus rank one",
    "logsumexp(i, x[i])": "diagonal plus rank one",
    "log(sum(i, exp(x[i])))": "diagonal plus rank one",
    "sum(i, (x[i] - mean(j, x[j]))**2)": "diagonal plus rank one",
    "sum(i, x[i]**3) + sum(i, w[i]*x[i])**2": "diagonal plus rank one",
    "sum(i, x[i])**2": "rank one",
    "sum(i, x[i])*sum(i, w[i]*x[i])": "rank two",
    "sum(i, norm2(k, x[i,k]))": "block diagonal of diagonal plus rank one",
    "mean(i, logsumexp(k, x[i,k]) - x[i, y[i]])": "block diagonal of diagonal plus rank one",
    "sum(k, logsumexp(i, x[i,k]))": "block diagonal of diagonal plus rank one",
    "sum(i, sum(k, x[i,k])**2)": "block diagonal of rank one",
    "sum(i, sum(j, A[i,j]*x[j])**2)": "dense",
    "sum(t, (x[t+1] - x[t])**2)": "dense",
    "prod(i, x[i])": "dense",
    "sum(i, x[0]*x[i]) + x[1]**2": "diagonal plus rank two",
}


def brute_force(objective, sizes, point):
    """The Hessian by SymPy's own second derivatives, entry by entry."""
    witness = Unrolled(objective, sizes, point)
    return witness.hessian(objective.wrt[0])


@pytest.mark.parametrize("text", KINDS)
def test_kind_formula_and_products_are_right(text):
    objective = sc.parse(text, wrt="x", domains={"x": "real"})
    derivation = sc.derive(objective)
    structure = derivation.hessian_structure
    assert structure.kind == KINDS[text], str(structure)
    assert [str(s) for s in structure.steps if not s.holds()] == []
    sizes = dict.fromkeys((d.name for d in objective.dims), 3)
    sizes |= {t.domain.below.name: 3 for t in objective.inputs if t.domain.below is not None}
    point = draw(objective, sizes)
    expected = brute_force(objective, sizes, point)
    kernel = sc.compile(objective, backend="numpy")
    shape = point["x"].shape
    n = int(np.prod(shape))
    vector = np.random.default_rng(1).normal(size=shape)
    product = (expected.reshape(n, n) @ vector.ravel()).reshape(shape)
    diagonal = np.diag(expected.reshape(n, n)).reshape(shape)
    found = kernel.hessian_structure(**point)
    close(kernel.hvp(**point, vector=vector), product)
    close(kernel.hessian(**point), expected)
    close(found.product(vector), product)
    close(found @ vector, product)
    close(found.diagonal, diagonal)
    close(kernel.hessian_diagonal(**point), diagonal)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


ROWS = ("softmax_cross_entropy", "reinforce", "ppo_clip")
ELEMENTWISE = (
    "mse", "mae", "huber", "log_cosh", "bce_with_logits", "hinge", "kl_divergence", "l1", "l2",
    "elastic_net", "smooth_l1_penalty",
)  # fmt: skip


@pytest.mark.parametrize("name", [*ROWS, *ELEMENTWISE])
def test_elementwise_losses_are_diagonal_and_softmax_is_blockwise(name):
    structure = sc.derive(name).hessian_structure
    rows = {"softmax_cross_entropy", "reinforce"}
    if name in rows:
        assert structure.kind == "block diagonal of diagonal plus rank one"
        assert structure.block == structure.indices[:1]
    elif name == "ppo_clip":
        assert structure.kind == "block diagonal of diagonal plus rank two"
    else:
        assert structure.kind in ("diagonal", "zero")
    assert all(step.holds() for step in structure.steps)


def test_softmax_curvature_reads_as_the_textbook_has_it():
    structure = sc.derive("softmax_cross_entropy").hessian_structure
    assert str(structure.base) == "softmax[i, k]/n"
    (factor,) = structure.factors
    assert str(factor.coefficient) == "-1/n"
    assert str(factor.left) == str(factor.right) == "softmax[i, k]"
    assert str(structure.diagonal) == "(1 - softmax[i, k])*softmax[i, k]/n"
    assert "block diagonal" in str(structure)
    assert r"\partial^2" in structure.latex()


def test_a_norms_curvature_is_a_scaled_identity_less_rank_one():
    structure = sc.derive(sc.parse("norm2(i, x[i])")).hessian_structure
    assert structure.base.free_symbols.isdisjoint(structure.indices)
    assert len(structure.factors) == 1


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm"])
def test_a_layers_curvature_is_low_rank_a_row(name):
    structure = sc.derive(name, "x").hessian_structure
    assert structure.kind == "block diagonal of diagonal plus rank three"
    assert all(step.holds() for step in structure.steps)


def test_a_formula_that_grows_too_long_is_given_up():
    text = "sum(i, tanh(sum(j, A[i,j]*tanh(sum(k, A[j,k]*tanh(sum(l, A[k,l]*tanh(x[l]))))))))"
    objective = sc.parse(text, wrt="x")
    structure = sc.derive(objective).hessian_structure
    assert structure.kind == "dense"
    k = sc.compile(objective, backend="numpy")
    rng = np.random.default_rng(2)
    x, a = rng.normal(size=3), rng.normal(size=(3, 3))
    given = {"x": x, "A": a}
    np.testing.assert_allclose(
        k.hessian_diagonal(**given), np.diag(k.hessian(**given)), rtol=1e-11, atol=1e-13
    )


def test_several_inputs_have_no_one_structure():
    with pytest.raises(sc.SymcalcError, match="expected one input"):
        _ = sc.derive("mse", ("prediction", "target")).hessian_structure


def test_a_wrong_structure_step_does_not_hold():
    structure = sc.derive("softmax_cross_entropy").hessian_structure
    step = next(s for s in structure.steps if s.rule == "structure")
    assert step.holds()
    assert not dataclasses.replace(step, after=2 * step.after).holds()


def test_second_order_steps_hold_and_are_shown():
    for name in sc.catalogue():
        product = sc.derive(name).hvp
        assert [str(s) for s in product.steps if not s.holds()] == []
    product = sc.derive("softmax_cross_entropy").hvp
    assert "logits_bar_dot[i, k] = softmax_dot[i, k]/n" in str(product)
    assert product.latex().startswith(r"\begin{aligned}")
    assert {s.rule for s in product.steps} >= {"the tangent rule"}


def test_letters_of_places_do_not_clash():
    places = places_of(Tensor("T", tuple(Dim(c) for c in "abcdefg")))
    assert len({p.name for p in places}) == 7
