"""Tables: numbers with names of their columns, from a CSV file or from scikit-learn."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symcalc.notation.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Table:
    """Features and a target, a row a sample.

    Args:
        name: where they come from.
        features: the names of the columns.
        x: the features.
        target: the target's name.
        y: the target.
    """

    name: str
    features: tuple[str, ...]
    x: np.ndarray
    target: str
    y: np.ndarray

    @property
    def standardized(self) -> np.ndarray:
        """The features less their means, over their deviations; one that never varies is zero."""
        centred = self.x - self.x.mean(axis=0)
        deviations = centred.std(axis=0)
        return np.asarray(centred / np.where(deviations > 0, deviations, 1.0))


def read_csv(path: Path, target: str | None) -> Table:
    """Read a CSV file whose first line names the columns and whose cells are numbers.

    Args:
        path: the file.
        target: the column to predict; all others are features.

    Raises:
        ArgumentError: no target is named, there is no such column, no row, or a cell that is no
            number; the message names its line and column.
        OSError: the file cannot be read.
    """
    if target is None:
        raise ArgumentError("--target: expected the name of the column to predict")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(reader.line_num, row) for reader in [csv.reader(file)] for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError(f"{path}: expected a CSV file in UTF-8, got {error}") from None
    lines = [(number, row) for number, row in lines if any(cell.strip() for cell in row)]
    names = [name.strip() for name in lines[0][1]] if lines else []
    if target not in names or names.count(target) > 1:
        raise ArgumentError(
            f"--target: expected one of the columns {', '.join(names) or '(none)'} of {path}, got "
            f"{target!r}"
        )
    if len(names) < 2 or len(lines) < 3:
        raise ArgumentError(
            f"{path}: expected a line of names, one feature at least and two rows at least, got "
            f"{len(names)} columns and {max(len(lines) - 1, 0)} rows"
        )
    numbers = np.array([_numbers(path, line, names, row) for line, row in lines[1:]])
    place = names.index(target)
    features = tuple(name for name in names if name != target)
    return Table(path.name, features, np.delete(numbers, place, 1), target, numbers[:, place])


def _numbers(path: Path, line: int, names: list[str], row: list[str]) -> list[float]:
    if len(row) != len(names):
        raise ArgumentError(f"{path}: line {line}: expected {len(names)} cells, got {len(row)}")
    found = []
    for name, cell in zip(names, row, strict=True):
        try:
            found.append(float(cell))
        except ValueError:
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            raise ArgumentError(
                f"{path}: line {line}, column {name}: expected a finite number, got {cell!r}"
            )
    return found


def diabetes() -> Table:
    """Return scikit-learn's diabetes set: 442 patients, ten measurements, progress in a year.

    Raises:
        ArgumentError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_diabetes
    except ImportError:
        raise ArgumentError(
            "linear_regression: the diabetes set comes with scikit-learn, which is not installed: "
            "pip install 'symcalc[sklearn]', or name a file with --csv and --target"
        ) from None
    found = load_diabetes(scaled=False)
    return Table(
        "diabetes", tuple(found.feature_names), np.asarray(found.data, float), "progression",
        np.asarray(found.target, float),
    )  # fmt: skip
