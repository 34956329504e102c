"""F10: a copy of a task stands still, its claim runs out, another sweep finishes its work; then the copy wakes up."""

from datetime import timedelta

import psycopg
import pytest
from support.adapter import assert_money_is_right
from support.processes import ANSWERED, BEFORE_SENDING, SETTLING, UNDER_WAY, Job, copy, until

from ifms.ledger import session

TENANT = "od.samplea"
TABLES = ("sanction", "fund_movement", "payment", "payment_instruction", "beneficiary", "status_log", "outbox", "bill")

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0}),
]


@pytest.fixture
def due(adapter, simulators):
    """`due(service)`: everything is as it is when the service has one PI to work on."""

    def prepare(service):
        simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "payees": 2})
        before = {"PI": ("VA", "PA"), "PIS": ("VA", "PA", "PI"), "COR": ("VA", "PA", "PI", "PIS", "PAG", "PD")}
        for earlier in before[service]:
            adapter.run(earlier)
        if service == "COR":
            number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"]
            simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
            adapter.run("FD")
            payee = adapter.rows("SELECT beneficiary_id FROM ifms.failed_beneficiary")[0]["beneficiary_id"]
            change = {"tenantId": TENANT, "referenceId": payee, "accountNumber": "000099990001"}
            simulators.ask_platform("POST", "accounts", change)
        return adapter

    return prepare


def claims_run_out(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() - interval '1 second'")


def versions(adapter):
    """Every row with the transaction that wrote it last: a write of the same values would show, too."""
    return {t: adapter.rows(f"SELECT xmin::text AS version, * FROM ifms.{t} ORDER BY id") for t in TABLES}


MOVES_MONEY = ("PI", "COR")
DONE = {"PI": ("ORIGINAL", "INITIATED"), "COR": ("REVISED", "INITIATED"), "PIS": ("ORIGINAL", "APPROVED")}


def assert_done(adapter, service):
    pi_type, status = DONE[service]
    rows = adapter.rows("SELECT status, claim_token FROM ifms.payment_instruction WHERE pi_type = %s", pi_type)
    assert rows == [{"status": status, "claim_token": None}]


@pytest.mark.parametrize("moment", [BEFORE_SENDING, UNDER_WAY, ANSWERED])
@pytest.mark.parametrize("service", ["PI", "COR", "PIS"])
def test_what_a_copy_that_lost_its_claim_learned_touches_no_row(due, treasury, service, moment):
    adapter = due(service)
    if moment == UNDER_WAY:
        treasury.rule(service, "latency", ms=1500, after=True, times=1)
    with copy(adapter, Job(service), moment) as stale:
        if moment == UNDER_WAY:
            until(lambda: treasury.state["calls"].get(service))
            stale.stop()
        claims_run_out(adapter)
        adapter.run(service)
        assert_done(adapter, service)
        before = versions(adapter)
        ending = stale.wake()
    assert ending.counts.get("claim_lost") == 1, ending
    assert versions(adapter) == before
    calls = adapter.rows("SELECT outcome FROM ifms.treasury_call WHERE service_id = %s", service)
    heard = [call["outcome"] for call in calls if call["outcome"] in ("answered", "rejected")]
    assert len(heard) == treasury.state["calls"][service], "what each copy heard is logged"
    if service in MOVES_MONEY:
        assert set(treasury.accepted.values()) == {1}
        numbers = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
        assert set(treasury.accepted) == {row["pi_number"] for row in numbers}
    assert_money_is_right(adapter, treasury)


@pytest.mark.parametrize("service", ["PI", "COR", "PIS"])
def test_a_copy_that_stands_still_in_its_transaction_loses_it(due, treasury, service):
    """It holds the row's lock, so nobody can take over: the server ends its session, as its transaction says."""
    adapter = due(service)
    adapter.timeouts = session.Timeouts(idle=timedelta(milliseconds=300))
    with copy(adapter, Job(service), SETTLING) as stale:
        claims_run_out(adapter)
        adapter.run(service)
        assert_done(adapter, service)
        before = versions(adapter)
        ending = stale.wake()
    assert ending.counts.get("claim_lost") == 1, ending
    assert versions(adapter) == before
    assert_money_is_right(adapter, treasury)


def test_a_killed_copy_s_work_is_finished_once_its_claim_has_run_out(due, treasury):
    """Out of memory, in the middle: SIGKILL, at each moment of one PI after the other."""
    adapter = due("PI")
    for moment in (BEFORE_SENDING, ANSWERED, SETTLING):
        with copy(adapter, Job("PI"), moment) as victim:
            victim.kill()
        assert_money_is_right_so_far(adapter, treasury)
        claims_run_out(adapter)
    adapter.run("PI")
    assert_done(adapter, "PI")
    assert treasury.state["calls"]["PI"] == 1
    assert_money_is_right(adapter, treasury)


def assert_money_is_right_so_far(adapter, treasury):
    assert_money_is_right(adapter, treasury)
    rows = adapter.rows("SELECT status FROM ifms.payment_instruction")
    assert [row["status"] for row in rows] == ["PENDING"]
