"""A generative adversarial network on points in the plane."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue.mlp import network
from symcalc.learn.choices import use
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, check_positive, seconds, silent
from symcalc.learn.losses import generator, network_discriminator, network_generator
from symcalc.learn.model import Model, glorot
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.toys import energy_distance, toy
from symcalc.notation.errors import ArgumentError

HIDDEN = 64
BATCH = 64  # with so few the products of matrices are too small to be shared by threads
SHOWN = 1000  # points of the picture, and of the distances


@dataclass(frozen=True, eq=False)
class GanRun:
    """A generator and a discriminator that were trained against each other.

    Args:
        name: of the toy set.
        losses: the discriminator's and the generator's, a row a step.
        data: points of the set.
        samples: the generator's points.
        before: those it gave before the training.
        floor: the energy distance of two sets of data.
        seconds: what the training took.
    """

    name: str
    losses: np.ndarray
    data: np.ndarray
    samples: np.ndarray
    before: np.ndarray
    floor: float
    seconds: float

    def table(self) -> list[tuple[str, ...]]:
        """Return how far the samples are from the data, and the losses beside their balance."""
        d, g = self.losses[-len(self.losses) // 10 :].mean(axis=0)
        return [
            (f"GAN on {self.name}", "energy distance to the data"),
            ("before the training", f"{energy_distance(self.before, self.data):.4f}"),
            ("after it", f"{energy_distance(self.samples, self.data):.4f}"),
            ("of as many data from the data", f"{self.floor:.4f}"),
            ("discriminator's loss, log 4 where it is fooled", f"{d:.3f} of {np.log(4):.3f}"),
            ("generator's loss, log 2 there", f"{g:.3f} of {np.log(2):.3f}"),
            (f"{len(self.losses)} steps of either", seconds(self.seconds)),
        ]

    def draw(self) -> Any:
        """Draw the losses, the data and the samples."""
        from symcalc.learn.pictures import curve, new_figure, running_mean, scatter

        figure, (left, middle, right) = new_figure(3)
        for values, name in zip(self.losses.T, ("discriminator", "generator"), strict=True):
            curve(left, np.arange(len(values)), running_mean(values, 50), name)
        left.axhline(np.log(4), color="black", linewidth=0.9, linestyle="--")
        left.axhline(np.log(2), color="black", linewidth=0.9, linestyle="--")
        left.set(title="losses, and where they balance", xlabel="step")
        left.legend(frameon=False)
        scatter(middle, self.data, "data")
        scatter(right, self.samples, "samples of the generator")
        return figure


def train(
    data: str = "moons", steps: int = 8000, lr: float = 1e-3, seed: int = 0,
    progress: Progress = silent, backend: str = "numba",
) -> GanRun:  # fmt: skip
    """Train two networks of two hidden layers against each other, by the non-saturating losses.

    Args:
        data: the toy set: moons, ring or clouds.
        steps: of either network, in turn.
        lr: the learning rate of Adam, which falls in a line to a tenth.
        seed: of everything random.
        progress: told of each step.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: an unknown set, a number that does not fit.
    """
    sampler = toy(data)
    if steps < 1:
        raise ArgumentError(f"steps: expected a whole number from 1 on, got {steps}")
    check_positive(lr=lr)
    rng = np.random.default_rng(seed)
    maker = glorot(network((2, HIDDEN, HIDDEN, 2)), rng)
    renamed = {name.replace("W", "V").replace("b", "c"): w for name, w in maker.items()}
    judge = Model(network_discriminator, glorot(network((2, HIDDEN, HIDDEN, 1)), rng), backend)
    forger = Model(network_generator, renamed, backend)
    optimizers = [
        Optimizer(use("adam", lr=lr, beta1=0.5), m.theta, m.gradient, backend)
        for m in (judge, forger)
    ]
    forward = kernel_of(generator, backend)

    def forged(noise: np.ndarray) -> np.ndarray:
        return np.asarray(forward(noise, *forger.parameters.values()))

    shown = rng.normal(size=(SHOWN, 2))
    before = forged(shown)
    real, fake, noise = np.zeros((3, BATCH, 2))
    judged = judge.bind(real=real, fake=fake)
    fooled = forger.bind(noise=noise, **judge.parameters)
    losses = np.empty((steps, 2))
    began = time.perf_counter()
    for step in range(steps):
        rate = lr * (1 - 0.9 * step / steps)
        real[:], noise[:] = sampler(BATCH, rng), rng.normal(size=(BATCH, 2))
        fake[:] = forged(noise)
        losses[step, 0] = judged()
        optimizers[0].step(rate)
        noise[:] = rng.normal(size=(BATCH, 2))
        losses[step, 1] = fooled()
        optimizers[1].step(rate)
        progress(step + 1, steps, f"losses {losses[step, 0]:.2f} {losses[step, 1]:.2f}")
    spent = time.perf_counter() - began
    points, more = sampler(SHOWN, rng), sampler(SHOWN, rng)
    floor = energy_distance(points, more)
    return GanRun(data, losses, points, forged(shown), before, floor, spent)
