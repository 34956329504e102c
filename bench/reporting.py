"""What reports cost: each one over all that a ledger of a million payment instructions holds, in a process of its own.

The ledger is the one that `bench.reading` fills; what only reports look at is added here: payments, bills, and the
changes of status that the log tells of (no debit scrolls: that they are missing costs the same). Time is wall clock,
memory the process's peak.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from ifms_standalone.errors import StandaloneError
from ifms_standalone.settings import REPOSITORY, Folder

REPORTS = (
    "fund_register",
    "payment_ageing",
    "failure_reasons",
    "reconciliation",
    "response_times",
    "amounts_transferred",
    "bank_transfers",
    "project_payments",
    "payments_by_group",
)
FORMATS = ("csv", "xlsx", "pdf")
SECONDS_LIMIT, BYTES_LIMIT = 300.0, 400 * 2**20
REGISTER, REGISTER_SECONDS, REGISTER_BYTES = "fund_register", 10.0, 200 * 2**20
CITY, CITY_SECONDS = "od.city7", 3.0
"""Whose register somebody waits for at the page, of one financial year, as a PDF."""


@dataclass(frozen=True)
class Cost:
    """One report in one format: its rows, and what it took in seconds, bytes at the peak, and bytes of the file."""

    report: str
    format: str
    rows: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    file_bytes: int
    city: str | None = None
    """Of this city alone, and of one financial year."""

    @property
    def seconds_allowed(self) -> float:
        """A few minutes; of the register what somebody waits for."""
        if self.city:
            return CITY_SECONDS
        return REGISTER_SECONDS if self._on_paper else SECONDS_LIMIT

    @property
    def bytes_allowed(self) -> int:
        """Memory that has nothing to do with the number of rows."""
        return REGISTER_BYTES if self._on_paper and not self.city else BYTES_LIMIT

    @property
    def missed(self) -> str:
        """Which limit it has missed, in words; empty for none."""
        over = {"time": self.seconds > self.seconds_allowed, "memory": self.peak_bytes > self.bytes_allowed}
        return " and ".join(name for name, is_over in over.items() if is_over)

    @property
    def kept(self) -> bool:
        """Whether it took no more than it may."""
        return not self.missed

    @property
    def _on_paper(self) -> bool:
        return self.report == REGISTER and self.format in ("pdf", "xlsx")


def measure(dsn: str, console: Console) -> list[Cost]:
    """Add to the ledger of `dsn` what reports look at, and make each. Raises StandaloneError when one fails."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for step, statement in _STEPS.items():
            with console.status(f"for the reports: {step}"):
                connection.execute(statement.encode())
    costs = []
    for report in REPORTS:
        for name in FORMATS:
            with console.status(f"{report} as {name}"):
                cost = _in_a_process(dsn, report, name)
            console.print(f"{report} as {name}: {cost.seconds:.1f} s", style="dim", highlight=False)
            costs.append(cost)
    with console.status(f"{REGISTER} of {CITY} as pdf"):
        costs.append(_in_a_process(dsn, REGISTER, "pdf", CITY))
    return costs


def table(costs: list[Cost], instructions: int) -> Table:
    """All of it, one row each."""
    made = Table(title=f"Reports of all that a ledger of {instructions:,} PIs holds, each in a process of its own")
    made.add_column("report")
    made.add_column("format")
    for heading in ("rows", "time", "of it CPU", "allowed", "peak memory", "allowed", "file"):
        made.add_column(heading, justify="right")
    made.add_column("")
    for each in costs:
        made.add_row(
            f"{each.report} of {each.city}, one year" if each.city else each.report,
            each.format,
            f"{each.rows:,}",
            f"{each.seconds:.1f} s",
            f"{each.cpu_seconds:.1f} s",
            f"{each.seconds_allowed:.0f} s",
            _megabytes(each.peak_bytes),
            _megabytes(each.bytes_allowed),
            _megabytes(each.file_bytes),
            "[green]ok[/]" if each.kept else f"[red]over in {each.missed}[/]",
        )
    return made


