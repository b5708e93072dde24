"""Summary, page and chart from results made by hand; the committed files are not stale."""

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from symcalc.bench import page, summary
from symcalc.bench.chart import chart
from symcalc.bench.findings import FINDINGS
from symcalc.bench.first_call import FirstCall
from symcalc.bench.inputs import Case
from symcalc.bench.results import GroupResults, Results
from symcalc.bench.suite import FULL, HUNDRED, LARGE, THOUSAND
from symcalc.bench.table import Benchmark, Row

MACHINE = {"processor": "a processor", "system": "Linux", "numpy": "2.4"}
DERIVATIONS = Path(__file__).parents[2] / "derivations"


def benchmark(name, n, times, ulps=None):
    """Rows with these medians; `ulps` gives the error of some."""
    rows = tuple(
        Row(
            who, median, 0.1, None, None, (ulps or {}).get(who, 0.5), 2.0,
            (ulps or {}).get(who, 0.5), None, (median,), value_typical_ulps=0.5,
        )
        if isinstance(median, float)
        else Row(who, note=median)
        for who, median in times.items()
    )  # fmt: skip
    case = Case(name, (("n", n),))
    return Benchmark(case, rows, 2, 5, 24 * n, ("left out: x (y)",), MACHINE)


def results(large=(), thousand=(), hundred=(), **other):
    groups = zip((LARGE, THOUSAND, HUNDRED), (large, thousand, hundred), strict=True)
    given = {
        "suite": "full", "first_calls": (), "threads": 2, "machine": MACHINE, "seconds": 600.0,
    }  # fmt: skip
    made = tuple(GroupResults(group.name, tuple(ones)) for group, ones in groups)
    return Results(groups=made, **(given | other))


BIG = 10_000_000
MSE = benchmark("mse", BIG, {
    "symcalc": 0.010, "symcalc, fresh arrays": 0.02, "numpy": 0.08, "torch": 0.04,
    "jax": "failed: out of luck", "memory floor": 0.008,
})  # fmt: skip
HUBER = benchmark("huber", BIG, {
    "symcalc": 0.010, "numpy": 0.01, "torch": 0.09, "memory floor": 0.005,
})  # fmt: skip
HINGE = benchmark("hinge", BIG, {
    "symcalc": 0.010, "numpy": 0.16, "torch": 0.161, "memory floor": 0.010,
})  # fmt: skip


def scores(**groups):
    return {score.what: score for score in summary.summarize(results(**groups))}


def test_the_large_rows_by_hand():
    found = scores(large=[MSE, HUBER, HINGE])
    mean = found["large rows: geometric mean of best peer / ours"]
    assert mean.figure == pytest.approx((4 * 1 * 16) ** (1 / 3))
    assert (mean.target, mean.sense, mean.rows, mean.verdict) == (3, "at least", 3, "met")
    least = found["large rows: least best peer / ours"]
    assert (least.figure, least.verdict) == (1.0, "missed")
    assert least.decides == "huber, n = 10000000, float64"
    floor = found["large rows: median of ours / memory floor"]
    assert (floor.figure, floor.target, floor.sense, floor.verdict) == (
        1.25, 1.5, "at most", "met",
    )  # fmt: skip


def test_a_missing_row_is_counted_and_nothing_is_met_without_it():
    failed = benchmark("mae", BIG, {"symcalc": "failed: x", "numpy": 1.0, "memory floor": 0.1})
    mean = scores(large=[MSE, failed])["large rows: geometric mean of best peer / ours"]
    assert mean.figure == pytest.approx(4)
    assert mean.missing == ("mae, n = 10000000, float64",)
    assert mean.verdict == "missed"


def test_the_small_rows_by_hand():
    rows = [
        benchmark("mse", 1000, {"symcalc": 2e-6, "symcalc, bound": 1e-6, "numpy": 8e-6,
                                "torch": 80e-6, "memory floor": 5e-7}),
        benchmark("huber", 1000, {"symcalc": 2e-6, "symcalc, bound": 1e-6, "numpy": 32e-6,
                                  "torch": 20e-6, "memory floor": 5e-7}),
    ]  # fmt: skip
    found = scores(thousand=rows)
    checked = found["n = 1000: numpy / symcalc"]
    assert (checked.figure, checked.target, checked.verdict) == (4.0, 5, "missed")
    assert checked.mean == pytest.approx(8)
    assert checked.decides == "mse, n = 1000, float64"
    bound = found["n = 1000: numpy / symcalc, bound"]
    assert (bound.figure, bound.verdict) == (8.0, "met")
    torch = found["n = 1000: torch / symcalc, bound"]
    assert torch.figure == pytest.approx(20)
    assert (torch.target, torch.verdict) == (15, "met")
    assert found["n = 1000: jax / symcalc"].verdict == "not measured"


def test_without_bound_calls_there_is_no_figure_of_them():
    found = scores(hundred=[benchmark("mse", 100, {"symcalc": 1e-6, "numpy": 9e-6})])
    assert found["n = 100: numpy / symcalc"].verdict == "met"
    assert "n = 100: numpy / symcalc, bound" not in found


def test_nothing_measured_is_no_error():
    found = scores()
    assert {score.verdict for score in found.values()} == {"not measured"}
    assert "## Summary" in page.page(results())
    ET.fromstring(chart(results()))


@pytest.mark.parametrize(
    ("error", "dtype", "sane"),
    [
        (0.5, "float64", True), (6.7e7, "float64", True), (6.8e7, "float64", False),
        (2800.0, "float32", True), (2900.0, "float32", False), (math.inf, "float64", False),
        (math.nan, "float64", False), (None, "float64", True),
    ],
)  # fmt: skip
def test_a_sane_result_keeps_half_its_digits(error, dtype, sane):
    assert Row("a", 1.0, gradient_typical_ulps=error).is_sane(dtype) is sane
    assert Row("a", 1.0, value_typical_ulps=error).is_sane(dtype) is sane


