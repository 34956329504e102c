"""What the bank gave back, why, and what came of it at any instant."""

from __future__ import annotations

from decimal import Decimal

import psycopg
from support.failed import TENANT
from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.failure_reasons import FAILURE_REASONS


def outcomes(reported: Reported, step: str) -> list[str]:
    return [row["outcome"] for row in reported.rows("failure_reasons", as_of=reported.at(step))]


def test_what_became_of_it_step_by_step(reported: Reported):
    assert outcomes(reported, "paid") == []
    assert outcomes(reported, "failed") == ["not corrected"] * 2
    assert outcomes(reported, "revised") == ["under way"] * 2
    assert outcomes(reported, "corrected") == outcomes(reported, "pending") == ["paid"] * 2


def test_rows_are_the_ledgers(reported: Reported):
    rows = reported.rows("failure_reasons")
    failed = reported.adapter.rows(
        "SELECT * FROM ifms.beneficiary WHERE failed_on IS NOT NULL ORDER BY beneficiary_number"
    )
    assert [(r["beneficiary_number"], r["amount"], r["reason"], r["failed_on"], r["challan_number"]) for r in rows] == [
        (r["beneficiary_number"], r["amount"], r["status_message"], r["failed_on"], r["challan_number"]) for r in failed
    ]
    [revision] = reported.adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_type = 'REVISED'")
    assert {row["corrected_by"] for row in rows} == {revision["pi_number"]}
    assert {row["tenant_id"] for row in rows} == {TENANT}
    assert reported.rows("failure_reasons", tenants=["od.sampleb"]) == []
    assert reported.rows("failure_reasons", period="2020-21") == []


def test_one_that_failed_again_and_one_that_the_ssu_rejected(reported: Reported):
    """Rows as the ledger has them after FTFPS, and after a rejection: rolled back at the end."""
    with psycopg.connect(reported.adapter.dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            """
            UPDATE ifms.beneficiary b SET status = 'Payment Failed', failed_on = current_date, status_message = 'A/c 00123456789012 closed',
                   updated_at = now() - interval '1 minute'
            FROM ifms.payment_instruction p WHERE p.id = b.payment_instruction_id AND p.pi_type = 'REVISED'
            """
        )
        values = {"since": None, "until": None, "tenants": None}
        now = connection.execute("SELECT now()").fetchone()
        assert now is not None
        found = connection.execute(FAILURE_REASONS.query.encode(), values | {"as_of": now[0]}).fetchall()
        names = FAILURE_REASONS.names
        assert [row[names.index("outcome")] for row in found] in (
            ["failed again", "failed again", "not corrected", "not corrected"],
            ["not corrected", "not corrected", "failed again", "failed again"],
        )
        told = {row[names.index("reason")] for row in found}
        assert not [reason for reason in told if "0012345678" in reason], "the bank quotes a whole account number"
        assert [reason for reason in told if "9012 closed" in reason]
        connection.execute(
            """
            INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,
                to_status, created_at)
            SELECT id, tenant_id, payment_number, 'PIS', 'STATUS_LOG_PIS_REJECTED', 'INITIATED', 'FAILED', now() - interval '1 s'
            FROM ifms.payment_instruction WHERE pi_type = 'REVISED'
            """
        )
        found = connection.execute(FAILURE_REASONS.query.encode(), values | {"as_of": now[0]}).fetchall()
        assert (
            sorted(row[names.index("outcome")] for row in found) == ["not corrected"] * 2 + ["not to be corrected"] * 2
        )
        connection.rollback()


def test_success_by_reason(reported: Reported):
    counted = Counted(FAILURE_REASONS)
    at = reported.at("failed")
    for reason, outcome, amount in (
        ("A", "paid", "1.10"),
        ("B", "paid", "2"),
        ("B", "failed again", "3"),
        ("B", "under way", "4"),
    ):
        counted.add([(TENANT, "9900", "PI", "EP", "BN", Decimal(amount), reason, None, None, at, None, outcome, None)])
    by_reason, by_month, by_city = (rows_of(table.make(counted)) for table in FAILURE_REASONS.tables)
    assert by_reason == [
        ("B", 3, Decimal(9), 1, 1, 1, 0, 0, Decimal("33.3")),
        ("A", 1, Decimal("1.10"), 1, 0, 0, 0, 0, Decimal("100.0")),
    ]
    assert by_month[0][1:] == by_city[0][1:] == (4, Decimal("10.10"), 2, 1, 1, 0, 0, Decimal("50.0"))