def _in_a_process(dsn: str, report: str, name: str, city: str | None = None) -> Cost:
    order = json.dumps({"dsn": dsn, "report": report, "format": name, "city": city})
    done = subprocess.run(  # the order goes through stdin: it holds a password, which the list of processes would show
        [sys.executable, "-m", "bench.reporting"],
        input=order,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StandaloneError(f"The report {report} as {name} failed: {lines[-1]}.")
    return Cost(**json.loads(done.stdout))


def make_one(dsn: str, report: str, name: str, city: str | None = None) -> Cost:
    """Make one report in this process, and say what it took; of a city that of the last whole financial year."""
    from ifms import clock
    from ifms.ledger import session
    from ifms.ledger.database import Database
    from ifms.reports.catalogue import REPORTS as KNOWN
    from ifms.reports.catalogue import request
    from ifms.reports.writer import make

    started, cpu = time.perf_counter(), time.process_time()
    with (
        tempfile.TemporaryDirectory(prefix="bench-report-", dir=Folder().root) as folder,
        Database(lambda: session.connect(dsn)) as db,
    ):
        tenants = [city] if city else None
        asked = request(KNOWN[report], clock.now(), period=_last_year() if city else "all", tenants=tenants)
        made = make(db, KNOWN[report], asked, (name,), Path(folder))
        size = made.files[0].stat().st_size
    return Cost(
        report, name, made.rows, time.perf_counter() - started, time.process_time() - cpu, own_peak(), size, city
    )


def _last_year() -> str:
    from ifms import clock

    return clock.financial_year_label(clock.financial_year(clock.now()) - 1)


def own_peak() -> int:
    """The most memory that this process has had, in bytes; what Linux tells of it as its own.

    getrusage would not do: what a process is born with there is its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


# Each PI's changes of status with their times, beside the two rows that reading needs; of a thousand twelve wait.
_STEPS = {
    "no triggers": "SET session_replication_role = replica",
    "changes of status": """
        INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
            to_status, created_at)
        SELECT p.id, p.tenant_id, p.payment_number, told.service, 'STATUS_LOG_' || told.service || '_SUCCESS',
               told.from_status, told.to_status, p.created_at + told.place * interval '1 minute'
        FROM ifms.payment_instruction p
        CROSS JOIN (VALUES (1, 'PI', 'PENDING', 'INITIATED'), (2, 'PIS', 'INITIATED', 'APPROVED'),
                           (3, 'PAG', 'APPROVED', 'IN PROCESS'), (4, 'PD', 'IN PROCESS', 'SUCCESSFUL'))
            AS told (place, service, from_status, to_status)
        WHERE told.place <= CASE WHEN p.status = 'INITIATED' OR p.pi_type = 'REVISED' THEN 1
                                 WHEN p.status = 'APPROVED' THEN 2 ELSE 4 END
    """,
    "failures": """
        INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
            to_status, created_at)
        SELECT p.id, p.tenant_id, p.payment_number, 'FD', 'STATUS_LOG_FD_SUCCESS', 'SUCCESSFUL', 'PARTIAL',
               p.created_at + interval '1 hour'
        FROM ifms.payment_instruction p WHERE p.status = 'PARTIAL'
    """,
    "bills": """
        INSERT INTO ifms.bill (tenant_id, bill_id, payment_number, asked_at)
        SELECT tenant_id, additional_details -> 'billNumber' ->> 0, payment_number, created_at
        FROM ifms.payment_instruction
    """,
    "statistics": "VACUUM ANALYZE ifms.status_log, ifms.payment, ifms.bill",
    "triggers again": "SET session_replication_role = origin",
}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(asdict(make_one(given["dsn"], given["report"], given["format"], given["city"])), sys.stdout)
