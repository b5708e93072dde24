"""Model: a scalar objective whose parameters lie in one vector, with their gradient beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from symcalc.learn.kernels import kernel_of
from symcalc.notation.errors import ArgumentError, ArgumentTypeError
from symcalc.notation.objective import Objective


class Model:
    """A loss, its parameters and its gradient; every gradient comes from its kernel.

    All parameters lie in `theta`, so that an optimizer steps them in one pass; `parameters` and
    `slopes` name the parts.

    Args:
        objective: scalar.
        start: the parameters' first values by name; the objective is differentiated by these.
        backend: "numba" or "numpy".
        dtype: "float64" or "float32".

    Raises:
        ArgumentError: the objective is a layer; a start is empty or not finite.
        ArgumentTypeError: the objective has no such real input.
    """

    def __init__(
        self,
        objective: Objective,
        start: Mapping[str, Any],
        backend: str = "numba",
        dtype: str = "float64",
    ) -> None:
        if not objective.is_scalar:
            raise ArgumentError(
                f"{objective.name}: expected an objective whose value is one number, got a layer"
            )
        given = {name: _finite(objective, name, values) for name, values in start.items()}
        if not given:
            raise ArgumentError(f"{objective.name}: start: expected at least one parameter")
        self.objective = objective.by(tuple(given))
        self.kernel = kernel_of(self.objective, backend, dtype)
        self.theta = np.concatenate([a.ravel() for a in given.values()]).astype(dtype)
        self.gradient = np.zeros_like(self.theta)
        shapes = {name: array.shape for name, array in given.items()}
        self.parameters: Mapping[str, np.ndarray] = _parts(self.theta, shapes)
        self.slopes: Mapping[str, np.ndarray] = _parts(self.gradient, shapes)
        # Kernels give derivatives by one number as float64, whatever their own type.
        self._wide = {n: np.zeros(()) for n, s in shapes.items() if not s and dtype != "float64"}
        self._out = tuple(self._wide.get(name, part) for name, part in self.slopes.items())

    def value_and_grad(self, **data: Any) -> float:
        """Return the value on data, and leave the gradient in `gradient`.

        Args:
            data: the other inputs, hyperparameters, by name.

        Raises:
            ArgumentError, ArgumentTypeError: as the kernel has it.
        """
        value, _ = self.kernel.value_and_grad(**self.parameters, **data, out=self._out)
        self._narrow()
        return float(value)

    def value(self, **data: Any) -> float:
        """Return the value on data."""
        return float(self.kernel(**self.parameters, **data))

    def bind(self, **data: Any) -> Callable[[], Any]:
        """Look at data once; each call then computes from what these very arrays hold.

        Args:
            data: the other inputs, of the kernel's own types; hyperparameters, by name.

        Returns:
            A function that returns the value and leaves the gradient in `gradient`.
        """
        given = {**self.parameters, **data}
        names = [tensor.name for tensor in self.objective.inputs if tensor.name in given]
        arrays = [given.pop(name) for name in names]
        if len(names) < len(self.objective.inputs):
            missing = [t.name for t in self.objective.inputs if t.name not in names]
            raise ArgumentTypeError(
                f"{self.objective.name}: data: missing {', '.join(missing)}: an input is a "
                "parameter with a start, or data"
            )
        evaluate = self.kernel.bind(*arrays, out=self._out, **given)
        if not self._wide:
            return evaluate

        def evaluated() -> Any:
            value = evaluate()
            self._narrow()
            return value

        return evaluated

    def _narrow(self) -> None:
        """Put derivatives by one number where the gradient has them."""
        for name, number in self._wide.items():
            self.slopes[name][...] = number


def glorot(objective: Objective, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the first weights of a network of fixed widths; biases start at zero.

    Weights of rows a and columns b are uniform on +-sqrt(6 / (a + b)).

    Args:
        objective: made by `mlp`, or a network: its matrices of fixed sizes are the weights.
        rng: where they come from.

    Raises:
        ArgumentError: its sizes are not fixed.

    Reference: Glorot and Bengio (2010), PMLR 9, 249, equation 16.
    """
    sizes = {size.dim: size.value for size in objective.sizes}
    start = {}
    for name in objective.wrt:
        extents = objective.input(name).shape
        if not all(extent in sizes for extent in extents):
            raise ArgumentError(
                f"{objective.name}: {name}: expected a network of fixed widths, got the shape "
                f"({', '.join(map(str, extents))})"
            )
        shape = tuple(sizes[extent] for extent in extents)
        bound = np.sqrt(6 / np.sum(shape)) if len(shape) > 1 else 0.0
        start[name] = rng.uniform(-bound, bound, shape)
    return start


def _finite(objective: Objective, name: str, values: Any) -> np.ndarray:
    real = [tensor.name for tensor in objective.inputs if not tensor.domain.integer]
    if name not in real:
        raise ArgumentTypeError(
            f"{objective.name}: start: expected some of {', '.join(real)}, got {name!r}"
        )
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"{objective.name}: start: {name}: expected real numbers, got "
            f"{type(values).__name__} {values!r:.60}"
        ) from None
    rank = len(objective.input(name).shape)
    if array.ndim != rank:
        raise ArgumentError(
            f"{objective.name}: start: {name}: expected an array of {rank} axes, got the shape "
            f"{array.shape}"
        )
    if not array.size or not np.isfinite(array).all():
        raise ArgumentError(
            f"{objective.name}: start: {name}: expected finite numbers, got {values!r:.60}"
        )
    return array


def _parts(flat: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, np.ndarray]:
    """Views of a vector, one after another."""
    found, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + int(np.prod(shape))
        found[name] = flat[begin:end].reshape(shape)
        begin = end
    return MappingProxyType(found)
