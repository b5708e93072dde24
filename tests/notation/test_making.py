"""Compilation leaves the garbage collector as it found it."""

import gc

import pytest

import symcalc as sc
from symcalc.notation.making import collector_at_rest


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was(was_on):
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with collector_at_rest():
            assert not gc.isenabled()
        assert gc.isenabled() is was_on
        with pytest.raises(sc.UnknownObjectiveError):
            sc.compile("hubert")
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
