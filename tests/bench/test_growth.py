"""What counts as growth: the median ratio of turns for sweeps, seconds beside the largest ledger for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))


def test_each_turn_is_compared_with_the_empty_ledger_s_in_the_same_turn():
    from bench.growth import Flat

    # The second turn met a busy machine, the third a hiccup: neither makes growth, nor hides it.
    flat = Flat("sample", {0: (1.0, 5.0, 1.0), 100: (1.0, 1.0, 1.0), 1000: (1.05, 5.25, 9.0)})
    assert flat.ratio == pytest.approx(1.05)
    assert flat.kept
    assert not Flat("sample", {0: (1.0, 5.0, 1.0), 1000: (1.2, 5.6, 1.2)}).kept


def test_the_largest_ledger_s_median_counts_for_what_has_a_limit_in_seconds():
    from bench.growth import Bounded

    assert Bounded("a page", {0: (9.0,), 1000: (0.1, 0.1, 5.0)}, 0.1).kept
    assert not Bounded("a page", {0: (0.0,), 1000: (0.1, 0.11, 5.0)}, 0.1).kept


def test_a_row_has_the_numbers_of_all_ledgers():
    from bench.growth import Bounded, Flat, table

    made = table([Flat("made", {0: (1.0,), 1000: (1.5,)})], [Bounded("read", {0: (0.001,), 1000: (0.002,)}, 0.1)])
    assert [str(column.header) for column in made.columns[1:3]] == ["0", "1,000"]
    assert [list(column.cells) for column in made.columns[1:5]] == [
        ["1.00 s", "1.0 ms"],
        ["1.50 s", "2.0 ms"],
        ["1.50", ""],
        ["1.10", "100.0 ms"],
    ]


@pytest.mark.timeout(300)
def test_it_is_measured_alone_by_its_name(capsys: pytest.CaptureFixture[str]):
    from bench.__main__ import main

    assert main(["--quick", "--growth", "--pis", "1000"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for row in ("PI sweep, 16 PIs made: time", "PIS sweep, 16 PIs asked about: CPU", "a search: all", "reconcile"):
        assert sum(row in line and "│" in line for line in printed.out.splitlines()) == 1
    assert "search: a bill number" not in printed.out
    assert "Seconds: growth" in printed.out
    assert "missed: Growth" in printed.out or "All limits are kept." in printed.out
