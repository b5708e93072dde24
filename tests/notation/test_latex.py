"""Formulas as LaTeX: the expected strings are what a textbook would print, written by hand."""

import pytest
import sympy as sp

from symcalc.calculus.derive import derive
from symcalc.calculus.partial import Partial
from symcalc.catalogue import catalogue, get
from symcalc.notation.conditions import where
from symcalc.notation.dims import indices
from symcalc.notation.latex import condition_latex, derivation_latex, latex
from symcalc.notation.lettering import Glyph, glyph
from symcalc.notation.parser import parse
from symcalc.notation.reductions import logsumexp, mean, norm2, prod, sum
from symcalc.notation.tensors import Tensor
from symcalc.notation.vocabulary import max as max_over

SHORT = {
    "logits": Glyph("z"), "labels": Glyph("y"), "targets": Glyph("y"), "target": Glyph("y"),
    "prediction": Glyph(r"\hat{y}"), "softmax": Glyph("p"), "out": Glyph("y"),
}  # fmt: skip


def gradient(name, wrt):
    d = derive(get(name))
    found = d.gradient_of(wrt)
    return latex(found.body, SHORT, found.indices)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("mu", r"\mu"),
        ("eps", r"\varepsilon"),
        ("lam", r"\lambda"),
        ("lam1", r"\lambda_1"),
        ("xhat", r"\hat{x}"),
        ("x_bar", r"\bar{x}"),
        ("xhat_bar", r"\bar{\hat{x}}"),
        ("var", r"\sigma^2"),
        ("var_bar", r"\overline{\sigma^2}"),
        ("s_2", "s_2"),
        ("logits", r"\mathrm{logits}"),
        ("old_log_probs", r"\mathrm{old~log~probs}"),
        ("logits_bar", r"\overline{\mathrm{logits}}"),
    ],
)
def test_names_become_letters(name, expected):
    assert glyph(name).at() == expected


@pytest.mark.parametrize(
    ("name", "wrt", "expected"),
    [
        ("mse", "prediction", r"\frac{2}{n} (\hat{y}_i - y_i)"),
        ("mae", "prediction", r"\frac{1}{n} \operatorname{sign}(\hat{y}_i - y_i)"),
        ("log_cosh", "prediction", r"\frac{1}{n} \tanh(\hat{y}_i - y_i)"),
        ("bce_with_logits", "logits", r"\frac{1}{n} (\sigma(z_i) - y_i)"),
        ("softmax_cross_entropy", "logits", r"\frac{1}{n} (p_{ik} - [k = y_i])"),
        ("l2", "theta", r"\lambda \theta_j"),
        ("layer_norm", "gamma", r"\sum_{i} \hat{x}_{ij} \bar{y}_{ij}"),
        (
            "layer_norm", "x",
            r"r_i \, \left(\bar{\hat{x}}_{ij} - \frac{1}{d} \sum_{k} \bar{\hat{x}}_{ik}"
            r" - \hat{x}_{ij} \, \frac{1}{d} \sum_{k} \hat{x}_{ik} \bar{\hat{x}}_{ik}\right)",
        ),
        (
            "huber", "prediction",
            r"\frac{1}{n} \, \begin{cases} \hat{y}_i - y_i &"
            r" \text{if } \lvert \hat{y}_i - y_i \rvert \le \delta \\"
            r" \delta \operatorname{sign}(\hat{y}_i - y_i) & \text{otherwise} \end{cases}",
        ),
    ],
)  # fmt: skip
def test_gradients_read_like_a_textbook(name, wrt, expected):
    assert gradient(name, wrt) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(i, (a[i] - b[i])*c[i])", r"\sum_{i} c_i \, (a_i - b_i)"),
        ("sum(i, a[i] - b[i])", r"\sum_{i} (a_i - b_i)"),
        ("sum(i, x[i]**2)*sum(i, y[i])*2", r"2 \left(\sum_{i} x_i^2\right) \sum_{i} y_i"),
        ("sum(i, exp(-x[i]))", r"\sum_{i} e^{-x_i}"),
        ("sum(i, 1/(1 + exp(-x[i])))", r"\sum_{i} \frac{1}{1 + e^{-x_i}}"),
        ("sum(t, (V[t+1] - V[t])**2)", r"\sum_{t=0}^{n_t - 2} (V_{t + 1} - V_t)^2"),
        ("sum(i, x[i]/(2*a))", r"\sum_{i} \frac{x_i}{2 a}"),
        ("sum(i, sqrt(x[i]**2 + eps))", r"\sum_{i} \sqrt{x_i^2 + \varepsilon}"),
        ("mean(i, tanh(x[i])**2)", r"\frac{1}{n} \sum_{i} \tanh^2(x_i)"),
        ("mean(i, -x[i])", r"\frac{1}{n} \sum_{i} (-x_i)"),
        ("sum(i, where(x[i] > 1, x[i], where(x[i] > 0, 2, 3)))",
         r"\sum_{i} \begin{cases} x_i & \text{if } x_i > 1 \\ 2 & \text{if } x_i > 0 \\"
         r" 3 & \text{otherwise} \end{cases}"),
    ],
)  # fmt: skip
def test_formulas(text, expected):
    assert latex(parse(text).body) == expected


