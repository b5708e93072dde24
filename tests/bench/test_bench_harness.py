"""The harness end to end at a tiny size: workers, failures, footnotes, the table's three forms."""

import base64
import dataclasses
import json
import pickle

import pytest

from symcalc.bench import Benchmark, Case, Peer, Row, benchmark
from symcalc.bench.measure import Measured
from symcalc.bench.peers import BOUND, FRESH, NOT_PEERS, OURS, PEERS
from symcalc.bench.process import AbsentError, WorkerError, WorkerProcess
from symcalc.bench.table import rows, seconds
from symcalc.notation import parse
from symcalc.notation.errors import ArgumentError, ArgumentTypeError, UnknownObjectiveError

BAD_PEERS = {
    "dies": "import os\ndef runner(*_): os.kill(os.getpid(), 9)",
    "raises": "def runner(*_): raise RuntimeError('out of luck\\nsecond line')",
    "later": (
        "import itertools, os, sys\nfrom symcalc.bench.peers import Runner\n"
        "print('noise on standard output')\n"
        "def end():\n"
        "    print('the last word', file=sys.stderr)\n"
        "    os._exit(3)\n"
        "def runner(*_):\n"
        "    calls = itertools.count()\n"
        "    return Runner(lambda: end() if next(calls) > 1 else print('more noise'))"
    ),
    "hangs": (
        "import itertools, time\nfrom symcalc.bench.peers import Runner\n"
        "def runner(*_):\n"
        "    calls = itertools.count()\n"
        "    return Runner(lambda: time.sleep(100 if next(calls) > 1 else 0))"
    ),
}
MISSING = Peer("missing", "nowhere", "a_package_that_is_not_there")


@pytest.fixture
def bad_peers(tmp_path, monkeypatch):
    for name, text in BAD_PEERS.items():
        (tmp_path / f"bench_peer_that_{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return {name: Peer(name, f"bench_peer_that_{name}", "numpy") for name in BAD_PEERS}


def request(peer, case):
    return {"do": "prepare", "module": peer.module, "package": peer.package,
            "variant": "", "threads": 1, "case": case.to_dict()}  # fmt: skip


def test_end_to_end_with_failing_peers(bad_peers):
    told = []
    result = benchmark(
        "huber", size=50, rounds=2, threads=1,
        peers=["numpy", bad_peers["dies"], bad_peers["later"]],
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    names = [row.name for row in result.rows]
    ours = [OURS.name, FRESH.name, BOUND.name]
    assert names == [*ours, "numpy", "dies", "later", "memory floor"]
    for name in (OURS.name, "numpy", "memory floor"):
        row = result.row(name)
        assert not row.note
        assert len(row.times) == 2
        assert row.median > 0
    assert result.row("dies").note == "failed: it died of SIGKILL"
    assert result.row("later").note == "failed: it ended with status 3: the last word"
    numpy = result.row("numpy")
    assert numpy.ratio_to_ours == numpy.median / result.row(OURS.name).median
    assert numpy.value_ulps < 10
    assert 0 < numpy.gradient_typical_ulps <= numpy.gradient_ulps < 1e5
    assert result.bytes_moved == 1200
    assert result.best_peer.name == "numpy"
    steps = {step[2] for step in told}
    assert len(steps) == 1
    assert [step[1] for step in told] == list(range(steps.pop() + 1))
    assert "failed: it died of SIGKILL" in result.to_markdown()
    assert "failed: it died" in str(result)
    assert Benchmark.from_json(result.to_json()) == result


def test_a_formula_is_measured_without_the_libraries():
    formula = parse("mean(i, softplus(z[i]) - y[i]*z[i])", wrt="z")
    result = benchmark(formula, size=20, rounds=1, threads=1, peers=["numpy"])
    assert {row.name for row in result.rows} == NOT_PEERS
    assert not result.row(OURS.name).note
    assert result.row(OURS.name).gradient_ulps < 1e6
    assert "left out: numpy (it knows the catalogue's objectives only)" in result.footnotes


def test_an_update_is_measured_as_a_step_in_place():
    result = benchmark("adam", size=1000, dtype="float32", rounds=2, threads=1)
    for name in (OURS.name, "memory floor"):
        assert len(result.row(name).times) == 2
    assert result.bytes_moved == 7 * 4000  # theta, gradient, m and v are read, three are written
    told = [note for note in result.footnotes if "torch" in note]
    fused = result.row("torch, fused")
    assert fused.median > 0 if fused else told


def test_an_update_without_a_gradient_has_no_peers():
    result = benchmark("q_learning_update", size=600, rounds=1, threads=1)
    assert [row.name for row in result.rows] == [OURS.name]
    assert "left out: memory floor (it knows updates by a gradient only)" in result.footnotes


def test_what_a_worker_answers(bad_peers):
    worker = WorkerProcess(1)
    case = Case("mse", (("n", 3),))
    try:
        with pytest.raises(WorkerError, match=r"^RuntimeError: out of luck$"):
            worker.ask(request(bad_peers["raises"], case), 120)
        with pytest.raises(AbsentError, match="a_package_that_is_not_there is not installed"):
            worker.ask(request(MISSING, case), 120)
        with pytest.raises(AbsentError, match="the NumPy peer has no unheard_of"):
            worker.ask(request(PEERS[0], case) | unheard_of(), 120)
        worker.ask(request(bad_peers["hangs"], case), 120)
        with pytest.raises(WorkerError, match=r"no answer within 0\.2 s"):
            worker.ask({"do": "calibrate", "seconds": 0.01}, 0.2)
        with pytest.raises(WorkerError, match="it died of SIGKILL"):
            worker.receive(20)
    finally:
        worker.close()


def unheard_of():
    """What is sent of an objective that stands in no catalogue."""
    objective = dataclasses.replace(parse("sum(i, x[i]**2)", wrt="x"), name="unheard_of")
    return {"objective": base64.b64encode(pickle.dumps(objective)).decode()}


def test_left_out_is_said_in_a_footnote(monkeypatch):
    from symcalc.bench import run

    found = [Measured(OURS, [1.0]), Measured(MISSING, absent="not installed")]
    monkeypatch.setattr(run, "measure", lambda *_, **__: (found, "no long double"))
    result = benchmark("mse", size=10)
    assert [row.name for row in result.rows] == [OURS.name]
    assert result.footnotes[:2] == (
        "left out: missing (not installed)", "no accuracy: no long double",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"rounds": 0}, ArgumentError, "rounds: expected a positive"),
        ({"threads": -2}, ArgumentError, "threads: expected a positive"),
        ({"peers": "numpy"}, ArgumentTypeError, "peers: expected a list"),
        ({"peers": ["numpi"]}, ArgumentError, "peers: expected names among numpy, torch"),
        ({"timeout": 0}, ArgumentError, "timeout: expected positive seconds"),
        ({"dtype": "int8"}, ArgumentError, "dtype"),
    ],
)
def test_bad_arguments(given, error, said):
    with pytest.raises(error, match=said):
        benchmark("huber", **given)


