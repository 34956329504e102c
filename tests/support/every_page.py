"""The addresses of all pages, with something on each of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest
from support import second_person
from support.adapter import Adapter, Treasury
from support.api import our_app
from support.failed import mend, original, paid_and_failed, wage_bill

NO_PAGES = (".csv", ".xlsx", ".pdf", "/run", "/openapi.json")
"""Ends of the paths that give files or data."""


@pytest.fixture
def addresses(adapter: Adapter, treasury: Treasury, airflow_app: Any) -> list[str]:
    """Every page, with something on it: each route that gives one, and those that need to be told of what."""
    from ifms.errors import SweepError

    paid_and_failed(adapter, 3, 2)
    mend(adapter)
    paid = original(adapter)["pi_number"]
    wage_bill(adapter, 2)
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    with suppress(SweepError):
        adapter.run("PI")
    treasury.rule("PIS", "error", errorMsg="Documents are awaited from the SSU")
    with suppress(SweepError):
        adapter.run("PI")
    treasury.clear()
    _doubts(adapter)
    [row] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction WHERE status = 'PENDING'")
    pending = row["pi_number"]
    proposed = _proposed(adapter, pending)
    paid, pending = quote(paid, safe=""), quote(pending, safe="")
    plain = [path for path in routes(airflow_app) if "{" not in path and not path.endswith(NO_PAGES)]
    return [
        *plain,
        "/ifms/instructions?tab=open&number=PI-",
        "/ifms/instructions?tab=open&number=nobody",
        "/ifms/instructions?tab=open&created_from=tomorrow",
        f"/ifms/instruction?number={paid}",
        f"/ifms/instruction?number={pending}",
        "/ifms/instruction?number=nobody",
        *(f"/ifms/confirm?action={action}&number={paid}" for action in ("revise", "refresh")),
        f"/ifms/confirm?action=resubmit&number={pending}",
        f"/ifms/settle?number={pending}",
        f"/ifms/cancel?number={pending}",
        f"/ifms/proposal?id={proposed}",
        "/ifms/register?year=1999-00",
        "/ifms/failures?settled=true",
    ]


def _doubts(adapter: Adapter) -> None:
    """Another transfer of who has failed, open and settled, and a reported failure that matches nothing."""
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, settled_at, settled_by, settled_reason, has_paid)"
            " SELECT id, utr, settled, CASE WHEN settled IS NOT NULL THEN 'A. Sample' END,"
            " CASE WHEN settled IS NOT NULL THEN 'asked by phone' END, CASE WHEN settled IS NOT NULL THEN false END"
            " FROM ifms.failed_beneficiary, (VALUES ('UTR-OPEN', NULL), ('UTR-SETTLED', now())) AS told (utr, settled)"
        )
        connection.execute(
            "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched)"
            " VALUES ('PI-XX/1', 'BN-XX/1', '2026-06-01', 'no payment instruction has this number')"
        )


def _proposed(adapter: Adapter, pi_number: str) -> UUID:
    """A proposal to settle this PI, which waits for an answer."""
    from ifms.ledger.database import Database
    from ifms.services import proposals

    second_person.needed(adapter.dsn)
    given = {"tenant_id": "od.samplea", "reason": "asked by phone", "person": "A. Sample"}
    wanted = {"verdict": "not at the treasury"}
    with Database(lambda: psycopg.connect(adapter.dsn)) as db:
        return db.transact(lambda c: proposals.propose(c, proposals.Act.SETTLE, pi_number, wanted, **given)).id


def routes(airflow_app: Any) -> list[str]:
    """The paths of our pages, as the app has them."""
    return sorted(
        {
            f"/ifms{route.path}"
            for route in our_app(airflow_app).routes
            if "GET" in (getattr(route, "methods", None) or ()) and getattr(route, "include_in_schema", True) is False
        }
    )
