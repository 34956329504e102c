"""The views on real rows: what they say, who sees them, and that each usual question has its index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from support import failed
from support.adapter import Adapter, Treasury
from support.databases import as_reader, rewrite
from support.failed import last_day
from support.ledger import HEAD, TENANT, Ledger, allotment, copy_instructions

from ifms import clock
from ifms.cities import Cities
from ifms.errors import BadInputError
from ifms.ledger import instructions, payments
from ifms.ledger.models import AllotmentKind, PaymentInstruction
from ifms.ledger.statuses import Event
from ifms.queries import views
from ifms.queries.instruction import load
from ifms.queries.views import Question
from ifms.services.correction_order import Order

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

YEAR = "2024-25"
ACCOUNT = "00123456789012"
VIEWS = [
    "beneficiary_payment",
    "call_log",
    "doubtful_transfer",
    "failed_beneficiary",
    "fund_register",
    "open_payment_instruction",
    "outbox_lag",
    "payment_instruction_summary",
    "returned_payment",
    "sanction_summary",
    "status_history",
    "unmatched_failure",
    "waiting_payment",
]
# What a reader may run: they reckon with what they are given, and look at no row; but for the one that counts, and
# leaves small numbers out.
RUN_BY_READERS = {"correct_by", "financial_year", "without_numbers", "texts_of", "payments_by_group", "plain_number"}
CYCLE = (Event.ACCEPTED, Event.APPROVED, Event.ADVISED, Event.PAID)


def advanced(ledger: Ledger, *events: Event, amount: int = 100) -> PaymentInstruction:
    """A PI of two beneficiaries that has come so far."""
    pi, mine = ledger.instruct(*ledger.payment(amount))
    for place, event in enumerate(events):
        if place:
            pi, mine = ledger.claimed(pi)
        ledger.db.transact(lambda c, p=pi, m=mine, e=event: instructions.advance(c, p, m, e))
    return pi


def bounce(ledger: Ledger, pi: PaymentInstruction, days_ago: int = 0, reason: str = "account closed") -> str:
    """One of its payments has come back, so many days ago; the beneficiary's number."""
    day = clock.to_ist(clock.now()).date() - timedelta(days=days_ago)
    with ledger.connect() as connection:
        [number] = connection.execute(
            "SELECT min(beneficiary_number) FROM ifms.beneficiary WHERE payment_instruction_id = %s", (pi.id,)
        ).fetchone() or [None]
        connection.execute(
            "UPDATE ifms.beneficiary SET status = 'Payment Initiated' WHERE beneficiary_number = %s", (number,)
        )
        connection.execute(
            """
            UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = %s, status_message = %s
            WHERE beneficiary_number = %s
            """,
            (day, reason, number),
        )
    return str(number)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """An initial and an additional allotment, a withdrawal; PIs spent, given back, declined and pending."""
    ledger.allot(allotment())
    ledger.allot(allotment(serial_no=1, kind=AllotmentKind.ADDITIONAL, amount=Decimal(500), ssu_allotment_id="801"))
    ledger.allot(allotment(serial_no=2, kind=AllotmentKind.WITHDRAWAL, amount=Decimal(200), ssu_allotment_id="802"))
    advanced(ledger, Event.ACCEPTED)
    advanced(ledger, Event.ACCEPTED, Event.REJECTED)
    advanced(ledger, Event.DECLINED)
    advanced(ledger)
    return ledger


def asked(ledger: Ledger, question: Question) -> list[dict[str, Any]]:
    """What a reader is told."""
    with psycopg.connect(as_reader(ledger.dsn), row_factory=dict_row) as connection:
        return connection.execute(question.statement.encode(), question.values).fetchall()


# The register -----------------------------------------------------------------------------------------------------------


def test_the_register_counts_as_the_story_does(filled: Ledger):
    """Sanctioned Balance = sanctioned - allotted; Fund Available = allotted - (spent + withdrawn), reversed added back."""
    rows = asked(filled, views.fund_register(YEAR))
    sanctioned = rows[0]["sanctioned_amount"]
    assert sanctioned == 6000  # 5,000 were left after the initial allotment of 1,000
    allotted = spent = Decimal(0)
    for row in rows:
        amount = row["transaction_amount"]
        allotted += {"Initial Allotment": amount, "Additional Allotment": amount, "Withdrawal": -amount}.get(
            row["transaction_type"], 0
        )
        spent += {"Expense": amount, "Expense Reversed": -amount}.get(row["transaction_type"], 0)
        assert (row["allotted_after"], row["spent_after"]) == (allotted, spent)
        assert row["sanctioned_balance"] == sanctioned - allotted
        assert row["fund_available"] == allotted - spent
        assert row["unreserved_after"] == allotted - spent - row["reserved_after"]
    assert [row["transaction_type"] for row in rows] == [
        "Initial Allotment",
        "Additional Allotment",
        "Withdrawal",
        "Expense",
        "Expense",
        "Expense Reversed",
    ]
    assert [row["movement_id"] for row in rows] == sorted(row["movement_id"] for row in rows)


