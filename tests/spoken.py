"""The notation as the random grammar speaks it: whatever is called is noted.

`sn.tanh(e)` is `symcalc.notation.tanh(e)`; that it was said, and with which options, stands in
`heard`. So a test can tell which spellings the grammar reaches.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import symcalc.notation
from symcalc.notation import vocabulary

SPELLINGS = {
    name for name in symcalc.notation.__all__
    if name.islower() and callable(getattr(symcalc.notation, name))
} | set(vocabulary.FUNCTIONS)  # fmt: skip
OPTIONS = {
    f"{name} {option}" for name, bound in vocabulary.BINDINGS.items() for option in bound.options
} | {f"{name} where" for name in vocabulary.REDUCTIONS}  # fmt: skip


class Spoken:
    """The functions of the notation; each call is noted."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        function = getattr(symcalc.notation, name)
        if name not in SPELLINGS:
            return function

        @functools.wraps(function, updated=())
        def noted(*arguments: Any, **options: Any) -> Any:
            self.heard[name] += 1
            self.heard.update(f"{name} {option}" for option in options)
            return function(*arguments, **options)

        self.__dict__[name] = noted
        return noted


sn = Spoken()
