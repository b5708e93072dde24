"""The language: indices, tensors, domains, atoms, objectives, and the same from text."""

from symcalc.notation.objective import Objective, Parameter, objective
from symcalc.notation.parser import parse

__all__ = ["Objective", "Parameter", "objective", "parse"]
