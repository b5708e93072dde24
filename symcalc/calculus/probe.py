"""Probing: do two formulas agree at random points, in ball arithmetic?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import sympy as sp

from symcalc.calculus.balls import (
    Entries,
    Environment,
    UndecidedError,
    ball,
    evaluate,
    truth,
    whole,
)
from symcalc.calculus.equations import Equation
from symcalc.notation.conditions import Where
from symcalc.notation.dims import Dim, Index
from symcalc.notation.expectations import Variable
from symcalc.notation.reductions import Reduction
from symcalc.notation.tensors import Access, Tensor

PRECISION = 200
_EXTENTS = (3, 2, 5, 7, 11)  # a formula speaks of 2 more often than of 3, so no lone extent is 2
_MOST_PLACES = 32
_MORE_POINTS = 6  # to see both sides of a condition
_SHOWN = 6  # entries of an array in a message
LEAST = 2  # values of an index whose range is narrowed
_ENLARGEMENTS = 20


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
    _enlarge(bodies, tensors, env)
    symbols = {s for e in bodies for s in e.atoms(sp.Symbol)} - set(dims) - set(tensors)
    for symbol in sorted(symbols, key=str):
        free = isinstance(symbol, Variable) or not symbol.is_Dummy
        if free and not isinstance(symbol, (Index, Tensor)):
            env[symbol] = _dyadic(0.0 if symbol.is_nonnegative else -2.0, 1.0, rng)
    defined = {equation.target for equation in definitions}
    for tensor in tensors:
        if tensor not in defined:
            env[tensor] = sample(tensor, env, rng)
    for equation in definitions:
        env[equation.target] = Defined(equation.indices, equation.body, env)
    return env


def _enlarge(bodies: list[Any], tensors: list[Tensor], env: Environment) -> None:
    """Let no range be empty: an extent such as n - m + 1 gets a larger n."""
    extents = {e for t in tensors for e in t.shape}
    extents |= {i.extent for e in bodies for i in e.atoms(Index)}
    compound = sorted((e for e in extents if len(e.args) > 0), key=str)
    for _ in range(_ENLARGEMENTS):
        short = [e for e in compound if whole(e, env) < LEAST]
        if not short:
            return
        for extent in short:
            for dim in sorted(extent.free_symbols, key=str):
                if whole(extent, {**env, dim: env[dim] + 2}) > whole(extent, env):
                    env[dim] += 1


class Defined(dict[tuple[int, ...], Any]):
    """A defined tensor, its entries evaluated when they are asked for.

    Those that no taken branch asks for may be undefined.
    """

    def __init__(self, indices: tuple[Index, ...], body: Any, env: Environment) -> None:
        super().__init__()
        self.indices = indices
        self.body = body
        self.env = env

    def __missing__(self, places: tuple[int, ...]) -> Any:
        at = dict(zip(self.indices, places, strict=True))
        self[places] = evaluate(self.body, {**self.env, **at})
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
    return disagreement(before, after, indices, definitions, seed, tries) is None


def disagreement(
    before: Any,
    after: Any,
    indices: tuple[Index, ...],
    definitions: tuple[Equation, ...],
    seed: int,
    tries: int,
) -> str | None:
    """Look for a point at which two formulas differ.

    More points are drawn, up to a few, until each comparison of real numbers has been seen to hold
    and to fail.

    Args:
        before: one formula.
        after: the other.
        indices: their free indices.
        definitions: of what they read that is no input.
        seed: of the random points.
        tries: how many points to try at least.

    Returns:
        The point and the two values there, in words; None where they agree.
    """
    import flint

    rng = random.Random(seed)
    unseen = {(when, side) for when in _comparisons(before, after) for side in (True, False)}
    precision, flint.ctx.prec = flint.ctx.prec, PRECISION
    try:
        for number in range(tries + _MORE_POINTS):
            if number >= tries and not unseen:
                break
            for _attempt in range(50):
                try:
                    env = environment([before, after], indices, definitions, rng)
                    found = _difference(before, after, indices, env)
                    if found is not None:
                        return found
                    unseen -= _seen(unseen, env)
                    break
                except UndecidedError:
                    continue
            else:
                return "no point was found at which both can be told"
        return None
    finally:
        flint.ctx.prec = precision


def _comparisons(*expressions: Any) -> list[Any]:
    """The comparisons of real numbers that choices hang on; two of them are seldom equal."""
    found = {
        relation
        for expression in expressions
        for choice in expression.atoms(Where)
        for relation in choice.args[0].atoms(sp.Lt, sp.Le, sp.Gt, sp.Ge)
    }
    return [r for r in found if not (r.lhs.is_integer and r.rhs.is_integer)]


def _seen(unseen: set[tuple[Any, bool]], env: Environment) -> set[tuple[Any, bool]]:
    """The sides of comparisons that some value of their indices takes at a point."""
    found: set[tuple[Any, bool]] = set()
    for when in {when for when, _ in unseen}:
        letters = tuple(s for s in when.free_symbols if isinstance(s, Index))
        if any(isinstance(part, Reduction) for part in sp.preorder_traversal(when)):
            letters = tuple(s for s in letters if s not in env)
        for _, at in points(letters, env):
            try:
                found.add((when, truth(when, {**env, **at})))
            except (UndecidedError, KeyError, IndexError):
                continue
    return found


def _difference(
    before: Any, after: Any, indices: tuple[Index, ...], env: Environment
) -> str | None:
    """Compare wherever one side has a value; somewhere both must."""
    met = False
    everywhere = list(points(indices, env))
    stride = max(-(-len(everywhere) // _MOST_PLACES), 1)  # of very many, some from end to end
    for places, at in {**dict(everywhere[::stride]), **dict(everywhere[-1:])}.items():
        a, b = (evaluate(side, {**env, **at}) for side in (before, after))
        a, b = (ball(s) if isinstance(s, int) else s for s in (a, b))
        if not a.is_finite() and not b.is_finite():
            continue
        met = True
        if not a.overlaps(b) or not a.is_finite() or not b.is_finite():
            letters = {index.name: place for index, place in zip(indices, places, strict=True)}
            return f"{_words(letters, env)}: {_number(a)} and {_number(b)}"
    if not met and all(whole(index.extent, env) > 0 for index in indices):
        raise UndecidedError("neither side has a value here")
    return None


def _words(letters: dict[str, int], env: Environment) -> str:
    """Write a point: extents, indices, hyperparameters and inputs, a long array cut short."""
    parts = {str(key): str(value) for key, value in env.items() if isinstance(key, Dim)}
    parts |= {name: str(place) for name, place in letters.items()}
    for key, value in env.items():
        if isinstance(key, Tensor) and not isinstance(value, Defined):
            shown = [_number(entry) for entry in list(value.values())[:_SHOWN]]
            more = ", ..." if len(value) > _SHOWN else ""
            parts[key.name] = shown[0] if () in value else f"[{', '.join(shown)}{more}]"
        elif isinstance(key, sp.Symbol) and not isinstance(key, (Dim, Index, Tensor)):
            parts[key.name] = _number(value)
    if not parts:
        return "everywhere"
    return "at " + ", ".join(f"{name} = {shown}" for name, shown in parts.items())


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{float(value.mid()):.12g}"
