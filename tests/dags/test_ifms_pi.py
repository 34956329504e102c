"""ifms_pi alone: each payment has one PI at the treasury after it, its money spent."""

from __future__ import annotations

import json
import os

import psycopg
import pytest
from support import failed
from support.adapter import Adapter, assert_money_is_right
from support.sanctions import allot_of_last_year, close
from support.uncertain import nobody_listens

from ifms.cli import main
from ifms.clock import wire_datetime
from ifms.errors import SweepError
from ifms.ledger import restores

pytestmark = pytest.mark.airflow


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2})
def test_each_payment_gets_one_instruction(run_dag, airflow_connections, adapter, treasury):
    adapter.run("VA")
    adapter.run("PA")
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
        assert adapter.statuses() == {"INITIATED": 4}
        assert list(treasury.accepted.values()) == [1] * 4
    [sums] = adapter.rows("SELECT sum(reserved_amount) AS reserved, sum(spent_amount) AS spent FROM ifms.sanction")
    [owed] = adapter.rows("SELECT sum(amount) AS owed FROM ifms.payment")
    assert (sums["reserved"], sums["spent"]) == (0, owed["owed"])


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_closed_sanction_pays_nobody_and_one_of_last_year_only_by_the_connections_setting(
    run_dag, airflow_connections, adapter, treasury, monkeypatch
):
    adapter.run("VA")
    adapter.run("PA")
    old = allot_of_last_year(adapter)
    close(adapter, other_than=old)
    assert run_dag("ifms_pi").state == "success"
    assert treasury.accepted == {}
    [held] = adapter.rows("SELECT hold_message FROM ifms.payment")
    assert f"{old} (of " in held["hold_message"]
    assert "(closed)" in held["hold_message"]
    known = json.loads(os.environ["AIRFLOW_CONN_IFMS_TREASURY"])
    extra = known["extra"] | {"use_earlier_years": True}
    monkeypatch.setenv("AIRFLOW_CONN_IFMS_TREASURY", json.dumps(known | {"extra": extra}))
    assert run_dag("ifms_pi").state == "success"
    assert adapter.rows("SELECT master_allotment_id AS id, status FROM ifms.payment_instruction") == [
        {"id": old, "status": "INITIATED"}
    ]
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})
def test_a_payment_without_funds_is_said_once_and_stays_green(run_dag, airflow_connections, adapter, treasury):
    adapter.run("PA")
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PAYMENT_INSUFFICIENT_FUNDS"}]
    assert len(adapter.rows("SELECT id FROM ifms.outbox")) == 1
    assert treasury.accepted == {}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
@pytest.mark.parametrize("broken", ["no_account", "masked", "bad_ifsc"])
def test_a_payee_who_cannot_be_paid_is_named_and_the_others_are_paid(
    run_dag, airflow_connections, adapter, treasury, broken
):
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 2}
    [bad] = airflow_connections.ask_platform("POST", "bills", order | {"broken": broken})
    airflow_connections.ask_platform("POST", "bills", order)
    adapter.run("VA")
    adapter.run("PA")
    assert run_dag("ifms_pi").state == "failed"
    [row] = adapter.rows("SELECT message, problems FROM ifms.sweep_run WHERE dag_id = 'ifms_pi' AND service_id = 'PI'")
    assert row["message"].startswith("SweepNeedsAttentionError: ")
    assert any(bad["payees"][1] in problem for problem in row["problems"])
    assert adapter.statuses() == {"INITIATED": 1}
    assert len(treasury.accepted) == 1


def one_payment(adapter) -> str:
    """A payment with funds and no PI yet; its number."""
    failed.wage_bill(adapter, payees=2)
    adapter.run("VA")
    adapter.run("PA")
    return adapter.rows("SELECT payment_number FROM ifms.payment")[0]["payment_number"]


def statuses(adapter) -> list[str]:
    rows = adapter.rows("SELECT status FROM ifms.payment_instruction ORDER BY created_at")
    return [row["status"] for row in rows]


