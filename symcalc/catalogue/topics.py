"""Topics: what the catalogue teaches that is no entry, but built from entries or done to them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A line of `symcalc list` that is no objective.

    Args:
        name: what it is called.
        summary: what it is, in one line.
        run: a command or a line of Python that does it.
    """

    name: str
    summary: str
    run: str


NETWORKS = (
    Topic(
        "mlp", "A perceptron of any depth under a loss; backpropagation is derived.",
        'symcalc derive "mlp(widths=(2, 8, 1), activation=\'tanh\', loss=\'mse\')"',
    ),
    Topic(
        "network", "The same without a loss: a layer, and a part of other formulas.",
        'sc.compile(sc.network((2, 8, 1), "relu"))(x, W1, b1, W2, b2)',
    ),
)  # fmt: skip

TRAINING = (
    Topic(
        "minimize", "Any objective by any optimizer, all data at every step.",
        'sc.learn.minimize("logistic_regression", start, "adam", data, steps=200)',
    ),
    Topic(
        "minibatches", "The same on a few rows at a time: minibatch SGD.",
        'sc.learn.minimize("linear_regression", start, "sgd", data, steps=200, batch=32)',
    ),
    Topic(
        "schedules", "Learning rates by a schedule of the catalogue.",
        'sc.learn.minimize(..., schedule=sc.learn.use("inverse_time", beta=0.1))',
    ),
)  # fmt: skip

DIFFERENTIATION = (
    Topic(
        "forward mode", "Value and directional derivative in one pass.",
        'sc.compile("mse").jvp(x, y, tangents={"prediction": v})',
    ),
    Topic(
        "reverse mode", "A layer's value and its gradients, from a cotangent.",
        'sc.compile("softmax").vjp(x, cotangent=w)',
    ),
    Topic(
        "gradient", "Value and gradient in one fused pass.",
        'sc.compile("mse").value_and_grad(x, y)',
    ),
    Topic("Jacobian", "All first derivatives of a layer.", 'sc.compile("softmax").jacobian(x)'),
    Topic("Hessian", "All second derivatives.", 'sc.compile("log_cosh").hessian(x, y)'),
    Topic(
        "Hessian-vector product", "One direction of the Hessian, which is never formed.",
        'sc.compile("log_cosh").hvp(x, y, vector=v)',
    ),
    Topic(
        "Fisher-vector product", "The curvature of a policy's divergence: trust regions.",
        'sc.compile("policy_kl").hvp(logits, old_logits, vector=v)',
    ),
    Topic(
        "chain rule", "Every step from a definition to its gradient.",
        "symcalc derive layer_norm",
    ),
    Topic(
        "computational graph", "Forward and reverse mode on one small graph, drawn.",
        'symcalc graph "x*y + sin(x)" --at x=2,y=3',
    ),
    Topic(
        "expected loss", "An integral, by closed form or by quadrature.",
        'symcalc derive "mean(i, gaussian_expectation(z, mu[i], sigma[i], z**2))" --wrt mu',
    ),
)  # fmt: skip

TOPICS = {
    "networks of any size": NETWORKS,
    "training": TRAINING,
    "differentiation": DIFFERENTIATION,
}


def topic(name: str) -> Topic | None:
    """Return the topic of this name, if there is one."""
    every = (each for section in TOPICS.values() for each in section)
    return next((each for each in every if each.name == name), None)
