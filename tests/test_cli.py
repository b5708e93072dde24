"""The command line: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import symcalc as sc
from symcalc import api, arguments
from symcalc.catalogue.topics import TOPICS, Topic
from symcalc.cli import _complete, app
from symcalc.verify.atlas import NoAtlasError

LOGISTIC = "mean(i, softplus(z[i]) - y[i]*z[i])"


def run(*arguments: str, columns: int | None = None) -> Result:
    env = {"COLUMNS": None if columns is None else str(columns)}
    return CliRunner(env=env).invoke(app, arguments, prog_name="symcalc")


def good(*arguments: str, columns: int | None = None) -> str:
    result = run(*arguments, columns=columns)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def refused(*arguments: str) -> str:
    """What is said of bad input: status 2, nothing on standard output, no traceback."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def in_shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $S is the command line."""
    env = {**os.environ, "S": f"{sys.executable} -m symcalc", **environment}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, env=env,
        timeout=120,
    )  # fmt: skip


class TestList:
    def test_names_every_objective_under_its_family(self) -> None:
        lines = good("list").splitlines()
        words = [re.findall(r"[\w.]+", line)[:1] for line in lines]
        shown = [found[0] for found in words if found]
        expected = ["name"]
        family = ""
        for objective in sc.catalogue().values():
            if objective.family != family:
                family = objective.family
                expected.append(family)
            expected.append(objective.name)
        assert shown[: len(expected)] == expected

    def test_shows_networks_lessons_and_modes_beside_them(self) -> None:
        lines = [line.strip() for line in good("list").splitlines()]
        for lesson in ("xor", "linear_regression", "convergence", "cartpole", "vae"):
            assert any(
                line.startswith(f"{lesson} ") and line.endswith(f"symcalc learn {lesson}")
                for line in lines
            )
        for name in ("mlp", "forward mode", "reverse mode", "computational graph", "minibatches"):
            assert any(line.startswith(f"{name} ") for line in lines)

    @pytest.mark.parametrize("topic", [t for part in TOPICS.values() for t in part])
    def test_what_it_says_can_be_run(self, topic: Topic, tmp_path: Path) -> None:
        """A command runs as it stands; of a line of Python every name is there."""
        if topic.run.startswith("symcalc "):
            words = shlex.split(topic.run)[1:]
            good(*words, *(["--out", str(tmp_path)] if words[0] == "graph" else []))
            return
        for node in ast.walk(ast.parse(topic.run)):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("sc."):
                path = ast.unparse(node)
                if "(" not in path:
                    assert functools.reduce(getattr, path.split(".")[1:], sc)
                else:
                    assert hasattr(sc.Kernel, node.attr)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                ours = {*sc.catalogue(), "relu", "inverse_time", "prediction"}
                assert node.value in ours

    def test_one_objective_is_one_line_in_a_pipe(self) -> None:
        (line,) = [line for line in good("list").splitlines() if " ppo_clip " in line]
        assert "logits, actions, old_log_probs, advantages; clip=0.2" in line
        assert sc.get("ppo_clip").summary in line

    def test_fits_a_narrow_terminal_without_losing_a_word(self) -> None:
        out = good("list", columns=80)
        assert max(map(len, out.splitlines())) <= 80
        assert "…" not in out
        assert "softmax_cross_entropy" in out


