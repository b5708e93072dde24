"""The committed book is what the code writes."""

import difflib
from pathlib import Path

import pytest

from symcalc import api
from symcalc.calculus.derive import derive
from symcalc.catalogue import catalogue, get
from symcalc.report import html, markdown
from symcalc.report.blocks import Page
from symcalc.report.book import COMMAND, index, reading, write_book
from symcalc.report.symbols import title

BOOK = Path(__file__).parents[2] / "derivations"


def hold(made, committed):
    """Compare a folder of pages with the committed book, and show where they differ."""
    for path in sorted(made.iterdir()):
        there = committed / path.name
        old = there.read_text("utf-8") if there.exists() else ""
        new = path.read_text("utf-8")
        if old != new:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"committed {path.name}", "made now", n=1
            )
            shown = "\n".join(line[:200] for line in list(lines)[:40])
            pytest.fail(f"the book is stale; renew it with: {COMMAND}\n{shown}")


@pytest.mark.parametrize("name", ["huber", "layer_norm"])
def test_a_committed_page_is_what_the_code_writes(name, tmp_path):
    for path in api.book([get(name)], tmp_path):
        assert path.exists()
    for front in ("README.md", "index.html"):
        (tmp_path / front).unlink()
    hold(tmp_path, BOOK)


def stub(objective):
    page = Page(objective.name, title(objective.name), objective.summary, "", ())
    return objective, derive(objective), page


def test_the_committed_index_is_what_the_code_writes(tmp_path):
    list(write_book(catalogue().values(), stub, tmp_path))
    for name in catalogue():
        (tmp_path / f"{name}.md").unlink()
        (tmp_path / f"{name}.html").unlink()
    hold(tmp_path, BOOK)


@pytest.mark.slow
def test_the_whole_book_is_what_the_code_writes(tmp_path):
    assert len(list(api.book(catalogue().values(), tmp_path))) == 2 * (len(catalogue()) + 2)
    hold(tmp_path, BOOK)


def test_a_stale_book_is_told_with_a_diff_and_the_command(tmp_path):
    made, committed = tmp_path / "made", tmp_path / "committed"
    made.mkdir()
    committed.mkdir()
    (made / "x.md").write_text("new\n")
    (committed / "x.md").write_text("old\n")
    with pytest.raises(pytest.fail.Exception, match=f"(?s){COMMAND}.*-old.*\\+new"):
        hold(made, committed)


def test_the_index_links_to_each_page_in_both_formats():
    members = [stub(get(name)) for name in ("huber", "dense")]
    page = index(members)
    assert [s.title for s in page.sections][1:3] == ["Regression", "Layers"]
    assert '<a href="huber.html">Huber</a>' in html.render(page)
    assert "[Dense](dense.md)" in markdown.render(page)
    assert "as a product" in markdown.render(page)


def test_the_page_on_reading_stands_alone():
    text = html.render(reading())
    assert "<script" not in text
    assert text.count("<math") > 8
