"""Kernel: the Python face of compiled programs. Its contract is the same for every backend."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.backends.binding import Binder, check_out
from symcalc.backends.checks import DomainCheck, domain_checks
from symcalc.backends.executable import Executable, Run, Sizes
from symcalc.backends.modes import Task, task
from symcalc.backends.sizes import size_function
from symcalc.calculus.derive import Derivation, derive
from symcalc.calculus.equations import Namer
from symcalc.notation.dims import Index
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Prod, Reduction, Sum
from symcalc.notation.tensors import Access, Tensor

Build = Callable[[Objective, Task, str], Executable]
MOST_PLANS = 64


@dataclass(frozen=True)
class _Plan:
    """A mode at given sizes."""

    run: Run
    value_shape: Sizes
    gradient_shapes: tuple[Sizes, ...]


class _Ready:
    """One mode, compiled: what it is bound by, what it fills, what it measures."""

    def __init__(
        self, objective: Objective, task: Task, executable: Executable,
        checks: list[DomainCheck], dtype: np.dtype[Any],
    ) -> None:  # fmt: skip
        self.objective = objective
        self.task = task
        self.executable = executable
        self.checks = checks
        self.binder = Binder(objective.name, task.inputs, objective.parameters, task.dims, dtype)
        self.nonempty = _nonempty(objective, task)
        self._plans: dict[Sizes, _Plan] = {}

    def plan(self, sizes: Sizes) -> _Plan:
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
            plan = _Plan(
                self.executable.plan(sizes),
                () if task.value is None else _shape(task.value, task, sizes),
                tuple(_shape(tensor, task, sizes) for tensor in task.gradients),
            )
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[sizes] = plan
        return plan


class Kernel:
    """A compiled objective.

    Call it for the value; see `grad`, `value_and_grad` and `vjp` for derivatives. Arrays are
    positional in declared order, or by keyword; hyperparameters and sample weights by keyword.

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
        self._ready: dict[str, _Ready] = {}
        self._weighted: Kernel | None = None
        self._unchecked: Kernel | None = None
        self._lock = threading.RLock()

    @property
    def unchecked(self) -> Kernel:
        """The same kernel without domain checks of real arrays, for the hot loop.

        Shapes, dtypes and labels are still met; values outside their domain go unnoticed.
        """
        if not self._checked:
            return self
        with self._lock:
            if self._unchecked is None:
                self._unchecked = Kernel(
                    self.derivation, str(self.dtype), self._build, checked=False
                )
            return self._unchecked

    @property
    def source(self) -> str:
        """The generated code of value and gradient."""
        return self._mode(self._main).executable.source

    @property
    def _main(self) -> str:
        return "value_and_grad" if self.objective.is_scalar else "vjp"

    def prepare(self, mode: str | None = None) -> Kernel:
        """Compile a mode now instead of at its first call; return the kernel."""
        self._mode(mode or self._main)
        return self

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Return the value: a float for a scalar objective, an array for a layer.

        Args:
            arrays: the inputs in declared order.
            named: inputs by name, hyperparameters, `weights`.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        if named and self._weighs(named):
            return self._with_weights()(*arrays, **named)
        value, _ = self._run("value", arrays, named, None)
        return value

    def grad(self, *arrays: Any, out: Any = None, **named: Any) -> Any:
        """Return the gradient: an array, or a tuple where `wrt` was a tuple.

        Args:
            arrays: the inputs in declared order.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        self._needs_scalar("grad")
        if named and self._weighs(named):
            return self._with_weights().grad(*arrays, out=out, **named)
        _, gradients = self._run("grad", arrays, named, out)
        return self._structured(gradients)

    def value_and_grad(self, *arrays: Any, out: Any = None, **named: Any) -> Any:
        """Return value and gradient from one fused pass over memory.

        Args:
            arrays: the inputs in declared order.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            (value, gradient).

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        self._needs_scalar("value_and_grad")
        if named and self._weighs(named):
            return self._with_weights().value_and_grad(*arrays, out=out, **named)
        value, gradients = self._run("value_and_grad", arrays, named, out)
        return value, self._structured(gradients)

    def vjp(self, *arrays: Any, cotangent: Any = None, out: Any = None, **named: Any) -> Any:
        """Return the value and the gradient of sum(cotangent * value): the layers' call.

        Args:
            arrays: the inputs in declared order.
            cotangent: an array of the value's shape, or a number for a scalar objective.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters.

        Returns:
            (value, gradient).

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        if cotangent is None:
            raise ArgumentTypeError(f"{self.objective.name}: vjp: missing cotangent=")
        if self.objective.is_scalar:
            try:
                scale = float(cotangent)
            except (TypeError, ValueError):
                raise ArgumentTypeError(
                    f"{self.objective.name}: cotangent: expected a number, for the value is one, "
                    f"got {type(cotangent).__name__}"
                ) from None
            value, gradient = self.value_and_grad(*arrays, out=out, **named)
            for array in gradient if isinstance(gradient, tuple) else (gradient,):
                np.multiply(array, scale, out=array)
            return value, gradient
        if self._weighs(named):
            return self._with_weights().vjp(*arrays, cotangent=cotangent, out=out, **named)
        tensor = self._mode("vjp").task.inputs[-1]
        named[tensor.name] = cotangent
        value, gradients = self._run("vjp", arrays, named, out)
        return value, self._structured(gradients)

    def _structured(self, gradients: Sequence[Any]) -> Any:
        single = self.objective.single and len(gradients) == 1
        return gradients[0] if single else tuple(gradients)

    def _needs_scalar(self, call: str) -> None:
        if not self.objective.is_scalar:
            raise ArgumentTypeError(
                f"{self.objective.name}: {call} needs a scalar objective; this one gives an array: "
                "call vjp(..., cotangent=...)"
            )

    def _weighs(self, named: dict[str, Any]) -> bool:
        """Whether sample weights were given; None is no weights."""
        if "weights" not in named or not self.objective.takes_weights:
            return False
        if named["weights"] is None:
            del named["weights"]
            return False
        return True

    def _with_weights(self) -> Kernel:
        """The kernel of the weighted objective, made at its first use."""
        with self._lock:
            if self._weighted is None:
                weighted = derive(self.objective.with_weights(), self.derivation.wrt)
                self._weighted = Kernel(weighted, str(self.dtype), self._build, self._checked)
            return self._weighted

    def _mode(self, mode: str) -> _Ready:
        """Return a mode, compiled at its first use."""
        ready = self._ready.get(mode)
        if ready is None:
            with self._lock:
                ready = self._ready.get(mode) or self._make(mode)
                self._ready[mode] = ready
        return ready

    def _make(self, mode: str) -> _Ready:
        wanted = task(self.derivation, mode)
        checks: list[DomainCheck] = []
        if self._checked:
            names = {e.target.name for e in wanted.equations} | {t.name for t in wanted.inputs}
            names |= {p.name for p in self.objective.parameters}
            equations, checks = domain_checks(wanted.inputs, Namer(names), self.dtype)
            wanted = dataclasses.replace(
                wanted,
                equations=(*wanted.equations, *equations),
                measures=tuple(check.measured for check in checks),
            )
        executable = self._build(self.objective, wanted, str(self.dtype))
        return _Ready(self.objective, wanted, executable, checks, self.dtype)

    def _run(
        self, mode: str, arrays: tuple[Any, ...], named: dict[str, Any], out: Any
    ) -> tuple[Any, Sequence[Any]]:
        """Bind, allocate, run, check domains."""
        ready = self._ready.get(mode) or self._mode(mode)
        inputs, parameters, sizes = ready.binder.bind(arrays, named)
        plan = ready.plan(sizes)
        task = ready.task
        gradients: Sequence[Any] = ()
        if task.gradients:
            if out is None:
                gradients = [np.empty(shape, self.dtype) for shape in plan.gradient_shapes]
            else:
                gradients = self._given(out, plan, inputs)
        outputs = list(gradients)
        value = None
        if task.value is not None:
            value = np.empty(plan.value_shape, self.dtype) if task.value.shape else np.empty(1)
            outputs.insert(0, value)
        measured = [np.empty(1) for _ in ready.checks]
        plan.run(inputs, parameters, outputs + measured)
        for check, number in zip(ready.checks, measured, strict=True):
            if number[0] > 0 and (complaint := check.complaint(inputs[check.place])):
                raise ArgumentError(
                    f"{self.objective.name}: {check.of.name}: expected "
                    f"{check.of.domain.describe()}, got {complaint}"
                )
        if value is not None and not plan.value_shape and self.objective.is_scalar:
            return value.item(), gradients
        return value, gradients

    def _given(self, out: Any, plan: _Plan, inputs: Sequence[Any]) -> Sequence[Any]:
        """Take the caller's buffers for the gradients, after a look at them."""
        given = out if isinstance(out, (tuple, list)) else (out,)
        name, wrt = self.objective.name, self.derivation.wrt
        if len(given) != len(wrt):
            raise ArgumentTypeError(f"{name}: out: expected {len(wrt)} arrays, got {len(given)}")
        for place, buffer in enumerate(given):
            check_out(name, wrt[place], buffer, plan.gradient_shapes[place], self.dtype)
            for other in (*inputs, *given[:place]):
                if np.may_share_memory(buffer, other) and np.shares_memory(buffer, other):
                    raise ArgumentError(f"{name}: out for {wrt[place]} overlaps another array")
        return given

    def __repr__(self) -> str:
        return f"Kernel({self.objective.name}, dtype={self.dtype}, modes={sorted(self._ready)})"


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
