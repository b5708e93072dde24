"""symcalc: one definition of an objective becomes derivation, kernel, check, page and benchmark."""

import symcalc.report  # the room first, so that the function of the same name below stays
from symcalc.api import compile, derive
from symcalc.catalogue import catalogue, get
from symcalc.notation import *  # noqa: F403

__version__ = "0.1.0"
