"""Which limits a run says that it has missed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))


def test_each_row_over_its_limit_is_named_with_its_numbers():
    from bench.verdicts import missed

    made = Table("what", "time", "allowed", "", title="Sample")
    made.add_row("within", "1 s", "2 s", "[green]ok[/]")
    made.add_row("beyond", "3 s", "2 s", "[red]over[/]")
    made.add_row("by no index", "", "2 s", "[red]not so[/]")
    made.add_row("without a limit", "9 s", "", "")
    assert missed(made) == ["Sample: beyond (time 3 s, allowed 2 s)", "Sample: by no index (allowed 2 s)"]


def test_a_run_ends_with_what_it_missed_or_says_that_it_missed_nothing():
    from bench.verdicts import print_missed

    for lines, said in (([], "All limits are kept.\n"), (["one [1]", "two"], "missed: one [1]\nmissed: two\n")):
        file = io.StringIO()
        print_missed(Console(file=file, width=20), lines)
        assert file.getvalue() == said


def test_every_part_s_own_table_is_understood():
    from bench import auditing, growth, importing, plans, reading, reporting, startup, verdicts
    from bench.figures import Cpu, Figure, cpu_table, sweeps_table

    over = {
        "sweeps": sweeps_table([Figure("s", 100, 50, 16, (60.0,), 1.2)]),
        "cpu": cpu_table([Cpu("s", 1, (9.0, 9.0), (1.0, 1.0))]),
        "startup": startup.table(startup.Startup((), (startup.IDLE_LIMIT + 1,))),
        "import": importing.table(
            importing.Imported(importing.PIS, 9, importing.LIMIT + 1, 1.0, 1.0, importing.BYTES_LIMIT)
        ),
        "audit": auditing.table(auditing.Audited(1_000_000, 1.0, auditing.LIMIT + 1)),
        "plans": plans.table([plans.LookUp("x", ("one",), "Seq Scan on outbox", 0.0)], 7),
        "growth": growth.table([growth.Flat("x", {0: (1.0,), 9: (1.2,)})], []),
        "reading": reading.table([reading.Timing("x", (2.0,), 1.0)], 7),
        "reports": reporting.table([reporting.Cost("x", "csv", 7, reporting.SECONDS_LIMIT + 1, 1.0, 1, 3)], 7),
    }
    assert {name: len(verdicts.missed(table)) for name, table in over.items()} == dict.fromkeys(over, 1)
