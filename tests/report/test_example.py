"""The worked example and the curvature of a page, held against NumPy and against textbooks."""

import numpy as np
import pytest
from entries import entries

from symcalc.calculus.derive import derive
from symcalc.catalogue import get
from symcalc.notation.parser import parse
from symcalc.report.blocks import Fold, Formula, Math, Paragraph, Table
from symcalc.report.curvature import curvature
from symcalc.report.example import example
from symcalc.report.symbols import symbols

NAMES = entries()
# Those of which no point that was tried has finite values in every equation.
WITHOUT = {"causal_attention", "adam", "adamw", "nadam"}


def worked(objective):
    derivation = derive(objective)
    return example(derivation, symbols(objective, derivation))


def bent(objective):
    derivation = derive(objective)
    return curvature(derivation, symbols(objective, derivation))


def numbers(text):
    whole = text.removesuffix(", …").replace("−", "-")
    rows = [[float(n) for n in row.split(", ")] for row in whole.split("; ")]
    return np.array(rows[0]) if text.endswith("…") else np.squeeze(np.array(rows))


def values(blocks, table):
    """The rows of a table, the last cell as an array, by the left side of the first."""
    rows = [block for block in blocks if isinstance(block, Table)][table].rows
    return {row[0][0].latex.split(" = ")[0]: numbers(row[-1][0]) for row in rows}


def close(found, expected):
    """As close as four digits are."""
    np.testing.assert_allclose(found, expected, rtol=6e-4, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_has_an_example_of_finite_numbers(name):
    blocks = worked(get(name))
    assert bool(blocks) == (name not in WITHOUT)
    for table in (0, 1) if blocks else ():
        assert all(np.isfinite(array).all() for array in values(blocks, table).values())


@pytest.mark.parametrize("name", ["layer_norm", "ppo_clip"])
def test_an_example_is_the_same_every_time(name):
    assert worked(get(name)) == worked(get(name))


def test_the_numbers_of_huber():
    blocks = worked(get("huber"))
    given, found = values(blocks, 0), values(blocks, 1)
    r = given[r"\hat{y}"] - given["y"]
    close(found[r"\mathcal{L}"], np.mean(np.where(abs(r) <= 1, r**2 / 2, abs(r) - 0.5)))
    close(found[r"\bar{\hat{y}}_i"], np.clip(r, -1, 1) / 2)


def test_the_numbers_of_layer_norm():
    blocks = worked(get("layer_norm"))
    given, found = values(blocks, 0), values(blocks, 1)
    x, gamma, beta, out = (given[k] for k in ("x", r"\gamma", r"\beta", r"\bar{y}"))
    scale = np.sqrt(x.var(1, keepdims=True) + 1e-5)
    xhat = (x - x.mean(1, keepdims=True)) / scale
    close(found["y_{ij}"], gamma * xhat + beta)
    g = gamma * out
    slope = g - g.mean(1, keepdims=True) - xhat * (g * xhat).mean(1, keepdims=True)
    close(found[r"\bar{x}_{ij}"], slope / scale)
    close(found[r"\bar{\gamma}_j"], (xhat * out).sum(0))


def test_the_first_entry_is_written_in_numbers():
    derivation = derive(get("softmax_cross_entropy"))
    blocks = example(derivation, symbols(derivation.objective, derivation))
    shown = [row[1][0].latex for row in blocks[2].rows if isinstance(row[1][0], Math)]
    assert shown[0] == r"\log(e^{-0.2} + e^{0.2} + e^1)"
    assert shown[1] == r"e^{0.2 - 1.56}"


def test_numbers_side_by_side_are_multiplied():
    blocks = worked(parse("sum(i, w*x[i]*y[i])", wrt="x"))
    shown = blocks[2].rows[0][1][0].latex
    assert shown.count(r"\cdot") == 4


def test_the_branch_that_is_taken_is_written():
    blocks = worked(get("huber"))
    assert "cases" not in blocks[2].rows[1][1][0].latex


def text_of(block):
    return "".join(p.latex if isinstance(p, Math) else str(p) for p in block.parts)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("mse", "diagonal"), ("softmax_cross_entropy", "block diagonal of diagonal plus rank one"),
     ("hinge", "zero away from the kinks"), ("ppo_clip", "rank two")],
)  # fmt: skip
def test_the_structure_of_the_hessian_is_named(name, kind):
    first = bent(get(name))[0]
    assert isinstance(first, Paragraph)
    assert kind in text_of(first)


def test_the_hessian_of_softmax_cross_entropy():
    formula = bent(get("softmax_cross_entropy"))[1]
    assert isinstance(formula, Formula)
    assert formula.rows[1].endswith(r"&= \frac{1}{n} p_{ik} \, (1 - p_{ik})")


def test_several_inputs_have_a_product():
    blocks = bent(get("dense"))
    assert isinstance(blocks[1], Fold)
    assert len(blocks[1].blocks[0].rows) >= 3
