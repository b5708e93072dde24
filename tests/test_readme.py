"""The README keeps its word: the code runs, the two commands stand there, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symcalc as sc
from symcalc.cli import app
from symcalc.cli_learn import app as learn

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    """The names that the tour defines, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("tour")
    names: dict[str, Any] = {"__name__": "readme"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(blocks("python")[0], "README.md", "exec"), names)
    return names, folder


def test_the_tour_has_ten_lines() -> None:
    assert len([line for line in blocks("python")[0].splitlines() if line]) == 10


def test_the_tour_gives_what_its_comments_say(tour: tuple[dict[str, object], Path]) -> None:
    names, folder = tour
    # Huber at residuals 0.5 and 3 with delta 1: 0.5**2/2 and 3 - 1/2, averaged; slopes 0.5 and 1.
    assert names["value"] == (0.125 + 2.5) / 2 == 1.3125
    np.testing.assert_array_equal(names["gradient"], [0.25, 0.5])
    assert "1.3125, [0.25, 0.5]" in blocks("python")[0]
    assert {path.suffix for path in (folder / "reports").iterdir()} >= {".html", ".md"}


def test_the_objective_of_ones_own_compiles(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(blocks("python")[1], "utf-8")
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(blocks("python")[1], "README.md", "exec"), names)
    kernel = names["kernel"]
    assert isinstance(names["charbonnier"], sc.Objective)
    # sqrt(3**2 + 4**2) and sqrt(0 + 4**2), averaged
    assert kernel(np.array([3.0, 1.0]), np.array([0.0, 1.0]), eps=4.0) == 4.5


def test_the_hot_loop_fills_its_buffer() -> None:
    prediction, target = np.array([0.5, 3.0]), np.zeros(2)
    names: dict[str, Any] = {"np": np, "prediction": prediction, "target": target}
    exec(compile("\n".join(blocks("python")[1:3]), "README.md", "exec"), names)
    roots = np.hypot(prediction, 1e-3)
    assert names["value"] == pytest.approx(roots.mean(), rel=1e-15)
    np.testing.assert_allclose(names["buffer"], prediction / roots / 2, rtol=1e-15)


def test_exactly_two_set_up_commands() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line]
    assert len(lines) == 2
    first, second = lines
    assert first.endswith("symcalc report bce_with_logits")
    assert second.endswith("pytest")
    assert all(line.startswith("python3 -m venv .venv && .venv/bin/pip install ") for line in lines)


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "README.md" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_command_of_the_table_exists() -> None:
    shown = re.findall(r"^\| `symcalc ([^`]*)` \|", README, re.MULTILINE)
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    assert {shlex.split(line)[0] for line in shown} == names


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_the_second_orders_are_what_they_say() -> None:
    names: dict[str, Any] = {"np": np, "sc": sc}
    exec(compile(blocks("python")[3], "README.md", "exec"), names)
    assert names["hessian"].kind == "block diagonal of diagonal plus rank one"
    shapes = [np.shape(part) for part in names["slopes"]]
    assert shapes == [(8, 2), (8,), (1, 8), (1,)]
    assert [np.shape(part) for part in names["newton"]] == shapes
    damped = names["loss"].hessian(names["logits"], names["labels"]).reshape(12, 12)
    wanted = np.linalg.solve(
        damped + 1e-3 * np.eye(12),
        names["loss"].grad(names["logits"], names["labels"]).ravel(),
    )
    np.testing.assert_allclose(names["step"].ravel(), wanted, rtol=1e-8)


def test_every_name_of_the_table_exists() -> None:
    words = set(re.findall(r"`(\w+)\(", README.split("## Every mode")[1].split("## Set up")[0]))
    for word in words:
        assert hasattr(sc, word) or hasattr(sc.Kernel, word), word


def test_a_gradient_of_ones_own_is_checked() -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[4], "README.md", "exec"), names)
    assert names["found"].verdict == "FAIL"
    assert names["found"].diagnosis == "factor (n-1)/n, n = 1500"
    assert names["found"].example.arrays[0].shape == (2,)
    names["test_variance"]()


def test_the_network_learns_xor() -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[5], "README.md", "exec"), names)
    run = names["run"]
    assert run.values[-1] < 0.05
    assert run.steps == len(run.step_sizes) == 800


def test_every_lesson_of_the_table_exists() -> None:
    lessons = {command.name or command.callback.__name__ for command in learn.registered_commands}
    shown = re.search(r"see \[Learning\]\(#learning\): (.*) \|", README)
    assert shown is not None
    assert set(re.findall(r"`(\w+)`", shown.group(1))) == lessons
