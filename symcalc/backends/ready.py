"""Ready: one mode of a kernel, compiled, with a plan for each set of sizes it has met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.backends.binding import Binder
from symcalc.backends.checks import DomainCheck
from symcalc.backends.executable import Executable, Run, Sizes
from symcalc.backends.modes import Task
from symcalc.backends.sizes import size_function
from symcalc.notation.dims import Index
from symcalc.notation.errors import ArgumentError
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Prod, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor

MOST_PLANS = 64


@dataclass(frozen=True)
class Plan:
    """A mode at given sizes."""

    run: Run
    value_shape: Sizes
    gradient_shapes: tuple[Sizes, ...]
    spare: list[list[Any]]  # scalars of calls that are over, for those to come


class Ready:
    """One mode, compiled: what it is bound by, what it fills, what it measures."""

    def __init__(
        self, objective: Objective, task: Task, executable: Executable,
        checks: list[DomainCheck], dtype: np.dtype[Any],
    ) -> None:  # fmt: skip
        self.objective = objective
        self.task = task
        self.executable = executable
        self.checks = checks
        self.scalars = len(checks) + (task.value is not None and not task.value.shape)
        self.binder = Binder(
            objective.name, task.inputs, objective.parameters, task.dims, dtype, task.called
        )
        self.nonempty = _nonempty(objective, task)
        self._plans: dict[Sizes, Plan] = {}

    def plan(self, sizes: Sizes) -> Plan:
        """Return the plan for these sizes, made at their first appearance.

        Raises:
            ArgumentError: a mean or an extreme would be taken over nothing.
        """
        plan = self._plans.get(sizes)
        if plan is None:
            for size, least, what in self.nonempty:
                if size(sizes) < least:
                    raise ArgumentError(f"{self.objective.name}: {what}, got {size(sizes)}")
            task = self.task
            plan = Plan(
                self.executable.plan(sizes),
                () if task.value is None else _shape(task.value, task, sizes),
                tuple(_shape(tensor, task, sizes) for tensor in task.gradients),
                [],
            )
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[sizes] = plan
        return plan


def _shape(tensor: Tensor, task: Task, sizes: Sizes) -> Sizes:
    return tuple(size_function(extent, task.dims)(sizes) for extent in tensor.shape)


def _nonempty(objective: Objective, task: Task) -> list[tuple[Callable[[Sizes], int], int, str]]:
    """What every size must at least be, as (size, least, what to say)."""
    found: dict[Any, tuple[int, str]] = {}
    for reduction in objective.body.atoms(Reduction):
        extent, kind = reduction.index.extent, reduction.spelling
        if not isinstance(reduction, (Sum, Prod)):
            found[extent] = (1, f"expected {extent} of at least 1 ({kind} of nothing is undefined)")
    for index in {*objective.outputs, *objective.body.atoms(Index)}:
        if index.extent != index.dim:
            found.setdefault(index.extent, (0, f"expected {index.extent} of at least 0"))
    for access in objective.body.atoms(Access):
        for place, extent in zip(access.places, access.tensor.shape, strict=True):
            if place.is_Integer:
                found[extent - place] = (1, f"{access} needs {extent} of more than {place}")
    return [(size_function(e, task.dims), least, what) for e, (least, what) in found.items()]