class TestNetworks:
    def test_a_call_in_quotes_is_a_network(self) -> None:
        out = good("derive", "mlp(widths=(2, 3, 1), loss='mse')", "--wrt", "W1", "--no-steps")
        assert "mse of a network of widths 2, 3, 1." in out
        assert "differentiated by W1" in out

    def test_two_have_two_names(self, tmp_path: Path) -> None:
        two = arguments.objectives(["mlp((2, 1))", "mlp((3, 1))"], False, None, None, None, None)
        assert [made.name for made in two] == ["mlp", "mlp_2"]

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            ("mlp(", "mlp: expected literals for widths, activation and loss"),
            ("mlp(sizes=(2, 1))", "mlp: expected literals"),
            ("mlp((2, 1), 'tanh', 'mse', 'x', 5)", "mlp: expected literals"),
            ("mlp(print(1))", "mlp: expected literals"),
            ("mlp((2, 1)) + 1", "mlp: expected literals"),
            ("mlp((0, 1))", "mlp: widths: expected"),
            ("mlp((2, 1), loss='mes')", "no 'mes' in the catalogue"),
            ("mlp((2, 3, 1), 'tan')", "mlp: activation: expected"),
            ("mlp", "it is no entry: symcalc derive"),
        ],
    )
    def test_a_wrong_call_is_told(self, call: str, words: str) -> None:
        assert words in refused("show", call)


class TestShow:
    def test_says_everything_about_huber(self) -> None:
        out = good("show", "huber")
        for part in (
            "Quadratic near zero, linear in the tails.",
            "prediction[n]: real numbers, differentiated by",
            "target[n]: real numbers",
            "delta: positive numbers, default 1",
            "Huber (1964), doi:10.1214/aoms/1177703732",
            "abs(prediction[i] - target[i]) = delta: the side that the condition names is taken",
        ):
            assert part in out

    def test_code_in_a_pipe_is_the_kernels_source_to_the_byte(self) -> None:
        source = sc.compile("huber").source
        assert good("show", "huber").rstrip().endswith(source.rstrip())
        assert max(map(len, source.splitlines())) > 80  # so that a cut would be seen

    def test_the_other_backend_shows_other_code(self) -> None:
        out = good("show", "huber", "--backend", "numpy")
        assert "njit" not in out
        assert "njit" in good("show", "huber", "--backend", "numba")

    def test_a_formula_is_shown_too(self) -> None:
        out = good("show", "sum(i, x[i]**2)*lam", "--default", "lam=0.5", "--backend", "numpy")
        assert "x[n]: real numbers" in out
        assert "lam: real numbers, default 0.5" in out


class TestDerive:
    def test_the_textbook_gradient_of_a_formula(self) -> None:
        out = good("derive", LOGISTIC, "--wrt", "z")
        assert out.rstrip().endswith("z_bar[i] = (sigmoid(z[i]) - y[i])/n")

    def test_the_operations_are_counted_before_and_after(self) -> None:
        out = good("derive", "softmax_cross_entropy", "--no-steps").partition("Operations")[2]
        assert "by the chain rule: c n additions, 2 c n + 1 divisions, c n choices" in out
        assert "simplified: c n additions, c n divisions, c n choices" in out

    def test_steps_are_numbered_and_can_be_left_out(self) -> None:
        count = len(sc.derive("layer_norm").steps)
        with_steps = good("derive", "layer_norm")
        numbers = [int(n) for n in re.findall(r"^ +(\d+)\. ", with_steps, re.MULTILINE)]
        assert numbers == list(range(1, count + 1))
        without = good("derive", "layer_norm", "--no-steps")
        assert "1. " not in without
        assert with_steps.partition("Gradient")[2] == without.partition("Gradient")[2]

    def test_every_name_in_the_result_is_defined(self) -> None:
        out = good("derive", "layer_norm", "--no-steps")
        defined = set(re.findall(r"^ +(\w+)(?:\[[^]]*\])? = ", out, re.MULTILINE))
        used = set(re.findall(r"(\w+)\[", out))
        assert used <= defined | {"x", "gamma", "beta", "out_bar"}

    def test_wrt_takes_several(self) -> None:
        out = good("derive", "layer_norm", "--wrt", "gamma,beta", "--no-steps")
        assert "gamma_bar[j] = " in out
        assert "x_bar[" not in out.partition("Gradient")[2].replace("gamma_bar", "")

    def test_latex_and_nothing_else(self) -> None:
        out = good("derive", LOGISTIC, "--wrt", "z", "--latex")
        assert out.rstrip("\n") == sc.derive(sc.parse(LOGISTIC, wrt="z")).latex()

    def test_shapes_domains_and_defaults_reach_the_formula(self) -> None:
        formula = "mean(i, logsumexp(k, z[i, k])) + a*sum(k, p[k])"
        out = good("show", formula, "--shape", "z=rows,cols", "--shape", "p=cols",
                   "--domain", "p=probability", "--domain", "a=positive", "--default", "a=2",
                   "--backend", "numpy")  # fmt: skip
        assert "z[rows, cols]: real numbers" in out
        assert "p[cols]: probabilities, 0 to 1" in out
        assert "a: positive numbers, default 2" in out

    def test_a_formula_may_begin_with_a_minus_sign(self) -> None:
        assert "x_bar[i] = -2*x[i]/n" in good("derive", "-mean(i, x[i]**2)", "--wrt", "x")

    def test_long_formulas_stay_whole_in_a_pipe(self) -> None:
        terms = " + ".join(f"softplus(a{k}*x[i])" for k in range(30))
        out = good("derive", f"mean(i, {terms})", "--no-steps")
        assert "…" not in out
        assert max(map(len, out.splitlines())) > 300

    def test_brackets_are_never_taken_for_markup(self) -> None:
        out = good("derive", "mean(red, bold[red]**2)")
        assert "bold_bar[red]" in out


