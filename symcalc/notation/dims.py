"""Dims and indices: what a letter in brackets runs over."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import sympy as sp

from symcalc.notation.compare import Comparable
from symcalc.notation.errors import NotationError

# The letters that the field writes for an index over a dim of this name.
_LETTERS = {
    "n": "i", "m": "j", "d": "j", "c": "k", "k": "l", "h": "h", "p": "p",
    "t": "t", "T": "t", "b": "b", "l": "l", "q": "q", "s": "s", "v": "v",
}  # fmt: skip
_LARGEST = 2**31
_SPARE = "ijklmpqrstuvwabcdefgh"


def _numbers() -> itertools.count[int]:
    """Number the indices of a process from its beginning on, and leave others theirs.

    SymPy's own numbers go on alike in a forked child and in its parent, so that an index pickled in
    one would be taken for another in the other. These also sort a fresh index after one that came
    from elsewhere earlier, as it does where both are made in one process.
    """
    return itertools.count(time.time_ns() << 20)


_NUMBERS = _numbers()


def _begin_anew() -> None:
    global _NUMBERS
    _NUMBERS = _numbers()


def fresh_number() -> int:
    """Return a number that no bound letter of this process or of its relatives has."""
    return next(_NUMBERS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


# The extent of an index that runs as far as the arrays it stands in allow, until that is known.
FAR = sp.oo


class Dim(sp.Symbol):
    """A named size, known at run time: `n` in an array of shape (n, c).

    Args:
        name: an identifier; two dims of one name are the same dim.
    """

    def __new__(cls, name: str, **_: Any) -> Dim:
        """Make the positive integer symbol of this name."""
        if not name.isidentifier():
            raise NotationError(f"dim: expected a name such as 'n', got {name!r}")
        return super().__new__(cls, name, integer=True, positive=True)


class Index(Comparable, sp.Dummy):
    """A letter that runs over 0, 1, ..., extent - 1; each one made is a new one.

    Args:
        name: the letter to show.
        extent: a Dim, or a whole expression of dims (an index in `V[t+1]` stops one early); FAR
            where it is still to be told.
    """

    def __new__(cls, name: str, extent: Any, dummy_index: int | None = None) -> Index:
        """Make a fresh index, unless `dummy_index` names an old one (unpickling)."""
        number = fresh_number() if dummy_index is None else dummy_index
        index = super().__new__(cls, name, number, integer=True, nonnegative=True)
        index._extent = sp.sympify(extent)
        return index

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Rebuild with extent and identity."""
        return (self.name, self._extent, self.dummy_index), {}

    def __getstate__(self) -> None:
        """Everything stands in the arguments."""
        return None

    @property
    def extent(self) -> Any:
        """The number of values the index takes."""
        return self._extent

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The dims that the extent is made of, in the order of their names."""
        return tuple(sorted((s for s in self._extent.free_symbols if isinstance(s, Dim)), key=str))

    def fresh(self, name: str | None = None, extent: Any = None) -> Index:
        """Return a new index over the same extent, which no other formula knows."""
        return Index(name or self.name, self._extent if extent is None else extent)

    def _sympystr(self, printer: Any) -> str:
        return str(self.name)


def read_extent(what: str, word: str) -> Any:
    """Read an extent: a dim's name, a whole number, or a dim plus or minus one, as in "n+1".

    Args:
        what: what it belongs to, for messages.
        word: the text, without spaces.

    Raises:
        NotationError: the text is none of these.
    """
    if word.isascii() and word.isdigit() and 0 < int(word) < _LARGEST:
        return sp.Integer(word)
    name, sign, number = word.partition("+") if "+" in word else word.partition("-")
    if not sign and name.isidentifier():
        return Dim(name)
    if not name.isidentifier() or not (number.isascii() and number.isdigit()):
        raise NotationError(
            f"{what}: expected an extent such as 'n', 'n+1' or a whole number from 1 on, "
            f"got {word!r}"
        )
    return Dim(name) + (int(number) if sign == "+" else -int(number))


def sole_dim(extent: Any) -> Dim | None:
    """Return the dim of an extent that is a dim plus or minus a whole number, else None."""
    dims = [s for s in extent.free_symbols if isinstance(s, Dim)]
    return dims[0] if len(dims) == 1 and (extent - dims[0]).is_Integer else None


def letter(dim: str) -> str:
    """Return the usual index letter of a dim: i for n, k for c; its own tail for n_k."""
    if dim.startswith("n_") and len(dim) > 2:
        return dim[2:]
    return _LETTERS.get(dim, dim[0].lower() if dim[0].isalpha() else "i")


def unused(name: str, taken: set[str]) -> str:
    """Return `name`, or the next letter that is not taken."""
    if name not in taken:
        return name
    spare = next((s for s in _SPARE if s not in taken), None)
    if spare is not None:
        return spare
    return next(f"{name}{k}" for k in range(1, len(taken) + 2) if f"{name}{k}" not in taken)


def indices(*dims: str) -> Any:
    """Make one index for each named dim.

    i, k = indices("n c"), or indices("n", "c"), or with letters of one's own: indices("a:n b:c").
    `indices("r:3")` takes three values, `indices("t:T+1")` one more than T, and `indices("i:")` as
    many as keep every place it stands in within its array.

    Args:
        dims: extents, parted by spaces or commas; `letter:extent` chooses the letter.

    Returns:
        One Index, or a tuple of them.

    Raises:
        NotationError: nothing, or something that is no name, was given.
    """
    if not all(isinstance(word, str) for word in dims):
        raise NotationError(f"indices: expected text such as 'n c', got {dims!r}")
    made: list[Index] = []
    taken: set[str] = set()
    for word in " ".join(dims).replace(",", " ").split():
        name, colon, written = word.partition(":")
        if not colon:
            name, written = unused(letter(word), taken), word
        if not name.isidentifier() or word.isdigit():
            raise NotationError(f"indices: expected 'n' or 'i:n', got {word!r}")
        taken.add(name)
        made.append(Index(name, read_extent("indices", written) if written else FAR))
    if not made:
        raise NotationError("indices: expected at least one dim name, got an empty string")
    return made[0] if len(made) == 1 else tuple(made)
