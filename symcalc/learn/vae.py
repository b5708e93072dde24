"""A variational autoencoder on points in the plane."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.catalogue.mlp import network
from symcalc.learn.choices import use
from symcalc.learn.kernels import kernel_of
from symcalc.learn.lesson import Progress, check_positive, seconds, silent
from symcalc.learn.losses import generator, network_vae
from symcalc.learn.model import Model, glorot
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.toys import energy_distance, toy
from symcalc.notation.errors import ArgumentError

HIDDEN = 64
BATCH = 64
SHOWN = 1000  # points of the picture, and of the distances


@dataclass(frozen=True, eq=False)
class VaeRun:
    """An encoder and a decoder that were trained together.

    Args:
        name: of the toy set.
        losses: the negated evidence lower bound of each step's batch.
        data: points of the set.
        rebuilt: the same, encoded to the means of their codes and decoded.
        codes: the means of their codes.
        samples: decoded from standard Gaussian codes, with the decoder's noise.
        before: those it gave before the training.
        floor: the energy distance of two sets of data.
        seconds: what the training took.
    """

    name: str
    losses: np.ndarray
    data: np.ndarray
    rebuilt: np.ndarray
    codes: np.ndarray
    samples: np.ndarray
    before: np.ndarray
    floor: float
    seconds: float

    def table(self) -> list[tuple[str, ...]]:
        """Return the bound, the error of what is rebuilt, and how far the samples are off."""
        error = np.sqrt(np.mean((self.rebuilt - self.data) ** 2))
        last = self.losses[-len(self.losses) // 10 :].mean()
        return [
            (f"VAE on {self.name}", "", "energy distance to the data"),
            ("before the training", "", f"{energy_distance(self.before, self.data):.4f}"),
            ("after it", "", f"{energy_distance(self.samples, self.data):.4f}"),
            ("of as many data from the data", "", f"{self.floor:.4f}"),
            ("negated evidence bound, first and last", f"{self.losses[0]:.3f}", f"{last:.3f}"),
            ("root mean square error of what is rebuilt", "", f"{error:.4f}"),
            (f"{len(self.losses)} steps", "", seconds(self.seconds)),
        ]

    def draw(self) -> Any:
        """Draw the bound, the data with what is rebuilt of them, the codes, and the samples."""
        from symcalc.learn.pictures import curve, new_figure, running_mean, scatter

        figure, (first, second, third, fourth) = new_figure(4)
        curve(first, np.arange(len(self.losses)), running_mean(self.losses, 50))
        first.set(title="negated evidence bound", xlabel="step")
        scatter(second, self.data, "data, and what is rebuilt", self.rebuilt)
        scatter(third, self.codes, "means of the codes")
        scatter(fourth, self.samples, "samples")
        return figure


def train(
    data: str = "moons", steps: int = 8000, lr: float = 3e-3, sigma: float = 0.1, seed: int = 0,
    progress: Progress = silent, backend: str = "numba",
) -> VaeRun:  # fmt: skip
    """Train an encoder and a decoder, each of two hidden layers, with codes in the plane.

    Args:
        data: the toy set: moons, ring or clouds.
        steps: how many.
        lr: the learning rate of Adam, which falls in a line to a tenth.
        sigma: the decoder's deviation.
        seed: of everything random.
        progress: told of each step.
        backend: "numba" or "numpy".

    Raises:
        ArgumentError: an unknown set, a number that does not fit.
    """
    sampler = toy(data)
    if steps < 1:
        raise ArgumentError(f"steps: expected a whole number from 1 on, got {steps}")
    check_positive(lr=lr, sigma=sigma)
    rng = np.random.default_rng(seed)
    model = Model(network_vae, _start(rng), backend)
    optimizer = Optimizer(use("adam", lr=lr), model.theta, model.gradient, backend)
    forward = kernel_of(generator, backend)

    def through(x: np.ndarray, *names: str) -> np.ndarray:
        return np.asarray(forward(x, *(model.parameters[name] for name in names)))

    def decoded(codes: np.ndarray) -> np.ndarray:
        return through(codes, "D1", "d1", "D2", "d2", "D3", "d3")

    shown, jitter = rng.normal(size=(2, SHOWN, 2))
    before = decoded(shown) + sigma * jitter
    x, noise = np.zeros((2, BATCH, 2))
    evaluate = model.bind(x=x, noise=noise, sigma=sigma)
    losses = np.empty(steps)
    began = time.perf_counter()
    for step in range(steps):
        x[:], noise[:] = sampler(BATCH, rng), rng.normal(size=(BATCH, 2))
        losses[step] = evaluate()
        optimizer.step(lr * (1 - 0.9 * step / steps))
        progress(step + 1, steps, f"bound {losses[step]:.3f}")
    spent = time.perf_counter() - began
    points, more = sampler(SHOWN, rng), sampler(SHOWN, rng)
    codes = through(points, "E1", "e1", "E2", "e2", "Em", "em")
    return VaeRun(
        data, losses, points, decoded(codes), codes, decoded(shown) + sigma * jitter, before,
        energy_distance(points, more), spent,
    )  # fmt: skip


def _start(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The first weights: an encoder with two outputs, mean and log-variance, and a decoder."""
    encoder, decoder = (glorot(network((2, HIDDEN, HIDDEN, 2), "tanh"), rng) for _ in range(2))
    start = {name.replace("W", "E").replace("b", "e"): w for name, w in encoder.items()}
    start |= {"Em": start.pop("E3"), "em": start.pop("e3")}
    start |= {"Ev": np.zeros((2, HIDDEN)), "ev": np.full(2, -1.0)}
    return start | {name.replace("W", "D").replace("b", "d"): w for name, w in decoder.items()}
