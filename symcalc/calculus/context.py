"""Context: the definitions that a rule may rely on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symcalc.calculus.equations import Equation
from symcalc.notation.reductions import Reduction
from symcalc.notation.scans import Recurrence
from symcalc.notation.tensors import Access, Tensor


class Context:
    """The equations of the value, and the adjoints found so far; both grow as a pass goes on.

    A network of a hundred layers has a thousand definitions, and a rewrite is about three of them:
    whatever is asked for here is looked up by tensor, so that a derivation stays linear in depth.

    Args:
        equations: those of the value, each standing on those before it.
        adjoints: those that the value's equations do not need.
    """

    def __init__(
        self, equations: Iterable[Equation] = (), adjoints: Iterable[Equation] = ()
    ) -> None:
        self.equations: list[Equation] = list(equations)
        self._known = {equation.target: equation for equation in self.equations}
        self._adjoints = {equation.target: equation for equation in adjoints}
        self._explaining: dict[Tensor, list[Equation]] = {}
        for equation in self.equations[:-1]:  # the value explains nothing but itself
            self._note(equation)

    def insert_after(self, tensor: Tensor, equation: Equation) -> None:
        """Put an equation right behind that of a tensor."""
        place = next(p for p, e in enumerate(self.equations) if e.target == tensor)
        self.equations.insert(place + 1, equation)
        self._known[equation.target] = equation
        self._note(equation)

    def add_adjoint(self, equation: Equation) -> None:
        """Add the definition of an adjoint."""
        self._adjoints[equation.target] = equation

    def definition(self, tensor: Tensor) -> Equation | None:
        """Return the equation of a tensor of the value, if it has one."""
        return self._known.get(tensor)

    def explaining(self, expression: Any) -> list[Equation]:
        """Return the elementwise definitions that read something an expression reads.

        Those, and no others, may stand in it written out. They come in order of definition.
        """
        found = {
            e.target: e for t in _tensors((expression,)) for e in self._explaining.get(t, ())
        }  # fmt: skip
        if len(found) < 2:
            return list(found.values())
        return [equation for equation in self.equations if equation.target in found]

    def near(self, *expressions: Any) -> tuple[Equation, ...]:
        """Return the definitions of the very tensors that some expressions read.

        What holds for any values of the tensors that stand behind those holds for theirs. Places
        are no values: of tensors of whole numbers everything is told.
        """
        found: dict[Tensor, Equation] = {}
        waiting = _tensors(expressions)
        while waiting:
            tensor = waiting.pop()
            equation = self._any(tensor)
            if equation is not None and tensor not in found:
                found[tensor] = equation
                waiting += [t for t in _tensors((equation.body,)) if t.domain.integer]
        return tuple(found.values())

    def behind(self, *expressions: Any) -> tuple[Equation, ...]:
        """Return every definition that some expressions stand on, each after those it needs."""
        done: dict[Tensor, Equation] = {}
        waiting = [(tensor, False) for tensor in _tensors(expressions)]
        while waiting:
            tensor, ready = waiting.pop()
            equation = self._any(tensor)
            if equation is None or tensor in done:
                continue
            if ready:
                done[tensor] = equation
            else:
                waiting.append((tensor, True))
                waiting += [(needed, False) for needed in _tensors((equation.body,))]
        return tuple(done.values())

    def _any(self, tensor: Tensor) -> Equation | None:
        return self._known.get(tensor) or self._adjoints.get(tensor)

    def _note(self, equation: Equation) -> None:
        """Remember an elementwise definition by the tensors that it reads."""
        if (
            not isinstance(equation.body, (Reduction, Recurrence))
            and not equation.target.domain.integer
        ):
            for tensor in _tensors((equation.body,)):
                self._explaining.setdefault(tensor, []).append(equation)


def _tensors(expressions: Iterable[Any]) -> list[Tensor]:
    """The tensors that expressions read, in a fixed order."""
    return sorted({a.tensor for e in expressions for a in e.atoms(Access)}, key=str)
