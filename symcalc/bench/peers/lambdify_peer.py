"""sympy.lambdify: what a SymPy user has without this toolkit.

The loss of one element is a SymPy formula, its derivative is SymPy's own `diff`, both become one
NumPy function by `lambdify` with common subexpressions shared, and the mean is NumPy's.  Formulas
are the textbook's: SymPy has no softplus, so the user writes log(1 + exp(z)).

Row-wise objectives are another matter: the derivative of a sum over a symbolic index is not one
that `lambdify` can print, so the row is unrolled into a symbol a column, which ends where the
expressions no longer compile in reasonable time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symcalc.bench.inputs import Problem
from symcalc.bench.peers import NotOfferedError, Result, Runner, offered

_MOST_COLUMNS = 32


def runner(problem: Problem, variant: str, threads: int) -> Runner:
    """Return the lambdified value and gradient.

    Args:
        problem: objective, arrays and hyperparameters.
        variant: not used.
        threads: not used: NumPy's functions have one.

    Raises:
        NotOfferedError: SymPy and lambdify cannot say the objective, or only with more columns
            unrolled than compile.
    """
    name = problem.objective.name
    if name in _NOT_SAID:
        raise NotOfferedError(_NOT_SAID[name])
    prepare = offered(_TABLE, name, "the lambdify peer")
    return Runner(prepare(problem), lambda found: found)


def _elementwise(formula: Callable[..., Any], scale: str) -> Callable[[Problem], Any]:
    """Return how to prepare the sum of a formula over elements, times a scale.

    Args:
        formula: the loss of one element, of the inputs and hyperparameters by name.
        scale: "1/n" for a mean over the elements, "1/rows" for a sum over columns and a mean over
            rows, "1" for a sum.
    """

    def prepare(problem: Problem) -> Callable[[], Result]:
        symbols = {name: sp.Symbol(name, real=True) for name in problem.arrays}
        symbols |= {name: sp.Symbol(name, positive=True) for name in problem.hyper}
        (by,) = problem.objective.wrt
        loss = formula(**symbols)
        both = sp.lambdify(
            list(symbols.values()), [loss, sp.diff(loss, symbols[by])], "numpy", cse=True
        )
        arguments = (*problem.arrays.values(), *problem.hyper.values())
        x = problem.arrays[by]
        factor = {"1": 1.0, "1/n": 1 / x.size, "1/rows": 1 / len(x)}[scale]

        def run() -> Result:
            each, slope = both(*arguments)
            return each.sum() * factor, (slope * factor,)

        return run

    return prepare


def _unrolled(formula: Callable[..., Any]) -> Callable[[Problem], Any]:
    """Return how to prepare a mean over rows, a symbol a column.

    Args:
        formula: the loss of one row, of the logits, the indicators of the class picked, the
            further inputs, one number each, and the hyperparameters by name.
    """

    def prepare(problem: Problem) -> Callable[[], Result]:
        logits, picked, *further = problem.arrays.values()
        n, columns = logits.shape
        if columns > _MOST_COLUMNS:
            raise NotOfferedError(
                f"a row unrolled into {columns} symbols has {columns} derivatives of {columns} "
                f"terms each; more than {_MOST_COLUMNS} columns are not tried"
            )
        z = sp.symbols(f"z:{columns}", real=True)
        hot = sp.symbols(f"h:{columns}", real=True)
        extra = sp.symbols(f"e:{len(further)}", real=True)
        hyper = {name: sp.Symbol(name, positive=True) for name in problem.hyper}
        loss = formula(z, hot, *extra, **hyper)
        everything = sp.lambdify(
            (*z, *hot, *extra, *hyper.values()), [loss, *(sp.diff(loss, one) for one in z)],
            "numpy", cse=True,
        )  # fmt: skip
        indicators = (picked[:, None] == np.arange(columns)).astype(logits.dtype)
        columnwise = (*np.ascontiguousarray(logits.T), *np.ascontiguousarray(indicators.T))
        arguments = (*columnwise, *further, *problem.hyper.values())

        def run() -> Result:
            each, *slopes = everything(*arguments)
            return each.mean(), (np.stack(slopes, axis=1) / n,)

        return run

    return prepare


def _log_policy(z: Any, hot: Any) -> Any:
    chosen = sp.Add(*(one * indicator for one, indicator in zip(z, hot, strict=True)))
    return chosen - sp.log(sp.Add(*map(sp.exp, z)))


def _ppo_clip(z: Any, hot: Any, old_log_prob: Any, advantage: Any, clip: Any) -> Any:
    ratio = sp.exp(_log_policy(z, hot) - old_log_prob)
    held = sp.Min(sp.Max(ratio, 1 - clip), 1 + clip)
    return -sp.Min(ratio * advantage, held * advantage)


def _huber(prediction: Any, target: Any, delta: Any) -> Any:
    r = sp.Abs(prediction - target)
    return sp.Piecewise((r**2 / 2, r <= delta), (delta * (r - delta / 2), True))


_TABLE: dict[str, Callable[[Problem], Any]] = {
    "mse": _elementwise(lambda prediction, target: (prediction - target) ** 2, "1/n"),
    "mae": _elementwise(lambda prediction, target: sp.Abs(prediction - target), "1/n"),
    "huber": _elementwise(_huber, "1/n"),
    "log_cosh": _elementwise(
        lambda prediction, target: sp.log(sp.cosh(prediction - target)), "1/n"
    ),
    "bce_with_logits": _elementwise(
        lambda logits, targets: sp.log(1 + sp.exp(logits)) - targets * logits, "1/n"
    ),
    "softmax_cross_entropy": _unrolled(lambda z, hot: -_log_policy(z, hot)),
    "hinge": _elementwise(lambda scores, labels: sp.Max(0, 1 - labels * scores), "1/n"),
    "kl_divergence": _elementwise(
        lambda log_q, p: sp.Piecewise((p * (sp.log(p) - log_q), p > 0), (0, True)), "1/rows"
    ),
    "l1": _elementwise(lambda theta, lam: lam * sp.Abs(theta), "1"),
    "l2": _elementwise(lambda theta, lam: lam / 2 * theta**2, "1"),
    "elastic_net": _elementwise(
        lambda theta, lam1, lam2: lam1 * sp.Abs(theta) + lam2 * theta**2, "1"
    ),
    "reinforce": _unrolled(lambda z, hot, returns: -returns * _log_policy(z, hot)),
    "ppo_clip": _unrolled(_ppo_clip),
}

_NO_REDUCTION = (
    "lambdify prints no derivative of a mean over a symbolic index; rows are unrolled here for "
    "softmax alone"
)
_NO_ONES = "lambdify prints the gradient of the bias as a product with ones(1, n), n unbound"
_NOT_SAID = {"batch_norm": _NO_REDUCTION, "dense": _NO_ONES, "layer_norm": _NO_REDUCTION}