def test_a_row_names_its_allotment_or_its_payment(filled: Ledger):
    first, *_, last = asked(filled, views.fund_register(YEAR))
    assert (first["ssu_allotment_id"], first["allotment_serial_no"], first["treasury_balance"]) == ("800", 0, 5000)
    assert first["transaction_number"] == "800/0"
    assert first["payment_number"] is None
    assert last["ssu_allotment_id"] is None
    assert last["payment_number"] == filled.one(
        "SELECT payment_number FROM ifms.payment_instruction WHERE pi_number = %s", last["transaction_number"]
    )


NARROWED: list[tuple[dict[str, Any], int]] = [
    ({}, 6),
    ({"tenants": [TENANT]}, 6),
    ({"tenants": ["od.sampleb"]}, 0),
    ({"tenants": []}, 0),
    ({"hoa_codes": [HEAD]}, 6),
    ({"transaction_types": ["Expense", "Withdrawal"]}, 3),
    ({"recorded_until": datetime(2024, 1, 1, tzinfo=UTC)}, 0),
    ({"recorded_from": datetime(2024, 1, 1, tzinfo=UTC), "financial_year": "2023-24"}, 0),
]


def test_the_register_is_narrowed(filled: Ledger):
    for narrowed, rows in NARROWED:
        question = views.fund_register(**({"financial_year": YEAR} | narrowed))
        assert len(asked(filled, question)) == rows, narrowed


# Payment instructions ---------------------------------------------------------------------------------------------------


def test_a_summary_counts_the_money_of_its_beneficiaries(ledger: Ledger):
    ledger.fund(1000)
    pi = advanced(ledger, *CYCLE[:3])
    bounce(ledger, pi)
    [row] = asked(ledger, views.payment_instructions(pi_numbers=[pi.pi_number]))
    assert (row["failed_count"], row["failed_amount"], row["successful_count"], row["successful_amount"]) == (
        1,
        50,
        0,
        0,
    )
    assert (row["net_amount"], row["gross_amount"], row["bill_numbers"]) == (100, 100, ["WB/2024-25/000001"])
    assert row["created_on"] == clock.to_ist(row["created_at"]).date()
    assert asked(ledger, views.payment_instructions(statuses=["SUCCESSFUL"])) == []
    assert len(asked(ledger, views.payment_instructions(YEAR, tenants=[TENANT], statuses=["IN PROCESS"]))) == 1


WAITING = [(0, "PI", "ANSWER"), (1, "PIS", "APPROVAL"), (2, "PAG", "ADVICE"), (3, "PD", "SCROLLS")]


def test_what_is_open_says_for_what_it_waits(ledger: Ledger):
    ledger.fund(1000)
    pis = [advanced(ledger, *CYCLE[:steps]) for steps, _, _ in WAITING]
    advanced(ledger, Event.DECLINED)  # does not wait
    rows = asked(ledger, views.open_payment_instructions())
    assert [(row["pi_number"], row["next_service"], row["waits_for"]) for row in rows] == [
        (pi.pi_number, service, waits_for) for pi, (_, service, waits_for) in zip(pis, WAITING, strict=True)
    ]
    with ledger.connect() as connection:
        whole = load(connection, [pi.id for pi in pis], Cities.ALL)
    assert [each.next_service for each in whole] == [row["next_service"] for row in rows]  # the pages ask the same
    assert all(row["why_it_waits"] and row["age_days"] == 0 for row in rows)
    assert all(row["waiting_since"] >= row["created_at"] for row in rows)


ATTEMPTS = {
    "never_sent": ("SENDING", "it has not reached the treasury"),
    "unknown": ("ANSWER", "it may have arrived"),
    "sending": ("ANSWER", "its run died"),
}


def test_what_is_pending_says_whether_it_may_have_arrived(ledger: Ledger):
    ledger.fund(1000)
    advanced(ledger)
    for attempt, (waits_for, why) in ATTEMPTS.items():
        with ledger.connect() as connection:
            connection.execute("UPDATE ifms.payment_instruction SET last_attempt = %s", (attempt,))
        [row] = asked(ledger, views.open_payment_instructions(statuses=["PENDING"]))
        assert row["waits_for"] == waits_for
        assert why in row["why_it_waits"]


