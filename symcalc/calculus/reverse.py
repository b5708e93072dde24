"""Reverse mode: the one structural rule, applied from the value back to the inputs.

For `S[s] = reduce_r(body)` and each distinct access `a = T[e(s,r)]` in the body,
`Tbar[p] += sum_{s,r} Sbar[s] * d(reduce body)/d(a) * [e(s,r) = p]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from symcalc.calculus.context import Context
from symcalc.calculus.contract import Deltas, contracted, expanded
from symcalc.calculus.equations import Equation, Namer
from symcalc.calculus.partial import Partial
from symcalc.calculus.recurrences import local_formula, run_backwards, written_out
from symcalc.calculus.simplify import simplified
from symcalc.calculus.slopes import Slopes, active, partial
from symcalc.calculus.steps import Step
from symcalc.notation.dims import Index, unused
from symcalc.notation.errors import DerivationError
from symcalc.notation.reductions import (
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm2,
    Prod,
    Sum,
)
from symcalc.notation.scans import Recurrence, ReverseScan, Scan
from symcalc.notation.tensors import Access, Tensor, accesses


@dataclass(frozen=True)
class Adjoint:
    """The adjoint of one tensor: `target[indices] = body`, reductions still inside."""

    of: Tensor
    target: Tensor
    indices: tuple[Index, ...]
    body: Any


@dataclass(frozen=True)
class Reversed:
    """What a reverse pass found.

    Args:
        equations: those of the value, with the helpers (softmax, argmax) that the pass needed.
        adjoints: in the order they were found, the output's first; zero ones are left out.
        steps: what was done.
    """

    equations: tuple[Equation, ...]
    adjoints: tuple[Adjoint, ...]
    steps: tuple[Step, ...]


class ReversePass:
    """One sweep from the output's equation back to the inputs."""

    def __init__(self, equations: list[Equation], wrt: tuple[str, ...], namer: Namer) -> None:
        self.context = Context(equations)
        self.slopes = Slopes(self.context, namer)
        self.equations = self.context.equations
        self.wrt = wrt
        self.namer = namer
        self.active = active(equations, set(wrt))
        self.contributions: dict[Tensor, list[Any]] = {}
        self.at: dict[Tensor, tuple[Index, ...]] = {}
        self.adjoints: list[Adjoint] = []
        self.steps: list[Step] = []

    def run(self, seed: Any) -> Reversed:
        """Run the pass from the cotangent `seed`, a function of the output's indices."""
        output = self.equations[-1]
        if output.target not in self.active:
            raise DerivationError(
                f"derive: {output.target} does not depend on {', '.join(self.wrt)}"
            )
        self.at[output.target] = output.indices
        self.contributions[output.target] = [seed]
        for equation in reversed(list(self.equations)):
            if equation.target in self.active:
                self._pull_back(equation)
        inputs = {a.tensor for e in self.equations for a in e.inner.atoms(Access)}
        for name in self.wrt:
            for tensor in inputs:
                if tensor.name == name:
                    self._close(tensor)
        return Reversed(tuple(self.equations), tuple(self.adjoints), tuple(self.steps))

    def _close(self, tensor: Tensor) -> Any:
        """Sum up what has come in for a tensor; return its adjoint as a function of its places."""
        parts = self.contributions.get(tensor, [])
        if not parts:
            return None
        indices = self.at[tensor]
        target = Tensor(self.namer.name(f"{tensor.name}_bar"), tensor.shape)
        total = sp.Add(*parts)
        body, steps = simplified(total, target, indices, self.context)
        self.steps.extend(steps)
        equation = self.context.definition(tensor)
        if equation is not None and equation.recurrence is not None and body != 0:
            body = self._run_backwards(equation, target, body)
        self.adjoints.append(Adjoint(tensor, target, indices, body))
        self.context.add_adjoint(Equation(target, indices, body))
        return body

    def _run_backwards(self, equation: Equation, target: Tensor, cotangent: Any) -> Recurrence:
        """Let what comes in for a recurrence's entries run through those before them."""
        indices = self.at[equation.target]
        recurrence = equation.at(indices)
        before = written_out(recurrence, recurrence.place, cotangent)
        after = run_backwards(recurrence, recurrence.place, cotangent)
        self.steps.append(
            Step(
                "adjoint of a recurrence is the recurrence run backwards", target, indices,
                before, after, (), self.context.near(before, after),
            )
        )  # fmt: skip
        return after

    def _pull_back(self, equation: Equation) -> None:
        """Apply the rule to every active access of one equation."""
        body = self._close(equation.target)
        if body is None or body == 0:
            return
        mine = self.adjoints[-1]
        short = isinstance(body, Access) or not body.has(Access, Recurrence)
        if short:  # too short to deserve a name
            self.adjoints.pop()
            cotangent = body.xreplace(dict(zip(mine.indices, equation.indices, strict=True)))
        else:
            cotangent = Access(mine.target, *equation.indices)
        formula = local_formula(equation)
        for access in accesses(formula):
            wanted = access.tensor in self.active or access.tensor.name in self.wrt
            if wanted and access.tensor != equation.target:
                self._contribute(equation, formula, access, cotangent)

    def _contribute(self, equation: Equation, formula: Any, access: Access, cotangent: Any) -> None:
        reduction = equation.reduction
        bound = () if reduction is None else (reduction.index,)
        deltas = Deltas(access, self._places(access))
        local = self.slopes.of_reduction(equation)
        slope = partial(formula, access)
        summed = (*equation.indices, *bound)
        stated = cotangent * self.slopes.stated(equation) * Partial(formula, access)
        before = expanded(stated, deltas, summed)
        raw = contracted(cotangent * local * slope, deltas, summed)
        name = f"{access.tensor.name}_bar"
        target = Tensor(self.namer.called.get(name, name), access.tensor.shape)
        definitions = self.context.near(before, raw, equation.left)
        self.steps.append(
            Step(
                _RULES.get(type(equation.body), "chain rule"), target, deltas.at, before, raw,
                (f"through {equation.target.name}",), definitions,
            )
        )  # fmt: skip
        term, steps = simplified(raw, target, deltas.at, self.context)
        self.steps.extend(steps)
        if term != 0:
            self.contributions.setdefault(access.tensor, []).append(term)

    def _places(self, access: Access) -> tuple[Index, ...]:
        """The free indices of a tensor's adjoint, lettered like its first plain access."""
        if access.tensor not in self.at:
            taken: set[str] = set()
            made = []
            for axis, (place, extent) in enumerate(
                zip(access.places, access.tensor.shape, strict=True)
            ):
                own = _letter(place, extent)
                name = unused(own or self._usual(access.tensor, axis), taken)
                taken.add(name)
                made.append(Index(name, extent))
            self.at[access.tensor] = tuple(made)
        return self.at[access.tensor]

    def _usual(self, tensor: Tensor, axis: int) -> str:
        """The letter some other access uses on this axis, else a spare one."""
        for equation in self.equations:
            for access in accesses(equation.inner):
                place = access.places[axis] if access.tensor == tensor else None
                if isinstance(place, Index):
                    return str(place.name)
        return "k"


def _letter(place: Any, extent: Any) -> str:
    """The letter of an index in a place, of one that runs over the axis if there is one."""
    if isinstance(place, Access):
        return ""
    sizes = extent.free_symbols
    own = [(not index.extent.free_symbols & sizes, str(index.name))
           for index in place.free_symbols if isinstance(index, Index)]  # fmt: skip
    return min(own, default=(False, ""))[1]


_RULES: dict[Any, str] = {
    Sum: "derivative of a sum", Mean: "derivative of a mean",
    LogSumExp: "derivative of logsumexp is softmax",
    Max: "derivative of max goes to the first place that attains it",
    Min: "derivative of min goes to the first place that attains it",
    Norm2: "derivative of the norm, 0 at 0", Prod: "derivative of a product",
    Scan: "derivative of a recurrence", ReverseScan: "derivative of a recurrence",
}  # fmt: skip
