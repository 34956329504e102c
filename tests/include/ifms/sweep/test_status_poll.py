"""What the status services do with each kind of answer: service x outcome, everything asserted."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import psycopg
import pytest
from psycopg import errors
from support.adapter import assert_money_is_right

from ifms.errors import LedgerError, SweepNeedsAttentionError, SweepUnreachableError
from ifms.ledger import database
from ifms.ledger.phrases import add_phrase
from ifms.services.pis import InstructionStatus
from ifms.sweep import status_poll
from ifms.sweep.scope import Scope
from ifms.sweep.status_poll import Poll, claimed

pytestmark = pytest.mark.simulators(platform={"cities": 1})

ORDER = ("VA", "PA", "PI", "PIS", "PAG", "PD")
BEFORE = {"PIS": "INITIATED", "PAG": "APPROVED", "PD": "IN PROCESS"}
AFTER = {"PIS": "APPROVED", "PAG": "IN PROCESS", "PD": "SUCCESSFUL"}
BENEFICIARY_BEFORE = {"PIS": "Payment Initiated", "PAG": "Payment Initiated", "PD": "Payment In Process"}
BENEFICIARY_AFTER = {"PIS": "Payment Initiated", "PAG": "Payment In Process", "PD": "Payment Successful"}


def bring_to(adapter, service):
    for earlier in ORDER[: ORDER.index(service)]:
        adapter.run(earlier)


def beneficiary_statuses(adapter):
    return {row["status"] for row in adapter.rows("SELECT status FROM ifms.beneficiary")}


def logged(adapter, service):
    rows = adapter.rows("SELECT status FROM ifms.status_log WHERE service_id = %s", service)
    return Counter(row["status"] for row in rows)


@pytest.mark.parametrize("service", ["PIS", "PAG", "PD"])
def test_success_moves_the_instruction_along(adapter, treasury, service):
    bring_to(adapter, service)
    adapter.run(service)
    assert adapter.statuses() == Counter({AFTER[service]: 3})
    assert beneficiary_statuses(adapter) == {BENEFICIARY_AFTER[service]}
    assert logged(adapter, service) == Counter({f"STATUS_LOG_{service}_SUCCESS": 3})
    assert_money_is_right(adapter, treasury)


OUTCOMES = {
    "error": ({"effect": "error", "errorMsg": "Sample error of the treasury"}, SweepNeedsAttentionError, "ERROR"),
    "no answer": ({"effect": "lost_reply"}, SweepUnreachableError, "NO_RESPONSE"),
    "http 500": ({"effect": "http_status", "status": 500}, SweepUnreachableError, "NO_RESPONSE"),
    "not sent": ({"effect": "refuse"}, SweepUnreachableError, None),
    "not base64": ({"effect": "garbage"}, SweepNeedsAttentionError, "ERROR"),
    "bad padding": ({"effect": "bad_padding"}, SweepNeedsAttentionError, "ERROR"),
    "another key": ({"effect": "wrong_key"}, SweepNeedsAttentionError, "ERROR"),
    "another bill": ({"effect": "other_bill"}, SweepNeedsAttentionError, "ERROR"),
}


@pytest.mark.parametrize("service", ["PIS", "PAG", "PD"])
@pytest.mark.parametrize(("rule", "ends", "log"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_nothing_else_changes_a_status_and_the_next_sweep_goes_on(adapter, treasury, service, rule, ends, log):
    bring_to(adapter, service)
    treasury.rule(service, rule["effect"], **{k: v for k, v in rule.items() if k != "effect"})
    with pytest.raises(ends):
        adapter.run(service)
    assert adapter.statuses() == Counter({BEFORE[service]: 3})
    assert beneficiary_statuses(adapter) == {BENEFICIARY_BEFORE[service]}
    if log is not None:
        assert logged(adapter, service) == Counter({f"STATUS_LOG_{service}_{log}": 3})
    assert all(row["error_message"] for row in adapter.rows("SELECT error_message FROM ifms.payment_instruction")), (
        "the info band says why"
    )
    assert adapter.rows("SELECT count(*) AS n FROM ifms.treasury_call WHERE service_id = %s", service)[0]["n"] == 3
    treasury.clear()
    adapter.run(service)
    assert adapter.statuses() == Counter({AFTER[service]: 3})
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1}, treasury={"pace_seconds": 3600})
def test_no_news_is_neither_result_nor_error(adapter, treasury):
    bring_to(adapter, "PIS")
    adapter.run("PIS")
    assert adapter.statuses() == Counter(INITIATED=3)
    assert logged(adapter, "PIS") == Counter(STATUS_LOG_PIS_NO_NEWS=3)


@pytest.mark.parametrize("field", ["finYear", "adviceId", "adviceDate", "onlineBillRefNo", "tokenNumber", "tokenDate"])
def test_an_advice_without_a_field_is_one_pi_s_trouble_only(adapter, treasury, field):
    """The Java adapter stopped its whole sweep there."""
    bring_to(adapter, "PAG")
    treasury.rule("PAG", "missing_field", field=field, times=1)
    with pytest.raises(SweepNeedsAttentionError, match=field):
        adapter.run("PAG")
    assert adapter.statuses() == Counter({"IN PROCESS": 2, "APPROVED": 1})
    adapter.run("PAG")
    assert adapter.statuses() == Counter({"IN PROCESS": 3})


def test_a_rejection_gives_the_money_back_and_frees_the_payment(adapter, treasury):
    bring_to(adapter, "PIS")
    treasury.rule("PIS", "reject", times=1)
    adapter.run("PIS")
    assert adapter.statuses() == Counter(APPROVED=2, FAILED=1)
    failed = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'FAILED'")[0]
    assert "rejected by SSU" in failed["error_message"]
    kinds = adapter.rows(
        "SELECT kind FROM ifms.fund_movement WHERE payment_instruction_id = %s ORDER BY id", failed["id"]
    )
    assert [row["kind"] for row in kinds] == ["RESERVE", "DEBIT", "REVERSAL"]
    told = adapter.rows(
        "SELECT payload FROM ifms.outbox WHERE ordering_key LIKE %s ORDER BY id", f"%{failed['payment_number']}"
    )
    assert [row["payload"]["referenceStatus"] for row in told] == ["PAYMENT_INITIATED", "PAYMENT_DECLINED"]
    assert logged(adapter, "PIS")["STATUS_LOG_PIS_REJECTED"] == 1
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize(
    "text",
    [
        "Request of user rejected: maintenance",
        "Bill {n}: documents not attached, rejected by SSU sample",
        "This Bill Number {n} is not rejected by SSU sample",
    ],
)
def test_words_that_are_not_known_change_nothing_and_are_red(adapter, treasury, text):
    bring_to(adapter, "PIS")
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction ORDER BY pi_number")[0]["pi_number"]
    treasury.rule("PIS", "error", errorMsg=text.format(n=number))
    with pytest.raises(SweepNeedsAttentionError, match="what nobody knows"):
        adapter.run("PIS")
    assert adapter.statuses() == Counter(INITIATED=3)
    noted = adapter.rows("SELECT service_id, times FROM ifms.unknown_answer")
    assert sum(row["times"] for row in noted) == 3
    behind = "SELECT count(*) AS n FROM ifms.payment_instruction WHERE unknown_answer_id IS NOT NULL"
    assert adapter.rows(behind) == [{"n": 3}]
    treasury.clear()
    adapter.run("PIS")
    assert adapter.rows(behind) == [{"n": 0}], "another answer has come"


def test_a_bill_that_is_not_known_after_its_acceptance_is_red(adapter, treasury):
    bring_to(adapter, "PIS")
    treasury.rule("PIS", "error", errorMsg="Bill not received in JIT-FS")
    with pytest.raises(SweepNeedsAttentionError, match="has taken it, and PIS says that it does not know it"):
        adapter.run("PIS")
    assert adapter.statuses() == Counter(INITIATED=3)


def test_a_refusal_that_is_known_is_red_the_third_time_running(adapter, treasury):
    bring_to(adapter, "PAG")
    with psycopg.connect(adapter.dsn) as connection:
        add_phrase(connection, ["PAG"], "Sample maintenance {number}", "try later", reason="asked", added_by="a tester")
    treasury.rule("PAG", "error", errorMsg="Sample maintenance 4711")
    adapter.run("PAG")
    adapter.run("PAG")
    with pytest.raises(SweepNeedsAttentionError, match="the same way 3 times running"):
        adapter.run("PAG")
    assert adapter.rows("SELECT count(*) AS n FROM ifms.unknown_answer") == [{"n": 0}]
    treasury.clear()
    adapter.run("PAG")
    assert adapter.statuses() == Counter({"IN PROCESS": 3})


def test_an_error_that_means_no_news_is_green(adapter, treasury):
    bring_to(adapter, "PD")
    with psycopg.connect(adapter.dsn) as connection:
        add_phrase(connection, ["PD"], "No record found", "no news", reason="asked", added_by="a tester")
    treasury.rule("PD", "error", errorMsg="No record found.")
    for _ in range(4):
        adapter.run("PD")
    assert adapter.statuses() == Counter({"IN PROCESS": 3})


def test_an_approval_with_another_amount_changes_nothing(adapter, treasury):
    bring_to(adapter, "PIS")
    treasury.rule("PIS", "unknown_text", field="billNetAmount", text="1.00", times=1)
    with pytest.raises(SweepNeedsAttentionError, match="net amount"):
        adapter.run("PIS")
    assert adapter.statuses() == Counter(APPROVED=2, INITIATED=1)


def test_scrolls_are_kept_as_they_come_and_the_last_one_completes(adapter, treasury):
    bring_to(adapter, "PD")
    treasury.rule("PD", "partial_scrolls", beneficiaries=1)
    adapter.run("PD")
    statuses = adapter.statuses()
    assert statuses["IN PROCESS"] >= 1
    paid = adapter.rows("SELECT * FROM ifms.beneficiary WHERE status = 'Payment Successful'")
    assert len(paid) == 3
    assert all(row["utr_number"] and row["voucher_number"] and row["voucher_date"] for row in paid)
    treasury.clear()
    adapter.run("PD")
    assert adapter.statuses() == Counter(SUCCESSFUL=3)
    told = adapter.rows(
        "SELECT coalesce(payload->>'lineStatus', 'all ' || (payload->>'status')) AS said, count(*) AS n "
        "FROM ifms.outbox GROUP BY 1 ORDER BY 1"
    )
    waited = statuses["IN PROCESS"]  # of these one was told of before the others
    assert {row["said"]: row["n"] for row in told} == {"all INITIATED": 3, "all SUCCESSFUL": 3, "SUCCESSFUL": waited}


def test_doubled_and_turned_rows_give_the_same_result(adapter, treasury):
    """F8."""
    bring_to(adapter, "PD")
    treasury.rule("PD", "duplicate_rows")
    adapter.run("PD")
    assert adapter.statuses() == Counter(SUCCESSFUL=3)


def test_a_session_that_expires_in_the_middle_costs_one_login(adapter, treasury, simulators):
    """F6."""
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "with_payments": True, "count": 30}
    simulators.ask_platform("POST", "bills", order)
    bring_to(adapter, "PIS")
    before = treasury.state["logins"]
    treasury.rule("PIS", "expired_session", times=1)
    adapter.run("PIS")
    assert adapter.statuses() == Counter(APPROVED=33)
    assert treasury.state["logins"] - before == 2


def test_all_sessions_end_in_a_sweep_of_32_threads_and_it_costs_one_login(adapter, treasury, simulators, monkeypatch):
    """F6: whoever is under way then is told so; nobody fails, and nobody logs in but one."""
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "with_payments": True, "count": 93}
    simulators.ask_platform("POST", "bills", order)
    bring_to(adapter, "PIS")
    many = sum(adapter.statuses().values())
    adapter.treasury_changes = {"max_concurrency": 32}
    treasury.rule("PIS", "latency", ms=50)
    before = treasury.state["logins"]
    asked, request = count(1), InstructionStatus.request

    def last_of_a_third(service, pi, config):
        if next(asked) == many // 3:
            treasury.settings(expire_sessions=True)
        return request(service, pi, config)

    monkeypatch.setattr(InstructionStatus, "request", last_of_a_third)
    adapter.run("PIS")
    assert adapter.statuses() == Counter(APPROVED=many)
    assert treasury.state["logins"] - before == 2
    outcomes = adapter.rows("SELECT outcome, count(*) AS n FROM ifms.treasury_call WHERE service_id = 'PIS' GROUP BY 1")
    assert {row["outcome"] for row in outcomes} == {"answered", "unknown"}


def test_an_unreachable_treasury_ends_the_sweep_early(adapter, treasury, simulators):
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 1, "with_payments": True, "count": 120}
    simulators.ask_platform("POST", "bills", order)
    bring_to(adapter, "PIS")
    treasury.rule("PIS", "lost_reply")
    with pytest.raises(SweepUnreachableError, match="calls in a row reached nobody"):
        adapter.run("PIS")
    assert treasury.state["calls"]["PIS"] < 100
    assert adapter.rows("SELECT count(*) AS n FROM ifms.payment_instruction WHERE claim_token IS NOT NULL")[0]["n"] == 0


def test_what_was_taken_over_meanwhile_does_not_keep_the_rest_from_being_given_back(adapter):
    bring_to(adapter, "PIS")
    sweep = adapter.sweep("PIS")
    with sweep:
        items = claimed(sweep, InstructionStatus.queue, Scope())
        next(items)
        with psycopg.connect(adapter.dsn) as connection:  # another copy takes one of the other two over
            connection.execute(
                """
                UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid()
                WHERE id = (SELECT id FROM ifms.payment_instruction ORDER BY polled_at OFFSET 1 LIMIT 1)
                """
            )
        items.close()
    assert sweep.counts["claim_lost"] == 1
    assert len(adapter.rows("SELECT id FROM ifms.payment_instruction WHERE claim_token IS NULL")) == 1


@contextmanager
def all_come_back_before_the_first_is_written(adapter, treasury, service):
    """The log is locked until the treasury has answered all three, so that two wait for the first."""
    bring_to(adapter, service)
    treasury.settings(latency_ms=200)  # all are asked about before the first comes back
    before = len(treasury.arrivals)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(adapter.dsn) as holder:
        holder.execute("LOCK TABLE ifms.status_log IN EXCLUSIVE MODE")
        sweep = pool.submit(adapter.run, service)
        end = time.monotonic() + 120
        while len(treasury.arrivals) < before + 4:  # and the login
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.4)
        yield sweep, holder
        holder.commit()
        sweep.exception(timeout=120)


def transactions(adapter, service):
    """How many answers each transaction has written."""
    rows = adapter.rows("SELECT xmin::text AS id FROM ifms.status_log WHERE service_id = %s", service)
    return sorted(Counter(row["id"] for row in rows).values())


@pytest.mark.parametrize("service", ["PIS", "PAG", "PD"])
def test_answers_that_have_piled_up_are_written_in_one_transaction(adapter, treasury, service):
    with all_come_back_before_the_first_is_written(adapter, treasury, service) as (sweep, _):
        pass
    assert sweep.result().counts["answered"] == sweep.result().counts["done"] == 3
    assert transactions(adapter, service) in ([1, 2], [3])
    assert adapter.statuses() == Counter({AFTER[service]: 3})
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize("service", ["PIS", "PAG", "PD"])
def test_one_that_can_not_be_written_keeps_no_other_back(adapter, treasury, service):
    """Another copy has taken one of them over: the others are settled, and it is left to that copy."""
    with all_come_back_before_the_first_is_written(adapter, treasury, service) as (sweep, holder):
        holder.execute(
            """
            UPDATE ifms.payment_instruction SET claim_token = gen_random_uuid()
            WHERE id = (SELECT id FROM ifms.payment_instruction ORDER BY id DESC LIMIT 1)
            """
        )
    counts = sweep.result().counts
    assert (counts["claim_lost"], counts["done"], counts["answered"]) == (1, 2, 3)
    assert adapter.statuses() == Counter({AFTER[service]: 2, BEFORE[service]: 1})
    calls = adapter.rows("SELECT outcome FROM ifms.treasury_call WHERE service_id = %s", service)
    assert calls == [{"outcome": "answered"}] * 3, "what was heard of the third is logged all the same"
    assert transactions(adapter, service) in ([1, 1], [2])  # if it was the first, two were left that can be written
    assert_money_is_right(adapter, treasury)


def test_large_answers_are_written_by_themselves(adapter, treasury, monkeypatch):
    """A statement that holds many of them would take too much memory."""
    monkeypatch.setattr(status_poll, "LARGE_REPLY", 10)
    with all_come_back_before_the_first_is_written(adapter, treasury, "PD") as (sweep, _):
        pass
    assert sweep.result().counts["done"] == 3
    assert transactions(adapter, "PD") == [1, 1, 1]


@pytest.mark.parametrize("error", [errors.DeadlockDetected, errors.LockNotAvailable, LedgerError])
def test_what_keeps_a_transaction_of_several_back_keeps_none_of_them_back(adapter, treasury, monkeypatch, error):
    """Two runs may wait for each other's rows: then each is settled by itself, and the run is green."""
    alone, together, tried = Poll._write, Poll._settle_together, []

    def fails(*_):
        tried.append(error)
        raise error("sample")

    def settle_together(poll, answers):
        monkeypatch.setattr(Poll, "_write", fails)
        try:
            return together(poll, answers)
        finally:
            monkeypatch.setattr(Poll, "_write", alone)

    monkeypatch.setattr(database, "_ATTEMPTS", 1)
    monkeypatch.setattr(Poll, "_settle_together", settle_together)
    with all_come_back_before_the_first_is_written(adapter, treasury, "PD") as (sweep, _):
        pass
    assert tried
    assert sweep.result().counts["done"] == 3
    assert transactions(adapter, "PD") == [1, 1, 1]
    assert adapter.statuses() == Counter({"SUCCESSFUL": 3})
    assert_money_is_right(adapter, treasury)


def test_a_refusal_is_written_by_itself_whatever_else_has_come_back(adapter, treasury):
    treasury.rule("PIS", "reject", times=1)
    with all_come_back_before_the_first_is_written(adapter, treasury, "PIS") as (sweep, _):
        pass
    assert sweep.result().counts["refused"] == 1
    assert adapter.statuses() == Counter({"APPROVED": 2, "FAILED": 1})
    [rejected] = adapter.rows(
        "SELECT count(*) AS n FROM ifms.status_log WHERE xmin = (SELECT xmin FROM ifms.status_log"
        " WHERE to_status = 'FAILED')"
    )
    assert rejected["n"] == 1
    assert_money_is_right(adapter, treasury)
