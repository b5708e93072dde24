"""Kernel: the Python face of compiled programs. Its contract is the same for every backend."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.backends.binding import Binder, check_out
from symcalc.backends.checks import DomainCheck, domain_checks
from symcalc.backends.executable import Executable
from symcalc.backends.modes import Task, task
from symcalc.calculus.derive import Derivation, derive
from symcalc.calculus.equations import Namer
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective
from symcalc.notation.reductions import Prod, Reduction, Sum
from symcalc.notation.tensors import Tensor

Build = Callable[[Objective, Task, str], Executable]


@dataclass(frozen=True)
class _Ready:
    """One mode, compiled: what it is bound by, what it fills, what it measures."""

    task: Task
    binder: Binder
    executable: Executable
    checks: tuple[DomainCheck, ...]
    nonempty: tuple[tuple[Any, str], ...]


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
        if "weights" in named and self._takes_weights:
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
        if "weights" in named and self._takes_weights:
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
        if "weights" in named and self._takes_weights:
            return self._with_weights().value_and_grad(*arrays, out=out, **named)
        value, gradients = self._run("value_and_grad", arrays, named, out)
        return value, self._structured(gradients)

    def vjp(self, *arrays: Any, cotangent: Any, out: Any = None, **named: Any) -> Any:
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
        if self.objective.is_scalar:
            value, gradient = self.value_and_grad(*arrays, out=out, **named)
            scale = float(cotangent)
            for array in gradient if isinstance(gradient, tuple) else (gradient,):
                np.multiply(array, scale, out=array)
            return value, gradient
        tensor = self._mode("vjp").task.inputs[-1]
        named[tensor.name] = cotangent
        value, gradients = self._run("vjp", arrays, named, out)
        return value, self._structured(gradients)

    def _structured(self, gradients: list[Any]) -> Any:
        single = self.objective.single and len(gradients) == 1
        return gradients[0] if single else tuple(gradients)

    def _needs_scalar(self, call: str) -> None:
        if not self.objective.is_scalar:
            raise ArgumentTypeError(
                f"{self.objective.name}: {call} needs a scalar objective; this one gives an array: "
                "call vjp(..., cotangent=...)"
            )

    @property
    def _takes_weights(self) -> bool:
        return all(tensor.name != "weights" for tensor in self.objective.inputs)

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
            equations, checks = domain_checks(wanted.inputs, Namer(names))
            wanted = dataclasses.replace(
                wanted,
                equations=(*wanted.equations, *equations),
                measures=tuple(check.measured for check in checks),
            )
        binder = Binder(self.objective.name, wanted.inputs, self.objective.parameters, self.dtype)
        executable = self._build(self.objective, wanted, str(self.dtype))
        return _Ready(wanted, binder, executable, tuple(checks), _nonempty(self.objective))

    def _run(
        self, mode: str, arrays: tuple[Any, ...], named: dict[str, Any], out: Any
    ) -> tuple[Any, list[Any]]:
        """Bind, allocate, run, check domains."""
        ready = self._ready.get(mode) or self._mode(mode)
        inputs, parameters, extents = ready.binder.bind(arrays, named)
        for extent, what in ready.nonempty:
            if extents.get(extent, 1) == 0:
                raise ArgumentError(
                    f"{self.objective.name}: expected {extent} of at least 1, got 0: "
                    f"{what} of nothing is undefined"
                )
        task = ready.task
        outputs: list[Any] = []
        if task.value is not None:
            outputs.append(self._empty(task.value, extents))
        gradients = self._gradients(task, out, inputs, extents)
        outputs += gradients
        measured = [np.empty(1) for _ in ready.checks]
        ready.executable.run(inputs, parameters, outputs + measured, extents)
        for check, number in zip(ready.checks, measured, strict=True):
            if not check.admits(number[0]):
                raise ArgumentError(
                    f"{self.objective.name}: {check.of.name}: expected {check.expected}, "
                    f"got {check.found} {number[0]:g}"
                )
        if task.value is None:
            return None, gradients
        return (outputs[0] if task.value.shape else float(outputs[0][0])), gradients

    def _empty(self, tensor: Tensor, extents: dict[str, int]) -> Any:
        if not tensor.shape:
            return np.empty(1)
        return np.empty(_sizes(tensor, extents), self.dtype)

    def _gradients(
        self, task: Task, out: Any, inputs: list[Any], extents: dict[str, int]
    ) -> list[Any]:
        """Allocate gradients, or take the caller's buffers after a look at them."""
        if not task.gradients:
            return []
        if out is None:
            return [np.empty(_sizes(tensor, extents), self.dtype) for tensor in task.gradients]
        given = list(out) if isinstance(out, (tuple, list)) else [out]
        name = self.objective.name
        if len(given) != len(task.gradients):
            raise ArgumentTypeError(
                f"{name}: out: expected {len(task.gradients)} arrays, got {len(given)}"
            )
        for tensor, buffer, wrt in zip(task.gradients, given, self.derivation.wrt, strict=True):
            check_out(name, wrt, buffer, _sizes(tensor, extents), self.dtype)
        for place, buffer in enumerate(given):
            for other in (*inputs, *given[:place]):
                if np.may_share_memory(buffer, other) and np.shares_memory(buffer, other):
                    raise ArgumentError(
                        f"{name}: out for {self.derivation.wrt[place]} overlaps another array"
                    )
        return given

    def __repr__(self) -> str:
        return f"Kernel({self.objective.name}, dtype={self.dtype}, modes={sorted(self._ready)})"


def _sizes(tensor: Tensor, extents: dict[str, int]) -> tuple[int, ...]:
    return tuple(
        extents[extent.name] if extent.is_Symbol
        else int(extent.subs({s: extents[s.name] for s in extent.free_symbols}))
        for extent in tensor.shape
    )  # fmt: skip


def _nonempty(objective: Objective) -> tuple[tuple[Any, str], ...]:
    """The dims that must not be empty, and the reduction that says so."""
    found: dict[str, str] = {}
    for reduction in objective.body.atoms(Reduction):
        if not isinstance(reduction, (Sum, Prod)):
            found.setdefault(reduction.index.dim.name, f"the {reduction.spelling}")
    return tuple(found.items())