def test_what_was_heard_last_is_told_and_since_when_it_waits(ledger: Ledger):
    ledger.fund(1000)
    pi = advanced(ledger, Event.ACCEPTED)
    with ledger.connect() as connection, connection.transaction():  # in which it is one and the same now()
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment_instruction SET created_at = now() - interval '75 hours'")
        for hours, status, to_status in ((70, "PI_SUCCESS", "INITIATED"), (1, "PIS_NO_NEWS", None)):
            connection.execute(
                "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, "
                "to_status, created_at) VALUES (%s, 't', 'p', %s, %s, %s, now() - %s)",
                (pi.id, status.split("_", 1)[0], f"STATUS_LOG_{status}", to_status, timedelta(hours=hours)),
            )
    [row] = asked(ledger, views.open_payment_instructions(older_than=timedelta(days=3)))
    assert (row["age_days"], row["last_service"], row["last_status"]) == (3, "PIS", "STATUS_LOG_PIS_NO_NEWS")
    assert row["last_heard_at"] - row["waiting_since"] == timedelta(hours=69)
    assert asked(ledger, views.open_payment_instructions(older_than=timedelta(days=4))) == []


# What has failed --------------------------------------------------------------------------------------------------------


def test_a_failure_says_how_many_days_are_left(ledger: Ledger):
    ledger.fund(1000)
    number = bounce(ledger, advanced(ledger, *CYCLE[:3]))
    today = clock.to_ist(clock.now()).date()
    for days_ago in (0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 365):
        failed_on = today - timedelta(days=days_ago)
        rewrite(ledger.dsn, "UPDATE ifms.beneficiary SET failed_on = %s WHERE failed_on IS NOT NULL", [failed_on])
        last = last_day(failed_on)
        [row] = asked(ledger, views.failed_beneficiaries())
        assert (row["beneficiary_number"], row["correct_by"]) == (number, last)
        assert row["days_left"] == (last - today).days
        assert row["next_step"] == ("CORRECT" if today <= last else "PAY ANEW")
        assert row["busy_pi_number"] is None
        assert asked(ledger, views.failed_beneficiaries(days_left_at_most=row["days_left"] - 1)) == []
        assert asked(ledger, views.failed_beneficiaries(days_left_at_most=row["days_left"], tenants=[TENANT])) == [row]


@pytest.mark.parametrize("kind", ["revision", "repayment"])
def test_while_another_pi_is_on_its_way_a_failure_waits(ledger: Ledger, kind: str):
    ledger.fund(1000)
    pi = advanced(ledger, *CYCLE[:3])
    bounce(ledger, pi)
    change: dict[str, Any] = {"pi_number": "PI-SA/2024-25/9", "status": "INITIATED"}
    change |= (
        {
            "pi_type": "REVISED",
            "parent_pi_number": pi.pi_number,
            "org_bill_ref_number": "r",
            "org_bill_date": "2024-06-01",
        }
        if kind == "revision"
        else {"repayment_of": pi.pi_number}
    )
    with ledger.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        copy_instructions(connection, change)
    [row] = asked(ledger, views.failed_beneficiaries(next_steps=["WAIT"]))
    assert row["busy_pi_number"] == "PI-SA/2024-25/9"
    assert asked(ledger, views.failed_beneficiaries(next_steps=["CORRECT", "PAY ANEW"])) == []
    if kind == "revision":
        [waiting] = [r for r in asked(ledger, views.open_payment_instructions()) if r["pi_type"] == "REVISED"]
        assert (waiting["next_service"], waiting["waits_for"]) == ("FTPS", "SCROLLS")


# Who was paid what ------------------------------------------------------------------------------------------------------


def paid(adapter: Adapter, **narrowed: Any) -> list[dict[str, Any]]:
    question = views.beneficiary_payments(**narrowed)
    with psycopg.connect(as_reader(adapter.dsn), row_factory=dict_row) as connection:
        return connection.execute(question.statement.encode(), question.values).fetchall()


def in_all(rows: list[dict[str, Any]], status: str = "Payment Successful") -> Decimal:
    return sum((row["amount"] for row in rows if row["status"] == status), Decimal(0))


def order(adapter: Adapter, **changes: Any) -> Order:
    return Order(failed.TENANT, failed.original(adapter)["pi_number"], **changes)


