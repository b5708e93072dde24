"""Losses against PyTorch's: value and gradient, convention by convention."""

from types import SimpleNamespace

import numpy as np
import pytest

import symcalc as sc

SIZES = {"n": 6, "c": 4, "d": 3}


def nt_xent(torch, queries, keys, t):
    z = torch.nn.functional.normalize(torch.cat([queries, keys]))
    n = len(queries)
    scores = (z @ z.T / t).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    twin = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return torch.nn.functional.cross_entropy(scores, twin)


def contrastive(x, y, dissimilar, m):
    d2 = ((x - y) ** 2).sum(1)
    far = (m - d2.sqrt()).clamp(min=0) ** 2
    return ((1 - dissimilar) * d2 + dissimilar * far).mean() / 2


def focal(p, t, gamma):
    pt = p * t + (1 - p) * (1 - t)
    return -((1 - pt) ** gamma * pt.log()).mean()


def focal_with_logits(f, z, t, gamma, alpha):
    pt = z.sigmoid() * t + (1 - z.sigmoid()) * (1 - t)
    entropy = f.binary_cross_entropy_with_logits(z, t, reduction="none")
    return ((alpha * t + (1 - alpha) * (1 - t)) * (1 - pt) ** gamma * entropy).mean()


def jensen_shannon(q, p):
    m = (p + q) / 2
    return ((p * (p / m).log() + q * (q / m).log()).sum(1) / 2).mean()


def tukey(r, c):
    inside = c**2 / 6 * (1 - (1 - (r / c) ** 2) ** 3)
    return inside.where(r.abs() <= c, c**2 / 6 + 0 * r).mean()


def overlap(p, t, alpha, beta, s):
    hit = (p * t).sum(1)
    return (
        1 - (hit + s) / (hit + alpha * (p * (1 - t)).sum(1) + beta * ((1 - p) * t).sum(1) + s)
    ).mean()


