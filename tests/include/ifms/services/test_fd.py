"""FD: which days are asked for, in which financial year; a day that was not heard of. End to end: test_cor.py."""

import json
import threading
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from support import failed
from support.adapter import Adapter
from support.databases import rewrite, settle
from support.keys import call_text
from support.uncertain import on

from ifms import clock
from ifms.errors import ConflictError, SweepNeedsAttentionError, SweepStoppedError, SweepUnreachableError
from ifms.ledger import beneficiaries, failures, instructions
from ifms.ledger.beneficiaries import Failure
from ifms.ledger.failure_matching import NO_SUCH_BENEFICIARY, book_and_log, match, rematch
from ifms.ledger.phrases import add_phrase
from ifms.services.correction_order import Order
from ifms.services.fd import dates_to_ask, voucher_dates
from ifms.sweep.scope import Scope

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


def last_days(count=3):
    """So many days up to now: every date of them is asked for."""
    until = datetime.now(UTC)
    return Scope(since=until - timedelta(days=count), until=until)


def asked(adapter):
    """The params of all FD calls, in the order of their dates."""
    rows = adapter.rows("SELECT * FROM ifms.treasury_call WHERE service_id = 'FD'")
    said = [json.loads(call_text(row))["params"] for row in rows]
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
def test_a_period_is_asked_for_day_by_day_whatever_was_paid(adapter):
    week = last_days(7)
    sweep = adapter.run("FD", week)
    dates = voucher_dates(week.since, week.until)
    assert [day for day, _ in asked(adapter)] == [str(each) for each in dates]
    assert figures(adapter, sweep) == (8, dates[0], dates[-1])


@NOTHING_PAID
def test_without_a_payment_there_is_nothing_to_ask(adapter, treasury):
    sweep = adapter.run("FD")
    assert "FD" not in treasury.state["calls"]
    assert "dates_asked" not in sweep.counts


def figures(adapter, sweep):
    """How many dates a sweep has asked for, the oldest and the newest, as its row has them."""
    [row] = adapter.rows("SELECT counts FROM ifms.sweep_run WHERE id = %s", sweep.run.id)
    counts = row["counts"]
    ends = [date.fromisoformat(str(counts[f"{end}_date_asked"])) for end in ("oldest", "newest")]
    return (counts["dates_asked"], *ends)


def today():
    """On the treasury's calendar."""
    return clock.to_ist(clock.now()).date()


