"""Learning: optimizers of the catalogue put to work, every gradient a kernel's."""

from symcalc.learn.choices import Choice, optimizers, use
from symcalc.learn.descent import minimize
from symcalc.learn.model import Model, glorot
from symcalc.learn.optimizer import Optimizer
from symcalc.learn.trajectory import Trajectory

__all__ = [
    "Choice", "Model", "Optimizer", "Trajectory", "glorot", "minimize", "optimizers", "use",
]  # fmt: skip
