"""FD: which days are asked for, in which financial year; a day that was not heard of. End to end: test_cor.py."""

import json
import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from support import failed
from support.simulators import LOG_KEY

from ifms.errors import SweepNeedsAttentionError, SweepStoppedError, SweepUnreachableError
from ifms.ledger.phrases import add_phrase
from ifms.sealing import Sealer
from ifms.services.fd import WINDOW, voucher_dates
from ifms.services.scope import Scope

NOTHING_PAID = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Midnight in Odisha is 18:30 UTC.
@pytest.mark.parametrize(
    ("since", "until", "dates"),
    [
        ("2026-11-20T16:30", "2026-11-23T16:30", ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]),
        ("2026-11-20T18:29", "2026-11-20T18:29", ["2026-11-20"]),
        ("2026-11-20T18:31", "2026-11-20T18:31", ["2026-11-21"]),
        ("2026-11-20T18:29:59", "2026-11-20T18:30", ["2026-11-20", "2026-11-21"]),
        ("2026-11-20T18:31", "2026-11-21T18:29", ["2026-11-21"]),
        ("2027-03-31T18:29", "2027-03-31T18:31", ["2027-03-31", "2027-04-01"]),  # 23:59 and 00:01
        ("2028-02-28T12:00", "2028-03-01T12:00", ["2028-02-28", "2028-02-29", "2028-03-01"]),
        ("2026-12-31T18:00", "2026-12-31T19:00", ["2026-12-31", "2027-01-01"]),
    ],
)
def test_every_date_in_ist_that_the_period_touches(since, until, dates):
    assert voucher_dates(utc(since), utc(until)) == [date.fromisoformat(each) for each in dates]


def test_three_days_back_from_any_minute_are_four_dates_without_a_gap():
    start = utc("2027-03-29T00:00")
    for minutes in range(0, 5 * 24 * 60, 7):
        until = start + timedelta(minutes=minutes)
        found = voucher_dates(until - WINDOW, until)
        assert len(found) == 4
        assert [each - found[0] for each in found] == [timedelta(days=number) for number in range(4)]


def asked(adapter):
    """The params of all FD calls, in the order of their dates."""
    sealer = Sealer.from_config(LOG_KEY)
    rows = adapter.rows("SELECT request_sealed FROM ifms.treasury_call WHERE service_id = 'FD'")
    said = [json.loads(sealer.open(row["request_sealed"]))["params"] for row in rows]
    return sorted((each["voucherDate"], each["finYear"]) for each in said)


@NOTHING_PAID
def test_each_date_is_asked_in_its_own_financial_year(adapter):
    adapter.run("FD", Scope(since=utc("2027-03-30T18:31"), until=utc("2027-04-01T18:29")))
    assert asked(adapter) == [("2027-03-31", "2026"), ("2027-04-01", "2027")]


@NOTHING_PAID
@pytest.mark.parametrize(
    ("instant", "told"),
    [
        ("2027-03-31T18:29:59", ("2027-03-31", "2026")),
        ("2027-03-31T18:30:00", ("2027-04-01", "2027")),
    ],
)
def test_the_year_changes_at_midnight_in_odisha(adapter, instant, told):
    adapter.run("FD", Scope(since=utc(instant) - timedelta(microseconds=1), until=utc(instant)))
    assert asked(adapter)[-1] == told


@NOTHING_PAID
def test_a_week_is_asked_for_day_by_day_and_the_default_are_72_hours(adapter, treasury):
    until = datetime.now(UTC)
    adapter.run("FD", Scope(since=until - timedelta(days=7), until=until))
    assert [day for day, _ in asked(adapter)] == [str(each) for each in voucher_dates(until - timedelta(days=7), until)]
    before = treasury.state["calls"]["FD"]
    adapter.run("FD")
    assert treasury.state["calls"]["FD"] == before + 4


@NOTHING_PAID
def test_a_day_that_was_not_heard_of_is_named_and_the_others_are_booked(adapter, treasury):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    treasury.rule("FD", "refuse", mode="close", times=1)
    with pytest.raises(SweepUnreachableError, match=r"nothing was heard about \d{4}-\d\d-\d\d; run it again"):
        adapter.run("FD")
    assert treasury.state["calls"]["FD"] >= 3
    adapter.run("FD")
    assert len(failed.failing(adapter)) == 1


@NOTHING_PAID
@pytest.mark.parametrize(("effect", "options"), [("garbage", {}), ("html", {}), ("error", {"errorMsg": "sample"})])
def test_a_day_that_was_not_understood_is_red_and_the_others_are_booked(adapter, treasury, effect, options):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    adapter.treasury_changes = {"max_concurrency": 1}  # the earliest day is asked first
    treasury.rule("FD", effect, times=1, **options)
    with pytest.raises(SweepNeedsAttentionError, match=r"failures of \d{4}-\d\d-\d\d: "):
        adapter.run("FD")
    assert len(failed.failing(adapter)) == 1


@NOTHING_PAID
def test_a_sweep_that_is_stopped_says_which_days_are_left(adapter):
    stop = threading.Event()
    stop.set()
    with pytest.raises((SweepStoppedError, SweepUnreachableError)):
        adapter.run("FD", stop=stop)
    assert asked(adapter) == []


@NOTHING_PAID
def test_a_text_that_is_known_to_mean_that_nothing_came_back_is_green(adapter, treasury):
    treasury.rule("FD", "error", errorMsg="No record found for this date")
    with pytest.raises(SweepNeedsAttentionError, match="the treasury says No record found"):
        adapter.run("FD")
    [answer] = adapter.rows("SELECT id, service_id, times FROM ifms.unknown_answer")
    assert answer["service_id"] == "FD"
    with psycopg.connect(adapter.dsn) as connection:
        add_phrase(connection, ["FD"], "No record found for this date", "no news", reason="asked", added_by="a tester")
    adapter.run("FD")
    assert adapter.rows("SELECT id, service_id, times FROM ifms.unknown_answer") == [answer]


@NOTHING_PAID
def test_what_came_back_while_a_pi_was_pending_is_booked_when_it_is_found(adapter, treasury):
    failed.wage_bill(adapter, 1)
    adapter.run("VA")
    adapter.run("PA")
    treasury.rule("PI", "lost_reply", times=1)
    treasury.rule("PIS", "lost_reply", times=1)
    for _ in range(2):
        with pytest.raises(SweepUnreachableError):
            adapter.run("PI")
    failed.fail(adapter, "all")
    with pytest.raises(SweepNeedsAttentionError, match="the payment instruction is PENDING"):
        adapter.run("FD")
    adapter.run("PI")
    assert adapter.rows("SELECT status FROM ifms.beneficiary") == [{"status": "Payment Failed"}]
    assert adapter.rows("SELECT matched_at IS NULL AS open FROM ifms.unmatched_failure") == [{"open": False}]
    for service in ("PIS", "PAG"):
        adapter.run(service)
    assert failed.original(adapter)["status"] == "PARTIAL"
