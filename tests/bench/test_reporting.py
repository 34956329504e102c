"""What a report may take, and that it is measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def test_time_and_memory_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench.reporting import (
        BYTES_LIMIT,
        CITY_SECONDS,
        FORMATS,
        REGISTER_BYTES,
        REGISTER_SECONDS,
        REPORTS,
        SECONDS_LIMIT,
        Cost,
        table,
    )

    from ifms.reports import catalogue

    within = Cost("sample", "csv", 7, SECONDS_LIMIT, 1.0, BYTES_LIMIT, 3)
    assert within.kept
    assert not Cost("sample", "csv", 7, SECONDS_LIMIT + 1, 1.0, BYTES_LIMIT, 3).kept
    assert not Cost("sample", "csv", 7, SECONDS_LIMIT, 1.0, BYTES_LIMIT + 1, 3).kept
    assert table([within], 7).row_count == 1
    register = Cost("fund_register", "xlsx", 7, REGISTER_SECONDS, 1.0, REGISTER_BYTES, 3)
    assert register.kept
    assert replace(register, seconds=REGISTER_SECONDS + 1).missed == "time"
    assert replace(register, format="pdf", peak_bytes=REGISTER_BYTES + 1).missed == "memory"
    assert replace(register, format="csv", seconds=SECONDS_LIMIT).kept
    city = replace(register, format="pdf", seconds=CITY_SECONDS, city="od.city7")
    assert city.kept
    slow = replace(city, seconds=CITY_SECONDS + 1, peak_bytes=BYTES_LIMIT + 1)
    assert slow.missed == "time and memory"
    assert "over in time and memory" in next(iter(table([slow], 7).columns[-1].cells))
    assert (tuple(catalogue.REPORTS), set(catalogue.FORMATS)) == (REPORTS, set(FORMATS))


def test_memory_is_not_that_of_who_has_started_it():
    child = "from bench.reporting import own_peak; held = bytearray(80 * 2**20); print(own_peak())"
    parent = f"import subprocess, sys; held = bytearray(400 * 2**20); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    done = subprocess.run([sys.executable, "-c", parent], cwd=REPO, capture_output=True, text=True, check=True)
    assert 80 * 2**20 < int(done.stdout) < 300 * 2**20
