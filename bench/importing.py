"""How long taking over from the Java adapter takes, and how much memory: its ten tables, filled, into an empty ledger.

Nearly all PIs are SUCCESSFUL, as in an adapter that has run for years; one of twenty is INITIATED, APPROVED, IN PROCESS
and PARTIAL each. The import runs in a process of its own, as `ifms import-java` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from bench.harness import Harness
from bench.reporting import own_peak
from ifms_standalone.errors import StandaloneError
from ifms_standalone.settings import REPOSITORY

CITIES, SANCTIONS = 30, 240  # eight heads of account and years of each city
PER_PI = 3  # beneficiaries
LIMIT = 60.0  # seconds for 20,000 PIs
PIS = 20_000
BYTES_LIMIT = 200 * 2**20

_STATUS = """CASE n %% 20 WHEN 0 THEN 'INITIATED' WHEN 1 THEN 'APPROVED' WHEN 2 THEN 'IN PROCESS' WHEN 3 THEN 'PARTIAL'
    ELSE 'SUCCESSFUL' END"""
_PAID = "n %% 20 > 2"
# All of the last hours: what has waited for long would be named among what to look at.
_PIS = f"""
    SELECT n, 'pi-' || n AS id, 'od.city' || n %% %(cities)s AS tenantid, 's-' || n %% %(sanctions)s AS sanctionid,
           'EP/' || n AS payment, {_STATUS} AS status,
           %(now)s - 72000000 + (n * 57600000::bigint) / %(pis)s AS at, 100.00 * %(per_pi)s AS net
    FROM generate_series(1, %(pis)s) n
"""
_PEOPLE = f"""
    SELECT p.*, k, p.id || '-' || k AS person, {_PAID} AS paid, p.status = 'PARTIAL' AND k = 1 AS failed
    FROM ({_PIS}) p, generate_series(1, %(per_pi)s) k