def test_a_bank_finds_what_was_paid_by_utr_voucher_and_bill(adapter: Adapter, treasury: Treasury):
    failed.wage_bill(adapter, 3)
    adapter.simulators.ask_platform("POST", "bills", {"type": "purchase", "tenantId": failed.TENANT})
    adapter.cycle()
    rows = paid(adapter)
    assert {(row["bill_type"], row["status"]) for row in rows} == {
        ("WAGE", "Payment Successful"),
        ("PURCHASE", "Payment Successful"),
    }
    assert in_all(rows) == adapter.rows("SELECT sum(net_amount) AS net FROM ifms.payment_instruction")[0]["net"]
    one = rows[0]
    assert all(one[name] for name in ("utr_number", "utr_date", "voucher_number", "voucher_date", "end_to_end_id"))
    assert (one["superseded_by"], one["failed_on"], one["challan_number"]) == (None, None, None)
    assert one["original_pi_number"] == one["pi_number"]
    assert all(len(one[name]) == 1 for name in ("bill_numbers", "work_order_numbers", "project_numbers"))
    assert paid(adapter, utr_numbers=[one["utr_number"]]) == [one]
    assert one in paid(adapter, voucher_numbers=[one["voucher_number"]])
    day = one["voucher_date"]
    assert one in paid(adapter, voucher_from=day, voucher_until=day + timedelta(days=1))
    assert paid(adapter, voucher_until=day) == []
    wages = [row for row in rows if row["bill_type"] == "WAGE"]
    assert paid(adapter, bill_numbers=["WB/none", *wages[0]["bill_numbers"]]) == wages
    assert paid(adapter, bill_types=["WAGE"]) == wages
    assert paid(adapter, payment_numbers=[wages[0]["payment_number"]], tenants=[failed.TENANT]) == wages
    assert paid(adapter, bill_types=["SUPERVISION"]) == []


@pytest.mark.parametrize("new_original", [False, True], ids=["revised", "repayment"])
def test_who_is_paid_anew_counts_once(adapter: Adapter, treasury: Treasury, new_original: bool):
    failed.paid_and_failed(adapter, 3)
    [net] = adapter.rows("SELECT net_amount AS net FROM ifms.payment_instruction")
    [back] = paid(adapter, statuses=["Payment Failed"])
    assert back["superseded_by"] is None
    assert all(back[name] for name in ("challan_number", "failed_on", "reason", "utr_number", "voucher_date"))
    assert in_all(paid(adapter)) == net["net"] - back["amount"]
    if new_original:
        failed.long_ago(adapter)
    failed.mend(adapter)
    service = "PI" if new_original else "COR"
    text = f"Wrong IFSC provided in Beneficiary Details for BenefId {back['beneficiary_number']}"
    treasury.rule(service, "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": text}])
    adapter.correct(order(adapter, new_original=new_original))
    owed = paid(adapter, statuses=["Payment Failed"])
    assert [(row["superseded_by"], row["failed_on"] is None) for row in owed] == [(None, False), (None, True)]
    adapter.correct(order(adapter, new_original=new_original))
    for each in ("PIS", "PAG", "PD") if new_original else ("FTPS",):
        adapter.run(each)
    first, declined, second = (row for row in paid(adapter) if row["beneficiary_number"] == back["beneficiary_number"])
    assert [row["status"] for row in (first, declined, second)] == ["Payment Failed"] * 2 + ["Payment Successful"]
    assert (first["superseded_by"], declined["superseded_by"], second["superseded_by"]) == (
        second["pi_number"],
        second["pi_number"],
        None,
    )
    assert (second["original_pi_number"] == first["pi_number"]) != new_original
    assert second["repayment_of"] == (first["pi_number"] if new_original else None)
    assert second["bill_numbers"] == first["bill_numbers"]
    assert in_all(paid(adapter)) == net["net"]


def test_a_declined_pi_is_superseded_by_its_payments_next(adapter: Adapter, treasury: Treasury):
    failed.wage_bill(adapter, 2)
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "error", times=1, errorMsg="Insufficient fund")
    adapter.run("PI")
    assert [(row["pi_status"], row["superseded_by"]) for row in paid(adapter)] == [("FAILED", None)] * 2
    with psycopg.connect(adapter.dsn) as connection:
        payments.release_holds(connection, [paid(adapter)[0]["payment_number"]])
    adapter.run("PI")
    rows = paid(adapter)
    [anew] = {row["pi_number"] for row in rows if row["pi_status"] == "INITIATED"}
    assert [row["superseded_by"] for row in rows] == [anew, anew, None, None]
    assert paid(adapter, created_from=rows[2]["created_at"]) == rows[2:]


BILLS: list[tuple[object, str | None]] = [
    ({"billNumber": ["WB/1", "WB/2"]}, "WAGE"),
    ({"billNumber": ["PB/1"]}, "PURCHASE"),
    ({"billNumber": ["SB/1"]}, "SUPERVISION"),
    ({"billNumber": ["SB/1", "PB/1"]}, "MIXED"),
    ({"billNumber": ["WB/1", "EX/1"]}, "MIXED"),
    ({"billNumber": ["EX/1"]}, None),
    ({"billNumber": ["WB1"]}, None),
    ({"billNumber": []}, None),
    ({"billNumber": "WB/1"}, None),
    ({"billNumber": None}, None),
    ([], None),
]