def test_operators_over_an_index():
    i, k = indices("n c")
    z = Tensor("z", (i.extent, k.extent))
    assert latex(logsumexp(k, z[i, k])) == r"\log \sum_{k} e^{z_{ik}}"
    assert latex(max_over(k, z[i, k])) == r"\max_{k} z_{ik}"
    assert latex(prod(k, z[i, k] + 1)) == r"\prod_{k} (1 + z_{ik})"
    assert latex(norm2(k, z[i, k])) == r"\sqrt{\sum_{k} z_{ik}^2}"
    assert latex(mean(i, sum(k, z[i, k]))) == r"\frac{1}{n} \sum_{i} \sum_{k} z_{ik}"


def test_a_bound_letter_never_clashes_with_one_in_scope():
    i, j = indices("i:n j:n")
    x = Tensor("x", (i.extent,))
    total = sum(i, x[i])
    assert latex(x[i] * total) == r"x_i \sum_{j} x_j"
    assert latex(x[i] * x[j] * total) == r"x_i x_j \sum_{k} x_k"
    assert latex(total, indices=(i,)) == r"\sum_{j} x_j"
    assert latex(sum(i, x[i] * sum(i, x[i] ** 2))) == r"\sum_{i} x_i \sum_{j} x_j^2"


def test_two_free_indices_of_one_letter_are_told_apart():
    first, second = indices("i:n"), indices("i:n")
    x = Tensor("x", (first.extent,))
    shown = latex(x[first] * x[second])
    assert sorted(shown.split()) == ["x_i", "x_j"]


def test_conditions():
    i, k = indices("n c")
    x = Tensor("x", (i.extent,))
    assert condition_latex(sp.And(x[i] >= -1, x[i] <= 1)) == r"-1 \le x_i \le 1"
    assert condition_latex(sp.Ne(i, k)) == r"i \ne k"
    assert condition_latex(sp.Not(x[i] > 0)) == r"x_i \le 0"
    assert latex(where(x[i] > 0, 0, 1)) == r"[x_i \le 0]"
    assert latex(where(x[i] > 0, 1, 0) * x[i]) == r"x_i \, [x_i > 0]"


def test_partial_derivatives():
    i = indices("n")
    x = Tensor("x", (i.extent,))
    assert latex(Partial(x[i] ** 2, x[i])) == r"\frac{\partial}{\partial x_i} x_i^2"
    assert latex(Partial(x[i] + 1, x[i])) == r"\frac{\partial}{\partial x_i} (1 + x_i)"
    assert latex(Partial(x[i], x[i])) == r"\frac{\partial x_i}{\partial x_i}"


def test_a_derivation_is_aligned_with_definitions_first():
    shown = derivation_latex(derive(get("layer_norm"))).splitlines()
    assert shown[0] == r"\begin{aligned}"
    assert shown[-1] == r"\end{aligned}"
    assert [line.split(" &= ")[0] for line in shown[1:-1]] == [
        r"\mu_i", r"\sigma_i^2", "r_i", r"\hat{x}_{ij}", r"\mathrm{out}_{ij}",
        r"\bar{\hat{x}}_{ij}", r"\bar{x}_{ij}", r"\bar{\gamma}_j", r"\bar{\beta}_j",
    ]  # fmt: skip
    assert r"\frac{\partial \mathcal{L}}{\partial \theta_j} &= \lambda \theta_j" in (
        derivation_latex(derive(get("l2")))
    )


@pytest.mark.parametrize("name", list(catalogue()))
def test_every_step_of_the_catalogue_prints_with_balanced_braces(name):
    d = derive(get(name))
    shown = [derivation_latex(d)]
    shown += [latex(side, None, s.indices) for s in d.steps for side in (s.before, s.after)]
    for text in shown:
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right") + text.count(r"\leftarrow")
        assert "Dummy" not in text
        assert "Tensor" not in text
