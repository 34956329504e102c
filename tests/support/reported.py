"""A ledger's life by the real services, with every report made after each step: what a report told then, it tells later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import failed
from support.adapter import Adapter, Treasury
from support.databases import as_worker
from support.simulators import both

from ifms import clock
from ifms.errors import NothingToReportError, SweepError
from ifms.ledger import session
from ifms.ledger.database import Database
from ifms.services.correction_order import Order

if TYPE_CHECKING:  # they import pandas, which takes as long as many a module's tests
    from ifms.reports.writer import Made


@dataclass
class Reported:
    """The ledger at the end of its life; `told`: after each step the instant, and the CSV of each report (None: empty)."""

    adapter: Adapter
    told: dict[str, tuple[datetime, dict[str, bytes | None]]] = field(default_factory=dict)

    def db(self) -> Database:
        """The ledger, as a task reads it."""
        return Database(lambda: session.connect(as_worker(self.adapter.dsn)))

    def make(self, name: str, folder: Path, *formats: str, as_of: datetime | None = None, **asked: Any) -> Made:
        """One report's files; CSV unless it is said."""
        from ifms.reports import writer
        from ifms.reports.catalogue import REPORTS, request

        report = REPORTS[name]
        with self.db() as db:
            return writer.make(db, report, request(report, as_of or clock.now(), **asked), formats or ("csv",), folder)

    def csv(self, name: str, folder: Path, **asked: Any) -> bytes | None:
        """One report as CSV; None when it is empty."""
        try:
            made = self.make(name, folder, **asked)
        except NothingToReportError:
            return None
        return made.files[0].read_bytes()

    def rows(self, name: str, **asked: Any) -> list[dict[str, Any]]:
        """One report's rows by the names of its columns."""
        from ifms.reports import writer
        from ifms.reports.catalogue import REPORTS, request

        report = REPORTS[name]
        with self.db() as db:
            chunks = db.read_snapshot(
                lambda c: list(writer.read(c, report, request(report, asked.pop("as_of", clock.now()), **asked)))
            )
        return [dict(zip(report.names, row, strict=True)) for rows in chunks for row in rows]

    def at(self, step: str) -> datetime:
        """The instant after a step."""
        return self.told[step][0]


@pytest.fixture(scope="session")
def reported(postgres: Any, ledger_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    """Paid, failed, corrected; rejected and paid anew; declined; pending, then settled; made once for all tests of reports."""
    from ifms.reports.catalogue import REPORTS

    folder = tmp_path_factory.mktemp("reported")
    postgres.create_database("reported", ledger_template)
    with both(folder, platform={"cities": 2, "bills_per_city": 0}) as simulators:
        simulators.ask_platform("POST", "settings", {"persist_ms": 0})
        made = Reported(Adapter(postgres.dsn("reported"), simulators))
        for step, work in _steps(made.adapter, Treasury(simulators)).items():
            work()
            at = clock.now()
            made.told[step] = at, {name: made.csv(name, folder, as_of=at) for name in REPORTS}
        yield made
    postgres.drop_database("reported")


def _steps(adapter: Adapter, treasury: Treasury) -> dict[str, Callable[[], None]]:
    def run(*services: str) -> None:
        for service in services:
            with suppress(SweepError):
                adapter.run(service)

    def bill(payees: int, tenant: str = failed.TENANT) -> None:
        failed.wage_bill(adapter, payees, tenant)
        run("PA", "PI")

    def last() -> str:
        rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC LIMIT 1")
        return str(rows[0]["pi_number"])

    def rejected() -> None:
        bill(1)
        treasury.rule("PIS", "reject", bill_number=last())
        run("PIS")
        treasury.clear()

    def declined() -> None:
        treasury.rule("PI", "error", errorMsgs=[{"errorCode": "340", "errorMsg": "=Sample error"}])
        bill(1)
        treasury.clear()

    def pending() -> None:
        treasury.rule("PI", "lost_reply")
        treasury.rule("PIS", "lost_reply")
        bill(2, "od.sampleb")
        treasury.clear()

    def revised() -> None:
        failed.mend(adapter)
        adapter.correct(Order(failed.TENANT, failed.original(adapter)["pi_number"]))

    def fails() -> None:
        failed.fail(adapter, 2)
        run("FD")

    return {
        "nothing": lambda: None,
        "allotted": lambda: run("VA"),
        "initiated": lambda: bill(3),
        "approved": lambda: run("PIS"),
        "paid": lambda: run("PAG", "PD"),
        "failed": fails,
        "revised": revised,
        "corrected": lambda: run("FTPS"),
        "rejected": rejected,
        "declined": declined,
        "pending": pending,
        "settled": lambda: run("PI"),
    }
