"""derivations/numerics.md: some of our own column, measured again."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOSSES = ("bce of sigmoid", "norm", "cross-entropy")


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield pytest.importorskip("numerics")
    for name in ("numerics", "numerics_peers"):
        sys.modules.pop(name, None)


def ours(page, case):
    """Return our cell of a case, in the table of all cases."""
    _, found = page.split("## Case by case")
    (line,) = {line for line in found.splitlines() if line.startswith(case.label)}
    return line[len(case.label) :].split(" | ")[0].strip()


@pytest.mark.parametrize("loss", LOSSES)
def test_our_column_is_what_a_fresh_run_gives(tool, loss):
    import numerics_peers

    page = tool.TARGET.read_text(encoding="utf-8")
    asked = tool.cases([loss], ["float64"])
    _, answers = numerics_peers.answers("ours", [(c.loss, c.dtype, c.point) for c in asked])
    for case, answer in zip(asked, answers, strict=True):
        fresh = tool.cell(tool.judged(case, answer, tool.truth(case)))
        stated = ours(page, case)
        assert (fresh == tool.RIGHT) == (stated == tool.RIGHT), (case, fresh, stated)


@pytest.mark.parametrize(
    ("came", "true", "said"),
    [
        (1.0, 1.0, "right"), (float("nan"), 1.0, "NaN"), (float("inf"), 1.0, "inf"),
        (float("inf"), "1e400", "right"), (1.0 + 2.0**-48, 1.0, "off by 1.6e+01 ulps"),
        (0.0, 2.0**-54, "off by 4.5e+15 ulps"),
    ],
)  # fmt: skip
def test_how_right_a_number_is(tool, came, true, said):
    assert tool.verdict([came], [tool.mpf(true)], "float64") == said
