"""Work in processes of their own comes back in order, and so do its errors."""

import pytest

import symcalc as sc
from symcalc import parallel

NAMES = list(sc.catalogue())[:9]


def test_the_answers_stand_in_the_order_of_the_questions():
    found = list(parallel.each(sc.get, NAMES))
    assert [objective.name for objective in found] == NAMES


def test_an_error_of_one_is_raised_in_its_turn():
    found = parallel.each(sc.get, ["huber", "nothing like it", *NAMES])
    assert next(found).name == "huber"
    with pytest.raises(sc.UnknownObjectiveError, match="nothing like it"):
        next(found)


def test_one_core_needs_no_processes(monkeypatch):
    monkeypatch.setenv("SYMCALC_THREADS", "1")
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", None)
    assert list(parallel.each(len, ["a", "bc"])) == [1, 2]
