"""StructuredHessian: a Hessian held as a diagonal and a few outer products a block, in O(n)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symcalc.backends.binding import real_number
from symcalc.notation.errors import ArgumentError, ArgumentTypeError, DerivationError

# What a solution may leave of the right-hand side, relative to the terms that make it up.
_MOST_LEFT = 1e-10
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class StructuredHessian:
    """A Hessian at a point: its diagonal, products with it, and where it exists a solve.

    H = diag(base) + sum_r left_r right_r^T, within each block if `axes` names axes that p and q
    must share. Nothing of size n squared is ever made.

    Args:
        title: the objective's name, for messages.
        kind: in words, as in `Derivation.hessian_structure`.
        diagonal: the second derivative by each entry; what is computed is of its dtype.
        base: the diagonal part, of the same shape, in float64; None where the Hessian is dense.
        left: the outer products' left sides, of the same shape, coefficients included.
        right: their right sides.
        axes: the axes whose entries are blocks of their own.
        multiply: the Hessian-vector product, which serves where it is dense.
    """

    title: str
    kind: str
    diagonal: Any
    base: Any
    left: tuple[Any, ...]
    right: tuple[Any, ...]
    axes: tuple[int, ...]
    multiply: Callable[[Any], Any] = field(repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input, and so of a vector."""
        return tuple(self.diagonal.shape)

    def product(self, vector: Any) -> Any:
        """Return H times a vector, an array of the input's shape.

        Args:
            vector: an array of the input's shape.

        Raises:
            ArgumentError: its shape does not fit.
            ArgumentTypeError: it is no array of real numbers.
        """
        given = self._checked("vector", vector)
        if self.base is None:
            return self.multiply(given)
        total = self.base * given
        for left, right in zip(self.left, self.right, strict=True):
            total = total + left * self._summed(right * given)
        return total.astype(self.diagonal.dtype, copy=False)

    def __matmul__(self, vector: Any) -> Any:
        return self.product(vector)

    def solve(self, right_hand_side: Any, damping: float = 0.0) -> Any:
        """Return x with (H + damping I) x = b, by Woodbury's identity within each block.

        Args:
            right_hand_side: b, an array of the input's shape.
            damping: a number added to the diagonal; what makes a singular matrix regular.

        Returns:
            An array of the input's shape; the work is linear in its size.

        Raises:
            ArgumentError: the matrix is singular to working precision; or a shape does not fit.
            DerivationError: the Hessian is dense, so that there is no solve in O(n).
        """
        given = self._checked("right_hand_side", right_hand_side)
        if self.base is None:
            raise DerivationError(
                f"{self.title}: solve: expected a Hessian that is diagonal, or diagonal plus low "
                f"rank, by blocks or not; this one is {self.kind}: iterate with product instead"
            )
        added = real_number(f"{self.title}: damping", damping)
        if not 0 <= added < np.inf:
            raise ArgumentError(
                f"{self.title}: damping: expected a finite number, 0 or more, got {added}"
            )
        base = self._blocks(self.base.astype(np.float64) + added)
        b = self._blocks(given.astype(np.float64))
        left, right = (
            np.stack([self._blocks(side.astype(np.float64)) for side in sides], axis=-1)
            if sides else np.zeros((*base.shape, 0)) for sides in (self.left, self.right)
        )  # fmt: skip
        rank, size = len(self.left), base.shape[1]
        if rank and size <= 2 * rank:
            found = self._solve_small(base, left, right, b)
        else:
            found = self._solve_large(base, left, right, b)
        return self._whole(found).astype(self.diagonal.dtype, copy=False)

    def _solve_large(self, base: Any, left: Any, right: Any, b: Any) -> Any:
        """Woodbury: x = D^-1 b - D^-1 U (1 + V^T D^-1 U)^-1 V^T D^-1 b, and once more for the rest.

        The second round, on what the first leaves of b, wins back the digits that cancel where
        entries of D are small beside U V^T.
        """
        if np.any(base == 0):
            if (base == 0).sum(axis=1).max() > left.shape[-1]:
                raise self._singular("its diagonal part has more zeros than outer products beside")
            base, left, right = _without_zeros(base, left, right)
        with np.errstate(all="ignore"):
            scaled = left / base[..., None]
            if not left.shape[-1]:
                return b / base
            small = np.einsum("bmr,bms->brs", right, scaled)
            size = np.einsum("bmr,bms->brs", np.abs(right), np.abs(scaled))
            small = small + np.eye(left.shape[-1])
            self._refuse_singular(small, 1.0 + size.sum(axis=(1, 2)), base.shape[1])

            def solved(given: Any) -> Any:
                y = given / base
                inner = np.linalg.solve(small, np.einsum("bmr,bm->br", right, y)[..., None])
                return y - np.einsum("bmr,br->bm", scaled, inner[..., 0])

            found = solved(b)
            found = found + solved(b - _applied(base, left, right, found))
            rest = np.abs(b - _applied(base, left, right, found))
            largest = np.abs(b) + _applied(*map(np.abs, (base, left, right, found)))
            lost = rest.max(axis=1) > _MOST_LEFT * largest.max(axis=1)
            if np.any(lost):
                least = np.abs(base[lost]).min()
                raise ArgumentError(
                    f"{self.title}: solve: expected a diagonal part that the outer products leave "
                    f"visible in float64, got an entry of {least:.3g}: give damping=, a number "
                    "added to it"
                )
            return found

    def _solve_small(self, base: Any, left: Any, right: Any, b: Any) -> Any:
        """Blocks hardly larger than the rank are written out."""
        size = base.shape[1]
        whole = base[:, :, None] * np.eye(size) + left @ np.swapaxes(right, 1, 2)
        largest = np.abs(base).max(axis=1, initial=0.0)
        largest = largest + (np.abs(left) @ np.swapaxes(np.abs(right), 1, 2)).sum(axis=(1, 2))
        self._refuse_singular(whole, largest, size)
        return np.linalg.solve(whole, b[..., None])[..., 0]

    def _refuse_singular(self, matrices: Any, largest: Any, size: int) -> None:
        """Refuse matrices whose least singular value is what rounding alone would leave."""
        if not len(matrices):
            return
        if not np.all(np.isfinite(matrices)):
            raise ArgumentError(f"{self.title}: solve: the Hessian is not finite at this point")
        least = np.linalg.svd(matrices, compute_uv=False)[:, -1]
        wrong = np.flatnonzero(least <= 16 * _EPS * np.sqrt(size + 16) * largest)
        if wrong.size:
            which = f"block {int(wrong[0])}" if self.axes else "the matrix"
            raise self._singular(f"{which} has no inverse to working precision")

    def _singular(self, why: str) -> ArgumentError:
        return ArgumentError(
            f"{self.title}: solve: the Hessian ({self.kind}) is singular at this point, for {why}; "
            "give damping=, a number added to its diagonal"
        )

    @property
    def _inner(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(len(self.shape)) if axis not in self.axes)

    def _summed(self, entries: Any) -> Any:
        return np.sum(entries, axis=self._inner, keepdims=True, dtype=np.float64)

    def _blocks(self, array: Any) -> Any:
        """Return an array as rows, one a block."""
        moved = np.transpose(array, (*self.axes, *self._inner))
        blocks = int(np.prod([self.shape[axis] for axis in self.axes]))
        size = int(np.prod([self.shape[axis] for axis in self._inner]))
        return moved.reshape(blocks, size)

    def _whole(self, rows: Any) -> Any:
        order = (*self.axes, *self._inner)
        moved = rows.reshape([self.shape[axis] for axis in order])
        return np.ascontiguousarray(np.transpose(moved, np.argsort(order)))

    def _checked(self, name: str, given: Any) -> Any:
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise ArgumentTypeError(
                f"{self.title}: {name}: expected an array of real numbers, got {array.dtype}"
            )
        if array.shape != self.shape:
            raise ArgumentError(
                f"{self.title}: {name}: expected shape {self.shape}, got {array.shape}"
            )
        return array.astype(self.diagonal.dtype, copy=False)


def _without_zeros(base: Any, left: Any, right: Any) -> tuple[Any, Any, Any]:
    """Write D + U V^T with no zero in D: each becomes a number s, and -s e e^T an outer product."""
    zeros = base == 0
    order = np.cumsum(zeros, axis=1)
    units = np.stack(
        [zeros & (order == k + 1) for k in range(int(order[:, -1].max()))], axis=-1
    ).astype(np.float64)
    size = np.max(np.abs(base) + np.abs(left * right).sum(axis=-1), axis=1)
    size = np.where(size > 0, size, 1.0)[:, None]
    return (
        np.where(zeros, size, base),
        np.concatenate([left, -size[..., None] * units], axis=-1),
        np.concatenate([right, units], axis=-1),
    )


def _applied(base: Any, left: Any, right: Any, vectors: Any) -> Any:
    """Return (D + U V^T) x, block by block."""
    inner = np.einsum("bmr,bm->br", right, vectors)
    return base * vectors + np.einsum("bmr,br->bm", left, inner)
