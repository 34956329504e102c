"""Each transfer with what the bank knows it by, as of each step; never more of an account than its last four digits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from support.reported import Reported

from ifms.reports.aggregates import Counted, rows_of
from ifms.reports.bank_transfers import BANK_TRANSFERS


def test_transfers_step_by_step(reported: Reported):
    def transfers(step: str) -> list[dict[str, Any]]:
        return reported.rows("bank_transfers", as_of=reported.at(step))

    assert transfers("approved") == []
    paid = transfers("paid")
    assert {row["outcome"] for row in paid} == {"debited"}
    [payment] = reported.adapter.rows("SELECT amount FROM ifms.payment ORDER BY seen_at LIMIT 1")
    assert sum(row["amount"] for row in paid) == payment["amount"]
    back = [row for row in transfers("failed") if row["outcome"] == "came back"]
    known = reported.adapter.rows("SELECT beneficiary_number, amount FROM ifms.beneficiary WHERE failed_on IS NOT NULL")
    assert sorted((row["beneficiary_number"], row["amount"]) for row in back) == sorted(
        (row["beneficiary_number"], row["amount"]) for row in known
    )
    again = [row for row in transfers("corrected") if row["pi_number"] not in {each["pi_number"] for each in paid}]
    assert {row["beneficiary_number"] for row in again} == {row["beneficiary_number"] for row in back}


def test_each_is_what_the_ledger_has_and_no_account_is_told(reported: Reported):
    at = reported.at("corrected")
    rows = reported.rows("bank_transfers", as_of=at)
    for row in rows:
        [known] = reported.adapter.rows(
            "SELECT b.* FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id"
            " WHERE p.pi_number = %s AND b.beneficiary_number = %s",
            row["pi_number"],
            row["beneficiary_number"],
        )
        for name in (
            "voucher_date",
            "voucher_number",
            "utr_number",
            "end_to_end_id",
            "ifsc",
            "amount",
            "account_last4",
        ):
            assert row[name] == known[name], name
        assert len(row["account_last4"]) == 4
    day = rows[0]["voucher_date"]
    of_day = reported.rows("bank_transfers", as_of=at, period=f"{day}")
    assert of_day == [row for row in rows if row["voucher_date"] == day]
    assert reported.rows("bank_transfers", as_of=at, period="2020-21") == []
    assert reported.rows("bank_transfers", as_of=at, tenants=["od.sampleb"]) == []


def test_the_sums_are_those_of_the_rows(reported: Reported):
    rows = reported.rows("bank_transfers", as_of=reported.at("corrected"))
    counted = Counted(BANK_TRANSFERS)
    counted.add([tuple(row.values()) for row in rows])
    debited = sum((row["amount"] for row in rows if row["outcome"] == "debited"), Decimal(0))
    for table in BANK_TRANSFERS.tables:
        made = list(rows_of(table.make(counted)))
        assert sum(row[1] for row in made) == len(rows)
        assert sum(row[3] for row in made) == debited
