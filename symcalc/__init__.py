"""symcalc: one definition of an objective becomes derivation, kernel, check, page and benchmark."""

from symcalc.api import compile, derive
from symcalc.catalogue import catalogue, get
from symcalc.notation import *  # noqa: F403
