"""FirstOrder: value, gradient, vjp and jvp of a compiled objective, and its hot loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from symcalc.backends.binding import real_number
from symcalc.backends.compiled import Compiled
from symcalc.notation.errors import ArgumentTypeError


class Bound(Protocol):
    """Arguments that were looked at once; call it without arguments for the value."""

    gradient: Any

    def __call__(self) -> Any:
        """Compute from what the arrays hold now; return the value, fill the gradient."""


class FirstOrder(Compiled):
    """The calls of zeroth and first order.

    Each tries to do everything at once, which is what a small array pays for; whatever the
    compiled code refuses goes the careful way, which says what it was.
    """

    def __call__(self, /, *arrays: Any, out: Any = None, **named: Any) -> Any:
        """Return the value: a float for a scalar objective, an array for a layer.

        Args:
            arrays: the inputs in declared order.
            out: for a layer, a buffer of the value's shape to write into.
            named: inputs by name, hyperparameters, `weights`.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        ready = self._ready.get("value")
        if ready is not None and out is None:  # a layer wants a buffer more, and is refused
            try:
                return ready.quick(arrays, named, ())
            except Exception:
                pass  # the careful way says what it was
        if out is not None and self.objective.is_scalar:
            raise ArgumentTypeError(
                f"{self.objective.name}: out: the value is a number; out= is for layers"
            )
        value, _ = self._meant(named)._run("value", arrays, named, None, out)
        return value

    def grad(self, /, *arrays: Any, out: Any = None, **named: Any) -> Any:
        """Return the gradient: an array, or a tuple where `wrt` was a tuple.

        Args:
            arrays: the inputs in declared order.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        ready = self._ready.get("grad")
        if ready is not None:
            done = ready.attempt(arrays, named, out)
            if done is not None:
                return done[1][0] if self._single else done[1]
        self._needs_scalar("grad")
        _, gradients = self._meant(named)._run("grad", arrays, named, out)
        return self._structured(gradients)

    def value_and_grad(self, /, *arrays: Any, out: Any = None, **named: Any) -> Any:
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
        ready = self._ready.get("value_and_grad")
        if ready is not None:
            done = ready.attempt(arrays, named, out)
            if done is not None:
                return done[0], (done[1][0] if self._single else done[1])
        self._needs_scalar("value_and_grad")
        value, gradients = self._meant(named)._run("value_and_grad", arrays, named, out)
        return value, self._structured(gradients)

    def vjp(
        self,
        /,
        *arrays: Any,
        cotangent: Any = None,
        out: Any = None,
        value_out: Any = None,
        **named: Any,
    ) -> Any:
        """Return the value and the gradient of sum(cotangent * value): the layers' call.

        Args:
            arrays: the inputs in declared order.
            cotangent: an array of the value's shape, or a number for a scalar objective.
            out: buffers of the gradient's structure to write into.
            value_out: for a layer, a buffer of the value's shape to write into.
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
            return self._scaled(arrays, cotangent, out, value_out, named)
        if type(cotangent) is np.ndarray:
            value = np.empty(cotangent.shape, self.dtype) if value_out is None else value_out
            done = self._mode("vjp").attempt((*arrays, cotangent), named, out, (value,))
            if done is not None:
                return value, (done[1][0] if self._single else done[1])
        meant = self._meant(named)
        named[meant._mode("vjp").task.inputs[-1].name] = cotangent
        value, gradients = meant._run("vjp", arrays, named, out, value_out)
        return value, self._structured(gradients)

    def _scaled(
        self, arrays: tuple[Any, ...], cotangent: Any, out: Any, value_out: Any,
        named: dict[str, Any],
    ) -> Any:  # fmt: skip
        """The vjp of a number: its gradient times another."""
        if value_out is not None:
            raise ArgumentTypeError(
                f"{self.objective.name}: value_out: the value is a number; it is for layers"
            )
        scale = real_number(f"{self.objective.name}: cotangent of a number", cotangent)
        value, gradient = self.value_and_grad(*arrays, out=out, **named)
        with np.errstate(all="ignore"):  # infinite and vanishing products are results
            for array in gradient if isinstance(gradient, tuple) else (gradient,):
                np.multiply(array, scale, out=array)
        return value, gradient

    def jvp(self, /, *arrays: Any, tangents: Any = None, **named: Any) -> Any:
        """Return the value and its derivative along a direction.

        ydot = sum over inputs x of (dy/dx) xdot

        Args:
            arrays: the inputs in declared order.
            tangents: a dict of the direction of each input that moves, an array of its shape; the
                others stand still.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            (value, derivative), both floats for a scalar objective, arrays for a layer.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        meant = self._meant(named)
        objective = meant.objective
        real = [tensor.name for tensor in objective.inputs if not tensor.domain.integer]
        if not isinstance(tangents, dict) or not tangents or not set(tangents) <= set(real):
            raise ArgumentTypeError(
                f"{objective.name}: tangents: expected a dict from some of {', '.join(real)} to "
                f"arrays, got {tangents!r:.80}"
            )
        moving = [key for key in real if key in tangents]
        mode = f"jvp {' '.join(moving)}"
        directions = meant._mode(mode).task.inputs[len(objective.inputs) :]
        named |= {
            tensor.name: tangents[key] for tensor, key in zip(directions, moving, strict=True)
        }
        value, (tangent,) = meant._run(mode, arrays, named, None)
        return value, tangent.item() if objective.is_scalar else tangent

    def bind(self, /, *arrays: Any, cotangent: Any = None, out: Any = None, **named: Any) -> Bound:
        """Look at arguments once, for a hot loop that computes from these very arrays.

        step = kernel.bind(x, y, out=g); then each step() computes value and gradient from what
        the arrays hold by then. Binding computes once too, so that data are looked at as well.

        Args:
            arrays: the inputs in declared order; they must be arrays of the kernel's dtype, for a
                converted copy would not see what is written to them.
            cotangent: for a layer, the cotangent of its output.
            out: buffers of the gradient's structure to write into; made if not given.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            A Bound: call it without arguments for the value; `.gradient` is the buffers.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        ready = self._meant(named)._mode(self._main)
        if not self.objective.is_scalar:
            if cotangent is None:
                raise ArgumentTypeError(f"{self.objective.name}: bind: missing cotangent=")
            named[ready.task.inputs[-1].name] = cotangent
        elif cotangent is not None:
            raise ArgumentTypeError(
                f"{self.objective.name}: bind: cotangent is for layers; the value is one number"
            )
        call = ready.call(arrays, named, out)
        given = (*arrays, *(named[t.name] for t in ready.task.inputs if t.name in named))
        for tensor, array in zip(ready.task.inputs, call.inputs, strict=True):
            if not any(_is_read_there(array, other) for other in given):
                raise ArgumentTypeError(
                    f"{self.objective.name}: bind: {ready.called(tensor)}: expected a "
                    f"{array.dtype} array, for a copy would not see what is written to it later"
                )
        ready.run(call)
        bound: Any = ready.step(call)
        bound.gradient = self._structured(call.gradients)
        return bound

    @property
    def fast(self) -> Callable[..., Any]:
        """Value and gradient without keywords, conversions or new arrays: for hot loops.

        fast(*arrays, *hyperparameters, *buffers) returns the value and fills the buffers; for a
        layer the arrays end with the cotangent, and the buffers begin with the output's, which is
        returned. Every argument is given, in declared order.  What the compiled code cannot take
        as it is goes the careful way after all, so a wrong argument is an error here as well.
        """
        return self._mode(self._main).fast()


def _is_read_there(array: Any, given: Any) -> bool:
    """Whether what was given is read where it lies, not copied."""
    return array is given or (isinstance(given, np.ndarray) and np.may_share_memory(array, given))