# Name, hyperparameters, and the same by torch: f is torch.nn.functional, a the inputs by name.
PEERS = [
    ("mse", {}, lambda t, f, a: f.mse_loss(a.prediction, a.target)),
    ("mae", {}, lambda t, f, a: f.l1_loss(a.prediction, a.target)),
    ("huber", {"delta": 0.7}, lambda t, f, a: f.huber_loss(a.prediction, a.target, delta=0.7)),
    ("log_cosh", {}, lambda t, f, a: (a.prediction - a.target).cosh().log().mean()),
    ("smooth_l1", {"beta": 0.7},
     lambda t, f, a: f.smooth_l1_loss(a.prediction, a.target, beta=0.7)),
    ("smooth_l1", {"beta": 0}, lambda t, f, a: f.l1_loss(a.prediction, a.target)),
    ("pseudo_huber", {"delta": 0.7},
     lambda t, f, a: (0.49 * ((1 + ((a.prediction - a.target) / 0.7) ** 2).sqrt() - 1)).mean()),
    ("pinball", {"quantile": 0.2},
     lambda t, f, a: t.maximum(0.2 * (a.target - a.prediction),
                               -0.8 * (a.target - a.prediction)).mean()),
    ("expectile", {"tau": 0.2},
     lambda t, f, a: ((0.2 - (a.target < a.prediction).double()).abs()
                      * (a.target - a.prediction) ** 2).mean()),
    ("epsilon_insensitive", {"epsilon": 0.3},
     lambda t, f, a: ((a.prediction - a.target).abs() - 0.3).clamp(min=0).mean()),
    ("squared_log_error", {},
     lambda t, f, a: f.mse_loss(a.prediction.log1p(), a.target.log1p())),
    ("cauchy", {"c": 1.5},
     lambda t, f, a: 1.125 * (1 + ((a.prediction - a.target) / 1.5) ** 2).log().mean()),
    ("tukey", {"c": 1.5}, lambda t, f, a: tukey(a.prediction - a.target, 1.5)),
    ("welsch", {"c": 1.5},
     lambda t, f, a: 1.125 * (1 - (-(((a.prediction - a.target) / 1.5) ** 2)).exp()).mean()),
    ("student_t_nll", {"df": 4.0, "scale": 0.5},
     lambda t, f, a: (t.distributions.StudentT(4.0, a.target, 0.5).log_prob(a.target)
                      - t.distributions.StudentT(4.0, a.target, 0.5).log_prob(a.prediction)
                      ).mean()),
    ("gaussian_nll", {},
     lambda t, f, a: f.gaussian_nll_loss(a.mean, a.target, a.log_variance.exp())),
    ("poisson_nll", {}, lambda t, f, a: f.poisson_nll_loss(a.log_rate, a.count)),
    ("gamma_nll", {},
     lambda t, f, a: -(t.distributions.Gamma(t.ones(6).double(), (-a.log_mean).exp())
                       .log_prob(a.target)).mean()),
    ("tweedie", {"power": 1.3},
     lambda t, f, a: ((0.7 * a.log_mean).expm1() / 0.7
                      + a.target * (-0.3 * a.log_mean).expm1() / 0.3).mean()),
    ("tweedie", {"power": 1},
     lambda t, f, a: f.poisson_nll_loss(a.log_mean, a.target) - 1),
    ("tweedie", {"power": 2},
     lambda t, f, a: (a.log_mean + a.target * (-a.log_mean).expm1()).mean()),
    ("binary_cross_entropy", {}, lambda t, f, a: f.binary_cross_entropy(a.probability, a.target)),
    ("bce_with_logits", {},
     lambda t, f, a: f.binary_cross_entropy_with_logits(a.logits, a.targets)),
    ("categorical_cross_entropy", {},
     lambda t, f, a: f.cross_entropy(a.probability.log(), a.one_hot)
                     - a.probability.sum(1).log().mean()),
    ("softmax_cross_entropy", {}, lambda t, f, a: f.cross_entropy(a.logits, a.labels)),
    ("soft_cross_entropy", {"smoothing": 0.2},
     lambda t, f, a: f.cross_entropy(a.logits, a.probabilities, label_smoothing=0.2)),
    ("label_smoothing_cross_entropy", {"smoothing": 0.2},
     lambda t, f, a: f.cross_entropy(a.logits, a.labels, label_smoothing=0.2)),
    ("hinge", {}, lambda t, f, a: (1 - a.labels * a.scores).clamp(min=0).mean()),
    ("squared_hinge", {}, lambda t, f, a: ((1 - a.labels * a.scores).clamp(min=0) ** 2).mean()),
    ("multiclass_hinge", {"margin": 0.8},
     lambda t, f, a: f.multi_margin_loss(a.scores, a.labels, margin=0.8)),
    ("multiclass_squared_hinge", {"margin": 0.8},
     lambda t, f, a: f.multi_margin_loss(a.scores, a.labels, p=2, margin=0.8)),
    ("focal", {"gamma": 1.5}, lambda t, f, a: focal(a.probability, a.target, 1.5)),
    ("focal", {"gamma": 0}, lambda t, f, a: f.binary_cross_entropy(a.probability, a.target)),
    ("focal_with_logits", {"gamma": 1.5, "alpha": 0.3},
     lambda t, f, a: focal_with_logits(f, a.logits, a.targets, 1.5, 0.3)),
    ("kl_divergence", {}, lambda t, f, a: f.kl_div(a.log_q, a.p, reduction="batchmean")),
    ("js_divergence", {}, lambda t, f, a: jensen_shannon(a.q, a.p)),
    ("exponential_loss", {}, lambda t, f, a: (-a.labels * a.scores).exp().mean()),
    ("brier", {}, lambda t, f, a: ((a.probability - a.one_hot) ** 2).sum(1).mean()),
    ("poly_loss", {"epsilon": 2.0},
     lambda t, f, a: f.cross_entropy(a.logits, a.labels)
                     + 2 * (1 - f.softmax(a.logits, 1)[t.arange(6), a.labels]).mean()),
    ("dice", {"smooth": 0.5}, lambda t, f, a: overlap(a.probability, a.target, 0.5, 0.5, 0.25)),
    ("tversky", {"alpha": 0.2, "beta": 0.9, "smooth": 0.5},
     lambda t, f, a: overlap(a.probability, a.target, 0.2, 0.9, 0.5)),
    ("cosine_embedding", {"margin": 0.1},
     lambda t, f, a: f.cosine_embedding_loss(a.x, a.y, a.labels, margin=0.1)),
    ("triplet", {"margin": 0.8},
     lambda t, f, a: f.triplet_margin_loss(a.anchor, a.positive, a.negative, margin=0.8, eps=0)),
    ("contrastive", {"margin": 2.0}, lambda t, f, a: contrastive(a.x, a.y, a.dissimilar, 2.0)),
    ("info_nce", {"temperature": 0.3},
     lambda t, f, a: f.cross_entropy(a.queries @ a.keys.T / 0.3, t.arange(6))),
    ("nt_xent", {"temperature": 0.3}, lambda t, f, a: nt_xent(t, a.queries, a.keys, 0.3)),
    ("margin_ranking", {"margin": 0.2},
     lambda t, f, a: f.margin_ranking_loss(a.x, a.y, a.labels, margin=0.2)),
    ("bpr", {}, lambda t, f, a: -f.logsigmoid(a.positive - a.negative).mean()),
    ("listnet", {}, lambda t, f, a: f.cross_entropy(a.scores, f.softmax(a.relevance, 1))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "peer"), PEERS)
def test_value_and_gradient_are_pytorchs(kernel, sample, name, parameters, peer):
    torch = pytest.importorskip("torch")
    objective = sc.get(name)
    arrays = sample(objective, 1, **SIZES)
    inputs = SimpleNamespace(**{k: torch.from_numpy(v.copy()) for k, v in arrays.items()})
    for key in objective.wrt:
        getattr(inputs, key).requires_grad_()
    expected = peer(torch, torch.nn.functional, inputs)
    expected.backward()
    call = kernel(name, backend="numpy").value_and_grad
    value, gradient = call(**arrays, **parameters)
    assert value == pytest.approx(expected.item(), rel=1e-12, abs=1e-14)
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    for key, part in zip(objective.wrt, parts, strict=True):
        np.testing.assert_allclose(part, getattr(inputs, key).grad.numpy(), rtol=1e-12, atol=1e-14)


