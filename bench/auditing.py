"""How long it takes to verify the records' chains: each row of them read, hashed and compared with its link."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from rich.console import Console
from rich.table import Table

from ifms.ledger import session
from ifms.ledger.audit import find_changed
from ifms.ledger.database import Database

CITIES = 30
LIMIT = 60.0  # seconds for a million records
_MILLION = 1_000_000

# Half of the records are logs, three tenths calls with a reply of about a kilobyte, the rest what people did.
_FILL = (
    """
    INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status, message)
    SELECT 'od.city' || n %% %(cities)s, 'EP/' || n, 'PIS', 'STATUS_LOG_PIS_SUCCESS', 'a sample of what was heard'
    FROM generate_series(1, %(records)s * 5 / 10) n
    """,
    """
    INSERT INTO ifms.treasury_call (id, service_id, bill_number, request_sealed, enc_request, enc_response, status_code,
        outcome, duration_ms)
    SELECT gen_random_uuid(), 'PIS', 'PI-SA/' || n, sha256(n::text::bytea), repeat(md5(n::text), 8),
           repeat(md5(n::text), 32), 200, 'answered', 50
    FROM generate_series(1, %(records)s * 3 / 10) n
    """,
    """
    INSERT INTO ifms.person_action (tenant_id, person, action, subject)
    SELECT 'od.city' || n %% %(cities)s, 'sample-clerk', 'export', '{"path": "/ifms/register.csv"}'
    FROM generate_series(1, %(records)s * 2 / 10) n
    """,
)


@dataclass(frozen=True)
class Audited:
    """How many records were linked and verified, and how many seconds each took."""

    records: int
    linking: float
    verifying: float

    @property
    def allowed(self) -> float:
        """Seconds that verifying may take."""
        return LIMIT * self.records / _MILLION


def measure(dsn: str, records: int, console: Console) -> Audited:
    """Let the database write and link so many records, and verify them. Raises AssertionError if one is found wrong."""
    began = time.perf_counter()
    with console.status(f"linking {records:,} records"), psycopg.connect(dsn) as owner:
        for statement in _FILL:
            owner.execute(statement, {"records": records, "cities": CITIES})
            owner.commit()
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    linked = time.perf_counter()
    with console.status(f"verifying {records:,} records"), Database(lambda: session.connect(dsn)) as db:
        found = db.read_snapshot(find_changed)
    assert found == [], found
    return Audited(records, linked - began, time.perf_counter() - linked)


def table(measured: Audited) -> Table:
    """The measurement against what is allowed."""
    made = Table(title=f"The records' chains, {measured.records:,} records of {CITIES} cities")
    for heading in ("what", "seconds", "allowed", ""):
        made.add_column(heading, justify="left" if heading == "what" else "right")
    made.add_row("writing and linking", f"{measured.linking:.1f}", "", "")
    kept = measured.verifying <= measured.allowed
    made.add_row(
        "verifying", f"{measured.verifying:.1f}", f"{measured.allowed:.1f}", "[green]ok[/]" if kept else "[red]over[/]"
    )
    return made
