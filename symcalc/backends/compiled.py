"""Compiled: an objective's modes, each derived, built and kept at its first use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from symcalc.backends.checks import (
    DomainCheck,
    checked_tensors,
    domain_checks,
    label_tensors,
    number_checks,
)
from symcalc.backends.executable import Executable
from symcalc.backends.modes import Task, task
from symcalc.backends.ready import Ready
from symcalc.calculus.derive import Derivation, derive
from symcalc.calculus.equations import Namer
from symcalc.notation.errors import ArgumentTypeError
from symcalc.notation.making import MAKING
from symcalc.notation.objective import Objective
from symcalc.notation.text import text

Build = Callable[[Objective, Task, str], Executable]


def main_mode(objective: Objective) -> str:
    """Return the mode that a kernel is compiled for first: value and gradient in one pass."""
    return "value_and_grad" if objective.is_scalar else "vjp"


def watched(
    wanted: Task, objective: Objective, dtype: np.dtype[Any], checked: bool
) -> tuple[Task, list[DomainCheck]]:
    """Let a task measure whether its inputs lie in their domains.

    Args:
        wanted: what is to be computed.
        objective: of which.
        dtype: of the kernel.
        checked: whether real inputs are looked at; labels always are.

    Returns:
        The task and its checks. What is written in place is measured beforehand, for what is wrong
        must be told before anything is written: such a task stays as it is.
    """
    names = {e.target.name for e in wanted.equations} | {t.name for t in wanted.inputs}
    names |= {p.name for p in objective.parameters} | {dim.name for dim in objective.dims}
    looks = checked and not wanted.in_place
    seen = (checked_tensors if looks else label_tensors)(wanted.inputs)
    equations, checks = domain_checks(wanted.inputs, seen, Namer(names), dtype)
    if wanted.in_place:
        return wanted, checks
    measuring = dataclasses.replace(
        wanted,
        equations=(*wanted.equations, *equations),
        measures=tuple(check.measured for check in checks),
    )
    return measuring, checks


class Compiled:
    """What all calls of a kernel share.

    Args:
        derivation: what was derived.
        dtype: "float64" or "float32".
        build: the backend: makes an executable of a task.
        checked: whether input values are held against their domains.
    """

    def __init__(
        self, derivation: Derivation, dtype: str, build: Build, checked: bool = True
    ) -> None:
        self.derivation = derivation
        self.objective = derivation.objective
        self.dtype = np.dtype(dtype)
        self._build = build
        self._checked = checked
        self._single = self.objective.single and len(derivation.wrt) == 1
        self._ready: dict[str, Ready] = {}
        self._weighted: Self | None = None
        self._unchecked: Self | None = None
        self._double: Self | None = None

    @property
    def unchecked(self) -> Self:
        """The same kernel without domain checks of real arrays, for the hot loop.

        Shapes, dtypes and labels are still met; values outside their domain go unnoticed.
        """
        if not self._checked:
            return self
        with MAKING:
            if self._unchecked is None:
                self._unchecked = type(self)(
                    self.derivation, str(self.dtype), self._build, checked=False
                )
            return self._unchecked

    @property
    def _in_double(self) -> Self:
        """The same kernel in float64, which float32 arrays may be given to."""
        if self.dtype == np.float64:
            return self
        with MAKING:
            if self._double is None:
                self._double = type(self)(self.derivation, "float64", self._build, self._checked)
            return self._double

    @property
    def source(self) -> str:
        """The generated code of value and gradient."""
        return self._mode(self._main).executable.source

    @property
    def _main(self) -> str:
        return main_mode(self.objective)

    def _structured(self, gradients: Sequence[Any]) -> Any:
        return gradients[0] if self._single else tuple(gradients)

    def _needs_scalar(self, call: str) -> None:
        if not self.objective.is_scalar:
            raise ArgumentTypeError(
                f"{self.objective.name}: {call} needs a scalar objective; this one gives an array, "
                f"{text(self.objective.body)} for every "
                f"{', '.join(index.name for index in self.objective.outputs)}: "
                "call vjp(..., cotangent=...), or write a sum or a mean around it"
            )

    def _meant(self, named: dict[str, Any]) -> Self:
        """The kernel that a call is for: another one where sample weights are given.

        None is no weights: it is taken out of `named`.
        """
        if "weights" not in named or not self.objective.takes_weights:
            return self
        if named["weights"] is None:
            del named["weights"]
            return self
        with MAKING:
            if self._weighted is None:
                weighted = derive(self.objective.with_weights(), self.derivation.wrt)
                self._weighted = type(self)(weighted, str(self.dtype), self._build, self._checked)
            return self._weighted

    def _mode(self, mode: str) -> Ready:
        """Return a mode, compiled at its first use."""
        ready = self._ready.get(mode)
        if ready is None:
            with MAKING:
                ready = self._ready.get(mode) or self._make(mode)
                self._ready[mode] = ready
        return ready

    def _make(self, mode: str) -> Ready:
        wanted = task(self.derivation, mode)
        wanted, checks = watched(wanted, self.objective, self.dtype, self._checked)
        executable = self._build(self.objective, wanted, str(self.dtype))
        looks = self._checked and not wanted.in_place
        numbers = number_checks(wanted.inputs) if looks else []
        return Ready(self.objective, wanted, executable, checks, self.dtype, numbers)

    def _run(
        self,
        mode: str,
        arrays: tuple[Any, ...],
        named: dict[str, Any],
        out: Any,
        value_out: Any = None,
    ) -> tuple[Any, Sequence[Any]]:
        """Go the careful way; return the value and the gradients."""
        ready = self._mode(mode)
        call = ready.call(arrays, named, out, value_out)
        return ready.run(call), call.gradients