class TestBadInput:
    def test_a_typo_is_met_with_the_name_meant(self) -> None:
        assert "did you mean 'huber'" in refused("derive", "hubr")
        assert "'softmax_cross_entropy'" in refused("show", "softmax-cross-entropy")

    @pytest.mark.parametrize(
        ("formula", "sign"),
        [
            ("mean(i, softplus(z[i] - y[i]", "(z"),
            ("mean(i, x[i] + foo(x[i]))", "foo"),
            ("sum(i, x[i]) + __import__('os')", "__import__"),
            ("sum(i, x[i]**2)*9**9**9", "9**9)"),
        ],
    )
    def test_the_caret_stands_under_the_fault(self, formula: str, sign: str) -> None:
        message = refused("derive", formula)
        *_, shown, caret = message.rstrip("\n").splitlines()
        assert caret.strip() == "^"
        assert shown.strip() == formula
        place = caret.index("^") - shown.index(formula[0])
        if sign in formula:
            assert formula[place:].startswith(sign.rstrip(")")) or place == formula.index(sign) - 1
        else:
            assert formula[place:].startswith("**9**9") or formula[place:].startswith("9**9")

    @pytest.mark.parametrize("columns", [60, 200, None])
    def test_the_caret_stays_aligned_in_a_window_of_a_long_formula(
        self, columns: int | None
    ) -> None:
        formula = "sum(i, x[i]) + " + "a*" * 300 + "b + bar(x[i])"
        result = run("derive", formula, columns=columns)
        _, shown, caret = result.stderr.rstrip("\n").splitlines()
        assert len(shown) <= min(columns or 110, 110)
        assert shown[caret.index("^") :].startswith("bar(")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("derive", ""), "formula"),
            (("derive", "[bold]x[/bold]"), "formula"),
            (("derive", "huber", "--wrt", "delta"), "wrt"),
            (("derive", "huber", "--wrt", "a,,b"), "--wrt"),
            (("derive", "layer_norm", "--wrt", "x,x"), "distinct"),
            (("derive", "softmax_cross_entropy", "--wrt", "labels"), "integer labels"),
            (("derive", "huber", "--shape", "target=n"), "the catalogue"),
            (("derive", LOGISTIC, "--shape", "z"), "--shape"),
            (("derive", LOGISTIC, "--shape", "q=n"), "'q'"),
            (("derive", LOGISTIC, "--domain", "y=primes"), "primes"),
            (("derive", LOGISTIC, "--domain", "y=mask", "--domain", "y=real"), "twice"),
            (("derive", "sum(i, a*x[i])", "--default", "a=nan"), "finite"),
            (("derive", "sum(i, a*x[i])", "--default", "a=one"), "'one'"),
            (("show", "huber", "--backend", "fortran"), "fortran"),
            (("show", "huber", "--dtype", "float16"), "float16"),
            (("check",), "--all"),
            (("check", "huber", "--all"), "--all"),
            (("check", "huber", "--seed", "-1"), "--seed"),
            (("check", "huber", "--out", "folder"), "without --atlas"),
            (("check", "layer_norm", "--atlas"), "mixes entries of x, gamma, beta"),
            (("check", "huber", "nonsense"), "'nonsense'"),
            (("report",), "--all"),
            (("report", "huber", "--format", "docx"), "docx"),
            (("report", "huber", "--format", ""), "--format"),
            (("bench", "huber", "--size", "0"), "size"),
            (("bench", "huber", "--size", "many"), "--size"),
            (("bench", "huber", "--rounds", "0"), "rounds"),
            (("bench", "huber", "--threads", "0"), "threads"),
            (("bench", "huber", "--shape", "c=3"), "expected n=SIZE"),
            (("bench", "huber", "--shape", "n=-3"), "'-3'"),
            (("bench", "huber", "--shape", "n=3", "--shape", "n=4"), "twice"),
            (("bench", "huber", "--size", "3", "--shape", "n=3"), "both"),
            (("bench", "huber", "--dtype", "int8"), "int8"),
            (("frobnicate",), "frobnicate"),
            (("list", "[red]"), "[red]"),
        ],
    )
    def test_is_named_in_one_message(self, arguments: Sequence[str], said: str) -> None:
        assert said in refused(*arguments)

    def test_everything_is_read_before_anything_is_done(self, tmp_path: Path) -> None:
        refused("report", "huber", "nonsense", "--out", str(tmp_path / "pages"))
        assert not (tmp_path / "pages").exists()

    @pytest.mark.parametrize("name", ["report", "bench"])
    def test_a_place_that_cannot_be_written_to(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        there = str(tmp_path / "file" / "deeper")
        option = {"report": "--out", "bench": "--json"}[name]
        assert there in refused(name, "huber", option, there)
        assert (tmp_path / "file").read_text() == "in the way"


class TestCheck:
    def test_a_good_kernel_passes(self) -> None:
        out = good("check", "huber")
        assert "PASS" in out
        assert "FAIL" not in out

    def test_a_formula_passes_too(self) -> None:
        assert "PASS" in good("check", LOGISTIC, "--wrt", "z", "--domain", "y=probability")

    def test_status_1_if_one_of_several_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def check(objective: sc.Objective, **_: object) -> object:
            class Outcome(SimpleNamespace):
                def __bool__(self) -> bool:
                    return objective.name != "mae"

            return Outcome(table=lambda: f"table of {objective.name}")

        monkeypatch.setattr(api, "check", check)
        result = run("check", "mse", "mae", "huber")
        assert result.exit_code == 1
        assert "table of huber" in result.stdout
        assert "2 of 3 objectives pass; not: mae" in result.stdout
        assert run("check", "mse", "huber").exit_code == 0
        assert run("check", "--all").exit_code == 1

    def test_an_atlas_is_printed_and_drawn(self, tmp_path: Path) -> None:
        out = good("check", "l2", "--atlas", "--out", str(tmp_path), columns=200)
        assert "accuracy of l2 over all of theta" in out
        assert {p.name for p in tmp_path.iterdir()} == {"l2.md", "l2.svg"}

    def test_of_all_those_without_an_atlas_are_left_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def atlas(objective: sc.Objective) -> object:
            if objective.name != "mae":
                raise NoAtlasError(f"atlas of {objective.name}: no")
            return SimpleNamespace(table=lambda: "table of mae")

        monkeypatch.setattr(api, "atlas", atlas)
        out = good("check", "--all", "--atlas")
        assert "left out: atlas of layer_norm: no" in out
        assert "table of mae" in out

    def test_mutate_prints_who_finds_which_mistakes(self, tmp_path: Path) -> None:
        out = good("check", "l2", "--mutate", "--seeds", "4", "--out", str(tmp_path))
        assert "mutants of l2: 38 of 38 killed; 0 false alarms at 4 points" in out
        assert "wrong reduction axis" not in out  # there is but one
        page = (tmp_path / "verification.md").read_text("utf-8")
        assert f"`symcalc check l2 --mutate --seeds 4 --out {tmp_path}`" in page

    def test_mutate_has_status_1_if_a_mistake_survives(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from symcalc.verify import mutation

        monkeypatch.setattr(mutation, "usual_points", lambda objective: ())
        monkeypatch.setattr(mutation, "searched_points", lambda objective: ())
        result = run("check", "l2", "--mutate", "--seeds", "0")
        assert result.exit_code == 1
        assert "survived: sign: s = sum(j, -theta[j]**2)" in result.stdout

    def test_what_belongs_to_mutate_is_refused_without_it(self) -> None:
        assert "--seeds: not together with a check without --mutate" in refused(
            "check", "l2", "--seeds", "3"
        )


class TestReport:
    def test_writes_the_formats_asked_for(self, tmp_path: Path) -> None:
        out = good("report", "mse", "mae", "--out", str(tmp_path / "a" / "b"), "--format", "md")
        written = [Path(line) for line in out.splitlines()]
        assert written == [tmp_path / "a" / "b" / f"{name}.md" for name in ("mse", "mae")]
        assert "Mean squared error." in written[0].read_text("utf-8")

    def test_two_formulas_do_not_overwrite_each_other(self, tmp_path: Path) -> None:
        good("report", "sum(i, x[i]**2)", "sum(i, x[i]**4)", "--out", str(tmp_path), "--format",
             "md")  # fmt: skip
        assert {p.name for p in tmp_path.glob("*.md")} == {"formula.md", "formula_2.md"}


class TestBench:
    def test_prints_and_writes_what_was_measured(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        asked: dict[str, object] = {}
        median: float | None = 1.0

        class Measured:
            def to_json(self) -> str:
                return '{"rows": []}'

            def row(self, name: str) -> object:
                return SimpleNamespace(median=median) if name == "symcalc" else None

            def __str__(self) -> str:
                return "the table"

        def benchmark(objective: sc.Objective, **options: object) -> Measured:
            asked.update(options, name=objective.name)
            return Measured()

        monkeypatch.setattr(api, "benchmark", benchmark)
        file = tmp_path / "out.json"
        out = good("bench", "softmax_cross_entropy", "--shape", "c=7,n=5", "--dtype", "float32",
                   "--rounds", "3", "--threads", "1", "--json", str(file))  # fmt: skip
        assert out == "the table\n"
        assert json.loads(file.read_text()) == {"rows": []}
        assert asked["name"] == "softmax_cross_entropy"
        assert asked["shape"] == (5, 7)  # in the objective's order, not in the order given
        assert (asked["dtype"], asked["rounds"], asked["threads"]) == ("float32", 3, 1)
        median = None  # our own kernel failed
        assert run("bench", "huber").exit_code == 1

    def test_a_formula_has_arrays_and_extents(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: dict[str, Any] = {}
        monkeypatch.setattr(api, "benchmark", lambda o, **options: asked.update(options, o=o))
        run("bench", "mean(i, logsumexp(k, z[i, k]))", "--shape", "z=n,c", "--shape", "n=4,c=3")
        assert asked["shape"] == (4, 3)
        assert [dim.name for dim in asked["o"].dims] == ["n", "c"]


class TestBenchSuite:
    """`symcalc bench --all`, on a suite of one tiny case."""

    @pytest.fixture
    def tiny(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from symcalc.bench import suite
        from symcalc.bench.inputs import Case
        from symcalc.bench.peers import OURS, PEERS

        group = suite.Group("large", (Case("mse", (("n", 20),)),), (OURS,), 1, 0.001)
        monkeypatch.setattr(suite, "FULL", suite.Suite("full", (group,), (), PEERS[:1]))

    @pytest.mark.usefixtures("tiny")
    def test_writes_three_files_and_says_where_and_what(self, tmp_path: Path) -> None:
        out = good("bench", "--all", "--out", str(tmp_path / "new"), "--threads", "1",
                   "--json", str(tmp_path / "more.json"))  # fmt: skip
        files = {path.name for path in (tmp_path / "new").iterdir()}
        assert files == {"benchmarks.json", "benchmarks.md", "benchmarks.svg"}
        assert all(str(tmp_path / "new" / name) in out for name in files)
        assert "median of ours / memory floor" in out
        data = json.loads((tmp_path / "more.json").read_text())
        assert data == json.loads((tmp_path / "new" / "benchmarks.json").read_text())
        (one,) = data["groups"][0]["benchmarks"]
        assert [row["name"] for row in one["rows"]] == ["symcalc", "numpy", "memory floor"]

    @pytest.mark.usefixtures("tiny")
    def test_fails_where_ours_fails(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from symcalc.bench import sweep
        from symcalc.bench.table import Row

        measured = sweep.rows
        monkeypatch.setattr(
            sweep, "rows", lambda found: (Row("symcalc", note="failed: x"), *measured(found)[1:])
        )
        assert run("bench", "--all", "--out", str(tmp_path)).exit_code == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("bench",), "--all for the whole suite"),
            (("bench", "huber", "--all"), "NAME|FORMULA: not together with --all"),
            (("bench", "--all", "--size", "3"), "--size: not together with --all"),
            (("bench", "--all", "--dtype", "float32"), "--dtype: not together with --all"),
            (("bench", "huber", "--quick"), "--quick: not together with one objective"),
            (("bench", "huber", "--out", "x"), "--out: not together with one objective"),
        ],
    )
    def test_what_does_not_go_together(self, words: tuple[str, ...], said: str) -> None:
        result = run(*words)
        assert result.exit_code == 2
        assert said in result.stderr


class TestCache:
    def test_counts_and_clears_kernels_and_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
        kernel = tmp_path / "huber_0123" / "symcalc_kernel_huber_0123.py"
        kernel.parent.mkdir()
        kernel.write_text("x = 1\n")
        (tmp_path / "diary.txt").write_text("mine")
        (tmp_path / "photos").mkdir()
        assert "1 kernels" in good("cache", "info")
        assert "removed 1" in good("cache", "clear")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["diary.txt", "photos"]
        assert "0 kernels" in good("cache", "info")


def test_version() -> None:
    assert good("--version") == f"symcalc {sc.__version__}\n"


def test_names_are_completed() -> None:
    expected = [name for name in sc.catalogue() if name.startswith("l")]
    assert [name for name, _ in _complete("l")] == expected
    done = in_shell(
        "$S", _SYMCALC_COMPLETE="complete_bash", COMP_WORDS="symcalc derive hu", COMP_CWORD="2"
    )
    assert done.stdout.split() == ["huber"], done.stderr


def test_a_closed_pipe_is_no_trouble() -> None:
    done = in_shell("$S show huber | head -1")
    assert done.stdout.startswith("huber")
    assert done.stderr == ""
    assert in_shell("$S derive huber --latex | true").stderr == ""
    assert in_shell("$S list | true").stderr == ""


def test_a_terminal_without_greek_letters() -> None:
    done = in_shell("$S list", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert done.stderr == ""


def test_module_and_status() -> None:
    assert in_shell("$S derive hubr").returncode == 2
    assert in_shell("$S derive mse --no-steps").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
def test_an_interrupt_ends_quietly() -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job behind '&' ignores it\n"
        "from symcalc import api, cli\n"
        "api.derive = lambda *_: (print('begun', flush=True), time.sleep(60))\n"
        "sys.argv = ['symcalc', 'derive', 'mse']\n"
        "cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == ""
