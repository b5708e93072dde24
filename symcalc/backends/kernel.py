"""Kernel: the Python face of compiled programs. Its contract is the same for every backend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from symcalc.backends import curvature
from symcalc.backends.binding import real_number
from symcalc.backends.checks import checked_tensors, domain_checks, label_tensors
from symcalc.backends.executable import Executable
from symcalc.backends.modes import Task, is_diagonal, task
from symcalc.backends.ready import Ready
from symcalc.calculus.derive import Derivation, derive
from symcalc.calculus.equations import Namer
from symcalc.notation.errors import ArgumentTypeError
from symcalc.notation.making import MAKING
from symcalc.notation.objective import Objective
from symcalc.notation.text import text

Build = Callable[[Objective, Task, str], Executable]


class Bound(Protocol):
    """Arguments that were looked at once; call it without arguments for the value."""

    gradient: Any

    def __call__(self) -> Any:
        """Compute from what the arrays hold now; return the value, fill the gradient."""


class Kernel:
    """A compiled objective.

    Call it for the value; see `grad`, `value_and_grad` and `vjp` for derivatives. Arrays are
    positional in declared order, or by keyword; hyperparameters and sample weights by keyword.

    Small arrays that are just as the compiled code wants them are handed straight to it: it looks
    at shapes, domains and overlaps itself. Whatever it refuses goes the careful way, which
    converts what can be converted and says what is wrong with the rest.

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
        self._weighted: Kernel | None = None
        self._unchecked: Kernel | None = None

    @property
    def unchecked(self) -> Kernel:
        """The same kernel without domain checks of real arrays, for the hot loop.

        Shapes, dtypes and labels are still met; values outside their domain go unnoticed.
        """
        if not self._checked:
            return self
        with MAKING:
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
        """Compile a mode now instead of at its first call; return the kernel.

        Args:
            mode: "value", "grad", "value_and_grad", "vjp", "hvp", or "jvp" with the inputs that
                move, as in "jvp x gamma"; None for value and gradient.

        Raises:
            ArgumentTypeError: there is no such mode.
        """
        scalar = self.objective.is_scalar
        kinds = ("value", "grad", "value_and_grad", "hvp") if scalar else ("value", "vjp")
        real = {tensor.name for tensor in self.objective.inputs if not tensor.domain.integer}
        wanted = self._main if mode is None else str(mode)
        word, *moving = wanted.split() or [""]
        fits = bool(moving) and set(moving) <= real if word == "jvp" else not moving
        if not fits or word not in (*kinds, "jvp"):
            raise ArgumentTypeError(
                f"{self.objective.name}: mode: expected {', '.join(kinds)}, or jvp and the inputs "
                f"that move, got {mode!r:.80}"
            )
        self._mode(wanted)
        return self

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
        if ready is not None and out is None:
            try:
                return ready.quick(arrays, named, ())  # a layer wants a buffer more
            except Exception:
                pass  # the careful way says what it was
        if named and self._weighs(named):
            return self._with_weights()(*arrays, out=out, **named)
        if out is not None and self.objective.is_scalar:
            raise ArgumentTypeError(
                f"{self.objective.name}: out: the value is a number; out= is for layers"
            )
        value, _ = self._run("value", arrays, named, None, out)
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
            try:
                buffers = ready.buffers(arrays, out)
                ready.quick(arrays, named, buffers)
                return buffers[0] if self._single else buffers
            except Exception:
                pass  # the careful way says what it was
        self._needs_scalar("grad")
        if named and self._weighs(named):
            return self._with_weights().grad(*arrays, out=out, **named)
        _, gradients = self._run("grad", arrays, named, out)
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
            try:
                buffers = ready.buffers(arrays, out)
                value = ready.quick(arrays, named, buffers)
                return value, (buffers[0] if self._single else buffers)
            except Exception:
                pass  # the careful way says what it was
        self._needs_scalar("value_and_grad")
        if named and self._weighs(named):
            return self._with_weights().value_and_grad(*arrays, out=out, **named)
        value, gradients = self._run("value_and_grad", arrays, named, out)
        return value, self._structured(gradients)

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
        if named and self._weighs(named):
            return self._with_weights().bind(*arrays, cotangent=cotangent, out=out, **named)
        ready = self._mode(self._main)
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
        ready = self._mode("vjp")
        try:
            buffers = ready.buffers(arrays, out)
            value = np.empty(cotangent.shape, self.dtype) if value_out is None else value_out
            ready.quick((*arrays, cotangent), named, (value, *buffers))
            return value, (buffers[0] if self._single else buffers)
        except Exception:
            pass  # the careful way says what it was
        if self._weighs(named):
            return self._with_weights().vjp(
                *arrays, cotangent=cotangent, out=out, value_out=value_out, **named
            )
        named[ready.task.inputs[-1].name] = cotangent
        value, gradients = self._run("vjp", arrays, named, out, value_out)
        return value, self._structured(gradients)

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
        if named and self._weighs(named):
            return self._with_weights().jvp(*arrays, tangents=tangents, **named)
        name = self.objective.name
        real = [tensor.name for tensor in self.objective.inputs if not tensor.domain.integer]
        if not isinstance(tangents, dict) or not tangents or not set(tangents) <= set(real):
            raise ArgumentTypeError(
                f"{name}: tangents: expected a dict from some of {', '.join(real)} to arrays, "
                f"got {tangents!r:.80}"
            )
        moving = [key for key in real if key in tangents]
        mode = f"jvp {' '.join(moving)}"
        count = len(self.objective.inputs)
        directions = self._mode(mode).task.inputs[count:]
        named |= {
            tensor.name: tangents[key] for tensor, key in zip(directions, moving, strict=True)
        }
        value, (tangent,) = self._run(mode, arrays, named, None)
        return value, tangent.item() if self.objective.is_scalar else tangent

    def hvp(self, /, *arrays: Any, vector: Any = None, out: Any = None, **named: Any) -> Any:
        """Return the product of the Hessian with a vector, by forward over reverse.

        (H v)[i] = sum_j d2f / dx[i] dx[j] v[j]

        Args:
            arrays: the inputs in declared order.
            vector: an array of the gradient's structure.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array, or a tuple where `wrt` was a tuple.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        self._needs_scalar("hvp")
        if vector is None:
            raise ArgumentTypeError(f"{self.objective.name}: hvp: missing vector=")
        if named and self._weighs(named):
            return self._with_weights().hvp(*arrays, vector=vector, out=out, **named)
        directions = self._mode("hvp").task.inputs[len(self.objective.inputs) :]
        vectors = vector if isinstance(vector, (tuple, list)) and len(directions) > 1 else (vector,)
        if isinstance(vector, tuple) and len(directions) == 1:
            vectors = vector
        if len(vectors) != len(directions):
            raise ArgumentTypeError(
                f"{self.objective.name}: vector: expected {len(directions)} arrays, "
                f"got {len(vectors)}"
            )
        named |= {t.name: v for t, v in zip(directions, vectors, strict=True)}
        _, products = self._run("hvp", arrays, named, out)
        return self._structured(products)

    def hessian(self, /, *arrays: Any, **named: Any) -> Any:
        """Return the dense Hessian by one input, for small problems.

        Args:
            arrays: the inputs in declared order.
            named: inputs by name, hyperparameters.

        Returns:
            An array of shape (*x.shape, *x.shape), from one Hessian-vector product an entry.

        Raises:
            ArgumentTypeError: the objective is differentiated by several inputs.
        """
        return curvature.dense(*self._gradient_and_product(arrays, named))

    def hessian_diagonal(self, /, *arrays: Any, **named: Any) -> Any:
        """Return the diagonal of the Hessian by one input.

        d2f / dx[i]2 for every entry. Where the gradient's entry depends on its own entry alone,
        that is one product with a vector of ones; elsewhere one product an entry.

        Args:
            arrays: the inputs in declared order.
            named: inputs by name, hyperparameters.

        Returns:
            An array of the input's shape.

        Raises:
            ArgumentTypeError: the objective is differentiated by several inputs.
        """
        gradient, product = self._gradient_and_product(arrays, named)
        if is_diagonal(self.derivation):
            return product(np.ones(gradient.shape, self.dtype))
        return curvature.diagonal(gradient, product)

    def _gradient_and_product(
        self, arrays: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, Callable[[Any], Any]]:
        """The gradient by the one input, and what multiplies the Hessian by a vector."""
        self._needs_scalar("hessian")
        if len(self.derivation.wrt) != 1:
            raise ArgumentTypeError(
                f"{self.objective.name}: hessian: expected one input to differentiate by, "
                f"got {', '.join(self.derivation.wrt)}; compile with wrt=..."
            )
        gradient = self.grad(*arrays, **named)

        def product(vector: Any) -> Any:
            row = self.hvp(*arrays, vector=vector, **named)
            return row[0] if isinstance(row, tuple) else row

        return gradient[0] if isinstance(gradient, tuple) else gradient, product

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
        with MAKING:
            if self._weighted is None:
                weighted = derive(self.objective.with_weights(), self.derivation.wrt)
                self._weighted = Kernel(weighted, str(self.dtype), self._build, self._checked)
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
        names = {e.target.name for e in wanted.equations} | {t.name for t in wanted.inputs}
        names |= {p.name for p in self.objective.parameters}
        watched = (checked_tensors if self._checked else label_tensors)(wanted.inputs)
        equations, checks = domain_checks(wanted.inputs, watched, Namer(names), self.dtype)
        wanted = dataclasses.replace(
            wanted,
            equations=(*wanted.equations, *equations),
            measures=tuple(check.measured for check in checks),
        )
        executable = self._build(self.objective, wanted, str(self.dtype))
        return Ready(self.objective, wanted, executable, checks, self.dtype)

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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the definition and no code: it is derived again, and loaded from the cache."""
        made_of = (self.derivation.wrt, str(self.dtype), self._build, self._checked)
        return _rebuilt, (self.objective, *made_of)

    def __copy__(self) -> Kernel:
        """Return the kernel itself, for nothing about it ever changes."""
        return self

    def __deepcopy__(self, memo: Any) -> Kernel:
        """Return the kernel itself, for nothing about it ever changes."""
        return self

    def __repr__(self) -> str:
        return f"Kernel({self.objective.name}, dtype={self.dtype}, modes={sorted(self._ready)})"


def _rebuilt(
    objective: Objective, wrt: tuple[str, ...], dtype: str, build: Build, checked: bool
) -> Kernel:
    """Make a kernel of what was pickled."""
    return Kernel(derive(objective, wrt), dtype, build, checked)


def _is_read_there(array: Any, given: Any) -> bool:
    """Whether what was given is read where it lies, not copied."""
    return array is given or (isinstance(given, np.ndarray) and np.may_share_memory(array, given))
