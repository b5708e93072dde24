"""Stepping: an update's state replaced in place, in one fused pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symcalc.backends.binding import check_outputs
from symcalc.backends.first_order import FirstOrder
from symcalc.notation.errors import ArgumentTypeError


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
                the wrong type.
        """
        self.stepper(*arrays, **named)()

    def stepper(self, /, *arrays: Any, **named: Any) -> Callable[..., None]:
        """Look at the arguments once; return a function that steps again and again.

        Args:
            arrays: as for `step`.
            named: likewise.

        Returns:
            A function of hyperparameters by name; one that is left out keeps its value.

        Raises:
            ArgumentError, ArgumentTypeError: as for `step`.
        """
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
            plan.gradient_shapes, self.dtype, others,
        )  # fmt: skip
        flat = [array if array.shape else array.reshape(1) for array in outputs]
        known = dict(zip(ready.parameters, parameters, strict=True))

        def step(**changed: Any) -> None:
            for check in ready.checks:
                ready.examine(check, inputs, sizes)
            numbers = ready.binder.numbers(known | changed) if changed else parameters
            plan.run(inputs, numbers, flat)

        return step
