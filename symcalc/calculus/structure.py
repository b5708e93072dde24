"""Structure: the Hessian as a formula H[p, q], and what its deltas say of its shape.

H[p, q] = [p = q] d[p] + [p, q in one block] sum_r c_r u_r[p] v_r[q], where the deltas leave it so:
diagonal, diagonal plus low rank, the same block by block, or dense.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.equations import Equation
from symcalc.calculus.orders import names_in
from symcalc.calculus.rewriting import refreshed
from symcalc.calculus.simplify import simplified
from symcalc.calculus.spread import SpreadPass, Terms, TooLongError
from symcalc.calculus.steps import Step
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index, unused
from symcalc.notation.errors import DerivationError
from symcalc.notation.tensors import Access, Tensor
from symcalc.notation.text import text

if TYPE_CHECKING:
    from symcalc.calculus.derive import Derivation

# Beyond this many outer products a matrix is called dense.
MOST_RANK = 4
_RANKS = {1: "rank one", 2: "rank two", 3: "rank three", 4: "rank four"}


@dataclass(frozen=True)
class Factor:
    """One outer product, coefficient * left[p] * right[q].

    Args:
        coefficient: depends on the block alone.
        left: a formula in the indices p.
        right: likewise in the indices p; it is read at q.
    """

    coefficient: Any
    left: Any
    right: Any


@dataclass(frozen=True, repr=False)
class Structure:
    """The Hessian of a scalar, or of sum(cotangent * value), by one input.

    Args:
        of: the input.
        value: what is differentiated twice.
        indices: p, one an axis of the input.
        others: q, likewise.
        formula: H[p, q]; None where it grew too long to be of use.
        diagonal: H[p, p], likewise None.
        base: the diagonal matrix that outer products are added to; None where H is dense.
        factors: the outer products.
        block: those of the indices p that p and q must share: H is block diagonal over them.
        is_dense: whether H, or each block of it, is neither diagonal nor of low rank beside it.
        equations: what the formulas stand on.
        steps: how they were found; each `.holds()`.
    """

    of: Tensor
    value: Tensor
    indices: tuple[Index, ...]
    others: tuple[Index, ...]
    formula: Any
    diagonal: Any
    base: Any
    factors: tuple[Factor, ...]
    block: tuple[Index, ...]
    is_dense: bool
    equations: tuple[Equation, ...]
    steps: tuple[Step, ...]

    @property
    def kind(self) -> str:
        """In words: "diagonal", "block diagonal of diagonal plus rank one", "dense", ..."""
        if self.is_dense:
            inner = "dense"
        elif not self.factors:
            return "zero" if self.base == 0 else "diagonal"
        else:
            rank = _RANKS[len(self.factors)]
            inner = rank if self.base == 0 else f"diagonal plus {rank}"
        return f"block diagonal of {inner}" if self.block else inner

    @property
    def left(self) -> str:
        """The left-hand side, H[i, k; i, l]: an index that both sides share is a block's."""
        at = ", ".join(str(i) for i in self.indices)
        return f"H[{at}; {', '.join(str(i) for i in self.others)}]"

    def latex(self) -> str:
        """Return the Hessian as LaTeX, second derivative on the left."""
        from symcalc.notation.latex import latex

        x, y = (latex(Access(self.of, *at)) for at in (self.indices, self.others))
        second = (
            rf"\frac{{\partial^2 {latex(Access(self.value)) if not self.value.shape else 'L'}}}"
            rf"{{\partial {x} \, \partial {y}}}"
        )
        if self.formula is None:
            return rf"{second} = \text{{({self.kind})}}"
        return f"{second} = {latex(self.formula, None, (*self.indices, *self.others))}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def __str__(self) -> str:
        shown = "" if self.formula is None else f": {self.left} = {text(self.formula)}"
        return f"{self.kind}{shown}"

    def __repr__(self) -> str:
        return f"Structure({self.of.name}, {self.kind})"


def structure_of(derivation: Derivation) -> Structure:
    """Derive the Hessian as a formula and read its structure off.

    Args:
        derivation: of the gradient by one input.

    Raises:
        DerivationError: several inputs are differentiated by.
    """
    if len(derivation.wrt) != 1:
        raise DerivationError(
            f"{derivation.objective.name}: hessian_structure: expected one input to differentiate "
            f"by, got {', '.join(derivation.wrt)}"
        )
    wrt = derivation.objective.input(derivation.wrt[0])
    gradient = derivation.gradient_of(wrt.name)
    others = _others(gradient.indices)
    cotangent = () if derivation.cotangent is None else (derivation.cotangent,)
    namer = names_in(derivation.objective, derivation.equations, *cotangent)
    sweep = SpreadPass(derivation.equations, derivation.value, wrt, others, namer)
    try:
        found = sweep.run(gradient.target)
    except TooLongError:
        return Structure(
            wrt, derivation.value, gradient.indices, others, None, None, None, (), (), True,
            derivation.equations, (),
        )  # fmt: skip
    reader = _Reader(found.indices, others, sweep)
    return reader.read(wrt, derivation.value, found.terms, found.equations, found.steps)


def _others(indices: tuple[Index, ...]) -> tuple[Index, ...]:
    taken = {index.name for index in indices}
    made: list[Index] = []
    for index in indices:
        other = index.fresh(unused(index.name, taken))
        taken.add(other.name)
        made.append(other)
    return tuple(made)


