"""Questions to the treasury by people: what it says, each call in the log, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from support.adapter import Adapter, Treasury
from support.databases import as_reader, as_worker

from ifms.errors import BadInputError, TreasuryError, TreasuryLoginError, TreasuryUnreachableError, WireError
from ifms.ledger.database import Database
from ifms.ledger.status_log import CallLog, may_log
from ifms.sealing import Sealer
from ifms.services.inquiry import TreasuryInquiry
from ifms.treasury.client import TreasuryClient

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 3})
LONG_AGO = datetime(2020, 4, 1, tzinfo=UTC)
MONEY = (
    "sanction",
    "allotment",
    "fund_movement",
    "payment_instruction",
    "beneficiary",
    "outbox",
    "status_log",
    "va_watermark",
)


@contextmanager
def asking(adapter: Adapter, **changes: Any) -> Iterator[TreasuryInquiry]:
    config = adapter.simulators.treasury_config(**changes)
    calls = CallLog(Sealer.from_config(config.log_key))
    with (
        Database(lambda: psycopg.connect(as_worker(adapter.dsn))) as db,
        TreasuryClient(config, calls.record_login, login_pauses_seconds=(0.01,)) as client,
    ):
        try:
            yield TreasuryInquiry(db, client, calls)
        finally:
            calls.write_logins(db, None)


def money(adapter: Adapter) -> dict[str, Any]:
    return {table: adapter.rows(f"SELECT * FROM ifms.{table} ORDER BY id") for table in MONEY}


@pytest.fixture
def sent(adapter: Adapter) -> list[str]:
    """Three PIs that the treasury has; their numbers."""
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY pi_number")
    return [row["pi_number"] for row in rows]


def test_allotments_are_told_as_the_register_names_them(adapter: Adapter, sent: list[str]):
    before = money(adapter)
    calls = len(adapter.rows("SELECT id FROM ifms.treasury_call"))
    marks = adapter.rows("SELECT hoa_code, ddo_code, grantee_code FROM ifms.va_watermark ORDER BY id")
    units = [tuple(mark.values()) for mark in marks]
    with asking(adapter) as inquiry:
        told = inquiry.allotments(units + units[:1], LONG_AGO)
    held = adapter.rows(
        "SELECT hoa_code, ddo_code, grantee_code, ssu_id, scheme_code, master_allotment_id, ssu_allotment_id, "
        "allotment_serial_no, transaction_number, transaction_type, transaction_date, transaction_amount, "
        "treasury_balance FROM ifms.fund_register WHERE ssu_allotment_id IS NOT NULL"
    )
    assert told
    by_number = {row["master_allotment_id"] + row["transaction_number"]: row for row in held}
    assert {each.master_allotment_id + each.transaction_number: vars(each) for each in told} == by_number
    assert money(adapter) == before
    logged = adapter.rows("SELECT service_id FROM ifms.treasury_call ORDER BY created_at OFFSET %s", calls)
    assert [row["service_id"] for row in logged] == ["AUTH", *["VA"] * len(marks)]


def test_what_pis_says_is_told_and_changes_nothing(adapter: Adapter, treasury: Treasury, sent: list[str]):
    waiting, rejected, approved = sent
    treasury.rule("PIS", "plain_reply", bill_number=waiting, text='{"serviceId": "PIS", "data": []}')
    treasury.rule("PIS", "reject", bill_number=rejected)
    before = money(adapter)
    with asking(adapter) as inquiry:
        told = inquiry.statuses([approved, waiting, rejected, approved])
    assert [(each.pi_number, each.outcome, each.state) for each in told] == [
        (approved, "answered", "APPROVED"),
        (waiting, "answered", "WAITING"),
        (rejected, "rejected", "REJECTED"),
    ]
    assert all(each.ledger_status == "INITIATED" for each in told)
    assert told[0].pi_approved_id
    assert told[1].pi_approved_id is None
    assert rejected in (told[2].message or "")
    assert money(adapter) == before
    logged = adapter.rows(
        "SELECT bill_number FROM ifms.treasury_call c JOIN ifms.payment_instruction p ON p.id = c.payment_instruction_id "
        "WHERE c.service_id = 'PIS' ORDER BY 1"
    )
    assert [row["bill_number"] for row in logged] == sorted(sent)


def test_one_that_gets_no_answer_is_a_row_that_says_so(adapter: Adapter, treasury: Treasury, sent: list[str]):
    treasury.rule("PIS", "lost_reply", bill_number=sent[0])
    treasury.rule("PIS", "garbage", bill_number=sent[1])
    with asking(adapter) as inquiry:
        told = inquiry.statuses(sent)
    assert [(each.outcome, each.state is None) for each in told] == [
        ("unknown", True),
        ("unknown", True),
        ("answered", False),
    ]
    assert all(each.message for each in told[:2])


def test_a_question_that_can_not_be_put_is_refused_before_anything_is_sent(adapter: Adapter, treasury: Treasury):
    with asking(adapter) as inquiry:
        with pytest.raises(BadInputError, match="no payment instruction PI-SA/none"):
            inquiry.statuses(["PI-SA/none"])
        with pytest.raises(BadInputError, match="must be a list"):
            inquiry.statuses("PI-SA/none")
        assert (inquiry.statuses([]), inquiry.allotments([], LONG_AGO)) == ([], [])
        with pytest.raises(BadInputError):
            inquiry.allotments([("x", "x", "x"), ("", "x", "x")], LONG_AGO)
        with pytest.raises(BadInputError):
            inquiry.allotments([("x", "x", "x")], datetime(2024, 1, 1))  # noqa: DTZ001
    assert treasury.state["logins"] in (0, [])
    assert adapter.rows("SELECT id FROM ifms.treasury_call") == []


@pytest.mark.parametrize(
    ("effect", "error"),
    [("error", TreasuryError), ("lost_reply", TreasuryUnreachableError), ("garbage", WireError)],
)
def test_allotments_that_are_not_told_are_an_error_and_logged(
    adapter: Adapter, treasury: Treasury, effect: str, error: type[TreasuryError]
):
    treasury.rule("VA", effect, **({"errorMsg": "Sample error of the treasury"} if effect == "error" else {}))
    with asking(adapter) as inquiry, pytest.raises(error):
        inquiry.allotments([("999", "SAMPLE", "SAMPLE")], LONG_AGO)
    logged = adapter.rows("SELECT service_id, outcome FROM ifms.treasury_call ORDER BY created_at")
    assert [row["service_id"] for row in logged] == ["AUTH", "VA"]


def test_a_login_that_is_refused_is_an_error_and_logged(adapter: Adapter):
    with asking(adapter, client_secret="wrong") as inquiry, pytest.raises(TreasuryLoginError):
        inquiry.allotments([("999", "SAMPLE", "SAMPLE")], LONG_AGO)
    assert [row["service_id"] for row in adapter.rows("SELECT service_id FROM ifms.treasury_call")] == ["AUTH"]


def test_a_session_that_is_lost_under_way_ends_the_questions_and_what_was_said_is_logged(
    adapter: Adapter, treasury: Treasury, sent: list[str]
):
    treasury.rule("PIS", "expired_session")
    with asking(adapter, max_concurrency=1) as inquiry:
        inquiry.treasury.login()
        treasury.rule("AUTH", "http_status", status=401)
        with pytest.raises(TreasuryLoginError):
            inquiry.statuses(sent)
    logged = adapter.rows("SELECT service_id, outcome FROM ifms.treasury_call WHERE service_id = 'PIS'")
    assert [row["outcome"] for row in logged] == ["unknown"]


def test_who_may_log_calls(ledger_dsn: str):
    for login, may in ((as_worker, True), (as_reader, False)):
        with psycopg.connect(login(ledger_dsn)) as connection:
            assert may_log(connection) is may