"""
# Columns that an import does not read are left out; those that it does have the Java adapter's names.
_SOURCE = {
    "jit_sanction_details": """
        SELECT 's-' || c AS id, 'od.city' || c %% %(cities)s AS tenantid,
            'hoa' || c / %(cities)s AS hoacode, 'ddo' || c %% %(cities)s AS ddocode, 'm-' || c AS
            masterallotmentid, 1000000000.00 AS sanctionedamount, '2022-23' AS financialyear,
            %(now)s - 172800000 AS createdtime, %(now)s - 172800000 AS lastmodifiedtime
        FROM generate_series(0, %(sanctions)s - 1) c
    """,
    "jit_funds_summary": f"""
        SELECT 'f-' || c AS id, 's-' || c AS sanctionid, 1000000000.00 AS allottedamount, 1000000000.00 - coalesce(
            (SELECT sum(net) FROM ({_PIS}) p WHERE p.sanctionid = 's-' || c), 0) AS availableamount
        FROM generate_series(0, %(sanctions)s - 1) c
    """,
    "jit_allotment_details": """
        SELECT 'a-' || c AS id, 's-' || c AS sanctionid, 1 AS allotmentserialno, 'ssu-' || c AS ssuallotmentid,
            1000000000.00 AS allotmentamount, 'Initial Allotment' AS allotmenttransactiontype,
            0.00 AS sanctionbalance, %(now)s - 172800000 AS allotmentdate,
            %(now)s - 172800000 AS createdtime
        FROM generate_series(0, %(sanctions)s - 1) c
    """,
    "jit_payment_inst_details": f"""
        SELECT id, tenantid, 'PI-' || n AS pinumber, '' AS parentpinumber, payment AS muktareferenceid,
            %(per_pi)s AS numbeneficiaries, net AS grossamount, net AS netamount, status AS pistatus,
            true AS isactive, '0' AS pisuccesscode, 'received' AS pisuccessdesc,
            CASE WHEN status <> 'INITIATED' THEN 'J' || n END AS piapprovedid,
            CASE WHEN status <> 'INITIATED' THEN '2023-04-01 10:00:00' END AS piapprovaldate,
            jsonb_build_object('billNumber', jsonb_build_array('WB/' || n)) AS additionaldetails,
            at AS createdtime, at + 7200000 AS lastmodifiedtime
        FROM ({_PIS}) p
    """,
    "jit_payment_advice_details": f"""
        SELECT 'd-' || n AS id, id AS piid, 'B' || n AS pabillrefnumber, '2023' AS pafinyear, 'A' || n AS paadviceid,
            '2023-04-02' AS paadvicedate, 'T' || n AS patokennumber, '2023-04-02' AS patokendate
        FROM ({_PIS}) p WHERE status NOT IN ('INITIATED', 'APPROVED')
    """,
    "jit_beneficiary_details": f"""
        SELECT person AS id, id AS piid, 'BEN-' || n || '-' || k AS beneficiarynumber, 'payee-' || n || '-' || k
            AS beneficiaryid, 'IND' AS beneficiarytype, 'account-' || k AS bankaccountid, 100.00 AS amount,
            CASE WHEN failed THEN 'Payment Failed' WHEN paid THEN 'Payment Successful'
                 WHEN status = 'IN PROCESS' THEN 'Payment In Process' ELSE 'Payment Initiated' END AS paymentstatus,
            CASE WHEN paid THEN 'V' || n END AS vouchernumber, CASE WHEN paid THEN at END AS voucherdate,
            CASE WHEN paid THEN 'U' || n || k END AS utrno, CASE WHEN paid THEN '2023-04-05' END AS utrdate,
            at AS createdtime, at + 7200000 AS lastmodifiedtime
        FROM ({_PEOPLE}) b
    """,
    "jit_beneficiary_lineitems": f"""
        SELECT 'l-' || person AS id, person AS beneficiaryid, 'line-' || person AS lineitemid FROM ({_PEOPLE}) b
    """,
    "jit_transaction_details": f"""
        SELECT 't-' || n AS id, tenantid, sanctionid, id AS paymentinstid, net AS transactionamount,
            'DEBIT' AS transactiontype, at AS createdtime
        FROM ({_PIS}) p
    """,
    "jit_executed_va_logs": """
        SELECT 'v-' || c AS id, 'od.city' || c AS tenantid, 'hoa0' AS hoacode, 'ddo' || c AS ddocode,
            'grantee' || c AS granteecode, %(now)s - 172800000 AS lastexecuted
        FROM generate_series(0, %(cities)s - 1) c
    """,
    "jit_pi_status_logs": f"""
        SELECT 'g-' || n || '-' || k AS id, id AS piid, service AS serviceid, 'STATUS_LOG_' || service || '_SUCCESS'
            AS status, at + k * 60000 AS createdtime
        FROM ({_PIS}) p, (VALUES (1, 'PI'), (2, 'PIS'), (3, 'PAG'), (4, 'PD')) s (k, service)
        WHERE k <= CASE status WHEN 'INITIATED' THEN 1 WHEN 'APPROVED' THEN 2 WHEN 'IN PROCESS' THEN 3 ELSE 4 END
    """,
}


@dataclass(frozen=True)
class Imported:
    """What an import took: rows that it kept, seconds, CPU of its own and of its session, and its peak of memory."""

    pis: int
    rows: int
    seconds: float
    cpu_seconds: float
    server_cpu_seconds: float
    peak_bytes: int

    @property
    def allowed(self) -> float:
        """Seconds that it may take."""
        return LIMIT * self.pis / PIS

    @property
    def kept(self) -> bool:
        """Whether it took no longer, and memory that has nothing to do with its rows."""
        return self.seconds <= self.allowed and self.peak_bytes <= BYTES_LIMIT


def measure(made: Harness, pis: int, console: Console) -> Imported:
    """Fill a Java adapter's database with so many PIs, and take it over. Raises StandaloneError."""
    made.server.create_database("java")
    with console.status(f"a Java adapter's {pis:,} PIs"):
        fill(made.server.dsn("java"), pis)
    made.new_ledger("taken_over")
    order = {"dsn": made.server.dsn("taken_over"), "from": made.server.dsn("java"), "pis": pis}
    with console.status(f"taking {pis:,} PIs over"):
        # The order goes through stdin: it holds a password, which the list of processes would show.
        done = subprocess.run(
            [sys.executable, "-m", "bench.importing"],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StandaloneError(f"The import failed: {lines[-1]}.")
    return Imported(**json.loads(done.stdout))


def fill(dsn: str, pis: int) -> None:
    """Make the Java adapter's tables in an empty database, with so many PIs."""
    values = {"pis": pis, "cities": CITIES, "sanctions": SANCTIONS, "per_pi": PER_PI, "now": int(time.time() * 1000)}
    with psycopg.connect(dsn) as source:
        for table, rows in _SOURCE.items():
            made_of = f"CREATE TABLE {table} AS {rows}"
            with psycopg.ClientCursor(source) as cursor:  # what defines a table takes no parameters
                cursor.execute(made_of.encode(), values)


def table(measured: Imported) -> Table:
    """The measurement against what is allowed."""
    made = Table(title=f"Taking over from the Java adapter: {measured.pis:,} PIs of {PER_PI} beneficiaries")
    for heading in ("rows", "time", "CPU here", "CPU of PostgreSQL", "allowed", "peak memory", "allowed", ""):
        made.add_column(heading, justify="right")
    made.add_row(
        f"{measured.rows:,}",
        f"{measured.seconds:.1f} s",
        f"{measured.cpu_seconds:.1f} s",
        f"{measured.server_cpu_seconds:.1f} s",
        f"{measured.allowed:.0f} s",
        f"{measured.peak_bytes / 2**20:.0f} MB",
        f"{BYTES_LIMIT / 2**20:.0f} MB",
        "[green]ok[/]" if measured.kept else "[red]over[/]",
    )
    return made


def take_over(dsn: str, from_dsn: str, pis: int) -> Imported:
    """Import in this process. Raises AssertionError when something was left out."""
    from ifms.importing.java import run
    from ifms.importing.source import Masters
    from ifms.ledger import session

    units = frozenset((f"od.city{c}", f"ddo{c}", f"ssu{c}", f"grantee{c}") for c in range(CITIES))
    began, cpu = time.perf_counter(), time.process_time()
    with session.connect(dsn, autocommit=True) as target, session.connect(from_dsn, autocommit=True) as source:
        report = run(
            target, source, Masters(units, frozenset((f"hoa{n}", "scheme") for n in range(SANCTIONS // CITIES)))
        )
        server_cpu = _cpu_of(target.info.backend_pid)
    assert report.misfits == [], report.misfits[:3]
    assert sum(report.states.values()) == pis, report.states
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return Imported(pis, report.changed, seconds, cpu_seconds, server_cpu, own_peak())


def _cpu_of(pid: int) -> float:
    """The CPU that another process of this machine has had, as Linux tells it."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")  # as a user, and in the kernel


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(asdict(take_over(given["dsn"], given["from"], given["pis"])), sys.stdout)
