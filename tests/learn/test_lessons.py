"""The textbook's two programs: XOR is learnt, and a line is fitted to the best one."""

import csv

import numpy as np
import pytest

import symcalc as sc
from symcalc.learn import linear_regression, tables, xor


@pytest.mark.parametrize("seed", range(5))
def test_xor_is_learnt(seed):
    run = xor.train(seed=seed)
    assert run.accuracy == 1
    assert run.trajectory.values[-1] < 0.01
    # the network written out, at the final weights
    w = run.trajectory.final
    h = 1 / (1 + np.exp(-(xor.INPUTS @ w["W1"].T + w["b1"])))
    z = h @ w["W2"][0] + w["b2"][0]
    np.testing.assert_allclose(run.probabilities, 1 / (1 + np.exp(-z)), rtol=1e-12)
    assert run.trajectory.values[-1] == pytest.approx(
        np.mean(np.log1p(np.exp(z)) - xor.TARGETS * z), rel=1e-9
    )


def test_the_picture_of_xor_shows_the_four_points():
    figure = xor.train(steps=5).draw()
    assert sorted(text.get_text() for text in figure.axes[1].texts) == ["0", "0", "1", "1"]


def written(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def line(tmp_path):
    """y = 3 a - b + 5 + noise, in a file; a third column never varies."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(2, 3, 50), rng.normal(-1, 0.1, 50)
    y = 3 * a - b + 5 + rng.normal(0, 0.5, 50)
    rows = [["a", "y", "b", "c"], *np.column_stack([a, y, b, a * 0]).tolist()]
    return written(tmp_path / "line.csv", rows), np.column_stack([a, b]), y


def test_a_file_is_read(line):
    path, x, y = line
    table = tables.read_csv(path, "y")
    assert (table.name, table.features, table.target) == ("line.csv", ("a", "b", "c"), "y")
    np.testing.assert_array_equal(table.x[:, :2], x)
    np.testing.assert_array_equal(table.y, y)


def test_minibatches_come_to_the_least_squares(line):
    path, x, y = line
    run = linear_regression.train(tables.read_csv(path, "y"), epochs=200, batch=16)
    design = np.column_stack([x, np.ones(50)])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert run.least * y.var() == pytest.approx(np.mean((fitted - y) ** 2), rel=1e-9)
    assert run.least < run.trajectory.values[-1] < 1.01 * run.least
    np.testing.assert_allclose(run.predictions, fitted, atol=0.1)
    assert run.trajectory.steps == 200 * 4
    assert len(run.by_epoch) == 200
    assert run.draw().axes[1].get_xlabel() == "y"


def test_the_diabetes_set():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression

    data = tables.diabetes()
    best = LinearRegression().fit(data.x, data.y).score(data.x, data.y)
    run = linear_regression.train(data)
    assert best - 0.005 < run.r_squared < best
    assert 1 - run.least == pytest.approx(best, rel=1e-9)


def test_without_scikit_learn_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(sc.ArgumentError, match=r"pip install 'symcalc\[sklearn\]'.*--csv"):
        tables.diabetes()


@pytest.mark.parametrize(
    ("rows", "target", "words"),
    [
        ([["a", "y"], [1, 2], [3, 4]], None, "--target: expected the name of the column"),
        ([["a", "y"], [1, 2], [3, 4]], "z", "expected one of the columns a, y of .*, got 'z'"),
        ([["a", "a"], [1, 2], [3, 4]], "a", "expected one of the columns a, a"),
        ([], "y", r"expected one of the columns \(none\)"),
        ([["y"], [1], [2]], "y", "one feature at least"),
        ([["a", "y"], [1, 2]], "y", "two rows at least, got 2 columns and 1 rows"),
        ([["a", "y"], [1, 2], ["x", 4]], "y", "line 3, column a: expected a finite .* got 'x'"),
        ([["a", "y"], [1, 2], [3, "inf"]], "y", "line 3, column y: expected a finite .* got 'inf'"),
        ([["a", "y"], [1, 2], [3]], "y", "line 3: expected 2 cells, got 1"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, rows, target, words):
    with pytest.raises(sc.ArgumentError, match=words):
        tables.read_csv(written(tmp_path / "bad.csv", rows), target)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"a,y\n\xff\xfe,2\n")
    with pytest.raises(sc.ArgumentError, match="expected a CSV file in UTF-8"):
        tables.read_csv(tmp_path / "bad.csv", "y")


def test_numbers_that_do_not_fit_are_refused(line, tmp_path):
    data = tables.read_csv(line[0], "y")
    flat = tables.read_csv(line[0], "c")
    for table, words, options in (
        (data, "epochs: expected a whole number from 1 on, got 0", {"epochs": 0}),
        (data, "batch: expected a whole number from 1 on, got -1", {"batch": -1}),
        (data, "lr", {"lr": -1.0}),
        (data, "lr: 1e.06 is too large for line.csv", {"lr": 1e6}),
        (flat, "c: expected a target that varies", {}),
    ):
        with pytest.raises(sc.ArgumentError, match=words), np.errstate(over="ignore"):
            linear_regression.train(table, **options)
    with pytest.raises(sc.NotationError, match="widths"):
        xor.train(hidden=0)