def pay(adapter, treasury, days_ago, payees=3, *, billed_then=True):
    """A wage bill whose voucher is so many days old; the number of its PI, which is as old unless it is corrected."""
    failed.wage_bill(adapter, payees)
    adapter.run("VA")
    treasury.settings(clock_offset_seconds=-days_ago * 86400)
    for service in ("PA", "PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    treasury.settings(clock_offset_seconds=0)
    if billed_then:
        rewrite(
            adapter.dsn,
            "UPDATE ifms.payment_instruction SET bill_date = bill_date - make_interval(days => %s)"
            " WHERE created_at = (SELECT max(created_at) FROM ifms.payment_instruction)",
            (days_ago,),
        )
    voucher = today() - timedelta(days=days_ago)
    paid = adapter.rows(
        "SELECT DISTINCT voucher_date FROM ifms.beneficiary WHERE created_at = (SELECT max(created_at) FROM ifms.beneficiary)"
    )
    assert paid == [{"voucher_date": voucher}]
    [row] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY created_at DESC LIMIT 1")
    return row["pi_number"]


def comes_back(adapter, number, days, beneficiaries=1):
    """The bank tells of it so many days after the voucher."""
    order = {"bill_number": number, "beneficiaries": beneficiaries, "late_days": days}
    adapter.simulators.ask_treasury("POST", "failures", order)


def whole(adapter):
    """All that FD changes, without ids and times."""
    return adapter.rows(
        """
        SELECT p.status AS pi, b.beneficiary_number, b.status, b.status_message, b.failed_on, b.challan_date,
               (SELECT count(*) FROM ifms.status_log l WHERE l.payment_instruction_id = p.id) AS steps,
               (SELECT count(*) FROM ifms.outbox) AS told, (SELECT count(*) FROM ifms.reported_failure) AS unmatched
        FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
        ORDER BY b.beneficiary_number
        """
    )


@NOTHING_PAID
@pytest.mark.parametrize("reading", ["on", "since"])
@pytest.mark.parametrize("day", [4, 10, 60, 99, 100])
def test_a_return_told_late_is_booked_by_the_next_run(adapter, treasury, reading, day):
    treasury.settings(fd_reading=reading)
    comes_back(adapter, pay(adapter, treasury, day), day)
    treasury.settings(clock_offset_seconds=-86400)  # the day before
    adapter.run("FD")
    assert failed.failing(adapter) == []
    treasury.settings(clock_offset_seconds=0)
    sweep = adapter.run("FD")
    assert len(failed.failing(adapter)) == 1
    assert failed.original(adapter)["status"] == "PARTIAL"
    voucher = today() - timedelta(days=day)
    assert figures(adapter, sweep) == (1, voucher, voucher)
    assert asked(adapter) == 2 * [(str(voucher), str(clock.financial_year(voucher)))]
    [row] = adapter.rows("SELECT failed_on FROM ifms.beneficiary WHERE status = 'Payment Failed'")
    assert row["failed_on"] == today()  # the 90 days count from the challan


@NOTHING_PAID
def test_both_readings_give_the_same_rows_and_each_counts_once(adapter, treasury, postgres):
    numbers = [pay(adapter, treasury, days, payees=2) for days in (90, 30, 2)]
    for number in numbers[1:]:
        comes_back(adapter, number, 1)
    unknown = {"bill_number": "PI-XX/2020-21/000001", "unknown": True, "beneficiaries": ["BN-XX/1"]}
    adapter.simulators.ask_treasury("POST", "failures", unknown | {"voucher_date": str(today() - timedelta(days=2))})
    results = []
    for reading in ("on", "since"):
        treasury.settings(fd_reading=reading)
        other = f"fd_{reading}"
        with psycopg.connect(adapter.dsn, autocommit=True) as connection:
            ours = connection.info.dbname
        postgres.create_database(other, ours)
        try:
            settle(postgres.dsn(other))
            here = Adapter(postgres.dsn(other), adapter.simulators)
            with pytest.raises(SweepNeedsAttentionError, match=r"1 problem\(s\), the first: .*PI-XX"):
                here.run("FD")
            [run] = here.rows("SELECT counts FROM ifms.sweep_run WHERE service_id = 'FD'")
            results.append((whole(here), run["counts"]))
        finally:
            postgres.drop_database(other)
    assert results[0] == results[1]
    rows, counts = results[0]
    assert [row["status"] for row in rows].count("Payment Failed") == 2
    assert (counts["dates_asked"], counts["bills_with_failures"], counts["failures_unmatched"]) == (3, 2, 1)


@NOTHING_PAID
@pytest.mark.parametrize("reading", ["on", "since"])
def test_a_row_without_a_voucher_date_is_of_the_newest_date_that_it_is_told_about(adapter, treasury, reading):
    treasury.settings(fd_reading=reading)
    for days in (20, 10, 5):
        last = pay(adapter, treasury, days, payees=2)
    comes_back(adapter, last, 1)
    treasury.rule("FD", "missing_field", field="voucherDate")
    unknown = {"bill_number": "PI-XX/2020-21/000001", "unknown": True, "beneficiaries": ["BN-XX/1"]}
    adapter.simulators.ask_treasury("POST", "failures", unknown | {"voucher_date": str(today() - timedelta(days=5))})
    with pytest.raises(SweepNeedsAttentionError, match="PI-XX"):
        adapter.run("FD")
    assert len(failed.failing(adapter)) == 1
    [row] = adapter.rows("SELECT voucher_date FROM ifms.reported_failure")
    assert row["voucher_date"] == today() - timedelta(days=5)


@NOTHING_PAID
def test_who_is_not_paid_yet_is_asked_about_from_the_bills_date_on(adapter, treasury):
    failed.wage_bill(adapter)
    for service in ("VA", "PA", "PI", "PIS", "PAG"):
        adapter.run(service)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("SET session_replication_role = replica")  # else its past is not rewritten
        connection.execute("UPDATE ifms.payment_instruction SET bill_date = bill_date - interval '12 days'")
    sweep = adapter.run("FD")
    assert figures(adapter, sweep) == (13, today() - timedelta(days=12), today())


@NOTHING_PAID
@pytest.mark.parametrize("days", [30, 12_000, -400])
def test_who_is_paid_by_a_voucher_whose_date_can_not_be_right_is_heard_of(adapter, days):
    """PD's own are not booked; an import takes what the adapter before this one had booked."""
    failed.wage_bill(adapter)
    for service in ("VA", "PA", "PI", "PIS", "PAG", "PD"):
        adapter.run(service)
    told = today() + timedelta(days=days)
    rewrite(adapter.dsn, f"UPDATE ifms.beneficiary SET voucher_date = '{told}'")
    failed.fail(adapter, 1)
    sweep = adapter.run("FD")
    assert len(failed.failing(adapter)) == 1
    assert {day for day, _ in asked(adapter)} == {str(told), str(today())}
    assert figures(adapter, sweep) == (2, min(told, today()), max(told, today()))


@NOTHING_PAID
def test_a_shorter_window_asks_less(adapter, treasury):
    pay(adapter, treasury, 30)
    sweep = adapter.sweep("FD")
    assert dates_to_ask(sweep, 29) == []
    assert dates_to_ask(sweep, 30) == [today() - timedelta(days=30)]


@NOTHING_PAID
def test_who_has_failed_can_not_come_back_again(adapter, treasury):
    comes_back(adapter, pay(adapter, treasury, 8), 2, "all")
    adapter.run("FD")
    before = treasury.state["calls"]["FD"]
    sweep = adapter.run("FD")
    assert (treasury.state["calls"]["FD"], sweep.counts["dates_asked"]) == (before, 0)


@NOTHING_PAID
def test_a_revised_payment_is_asked_about_by_its_own_voucher_date(adapter, treasury):
    comes_back(adapter, pay(adapter, treasury, 40, payees=1, billed_then=False), 40)
    adapter.run("FD")
    failed.mend(adapter)
    adapter.correct(Order(failed.TENANT, failed.original(adapter)["pi_number"]))
    adapter.run("FTPS")
    sweep = adapter.run("FD")
    assert figures(adapter, sweep) == (1, today(), today())


@NOTHING_PAID
def test_an_answer_is_kept_only_for_a_date_that_was_understood(adapter, treasury):
    def kept():
        rows = adapter.rows("SELECT voucher_date, sweep_run_id FROM ifms.voucher_date_asked ORDER BY 1")
        return [(row["voucher_date"], row["sweep_run_id"]) for row in rows]

    pay(adapter, treasury, 6)
    adapter.treasury_changes = {"max_concurrency": 1}
    treasury.rule("FD", "garbage", times=1)
    with pytest.raises(SweepNeedsAttentionError):
        adapter.run("FD")
    assert kept() == []
    first = adapter.run("FD")
    assert kept() == [(today() - timedelta(days=6), first.run.id)]
    second = adapter.run("FD")
    assert kept() == [(today() - timedelta(days=6), second.run.id)]


@NOTHING_PAID
def test_a_day_that_was_not_heard_of_is_named_and_the_others_are_booked(adapter, treasury):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    treasury.rule("FD", "refuse", mode="close", times=1)
    with pytest.raises(SweepUnreachableError, match=r"nothing was heard about \d{4}-\d\d-\d\d; run it again"):
        adapter.run("FD", last_days())
    assert treasury.state["calls"]["FD"] >= 3
    adapter.run("FD", last_days())
    assert len(failed.failing(adapter)) == 1


@NOTHING_PAID
def test_a_failure_that_can_not_be_read_keeps_no_other_of_its_bill(adapter, treasury):
    failed.wage_bill(adapter)
    adapter.cycle()
    number = failed.original(adapter)["pi_number"]
    [one, two, _] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary ORDER BY 1")
    entries = [{"benfId": one["beneficiary_number"], "utrDate": "3 May"}, {"benfId": two["beneficiary_number"]}]
    row = {"billNumber": number, "voucherDate": str(today()), "benfDtls": entries}
    treasury.rule("FD", "plain_reply", text=json.dumps({"serviceId": "FD", "errorMsg": None, "data": [row]}))
    with pytest.raises(SweepNeedsAttentionError, match=rf"benfDtls\[0\]: .*utrDate: is not a date.*{number}"):
        adapter.run("FD")
    assert failed.failing(adapter) == [two["beneficiary_number"]]
    assert adapter.rows("SELECT voucher_date FROM ifms.voucher_date_asked") == []  # so it is asked for again


@NOTHING_PAID
@pytest.mark.parametrize(("effect", "options"), [("garbage", {}), ("html", {}), ("error", {"errorMsg": "sample"})])
def test_a_day_that_was_not_understood_is_red_and_the_others_are_booked(adapter, treasury, effect, options):
    failed.wage_bill(adapter)
    adapter.cycle()
    failed.fail(adapter)
    adapter.treasury_changes = {"max_concurrency": 1}  # the earliest day is asked first
    treasury.rule("FD", effect, times=1, **options)
    with pytest.raises(SweepNeedsAttentionError, match=r"failures of \d{4}-\d\d-\d\d: "):
        adapter.run("FD", last_days())
    assert len(failed.failing(adapter)) == 1


@NOTHING_PAID
def test_a_sweep_that_is_stopped_says_which_days_are_left(adapter):
    stop = threading.Event()
    stop.set()
    with pytest.raises((SweepStoppedError, SweepUnreachableError)):
        adapter.run("FD", last_days(), stop)
    assert asked(adapter) == []


@NOTHING_PAID
def test_a_text_that_is_known_to_mean_that_nothing_came_back_is_green(adapter, treasury):
    treasury.rule("FD", "error", errorMsg="No record found for this date")
    with pytest.raises(SweepNeedsAttentionError, match="the treasury says No record found"):
        adapter.run("FD", last_days())
    assert adapter.rows("SELECT voucher_date FROM ifms.voucher_date_asked") == []
    [answer] = adapter.rows("SELECT id, service_id, times FROM ifms.unknown_answer")
    assert answer["service_id"] == "FD"
    with psycopg.connect(adapter.dsn) as connection:
        add_phrase(connection, ["FD"], "No record found for this date", "no news", reason="asked", added_by="a tester")
    sweep = adapter.run("FD", last_days())
    assert [text.partition(": ")[2] for text in sweep.problems] == ["No record found for this date"] * 4
    assert adapter.rows("SELECT id, service_id, times FROM ifms.unknown_answer") == [answer]
    assert len(adapter.rows("SELECT voucher_date FROM ifms.voucher_date_asked")) == 4


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
    assert adapter.rows("SELECT matched_at IS NULL AS open FROM ifms.reported_failure") == [{"open": False}]
    for service in ("PIS", "PAG"):
        adapter.run(service)
    assert failed.original(adapter)["status"] == "PARTIAL"


# What an answer tells -------------------------------------------------------------------------------------------------


@pytest.fixture
def two_paid(adapter):
    """Two wage bills for two payees each, paid today; the numbers of their PIs."""
    for _ in range(2):
        failed.wage_bill(adapter, 2)
    adapter.cycle()
    rows = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY pi_number")
    return [row["pi_number"] for row in rows]


@NOTHING_PAID
def test_all_failures_of_all_bills_of_an_answer_are_booked_once(adapter, two_paid):
    for number in two_paid:
        failed.fail(adapter, "all", number)
    sweep = adapter.run("FD")
    assert len(failed.failing(adapter)) == 4
    assert (sweep.counts["answered"], sweep.counts["bills_with_failures"], sweep.counts["bills_newly_failed"]) == (
        1,
        2,
        2,
    )
    again = adapter.run("FD", last_days(1))
    assert (again.counts["bills_with_failures"], again.counts["bills_newly_failed"]) == (2, 0)


def told(*rows):
    """An answer of these rows, as it is encrypted."""
    return json.dumps({"serviceId": "FD", "errorMsg": None, "data": rows})


def row(number, *beneficiaries, day=None):
    return {
        "billNumber": number,
        "voucherDate": str(day or today()),
        "benfDtls": [{"benfId": each, "failedReason": "Account closed"} for each in beneficiaries],
    }


OF_PI = """
    SELECT b.beneficiary_number AS number FROM ifms.beneficiary b
    JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id WHERE p.pi_number = %s ORDER BY 1
"""


@NOTHING_PAID
def test_each_failure_that_matches_nothing_is_named_with_the_reason_and_the_others_are_booked(
    adapter, treasury, two_paid
):
    first, second = two_paid
    [one, _] = adapter.rows(OF_PI, first)
    rows = row("PI-XX/1", "BN-XX/1", None), row(first, "BN-XX/2", one["number"]), row(second, "BN-XX/3")
    treasury.rule("FD", "plain_reply", text=told(*rows))
    sweep = adapter.sweep("FD")
    with pytest.raises(SweepNeedsAttentionError, match="4 problem"), sweep:
        adapter.work(sweep)
    assert [text.partition("matches nothing: ")[0] for text in sweep.problems] == [
        "a failure of bill PI-XX/1, beneficiary BN-XX/1, ",
        "a failure of bill PI-XX/1, a beneficiary without id, ",
        f"a failure of bill {first}, beneficiary BN-XX/2, ",
        f"a failure of bill {second}, beneficiary BN-XX/3, ",
    ]
    assert [text.partition("matches nothing: ")[2] for text in sweep.problems] == [
        *2 * ["no payment instruction has this number; it is kept"],
        *2 * ["the payment instruction has no such beneficiary; it is kept"],
    ]
    assert (sweep.counts["failures_unmatched"], sweep.counts["bills_with_failures"]) == (4, 1)
    assert failed.failing(adapter) == [one["number"]]


CONTRADICTIONS = {
    "account": ({"benfAcctNo": "99990000", "benfBankIfscCode": "SMPL0000009"}, {}, "an account that ends in 0000"),
    "bill reference": ({}, {"billRefNo": "9999"}, "it names the bill reference 9999"),
    "day": ({"challanDate": "2062-06-01"}, {}, "it is dated 2062-06-01, more than 7 days ahead"),
    "day before its bill": ({"challanDate": "2001-01-05"}, {}, "it is dated 2001-01-05, and the payment instruction"),
    "voucher of years before": (
        {},
        {"voucherDate": "2001-01-01"},
        "it is dated 2001-01-01, and the payment instruction",
    ),
}


@NOTHING_PAID
@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_failure_that_says_what_is_known_to_be_otherwise_is_kept_and_not_booked(adapter, treasury, two_paid, what):
    """Another transfer may have come back: who is paid by this one would be paid a second time."""
    payee, bill, why = CONTRADICTIONS[what]
    number, _ = two_paid
    one, other = (each["number"] for each in adapter.rows(OF_PI, number))
    answer = row(number, one, other) | bill
    answer["benfDtls"][0] |= payee
    treasury.rule("FD", "plain_reply", text=told(answer))
    with pytest.raises(SweepNeedsAttentionError, match=f"beneficiary {one}, matches nothing: .*{why}"):
        adapter.run("FD")
    assert failed.failing(adapter) == ([] if bill else [other])
    kept = "SELECT id, matched_at, settled_at, why_unmatched FROM ifms.reported_failure WHERE beneficiary_id = %s"
    adapter.run("FD")  # told again it is known, and looked at again it is still another's
    [found] = adapter.rows(kept, one)
    assert found["matched_at"] is None
    assert why in found["why_unmatched"]
    on(
        adapter,
        lambda c: failures.close_reported(
            c, found["id"], reason="the treasury meant another transfer", person="sample"
        ),
    )
    adapter.run("FD")
    [found] = adapter.rows(kept, one)
    assert found["settled_at"] is not None
    assert one not in failed.failing(adapter)


@NOTHING_PAID
def test_a_row_that_can_not_be_read_is_a_problem_once_and_the_others_are_booked(adapter, treasury, two_paid):
    [one] = adapter.rows("SELECT min(beneficiary_number) AS number FROM ifms.beneficiary")
    [of_one] = adapter.rows(
        "SELECT p.pi_number FROM ifms.payment_instruction p JOIN ifms.beneficiary b ON p.id = b.payment_instruction_id"
        " WHERE b.beneficiary_number = %s",
        one["number"],
    )
    odd = [row(number, "BN-XX/1") | {"voucherDate": "some day"} for number in ("PI-XX/1", "PI-XX/2")]
    treasury.rule("FD", "plain_reply", text=told(*odd, row(of_one["pi_number"], one["number"])))
    sweep = adapter.sweep("FD")
    with pytest.raises(SweepNeedsAttentionError, match=r"2 problem\(s\), the first: failures of "), sweep:
        adapter.work(sweep, last_days(1))
    assert treasury.state["calls"]["FD"] == 2
    assert [number for number in ("PI-XX/1", "PI-XX/2") for text in sweep.problems if number in text] == [
        "PI-XX/1",
        "PI-XX/2",
    ]
    assert failed.failing(adapter) == [one["number"]]
    assert adapter.rows("SELECT voucher_date FROM ifms.voucher_date_asked") == []


@NOTHING_PAID
def test_a_bill_that_can_not_be_booked_keeps_no_other_from_it(adapter, two_paid, monkeypatch):
    for number in two_paid:
        failed.fail(adapter, 1, number)

    def refuse_the_first(connection, pi, *given):
        if pi.pi_number == two_paid[0]:
            raise ConflictError("sample")
        return book_and_log(connection, pi, *given)

    monkeypatch.setattr("ifms.services.fd.book_and_log", refuse_the_first)
    with pytest.raises(SweepNeedsAttentionError, match=f"1 problem.*: failures of bill {two_paid[0]}: sample"):
        adapter.run("FD")
    assert len(failed.failing(adapter)) == 1


@NOTHING_PAID
@pytest.mark.parametrize("refused", [False, True], ids=["all", "one is refused"])
def test_what_was_kept_is_booked_by_the_next_run_once_its_pi_can_take_it(adapter, two_paid, monkeypatch, refused):
    def keep(connection):
        for number in two_paid:
            pi = instructions.lock(connection, number)
            one, _ = beneficiaries.of(connection, [pi.id])[pi.id]
            failure = Failure(today(), "Account closed", None, None, beneficiary_id=one.beneficiary_number)
            sealer = adapter.simulators.treasury_config().keyring.sealer
            failures.keep_unmatched(connection, number, failure, sealer, "sample")

    on(adapter, keep)

    def refuse_the_first(connection, bill_number, **more):
        if bill_number == two_paid[0]:
            raise ConflictError("sample")
        return rematch(connection, bill_number=bill_number, **more)

    if refused:
        monkeypatch.setattr("ifms.services.fd.rematch", refuse_the_first)
    sweep = adapter.sweep("FD")
    with pytest.raises(SweepNeedsAttentionError) if refused else nullcontext(), sweep:
        adapter.work(sweep)
    assert sweep.problems == ([f"kept failures of bill {two_paid[0]}: sample"] if refused else [])
    assert sweep.counts["failures_matched_late"] == len(failed.failing(adapter)) == (1 if refused else 2)


@NOTHING_PAID
def test_what_was_kept_and_is_told_once_more_has_matched(adapter, treasury, two_paid, monkeypatch):
    """Its PI could not take it when the run began to look."""
    number, _ = two_paid
    [one, _] = adapter.rows(OF_PI, number)
    found = "SELECT matched_at IS NOT NULL AS matched FROM ifms.reported_failure"
    treasury.rule("FD", "plain_reply", text=told(row(number, one["number"])))
    monkeypatch.setattr("ifms.services.fd.match", lambda *_: NO_SUCH_BENEFICIARY)
    with pytest.raises(SweepNeedsAttentionError, match="no such beneficiary"):
        adapter.run("FD")
    assert adapter.rows(found) == [{"matched": False}]
    monkeypatch.setattr("ifms.services.fd.match", match)
    monkeypatch.setattr("ifms.services.fd.rematch", lambda *_, **__: 0)
    adapter.run("FD")
    assert adapter.rows(found) == [{"matched": True}]


@NOTHING_PAID
@pytest.mark.parametrize("effect", ["refuse", "lost_reply"])
def test_a_day_that_was_not_heard_of_is_in_the_run_s_messages(adapter, treasury, effect):
    treasury.rule("FD", effect, times=1)
    adapter.treasury_changes = {"max_concurrency": 1}
    sweep = adapter.sweep("FD")
    scope = last_days(1)
    with pytest.raises(SweepUnreachableError, match="nothing was heard about"), sweep:
        adapter.work(sweep, scope)
    [text] = sweep.problems
    assert text.startswith(f"failures of {voucher_dates(scope.since, scope.until)[0]}: ")


def test_what_was_booked_is_logged_once_however_often_it_is_told(adapter):
    failed.paid_and_failed(adapter, payees=3, failures=1)
    told = "SELECT count(*) AS n FROM ifms.status_log WHERE message LIKE '%%reported as failed'"
    assert adapter.rows(told) == [{"n": 1}]
    adapter.run("FD")
    assert adapter.rows(told) == [{"n": 1}]
