"""The functions of the notation in JAX, by their definitions, and the reductions along an axis.

They are so written that JAX's derivatives keep their digits. The conventions at kinks are those
that symcalc states (sign(0) = 0, relu'(0) = 0, a tie goes to the first, norm2'(0) = 0): kinks are
written with `where`, whose derivative is the side taken.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

from symcalc.notation import reductions


def _expm1x(x: Any) -> Any:
    inner = jnp.where(jnp.abs(x) < 1, x, 0.0)
    series, term = jnp.zeros_like(inner), inner
    for k in range(2, 21):
        term = term * inner / k
        series = series + term
    return jnp.where(jnp.abs(x) < 1, series, jnp.exp(x) - 1 - x)


def _tail(x: Any) -> tuple[Any, Any]:
    """Whether x is on the right, and exp(-|x|); smooth on either side, equal at 0."""
    right = x >= 0
    return right, jnp.exp(jnp.where(right, -x, x))


def _tanh(x: Any) -> Any:
    """In the tails by exponentials: JAX's derivative, 1 - tanh(x)**2, cancels there."""
    near = jnp.abs(x) < 1
    inner, outer = jnp.where(near, x, 0.0), jnp.where(near, 1.0, x)
    right, tail = _tail(outer)
    size = (1 - tail**2) / (1 + tail**2)
    return jnp.where(near, jnp.tanh(inner), jnp.where(right, size, -size))


def _expm1(x: Any) -> Any:
    """JAX's derivative, expm1(x) + 1, cancels on the left."""
    near = jnp.abs(x) < 1
    inner, outer = jnp.where(near, x, 0.0), jnp.where(near, 1.0, x)
    return jnp.where(near, jnp.expm1(inner), jnp.exp(outer) - 1)


def _log1mexp(x: Any) -> Any:
    near = x < 1
    inner, outer = jnp.where(near, x, 1.0), jnp.where(near, 1.0, x)
    return jnp.where(near, jnp.log(-jnp.expm1(-inner)), jnp.log1p(-jnp.exp(-outer)))


def _sech(x: Any) -> Any:
    _, tail = _tail(x)
    return 2 * tail / (1 + tail**2)


def _sigmoid(x: Any) -> Any:
    right, tail = _tail(x)
    return jnp.where(right, 1.0, tail) / (1 + tail)


def _log_cosh(x: Any) -> Any:
    near = jnp.abs(x) < 1
    inner = jnp.where(near, x, 0.0)
    right, tail = _tail(x)
    outer = jnp.where(right, x, -x) + jnp.log1p(tail**2) - jnp.log(2.0)
    return jnp.where(near, jnp.log1p(2 * jnp.sinh(inner / 2) ** 2), outer)


# Those that are defined everywhere.
ATOMS: dict[str, Any] = {
    "expm1": _expm1,
    "expm1x": _expm1x,
    "tanh": _tanh,
    "sech": _sech,
    "sigmoid": _sigmoid,
    "softplus": lambda x: jnp.logaddexp(x, 0.0),
    "log_sigmoid": lambda x: -jnp.logaddexp(-x, 0.0),
    "log_cosh": _log_cosh,
    "weighted": operator.mul,
    "erf": special.erf,
    "erfc": special.erfc,
    "stop_gradient": jax.lax.stop_gradient,
}
# Those that are not defined everywhere; at 1 all of them are.
PARTIAL: dict[str, Any] = {
    "exp": jnp.exp,  # defined, but it overflows
    "log": jnp.log,
    "log1p": jnp.log1p,
    "xlogy": lambda x, y: jnp.where(x == 0, 0.0, x * jnp.log(y)),
    "log_ratio": lambda x, y: jnp.log1p((x - y) / y),
    "kl_div": lambda x, y: x * jnp.log1p((x - y) / y) - x + y,
    "log1mexp": _log1mexp,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "trigamma": lambda x: special.polygamma(1, x),
}
# Those with a kink: which side a point is on, and what is taken there.
KINKED: dict[str, tuple[Any, Any]] = {
    "abs": (jnp.sign, lambda side, x: side * x),
    "sign": (jnp.sign, lambda side, x: side),
    "relu": (lambda x: x > 0, lambda side, x: jnp.where(side, x, 0.0)),
    "maximum": (operator.ge, jnp.where),
    "minimum": (operator.le, jnp.where),
    "clip": (
        lambda x, low, high: 1 * (x >= low) + (x > high),
        lambda side, x, low, high: jnp.where(side == 0, low, jnp.where(side == 1, x, high)),
    ),
}
RELATIONS: dict[str, Any] = {
    "Equality": operator.eq, "Unequality": operator.ne, "LessThan": operator.le,
    "GreaterThan": operator.ge, "StrictLessThan": operator.lt, "StrictGreaterThan": operator.gt,
    "And": lambda *c: functools.reduce(jnp.logical_and, c),
    "Or": lambda *c: functools.reduce(jnp.logical_or, c),
    "Not": jnp.logical_not,
}  # fmt: skip


def _prod(values: Any) -> Any:
    return functools.reduce(operator.mul, jnp.moveaxis(values, -1, 0), jnp.ones(values.shape[:-1]))


def _norm2(values: Any, blur: Any) -> Any:
    total = blur(jnp.sum(values**2, axis=-1))
    return jnp.where(total > 0, jnp.sqrt(jnp.where(total > 0, total, 1.0)), 0.0)


def _logsumexp(values: Any, blur: Any) -> Any:
    top = jax.lax.stop_gradient(jnp.max(values, axis=-1, keepdims=True))
    return jnp.log(blur(jnp.sum(blur(jnp.exp(values - top)), axis=-1))) + top[..., 0]


# The reductions, along the last axis; `blur` makes the errors on purpose.
REDUCTIONS: dict[type, Any] = {
    reductions.Sum: lambda v, blur: jnp.sum(v, axis=-1),
    reductions.Mean: lambda v, blur: jnp.sum(v, axis=-1) / v.shape[-1],
    reductions.Prod: lambda v, blur: _prod(v),
    reductions.LogSumExp: _logsumexp,
    reductions.Norm2: _norm2,
}


EXTREMES: dict[type, Any] = {
    reductions.Max: jnp.argmax, reductions.Min: jnp.argmin,
    reductions.ArgMax: jnp.argmax, reductions.ArgMin: jnp.argmin,
}  # fmt: skip
PLACES = (reductions.ArgMax, reductions.ArgMin)
