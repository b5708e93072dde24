"""A whole training, minibatches, schedule and clipping included, step by step beside PyTorch's."""

import numpy as np
import pytest

import symcalc as sc
from symcalc import learn

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(12, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(float)
NET = sc.mlp((2, 5, 1), "tanh")
START = learn.glorot(NET, np.random.default_rng(1))
BATCH, STEPS, LR = 5, 60, 0.05

CASES = {
    "sgd": lambda p: torch.optim.SGD(p, LR),
    "nesterov": lambda p: torch.optim.SGD(p, LR, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, LR),
    "adamw": lambda p: torch.optim.AdamW(p, LR),
    "rmsprop": lambda p: torch.optim.RMSprop(p, LR),
    "adagrad": lambda p: torch.optim.Adagrad(p, LR),
}


def batches(seed):
    """The rows that `minimize` draws: epoch by epoch, the last batch shorter."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(Y))
        yield from (order[k : k + BATCH] for k in range(0, len(Y), BATCH))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("clip", [None, 0.3])
def test_a_training_is_pytorchs(name, clip):
    ours = learn.minimize(
        NET, START, name, {"x": X, "targets": Y}, steps=STEPS, batch=BATCH, lr=LR, clip=clip,
        schedule="inverse_sqrt", seed=3, backend="numpy",
    )  # fmt: skip
    parameters = [torch.tensor(array.copy(), requires_grad=True) for array in START.values()]
    optimizer = CASES[name](parameters)
    losses = []
    for step, rows in zip(range(1, STEPS + 1), batches(3), strict=False):
        w1, b1, w2, b2 = parameters
        hidden = torch.tanh(torch.nn.functional.linear(torch.tensor(X[rows]), w1, b1))
        logits = torch.nn.functional.linear(hidden, w2, b2)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(Y[rows]))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        for group in optimizer.param_groups:
            group["lr"] = LR / np.sqrt(step)
        optimizer.step()
    np.testing.assert_allclose(ours.values[:-1], losses, rtol=1e-10)
    for ours_, theirs in zip(ours.final.values(), parameters, strict=True):
        np.testing.assert_allclose(ours_, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