def declined(adapter, treasury) -> str:
    """The treasury has declined the PI of one payment: it does not know the IFSC of a payee."""
    number = one_payment(adapter)
    treasury.rule("PI", "error", times=1, errorMsgs=[{"errorCode": "322", "errorMsg": "Wrong IFSC provided"}])
    adapter.run("PI")
    assert statuses(adapter) == ["FAILED"]
    return number


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_declined_one_gets_a_successor_by_itself_once_the_account_differs(
    run_dag, airflow_connections, adapter, treasury
):
    declined(adapter, treasury)
    sent = treasury.state["calls"]["PI"]
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
    assert statuses(adapter) == ["FAILED"]  # the same content would be declined again
    assert treasury.state["calls"]["PI"] == sent

    [payee] = adapter.rows("SELECT beneficiary_number FROM ifms.beneficiary ORDER BY 1 LIMIT 1")
    failed.mend(adapter, [payee["beneficiary_number"]])
    assert run_dag("ifms_pi").state == "success"
    assert statuses(adapter) == ["FAILED", "INITIATED"]
    assert len(adapter.rows("SELECT id FROM ifms.payment")) == 1
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_the_form_makes_a_new_one_for_a_payment_that_was_declined(run_dag, airflow_connections, adapter, treasury):
    number = declined(adapter, treasury)
    for _ in range(2):
        run = run_dag("ifms_pi", conf={"payments": [number]})
        assert statuses(adapter) == ["FAILED", "INITIATED"]
    assert run.state == "failed"  # the second one is told that a PI is under way
    [row] = adapter.rows("SELECT message FROM ifms.sweep_run WHERE run_id = %s AND service_id = 'PI'", run.run_id)
    assert row["message"].startswith(
        f"BadInputError: payment '{number}' is not known here, or has a payment instruction"
    )
    assert len(adapter.rows("SELECT id FROM ifms.payment")) == 1
    assert len(airflow_connections.ask_platform("GET", "state")["payments"]) == 1
    assert len(treasury.accepted) == 1
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_one_that_was_never_sent_and_is_cancelled_is_not_sent_and_waits_for_the_form(
    run_dag, airflow_connections, adapter, treasury, capsys
):
    number = one_payment(adapter)
    with nobody_listens(adapter):
        adapter.run("PI")
    [pi] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
    given = ["cancel", pi["pi_number"], "--reason", "a sample", "--confirm", pi["pi_number"], "--dsn", adapter.dsn]
    assert main(given) == 0, capsys.readouterr().err
    assert run_dag("ifms_pi").state == "success"
    assert statuses(adapter) == ["FAILED"]
    assert treasury.accepted == {}
    assert run_dag("ifms_pi", conf={"payments": [number]}).state == "success"
    assert statuses(adapter) == ["FAILED", "INITIATED"]
    assert pi["pi_number"] not in treasury.accepted
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_rejected_one_waits_for_the_form(run_dag, airflow_connections, adapter, treasury):
    number = one_payment(adapter)
    adapter.run("PI")
    treasury.rule("PIS", "reject", times=1)
    adapter.run("PIS")
    assert run_dag("ifms_pi").state == "success"
    assert statuses(adapter) == ["FAILED"]
    assert run_dag("ifms_pi", conf={"payments": [number]}).state == "success"
    assert statuses(adapter) == ["FAILED", "INITIATED"]
    assert len(airflow_connections.ask_platform("GET", "state")["payments"]) == 1
    assert_money_is_right(adapter, treasury)


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_revisions_that_stayed_pending_are_settled(run_dag, airflow_connections, adapter, treasury):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    treasury.rule("COR", "lost_reply", times=1)
    with pytest.raises(SweepError):
        adapter.correct()
    assert [row["status"] for row in failed.revisions(adapter)] == ["PENDING"]
    assert run_dag("ifms_pi").state == "success"
    assert [row["status"] for row in failed.revisions(adapter)] == ["INITIATED"]
    assert len(treasury.state["corrections"]) == 1


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_it_corrects_nothing_new(run_dag, airflow_connections, adapter, treasury):
    failed.paid_and_failed(adapter)
    failed.mend(adapter)
    assert run_dag("ifms_pi").state == "success"
    assert failed.revisions(adapter) == []
    assert "COR" not in treasury.state["calls"]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_the_form_adopts_a_bill_that_a_restored_ledger_has_lost(
    run_dag, airflow_connections, adapter, treasury, postgres
):
    number = one_payment(adapter)
    name = f"{adapter.dsn.rpartition('/')[2]}_went_on"
    postgres.create_database(name, adapter.dsn.rpartition("/")[2])
    try:  # the PI is made and accepted after the backup
        with psycopg.connect(postgres.dsn(name)) as owner:
            restores.nothing_lost(owner, "the ledger that will be lost", "sample")
        went_on = Adapter(postgres.dsn(name), adapter.simulators)
        went_on.run("PI")
        [pi] = went_on.rows("SELECT * FROM ifms.payment_instruction")
    finally:
        postgres.drop_database(name)
    with psycopg.connect(adapter.dsn) as owner:
        restores.begin(owner, "sample")
    form = {
        "tenant": pi["tenant_id"],
        "pi_number": pi["pi_number"],
        "bill_date": wire_datetime(pi["bill_date"]),
        "payment_number": number,
        "master_allotment_id": pi["master_allotment_id"],
        "ssu_allotment_id": pi["ssu_allotment_id"],
        "allotment_serial_no": pi["allotment_serial_no"],
        "reason": "in the treasury's list {{ 7 * 7 }}",
        "person": "A Sample",
    }
    sent = treasury.state["calls"]["PI"]
    run = run_dag("ifms_pi", conf={"adopt": form | {"allotment_serial_no": 99}})
    assert run.state == "failed"
    [row] = adapter.rows("SELECT message FROM ifms.sweep_run WHERE run_id = %s AND service_id = 'PI'", run.run_id)
    assert row["message"].startswith("BadInputError: od.samplea has 0 allotments ")
    assert statuses(adapter) == []
    assert run_dag("ifms_pi", conf={"adopt": form}).state == "success"
    assert statuses(adapter) == ["IN PROCESS"]
    [log, *_] = adapter.rows("SELECT message FROM ifms.status_log ORDER BY id")
    assert log["message"].endswith("adopted by A Sample: in the treasury's list {{ 7 * 7 }}")
    for _ in range(2):
        assert run_dag("ifms_pi").state == "success"
    assert run_dag("ifms_pd").state == "success"
    assert statuses(adapter) == ["SUCCESSFUL"]
    assert treasury.state["calls"]["PI"] == sent
    assert_money_is_right(adapter, treasury)
