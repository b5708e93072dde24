"""The committed book is what the code writes."""

import difflib
from pathlib import Path

import pytest

from symcalc import api
from symcalc.catalogue import catalogue, get
from symcalc.report import html, markdown
from symcalc.report.assemble import book_member
from symcalc.report.blocks import Page
from symcalc.report.book import COMMAND, Member, index, reading, write_book
from symcalc.report.symbols import title

BOOK = Path(__file__).parents[2] / "derivations"


def hold(made, committed):
    """Compare a folder of pages with the committed book, and show where they differ."""
    if not (committed / "index.html").exists():
        pytest.fail(f"no book is committed; write it with: {COMMAND}")
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
    names = list(catalogue())
    made = [stub(get(each)) for each in names]
    made[names.index(name)] = book_member(get(name))
    list(write_book(made, names, tmp_path))  # so that its neighbours are linked
    for path in tmp_path.iterdir():
        if path.name.partition(".")[0].partition("-")[0] != name:
            path.unlink()
    hold(tmp_path, BOOK)


def stub(objective):
    page = Page(objective.name, title(objective.name), objective.summary, "", ())
    return Member(page, objective.family, "diagonal", 0, 1, ("convex",))


@pytest.mark.slow
def test_the_whole_book_is_what_the_code_writes(tmp_path):
    paths = list(api.book(catalogue().values(), tmp_path, processes=2))
    assert len(paths) == 2 * (len(catalogue()) + 2)
    hold(tmp_path, BOOK)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert max(sizes.values()) < 600_000
    assert sum(sizes.values()) < 15_000_000


def test_processes_write_the_same_bytes(tmp_path):
    chosen = [get("mse"), get("hinge")]
    for processes, folder in ((1, "alone"), (2, "together")):
        list(api.book(chosen, tmp_path / folder, processes=processes))
    alone, together = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("alone", "together")
    )
    assert alone == together
    assert {"mse.html", "hinge.md", "README.md", "index.html", "reading.html"} <= set(alone)


def test_a_stale_book_is_told_with_a_diff_and_the_command(tmp_path):
    made, committed = tmp_path / "made", tmp_path / "committed"
    made.mkdir()
    committed.mkdir()
    (committed / "index.html").touch()
    (made / "x.md").write_text("new\n")
    (committed / "x.md").write_text("old\n")
    with pytest.raises(pytest.fail.Exception, match=f"(?s){COMMAND}.*-old.*\\+new"):
        hold(made, committed)


def test_the_index_links_to_each_page_in_both_formats():
    page = index([stub(get(name)) for name in ("huber", "dense")])
    assert [s.title for s in page.sections][1:3] == ["Regression", "Layers"]
    assert '<a href="huber.html">Huber</a>' in html.render(page)
    assert "[Dense](dense.md)" in markdown.render(page)
    assert "convex" in markdown.render(page)


def test_the_search_appears_where_scripts_run_alone():
    page = index([stub(get("huber"))])
    text = html.render(page)
    assert 'id="search-line" hidden' in text
    assert text.count("<script>") == 1
    assert "earch" not in markdown.render(page)


def test_pages_are_linked_to_the_index_and_to_their_neighbours(tmp_path):
    names = ["mse", "mae", "huber"]
    list(write_book([stub(get(name)) for name in names], names, tmp_path))
    middle = (tmp_path / "mae.html").read_text("utf-8")
    for page in ("index", "reading", "mse", "huber"):
        assert f'href="{page}.html"' in middle
    assert "(README.md)" in (tmp_path / "mae.md").read_text("utf-8")
    assert 'href="mae.html"' in (tmp_path / "mse.html").read_text("utf-8")


def test_a_member_says_what_was_established():
    found = book_member(get("mse"))
    assert found.family == "regression"
    assert found.hessian == "diagonal"
    assert "convex" in found.facts


def test_the_page_on_reading_stands_alone():
    text = html.render(reading())
    assert "<script" not in text
    assert text.count("<math") > 8
