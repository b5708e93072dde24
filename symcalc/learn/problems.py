"""Problems with known minima: Rosenbrock's valley, quadratics, logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symcalc.learn.kernels import kernel_of
from symcalc.learn.losses import penalized_logistic, quadratic, rosenbrock
from symcalc.learn.tables import Table
from symcalc.notation.errors import ArgumentError
from symcalc.notation.objective import Objective

NEWTON_STEPS = 60


@dataclass(frozen=True, eq=False)
class Problem:
    """Something to minimize by its input theta.

    Args:
        name: what it is called.
        objective: scalar.
        start: where theta begins.
        data: the other inputs and hyperparameters.
        best: where the minimum lies.
        least: the minimum.
    """

    name: str
    objective: Objective
    start: np.ndarray
    data: Mapping[str, Any]
    best: np.ndarray
    least: float

    def value(self, theta: np.ndarray) -> float:
        """Return the value at a point."""
        return float(kernel_of(self.objective, "numpy")(theta, **self.data))

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """Return the Hessian at a point, from its kernel."""
        return np.asarray(kernel_of(self.objective, "numpy").hessian(theta, **self.data))


def valley() -> Problem:
    """Return Rosenbrock's problem in the plane, from its usual start."""
    return Problem("Rosenbrock", rosenbrock, np.array([-1.2, 1.0]), {}, np.ones(2), 0.0)


def bowl(matrix: Any, start: Any, linear: Any = None) -> Problem:
    """Return a convex quadratic: half theta^T A theta - b^T theta.

    Args:
        matrix: A, symmetric, with no negative eigenvalue.
        start: where theta begins.
        linear: b; zero if not given.

    Raises:
        ArgumentError: a shape does not fit; A is not symmetric, or has a negative eigenvalue, or
            there is no minimum.
    """
    a, start = np.asarray(matrix, float), np.asarray(start, float)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size or not np.isfinite(a).all():
        raise ArgumentError(f"matrix: expected a square matrix of finite numbers, got {a.tolist()}")
    if start.shape != a.shape[:1] or not np.isfinite(start).all():
        raise ArgumentError(f"start: expected {len(a)} finite numbers, got {start.tolist()}")
    if not np.allclose(a, a.T, rtol=1e-12, atol=0):
        raise ArgumentError(f"matrix: expected a symmetric matrix, got {a.tolist()}")
    eigenvalues = np.linalg.eigvalsh(a)
    if eigenvalues[0] < -1e-12 * eigenvalues[-1] or eigenvalues[-1] <= 0:
        raise ArgumentError(
            "matrix: expected eigenvalues of 0 and above, one of them positive, got "
            f"{', '.join(f'{e:.4g}' for e in eigenvalues)}"
        )
    b = np.zeros(len(a)) if linear is None else np.asarray(linear, float)
    if eigenvalues[0] > 1e-12 * eigenvalues[-1]:
        nearest = np.linalg.solve(a, b)
    else:  # of several minima the nearest, to which the descent goes
        nearest = start + np.linalg.pinv(a, hermitian=True) @ (b - a @ start)
    room = 1e-9 * (np.abs(b).max() + np.abs(a).max() * np.abs(start).max())
    if not np.abs(a @ nearest - b).max() <= room:
        raise ArgumentError("linear: expected a combination of the matrix's columns: no minimum")
    data = {"matrix": a, "linear": b}
    found = Problem("quadratic", quadratic, start, data, nearest, 0.0)
    return _with_least(found)


def ill_conditioned(condition: float = 100.0) -> Problem:
    """Return a quadratic in the plane, turned by 30 degrees, of a given condition number."""
    turn = np.pi / 6
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = axes @ np.diag([1.0, condition]) @ axes.T
    return bowl((matrix + matrix.T) / 2, axes @ [-3.0, 0.6])


def logistic(x: Any, y: Any, lam: float = 1e-2) -> Problem:
    """Return penalized logistic regression, from zero; the minimum is found by Newton's method.

    Args:
        x: a row a sample; a column of ones makes the bias.
        y: from 0 to 1.
        lam: the penalty, above 0, so that there is a minimum.

    Raises:
        ArgumentError: a value or shape does not fit.
    """
    if not lam > 0:
        raise ArgumentError(f"lam: expected a number above 0, got {lam}: else no minimum is sure")
    rows = np.asarray(x, float)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ArgumentError(f"x: expected a matrix of finite numbers, got the shape {rows.shape}")
    data = {"x": rows, "y": np.asarray(y, float), "lam": float(lam)}
    start = np.zeros(rows.shape[1])
    found = Problem("logistic regression", penalized_logistic, start, data, start, 0.0)
    kernel = kernel_of(penalized_logistic, "numpy")
    best = start
    for _ in range(NEWTON_STEPS):
        value, slope = kernel.value_and_grad(best, **data)
        step = np.linalg.solve(found.hessian(best), slope)
        rate = 1.0
        while rate > 1e-9 and kernel(best - rate * step, **data) > value:
            rate /= 2
        best = best - rate * step
        if np.abs(step).max() <= 1e-15 * (1 + np.abs(best).max()):
            break
    return _with_least(Problem(found.name, found.objective, start, data, best, 0.0))


def two_clouds(count: int = 200, seed: int = 0, lam: float = 1e-2) -> Problem:
    """Return logistic regression on two clouds of points in the plane that overlap."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    points = rng.normal(size=(count, 2)) * [1.0, 2.5] + np.outer(y - 0.5, [2.0, 1.0])
    return logistic(np.column_stack([points, np.ones(count)]), y, lam)


def bowl_from_text(matrix: str | None, start: str | None) -> Problem:
    """Return the quadratic of a matrix such as "20,1;1,2", from a start such as "1,1".

    Args:
        matrix: rows between semicolons; a turned one of condition 20 if not given.
        start: ones if not given.

    Raises:
        ArgumentError: a cell is no number, or what `bowl` refuses.
    """
    if matrix is None and start is None:
        return ill_conditioned(20.0)
    rows = [[20.0, 0.0], [0.0, 1.0]] if matrix is None else _cells("--matrix", matrix)
    if len({len(row) for row in rows}) > 1:
        raise ArgumentError(f"--matrix: expected rows of one length, got {matrix!r}")
    begin = np.ones(len(rows)) if start is None else np.array(_cells("--start", start)[0])
    return bowl(rows, begin)


def _cells(option: str, text: str) -> list[list[float]]:
    try:
        return [[float(cell) for cell in row.split(",")] for row in text.split(";")]
    except ValueError:
        raise ArgumentError(
            f"{option}: expected numbers between commas, rows between semicolons, got {text!r}"
        ) from None


def logistic_from_table(table: Table, lam: float = 1e-2) -> Problem:
    """Return penalized logistic regression of a table's target, 0 or 1, with a bias.

    Args:
        table: its features are taken less their means and over their deviations.
        lam: the penalty, on the bias too.

    Raises:
        ArgumentError: a label other than 0 or 1; the penalty is not above 0.
    """
    wrong = table.y[(table.y != 0) & (table.y != 1)]
    if wrong.size:
        raise ArgumentError(
            f"{table.name}: {table.target}: expected labels 0 and 1, got {wrong[0]:g}"
        )
    return logistic(np.column_stack([table.standardized, np.ones(len(table.y))]), table.y, lam)


def _with_least(found: Problem) -> Problem:
    return Problem(
        found.name, found.objective, found.start, found.data, found.best, found.value(found.best)
    )
