"""Choices: an update or a schedule of the catalogue, with the hyperparameters it is to run at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from symcalc.catalogue import catalogue, get
from symcalc.learn.kernels import kernel_of
from symcalc.notation.errors import ArgumentError, ArgumentTypeError, UnknownObjectiveError
from symcalc.notation.objective import Objective

_SCHEDULE = "_schedule"


@dataclass(frozen=True)
class Choice:
    """An update or a schedule, and numbers for it.

    Args:
        objective: the update, or the schedule.
        values: hyperparameters by name; of an update also what an array of its state starts at.
    """

    objective: Objective
    values: Mapping[str, float]


def use(what: Objective | str, **values: float) -> Choice:
    """Choose an optimizer or a schedule together with its hyperparameters.

    use("adam", lr=0.1, beta1=0.8), use("inverse_time", beta=0.01)

    Args:
        what: an update or a schedule, or its catalogue name; a schedule's may lack "_schedule".
        values: hyperparameters by name; those left out stand at their defaults.

    Raises:
        UnknownObjectiveError: no objective has this name.
        ArgumentTypeError: it has no such hyperparameter.
    """
    objective = _found(what)
    state = [name for name, _ in objective.state[1:]]
    known = [*(p.name for p in objective.parameters), *state]
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ArgumentTypeError(
                f"{objective.name}: {name}: expected a number, got {value!r:.60}"
            )
        if name not in known:
            raise ArgumentTypeError(
                f"{objective.name}: unknown hyperparameter {name!r}; expected "
                f"{', '.join(known) or 'none'}"
            )
    return Choice(objective, MappingProxyType(dict(values)))


def _found(what: Objective | str) -> Objective:
    if isinstance(what, Objective):
        return what
    if not isinstance(what, str):
        raise ArgumentTypeError(
            f"expected an Objective or a catalogue name, got {type(what).__name__}"
        )
    return get(what + _SCHEDULE) if what + _SCHEDULE in catalogue() else get(what)


def optimizer_of(given: Choice | Objective | str) -> Choice:
    """Return the choice of an optimizer: an update of parameters by their gradient.

    Raises:
        UnknownObjectiveError: no optimizer has this name; the message lists those there are.
        ArgumentError: it is no update of parameters by a gradient.
    """
    try:
        choice = given if isinstance(given, Choice) else use(given)
    except UnknownObjectiveError as error:
        raise UnknownObjectiveError(
            f"optimizer: {str(error).removeprefix('objective: ')}; there are "
            f"{', '.join(optimizers())}"
        ) from None
    if not is_optimizer(choice.objective):
        raise ArgumentError(
            f"optimizer: expected an update of parameters by their gradient, such as "
            f"{', '.join(optimizers()[:4])}; got {choice.objective.name}"
        )
    return choice


def optimizers() -> list[str]:
    """The optimizers of the catalogue, in its order."""
    return [name for name, objective in catalogue().items() if is_optimizer(objective)]


def is_optimizer(objective: Objective) -> bool:
    """Whether it replaces parameters by means of a gradient, and reads nothing but its state."""
    state = {name for name, _ in objective.state}
    others = [tensor.name for tensor in objective.inputs if tensor.name not in state]
    return bool(state) and others == ["gradient"]


def rates(given: Choice | Objective | str, lr: float, steps: int) -> np.ndarray:
    """Return the learning rate of each step, counted from 1, by a schedule.

    Updates want rates above 0: where the schedule ends at 0 the least such number stands in.

    Args:
        given: a schedule; a hyperparameter `total` that is not given is the number of steps.
        lr: the learning rate that is scheduled.
        steps: how many there are.

    Raises:
        ArgumentError: it is no schedule: a layer of the inputs step and lr.
    """
    choice = given if isinstance(given, Choice) else use(given)
    schedule = choice.objective
    if [tensor.name for tensor in schedule.inputs] != ["step", "lr"] or schedule.is_scalar:
        names = [name.removesuffix(_SCHEDULE) for name in catalogue() if name.endswith(_SCHEDULE)]
        raise ArgumentError(
            f"schedule: expected one of {', '.join(names)}, or a layer of inputs step and lr; "
            f"got {schedule.name}"
        )
    values = dict(choice.values)
    if any(p.name == "total" for p in schedule.parameters):
        values.setdefault("total", max(steps, 1))
    counted = np.arange(1.0, steps + 1.0)
    found = kernel_of(schedule, "numpy")(counted, np.array(float(lr)), **values)
    return np.where(found == 0, np.finfo(np.float64).tiny, found)
