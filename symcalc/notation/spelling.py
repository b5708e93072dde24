"""How inputs are spelled: `logits: Real[Array, "n c"]`, `delta: Positive = 1.0`.

An array's annotation is a domain with a shape: dim names parted by spaces. Labels name the dim they
stay below after an arrow: `labels: Label[Array, "n -> c"]`. A hyperparameter's is a bare domain.
`Array["n"]` is short for `Real[Array, "n"]` where no type checker reads along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symcalc.notation import domains
from symcalc.notation.dims import read_extent
from symcalc.notation.domains import Domain
from symcalc.notation.errors import NotationError


@dataclass(frozen=True)
class ArraySpec:
    """An array input as annotated: its domain and dims."""

    domain: Domain
    dims: tuple[Any, ...]


def array_spec(domain: Domain | None, text: str) -> ArraySpec:
    """Read a shape such as "n c", or "n -> c" for labels below c.

    Args:
        domain: the domain, or None for labels.
        text: the shape.

    Raises:
        NotationError: the text is no shape, or the arrow is missing or out of place.
    """
    shape, arrow, below = (part.strip() for part in text.partition("->"))
    if domain is None:
        if not arrow or not below.isidentifier():
            raise NotationError(
                f'Label: expected the dim that labels stay below, as in Label[Array, "n -> c"], '
                f"got {text!r}"
            )
        domain = domains.labels(below)
    elif arrow:
        raise NotationError(f"shape: only labels take an arrow, got {text!r}")
    words = shape.replace(",", " ").split()
    return ArraySpec(domain, tuple(read_extent("shape", word) for word in words))


class _Spelled:
    """A domain as an annotation: bare for a hyperparameter, with Array and shape for an array."""

    def __init__(self, domain: Domain | None) -> None:
        self.domain = domain

    def __getitem__(self, item: Any) -> ArraySpec:
        parts = [part for part in (item if isinstance(item, tuple) else (item,))
                 if part is not _ArraySpelled and part is not Array]  # fmt: skip
        if not all(isinstance(part, str) for part in parts):
            raise NotationError(f'annotation: expected a shape such as "n c", got {item!r}')
        return array_spec(self.domain, " ".join(parts))


class _ArraySpelled:
    """`Array["n", "c"]`: real numbers of this shape."""

    def __class_getitem__(cls, item: Any) -> ArraySpec:
        return _Spelled(domains.REAL)[item]


if TYPE_CHECKING:
    from typing import Annotated as Finite
    from typing import Annotated as Label
    from typing import Annotated as Mask
    from typing import Annotated as NonNegativeReal
    from typing import Annotated as PlusMinusOne
    from typing import Annotated as PositiveReal
    from typing import Annotated as Probability
    from typing import Annotated as Real
    from typing import Annotated as Simplex
    from typing import TypeAlias

    class Array:
        """An array of numbers: index it to speak of its entries."""

        def __getitem__(self, index: Any) -> Any: ...

    Formula: TypeAlias = Any
    Scalar: TypeAlias = Any
    Positive: TypeAlias = Any
    NonNegative: TypeAlias = Any
    Fraction: TypeAlias = Any
    PositiveFraction: TypeAlias = Any
    OneToTwo: TypeAlias = Any
else:
    Formula = Any
    Array = _ArraySpelled
    Real = Scalar = _Spelled(domains.REAL)
    Positive = PositiveReal = _Spelled(domains.POSITIVE)
    NonNegative = NonNegativeReal = _Spelled(domains.NONNEGATIVE)
    Probability = Fraction = _Spelled(domains.PROBABILITY)
    Finite = _Spelled(domains.FINITE)
    PositiveFraction = _Spelled(domains.POSITIVE_FRACTION)
    OneToTwo = _Spelled(domains.ONE_TO_TWO)
    Simplex = _Spelled(domains.SIMPLEX)
    PlusMinusOne = _Spelled(domains.PLUS_MINUS_ONE)
    Mask = _Spelled(domains.MASK)
    Label = _Spelled(None)


def read_annotation(name: str, annotation: Any) -> ArraySpec | Domain:
    """Return what an annotation says: an array's spec, or a hyperparameter's domain.

    Raises:
        NotationError: it is neither.
    """
    if isinstance(annotation, ArraySpec):
        return annotation
    if isinstance(annotation, _Spelled) and annotation.domain is not None:
        return annotation.domain
    if annotation is float:
        return domains.REAL
    raise NotationError(
        f'{name}: expected an annotation such as Real[Array, "n"] or Positive, got {annotation!r}'
    )


__all__ = [
    "Array", "ArraySpec", "Finite", "Formula", "Fraction", "Label", "Mask", "NonNegative",
    "NonNegativeReal", "OneToTwo", "PlusMinusOne", "Positive", "PositiveFraction", "PositiveReal",
    "Probability", "Real", "Scalar", "Simplex", "array_spec", "read_annotation",
]  # fmt: skip