def test_a_bills_type_is_in_its_number(ledger: Ledger):
    ledger.fund(1000)
    advanced(ledger)
    for details, expected in BILLS:
        with ledger.connect() as connection:
            connection.execute("UPDATE ifms.payment_instruction SET additional_details = %s", (Jsonb(details),))
        [row] = asked(ledger, views.payment_instructions())
        assert row["bill_type"] == expected, details


def test_an_original_is_paid_when_the_ledger_learned_it(ledger: Ledger):
    ledger.fund(1000)
    paid_one = advanced(ledger, *CYCLE)
    waiting = advanced(ledger, *CYCLE[:3])
    some_failed = advanced(ledger, *CYCLE[:3], Event.SOME_FAILED)
    came_back = advanced(ledger, *CYCLE, Event.SOME_FAILED)
    with ledger.connect() as connection:
        for pi, before, status in (
            (paid_one, "IN PROCESS", "SUCCESSFUL"),
            (came_back, "IN PROCESS", "SUCCESSFUL"),
            (came_back, "SUCCESSFUL", "PARTIAL"),
        ):
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, "
                "from_status, to_status) VALUES (%s, 't', 'p', 'PD', 'STATUS_LOG_PD_SUCCESS', %s, %s)",
                (pi.id, before, status),
            )
    rows = {row["pi_number"]: row["paid_at"] for row in asked(ledger, views.payment_instructions())}
    assert rows[waiting.pi_number] is None
    assert rows[some_failed.pi_number] is None
    assert rows[paid_one.pi_number] == ledger.one(
        "SELECT status_since FROM ifms.payment_instruction WHERE id = %s", paid_one.id
    )
    assert rows[came_back.pi_number] == ledger.one(
        "SELECT created_at FROM ifms.status_log WHERE payment_instruction_id = %s AND to_status = 'SUCCESSFUL'",
        came_back.id,
    )


# Sanctions, history, failures that match nothing, payments that wait ----------------------------------------------------


def test_a_sanction_stands_as_the_register_left_it(filled: Ledger):
    *_, last = asked(filled, views.fund_register(YEAR))
    [row] = asked(filled, views.sanctions(YEAR, tenants=[TENANT], hoa_codes=[HEAD]))
    assert row["id"] == last["sanction_id"]
    same = {
        "sanctioned_balance",
        "fund_available",
        "not_used",
        "not_used_because",
        "closed_reason",
        "sanctioned_amount",
    }
    assert {name: row[name] for name in same} == {name: last[name] for name in same}
    amounts = ("allotted_amount", "reserved_amount", "spent_amount", "available_amount")
    assert [row[name] for name in amounts] == [
        last["allotted_after"],
        last["reserved_after"] + 100,
        last["spent_after"],
        last["available_now"],
    ]  # the last PI is pending: no row of the register
    assert (row["allotment_count"], row["last_allotment_kind"], row["last_allotment_serial_no"]) == (3, "WITHDRAWAL", 2)
    assert (row["last_ssu_allotment_id"], row["last_allotment_amount"]) == ("802", 200)
    assert asked(filled, views.sanctions("2023-24")) == []


def test_a_closed_sanction_says_why(filled: Ledger):
    with filled.connect() as connection:
        connection.execute(
            "INSERT INTO ifms.sanction_closing (sanction_id, closed, reason, person) "
            "SELECT id, true, 'sample reason', 'a tester' FROM ifms.sanction"
        )
    [row] = asked(filled, views.sanctions())
    assert (row["not_used_because"], row["closed_reason"]) == ("CLOSED", "sample reason")
    assert (row["not_used"], row["closed_at"] is None) == (row["available_amount"], False)


def test_the_history_says_what_was_heard_in_its_order(ledger: Ledger):
    with ledger.connect() as connection:
        ledger.fund(1000)
        pi = advanced(ledger, *CYCLE[:1])
        for service, from_status, to_status in (("PI", "PENDING", "INITIATED"), ("PIS", None, None)):
            connection.execute(
                "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, "
                "from_status, to_status, message) VALUES (%s, %s, 'p', %s, 'STATUS_LOG_X', %s, %s, %s)",
                (pi.id, TENANT, service, from_status, to_status, f"about {ACCOUNT}"),
            )
        connection.execute(
            "INSERT INTO ifms.status_log (tenant_id, payment_number, service_id, status) "
            "VALUES (%s, 'EP/none', 'PI', 'STATUS_LOG_PI_NO_FUNDS')",
            (TENANT,),
        )
    rows = asked(ledger, views.status_history(tenants=[TENANT]))
    assert [(row["pi_number"], row["service_id"], row["to_status"]) for row in rows] == [
        (pi.pi_number, "PI", "INITIATED"),
        (pi.pi_number, "PIS", None),
        (None, "PI", None),
    ]
    assert rows[0]["message"] == "about *****9012"
    assert asked(ledger, views.status_history(pi_numbers=[pi.pi_number])) == rows[:2]
    assert asked(ledger, views.status_history(payment_numbers=["EP/none"], services=["PI"])) == rows[2:]
    assert asked(ledger, views.status_history(created_until=rows[0]["created_at"])) == []


