"""Kernel: the Python face of compiled programs. Its contract is the same for every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symcalc.backends import curvature
from symcalc.backends.compiled import Build
from symcalc.backends.first_order import Bound
from symcalc.backends.stepping import Stepping
from symcalc.backends.structured import StructuredHessian
from symcalc.calculus.derive import derive
from symcalc.notation.errors import ArgumentTypeError
from symcalc.notation.objective import Objective

_SCALAR = ("value", "grad", "value_and_grad", "hvp", "third", "hessian_diagonal")
_LAYER = ("value", "vjp", "hvp", "third", "hessian_diagonal")


class Kernel(Stepping):
    """A compiled objective.

    Call it for the value; see `grad`, `value_and_grad`, `vjp` and `jvp` for first derivatives and
    `jacobian`, `hvp`, `hessian`, `hessian_structure`, `gnvp`, `fvp`, `third` for what stands on
    them. Arrays are positional in declared order, or by keyword; hyperparameters and sample weights
    by keyword.

    Small arrays that are just as the compiled code wants them are handed straight to it: it looks
    at shapes, domains and overlaps itself. Whatever it refuses goes the careful way, which
    converts what can be converted and says what is wrong with the rest.

    Args:
        derivation: what was derived.
        dtype: "float64" or "float32".
        build: the backend: makes an executable of a task.
        checked: whether input values are held against their domains.
    """

    def prepare(self, mode: str | None = None) -> Kernel:
        """Compile a mode now instead of at its first call; return the kernel.

        Args:
            mode: "value", "grad", "value_and_grad", "vjp", "hvp", "third", "hessian_diagonal", or
                "jvp" with the inputs that move, as in "jvp x gamma"; None for value and gradient.

        Raises:
            ArgumentTypeError: there is no such mode.
        """
        kinds = _SCALAR if self.objective.is_scalar else _LAYER
        real = {tensor.name for tensor in self.objective.inputs if not tensor.domain.integer}
        wanted = self._main if mode is None else str(mode)
        word, *moving = wanted.split() or [""]
        fits = bool(moving) and set(moving) <= real if word == "jvp" else not moving
        if not fits or word not in (*kinds, "jvp"):
            raise ArgumentTypeError(
                f"{self.objective.name}: mode: expected {', '.join(kinds)}, or jvp and the inputs "
                f"that move, got {mode!r:.80}"
            )
        if word != "hessian_diagonal" or self._diagonal_has_formula("prepare"):
            self._mode(wanted)
        return self

    def jacobian(self, /, *arrays: Any, **named: Any) -> Any:
        """Return all first derivatives of the value: for a scalar objective its gradient.

        J[s, p] = d value[s] / d x[p], row by row with vjp or column by column with jvp, whichever
        are fewer.

        Args:
            arrays: the inputs in declared order.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array of shape (*value.shape, *x.shape), or a tuple of them where `wrt` was a tuple.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        if self.objective.is_scalar:
            return self.grad(*arrays, **named)
        value = self(*arrays, **named)
        _, found = self.vjp(*arrays, cotangent=np.zeros_like(value), **named)
        inputs = found if isinstance(found, tuple) else (found,)
        if value.size <= sum(array.size for array in inputs):
            rows = curvature.rows(
                value, inputs, lambda unit: self.vjp(*arrays, cotangent=unit, **named)[1]
            )
        else:
            rows = tuple(
                curvature.columns(value, array, self._tangent(name, arrays, named))
                for name, array in zip(self.derivation.wrt, inputs, strict=True)
            )
        return self._structured(rows)

    def _tangent(
        self, name: str, arrays: tuple[Any, ...], named: dict[str, Any]
    ) -> Callable[[Any], Any]:
        return lambda unit: self.jvp(*arrays, tangents={name: unit}, **named)[1]

    def hvp(
        self, /, *arrays: Any, vector: Any = None, cotangent: Any = None, out: Any = None,
        **named: Any,
    ) -> Any:  # fmt: skip
        """Return the product of the Hessian with a vector, by forward over reverse.

        (H v)[i] = sum_j d2f / dx[i] dx[j] v[j]; for a layer f is sum(cotangent * value).

        Args:
            arrays: the inputs in declared order.
            vector: an array of the gradient's structure.
            cotangent: for a layer, an array of the value's shape.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array, or a tuple where `wrt` was a tuple.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        return self._product("hvp", arrays, self._vectors("hvp", "vector", vector), cotangent,
                             out, named)  # fmt: skip

    def third(
        self, /, *arrays: Any, vectors: Any = None, cotangent: Any = None, out: Any = None,
        **named: Any,
    ) -> Any:  # fmt: skip
        """Return the third derivative contracted with two vectors.

        T[i] = sum_jk d3f / dx[i] dx[j] dx[k] u[j] v[k]; for a layer f is sum(cotangent * value).

        Args:
            arrays: the inputs in declared order.
            vectors: two of the gradient's structure, (u, v).
            cotangent: for a layer, an array of the value's shape.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array, or a tuple where `wrt` was a tuple.

        Raises:
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        if not isinstance(vectors, (tuple, list)) or len(vectors) != 2:
            raise ArgumentTypeError(
                f"{self.objective.name}: third: vectors: expected a pair (u, v), "
                f"got {vectors!r:.80}"
            )
        both = [v for each in vectors for v in self._vectors("third", "vectors", each)]
        return self._product("third", arrays, both, cotangent, out, named)

    def gnvp(
        self, /, *arrays: Any, vector: Any = None, at: str | None = None, out: Any = None,
        **named: Any,
    ) -> Any:  # fmt: skip
        """Return the Gauss-Newton product of a loss over a model.

        J^T H J v: J is the derivative of the model's output z by what is differentiated by, and H
        the second derivative of the loss by z.

        Args:
            arrays: the inputs in declared order.
            vector: an array of the gradient's structure.
            at: the name of the model's output in the formula; the objective's own `model` if not
                given.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array, or a tuple where `wrt` was a tuple.

        Raises:
            DerivationError: no tensor is called so, or the loss reads an input other than through
                it.
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        self._needs_scalar("gnvp")
        given = self._vectors("gnvp", "vector", vector)
        return self._product(f"gnvp {self._at(at)}", arrays, given, None, out, named)

    def fvp(
        self, /, *arrays: Any, vector: Any = None, at: str | None = None, out: Any = None,
        **named: Any,
    ) -> Any:  # fmt: skip
        """Return the Fisher product of a negative log-likelihood over a model.

        J^T E[H] J v: as in `gnvp`, H replaced by its expectation over targets drawn from the model
        itself. Where H does not depend on the targets that is `gnvp`; where they are integer labels
        it is the sum over all classes with probabilities exp(-loss). Scales are the objective's
        own: the mean over a batch stays a mean, and a squared error without its factor one half
        counts as the negative log-likelihood of a variance of one half.

        Args:
            arrays: the inputs in declared order.
            vector: an array of the gradient's structure.
            at: the name of the model's output in the formula; the objective's own `model` if not
                given.
            out: buffers of the gradient's structure to write into.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array, or a tuple where `wrt` was a tuple.

        Raises:
            DerivationError: as in `gnvp`; or the targets cannot be averaged over.
            ArgumentError: a shape, a size or a value does not fit.
            ArgumentTypeError: an argument is missing, unknown or of the wrong type.
        """
        self._needs_scalar("fvp")
        given = self._vectors("fvp", "vector", vector)
        return self._product(f"fvp {self._at(at)}", arrays, given, None, out, named)

    def hessian(self, /, *arrays: Any, cotangent: Any = None, **named: Any) -> Any:
        """Return the dense Hessian by one input, for small problems.

        Args:
            arrays: the inputs in declared order.
            cotangent: for a layer, an array of the value's shape.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array of shape (*x.shape, *x.shape), from one Hessian-vector product an entry.

        Raises:
            ArgumentTypeError: the objective is differentiated by several inputs.
        """
        self._needs_one_input("hessian")
        like = self._like_the_input(arrays, named)
        return curvature.dense(like, self._multiplier(arrays, cotangent, named))

    def hessian_diagonal(self, /, *arrays: Any, cotangent: Any = None, **named: Any) -> Any:
        """Return the diagonal of the Hessian by one input.

        d2f / dx[i]2 for every entry, by its own formula; only where that grew too long to be of
        use, by one Hessian-vector product an entry.

        Args:
            arrays: the inputs in declared order.
            cotangent: for a layer, an array of the value's shape.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            An array of the input's shape.

        Raises:
            ArgumentTypeError: the objective is differentiated by several inputs.
        """
        self._needs_one_input("hessian_diagonal")
        if self._diagonal_has_formula("hessian_diagonal"):
            (found,) = self._computed("hessian_diagonal", arrays, [], cotangent, None, named)
            return found
        like = self._like_the_input(arrays, named)
        return curvature.diagonal(like, self._multiplier(arrays, cotangent, named))

    def hessian_structure(
        self, /, *arrays: Any, cotangent: Any = None, **named: Any
    ) -> StructuredHessian:
        """Return the Hessian by one input as its structure allows: in O(n), never n squared.

        Args:
            arrays: the inputs in declared order.
            cotangent: for a layer, an array of the value's shape.
            named: inputs by name, hyperparameters, `weights`.

        Returns:
            The StructuredHessian: `.kind`, `.diagonal`, `.product(v)`, `.solve(b, damping)`. A
            float32 kernel computes its parts in float64: rounded to float32 they would be those of
            another matrix, whose least eigenvalues are nothing but roundings.

        Raises:
            ArgumentTypeError: the objective is differentiated by several inputs.
        """
        self._needs_one_input("hessian_structure")
        title, multiply = self.objective.name, self._multiplier(arrays, cotangent, named)
        structure = self._meant(dict(named)).derivation.hessian_structure
        if structure.is_dense:
            diagonal = self.hessian_diagonal(*arrays, cotangent=cotangent, **named)
            return StructuredHessian(title, structure.kind, diagonal, None, (), (), (), multiply)
        diagonal, base, *sides = self._in_double._computed(
            "hessian_factors", arrays, [], cotangent, None, named
        )
        diagonal = diagonal.astype(self.dtype, copy=False)
        axes = tuple(structure.indices.index(index) for index in structure.block)
        return StructuredHessian(
            title, structure.kind, diagonal, base, tuple(sides[::2]), tuple(sides[1::2]), axes,
            multiply,
        )  # fmt: skip

    def _product(
        self, mode: str, arrays: tuple[Any, ...], vectors: Sequence[Any], cotangent: Any, out: Any,
        named: dict[str, Any],
    ) -> Any:  # fmt: skip
        return self._structured(self._computed(mode, arrays, vectors, cotangent, out, named))

    def _computed(
        self, mode: str, arrays: tuple[Any, ...], vectors: Sequence[Any], cotangent: Any, out: Any,
        named: dict[str, Any],
    ) -> Sequence[Any]:  # fmt: skip
        """Run a mode whose inputs go on with a layer's cotangent, then with vectors."""
        meant = self._meant(named)
        more = list(vectors)
        if not self.objective.is_scalar:
            if cotangent is None:
                raise ArgumentTypeError(
                    f"{self.objective.name}: {mode.split()[0]}: missing cotangent=, an array of "
                    "the value's shape"
                )
            more.insert(0, cotangent)
        elif cotangent is not None:
            raise ArgumentTypeError(
                f"{self.objective.name}: {mode.split()[0]}: cotangent is for layers; the value is "
                "one number"
            )
        extra = meant._mode(mode).task.inputs[len(meant.objective.inputs) :]
        named |= {tensor.name: given for tensor, given in zip(extra, more, strict=True)}
        return meant._run(mode, arrays, named, out)[1]

    def _vectors(self, call: str, name: str, given: Any) -> Sequence[Any]:
        """One array an input differentiated by."""
        if given is None:
            raise ArgumentTypeError(f"{self.objective.name}: {call}: missing {name}=")
        count = len(self.derivation.wrt)
        several = isinstance(given, tuple) or (isinstance(given, list) and count > 1)
        vectors = given if several else (given,)
        if len(vectors) != count:
            raise ArgumentTypeError(
                f"{self.objective.name}: {name}: expected {count} arrays, got {len(vectors)}"
            )
        return vectors

    def _at(self, at: str | None) -> str:
        """The name of the model's output; letters that are no name are none."""
        if at is not None and not isinstance(at, str):
            raise ArgumentTypeError(
                f"{self.objective.name}: at: expected the name of the model's output, "
                f"got {at!r:.80}"
            )
        return self.objective.model if at is None else at

    def _needs_one_input(self, call: str) -> None:
        if len(self.derivation.wrt) != 1:
            raise ArgumentTypeError(
                f"{self.objective.name}: {call}: expected one input to differentiate by, "
                f"got {', '.join(self.derivation.wrt)}; compile with wrt=..."
            )

    def _diagonal_has_formula(self, call: str) -> bool:
        self._needs_one_input(call)
        return self.derivation.hessian_structure.diagonal is not None

    def _like_the_input(self, arrays: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """An array of the shape of the one input differentiated by."""
        name = self.derivation.wrt[0]
        place = [tensor.name for tensor in self.objective.inputs].index(name)
        given: Any = arrays[place] if place < len(arrays) else named.get(name)
        return np.empty(np.shape(given), self.dtype)

    def _multiplier(
        self, arrays: tuple[Any, ...], cotangent: Any, named: dict[str, Any]
    ) -> Callable[[Any], Any]:
        """What multiplies the Hessian by a vector."""

        def product(vector: Any) -> Any:
            (row,) = self._computed("hvp", arrays, [vector], cotangent, None, dict(named))
            return row

        return product

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

    def _repr_html_(self) -> str:
        from html import escape

        title = f"<code>{escape(self.objective.name)}</code>, {self.dtype}"
        source = f"<pre>{escape(self.source)}</pre>"
        return f"<details><summary>Kernel {title}</summary>{source}</details>"


def _rebuilt(
    objective: Objective, wrt: tuple[str, ...], dtype: str, build: Build, checked: bool
) -> Kernel:
    """Make a kernel of what was pickled."""
    return Kernel(derive(objective, wrt), dtype, build, checked)


__all__ = ["Bound", "Build", "Kernel"]
