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


def test_no_table_is_read_from_its_beginning_for_each_row_of_another(
    monkeypatch: pytest.MonkeyPatch, empty_database, ledger_dsn
):
    """As in an import too large for the memory of a query, where PostgreSQL keeps no hash of a table that it asks."""
    monkeypatch.syspath_prepend(str(REPO))
    from bench import importing

    from ifms.importing import java

    reads: dict[str, int] = {}
    states = java._states

    def counted(connection):
        reads.update(
            connection.execute(
                "SELECT relname, (seq_tup_read / n_tup_ins)::int FROM pg_stat_xact_all_tables WHERE n_tup_ins > 200"
            ).fetchall()
        )
        return states(connection)

    monkeypatch.setattr(java, "_states", counted)
    cramped = {"work_mem": "64kB", "hash_mem_multiplier": "1", "enable_seqscan": "off"}
    options = "%20".join(f"-c%20{name}%3D{value}" for name, value in cramped.items())
    importing.fill(empty_database, 1000)
    importing.take_over(f"{ledger_dsn}?options={options}", empty_database, 1000)
    assert {"java_allotment", "java_pi", "java_beneficiary", "fit_beneficiary", "beneficiary"} <= reads.keys()
    assert {table: times for table, times in reads.items() if times > 200} == {}  # of 240 sanctions and 1,000 PIs