def test_a_failure_that_matches_nothing_is_open_until_it_is_booked_or_closed(ledger: Ledger):
    ledger.fund(1000)
    pi = advanced(ledger)
    with ledger.connect() as connection:
        for bill, matched, settled in ((pi.pi_number, None, None), ("PI-XX/1", "now", None), ("PI-XX/2", None, "now")):
            connection.execute(
                "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched, matched_at, "
                "settled_at, settled_by, settled_reason) VALUES (%s, '', '2024-06-01', 'sample', %s, %s, %s, %s)",
                (bill, matched, settled, settled and "a tester", settled and "not ours"),
            )
    found = asked(ledger, views.unmatched_failures())
    rows = {row["bill_number"]: (row["state"], row["tenant_id"], row["settled_reason"]) for row in found}
    assert rows == {
        pi.pi_number: ("OPEN", TENANT, None),
        "PI-XX/1": ("MATCHED", None, None),
        "PI-XX/2": ("CLOSED", None, "not ours"),
    }
    assert [row["bill_number"] for row in asked(ledger, views.unmatched_failures(states=["OPEN"]))] == [pi.pi_number]
    assert len(asked(ledger, views.unmatched_failures(bill_numbers=["PI-XX/1"]))) == 1
    assert [row["beneficiary_number"] for row in found] == [None] * 3


def test_another_transfer_is_open_until_a_person_has_said_whether_it_has_paid(ledger: Ledger):
    ledger.fund(1000)
    pi = advanced(ledger, *CYCLE[:3])
    with ledger.connect() as connection:
        for utr, has_paid in (("UTR-OPEN", None), ("UTR-PAID", True), ("UTR-NOT", False)):
            at, by, why = (None, None, None) if has_paid is None else ("now", "a tester", "asked")
            connection.execute(
                "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, settled_at, settled_by, settled_reason,"
                " has_paid) SELECT id, %s, %s, %s, %s, %s FROM ifms.beneficiary LIMIT 1",
                (utr, at, by, why, has_paid),
            )
    found = asked(ledger, views.doubtful_transfers())
    rows = {row["utr_number"]: (row["state"], row["settled_reason"]) for row in found}
    assert rows == {"UTR-OPEN": ("OPEN", None), "UTR-PAID": ("PAID", "asked"), "UTR-NOT": ("NOT PAID", "asked")}
    assert {(row["tenant_id"], row["pi_number"]) for row in found} == {(TENANT, pi.pi_number)}
    [row] = asked(ledger, views.doubtful_transfers(states=["OPEN"], pi_numbers=[pi.pi_number], tenants=[TENANT]))
    assert row["utr_number"] == "UTR-OPEN"


def test_a_payment_without_a_pi_says_why_it_waits(adapter: Adapter, treasury: Treasury):
    failed.wage_bill(adapter, 2)
    adapter.run("PA")
    waiting = views.waiting_payments(tenants=[failed.TENANT])

    def look() -> dict[str, Any]:
        with psycopg.connect(as_reader(adapter.dsn), row_factory=dict_row) as connection:
            [row] = connection.execute(waiting.statement.encode(), waiting.values).fetchall()
        return row

    row = look()
    assert (row["hold_code"], row["held_since"], row["attempts"], row["last_pi_number"]) == (None, None, 0, None)
    assert row["why"] == "no run of ifms_pi has taken it up yet"
    assert (len(row["bill_ids"]), len(row["bill_numbers"]), row["age_days"], row["tries"]) == (1, 1, 0, 0)
    adapter.run("PI")  # nothing is allotted
    row = look()
    assert row["hold_code"] == "PAYMENT_INSUFFICIENT_FUNDS"
    assert "no sanction of od.samplea has" in row["why"]
    assert row["tries"] == 1
    assert row["held_since"] is not None
    treasury.rule("PI", "error", times=1, errorMsg="Insufficient fund")
    adapter.run("VA")
    adapter.run("PI")
    row = look()
    [declined] = adapter.rows("SELECT pi_number, bill_numbers FROM ifms.payment_instruction")
    assert (row["attempts"], row["last_pi_number"]) == (1, declined["pi_number"])
    assert row["bill_numbers"] == declined["bill_numbers"] != []


# Who sees what ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(filled: Ledger) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(as_reader(filled.dsn), autocommit=True) as connection:
        yield connection