def test_unknown_name():
    with pytest.raises(UnknownObjectiveError, match="did you mean 'huber'"):
        benchmark("hubert")


def example():
    made = (
        Row("symcalc", 0.002, 0.1, 1.0, 1.5, 0.3, 400.0, 0.5, 1.25, (0.002, 0.003)),
        Row("numpy", 0.02, 0.1, 10.0, 15.0, float("inf"), 1e6, 0.5),
        Row("torch", 0.01, None, 5.0, 7.5),
        Row("jax", note="failed: a | b"),
        Row("memory floor", 0.001, 0.0, 0.5, 1.0),
    )
    case = Case("huber", (("n", 10),), "float32", 3)
    return Benchmark(case, made, 2, 7, 120, ("left out: x (y)",), {"processor": "p"})


def test_json_round_trip():
    assert Benchmark.from_json(example().to_json()) == example()
    assert json.loads(example().to_json())["rows"][1]["value_ulps"] == "inf"


def test_markdown():
    lines = example().to_markdown().splitlines()
    assert lines[0] == (
        "**huber, n = 10, float32: value and gradient, 2 threads, 120 bytes to move**"
    )
    assert "| symcalc | 2.00 ms | 10% | 1.00x | 1.50x | 0.30 | 400 | 0.50 |" in lines
    assert "| numpy | 20.0 ms | 10% | 10.00x | 15.00x | inf | 1.0e+06 | 0.50 |" in lines
    assert r"| jax | failed: a \| b |  |  |  |  |  |  |" in lines
    assert lines[-1] == "- left out: x (y)"


def test_best_peer_is_the_fastest_that_ran():
    assert example().best_peer.name == "torch"


def test_rows_put_ours_first_then_the_fastest():
    measured = [
        Measured(OURS, [3.0]),
        *(Measured(p, [t]) for p, t in zip(PEERS[:2], (9.0, 4.0), strict=True)),
    ]
    measured[2].times = [4.0, 5.0, 100.0]
    found = rows(measured)
    assert [row.name for row in found] == ["symcalc", "torch", "numpy"]
    assert found[1].median == 5.0
    assert found[1].ratio_to_ours == pytest.approx(5 / 3)
    assert found[1].spread == pytest.approx((52.5 - 4.5) / 5)
    assert found[1].ratio_to_floor is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12.34, "12.3 s"), (0.0123, "12.3 ms"), (1.5e-6, "1.50 µs"), (2e-8, "20.0 ns")],
)
def test_seconds(value, shown):
    assert seconds(value) == shown
