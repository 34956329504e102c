"""What reading a month costs: all that was paid in it, as the data team's hook gives it, in a process of its own.

The ledger is the one that `bench.reading` fills: a month is one of 36. Time is wall clock, memory the process's peak,
Airflow and pandas in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from ifms_standalone.errors import StandaloneError
from ifms_standalone.settings import REPOSITORY

SECONDS_LIMIT, BYTES_LIMIT = 60.0, 300 * 2**20
WAYS = ("beneficiary_payments_by_batches", "beneficiary_payments_by_chunks")
"""Arrow's record batches, and pandas' frames."""


@dataclass(frozen=True)
class Month:
    """The month that begins on `day`: its rows and rupees, and what reading it by one of WAYS took: seconds, bytes."""

    way: str
    day: str
    rows: int
    rupees: str
    seconds: float
    cpu_seconds: float
    """Of the reading process alone, without the database."""
    peak_bytes: int

    @property
    def kept(self) -> bool:
        """Whether it took no more than a minute, and memory that has nothing to do with its rows."""
        return self.seconds <= SECONDS_LIMIT and self.peak_bytes <= BYTES_LIMIT


def measure(dsn: str, console: Console) -> list[Month]:
    """Read a month in the middle by each way. Raises StandaloneError when that fails, or a sum is not the ledger's."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            SELECT m.day, sum(b.amount) FROM ifms.beneficiary b,
                (SELECT date_trunc('month', now() - interval '18 months')::date AS day) m
            WHERE b.voucher_date >= m.day AND b.voucher_date < m.day + interval '1 month' GROUP BY 1
            """
        ).fetchone()
    if row is None:
        raise StandaloneError("Reading a month can't be measured: it has no rows.")
    return [_apart(dsn, way, row[0], row[1], console) for way in WAYS]


def _apart(dsn: str, way: str, day: date, rupees: Decimal, console: Console) -> Month:
    with console.status(f"a month: {way}"):
        # The order goes through stdin: it holds a password, which the list of processes would show.
        done = subprocess.run(
            [sys.executable, "-m", "bench.frames"],
            input=json.dumps({"dsn": dsn, "way": way, "day": day.isoformat()}),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StandaloneError(f"{way} of a month failed: {lines[-1]}.")
    month = Month(**json.loads(done.stdout.splitlines()[-1]))
    if Decimal(month.rupees) != rupees:
        raise StandaloneError(f"{way} of a month hold {month.rupees} rupees, the ledger {rupees}.")
    return month


def table(months: list[Month], beneficiaries: int) -> Table:
    """Each way as a row."""
    made = Table(title=f"LedgerHook: what was paid in a month, among {beneficiaries:,} beneficiaries")
    made.add_column("by")
    for heading in ("month of", "rows", "time", "of it CPU", "allowed", "peak memory", "allowed"):
        made.add_column(heading, justify="right")
    made.add_column("")
    for month in months:
        made.add_row(
            month.way,
            month.day,
            f"{month.rows:,}",
            f"{month.seconds:.1f} s",
            f"{month.cpu_seconds:.1f} s",
            f"{SECONDS_LIMIT:.0f} s",
            f"{month.peak_bytes / 2**20:.1f} MB",
            f"{BYTES_LIMIT / 2**20:.0f} MB",
            "[green]ok[/]" if month.kept else "[red]over[/]",
        )
    return made


def read_one(dsn: str, way: str, day: date) -> Month:
    """Read the month that begins on `day` in this process, and say what it took."""
    os.environ["AIRFLOW_CONN_IFMS_DB"] = dsn.replace("postgresql://", "postgres://", 1)
    from bench.reporting import own_peak
    from ifms_airflow.hooks import LedgerHook

    until = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    rows, rupees = 0, Decimal(0)
    started, cpu = time.perf_counter(), time.process_time()
    for part in getattr(LedgerHook(), way)(voucher_from=day, voucher_until=until):
        rows += len(part)
        rupees += _sum(part["amount"])
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return Month(way, day.isoformat(), rows, str(rupees), seconds, cpu_seconds, own_peak())


def _sum(amounts: Any) -> Decimal:  # noqa: ANN401  (a column of pandas or of Arrow)
    found = amounts.sum()
    return Decimal(found.as_py() if hasattr(found, "as_py") else found)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(asdict(read_one(given["dsn"], given["way"], date.fromisoformat(given["day"]))), sys.stdout)
