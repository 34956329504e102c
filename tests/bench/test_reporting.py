"""What a report may take, and that it is measured in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def test_time_and_memory_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench.reporting import BYTES_LIMIT, FORMATS, REPORTS, SECONDS_LIMIT, Cost, table

    from ifms.reports import catalogue

    within = Cost("sample", "csv", 7, SECONDS_LIMIT, 1.0, BYTES_LIMIT, 3)
    assert within.kept
    assert not Cost("sample", "csv", 7, SECONDS_LIMIT + 1, 1.0, BYTES_LIMIT, 3).kept
    assert not Cost("sample", "csv", 7, SECONDS_LIMIT, 1.0, BYTES_LIMIT + 1, 3).kept
    assert table([within], 7).row_count == 1
    assert (tuple(catalogue.REPORTS), set(catalogue.FORMATS)) == (REPORTS, set(FORMATS))
