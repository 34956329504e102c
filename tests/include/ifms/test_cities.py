"""Sets of cities: all is not the same as every one that is named, and none is not all."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from ifms.cities import Cities, label

TWO = Cities.of("od.samplea", "od.sampleb")


def test_what_is_in_them():
    assert "od.samplea" in TWO
    assert "od.samplec" not in TWO
    assert "od.heard-of-later" in Cities.ALL
    assert "od.samplea" not in Cities.NONE
    assert None not in TWO
    assert (bool(Cities.ALL), bool(TWO), bool(Cities.NONE)) == (True, True, False)
    assert (Cities.ALL.listed, TWO.listed, Cities.NONE.listed) == (None, ["od.samplea", "od.sampleb"], [])


def test_what_is_asked_for_narrows_and_never_widens():
    assert TWO.within(None) == TWO
    assert TWO.within("od.samplea") == Cities.of("od.samplea")
    assert TWO.within("od.samplec") == Cities.NONE
    assert Cities.ALL.within("od.samplec") == Cities.of("od.samplec")
    assert Cities.NONE.within(None) == Cities.NONE


def test_what_they_cover():
    assert TWO.cover(["od.samplea"])
    assert not TWO.cover(["od.samplea", "od.samplec"])
    assert not TWO.cover(None)
    assert Cities.ALL.cover(None)
    assert not Cities.NONE.cover(["od.samplea"])


def test_together():
    assert Cities.of("od.samplea") | Cities.of("od.sampleb") == TWO
    assert TWO | Cities.ALL == Cities.ALL
    assert Cities.ALL | Cities.NONE == Cities.ALL


def test_their_label():
    assert label(None) == "all"
    assert label(["od.samplea", "od.sampleb"]) == "od.samplea-od.sampleb"
    four = label(["od.samplea", "od.sampleb", "od.samplec", "od.sampled"])
    assert four.startswith("4-cities-")
    assert four != label(["od.samplea", "od.sampleb", "od.samplec", "od.samplee"])


OTHERWISE = {
    # By tenant and number, for the one caller that has looked at the tenant.
    "creation": {"payment", "originals", "revisions", "failed_outside"},
    # What its own run has told, for who may hear of that run.
    "health": {"problems_of_run"},
}


@pytest.mark.parametrize("module", ["creation", "funds", "health", "instruction", "search", "unknown_answers"])
def test_whatever_reads_for_a_page_is_told_the_cities(module: str):
    found = import_module(f"ifms.queries.{module}")
    reads = {
        name: inspect.signature(function).parameters
        for name, function in inspect.getmembers(found, inspect.isfunction)
        if function.__module__ == found.__name__ and not name.startswith("_")
    }
    reads = {name: given for name, given in reads.items() if "connection" in given}
    without = {name for name, given in reads.items() if "cities" not in given}
    assert without == OTHERWISE.get(module, set())
    for name in reads.keys() - without:
        assert reads[name]["cities"].default is inspect.Parameter.empty, name
        assert reads[name]["cities"].annotation == "Cities", name
