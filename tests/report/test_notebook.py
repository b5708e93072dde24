"""What a notebook shows of objectives, derivations, steps, kernels and checks; the tour runs."""

import ast
import json
from pathlib import Path

import pytest

import symcalc as sc

TOUR = Path(__file__).parents[2] / "derivations" / "tour.ipynb"


def test_a_step_shows_before_and_after():
    step = sc.derive(sc.get("mse")).steps[0]
    shown = step._repr_latex_()
    assert shown.startswith("$$\n\\begin{aligned}\n")
    assert shown.count("&=") == 2
    assert " \\\\\n" in shown


def test_a_kernel_shows_its_source_escaped():
    kernel = sc.compile(sc.parse("sum(i, where(x[i] < 1, x[i]**2, 1))", wrt="x"), backend="numpy")
    shown = kernel._repr_html_()
    assert shown.startswith("<details><summary>Kernel <code>")
    assert "def " in shown
    assert "<pre>" in shown
    assert shown.count("<") == shown.count(">")


def test_an_objective_shows_its_definitions_first():
    shown = sc.get("layer_norm")._repr_latex_()
    assert shown.startswith("$$\n\\begin{aligned}\n")
    assert r"\mathrm{layer~norm}_{i, j} &= " in shown
    attention = sc.get("multi_head_attention")._repr_latex_()
    assert attention.count(r" \\") == len(sc.get("multi_head_attention").definitions)
    assert r"\mathrm{multi~head~attention}" in attention.splitlines()[-3]


@pytest.fixture(scope="module")
def tour():
    """Run the cells of the tour; return what the last line of each shows, by the cell's name."""
    names, shown = {"__name__": "tour"}, {}
    for cell in json.loads(TOUR.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop()
        exec(compile(tree, cell["id"], "exec"), names)
        shown[cell["id"]] = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
    return shown


@pytest.mark.parametrize("cell", ["objective", "own", "derivation", "step", "curvature"])
def test_the_tour_shows_mathematics(tour, cell):
    assert tour[cell]._repr_latex_().strip("$").strip()


@pytest.mark.parametrize("cell", ["kernel", "check"])
def test_the_tour_shows_kernel_and_check(tour, cell):
    assert tour[cell]._repr_html_().startswith("<")


def test_the_tour_computes_what_one_can_check_by_hand(tour):
    value, gradient = tour["values"]
    assert value == (2.5 + 0.125 + 1.5) / 3
    assert gradient.tolist() == [-1 / 3, 0.5 / 3, 1 / 3]
    assert "Numerical stability" in tour["report"]
    assert "Computational graph" in tour["report"]


def test_the_tour_is_committed_without_outputs():
    cells = json.loads(TOUR.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.slow
def test_the_tour_runs_in_jupyter():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    done = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    rich = [out for cell in done.cells for out in cell.get("outputs", ()) if "data" in out]
    assert sum("text/latex" in out["data"] for out in rich) >= 5
    assert sum("text/html" in out["data"] for out in rich) >= 2