class _Reader:
    """Reads the structure off the terms of a Hessian."""

    def __init__(
        self, indices: tuple[Index, ...], others: tuple[Index, ...], sweep: SpreadPass
    ) -> None:
        self.indices = indices
        self.others = others
        self.sweep = sweep

    def read(
        self, wrt: Tensor, value: Tensor, terms: Terms, equations: tuple[Equation, ...],
        steps: tuple[Step, ...],
    ) -> Structure:  # fmt: skip
        """Part the terms into a diagonal and the rest, and the rest into outer products."""
        whole = (*self.indices, *self.others)
        target = Tensor("H", tuple(index.extent for index in whole))
        context = self.sweep.context()
        formula = self.sweep.written(terms)
        base, rest = self._parted(terms)
        block = self._block(rest)
        factors = None
        if all(shared == block for shared, _ in rest):
            factors = self._factors(sp.Add(*(c for _, c in rest)), block)
        made: list[Step] = []
        base, done = simplified(base, target, whole, context)
        made.extend(done)
        if factors is not None:
            parts = self._together(base, factors, block)
            near = context.near(formula, parts)
            made.append(Step("structure", target, whole, formula, parts, (), near))
        diagonal, done = self._diagonal(formula, target, context)
        made.extend(done)
        return Structure(
            wrt, value, self.indices, self.others, formula, diagonal,
            None if factors is None else base, factors or (),
            tuple(self.indices[axis] for axis in sorted(block)) if rest else (),
            factors is None, equations, (*steps, *made),
        )  # fmt: skip

    def _parted(self, terms: Terms) -> tuple[Any, list[tuple[frozenset[int], Any]]]:
        """The coefficient of the whole delta, and for the rest the axes whose deltas they hold."""
        base, rest = sp.Integer(0), []
        for ties, coefficient in terms.items():
            equal = _equal(coefficient, self.indices)
            shared = {a for a, p in ties if {p, self.indices[a]} in equal}
            for axis, place in ties:
                if axis not in shared:
                    coefficient = coefficient * self.sweep.delta(axis, place)
            if len(shared) == len(self.indices):
                base = base + coefficient
            else:
                rest.append((frozenset(shared), coefficient))
        return base, rest

    def _block(self, rest: list[tuple[frozenset[int], Any]]) -> frozenset[int]:
        shared = [axes for axes, _ in rest]
        return frozenset.intersection(*shared) if shared else frozenset()

    def _factors(self, coefficient: Any, block: frozenset[int]) -> tuple[Factor, ...] | None:
        """Write a coefficient as few outer products, if it is few."""
        mine = {index for a, index in enumerate(self.indices) if a not in block}
        theirs = {index for a, index in enumerate(self.others) if a not in block}
        products = _separated(coefficient, mine, theirs)
        if products is None:
            return None
        back = dict(zip(self.others, self.indices, strict=True))
        few = _fewest([(c, u, refreshed(v).xreplace(back)) for c, u, v in products])
        if len(few) > MOST_RANK:
            return None
        return tuple(Factor(*product) for product in few)

    def _together(self, base: Any, factors: Iterable[Factor], block: frozenset[int]) -> Any:
        """Write the structure out as the formula it stands for."""
        at = dict(zip(self.indices, self.others, strict=True))
        at = {p: q for a, (p, q) in enumerate(at.items()) if a not in block}
        low = sp.Add(*(f.coefficient * f.left * refreshed(f.right).xreplace(at) for f in factors))
        same = [self.sweep.delta(a, p) for a, p in enumerate(self.indices)]
        return base * sp.Mul(*same) + low * sp.Mul(*(same[axis] for axis in block))

    def _diagonal(self, formula: Any, target: Tensor, context: Context) -> tuple[Any, list[Step]]:
        at = dict(zip(self.others, self.indices, strict=True))
        entry = refreshed(formula).xreplace(at)
        own = Tensor(target.name, tuple(index.extent for index in self.indices))
        return simplified(entry, own, self.indices, context)


def _equal(coefficient: Any, indices: Iterable[Index]) -> set[frozenset[Any]]:
    """The pairs that are equal wherever a coefficient is not zero; an index is its own equal."""
    conditions = [f.args[0] for f in sp.Mul.make_args(coefficient)
                  if isinstance(f, Where) and f.args[2] == 0]  # fmt: skip
    itself = {frozenset((index,)) for index in indices}
    return itself | {frozenset(c.args) for c in conditions if isinstance(c, sp.Eq)}


def _separated(
    coefficient: Any, mine: set[Index], theirs: set[Index]
) -> list[tuple[Any, Any, Any]] | None:
    """Write a formula as a sum of c u[p] v[q]; None if some factor mixes p and q."""
    found = []
    for term in sp.Add.make_args(coefficient):
        if term == 0:
            continue
        parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for factor in sp.Mul.make_args(term):
            used = factor.free_symbols
            if used & mine and used & theirs:
                opened = sp.expand(term, deep=False)
                inner = None if opened == term else _separated(opened, mine, theirs)
                if inner is None:
                    return None
                found.extend(inner)
                break
            parts[1 if used & mine else 2 if used & theirs else 0].append(factor)
        else:
            found.append((sp.Mul(*parts[0]), sp.Mul(*parts[1]), sp.Mul(*parts[2])))
    return found


def _fewest(products: list[tuple[Any, Any, Any]]) -> list[tuple[Any, Any, Any]]:
    """Put outer products with the same right or the same left side together."""
    for side in (2, 1):
        grouped: dict[Any, list[tuple[Any, Any, Any]]] = {}
        for product in products:
            grouped.setdefault(product[side], []).append(product)
        products = []
        for same, group in grouped.items():
            other = 3 - side
            if len({product[other] for product in group}) == 1:
                coefficient, mixed = sp.Add(*(product[0] for product in group)), group[0][other]
            else:
                coefficient = sp.Integer(1)
                mixed = sp.Add(*(product[0] * product[other] for product in group))
            if coefficient != 0 and mixed != 0:
                left, right = (mixed, same) if side == 2 else (same, mixed)
                products.append((coefficient, left, right))
    return products
