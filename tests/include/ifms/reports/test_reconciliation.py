"""Bills, payments, payment instructions and scrolls side by side: right on a right ledger, and a difference is seen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.catalogue import request
from ifms.reports.reconciliation import DIFFERENT, RECONCILIATION, VERDICTS


def verdicts(reported: Reported, step: str) -> list[str]:
    return [row["verdict"] for row in reported.rows("reconciliation", as_of=reported.at(step))]


def test_verdicts_step_by_step(reported: Reported):
    assert verdicts(reported, "allotted") == []
    assert verdicts(reported, "initiated") == verdicts(reported, "approved") == ["under way"]
    assert verdicts(reported, "paid") == ["paid"]
    assert verdicts(reported, "failed") == ["partly paid"]
    assert verdicts(reported, "revised") == ["under way"]
    assert verdicts(reported, "corrected") == ["paid"]
    assert verdicts(reported, "rejected") == ["paid", "no payment instruction"]
    assert verdicts(reported, "pending") == ["paid", "no payment instruction", "no payment instruction", "under way"]


def test_amounts_of_a_payment_that_was_corrected(reported: Reported):
    row = reported.rows("reconciliation", as_of=reported.at("corrected"))[0]
    [failed] = reported.adapter.rows("SELECT sum(amount) AS amount FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    [payment] = reported.adapter.rows("SELECT * FROM ifms.payment ORDER BY seen_at LIMIT 1")
    assert row["amount"] == row["pi_amount"] == row["debited"] == row["paid"] == payment["amount"]
    assert (row["returned"], row["outstanding"], row["status"]) == (failed["amount"], 0, "COMPLETED")
    assert row["scrolled"] == payment["amount"] + failed["amount"]
    assert row["scrolls"] == 3 + 2
    [bill] = reported.adapter.rows("SELECT * FROM ifms.bill WHERE payment_number = %s", row["payment_number"])
    assert (row["bills"], row["bill_count"]) == (bill["bill_id"], 1)


def test_every_payment_has_one_row_and_every_amount_two_decimals(reported: Reported):
    rows = reported.rows("reconciliation", period="all")
    known = reported.adapter.rows("SELECT payment_number FROM ifms.payment")
    assert sorted(row["payment_number"] for row in rows) == sorted(row["payment_number"] for row in known)
    money = [column.name for column in RECONCILIATION.columns if column.kind == "money"]
    assert all(row[name].as_tuple().exponent == -2 for row in rows for name in money)
    assert all(row["outstanding"] == row["amount"] - row["paid"] for row in rows)
    assert reported.rows("reconciliation", tenants=["od.sampleb"]) == [
        r for r in rows if r["tenant_id"] == "od.sampleb"
    ]
    assert reported.rows("reconciliation", period="2020-21") == []


BROKEN = {
    "amounts differ": "UPDATE ifms.payment SET amount = amount + 1 WHERE id = (SELECT id FROM ifms.payment ORDER BY seen_at LIMIT 1)",
    "money differs": "DELETE FROM ifms.fund_movement WHERE kind = 'DEBIT' AND payment_instruction_id IN "
    "(SELECT id FROM ifms.payment_instruction ORDER BY created_at LIMIT 1)",
    "scrolls are missing": "UPDATE ifms.beneficiary SET voucher_number = NULL WHERE failed_on IS NULL "
    "AND payment_instruction_id IN (SELECT id FROM ifms.payment_instruction ORDER BY created_at LIMIT 1)",
}


@pytest.mark.parametrize("verdict", DIFFERENT)
def test_a_difference_is_seen(reported: Reported, verdict: str):
    at = reported.at("pending")
    asked: dict[str, Any] = request(RECONCILIATION, at, period="all").values
    with psycopg.connect(reported.adapter.dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(BROKEN[verdict].encode())
        rows = connection.execute(RECONCILIATION.query.encode(), asked).fetchall()
        connection.rollback()
    found = [row[RECONCILIATION.names.index("verdict")] for row in rows]
    assert found[0] == verdict
    assert not set(found[1:]) & set(DIFFERENT)


def test_sums_by_verdict_and_city(reported: Reported):
    counted = Counted(RECONCILIATION)
    rows = reported.rows("reconciliation", period="all")
    counted.add([tuple(row.values()) for row in rows])
    by_verdict, by_city = (rows_of(table.make(counted)) for table in RECONCILIATION.tables[:2])
    assert [row[0] for row in by_verdict] == [each for each in VERDICTS if any(r["verdict"] == each for r in rows)]
    for made in (by_verdict, by_city):
        assert sum(row[1] for row in made) == len(rows)
        assert sum((row[3] for row in made), Decimal(0)) == sum(row["amount"] for row in rows)
        assert all(row[3] - row[8] == row[9] for row in made)