def test_every_loss_is_compared():
    families = ("regression", "classification", "metric")
    losses = {name for name, entry in sc.catalogue().items() if entry.family in families}
    assert losses == {name for name, *_ in PEERS}


ROW, ONE, INF = [[0.0, 1.0]], [1.0], np.inf
# Name, inputs, hyperparameters, value and first gradient where floating point is at its ends.
ENDS = [
    ("binary_cross_entropy", ([0.0], [0.0]), {}, 0, [1]),
    ("binary_cross_entropy", (ONE, ONE), {}, 0, [-1]),
    ("binary_cross_entropy", ([0.0], ONE), {}, INF, [-INF]),
    ("focal", (ONE, ONE), {"gamma": 0}, 0, [-1]),
    ("focal", (ONE, ONE), {"gamma": 0.5}, 0, [0]),
    ("focal", ([0.0], [0.0]), {"gamma": 0.5}, 0, [0]),
    ("focal", ([0.0], ONE), {"gamma": 2}, INF, [-INF]),
    ("focal_with_logits", ([-800.0], ONE), {"alpha": 1.0}, 800, [-1]),
    ("focal_with_logits", ([800.0], ONE), {"gamma": 0.0}, 0, [0]),
    ("categorical_cross_entropy", (ROW, ROW), {}, 0, [[0, -1]]),
    ("js_divergence", (ROW, ROW), {}, 0, [[np.log(2) / 2, 0]]),
    ("poly_loss", ([[800.0, 0.0]], [1]), {}, 801, [[1, -1]]),
    ("soft_cross_entropy", ([[-INF, 0.0]], ROW), {}, 0, [[0, 0]]),
    ("cosine_embedding", ([[0.0, 0.0]], [[0.0, 0.0]], ONE), {}, 1, [[0, 0]]),
    ("triplet", ([[0.0]], [[0.0]], [[0.0]]), {}, 1, [[0]]),
    ("contrastive", ([[0.0]], [[0.0]], ONE), {}, 0.5, [[0]]),
    ("listnet", ([[-800.0, 0.0]], [[800.0, -800.0]]), {}, 800, [[-1, 1]]),
    ("bpr", ([-800.0], [0.0]), {}, 800, [-1]),
    ("smooth_l1", ([0.0], [0.0]), {"beta": 0}, 0, [0]),
    ("pseudo_huber", ([1e100], [0.0]), {}, 1e100, [1]),
    ("tukey", ([1e200], [0.0]), {"c": 3.0}, 1.5, [0]),
    ("welsch", ([1e200], [0.0]), {"c": 2.0}, 2, [0]),
    ("cauchy", ([1e-9], [0.0]), {}, 5e-19, [1e-9]),
    ("poisson_nll", ([-INF], [0.0]), {}, 0, [0]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "value", "gradient"), ENDS)
def test_the_ends_of_the_range_are_limits(kernel, name, arrays, parameters, value, gradient):
    call = kernel(name, backend="numpy").value_and_grad
    got, slope = call(*map(np.array, arrays), **parameters)
    assert got == pytest.approx(value, rel=1e-14)
    slope = slope[0] if isinstance(slope, tuple) else slope
    np.testing.assert_allclose(slope, gradient, rtol=1e-12)


REFUSED = [
    ("binary_cross_entropy", ([1.2], ONE), {}, "probability"),
    ("focal", ([0.5], ONE), {"gamma": -1.0}, "gamma"),
    ("focal", ([0.5], [0.5]), {}, "target"),
    ("label_smoothing_cross_entropy", (ROW, [2]), {}, "labels"),
    ("multiclass_hinge", (ROW, [-1]), {}, "labels"),
    ("soft_cross_entropy", (ROW, [[0.5, 0.6]]), {}, "probabilities"),
    ("brier", (ROW, [[1.0, 1.0]]), {}, "one_hot"),
    ("dice", (ROW, ROW), {"smooth": 0.0}, "smooth"),
    ("cosine_embedding", (ROW, ROW, [0.0]), {}, "labels"),
    ("info_nce", (ROW, ROW), {"temperature": 0.0}, "temperature"),
    ("info_nce", (ROW, ROW * 2), {}, "keys"),
    ("tweedie", (ONE, ONE), {"power": 2.5}, "power"),
    ("gamma_nll", (ONE, [0.0]), {}, "target"),
    ("squared_log_error", ([-2.0], ONE), {}, "prediction"),
    ("tukey", (ONE, ONE), {"c": 0.0}, "c"),
    ("pinball", (ONE, ONE), {"quantile": 1.5}, "quantile"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "parameters", "culprit"), REFUSED)
def test_bad_input_is_refused_by_name(kernel, name, arrays, parameters, culprit):
    call = kernel(name, backend="numpy").value_and_grad
    with pytest.raises(sc.ArgumentError, match=f"{name}: {culprit}"):
        call(*map(np.array, arrays), **parameters)
