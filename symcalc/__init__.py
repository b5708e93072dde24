"""symcalc: one definition of an objective becomes derivation, kernel, check, page and benchmark."""

import symcalc.report  # noqa: F401 - the room before the function of its name, which then stays
from symcalc import learn, notation
from symcalc.api import benchmark, check, check_gradient, compile, derive, report
from symcalc.backends.kernel import Kernel
from symcalc.calculus.derive import Derivation
from symcalc.calculus.equal import same_formula, same_gradient
from symcalc.catalogue import catalogue, get
from symcalc.catalogue.mlp import mlp, network
from symcalc.notation import *  # noqa: F403

__version__ = "0.1.0"
__all__ = [
    "Derivation", "Kernel", "benchmark", "catalogue", "check", "check_gradient", "compile",
    "derive", "get", "learn", "mlp", "network", "report", "same_formula", "same_gradient",
]  # fmt: skip
__all__ += notation.__all__
