"""What an import may take, and that the filled Java adapter fits into a ledger as a whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

REPO = Path(__file__).resolve().parents[2]


def test_time_and_memory_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench.importing import BYTES_LIMIT, LIMIT, PIS, Imported, table

    within = Imported(PIS // 2, 9, LIMIT / 2, 1.0, 1.0, BYTES_LIMIT)
    assert within.kept
    assert not Imported(PIS // 2, 9, LIMIT / 2 + 1, 1.0, 1.0, BYTES_LIMIT).kept
    assert not Imported(PIS, 9, LIMIT, 1.0, 1.0, BYTES_LIMIT + 1).kept
    assert table(within).row_count == 1


def test_all_that_is_filled_in_is_taken_over(monkeypatch: pytest.MonkeyPatch, postgres, ledger_template):
    monkeypatch.syspath_prepend(str(REPO))
    from bench import importing

    made = SimpleNamespace(server=postgres, new_ledger=lambda name: postgres.create_database(name, ledger_template))
    try:
        measured = importing.measure(made, 60, Console(quiet=True))
    finally:
        for name in ("taken_over", "java"):
            postgres.drop_database(name)
    # A PI with its beneficiaries and their lines, its advice, its transaction and its logs; each sanction three rows.
    logs, advices = 3 * (1 + 2 + 3 + 17 * 4), 3 * 18
    rows = 60 * (2 + 2 * importing.PER_PI) + advices + logs + 3 * importing.SANCTIONS + importing.CITIES
    assert (measured.pis, measured.rows) == (60, rows)