def test_an_insane_peer_is_named_and_is_not_the_best():
    wild = benchmark("mse", BIG, {"symcalc": 0.01, "numpy": 0.04, "torch": 0.001}, {"torch": 1e12})
    assert wild.best_peer.name == "numpy"
    assert [row.name for row in wild.insane] == ["torch"]
    assert "torch is no best peer, its error is 1.0e+12, 2.00, 1.0e+12 ulps" in page.page(
        results(large=[wild])
    )


def test_shortfalls_say_what_is_short():
    found = summary.shortfalls(results(large=[MSE, HUBER, HINGE]))
    assert found == {
        "huber, n = 10000000, float64": (
            "best peer / ours: 1.00, wanted at least 3", "ours / floor: 2.00, wanted at most 1.5",
        )
    }  # fmt: skip
    lonely = benchmark("mse", BIG, {"symcalc": 0.01, "memory floor": 0.01})
    assert summary.shortfalls(results(large=[lonely])) == {
        "mse, n = 10000000, float64": ("best peer / ours: no figure",)
    }


def made():
    call = FirstCall(Case("mse", (("n", 1000),)), "symcalc", 1.5, 0.5, 3e-6)
    failed = FirstCall(Case("mse", (("n", 1000),)), "jax", note="jax is not installed")
    small = benchmark("mse", 1000, {"symcalc": 2e-6, "numpy": 8e-6, "memory floor": 5e-7})
    return results(
        large=[MSE, HUBER], thousand=[small], first_calls=(call, failed), notes=("it was busy",)
    )


def test_the_page_shows_everything():
    text = page.page(made(), {"mse, n = 1000, float64": "Python's own call."})
    assert text.startswith("<!-- Made by `symcalc bench --all`")
    for line in (
        "| processor | a processor |",
        "| threads for each library | 2 |",
        "| versions | numpy 2.4 |",
        "It was busy.",
        "measured by `symcalc bench --all` in 10.0 minutes.",
        "| large rows: least best peer / ours | 1.00x | at least 1.5 | **missed** |  | 2 of 2 "
        "| huber, n = 10000000, float64 |",
        "![Ratios of every row, and the targets](benchmarks.svg)",
        "[accuracy.md](accuracy.md)",
        "| mse, n = 10000000, float64 | 240 MB | 10.0 ms | 8.00 ms | 1.25x | 4.00x torch | 8.00x "
        "| 4.00x | failed | 0.50, 2.00, 0.50 | 0.50, 2.00, 0.50 |",
        "| mse, n = 1000, float64 | symcalc | 1.50 s | 500 ms | 3.00 µs |",
        "| mse, n = 1000, float64 | jax | jax is not installed |  |  |",
        "- **huber, n = 10000000, float64** (best peer / ours: 1.00, wanted at least 3; ours / "
        "floor: 2.00, wanted at most 1.5): no finding is recorded for this row.",
        "- **mse, n = 1000, float64** (numpy / symcalc: 4.00, wanted at least 5): Python's own "
        "call.",
        "| symcalc, fresh arrays | 20.0 ms | 10% |  |  | 0.50 | 2.00 | 0.50 |",
        "- left out: x (y)",
    ):
        assert line in text, line
    assert "quick run" not in text


def test_a_quick_page_says_so():
    text = page.page(results(large=[MSE], suite="quick"))
    assert "Its figures say nothing." in text
    assert "`symcalc bench --all --quick`" in text


def test_the_chart_is_readable_and_always_the_same():
    text = chart(made())
    assert text == chart(Results.from_json(made().to_json()))
    root = ET.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    bars = [r for r in root.iter(f"{name}rect") if r.get("class") in ("good", "short")]
    assert [bar.get("class") for bar in bars] == ["good", "short", "good", "short", "short"]
    lengths = [float(bar.get("width")) for bar in bars]
    assert lengths[0] == pytest.approx(4 * lengths[1], abs=0.2)
    words = [t.text for t in root.iter(f"{name}text")]
    assert {"4.00x torch", "1.00x numpy", "1.25x", "mse, float64", "no figure"} <= set(words)
    assert "prefers-color-scheme: dark" in text


def test_the_three_files_and_making_them_anew(tmp_path, monkeypatch, capsys):
    written = page.write(made(), tmp_path / "new")
    assert [path.name for path in written] == ["benchmarks.json", "benchmarks.md", "benchmarks.svg"]
    before = [path.read_text("utf-8") for path in written]
    assert Results.from_json(before[0]) == made()
    written[1].write_text("stale")
    monkeypatch.setattr("sys.argv", ["page", str(tmp_path / "new")])
    page.main()
    assert [path.read_text("utf-8") for path in written] == before
    assert "benchmarks.md" in capsys.readouterr().out


def test_findings_are_of_the_suite():
    assert set(FINDINGS) <= {case.title for group in FULL.groups for case in group.cases}


@pytest.mark.skipif(not (DERIVATIONS / page.DATA).exists(), reason="no committed benchmarks")
def test_the_committed_page_is_not_stale():
    found = Results.from_json((DERIVATIONS / page.DATA).read_text("utf-8"))
    assert (DERIVATIONS / page.PAGE).read_text("utf-8") == page.page(found)
    assert (DERIVATIONS / page.CHART).read_text("utf-8") == chart(found)
    assert found.suite == "full"
    measured = [one.case for one in found.benchmarks]
    assert measured == [case for group in FULL.groups for case in group.cases]
