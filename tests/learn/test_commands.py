"""The learning commands: a table, a picture, a path; status 2 and one message for bad input."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from symcalc.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["learn", *arguments], prog_name="symcalc")


def test_xor_ends_with_its_picture(tmp_path):
    result = run("xor", "--steps", "400", "--out", str(tmp_path / "new"), "--format", "svg,png")
    assert result.exit_code == 0, result.output
    assert "100%" in result.stdout
    assert result.stdout.split()[-2:] == [
        str(tmp_path / "new" / f"xor.{s}") for s in ("svg", "png")
    ]
    assert ET.parse(tmp_path / "new" / "xor.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "new" / "xor.png").read_bytes().startswith(b"\x89PNG")
    again = tmp_path / "again"
    run("xor", "--steps", "400", "--out", str(again))
    assert (again / "xor.svg").read_bytes() == (tmp_path / "new" / "xor.svg").read_bytes()


def test_linear_regression_reads_a_file(tmp_path):
    rows = "\n".join(f"{k},{k % 3},{2 * k + k % 3}" for k in range(20))
    (tmp_path / "data.csv").write_text(f"a,b,y\n{rows}\n")
    result = run("linear_regression", "--csv", str(tmp_path / "data.csv"), "--target", "y",
                 "--out", str(tmp_path))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "20 rows, 2 features" in result.stdout
    assert (tmp_path / "linear_regression.svg").is_file()


def test_convergence_tells_that_no_bound_is_crossed(tmp_path):
    result = run("convergence", "--matrix", "20,1;1,2", "--start=1,-3", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["bounds", "crossed", "no"] in lines
    largest = 11 + np.sqrt(82)  # of 20 1, 1 2
    assert ["largest", "curvature", "L,", "1/L", f"{largest:.6g}", f"{1 / largest:.6g}"] in lines
    assert (tmp_path / "convergence.svg").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "--steps", "200"),
        ("compare", "--optimizers", "sgd"),
        ("convergence", "logistic"),
        ("bandit", "--arms", "1,2", "--runs", "2"),
        ("gridworld", "--map", "..G,S.P", "--steps", "1000"),
        ("cartpole", "--steps", "5000"),
        ("gan", "--steps", "50"),
        ("vae", "--steps", "50", "--data", "ring"),
        ("estimators", "--draws", "500"),
    ],
)
def test_the_others_end_with_theirs(tmp_path, arguments):
    result = run(*arguments, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert ET.parse(tmp_path / f"{arguments[0]}.svg").getroot().tag.endswith("svg")


def test_the_graph_is_printed_and_drawn(tmp_path):
    arguments = ["graph", "x*y + sin(x)", "--at", "x=2,y=3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments, prog_name="symcalc")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "v3 = v1 + v2 = 6.9093, adjoint 1"
    assert ["v1", "x", "*", "y", "6", "3", "2", "1"] in [line.split() for line in lines]
    assert "sin(x)" in (tmp_path / "graph.svg").read_text()


def test_a_formula_may_begin_with_a_sign(tmp_path):
    arguments = ["graph", "-x*y", "--at", "x=2,y=3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments, prog_name="symcalc")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("v2 = v1 * y = -6, adjoint 1")


def test_a_bound_that_is_crossed_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("symcalc.learn.convergence.Convergence.holds", False)
    result = run("convergence", "--steps", "5", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "YES" in result.stdout


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("at: missing y", ("x*y", "--at", "x=1")),
        ("--at: expected NAME=VALUE, got 'x'", ("x*y", "--at", "x")),
        ("--at: x is given twice", ("x*y", "--at", "x=1,x=2")),
        ("--at: y: expected a finite number, got 'a'", ("x*y", "--at", "x=1,y=a")),
        ("something is missing", ("x*", "--at", "x=1")),
        ("--format: expected svg or png", ("x*x", "--at", "x=1", "--format", "pdf")),
    ],
)
def test_a_bad_graph_is_told_in_one_message(tmp_path, monkeypatch, words, arguments):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["graph", *arguments], prog_name="symcalc")
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("--format: expected svg or png, got 'gif'", ("xor", "--format", "gif")),
        ("steps: expected a whole number from 1 on, got 0", ("xor", "--steps", "0")),
        ("optimizer: no 'adamm' in the catalogue", ("xor", "--optimizer", "adamm")),
        ("widths", ("xor", "--hidden", "0")),
        ("lr: expected", ("xor", "--lr", "-1")),
        ("--target: not together with", ("linear_regression", "--target", "y")),
        (
            "nowhere.csv: No such file",
            ("linear_regression", "--csv", "nowhere.csv", "--target", "y"),
        ),
        ("--matrix: expected numbers", ("convergence", "--matrix", "a")),
        ("--csv: not together with quadratic", ("convergence", "--csv", "data.csv")),
        ("--start: not together with logistic", ("convergence", "logistic", "--start", "1")),
        ("alpha L above 0 and at most 1", ("convergence", "--rate", "1.5")),
        ("lam: expected a number above 0", ("convergence", "logistic", "--lam", "0")),
        ("optimizer: no 'sdg'", ("compare", "--optimizers", "sdg")),
        ("--optimizers: expected words between commas", ("compare", "--optimizers", "sgd,")),
        ("--arms: expected a finite number, got 'a'", ("bandit", "--arms", "1,a")),
        ("arms: expected at least two", ("bandit", "--arms", "1")),
        ("map: expected one S", ("gridworld", "--map", "..G,...")),
        ("slip: expected a probability", ("gridworld", "--slip", "2")),
        ("steps: expected a whole number from 2048 on", ("cartpole", "--steps", "1")),
        ("data: expected one of moons, ring, clouds, got 'eggs'", ("gan", "--data", "eggs")),
        ("sigma: expected", ("vae", "--sigma", "0")),
        ("lr: expected", ("gan", "--lr", "-1")),
        ("steps: expected a whole number from 1 on", ("gan", "--steps", "0")),
        ("File exists", ("xor", "--out", "a_file")),
    ],
)
def test_bad_input_is_told_in_one_message(tmp_path, monkeypatch, words, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("")
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
