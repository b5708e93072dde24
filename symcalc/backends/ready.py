"""Ready: one mode of a kernel, compiled, with a plan for each set of sizes it has met."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.backends.binding import Binder, check_outputs
from symcalc.backends.checks import DomainCheck
from symcalc.backends.exact import exact_call
from symcalc.backends.executable import Executable, Run, Sizes
from symcalc.backends.modes import Task
from symcalc.backends.sizes import size_function
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective
from symcalc.notation.tensors import Tensor
from symcalc.program.needs import needs

MOST_PLANS = 64


@dataclass(frozen=True)
class Plan:
    """A mode at given sizes."""

    run: Run
    sizes: Sizes
    value_shape: Sizes
    gradient_shapes: tuple[Sizes, ...]


@dataclass(frozen=True)
class Call:
    """Arguments that were looked at, and the arrays to fill.

    Args:
        plan: for their sizes.
        inputs: the arrays.
        parameters: the hyperparameters.
        value: the array of the value, None where the value is a number.
        gradients: the arrays of the gradients.
    """

    plan: Plan
    inputs: Sequence[Any]
    parameters: Sequence[float]
    value: Any
    gradients: Sequence[Any]

    @property
    def outputs(self) -> tuple[Any, ...]:
        """All arrays to fill, in order; one of no axes as a row of one entry."""
        filled = (*(() if self.value is None else (self.value,)), *self.gradients)
        return tuple([array if array.shape else array.reshape(1) for array in filled])

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        """The shapes that all arrays have by now."""
        return tuple([array.shape for array in (*self.inputs, *self.outputs)])


class Ready:
    """One mode, compiled: what it is bound by, what it fills, what it measures.

    Args:
        objective: the definition.
        task: what is computed.
        executable: computes it.
        checks: what the measures are about.
        dtype: of the real arrays.
        numbers: the checks of inputs that are single numbers, looked at before a run.
    """

    def __init__(
        self, objective: Objective, task: Task, executable: Executable,
        checks: list[DomainCheck], dtype: np.dtype[Any], numbers: Sequence[DomainCheck] = (),
    ) -> None:  # fmt: skip
        self.objective = objective
        self.task = task
        self.executable = executable
        self.checks = checks
        self.numbers = numbers
        self.dtype = dtype
        self.at_once = executable.at_once
        self._exact = exact_call(
            self.at_once, len(task.inputs), len(objective.parameters), len(task.written)
        )
        self.binder = Binder(
            objective.name, task.inputs, objective.parameters, task.dims, dtype, task.called
        )
        self.parameters = tuple(parameter.name for parameter in objective.parameters)
        self.defaults = tuple(parameter.default for parameter in objective.parameters)
        self._known = frozenset(self.parameters)
        self._needs = [
            (size_function(need.extent, task.dims),
             size_function(need.extent if need.shown is None else need.shown, task.dims), need)
            for need in needs(objective)
        ]  # fmt: skip
        self._plans: dict[Sizes, Plan] = {}
        places = {tensor.name: place for place, tensor in enumerate(task.inputs)}
        self._like = tuple(places[name] for name in task.like)

    def quick(
        self, arrays: tuple[Any, ...], named: dict[str, Any], outputs: tuple[Any, ...]
    ) -> float:
        """Compute at once, if everything is as the compiled code wants it; else raise anything."""
        if not named:
            return self._exact(*arrays, *self.defaults, *outputs)
        if not named.keys() <= self._known:
            raise TypeError
        parameters = map(named.get, self.parameters, self.defaults)
        return self._exact(*arrays, *parameters, *outputs)

    def attempt(
        self, arrays: tuple[Any, ...], named: dict[str, Any], out: Any, first: tuple[Any, ...] = ()
    ) -> tuple[float, tuple[Any, ...]] | None:
        """Compute at once, if everything is as the compiled code wants it.

        Args:
            arrays: every input, in order.
            named: hyperparameters.
            out: the caller's buffers for the gradients, or None for new ones.
            first: buffers that stand before those.

        Returns:
            The value and the gradients' buffers; None where the careful way must say what is wrong,
            or convert something.
        """
        try:
            if type(out) is np.ndarray:
                buffers: tuple[Any, ...] = (out,)
            elif out is None:
                buffers = tuple([np.empty(arrays[at].shape, self.dtype) for at in self._like])
            elif isinstance(out, (tuple, list)):
                buffers = tuple(out)
            else:
                return None
            return self.quick(arrays, named, (*first, *buffers) if first else buffers), buffers
        except Exception:
            return None

    def fast(self) -> Callable[..., Any]:
        """Return what computes from inputs, hyperparameters and outputs, given in order."""
        exact = self._exact
        layer = self.task.value is not None and bool(self.task.value.shape)
        place = len(self.task.inputs) + len(self.parameters)  # of a layer's own output

        def fast(*arguments: Any) -> Any:
            try:
                value = exact(*arguments)
            except Exception:  # the careful way says what it was
                return self.run(self._split(arguments))
            return arguments[place] if layer else value

        return fast

    def step(self, call: Call) -> Callable[[], Any]:
        """Return a function of no arguments that does a call that was looked at before."""
        once, value = self.at_once, call.value
        again = functools.partial(self._again, call, call.shapes)
        if once is None or not all(array.flags.c_contiguous for array in call.inputs):
            return again
        bare = functools.partial(
            once.bare, *call.inputs, *call.parameters, *call.outputs, *once.tail
        )

        def step() -> Any:
            try:
                number = bare()
            except Exception:  # too large to be done at once, or to be looked at again
                return again()
            return number if value is None else value

        return step

    def _again(self, call: Call, shapes: tuple[Sizes, ...]) -> Any:
        """Run a call that was looked at when its arrays had these shapes.

        Raises:
            ArgumentError: one has another by now, or an entry lies outside its domain.
        """
        if call.shapes != shapes:
            raise ArgumentError(
                f"{self.objective.name}: bind: expected arrays of the shapes {shapes}, as they "
                f"were bound, got {call.shapes}"
            )
        return self.run(call)

    def _split(self, arguments: tuple[Any, ...]) -> Call:
        """Look at arguments that are all given in order: inputs, hyperparameters, outputs."""
        names = [self.called(tensor) for tensor in self.task.inputs]
        outputs = [f"out for {name}" for name in self.task.like]
        if self.task.value is not None and self.task.value.shape:
            outputs.insert(0, "out for the value")
        wanted = [*names, *self.parameters, *outputs]
        if len(arguments) != len(wanted):
            raise ArgumentTypeError(
                f"{self.objective.name}: fast: expected {len(wanted)} arguments "
                f"({', '.join(wanted)}), got {len(arguments)}"
            )
        inputs, buffers = arguments[: len(names)], arguments[len(wanted) - len(self.task.like) :]
        named = dict(zip(self.parameters, arguments[len(names) :], strict=False))
        given = {t.name: a for t, a in zip(self.task.inputs, inputs, strict=True)}
        named |= {name: given.pop(name) for name in self.task.called}
        value_out = None
        if len(outputs) > len(self.task.like):
            value_out = arguments[len(names) + len(self.parameters)]
        return self.call(tuple(given.values()), named, buffers, value_out)

    def called(self, tensor: Tensor) -> str:
        """What the caller calls an input."""
        return self.task.called.get(tensor.name, tensor.name)

    def call(
        self, arrays: tuple[Any, ...], named: dict[str, Any], out: Any, value_out: Any = None
    ) -> Call:
        """Look at what came, and find or make the arrays to fill.

        Raises:
            ArgumentTypeError: an argument is missing, unknown, given twice or of the wrong type.
            ArgumentError: a shape, a size or a value does not fit.
        """
        inputs, parameters, sizes = self.binder.bind(arrays, named)
        for check in self.numbers:
            self.examine(check, inputs, sizes)
        plan = self.plan(sizes)
        value = None
        if self.task.value is not None and self.task.value.shape:
            value = np.empty(plan.value_shape, self.dtype) if value_out is None else value_out
        if out is None:
            gradients: Sequence[Any] = [
                np.empty(shape, self.dtype if shape else np.float64)
                for shape in plan.gradient_shapes
            ]
        else:
            gradients = check_outputs(
                self.objective.name, self.task.like, out, plan.gradient_shapes, self.dtype, inputs
            )
        if value_out is not None:
            check_outputs(
                self.objective.name, ("the value",), (value_out,), (plan.value_shape,), self.dtype,
                (*inputs, *gradients),
            )  # fmt: skip
        return Call(plan, inputs, parameters, value, gradients)

    def run(self, call: Call) -> Any:
        """Compute, and hold the inputs against their domains; return the value.

        Raises:
            ArgumentError: an entry lies outside its domain.
        """
        found = call.plan.run(call.inputs, call.parameters, call.outputs)
        for check, number in zip(self.checks, found.measures, strict=True):
            if number > 0:
                self.examine(check, call.inputs, call.plan.sizes)
        if self.task.value is None:
            return None
        return found.value if call.value is None else call.value

    def examine(self, check: DomainCheck, inputs: Sequence[Any], sizes: Sizes) -> None:
        """Hold one input against its domain, entry by entry.

        Raises:
            ArgumentError: an entry lies outside.
        """
        extents = dict(zip(self.task.dims, sizes, strict=True))
        complaint = check.complaint(inputs[check.place], extents)
        if complaint:
            raise ArgumentError(
                f"{self.objective.name}: {self.called(check.of)}: expected "
                f"{check.expected(extents)}, got {complaint}"
            )

    def plan(self, sizes: Sizes) -> Plan:
        """Return the plan for these sizes, made at their first appearance.

        Raises:
            ArgumentError: a mean or an extreme would be taken over nothing.
        """
        plan = self._plans.get(sizes)
        if plan is None:
            for size, shown, need in self._needs:
                if size(sizes) < need.least:
                    raise ArgumentError(
                        f"{self.objective.name}: {need.message}, got {shown(sizes)}"
                    )
            task = self.task
            plan = Plan(
                self.executable.plan(sizes),
                sizes,
                () if task.value is None else _shape(task.value, task, sizes),
                tuple(_shape(tensor, task, sizes) for tensor in task.gradients),
            )
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[sizes] = plan
        return plan


def _shape(tensor: Tensor, task: Task, sizes: Sizes) -> Sizes:
    return tuple(size_function(extent, task.dims)(sizes) for extent in tensor.shape)
