"""What was measured against its limit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(REPO))


def test_the_ratio_is_the_median_time_to_calls_times_latency_by_concurrency():
    from bench.figures import Figure

    figure = Figure("a sweep", calls=1000, latency_ms=50, concurrency=16, seconds=(9.0, 3.75, 3.5), allowed=1.2)
    assert figure.limit == 3.125
    assert figure.ratio == pytest.approx(1.2)
    assert figure.kept
    assert not Figure("a sweep", 1000, 50, 16, (3.76,), 1.2).kept


def test_cpu_is_within_what_is_allowed_here_and_in_postgresql():
    from bench.figures import Cpu

    assert Cpu("a sweep", 500, (4.5, 3.5), (4.5, 3.5)).kept
    assert not Cpu("a sweep", 500, (4.6, 3.5), (4.5, 3.5)).kept
    assert not Cpu("a sweep", 500, (4.5, 3.6), (4.5, 3.5)).kept


def test_memory_is_compared_by_its_peaks():
    from bench.figures import Growth

    assert Growth(500, 5000, 1000, 1200, 1.2).kept
    assert not Growth(500, 5000, 1000, 1201, 1.2).kept


def test_logging_and_shipping_are_compared_with_doing_without_and_with_the_helper_alone():
    from bench.figures import Logging, Shipping

    assert Logging(10, logged=(3.0, 9.0, 3.3), unlogged=(3.0, 2.0, 9.0), allowed=1.1).kept
    assert not Logging(10, (3.4,), (3.0,), 1.1).kept
    shipping = Shipping(1000, seconds=3.0, bulk_seconds=2.0, allowed=1.5)
    assert (shipping.kept, round(shipping.per_second), shipping.ratio) == (True, 333, 1.5)
    assert not Shipping(1000, 3.1, 2.0, 1.5).kept


def test_workers_are_held_against_all_of_them_side_by_side_and_against_the_treasury_s_own_limit():
    from bench.figures import Workers

    crew = Workers(4, calls=1000, latency_ms=200, concurrency=2, calls_per_second=None, seconds=(30.0,), allowed=1.2)
    assert (crew.limit, crew.ratio, crew.kept) == (25.0, 1.2, True)
    assert not Workers(4, 1000, 200, 2, None, (30.1,), 1.2).kept
    assert Workers(4, 1000, 200, 2, 20.0, (55.0,), 1.2).limit == 50.0
    assert Workers(4, 1000, 200, 2, 100.0, (55.0,), 1.2).limit == 25.0


@pytest.mark.timeout(600)
def test_it_measures_every_figure_and_leaves_nothing_behind(capsys):
    from bench.__main__ import main

    before = set((REPO / ".run").glob("bench-*"))
    assert main(["--quick"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = [line for line in printed.out.splitlines() if not line.startswith("missed: ")]
    for row in (
        "PI creation, 200 ms, 32",
        "PI creation, 50 ms, 16",
        "PAG sweep, 50 ms, 16",
        "PD sweep, 50 ms, 16",
        "CPU per PI",
        "PIS sweep, 50 ms, 16",
        "PIS sweep, 200 ms, 32",
        "Workers are not measured: --workers measures them alone.",
        "memory of a PIS sweep",
        "with the log",
        "Growth: the same work beside so many closed PIs",
        "search: a bill number",
        "one PI's page",
        "the register of one financial year",
    ):
        assert sum(row in line for line in lines) == 1
    assert f"Python {sys.version.split()[0]}" in printed.out
    assert set((REPO / ".run").glob("bench-*")) <= before
