"""Stepping: an update's state replaced in place, in one fused pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symcalc.backends.binding import check_outputs
from symcalc.backends.first_order import FirstOrder
from symcalc.notation.errors import ArgumentTypeError
from symcalc.notation.tensors import Tensor


class Stepping(FirstOrder):
    """The calls of updates."""

    def step(self, /, *arrays: Any, **named: Any) -> None:
        """Replace the state by what it becomes: m, v, theta <- their next values, in place.

        Shapes, hyperparameters and labels are looked at before anything is written; real arrays
        are not held against their domains.

        Args:
            arrays: the inputs in declared order; those of the state are written to, and must be
                writable C-contiguous arrays of the kernel's dtype.
            named: inputs by name, hyperparameters.

        Raises:
            ArgumentError: a shape, a size or a hyperparameter does not fit, or arrays overlap.
                Nothing was written then.
            ArgumentTypeError: the objective is no update; an argument is missing, unknown or of
                the wrong type, such as a state of another dtype.
        """
        step, *_ = self._bound(arrays, named)
        step()

    def stepper(self, /, *arrays: Any, **named: Any) -> Callable[..., None]:
        """Look at the arguments once; return a function that steps again and again.

        Each step reads the arrays anew, so that none may be a copy of what was given: those that
        are not written to must be arrays of the kernel's dtype as well, or single numbers.

        Args:
            arrays: as for `step`.
            named: likewise.

        Returns:
            A function of hyperparameters by name; one that is left out keeps its value.

        Raises:
            ArgumentError, ArgumentTypeError: as for `step`; or an input would be copied.
        """
        step, given, bound = self._bound(arrays, named)
        for tensor, array in zip(self.objective.inputs, bound, strict=True):
            self._check_followed(tensor, given[tensor.name], array)
        return step

    def _check_followed(self, tensor: Tensor, given: Any, bound: Any) -> None:
        """Refuse an input that was copied, whose later changes no step would see."""
        is_array = isinstance(given, np.ndarray)
        if isinstance(given, (int, float, np.generic)) or (
            is_array and (not given.size or np.shares_memory(given, bound))
        ):
            return
        what = f"dtype {given.dtype}" if is_array else type(given).__name__
        raise ArgumentTypeError(
            f"{self.objective.name}: {tensor.name}: expected a {bound.dtype} array, which each "
            f"step reads anew, got {what}"
        )

    def _bound(
        self, arrays: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Callable[..., None], dict[str, Any], Sequence[Any]]:
        """Return the step, what was given by name, and the arrays that the step reads."""
        title = self.objective.name
        if not self.objective.state:
            raise ArgumentTypeError(
                f"{title}: step needs an update, which says what its state becomes; this is "
                "an objective"
            )
        ready = self._mode("step")
        inputs, parameters, sizes = ready.binder.bind(arrays, dict(named))
        plan = ready.plan(sizes)
        places = {tensor.name: place for place, tensor in enumerate(self.objective.inputs)}
        given = dict(zip(places, arrays, strict=False)) | named
        own = [places[name] for name in ready.task.like]
        others = [array for place, array in enumerate(inputs) if place not in own]
        outputs = check_outputs(
            title, ready.task.like, tuple(given[name] for name in ready.task.like),
            plan.gradient_shapes, self.dtype, others, called="", scalar=self.dtype,
        )  # fmt: skip
        flat = [array if array.shape else np.empty(1) for array in outputs]  # numbers are float64
        singles = [pair for pair in zip(outputs, flat, strict=True) if not pair[0].shape]
        known = dict(zip(ready.parameters, parameters, strict=True))

        def step(**changed: Any) -> None:
            for check in ready.checks:
                ready.examine(check, inputs, sizes)
            numbers = ready.binder.numbers(known | changed) if changed else parameters
            for number, row in singles:
                row[0] = number
            plan.run(inputs, numbers, flat)
            for number, row in singles:
                number[...] = row[0]

        return step, given, inputs
