"""Decomposition: means, logsumexp and norms as sums, maxima and scalar statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symcalc.calculus.equations import Equation, Namer
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Index
from symcalc.notation.reductions import ArgMax, ArgMin, LogSumExp, Max, Mean, Min, Norm2, Sum
from symcalc.notation.tensors import Access, Tensor, accesses
from symcalc.program.primitives import FinitePart

# Functions dear enough that a value used in several loops is stored and not computed again.
DEAR = (sp.exp, sp.log, sp.Pow)


@dataclass
class _Parts:
    """What a logsumexp was taken apart into."""

    equation: Equation
    shift: Tensor
    exponential: Tensor
    share: Tensor  # one over the sum of exponentials


@dataclass
class Decomposer:
    """Takes equations apart, one after another."""

    namer: Namer
    out: list[Equation] = field(default_factory=list)
    parts: dict[Tensor, _Parts] = field(default_factory=dict)

    def run(self, equations: tuple[Equation, ...]) -> list[Equation]:
        """Return equations whose only reductions are sums, products and extremes."""
        for equation in equations:
            body = self._with_exponentials(equation.body)
            self._take(Equation(equation.target, equation.indices, body))
        return self.out

    def _take(self, equation: Equation) -> None:
        body, indices, name = equation.body, equation.indices, equation.target.name
        if isinstance(body, Mean):
            total = self._define(f"{name}_sum", indices, Sum(*body.args))
            self.out.append(Equation(equation.target, indices, total[indices] / body.index.extent))
        elif isinstance(body, Norm2):
            total = self._define(f"{name}_sum", indices, Sum(body.body**2, body.index))
            self.out.append(Equation(equation.target, indices, sp.sqrt(total[indices])))
        elif isinstance(body, LogSumExp):
            self._logsumexp(equation)
        elif isinstance(body, (ArgMax, ArgMin)):
            self._place(equation)
        else:
            self.out.append(equation)

    def _define(self, name: str, indices: tuple[Index, ...], body: Any) -> Tensor:
        target = Tensor(self.namer.name(name), tuple(i.extent for i in indices))
        self.out.append(Equation(target, indices, body))
        return target

    def _place(self, equation: Equation) -> None:
        """The first place of an extreme: the least r at which body(r) is the extreme itself."""
        body, indices = equation.body, equation.indices
        kind = Max if isinstance(body, ArgMax) else Min
        name = f"{equation.target.name}_{kind.spelling}"
        extreme = self._define(name, indices, kind(*body.args))
        least = Where(sp.Eq(body.body, extreme[indices]), body.index, body.index.extent)
        self.out.append(Equation(equation.target, indices, Min(least, body.index)))

    def _logsumexp(self, equation: Equation) -> None:
        """L = shift + log(sum exp(body - shift)), the shift being the maximum where it is finite."""
        body, indices, name = equation.body, equation.indices, equation.target.name
        top = self._define(f"{name}_top", indices, Max(*body.args))
        shift = self._define(f"{name}_shift", indices, FinitePart(top[indices]))
        bound = body.index.fresh()
        inner = body.body.xreplace({body.index: bound})
        both = (*indices, bound)
        exponential = self._define(f"{name}_exp", both, sp.exp(inner - shift[indices]))
        total = self._define(
            f"{name}_total", indices, Sum(exponential[(*indices, body.index)], body.index)
        )
        share = self._define(f"{name}_share", indices, 1 / total[indices])
        self.out.append(Equation(equation.target, indices, shift[indices] + sp.log(total[indices])))
        self.parts[equation.target] = _Parts(equation, shift, exponential, share)

    def _with_exponentials(self, body: Any) -> Any:
        """Write exp(e - L) by the stored exponentials, or at least by the shift."""
        found = {}
        for node in body.atoms(sp.exp):
            for access in accesses(node.args[0]):
                parts = self.parts.get(access.tensor)
                if parts is not None and node.args[0].coeff(access) == -1:
                    found[node] = self._exponential(node.args[0] + access, access, parts)
                    break
        return body.xreplace(found)

    def _exponential(self, rest: Any, access: Access, parts: _Parts) -> Any:
        """exp(rest - L): the softmax entry itself if `rest` is what L sums over."""
        share = parts.share[access.places]
        summed = parts.equation.body
        at = dict(zip(parts.equation.indices, access.places, strict=True))
        pattern = summed.body.xreplace(at)
        for theirs in accesses(rest):
            for ours in accesses(pattern):
                if ours.tensor == theirs.tensor and summed.index in ours.places:
                    place = theirs.places[ours.places.index(summed.index)]
                    if pattern.xreplace({summed.index: place}) == rest:
                        return parts.exponential[(*access.places, place)] * share
        return sp.exp(rest - parts.shift[access.places]) * share


def inlined(equations: list[Equation], outputs: set[Tensor]) -> list[Equation]:
    """Write cheap elementwise definitions into what uses them, and drop what nothing uses.

    A definition of rank two or more that costs a few additions and products is cheaper to compute
    again than to store.
    """
    bodies: dict[Tensor, Equation] = {}
    kept: list[Equation] = []
    for equation in equations:
        places = {}
        for access in equation.body.atoms(Access):
            if access.tensor in bodies:
                places[access] = bodies[access.tensor].at(access.places)
        body = equation.body.xreplace(places) if places else equation.body
        equation = Equation(equation.target, equation.indices, body)
        if _is_cheap(equation) and equation.target not in outputs:
            bodies[equation.target] = equation
        else:
            kept.append(equation)
    return _alive(kept, outputs)


def _is_cheap(equation: Equation) -> bool:
    return (
        equation.reduction is None
        and len(equation.indices) >= 2
        and not any(isinstance(node, DEAR) for node in sp.preorder_traversal(equation.body))
    )


def _alive(equations: list[Equation], outputs: set[Tensor]) -> list[Equation]:
    needed = set(outputs)
    alive = []
    for equation in reversed(equations):
        if equation.target in needed:
            alive.append(equation)
            needed |= {access.tensor for access in equation.body.atoms(Access)}
    return alive[::-1]
