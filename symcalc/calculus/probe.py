"""Probing: do two formulas agree at random points, in ball arithmetic?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import sympy as sp

from symcalc.calculus.balls import Entries, Environment, UndecidedError, ball, evaluate, whole
from symcalc.calculus.equations import Equation
from symcalc.notation.dims import Dim, Index
from symcalc.notation.tensors import Access, Tensor

PRECISION = 200
_EXTENTS = (2, 3, 5, 7, 11)


def sample(tensor: Tensor, env: Environment, rng: random.Random) -> Entries:
    """Draw an entry for every place of a tensor from its domain, dyadic so that balls are exact."""
    shape = tuple(whole(extent, env) for extent in tensor.shape)
    domain = tensor.domain
    entries: Entries = {}
    for places in itertools.product(*(range(size) for size in shape)):
        if domain.below is not None:
            entries[places] = rng.randrange(whole(domain.below, env))
        elif domain.values:
            entries[places] = ball(int(rng.choice(domain.values)))
        else:
            entries[places] = _dyadic(domain.lower, domain.upper, rng)
    return entries


def _dyadic(lower: float, upper: float, rng: random.Random) -> Any:
    low = lower if lower > -1e9 else -2.0
    high = upper if upper < 1e9 else max(low, 0.0) + 2.0
    return ball(low) + ball(rng.randrange(1, 4096)) * (ball(high) - ball(low)) / 4096


def environment(
    expressions: list[Any],
    indices: tuple[Index, ...],
    definitions: tuple[Equation, ...],
    rng: random.Random,
) -> Environment:
    """Draw extents and inputs for everything the expressions mention, then evaluate definitions."""
    bodies = [*expressions, *(equation.body for equation in definitions)]
    tensors = sorted({a.tensor for e in bodies for a in e.atoms(Access)}, key=lambda t: t.name)
    dims = {s for e in bodies for s in e.atoms(Dim)}
    dims |= {s for t in tensors for e in t.shape for s in e.free_symbols}
    dims |= {t.domain.below for t in tensors if t.domain.below is not None}
    letters = {i for e in bodies for i in e.atoms(Index)}.union(indices)
    dims |= {s for i in letters for s in i.extent.free_symbols}
    env: Environment = dict(zip(sorted(dims, key=str), itertools.cycle(_EXTENTS), strict=False))
    for access in {a for e in bodies for a in e.atoms(Access)}:
        for place, extent in zip(access.places, access.tensor.shape, strict=True):
            if place.is_Integer and extent in env:  # a fixed place must exist
                env[extent] = max(env[extent], int(place) + 1)
    symbols = {s for e in bodies for s in e.atoms(sp.Symbol)} - set(dims) - set(tensors)
    for symbol in sorted(symbols, key=str):
        if not isinstance(symbol, (Index, Tensor)) and not symbol.is_Dummy:
            env[symbol] = _dyadic(0.0 if symbol.is_nonnegative else -2.0, 1.0, rng)
    defined = {equation.target for equation in definitions}
    for tensor in tensors:
        if tensor not in defined:
            env[tensor] = sample(tensor, env, rng)
    for equation in definitions:
        env[equation.target] = _Defined(equation, env)
    return env


class _Defined(dict[tuple[int, ...], Any]):
    """A defined tensor, its entries evaluated when they are asked for.

    Those that no taken branch asks for may be undefined.
    """

    def __init__(self, equation: Equation, env: Environment) -> None:
        super().__init__()
        self.equation = equation
        self.env = env

    def __missing__(self, places: tuple[int, ...]) -> Any:
        at = dict(zip(self.equation.indices, places, strict=True))
        self[places] = evaluate(self.equation.body, {**self.env, **at})
        return self[places]


def points(
    indices: tuple[Index, ...], env: Environment
) -> Iterator[tuple[tuple[int, ...], Environment]]:
    """Run through all values of the indices."""
    sizes = [range(whole(index.extent, env)) for index in indices]
    for places in itertools.product(*sizes):
        yield places, dict(zip(indices, places, strict=True))


def probe(
    before: Any,
    after: Any,
    indices: tuple[Index, ...],
    definitions: tuple[Equation, ...],
    seed: int,
    tries: int,
) -> bool:
    """Whether two formulas agree at random points: their balls overlap everywhere."""
    import flint

    rng = random.Random(seed)
    precision, flint.ctx.prec = flint.ctx.prec, PRECISION
    try:
        for _ in range(tries):
            for _attempt in range(50):
                try:
                    env = environment([before, after], indices, definitions, rng)
                    if not _agree(before, after, indices, env):
                        return False
                    break
                except UndecidedError:
                    continue
            else:
                return False
        return True
    finally:
        flint.ctx.prec = precision


def _agree(before: Any, after: Any, indices: tuple[Index, ...], env: Environment) -> bool:
    for _, at in points(indices, env):
        a, b = (evaluate(side, {**env, **at}) for side in (before, after))
        a, b = (ball(s) if isinstance(s, int) else s for s in (a, b))
        if not a.is_finite() and not b.is_finite():
            raise UndecidedError("neither side has a value here")
        if not a.overlaps(b) or not a.is_finite() or not b.is_finite():
            return False
    return True