def names(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_reader_sees_every_view_and_no_table(filled: Ledger, reader: psycopg.Connection[Any]):
    found = names(
        filled.dsn,
        "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'ifms'::regnamespace "
        "AND relkind IN ('r', 'v', 'm', 'p', 'f', 'S')",
    )
    seen = []
    for name, kind in found:
        statement = sql.SQL("SELECT * FROM ifms.{}").format(sql.Identifier(name))
        try:
            reader.execute(statement)
            seen.append(name)
        except errors.InsufficientPrivilege:
            assert kind != "v", name
    assert sorted(seen) == VIEWS
    assert len(found) > 20
    for name in VIEWS:
        with pytest.raises(errors.Error):  # no view takes anything in
            reader.execute(sql.SQL("DELETE FROM ifms.{}").format(sql.Identifier(name)))


def test_a_reader_runs_no_function_but_those_that_only_reckon(filled: Ledger, reader: psycopg.Connection[Any]):
    found = names(
        filled.dsn,
        "SELECT p.proname, p.pronargs, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t) FROM pg_proc p "
        "WHERE p.pronamespace = 'ifms'::regnamespace",
    )
    assert len(found) > 10
    ran = set()
    for name, _, types in found:
        arguments = sql.SQL(", ").join(sql.SQL(f"NULL::{each}") for each in types)
        try:
            reader.execute(sql.SQL("SELECT ifms.{}({})").format(sql.Identifier(name), arguments))
            ran.add(name)
        except errors.InsufficientPrivilege:
            continue
    assert ran == RUN_BY_READERS


def test_no_view_shows_a_whole_account_number(filled: Ledger, reader: psycopg.Connection[Any]):
    """Not even one that the treasury or a bank quotes in its words, which the ledger keeps as they came."""
    filled.fund(1000, "901")
    pi = advanced(filled, *CYCLE[:3])
    said = f"A/c {ACCOUNT} closed; was {ACCOUNT}9 or x{ACCOUNT}y"
    bounce(filled, pi, reason=said)
    with filled.connect() as connection:
        connection.execute("UPDATE ifms.payment_instruction SET error_message = %s", (said,))
        connection.execute(
            "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, message) "
            "SELECT id, tenant_id, payment_number, 'PD', 'STATUS_LOG_PD_ERROR', %s FROM ifms.payment_instruction",
            (said,),
        )
        connection.execute(
            "INSERT INTO ifms.treasury_call (id, service_id, outcome, error_message) "
            "VALUES (gen_random_uuid(), 'PD', 'rejected', %s)",
            (said,),
        )
        connection.execute(
            "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, last_error) "
            "VALUES ('sms', 'od.samplea', 'sample', '{}', %s)",
            (said,),
        )
        connection.execute(
            "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, account_sealed, account_last4, "
            "reason, why_unmatched) VALUES ('PI-XX/1', '', '2024-06-01', %s, '9012', %s, %s)",
            (ACCOUNT.encode(), said, said),
        )
        connection.execute(
            "INSERT INTO ifms.other_transfer (beneficiary_row, utr_number, settled_at, settled_by, settled_reason, "
            "has_paid) SELECT id, 'UTR2', now(), 'a tester', %s, true FROM ifms.beneficiary LIMIT 1",
            (said,),
        )
        connection.execute(
            "INSERT INTO ifms.closed_failure (beneficiary_row, closed_by, reason) "
            "SELECT id, 'a tester', %s FROM ifms.failed_beneficiary",
            (said,),
        )
        connection.execute(
            "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at, hold_code, hold_message, "
            "held_since) VALUES ('od.samplea', 'EP/held', '1', 100, now(), 'PAYMENT_NOT_PAYABLE', %s, now())",
            (said,),
        )
    hidden = 0
    for name in VIEWS:
        rows = reader.execute(sql.SQL("SELECT * FROM ifms.{}").format(sql.Identifier(name))).fetchall()
        assert rows, name
        assert ACCOUNT not in repr(rows), name
        assert "account_sealed" not in repr(rows)
        hidden += len(re.findall(r"A/c \*+9012 closed; was \*+0129 or x\*+9012y", repr(rows)))
    assert hidden >= 11


# Indexes ----------------------------------------------------------------------------------------------------------------

LATELY = datetime(2024, 6, 1, tzinfo=UTC)
USUAL = {
    "register of a year": views.fund_register(YEAR),
    "register of a year and a city": views.fund_register(YEAR, tenants=[TENANT]),
    "register of some days": views.fund_register(recorded_from=LATELY, recorded_until=LATELY + timedelta(days=2)),
    "PIs of a year and a city": views.payment_instructions(YEAR, tenants=[TENANT]),
    "PIs of some days": views.payment_instructions(created_from=LATELY, created_until=LATELY + timedelta(days=2)),
    "PIs of a status": views.payment_instructions(statuses=["PARTIAL"]),
    "PIs of a city and a status": views.payment_instructions(tenants=[TENANT], statuses=["PARTIAL"]),
    "some PIs": views.payment_instructions(pi_numbers=["PI-SA/1", "PI-SA/2"]),
    "what is open": views.open_payment_instructions(),
    "what is open in a city": views.open_payment_instructions(tenants=[TENANT]),
    "what has failed": views.failed_beneficiaries(),
    "what has failed in a city": views.failed_beneficiaries(tenants=[TENANT]),
    "what was paid by a UTR": views.beneficiary_payments(utr_numbers=["UTR1"]),
    "what was paid by a voucher": views.beneficiary_payments(voucher_numbers=["V1", "V2"]),
    "what was paid in a month": views.beneficiary_payments(voucher_from=LATELY.date(), voucher_until=date(2024, 7, 1)),
    "what was paid for a bill": views.beneficiary_payments(bill_numbers=["WB/1"]),
    "what was paid by a payment": views.beneficiary_payments(payment_numbers=["EP/1"]),
    "what was paid by some PIs": views.beneficiary_payments(pi_numbers=["PI-SA/1", "PI-SA/2"]),
    "what PIs of some days pay": views.beneficiary_payments(created_from=LATELY, created_until=LATELY + timedelta(2)),
    "PIs of a bill": Question(
        "SELECT * FROM ifms.payment_instruction_summary WHERE bill_numbers @> ARRAY[%(bill)s]", {"bill": "WB/1"}
    ),
    "sanctions of a year": views.sanctions(YEAR),
    "history of a PI": views.status_history(pi_numbers=["PI-SA/1"]),
    "history of a payment": views.status_history(tenants=[TENANT], payment_numbers=["EP/1"]),
    "history of some days": views.status_history(created_from=LATELY, created_until=LATELY + timedelta(days=2)),
    "failures of a bill that match nothing": views.unmatched_failures(bill_numbers=["PI-SA/1"]),
    "other transfers": views.doubtful_transfers(states=["OPEN"]),
    "payments that wait": views.waiting_payments(),
    "calls of a day": Question("SELECT * FROM ifms.call_log WHERE created_at >= %(at)s", {"at": LATELY}),
    "calls about a bill": Question("SELECT * FROM ifms.call_log WHERE bill_number = %(bill)s", {"bill": "PI-SA/1"}),
}
LARGE = ("fund_movement", "payment_instruction", "beneficiary", "status_log", "treasury_call", "payment", "bill")


@pytest.mark.parametrize("question", USUAL.values(), ids=USUAL.keys())
def test_a_usual_question_reads_no_large_table_from_end_to_end(module_ledger_dsn: str, question: Question):
    """On an empty ledger PostgreSQL would rather read all of a table: told not to, it does so only without an index."""
    with psycopg.connect(module_ledger_dsn) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN {question.statement}".encode(), question.values).fetchall()
    lines = [line for (line,) in plan]
    assert [line for line in lines for table in LARGE if f"Seq Scan on {table} " in line] == []


# Questions --------------------------------------------------------------------------------------------------------------

NAIVE = datetime(2024, 6, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: views.fund_register("2024"), "financial_year '2024'"),
        (lambda: views.fund_register("2024-25' OR true"), "is not like 2024-25"),
        (lambda: views.fund_register(tenants="od.samplea"), "tenants must be a list"),
        (lambda: views.fund_register(transaction_types=["Refund"]), "Refund is none of Initial Allotment"),
        (lambda: views.fund_register(recorded_from=NAIVE), "recorded_from has no time zone"),
        (lambda: views.payment_instructions(statuses=["PAID"]), "PAID is none of PENDING"),
        (lambda: views.payment_instructions(created_until=NAIVE), "created_until has no time zone"),
        (lambda: views.open_payment_instructions(statuses=["SUCCESSFUL"]), "SUCCESSFUL is none of PENDING"),
        (lambda: views.beneficiary_payments(bill_types=["WB"]), "WB is none of WAGE"),
        (lambda: views.beneficiary_payments(statuses=["SUCCESSFUL"]), "SUCCESSFUL is none of Payment Pending"),
        (lambda: views.beneficiary_payments(voucher_from=LATELY), "voucher_from must be a date"),
        (lambda: views.unmatched_failures(states=["open"]), "open is none of OPEN"),
        (lambda: views.doubtful_transfers(states=["open"]), "open is none of OPEN"),
        (lambda: views.failed_beneficiaries(next_steps=["RUN"]), "RUN is none of CORRECT"),
    ],
)
def test_a_question_that_can_not_be_is_refused_by_name(make: Any, said: str):
    with pytest.raises(BadInputError) as refused:
        make()
    assert said in str(refused.value)
