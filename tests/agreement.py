"""How a kernel is held against JAX: value, gradient, jvp and hvp at one point."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases import Case
from jax_witness import Reading

RELATIVE = 1e-9


NOISE = 1e-7


def expected(case: Case, **options: Any) -> dict[str, Any]:
    """What JAX finds, by mode.

    Args:
        case: the objective and the point.
        options: of the reading.
    """
    reading = Reading(case, **options)
    still, at = halves(case)
    along = directions(case)

    def value(moving: dict[str, Any]) -> Any:
        return reading({**still, **moving})

    def total(moving: dict[str, Any], weights: Any) -> Any:
        return jnp.sum(weights * value(moving))

    def everything(at: dict[str, Any], along: dict[str, Any], weights: Any) -> dict[str, Any]:
        slope = jax.grad(total)
        found, tangent = jax.jvp(value, (at,), (along,))
        gradient, product = jax.jvp(lambda moving: slope(moving, weights), (at,), (along,))
        return {"value": found, "jvp": tangent, "grad": gradient, "hvp": product}

    shape = jax.eval_shape(value, at).shape
    return jax.jit(everything)(at, along, cotangent(case, shape))


def halves(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs that stand still, and those that move."""
    wrt = case.objective.wrt
    still = {t.name: jnp.asarray(case.arrays[t.name]) for t in case.objective.inputs}
    moving = {name: jnp.asarray(still.pop(name), float) for name in wrt}
    return still, moving


def decisions(case: Case, noise: float = 0.0, seed: int = 0) -> list[Any]:
    """Which side of every kink the point is on."""
    reading = Reading(case, noise, seed)
    still, moving = halves(case)
    reading({**still, **moving})
    return reading.decisions


def scales(case: Case, wanted: dict[str, Any]) -> dict[str, Any]:
    """How large the terms are that each result was added up from.

    A result may cancel to nothing; its rounding is relative to what cancelled. Every intermediate
    value and every local derivative is multiplied by 1 + NOISE * xi, and the change of the result
    is divided by NOISE. The sides taken at kinks stay those of the point itself.
    """
    sides = decisions(case)
    noisy = [expected(case, noise=NOISE, seed=seed, decided=sides) for seed in (1, 2, 3)]
    return jax.tree.map(
        lambda exact, *others: float(
            max(np.max(np.abs(other - exact), initial=0) for other in others) / NOISE
        ),
        wanted, *noisy,
    )  # fmt: skip


def on_a_kink(case: Case) -> bool:
    """Whether rounding alone decides which side of a kink the point is on."""
    sides = decisions(case)
    return any(
        not np.array_equal(mine, other)
        for seed in (1, 2, 3)
        for mine, other in zip(sides, decisions(case, 1e-13, seed), strict=True)
    )


def directions(case: Case) -> dict[str, Any]:
    """A direction for each input that moves."""
    return {
        name: case.like(np.shape(case.arrays[name]), salt)
        for salt, name in enumerate(case.objective.wrt)
    }


def cotangent(case: Case, shape: tuple[int, ...]) -> Any:
    """The weights of a layer's outputs; 1 for a number."""
    return case.like(shape, 99) if shape else np.ones(())


def found(case: Case, kernel: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """What a kernel finds, by mode; a layer has no hvp."""
    given = {**case.arrays, **case.parameters}
    along, wrt = directions(case), case.objective.wrt
    value, tangent = kernel.jvp(**given, tangents=along)
    if shape:
        _, gradient = kernel.vjp(**given, cotangent=cotangent(case, shape))
        return {"value": value, "jvp": tangent, "grad": dict(zip(wrt, gradient, strict=True))}
    also, gradient = kernel.value_and_grad(**given)
    product = kernel.hvp(**given, vector=tuple(along[name] for name in wrt))
    return {
        "value": (value + also) / 2,  # other passes may add up in another order
        "jvp": tangent,
        "grad": dict(zip(wrt, gradient, strict=True)),
        "hvp": dict(zip(wrt, product, strict=True)),
    }


def disagreements(case: Case, kernel: Any, wanted: dict[str, Any]) -> list[str]:
    """Say where a kernel and JAX differ by more than 1e-9 of the scale.

    The scale of an array is its greatest entry or, where more than that cancelled, the size of
    what cancelled.
    """
    told = []
    cancelled: dict[str, Any] = {}
    for mode, ours in found(case, kernel, np.shape(wanted["value"])).items():
        for name in ours if isinstance(ours, dict) else (None,):
            mine, other = (np.asarray(each if name is None else each[name])
                           for each in (ours, wanted[mode]))  # fmt: skip
            if mine.shape == other.shape and near(mine, other, np.max(np.abs(other), initial=0)):
                continue
            cancelled = cancelled or scales(case, wanted)
            scale = cancelled[mode] if name is None else cancelled[mode][name]
            if mine.shape != other.shape or not near(mine, other, scale):
                told.append(
                    f"{mode} {name or ''}: {mine.tolist()} instead of {other.tolist()}, "
                    f"terms of size {scale:.3g}"
                )
    return told


def near(mine: Any, other: Any, scale: float) -> bool:
    """Whether every entry agrees to 1e-9 of the scale."""
    return bool(np.all(np.abs(mine - other) <= RELATIVE * scale))
